/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include "loky-enums.h"
#include "loky-executor-config.h"
#include "loky-executor.h"

G_BEGIN_DECLS

LOKY_AVAILABLE_IN_1_0
LokyExecutor *loky_get_reusable_executor (LokyExecutorConfig *config,
                                          LokyReuse reuse,
                                          gboolean kill_workers,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
