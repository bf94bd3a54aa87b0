/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world-check.h"

char *world_failure;

void
world_fail (const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  if (world_failure != NULL)
    vsnprintf (world_failure, WORLD_FAILURE_SIZE, format, arguments);
  else
    vfprintf (stderr, format, arguments);
  va_end (arguments);
  abort ();
}

/* --- actions ---------------------------------------------------------------------------------- */

/* A word of the control area that a worker has made up. */
/* Each eighth task is one that must be alone at its worker. */
#define ALONE_EVERY 8

static gboolean
is_lie (World *self)
{
  if (!self->is_mad)
    return FALSE;
  self->lies = self->lies * G_GUINT64_CONSTANT (6364136223846793005) + 1442695040888963407u;
  return self->lies >> 62 == 0;
}

static void
take_from_worker (WorldTask *task)
{
  if (task->holder != NULL)
    g_queue_remove (&task->holder->tasks, task);
  task->holder = NULL;
  task->is_begun = FALSE;
  task->is_done = FALSE;
}

static void
do_send (World *self, WorldTask *task, WorldWorker *worker)
{
  WORLD_CHECK (task->scheduling.state == LOKY_TASK_STATE_SENT, "task %u is sent in state %d", task->id,
               task->scheduling.state);
  WORLD_CHECK (task->holder == NULL || self->is_mad, "task %u is sent while a worker has it", task->id);
  WORLD_CHECK (task->n_ended == 0, "task %u is sent after its end", task->id);
  /* Or found dead by a question that was asked before, in the same list: that is about to be told. */
  WORLD_CHECK (worker->scheduling.state == LOKY_WORKER_STATE_READY ||
                   (worker->scheduling.state == LOKY_WORKER_STATE_DYING && !worker->is_killed),
               "worker %u is sent a task in state %d", worker->id, worker->scheduling.state);
  /* By it the worker tells a frame of a task that was taken back from the one that has its slot now. */
  WORLD_CHECK (task->scheduling.number > worker->last_number, "worker %u is sent a number for the second time",
               worker->id);
  worker->last_number = task->scheduling.number;
  world_check_order (self, task);
  take_from_worker (task);
  task->n_sent++;
  task->holder = worker;
  g_queue_push_tail (&worker->tasks, task);
}

static void
do_recall (World *self, WorldTask *task, WorldWorker *worker)
{
  gboolean is_recalled;

  /* What ended by an action before this one is not asked about any more. */
  if (task->scheduling.state != LOKY_TASK_STATE_SENT)
    {
      loky_scheduler_recalled (self->scheduler, &task->scheduling, FALSE, self->now, self->actions);
      return;
    }
  WORLD_CHECK (task->holder == worker, "task %u is recalled from a worker that does not have it", task->id);
  is_recalled = is_lie (self) ? task->is_begun : !task->is_begun;
  if ((is_recalled && self->defect != WORLD_BEGINS_RECALLED) ||
      worker->scheduling.state == LOKY_WORKER_STATE_GONE)
    take_from_worker (task);
  loky_scheduler_recalled (self->scheduler, &task->scheduling, is_recalled, self->now, self->actions);
}

static void
do_revoke (WorldTask *task)
{
  if (task->holder == NULL)
    return;
  if (task->is_begun)
    task->is_revoked = TRUE;
  else
    take_from_worker (task);
}

static void
do_complete (World *self, WorldTask *task, LokyOutcome outcome)
{
  WORLD_CHECK (task->scheduling.state == LOKY_TASK_STATE_ENDED, "task %u ends in state %d", task->id,
               task->scheduling.state);
  WORLD_CHECK (task->n_ended == 0, "task %u ends twice", task->id);
  task->n_ended++;
  if (self->defect == WORLD_TELLS_TWICE && task->id == 7)
    task->n_ended++;
  world_check_end (self, task, outcome);
  if (self->is_mad)
    take_from_worker (task);
  if (outcome == LOKY_OUTCOME_RESULT)
    self->counts->n_results++;
  else if (outcome == LOKY_OUTCOME_TIMED_OUT || outcome == LOKY_OUTCOME_QUEUE_TIMED_OUT)
    self->counts->n_timeouts++;
}

static void
do_start (World *self)
{
  WorldWorker *worker;

  WORLD_CHECK (self->n_workers < WORLD_MAX_WORKERS, "more than %u workers are started", WORLD_MAX_WORKERS);
  worker = &self->workers[self->n_workers++];
  memset (worker, 0, sizeof *worker);
  worker->id = self->n_workers;
  g_queue_init (&worker->tasks);
  loky_scheduler_add_worker (self->scheduler, &worker->scheduling);
}

