/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Threads that wait for one after another of many tasks. Woken at once when its task has ended, such a thread finds that
 * the next one has not, and sleeps again: that took the monitor and the workers as much time as the tasks.
 *
 * So who comes back soon, to wait for what it had submitted before, is woken later: when the monitor has nothing more
 * to read and there is a CPU for it, or when the time is over that the tasks that are left need anyway, a millisecond
 * at the most. Many of its tasks have ended by then. Who waits for what it has just submitted is woken at once.
 *
 * The monitor alone has them wait, and only while it reads: it wakes them before it sleeps for longer than they may
 * wait, and before it does anything else. */

#include "loky-pool-internal.h"

/* Who comes back within this time after it was woken comes soon, in µs. */
#define SOON 100

/* How much later somebody is woken for each task that is left, as none takes less, and at the most, in µs. */
#define PATIENCE_PER_TASK 1
#define MAX_PATIENCE 1000

/* When this thread was woken last, in µs. */
static __thread gint64 woken;

static gboolean
is_patient (LokyFuture *future)
{
  return future->task.queued_at < woken && g_get_monotonic_time () - woken < SOON;
}

static void
drop_deferred_locked (LokyPool *self, LokyWaiter *waiter)
{
  LokyWaiter **place = &self->deferred;

  if (!waiter->is_deferred)
    return;
  while (*place != waiter)
    place = &(*place)->next_deferred;
  *place = waiter->next_deferred;
  waiter->is_deferred = FALSE;
}

gboolean
loky_pool_sleep_locked (LokyPool *self, LokyWaiter *waiter, gint64 end)
{
  gboolean in_time;

  waiter->is_patient = is_patient (waiter->future);
  in_time = loky_pool_wait_locked (self, &waiter->cond, end);
  waiter->is_patient = FALSE;
  drop_deferred_locked (self, waiter);
  woken = g_get_monotonic_time ();
  return in_time;
}

void
loky_waiter_serve_locked (LokyWaiter *self)
{
  LokyPool *pool = self->future->pool;

  if (!self->is_patient || !loky_pool_is_monitor_of (pool) || !pool->is_deferring)
    {
      loky_waiter_wake_locked (self);
      return;
    }
  if (pool->deferred_until == 0)
    pool->deferred_until
        = g_get_monotonic_time () +
          MIN (loky_scheduler_get_n_tasks (pool->scheduler) * PATIENCE_PER_TASK, MAX_PATIENCE);
  self->is_deferred = TRUE;
  self->next_deferred = pool->deferred;
  pool->deferred = self;
}

static void
wake_all_locked (LokyPool *self)
{
  g_assert (loky_pool_is_monitor_of (self));
  self->deferred_until = 0;
  while (self->deferred != NULL)
    {
      LokyWaiter *waiter = self->deferred;

      drop_deferred_locked (self, waiter);
      loky_waiter_wake_locked (waiter);
    }
}

void
loky_pool_wake_all_deferred (LokyPool *self)
{
  if (self->deferred_until == 0)
    return;
  loky_pool_lock (self);
  wake_all_locked (self);
  loky_pool_unlock (self);
}

gint64
loky_pool_wake_deferred (LokyPool *self, gboolean is_all_read)
{
  gint64 left;

  if (self->deferred_until == 0)
    return -1;
  left = self->deferred_until - g_get_monotonic_time ();
  if (left > 0 && !is_all_read)
    return left;
  loky_pool_lock (self);
  if (left <= 0 || loky_scheduler_has_free_cpu (self->scheduler))
    {
      wake_all_locked (self);
      left = -1;
    }
  loky_pool_unlock (self);
  return left;
}
