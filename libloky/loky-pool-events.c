/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The monitor thread: starts workers, reads what they send and print, kills them, notices their end,
 * and keeps the time. It has one GSource for all of that, over an epoll descriptor: with one source
 * for each of 200 workers an event costs 54 µs instead of 4. */

#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "loky-error.h"
#include "loky-paths-private.h"
#include "loky-pool-internal.h"
#include "loky-util-private.h"

/* How much one worker may be read in one turn, and after its end, in calls of recvmsg(); the bound
 * is for one whose descriptors live on in a child that never stops writing. */
#define FILLS_PER_TURN 8
#define FILLS_AFTER_END 4096

/* How much of a worker's output is read in one turn, and after its end, in bytes. */
#define OUTPUT_PER_TURN (64u << 10)
#define OUTPUT_AFTER_END (8u << 20)

/* How long a worker whose channel has ended has to end itself before it is killed, in ms. */
#define HANG_UP_TIME 100

/* How many plugin files can be refused: what a worker is told at its start is bounded. */
#define MAX_REFUSALS 64

/* Descriptors that starting a worker needs, those of GLib included: with fewer left GLib ends the
 * application. */
#define START_FDS 24

/* How often the owner of a task is told of its progress at the most, in µs. */
#define PROGRESS_INTERVAL (50 * 1000)

#define N_EVENTS 64
#define ROUNDS_PER_TURN 16

/* Error domains are quarks, which are never freed: a worker must not make up any number of them. */
#define MAX_DOMAINS 256
#define MAX_DOMAIN_LENGTH 128

typedef struct
{
  guint8 type;
  guint32 slot;
  guint64 number;
  LokyPayload *payload;
  GError *error;
  gint64 run_time;
} Incoming;

typedef struct
{
  GSource base;
  LokyPool *pool;
} MonitorSource;

static void process_ended (LokyPool *self, LokyPoolWorker *worker);
static void condemn (LokyPool *self, LokyPoolWorker *worker, GError *cause);

/* --- epoll ------------------------------------------------------------------------------------ */

static gboolean
watch (LokyPool *self, LokyPoolWorker *worker, LokyWatchKind kind, int fd)
{
  LokyWatch *it = &worker->watches[kind];
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = it };

  it->kind = kind;
  it->worker = worker;
  return epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void
unwatch (LokyPool *self, int fd)
{
  if (fd >= 0)
    epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* With the channel's write lock held. */
static void
want_write_cb (gpointer user_data, gboolean want_write)
{
  LokyPoolWorker *worker = user_data;
  struct epoll_event event = {
    .events = want_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
    .data.ptr = &worker->watches[LOKY_WATCH_CHANNEL],
  };

  epoll_ctl (worker->pool->epoll_fd, EPOLL_CTL_MOD, loky_channel_get_fd (worker->channel), &event);
}

/* --- starting --------------------------------------------------------------------------------- */

static GVariant *
make_setup (LokyPool *self, LokyPoolWorker *worker)
{
  GVariantBuilder refusals;
  GVariant *setup;

  g_variant_builder_init (&refusals, G_VARIANT_TYPE ("a(tttss)"));
  loky_pool_lock (self);
  for (guint i = 0; i < self->refusals->len; i++)
    g_variant_builder_add_value (&refusals,
                                 loky_refusal_to_variant (g_ptr_array_index (self->refusals, i)));
  setup = g_variant_new ("(suu@aaya(tttss))", LOKY_VERSION, worker->id, LOKY_CONTROL_N_SLOTS,
                         g_variant_new_bytestring_array ((const char *const *) self->plugin_path, -1),
                         &refusals);
  loky_pool_unlock (self);
  return setup;
}

/* The descriptors that a worker gets besides its channel, which are closed once sent: its control area,
 * its end of the doorbell, and what tells it of our end. */
static gboolean
make_setup_fds (LokyPool *self, LokyPoolWorker *worker, int fds[3], GError **error)
{
  loky_autofd int doorbell = -1;
  loky_autofd int pidfd = fcntl (self->parent_pidfd, F_DUPFD_CLOEXEC, 3);
  int ends[2];

  /* Not an eventfd: whether writing to that blocks is a property that both ends share. */
  if (pidfd >= 0 && socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0)
    {
      worker->doorbell = loky_fd_above_standard (ends[0]);
      doorbell = loky_fd_above_standard (ends[1]);
    }
  if (doorbell < 0 || worker->doorbell < 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be set up: %s",
                   g_strerror (errno));
      return FALSE;
    }
  fds[0] = loky_steal_fd (&worker->control.fd);
  fds[1] = loky_steal_fd (&doorbell);
  fds[2] = loky_steal_fd (&pidfd);
  return TRUE;
}

