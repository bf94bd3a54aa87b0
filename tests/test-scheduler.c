/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rules of the scheduler, one after the other, and then thousands of random schedules. Each
 * test drives it by events and says what it is to do, in the words that scheduler-harness.h writes
 * down. The file is long since the rules are many; each test is short. */

#include "fixture.h"
#include "scheduler-harness.h"

static void
set_up (Harness *self, gconstpointer user_data)
{
  harness_init (self, 2);
}

/* Ends whatever the test has left, in the shortest way. */
static void
tear_down (Harness *self, gconstpointer user_data)
{
  if (loky_scheduler_get_state (self->scheduler) != LOKY_EXECUTOR_STATE_SHUT_DOWN)
    {
      self->n_finished = 0;
      shut_down (self, LOKY_SHUTDOWN_KILL, -1);
    }
  for (guint i = 1; i <= self->workers->len; i++)
    if (get_worker (self, i)->scheduling.state != LOKY_WORKER_STATE_GONE)
      gone (self, get_worker (self, i));
  g_assert_cmpuint (self->n_finished, ==, 1);
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_SHUT_DOWN);
  harness_clear (self);
}

/* What was done since the last call. */
static void
expect (Harness *self, const char *expected)
{
  g_assert_cmpstr (self->log->str, ==, expected);
  g_string_truncate (self->log, 0);
}

static void
forget (Harness *self)
{
  g_string_truncate (self->log, 0);
}

static Task *
submit (Harness *self)
{
  return submit_task (self, make_task (self));
}

static void
result (Harness *self, guint id)
{
  give_back (self, get_task (self, id), LOKY_OUTCOME_RESULT, MSEC * 1000);
}

/* @n_workers that rest, and a function that is known to run that long, in ns. */
static void
prepare (Harness *self, guint n_workers, gint64 run_time)
{
  resize (self, n_workers);
  warm_up (self, n_workers);
  for (guint i = 1; i <= n_workers; i++)
    ready (self, get_worker (self, i));
  self->function.run_time = run_time;
  forget (self);
}

/* --- starting and sending --------------------------------------------------------------------- */

static void
test_first_task_starts_a_worker (Harness *self, gconstpointer user_data)
{
  expect (self, "");
  submit (self);
  expect (self, "start:1");
  ready (self, get_worker (self, 1));
  expect (self, "send:1@1");
  begin (self, get_task (self, 1));
  result (self, 1);
  expect (self, "end:1=result");
  /* The worker is used again, and no other is started. */
  submit (self);
  expect (self, "send:2@1");
}

static void
test_no_more_than_max_workers (Harness *self, gconstpointer user_data)
{
  for (guint i = 0; i < 5; i++)
    submit (self);
  expect (self, "start:1 start:2");
  ready (self, get_worker (self, 2));
  ready (self, get_worker (self, 1));
  expect (self, "send:1@2 send:2@1");
  /* One that is gone makes room for another. */
  gone (self, get_worker (self, 1));
  expect (self, "back:2 start:3");
}

/* As many workers are started as there are tasks, not more. */
static void
test_no_more_than_tasks (Harness *self, gconstpointer user_data)
{
  resize (self, 8);
  submit (self);
  submit (self);
  submit (self);
  expect (self, "start:1 start:2 start:3");
}

static void
test_fifo (Harness *self, gconstpointer user_data)
{
  resize (self, 1);
  for (guint i = 0; i < 4; i++)
    submit (self);
  ready (self, get_worker (self, 1));
  /* The first run tells that the others must wait one by one. */
  self->function.run_time = SECOND * 1000;
  for (guint i = 1; i <= 4; i++)
    result (self, i);
  expect (self,
          "start:1 send:1@1 end:1=result send:2@1 end:2=result send:3@1 end:3=result send:4@1 "
          "end:4=result");
}

static void
submit_with_priority (Harness *self, gint priority)
{
  Task *task = make_task (self);

  task->scheduling.priority = priority;
  submit_task (self, task);
}

static void
test_priority (Harness *self, gconstpointer user_data)
{
  static const gint priorities[] = { 0, 10, -10, 0, G_MAXINT, -10, G_MININT };
  static const guint order[] = { 7, 3, 6, 1, 4, 2, 5 };

  resize (self, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (priorities); i++)
    submit_with_priority (self, priorities[i]);
  ready (self, get_worker (self, 1));
  for (gsize i = 0; i < G_N_ELEMENTS (order); i++)
    {
      g_assert_cmpint (get_task (self, order[i])->scheduling.state, ==, LOKY_TASK_STATE_SENT);
      self->function.run_time = SECOND * 1000;
      result (self, order[i]);
    }
}

/* The one whose caches are warm. */
static void
test_last_used_worker_first (Harness *self, gconstpointer user_data)
{
  prepare (self, 3, -1);
  for (guint i = 0; i < 3; i++)
    submit (self);
  expect (self, "send:1@3 send:2@2 send:3@1");
  result (self, 1);
  result (self, 3);
  result (self, 2);
  forget (self);
  submit (self);
  expect (self, "send:4@2");
}

/* --- sending ahead ---------------------------------------------------------------------------- */

static guint
count_sent_ahead (Harness *self, gint64 run_time)
{
  prepare (self, 1, run_time);
  for (guint i = 0; i < LOKY_SCHEDULER_MAX_DEPTH + 10; i++)
    submit (self);
  return get_worker (self, 1)->tasks.length;
}

static void
check_depth (gint64 run_time, guint expected)
{
  Harness self;

  set_up (&self, NULL);
  g_assert_cmpuint (count_sent_ahead (&self, run_time), ==, expected);
  tear_down (&self, NULL);
}

/* So many tasks are sent ahead as run in a millisecond. */
static void
test_depth_follows_run_time (void)
{
  check_depth (-1, 1);
  check_depth (SECOND * 1000, 1);
  check_depth (600 * 1000, 1);
  check_depth (500 * 1000, 2);
  check_depth (100 * 1000, 10);
  check_depth (10 * 1000, 100);
  check_depth (1000, LOKY_SCHEDULER_MAX_DEPTH);
  check_depth (0, LOKY_SCHEDULER_MAX_DEPTH);
}

/* Ahead of a task whose run time is not known nothing is sent, and none is sent ahead itself. */
static void
test_unknown_run_time (Harness *self, gconstpointer user_data)
{
  LokySchedulerFunction unknown = { .run_time = -1 };
  Task *task = make_task (self);

  prepare (self, 1, 1000);
  submit (self);
  task->scheduling.function = &unknown;
  submit_task (self, task);
  expect (self, "send:1@1");
  result (self, 1);
  expect (self, "end:1=result send:2@1");
  submit (self);
  expect (self, "");
  result (self, 2);
  expect (self, "end:2=result send:3@1");
}

/* It waits for a worker that has nothing to do, however short its like are, and nothing is sent behind it. */
static void
test_alone (Harness *self, gconstpointer user_data)
{
  Task *task = make_task (self);

  prepare (self, 1, 1000);
  submit (self);
  task->scheduling.is_alone = TRUE;
  submit_task (self, task);
  expect (self, "send:1@1");
  result (self, 1);
  expect (self, "end:1=result send:2@1");
  submit (self);
  expect (self, "");
  result (self, 2);
  expect (self, "end:2=result send:3@1");
}

static void
learn (Harness *self, gint64 run_time)
{
  give_back (self, submit (self), LOKY_OUTCOME_RESULT, run_time);
}

static void
test_run_time_is_learnt (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  learn (self, 800);
  g_assert_cmpint (self->function.run_time, ==, 800);
  /* A mean of many. */
  learn (self, 1600);
  g_assert_cmpint (self->function.run_time, ==, 900);
  /* Two in a row that are much longer count at once: too much sent ahead is worse than too little. */
  learn (self, SECOND * 1000);
  learn (self, SECOND * 1000);
  g_assert_cmpint (self->function.run_time, ==, SECOND * 1000);
  /* What failed says nothing about what succeeds. */
  give_back (self, submit (self), LOKY_OUTCOME_FAILURE, 1);
  g_assert_cmpint (self->function.run_time, ==, SECOND * 1000);
  /* A worker can say anything. */
  learn (self, G_MININT64);
  g_assert_cmpint (self->function.run_time, >=, 0);
  learn (self, G_MAXINT64);
  learn (self, G_MAXINT64);
  g_assert_cmpint (self->function.run_time, >, 0);
}

