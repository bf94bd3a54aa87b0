/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-private.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "loky-attachment-private.h"
#include "loky-error.h"
#include "loky-fork-server-private.h"
#include "loky-init-private.h"
#include "loky-plugin-loader-private.h"
#include "loky-probes-private.h"
#include "loky-serializer-private.h"
#include "loky-spin-private.h"
#include "loky-task-context-private.h"
#include "loky-tracker-private.h"
#include "loky-util-private.h"
#include "loky-value-private.h"
#include "loky-watchdog-private.h"
#include "loky-worker-call-private.h"
#include "loky-worker-capture-private.h"
#include "loky-worker-chunk-private.h"
#include "loky-worker-integrity-private.h"
#include "loky-worker-memory-private.h"
#include "loky-worker-segments-private.h"

/* How many tasks that were left are done before the socket is looked at. */
#define LEFT_AT_ONCE 16

/* The parent is not waited for any longer than this, whatever it says, in ns. */
#define MAX_WAIT_FOR_ATTENTION (20 * 1000)

/* A pause that was longer than so many times what may be spun ended by being woken, which takes time too. */
#define PAUSE_FACTOR 2

typedef struct _LokyWorker Worker;

struct _LokyWorker
{
  LokyWorkerSetup *setup;
  LokyTaskSurroundings surroundings;
  LokyWorkerSegments *segments;
  LokyTaskContext *context; /* of the last task, to be used again; or NULL */
  guint64 n_sent;    /* messages */
  guint64 n_handled; /* messages of the pool's */
  guint64 n_taken;   /* tasks that were left in the control area */
  GHashTable *names; /* number → name of a task */
  GHashTable *serializers; /* number → name of its serializer, of those that have one; NULL until one has */
  GHashTable *limits; /* number → its limit of memory, in bytes, of those that have one; NULL until one has */
  GHashTable *tasks; /* number → LokyLoadedTask */
  LokyWorkerIntegrity integrity;
  LokyWorkerMemory memory;
  LokySpin spin;
  guint64 sent_seen;  /* sent_to_worker, before the last read */
  gint64 last_pause; /* how long it waited for what came last, in ns */
  gboolean is_roused; /* for a task that is still to come */
};

/* One task at hand. */
typedef struct
{
  guint32 slot;
  guint64 number;
  gboolean is_chunk; /* args are an array of those of the items */
  LokyValueMessage message;
  LokySerializer *serializer; /* NULL: the default */
  GVariant *args;
  GPtrArray *buffers;
  gboolean captures_output;
  int outputs[LOKY_N_STREAMS]; /* then; -1 once they are in their places */
} Job;

/* What the task is to see of what was sent by its serializer. */
static gboolean
deserialize_args (Worker *self, Job *job, GError **error)
{
  const char *name = g_hash_table_lookup (self->serializers, GUINT_TO_POINTER (job->message.name));
  GVariant *args;

  if (name == NULL)
    return TRUE;
  if (!loky_serializer_find (name, NULL, &job->serializer, error))
    return FALSE;
  args = loky_deserialize (job->serializer, job->args, error);
  if (args == NULL)
    return FALSE;
  g_variant_unref (job->args);
  job->args = args;
  return TRUE;
}

static gboolean
take_args (Worker *self, Job *job, LokyFrame *frame, GError **error)
{
  const LokyValueMessage *message = &job->message;
  g_autoptr (GBytes) bytes = NULL;

  if (frame->has_lost_fds)
    {
      if (message->place == LOKY_PLACE_SEGMENT)
        loky_channel_append (self->setup->channel, LOKY_MESSAGE_RELEASE, 0, message->segment);
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                           "The arguments cannot be received: the worker has too many descriptors open");
      return FALSE;
    }
  bytes = message->place == LOKY_PLACE_SEGMENT
              ? loky_worker_segments_map (self->segments, message, frame->fds[0], error)
              : g_bytes_new (message->data, message->size);
  if (bytes == NULL || !loky_payload_take_buffers (message, frame->fds, &job->buffers, error))
    return FALSE;
  job->args = loky_value_new_received (message->type, bytes);
  if (job->args == NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "The arguments of type %s are not in normal form, or nested too deeply", message->type);
      return FALSE;
    }
  if (self->serializers != NULL && !deserialize_args (self, job, error))
    return FALSE;
  if (job->is_chunk && (!g_variant_is_of_type (job->args, G_VARIANT_TYPE_ARRAY) ||
                        g_variant_n_children (job->args) == 0))
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A chunk was sent without items");
  else
    return TRUE;
  return FALSE;
}