static gboolean
check_descriptors (LokyPool *self, GError **error)
{
  int fds[START_FDS];
  guint n_fds = 0;

  while (n_fds < START_FDS && (fds[n_fds] = fcntl (self->epoll_fd, F_DUPFD_CLOEXEC, 3)) >= 0)
    n_fds++;
  if (n_fds < START_FDS)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be started: %s",
                 g_strerror (errno));
  for (guint i = 0; i < n_fds; i++)
    close (fds[i]);
  return n_fds == START_FDS;
}

static gboolean
start_process (LokyPool *self, LokyPoolWorker *worker, GError **error)
{
  g_autofree char *program = NULL;
  g_auto (GStrv) environment = NULL;
  g_autoptr (GVariant) setup = NULL;
  int ends[2];
  int fds[3];

  loky_pool_lock (self);
  program = loky_paths_find_worker (self->worker_path);
  environment = g_strdupv (self->environment);
  loky_pool_unlock (self);

  if (!check_descriptors (self, error) || !loky_control_init (&worker->control, error))
    return FALSE;
  if (!make_setup_fds (self, worker, fds, error))
    return FALSE;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be connected: %s",
                   g_strerror (errno));
      for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
        loky_close_fd (&fds[i]);
      return FALSE;
    }
  setup = g_variant_ref_sink (make_setup (self, worker));
  if (g_variant_get_size (setup) > LOKY_FRAME_MAX_BODY)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE, "The plugin path is longer than %u bytes",
                   LOKY_FRAME_MAX_BODY);
      for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
        loky_close_fd (&fds[i]);
      close (ends[0]);
      close (ends[1]);
      return FALSE;
    }
  worker->channel = loky_channel_new (loky_fd_above_standard (ends[0]));
  loky_channel_set_memory_only (worker->channel);
  loky_channel_append_variant (worker->channel, LOKY_MESSAGE_SETUP, 0, 0,
                               setup, fds, G_N_ELEMENTS (fds));
  worker->process = loky_worker_process_start (
      program, (const char *const *) environment, loky_fd_above_standard (ends[1]), error);
  return worker->process != NULL;
}

/* The cause that the executor would have, should this end break it. */
static GError *
describe_cause (LokyPoolWorker *worker)
{
  g_autofree char *ending = NULL;
  g_autofree char *output = NULL;

  if (worker->process == NULL || (!worker->has_said_hello && worker->cause != NULL))
    return g_error_copy (worker->cause);
  ending = loky_ending_to_string (&worker->ending);
  output = worker->stderr_tail != NULL ? g_strdup_printf ("; its last output: %s", worker->stderr_tail)
                                       : g_strdup ("");
  if (!worker->has_said_hello)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_START,
                        "Workers end before they serve: the last one %s%s%s%s", ending,
                        worker->reason != NULL ? ": " : "",
                        worker->reason != NULL ? worker->reason : "", output);
  return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "Worker %u (pid %d) %s%s", worker->id,
                      (int) loky_worker_process_get_pid (worker->process), ending, output);
}

/* Tells the scheduler that a worker is gone, with the cause at hand if that breaks the executor. */
static void
tell_gone (LokyPool *self, LokyPoolWorker *worker)
{
  GError *cause = describe_cause (worker);
  LokyPoolTurn turn;

  loky_pool_turn_begin (self, &turn);
  if (self->broken == NULL)
    self->broken = g_steal_pointer (&cause);
  loky_scheduler_worker_gone (self->scheduler, &worker->scheduling, turn.now, self->actions);
  if (worker->is_abandoned)
    self->n_abandoned++;
  loky_pool_turn_run (&turn);
  if (!loky_scheduler_is_broken (self->scheduler))
    g_clear_error (&self->broken);
  loky_pool_turn_end (&turn);
  g_clear_error (&cause);
}

