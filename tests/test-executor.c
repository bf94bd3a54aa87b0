/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
nothing_is_started_before_work (LokyFixture *fixture, gconstpointer data)
{
  g_assert_cmpuint (loky_executor_get_n_workers (fixture->executor), ==, 0);
  g_assert_cmpuint (loky_fixture_count_children (), ==, 0);
}

static void
zero_workers_are_as_many_as_cpus (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (0);

  g_assert_cmpuint (loky_executor_get_max_workers (executor), ==, loky_cpu_count ());
}

static void
workers_start_on_demand (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  loky_executor_set_max_workers (fixture->executor, 3);
  for (guint i = 0; i < 5; i++)
    g_ptr_array_add (futures,
                     loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (300)));
  for (guint i = 0; i < 3; i++)
    loky_fixture_wait_running (g_ptr_array_index (futures, i));
  g_assert_cmpuint (loky_executor_get_n_workers (fixture->executor), ==, 3);
  g_assert_cmpuint (loky_executor_get_n_running (fixture->executor), ==, 3);
  g_assert_cmpuint (loky_executor_get_n_pending (fixture->executor), ==, 2);
}

static void
warm_up_starts_them_all (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_executor_warm_up_sync (fixture->executor, 1, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (loky_executor_get_n_workers (fixture->executor), ==, 1);
  g_assert_true (loky_executor_warm_up_sync (fixture->executor, 0, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (loky_executor_get_n_workers (fixture->executor), ==, 2);
}

typedef struct
{
  gboolean is_over;
  GError *error;
} WarmUp;

static void
warm_up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  WarmUp *warm_up = user_data;

  loky_executor_warm_up_finish (LOKY_EXECUTOR (source), result, &warm_up->error);
  warm_up->is_over = TRUE;
}

static gboolean
warm_up_is_over (gpointer data)
{
  return ((WarmUp *) data)->is_over;
}

static void
warm_up_that_fails_says_why (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor
      = loky_fixture_make_executor ("max-workers", 2, "worker-path", "/nonexistent", NULL);
  WarmUp good = { 0 };
  WarmUp bad = { 0 };

  loky_executor_warm_up_async (fixture->executor, 0, NULL, warm_up_cb, &good);
  loky_executor_warm_up_async (executor, 0, NULL, warm_up_cb, &bad);
  loky_fixture_wait_for (warm_up_is_over, &good);
  g_assert_no_error (good.error);
  loky_fixture_wait_for (warm_up_is_over, &bad);
  g_assert_error (bad.error, LOKY_ERROR, LOKY_ERROR_BROKEN);
  g_clear_error (&bad.error);
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static gboolean
has_no_workers (gpointer data)
{
  return loky_executor_get_n_workers (data) == 0;
}

static void
idle_workers_leave (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *result = NULL;

      g_object_set (fixture->executor, "idle-timeout", G_GINT64_CONSTANT (10), NULL);
      result = loky_fixture_call (fixture->executor, "demo.echo", "x");
      loky_fixture_wait_for (has_no_workers, fixture->executor);
    }
  g_assert_cmpint (loky_executor_get_state (fixture->executor), ==, LOKY_EXECUTOR_STATE_OPEN);
}

static gboolean
has_one_worker (gpointer data)
{
  return loky_executor_get_n_workers (data) == 1;
}

static void
fewer_workers_lose_no_task (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  loky_executor_set_max_workers (fixture->executor, 8);
  g_assert_true (loky_executor_warm_up_sync (fixture->executor, 0, NULL, NULL));
  for (guint i = 0; i < 100; i++)
    g_ptr_array_add (futures, loky_fixture_submit (fixture->executor, "demo.sleep",
                                                   g_variant_new_double (0.005)));
  loky_executor_set_max_workers (fixture->executor, 1);
  for (guint i = 0; i < futures->len; i++)
    {
      LokyFuture *future = g_ptr_array_index (futures, i);

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
  loky_fixture_wait_for (has_one_worker, fixture->executor);
}

static void
environment_is_set_in_workers (LokyFixture *fixture, gconstpointer data)
{
  static const char *const environment[] = { "LOKY_TEST_ONE=first", "LOKY_TEST_EMPTY=", NULL };
  g_autoptr (LokyExecutor) executor
      = loky_fixture_make_executor ("max-workers", 1, "environment", environment, NULL);
  g_autofree char *one = NULL;
  g_autofree char *socket = NULL;

  g_setenv ("NOTIFY_SOCKET", "/run/notify", TRUE);
  one = loky_fixture_call (executor, "fault.obey", "env:LOKY_TEST_ONE");
  socket = loky_fixture_call (executor, "fault.obey", "env:NOTIFY_SOCKET");
  g_unsetenv ("NOTIFY_SOCKET");
  g_assert_cmpstr (one, ==, "first");
  g_assert_cmpstr (socket, ==, "");
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
count_cb (GObject *object, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static gboolean
is_positive (gpointer data)
{
  return *(guint *) data > 0;
}

static void
changes_are_notified (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *result = NULL;
  guint n_workers = 0;
  guint n_states = 0;

  g_signal_connect (fixture->executor, "notify::n-workers", G_CALLBACK (count_cb), &n_workers);
  g_signal_connect (fixture->executor, "notify::state", G_CALLBACK (count_cb), &n_states);
  result = loky_fixture_call (fixture->executor, "demo.echo", "x");
  g_assert_cmpuint (n_workers, ==, 0);
  loky_fixture_wait_for (is_positive, &n_workers);
  g_assert_cmpuint (n_states, ==, 0);
  loky_executor_shutdown_sync (fixture->executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL);
  loky_fixture_wait_for (is_positive, &n_states);
}

static gboolean
is_forked (const GError *error)
{
  return g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED);
}

/* In the child neither the thread nor the workers are its own. */
static void
forked_child_is_refused (LokyFixture *fixture, gconstpointer data)
{
  static const char *const items[] = { "a", "b", NULL };
  g_autofree char *before G_GNUC_UNUSED = loky_fixture_call (fixture->executor, "demo.echo", "x");
  g_autoptr (LokyInput) input = loky_input_new_for_strv (items);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  g_autoptr (LokyFuture) first G_GNUC_UNUSED = loky_results_next (results, NULL, NULL);
  g_autoptr (LokyFuture) running
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (300));
  g_autofree char *after = NULL;
  pid_t child;
  int status;

  loky_fixture_wait_running (running);
  child = fork ();

  if (child == 0)
    {
      g_autoptr (GError) error = NULL;
      LokyFuture *future = loky_executor_submit (fixture->executor, "demo.echo", NULL, NULL, &error);

      if (future != NULL || !is_forked (error))
        _exit (1);
      g_clear_error (&error);
      if (loky_future_wait (running, -1, NULL, &error) || !is_forked (error))
        _exit (2);
      g_clear_error (&error);
      if (loky_results_next (results, NULL, &error) != NULL || !is_forked (error))
        _exit (3);
      g_clear_error (&error);
      if (loky_executor_shutdown_sync (fixture->executor, LOKY_SHUTDOWN_KILL, -1, NULL, &error) ||
          !is_forked (error))
        _exit (4);
      g_clear_error (&error);
      if (loky_executor_warm_up_sync (fixture->executor, 0, NULL, &error) || !is_forked (error))
        _exit (5);
      /* None of these may block or touch what is not mapped here. */
      loky_future_get_state (running);
      loky_future_get_progress (running);
      loky_future_cancel (running);
      loky_executor_get_n_workers (fixture->executor);
      g_object_unref (fixture->executor);
      _exit (0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  after = loky_fixture_call (fixture->executor, "demo.echo", "y");
  g_assert_cmpstr (after, ==, "y");
}

/* What happens to the workers of a process that is killed. */
static void
workers_end_with_their_application (LokyFixture *fixture, gconstpointer data)
{
  int ends[2];
  pid_t child;
  char text[64] = "";
  int pids[2];

  g_assert_cmpint (pipe (ends), ==, 0);
  child = fork ();
  if (child == 0)
    {
      LokyExecutor *executor = loky_executor_new (2);
      char *first, *second;
      char line[64];
      LokyFuture *future;

      first = loky_fixture_call (executor, "fault.obey", "pid");
      future = loky_executor_submit (executor, "fault.obey", g_variant_new_string ("hang-hard"), NULL,
                                     NULL);
      loky_fixture_wait_running (future);
      second = loky_fixture_call (executor, "fault.obey", "pid");
      g_snprintf (line, sizeof line, "%s %s\n", first, second);
      if (write (ends[1], line, strlen (line)) > 0)
        kill (getpid (), SIGKILL);
      _exit (1);
    }
  close (ends[1]);
  g_assert_cmpint (read (ends[0], text, sizeof text - 1), >, 0);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  g_assert_cmpint (sscanf (text, "%d %d", &pids[0], &pids[1]), ==, 2);
  for (guint i = 0; i < 2; i++)
    for (;;)
      {
        g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pids[i]);
        g_autofree char *stat = NULL;

        /* A zombie, where no init reaps it, is gone too. */
        if (!g_file_get_contents (path, &stat, NULL, NULL) || strstr (stat, ") Z ") != NULL)
          break;
        g_usleep (1000);
      }
  close (ends[0]);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/executor/nothing-is-started-before-work", nothing_is_started_before_work);
  LOKY_FIXTURE_ADD ("/loky/executor/zero-workers-are-as-many-as-cpus",
                    zero_workers_are_as_many_as_cpus);
  LOKY_FIXTURE_ADD ("/loky/executor/workers-start-on-demand", workers_start_on_demand);
  LOKY_FIXTURE_ADD ("/loky/executor/warm-up-starts-them-all", warm_up_starts_them_all);
  LOKY_FIXTURE_ADD ("/loky/executor/warm-up-that-fails-says-why", warm_up_that_fails_says_why);
  LOKY_FIXTURE_ADD ("/loky/executor/idle-workers-leave", idle_workers_leave);
  LOKY_FIXTURE_ADD ("/loky/executor/fewer-workers-lose-no-task", fewer_workers_lose_no_task);
  LOKY_FIXTURE_ADD ("/loky/executor/environment-is-set-in-workers", environment_is_set_in_workers);
  LOKY_FIXTURE_ADD ("/loky/executor/changes-are-notified", changes_are_notified);
  LOKY_FIXTURE_ADD ("/loky/executor/forked-child-is-refused", forked_child_is_refused);
  LOKY_FIXTURE_ADD ("/loky/executor/workers-end-with-their-application",
                    workers_end_with_their_application);
  return g_test_run ();
}