/* --- answering -------------------------------------------------------------------------------- */

/* What a task leaves set that would keep the next one, or the worker's end, from working: a main context
 * of its own as the thread's default, blocked signals. */
static void
tidy_up (GMainContext *before)
{
  GMainContext *context;
  sigset_t none;

  while ((context = g_main_context_get_thread_default ()) != before && context != NULL)
    g_main_context_pop_thread_default (context);
  sigemptyset (&none);
  pthread_sigmask (SIG_SETMASK, &none, NULL);
}

/* A task may have forked and returned twice, or closed or replaced the descriptor: what would be
 * written then would not be the protocol, or come from the wrong process. */
static void
check_integrity (Worker *self)
{
  /* The child of a task's fork() must do nothing in our name. */
  if (loky_worker_integrity_is_copy (&self->integrity))
    _exit (0);
  if (loky_worker_integrity_has_channel (&self->integrity))
    return;
  loky_control_set_reason (&self->setup->control,
                           "a task closed or replaced the descriptor of the worker's channel");
  _exit (LOKY_WORKER_EXIT_RUINED);
}

/* Before a message is put into the outbox: another thread may send it from there, and the parent read it, before
 * send() does. */
static void
begin_message (Worker *self)
{
  loky_control_note_sending (&self->setup->control, ++self->n_sent);
}

/* All that is in the outbox, however many threads send. */
static void
send (Worker *self)
{
  /* The parent is gone: the watchdog is about to say so. */
  if (!loky_channel_flush_all (self->setup->channel))
    _exit (1);
  loky_control_tell_parent (&self->setup->control);
  loky_worker_integrity_note_sent (&self->integrity);
}

static void
answer_failure (Worker *self,
                guint32 slot,
                guint64 number,
                const GError *task_error,
                gint64 run_time)
{
  const char *domain = g_quark_to_string (task_error->domain);
  g_autofree char *message = NULL;

  if (task_error->message != NULL)
    message = g_utf8_make_valid (task_error->message,
                                 (gssize) strnlen (task_error->message, LOKY_MESSAGE_MAX_ERROR));
  begin_message (self);
  loky_channel_append_variant (self->setup->channel, LOKY_MESSAGE_FAILURE, slot, number,
                               g_variant_new (LOKY_MESSAGE_FAILURE_TYPE, domain != NULL ? domain : "",
                                              task_error->code, message != NULL ? message : "",
                                              run_time),
                               NULL, 0);
  send (self);
}

static const LokyControlNote *
peek_task (Worker *self)
{
  return loky_control_peek_task (&self->setup->control, self->n_handled, self->n_taken);
}

/* Whether there is anything to do after this job. */
static gboolean
has_more (Worker *self, const Job *job)
{
  LokyControl *control = &self->setup->control;
  const LokyControlNote *note = peek_task (self);

  /* One that was left is taken when it is done. */
  if (note != NULL && note->number == job->number)
    note = loky_control_peek_task (control, self->n_handled, self->n_taken + 1);
  return note != NULL || loky_control_get_sent_to_worker (control) != self->sent_seen;
}

