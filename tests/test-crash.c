/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static LokyTaskOptions *
retrying (guint retries)
{
  return g_object_new (LOKY_TYPE_TASK_OPTIONS, "retries", retries, NULL);
}

/* What becomes of the task when its worker ends that way. */
static void
each_death_is_told (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *order;
    const char *text;
    int term_signal;
    int exit_status;
  } cases[] = {
    { "segv", "SIGSEGV", SIGSEGV, -1 },  { "abort", "SIGABRT", SIGABRT, -1 },
    { "kill", "SIGKILL", SIGKILL, -1 },  { "exit:0", "status 0", 0, 0 },
    { "exit:42", "status 42", 0, 42 },   { "_exit:7", "status 7", 0, 7 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (LokyFuture) future = loky_fixture_submit (fixture->executor, "fault.obey",
                                                           g_variant_new_string (cases[i].order));
      g_autoptr (GError) error = NULL;
      g_autofree char *pid = NULL;

      loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      error = loky_future_dup_error (future);
      pid = g_strdup_printf ("pid %d", loky_future_get_worker_pid (future));
      g_assert_nonnull (strstr (error->message, cases[i].text));
      g_assert_nonnull (strstr (error->message, "fault.obey"));
      g_assert_nonnull (strstr (error->message, pid));
      g_assert_cmpint (loky_future_get_worker_pid (future), >, 1);
      g_assert_cmpint (loky_future_get_term_signal (future), ==, cases[i].term_signal);
      g_assert_cmpint (loky_future_get_exit_status (future), ==, cases[i].exit_status);
    }
}

static void
stderr_is_in_the_error (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.crash", g_variant_new_string ("abort"));
  g_autoptr (GError) error = NULL;
  g_autofree char *tail = NULL;

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  error = loky_future_dup_error (future);
  tail = loky_future_dup_stderr_tail (future);
  g_assert_nonnull (strstr (tail, "demo.crash: about to"));
  g_assert_nonnull (strstr (error->message, tail));
}

static void
only_its_task_fails (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  guint n_died = 0;

  for (guint i = 0; i < 200; i++)
    g_ptr_array_add (futures, loky_fixture_submit (fixture->executor, "fault.obey",
                                                   g_variant_new_string (i % 20 == 7 ? "kill" : "ok")));
  for (guint i = 0; i < futures->len; i++)
    {
      LokyFuture *future = g_ptr_array_index (futures, i);

      if (i % 20 == 7)
        {
          loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
          n_died++;
          continue;
        }
      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
  g_assert_cmpuint (n_died, ==, 10);
}

/* Dies in its first attempts, by the worker that it is in: the order names the attempt. */
static void
retries_run_it_again (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = retrying (2);
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) lost = loky_executor_submit (
      fixture->executor, "fault.obey", g_variant_new_string ("segv"), options, &error);
  g_autoptr (LokyFuture) failed = NULL;

  g_assert_no_error (error);
  loky_fixture_assert_fails (lost, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  g_assert_cmpuint (loky_future_get_attempts (lost), ==, 3);

  /* An error that the task returns is no death. */
  failed = loky_executor_submit (fixture->executor, "fault.obey",
                                 g_variant_new_string ("io-error:x"), options, &error);
  g_assert_no_error (error);
  loky_fixture_assert_fails (failed, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_cmpuint (loky_future_get_attempts (failed), ==, 1);
}

/* Killed from outside in its first attempt. */
static void
retried_task_succeeds (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = retrying (1);
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *pid = loky_fixture_call (fixture->executor, "fault.obey", "pid");

  future = loky_executor_submit (fixture->executor, "fault.obey", g_variant_new_string ("sleep:50"),
                                 options, &error);
  g_assert_no_error (error);
  loky_fixture_wait_running (future);
  g_assert_cmpint (kill (atoi (pid), SIGKILL), ==, 0);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "ok");
  g_assert_cmpuint (loky_future_get_attempts (future), ==, 2);
}

static gboolean
has_no_workers (gpointer data)
{
  return loky_executor_get_n_workers (data) == 0;
}

static void
idle_worker_that_dies_is_noticed (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *pid = loky_fixture_call (fixture->executor, "fault.obey", "pid");
  g_autofree char *other = NULL;

  g_assert_cmpint (kill (atoi (pid), SIGKILL), ==, 0);
  loky_fixture_wait_for (has_no_workers, fixture->executor);
  other = loky_fixture_call (fixture->executor, "fault.obey", "pid");
  g_assert_cmpstr (pid, !=, other);
}

static void
worker_that_closes_its_channel_is_replaced (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("close-fds"));
  g_autoptr (GError) error = NULL;
  g_autofree char *result = NULL;

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  error = loky_future_dup_error (future);
  g_assert_nonnull (strstr (error->message, "closed or replaced"));
  result = loky_fixture_call (fixture->executor, "fault.obey", "ok");
  g_assert_cmpstr (result, ==, "ok");
}

static void
junk_on_the_wire_costs_the_worker_only (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("junk-fds"));
  g_autofree char *result = NULL;

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  result = loky_fixture_call (fixture->executor, "fault.obey", "ok");
  g_assert_cmpstr (result, ==, "ok");
}