static void
start_worker (LokyPool *self, LokyPoolWorker *worker)
{
  worker->id = ++self->last_worker;
  if (!start_process (self, worker, &worker->cause))
    {
      tell_gone (self, worker);
      return;
    }
  g_ptr_array_add (self->workers, loky_pool_worker_ref (worker));
  loky_channel_set_want_write (worker->channel, want_write_cb, worker);
  if (loky_worker_process_get_pidfd (worker->process) < 0)
    {
      process_ended (self, worker);
      return;
    }
  if (watch (self, worker, LOKY_WATCH_PIDFD, loky_worker_process_get_pidfd (worker->process)) &&
      watch (self, worker, LOKY_WATCH_CHANNEL, loky_channel_get_fd (worker->channel)) &&
      watch (self, worker, LOKY_WATCH_STDERR, loky_worker_process_get_stderr_fd (worker->process)))
    {
      loky_pool_flush_worker (self, worker);
      return;
    }
  condemn (self, worker,
           g_error_new (LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be watched: %s",
                        g_strerror (errno)));
  /* Whatever is not watched: its end is waited for. */
  process_ended (self, worker);
}

/* --- killing ---------------------------------------------------------------------------------- */

static void
kill_process (LokyPoolWorker *worker)
{
  if (worker->process != NULL && !worker->is_buried)
    loky_worker_process_kill (worker->process);
}

/* Kills a worker for a reason of its own making. Takes over @cause. */
static void
condemn (LokyPool *self, LokyPoolWorker *worker, GError *cause)
{
  LokyPoolTurn turn;

  if (worker->cause == NULL)
    worker->cause = cause;
  else
    g_error_free (cause);
  loky_pool_turn_begin (self, &turn);
  worker->kill_is_ours = TRUE;
  loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, turn.now);
  loky_pool_turn_end (&turn);
  if (!worker->channel_is_closed)
    unwatch (self, loky_channel_get_fd (worker->channel));
  worker->channel_is_closed = TRUE;
  kill_process (worker);
}

static void
run_commands (LokyPool *self)
{
  GQueue to_start, to_kill;
  LokyPoolWorker *worker;

  loky_pool_lock (self);
  to_start = self->to_start;
  to_kill = self->to_kill;
  g_queue_init (&self->to_start);
  g_queue_init (&self->to_kill);
  loky_pool_unlock (self);

  while ((worker = g_queue_pop_head (&to_start)) != NULL)
    {
      start_worker (self, worker);
      loky_pool_worker_unref (worker);
    }
  while ((worker = g_queue_pop_head (&to_kill)) != NULL)
    {
      kill_process (worker);
      loky_pool_worker_unref (worker);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static GError *
read_failure (GVariant *body)
{
  static GHashTable *domains; /* the monitor threads' own; domains_lock */
  static GMutex domains_lock;
  const char *domain, *message;
  GQuark quark;
  gint32 code;

  g_variant_get (body, "(&si&sx)", &domain, &code, &message, NULL);
  quark = g_quark_try_string (domain);
  if (quark == 0 && domain[0] != '\0' && strlen (domain) <= MAX_DOMAIN_LENGTH)
    {
      g_mutex_lock (&domains_lock);
      if (domains == NULL)
        domains = g_hash_table_new (NULL, NULL);
      if (g_hash_table_size (domains) < MAX_DOMAINS)
        {
          quark = g_quark_from_string (domain);
          g_hash_table_add (domains, GUINT_TO_POINTER (quark));
        }
      g_mutex_unlock (&domains_lock);
    }
  if (quark == 0)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_FAILED, "%s (%s, %d)", message, domain, code);
  return g_error_new_literal (quark, code, message);
}

static gboolean
read_value (LokyPoolWorker *worker, LokyFrame *frame, Incoming *incoming, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  LokyValueMessage value;

  if (!loky_message_parse_value (&frame->header, frame->body, &value, error))
    return FALSE;
  incoming->run_time = value.run_time;
  incoming->payload = loky_payload_new_received (&value, frame->fds, &local_error);
  if (value.place == LOKY_PLACE_SEGMENT)
    loky_channel_append (worker->channel, LOKY_MESSAGE_RELEASE, 0, value.segment);
  if (incoming->payload != NULL)
    return TRUE;
  /* No memory for it: that is this task's end, not the worker's. */
  if (g_error_matches (local_error, LOKY_ERROR, LOKY_ERROR_RESOURCES))
    {
      incoming->type = LOKY_MESSAGE_FAILURE;
      incoming->error = g_steal_pointer (&local_error);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
read_hello (LokyPoolWorker *worker, LokyFrame *frame, GError **error)
{
  g_autoptr (GVariant) body = loky_message_parse_variant (&frame->header, frame->body,
                                                          LOKY_MESSAGE_HELLO_TYPE, error);
  const char *version;

  if (body == NULL)
    return FALSE;
  g_variant_get (body, "(&su)", &version, NULL);
  if (worker->has_said_hello)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A worker said hello twice");
      return FALSE;
    }
  if (strcmp (version, LOKY_VERSION) != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                   "The worker program is of version %s, the library of version %s", version,
                   LOKY_VERSION);
      return FALSE;
    }
  worker->has_said_hello = TRUE;
  return TRUE;
}

/* Looks at a frame without the lock. FALSE: the worker is not to be trusted any more. */
static gboolean
read_frame (LokyPoolWorker *worker, LokyFrame *frame, Incoming *incoming, GError **error)
{
  g_autoptr (GVariant) body = NULL;
  const char *text;

  *incoming = (Incoming){
    .type = frame->header.type, .slot = frame->header.slot, .number = frame->header.number
  };
  switch (frame->header.type)
    {
    case LOKY_MESSAGE_RESULT:
      return read_value (worker, frame, incoming, error);
    case LOKY_MESSAGE_FAILURE:
      body = loky_message_parse_variant (&frame->header, frame->body, LOKY_MESSAGE_FAILURE_TYPE,
                                         error);
      if (body == NULL)
        return FALSE;
      incoming->error = read_failure (body);
      g_variant_get (body, "(&si&sx)", NULL, NULL, NULL, &incoming->run_time);
      return TRUE;
    case LOKY_MESSAGE_HELLO:
      return read_hello (worker, frame, error);
    case LOKY_MESSAGE_START_FAILED:
      body = loky_message_parse_variant (&frame->header, frame->body, LOKY_MESSAGE_NAME_TYPE, error);
      if (body == NULL)
        return FALSE;
      g_variant_get (body, LOKY_MESSAGE_NAME_TYPE_BORROWED, &text);
      if (worker->cause == NULL && !worker->has_said_hello)
        worker->cause = g_error_new_literal (LOKY_ERROR, LOKY_ERROR_WORKER_START, text);
      return TRUE;
    case LOKY_MESSAGE_RELEASE:
      loky_segment_pool_release (loky_channel_get_segments (worker->channel), frame->header.number);
      return TRUE;
    case LOKY_MESSAGE_GOODBYE:
    case LOKY_MESSAGE_PROGRESS:
      return TRUE;
    default:
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A worker sent a message of type %u",
                   frame->header.type);
      return FALSE;
    }
}