/* The parent may be on its way to look. Two system calls take longer than waiting for it. */
static gboolean
is_listened_to (Worker *self, const Job *job)
{
  LokyControl *control = &self->setup->control;
  gint64 by = loky_control_get_attentive_by (control);

  while (!loky_control_is_listened_to (control, self->n_sent))
    {
      gint64 left = by - loky_spin_now ();
      if (left <= 0 || left > MAX_WAIT_FOR_ATTENTION || has_more (self, job))
        return FALSE;
      loky_spin_relax ();
    }
  return TRUE;
}

/* A small one, where the parent sees it without its being sent. What was sent before it may be read after it: a task
 * that has told of its progress, or sent partial results, sends its result, too, and one that has written nonsense to
 * the channel, so that it is not another one that ends with the worker. FALSE: it is to be sent. */
static gboolean
leave_result (Worker *self,
              const Job *job,
              LokyMessageType type,
              LokyTaskContext *context,
              GVariant *result,
              gint64 run_time)
{
  LokyControl *control = &self->setup->control;
  LokyControlNote note = { .number = job->number, .slot = job->slot, .type = (guint16) type };
  LokyValueMessage message = { .type = g_variant_get_type_string (result),
                               .size = g_variant_get_size (result),
                               .place = LOKY_PLACE_INLINE,
                               .run_time = run_time };

  if (message.size > sizeof note.body || loky_task_context_has_sent (context) || !is_listened_to (self, job) ||
      !loky_worker_integrity_is_undisturbed (&self->integrity))
    return FALSE;
  message.data = g_variant_get_data (result);
  note.length = (guint16) loky_message_write_value (note.body, sizeof note.body, &message);
  return note.length > 0 && loky_control_leave_answer (control, self->n_sent, &note);
}

static void
answer_result (Worker *self,
               const Job *job,
               LokyMessageType type,
               LokyTaskContext *context,
               GVariant *result,
               gint64 run_time)
{
  LokyValueMessage message = { .run_time = run_time };
  g_autoptr (GPtrArray) buffers = NULL;
  g_autoptr (GVariant) wire = NULL;
  g_autoptr (GError) error = NULL;
  LokySendFailure failure;

  if (!loky_attachment_collect_result (result, loky_task_context_get_buffers (context),
                                       self->surroundings.accepts_descriptors, &buffers, &error) ||
      (job->serializer != NULL && (wire = loky_serialize (job->serializer, result, &error)) == NULL))
    {
      answer_failure (self, job->slot, job->number, error, run_time);
      return;
    }
  if (wire != NULL)
    result = wire;
  if (buffers == NULL && leave_result (self, job, type, context, result, run_time))
    return;
  begin_message (self);
  loky_channel_append_value (self->setup->channel, type, job->slot, job->number, &message, result,
                             buffers);
  send (self);
  /* Not what another thread of the task has just sent: that is told of it itself. */
  while (loky_channel_take_failure_of (self->setup->channel, (guint8) type, job->number, &failure))
    {
      answer_failure (self, failure.slot, failure.number, failure.error, run_time);
      g_error_free (failure.error);
    }
}

/* --- calling ---------------------------------------------------------------------------------- */

void
loky_worker_settle (Worker *self, GMainContext *before)
{
  check_integrity (self);
  tidy_up (before);
}

/* The first time. */
static LokyLoadedTask *
find_task_by_name (Worker *self, gpointer key, GError **error)
{
  const char *name = g_hash_table_lookup (self->names, key);
  LokyLoadedTask *task;

  if (name == NULL)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "The task was sent without its name");
      return NULL;
    }
  task = loky_plugin_loader_find_task (self->surroundings.loader, name, error);
  if (task != NULL)
    g_hash_table_insert (self->tasks, key, task);
  return task;
}

static LokyLoadedTask *
find_task (Worker *self, const Job *job, GError **error)
{
  gpointer key = GUINT_TO_POINTER (job->message.name);
  LokyLoadedTask *task = g_hash_table_lookup (self->tasks, key);
  const GVariantType *type;

  if (task == NULL)
    task = find_task_by_name (self, key, error);
  if (task == NULL)
    return NULL;
  if (!job->is_chunk && strcmp (g_variant_get_type_string (job->args), task->descriptor->arguments_type) == 0)
    return task;
  type = job->is_chunk ? loky_worker_get_chunk_type (task, job->args) : g_variant_get_type (job->args);
  return loky_worker_check_arguments (task, type, error) ? task : NULL;
}

