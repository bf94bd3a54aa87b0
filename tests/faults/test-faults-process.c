/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rows 6 to 9, one change of the process at a time: which of them the tasks after it notice, and which cost the
 * worker. */

#include "faults.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_SIZE 300000

static GVariant *
make_bytes (gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new_take (g_malloc0 (size), size);

  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}

/* --- 6: children and threads ---------------------------------------------------------------------- */

/* A child that holds all descriptors keeps neither the end of its worker from being seen, nor the executor
 * from being shut down; its worker serves while it lives. */
static void
child_with_all_descriptors_hides_no_death (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "fork", "fork-setsid", "fork-twice", "daemonize", "threads" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyExecutor *executor = faults_make_single ();
      g_autofree char *child = loky_fixture_call (executor, "fault.obey", orders[i]);
      g_autofree char *worker = loky_fixture_call (executor, "fault.obey", "pid");
      g_autoptr (LokyFuture) running = faults_submit (executor, "hang", NULL);

      faults_watch (running);
      loky_fixture_wait_running (running);
      g_assert_cmpint (kill (atoi (worker), SIGKILL), ==, 0);
      faults_assert_ends (running, LOKY_ERROR_WORKER_DIED, "SIGKILL");
      g_assert_cmpint (loky_future_get_worker_pid (running), ==, atoi (worker));
      faults_assert_serves (executor);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
      if (atoi (child) > 1)
        faults_wait_gone (child);
    }
}

/* --- 8: surroundings ------------------------------------------------------------------------------ */

typedef struct
{
  const char *order;
  /* Large values need descriptors, memory and files: without these such a task may fail, but says why, or
   * the worker dies of it and is replaced. */
  gboolean is_crippling;
} Change;

static const Change changes[] = {
  { "chdir", FALSE },
  { "umask", FALSE },
  { "locale", FALSE },
  { "nice", FALSE },
  { "clear-env", FALSE },
  { "block-signals", FALSE },
  { "ignore-signals", FALSE },
  { "handle:return", FALSE },
  { "push-context", FALSE },
  { "leave-source", FALSE },
  { "limit:core", FALSE },
  { "limit:memlock", FALSE },
  { "limit:nproc", FALSE },
  { "limit:sigpending", FALSE },
  { "limit:fsize", TRUE },
  { "limit:nofile", TRUE },
  { "limit:data", TRUE },
  { "limit:as", TRUE },
};

/* Needs more of the process than it may have. */
static gboolean
is_told_as_lack (const GError *error)
{
  return g_error_matches (error, LOKY_ERROR, LOKY_ERROR_RESOURCES) ||
         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_OUT_OF_MEMORY) ||
         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
}

static void
try_task (const Change *change, LokyExecutor *executor, const char *task, GVariant *args)
{
  g_autoptr (LokyFuture) future = faults_submit_task (executor, task, args, NULL);
  g_autoptr (GError) error = NULL;

  faults_watch (future);
  error = faults_end_of (future);
  if (error == NULL)
    return;
  g_test_message ("after %s: %s", change->order, error->message);
  g_assert_true (change->is_crippling);
  g_assert_true (is_told_as_lack (error));
}

/* One that crashes is still told by its name. */
static void
assert_crash_is_told (LokyExecutor *executor)
{
  g_autoptr (LokyFuture) future = faults_submit (executor, "kill", NULL);

  faults_watch (future);
  faults_assert_ends (future, LOKY_ERROR_WORKER_DIED, "SIGKILL");
}

