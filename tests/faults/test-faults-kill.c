/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers that are killed: at every byte that they send or read, while they rest, leave or are resized away,
 * and by each other. Rows 18 and 22 of docs/faults.md. */

#include <signal.h>
#include <string.h>

#include "hostile.h"

#define N_TASKS 3

/* What one worker sends and reads in a sweep: it is killed at each byte of it. */
static const char *const sweep_orders[N_TASKS] = { "good", "segment:small", "fail" };

typedef enum
{
  END_GOOD, /* as if nothing had happened */
  END_LOST, /* its worker died while it ran it */
} End;

static LokyTaskOptions *
retrying (guint retries)
{
  return g_object_new (LOKY_TYPE_TASK_OPTIONS, "retries", retries, NULL);
}

static void
assert_good (LokyFuture *future, guint i)
{
  if (g_str_equal (sweep_orders[i], "fail"))
    hostile_assert_error (future, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "as ordered");
  else
    hostile_assert_result (future, i == 1 ? "mmmmmmm" : sweep_orders[i]);
}

/* One worker after the other; the first ones (@n) are killed. All tasks end as said. */
static void
run_round (HostileFixture *fixture,
           guint n,
           int kill_sent,
           int kill_read,
           guint retries,
           const End *ends,
           guint attempts)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);
  g_autoptr (LokyTaskOptions) options = retrying (retries);
  LokyFuture *futures[N_TASKS];

  g_atomic_int_set (&fixture->board->n_sent_marks, 0);
  g_atomic_int_set (&fixture->board->n_read_marks, 0);
  g_atomic_int_set (&fixture->board->n_started, 0);
  hostile_order_kill (fixture, n, kill_sent, kill_read);
  for (guint i = 0; i < N_TASKS; i++)
    futures[i] = hostile_submit (fixture, executor, sweep_orders[i], options);
  for (guint i = 0; i < N_TASKS; i++)
    {
      if (ends[i] == END_LOST && retries == 0)
        hostile_assert_error (futures[i], LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "SIGKILL");
      else
        assert_good (futures[i], i);
      g_assert_cmpuint (loky_future_get_attempts (futures[i]), ==,
                        ends[i] == END_LOST ? MIN (retries, attempts) + 1 : 1);
    }
  hostile_settle (fixture);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Where frames end: hello, the three answers, goodbye; set-up, name, the three tasks, leave. */
static void
measure (HostileFixture *fixture, int sent[5], int read[6])
{
  static const End ends[N_TASKS];
  const HostileBoard *board = fixture->board;

  /* On a machine that is busy with others a task may be taken back and sent once more. */
  for (guint i = 0; i < 10 && (i == 0 || board->n_read_marks != 7); i++)
    run_round (fixture, 0, -1, -1, 0, ends, 1);
  /* A RELEASE of the segment may be among what was read: it came in nobody's way before LEAVE. */
  g_assert_cmpint (board->n_sent_marks, ==, 5);
  g_assert_cmpint (board->n_read_marks, ==, 7);
  for (guint i = 0; i < 5; i++)
    sent[i] = board->sent_marks[i];
  /* set-up, name, task, task, release, task, leave */
  for (guint i = 0; i < 4; i++)
    read[i] = board->read_marks[i];
  read[4] = board->read_marks[5];
  read[5] = board->read_marks[6];
}

/* The answer whose bytes the worker was sending is lost, if it had begun. A whole answer stands. */
static void
sweep_sent (HostileFixture *fixture, guint n, guint retries)
{
  int sent[5], read[6];
  guint n_lost = 0;

  measure (fixture, sent, read);
  for (int at = 0; at <= sent[4]; at++)
    {
      End ends[N_TASKS] = { END_GOOD };

      for (guint i = 0; i < N_TASKS; i++)
        if (at > sent[i] && at < sent[i + 1])
          {
            ends[i] = END_LOST;
            n_lost++;
          }
      run_round (fixture, n, at, -1, retries, ends, n);
    }
  g_test_message ("%d positions, a task lost at %u of them", sent[4] + 1, n_lost);
  g_assert_cmpuint (n_lost, ==, sent[3] - sent[0] - N_TASKS);
}

