/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-pool-server-private.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-fork-server-private.h"
#include "loky-message-private.h"
#include "loky-probes-private.h"
#include "loky-util-private.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* How long a fork server may take to fork a worker that is not wanted any more, in ms. */
#define GIVE_UP_TIME 250

/* How long a copy of the application may take to die of SIGKILL, in ms. */
#define REAP_TIME 1000

/* How often the threads of the application are counted again, 1 ms apart: the kernel lists one that was joined for a
 * moment longer. */
#define COUNT_TRIES 20

/* How much of its output is read at once, in bytes. */
#define OUTPUT_AT_ONCE (64u << 10)

struct _LokyPoolServer
{
  LokyPool *pool;
  LokyWorkerProcess *process; /* NULL: there is none now */
  LokyChannel *channel;       /* as long as it */
  gboolean is_ending;    /* it was seen to: its status is being waited for */
  gboolean was_given_up; /* we killed it, since it did not fork */
  gboolean is_copy;      /* of the application: our own child, and not GLib's */
  GHashTable *loaded;    /* names of plugins that this one was told to load */
  guint64 loading;       /* id of the worker before which it was told so last, until that is there; or 0 */
  gboolean loads_none;   /* one ended over that: plugins are left to the workers */
  LokyWatch watch;
};

static void status_known_cb (gpointer user_data);

/* --- starting ----------------------------------------------------------------------------------- */

static void
want_write_cb (gpointer user_data, gboolean want_write)
{
  LokyPoolServer *server = user_data;
  struct epoll_event event = {
    .events = want_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
    .data.ptr = &server->watch,
  };

  epoll_ctl (server->pool->epoll_fd, EPOLL_CTL_MOD, loky_channel_get_fd (server->channel), &event);
}

static LokyPoolServer *
ensure_server (LokyPool *self)
{
  if (self->server == NULL)
    {
      self->server = g_new0 (LokyPoolServer, 1);
      self->server->pool = self;
      self->server->watch.kind = LOKY_WATCH_SERVER;
    }
  return self->server;
}

static gboolean
watch_fd (LokyPool *self, int fd)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = &self->server->watch };

  return epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* FALSE: some of it could not be had. */
static gboolean
watch_server (LokyPool *self)
{
  LokyPoolServer *server = self->server;

  loky_channel_set_want_write (server->channel, want_write_cb, server);
  return watch_fd (self, loky_channel_get_fd (server->channel)) &&
         watch_fd (self, loky_worker_process_get_stderr_fd (server->process)) &&
         watch_fd (self, loky_worker_process_get_pidfd (server->process));
}

static void
unwatch_server (LokyPool *self)
{
  LokyPoolServer *server = self->server;

  loky_pool_unwatch (self, LOKY_WATCH_SERVER, loky_channel_get_fd (server->channel));
  loky_pool_unwatch (self, LOKY_WATCH_SERVER, loky_worker_process_get_stderr_fd (server->process));
  loky_pool_unwatch (self, LOKY_WATCH_SERVER, loky_worker_process_get_pidfd (server->process));
}

static gboolean
send_setup (LokyPool *self, GError **error)
{
  int pidfd = loky_fd_above_standard ((int) syscall (SYS_pidfd_open, getpid (), 0));
  GVariant *setup;

  if (pidfd < 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The fork server cannot be set up: %s",
                   g_strerror (errno));
      return FALSE;
    }
  setup = g_variant_new ("(s@aay)", LOKY_VERSION,
                         g_variant_new_bytestring_array ((const char *const *) self->plugin_path, -1));
  loky_channel_append_variant (self->server->channel, LOKY_SERVER_SETUP, 0, 0, setup, &pidfd, 1);
  loky_channel_flush (self->server->channel);
  return TRUE;
}

/* Our end of the channel of a server; the other one is returned. */
static int
connect_server (LokyPool *self, GError **error)
{
  LokyPoolServer *server = ensure_server (self);
  int ends[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A fork server cannot be connected: %s",
                   g_strerror (errno));
      return -1;
    }
  server->channel = loky_channel_new (loky_fd_above_standard (ends[0]));
  loky_fork_guard_add (loky_channel_get_fd (server->channel));
  server->is_ending = FALSE;
  server->was_given_up = FALSE;
  server->loading = 0;
  server->loaded = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return loky_fd_above_standard (ends[1]);
}

