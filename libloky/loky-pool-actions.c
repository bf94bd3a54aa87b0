/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Carries out what the scheduler decides: under the lock what must happen at once (slots, frames into
 * outboxes, ends of futures), after its release what may take time (sending, telling). */

#include "loky-error.h"
#include "loky-pool-internal.h"
#include "loky-probes-private.h"

#include <gio/gio.h>

/* Who was not sent a task for this long does not need to spin any more, in µs. */
#define LEASE_TIME 1000

/* Within this time after a submission in it a main context has come back to listen, if what called returns at once, in
 * ns. */
#define ATTENTION_TIME (10 * 1000)

/* A worker that has so many tasks of the shortest kind in hand can wait for more, and for arguments of up to so many
 * bytes. */
#define ENOUGH_IN_FLIGHT 64
#define MAX_HELD 1024

/* A value that was not sent, and the worker that it was for. */
typedef struct
{
  LokyPoolWorker *worker;
  LokySendFailure failure;
} UnsentTask;

void
loky_pool_turn_begin (LokyPool *self, LokyPoolTurn *turn)
{
  *turn = (LokyPoolTurn){ .pool = self };
  turn->ended_tail = &turn->ended;
  loky_pool_lock (self);
  turn->now = g_get_monotonic_time ();
}

void
loky_pool_turn_add_flush (LokyPoolTurn *turn, LokyPoolWorker *worker)
{
  if (worker->needs_flush)
    return;
  worker->needs_flush = TRUE;
  loky_pool_worker_ref (worker);
  if (turn->n_to_flush < LOKY_TURN_N_FLUSH)
    turn->to_flush[turn->n_to_flush++] = worker;
  else
    turn->more_to_flush = g_slist_prepend (turn->more_to_flush, worker);
}

/* Many small messages in one system call. Which tasks a worker has, and which may be had back, is in the control
 * area and does not depend on it; an answer for one of those that were sent is still to come, and is looked at here. */
static gboolean
may_hold (LokyPoolWorker *worker)
{
  LokySchedulerTask *oldest = g_queue_peek_head (&worker->scheduling.tasks);

  return oldest != NULL && oldest->number + ENOUGH_IN_FLIGHT <= worker->sent_number;
}

void
loky_pool_turn_check_held (LokyPoolTurn *turn, LokyPoolWorker *worker)
{
  if (worker->sent_number == worker->put_number || may_hold (worker))
    return;
  worker->sent_number = worker->put_number;
  loky_pool_turn_add_flush (turn, worker);
}

/* A worker may spin if it was given work of late, and no more of them than there are tokens. */
void
loky_pool_lend_spinning (LokyPool *self, LokyPoolWorker *worker, gint64 now)
{
  guint n_leases;

  if (worker->lease != NULL)
    {
      worker->lease->used = now;
      return;
    }
  if (now - self->tried_leases < LEASE_TIME)
    return;
  n_leases = MIN (loky_spin_count_tokens (), LOKY_POOL_MAX_LEASES);
  for (guint i = 0; i < n_leases; i++)
    {
      LokyPoolLease *lease = &self->leases[i];

      if (lease->worker != NULL && now - lease->used < LEASE_TIME)
        continue;
      if (lease->worker != NULL)
        {
          loky_control_set_spin_time (&lease->worker->control, 0);
          lease->worker->lease = NULL;
        }
      lease->worker = worker;
      lease->used = now;
      worker->lease = lease;
      loky_control_set_spin_time (&worker->control, self->spin_time);
      return;
    }
  self->tried_leases = now;
}

static guint8
get_flags (LokyFuture *future)
{
  LokyFeed *feed = loky_future_get_feed (future);

  return feed != NULL && feed->wants_partials ? LOKY_TASK_WANTS_PARTIALS : 0;
}

static gboolean
is_captured (LokyFuture *future)
{
  return future->has_feed && future->feed->captures_output;
}

/* Who submits in a dispatch of a main context is about to listen to it, before it sleeps. */
static void
announce_attention (LokyPoolTurn *turn, LokyPoolWorker *worker)
{
  gint64 now = turn->now * 1000;

  if (turn->comes_back && worker->lease != NULL && now >= turn->pool->vain_until)
    loky_control_set_attentive_by (&worker->control, now + ATTENTION_TIME);
}