/* Of a task that takes 1 µs, that had to wait for a CPU once. */
static void
test_one_long_run_time_counts_little (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  for (guint i = 0; i < 20; i++)
    {
      learn (self, 1000);
      learn (self, i % 8 == 7 ? SECOND * 1000 : 0);
      g_assert_cmpint (self->function.run_time, <, 5000);
    }
  /* Nor does the step in which it is measured. */
  self->function.run_time = 0;
  for (guint i = 0; i < 3; i++)
    learn (self, 7000);
  g_assert_cmpint (self->function.run_time, <, 5000);
}

/* A chunk takes the time of its items. */
static void
test_chunk_counts_its_items (Harness *self, gconstpointer user_data)
{
  Task *first = make_task (self);

  prepare (self, 1, -1);
  first->scheduling.n_items = 100;
  submit_task (self, first);
  give_back (self, first, LOKY_OUTCOME_RESULT, 800 * 1000);
  g_assert_cmpint (self->function.run_time, ==, 8000);
  for (guint i = 0; i < 5; i++)
    {
      Task *task = make_task (self);

      task->scheduling.n_items = 50;
      submit_task (self, task);
    }
  /* 0.4 ms each. */
  g_assert_cmpuint (get_worker (self, 1)->tasks.length, ==, 2);
  for (guint i = 2; i <= 6; i++)
    give_back (self, get_task (self, i), LOKY_OUTCOME_RESULT, 400 * 1000);
  g_assert_cmpint (self->function.run_time, ==, 8000);
}

/* Workers in turn: no one gets all. */
static void
test_sent_ahead_in_turn (Harness *self, gconstpointer user_data)
{
  prepare (self, 2, 100 * 1000);
  for (guint i = 0; i < 6; i++)
    submit (self);
  expect (self, "send:1@2 send:2@1 send:3@2 send:4@1 send:5@2 send:6@1");
}

/* Of what waits at the one half comes back when another has nothing to do. */
static void
test_shared_with_an_idle_worker (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, 100 * 1000);
  for (guint i = 0; i < 3; i++)
    submit (self);
  begin (self, get_task (self, 1));
  expect (self, "send:1@1 send:2@1 send:3@1");
  resize (self, 2);
  expect (self, "start:2");
  ready (self, get_worker (self, 2));
  expect (self, "back:3 send:3@2");
  /* The one that was begun stays where it is. */
  begin (self, get_task (self, 3));
  result (self, 3);
  expect (self, "end:3=result back:2 send:2@2");
  result (self, 2);
  expect (self, "end:2=result");
}

/* With a CPU for one worker only, the shortest of tasks do not wake another. */
static void
test_short_ones_wake_nobody (Harness *self, gconstpointer user_data)
{
  prepare (self, 3, 1000);
  set_n_cpus (self, 1);
  for (guint i = 0; i < 3; i++)
    submit (self);
  expect (self, "send:1@3 send:2@3 send:3@3");
  result (self, 1);
  expect (self, "end:1=result");
}

/* Who submits needs a CPU for that; a worker is woken for what waits when there is a result. */
static void
test_quick_ones_leave_a_cpu_to_who_submits (Harness *self, gconstpointer user_data)
{
  prepare (self, 3, 9 * 1000);
  set_n_cpus (self, 2);
  for (guint i = 0; i < 6; i++)
    submit (self);
  expect (self, "send:1@3 send:2@3 send:3@3 send:4@3 send:5@3");
  g_assert_cmpuint (loky_scheduler_get_n_queued (self->scheduler), ==, 1);
  give_back (self, get_task (self, 1), LOKY_OUTCOME_RESULT, 9 * 1000);
  expect (self, "end:1=result send:6@2");
  /* With one at each CPU there is no other way. */
  submit (self);
  expect (self, "send:7@2");
}

static void
test_long_ones_do_not_wait_for_quick_ones (Harness *self, gconstpointer user_data)
{
  LokySchedulerFunction other = { .run_time = 100 * 1000 };
  Task *task = make_task (self);

  prepare (self, 3, 9 * 1000);
  set_n_cpus (self, 2);
  for (guint i = 0; i < 6; i++)
    submit (self);
  forget (self);
  task->scheduling.function = &other;
  submit_task (self, task);
  expect (self, "send:6@2 send:7@1");
  give_back (self, task, LOKY_OUTCOME_RESULT, 100 * 1000);
  forget (self);
}

static void
test_only_quick_ones_leave_a_cpu (Harness *self, gconstpointer user_data)
{
  prepare (self, 2, 10 * 1000);
  set_n_cpus (self, 2);
  submit (self);
  submit (self);
  expect (self, "send:1@2 send:2@1");
}

/* It would wait for as long as it takes to wake another one. */
static void
test_quick_ones_do_not_wait_for_long_ones (Harness *self, gconstpointer user_data)
{
  LokySchedulerFunction quick = { .run_time = 1000 };
  Task *task = make_task (self);

  prepare (self, 2, 60 * 1000);
  set_n_cpus (self, 2);
  task->scheduling.function = &quick;
  submit (self);
  submit_task (self, task);
  expect (self, "send:1@2 send:2@1");
  give_back (self, task, LOKY_OUTCOME_RESULT, 1000);
  expect (self, "end:2=result");
}

/* They wait even where no more can be sent ahead; longer ones do not. */
static void
test_short_ones_wait_for_the_brisk (Harness *self, gconstpointer user_data)
{
  prepare (self, 2, 49 * 1000);
  set_n_cpus (self, 1);
  for (guint i = 0; i < 22; i++)
    submit (self);
  g_assert_cmpuint (get_worker (self, 1)->scheduling.tasks.length, ==, 0);
  g_assert_cmpuint (loky_scheduler_get_n_queued (self->scheduler), ==, 2);
  /* Its turn comes with the next result. */
  forget (self);
  give_back (self, get_task (self, 1), LOKY_OUTCOME_RESULT, 49 * 1000);
  expect (self, "end:1=result send:21@2");
  self->function.run_time = 51 * 1000;
  forget (self);
  submit (self);
  expect (self, "send:22@1 send:23@1");
}

/* A task takes longer than was expected: those that wait for its worker go to another one. */
static void
test_short_ones_do_not_wait_for_the_stalled (Harness *self, gconstpointer user_data)
{
  prepare (self, 2, 49 * 1000);
  set_n_cpus (self, 1);
  for (guint i = 0; i < 22; i++)
    submit (self);
  begin (self, get_task (self, 1));
  forget (self);
  pass_time (self, 5 * MSEC);
  g_assert_cmpuint (get_worker (self, 1)->scheduling.tasks.length, >=, 20);
  g_assert_cmpuint (get_worker (self, 2)->scheduling.tasks.length, ==, 1);
  forget (self);
}

/* Nor until it is known what became of it. */
static void
test_short_ones_do_not_wait_for_the_dying (Harness *self, gconstpointer user_data)
{
  Worker *worker;

  prepare (self, 2, 49 * 1000);
  set_n_cpus (self, 1);
  for (guint i = 0; i < 22; i++)
    submit (self);
  worker = get_worker (self, 2);
  worker->is_killed = TRUE;
  forget (self);
  loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, self->now, self->actions);
  run_actions (self);
  expect (self, "send:21@1 send:22@1");
}

/* What was taken back for the one that has nothing to do is not sent to where it came from. */
static void
test_shared_tasks_do_not_return (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, 100 * 1000);
  for (guint i = 0; i < 5; i++)
    submit (self);
  begin (self, get_task (self, 1));
  resize (self, 2);
  forget (self);
  ready (self, get_worker (self, 2));
  expect (self, "back:5 back:4 send:4@2 send:5@2");
}

/* A worker that may run three is sent three, but leaves only when it has run them. */
static void
test_what_was_taken_back_does_not_count (Harness *self, gconstpointer user_data)
{
  loky_scheduler_set_max_tasks (self->scheduler, 3);
  prepare (self, 1, 100 * 1000);
  for (guint i = 0; i < 4; i++)
    submit (self);
  expect (self, "send:1@1 send:2@1 send:3@1");
  begin (self, get_task (self, 1));
  resize (self, 2);
  ready (self, get_worker (self, 2));
  expect (self, "start:2 send:4@2");
  result (self, 4);
  result (self, 3);
  result (self, 2);
  expect (self, "end:4=result back:3 send:3@2 end:3=result back:2 send:2@2 end:2=result leave:2");
  result (self, 1);
  for (guint i = 0; i < 3; i++)
    submit (self);
  result (self, 5);
  result (self, 6);
  expect (self, "end:1=result send:5@1 send:6@1 end:5=result end:6=result leave:1");
}

