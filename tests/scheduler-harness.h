/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What stands around the scheduler in its tests: tasks, workers and a clock that are all invented.
 *
 * It carries out the actions as the pool does, keeps its own record of who has what, writes each
 * action down as a word, and checks after each event that both records agree. */

#include "loky-scheduler-private.h"

#define MSEC 1000
#define SECOND ((gint64) G_USEC_PER_SEC)

typedef struct
{
  LokySchedulerTask scheduling; /* first: a task of the scheduler is one of ours */
  guint id;
  gboolean is_begun; /* by the worker that has it */
  gint64 begun_at;
  gboolean is_stopped; /* its worker was asked to stop it */
  guint n_completed;
  LokyOutcome outcome;
} Task;

typedef struct
{
  LokySchedulerWorker scheduling; /* first */
  guint id;
  GQueue tasks; /* of Task, that it was sent and was not taken back */
  gboolean is_told_to_leave;
  gboolean is_killed;
  gboolean is_abandoned;
  gboolean is_asked;  /* for a sign of life */
  gboolean is_silent; /* and gives none */
} Worker;

typedef struct
{
  LokyScheduler *scheduler;
  LokySchedulerFunction function;
  gint64 now;
  guint max_workers;
  guint n_cpus;
  gint64 idle_timeout;
  gint64 heartbeat;
  gboolean is_mad; /* the workers' answers cannot be believed */
  GArray *actions;
  GString *log;
  GPtrArray *tasks;
  GPtrArray *workers;
  guint n_finished;
} Harness;

static void
free_task (gpointer task)
{
  g_free (task);
}

static void
free_worker (gpointer data)
{
  Worker *worker = data;

  g_queue_clear (&worker->tasks);
  g_free (worker);
}

static void
harness_init (Harness *self, guint max_workers)
{
  *self = (Harness){
    .scheduler = loky_scheduler_new (max_workers),
    .function.run_time = -1,
    .now = 1000 * SECOND,
    .max_workers = max_workers,
    .n_cpus = G_MAXUINT,
    .idle_timeout = -1,
    .heartbeat = -1,
    .actions = g_array_new (FALSE, FALSE, sizeof (LokyAction)),
    .log = g_string_new (NULL),
    .tasks = g_ptr_array_new_with_free_func (free_task),
    .workers = g_ptr_array_new_with_free_func (free_worker),
  };
}

static void
harness_clear (Harness *self)
{
  loky_scheduler_free (self->scheduler);
  g_array_unref (self->actions);
  g_string_free (self->log, TRUE);
  g_ptr_array_unref (self->tasks);
  g_ptr_array_unref (self->workers);
}

static Task *
get_task (Harness *self, guint id)
{
  g_assert_cmpuint (id, <=, self->tasks->len);
  return g_ptr_array_index (self->tasks, id - 1);
}

static Worker *
get_worker (Harness *self, guint id)
{
  g_assert_cmpuint (id, <=, self->workers->len);
  return g_ptr_array_index (self->workers, id - 1);
}

/* --- actions ---------------------------------------------------------------------------------- */

static const char *
outcome_to_string (LokyOutcome outcome)
{
  static const char *const names[] = {
    "result", "failure",    "cancelled", "timed-out", "queue-timed-out",
    "died",   "unsendable", "shut-down", "broken",
  };

  g_assert_cmpuint (outcome, <, G_N_ELEMENTS (names));
  return names[outcome];
}

static const char *
reason_to_string (LokyKillReason reason)
{
  static const char *const names[] = { "stop-task", "shutdown", "broken", "unresponsive",
                                       "idle",      "nonsense", "surplus", "silent" };

  g_assert_cmpuint (reason, <, G_N_ELEMENTS (names));
  return names[reason];
}

