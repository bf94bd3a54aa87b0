/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A call after a pause: its worker sleeps, and takes as long to wake up as the call takes to be made, since both find
 * their caches cold. So that is done at the same time: the worker that the next task goes to is woken before the
 * arguments are looked at, and finds the task in the control area.
 *
 * It is a message that says no more than to look (LOKY_MESSAGE_LOOK): a call that is not made after all, or whose task
 * goes to another worker, costs that one a short spin.
 *
 * It needs two CPUs that are free. Where the worker has to wait for the one that who calls does not let go of, since
 * it spins for the answer, it is not tried again for a while, the longer the more often it happened running. */

#include "loky-pool-internal.h"

gboolean
loky_pool_is_rousing_locked (LokyPoolWorker *worker)
{
  return worker->roused_by > 0 && !loky_control_has_handled (&worker->control, worker->roused_by);
}

gboolean
loky_pool_sleeps_on_locked (LokyPoolWorker *worker)
{
  return loky_control_is_asleep (&worker->control) && !loky_pool_is_rousing_locked (worker);
}

void
loky_pool_note_quiet_locked (LokyPool *self)
{
  gboolean is_quiet = self->spin_time > 0 && loky_scheduler_is_quiet (self->scheduler);

  if (is_quiet != g_atomic_int_get (&self->is_quiet))
    g_atomic_int_set (&self->is_quiet, is_quiet);
}

/* NULL: none has to be. */
static LokyPoolWorker *
begin_locked (LokyPool *self)
{
  LokyPoolWorker *worker = (LokyPoolWorker *) loky_scheduler_peek_idle (self->scheduler);

  if (worker == NULL || !loky_scheduler_is_quiet (self->scheduler) ||
      !loky_control_has_to_be_woken (&worker->control, worker->n_put) || !loky_backoff_may_try (&self->rousing))
    return NULL;
  loky_channel_append (worker->channel, LOKY_MESSAGE_LOOK, 0, 0);
  worker->roused_by = ++worker->n_put;
  self->has_roused = TRUE;
  loky_pool_lend_spinning (self, worker, g_get_monotonic_time ());
  return loky_pool_worker_ref (worker);
}

void
loky_pool_note_heard_locked (LokyPool *self, gboolean came_at_once)
{
  if (self->has_roused)
    loky_backoff_note (&self->rousing, came_at_once);
  self->has_roused = FALSE;
}

void
loky_pool_forget_roused_locked (LokyPool *self)
{
  self->has_roused = FALSE;
}

void
loky_pool_rouse (LokyPool *self)
{
  LokyPoolWorker *worker;

  if (!g_atomic_int_get (&self->is_quiet) || !loky_pool_check_process (self, NULL))
    return;
  loky_pool_lock (self);
  worker = begin_locked (self);
  loky_pool_unlock (self);
  if (worker == NULL)
    return;
  loky_pool_flush_worker (self, worker, NULL);
  loky_pool_worker_unref (worker);
}