static void
test_taken_back_after_a_stall (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, 100 * 1000);
  for (guint i = 0; i < 4; i++)
    submit (self);
  begin (self, get_task (self, 1));
  forget (self);
  pass_time (self, 5 * MSEC - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "back:4 back:3 back:2");
  /* They are before all others again, in their order, and nothing is sent behind the long one. */
  submit (self);
  expect (self, "");
  g_assert_cmpuint (loky_scheduler_get_n_queued (self->scheduler), ==, 4);
  self->function.run_time = SECOND * 1000;
  result (self, 1);
  result (self, 2);
  result (self, 3);
  result (self, 4);
  expect (self, "end:1=result send:2@1 end:2=result send:3@1 end:3=result send:4@1 end:4=result "
                "send:5@1");
}

/* A worker that returns tasks is not stalled, however long it has had some. */
static void
test_no_stall_while_tasks_return (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, 100 * 1000);
  for (guint i = 0; i < 6; i++)
    submit (self);
  forget (self);
  for (guint i = 1; i <= 4; i++)
    {
      pass_time (self, 4 * MSEC);
      result (self, i);
    }
  expect (self, "end:1=result end:2=result end:3=result end:4=result");
}

/* --- cancelling ------------------------------------------------------------------------------- */

static void
test_cancel_queued (Harness *self, gconstpointer user_data)
{
  Task *task = submit (self);

  expect (self, "start:1");
  cancel (self, task);
  expect (self, "end:1=cancelled");
  cancel (self, task);
  expect (self, "");
  ready (self, get_worker (self, 1));
  expect (self, "");
}

static void
test_cancel_sent (Harness *self, gconstpointer user_data)
{
  Task *task;

  prepare (self, 1, -1);
  task = submit (self);
  submit (self);
  cancel (self, task);
  expect (self, "send:1@1 back:1 end:1=cancelled send:2@1");
}

static Task *
run_one (Harness *self, gint64 cancel_grace)
{
  Task *task = make_task (self);

  task->scheduling.cancel_grace = cancel_grace;
  prepare (self, 1, -1);
  submit_task (self, task);
  begin (self, task);
  forget (self);
  return task;
}

/* Asked to stop, then given time, then killed; it ends when its worker is dead. */
static void
test_cancel_running (Harness *self, gconstpointer user_data)
{
  Task *task = run_one (self, 20 * MSEC);

  cancel (self, task);
  expect (self, "kept:1 stop:1");
  /* Only once. */
  cancel (self, task);
  expect (self, "");
  pass_time (self, 20 * MSEC - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "kill:1=stop-task");
  gone (self, get_worker (self, 1));
  expect (self, "kept:1 end:1=cancelled");
}

static void
test_cancel_without_grace (Harness *self, gconstpointer user_data)
{
  Task *task = run_one (self, 0);

  cancel (self, task);
  pass_time (self, 0);
  expect (self, "kept:1 stop:1 kill:1=stop-task");
}

static void
test_cancel_never_kills_without_limit (Harness *self, gconstpointer user_data)
{
  Task *task = run_one (self, -1);

  cancel (self, task);
  expect (self, "kept:1 stop:1");
  pass_time (self, 1000000 * SECOND);
  expect (self, "");
  give_back (self, task, LOKY_OUTCOME_FAILURE, 1);
  expect (self, "end:1=cancelled");
}

static void
test_result_while_cancelling_wins (Harness *self, gconstpointer user_data)
{
  Task *task = run_one (self, 20 * MSEC);

  cancel (self, task);
  give_back (self, task, LOKY_OUTCOME_RESULT, 1);
  expect (self, "kept:1 stop:1 end:1=result");
  /* The worker is not killed for what it has returned. */
  pass_time (self, SECOND);
  expect (self, "");
}

static void
test_failure_while_cancelling_is_cancelled (Harness *self, gconstpointer user_data)
{
  Task *task = run_one (self, 20 * MSEC);

  cancel (self, task);
  give_back (self, task, LOKY_OUTCOME_FAILURE, 1);
  expect (self, "kept:1 stop:1 end:1=cancelled");
}

/* The others of a worker that is killed for one are not touched by that. */
static void
test_cancel_spares_the_others (Harness *self, gconstpointer user_data)
{
  Task *task = make_task (self);

  prepare (self, 1, 1000);
  task->scheduling.cancel_grace = MSEC;
  submit_task (self, task);
  submit (self);
  submit (self);
  begin (self, task);
  cancel (self, task);
  pass_time (self, MSEC);
  forget (self);
  gone (self, get_worker (self, 1));
  expect (self, "back:3 back:2 kept:1 end:1=cancelled start:2");
  ready (self, get_worker (self, 2));
  expect (self, "send:2@2 send:3@2");
}

/* --- timeouts --------------------------------------------------------------------------------- */

static Task *
submit_with_timeout (Harness *self, gint64 timeout)
{
  Task *task = make_task (self);

  task->scheduling.timeout = timeout;
  task->scheduling.cancel_grace = 20 * MSEC;
  return submit_task (self, task);
}

static void
test_timeout (Harness *self, gconstpointer user_data)
{
  Task *task;

  prepare (self, 1, -1);
  task = submit_with_timeout (self, 100 * MSEC);
  begin (self, task);
  forget (self);
  pass_time (self, 100 * MSEC - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "probe:1 stop:1");
  pass_time (self, 20 * MSEC);
  expect (self, "kill:1=stop-task");
  gone (self, get_worker (self, 1));
  expect (self, "kept:1 end:1=timed-out");
}

/* A result that comes later than the timeout does not count. */
static void
test_result_after_timeout (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  begin (self, submit_with_timeout (self, 100 * MSEC));
  pass_time (self, 100 * MSEC);
  forget (self);
  result (self, 1);
  expect (self, "end:1=timed-out");
}

static void
test_cancel_after_timeout (Harness *self, gconstpointer user_data)
{
  Task *task;

  prepare (self, 1, -1);
  task = submit_with_timeout (self, 100 * MSEC);
  begin (self, task);
  pass_time (self, 100 * MSEC);
  forget (self);
  cancel (self, task);
  give_back (self, task, LOKY_OUTCOME_FAILURE, 1);
  expect (self, "end:1=timed-out");
}

/* The time counts from the moment at which the worker began it. */
static void
test_timeout_of_one_that_started_late (Harness *self, gconstpointer user_data)
{
  Task *task;

  prepare (self, 1, 1000);
  begin (self, submit (self));
  task = submit_with_timeout (self, 3 * MSEC);
  forget (self);
  pass_time (self, 3 * MSEC);
  expect (self, "probe:2");
  result (self, 1);
  self->now += MSEC;
  begin (self, task);
  forget (self);
  /* Asked too early, which is found out by the answer. */
  pass_time (self, 2 * MSEC);
  expect (self, "probe:2");
  pass_time (self, MSEC - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "probe:2 stop:2");
}

/* One that never began has no run time, however long it waits at a worker. */
static void
test_timeout_of_one_that_never_started (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  submit_with_timeout (self, 3 * MSEC);
  forget (self);
  for (guint i = 0; i < 3; i++)
    pass_time (self, 3 * MSEC);
  expect (self, "probe:1 probe:1 probe:1");
}

/* A worker that says it began before it had the task, or after now. */
static void
test_timeout_does_not_believe_the_worker (Harness *self, gconstpointer user_data)
{
  Task *task;

  prepare (self, 1, -1);
  task = submit_with_timeout (self, 100 * MSEC);
  begin (self, task);
  task->begun_at = G_MAXINT64;
  forget (self);
  pass_time (self, 100 * MSEC);
  expect (self, "probe:1");
  task->begun_at = G_MININT64;
  pass_time (self, 100 * MSEC);
  expect (self, "probe:1 stop:1");
}

/* What a worker that went mad leaves in the shared memory does not make a task that timed out run
 * again. */
static void
test_timed_out_is_not_run_again (Harness *self, gconstpointer user_data)
{
  Task *task;

  prepare (self, 1, -1);
  task = submit_with_timeout (self, 100 * MSEC);
  begin (self, task);
  pass_time (self, 100 * MSEC);
  forget (self);
  task->is_begun = FALSE;
  gone (self, get_worker (self, 1));
  expect (self, "back:1 end:1=timed-out");
}

static void
test_longest_timeout (Harness *self, gconstpointer user_data)
{
  Task *task = make_task (self);

  prepare (self, 1, -1);
  task->scheduling.timeout = task->scheduling.queue_timeout = G_MAXINT64;
  task->scheduling.cancel_grace = G_MAXINT64;
  submit_task (self, task);
  begin (self, task);
  pass_time (self, 1000000 * SECOND);
  cancel (self, task);
  pass_time (self, 1000000 * SECOND);
  expect (self, "send:1@1 kept:1 stop:1");
}

static Task *
submit_with_queue_timeout (Harness *self, gint64 queue_timeout)
{
  Task *task = make_task (self);

  task->scheduling.queue_timeout = queue_timeout;
  task->scheduling.retries = 1;
  return submit_task (self, task);
}