static void write_down (Harness *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
write_down (Harness *self, const char *format, ...)
{
  va_list arguments;

  if (self->log->len > 0)
    g_string_append_c (self->log, ' ');
  va_start (arguments, format);
  g_string_append_vprintf (self->log, format, arguments);
  va_end (arguments);
}

static gboolean
is_lie (Harness *self)
{
  return self->is_mad && g_test_rand_int_range (0, 4) == 0;
}

static void
do_send (Harness *self, Task *task, Worker *worker)
{
  g_assert_cmpint (task->scheduling.state, ==, LOKY_TASK_STATE_SENT);
  /* Or found dead by a question that was asked before, in the same list. */
  g_assert_true (worker->scheduling.state == LOKY_WORKER_STATE_READY ||
                 (worker->scheduling.state == LOKY_WORKER_STATE_DYING && !worker->is_killed));
  g_assert_true (task->scheduling.worker == &worker->scheduling);
  task->is_begun = FALSE;
  g_queue_push_tail (&worker->tasks, task);
  write_down (self, "send:%u@%u", task->id, worker->id);
}

static void
do_recall (Harness *self, Task *task, Worker *worker)
{
  gboolean is_recalled;

  if (task->scheduling.state != LOKY_TASK_STATE_SENT)
    {
      loky_scheduler_recalled (self->scheduler, &task->scheduling, FALSE, self->now, self->actions);
      return;
    }
  is_recalled = is_lie (self) ? task->is_begun : !task->is_begun;
  if (is_recalled || worker->scheduling.state == LOKY_WORKER_STATE_GONE)
    g_queue_remove (&worker->tasks, task);
  write_down (self, "%s:%u", is_recalled ? "back" : "kept", task->id);
  loky_scheduler_recalled (self->scheduler, &task->scheduling, is_recalled, self->now,
                           self->actions);
}

static void
do_probe (Harness *self, Task *task)
{
  gint64 begun_at = is_lie (self) ? g_test_rand_int () - (gint64) G_MAXINT32 : task->begun_at;

  if (task->scheduling.state == LOKY_TASK_STATE_SENT)
    write_down (self, "probe:%u", task->id);
  loky_scheduler_probed (self->scheduler, &task->scheduling, task->is_begun != is_lie (self),
                         begun_at, self->now, self->actions);
}

static void
do_complete (Harness *self, Task *task, LokyOutcome outcome)
{
  g_assert_cmpint (task->scheduling.state, ==, LOKY_TASK_STATE_ENDED);
  g_assert_cmpuint (task->n_completed, ==, 0);
  task->n_completed++;
  task->outcome = outcome;
  for (guint i = 0; i < self->workers->len; i++)
    g_queue_remove (&get_worker (self, i + 1)->tasks, task);
  write_down (self, "end:%u=%s", task->id, outcome_to_string (outcome));
}

static void
do_start (Harness *self)
{
  Worker *worker = g_new0 (Worker, 1);

  g_assert_cmpuint (loky_scheduler_get_n_workers (self->scheduler), <=, self->max_workers);
  g_queue_init (&worker->tasks);
  g_ptr_array_add (self->workers, worker);
  worker->id = self->workers->len;
  loky_scheduler_add_worker (self->scheduler, &worker->scheduling);
  write_down (self, "start:%u", worker->id);
}

static void
do_beat (Harness *self, Worker *worker)
{
  gboolean has_answered = !worker->is_asked || !worker->is_silent;

  worker->is_asked = TRUE;
  write_down (self, "beat:%u=%s", worker->id, has_answered ? "yes" : "no");
  loky_scheduler_beaten (self->scheduler, &worker->scheduling, has_answered, self->now, self->actions);
}

static void
do_action (Harness *self, const LokyAction *action)
{
  Task *task = (Task *) action->task;
  Worker *worker = (Worker *) action->worker;

  g_assert_cmpuint (self->n_finished, ==, 0);
  switch (action->type)
    {
    case LOKY_ACTION_SEND:
      do_send (self, task, worker);
      break;
    case LOKY_ACTION_RECALL:
      do_recall (self, task, worker);
      break;
    case LOKY_ACTION_REVOKE:
      write_down (self, "revoke:%u", task->id);
      break;
    case LOKY_ACTION_PROBE:
      do_probe (self, task);
      break;
    case LOKY_ACTION_STOP:
      g_assert_false (task->is_stopped);
      task->is_stopped = TRUE;
      write_down (self, "stop:%u", task->id);
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
      g_assert_false (worker->is_told_to_leave);
      worker->is_told_to_leave = TRUE;
      write_down (self, "leave:%u", worker->id);
      break;
    case LOKY_ACTION_KILL:
      g_assert_false (worker->is_killed);
      worker->is_killed = TRUE;
      write_down (self, "kill:%u=%s", worker->id, reason_to_string (action->kill_reason));
      break;
    case LOKY_ACTION_ABANDON:
      g_assert_false (worker->is_abandoned);
      worker->is_abandoned = TRUE;
      write_down (self, "abandon:%u", worker->id);
      break;
    case LOKY_ACTION_FINISHED:
      self->n_finished++;
      write_down (self, "finished");
      break;
    default:
      g_assert_not_reached ();
    }
}

/* --- both records agree ----------------------------------------------------------------------- */

static gboolean
is_set (const LokyDeadline *deadline)
{
  return deadline->iter != NULL;
}

static void
check_slots (Worker *worker)
{
  LokySchedulerWorker *it = &worker->scheduling;
  gboolean is_free[LOKY_SCHEDULER_MAX_DEPTH] = { FALSE };
  gint64 ahead = 0;
  guint n_used = 0;

  g_assert_cmpuint (it->n_free_slots, ==, LOKY_SCHEDULER_MAX_DEPTH - it->tasks.length);
  for (guint i = 0; i < it->n_free_slots; i++)
    {
      g_assert_false (is_free[it->free_slots[i]]);
      is_free[it->free_slots[i]] = TRUE;
    }
  for (guint i = 0; i < LOKY_SCHEDULER_MAX_DEPTH; i++)
    {
      LokySchedulerTask *task = it->slots[i];

      g_assert_cmpint (is_free[i], ==, task == NULL);
      if (task == NULL)
        continue;
      n_used++;
      ahead += task->expected;
      g_assert_true (task->worker == it);
      g_assert_cmpuint (task->slot, ==, i);
      g_assert_true (loky_scheduler_find (it, i, task->number) == task);
      g_assert_null (loky_scheduler_find (it, i, task->number + 1));
    }
  g_assert_cmpuint (n_used, ==, it->tasks.length);
  g_assert_cmpint (ahead, ==, it->ahead);
}

static void
check_worker (Harness *self, Worker *worker)
{
  LokySchedulerWorker *it = &worker->scheduling;
  guint n_tasks = it->tasks.length;

  g_assert_cmpuint (worker->tasks.length, ==, n_tasks);
  for (GList *l = worker->tasks.head; l != NULL; l = l->next)
    g_assert_nonnull (g_queue_find (&it->tasks, l->data));
  check_slots (worker);
  g_assert_cmpint (is_set (&it->beat), ==,
                   self->heartbeat >= 0 && n_tasks > 0 && it->state < LOKY_WORKER_STATE_DYING);

  switch (it->state)
    {
    case LOKY_WORKER_STATE_STARTING:
      g_assert_cmpuint (n_tasks, ==, 0);
      g_assert_true (is_set (&it->deadline));
      break;
    case LOKY_WORKER_STATE_READY:
      /* A worker that is busy must not be told to leave; one that rests must be, in its time. */
      g_assert_cmpint (is_set (&it->deadline), ==, n_tasks == 0 && self->idle_timeout >= 0);
      break;
    case LOKY_WORKER_STATE_RETIRING:
      g_assert_cmpuint (n_tasks, >, 0);
      break;
    case LOKY_WORKER_STATE_LEAVING:
      g_assert_cmpuint (n_tasks, ==, 0);
      g_assert_true (worker->is_told_to_leave);
      g_assert_true (is_set (&it->deadline));
      break;
    case LOKY_WORKER_STATE_DYING:
      g_assert_true (worker->is_killed);
      g_assert_true (is_set (&it->deadline) || worker->is_abandoned);
      break;
    case LOKY_WORKER_STATE_GONE:
    default:
      g_assert_cmpuint (n_tasks, ==, 0);
      g_assert_false (is_set (&it->deadline));
      break;
    }
}

static void
check_task (Harness *self, Task *task)
{
  LokySchedulerTask *it = &task->scheduling;
  guint n_holders = 0;

  for (guint i = 0; i < self->workers->len; i++)
    if (g_queue_find (&get_worker (self, i + 1)->tasks, task) != NULL)
      n_holders++;
  g_assert_cmpuint (n_holders, ==, it->state == LOKY_TASK_STATE_SENT ? 1 : 0);
  g_assert_cmpuint (task->n_completed, ==, it->state == LOKY_TASK_STATE_ENDED ? 1 : 0);
  g_assert_cmpint (it->recall, ==, LOKY_RECALL_NONE);
  switch (it->state)
    {
    case LOKY_TASK_STATE_QUEUED:
      g_assert_cmpint (it->stop, ==, LOKY_STOP_NONE);
      g_assert_cmpint (is_set (&it->deadline), ==, it->queue_timeout >= 0 && it->attempts == 0);
      break;
    case LOKY_TASK_STATE_SENT:
      if (it->stop == LOKY_STOP_NONE)
        g_assert_cmpint (is_set (&it->deadline), ==, it->timeout >= 0);
      else if (it->worker->state < LOKY_WORKER_STATE_DYING)
        g_assert_cmpint (is_set (&it->deadline), ==, it->cancel_grace >= 0);
      break;
    case LOKY_TASK_STATE_ENDED:
      g_assert_false (is_set (&it->deadline));
      break;
    case LOKY_TASK_STATE_NEW:
    default:
      g_assert_not_reached ();
    }
}

/* As in the scheduler, in ns. */
#define QUICK_TIME (10 * 1000)

typedef struct
{
  guint n_tasks, n_queued, n_quick, n_ahead;
  guint n_workers, n_serving, n_busy, n_brisk, n_resting, n_live;
} Counts;

static Counts
count_all (Harness *self)
{
  Counts counts = { 0 };

  for (guint i = 0; i < self->tasks->len; i++)
    {
      LokySchedulerTask *task = &get_task (self, i + 1)->scheduling;
      gboolean is_queued = task->state == LOKY_TASK_STATE_QUEUED;

      counts.n_tasks += task->state != LOKY_TASK_STATE_ENDED;
      counts.n_queued += is_queued;
      counts.n_quick += is_queued && task->function->run_time >= 0 && task->function->run_time < QUICK_TIME;
    }
  for (guint i = 0; i < self->workers->len; i++)
    {
      LokySchedulerWorker *worker = &get_worker (self, i + 1)->scheduling;
      gboolean is_ready = worker->state == LOKY_WORKER_STATE_READY;

      counts.n_workers += worker->state != LOKY_WORKER_STATE_GONE;
      counts.n_live += worker->state <= LOKY_WORKER_STATE_READY;
      counts.n_serving += is_ready;
      counts.n_busy += worker->tasks.length > 0;
      counts.n_brisk += is_ready && worker->tasks.length > 1 && !worker->is_stalled;
      counts.n_resting += is_ready && worker->tasks.length == 0;
      counts.n_ahead += MAX (worker->tasks.length, 1) - 1;
    }
  return counts;
}

static void
check_progress (Harness *self, const Counts *counts)
{
  gint64 deadline = loky_scheduler_get_deadline (self->scheduler);
  guint n_cpus = self->n_cpus > 1 && counts->n_quick > 0 ? self->n_cpus - 1 : self->n_cpus;

  /* Nothing waits beside a worker that rests, but short tasks for those that are at such. */
  if (counts->n_queued > 0 && counts->n_brisk < n_cpus)
    g_assert_cmpuint (counts->n_resting, ==, 0);
  /* What waits behind another task is looked at in time. */
  if (counts->n_ahead > 0)
    {
      g_assert_cmpint (deadline, >=, 0);
      g_assert_cmpint (deadline, <=, self->now + 5 * MSEC);
    }
  /* Somebody will take what waits: a worker that is there, or one that is started later. */
  if (counts->n_queued > 0 && counts->n_workers == 0)
    g_assert_cmpint (deadline, >=, 0);
}

static void
check_all (Harness *self)
{
  Counts counts = count_all (self);

  for (guint i = 0; i < self->workers->len; i++)
    check_worker (self, get_worker (self, i + 1));
  for (guint i = 0; i < self->tasks->len; i++)
    check_task (self, get_task (self, i + 1));
  g_assert_cmpuint (loky_scheduler_get_n_tasks (self->scheduler), ==, counts.n_tasks);
  g_assert_cmpuint (loky_scheduler_get_n_queued (self->scheduler), ==, counts.n_queued);
  g_assert_cmpuint (loky_scheduler_get_n_workers (self->scheduler), ==, counts.n_workers);
  g_assert_cmpuint (loky_scheduler_get_n_serving (self->scheduler), ==, counts.n_serving);
  g_assert_cmpuint (loky_scheduler_get_n_busy (self->scheduler), ==, counts.n_busy);
  g_assert_cmpuint (counts.n_live, <=, self->max_workers);
  check_progress (self, &counts);
  if (self->n_finished > 0)
    {
      g_assert_cmpuint (counts.n_tasks, ==, 0);
      g_assert_cmpuint (counts.n_workers, ==, 0);
      g_assert_cmpint (loky_scheduler_get_deadline (self->scheduler), ==, -1);
    }
}

/* To be called after each event. */
static void
run_actions (Harness *self)
{
  for (guint i = 0; i < self->actions->len; i++)
    {
      LokyAction action = g_array_index (self->actions, LokyAction, i);

      do_action (self, &action);
      /* A scheduler whose questions never end would end nothing else. */
      g_assert_cmpuint (i, <, 100000);
    }
  g_array_set_size (self->actions, 0);
  check_all (self);
}

/* --- events ----------------------------------------------------------------------------------- */

/* A task that is not submitted yet, for the test to set what it wants. */
static Task *
make_task (Harness *self)
{
  Task *task = g_new0 (Task, 1);

  task->scheduling = (LokySchedulerTask){
    .function = &self->function,
    .timeout = -1,
    .queue_timeout = -1,
    .cancel_grace = -1,
  };
  return task;
}

static Task *
submit_task (Harness *self, Task *task)
{
  g_ptr_array_add (self->tasks, task);
  task->id = self->tasks->len;
  loky_scheduler_submit (self->scheduler, &task->scheduling, self->now, self->actions);
  run_actions (self);
  return task;
}

static void
ready (Harness *self, Worker *worker)
{
  loky_scheduler_worker_ready (self->scheduler, &worker->scheduling, self->now, self->actions);
  run_actions (self);
}

/* A worker's own act: the scheduler is not told. */
static void
begin (Harness *self, Task *task)
{
  g_assert_cmpint (task->scheduling.state, ==, LOKY_TASK_STATE_SENT);
  task->is_begun = TRUE;
  task->begun_at = self->now;
}

/* @run_time in ns. */
static void
give_back (Harness *self, Task *task, LokyOutcome outcome, gint64 run_time)
{
  Worker *worker = (Worker *) task->scheduling.worker;

  g_assert_true (g_queue_remove (&worker->tasks, task));
  loky_scheduler_returned (self->scheduler, &task->scheduling, outcome, run_time, self->now,
                           self->actions);
  run_actions (self);
}

static void
gone (Harness *self, Worker *worker)
{
  loky_scheduler_worker_gone (self->scheduler, &worker->scheduling, self->now, self->actions);
  run_actions (self);
}

static void
cancel (Harness *self, Task *task)
{
  gboolean is_alive = task->scheduling.state != LOKY_TASK_STATE_ENDED;

  g_assert_cmpint (loky_scheduler_cancel (self->scheduler, &task->scheduling, self->now,
                                          self->actions),
                   ==, is_alive);
  run_actions (self);
}

static void
pass_time (Harness *self, gint64 duration)
{
  self->now += duration;
  loky_scheduler_tick (self->scheduler, self->now, self->actions);
  run_actions (self);
}

static void
resize (Harness *self, guint max_workers)
{
  self->max_workers = max_workers;
  loky_scheduler_set_max_workers (self->scheduler, max_workers, self->now, self->actions);
  run_actions (self);
}

static void
set_idle_timeout (Harness *self, gint64 idle_timeout)
{
  self->idle_timeout = idle_timeout;
  loky_scheduler_set_idle_timeout (self->scheduler, idle_timeout, self->now, self->actions);
  run_actions (self);
}

/* Before anything is sent. */
static void
set_n_cpus (Harness *self, guint n_cpus)
{
  self->n_cpus = n_cpus;
  loky_scheduler_set_n_cpus (self->scheduler, n_cpus);
}

static void
set_heartbeat (Harness *self, gint64 heartbeat)
{
  self->heartbeat = heartbeat;
  loky_scheduler_set_heartbeat (self->scheduler, heartbeat);
}

static void
warm_up (Harness *self, guint n_workers)
{
  loky_scheduler_warm_up (self->scheduler, n_workers, self->now, self->actions);
  run_actions (self);
}

static void
shut_down (Harness *self, LokyShutdownMode mode, gint64 deadline)
{
  loky_scheduler_shutdown (self->scheduler, mode, deadline, self->now, self->actions);
  run_actions (self);
}