static void
do_beat (World *self, WorldWorker *worker)
{
  gboolean has_answered = !worker->is_asked || !worker->is_stopped;

  worker->is_asked = TRUE;
  loky_scheduler_beaten (self->scheduler, &worker->scheduling, has_answered, self->now, self->actions);
}

static void
do_action (World *self, const LokyAction *action)
{
  WorldTask *task = (WorldTask *) action->task;
  WorldWorker *worker = (WorldWorker *) action->worker;

  WORLD_CHECK (self->n_finished == 0, "action %d comes after the end", action->type);
  switch (action->type)
    {
    case LOKY_ACTION_SEND:
      do_send (self, task, worker);
      break;
    case LOKY_ACTION_RECALL:
      do_recall (self, task, worker);
      break;
    case LOKY_ACTION_REVOKE:
      do_revoke (task);
      break;
    case LOKY_ACTION_PROBE:
      loky_scheduler_probed (self->scheduler, &task->scheduling, task->is_begun != is_lie (self),
                             is_lie (self) ? (gint64) self->lies : task->begun_at, self->now,
                             self->actions);
      break;
    case LOKY_ACTION_STOP:
      WORLD_CHECK (!task->is_stopped, "task %u is asked to stop twice", task->id);
      task->is_stopped = TRUE;
      break;
    case LOKY_ACTION_BEAT:
      do_beat (self, worker);
      break;
    case LOKY_ACTION_COMPLETE:
      do_complete (self, task, action->outcome);
      break;
    case LOKY_ACTION_START:
      do_start (self);
      break;
    case LOKY_ACTION_LEAVE:
      WORLD_CHECK (!worker->is_told_to_leave, "worker %u is told to leave twice", worker->id);
      WORLD_CHECK (worker->tasks.length == 0 || self->is_mad, "worker %u is told to leave with a task",
                   worker->id);
      worker->is_told_to_leave = TRUE;
      break;
    case LOKY_ACTION_KILL:
      WORLD_CHECK (!worker->is_killed, "worker %u is killed twice", worker->id);
      worker->is_killed = TRUE;
      self->counts->n_kills++;
      self->counts->n_silent += action->kill_reason == LOKY_KILL_SILENT;
      world_check_kill (self, worker, action->kill_reason);
      break;
    case LOKY_ACTION_ABANDON:
      WORLD_CHECK (!worker->is_abandoned && worker->is_killed, "worker %u is abandoned", worker->id);
      worker->is_abandoned = TRUE;
      break;
    case LOKY_ACTION_FINISHED:
      self->n_finished++;
      break;
    default:
      world_fail ("there is no action %d", action->type);
    }
}

static void
carry_out (World *self)
{
  for (guint i = 0; i < self->actions->len; i++)
    {
      LokyAction action = g_array_index (self->actions, LokyAction, i);

      do_action (self, &action);
      WORLD_CHECK (i < 100000, "the questions of the scheduler do not end");
    }
  g_array_set_size (self->actions, 0);
  while (self->first_task < self->n_tasks && self->tasks[self->first_task].n_ended > 0 &&
         self->tasks[self->first_task].holder == NULL)
    self->first_task++;
  while (self->first_worker < self->n_workers &&
         self->workers[self->first_worker].scheduling.state == LOKY_WORKER_STATE_GONE)
    self->first_worker++;
  self->n_steps++;
  self->counts->n_steps++;
  world_check_all (self);
}

/* --- events of the owner ------------------------------------------------------------------------ */

static gboolean
is_open (World *self)
{
  return loky_scheduler_get_state (self->scheduler) == LOKY_EXECUTOR_STATE_OPEN;
}

void
world_submit (World *self,
              guint function,
              gint64 timeout,
              gint64 queue_timeout,
              gint64 grace,
              gint priority,
              guint retries)
{
  WorldTask *task;

  if (!is_open (self) || self->n_tasks == WORLD_MAX_TASKS)
    return;
  task = &self->tasks[self->n_tasks++];
  memset (task, 0, sizeof *task);
  task->id = self->n_tasks;
  task->submitted_at = self->now;
  task->scheduling.function = &self->functions[function % WORLD_N_FUNCTIONS];
  task->scheduling.timeout = timeout;
  task->scheduling.queue_timeout = queue_timeout;
  task->scheduling.cancel_grace = grace;
  task->scheduling.priority = priority;
  task->scheduling.retries = retries;
  task->scheduling.is_alone = task->id % ALONE_EVERY == 0;
  self->counts->n_tasks++;
  loky_scheduler_submit (self->scheduler, &task->scheduling, self->now, self->actions);
  carry_out (self);
}

