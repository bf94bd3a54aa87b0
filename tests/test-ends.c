/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is known and told of the ends of workers: where they were, for want of what, in which phase. */

#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static LokyTaskOptions *
stopping (gint64 timeout)
{
  return g_object_new (LOKY_TYPE_TASK_OPTIONS, "timeout", timeout, "cancel-grace", (gint64) 20, NULL);
}

static LokyFuture *
submit (LokyExecutor *executor, const char *order, LokyTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  LokyFuture *future = loky_executor_submit (executor, "fault.obey", g_variant_new_string (order),
                                             options, &error);

  g_assert_no_error (error);
  return future;
}

static GError *
end_of (LokyFuture *future)
{
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  return loky_future_dup_error (future);
}

/* The order's function, its file and a line of it. */
static void
assert_place (const char *text, const char *function, const char *file)
{
  g_autofree char *place = g_strdup_printf ("%s (", function);
  const char *found = strstr (text, place);

  g_test_message ("%s", text);
  g_assert_nonnull (found);
  found = strstr (found, file);
  g_assert_nonnull (found);
  g_assert_true (found[strlen (file)] == ':' && g_ascii_isdigit (found[strlen (file) + 1]));
}

static gboolean
has_symbolizer (void)
{
  g_autofree char *folder = g_path_get_dirname (g_getenv ("LOKY_WORKER"));
  g_autofree char *path = g_build_filename (folder, "loky-symbolize", NULL);

  if (g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    return TRUE;
  g_test_skip ("loky-symbolize was not built: libdw is missing");
  return FALSE;
}

static void
crash_tells_the_line (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *order;
    const char *function;
  } cases[] = { { "segv", "obey_segv" }, { "abort", "obey_abort" }, { "overflow", "overflow" } };

  if (!has_symbolizer ())
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (LokyFuture) future = submit (fixture->executor, cases[i].order, NULL);
      g_autoptr (GError) error = end_of (future);
      g_autofree char *backtrace = loky_future_dup_backtrace (future);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      assert_place (error->message, cases[i].function, "fault-death.c");
      assert_place (backtrace, cases[i].function, "fault-death.c");
      g_assert_true (g_str_has_prefix (backtrace, "#0 "));
      g_assert_cmpuint (loky_future_get_worker_id (future), >, 0);
    }
}

/* The same place again is not looked up again, and told all the same. */
static void
same_crash_again_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *first = NULL;

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (LokyFuture) future = submit (fixture->executor, "abort", NULL);
      g_autoptr (GError) error = end_of (future);
      g_autofree char *backtrace = loky_future_dup_backtrace (future);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      g_assert_nonnull (backtrace);
      g_clear_pointer (&first, g_free);
      first = g_steal_pointer (&backtrace);
    }
}

static void
timeout_tells_where_it_was_stuck (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = stopping (50);
  g_autoptr (LokyFuture) future = submit (fixture->executor, "hang", options);
  g_autoptr (GError) error = end_of (future);
  g_autofree char *pid = g_strdup_printf ("(pid %d)", loky_future_get_worker_pid (future));

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  g_assert_cmpint (loky_future_get_term_signal (future), !=, 0);
  g_assert_nonnull (strstr (error->message, pid));
  /* The thread sanitizer holds a signal back while the thread is in no system call. */
  if (LOKY_HAS_SANITIZER || !has_symbolizer ())
    return;
  assert_place (error->message, "wait_for_ever", "fault-death.c");
  g_assert_cmpint (loky_future_get_term_signal (future), ==, SIGTERM);
}

/* With all signals blocked SIGTERM does nothing; SIGKILL follows. */
static void
deaf_task_is_killed (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = stopping (50);
  g_autoptr (LokyFuture) future = submit (fixture->executor, "hang-hard", options);
  g_autoptr (GError) error = end_of (future);
  g_autofree char *ok = loky_fixture_call (fixture->executor, "fault.obey", "ok");

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  g_assert_cmpint (loky_future_get_term_signal (future), ==, SIGKILL);
  g_assert_cmpstr (ok, ==, "ok");
}

static void
cancelled_task_tells_where_it_was_stuck (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = stopping (-1);
  g_autoptr (LokyFuture) future = submit (fixture->executor, "hang", options);
  g_autoptr (GError) error = NULL;

  loky_fixture_wait_running (future);
  g_assert_true (loky_future_cancel (future));
  error = end_of (future);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (loky_future_get_worker_pid (future), >, 0);
}

static void
each_attempt_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = g_object_new (LOKY_TYPE_TASK_OPTIONS, "retries", 2, NULL);
  g_autoptr (LokyFuture) future = submit (fixture->executor, "kill", options);
  g_autoptr (GError) error = end_of (future);

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  g_assert_nonnull (strstr (error->message, "attempt 3 of 3: each of them ended its worker"));
  g_assert_cmpuint (loky_future_get_attempts (future), ==, 3);
}

