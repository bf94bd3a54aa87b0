/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Threads that wait for a task. The first one that comes listens to the workers in place of the monitor, which
 * is not woken for it: the channels' own epoll descriptor is taken out of the monitor's, and is back there when
 * the waiter leaves, whatever for. To listen means no more than to be woken: reading needs the reader lock,
 * which is only tried here. Who does not get it, or finds what is the monitor's to handle (a protocol error, the
 * end of a channel), leaves the rest to it and sleeps.
 *
 * A waiter tells of its own future only, and after it has left: whoever called may hold locks of its own, or be in
 * the middle of its main loop. The monitor tells of the others.
 *
 * A main context that waits for a call may listen in the same way, but only spin: before it sleeps. */

#include <gio/gio.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "loky-fork-guard-private.h"
#include "loky-pool-internal.h"
#include "loky-util-private.h"

#define N_EVENTS 64
#define ROUNDS_PER_READ 16

/* Where there are more tasks the monitor reads: many answers at a time, while the waiters are told of their own. */
#define MAX_TO_LISTEN 16

/* How long no main context listens after one did so in vain: 0.2 ms to 26 ms, in ns. */
#define VAIN_TIME (G_GINT64_CONSTANT (100) * 1000)
#define MAX_VAIN 8

/* Descriptors that are kept for the next one who listens. */
#define MAX_IDLE_BELLS 4

void
loky_waiter_init (LokyWaiter *self, LokyFuture *future)
{
  *self = (LokyWaiter){ .future = future, .bell = -1, .told_tail = &self->told };
  g_cond_init (&self->cond);
}

void
loky_waiter_clear (LokyWaiter *self)
{
  g_assert (!self->listens);
  g_cond_clear (&self->cond);
}

void
loky_waiter_wake_locked (LokyWaiter *self)
{
  if (!self->listens)
    {
      g_cond_signal (&self->cond);
      return;
    }
  g_atomic_int_set (&self->is_rung, TRUE);
  if (self->bell >= 0)
    eventfd_write (self->bell, 1);
}

/* --- bells ------------------------------------------------------------------------------------ */

static void
take_bell_locked (LokyPool *self, LokyWaiter *waiter)
{
  if (self->bells->len > 0)
    {
      waiter->bell = g_array_index (self->bells, int, self->bells->len - 1);
      g_array_set_size (self->bells, self->bells->len - 1);
      return;
    }
  waiter->bell = loky_fd_above_standard (eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK));
  loky_fork_guard_add (waiter->bell);
}

static void
return_bell_locked (LokyPool *self, LokyWaiter *waiter)
{
  eventfd_t rings;

  if (waiter->bell < 0)
    return;
  if (g_atomic_int_get (&waiter->is_rung))
    eventfd_read (waiter->bell, &rings);
  if (self->bells->len < MAX_IDLE_BELLS && !self->is_closing)
    g_array_append_val (self->bells, waiter->bell);
  else
    loky_fork_guard_close (&waiter->bell);
  waiter->bell = -1;
}

void
loky_pool_drop_bells_locked (LokyPool *self)
{
  for (guint i = 0; i < self->bells->len; i++)
    loky_fork_guard_close (&g_array_index (self->bells, int, i));
  g_array_set_size (self->bells, 0);
}

/* --- listening -------------------------------------------------------------------------------- */

/* Whether the monitor is woken by what comes from workers. */
static void
set_monitor_listens (LokyPool *self, gboolean listens)
{
  struct epoll_event event = { .events = listens ? EPOLLIN : 0, .data.ptr = NULL };

  epoll_ctl (self->epoll_fd, EPOLL_CTL_MOD, self->channels_fd, &event);
}

static gboolean
is_rung (LokyWaiter *waiter)
{
  return g_atomic_int_get (&waiter->is_rung);
}

/* Who has waited is told once it does not listen any more: the monitor waits for that at its end, and what is freed
 * then may be anybody's code. A main context waits for anything that goes by a mailbox. */
