/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <glib.h>

#include "loky-version.h"

G_BEGIN_DECLS

LOKY_AVAILABLE_IN_1_0
guint loky_cpu_count (void);

LOKY_AVAILABLE_IN_1_0
guint loky_cpu_count_physical (void);

G_END_DECLS