/* By the limit of the address space: GLib's own message, and an unchecked malloc(). */
static void
want_of_memory_is_told_apart (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "limit-alloc", "limit-malloc" };

  if (LOKY_HAS_SANITIZER)
    {
      g_test_skip ("a sanitizer needs more address space than RLIMIT_AS would leave");
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (LokyFuture) future = submit (fixture->executor, orders[i], NULL);
      g_autoptr (GError) error = end_of (future);

      g_test_message ("%s", error->message);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_OUT_OF_MEMORY);
      g_assert_nonnull (strstr (error->message, "fault.obey"));
    }
}

static void
last_words_are_in_the_error (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture->executor, "g_error", NULL);
  g_autoptr (GError) error = end_of (future);

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  g_assert_nonnull (strstr (error->message, "last words"));
}

/* --- the initializer ---------------------------------------------------------------------------- */

static LokyExecutor *
initialized (const char *order, gint64 start_timeout)
{
  return loky_fixture_make_executor ("max-workers", 1, "initializer", "fault.obey", "initializer-args",
                                     g_variant_new_string (order), "start-timeout", start_timeout, NULL);
}

static void
initializer_runs_before_tasks (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = initialized ("chdir:/usr", 30000);
  g_autofree char *folder = loky_fixture_call (executor, "fault.obey", "cwd");

  g_assert_cmpstr (folder, ==, "/usr");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* More than a socket takes at once: the rest goes when there is room again. */
static void
initializer_takes_much (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (1000 * 1000, 'a');
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "initializer", "fault.obey-any", "initializer-args",
                                    g_variant_new_variant (g_variant_new_string (text)), NULL);
  g_autofree char *ok = loky_fixture_call (executor, "fault.obey", "ok");

  g_assert_cmpstr (ok, ==, "ok");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* And what a frame does not take is told. */
static void
initializer_takes_too_much (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (2 * 1000 * 1000, 'a');
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "initializer", "fault.obey-any", "initializer-args",
                                    g_variant_new_variant (g_variant_new_string (text)), NULL);
  g_autoptr (LokyFuture) future = submit (executor, "ok", NULL);
  g_autoptr (GError) error = end_of (future);

  g_test_message ("%s", error->message);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BROKEN);
  g_assert_nonnull (strstr (error->message, "the initializer's arguments and the worker's environment are longer"));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Again with a longer start timeout, where the machine left the worker no time to come as far. */
static LokyExecutor *
fail_initialized (const char *order, gint64 start_timeout, GError **error)
{
  for (;; start_timeout *= 5)
    {
      LokyExecutor *executor = initialized (order, start_timeout);
      g_autoptr (LokyFuture) future = submit (executor, "ok", NULL);
      g_autoptr (GError) end = end_of (future);

      g_test_message ("%s", end->message);
      if (!g_error_matches (end, LOKY_ERROR, LOKY_ERROR_BROKEN) || start_timeout > 30000)
        {
          g_propagate_error (error, g_steal_pointer (&end));
          return executor;
        }
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
    }
}

static void
initializer_that_fails_is_told (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *order;
    const char *text;
  } cases[] = {
    { "io-error:no licence", "no licence" },
    { "abort", "SIGABRT" },
    { "exit:3", "status 3" },
    { "hang", "did not return in time" },
    { "stop", "did not return in time" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) refusal = NULL;
      LokyExecutor *executor = fail_initialized (cases[i].order, i < 3 ? 30000 : 300, &error);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INITIALIZER);
      g_assert_nonnull (strstr (error->message, cases[i].text));
      g_assert_nonnull (strstr (error->message, "fault.obey"));
      g_assert_cmpint (loky_executor_get_state (executor), ==, LOKY_EXECUTOR_STATE_BROKEN);
      g_assert_null (loky_executor_submit (executor, "fault.obey", g_variant_new_string ("ok"), NULL,
                                           &refusal));
      g_assert_error (refusal, LOKY_ERROR, LOKY_ERROR_INITIALIZER);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
    }
}

static void
initializer_that_is_not_there_is_told (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "initializer", "fault.obay", NULL);
  g_autoptr (LokyFuture) future = submit (executor, "ok", NULL);
  g_autoptr (GError) error = end_of (future);

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INITIALIZER);
  g_assert_nonnull (strstr (error->message, "fault.obey"));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

/* --- the heartbeat ------------------------------------------------------------------------------ */

static void
stopped_worker_is_found (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "heartbeat-timeout", (gint64) 200, NULL);
  g_autoptr (LokyFuture) future = submit (executor, "stop", NULL);
  g_autoptr (GError) error = end_of (future);
  g_autofree char *ok = loky_fixture_call (executor, "fault.obey", "ok");

  g_test_message ("%s", error->message);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  g_assert_nonnull (strstr (error->message, "no sign of life"));
  g_assert_nonnull (strstr (error->message, "stopped by a signal"));
  g_assert_cmpstr (ok, ==, "ok");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* A task that spins with all signals blocked is slow, not dead. */