static gboolean
is_for (LokyWaiter *waiter, LokyFuture *future)
{
  return waiter->future == future || (waiter->future == NULL && future->listener == NULL);
}

static void
sort_deferred (LokyPool *self, LokyWaiter *waiter, LokyPoolDeferred *deferred)
{
  LokyFuture *others = NULL;
  LokyFuture **tail = &others;

  while (deferred->ended != NULL)
    {
      LokyFuture *future = deferred->ended;
      gboolean is_own = is_for (waiter, future);

      deferred->ended = future->next_ended;
      future->next_ended = NULL;
      *(is_own ? waiter->told_tail : tail) = future;
      if (is_own)
        waiter->told_tail = &future->next_ended;
      else
        tail = &future->next_ended;
    }
  if (others == NULL && deferred->waits == NULL)
    return;
  loky_pool_lock (self);
  /* In the order in which they have ended, behind those that are there. */
  for (tail = &self->to_announce; *tail != NULL; tail = &(*tail)->next_ended)
    ;
  *tail = others;
  self->over_waits = g_slist_concat (self->over_waits, deferred->waits);
  g_source_set_ready_time (self->source, 0);
  loky_pool_unlock (self);
}

/* With the reader lock. FALSE: there is something for the monitor. */
static gboolean
read_all (LokyPool *self, LokyWaiter *waiter, LokyPoolDeferred *deferred)
{
  struct epoll_event events[N_EVENTS];
  int n_events = epoll_wait (self->channels_fd, events, N_EVENTS, 0);
  gboolean is_sound = TRUE;

  for (int i = 0; i < n_events; i++)
    {
      LokyPoolWorker *worker = ((LokyWatch *) events[i].data.ptr)->worker;

      if ((events[i].events & EPOLLOUT) != 0)
        loky_pool_flush_worker (self, worker, deferred);
      if ((events[i].events & ~(guint32) EPOLLOUT) != 0)
        {
          loky_pool_attend (self, worker);
          is_sound &= loky_pool_read_for_waiter (self, worker, deferred);
        }
    }
  for (guint round = 0; round < ROUNDS_PER_READ && !is_rung (waiter); round++)
    if (!loky_pool_look_at_attended (self, deferred))
      break;
  loky_pool_unattend (self, deferred);
  return is_sound;
}

/* Of one that was spun for: most of its answers are left. */
static gboolean
read_one (LokyPool *self, LokyPoolWorker *worker, LokyPoolDeferred *deferred)
{
  gboolean has_sent = loky_control_get_sent_from_worker (&worker->control) != worker->sent_seen;

  if (has_sent)
    return loky_pool_read_for_waiter (self, worker, deferred);
  loky_pool_read_answers (self, worker, deferred);
  return worker->read_error == NULL;
}

/* @worker: the one to read; NULL for all that have sent something. */
static void
read_some (LokyPool *self, LokyWaiter *waiter, LokyPoolWorker *worker)
{
  LokyPoolDeferred deferred = { .ended_tail = &deferred.ended };
  gboolean is_sound;

  if (!g_mutex_trylock (&self->reader_lock))
    {
      waiter->is_deaf = TRUE;
      return;
    }
  is_sound = worker != NULL ? read_one (self, worker, &deferred) : read_all (self, waiter, &deferred);
  g_mutex_unlock (&self->reader_lock);
  sort_deferred (self, waiter, &deferred);
  /* For nothing in particular: anything will do. */
  if (waiter->future == NULL && waiter->told != NULL)
    g_atomic_int_set (&waiter->is_rung, TRUE);
  waiter->is_deaf |= !is_sound;
}