static void
test_queue_timeout (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  submit (self);
  submit_with_queue_timeout (self, 10 * MSEC);
  submit_with_queue_timeout (self, 20 * MSEC);
  expect (self, "send:1@1");
  pass_time (self, 10 * MSEC - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "end:2=queue-timed-out");
  result (self, 1);
  expect (self, "end:1=result send:3@1");
  /* It was sent in time, and may run as long as it likes. */
  pass_time (self, SECOND);
  expect (self, "");
}

/* Waiting at a worker is waiting too: its time goes on when it was taken back unbegun. */
static void
test_queue_timeout_after_recall (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, 1000);
  begin (self, submit (self));
  submit_with_queue_timeout (self, 20 * MSEC);
  pass_time (self, 5 * MSEC);
  expect (self, "send:1@1 send:2@1 back:2");
  pass_time (self, 15 * MSEC - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "end:2=queue-timed-out");
}

/* A task that has run once does not fail for having waited. */
static void
test_no_queue_timeout_for_a_retry (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  begin (self, submit_with_queue_timeout (self, 20 * MSEC));
  self->now += SECOND;
  gone (self, get_worker (self, 1));
  expect (self, "send:1@1 kept:1 start:2");
  pass_time (self, SECOND);
  expect (self, "");
}

/* --- deaths ----------------------------------------------------------------------------------- */

static void
test_death (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  begin (self, submit (self));
  submit (self);
  forget (self);
  gone (self, get_worker (self, 1));
  expect (self, "kept:1 end:1=died start:2");
  ready (self, get_worker (self, 2));
  expect (self, "send:2@2");
  g_assert_cmpuint (get_task (self, 1)->scheduling.attempts, ==, 1);
}

static void
test_death_of_an_idle_worker (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  gone (self, get_worker (self, 1));
  expect (self, "");
  submit (self);
  expect (self, "start:2");
}

/* What was not begun comes back, before all others, in its order, and has not been tried. */
static void
test_death_requeues_in_order (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, 200 * 1000);
  for (guint i = 0; i < 7; i++)
    submit (self);
  expect (self, "send:1@1 send:2@1 send:3@1 send:4@1 send:5@1");
  begin (self, get_task (self, 1));
  gone (self, get_worker (self, 1));
  expect (self, "back:5 back:4 back:3 back:2 kept:1 end:1=died start:2");
  ready (self, get_worker (self, 2));
  expect (self, "send:2@2 send:3@2 send:4@2 send:5@2 send:6@2");
  g_assert_cmpuint (get_task (self, 2)->scheduling.attempts, ==, 1);
}

static void
test_retries (Harness *self, gconstpointer user_data)
{
  Task *task = make_task (self);

  prepare (self, 1, -1);
  task->scheduling.retries = 2;
  submit_task (self, task);
  forget (self);
  for (guint attempt = 1; attempt <= 3; attempt++)
    {
      g_assert_cmpuint (task->scheduling.attempts, ==, attempt);
      begin (self, task);
      gone (self, get_worker (self, attempt));
      if (attempt < 3)
        ready (self, get_worker (self, attempt + 1));
    }
  expect (self, "kept:1 start:2 send:1@2 kept:1 start:3 send:1@3 kept:1 end:1=died");
}

/* An error that the task returns is not a death. */
static void
test_failure_is_not_retried (Harness *self, gconstpointer user_data)
{
  Task *task = make_task (self);

  prepare (self, 1, -1);
  task->scheduling.retries = 5;
  submit_task (self, task);
  give_back (self, task, LOKY_OUTCOME_FAILURE, 1);
  expect (self, "send:1@1 end:1=failure");
  task = make_task (self);
  task->scheduling.retries = 5;
  submit_task (self, task);
  give_back (self, task, LOKY_OUTCOME_UNSENDABLE, 0);
  expect (self, "send:2@1 end:2=unsendable");
}

/* The pool found a reason of its own to kill it, and does it. */
static void
test_worker_is_killed_by_the_pool (Harness *self, gconstpointer user_data)
{
  Worker *worker;

  prepare (self, 1, 1000);
  worker = get_worker (self, 1);
  begin (self, submit (self));
  submit (self);
  forget (self);
  worker->is_killed = TRUE;
  loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, self->now, self->actions);
  run_actions (self);
  /* Nothing is sent to it any more. */
  submit (self);
  expect (self, "");
  g_assert_cmpuint (loky_scheduler_get_n_serving (self->scheduler), ==, 0);
  gone (self, worker);
  expect (self, "back:2 kept:1 end:1=died start:2");
}

/* It does not end though it was killed: it is forgotten. */
static void
test_abandon (Harness *self, gconstpointer user_data)
{
  Task *task = run_one (self, 0);

  cancel (self, task);
  pass_time (self, 0);
  forget (self);
  pass_time (self, 5 * SECOND - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "abandon:1");
  gone (self, get_worker (self, 1));
  expect (self, "kept:1 end:1=cancelled");
}

static void
test_failed_starts (Harness *self, gconstpointer user_data)
{
  static const gint64 pauses[] = { 10 * MSEC, 20 * MSEC, 40 * MSEC, 80 * MSEC };

  resize (self, 1);
  submit (self);
  submit (self);
  expect (self, "start:1");
  for (guint i = 0; i < G_N_ELEMENTS (pauses); i++)
    {
      g_autofree char *next = g_strdup_printf ("start:%u", i + 2);

      gone (self, get_worker (self, i + 1));
      g_assert_cmpint (loky_scheduler_get_deadline (self->scheduler), ==, self->now + pauses[i]);
      /* Nor does a further task start one before. */
      if (i == 0)
        submit (self);
      pass_time (self, pauses[i] - 1);
      expect (self, "");
      pass_time (self, 1);
      expect (self, next);
    }
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_OPEN);
  gone (self, get_worker (self, 5));
  expect (self, "end:1=broken end:2=broken end:3=broken finished");
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_BROKEN);
  g_assert_true (loky_scheduler_is_broken (self->scheduler));
}

/* One that another's end took with it. */
static void
test_excused_starts (Harness *self, gconstpointer user_data)
{
  resize (self, 8);
  for (guint i = 0; i < 8; i++)
    submit (self);
  forget (self);
  g_assert_cmpuint (self->workers->len, ==, 8);
  for (guint i = 8; i > 1; i--)
    {
      loky_scheduler_excuse (&get_worker (self, i)->scheduling);
      gone (self, get_worker (self, i));
    }
  gone (self, get_worker (self, 1));
  g_assert_false (loky_scheduler_is_broken (self->scheduler));
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_OPEN);
}

/* It was not taken along: its next end is its own. */
static void
test_excused_worker_that_lives (Harness *self, gconstpointer user_data)
{
  loky_scheduler_set_crash_policy (self->scheduler, LOKY_CRASH_POLICY_BREAK);
  submit (self);
  loky_scheduler_excuse (&get_worker (self, 1)->scheduling);
  ready (self, get_worker (self, 1));
  begin (self, get_task (self, 1));
  gone (self, get_worker (self, 1));
  g_assert_true (loky_scheduler_is_broken (self->scheduler));
}

/* It neither serves nor dies: that is a failed start, too. */
static void
test_start_that_hangs (Harness *self, gconstpointer user_data)
{
  resize (self, 1);
  submit (self);
  pass_time (self, 30 * SECOND - 1);
  expect (self, "start:1");
  pass_time (self, 1);
  expect (self, "kill:1=unresponsive");
  /* It is too late to serve. */
  ready (self, get_worker (self, 1));
  expect (self, "");
  gone (self, get_worker (self, 1));
  g_assert_cmpint (loky_scheduler_get_deadline (self->scheduler), ==, self->now + 10 * MSEC);
  pass_time (self, 10 * MSEC);
  expect (self, "start:2");
  for (guint i = 2; i <= 5; i++)
    {
      pass_time (self, 30 * SECOND);
      gone (self, get_worker (self, i));
      pass_time (self, SECOND);
    }
  g_assert_true (loky_scheduler_is_broken (self->scheduler));
}

/* A worker that serves shows that workers can be started. */
static void
test_failed_starts_are_forgotten (Harness *self, gconstpointer user_data)
{
  resize (self, 1);
  submit (self);
  for (guint i = 1; i <= 4; i++)
    {
      gone (self, get_worker (self, i));
      pass_time (self, SECOND);
    }
  ready (self, get_worker (self, 5));
  begin (self, get_task (self, 1));
  submit (self);
  forget (self);
  gone (self, get_worker (self, 5));
  expect (self, "kept:1 end:1=died start:6");
  gone (self, get_worker (self, 6));
  g_assert_cmpint (loky_scheduler_get_deadline (self->scheduler), ==, self->now + 10 * MSEC);
  g_assert_false (loky_scheduler_is_broken (self->scheduler));
}