/* The value to answer with, and as what. */
static GVariant *
call_job (Worker *self,
          const Job *job,
          const LokyLoadedTask *task,
          LokyTaskContext *context,
          LokyMessageType *type,
          GError **error)
{
  gboolean is_mixed = FALSE;
  GVariant *result
      = job->is_chunk ? loky_worker_call_chunk (self, task, context, job->args, &is_mixed, error)
                      : loky_worker_call_task (task, context, job->args, error);

  *type = is_mixed ? LOKY_MESSAGE_CHUNK_RESULT : LOKY_MESSAGE_RESULT;
  return result;
}

/* Between tasks; the parent tells it to leave then. */
static void
tell_if_grown (Worker *self, gint64 now)
{
  guint64 size;

  if (!loky_worker_memory_has_grown (&self->memory, now, &size))
    return;
  begin_message (self);
  loky_channel_append_variant (self->setup->channel, LOKY_MESSAGE_GROWN, 0, 0,
                               g_variant_new (LOKY_MESSAGE_GROWN_TYPE, self->memory.reference, size),
                               NULL, 0);
  send (self);
}

/* FALSE: it has a limit, which cannot be set. */
static gboolean
limit_memory (Worker *self, const Job *job, GError **error)
{
  const guint64 *limit = self->limits != NULL
                             ? g_hash_table_lookup (self->limits, GUINT_TO_POINTER (job->message.name))
                             : NULL;

  return limit == NULL || loky_worker_memory_limit (*limit, error);
}

static LokyPartialMode
get_partial_mode (const Job *job, const LokyLoadedTask *task)
{
  if (task->descriptor->kind != LOKY_TASK_KIND_CALL)
    return LOKY_PARTIAL_REFUSED;
  return (job->message.flags & LOKY_TASK_WANTS_PARTIALS) != 0 ? LOKY_PARTIAL_SENT : LOKY_PARTIAL_DROPPED;
}