void
world_cancel (World *self, guint index)
{
  gboolean was_alive;
  WorldTask *task;

  if (self->n_tasks == 0)
    return;
  task = &self->tasks[index % self->n_tasks];
  was_alive = task->n_ended == 0;
  task->was_cancelled = TRUE;
  self->counts->n_cancels++;
  WORLD_CHECK (loky_scheduler_cancel (self->scheduler, &task->scheduling, self->now, self->actions) ==
                   was_alive,
               "cancelling task %u says the wrong thing", task->id);
  carry_out (self);
  WORLD_CHECK (task->n_ended > 0 || task->is_begun || self->is_mad,
               "task %u was cancelled, does not run and has not ended", task->id);
}

void
world_resize (World *self, guint max_workers)
{
  self->max_workers = max_workers;
  self->counts->n_resizes++;
  loky_scheduler_set_max_workers (self->scheduler, max_workers, self->now, self->actions);
  carry_out (self);
}

void
world_set_idle_timeout (World *self, gint64 idle_timeout)
{
  self->idle_timeout = idle_timeout;
  loky_scheduler_set_idle_timeout (self->scheduler, idle_timeout, self->now, self->actions);
  carry_out (self);
}

void
world_set_policy (World *self, LokyCrashPolicy policy)
{
  self->policy = policy;
  loky_scheduler_set_crash_policy (self->scheduler, policy);
}

/* A property of construction. */
void
world_set_heartbeat (World *self, gint64 heartbeat)
{
  if (self->n_workers > 0)
    return;
  self->heartbeat = heartbeat;
  loky_scheduler_set_heartbeat (self->scheduler, heartbeat);
}

/* The same. */
void
world_set_max_tasks (World *self, guint max_tasks)
{
  if (self->n_workers > 0)
    return;
  self->max_tasks = max_tasks;
  loky_scheduler_set_max_tasks (self->scheduler, max_tasks);
}

/* The same. */
void
world_set_start_timeout (World *self, gint64 start_timeout)
{
  if (self->n_workers == 0)
    loky_scheduler_set_start_timeout (self->scheduler, start_timeout);
}

void
world_warm_up (World *self, guint n_workers)
{
  if (!is_open (self))
    return;
  loky_scheduler_warm_up (self->scheduler, n_workers, self->now, self->actions);
  carry_out (self);
}

void
world_shut_down (World *self, LokyShutdownMode mode, gint64 duration)
{
  /* One that is broken and empty has ended before, and does so again. */
  if (loky_scheduler_get_state (self->scheduler) != LOKY_EXECUTOR_STATE_SHUT_DOWN)
    self->n_finished = 0;
  self->has_cancelled_pending |= mode == LOKY_SHUTDOWN_CANCEL_PENDING;
  self->has_killed |= mode == LOKY_SHUTDOWN_KILL || duration >= 0;
  self->counts->n_shutdowns++;
  loky_scheduler_shutdown (self->scheduler, mode, duration < 0 ? -1 : self->now + duration, self->now,
                           self->actions);
  carry_out (self);
}

/* --- events of workers -------------------------------------------------------------------------- */

/* One that is not gone; NULL: there is none. */
static WorldWorker *
pick (World *self, guint index)
{
  guint n_live = self->n_workers - self->first_worker;
  WorldWorker *worker;

  if (n_live == 0)
    return NULL;
  worker = &self->workers[self->first_worker + index % n_live];
  return worker->scheduling.state != LOKY_WORKER_STATE_GONE ? worker : NULL;
}

/* One that does what a worker does. */
static WorldWorker *
pick_working (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);

  return worker != NULL && !worker->is_stopped && !worker->is_killed ? worker : NULL;
}

void
world_ready (World *self, guint index)
{
  WorldWorker *worker = pick_working (self, index);

  if (worker == NULL || worker->scheduling.state != LOKY_WORKER_STATE_STARTING)
    return;
  loky_scheduler_worker_ready (self->scheduler, &worker->scheduling, self->now, self->actions);
  carry_out (self);
}

/* The first task that the worker is not through with. */
static WorldTask *
task_at_hand (WorldWorker *worker)
{
  for (GList *l = worker != NULL ? worker->tasks.head : NULL; l != NULL; l = l->next)
    if (!((WorldTask *) l->data)->is_done)
      return l->data;
  return NULL;
}

