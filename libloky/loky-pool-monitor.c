/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The monitor thread. It has one GSource for all workers, over an epoll descriptor: with a source for each
 * of them the cost of an event would grow with their number. Each turn it starts and kills whom it was told
 * to, reads what has arrived, and looks at the clock last. */

#include <gio/gio.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-paths-private.h"
#include "loky-pool-server-private.h"
#include "loky-util-private.h"

/* How much one worker may be read in one turn, in calls of recvmsg(), and of its output in bytes. */
#define FILLS_PER_TURN 8
#define OUTPUT_PER_TURN (64u << 10)

#define N_EVENTS 64
#define ROUNDS_PER_TURN 16

typedef struct
{
  GSource base;
  LokyPool *pool;
} MonitorSource;

/* What a listener has left to the monitor. */
static void
tell_what_ended (LokyPool *self)
{
  LokyFuture *to_announce;
  GSList *waits;

  loky_pool_lock (self);
  to_announce = g_steal_pointer (&self->to_announce);
  waits = g_steal_pointer (&self->over_waits);
  loky_pool_unlock (self);
  loky_pool_announce (to_announce);
  loky_pool_end_waits (waits);
}

static void
run_commands (LokyPool *self)
{
  GQueue to_start, to_kill, to_read;
  LokyPoolWorker *worker;

  loky_pool_lock (self);
  to_start = self->to_start;
  to_kill = self->to_kill;
  to_read = self->to_read;
  g_queue_init (&self->to_start);
  g_queue_init (&self->to_kill);
  g_queue_init (&self->to_read);
  loky_pool_unlock (self);
  if (to_start.length + to_kill.length + to_read.length > 0)
    loky_pool_wake_all_deferred (self);

  loky_pool_close_captures (self);
  tell_what_ended (self);
  while ((worker = g_queue_pop_head (&to_read)) != NULL)
    {
      loky_pool_read_channel (self, worker, 1, FALSE);
      loky_pool_worker_unref (worker);
    }

  while ((worker = g_queue_pop_head (&to_start)) != NULL)
    {
      loky_pool_start_worker (self, worker);
      loky_pool_worker_unref (worker);
    }
  while ((worker = g_queue_pop_head (&to_kill)) != NULL)
    {
      loky_pool_carry_out_kill (self, worker);
      loky_pool_worker_unref (worker);
    }
}

static void
handle_event (LokyPool *self, const struct epoll_event *event)
{
  LokyWatch *it = event->data.ptr;
  LokyPoolWorker *worker = it->worker;

  if (it->kind != LOKY_WATCH_CHANNEL)
    loky_pool_wake_all_deferred (self);
  if (it->kind == LOKY_WATCH_SERVER)
    {
      loky_pool_server_handle_event (self);
      return;
    }
  if (it->kind == LOKY_WATCH_OUTPUT)
    {
      loky_pool_read_capture (self, it);
      return;
    }
  if (worker->is_buried)
    return;
  switch (it->kind)
    {
    case LOKY_WATCH_CHANNEL:
      if ((event->events & EPOLLOUT) != 0)
        loky_pool_flush_worker (self, worker, NULL);
      if ((event->events & ~(guint32) EPOLLOUT) != 0)
        {
          loky_pool_attend (self, worker);
          loky_pool_read_channel (self, worker, FILLS_PER_TURN, FALSE);
        }
      break;
    case LOKY_WATCH_PIDFD:
      loky_pool_process_ended (self, worker);
      break;
    case LOKY_WATCH_STDERR:
      loky_pool_read_output (self, worker->process, LOKY_WATCH_STDERR, OUTPUT_PER_TURN);
      break;
    case LOKY_WATCH_SERVER:
    case LOKY_WATCH_OUTPUT:
    default:
      g_assert_not_reached ();
    }
}

static void
handle_channels (LokyPool *self)
{
  struct epoll_event events[N_EVENTS];
  int n_events = epoll_wait (self->channels_fd, events, N_EVENTS, 0);

  for (int i = 0; i < n_events; i++)
    handle_event (self, &events[i]);
}

/* Also those that a thread that spins is about to find. */
static void
read_all_answers (LokyPool *self)
{
  for (guint i = 0; i < self->workers->len; i++)
    {
      LokyPoolWorker *worker = g_ptr_array_index (self->workers, i);

      if (worker->channel != NULL)
        loky_pool_read_answers (self, worker, NULL);
    }
}