static void
run_job (Worker *self, Job *job)
{
  LokyWorkerCapture capture = { FALSE };
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;
  LokyTaskContext *context;
  LokyLoadedTask *task = find_task (self, job, &error);
  GMainContext *before = g_main_context_get_thread_default ();
  gint64 started = g_get_monotonic_time ();
  LokyMessageType type = LOKY_MESSAGE_RESULT;
  gint64 run_time;

  if (task == NULL || !limit_memory (self, job, &error))
    {
      check_integrity (self);
      answer_failure (self, job->slot, job->number, error, 0);
      return;
    }
  context = loky_task_context_new (&self->context, &self->surroundings, task->name, job->message.attempt,
                                   job->slot, job->number, job->buffers);
  loky_task_context_set_partial_mode (context, get_partial_mode (job, task), job->serializer);
  loky_watchdog_set_task (context);
  LOKY_PROBE_TASK_STARTED (task->name, self->setup->worker_id, job->number, job->message.attempt);
  if (!job->captures_output || loky_worker_capture_begin (&capture, job->outputs, &error))
    result = call_job (self, job, task, context, &type, &error);
  run_time = (g_get_monotonic_time () - started) * 1000;
  LOKY_PROBE_TASK_RETURNED (task->name, self->setup->worker_id, job->number, run_time, result != NULL);
  loky_watchdog_set_task (NULL);
  loky_task_context_end (context);
  check_integrity (self);
  if (self->limits != NULL)
    loky_worker_memory_unlimit ();
  loky_worker_capture_end (&capture);
  if (result != NULL)
    answer_result (self, job, type, context, result, run_time);
  else
    answer_failure (self, job->slot, job->number, error, run_time);
  tidy_up (before);
  loky_task_context_recycle (context, &self->context);
  if (self->memory.limit > 0)
    tell_if_grown (self, started + run_time / 1000);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void
job_clear (Job *job)
{
  g_clear_pointer (&job->args, g_variant_unref);
  g_clear_pointer (&job->buffers, g_ptr_array_unref);
  for (guint i = 0; job->captures_output && i < LOKY_N_STREAMS; i++)
    loky_close_fd (&job->outputs[i]);
}

/* They come last. */
static void
take_outputs (Job *job, LokyFrame *frame)
{
  job->captures_output = (job->message.flags & LOKY_TASK_CAPTURES_OUTPUT) != 0;
  for (guint i = 0; job->captures_output && i < LOKY_N_STREAMS; i++)
    job->outputs[i] = loky_steal_fd (&frame->fds[frame->header.n_fds - LOKY_N_STREAMS + i]);
}

static gboolean
handle_task (Worker *self, LokyFrame *frame, GError **error)
{
  g_autoptr (GError) args_error = NULL;
  Job job = { .slot = frame->header.slot,
              .number = frame->header.number,
              .is_chunk = frame->header.type == LOKY_MESSAGE_CHUNK };

  if (!loky_message_parse_value (&frame->header, frame->body, &job.message, error))
    return FALSE;
  /* It was taken back, or is left over from a slot that holds another one now. */
  if (job.slot >= LOKY_CONTROL_N_SLOTS ||
      !loky_control_claim (&self->setup->control, job.slot, job.number))
    {
      if (job.message.place == LOKY_PLACE_SEGMENT)
        {
          begin_message (self);
          loky_channel_append (self->setup->channel, LOKY_MESSAGE_RELEASE, 0, job.message.segment);
          send (self);
        }
      return TRUE;
    }
  take_outputs (&job, frame);
  if (take_args (self, &job, frame, &args_error))
    run_job (self, &job);
  else
    answer_failure (self, job.slot, job.number, args_error, 0);
  job_clear (&job);
  return TRUE;
}

static gboolean
handle_name (Worker *self, LokyFrame *frame, GError **error)
{
  g_autoptr (GVariant) body
      = loky_message_parse_variant (&frame->header, frame->body, LOKY_MESSAGE_TASK_NAME_TYPE, error);
  gpointer key = GUINT_TO_POINTER ((guint) frame->header.number);
  g_autofree char *serializer = NULL;
  guint64 memory_limit;
  char *name;

  if (body == NULL)
    return FALSE;
  g_variant_get (body, LOKY_MESSAGE_TASK_NAME_TYPE, &name, &serializer, &memory_limit);
  g_hash_table_replace (self->names, key, name);
  if (memory_limit > 0)
    {
      if (self->limits == NULL)
        self->limits = g_hash_table_new_full (NULL, NULL, NULL, g_free);
      g_hash_table_replace (self->limits, key, g_memdup2 (&memory_limit, sizeof memory_limit));
    }
  if (serializer[0] == '\0')
    return TRUE;
  if (self->serializers == NULL)
    self->serializers = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_hash_table_replace (self->serializers, key, g_steal_pointer (&serializer));
  return TRUE;
}

static void
refuse (Worker *self, GVariant *refusal)
{
  guint64 device, inode, mtime;
  const char *path, *reason;

  g_variant_get (refusal, "(ttt&s&s)", &device, &inode, &mtime, &path, &reason);
  loky_plugin_loader_refuse (self->surroundings.loader, device, inode, mtime, path, reason);
}

static gboolean
handle_refuse (Worker *self, LokyFrame *frame, GError **error)
{
  g_autoptr (GVariant) body
      = loky_message_parse_variant (&frame->header, frame->body, LOKY_MESSAGE_REFUSE_TYPE, error);

  if (body == NULL)
    return FALSE;
  refuse (self, body);
  return TRUE;
}

/* Whether it has its place among the tasks that were left. */
static gboolean
is_in_turn (guint8 type)
{
  return type != LOKY_MESSAGE_RELEASE;
}

/* FALSE: the parent is not what it was. */
static gboolean
handle_frame (Worker *self, LokyFrame *frame, gboolean *leaves, GError **error)
{
  switch (frame->header.type)
    {
    case LOKY_MESSAGE_TASK:
    case LOKY_MESSAGE_CHUNK:
      return handle_task (self, frame, error);
    case LOKY_MESSAGE_TASK_NAME:
      return handle_name (self, frame, error);
    case LOKY_MESSAGE_REFUSE:
      return handle_refuse (self, frame, error);
    case LOKY_MESSAGE_RELEASE:
      loky_segment_pool_release (loky_channel_get_segments (self->setup->channel),
                                 frame->header.number);
      return TRUE;
    case LOKY_MESSAGE_LEAVE:
      *leaves = TRUE;
      return TRUE;
    case LOKY_MESSAGE_LOOK:
      self->is_roused = TRUE;
      return TRUE;
    default:
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "The application sent a message of type %u",
                   frame->header.type);
      return FALSE;
    }
}