/* With the lock. FALSE: it speaks of a task that it does not have. */
static gboolean
apply_locked (LokyPool *self,
              LokyPoolWorker *worker,
              Incoming *incoming,
              LokyPoolTurn *turn,
              GSList **progressed)
{
  LokySchedulerTask *task;
  LokyFuture *future;

  if (incoming->type == LOKY_MESSAGE_HELLO)
    {
      loky_scheduler_worker_ready (self->scheduler, &worker->scheduling, turn->now, self->actions);
      loky_pool_turn_run (turn);
      return TRUE;
    }
  if (incoming->type == LOKY_MESSAGE_GOODBYE)
    {
      worker->has_said_goodbye = TRUE;
      /* Only who was told to leave may. */
      return worker->scheduling.state == LOKY_WORKER_STATE_LEAVING ||
             worker->scheduling.state == LOKY_WORKER_STATE_DYING;
    }
  if (incoming->type != LOKY_MESSAGE_RESULT && incoming->type != LOKY_MESSAGE_FAILURE &&
      incoming->type != LOKY_MESSAGE_PROGRESS)
    return TRUE;

  task = loky_scheduler_find (&worker->scheduling, incoming->slot, incoming->number);
  /* After a shutdown that kills, its tasks were taken from it. */
  if (task == NULL)
    return worker->scheduling.state == LOKY_WORKER_STATE_DYING;

  future = LOKY_FUTURE_FROM_TASK (task);
  if (incoming->type == LOKY_MESSAGE_PROGRESS)
    {
      /* Whoever sends more of it than a worker does is not listened to. */
      if (turn->now - future->progress_told_at >= PROGRESS_INTERVAL)
        {
          future->progress_told_at = turn->now;
          *progressed = g_slist_prepend (*progressed, g_object_ref (future));
        }
      return TRUE;
    }
  future->payload = g_steal_pointer (&incoming->payload);
  future->error = g_steal_pointer (&incoming->error);
  loky_scheduler_returned (self->scheduler, task,
                           future->payload != NULL ? LOKY_OUTCOME_RESULT : LOKY_OUTCOME_FAILURE,
                           incoming->run_time, turn->now, self->actions);
  /* At once: the next message may be of the same task, wrongly. */
  loky_pool_turn_run (turn);
  return TRUE;
}