static void
second_return_of_a_fork_is_silent (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *result = loky_fixture_call (fixture->executor, "fault.obey", "fork-twice");
  g_autofree char *next = loky_fixture_call (fixture->executor, "fault.obey", "ok");

  g_assert_cmpstr (result, ==, "parent");
  g_assert_cmpstr (next, ==, "ok");
}

static gboolean
is_gone (int pid)
{
  return kill (pid, 0) != 0;
}

static void
child_of_a_task_dies_with_its_worker (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *child = loky_fixture_call (fixture->executor, "fault.obey", "fork");

  g_assert_false (is_gone (atoi (child)));
  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_DRAIN);
  /* Init reaps it. */
  for (guint i = 0; i < 5000 && !is_gone (atoi (child)); i++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/%s/stat", child);
      g_autofree char *text = NULL;

      /* Nobody may reap it in a container without an init. */
      if (!g_file_get_contents (path, &text, NULL, NULL) || strstr (text, ") Z ") != NULL)
        return;
      g_usleep (1000);
    }
  g_assert_true (is_gone (atoi (child)));
}

static void
output_of_tasks_is_not_in_the_way (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *result = loky_fixture_call (fixture->executor, "fault.obey", "print-out:64");

  g_assert_cmpstr (result, ==, "ok");
}

static void
break_ends_everything (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor (
      "max-workers", 2, "crash-policy", LOKY_CRASH_POLICY_BREAK, NULL);
  g_autoptr (LokyFuture) hanging
      = loky_fixture_submit (executor, "fault.obey", g_variant_new_string ("hang"));
  g_autoptr (LokyFuture) dying = NULL;
  g_autoptr (LokyFuture) waiting = NULL;
  g_autoptr (LokyFuture) refused = NULL;
  g_autoptr (GError) error = NULL;

  loky_fixture_wait_running (hanging);
  dying = loky_fixture_submit (executor, "fault.obey", g_variant_new_string ("segv"));
  waiting = loky_fixture_submit (executor, "fault.obey", g_variant_new_string ("ok"));
  loky_fixture_assert_fails (dying, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  loky_fixture_assert_fails (hanging, LOKY_ERROR, LOKY_ERROR_BROKEN);
  /* It may have been run by the worker that died, before: then it has its result. */
  g_assert_true (loky_future_wait (waiting, -1, NULL, NULL));
  g_assert_cmpint (loky_executor_get_state (executor), ==, LOKY_EXECUTOR_STATE_BROKEN);
  refused = loky_executor_submit (executor, "demo.echo", NULL, NULL, &error);
  g_assert_null (refused);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BROKEN);
  g_assert_nonnull (strstr (error->message, "SIGSEGV"));
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
missing_program_breaks_with_the_cause (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor
      = loky_fixture_make_executor ("max-workers", 2, "worker-path", "/nonexistent/worker", NULL);
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (executor, "demo.echo", g_variant_new_string ("x"));
  g_autoptr (GError) error = NULL;

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_BROKEN);
  error = loky_future_dup_error (future);
  g_assert_nonnull (strstr (error->message, "/nonexistent/worker"));
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
wrong_program_breaks_with_the_cause (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor
      = loky_fixture_make_executor ("max-workers", 1, "worker-path", "/bin/false", NULL);
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (executor, "demo.echo", g_variant_new_string ("x"));
  g_autoptr (GError) error = NULL;

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_BROKEN);
  error = loky_future_dup_error (future);
  g_assert_nonnull (strstr (error->message, "exited with status 1"));
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/crash/each-death-is-told", each_death_is_told);
  LOKY_FIXTURE_ADD ("/loky/crash/stderr-is-in-the-error", stderr_is_in_the_error);
  LOKY_FIXTURE_ADD ("/loky/crash/only-its-task-fails", only_its_task_fails);
  LOKY_FIXTURE_ADD ("/loky/crash/retries-run-it-again", retries_run_it_again);
  LOKY_FIXTURE_ADD ("/loky/crash/retried-task-succeeds", retried_task_succeeds);
  LOKY_FIXTURE_ADD ("/loky/crash/idle-worker-that-dies-is-noticed", idle_worker_that_dies_is_noticed);
  LOKY_FIXTURE_ADD ("/loky/crash/worker-that-closes-its-channel-is-replaced",
                    worker_that_closes_its_channel_is_replaced);
  LOKY_FIXTURE_ADD ("/loky/crash/junk-on-the-wire-costs-the-worker-only",
                    junk_on_the_wire_costs_the_worker_only);
  LOKY_FIXTURE_ADD ("/loky/crash/second-return-of-a-fork-is-silent",
                    second_return_of_a_fork_is_silent);
  LOKY_FIXTURE_ADD ("/loky/crash/child-of-a-task-dies-with-its-worker",
                    child_of_a_task_dies_with_its_worker);
  LOKY_FIXTURE_ADD ("/loky/crash/output-of-tasks-is-not-in-the-way",
                    output_of_tasks_is_not_in_the_way);
  LOKY_FIXTURE_ADD ("/loky/crash/break-ends-everything", break_ends_everything);
  LOKY_FIXTURE_ADD ("/loky/crash/missing-program-breaks-with-the-cause",
                    missing_program_breaks_with_the_cause);
  LOKY_FIXTURE_ADD ("/loky/crash/wrong-program-breaks-with-the-cause",
                    wrong_program_breaks_with_the_cause);
  return g_test_run ();
}
