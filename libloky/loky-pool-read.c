/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading what workers send and print, in the monitor thread. Frames are looked at and values copied out
 * without the lock; then all that came at once is told to the scheduler under it. Nothing that a worker
 * says is believed. */

#include <gio/gio.h>
#include <string.h>

#include "loky-error.h"
#include "loky-failure-private.h"
#include "loky-marks-private.h"
#include "loky-pool-internal.h"

/* How long a worker whose channel has ended has to end itself before it is killed, in ms; and how many
 * times as long if the system is taking it down already, so that its own status is told. */
#define HANG_UP_TIME 100
#define HANG_UP_EXITING 20

/* How much at most is read at once where no more than that is to be done, in calls of recvmsg(). */
#define FILLS_FOR_WAITER 8

/* How often the owner of a task is told of its progress at the most, in µs. */
#define PROGRESS_INTERVAL (50 * 1000)

/* How many workers that have grown are told of together. */
#define MAX_GROWTHS 1024

typedef struct
{
  guint8 type;
  guint32 slot;
  guint64 number;
  LokyPayload *payload;
  GError *error;
  gint64 run_time;
  gint64 cost; /* of a partial result */
  const char *name; /* the pool's, of the task that it ends; NULL if it ends none */
  guint64 memory[2]; /* of a worker that has grown: before, and now */
  gboolean was_left; /* in the control area, where there may be anything: it counts if it is of a task */
} Incoming;

/* Whose owners are to be told, without the lock; references. They may have ended then, and their contexts must not
 * go before that. */
typedef struct
{
  GSList *progressed;
  GSList *fed;
  GSList *contexts;
} Told;

static GError *
read_failure (GVariant *body)
{
  const char *domain, *message;
  gint32 code;

  g_variant_get (body, "(&si&sx)", &domain, &code, &message, NULL);
  return loky_failure_new (domain, code, message);
}

/* Why the worker cannot serve, in its own words. */
static GError *
read_start_failure (const LokyFrameHeader *header, GVariant *body)
{
  LokyError code = header->number == 1 ? LOKY_ERROR_INITIALIZER : LOKY_ERROR_WORKER_START;
  g_autofree char *text = NULL;
  const char *whole;

  g_variant_get (body, LOKY_MESSAGE_NAME_TYPE_BORROWED, &whole);
  text = g_utf8_make_valid (whole, (gssize) strnlen (whole, LOKY_MESSAGE_MAX_ERROR));
  return g_error_new_literal (LOKY_ERROR, code, *text != '\0' ? text : "a worker did not say why");
}