/* The time, last: what has arrived was read before any deadline is judged. */
static gboolean
keep_time (LokyPool *self)
{
  gboolean has_commands, is_finished;
  gint64 deadline;
  LokyPoolTurn turn;

  loky_pool_turn_begin (self, &turn);
  deadline = loky_scheduler_get_deadline (self->scheduler);
  if (deadline >= 0 && deadline <= turn.now)
    {
      turn.wakes_monitor = FALSE;
      loky_pool_turn_end (&turn);
      read_all_answers (self);
      loky_pool_turn_begin (self, &turn);
      deadline = loky_scheduler_get_deadline (self->scheduler);
    }
  if (deadline >= 0 && deadline <= turn.now)
    loky_scheduler_tick (self->scheduler, turn.now, self->actions);
  loky_pool_turn_run (&turn);

  self->timer = loky_scheduler_get_deadline (self->scheduler);
  has_commands = !g_queue_is_empty (&self->to_start) || !g_queue_is_empty (&self->to_kill) ||
                 !g_queue_is_empty (&self->to_read) || !g_queue_is_empty (&self->to_close) ||
                 self->to_announce != NULL ||
                 self->over_waits != NULL;
  is_finished = self->is_finished;
  g_source_set_ready_time (self->source, has_commands ? 0 : self->timer);
  turn.wakes_monitor = FALSE;
  loky_pool_turn_end (&turn);
  if (is_finished)
    loky_pool_wake_all_deferred (self);
  return is_finished && !has_commands;
}

static gboolean
monitor_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  LokyPool *self = ((MonitorSource *) source)->pool;
  struct epoll_event events[N_EVENTS];
  int n_events;

  run_commands (self);
  self->is_deferring = TRUE;
  /* Again while there is something: going through the main loop costs two more system calls. */
  for (guint round = 0; round < ROUNDS_PER_TURN; round++)
    {
      n_events = epoll_wait (self->epoll_fd, events, N_EVENTS, 0);
      for (int i = 0; i < n_events; i++)
        if (events[i].data.ptr == NULL)
          handle_channels (self);
        else
          handle_event (self, &events[i]);
      g_ptr_array_set_size (self->graveyard, 0);
      if (!loky_pool_look_at_attended (self, NULL) && n_events <= 0)
        break;
      loky_pool_wake_deferred (self, FALSE);
    }
  loky_pool_unattend (self, NULL);
  self->is_deferring = FALSE;
  loky_pool_bury_abandoned (self);
  if (self->n_symbolizing > 0)
    loky_pool_drop_backtraces (self);
  g_ptr_array_set_size (self->graveyard, 0);
  if (keep_time (self) && self->workers->len == 0)
    {
      loky_pool_server_end (self);
      if (self->n_reaping > 0)
        return G_SOURCE_CONTINUE;
      loky_pool_sweep_now (self);
      /* The loop may be over already, and only what GLib still has to tell be dispatched. */
      if (self->loop != NULL)
        g_main_loop_quit (self->loop);
    }
  return G_SOURCE_CONTINUE;
}

/* --- the thread ------------------------------------------------------------------------------- */

static __thread LokyPool *monitored;

gboolean
loky_pool_is_monitor (void)
{
  return monitored != NULL;
}

gboolean
loky_pool_is_monitor_of (LokyPool *self)
{
  return monitored == self;
}

/* @timeout in ms, negative for none; @left in µs. GPollFD is what the kernel has. */
static gint
poll_shortly (GPollFD *fds, guint n_fds, gint timeout, gint64 left)
{
  gint64 usec = timeout < 0 ? left : MIN (left, timeout * G_GINT64_CONSTANT (1000));
  struct timespec time = { .tv_sec = usec / G_USEC_PER_SEC, .tv_nsec = usec % G_USEC_PER_SEC * 1000 };

  return ppoll ((struct pollfd *) fds, n_fds, &time, NULL);
}

/* The monitor thread holds the reader lock but here. */
static gint
monitor_poll (GPollFD *fds, guint n_fds, gint timeout)
{
  LokyPool *self = monitored;
  gint64 left = loky_pool_wake_deferred (self, timeout != 0);
  int saved_errno;
  gint n;

  g_mutex_unlock (&self->reader_lock);
  n = left < 0 ? g_poll (fds, n_fds, timeout) : poll_shortly (fds, n_fds, timeout, left);
  saved_errno = errno;
  g_mutex_lock (&self->reader_lock);
  loky_pool_wake_deferred (self, FALSE);
  errno = saved_errno;
  return n;
}

static GSourceFuncs monitor_source_funcs = { .dispatch = monitor_dispatch };

static void
close_descriptors (LokyPool *self)
{
  loky_fork_guard_close (&self->channels_fd);
  loky_fork_guard_close (&self->epoll_fd);
  loky_fork_guard_close (&self->parent_pidfd);
}

static gboolean
open_descriptors (LokyPool *self)
{
  struct epoll_event channels = { .events = EPOLLIN, .data.ptr = NULL };

  self->epoll_fd = loky_fd_above_standard (epoll_create1 (EPOLL_CLOEXEC));
  self->channels_fd = loky_fd_above_standard (epoll_create1 (EPOLL_CLOEXEC));
  self->parent_pidfd
      = loky_fd_above_standard ((int) syscall (SYS_pidfd_open, getpid (), 0));
  loky_fork_guard_add (self->epoll_fd);
  loky_fork_guard_add (self->channels_fd);
  loky_fork_guard_add (self->parent_pidfd);
  return self->epoll_fd >= 0 && self->channels_fd >= 0 && self->parent_pidfd >= 0 &&
         epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, self->channels_fd, &channels) == 0;
}