static LokyFillResult
fill_asleep (Worker *self, GError **error)
{
  LokyFillResult result;

  /* Again: a task may have written over it. */
  loky_control_note_handled (&self->setup->control, self->n_handled);
  loky_control_set_asleep (&self->setup->control, TRUE);
  /* What was left before that. */
  if (peek_task (self) != NULL)
    result = LOKY_FILL_AGAIN;
  else
    result = loky_channel_fill (self->setup->channel, TRUE, error);
  loky_control_set_asleep (&self->setup->control, FALSE);
  return result;
}

/* While there are tasks to do: only what was sent since. */
static LokyFillResult
fill_between (Worker *self, GError **error)
{
  guint64 sent = loky_control_get_sent_to_worker (&self->setup->control);

  if (sent == self->sent_seen)
    return LOKY_FILL_AGAIN;
  self->sent_seen = sent;
  return loky_channel_fill (self->setup->channel, FALSE, error);
}

static void
note_pause (Worker *self, gint64 start, gboolean was_roused)
{
  if (!was_roused)
    self->last_pause = loky_spin_now () - start;
}

/* Waits for what comes next, and reads it. Where the last pause was short the next one is expected to be; and who was
 * roused is to be given something at once, which tells nothing of what comes after it. */
static LokyFillResult
fill (Worker *self, GError **error)
{
  LokyControl *control = &self->setup->control;
  gint64 spin_time = loky_control_get_spin_time (control);
  LokyFillResult result = LOKY_FILL_AGAIN;
  gboolean was_roused = self->is_roused;
  gint64 start;

  if (peek_task (self) != NULL)
    return fill_between (self, error);
  if (spin_time == 0)
    return fill_asleep (self, error);
  self->is_roused = FALSE;
  start = loky_spin_now ();
  if ((was_roused || self->last_pause <= PAUSE_FACTOR * spin_time) && loky_spin_begin (&self->spin, spin_time))
    do
      {
        guint64 sent = loky_control_get_sent_to_worker (control);

        if (sent == self->sent_seen && peek_task (self) != NULL)
          {
            note_pause (self, start, was_roused);
            return LOKY_FILL_AGAIN;
          }
        if (sent == self->sent_seen)
          continue;
        self->sent_seen = sent;
        result = loky_channel_fill (self->setup->channel, FALSE, error);
      }
    while (result == LOKY_FILL_AGAIN && loky_spin_go_on (&self->spin));
  if (result == LOKY_FILL_AGAIN)
    result = fill_asleep (self, error);
  note_pause (self, start, was_roused);
  return result;
}