static void
incoming_clear (Incoming *incoming)
{
  g_clear_pointer (&incoming->payload, loky_payload_unref);
  g_clear_error (&incoming->error);
}

static gboolean
apply (LokyPool *self, LokyPoolWorker *worker, GArray *batch, GError **error)
{
  GSList *progressed = NULL;
  gboolean is_sound = TRUE;
  LokyPoolTurn turn;

  loky_pool_turn_begin (self, &turn);
  for (guint i = 0; i < batch->len && is_sound; i++)
    is_sound = apply_locked (self, worker, &g_array_index (batch, Incoming, i), &turn, &progressed);
  loky_pool_turn_add_flush (&turn, worker);
  loky_pool_turn_end (&turn);

  for (GSList *l = progressed; l != NULL; l = l->next)
    {
      loky_future_post (l->data, LOKY_NEWS_PROGRESS);
      g_object_unref (l->data);
    }
  g_slist_free (progressed);
  g_array_set_size (batch, 0);
  if (!is_sound)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                 "A worker answered for a task that it does not have, or left untold");
  return is_sound;
}

/* All whole frames that were received. FALSE: the worker was condemned. */
static gboolean
read_frames (LokyPool *self, LokyPoolWorker *worker)
{
  g_autoptr (GArray) batch = g_array_new (FALSE, FALSE, sizeof (Incoming));
  g_autoptr (GError) error = NULL;
  LokyFrameStatus status;
  LokyFrame frame;

  g_array_set_clear_func (batch, (GDestroyNotify) incoming_clear);
  while ((status = loky_channel_next_frame (worker->channel, &frame, &error)) == LOKY_FRAME_COMPLETE)
    {
      Incoming incoming;
      gboolean is_sound = read_frame (worker, &frame, &incoming, &error);

      loky_frame_close_fds (&frame);
      if (!is_sound)
        {
          incoming_clear (&incoming);
          status = LOKY_FRAME_INVALID;
          break;
        }
      g_array_append_val (batch, incoming);
    }
  /* What came before a bad frame is good. */
  if (batch->len > 0 && !apply (self, worker, batch, error == NULL ? &error : NULL))
    status = LOKY_FRAME_INVALID;
  if (status != LOKY_FRAME_INVALID)
    return TRUE;
  condemn (self, worker, g_steal_pointer (&error));
  return FALSE;
}

static gboolean
hung_up_cb (gpointer user_data)
{
  LokyPoolWorker *worker = user_data;

  condemn (worker->pool, worker,
           g_error_new_literal (LOKY_ERROR, LOKY_ERROR_PROTOCOL, "it closed its channel"));
  return G_SOURCE_REMOVE;
}

static void
channel_ended (LokyPool *self, LokyPoolWorker *worker)
{
  LokyPoolTurn turn;

  if (worker->channel_is_closed)
    return;
  worker->channel_is_closed = TRUE;
  unwatch (self, loky_channel_get_fd (worker->channel));
  if (worker->is_buried)
    return;
  /* It is about to end, which is known in a moment, or has closed the channel under its own feet and
   * cannot serve any more. */
  if (!worker->has_said_goodbye)
    {
      loky_pool_turn_begin (self, &turn);
      loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, turn.now);
      loky_pool_turn_end (&turn);
    }
  worker->hang_up = g_timeout_source_new (HANG_UP_TIME);
  g_source_set_static_name (worker->hang_up, "[loky] worker hung up");
  g_source_set_callback (worker->hang_up, hung_up_cb, worker, NULL);
  g_source_attach (worker->hang_up, self->context);
}

static void
read_channel (LokyPool *self, LokyPoolWorker *worker, guint n_fills, gboolean to_the_end)
{
  while (n_fills-- > 0 && !worker->channel_is_closed)
    {
      g_autoptr (GError) error = NULL;

      switch (loky_channel_fill (worker->channel, FALSE, &error))
        {
        case LOKY_FILL_DATA:
          if (!read_frames (self, worker))
            return;
          if (!to_the_end && loky_channel_is_drained (worker->channel))
            return;
          break;
        case LOKY_FILL_AGAIN:
          return;
        case LOKY_FILL_EOF:
          channel_ended (self, worker);
          return;
        case LOKY_FILL_ERROR:
        default:
          condemn (self, worker, g_steal_pointer (&error));
          return;
        }
    }
}

