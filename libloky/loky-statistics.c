/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-statistics-private.h"

#include "loky-executor-private.h"

#define NSEC_PER_MSEC 1e6

/**
 * LokyStatistics:
 *
 * What became of the tasks of an executor since it was made: of those of one name, or of all.
 *
 * [method@Loky.Executor.dup_statistics] makes it; it does not change afterwards. Times are counted in steps, eight
 * for each doubling: what is told is at most a sixteenth off.
 *
 * The items of a map count each. Those that were run as a chunk are given the same part of its run time, and those
 * that failed in a chunk of which others succeeded count as succeeded: the chunk was returned.
 *
 * Callable from any thread.
 *
 * Since: 1.0
 */
G_DEFINE_BOXED_TYPE (LokyStatistics, loky_statistics, loky_statistics_ref, loky_statistics_unref)

LokyStatistics *
loky_statistics_new (void)
{
  LokyStatistics *self = g_new0 (LokyStatistics, 1);

  g_atomic_ref_count_init (&self->ref_count);
  return self;
}

void
loky_statistics_merge (LokyStatistics *self, const LokyStatistics *other)
{
  self->n_submitted += other->n_submitted;
  self->n_succeeded += other->n_succeeded;
  self->n_failed += other->n_failed;
  self->n_cancelled += other->n_cancelled;
  loky_histogram_merge (&self->run_time, &other->run_time);
  loky_histogram_merge (&self->queue_time, &other->queue_time);
}

void
loky_statistics_add_times (LokyStatistics *self, gint64 run_time, gint64 age, guint n_items)
{
  loky_histogram_add (&self->run_time, run_time / n_items, n_items);
  /* The run time is the worker's word. */
  loky_histogram_add (&self->queue_time, run_time < age ? age - run_time : 0, n_items);
}

/**
 * loky_statistics_ref:
 * @self: statistics
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
LokyStatistics *
loky_statistics_ref (LokyStatistics *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * loky_statistics_unref:
 * @self: (transfer full): statistics
 *
 * Drops a reference.
 *
 * Since: 1.0
 */
void
loky_statistics_unref (LokyStatistics *self)
{
  g_return_if_fail (self != NULL);

  if (g_atomic_ref_count_dec (&self->ref_count))
    g_free (self);
}

/**
 * loky_statistics_get_n_submitted:
 * @self: statistics
 *
 * Gets how many tasks were submitted.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
loky_statistics_get_n_submitted (LokyStatistics *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_submitted;
}

/**
 * loky_statistics_get_n_succeeded:
 * @self: statistics
 *
 * Gets how many tasks returned a result.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
loky_statistics_get_n_succeeded (LokyStatistics *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_succeeded;
}

/**
 * loky_statistics_get_n_failed:
 * @self: statistics
 *
 * Gets how many tasks ended with an error, of their own or since their worker died.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
loky_statistics_get_n_failed (LokyStatistics *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_failed;
}

/**
 * loky_statistics_get_n_cancelled:
 * @self: statistics
 *
 * Gets how many tasks were cancelled.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
loky_statistics_get_n_cancelled (LokyStatistics *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_cancelled;
}

static gdouble
get_percentile (const LokyHistogram *histogram, gdouble percentile)
{
  gint64 duration = loky_histogram_get_percentile (histogram, percentile);

  return duration < 0 ? -1 : (gdouble) duration / NSEC_PER_MSEC;
}

/**
 * loky_statistics_get_run_time:
 * @self: statistics
 * @percentile: of how many of the tasks, in percent, from 0 to 100; 50 for the median
 *
 * Gets the time that so many of the tasks did not run longer than, as the workers say; of those that returned, with
 * or without a result. It is at most a sixteenth off.
 *
 * Returns: the time, in milliseconds; -1 if none has returned
 *
 * Since: 1.0
 */
gdouble
loky_statistics_get_run_time (LokyStatistics *self, gdouble percentile)
{
  g_return_val_if_fail (self != NULL, -1);

  return get_percentile (&self->run_time, percentile);
}

/**
 * loky_statistics_get_queue_time:
 * @self: statistics
 * @percentile: of how many of the tasks, in percent, from 0 to 100; 50 for the median
 *
 * Gets the time that so many of the tasks did not wait longer than: from the submission to the end, less the run
 * time; of those that returned. It is at most a sixteenth off.
 *
 * Returns: the time, in milliseconds; -1 if none has returned
 *
 * Since: 1.0
 */
gdouble
loky_statistics_get_queue_time (LokyStatistics *self, gdouble percentile)
{
  g_return_val_if_fail (self != NULL, -1);

  return get_percentile (&self->queue_time, percentile);
}

/* --- of an executor --------------------------------------------------------------------------- */

/**
 * loky_executor_dup_statistics:
 * @self: an executor
 * @task: (nullable): the name of a task; %NULL for all
 *
 * Gets what became of tasks until now.
 *
 * Returns: (transfer full): the statistics; zeros for a task that was never submitted
 *
 * Since: 1.0
 */
LokyStatistics *
loky_executor_dup_statistics (LokyExecutor *self, const char *task)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);

  return loky_pool_dup_statistics (loky_executor_get_pool (self), task);
}

/**
 * loky_executor_dup_task_names:
 * @self: an executor
 *
 * Gets the names of the tasks that were submitted, whether they are there or not.
 *
 * Returns: (transfer full) (array zero-terminated=1): the names, sorted
 *
 * Since: 1.0
 */
char **
loky_executor_dup_task_names (LokyExecutor *self)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);

  return loky_pool_dup_task_names (loky_executor_get_pool (self));
}
