/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>

static LokyFuture *
submit_with (LokyFixture *fixture, const char *task, GVariant *args, const char *first, ...)
{
  g_autoptr (LokyTaskOptions) options = NULL;
  g_autoptr (GError) error = NULL;
  LokyFuture *future;
  va_list arguments;

  va_start (arguments, first);
  options = LOKY_TASK_OPTIONS (g_object_new_valist (LOKY_TYPE_TASK_OPTIONS, first, arguments));
  va_end (arguments);
  future = loky_executor_submit (fixture->executor, task, args, options, &error);
  g_assert_no_error (error);
  return future;
}

/* Keeps all workers busy. */
static GPtrArray *
occupy (LokyFixture *fixture)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < loky_executor_get_max_workers (fixture->executor); i++)
    {
      LokyFuture *future
          = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (300));

      loky_fixture_wait_running (future);
      g_ptr_array_add (futures, future);
    }
  return futures;
}

static void
pending_task_never_runs (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) busy G_GNUC_UNUSED = occupy (fixture);
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("x"));

  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_PENDING);
  g_assert_true (loky_future_cancel (future));
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_CANCELLED);
  g_assert_cmpuint (loky_future_get_attempts (future), ==, 0);
  /* Again: it is cancelled. */
  g_assert_true (loky_future_cancel (future));
  loky_fixture_assert_fails (future, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
running_task_is_asked_to_stop (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) busy = occupy (fixture);
  guint n_workers = loky_executor_get_n_workers (fixture->executor);

  for (guint i = 0; i < busy->len; i++)
    {
      LokyFuture *future = g_ptr_array_index (busy, i);

      g_assert_true (loky_future_cancel (future));
      loky_fixture_assert_fails (future, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_CANCELLED);
    }
  /* No worker had to die for it. */
  g_assert_cmpuint (loky_executor_get_n_workers (fixture->executor), ==, n_workers);
}

static void
cancellable_of_the_task_is_cancelled (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("cancellable"));

  loky_fixture_wait_running (future);
  g_assert_true (loky_future_cancel (future));
  loky_fixture_assert_fails (future, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  /* Stopped by itself: its worker lives. */
  g_assert_cmpint (loky_future_get_worker_pid (future), ==, 0);
}

static void
deaf_task_is_killed_after_the_grace (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "hang", "hang-hard", "stop" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (LokyFuture) future
          = submit_with (fixture, "fault.obey", g_variant_new_string (orders[i]), "cancel-grace",
                         G_GINT64_CONSTANT (50), NULL);
      g_autofree char *next = NULL;

      loky_fixture_wait_running (future);
      g_assert_true (loky_future_cancel (future));
      loky_fixture_assert_fails (future, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      next = loky_fixture_call (fixture->executor, "fault.obey", "ok");
      g_assert_cmpstr (next, ==, "ok");
    }
}

static void
result_while_cancelling_stands (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("sleep:100"));
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  loky_fixture_wait_running (future);
  g_assert_true (loky_future_cancel (future));
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_CANCELLING);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "ok");
  g_assert_false (loky_future_cancel (future));
}

static void
timeout_stops_the_task (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) gentle = submit_with (fixture, "demo.sleep", g_variant_new_double (300),
                                               "timeout", G_GINT64_CONSTANT (50), NULL);
  g_autoptr (LokyFuture) deaf
      = submit_with (fixture, "fault.obey", g_variant_new_string ("hang-hard"), "timeout",
                     G_GINT64_CONSTANT (50), "cancel-grace", G_GINT64_CONSTANT (50), NULL);
  g_autoptr (LokyFuture) quick
      = submit_with (fixture, "fault.obey", g_variant_new_string ("ok"), "timeout",
                     G_GINT64_CONSTANT (60000), NULL);

  loky_fixture_assert_fails (gentle, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  loky_fixture_assert_fails (deaf, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  g_assert_true (loky_future_wait (quick, -1, NULL, NULL));
  g_assert_cmpint (loky_future_get_state (quick), ==, LOKY_FUTURE_STATE_SUCCEEDED);
}

/* The clock starts with the task, not with its submission. */
static void
timeout_does_not_count_the_queue (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) busy = occupy (fixture);
  g_autoptr (LokyFuture) future = submit_with (fixture, "demo.echo", g_variant_new_string ("x"),
                                               "timeout", G_GINT64_CONSTANT (20), NULL);

  g_assert_false (loky_future_wait (future, 100, NULL, NULL));
  loky_future_cancel (g_ptr_array_index (busy, 0));
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
}

static void
queue_timeout_ends_what_waits (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) busy G_GNUC_UNUSED = occupy (fixture);
  g_autoptr (LokyFuture) future = submit_with (fixture, "demo.echo", g_variant_new_string ("x"),
                                               "queue-timeout", G_GINT64_CONSTANT (20), NULL);

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_QUEUE_TIMED_OUT);
  g_assert_cmpuint (loky_future_get_attempts (future), ==, 0);
}