/* Where the worker finds it, which is awake or about to be. FALSE: it is to be sent. */
static gboolean
leave_task (LokyPoolTurn *turn, LokyPoolWorker *worker, LokySchedulerTask *task, LokyMessageType type)
{
  LokyFuture *future = LOKY_FUTURE_FROM_TASK (task);
  LokyControlNote note = {
    .n_before = worker->n_put, .number = task->number, .slot = task->slot, .type = (guint16) type
  };
  LokyValueMessage message = { .type = g_variant_get_type_string (future->args),
                               .size = g_variant_get_size (future->args),
                               .place = LOKY_PLACE_INLINE,
                               .flags = get_flags (future),
                               .name = future->function->number,
                               .attempt = task->attempts };
  gboolean has_to_wake;

  if (future->buffers != NULL || message.size > sizeof note.body)
    return FALSE;
  message.data = g_variant_get_data (future->args);
  note.length = (guint16) loky_message_write_value (note.body, sizeof note.body, &message);
  if (note.length == 0 ||
      !loky_control_leave_task (&worker->control, &worker->n_left, &note, &has_to_wake))
    return FALSE;
  /* Unless it comes after one that is held back. */
  if (worker->sent_number == worker->put_number)
    worker->sent_number = task->number;
  worker->put_number = task->number;
  if (has_to_wake)
    {
      loky_channel_append (worker->channel, LOKY_MESSAGE_LOOK, 0, 0);
      worker->n_put++;
    }
  /* What wakes it may be in the outbox still, of a thread that has not come to sending it. */
  if (has_to_wake || loky_control_is_asleep (&worker->control))
    loky_pool_turn_add_flush (turn, worker);
  return TRUE;
}

/* Into the outbox, which is sent at the end of the turn unless there is no hurry. */
static void
put_task (LokyPoolTurn *turn, LokyPoolWorker *worker, LokySchedulerTask *task, LokyMessageType type)
{
  LokyFuture *future = LOKY_FUTURE_FROM_TASK (task);
  LokyValueMessage message = { .flags = get_flags (future),
                               .name = future->function->number,
                               .attempt = task->attempts };
  GError *error = NULL;

  if (is_captured (future))
    {
      message.flags |= LOKY_TASK_CAPTURES_OUTPUT;
      if (!loky_pool_begin_capture_locked (turn, worker, future, message.outputs, &error))
        {
          loky_channel_fail (worker->channel, (guint8) type, task->slot, task->number, error);
          loky_pool_turn_add_flush (turn, worker);
          return;
        }
    }
  loky_channel_append_value (worker->channel, type, task->slot, task->number, &message, future->args,
                             future->buffers);
  worker->n_put++;
  worker->put_number = task->number;
  if (!worker->needs_flush && future->buffers == NULL && !is_captured (future) && g_variant_get_size (future->args) <= MAX_HELD &&
      may_hold (worker))
    return;
  worker->sent_number = task->number;
  loky_pool_turn_add_flush (turn, worker);
}

static void
send_task (LokyPoolTurn *turn, LokySchedulerTask *task)
{
  LokyPoolWorker *worker = (LokyPoolWorker *) task->worker;
  LokyFuture *future = LOKY_FUTURE_FROM_TASK (task);
  LokyFunction *function = future->function;
  LokySerializer *serializer = function->traits.serializer;
  LokyMessageType type = future->is_chunk ? LOKY_MESSAGE_CHUNK : LOKY_MESSAGE_TASK;

  if (worker->latest_function != function && g_hash_table_add (worker->names, function))
    {
      loky_channel_append_variant (worker->channel, LOKY_MESSAGE_TASK_NAME, 0, function->number,
                                   g_variant_new (LOKY_MESSAGE_TASK_NAME_TYPE, function->name,
                                                  serializer != NULL ? serializer->name : "",
                                                  function->traits.memory_limit),
                                   NULL, 0);
      worker->n_put++;
      loky_pool_turn_add_flush (turn, worker);
    }
  worker->latest_function = function;
  if (future->has_feed)
    loky_control_set_credit (&worker->control, task->slot, loky_feed_begin (future->feed));
  /* The slot before the frame: whoever reads the frame finds it. */
  loky_control_queue (&worker->control, task->slot, task->number);
  announce_attention (turn, worker);
  if (is_captured (future) || !leave_task (turn, worker, task, type))
    put_task (turn, worker, task, type);
  LOKY_PROBE_TASK_SENT (future, function->name, worker->id, task->number, task->attempts);
  if (turn->pool->spin_time > 0)
    loky_pool_lend_spinning (turn->pool, worker, turn->now);
  if (future->waiters != NULL)
    future->waiters->woke_worker = loky_pool_sleeps_on_locked (worker);
}