static void
spin (LokyPool *self, LokyWaiter *waiter, LokyPoolWorker *worker, gint64 spin_time)
{
  if (!loky_spin_take_token ())
    return;
  loky_control_set_attentive (&worker->control, TRUE);
  if (loky_spin_begin (&self->spin, spin_time))
    do
      {
        if (loky_control_has_answers (&worker->control) ||
            loky_control_get_sent_from_worker (&worker->control) !=
                __atomic_load_n (&worker->sent_seen, __ATOMIC_RELAXED))
          read_some (self, waiter, worker);
      }
    while (!is_rung (waiter) && !waiter->is_deaf && loky_spin_go_on (&self->spin));
  loky_spin_return_token ();
  loky_control_set_attentive (&worker->control, FALSE);
  /* What was left before that. The reader lock may be another's, who need not have seen it. */
  if (!loky_control_has_answers (&worker->control))
    return;
  read_some (self, waiter, worker);
  if (loky_control_has_answers (&worker->control))
    loky_pool_ask_to_read (self, worker);
}

/* Sleeps until something comes, and reads it. FALSE: the time is over. */
static gboolean
poll_channels (LokyPool *self, LokyWaiter *waiter, int bell, gint64 end)
{
  struct pollfd fds[2] = { { .fd = self->channels_fd, .events = POLLIN },
                           { .fd = bell, .events = POLLIN } };
  gint64 left = end < 0 ? 0 : end - g_get_monotonic_time ();
  struct timespec timeout = { .tv_sec = left / G_USEC_PER_SEC,
                              .tv_nsec = left % G_USEC_PER_SEC * 1000 };

  if (end >= 0 && left <= 0)
    return FALSE;
  if (ppoll (fds, G_N_ELEMENTS (fds), end < 0 ? NULL : &timeout, NULL) > 0 && fds[0].revents != 0)
    read_some (self, waiter, NULL);
  return TRUE;
}

/* How long the result is worth spinning for, in ns, and where it comes from. Who was roused for it may have as long to
 * wake up yet. */
static gint64
plan_spin_locked (LokyPool *self, LokyWaiter *waiter, LokyPoolWorker **worker)
{
  LokySchedulerTask *task = &waiter->future->task;

  *worker = NULL;
  if (self->spin_time == 0 || task->state != LOKY_TASK_STATE_SENT ||
      task->worker->state >= LOKY_WORKER_STATE_DYING || task->function->run_time < 0 ||
      task->worker->ahead > self->spin_time)
    {
      loky_pool_forget_roused_locked (self);
      return 0;
    }
  /* Who sleeps is woken on this CPU, if this thread is about to sleep, too. */
  if (waiter->woke_worker || loky_pool_sleeps_on_locked ((LokyPoolWorker *) task->worker))
    return 0;
  *worker = loky_pool_worker_ref ((LokyPoolWorker *) task->worker);
  return loky_pool_is_rousing_locked (*worker) ? 3 * self->spin_time : self->spin_time;
}

void
loky_pool_listen_locked (LokyPool *self, LokyWaiter *waiter)
{
  if (self->listener != NULL || !self->has_thread || self->is_closing || waiter->is_deaf ||
      loky_scheduler_get_n_tasks (self->scheduler) > MAX_TO_LISTEN)
    return;
  self->listener = waiter;
  waiter->listens = TRUE;
  g_atomic_int_set (&waiter->is_rung, FALSE);
  if (!self->is_unheard)
    set_monitor_listens (self, FALSE);
  self->is_unheard = FALSE;
}

/* Where nothing is to come, nobody has to listen before something is asked for: two system calls are saved for
 * each of many calls in a row. */
static void
stop_listening_locked (LokyPool *self, LokyWaiter *waiter)
{
  waiter->listens = FALSE;
  self->listener = NULL;
  self->is_unheard = !self->is_closing && loky_scheduler_is_quiet (self->scheduler);
  if (!self->is_unheard)
    set_monitor_listens (self, TRUE);
  if (self->is_closing)
    g_cond_signal (&self->listener_left);
}

