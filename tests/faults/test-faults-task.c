/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rows 1 to 10: what a task does, or the plugin it is in. */

#include "faults.h"

#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- 1: what it returns --------------------------------------------------------------------------- */

static void
odd_results_are_told (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *order;
    LokyError code;
  } cases[] = {
    { "null", LOKY_ERROR_INVALID_RESULT },
    { "wrong-type", LOKY_ERROR_INVALID_RESULT },
  };
  static const char *const sound[] = { "ok", "floating", "full" };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "fault.obey", cases[i].order);

      g_assert_error (error, LOKY_ERROR, (int) cases[i].code);
      g_assert_nonnull (strstr (error->message, "fault.obey"));
    }
  for (gsize i = 0; i < G_N_ELEMENTS (sound); i++)
    {
      g_autofree char *result = loky_fixture_call (fixture->executor, "fault.obey", sound[i]);

      g_assert_nonnull (result);
    }
  faults_assert_serves (fixture->executor);
}

static void
own_errors_stay_what_they_are (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "fault.obey", "io-error:no disk");
  g_autoptr (GError) nameless = loky_fixture_fail (fixture->executor, "fault.obey", "error:odd");
  g_autoptr (GError) huge = loky_fixture_fail (fixture->executor, "fault.obey", "huge-error");
  g_autoptr (GError) bad = loky_fixture_fail (fixture->executor, "fault.obey", "bad-utf8-error");
  g_autoptr (GError) both G_GNUC_UNUSED = loky_fixture_fail (fixture->executor, "fault.obey", "both");

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_cmpstr (error->message, ==, "no disk");
  g_assert_nonnull (strstr (nameless->message, "odd"));
  g_assert_cmpuint (strlen (huge->message), <=, 65 * 1024);
  g_assert_true (g_utf8_validate (bad->message, -1, NULL));
  faults_assert_serves (fixture->executor);
}

static void
result_beside_an_error_is_dropped (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = faults_submit (fixture->executor, "both", NULL);
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  faults_watch (future);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_null (result);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_FAILED);
  faults_assert_serves (fixture->executor);
}

/* More than 4 GiB, made by a task that does not touch it: refused, without taking the memory. */
static void
huge_result_is_refused (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  if (LOKY_HAS_SANITIZER)
    {
      g_test_skip ("a sanitizer writes to what is allocated");
      return;
    }
  result = loky_executor_call_sync (fixture->executor, "fault.sparse",
                                    g_variant_new_uint64 (G_GUINT64_CONSTANT (1) << 40), NULL, NULL, &error);
  g_assert_null (result);
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_true (g_error_matches (error, LOKY_ERROR, LOKY_ERROR_RESOURCES) ||
                 g_error_matches (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE));
  faults_assert_serves (fixture->executor);
}

/* A value that is not in normal form arrives in normal form. */
static void
value_not_in_normal_form_is_mended (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *result = loky_fixture_call (fixture->executor, "fault.obey", "not-normal");

  g_assert_cmpstr (result, ==, "");
  faults_assert_serves (fixture->executor);
}

/* --- 2, 3: how it ends its process ---------------------------------------------------------------- */

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
    { "segv", "SIGSEGV", SIGSEGV, -1 },
    { "bus", "SIGBUS", SIGBUS, -1 },
    { "fpe", "SIGFPE", SIGFPE, -1 },
    { "abort", "SIGABRT", SIGABRT, -1 },
    { "overflow", "SIGSEGV", SIGSEGV, -1 },
    { "g_error", "last words", SIGTRAP, -1 },
    { "assert", "assertion failed", SIGABRT, -1 },
    { "corrupt-heap", "SIGABRT", SIGABRT, -1 },
    { "exit:0", "status 0", 0, 0 },
    { "exit:42", "status 42", 0, 42 },
    { "_exit:7", "status 7", 0, 7 },
    { "quick-exit", "status 5", 0, 5 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (LokyFuture) future = NULL;
      g_autoptr (GError) error = NULL;

      if (LOKY_HAS_SANITIZER &&
          (g_str_equal (cases[i].order, "overflow") || g_str_equal (cases[i].order, "corrupt-heap")))
        {
          g_test_message ("not under a sanitizer, which ends the process itself: %s", cases[i].order);
          continue;
        }
      future = faults_submit (fixture->executor, cases[i].order, NULL);
      faults_watch (future);
      error = faults_end_of (future);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      faults_assert_tells (error, future, cases[i].text);
      g_assert_cmpint (loky_future_get_term_signal (future), ==, cases[i].term_signal);
      g_assert_cmpint (loky_future_get_exit_status (future), ==, cases[i].exit_status);
    }
  faults_assert_serves (fixture->executor);
}