static void
clear_server (LokyPoolServer *server)
{
  loky_fork_guard_remove (loky_channel_get_fd (server->channel));
  g_clear_pointer (&server->channel, loky_channel_free);
  g_clear_pointer (&server->loaded, g_hash_table_unref);
  server->process = NULL;
}

/* GLib's own thread was faster, and tells us soon. FALSE: nobody will. */
static gboolean
wait_for_status (LokyPool *self)
{
  self->server->is_ending = TRUE;
  return loky_worker_process_wait_ended (self->server->process, status_known_cb, self);
}

static gboolean
start_server (LokyPool *self, GError **error)
{
  g_autofree char *token = g_strdup_printf ("%s-" LOKY_FORK_SERVER_ID, self->token);
  int channel_fd = connect_server (self, error);
  LokyPoolServer *server = self->server;

  if (channel_fd < 0)
    return FALSE;
  server->process = loky_pool_spawn (self, NULL, LOKY_FORK_SERVER_ARGUMENT, token, channel_fd, error);
  if (server->process == NULL)
    {
      clear_server (self->server);
      return FALSE;
    }
  /* It has ended and was reaped already: whoever waits for a worker of it is told how it ended. */
  if (loky_worker_process_get_pidfd (server->process) < 0 && wait_for_status (self))
    return TRUE;
  if (watch_server (self) && send_setup (self, error))
    return TRUE;
  if (error != NULL && *error == NULL)
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The fork server cannot be watched");
  loky_pool_server_end (self);
  return FALSE;
}

gboolean
loky_pool_server_is_there (LokyPool *self)
{
  return self->server != NULL && self->server->process != NULL;
}

gboolean
loky_pool_server_watch (LokyPool *self)
{
  return !loky_pool_server_is_there (self) || watch_server (self);
}

/* --- its end ------------------------------------------------------------------------------------ */

/* A copy of the application, which only we wait for. It was killed, or has ended. */
static void
reap_copy (LokyPoolServer *server)
{
  int pidfd = loky_worker_process_get_pidfd (server->process);
  struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };
  siginfo_t info;

  poll (&poll_fd, 1, REAP_TIME);
  waitid (P_PIDFD, (id_t) pidfd, &info, WEXITED | WNOHANG);
  loky_worker_process_free (server->process);
}

static void
let_go (LokyPool *self)
{
  LokyPoolServer *server = self->server;

  if (server->is_copy)
    reap_copy (server);
  else
    loky_pool_let_reap (self, server->process);
  clear_server (self->server);
}

void
loky_pool_server_end (LokyPool *self)
{
  if (!loky_pool_server_is_there (self))
    return;
  unwatch_server (self);
  loky_worker_process_kill (self->server->process);
  let_go (self);
}

void
loky_pool_server_destroy (LokyPoolServer *server)
{
  if (server->process != NULL)
    {
      loky_worker_process_kill (server->process);
      reap_copy (server);
      clear_server (server);
    }
  g_free (server);
}

/* A worker that there will not be, or not any more for us. Takes over @cause. */
static void
lose_worker (LokyPool *self, LokyPoolWorker *worker, GError *cause)
{
  if (worker->cause == NULL)
    worker->cause = g_steal_pointer (&cause);
  g_clear_error (&cause);
  loky_worker_process_orphan (worker->process);
  loky_pool_process_ended (self, worker);
}

static void
excuse (LokyPool *self, LokyPoolWorker *worker)
{
  loky_pool_lock (self);
  loky_scheduler_excuse (&worker->scheduling);
  loky_pool_unlock (self);
}

static void
read_output (LokyPool *self)
{
  loky_pool_read_output (self, self->server->process, LOKY_WATCH_SERVER, OUTPUT_AT_ONCE);
}

/* Those that it was to fork are not to come; of the others it says no more. It is one start that failed, however many
 * were to come of it. */