void
loky_pool_be_heard_locked (LokyPool *self)
{
  if (!self->is_unheard || self->listener != NULL)
    return;
  self->is_unheard = FALSE;
  set_monitor_listens (self, TRUE);
}

/* Unlocked, and not listening. */
static void
tell (LokyWaiter *waiter)
{
  LokyFuture *told = g_steal_pointer (&waiter->told);

  waiter->told_tail = &waiter->told;
  loky_pool_announce (told);
}

static gboolean
hear_locked (LokyPool *self, LokyWaiter *waiter, gint64 end)
{
  gboolean in_time = TRUE;
  gboolean came_at_once;
  LokyPoolWorker *worker;
  gint64 spin_time = plan_spin_locked (self, waiter, &worker);

  loky_pool_unlock (self);

  if (worker != NULL)
    {
      spin (self, waiter, worker, spin_time);
      loky_pool_worker_unref (worker);
    }
  came_at_once = is_rung (waiter);
  if (!came_at_once && !waiter->is_deaf)
    {
      loky_pool_lock (self);
      take_bell_locked (self, waiter);
      loky_pool_unlock (self);
      waiter->is_deaf = waiter->bell < 0;
      while (in_time && !is_rung (waiter) && !waiter->is_deaf)
        in_time = poll_channels (self, waiter, waiter->bell, end);
    }

  loky_pool_lock (self);
  loky_pool_note_heard_locked (self, came_at_once);
  return_bell_locked (self, waiter);
  stop_listening_locked (self, waiter);
  if (waiter->told != NULL)
    {
      loky_pool_unlock (self);
      tell (waiter);
      loky_pool_lock (self);
    }
  return in_time;
}

/* --- main contexts ---------------------------------------------------------------------------- */

/* Who may spin, and has something to do that should not take long. */
static LokyPoolWorker *
find_quick_locked (LokyPool *self)
{
  for (guint i = 0; i < LOKY_POOL_MAX_LEASES; i++)
    {
      LokyPoolWorker *worker = self->leases[i].worker;

      if (worker != NULL && worker->scheduling.tasks.length > 0 &&
          worker->scheduling.ahead <= self->spin_time)
        return loky_pool_worker_ref (worker);
    }
  return NULL;
}

/* An answer that does not come in time is the monitor's to read, as any other. Where that happens again and again
 * it is not tried for a while. */
void
loky_pool_hear (gpointer user_data)
{
  LokyPool *self = user_data;
  LokyPoolWorker *worker = NULL;
  LokyWaiter waiter;
  gboolean is_vain;

  loky_pool_lock (self);
  if (self->spin_time > 0 && self->listener == NULL && loky_spin_now () >= self->vain_until)
    worker = find_quick_locked (self);
  if (worker == NULL)
    {
      loky_pool_unlock (self);
      return;
    }
  loky_waiter_init (&waiter, NULL);
  loky_pool_listen_locked (self, &waiter);
  loky_pool_unlock (self);
  if (waiter.listens)
    spin (self, &waiter, worker, 2 * self->spin_time);
  loky_pool_worker_unref (worker);

  is_vain = !is_rung (&waiter);
  loky_pool_lock (self);
  loky_pool_note_heard_locked (self, !is_vain);
  if (waiter.listens)
    {
      self->n_vain = is_vain ? MIN (self->n_vain + 1, MAX_VAIN) : 0;
      if (is_vain)
        self->vain_until = loky_spin_now () + (VAIN_TIME << self->n_vain);
      stop_listening_locked (self, &waiter);
    }
  loky_pool_unlock (self);
  tell (&waiter);
  loky_waiter_clear (&waiter);
}

gboolean
loky_pool_await_locked (LokyPool *self, LokyWaiter *waiter, gint64 end)
{
  loky_pool_listen_locked (self, waiter);
  if (waiter->listens)
    return hear_locked (self, waiter, end);
  return loky_pool_sleep_locked (self, waiter, end);
}