static gboolean
read_value (LokyPoolWorker *worker, LokyFrame *frame, Incoming *incoming, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  LokyValueMessage value;

  if (!loky_message_parse_value (&frame->header, frame->body, &value, error))
    return FALSE;
  incoming->run_time = value.run_time;
  if (incoming->type == LOKY_MESSAGE_PARTIAL)
    incoming->cost = loky_partial_get_cost (value.type, value.size);
  if (frame->has_lost_fds)
    g_set_error_literal (&local_error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                         "The result cannot be received: too many descriptors are open");
  else
    /* The segment of a partial result does not come again. */
    incoming->payload = loky_payload_new_received (
        &value, frame->fds, worker->pool->blocks,
        incoming->type == LOKY_MESSAGE_PARTIAL ? NULL : &worker->view, worker->pool->accepts_descriptors,
        &local_error);
  if (value.place == LOKY_PLACE_SEGMENT && frame->header.type != LOKY_MESSAGE_PARTIAL)
    {
      loky_channel_append (worker->channel, LOKY_MESSAGE_RELEASE, 0, value.segment);
      worker->has_to_release = TRUE;
    }
  if (incoming->payload != NULL)
    return TRUE;
  /* No memory for it: that is this task's end, not the worker's. */
  if (g_error_matches (local_error, LOKY_ERROR, LOKY_ERROR_RESOURCES))
    {
      if (incoming->type != LOKY_MESSAGE_PARTIAL)
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

  *incoming = (Incoming){
    .type = frame->header.type, .slot = frame->header.slot, .number = frame->header.number
  };
  switch (frame->header.type)
    {
    case LOKY_MESSAGE_RESULT:
    case LOKY_MESSAGE_CHUNK_RESULT:
    case LOKY_MESSAGE_PARTIAL:
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
      if (worker->cause == NULL && !worker->has_said_hello)
        worker->cause = read_start_failure (&frame->header, body);
      return TRUE;
    case LOKY_MESSAGE_GROWN:
      body = loky_message_parse_variant (&frame->header, frame->body, LOKY_MESSAGE_GROWN_TYPE, error);
      if (body == NULL)
        return FALSE;
      g_variant_get (body, LOKY_MESSAGE_GROWN_TYPE, &incoming->memory[0], &incoming->memory[1]);
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

static gboolean
is_growth (LokyPool *self, const Incoming *incoming)
{
  guint64 before = incoming->memory[0];
  guint64 after = incoming->memory[1];

  return self->memory_growth_limit > 0 && after >= before && after - before >= self->memory_growth_limit;
}

/* With the lock. Once for each worker, and only what it was asked to tell. */
static void
note_grown_locked (LokyPool *self, LokyPoolWorker *worker, const Incoming *incoming, LokyPoolTurn *turn)
{
  LokyGrowth growth = { worker->id, incoming->memory[0], incoming->memory[1] };

  if (!is_growth (self, incoming) ||
      !loky_scheduler_retire (self->scheduler, &worker->scheduling, turn->now, self->actions))
    return;
  loky_pool_turn_run (turn);
  /* Nobody may ever take them. */
  if (self->growths->len < MAX_GROWTHS)
    g_array_append_val (self->growths, growth);
  turn->has_changed = TRUE;
}

/* With the lock, before it ends. */
static void
note_told_locked (Told *told, GSList **list, LokyFuture *future)
{
  *list = g_slist_prepend (*list, g_object_ref (future));
  if (future->context != NULL)
    told->contexts = g_slist_prepend (told->contexts, g_main_context_ref (future->context));
}

/* With the lock. FALSE: nobody asked for it, or not for so much. */
static gboolean
add_partial_locked (LokyFuture *future, Incoming *incoming, Told *told)
{
  if (!future->has_feed || (incoming->payload != NULL && incoming->payload->buffers != NULL) ||
      !loky_feed_add_partial (future->feed, g_steal_pointer (&incoming->payload), incoming->cost,
                              g_steal_pointer (&incoming->error)))
    return FALSE;
  for (LokyWaiter *waiter = future->waiters; waiter != NULL; waiter = waiter->next)
    if (waiter->wants_partial)
      loky_waiter_wake_locked (waiter);
  /* Many may come at once. */
  if (told->fed == NULL || told->fed->data != future)
    note_told_locked (told, &told->fed, future);
  return TRUE;
}

/* With the lock. FALSE: it speaks of a task that it does not have. */
static gboolean
apply_locked (LokyPool *self,
              LokyPoolWorker *worker,
              Incoming *incoming,
              LokyPoolTurn *turn,
              Told *told)
{
  LokySchedulerTask *task;
  LokyFuture *future;

  if (incoming->type == LOKY_MESSAGE_HELLO && worker->is_awaited)
    {
      worker->is_early = TRUE;
      return TRUE;
    }
  if (incoming->type == LOKY_MESSAGE_HELLO)
    {
      loky_scheduler_worker_ready (self->scheduler, &worker->scheduling, turn->now, self->actions);
      loky_pool_turn_run (turn);
      return TRUE;
    }
  if (incoming->type == LOKY_MESSAGE_GROWN)
    {
      note_grown_locked (self, worker, incoming, turn);
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
      incoming->type != LOKY_MESSAGE_PROGRESS && incoming->type != LOKY_MESSAGE_CHUNK_RESULT &&
      incoming->type != LOKY_MESSAGE_PARTIAL)
    return TRUE;

  task = loky_scheduler_find (&worker->scheduling, incoming->slot, incoming->number);
  /* After a shutdown that kills, its tasks were taken from it. */
  if (task == NULL)
    return worker->scheduling.state == LOKY_WORKER_STATE_DYING || incoming->was_left;

  future = LOKY_FUTURE_FROM_TASK (task);
  if (incoming->type == LOKY_MESSAGE_PROGRESS)
    {
      /* Whoever sends more of it than a worker does is not listened to. */
      if (turn->now - future->progress_told_at >= PROGRESS_INTERVAL)
        {
          future->progress_told_at = turn->now;
          note_told_locked (told, &told->progressed, future);
        }
      return TRUE;
    }
  if (incoming->type == LOKY_MESSAGE_PARTIAL)
    return add_partial_locked (future, incoming, told);
  if (incoming->type == LOKY_MESSAGE_CHUNK_RESULT && !future->is_chunk)
    return FALSE;
  if (incoming->payload == NULL && incoming->error == NULL)
    return FALSE;
  worker->last_answered = MAX (worker->last_answered, task->number);
  future->is_mixed = incoming->type == LOKY_MESSAGE_CHUNK_RESULT;
  future->run_time = MAX (incoming->run_time, 0);
  incoming->name = future->function->name;
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

/* For who profiles the application. */
static void
mark (LokyPoolWorker *worker, GArray *batch)
{
  if (!loky_marks_are_wanted ())
    return;
  for (guint i = 0; i < batch->len; i++)
    {
      const Incoming *incoming = &g_array_index (batch, Incoming, i);

      if (incoming->name != NULL)
        loky_mark_task (incoming->name, worker->id, incoming->run_time);
    }
}

/* Tasks are done in the order in which they were sent. */
static gboolean
owes_answer_locked (LokyPoolWorker *worker)
{
  LokySchedulerTask *oldest = g_queue_peek_head (&worker->scheduling.tasks);

  /* One that was not begun may never have been sent, which its sender is about to say. */
  return oldest != NULL && oldest->number < worker->last_answered &&
         !loky_control_is_queued (&worker->control, oldest->slot, oldest->number);
}

/* Takes over the list. */
static void
tell (GSList *futures, LokyNews news)
{
  for (GSList *l = futures; l != NULL; l = l->next)
    loky_future_post (l->data, news);
  g_slist_free_full (futures, g_object_unref);
}

static gboolean
apply (LokyPool *self,
       LokyPoolWorker *worker,
       GArray *batch,
       LokyPoolDeferred *deferred,
       GError **error)
{
  Told told = { NULL };
  gboolean is_sound = TRUE;
  LokyPoolTurn turn;

  loky_pool_turn_begin (self, &turn);
  turn.deferred = deferred;
  for (guint i = 0; i < batch->len && is_sound; i++)
    is_sound = apply_locked (self, worker, &g_array_index (batch, Incoming, i), &turn, &told);
  worker->owes_answer = owes_answer_locked (worker);
  if (worker->has_to_release)
    loky_pool_turn_add_flush (&turn, worker);
  worker->has_to_release = FALSE;
  loky_pool_turn_check_held (&turn, worker);
  loky_pool_turn_end (&turn);

  tell (told.progressed, LOKY_NEWS_PROGRESS);
  tell (told.fed, LOKY_NEWS_FEED);
  g_slist_free_full (told.contexts, (GDestroyNotify) g_main_context_unref);
  mark (worker, batch);
  g_array_set_size (batch, 0);
  if (!is_sound)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                 "A worker answered for a task that it does not have, sent what nobody asked for, or left untold");
  return is_sound;
}

/* What is no answer at all is none; what is wrong with one for a task that it has is found later. */
static void
add_answer (LokyPoolWorker *worker, GArray *batch, guint slot)
{
  g_autoptr (GError) error = NULL;
  LokyControlNote answer;
  LokyFrame frame;
  Incoming incoming;

  loky_control_read_answer (&worker->control, slot, &answer);
  if ((answer.type != LOKY_MESSAGE_RESULT && answer.type != LOKY_MESSAGE_CHUNK_RESULT) ||
      answer.length > sizeof answer.body || answer.slot != slot)
    return;
  frame.header = (LokyFrameHeader){
    .type = (guint8) answer.type, .length = answer.length, .slot = slot, .number = answer.number
  };
  frame.body = answer.body;
  frame.has_lost_fds = FALSE;
  read_frame (worker, &frame, &incoming, &error);
  incoming.was_left = TRUE;
  g_array_append_val (batch, incoming);
}

static void
add_answers (LokyPoolWorker *worker, GArray *batch)
{
  guint64 words[LOKY_CONTROL_N_WORDS];

  loky_control_take_answers (&worker->control, words);
  for (guint i = 0; i < LOKY_CONTROL_N_WORDS; i++)
    for (; words[i] != 0; words[i] &= words[i] - 1)
      add_answer (worker, batch, 64 * i + (guint) __builtin_ctzll (words[i]));
}

/* All answers that were left, and all whole frames that were received. FALSE: the worker is to be condemned. */
static gboolean
read_frames (LokyPool *self, LokyPoolWorker *worker, LokyPoolDeferred *deferred, GError **cause)
{
  GArray *batch = self->incoming;
  g_autoptr (GError) error = NULL;
  LokyFrameStatus status;
  LokyFrame frame;

  if (batch == NULL)
    {
      batch = self->incoming = g_array_new (FALSE, FALSE, sizeof (Incoming));
      g_array_set_clear_func (batch, (GDestroyNotify) incoming_clear);
    }
  add_answers (worker, batch);
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
  /* Before its task can end. What was printed is there, since it was before that was sent. */
  if (batch->len > 0 && __atomic_load_n (&worker->capture, __ATOMIC_RELAXED) != NULL)
    loky_pool_drain_capture (self, worker);
  /* What came before a bad frame is good. */
  if (batch->len > 0 && !apply (self, worker, batch, deferred, error == NULL ? &error : NULL))
    status = LOKY_FRAME_INVALID;
  g_array_set_size (batch, 0);
  if (status != LOKY_FRAME_INVALID)
    return TRUE;
  g_propagate_error (cause, g_steal_pointer (&error));
  return FALSE;
}

static gboolean
hung_up_cb (gpointer user_data)
{
  LokyPoolWorker *worker = user_data;

  if (worker->n_hang_ups++ < HANG_UP_EXITING && loky_worker_process_is_exiting (worker->process))
    return G_SOURCE_CONTINUE;
  loky_pool_condemn (worker->pool, worker,
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
  loky_pool_unwatch (self, LOKY_WATCH_CHANNEL, loky_channel_get_fd (worker->channel));
  if (worker->is_buried)
    return;
  /* It is about to end, which is known in a moment, or has closed the channel under its own feet and
   * cannot serve any more. */
  if (!worker->has_said_goodbye)
    {
      loky_pool_turn_begin (self, &turn);
      loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, turn.now, self->actions);
      loky_pool_turn_end (&turn);
    }
  worker->hang_up = g_timeout_source_new (HANG_UP_TIME);
  g_source_set_static_name (worker->hang_up, "[loky] worker hung up");
  g_source_set_callback (worker->hang_up, hung_up_cb, worker, NULL);
  g_source_attach (worker->hang_up, self->context);
}

static LokyFillResult
fill (LokyPoolWorker *worker, GError **error)
{
  LokyFillResult result;

  __atomic_store_n (&worker->sent_seen, loky_control_get_sent_from_worker (&worker->control),
                    __ATOMIC_RELAXED);
  loky_control_begin_reading (&worker->control);
  result = loky_channel_fill (worker->channel, FALSE, error);
  if (loky_channel_had_foreign (worker->channel))
    __atomic_store_n (&worker->pool->was_sent_foreign, TRUE, __ATOMIC_RELAXED);
  loky_control_end_reading (&worker->control, loky_channel_get_n_received (worker->channel));
  return result;
}

void
loky_pool_ask_to_read (LokyPool *self, LokyPoolWorker *worker)
{
  loky_pool_lock (self);
  g_queue_push_tail (&self->to_read, loky_pool_worker_ref (worker));
  if (self->source != NULL)
    g_source_set_ready_time (self->source, 0);
  loky_pool_unlock (self);
}

/* What the monitor has to do, which is woken for it: condemn the worker, or find the end of its channel. */
static gboolean
leave_to_monitor (LokyPool *self, LokyPoolWorker *worker, GError *error)
{
  if (error == NULL)
    return FALSE;
  if (worker->read_error == NULL)
    worker->read_error = error;
  else
    g_error_free (error);
  loky_pool_ask_to_read (self, worker);
  return FALSE;
}

/* Nothing is left to be read, and an answer is missing: somebody has written over it, or over the slot of its
 * task. */
static gboolean
check_debts (LokyPool *self, LokyPoolWorker *worker, GError **error)
{
  loky_pool_lock (self);
  worker->owes_answer = owes_answer_locked (worker);
  loky_pool_unlock (self);
  if (!worker->owes_answer)
    return TRUE;
  worker->writes_nonsense = TRUE;
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                       "It answered for a task, but not for the one before it");
  return FALSE;
}

/* Until the channel is empty, or as much as comes at once; at most @n_fills times. */
static LokyFillResult
read_some (LokyPool *self,
           LokyPoolWorker *worker,
           guint n_fills,
           gboolean to_the_end,
           LokyPoolDeferred *deferred,
           GError **error)
{
  while (n_fills-- > 0)
    {
      gboolean owes_answer = worker->owes_answer;
      LokyFillResult result = fill (worker, error);

      if (result != LOKY_FILL_ERROR && !read_frames (self, worker, deferred, error))
        return LOKY_FILL_ERROR;
      if (result == LOKY_FILL_AGAIN && owes_answer && !check_debts (self, worker, error))
        return LOKY_FILL_ERROR;
      /* One that was left may be seen before the message that was sent before it: the socket has to be read
       * again. */
      if (result == LOKY_FILL_AGAIN && !owes_answer && worker->owes_answer)
        {
          n_fills = MAX (n_fills, 1);
          continue;
        }
      if (result != LOKY_FILL_DATA)
        return result;
      if (!to_the_end && !worker->owes_answer && loky_channel_is_drained (worker->channel))
        break;
    }
  return LOKY_FILL_DATA;
}

static gboolean
may_be_read (LokyPoolWorker *worker)
{
  return !worker->channel_is_closed && !worker->is_buried && worker->read_error == NULL;
}

gboolean
loky_pool_read_for_waiter (LokyPool *self, LokyPoolWorker *worker, LokyPoolDeferred *deferred)
{
  GError *error = NULL;

  if (!may_be_read (worker))
    return FALSE;
  switch (read_some (self, worker, FILLS_FOR_WAITER, FALSE, deferred, &error))
    {
    case LOKY_FILL_DATA:
    case LOKY_FILL_AGAIN:
      return TRUE;
    case LOKY_FILL_EOF:
    case LOKY_FILL_ERROR:
    default:
      return leave_to_monitor (self, worker, error);
    }
}

void
loky_pool_read_channel (LokyPool *self, LokyPoolWorker *worker, guint n_fills, gboolean to_the_end)
{
  GError *error = NULL;

  if (worker->read_error != NULL && !worker->channel_is_closed)
    loky_pool_condemn (self, worker, g_steal_pointer (&worker->read_error));
  if (worker->channel_is_closed)
    return;
  switch (read_some (self, worker, n_fills, to_the_end, NULL, &error))
    {
    case LOKY_FILL_EOF:
      channel_ended (self, worker);
      break;
    case LOKY_FILL_ERROR:
      loky_pool_condemn (self, worker, error);
      break;
    case LOKY_FILL_DATA:
    case LOKY_FILL_AGAIN:
    default:
      break;
    }
}

gboolean
loky_pool_read_answers (LokyPool *self, LokyPoolWorker *worker, LokyPoolDeferred *deferred)
{
  GError *error = NULL;

  if (!may_be_read (worker) || !loky_control_has_answers (&worker->control))
    return FALSE;
  if (!read_frames (self, worker, deferred, &error))
    {
      if (deferred != NULL)
        leave_to_monitor (self, worker, error);
      else
        loky_pool_condemn (self, worker, error);
      return TRUE;
    }
  /* The missing one may have been sent. */
  if (worker->owes_answer && deferred != NULL)
    loky_pool_read_for_waiter (self, worker, deferred);
  else if (worker->owes_answer)
    loky_pool_read_channel (self, worker, FILLS_FOR_WAITER, FALSE);
  return TRUE;
}

void
loky_pool_read_output (LokyPool *self, LokyWorkerProcess *process, LokyWatchKind kind, gsize most)
{
  int fd = loky_worker_process_get_stderr_fd (process);
  char buffer[8192];
  gsize done = 0;

  while (done < most && fd >= 0)
    {
      gsize got = loky_worker_process_read_stderr (process, buffer, sizeof buffer);

      if (got == 0)
        break;
      loky_stderr_write (self->output, buffer, got);
      done += got;
    }
  if (fd >= 0 && loky_worker_process_get_stderr_fd (process) < 0)
    loky_pool_unwatch (self, kind, fd);
}