static void
server_gone (LokyPool *self, const LokyEnding *ending)
{
  LokyPoolServer *server = self->server;
  gboolean is_counted = server->was_given_up;
  g_autofree char *program = NULL;
  g_autofree char *path = loky_pool_dup_program (self);
  g_autofree char *ended = loky_ending_to_string (ending);
  g_autofree char *output = NULL;

  read_output (self);
  program = g_filename_display_name (path);
  output = loky_worker_process_dup_stderr_tail (server->process);
  if (server->loading != 0)
    server->loads_none = TRUE;
  unwatch_server (self);
  let_go (self);
  loky_pool_plan_sweep (self);

  /* Each that is lost is taken out, and the last one put in its place. */
  for (guint i = self->workers->len; i > 0; i--)
    {
      LokyPoolWorker *worker = g_ptr_array_index (self->workers, i - 1);

      if (worker->is_buried || worker->process == NULL)
        continue;
      /* One that it has just forked may still look as if it were of its own, and be swept away. */
      if (!worker->has_said_hello && is_counted)
        excuse (self, worker);
      is_counted |= !worker->has_said_hello;
      if (!loky_worker_process_is_awaited (worker->process))
        {
          loky_worker_process_orphan (worker->process);
          continue;
        }
      lose_worker (self, worker,
                   g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_START,
                                "The fork server, %s, which was to fork a worker, %s%s%s", program, ended,
                                output != NULL ? "; its last output: " : "", output != NULL ? output : ""));
    }
}

static void
status_known_cb (gpointer user_data)
{
  LokyPool *self = user_data;
  LokyEnding ending = { LOKY_ENDING_UNKNOWN, 0 };

  loky_worker_process_check_ended (self->server->process, &ending);
  server_gone (self, &ending);
}

/* --- what it says ------------------------------------------------------------------------------- */

static LokyPoolWorker *
find_worker (LokyPool *self, guint64 id)
{
  for (guint i = 0; i < self->workers->len; i++)
    {
      LokyPoolWorker *worker = g_ptr_array_index (self->workers, i);

      if (worker->id == id && !worker->is_buried && worker->process != NULL)
        return worker;
    }
  return NULL;
}

/* Whether a descriptor is the pidfd of that process, where the system tells. */
static gboolean
is_pidfd_of (int fd, guint32 pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", fd);
  g_autofree char *text = NULL;
  const char *line;
  int shown;

  if (pid <= 1 || pid > G_MAXINT32)
    return FALSE;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return !g_file_test ("/proc/self", G_FILE_TEST_EXISTS);
  line = strstr (text, "\nPid:");
  if (line == NULL || sscanf (line, "\nPid: %d", &shown) != 1)
    return FALSE;
  /* -1: it has ended and was reaped. */
  return shown == (int) pid || shown == -1;
}

/* One whose server is gone before this would be lost with what it had begun. */
static void
let_serve (LokyPool *self, LokyPoolWorker *worker)
{
  LokyPoolTurn turn;

  loky_pool_turn_begin (self, &turn);
  worker->is_awaited = FALSE;
  if (worker->is_early)
    loky_scheduler_worker_ready (self->scheduler, &worker->scheduling, turn.now, self->actions);
  loky_pool_turn_end (&turn);
}