/* The scheduler is not told. */
void
world_begin_task (World *self, guint index)
{
  WorldTask *task = task_at_hand (pick_working (self, index));

  if (task == NULL || task->is_begun)
    return;
  WORLD_CHECK (task->n_ended == 0 || self->is_mad, "task %u is begun after its end", task->id);
  task->is_begun = TRUE;
  task->begun_at = self->now;
  task->n_begun++;
  task->holder->n_begun++;
  WORLD_CHECK (task->n_begun <= 1 + task->scheduling.retries || self->is_mad,
               "task %u is begun for the time %u with %u retries", task->id, task->n_begun,
               task->scheduling.retries);
}

void
world_finish (World *self, guint index, gboolean is_result, gint64 run_time)
{
  WorldTask *task = task_at_hand (pick_working (self, index));

  if (task == NULL || !task->is_begun)
    return;
  task->is_done = TRUE;
  task->is_result = is_result;
  task->run_time = run_time;
}

static void
deliver (World *self, WorldWorker *worker)
{
  WorldTask *task = g_queue_peek_head (&worker->tasks);

  take_from_worker (task);
  /* As the pool does: what is not known is dropped. */
  if (task->n_ended > 0)
    return;
  WORLD_CHECK (loky_scheduler_find (&worker->scheduling, task->scheduling.slot, task->scheduling.number) ==
                   &task->scheduling,
               "task %u returns and is not known", task->id);
  loky_scheduler_returned (self->scheduler, &task->scheduling,
                           task->is_result ? LOKY_OUTCOME_RESULT : LOKY_OUTCOME_FAILURE, task->run_time,
                           self->now, self->actions);
  carry_out (self);
  WORLD_CHECK (task->n_ended > 0, "task %u returned and has not ended", task->id);
}

void
world_return (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);

  if (worker != NULL && !g_queue_is_empty (&worker->tasks) &&
      ((WorldTask *) g_queue_peek_head (&worker->tasks))->is_done)
    deliver (self, worker);
}

/* The last task that was sent did not fit into memory: its frame never left. */
void
world_unsendable (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);
  WorldTask *task = worker != NULL ? g_queue_peek_tail (&worker->tasks) : NULL;

  if (task == NULL || task->is_begun || task->n_ended > 0)
    return;
  take_from_worker (task);
  loky_scheduler_returned (self->scheduler, &task->scheduling, LOKY_OUTCOME_UNSENDABLE, 0, self->now,
                           self->actions);
  carry_out (self);
}

static void
end_worker (World *self, WorldWorker *worker)
{
  guint n_mine;

  /* What was sent before the end is read before it is told. */
  while (!g_queue_is_empty (&worker->tasks) &&
         ((WorldTask *) g_queue_peek_head (&worker->tasks))->is_done)
    deliver (self, worker);
  n_mine = worker->scheduling.tasks.length;
  loky_scheduler_worker_gone (self->scheduler, &worker->scheduling, self->now, self->actions);
  carry_out (self);
  WORLD_CHECK (worker->scheduling.tasks.length == 0, "worker %u is gone with %u tasks of %u", worker->id,
               worker->scheduling.tasks.length, n_mine);
  /* What ran for nobody any more. */
  while (!g_queue_is_empty (&worker->tasks))
    {
      WorldTask *task = g_queue_peek_head (&worker->tasks);

      WORLD_CHECK (task->n_ended > 0, "task %u is lost with worker %u", task->id, worker->id);
      take_from_worker (task);
    }
}

/* It was told to leave, or was killed. */
void
world_leave (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);

  if (worker == NULL || !(worker->is_killed || (worker->is_told_to_leave && !worker->is_stopped)))
    return;
  end_worker (self, worker);
}

void
world_crash (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);

  if (worker == NULL)
    return;
  self->counts->n_crashes++;
  end_worker (self, worker);
}

/* The pool kills it for a reason of its own, as for a frame that is none. */
void
world_condemn (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);

  if (worker == NULL || worker->is_killed || worker->scheduling.state >= LOKY_WORKER_STATE_DYING)
    return;
  worker->is_killed = TRUE;
  loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, self->now, self->actions);
  carry_out (self);
}

void
world_retire (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);
  gboolean was_ready;

  if (worker == NULL || worker->is_stopped)
    return;
  was_ready = worker->scheduling.state == LOKY_WORKER_STATE_READY;
  WORLD_CHECK (loky_scheduler_retire (self->scheduler, &worker->scheduling, self->now, self->actions) ==
                   was_ready,
               "that worker %u is to retire says the wrong thing", worker->id);
  WORLD_CHECK (worker->scheduling.state != LOKY_WORKER_STATE_READY, "worker %u goes on", worker->id);
  carry_out (self);
}

