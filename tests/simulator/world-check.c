/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world-check.h"

/* How long what waits behind another task may wait until somebody looks, in µs. */
#define STALL_TIME (5 * MSEC)
#define LOOK_TIME (1000 * MSEC)

/* Tasks that are expected to be shorter are not worth another worker than those for which there are CPUs, in
 * ns. */
#define WAKE_TIME (50 * 1000)

static gboolean
is_set (const LokyDeadline *deadline)
{
  return deadline->iter != NULL;
}

/* First come first served, by priority; what was sent before and came back goes first. */
void
world_check_order (World *self, const WorldTask *task)
{
  for (guint i = self->first_task; i < self->n_tasks; i++)
    {
      const WorldTask *other = &self->tasks[i];

      if (other->scheduling.state != LOKY_TASK_STATE_QUEUED || other == task)
        continue;
      WORLD_CHECK (other->scheduling.priority >= task->scheduling.priority,
                   "task %u is sent before task %u, which has priority", task->id, other->id);
      WORLD_CHECK (other->scheduling.priority > task->scheduling.priority || task->n_sent > 0 ||
                       (other->id > task->id && other->n_sent == 0),
                   "task %u is sent before task %u, which came first", task->id, other->id);
    }
}

static gboolean
has_passed (World *self, gint64 since, gint64 duration)
{
  return duration >= 0 && self->now - since >= duration;
}

void
world_check_end (World *self, const WorldTask *task, LokyOutcome outcome)
{
  const LokySchedulerTask *it = &task->scheduling;
  gboolean has_crashed = self->policy == LOKY_CRASH_POLICY_BREAK ||
                         loky_scheduler_is_broken (self->scheduler) || task->n_begun > it->retries;

  if (self->is_mad)
    return;
  /* Nobody begins it any more, and nobody runs it but a worker that is being killed. */
  WORLD_CHECK (task->holder == NULL || (task->is_begun && task->is_revoked),
               "task %u ends (%d) while worker %u has it", task->id, outcome,
               task->holder != NULL ? task->holder->id : 0);
  switch (outcome)
    {
    case LOKY_OUTCOME_RESULT:
    case LOKY_OUTCOME_FAILURE:
      WORLD_CHECK (task->n_begun > 0, "task %u has a result and was never begun", task->id);
      break;
    case LOKY_OUTCOME_CANCELLED:
      WORLD_CHECK (task->was_cancelled || self->has_cancelled_pending, "task %u was not cancelled", task->id);
      break;
    case LOKY_OUTCOME_TIMED_OUT:
      WORLD_CHECK (it->n_late > 1 || (task->n_begun > 0 && has_passed (self, task->begun_at, it->timeout)),
                   "task %u is timed out before its time", task->id);
      break;
    case LOKY_OUTCOME_QUEUE_TIMED_OUT:
      WORLD_CHECK (task->n_begun == 0 && has_passed (self, task->submitted_at, it->queue_timeout),
                   "task %u is timed out in the queue before its time", task->id);
      break;
    case LOKY_OUTCOME_WORKER_DIED:
      WORLD_CHECK (task->n_begun > 0, "task %u died with a worker that had not begun it", task->id);
      WORLD_CHECK (has_crashed, "task %u died though it had retries", task->id);
      break;
    case LOKY_OUTCOME_SHUT_DOWN:
      WORLD_CHECK (self->has_killed, "task %u ends by a shutdown that did not kill", task->id);
      break;
    case LOKY_OUTCOME_BROKEN:
      WORLD_CHECK (loky_scheduler_is_broken (self->scheduler), "task %u ends as broken", task->id);
      break;
    case LOKY_OUTCOME_UNSENDABLE:
      break;
    default:
      world_fail ("there is no outcome %d", outcome);
    }
}

void
world_check_kill (World *self, const WorldWorker *worker, LokyKillReason reason)
{
  switch (reason)
    {
    case LOKY_KILL_STOP_TASK:
      for (GList *l = worker->tasks.head; l != NULL; l = l->next)
        if (((WorldTask *) l->data)->is_stopped)
          return;
      WORLD_CHECK (self->is_mad, "worker %u is killed for a task that was not asked to stop", worker->id);
      break;
    case LOKY_KILL_SILENT:
      WORLD_CHECK (worker->is_stopped && worker->is_asked && self->heartbeat >= 0,
                   "worker %u is killed as silent", worker->id);
      break;
    case LOKY_KILL_SHUTDOWN:
      /* Or one that starts and is not wanted any more. */
      WORLD_CHECK (self->has_killed || !worker->scheduling.has_served,
                   "worker %u is killed by a shutdown", worker->id);
      break;
    case LOKY_KILL_SURPLUS:
      WORLD_CHECK (!worker->scheduling.has_served, "worker %u is killed though it serves", worker->id);
      break;
    case LOKY_KILL_BROKEN:
      WORLD_CHECK (loky_scheduler_is_broken (self->scheduler), "worker %u is killed as broken", worker->id);
      break;
    case LOKY_KILL_IDLE:
      WORLD_CHECK (self->is_mad || (worker->tasks.length > 0 &&
                                    !((const WorldTask *) worker->tasks.head->data)->is_begun),
                   "worker %u is killed as idle", worker->id);
      break;
    case LOKY_KILL_UNRESPONSIVE:
      break;
    case LOKY_KILL_NONSENSE:
    default:
      world_fail ("there is no reason %d", reason);
    }
}

