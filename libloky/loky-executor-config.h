/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <glib-object.h>

#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_EXECUTOR_CONFIG (loky_executor_config_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyExecutorConfig, loky_executor_config, LOKY, EXECUTOR_CONFIG, GObject)

LOKY_AVAILABLE_IN_1_0
LokyExecutorConfig *loky_executor_config_new (void);

LOKY_AVAILABLE_IN_1_0
LokyExecutorConfig *loky_executor_config_copy (LokyExecutorConfig *self) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_executor_config_equal (LokyExecutorConfig *self, LokyExecutorConfig *other);

G_END_DECLS