static void
odd_timeouts_are_harmless (LokyFixture *fixture, gconstpointer data)
{
  static const gint64 timeouts[] = { -1, G_MININT64, G_MAXINT64, G_MAXINT64 / 1000, G_MAXINT };

  for (gsize i = 0; i < G_N_ELEMENTS (timeouts); i++)
    {
      g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = NULL;

      loky_task_options_set_timeout (options, timeouts[i]);
      loky_task_options_set_queue_timeout (options, timeouts[i]);
      loky_task_options_set_cancel_grace (options, timeouts[i]);
      result = loky_executor_call_sync (fixture->executor, "demo.echo", g_variant_new_int32 (1),
                                        options, NULL, &error);
      g_assert_no_error (error);
      g_assert_nonnull (result);
    }
}

static void
lower_priority_number_runs_first (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) busy = NULL;
  g_autoptr (LokyFuture) late = NULL;
  g_autoptr (LokyFuture) early = NULL;

  loky_executor_set_max_workers (fixture->executor, 1);
  busy = occupy (fixture);
  late = submit_with (fixture, "demo.sleep", g_variant_new_double (300), "priority", 10, NULL);
  early = submit_with (fixture, "demo.echo", g_variant_new_string ("x"), "priority", -10, NULL);
  loky_future_cancel (g_ptr_array_index (busy, 0));
  /* Behind the other one it would wait for five minutes. */
  g_assert_true (loky_future_wait (early, -1, NULL, NULL));
  g_assert_cmpint (loky_future_get_state (early), ==, LOKY_FUTURE_STATE_SUCCEEDED);
}

#define N_AHEAD 200
#define N_CANCELLED 130

/* Many short ones are sent ahead, and not all of them at once. Those that the worker has been sent are cancelled
 * before it looks at them: the others reach it all the same. */
static void
cancelled_ahead_of_what_is_held_back (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autofree char *text = NULL;
  int pid;

  loky_executor_set_max_workers (fixture->executor, 1);
  for (guint i = 0; i < 50; i++)
    {
      g_free (text);
      text = loky_fixture_call (fixture->executor, "fault.obey", "pid");
    }
  pid = atoi (text);
  g_assert_cmpint (pid, >, 1);
  g_assert_cmpint (kill (pid, SIGSTOP), ==, 0);
  for (guint i = 0; i < N_AHEAD; i++)
    g_ptr_array_add (futures,
                     loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("pid")));
  for (guint i = 0; i < N_CANCELLED; i++)
    g_assert_true (loky_future_cancel (g_ptr_array_index (futures, i)));
  g_assert_cmpint (kill (pid, SIGCONT), ==, 0);
  for (guint i = N_CANCELLED; i < N_AHEAD; i++)
    {
      LokyFuture *future = g_ptr_array_index (futures, i);
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      result = loky_future_dup_result (future, &error);
      g_assert_no_error (error);
      /* Nobody had to be killed for it. */
      g_assert_cmpstr (g_variant_get_string (result, NULL), ==, text);
    }
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/cancel/pending-task-never-runs", pending_task_never_runs);
  LOKY_FIXTURE_ADD ("/loky/cancel/running-task-is-asked-to-stop", running_task_is_asked_to_stop);
  LOKY_FIXTURE_ADD ("/loky/cancel/cancellable-of-the-task-is-cancelled",
                    cancellable_of_the_task_is_cancelled);
  LOKY_FIXTURE_ADD ("/loky/cancel/deaf-task-is-killed-after-the-grace",
                    deaf_task_is_killed_after_the_grace);
  LOKY_FIXTURE_ADD ("/loky/cancel/result-while-cancelling-stands", result_while_cancelling_stands);
  LOKY_FIXTURE_ADD ("/loky/cancel/timeout-stops-the-task", timeout_stops_the_task);
  LOKY_FIXTURE_ADD ("/loky/cancel/timeout-does-not-count-the-queue",
                    timeout_does_not_count_the_queue);
  LOKY_FIXTURE_ADD ("/loky/cancel/queue-timeout-ends-what-waits", queue_timeout_ends_what_waits);
  LOKY_FIXTURE_ADD ("/loky/cancel/odd-timeouts-are-harmless", odd_timeouts_are_harmless);
  LOKY_FIXTURE_ADD ("/loky/cancel/cancelled-ahead-of-what-is-held-back",
                    cancelled_ahead_of_what_is_held_back);
  LOKY_FIXTURE_ADD ("/loky/cancel/lower-priority-number-runs-first",
                    lower_priority_number_runs_first);
  return g_test_run ();
}