static gboolean
take_forked (LokyPool *self, LokyFrame *frame, GError **error)
{
  LokyPoolWorker *worker = find_worker (self, frame->header.number);
  loky_autofd int pidfd = -1;
  g_autoptr (GVariant) body
      = loky_message_parse_variant (&frame->header, frame->body, LOKY_SERVER_FORKED_TYPE, error);
  guint32 pid;

  if (body == NULL)
    return FALSE;
  if (frame->has_lost_fds || frame->header.n_fds != 1)
    {
      /* It finds its channel closed, and leaves. */
      if (worker != NULL && loky_worker_process_is_awaited (worker->process))
        lose_worker (self, worker,
                     g_error_new_literal (LOKY_ERROR, LOKY_ERROR_RESOURCES,
                                          "A worker cannot be watched: too many descriptors are open"));
      return TRUE;
    }
  pidfd = loky_fd_above_standard (loky_steal_fd (&frame->fds[0]));
  g_variant_get (body, "(u)", &pid);
  if (!is_pidfd_of (pidfd, pid))
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "The fork server forked nothing");
      return FALSE;
    }
  if (self->server->loading == frame->header.number)
    self->server->loading = 0;
  if (worker == NULL || !loky_worker_process_is_awaited (worker->process))
    {
      /* It was given up. */
      syscall (SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
      return TRUE;
    }
  loky_worker_process_adopt (worker->process, (pid_t) pid, loky_steal_fd (&pidfd));
  LOKY_PROBE_WORKER_SPAWNED (worker->id, pid);
  if (loky_pool_watch (self, worker, LOKY_WATCH_PIDFD, loky_worker_process_get_pidfd (worker->process)))
    let_serve (self, worker);
  else
    loky_pool_condemn (self, worker,
                       g_error_new (LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be watched: %s",
                                    g_strerror (errno)));
  return TRUE;
}

static gboolean
take_failed (LokyPool *self, LokyFrame *frame, GError **error)
{
  LokyPoolWorker *worker = find_worker (self, frame->header.number);
  g_autoptr (GVariant) body
      = loky_message_parse_variant (&frame->header, frame->body, LOKY_SERVER_REASON_TYPE, error);
  const char *reason;

  if (body == NULL)
    return FALSE;
  g_variant_get (body, "(&s)", &reason);
  if (worker != NULL && loky_worker_process_is_awaited (worker->process))
    lose_worker (self, worker, g_error_new_literal (LOKY_ERROR, LOKY_ERROR_WORKER_START, reason));
  return TRUE;
}

static gboolean
take_ended (LokyPool *self, LokyFrame *frame, GError **error)
{
  LokyPoolWorker *worker = find_worker (self, frame->header.number);
  g_autoptr (GVariant) body
      = loky_message_parse_variant (&frame->header, frame->body, LOKY_SERVER_ENDED_TYPE, error);
  gint32 status;

  if (body == NULL)
    return FALSE;
  g_variant_get (body, "(i)", &status);
  if (worker != NULL && !loky_worker_process_is_awaited (worker->process))
    loky_worker_process_take_status (worker->process, status);
  return TRUE;
}

static gboolean
take_frame (LokyPool *self, LokyFrame *frame, GError **error)
{
  switch (frame->header.type)
    {
    case LOKY_SERVER_FORKED:
      return take_forked (self, frame, error);
    case LOKY_SERVER_FAILED:
      return take_failed (self, frame, error);
    case LOKY_SERVER_ENDED:
      return take_ended (self, frame, error);
    default:
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "The fork server sent a message of type %u",
                   frame->header.type);
      return FALSE;
    }
}

/* All that there is. FALSE: there will be no more. */
static gboolean
read_channel (LokyPool *self)
{
  LokyChannel *channel = self->server->channel;

  for (;;)
    {
      LokyFrameStatus status;
      LokyFrame frame;

      while ((status = loky_channel_next_frame (channel, &frame, NULL)) == LOKY_FRAME_COMPLETE)
        {
          g_autoptr (GError) error = NULL;
          gboolean is_sound = take_frame (self, &frame, &error);

          loky_frame_close_fds (&frame);
          if (is_sound)
            continue;
          g_warning ("The fork server is killed: %s", error->message);
          return FALSE;
        }
      if (status == LOKY_FRAME_INVALID)
        return FALSE;
      switch (loky_channel_fill (channel, FALSE, NULL))
        {
        case LOKY_FILL_DATA:
          break;
        case LOKY_FILL_AGAIN:
          return TRUE;
        case LOKY_FILL_EOF:
        case LOKY_FILL_ERROR:
        default:
          return FALSE;
        }
    }
}

static gboolean
has_ended (LokyPoolServer *server)
{
  struct pollfd poll_fd = { .fd = loky_worker_process_get_pidfd (server->process), .events = POLLIN };

  return poll_fd.fd < 0 || poll (&poll_fd, 1, 0) > 0;
}