static void
busy_worker_gives_signs_of_life (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "heartbeat-timeout", (gint64) 1000, NULL);
  g_autofree char *ok = loky_fixture_call (executor, "fault.obey", "sleep:3500");

  g_assert_cmpstr (ok, ==, "ok");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- what is left behind ------------------------------------------------------------------------ */

static void
assert_ends (const char *pid)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "stat", NULL);
  g_autofree char *text = NULL;

  while (g_file_get_contents (path, &text, NULL, NULL) && strstr (text, ") Z ") == NULL)
    {
      g_clear_pointer (&text, g_free);
      g_usleep (1000);
    }
}

/* However the worker ends: by a crash, in order, by a shutdown. */
static void
child_in_another_session_ends_too (LokyFixture *fixture, gconstpointer data)
{
  static const char *const ends[] = { "kill", "exit:0", NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
      g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "fork-setsid");

      if (ends[i] != NULL)
        {
          g_autoptr (GError) error G_GNUC_UNUSED = loky_fixture_fail (executor, "fault.obey", ends[i]);

          assert_ends (pid);
        }
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
      assert_ends (pid);
    }
}

/* A program that is started from the application's copy, or the copy itself, holds no channel. */
static void
forked_copy_holds_nothing_of_ours (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *ok G_GNUC_UNUSED = loky_fixture_call (fixture->executor, "fault.obey", "ok");
  guint n_before = loky_fixture_count_fds ();
  int ends[2];
  guint n_after = 0;
  pid_t pid;

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  pid = fork ();
  if (pid == 0)
    {
      guint count = 0;

      for (int fd = 0; fd < 1024; fd++)
        count += fcntl (fd, F_GETFD) >= 0;
      _exit (write (ends[1], &count, sizeof count) == sizeof count ? 0 : 1);
    }
  close (ends[1]);
  g_assert_cmpint (read (ends[0], &n_after, sizeof n_after), ==, sizeof n_after);
  close (ends[0]);
  while (waitpid (pid, NULL, 0) < 0)
    ;
  g_test_message ("%u descriptors here, %u there", n_before, n_after);
  /* The channel, the worker's pidfd and its output, epoll and the one of the channels, our pidfd, 24 spare ones. */
  g_assert_cmpuint (n_after + 30, <=, n_before + 2);
}

int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/ends/crash-tells-the-line", crash_tells_the_line);
  LOKY_FIXTURE_ADD ("/loky/ends/same-crash-again-is-told", same_crash_again_is_told);
  LOKY_FIXTURE_ADD ("/loky/ends/timeout-tells-where-it-was-stuck", timeout_tells_where_it_was_stuck);
  LOKY_FIXTURE_ADD ("/loky/ends/deaf-task-is-killed", deaf_task_is_killed);
  LOKY_FIXTURE_ADD ("/loky/ends/cancelled-task-tells-where-it-was-stuck",
                    cancelled_task_tells_where_it_was_stuck);
  LOKY_FIXTURE_ADD ("/loky/ends/each-attempt-is-told", each_attempt_is_told);
  LOKY_FIXTURE_ADD ("/loky/ends/want-of-memory-is-told-apart", want_of_memory_is_told_apart);
  LOKY_FIXTURE_ADD ("/loky/ends/last-words-are-in-the-error", last_words_are_in_the_error);
  LOKY_FIXTURE_ADD ("/loky/ends/initializer-runs-before-tasks", initializer_runs_before_tasks);
  LOKY_FIXTURE_ADD ("/loky/ends/initializer-takes-much", initializer_takes_much);
  LOKY_FIXTURE_ADD ("/loky/ends/initializer-takes-too-much", initializer_takes_too_much);
  LOKY_FIXTURE_ADD ("/loky/ends/initializer-that-fails-is-told", initializer_that_fails_is_told);
  LOKY_FIXTURE_ADD ("/loky/ends/initializer-that-is-not-there-is-told",
                    initializer_that_is_not_there_is_told);
  LOKY_FIXTURE_ADD ("/loky/ends/stopped-worker-is-found", stopped_worker_is_found);
  LOKY_FIXTURE_ADD ("/loky/ends/busy-worker-gives-signs-of-life", busy_worker_gives_signs_of_life);
  LOKY_FIXTURE_ADD ("/loky/ends/child-in-another-session-ends-too", child_in_another_session_ends_too);
  LOKY_FIXTURE_ADD ("/loky/ends/forked-copy-holds-nothing-of-ours", forked_copy_holds_nothing_of_ours);
  return g_test_run ();
}