static void
while_it_sends (HostileFixture *fixture, gconstpointer data)
{
  sweep_sent (fixture, 1, 0);
}

static void
while_it_sends_with_retries (HostileFixture *fixture, gconstpointer data)
{
  sweep_sent (fixture, 1, 2);
}

/* A task that was read and not begun is not lost, whatever the retries: it counts no attempt. */
static void
while_it_reads (HostileFixture *fixture, gconstpointer data)
{
  static const End ends[N_TASKS];
  int sent[5], read[6];

  measure (fixture, sent, read);
  for (int at = 0; at <= read[5]; at++)
    run_round (fixture, 1, -1, at, 0, ends, 1);
  g_test_message ("%d positions", read[5] + 1);
}

/* The worker and the one that replaces it: at each eighth byte, which is within each field. */
static void
twice (HostileFixture *fixture, gconstpointer data)
{
  static const End good[N_TASKS];
  int sent[5], read[6];

  measure (fixture, sent, read);
  for (int at = 1; at < sent[3]; at += 8)
    {
      End ends[N_TASKS] = { END_GOOD };

      /* The second one runs the rest, in which this byte is another one's: only the first task is lost in
       * both, the others in one of them at the most. */
      if (at > sent[1])
        break;
      if (at > sent[0] && at < sent[1])
        ends[0] = END_LOST;
      run_round (fixture, 2, at, -1, 2, ends, 2);
    }
  for (int at = 1; at < read[2]; at += 8)
    run_round (fixture, 2, -1, at, 0, good, 1);
}

/* --- by a signal from outside ------------------------------------------------------------------ */

static pid_t
get_pid (HostileFixture *fixture, gint i)
{
  return (pid_t) g_atomic_int_get (&fixture->board->pids[i]);
}

static void
a_whole_result_stands (HostileFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 100; i++)
    {
      LokyFuture *future = hostile_submit (fixture, fixture->base.executor, "answer-and-die", NULL);

      hostile_assert_result (future, "answer-and-die");
      g_assert_cmpint (loky_future_get_term_signal (future), ==, 0);
    }
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

/* Its end is seen while there is still much to be read: by the monitor, where nobody else listens, and by who
 * waits. */
static void
result_behind_a_flood_stands (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future = hostile_submit (fixture, fixture->base.executor, "flood-and-die", NULL);

  while (!loky_future_is_done (future))
    g_usleep (100);
  hostile_assert_result (future, "flood-and-die");
  hostile_assert_result (hostile_submit (fixture, fixture->base.executor, "flood-and-die", NULL),
                         "flood-and-die");
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

static void
begun_and_nothing_sent (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future = hostile_submit (fixture, fixture->base.executor, "die", NULL);

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "hostile.obey");
  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "SIGKILL");
  g_assert_cmpint (loky_future_get_term_signal (future), ==, SIGKILL);
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

/* Longer than the time that a worker has that has closed its channel. */
static void
exiting_slowly (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future = hostile_submit (fixture, fixture->base.executor, "exit-slowly", NULL);

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "SIGKILL");
  g_assert_cmpint (loky_future_get_term_signal (future), ==, SIGKILL);
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

static gboolean
has_no_workers (gpointer data)
{
  return loky_executor_get_n_workers (data) == 0;
}

static void
while_idle (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = fixture->base.executor;

  for (gint i = 0; i < 20; i++)
    {
      hostile_assert_serves (fixture, executor, 1);
      g_assert_cmpint (fixture->board->n_started, ==, i + 1);
      /* Twice, and sometimes with a task that follows at once. */
      g_assert_cmpint (kill (get_pid (fixture, i), SIGKILL), ==, 0);
      kill (get_pid (fixture, i), SIGKILL);
      if (i % 2 == 0)
        loky_fixture_wait_for (has_no_workers, executor);
    }
  hostile_assert_serves (fixture, executor, 10);
}