/* --- after each step ---------------------------------------------------------------------------- */

typedef struct
{
  guint n_tasks, n_queued, n_ahead;
  guint n_short; /* of those that are queued */
  guint n_brisk; /* workers with tasks behind the first, and not found to be held up */
  guint n_dying;  /* at workers that die */
  guint n_unseen; /* were behind another, are the next, and were not seen to have begun */
  guint n_workers, n_serving, n_busy, n_resting, n_live;
} Counts;

static void
check_held (World *self, const WorldWorker *worker)
{
  const LokySchedulerWorker *it = &worker->scheduling;
  gint64 ahead = 0;
  guint n_known = 0;

  for (GList *l = it->tasks.head; l != NULL; l = l->next)
    {
      const LokySchedulerTask *task = l->data;

      WORLD_CHECK (task->state == LOKY_TASK_STATE_SENT && task->worker == it,
                   "worker %u is said to have a task that it was not sent", worker->id);
      WORLD_CHECK (it->slots[task->slot] == task && task->number <= it->last_number,
                   "the slot of a task of worker %u holds another", worker->id);
      WORLD_CHECK (!task->is_alone || it->tasks.length == 1, "task %u is not alone at worker %u",
                   ((const WorldTask *) task)->id, worker->id);
      WORLD_CHECK (((const WorldTask *) task)->holder == worker || self->is_mad,
                   "worker %u does not have task %u", worker->id, ((const WorldTask *) task)->id);
      ahead += task->expected;
    }
  for (GList *l = worker->tasks.head; l != NULL; l = l->next)
    n_known += ((const WorldTask *) l->data)->n_ended == 0;
  WORLD_CHECK (n_known == it->tasks.length || self->is_mad, "worker %u has %u tasks, not %u", worker->id,
               n_known, it->tasks.length);
  WORLD_CHECK (it->n_free_slots == LOKY_SCHEDULER_MAX_DEPTH - it->tasks.length,
               "worker %u has %u free slots", worker->id, it->n_free_slots);
  WORLD_CHECK (ahead == it->ahead, "worker %u has other work ahead than it seems", worker->id);
}

static void
check_worker (World *self, const WorldWorker *worker)
{
  const LokySchedulerWorker *it = &worker->scheduling;
  guint n_tasks = it->tasks.length;

  check_held (self, worker);
  WORLD_CHECK (self->max_tasks == 0 || self->is_mad || worker->n_begun <= self->max_tasks,
               "worker %u has run %u tasks", worker->id, worker->n_begun);
  WORLD_CHECK (is_set (&it->beat) ==
                   (self->heartbeat >= 0 && n_tasks > 0 && it->state < LOKY_WORKER_STATE_DYING),
               "worker %u has the wrong heartbeat", worker->id);
  switch (it->state)
    {
    case LOKY_WORKER_STATE_STARTING:
      WORLD_CHECK (n_tasks == 0 && is_set (&it->deadline), "worker %u may start for ever", worker->id);
      break;
    case LOKY_WORKER_STATE_READY:
      WORLD_CHECK (is_set (&it->deadline) == (n_tasks == 0 && self->idle_timeout >= 0),
                   "worker %u rests by the wrong clock", worker->id);
      break;
    case LOKY_WORKER_STATE_RETIRING:
      WORLD_CHECK (n_tasks > 0, "worker %u retires without a task", worker->id);
      break;
    case LOKY_WORKER_STATE_LEAVING:
      WORLD_CHECK (n_tasks == 0 && worker->is_told_to_leave && is_set (&it->deadline),
                   "worker %u may leave for ever", worker->id);
      break;
    case LOKY_WORKER_STATE_DYING:
      WORLD_CHECK (worker->is_killed, "worker %u is to die and was not killed", worker->id);
      WORLD_CHECK (is_set (&it->deadline) || worker->is_abandoned, "worker %u may die for ever", worker->id);
      break;
    case LOKY_WORKER_STATE_GONE:
    default:
      WORLD_CHECK (n_tasks == 0 && !is_set (&it->deadline) && !is_set (&it->beat),
                   "worker %u is gone and has something", worker->id);
      break;
    }
}