static void
read_output (LokyPool *self, LokyPoolWorker *worker, gsize most)
{
  int fd = loky_worker_process_get_stderr_fd (worker->process);
  char buffer[8192];
  gsize done = 0;

  while (done < most && fd >= 0)
    {
      gsize got = loky_worker_process_read_stderr (worker->process, buffer, sizeof buffer);

      if (got == 0)
        break;
      loky_stderr_write (self->output, buffer, got);
      done += got;
    }
  if (fd >= 0 && loky_worker_process_get_stderr_fd (worker->process) < 0)
    unwatch (self, fd);
}

/* --- ends ------------------------------------------------------------------------------------- */

/* A plugin that killed the worker that opened it would kill the next one too. */
static void
refuse_plugin (LokyPool *self, LokyPoolWorker *worker, const char *path)
{
  LokyRefusal *refusal;
  g_autofree char *ending = loky_ending_to_string (&worker->ending);
  g_autoptr (GVariant) message = NULL;
  LokyPoolTurn turn;
  struct stat info;

  /* The path is what the worker wrote: it may be any text. */
  if (stat (path, &info) != 0 || !S_ISREG (info.st_mode) || self->refusals->len >= MAX_REFUSALS)
    return;
  refusal = g_new0 (LokyRefusal, 1);
  refusal->path = g_strdup (path);
  refusal->reason = worker->is_killed ? g_strdup ("a worker that opened it did not come back")
                                      : g_strdup_printf ("a worker that opened it %s", ending);
  refusal->device = info.st_dev;
  refusal->inode = info.st_ino;
  refusal->mtime = (guint64) info.st_mtim.tv_sec * G_GUINT64_CONSTANT (1000000000) +
                   (guint64) info.st_mtim.tv_nsec;
  message = g_variant_ref_sink (loky_refusal_to_variant (refusal));

  loky_pool_turn_begin (self, &turn);
  g_ptr_array_add (self->refusals, refusal);
  for (guint i = 0; i < self->workers->len; i++)
    {
      LokyPoolWorker *other = g_ptr_array_index (self->workers, i);

      if (other == worker || other->scheduling.state > LOKY_WORKER_STATE_RETIRING)
        continue;
      loky_channel_append_variant (other->channel, LOKY_MESSAGE_REFUSE, 0, 0, message, NULL, 0);
      loky_pool_turn_add_flush (&turn, other);
    }
  loky_pool_turn_end (&turn);
}

GError *
loky_pool_describe_loss (LokyPoolWorker *worker, LokyFuture *future, LokyLoss **loss)
{
  const char *name = future->function->name;
  int pid = worker->process != NULL ? (int) loky_worker_process_get_pid (worker->process) : 0;
  g_autofree char *ending = loky_ending_to_string (&worker->ending);
  g_autofree char *loading = loky_control_dup_loading (&worker->control);
  g_autofree char *output = NULL;
  g_autofree char *reason = NULL;

  *loss = g_new0 (LokyLoss, 1);
  (*loss)->pid = pid;
  (*loss)->term_signal = worker->ending.kind == LOKY_ENDING_SIGNALED ? worker->ending.code : 0;
  (*loss)->exit_status = worker->ending.kind == LOKY_ENDING_EXITED ? worker->ending.code : -1;
  (*loss)->stderr_tail = g_strdup (worker->stderr_tail);
  output = worker->stderr_tail != NULL ? g_strdup_printf ("; its last output: %s", worker->stderr_tail)
                                       : g_strdup ("");
  reason = worker->reason != NULL ? g_strdup_printf (" (%s)", worker->reason) : g_strdup ("");

  if (loading != NULL)
    {
      g_autofree char *path = g_filename_display_name (loading);

      return g_error_new (LOKY_ERROR, LOKY_ERROR_PLUGIN,
                          "The plugin “%s” cannot be opened for the task “%s”: worker %u (pid %d) that "
                          "opened it %s%s",
                          path, name, worker->id, pid, ending, output);
    }
  if (worker->is_abandoned)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED,
                        "The task “%s” (attempt %u) was lost: its worker %u (pid %d) does not end "
                        "although it was killed",
                        name, future->task.attempts, worker->id, pid);
  if (worker->cause != NULL && worker->kill_is_ours)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                        "The task “%s” (attempt %u) was lost: its worker %u (pid %d) was killed: %s%s",
                        name, future->task.attempts, worker->id, pid, worker->cause->message, output);
  return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED,
                      "The task “%s” (attempt %u) was lost: its worker %u (pid %d) %s%s%s", name,
                      future->task.attempts, worker->id, pid, ending, reason, output);
}

