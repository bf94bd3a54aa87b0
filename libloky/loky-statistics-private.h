/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What became of the tasks of one name, or of all. The pool has one for each name, under its lock; what a user has is a
 * copy that does not change. */

#include "loky-histogram-private.h"
#include "loky-statistics.h"

G_BEGIN_DECLS

struct _LokyStatistics
{
  gatomicrefcount ref_count;
  guint64 n_submitted;
  guint64 n_succeeded;
  guint64 n_failed;
  guint64 n_cancelled;
  LokyHistogram run_time;   /* of one item, in ns */
  LokyHistogram queue_time; /* from its submission until it was begun, in ns */
};

LokyStatistics *loky_statistics_new (void);
void loky_statistics_merge (LokyStatistics *self, const LokyStatistics *other);
/* @n_items tasks have run for @run_time together, after they were submitted @age before they ended; in ns. */
void loky_statistics_add_times (LokyStatistics *self, gint64 run_time, gint64 age, guint n_items);

G_END_DECLS