/* While one serves the others may fail for ever: the pause grows to a second. */
static void
test_failed_starts_beside_a_worker (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  resize (self, 2);
  begin (self, submit (self));
  submit (self);
  for (guint i = 0; i < 20; i++)
    {
      gone (self, get_worker (self, self->workers->len));
      pass_time (self, SECOND);
    }
  g_assert_false (loky_scheduler_is_broken (self->scheduler));
  g_assert_cmpuint (self->workers->len, ==, 22);
  forget (self);
  result (self, 1);
  expect (self, "end:1=result send:2@1");
}

static void
test_crash_policy_break (Harness *self, gconstpointer user_data)
{
  Task *retried = make_task (self);

  prepare (self, 2, 1000);
  loky_scheduler_set_crash_policy (self->scheduler, LOKY_CRASH_POLICY_BREAK);
  retried->scheduling.retries = 5;
  submit_task (self, retried);
  submit (self);
  submit (self);
  begin (self, get_task (self, 1));
  begin (self, get_task (self, 2));
  expect (self, "send:1@2 send:2@1 send:3@2");
  gone (self, get_worker (self, 2));
  expect (self, "back:3 kept:1 revoke:2 end:2=broken kill:1=broken end:3=broken end:1=died");
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_BROKEN);
  gone (self, get_worker (self, 1));
  expect (self, "finished");
}

/* One that is told to leave, or that is killed by decision, is no crash. */
static void
test_crash_policy_break_needs_a_crash (Harness *self, gconstpointer user_data)
{
  Task *task = run_one (self, 0);

  loky_scheduler_set_crash_policy (self->scheduler, LOKY_CRASH_POLICY_BREAK);
  cancel (self, task);
  pass_time (self, 0);
  gone (self, get_worker (self, 1));
  g_assert_false (loky_scheduler_is_broken (self->scheduler));
  submit (self);
  ready (self, get_worker (self, 2));
  result (self, 2);
  set_idle_timeout (self, 0);
  pass_time (self, 0);
  g_assert_true (get_worker (self, 2)->is_told_to_leave);
  gone (self, get_worker (self, 2));
  g_assert_false (loky_scheduler_is_broken (self->scheduler));
}

/* --- how many workers ------------------------------------------------------------------------- */

static void
test_idle_timeout (Harness *self, gconstpointer user_data)
{
  set_idle_timeout (self, 100 * MSEC);
  prepare (self, 2, -1);
  begin (self, submit (self));
  forget (self);
  pass_time (self, 100 * MSEC);
  expect (self, "leave:1");
  gone (self, get_worker (self, 1));
  result (self, 1);
  forget (self);
  pass_time (self, 100 * MSEC - 1);
  expect (self, "");
  /* Work starts its time anew. */
  submit (self);
  pass_time (self, SECOND);
  result (self, 2);
  pass_time (self, 100 * MSEC - 1);
  expect (self, "send:2@2 end:2=result");
  pass_time (self, 1);
  expect (self, "leave:2");
  /* A task that comes now waits for another worker, or for room. */
  submit (self);
  expect (self, "start:3");
}

static void
test_idle_timeout_is_changed (Harness *self, gconstpointer user_data)
{
  prepare (self, 2, -1);
  pass_time (self, SECOND);
  set_idle_timeout (self, 100 * MSEC);
  set_idle_timeout (self, -1);
  pass_time (self, SECOND);
  expect (self, "");
  set_idle_timeout (self, 0);
  pass_time (self, 0);
  expect (self, "leave:2 leave:1");
}

/* It was told to leave and does not. */
static void
test_unresponsive (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  set_idle_timeout (self, 0);
  pass_time (self, 0);
  expect (self, "leave:1");
  pass_time (self, 5 * SECOND - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "kill:1=unresponsive");
  pass_time (self, 5 * SECOND);
  expect (self, "abandon:1");
}

static void
test_heartbeat (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, SECOND * 1000);
  set_heartbeat (self, SECOND);
  g_assert_cmpint (loky_scheduler_get_deadline (self->scheduler), ==, -1);
  begin (self, submit (self));
  forget (self);
  pass_time (self, SECOND);
  expect (self, "beat:1=yes");
  pass_time (self, SECOND);
  expect (self, "beat:1=yes");
  result (self, 1);
  /* Who rests is not asked. */
  g_assert_cmpint (loky_scheduler_get_deadline (self->scheduler), ==, -1);
}

static void
test_silence (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, SECOND * 1000);
  set_heartbeat (self, SECOND);
  begin (self, submit (self));
  get_worker (self, 1)->is_silent = TRUE;
  forget (self);
  pass_time (self, SECOND);
  expect (self, "beat:1=yes");
  pass_time (self, SECOND);
  expect (self, "beat:1=no kill:1=silent");
  gone (self, get_worker (self, 1));
  expect (self, "kept:1 end:1=died");
}

/* The application was stopped itself, and looks late. */
static void
test_silence_is_judged_in_time_only (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, SECOND * 1000);
  set_heartbeat (self, SECOND);
  begin (self, submit (self));
  get_worker (self, 1)->is_silent = TRUE;
  pass_time (self, SECOND);
  forget (self);
  pass_time (self, 3 * SECOND);
  expect (self, "beat:1=no");
  pass_time (self, SECOND);
  expect (self, "beat:1=no kill:1=silent");
}

/* Its worker has nothing else to do: it was stopped, or lies. */
static void
test_task_that_is_not_begun (Harness *self, gconstpointer user_data)
{
  Task *task = make_task (self);

  prepare (self, 2, SECOND * 1000);
  task->scheduling.timeout = 2 * SECOND;
  submit_task (self, task);
  forget (self);
  pass_time (self, 2 * SECOND);
  expect (self, "probe:1");
  pass_time (self, 2 * SECOND);
  expect (self, "probe:1 kill:2=idle");
  gone (self, get_worker (self, 2));
  expect (self, "back:1 send:1@1");
  forget (self);
  pass_time (self, 2 * SECOND);
  pass_time (self, 2 * SECOND);
  expect (self, "probe:1 probe:1 kill:1=idle");
  /* Twice is enough: it may be the task that makes its workers say so. */
  gone (self, get_worker (self, 1));
  expect (self, "back:1 end:1=timed-out");
}

static void
test_workers_that_begin_nothing (Harness *self, gconstpointer user_data)
{
  resize (self, 1);
  submit (self);
  for (guint i = 1; i <= 10; i++)
    {
      ready (self, get_worker (self, i));
      gone (self, get_worker (self, i));
      if (i < 10)
        pass_time (self, SECOND);
    }
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_BROKEN);
  g_assert_cmpint (get_task (self, 1)->outcome, ==, LOKY_OUTCOME_BROKEN);
}

static void
test_start_timeout (Harness *self, gconstpointer user_data)
{
  loky_scheduler_set_start_timeout (self->scheduler, SECOND);
  submit (self);
  forget (self);
  pass_time (self, SECOND - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "kill:1=unresponsive start:2");
}

static void
test_warm_up (Harness *self, gconstpointer user_data)
{
  g_assert_true (loky_scheduler_is_warm (self->scheduler));
  resize (self, 3);
  warm_up (self, 2);
  expect (self, "start:1 start:2");
  g_assert_false (loky_scheduler_is_warm (self->scheduler));
  ready (self, get_worker (self, 1));
  g_assert_false (loky_scheduler_is_warm (self->scheduler));
  ready (self, get_worker (self, 2));
  g_assert_true (loky_scheduler_is_warm (self->scheduler));
  warm_up (self, 2);
  expect (self, "");
  g_assert_true (loky_scheduler_is_warm (self->scheduler));
  warm_up (self, G_MAXUINT);
  expect (self, "start:3");
}

/* One that dies before it serves is replaced. */
static void
test_warm_up_with_failed_starts (Harness *self, gconstpointer user_data)
{
  warm_up (self, 2);
  gone (self, get_worker (self, 1));
  ready (self, get_worker (self, 2));
  g_assert_false (loky_scheduler_is_warm (self->scheduler));
  expect (self, "start:1 start:2 start:3");
  ready (self, get_worker (self, 3));
  g_assert_true (loky_scheduler_is_warm (self->scheduler));
}

static void
test_warm_up_ends_when_broken (Harness *self, gconstpointer user_data)
{
  warm_up (self, 1);
  for (guint i = 1; i <= 5; i++)
    {
      gone (self, get_worker (self, i));
      if (i < 5)
        pass_time (self, SECOND);
    }
  g_assert_true (loky_scheduler_is_broken (self->scheduler));
  g_assert_true (loky_scheduler_is_warm (self->scheduler));
}