typedef struct
{
  LokyPool *pool;
  LokyWorkerProcess *process;
} Reaping;

static void
reaped_cb (gpointer user_data)
{
  Reaping *reaping = user_data;

  reaping->pool->n_reaping--;
  /* The monitor may have waited for this one to end. */
  g_source_set_ready_time (reaping->pool->source, 0);
  loky_worker_process_free (reaping->process);
  g_free (reaping);
}

/* GLib's own thread reaps. A shutdown is over when it has: no zombie is left then. */
static void
let_reap (LokyPool *self, LokyWorkerProcess *process)
{
  Reaping *reaping = g_new (Reaping, 1);

  reaping->pool = self;
  reaping->process = process;
  self->n_reaping++;
  loky_worker_process_close (process);
  if (!loky_worker_process_wait_ended (process, reaped_cb, reaping))
    reaped_cb (reaping);
}

/* Whether the plugin that was being opened is why the worker ended: not if we killed it for another
 * reason than that its task did not come back. */
static gboolean
is_to_blame (LokyPool *self, LokyPoolWorker *worker)
{
  gboolean is_to_blame;

  loky_pool_lock (self);
  is_to_blame = !worker->is_killed || worker->kill_reason == LOKY_KILL_STOP_TASK;
  loky_pool_unlock (self);
  return is_to_blame;
}

/* The worker's end is known: what it still sent and printed is taken, then all is let go. */
static void
bury (LokyPool *self, LokyPoolWorker *worker)
{
  g_autofree char *loading = NULL;

  if (worker->is_buried)
    return;
  /* Its process group, which is what it left behind, and what might go on writing. */
  loky_worker_process_kill (worker->process);
  /* Not to the end of the stream: a child of the worker may hold it open. */
  read_channel (self, worker, FILLS_AFTER_END, TRUE);
  read_output (self, worker, OUTPUT_AFTER_END);
  worker->is_buried = TRUE;
  if (worker->hang_up != NULL)
    g_source_destroy (worker->hang_up);
  g_clear_pointer (&worker->hang_up, g_source_unref);
  worker->stderr_tail = loky_worker_process_dup_stderr_tail (worker->process);
  worker->reason = loky_control_dup_reason (&worker->control);
  loading = loky_control_dup_loading (&worker->control);
  if (loading != NULL && is_to_blame (self, worker))
    refuse_plugin (self, worker, loading);
  unwatch (self, loky_worker_process_get_pidfd (worker->process));
  unwatch (self, loky_worker_process_get_stderr_fd (worker->process));
  if (!worker->channel_is_closed)
    unwatch (self, loky_channel_get_fd (worker->channel));
  worker->channel_is_closed = TRUE;
  tell_gone (self, worker);
  let_reap (self, g_steal_pointer (&worker->process));
  loky_channel_shutdown (worker->channel);
  g_ptr_array_add (self->graveyard, loky_pool_worker_ref (worker));
  g_ptr_array_remove_fast (self->workers, worker);
}

static void
status_known_cb (gpointer user_data)
{
  LokyPoolWorker *worker = user_data;

  if (loky_worker_process_check_ended (worker->process, &worker->ending))
    bury (worker->pool, worker);
}

static void
process_ended (LokyPool *self, LokyPoolWorker *worker)
{
  if (loky_worker_process_check_ended (worker->process, &worker->ending))
    {
      bury (self, worker);
      return;
    }
  /* GLib's own thread was faster, and tells us soon. */
  unwatch (self, loky_worker_process_get_pidfd (worker->process));
  if (!loky_worker_process_wait_ended (worker->process, status_known_cb, worker))
    bury (self, worker);
}

/* One that does not end although it was killed, as a process in an uninterruptible sleep: everything
 * goes on without it, GSubprocess reaps it when it goes. */
static void
bury_abandoned (LokyPool *self)
{
  for (guint i = self->workers->len; i > 0; i--)
    {
      LokyPoolWorker *worker = g_ptr_array_index (self->workers, i - 1);
      gboolean is_abandoned;

      loky_pool_lock (self);
      is_abandoned = worker->is_abandoned;
      loky_pool_unlock (self);
      if (!is_abandoned)
        continue;
      g_warning ("Worker %u (pid %d) does not end although it was killed", worker->id,
                 (int) loky_worker_process_get_pid (worker->process));
      worker->ending.kind = LOKY_ENDING_UNKNOWN;
      bury (self, worker);
    }
}