void
loky_pool_server_handle_event (LokyPool *self)
{
  LokyPoolServer *server = self->server;
  LokyEnding ending = { LOKY_ENDING_UNKNOWN, 0 };
  gboolean is_over;

  /* The event may be that of one that is gone. */
  if (server->process == NULL || server->is_ending)
    return;
  loky_channel_flush (server->channel);
  read_output (self);
  is_over = has_ended (server);
  /* What it said before counts. */
  if (!read_channel (self))
    {
      loky_pool_unwatch (self, LOKY_WATCH_SERVER, loky_channel_get_fd (server->channel));
      loky_worker_process_kill (server->process);
    }
  if (!is_over)
    return;
  if (loky_worker_process_check_ended (server->process, &ending) || server->is_copy)
    {
      server_gone (self, &ending);
      return;
    }
  unwatch_server (self);
  if (!wait_for_status (self))
    server_gone (self, &ending);
}

/* --- workers ------------------------------------------------------------------------------------ */

static void
add_plugin (LokyPoolServer *server, GVariantBuilder *builder, const char *name)
{
  if (g_hash_table_add (server->loaded, g_strdup (name)))
    g_variant_builder_add (builder, "s", name);
}

/* Those that are asked for, and those that have proved, in workers, to be no harm. A copy of the application is told
 * none: another one cannot be made when one ends over that. */
static GVariant *
list_new_plugins (LokyPool *self)
{
  GVariantBuilder builder;
  GHashTableIter iter;
  LokyFunction *function;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("as"));
  loky_pool_lock (self);
  g_hash_table_iter_init (&iter, self->functions);
  if (!self->server->loads_none && !self->server->is_copy)
    {
      for (gsize i = 0; self->preload != NULL && self->preload[i] != NULL; i++)
        add_plugin (self->server, &builder, self->preload[i]);
      while (g_hash_table_iter_next (&iter, (gpointer *) &function, NULL))
        {
          const char *dot = strchr (function->name, '.');
          g_autofree char *name
              = dot != NULL ? g_strndup (function->name, (gsize) (dot - function->name)) : NULL;

          if (name != NULL && function->scheduling.run_time >= 0)
            add_plugin (self->server, &builder, name);
        }
    }
  loky_pool_unlock (self);
  return g_variant_new ("(@as)", g_variant_builder_end (&builder));
}

static void
ask_for_worker (LokyPool *self, LokyPoolWorker *worker, const int *fds)
{
  g_autoptr (GVariant) body = g_variant_ref_sink (list_new_plugins (self));
  g_autoptr (GVariant) plugins = g_variant_get_child_value (body, 0);

  if (g_variant_n_children (plugins) > 0)
    self->server->loading = worker->id;
  loky_channel_append_variant (self->server->channel, LOKY_SERVER_FORK, 0, worker->id, body, fds, 2);
  loky_channel_flush (self->server->channel);
}

LokyWorkerProcess *
loky_pool_server_start_worker (LokyPool *self, LokyPoolWorker *worker, int channel_fd, GError **error)
{
  LokyPoolServer *server = ensure_server (self);
  int ends[2];
  int fds[2] = { channel_fd, -1 };

  /* What has happened to it is seen now rather than when it is too late for this worker. */
  if (server->process != NULL && has_ended (server))
    loky_pool_server_handle_event (self);
  if (server->process == NULL &&
      !(self->start_method == LOKY_START_METHOD_FORK ? loky_pool_server_fork (self, error)
                                                     : start_server (self, error)))
    {
      close (channel_fd);
      return NULL;
    }
  if (pipe2 (ends, O_CLOEXEC) != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be started: %s",
                   g_strerror (errno));
      close (channel_fd);
      return NULL;
    }
  fds[1] = loky_fd_above_standard (ends[1]);
  ask_for_worker (self, worker, fds);
  return loky_worker_process_new_awaited (loky_fd_above_standard (ends[0]));
}