/* A limit that is raised meanwhile does not make workers serve that do not. */
static void
test_warm_up_while_resized (Harness *self, gconstpointer user_data)
{
  resize (self, 4);
  warm_up (self, 4);
  resize (self, 5);
  for (guint i = 1; i <= 4; i++)
    {
      g_assert_false (loky_scheduler_is_warm (self->scheduler));
      ready (self, get_worker (self, i));
    }
  g_assert_true (loky_scheduler_is_warm (self->scheduler));
}

/* With a lower limit fewer have to serve, but those. */
static void
test_warm_up_while_made_smaller (Harness *self, gconstpointer user_data)
{
  resize (self, 4);
  warm_up (self, 4);
  resize (self, 2);
  expect (self, "start:1 start:2 start:3 start:4 kill:4=surplus kill:3=surplus");
  g_assert_false (loky_scheduler_is_warm (self->scheduler));
  ready (self, get_worker (self, 1));
  g_assert_false (loky_scheduler_is_warm (self->scheduler));
  ready (self, get_worker (self, 2));
  g_assert_true (loky_scheduler_is_warm (self->scheduler));
}

/* Idle ones leave at once, busy ones when they have ended what they run. */
static void
test_fewer_workers (Harness *self, gconstpointer user_data)
{
  prepare (self, 3, 1000);
  begin (self, submit (self));
  begin (self, submit (self));
  expect (self, "send:1@3 send:2@2");
  resize (self, 2);
  expect (self, "leave:1");
  resize (self, 1);
  expect (self, "");
  g_assert_cmpuint (loky_scheduler_get_n_serving (self->scheduler), ==, 1);
  g_assert_cmpint (get_worker (self, 2)->scheduling.state, ==, LOKY_WORKER_STATE_RETIRING);
  submit (self);
  expect (self, "send:3@3");
  result (self, 2);
  expect (self, "end:2=result leave:2");
}

/* What waits behind the running task of one that retires is taken back. */
static void
test_fewer_workers_take_back (Harness *self, gconstpointer user_data)
{
  prepare (self, 2, 100 * 1000);
  for (guint i = 1; i <= 4; i++)
    submit (self);
  begin (self, get_task (self, 1));
  begin (self, get_task (self, 2));
  expect (self, "send:1@2 send:2@1 send:3@2 send:4@1");
  resize (self, 1);
  expect (self, "back:4 send:4@2");
  result (self, 2);
  expect (self, "end:2=result leave:1");
}

/* Those that start are killed: nobody knows when they would hear that they may leave. */
static void
test_fewer_workers_while_starting (Harness *self, gconstpointer user_data)
{
  submit (self);
  submit (self);
  resize (self, 1);
  expect (self, "start:1 start:2 kill:2=surplus");
  gone (self, get_worker (self, 2));
  expect (self, "");
  ready (self, get_worker (self, 1));
  expect (self, "send:1@1");
}

static void
test_more_workers (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  for (guint i = 0; i < 5; i++)
    submit (self);
  expect (self, "send:1@1");
  resize (self, 3);
  expect (self, "start:2 start:3");
  resize (self, 100);
  expect (self, "start:4 start:5");
  /* At least one, whatever is asked for. */
  loky_scheduler_set_max_workers (self->scheduler, 0, self->now, self->actions);
  self->max_workers = 1;
  run_actions (self);
  g_assert_cmpuint (loky_scheduler_get_n_serving (self->scheduler), ==, 1);
}

/* --- shutdown --------------------------------------------------------------------------------- */

static void
test_shutdown_of_an_empty_one (Harness *self, gconstpointer user_data)
{
  shut_down (self, LOKY_SHUTDOWN_DRAIN, -1);
  expect (self, "finished");
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_SHUT_DOWN);
  /* Only once, whatever comes then. */
  shut_down (self, LOKY_SHUTDOWN_KILL, self->now);
  pass_time (self, SECOND);
  resize (self, 5);
  set_idle_timeout (self, 0);
  expect (self, "");
}

static void
test_shutdown_drains (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  for (guint i = 0; i < 3; i++)
    submit (self);
  forget (self);
  shut_down (self, LOKY_SHUTDOWN_DRAIN, -1);
  expect (self, "");
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==,
                   LOKY_EXECUTOR_STATE_SHUTTING_DOWN);
  self->function.run_time = SECOND * 1000;
  result (self, 1);
  result (self, 2);
  expect (self, "end:1=result send:2@1 end:2=result send:3@1");
  result (self, 3);
  expect (self, "end:3=result leave:1");
  gone (self, get_worker (self, 1));
  expect (self, "finished");
}

/* A worker that dies while it drains is replaced as ever. */
static void
test_shutdown_drains_after_a_death (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  begin (self, submit (self));
  submit (self);
  shut_down (self, LOKY_SHUTDOWN_DRAIN, -1);
  forget (self);
  gone (self, get_worker (self, 1));
  expect (self, "kept:1 end:1=died start:2");
  ready (self, get_worker (self, 2));
  result (self, 2);
  gone (self, get_worker (self, 2));
  expect (self, "send:2@2 end:2=result leave:2 finished");
}

/* Starts that fail end it too. */
static void
test_shutdown_with_failed_starts (Harness *self, gconstpointer user_data)
{
  resize (self, 1);
  submit (self);
  shut_down (self, LOKY_SHUTDOWN_DRAIN, -1);
  forget (self);
  for (guint i = 1; i <= 5; i++)
    {
      gone (self, get_worker (self, i));
      if (i < 5)
        pass_time (self, SECOND);
    }
  expect (self, "start:2 start:3 start:4 start:5 end:1=broken finished");
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_SHUT_DOWN);
  g_assert_true (loky_scheduler_is_broken (self->scheduler));
}

static void
test_shutdown_cancels_pending (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, 400 * 1000);
  for (guint i = 0; i < 4; i++)
    submit (self);
  begin (self, get_task (self, 1));
  expect (self, "send:1@1 send:2@1");
  shut_down (self, LOKY_SHUTDOWN_CANCEL_PENDING, -1);
  expect (self, "end:3=cancelled end:4=cancelled kept:1 back:2 end:2=cancelled");
  result (self, 1);
  expect (self, "end:1=result leave:1");
  gone (self, get_worker (self, 1));
  expect (self, "finished");
}

static void
test_shutdown_kills (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, 400 * 1000);
  for (guint i = 0; i < 3; i++)
    submit (self);
  begin (self, get_task (self, 1));
  forget (self);
  shut_down (self, LOKY_SHUTDOWN_KILL, -1);
  expect (self,
          "end:3=shut-down revoke:1 end:1=shut-down revoke:2 end:2=shut-down kill:1=shutdown");
  gone (self, get_worker (self, 1));
  expect (self, "finished");
}

static void
test_shutdown_while_starting (Harness *self, gconstpointer user_data)
{
  warm_up (self, 2);
  forget (self);
  shut_down (self, LOKY_SHUTDOWN_DRAIN, -1);
  expect (self, "kill:1=shutdown kill:2=shutdown");
  gone (self, get_worker (self, 2));
  /* It was too late: the worker had said hello. */
  ready (self, get_worker (self, 1));
  expect (self, "");
  gone (self, get_worker (self, 1));
  expect (self, "finished");
}

static void
test_shutdown_is_escalated (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  begin (self, submit (self));
  submit (self);
  submit (self);
  forget (self);
  shut_down (self, LOKY_SHUTDOWN_DRAIN, -1);
  expect (self, "");
  shut_down (self, LOKY_SHUTDOWN_CANCEL_PENDING, -1);
  expect (self, "end:2=cancelled end:3=cancelled kept:1");
  shut_down (self, LOKY_SHUTDOWN_KILL, -1);
  expect (self, "revoke:1 end:1=shut-down kill:1=shutdown");
}

static void
test_shutdown_deadline (Harness *self, gconstpointer user_data)
{
  prepare (self, 1, -1);
  begin (self, submit (self));
  submit (self);
  forget (self);
  shut_down (self, LOKY_SHUTDOWN_DRAIN, self->now + SECOND);
  /* An earlier one counts, a later one does not. */
  shut_down (self, LOKY_SHUTDOWN_DRAIN, self->now + 100 * MSEC);
  shut_down (self, LOKY_SHUTDOWN_DRAIN, self->now + 2 * SECOND);
  pass_time (self, 100 * MSEC - 1);
  expect (self, "");
  pass_time (self, 1);
  expect (self, "end:2=shut-down revoke:1 end:1=shut-down kill:1=shutdown");
  pass_time (self, 5 * SECOND);
  expect (self, "abandon:1");
  gone (self, get_worker (self, 1));
  expect (self, "finished");
}