/* --- the loop --------------------------------------------------------------------------------- */

static void
handle_event (LokyPool *self, const struct epoll_event *event)
{
  LokyWatch *it = event->data.ptr;
  LokyPoolWorker *worker = it->worker;

  if (worker->is_buried)
    return;
  switch (it->kind)
    {
    case LOKY_WATCH_CHANNEL:
      if ((event->events & EPOLLOUT) != 0)
        loky_pool_flush_worker (self, worker);
      if ((event->events & ~(guint32) EPOLLOUT) != 0)
        read_channel (self, worker, FILLS_PER_TURN, FALSE);
      break;
    case LOKY_WATCH_PIDFD:
      process_ended (self, worker);
      break;
    case LOKY_WATCH_STDERR:
      read_output (self, worker, OUTPUT_PER_TURN);
      break;
    default:
      g_assert_not_reached ();
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
    loky_scheduler_tick (self->scheduler, turn.now, self->actions);
  loky_pool_turn_run (&turn);

  self->timer = loky_scheduler_get_deadline (self->scheduler);
  has_commands = !g_queue_is_empty (&self->to_start) || !g_queue_is_empty (&self->to_kill);
  is_finished = self->is_finished;
  g_source_set_ready_time (self->source, has_commands ? 0 : self->timer);
  turn.wakes_monitor = FALSE;
  loky_pool_turn_end (&turn);
  return is_finished && !has_commands;
}

static gboolean
monitor_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  LokyPool *self = ((MonitorSource *) source)->pool;
  struct epoll_event events[N_EVENTS];
  int n_events;

  run_commands (self);
  /* Again while there is something: going through the main loop costs two more system calls. */
  for (guint round = 0; round < ROUNDS_PER_TURN; round++)
    {
      n_events = epoll_wait (self->epoll_fd, events, N_EVENTS, 0);
      for (int i = 0; i < n_events; i++)
        handle_event (self, &events[i]);
      g_ptr_array_set_size (self->graveyard, 0);
      if (n_events <= 0)
        break;
    }
  bury_abandoned (self);
  g_ptr_array_set_size (self->graveyard, 0);
  if (keep_time (self) && self->workers->len == 0 && self->n_reaping == 0)
    g_main_loop_quit (self->loop);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs monitor_source_funcs = { .dispatch = monitor_dispatch };

gboolean
loky_pool_monitor_init (LokyPool *self, GError **error)
{
  self->epoll_fd = loky_fd_above_standard (epoll_create1 (EPOLL_CLOEXEC));
  self->parent_pidfd
      = loky_fd_above_standard ((int) syscall (SYS_pidfd_open, getpid (), 0));
  if (self->epoll_fd < 0 || self->parent_pidfd < 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The pool cannot be started: %s",
                   g_strerror (errno));
      loky_close_fd (&self->epoll_fd);
      loky_close_fd (&self->parent_pidfd);
      return FALSE;
    }
  self->context = g_main_context_new ();
  self->source = g_source_new (&monitor_source_funcs, sizeof (MonitorSource));
  ((MonitorSource *) self->source)->pool = self;
  g_source_set_static_name (self->source, "[loky] workers");
  g_source_add_unix_fd (self->source, self->epoll_fd, G_IO_IN);
  g_source_attach (self->source, self->context);
  self->output = loky_stderr_new ();
  self->workers = g_ptr_array_new_with_free_func ((GDestroyNotify) loky_pool_worker_unref);
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
  g_clear_pointer (&self->graveyard, g_ptr_array_unref);
  if (self->source != NULL)
    g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  loky_close_fd (&self->epoll_fd);
  loky_close_fd (&self->parent_pidfd);
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

  g_main_context_push_thread_default (self->context);
  self->loop = g_main_loop_new (self->context, FALSE);
  g_main_loop_run (self->loop);
  g_clear_pointer (&self->loop, g_main_loop_unref);
  /* What GLib still has to tell refers to the context. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);

  /* From here nobody wakes us. */
  loky_pool_lock (self);
  source = g_steal_pointer (&self->source);
  loky_pool_unlock (self);
  g_source_destroy (source);
  g_source_unref (source);
  loky_pool_monitor_clear (self);

  loky_pool_turn_begin (self, &turn);
  self->is_over = TRUE;
  turn.has_changed = TRUE;
  loky_pool_turn_end (&turn);
  loky_pool_unref (self);
  return NULL;
}