void
world_stop (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);

  if (worker != NULL)
    worker->is_stopped = TRUE;
}

void
world_continue (World *self, guint index)
{
  WorldWorker *worker = pick (self, index);

  if (worker != NULL)
    worker->is_stopped = FALSE;
}

/* --- time --------------------------------------------------------------------------------------- */

void
world_pass_time (World *self, gint64 duration)
{
  self->now += duration;
  loky_scheduler_tick (self->scheduler, self->now, self->actions);
  carry_out (self);
}

void
world_pass_to_deadline (World *self)
{
  gint64 deadline = loky_scheduler_get_deadline (self->scheduler);

  /* The longest ones never pass. */
  if (deadline >= 0 && deadline < self->now + 1000000 * SECOND)
    world_pass_time (self, MAX (deadline - self->now, 0));
}

/* --- life --------------------------------------------------------------------------------------- */

void
world_init (World *self, WorldCounts *counts, WorldDefect defect)
{
  *self = (World){ .counts = counts, .defect = defect };
  self->actions = g_array_new (FALSE, FALSE, sizeof (LokyAction));
  self->tasks = g_new (WorldTask, WORLD_MAX_TASKS);
  self->workers = g_new (WorldWorker, WORLD_MAX_WORKERS);
}

void
world_clear (World *self)
{
  g_array_unref (self->actions);
  g_free (self->tasks);
  g_free (self->workers);
}

void
world_begin (World *self, guint max_workers, gboolean is_mad)
{
  World fresh = {
    .scheduler = loky_scheduler_new (max_workers),
    .functions = { { -1 }, { -1 }, { 20 * 1000 } },
    .now = 1000 * SECOND,
    .max_workers = max_workers,
    /* Fewer than workers, but in the smallest of worlds. */
    .n_cpus = MAX (max_workers / 2, 1),
    .idle_timeout = -1,
    .heartbeat = -1,
    .is_mad = is_mad,
    .lies = 12345,
    .actions = self->actions,
    .tasks = self->tasks,
    .workers = self->workers,
    .counts = self->counts,
    .defect = self->defect,
  };

  *self = fresh;
  loky_scheduler_set_n_cpus (self->scheduler, self->n_cpus);
  world_check_all (self);
}

/* Each worker does what is right; time passes when nobody can do anything. */
static void
run_on (World *self)
{
  guint n_steps = self->n_steps;
  guint n_begun = 0;

  for (guint i = self->first_worker; i < self->n_workers; i++)
    {
      guint index = i - self->first_worker;
      WorldWorker *worker = &self->workers[i];
      guint first = self->first_worker;

      worker->is_stopped = FALSE;
      if (worker->scheduling.state == LOKY_WORKER_STATE_GONE)
        continue;
      world_ready (self, index);
      if (task_at_hand (worker) != NULL && !task_at_hand (worker)->is_begun)
        n_begun++;
      world_begin_task (self, index);
      world_finish (self, index, TRUE, 200 * 1000);
      world_return (self, index);
      world_leave (self, index);
      /* Those before it are gone, and the numbers have changed. */
      if (self->first_worker != first)
        break;
    }
  if (self->n_steps == n_steps && n_begun == 0)
    world_pass_to_deadline (self);
}

static gboolean
has_live_tasks (World *self)
{
  for (guint i = self->first_task; i < self->n_tasks; i++)
    if (self->tasks[i].n_ended == 0)
      return TRUE;
  return FALSE;
}

void
world_end (World *self, LokyShutdownMode mode)
{
  guint n_rounds = 0;

  while (has_live_tasks (self))
    {
      run_on (self);
      WORLD_CHECK (++n_rounds < 20000, "tasks are left that do not end");
    }
  world_check_rest (self);
  world_shut_down (self, mode, -1);
  for (n_rounds = 0; self->n_finished == 0; n_rounds++)
    {
      run_on (self);
      WORLD_CHECK (n_rounds < 20000, "the shutdown does not end");
    }
  world_check_nothing_is_left (self);
  self->counts->n_broken += loky_scheduler_is_broken (self->scheduler);
  self->counts->n_schedules++;
  for (guint i = 0; i < self->n_workers; i++)
    g_queue_clear (&self->workers[i].tasks);
  loky_scheduler_free (self->scheduler);
}