/* Idle workers leave, and are killed if they do not. */
static void
test_shutdown_waits_for_who_leaves (Harness *self, gconstpointer user_data)
{
  prepare (self, 2, -1);
  shut_down (self, LOKY_SHUTDOWN_DRAIN, -1);
  expect (self, "leave:1 leave:2");
  gone (self, get_worker (self, 1));
  expect (self, "");
  pass_time (self, 5 * SECOND);
  expect (self, "kill:2=unresponsive");
  gone (self, get_worker (self, 2));
  expect (self, "finished");
}

static void
test_shutdown_of_a_broken_one (Harness *self, gconstpointer user_data)
{
  prepare (self, 2, -1);
  loky_scheduler_set_crash_policy (self->scheduler, LOKY_CRASH_POLICY_BREAK);
  gone (self, get_worker (self, 1));
  expect (self, "kill:2=broken");
  shut_down (self, LOKY_SHUTDOWN_DRAIN, -1);
  expect (self, "");
  gone (self, get_worker (self, 2));
  expect (self, "finished");
  g_assert_cmpint (loky_scheduler_get_state (self->scheduler), ==, LOKY_EXECUTOR_STATE_SHUT_DOWN);
  g_assert_true (loky_scheduler_is_broken (self->scheduler));
}

/* --- what workers say ------------------------------------------------------------------------- */

static void
test_find_believes_nothing (Harness *self, gconstpointer user_data)
{
  LokySchedulerWorker *worker;
  Task *task;

  prepare (self, 1, -1);
  worker = &get_worker (self, 1)->scheduling;
  task = submit (self);
  g_assert_true (loky_scheduler_find (worker, task->scheduling.slot, task->scheduling.number) ==
                 &task->scheduling);
  g_assert_null (loky_scheduler_find (worker, task->scheduling.slot, 0));
  g_assert_null (loky_scheduler_find (worker, task->scheduling.slot + 1, task->scheduling.number));
  g_assert_null (loky_scheduler_find (worker, LOKY_SCHEDULER_MAX_DEPTH, task->scheduling.number));
  g_assert_null (loky_scheduler_find (worker, G_MAXUINT, task->scheduling.number));
  result (self, 1);
  g_assert_null (loky_scheduler_find (worker, task->scheduling.slot, task->scheduling.number));
}

/* --- random schedules ------------------------------------------------------------------------- */

#define N_SCHEDULES 3000
#define N_FUNCTIONS 3

static gboolean
happens (guint percent)
{
  return (guint) g_test_rand_int_range (0, 100) < percent;
}

static gint64
random_duration (void)
{
  static const gint64 durations[] = { -1, -1, -1, 0, 1, MSEC, 7 * MSEC, 100 * MSEC, SECOND };

  return durations[g_test_rand_int_range (0, G_N_ELEMENTS (durations))];
}

static gint64
random_run_time (void)
{
  static const gint64 run_times[] = {
    0, 1000, 100 * 1000, 400 * 1000, 5 * 1000 * 1000, SECOND * 1000
  };

  return run_times[g_test_rand_int_range (0, G_N_ELEMENTS (run_times))];
}

static void
random_submit (Harness *self, LokySchedulerFunction *functions)
{
  Task *task;

  if (loky_scheduler_get_state (self->scheduler) != LOKY_EXECUTOR_STATE_OPEN)
    return;
  task = make_task (self);
  task->scheduling.function = &functions[g_test_rand_int_range (0, N_FUNCTIONS)];
  task->scheduling.timeout = random_duration ();
  task->scheduling.queue_timeout = random_duration ();
  task->scheduling.cancel_grace = random_duration ();
  task->scheduling.priority = g_test_rand_int_range (-1, 2);
  task->scheduling.retries = (guint) g_test_rand_int_range (0, 3);
  submit_task (self, task);
}

static Worker *
random_worker (Harness *self)
{
  if (self->workers->len == 0)
    return NULL;
  return get_worker (self, (guint) g_test_rand_int_range (1, (gint32) self->workers->len + 1));
}

static void
random_cancel (Harness *self)
{
  if (self->tasks->len > 0)
    cancel (self,
            get_task (self, (guint) g_test_rand_int_range (1, (gint32) self->tasks->len + 1)));
}

/* A worker begins its tasks in order, and may be quicker than what it says. */
static void
work (Harness *self, Worker *worker)
{
  Task *task = g_queue_peek_head (&worker->tasks);

  if (task == NULL)
    return;
  if (!task->is_begun)
    begin (self, task);
  else
    give_back (self, task, happens (70) ? LOKY_OUTCOME_RESULT : LOKY_OUTCOME_FAILURE,
               random_run_time ());
}

static void
condemn (Harness *self, Worker *worker)
{
  LokyWorkerState state = worker->scheduling.state;

  if (state == LOKY_WORKER_STATE_DYING || state == LOKY_WORKER_STATE_GONE)
    return;
  worker->is_killed = TRUE;
  loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, self->now, self->actions);
  run_actions (self);
}

static void
random_worker_event (Harness *self, Worker *worker)
{
  if (worker == NULL || worker->scheduling.state == LOKY_WORKER_STATE_GONE)
    return;
  if (worker->scheduling.state == LOKY_WORKER_STATE_STARTING && happens (70))
    ready (self, worker);
  else if ((worker->is_killed || worker->is_told_to_leave || worker->is_abandoned) && happens (50))
    gone (self, worker);
  else if (happens (4))
    gone (self, worker);
  else if (happens (2))
    condemn (self, worker);
  else
    work (self, worker);
}

static void
random_time (Harness *self)
{
  gint64 deadline = loky_scheduler_get_deadline (self->scheduler);
  gint64 duration = random_duration ();

  if (deadline > self->now && happens (60))
    duration = deadline - self->now;
  pass_time (self, MAX (duration, 0));
}

static void
random_shutdown (Harness *self)
{
  gint64 duration = random_duration ();

  if (loky_scheduler_get_state (self->scheduler) != LOKY_EXECUTOR_STATE_SHUT_DOWN)
    self->n_finished = 0;
  shut_down (self, (LokyShutdownMode) g_test_rand_int_range (0, LOKY_SHUTDOWN_KILL + 1),
             duration < 0 ? -1 : self->now + duration);
}

static void
random_event (Harness *self, LokySchedulerFunction *functions)
{
  gint32 dice = g_test_rand_int_range (0, 1000);

  if (dice < 250)
    random_submit (self, functions);
  else if (dice < 300)
    random_cancel (self);
  else if (dice < 850)
    random_worker_event (self, random_worker (self));
  else if (dice < 960)
    random_time (self);
  else if (dice < 970)
    resize (self, (guint) g_test_rand_int_range (1, 6));
  else if (dice < 980)
    set_idle_timeout (self, random_duration ());
  else if (dice < 990)
    {
      if (loky_scheduler_get_state (self->scheduler) == LOKY_EXECUTOR_STATE_OPEN)
        warm_up (self, (guint) g_test_rand_int_range (0, 6));
    }
  else if (dice < 994)
    loky_scheduler_set_crash_policy (self->scheduler,
                                     (LokyCrashPolicy) g_test_rand_int_range (0, 2));
  else if (dice < 996)
    random_shutdown (self);
}

/* Each worker does what it should: then all comes to its end. */
static void
step_to_the_end (Harness *self)
{
  for (guint i = 1; i <= self->workers->len; i++)
    {
      Worker *worker = get_worker (self, i);

      if (worker->scheduling.state == LOKY_WORKER_STATE_GONE)
        continue;
      if (worker->is_killed || worker->is_told_to_leave)
        gone (self, worker);
      else if (worker->scheduling.state == LOKY_WORKER_STATE_STARTING)
        ready (self, worker);
      else
        work (self, worker);
    }
  random_time (self);
}

static void
run_schedule (guint max_workers, gboolean is_mad)
{
  LokySchedulerFunction functions[N_FUNCTIONS] = { { -1 }, { -1 }, { 50 * 1000 } };
  guint n_events = (guint) g_test_rand_int_range (1, 300);
  guint n_steps = 0;
  Harness self;

  harness_init (&self, max_workers);
  self.is_mad = is_mad;
  if (g_test_rand_int_range (0, 3) == 0)
    set_heartbeat (&self, g_test_rand_int_range (1, 1000) * MSEC);
  for (guint i = 0; i < n_events; i++)
    {
      random_event (&self, functions);
      g_string_truncate (self.log, 0);
    }
  if (loky_scheduler_get_state (self.scheduler) != LOKY_EXECUTOR_STATE_SHUT_DOWN)
    random_shutdown (&self);
  while (self.n_finished == 0)
    {
      step_to_the_end (&self);
      g_assert_cmpuint (++n_steps, <, 20000);
    }
  for (guint i = 1; i <= self.tasks->len; i++)
    g_assert_cmpuint (get_task (&self, i)->n_completed, ==, 1);
  g_assert_cmpint (loky_scheduler_get_state (self.scheduler), ==, LOKY_EXECUTOR_STATE_SHUT_DOWN);
  harness_clear (&self);
}