/* The task that spoils the heap returns; the one that finds it spoilt dies of it, in the same worker. */
static void
heap_corruption_is_seen_later (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = faults_make_single ();
  g_autofree char *first = NULL;
  g_autofree char *between = NULL;
  g_autoptr (LokyFuture) later = NULL;

  if (LOKY_HAS_SANITIZER)
    g_test_skip ("a sanitizer ends the process at the write itself");
  else
    {
      first = loky_fixture_call (executor, "fault.obey", "corrupt-later");
      between = loky_fixture_call (executor, "fault.obey", "ok");
      later = faults_submit (executor, "free-corrupted", NULL);
      faults_watch (later);
      faults_assert_ends (later, LOKY_ERROR_WORKER_DIED, "SIGABRT");
      g_assert_cmpstr (first, ==, "ok");
      faults_assert_serves (executor);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* A status of 0 is what is also seen of a process that somebody else has waited for: which of them it was is
 * known only if libloky saw it before GLib's thread did. */
static void
silent_exit_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = faults_submit (fixture->executor, "_exit:0", NULL);

  faults_watch (future);
  faults_assert_ends (future, LOKY_ERROR_WORKER_DIED, "status");
  g_assert_cmpint (loky_future_get_term_signal (future), ==, 0);
  faults_assert_serves (fixture->executor);
}

/* The process lives on without the thread that would answer, or as another program. */
static void
worker_that_is_none_any_more_is_found (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *order;
    LokyError code;
    const char *text;
  } cases[] = {
    { "pthread-exit", LOKY_ERROR_WORKER_DIED, "a task ended the thread that runs tasks" },
    { "exec", LOKY_ERROR_PROTOCOL, "it closed its channel" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (LokyFuture) future = faults_submit (fixture->executor, cases[i].order, NULL);
      g_autofree char *pid = NULL;

      faults_watch (future);
      faults_assert_ends (future, cases[i].code, cases[i].text);
      pid = g_strdup_printf ("%d", loky_future_get_worker_pid (future));
      faults_wait_gone (pid);
    }
  faults_assert_serves (fixture->executor);
}

/* --- 4: what does not end ------------------------------------------------------------------------- */

/* A sanitizer may make vfork() a fork(), which does not stop the one that called it. */
static const char *const endless[] = { "hang", "hang-hard", "spin", "stop", "vfork" };
static const gsize n_endless = G_N_ELEMENTS (endless) - LOKY_HAS_SANITIZER;

static void
task_that_never_ends_is_ended (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = faults_stopping (50);

  for (gsize i = 0; i < n_endless; i++)
    {
      g_autoptr (LokyFuture) future = faults_submit (fixture->executor, endless[i], options);
      g_autoptr (GError) error = faults_end_of (future);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
      g_assert_nonnull (strstr (error->message, "fault.obey"));
      g_assert_cmpint (loky_future_get_worker_pid (future), >, 1);
    }
  faults_assert_serves (fixture->executor);
}

/* By its owner's wish and not by the clock; one that is deaf to it is killed after its grace. */
static void
task_deaf_to_its_cancellation_is_ended (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options
      = g_object_new (LOKY_TYPE_TASK_OPTIONS, "cancel-grace", (gint64) 20, NULL);

  for (gsize i = 0; i < n_endless; i++)
    {
      g_autoptr (LokyFuture) future = faults_submit (fixture->executor, endless[i], options);
      g_autoptr (GError) error = NULL;
      g_autofree char *pid = NULL;

      faults_watch (future);
      loky_fixture_wait_running (future);
      g_assert_true (loky_future_cancel (future));
      error = faults_end_of (future);
      g_test_message ("%s", error->message);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_nonnull (strstr (error->message, "fault.obey"));
      g_assert_cmpint (loky_future_get_worker_pid (future), >, 1);
      pid = g_strdup_printf ("%d", loky_future_get_worker_pid (future));
      faults_wait_gone (pid);
    }
  faults_assert_serves (fixture->executor);
}

/* --- 5: memory ------------------------------------------------------------------------------------ */

static void
leaks_are_ended_as_want_of_memory (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "limit-alloc", "limit-malloc" };

  if (LOKY_HAS_SANITIZER)
    {
      g_test_skip ("a sanitizer needs more address space than RLIMIT_AS would leave");
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (LokyFuture) future = faults_submit (fixture->executor, orders[i], NULL);
      g_autoptr (GError) error = faults_end_of (future);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_OUT_OF_MEMORY);
      faults_assert_tells (error, future, "want of memory");
    }
  faults_assert_serves (fixture->executor);
}