static void
check_task (World *self, const WorldTask *task)
{
  const LokySchedulerTask *it = &task->scheduling;

  WORLD_CHECK (task->n_ended == (it->state == LOKY_TASK_STATE_ENDED), "task %u has ended %u times", task->id,
               task->n_ended);
  WORLD_CHECK (it->recall == LOKY_RECALL_NONE, "task %u is being recalled for ever", task->id);
  switch (it->state)
    {
    case LOKY_TASK_STATE_QUEUED:
      WORLD_CHECK (it->stop == LOKY_STOP_NONE, "task %u waits though it was stopped", task->id);
      WORLD_CHECK (task->holder == NULL || self->is_mad, "task %u waits at a worker", task->id);
      WORLD_CHECK (is_set (&it->deadline) == (it->queue_timeout >= 0 && it->attempts == 0),
                   "task %u waits by the wrong clock", task->id);
      break;
    case LOKY_TASK_STATE_SENT:
      WORLD_CHECK (task->holder != NULL || self->is_mad, "task %u is nowhere", task->id);
      if (it->stop == LOKY_STOP_NONE)
        WORLD_CHECK (is_set (&it->deadline) == (it->timeout >= 0), "task %u runs by the wrong clock",
                     task->id);
      else if (it->worker->state < LOKY_WORKER_STATE_DYING)
        WORLD_CHECK (is_set (&it->deadline) == (it->cancel_grace >= 0), "task %u is stopped for ever",
                     task->id);
      break;
    case LOKY_TASK_STATE_ENDED:
      WORLD_CHECK (!is_set (&it->deadline), "task %u has ended and has a deadline", task->id);
      break;
    case LOKY_TASK_STATE_NEW:
    default:
      world_fail ("task %u is in state %d", task->id, it->state);
    }
}

static gboolean
is_unseen (const LokySchedulerWorker *worker)
{
  const LokySchedulerTask *task = worker->tasks.length > 0 ? worker->tasks.head->data : NULL;

  return task != NULL && task->was_behind && task->timeout < 0 && task->stop == LOKY_STOP_NONE &&
         worker->state < LOKY_WORKER_STATE_DYING;
}

static gboolean
is_short (const LokySchedulerTask *task)
{
  return task->function->run_time >= 0 && task->function->run_time < WAKE_TIME && !task->is_alone;
}

static Counts
count (World *self)
{
  Counts counts = { 0 };

  for (guint i = self->first_task; i < self->n_tasks; i++)
    {
      LokyTaskState state = self->tasks[i].scheduling.state;

      check_task (self, &self->tasks[i]);
      counts.n_tasks += state != LOKY_TASK_STATE_ENDED;
      counts.n_queued += state == LOKY_TASK_STATE_QUEUED;
      counts.n_short += state == LOKY_TASK_STATE_QUEUED && is_short (&self->tasks[i].scheduling);
    }
  for (guint i = self->first_worker; i < self->n_workers; i++)
    {
      const LokySchedulerWorker *worker = &self->workers[i].scheduling;
      gboolean is_ready = worker->state == LOKY_WORKER_STATE_READY;

      check_worker (self, &self->workers[i]);
      counts.n_workers += worker->state != LOKY_WORKER_STATE_GONE;
      counts.n_live += worker->state <= LOKY_WORKER_STATE_READY;
      counts.n_serving += is_ready;
      counts.n_busy += worker->tasks.length > 0;
      counts.n_resting += is_ready && worker->tasks.length == 0;
      counts.n_ahead += MAX (worker->tasks.length, 1) - 1;
      counts.n_brisk += is_ready && worker->tasks.length > 1 && !worker->is_stalled &&
                        (self->max_tasks == 0 || worker->n_given < self->max_tasks);
      counts.n_unseen += is_unseen (worker);
      if (worker->state == LOKY_WORKER_STATE_DYING)
        counts.n_dying += worker->tasks.length;
    }
  return counts;
}

