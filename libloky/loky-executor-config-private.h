/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A configuration as executors see it. Not thread-safe. */

#include "loky-executor-config.h"
#include "loky-executor.h"

G_BEGIN_DECLS

/* A new executor with these settings. */
LokyExecutor *loky_executor_config_make (LokyExecutorConfig *self);
/* The settings of an executor. */
LokyExecutorConfig *loky_executor_config_new_from (GObject *executor);
/* Whether workers of the one could as well be those of the other: all but how many there are. */
gboolean loky_executor_config_has_same_workers (LokyExecutorConfig *self, LokyExecutorConfig *other);
/* 0: as many as there are CPUs. */
guint loky_executor_config_get_max_workers (LokyExecutorConfig *self);

/* NULL for the default. */
const char *loky_executor_config_get_start_method (LokyExecutorConfig *self);

G_END_DECLS