static void
stop_task (LokySchedulerTask *task)
{
  LokyPoolWorker *worker = (LokyPoolWorker *) task->worker;

  loky_control_cancel (&worker->control, task->slot, task->number);
  loky_control_ring (&worker->control);
}

/* Whether the worker has answered the last question; asks the next one. */
static gboolean
ask_for_a_beat (LokyPoolWorker *worker)
{
  gboolean has_answered = loky_control_get_answered (&worker->control) == worker->n_beats;

  loky_control_ask (&worker->control, ++worker->n_beats);
  loky_control_ring (&worker->control);
  return has_answered;
}

LokyError
loky_pool_get_broken_code_locked (LokyPool *self)
{
  return g_error_matches (self->broken, LOKY_ERROR, LOKY_ERROR_INITIALIZER) ? LOKY_ERROR_INITIALIZER
                                                                            : LOKY_ERROR_BROKEN;
}

static GError *
describe_broken (LokyPool *self, const char *name)
{
  return g_error_new (LOKY_ERROR, loky_pool_get_broken_code_locked (self),
                      "The task “%s” cannot be run any more: %s", name,
                      self->broken != NULL ? self->broken->message : "the executor is broken");
}

/* " in worker 3 (pid 4711)", or "" for none. */
static char *
describe_worker (LokyPoolWorker *worker)
{
  if (worker == NULL || worker->process == NULL)
    return g_strdup ("");
  return g_strdup_printf (" in worker %u (pid %d)", worker->id,
                          (int) loky_worker_process_get_pid (worker->process));
}

/* A task that timed out while its plugin was being opened: it is the plugin that hangs. */
static GError *
describe_timeout (const LokyAction *action, const char *name)
{
  LokyPoolWorker *worker = (LokyPoolWorker *) action->worker;
  g_autofree char *loading = worker != NULL ? loky_control_dup_loading (&worker->control) : NULL;
  g_autofree char *place = worker != NULL ? loky_pool_describe_place (worker, "; it was in") : g_strdup ("");
  g_autofree char *where = describe_worker (worker);
  double seconds = (double) action->task->timeout / G_USEC_PER_SEC;

  if (loading != NULL)
    {
      g_autofree char *path = g_filename_display_name (loading);

      return g_error_new (LOKY_ERROR, LOKY_ERROR_PLUGIN,
                          "The plugin “%s” was not opened for the task “%s” within %g s%s", path, name,
                          seconds, place);
    }
  return g_error_new (LOKY_ERROR, LOKY_ERROR_TIMED_OUT,
                      "The task “%s” ran%s for longer than its timeout of %g s%s", name, where, seconds,
                      place);
}

static GError *
describe_cancellation (const LokyAction *action, const char *name)
{
  LokyPoolWorker *worker = (LokyPoolWorker *) action->worker;
  g_autofree char *where = describe_worker (worker);
  g_autofree char *place = worker != NULL ? loky_pool_describe_place (worker, "; it was in") : g_strdup ("");

  return g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, "The task “%s” was cancelled%s%s", name, where,
                      place);
}

static GError *
describe_end (LokyPool *self, const LokyAction *action, LokyFuture *future)
{
  const LokySchedulerTask *task = action->task;
  const char *name = future->function->name;

  switch (action->outcome)
    {
    case LOKY_OUTCOME_CANCELLED:
      return describe_cancellation (action, name);
    case LOKY_OUTCOME_TIMED_OUT:
      return describe_timeout (action, name);
    case LOKY_OUTCOME_QUEUE_TIMED_OUT:
      return g_error_new (LOKY_ERROR, LOKY_ERROR_QUEUE_TIMED_OUT,
                          "No worker was free for the task “%s” within %g s", name,
                          (double) task->queue_timeout / G_USEC_PER_SEC);
    case LOKY_OUTCOME_WORKER_DIED:
      return loky_pool_describe_loss ((LokyPoolWorker *) action->worker, future, &future->loss);
    case LOKY_OUTCOME_SHUT_DOWN:
      return g_error_new (LOKY_ERROR, LOKY_ERROR_SHUT_DOWN,
                          "The executor was shut down before the task “%s” could end", name);
    case LOKY_OUTCOME_BROKEN:
      return describe_broken (self, name);
    case LOKY_OUTCOME_RESULT:
    case LOKY_OUTCOME_FAILURE:
    case LOKY_OUTCOME_UNSENDABLE:
    default:
      return g_error_new (LOKY_ERROR, LOKY_ERROR_FAILED, "The task “%s” failed", name);
    }
}

