/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <glib-object.h>

#include "loky-executor.h"

G_BEGIN_DECLS

#define LOKY_TYPE_STATISTICS (loky_statistics_get_type ())

typedef struct _LokyStatistics LokyStatistics;

LOKY_AVAILABLE_IN_1_0
GType loky_statistics_get_type (void) G_GNUC_CONST;

LOKY_AVAILABLE_IN_1_0
LokyStatistics *loky_statistics_ref (LokyStatistics *self);

LOKY_AVAILABLE_IN_1_0
void loky_statistics_unref (LokyStatistics *self);

LOKY_AVAILABLE_IN_1_0
guint64 loky_statistics_get_n_submitted (LokyStatistics *self);

LOKY_AVAILABLE_IN_1_0
guint64 loky_statistics_get_n_succeeded (LokyStatistics *self);

LOKY_AVAILABLE_IN_1_0
guint64 loky_statistics_get_n_failed (LokyStatistics *self);

LOKY_AVAILABLE_IN_1_0
guint64 loky_statistics_get_n_cancelled (LokyStatistics *self);

LOKY_AVAILABLE_IN_1_0
gdouble loky_statistics_get_run_time (LokyStatistics *self, gdouble percentile);

LOKY_AVAILABLE_IN_1_0
gdouble loky_statistics_get_queue_time (LokyStatistics *self, gdouble percentile);

LOKY_AVAILABLE_IN_1_0
LokyStatistics *loky_executor_dup_statistics (LokyExecutor *self, const char *task)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
char **loky_executor_dup_task_names (LokyExecutor *self) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokyStatistics, loky_statistics_unref)

G_END_DECLS