/* Nothing waits without a way out. */
static void
check_progress (World *self, const Counts *counts)
{
  gint64 deadline = loky_scheduler_get_deadline (self->scheduler);

  /* But for short ones, while each CPU has a worker that is at such tasks; it is looked at soon. */
  WORLD_CHECK (counts->n_queued == 0 || counts->n_resting == 0 ||
                   (counts->n_short > 0 && counts->n_brisk >= self->n_cpus),
               "%u tasks wait beside %u workers that rest",
               counts->n_queued, counts->n_resting);
  WORLD_CHECK (counts->n_ahead == 0 || (deadline >= 0 && deadline <= self->now + STALL_TIME),
               "nobody looks for what waits behind another task");
  WORLD_CHECK (counts->n_unseen == 0 || (deadline >= 0 && deadline <= self->now + LOOK_TIME),
               "nobody looks at a task that may never begin");
  WORLD_CHECK (counts->n_queued == 0 || counts->n_workers > 0 || deadline >= 0,
               "%u tasks wait for nobody", counts->n_queued);
}

void
world_check_all (World *self)
{
  Counts counts = count (self);
  LokyExecutorState state = loky_scheduler_get_state (self->scheduler);

  WORLD_CHECK (loky_scheduler_get_n_tasks (self->scheduler) == counts.n_tasks, "the tasks are miscounted");
  WORLD_CHECK (loky_scheduler_get_n_queued (self->scheduler) == counts.n_queued, "the queue is miscounted");
  WORLD_CHECK (loky_scheduler_get_n_workers (self->scheduler) == counts.n_workers,
               "the workers are miscounted");
  WORLD_CHECK (loky_scheduler_get_n_serving (self->scheduler) == counts.n_serving,
               "those that serve are miscounted");
  WORLD_CHECK (loky_scheduler_get_n_busy (self->scheduler) == counts.n_busy, "the busy are miscounted");
  WORLD_CHECK (!loky_scheduler_is_quiet (self->scheduler) ||
                   (counts.n_tasks == 0 && counts.n_resting == counts.n_workers),
               "it is quiet with %u tasks and %u of %u workers at rest", counts.n_tasks, counts.n_resting,
               counts.n_workers);
  WORLD_CHECK (counts.n_live <= self->max_workers, "%u workers of %u live", counts.n_live,
               self->max_workers);
  WORLD_CHECK (!loky_scheduler_is_broken (self->scheduler) || counts.n_tasks == counts.n_dying,
               "%u tasks live in a broken executor", counts.n_tasks - counts.n_dying);
  check_progress (self, &counts);
  if (self->n_finished > 0)
    WORLD_CHECK (counts.n_tasks == 0 && counts.n_workers == 0 && state != LOKY_EXECUTOR_STATE_OPEN,
                 "it has ended with %u tasks and %u workers", counts.n_tasks, counts.n_workers);
  else
    WORLD_CHECK (state == LOKY_EXECUTOR_STATE_OPEN || counts.n_tasks > 0 || counts.n_workers > 0,
                 "nothing is left and it has not ended");
}

void
world_check_rest (World *self)
{
  gboolean is_open = loky_scheduler_get_state (self->scheduler) == LOKY_EXECUTOR_STATE_OPEN;

  for (guint i = 0; is_open && self->idle_timeout < 0 && i < 100; i++)
    {
      gboolean is_busy = FALSE;

      /* Those that start, leave or die do so. */
      for (guint j = self->first_worker; j < self->n_workers; j++)
        {
          WorldWorker *worker = &self->workers[j];
          guint index = j - self->first_worker;

          worker->is_stopped = FALSE;
          is_busy |= worker->scheduling.state != LOKY_WORKER_STATE_READY &&
                     worker->scheduling.state != LOKY_WORKER_STATE_GONE;
          if (worker->scheduling.state == LOKY_WORKER_STATE_STARTING)
            world_ready (self, index);
          else if (worker->scheduling.state >= LOKY_WORKER_STATE_LEAVING)
            world_leave (self, index);
        }
      if (!is_busy && loky_scheduler_get_deadline (self->scheduler) < 0)
        return;
      if (!is_busy)
        world_pass_to_deadline (self);
    }
  WORLD_CHECK (!is_open || self->idle_timeout >= 0, "it has nothing to do and does not rest");
}

void
world_check_nothing_is_left (World *self)
{
  for (guint i = 0; i < self->n_tasks; i++)
    WORLD_CHECK (self->tasks[i].n_ended == 1, "task %u has ended %u times", i + 1, self->tasks[i].n_ended);
  for (guint i = 0; i < self->n_workers; i++)
    WORLD_CHECK (self->workers[i].scheduling.state == LOKY_WORKER_STATE_GONE, "worker %u is left", i + 1);
  WORLD_CHECK (self->n_finished == 1, "it has ended %u times", self->n_finished);
  WORLD_CHECK (loky_scheduler_get_state (self->scheduler) == LOKY_EXECUTOR_STATE_SHUT_DOWN,
               "it is not shut down");
  WORLD_CHECK (loky_scheduler_get_deadline (self->scheduler) == -1, "a deadline is left");
}