void
loky_pool_ensure_token (LokyPool *self)
{
  if (self->token == NULL)
    self->token = g_strdup_printf ("%08x%08x%08x%08x", g_random_int (), g_random_int (),
                                   g_random_int (), (guint) getpid ());
}

gboolean
loky_pool_monitor_init (LokyPool *self, GError **error)
{
  if (!open_descriptors (self))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The pool cannot be started: %s",
                   g_strerror (errno));
      close_descriptors (self);
      return FALSE;
    }
  if (!loky_pool_fill_spare (self))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The pool cannot be started: %s",
                   g_strerror (errno));
      loky_pool_release_spare (self);
      close_descriptors (self);
      return FALSE;
    }
  if (!loky_pool_server_watch (self))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The pool cannot be started: %s",
                   g_strerror (errno));
      loky_pool_release_spare (self);
      close_descriptors (self);
      return FALSE;
    }
  loky_pool_ensure_token (self);
  self->knows_memory_kills = FALSE;
  self->n_memory_kills = 0;
  self->backtraces = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->context = g_main_context_new ();
  g_main_context_set_poll_func (self->context, monitor_poll);
  self->source = g_source_new (&monitor_source_funcs, sizeof (MonitorSource));
  ((MonitorSource *) self->source)->pool = self;
  g_source_set_static_name (self->source, "[loky] workers");
  /* It never does, but GLib would take its descriptor out for each dispatch, and wake itself to put it back. */
  g_source_set_can_recurse (self->source, TRUE);
  g_source_add_unix_fd (self->source, self->epoll_fd, G_IO_IN);
  g_source_attach (self->source, self->context);
  self->output = loky_stderr_new ();
  self->workers = g_ptr_array_new_with_free_func ((GDestroyNotify) loky_pool_worker_unref);
  self->attended = g_ptr_array_new_with_free_func ((GDestroyNotify) loky_pool_worker_unref);
  self->graveyard = g_ptr_array_new_with_free_func ((GDestroyNotify) loky_pool_worker_unref);
  if (self->plugin_path == NULL)
    self->plugin_path = loky_paths_get_plugin_path ();
  return TRUE;
}

/* Without the lock, or before there is a thread. */
void
loky_pool_monitor_clear (LokyPool *self)
{
  g_clear_pointer (&self->output, loky_stderr_free);
  g_clear_pointer (&self->workers, g_ptr_array_unref);
  g_clear_pointer (&self->attended, g_ptr_array_unref);
  g_clear_pointer (&self->graveyard, g_ptr_array_unref);
  /* After the thread it is NULL already, and is read with the lock: it is not written again. */
  if (self->source != NULL)
    {
      g_source_destroy (self->source);
      g_clear_pointer (&self->source, g_source_unref);
    }
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_pointer (&self->backtraces, g_hash_table_unref);
  loky_pool_release_spare (self);
  close_descriptors (self);
}

/* Nobody listens any more when this returns. Who does has its future's end, and does not stay. */
static void
dismiss_listener (LokyPool *self)
{
  loky_pool_lock (self);
  self->is_closing = TRUE;
  while (self->listener != NULL)
    g_cond_wait (&self->listener_left, &self->lock);
  loky_pool_drop_bells_locked (self);
  loky_pool_unlock (self);
}

gpointer
loky_pool_run_monitor (gpointer user_data)
{
  LokyPool *self = user_data;
  GSource *source;
  sigset_t signals;
  LokyPoolTurn turn;

  /* The application's handlers run in its own threads, and a worker is started with all blocked. */
  sigfillset (&signals);
  pthread_sigmask (SIG_BLOCK, &signals, NULL);

  monitored = self;
  g_mutex_lock (&self->reader_lock);
  g_main_context_push_thread_default (self->context);
  self->loop = g_main_loop_new (self->context, FALSE);
  g_main_loop_run (self->loop);
  g_clear_pointer (&self->loop, g_main_loop_unref);
  /* What GLib still has to tell refers to the context. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);
  g_mutex_unlock (&self->reader_lock);
  dismiss_listener (self);
  /* The last one may have read the last result when this thread had come to its end. */
  run_commands (self);

  /* From here nobody wakes us. */
  loky_pool_lock (self);
  source = g_steal_pointer (&self->source);
  loky_pool_unlock (self);
  g_source_destroy (source);
  g_source_unref (source);
  loky_pool_monitor_clear (self);
  loky_block_cache_close (self->blocks);

  loky_pool_turn_begin (self, &turn);
  self->is_over = TRUE;
  turn.has_changed = TRUE;
  loky_pool_turn_end (&turn);
  loky_pool_unref (self);
  return NULL;
}