static void
while_retiring (HostileFixture *fixture, gconstpointer data)
{
  for (guint round = 0; round < 10; round++)
    {
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 4);
      LokyFuture *futures[4];

      g_atomic_int_set (&fixture->board->n_started, 0);
      g_atomic_int_set (&fixture->board->n_holding, 0);
      g_atomic_int_set (&fixture->board->go_on, FALSE);
      for (guint i = 0; i < 4; i++)
        futures[i] = hostile_submit (fixture, executor, "hold", NULL);
      hostile_wait_holding (fixture, 4);
      loky_executor_set_max_workers (executor, 1);
      /* All of them: three are retiring. Every second time they may have ended their tasks just now. */
      if (round % 2 != 0)
        g_atomic_int_set (&fixture->board->go_on, TRUE);
      for (gint i = 0; i < 4; i++)
        kill (get_pid (fixture, i), SIGKILL);
      for (guint i = 0; i < 4; i++)
        {
          g_assert_true (loky_future_wait (futures[i], -1, NULL, NULL));
          if (loky_future_get_state (futures[i]) == LOKY_FUTURE_STATE_SUCCEEDED && round % 2 != 0)
            hostile_assert_result (futures[i], "hold");
          else
            hostile_assert_error (futures[i], LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "SIGKILL");
        }
      hostile_assert_serves (fixture, executor, 5);
      g_assert_cmpuint (loky_executor_get_n_workers (executor), <=, 1);
      hostile_settle (fixture);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

/* Idle workers that were told to leave, killed before, while and after they do. */
static void
while_resized_away (HostileFixture *fixture, gconstpointer data)
{
  for (guint round = 0; round < 10; round++)
    {
      g_autoptr (GError) error = NULL;
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 8);

      g_atomic_int_set (&fixture->board->n_started, 0);
      loky_executor_warm_up_sync (executor, 8, NULL, &error);
      g_assert_no_error (error);
      if (round % 2 == 0)
        loky_executor_set_max_workers (executor, 1);
      for (gint i = 0; i < 8; i++)
        kill (get_pid (fixture, i), SIGKILL);
      if (round % 2 != 0)
        loky_executor_set_max_workers (executor, 1);
      hostile_assert_serves (fixture, executor, 5);
      loky_executor_set_max_workers (executor, 8);
      hostile_assert_serves (fixture, executor, 20);
      hostile_settle (fixture);
      loky_fixture_end_executor (executor, round % 3 == 0 ? LOKY_SHUTDOWN_KILL : LOKY_SHUTDOWN_DRAIN);
    }
}

/* A shutdown is asked for, and the workers die of something else meanwhile. */
static void
during_goodbye (HostileFixture *fixture, gconstpointer data)
{
  for (guint round = 0; round < 20; round++)
    {
      g_autoptr (GError) error = NULL;
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 4);

      g_atomic_int_set (&fixture->board->n_started, 0);
      loky_executor_warm_up_sync (executor, 4, NULL, &error);
      g_assert_no_error (error);
      loky_executor_shutdown_async (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL, NULL);
      for (gint i = 0; i < 4; i++)
        kill (get_pid (fixture, i), SIGKILL);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

/* With the other policy the executor is broken with the cause, and everything has ended. */
static void
break_policy (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "die", "answer-and-die" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2, "crash-policy",
                                                      LOKY_CRASH_POLICY_BREAK);
      LokyFuture *held, *dying;

      g_atomic_int_set (&fixture->board->n_holding, 0);
      held = hostile_submit (fixture, executor, "hold", NULL);
      hostile_wait_holding (fixture, 1);
      dying = hostile_submit (fixture, executor, orders[i], NULL);
      hostile_assert_error (held, LOKY_ERROR, LOKY_ERROR_BROKEN, "SIGKILL");
      if (i == 0)
        hostile_assert_error (dying, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "SIGKILL");
      else
        hostile_assert_result (dying, orders[i]);
      g_assert_cmpint (loky_executor_get_state (executor), ==, LOKY_EXECUTOR_STATE_BROKEN);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

/* --- each other -------------------------------------------------------------------------------- */

static void
end_massacre (HostileFixture *fixture, GPtrArray *futures, guint *n_results, guint *n_died)
{
  for (guint i = 0; i < futures->len; i++)
    {
      LokyFuture *future = g_ptr_array_index (futures, i);

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      if (loky_future_get_state (future) == LOKY_FUTURE_STATE_SUCCEEDED)
        {
          hostile_assert_result (future, NULL);
          ++*n_results;
          continue;
        }
      hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "SIGKILL");
      ++*n_died;
    }
}

