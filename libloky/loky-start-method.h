/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <glib.h>

#include "loky-version.h"

G_BEGIN_DECLS

LOKY_AVAILABLE_IN_1_0
gboolean loky_set_start_method (const char *name, gboolean force, GError **error);

LOKY_AVAILABLE_IN_1_0
const char *loky_get_start_method (void);

G_END_DECLS