static void
each_change_leaves_a_worker_that_serves (LokyFixture *fixture, gconstpointer data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      LokyExecutor *executor = faults_make_single ();
      g_autofree char *before = loky_fixture_call (executor, "fault.obey", "pid");
      g_autofree char *ok = NULL;
      g_autofree char *after = NULL;

      if (LOKY_HAS_SANITIZER && changes[i].is_crippling)
        {
          g_test_message ("not under a sanitizer, which needs memory and descriptors itself: %s",
                          changes[i].order);
          loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
          continue;
        }
      ok = loky_fixture_call (executor, "fault.obey", changes[i].order);
      after = loky_fixture_call (executor, "fault.obey", "pid");
      g_assert_cmpstr (ok, ==, "ok");
      /* The same worker goes on. */
      g_assert_cmpstr (before, ==, after);
      try_task (&changes[i], executor, "fault.bytes", g_variant_new_uint64 (LARGE_SIZE));
      try_task (&changes[i], executor, "fault.sum", make_bytes (LARGE_SIZE));
      try_task (&changes[i], executor, "fault.buffer-make", g_variant_new_uint64 (LARGE_SIZE));
      faults_assert_serves (executor);
      assert_crash_is_told (executor);
      faults_assert_serves (executor);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

/* Cancelling comes through a doorbell, a relay thread and at last signals: none may be spoilt by what a task
 * did to signals. */
static void
cancelling_works_after_each_change (LokyFixture *fixture, gconstpointer data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      LokyExecutor *executor = NULL;
      g_autoptr (LokyTaskOptions) options
          = g_object_new (LOKY_TYPE_TASK_OPTIONS, "cancel-grace", (gint64) 10000, NULL);
      g_autoptr (LokyFuture) listening = NULL;
      g_autoptr (LokyFuture) deaf = NULL;
      g_autoptr (LokyTaskOptions) stopping = faults_stopping (50);
      g_autoptr (GError) cancelled = NULL;
      g_autoptr (GError) timed_out = NULL;
      g_autofree char *ok = NULL;

      if (changes[i].is_crippling)
        continue;
      executor = faults_make_single ();
      ok = loky_fixture_call (executor, "fault.obey", changes[i].order);
      listening = faults_submit (executor, "cancellable", options);
      faults_watch (listening);
      loky_fixture_wait_running (listening);
      loky_future_cancel (listening);
      cancelled = faults_end_of (listening);
      g_assert_error (cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      deaf = faults_submit (executor, "hang", stopping);
      faults_watch (deaf);
      timed_out = faults_end_of (deaf);
      g_assert_error (timed_out, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
      faults_assert_serves (executor);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

/* Own handlers of SIGSEGV keep libloky from seeing it: of one that returns the task never ends, of one that
 * exits the status is told. */
static void
own_handlers_of_a_crash (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = faults_make_single ();
  g_autoptr (LokyTaskOptions) options = faults_stopping (100);
  g_autofree char *returning G_GNUC_UNUSED = loky_fixture_call (executor, "fault.obey", "handle:return");
  g_autoptr (LokyFuture) endless = faults_submit (executor, "segv", options);
  g_autoptr (LokyFuture) leaving = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *exiting = NULL;

  faults_watch (endless);
  error = faults_end_of (endless);
  g_test_message ("%s", error->message);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  faults_assert_serves (executor);
  exiting = loky_fixture_call (executor, "fault.obey", "handle:exit");
  leaving = faults_submit (executor, "segv", NULL);
  faults_watch (leaving);
  faults_assert_ends (leaving, LOKY_ERROR_WORKER_DIED, "exited with status 9");
  g_assert_cmpint (loky_future_get_exit_status (leaving), ==, 9);
  faults_assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- 9: crashes after the result ------------------------------------------------------------------ */

/* In the frame, in shared memory, in much of it. */
static void
large_result_before_a_crash_stands (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 1, 31, 33, 1000, 20000 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *order = g_strdup_printf ("late-crash-large:%u", sizes[i]);
      g_autoptr (LokyFuture) future = faults_submit (fixture->executor, order, NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = NULL;
      const char *text;
      gsize length;

      faults_watch (future);
      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      result = loky_future_dup_result (future, &error);
      g_assert_no_error (error);
      text = g_variant_get_string (result, &length);
      g_assert_cmpuint (length, ==, sizes[i] * 1024);
      g_assert_cmpuint (strspn (text, "x"), ==, length);
      /* The death that follows takes no other task with it. */
      faults_assert_serves (fixture->executor);
    }
}

/* What a plugin does at the end of its worker changes nothing that was told before, and does not keep the
 * executor: an orderly end runs neither exit handlers nor destructors, and a finish function that hangs is
 * given 5 s. */
static void
result_before_a_bad_end_stands (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *task;
    const char *argument;
  } cases[] = {
    { "finishcrash.trivial", "ok" },     { "finishhang.trivial", "ok" },
    { "destructcrash.trivial", "ok" },   { "fault.obey", "crash-at-exit" },
    { "fault.obey", "hang-at-exit" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      LokyExecutor *executor = faults_make_single ();
      g_autoptr (LokyFuture) future
          = faults_submit_task (executor, cases[i].task, g_variant_new_string (cases[i].argument), NULL);
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GError) error = NULL;

      faults_watch (future);
      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
      result = loky_future_dup_result (future, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "ok");
    }
}

/* Where a task exits by exit(), all of that runs: it is that task's end, and the earlier ones keep theirs. */
static void
bad_exit_costs_the_task_that_exits (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = faults_stopping (200);
  LokyExecutor *executor = faults_make_single ();
  g_autofree char *first G_GNUC_UNUSED = loky_fixture_call (executor, "fault.obey", "crash-at-exit");
  g_autoptr (LokyFuture) crashing = faults_submit (executor, "exit:0", NULL);
  g_autoptr (LokyFuture) unloading = NULL;
  g_autoptr (LokyFuture) hanging = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *second = NULL;
  g_autofree char *third = NULL;

  faults_watch (crashing);
  faults_assert_ends (crashing, LOKY_ERROR_WORKER_DIED, "SIGABRT");
  second = loky_fixture_call (executor, "destructcrash.trivial", "ok");
  unloading = faults_submit (executor, "exit:0", NULL);
  faults_watch (unloading);
  faults_assert_ends (unloading, LOKY_ERROR_WORKER_DIED, "SIGSEGV");
  third = loky_fixture_call (executor, "fault.obey", "hang-at-exit");
  hanging = faults_submit (executor, "exit:0", options);
  faults_watch (hanging);
  error = faults_end_of (hanging);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  faults_assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);
  FAULTS_ADD ("6/child-with-all-descriptors-hides-no-death", child_with_all_descriptors_hides_no_death);
  FAULTS_ADD ("8/each-change-leaves-a-worker-that-serves", each_change_leaves_a_worker_that_serves);
  FAULTS_ADD ("8/cancelling-works-after-each-change", cancelling_works_after_each_change);
  FAULTS_ADD ("8/own-handlers-of-a-crash", own_handlers_of_a_crash);
  FAULTS_ADD ("9/large-result-before-a-crash-stands", large_result_before_a_crash_stands);
  FAULTS_ADD ("9/result-before-a-bad-end-stands", result_before_a_bad_end_stands);
  FAULTS_ADD ("9/bad-exit-costs-the-task-that-exits", bad_exit_costs_the_task_that_exits);
  return g_test_run ();
}