/* A little at each of many tasks, of which the last bears it. */
static void
steady_leak_is_ended_as_want_of_memory (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = faults_make_single ();
  guint n_succeeded = 0;

  if (LOKY_HAS_SANITIZER)
    g_test_skip ("a sanitizer needs more address space than RLIMIT_AS would leave");
  while (!LOKY_HAS_SANITIZER)
    {
      g_autoptr (LokyFuture) future = faults_submit (executor, "leak", NULL);

      faults_watch (future);
      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      if (loky_future_get_state (future) == LOKY_FUTURE_STATE_SUCCEEDED && n_succeeded++ < 20)
        continue;
      faults_assert_ends (future, LOKY_ERROR_OUT_OF_MEMORY, "want of memory");
      g_assert_cmpuint (n_succeeded, >, 1);
      faults_assert_serves (executor);
      break;
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- 6: children and threads ---------------------------------------------------------------------- */

static void
children_end_with_their_worker (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "fork", "fork-setsid", "daemonize" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
      g_autofree char *pid = loky_fixture_call (executor, "fault.obey", orders[i]);
      g_autoptr (GError) error = NULL;

      /* It is of no harm while the worker lives. */
      faults_assert_serves (executor);
      error = loky_fixture_fail (executor, "fault.obey", "kill");
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      faults_assert_serves (executor);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
      faults_wait_gone (pid);
    }
}

static void
second_return_and_threads_are_of_no_harm (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *parent = loky_fixture_call (fixture->executor, "fault.obey", "fork-twice");
  g_autofree char *threads = loky_fixture_call (fixture->executor, "fault.obey", "threads");

  g_assert_cmpstr (parent, ==, "parent");
  g_assert_cmpstr (threads, ==, "ok");
  faults_assert_serves (fixture->executor);
}

/* --- 7: descriptors ------------------------------------------------------------------------------- */

static void
ruined_descriptors_cost_the_worker_only (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "close-fds", "dup-fds", "junk-fds" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (LokyFuture) future = faults_submit (fixture->executor, orders[i], NULL);
      g_autoptr (GError) error = NULL;

      faults_watch (future);
      error = faults_end_of (future);
      if (g_str_equal (orders[i], "junk-fds"))
        faults_assert_ends (future, LOKY_ERROR_PROTOCOL, "A frame begins with a5a5a5a5");
      else if (g_error_matches (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL))
        /* A worker that needs more than 100 ms to see it is killed. */
        faults_assert_ends (future, LOKY_ERROR_PROTOCOL, "it closed its channel");
      else
        faults_assert_ends (future, LOKY_ERROR_WORKER_DIED, "closed or replaced the descriptor");
      faults_assert_serves (fixture->executor);
    }
}

/* Between others whose answers need not be sent, so that its own need not be: it is found before the next one is
 * begun. */
static void
replaced_channel_among_many_costs_the_worker_only (LokyFixture *fixture, gconstpointer data)
{
  for (guint round = 0; round < 20; round++)
    {
      LokyFuture *futures[21];

      for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
        {
          futures[i] = faults_submit (fixture->executor, i == 10 ? "socket-fds" : "ok", NULL);
          faults_watch (futures[i]);
        }
      for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
        {
          g_autoptr (GError) error = faults_end_of (futures[i]);

          if (i != 10)
            g_assert_no_error (error);
          else if (!g_error_matches (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL))
            faults_assert_ends (futures[i], LOKY_ERROR_WORKER_DIED, "closed or replaced the descriptor");
          g_object_unref (futures[i]);
        }
    }
  faults_assert_serves (fixture->executor);
}

/* --- 8: surroundings ------------------------------------------------------------------------------ */

static void
spoilt_surroundings_do_not_matter (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "spoil", "push-context", "leave-source", "no-files" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
      g_autofree char *ok = loky_fixture_call (executor, "fault.obey", orders[i]);
      g_autofree char *after = loky_fixture_call (executor, "fault.obey", "look");

      g_assert_cmpstr (ok, ==, "ok");
      g_assert_cmpstr (after, ==, "term=0 context=0");
      faults_assert_serves (executor);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

/* A large argument needs a descriptor, which the worker cannot have any more: that task says so. */
static void
worker_without_room_for_descriptors_says_so (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *ok G_GNUC_UNUSED = loky_fixture_call (executor, "fault.obey", "no-files");
  g_autoptr (GBytes) bytes = g_bytes_new_take (g_malloc0 (1 << 20), 1 << 20);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_executor_call_sync (
      executor, "fault.sum", g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE), NULL, NULL,
      &error);

  g_assert_null (result);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  faults_assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* 100 MB each, to where nobody keeps it. */
static void
floods_of_output_are_not_in_the_way (LokyFixture *fixture, gconstpointer data)
{
  int stderr_before = dup (STDERR_FILENO);
  gboolean is_redirected = freopen ("/dev/null", "w", stderr) != NULL;
  const char *size = LOKY_HAS_SANITIZER ? "5000" : "100000";
  g_autofree char *to_stderr = g_strdup_printf ("print:%s", size);
  g_autofree char *to_stdout = g_strdup_printf ("print-out:%s", size);
  g_autoptr (LokyFuture) first = faults_submit (fixture->executor, to_stderr, NULL);
  g_autoptr (LokyFuture) second = faults_submit (fixture->executor, to_stdout, NULL);
  g_autoptr (GError) first_error = faults_end_of (first);
  g_autoptr (GError) second_error = faults_end_of (second);

  faults_assert_serves (fixture->executor);
  /* Until its end it may write what is left. */
  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_DRAIN);
  g_assert_cmpint (dup2 (stderr_before, STDERR_FILENO), ==, STDERR_FILENO);
  close (stderr_before);
  g_assert_true (is_redirected);
  g_assert_no_error (first_error);
  g_assert_no_error (second_error);
}