static void
test_random (gconstpointer is_mad)
{
  guint n_schedules = g_test_thorough () ? 20 * N_SCHEDULES : N_SCHEDULES;

  if (loky_fixture_has_valgrind ())
    n_schedules = N_SCHEDULES / 10;
  g_test_message ("Repeat with --seed, which is in the first line of the output");
  for (guint i = 0; i < n_schedules; i++)
    run_schedule ((guint) g_test_rand_int_range (1, 5), GPOINTER_TO_INT (is_mad));
}

#define ADD(path, function)                                                                        \
  g_test_add ("/loky/scheduler/" path, Harness, NULL, set_up, function, tear_down)

static void
add_sending (void)
{
  ADD ("first-task-starts-a-worker", test_first_task_starts_a_worker);
  ADD ("no-more-than-max-workers", test_no_more_than_max_workers);
  ADD ("no-more-than-tasks", test_no_more_than_tasks);
  ADD ("fifo", test_fifo);
  ADD ("priority", test_priority);
  ADD ("last-used-worker-first", test_last_used_worker_first);
  g_test_add_func ("/loky/scheduler/depth-follows-run-time", test_depth_follows_run_time);
  ADD ("unknown-run-time", test_unknown_run_time);
  ADD ("alone", test_alone);
  ADD ("chunk-counts-its-items", test_chunk_counts_its_items);
  ADD ("run-time-is-learnt", test_run_time_is_learnt);
  ADD ("one-long-run-time-counts-little", test_one_long_run_time_counts_little);
  ADD ("sent-ahead-in-turn", test_sent_ahead_in_turn);
  ADD ("shared-with-an-idle-worker", test_shared_with_an_idle_worker);
  ADD ("shared-tasks-do-not-return", test_shared_tasks_do_not_return);
  ADD ("short-ones-wake-nobody", test_short_ones_wake_nobody);
  ADD ("quick-ones-leave-a-cpu-to-who-submits", test_quick_ones_leave_a_cpu_to_who_submits);
  ADD ("only-quick-ones-leave-a-cpu", test_only_quick_ones_leave_a_cpu);
  ADD ("long-ones-do-not-wait-for-quick-ones", test_long_ones_do_not_wait_for_quick_ones);
  ADD ("quick-ones-do-not-wait-for-long-ones", test_quick_ones_do_not_wait_for_long_ones);
  ADD ("short-ones-wait-for-the-brisk", test_short_ones_wait_for_the_brisk);
  ADD ("short-ones-do-not-wait-for-the-stalled", test_short_ones_do_not_wait_for_the_stalled);
  ADD ("short-ones-do-not-wait-for-the-dying", test_short_ones_do_not_wait_for_the_dying);
  ADD ("what-was-taken-back-does-not-count", test_what_was_taken_back_does_not_count);
  ADD ("taken-back-after-a-stall", test_taken_back_after_a_stall);
  ADD ("no-stall-while-tasks-return", test_no_stall_while_tasks_return);
  ADD ("find-believes-nothing", test_find_believes_nothing);
}

static void
add_stopping (void)
{
  ADD ("cancel-queued", test_cancel_queued);
  ADD ("cancel-sent", test_cancel_sent);
  ADD ("cancel-running", test_cancel_running);
  ADD ("cancel-without-grace", test_cancel_without_grace);
  ADD ("cancel-never-kills-without-limit", test_cancel_never_kills_without_limit);
  ADD ("result-while-cancelling-wins", test_result_while_cancelling_wins);
  ADD ("failure-while-cancelling-is-cancelled", test_failure_while_cancelling_is_cancelled);
  ADD ("cancel-spares-the-others", test_cancel_spares_the_others);
  ADD ("timeout", test_timeout);
  ADD ("result-after-timeout", test_result_after_timeout);
  ADD ("cancel-after-timeout", test_cancel_after_timeout);
  ADD ("timeout-of-one-that-started-late", test_timeout_of_one_that_started_late);
  ADD ("timeout-of-one-that-never-started", test_timeout_of_one_that_never_started);
  ADD ("timeout-does-not-believe-the-worker", test_timeout_does_not_believe_the_worker);
  ADD ("timed-out-is-not-run-again", test_timed_out_is_not_run_again);
  ADD ("longest-timeout", test_longest_timeout);
  ADD ("queue-timeout", test_queue_timeout);
  ADD ("queue-timeout-after-recall", test_queue_timeout_after_recall);
  ADD ("no-queue-timeout-for-a-retry", test_no_queue_timeout_for_a_retry);
}

static void
add_deaths (void)
{
  ADD ("death", test_death);
  ADD ("death-of-an-idle-worker", test_death_of_an_idle_worker);
  ADD ("death-requeues-in-order", test_death_requeues_in_order);
  ADD ("retries", test_retries);
  ADD ("failure-is-not-retried", test_failure_is_not_retried);
  ADD ("worker-is-killed-by-the-pool", test_worker_is_killed_by_the_pool);
  ADD ("abandon", test_abandon);
  ADD ("failed-starts", test_failed_starts);
  ADD ("start-that-hangs", test_start_that_hangs);
  ADD ("excused-starts", test_excused_starts);
  ADD ("excused-worker-that-lives", test_excused_worker_that_lives);
  ADD ("failed-starts-are-forgotten", test_failed_starts_are_forgotten);
  ADD ("failed-starts-beside-a-worker", test_failed_starts_beside_a_worker);
  ADD ("crash-policy-break", test_crash_policy_break);
  ADD ("crash-policy-break-needs-a-crash", test_crash_policy_break_needs_a_crash);
}

static void
add_workers (void)
{
  ADD ("idle-timeout", test_idle_timeout);
  ADD ("idle-timeout-is-changed", test_idle_timeout_is_changed);
  ADD ("unresponsive", test_unresponsive);
  ADD ("heartbeat", test_heartbeat);
  ADD ("silence", test_silence);
  ADD ("silence-is-judged-in-time-only", test_silence_is_judged_in_time_only);
  ADD ("start-timeout", test_start_timeout);
  ADD ("task-that-is-not-begun", test_task_that_is_not_begun);
  ADD ("workers-that-begin-nothing", test_workers_that_begin_nothing);
  ADD ("warm-up", test_warm_up);
  ADD ("warm-up-with-failed-starts", test_warm_up_with_failed_starts);
  ADD ("warm-up-ends-when-broken", test_warm_up_ends_when_broken);
  ADD ("warm-up-while-resized", test_warm_up_while_resized);
  ADD ("warm-up-while-made-smaller", test_warm_up_while_made_smaller);
  ADD ("fewer-workers", test_fewer_workers);
  ADD ("fewer-workers-take-back", test_fewer_workers_take_back);
  ADD ("fewer-workers-while-starting", test_fewer_workers_while_starting);
  ADD ("more-workers", test_more_workers);
}

static void
add_shutdown (void)
{
  ADD ("shutdown-of-an-empty-one", test_shutdown_of_an_empty_one);
  ADD ("shutdown-drains", test_shutdown_drains);
  ADD ("shutdown-drains-after-a-death", test_shutdown_drains_after_a_death);
  ADD ("shutdown-with-failed-starts", test_shutdown_with_failed_starts);
  ADD ("shutdown-cancels-pending", test_shutdown_cancels_pending);
  ADD ("shutdown-kills", test_shutdown_kills);
  ADD ("shutdown-while-starting", test_shutdown_while_starting);
  ADD ("shutdown-is-escalated", test_shutdown_is_escalated);
  ADD ("shutdown-deadline", test_shutdown_deadline);
  ADD ("shutdown-waits-for-who-leaves", test_shutdown_waits_for_who_leaves);
  ADD ("shutdown-of-a-broken-one", test_shutdown_of_a_broken_one);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  add_sending ();
  add_stopping ();
  add_deaths ();
  add_workers ();
  add_shutdown ();
  g_test_add_data_func ("/loky/scheduler/random", GINT_TO_POINTER (FALSE), test_random);
  g_test_add_data_func ("/loky/scheduler/random-with-mad-workers", GINT_TO_POINTER (TRUE),
                        test_random);
  return g_test_run ();
}