static void
count_task (const LokyFuture *future, LokyFutureState end, LokyOutcome outcome, gint64 now)
{
  LokyStatistics *statistics = future->function->statistics;
  guint n_items = MAX (future->task.n_items, 1);

  if (end == LOKY_FUTURE_STATE_SUCCEEDED)
    statistics->n_succeeded += n_items;
  else if (end == LOKY_FUTURE_STATE_CANCELLED)
    statistics->n_cancelled += n_items;
  else
    statistics->n_failed += n_items;
  if (outcome == LOKY_OUTCOME_RESULT || outcome == LOKY_OUTCOME_FAILURE)
    loky_statistics_add_times (statistics, MAX (future->run_time, 0),
                               (now - future->task.queued_at) * 1000, n_items);
}

/* The one place where a future ends. A result or an error that came with the frame was put into the
 * future before the scheduler was told. */
static void
complete_task (LokyPoolTurn *turn, const LokyAction *action)
{
  LokyFuture *future = LOKY_FUTURE_FROM_TASK (action->task);
  LokyPayload *payload = g_steal_pointer (&future->payload);
  GError *error = g_steal_pointer (&future->error);
  LokyFutureState end = LOKY_FUTURE_STATE_FAILED;

  if (action->outcome == LOKY_OUTCOME_RESULT)
    end = LOKY_FUTURE_STATE_SUCCEEDED;
  else
    {
      if (payload != NULL)
        turn->payloads = g_slist_prepend (turn->payloads, g_steal_pointer (&payload));
      if (action->outcome == LOKY_OUTCOME_CANCELLED)
        end = LOKY_FUTURE_STATE_CANCELLED;
      if (action->outcome != LOKY_OUTCOME_FAILURE && action->outcome != LOKY_OUTCOME_UNSENDABLE)
        g_clear_error (&error);
      if (error == NULL)
        error = describe_end (turn->pool, action, future);
      /* It was stopped together with its worker. */
      if (future->loss == NULL && action->worker != NULL &&
          action->worker->state == LOKY_WORKER_STATE_GONE)
        future->loss = loky_pool_make_loss ((LokyPoolWorker *) action->worker);
    }
  if (future->has_feed)
    loky_pool_end_capture_locked (turn, future->feed->capture);
  LOKY_PROBE_TASK_ENDED (future, future->function->name, action->outcome);
  count_task (future, end, action->outcome, turn->now);
  loky_future_end_locked (future, end, payload, error);
  future->next_ended = NULL;
  *turn->ended_tail = future;
  turn->ended_tail = &future->next_ended;
}

static void
start_worker (LokyPoolTurn *turn)
{
  LokyPoolWorker *worker = g_new0 (LokyPoolWorker, 1);

  g_atomic_ref_count_init (&worker->ref_count);
  worker->pool = turn->pool;
  worker->control.fd = -1;
  worker->names = g_hash_table_new (NULL, NULL);
  loky_scheduler_add_worker (turn->pool->scheduler, &worker->scheduling);
  g_queue_push_tail (&turn->pool->to_start, worker);
  turn->wakes_monitor = TRUE;
}

static void
kill_worker (LokyPoolTurn *turn, LokyPoolWorker *worker, LokyKillReason reason)
{
  if (worker->is_killed)
    return;
  worker->is_killed = TRUE;
  worker->kill_reason = reason;
  g_queue_push_tail (&turn->pool->to_kill, loky_pool_worker_ref (worker));
  turn->wakes_monitor = TRUE;
}

/* What is in a slot can be neither begun nor had back when somebody wrote over it: the tasks of such a worker
 * would wait for ever. */
static void
check_slot (LokyPoolTurn *turn, LokySchedulerTask *task)
{
  LokyPoolWorker *worker = (LokyPoolWorker *) task->worker;

  if (task->state != LOKY_TASK_STATE_SENT || worker->scheduling.state >= LOKY_WORKER_STATE_DYING ||
      loky_control_is_sound (&worker->control, task->slot, task->number))
    return;
  loky_scheduler_worker_dying (turn->pool->scheduler, &worker->scheduling, turn->now, turn->pool->actions);
  kill_worker (turn, worker, LOKY_KILL_NONSENSE);
}