/* --- 9, 10 ---------------------------------------------------------------------------------------- */

static void
result_before_a_crash_stands (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *result = loky_fixture_call (fixture->executor, "fault.obey", "late-crash");

      g_assert_cmpstr (result, ==, "ok");
    }
  faults_assert_serves (fixture->executor);
}

static void
count_cb (gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
flood_of_progress_is_bounded (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  gint64 started = g_get_monotonic_time ();
  guint n_told = 0;
  gint64 run_time;

  future = faults_submit (fixture->executor, "progress:1000000", NULL);
  faults_watch (future);
  g_signal_connect_swapped (future, "notify::progress", G_CALLBACK (count_cb), &n_told);
  loky_fixture_wait_for ((LokyFixtureCondition) loky_future_is_done, future);
  run_time = g_get_monotonic_time () - started;
  error = faults_end_of (future);
  g_assert_no_error (error);
  g_assert_cmpfloat (loky_future_get_progress (future), ==, 1.0);
  g_test_message ("told %u times in %" G_GINT64_FORMAT " µs", n_told, run_time);
  /* Every 50 ms at most, and at the end. */
  g_assert_cmpuint (n_told, <=, run_time / 50000 + 2);
  faults_assert_serves (fixture->executor);
}

int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);
  FAULTS_ADD ("1/odd-results-are-told", odd_results_are_told);
  FAULTS_ADD ("1/own-errors-stay-what-they-are", own_errors_stay_what_they_are);
  FAULTS_ADD ("1/result-beside-an-error-is-dropped", result_beside_an_error_is_dropped);
  FAULTS_ADD ("1/huge-result-is-refused", huge_result_is_refused);
  FAULTS_ADD ("1/value-not-in-normal-form-is-mended", value_not_in_normal_form_is_mended);
  FAULTS_ADD ("2-3/each-death-is-told", each_death_is_told);
  FAULTS_ADD ("2/heap-corruption-is-seen-later", heap_corruption_is_seen_later);
  FAULTS_ADD ("3/silent-exit-is-told", silent_exit_is_told);
  FAULTS_ADD ("3/worker-that-is-none-any-more-is-found", worker_that_is_none_any_more_is_found);
  FAULTS_ADD ("4/task-that-never-ends-is-ended", task_that_never_ends_is_ended);
  FAULTS_ADD ("4/task-deaf-to-its-cancellation-is-ended", task_deaf_to_its_cancellation_is_ended);
  FAULTS_ADD ("5/steady-leak-is-ended-as-want-of-memory", steady_leak_is_ended_as_want_of_memory);
  FAULTS_ADD ("5/leaks-are-ended-as-want-of-memory", leaks_are_ended_as_want_of_memory);
  FAULTS_ADD ("6/children-end-with-their-worker", children_end_with_their_worker);
  FAULTS_ADD ("6/second-return-and-threads-are-of-no-harm", second_return_and_threads_are_of_no_harm);
  FAULTS_ADD ("7/ruined-descriptors-cost-the-worker-only", ruined_descriptors_cost_the_worker_only);
  FAULTS_ADD ("7/replaced-channel-among-many-costs-the-worker-only",
              replaced_channel_among_many_costs_the_worker_only);
  FAULTS_ADD ("8/spoilt-surroundings-do-not-matter", spoilt_surroundings_do_not_matter);
  FAULTS_ADD ("8/worker-without-room-for-descriptors-says-so",
              worker_without_room_for_descriptors_says_so);
  FAULTS_ADD ("8/floods-of-output-are-not-in-the-way", floods_of_output_are_not_in_the_way);
  FAULTS_ADD ("9/result-before-a-crash-stands", result_before_a_crash_stands);
  FAULTS_ADD ("10/flood-of-progress-is-bounded", flood_of_progress_is_bounded);
  return g_test_run ();
}
