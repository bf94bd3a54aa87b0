/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include "loky-plugin.h"

G_BEGIN_DECLS

LOKY_AVAILABLE_IN_1_0
void loky_init (int *argc, char ***argv);

LOKY_AVAILABLE_IN_1_0
void loky_register_plugin (const LokyPluginDescriptor *plugin);

G_END_DECLS