/* What the parent has left instead of sending it, at most @most. */
static gboolean
handle_left_tasks (Worker *self, guint most, GError **error)
{
  const LokyControlNote *note;
  gboolean leaves = FALSE;

  while (most-- > 0 && (note = peek_task (self)) != NULL)
    {
      LokyFrame frame;

      self->is_roused = FALSE;
      frame.header = (LokyFrameHeader){
        .type = (guint8) note->type, .length = note->length, .slot = note->slot, .number = note->number
      };
      frame.body = note->body;
      frame.has_lost_fds = FALSE;
      if (!handle_frame (self, &frame, &leaves, error))
        return FALSE;
      loky_control_note_taken (&self->setup->control, ++self->n_taken);
    }
  return TRUE;
}

static gboolean
serve (Worker *self, GError **error)
{
  LokyChannel *channel = self->setup->channel;
  gboolean leaves = FALSE;
  LokyFrame frame;

  while (!leaves)
    {
      LokyFrameStatus status = loky_channel_next_frame (channel, &frame, error);

      if (status == LOKY_FRAME_INVALID)
        return FALSE;
      /* They come before what was sent since, which is when nothing more is left. Else what may be sent at any time
       * is to be read now and then. */
      if ((status != LOKY_FRAME_COMPLETE || is_in_turn (frame.header.type)) &&
          !handle_left_tasks (self, status == LOKY_FRAME_COMPLETE ? G_MAXUINT : LEFT_AT_ONCE, error))
        return FALSE;
      if (status == LOKY_FRAME_COMPLETE)
        {
          gboolean is_sound = handle_frame (self, &frame, &leaves, error);

          self->n_handled += is_in_turn (frame.header.type);
          loky_control_note_handled (&self->setup->control, self->n_handled);
          loky_frame_close_fds (&frame);
          if (!is_sound)
            return FALSE;
          continue;
        }
      switch (fill (self, error))
        {
        case LOKY_FILL_ERROR:
          return FALSE;
        case LOKY_FILL_EOF:
          /* The parent is gone. */
          loky_watchdog_end_everything ();
        case LOKY_FILL_DATA:
        case LOKY_FILL_AGAIN:
        default:
          break;
        }
    }
  return TRUE;
}

/* --- the initializer ---------------------------------------------------------------------------- */

static gboolean
call_initializer (Worker *self, GError **error)
{
  LokyWorkerSetup *setup = self->setup;
  g_autoptr (LokyTaskContext) context = NULL;
  g_autoptr (GVariant) args = NULL;
  g_autoptr (GVariant) result = NULL;
  LokyLoadedTask *task
      = loky_plugin_loader_find_task (self->surroundings.loader, setup->initializer, error);

  if (task == NULL)
    return FALSE;
  args = setup->initializer_args != NULL ? g_variant_ref (setup->initializer_args)
                                         : g_variant_ref_sink (g_variant_new ("()"));
  if (!loky_worker_check_arguments (task, g_variant_get_type (args), error))
    return FALSE;
  context = loky_task_context_new (NULL, &self->surroundings, task->name, 1, LOKY_TASK_CONTEXT_NO_SLOT, 0, NULL);
  result = loky_worker_call_task (task, context, args, error);
  loky_task_context_end (context);
  return result != NULL;
}

/* FALSE: it failed, which the parent was told. */
static gboolean
initialize (Worker *self)
{
  LokyWorkerSetup *setup = self->setup;
  g_autoptr (GError) error = NULL;
  gboolean is_done;

  if (setup->initializer[0] == '\0')
    return TRUE;
  loky_control_set_phase (&setup->control, LOKY_PHASE_INITIALIZING);
  is_done = call_initializer (self, &error);
  check_integrity (self);
  tidy_up (NULL);
  if (is_done)
    return TRUE;
  begin_message (self);
  loky_channel_append_variant (setup->channel, LOKY_MESSAGE_START_FAILED, 0, 1,
                               g_variant_new (LOKY_MESSAGE_NAME_TYPE, error->message), NULL, 0);
  send (self);
  return FALSE;
}

static void
note_opening (const char *path, gpointer user_data)
{
  loky_control_set_loading (user_data, path);
}