/* All at once, each kills all others. */
static void
massacre (HostileFixture *fixture, gconstpointer data)
{
  guint n = GPOINTER_TO_UINT (data);
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", n);
  g_autoptr (GPtrArray) futures = g_ptr_array_new ();
  g_autofree char *order = g_strdup_printf ("massacre:%u", n);
  guint n_results = 0, n_died = 0;

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (futures, hostile_submit (fixture, executor, order, NULL));
  end_massacre (fixture, futures, &n_results, &n_died);
  g_test_message ("of %u workers %u were killed by others", n, n_died);
  g_assert_cmpuint (n_results + n_died, ==, n);
  if (n == 1)
    g_assert_cmpuint (n_results, ==, 1);
  else
    g_assert_cmpuint (n_died, >=, 1);
  hostile_assert_serves (fixture, executor, 2 * n);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Again and again, with retries and among tasks that do no harm: those are lost at most as often as their
 * worker died, and all are accounted for. */
static void
massacres_with_retries (HostileFixture *fixture, gconstpointer data)
{
  guint n = GPOINTER_TO_UINT (data);
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", n);
  g_autoptr (GPtrArray) futures = g_ptr_array_new ();
  g_autoptr (LokyTaskOptions) options = retrying (3);
  guint n_results = 0, n_died = 0;

  for (guint i = 0; i < 5 * n + 10; i++)
    g_ptr_array_add (futures, hostile_submit (fixture, executor, i % 5 == 4 ? "massacre:0" : "good", options));
  end_massacre (fixture, futures, &n_results, &n_died);
  g_test_message ("%u results, %u lost, %d workers", n_results, n_died, fixture->board->n_started);
  g_assert_cmpuint (n_results + n_died, ==, futures->len);
  hostile_assert_serves (fixture, executor, 2 * n);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  static const guint sizes[] = { 1, 2, 5, 13, 64 };
  gsize n_sizes = G_N_ELEMENTS (sizes) - (loky_fixture_has_valgrind () ? 1 : 0);

  loky_fixture_init (&argc, &argv);
  HOSTILE_ADD ("/loky/faults/18/while-it-sends", while_it_sends);
  HOSTILE_ADD ("/loky/faults/18/while-it-sends-with-retries", while_it_sends_with_retries);
  HOSTILE_ADD ("/loky/faults/18/while-it-reads", while_it_reads);
  HOSTILE_ADD ("/loky/faults/18/twice", twice);
  HOSTILE_ADD ("/loky/faults/18/a-whole-result-stands", a_whole_result_stands);
  HOSTILE_ADD ("/loky/faults/18/result-behind-a-flood-stands", result_behind_a_flood_stands);
  HOSTILE_ADD ("/loky/faults/18/begun-and-nothing-sent", begun_and_nothing_sent);
  HOSTILE_ADD ("/loky/faults/18/exiting-slowly", exiting_slowly);
  HOSTILE_ADD ("/loky/faults/18/while-idle", while_idle);
  HOSTILE_ADD ("/loky/faults/18/while-retiring", while_retiring);
  HOSTILE_ADD ("/loky/faults/18/while-resized-away", while_resized_away);
  HOSTILE_ADD ("/loky/faults/18/during-goodbye", during_goodbye);
  HOSTILE_ADD ("/loky/faults/18/break-policy", break_policy);
  for (gsize i = 0; i < n_sizes; i++)
    {
      g_autofree char *path = g_strdup_printf ("/loky/faults/22/massacre-of-%u", sizes[i]);
      g_autofree char *again = g_strdup_printf ("/loky/faults/22/massacres-with-retries-of-%u", sizes[i]);

      g_test_add (path, HostileFixture, GUINT_TO_POINTER (sizes[i]), hostile_set_up, massacre,
                  hostile_tear_down);
      g_test_add (again, HostileFixture, GUINT_TO_POINTER (sizes[i]), hostile_set_up,
                  massacres_with_retries, hostile_tear_down);
    }
  return g_test_run ();
}