static void
run_action (LokyPoolTurn *turn, const LokyAction *action)
{
  LokyPool *self = turn->pool;
  LokySchedulerTask *task = action->task;
  LokyPoolWorker *worker = (LokyPoolWorker *) action->worker;
  gint64 started = 0;
  gboolean is_running;

  switch (action->type)
    {
    case LOKY_ACTION_SEND:
      send_task (turn, task);
      break;
    case LOKY_ACTION_RECALL:
      check_slot (turn, task);
      loky_scheduler_recalled (self->scheduler, task,
                               loky_control_recall (&worker->control, task->slot, task->number),
                               turn->now, self->actions);
      loky_pool_turn_check_held (turn, worker);
      /* It waits again. */
      if (task->state == LOKY_TASK_STATE_QUEUED && LOKY_FUTURE_FROM_TASK (task)->has_feed)
        loky_pool_end_capture_locked (turn, LOKY_FUTURE_FROM_TASK (task)->feed->capture);
      break;
    case LOKY_ACTION_REVOKE:
      loky_control_recall (&worker->control, task->slot, task->number);
      /* Its backtrace may be waited for in vain. */
      turn->wakes_monitor = TRUE;
      break;
    case LOKY_ACTION_PROBE:
      check_slot (turn, task);
      is_running = loky_control_is_running (&worker->control, task->slot, task->number, &started);
      loky_scheduler_probed (self->scheduler, task, is_running, started, turn->now, self->actions);
      break;
    case LOKY_ACTION_STOP:
      stop_task (task);
      break;
    case LOKY_ACTION_BEAT:
      loky_scheduler_beaten (self->scheduler, &worker->scheduling, ask_for_a_beat (worker), turn->now,
                             self->actions);
      break;
    case LOKY_ACTION_COMPLETE:
      complete_task (turn, action);
      break;
    case LOKY_ACTION_START:
      start_worker (turn);
      break;
    case LOKY_ACTION_LEAVE:
      loky_channel_append (worker->channel, LOKY_MESSAGE_LEAVE, 0, 0);
      worker->n_put++;
      loky_pool_turn_add_flush (turn, worker);
      break;
    case LOKY_ACTION_KILL:
      kill_worker (turn, worker, action->kill_reason);
      break;
    case LOKY_ACTION_ABANDON:
      worker->is_abandoned = TRUE;
      turn->wakes_monitor = TRUE;
      break;
    case LOKY_ACTION_FINISHED:
      self->is_finished = TRUE;
      turn->wakes_monitor = TRUE;
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
note_changes (LokyPoolTurn *turn)
{
  LokyPool *self = turn->pool;
  LokyExecutorState state = loky_scheduler_get_state (self->scheduler);
  guint n_workers = loky_scheduler_get_n_workers (self->scheduler);

  if (state == self->told_state && n_workers == self->told_n_workers)
    return;
  self->told_state = state;
  self->told_n_workers = n_workers;
  turn->has_changed = TRUE;
}

void
loky_pool_turn_run (LokyPoolTurn *turn)
{
  LokyPool *self = turn->pool;
  gint64 deadline;

  do
    {
      /* Answers to questions append to the array while it is walked. */
      for (guint i = 0; i < self->actions->len; i++)
        {
          LokyAction action = g_array_index (self->actions, LokyAction, i);

          run_action (turn, &action);
        }
      g_array_set_size (self->actions, 0);
    }
  while (self->room_waits.length > 0 && loky_pool_submit_waiting_locked (self, turn->now, &turn->waits));

  deadline = loky_scheduler_get_deadline (self->scheduler);
  if (deadline >= 0 && (self->timer < 0 || deadline < self->timer))
    turn->wakes_monitor = TRUE;
  if (self->is_finished && !self->has_thread)
    self->is_over = TRUE;
  note_changes (turn);
  loky_pool_note_quiet_locked (self);
  if (self->waits != NULL)
    loky_pool_check_waits_locked (self, &turn->waits);
}

/* Values that could not be put into shared memory were not sent: their tasks fail, their workers go
 * on. Whose failures these are is kept apart from the list of a turn, since ending one task lets the
 * next be sent, which may fail as well. */
static GSList *
flush_and_collect (LokyPoolWorker *worker, GSList *failures)
{
  LokySendFailure failure;

  if (worker->channel == NULL)
    return failures;
  /* CLOSED is found out by the monitor too, which is woken by the hang-up. */
  loky_channel_flush (worker->channel);
  loky_control_tell_worker (&worker->control);
  while (loky_channel_take_failure (worker->channel, &failure))
    {
      UnsentTask *unsent = g_new0 (UnsentTask, 1);

      unsent->worker = loky_pool_worker_ref (worker);
      unsent->failure = failure;
      failures = g_slist_prepend (failures, unsent);
    }
  return failures;
}

static void
apply_failures_locked (LokyPool *self, GSList *failures, LokyPoolTurn *turn)
{
  for (GSList *l = failures; l != NULL; l = l->next)
    {
      UnsentTask *unsent = l->data;
      LokySchedulerTask *task = loky_scheduler_find (&unsent->worker->scheduling,
                                                     unsent->failure.slot, unsent->failure.number);

      if (task != NULL)
        {
          LOKY_FUTURE_FROM_TASK (task)->error = g_steal_pointer (&unsent->failure.error);
          loky_scheduler_returned (self->scheduler, task, LOKY_OUTCOME_UNSENDABLE, 0, turn->now,
                                   self->actions);
          loky_pool_turn_run (turn);
        }
      loky_pool_turn_check_held (turn, unsent->worker);
    }
}

static void
unsent_task_free (UnsentTask *unsent)
{
  g_clear_error (&unsent->failure.error);
  loky_pool_worker_unref (unsent->worker);
  g_free (unsent);
}

void
loky_pool_announce (LokyFuture *ended)
{
  while (ended != NULL)
    {
      LokyFuture *future = ended;

      ended = future->next_ended;
      loky_future_announce (future);
      g_object_unref (future);
    }
}

/* Carries out and releases the lock; sends and tells. Returns what could not be sent. */
static GSList *
turn_end_once (LokyPoolTurn *turn)
{
  LokyPool *self = turn->pool;
  GSList *failures = NULL;

  loky_pool_turn_run (turn);
  for (guint i = 0; i < turn->n_to_flush; i++)
    turn->to_flush[i]->needs_flush = FALSE;
  for (GSList *l = turn->more_to_flush; l != NULL; l = l->next)
    ((LokyPoolWorker *) l->data)->needs_flush = FALSE;
  if (turn->wakes_monitor && self->source != NULL)
    g_source_set_ready_time (self->source, 0);
  loky_pool_be_heard_locked (self);
  /* It only arms a source: it is not user code. */
  if (turn->has_changed && self->changed_func != NULL)
    self->changed_func (self->changed_data);
  loky_pool_unlock (self);

  g_slist_free_full (turn->payloads, (GDestroyNotify) loky_payload_unref);
  for (guint i = 0; i < turn->n_to_flush; i++)
    {
      failures = flush_and_collect (turn->to_flush[i], failures);
      loky_pool_worker_unref (turn->to_flush[i]);
    }
  for (GSList *l = turn->more_to_flush; l != NULL; l = l->next)
    {
      failures = flush_and_collect (l->data, failures);
      loky_pool_worker_unref (l->data);
    }
  g_slist_free (turn->more_to_flush);
  if (turn->deferred != NULL)
    {
      if (turn->ended != NULL)
        {
          *turn->deferred->ended_tail = turn->ended;
          turn->deferred->ended_tail = turn->ended_tail;
        }
      turn->deferred->waits = g_slist_concat (turn->waits, turn->deferred->waits);
      return failures;
    }
  loky_pool_announce (turn->ended);
  loky_pool_end_waits (turn->waits);
  return failures;
}

static void
handle_failures (LokyPool *self, GSList *failures, LokyPoolDeferred *deferred)
{
  while (failures != NULL)
    {
      GSList *applied = failures;
      LokyPoolTurn turn;

      loky_pool_turn_begin (self, &turn);
      turn.deferred = deferred;
      apply_failures_locked (self, applied, &turn);
      failures = turn_end_once (&turn);
      g_slist_free_full (applied, (GDestroyNotify) unsent_task_free);
    }
}

void
loky_pool_flush_worker (LokyPool *self, LokyPoolWorker *worker, LokyPoolDeferred *deferred)
{
  handle_failures (self, flush_and_collect (worker, NULL), deferred);
}

void
loky_pool_turn_end (LokyPoolTurn *turn)
{
  LokyPoolDeferred *deferred = turn->deferred;

  handle_failures (turn->pool, turn_end_once (turn), deferred);
}