static gboolean
worker_init (Worker *self, LokyWorkerSetup *setup)
{
  GVariantIter iter;
  GVariant *refusal;

  *self = (Worker){
    .setup = setup,
    .segments = loky_worker_segments_new (setup->channel),
    .names = g_hash_table_new_full (NULL, NULL, NULL, g_free),
    .tasks = g_hash_table_new (NULL, NULL),
    .surroundings = { .worker_id = setup->worker_id,
                      .channel = setup->channel,
                      .control = &setup->control,
                      .accepts_descriptors = setup->accepts_descriptors },
  };
  loky_worker_memory_init (&self->memory, setup->memory_growth_limit, setup->memory_check_interval);
  if (!loky_worker_integrity_init (&self->integrity, setup->channel, &setup->control))
    return FALSE;
  loky_serializer_serve ((const char *const *) setup->plugin_path, note_opening, &setup->control);
  self->surroundings.loader
      = loky_plugin_loader_new ((const char *const *) setup->plugin_path, &setup->control);
  g_variant_iter_init (&iter, setup->refusals);
  while ((refusal = g_variant_iter_next_value (&iter)) != NULL)
    {
      refuse (self, refusal);
      g_variant_unref (refusal);
    }
  return TRUE;
}

/* The thread ends under a task that called pthread_exit(): a process without the thread that answers would
 * live on. */
static void
thread_ended (void *data)
{
  Worker *self = data;

  if (loky_worker_integrity_is_copy (&self->integrity))
    _exit (0);
  loky_control_set_reason (&self->setup->control, "a task ended the thread that runs tasks");
  _exit (LOKY_WORKER_EXIT_RUINED);
}

static int
run (Worker *self)
{
  LokyWorkerSetup *setup = self->setup;
  g_autoptr (GError) error = NULL;

  if (!initialize (self))
    return LOKY_WORKER_EXIT_RUINED;
  loky_control_set_phase (&setup->control, LOKY_PHASE_SERVING);
  begin_message (self);
  loky_channel_append_variant (setup->channel, LOKY_MESSAGE_HELLO, 0, 0,
                               g_variant_new (LOKY_MESSAGE_HELLO_TYPE, LOKY_VERSION,
                                              (guint32) self->integrity.pid),
                               NULL, 0);
  send (self);
  /* While the first task is on its way. */
  if ((setup->initializer[0] == '\0' && !loky_watchdog_start (&error)) || !loky_watchdog_start_ringer (&error) ||
      !serve (self, &error))
    {
      loky_control_set_reason (&setup->control, error->message);
      return LOKY_WORKER_EXIT_RUINED;
    }
  loky_plugin_loader_finish (self->surroundings.loader);
  check_integrity (self);
  begin_message (self);
  loky_channel_append (setup->channel, LOKY_MESSAGE_GOODBYE, 0, 0);
  send (self);
  return 0;
}

int
loky_worker_loop_run (LokyWorkerSetup *setup)
{
  Worker worker;
  int status;

  if (!worker_init (&worker, setup))
    return LOKY_WORKER_EXIT_RUINED;
  pthread_cleanup_push (thread_ended, &worker);
  status = run (&worker);
  pthread_cleanup_pop (0);
  return status;
}

/* The worker program. What it holds is left to the kernel: it exits without running the destructors
 * of plugins, which after a task's mischief may hang. */
int
loky_worker_main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  LokyWorkerSetup setup;

  loky_init_note_program ();
  if (argc == 2 && strcmp (argv[1], LOKY_FORK_SERVER_ARGUMENT) == 0)
    _exit (loky_fork_server_main ());
  if (argc == 2 && strcmp (argv[1], LOKY_TRACKER_ARGUMENT) == 0)
    _exit (loky_tracker_main ());
  if (!loky_worker_setup (&setup, &error))
    {
      g_printerr ("loky-worker: %s\n", error->message);
      return LOKY_WORKER_EXIT_RUINED;
    }
  _exit (loky_worker_loop_run (&setup));
}