static gboolean
given_up_cb (gpointer user_data)
{
  LokyPoolWorker *worker = user_data;
  LokyPool *self = worker->pool;
  LokyKillReason reason;

  if (worker->is_buried || !loky_worker_process_is_awaited (worker->process))
    return G_SOURCE_REMOVE;
  loky_pool_lock (self);
  reason = worker->kill_reason;
  loky_pool_unlock (self);
  /* It does not do what it is there for; unless it has only not come to what is not wanted any more. */
  if (self->server->process != NULL && reason != LOKY_KILL_SURPLUS)
    {
      self->server->was_given_up = TRUE;
      loky_worker_process_kill (self->server->process);
    }
  lose_worker (self, worker,
               g_error_new_literal (LOKY_ERROR, LOKY_ERROR_WORKER_START,
                                    "The fork server did not fork a worker in time"));
  return G_SOURCE_REMOVE;
}

void
loky_pool_server_give_up (LokyPoolWorker *worker)
{
  loky_worker_process_kill (worker->process);
  if (worker->termination != NULL)
    return;
  worker->termination = g_timeout_source_new (GIVE_UP_TIME);
  g_source_set_static_name (worker->termination, "[loky] worker given up");
  g_source_set_callback (worker->termination, given_up_cb, worker, NULL);
  g_source_attach (worker->termination, worker->pool->context);
}

/* --- a copy of the application ------------------------------------------------------------------ */

static gboolean
check_threads (GError **error)
{
  guint n_threads = loky_count_threads ();

  for (guint i = 0; i < COUNT_TRIES && n_threads > 1; i++)
    {
      g_usleep (1000);
      n_threads = loky_count_threads ();
    }
  if (n_threads == 1)
    return TRUE;
  if (n_threads == 0)
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                         "The start method “fork” cannot be used: the system does not tell how many threads "
                         "the application has");
  else
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                 "The start method “fork” cannot be used: the application has %u threads, and may have only one "
                 "when the executor is made, since the others would be missing in the workers",
                 n_threads);
  return FALSE;
}

static G_NORETURN void
be_server (const char *const *environment, const char *token, int channel_fd, int stderr_fd)
{
  dup2 (stderr_fd, STDERR_FILENO);
  close (stderr_fd);
  loky_worker_process_set_environment (environment, token);
  _exit (loky_fork_server_run_copy (channel_fd));
}

gboolean
loky_pool_server_fork (LokyPool *self, GError **error)
{
  g_autofree char *token = g_strdup_printf ("%s-" LOKY_FORK_SERVER_ID, self->token);
  g_auto (GStrv) environment = loky_pool_make_environment (self, NULL);
  int ends[2], channel_fd, pidfd;
  pid_t pid;

  if (!check_threads (error))
    return FALSE;
  if (pipe2 (ends, O_CLOEXEC) != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A fork server cannot be connected: %s",
                   g_strerror (errno));
      return FALSE;
    }
  ends[0] = loky_fd_above_standard (ends[0]);
  ends[1] = loky_fd_above_standard (ends[1]);
  channel_fd = connect_server (self, error);
  if (channel_fd < 0)
    {
      close (ends[0]);
      close (ends[1]);
      return FALSE;
    }
  loky_fork_guard_add (ends[0]);
  /* What is buffered would be written by each that calls exit(). */
  fflush (NULL);
  pid = fork ();
  if (pid == 0)
    be_server ((const char *const *) environment, token, channel_fd, ends[1]);
  loky_fork_guard_remove (ends[0]);
  close (channel_fd);
  close (ends[1]);
  pidfd = pid > 0 ? loky_fd_above_standard ((int) syscall (SYS_pidfd_open, pid, 0)) : -1;
  if (pidfd < 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A fork server cannot be forked: %s",
                   g_strerror (errno));
      if (pid > 0)
        {
          kill (pid, SIGKILL);
          waitpid (pid, NULL, 0);
        }
      close (ends[0]);
      clear_server (self->server);
      return FALSE;
    }
  self->server->is_copy = TRUE;
  self->server->process = loky_worker_process_new_awaited (ends[0]);
  loky_worker_process_adopt (self->server->process, pid, pidfd);
  if (send_setup (self, error))
    return TRUE;
  g_clear_pointer (&self->server, loky_pool_server_destroy);
  return FALSE;
}
