/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>

static void
done_cb (LokyFuture *future, gpointer user_data)
{
  guint *count = user_data;

  g_assert_true (loky_future_is_done (future));
  (*count)++;
}

static gboolean
is_one (gpointer data)
{
  return *(guint *) data == 1;
}

static void
done_is_emitted_once_in_its_context (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("x"));
  guint count = 0;

  g_signal_connect (future, "done", G_CALLBACK (done_cb), &count);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  /* It ended while nobody iterated the context. */
  g_assert_cmpuint (count, ==, 0);
  loky_fixture_wait_for (is_one, &count);
  while (g_main_context_iteration (fixture->context, FALSE))
    ;
  g_assert_cmpuint (count, ==, 1);
}

/* The handler is connected after the end, but before the context is iterated. */
static void
late_handler_misses_nothing (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("x"));
  guint count = 0;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  g_signal_connect (future, "done", G_CALLBACK (done_cb), &count);
  loky_fixture_wait_for (is_one, &count);
}

/* Nobody but the handler knows it. */
static void
thrown_away_future_is_told (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *future = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (0.02));
  guint count = 0;

  g_signal_connect (future, "done", G_CALLBACK (done_cb), &count);
  g_object_unref (future);
  loky_fixture_wait_for (is_one, &count);
}

static void
unheard_futures_leave_nothing (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *last = NULL;

  for (guint i = 0; i < 1000; i++)
    {
      g_clear_object (&last);
      last = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_uint32 (i));
    }
  g_assert_true (loky_future_wait (last, -1, NULL, NULL));
  g_object_add_weak_pointer (G_OBJECT (last), (gpointer *) &last);
  /* The pool lets go of it right after the end. */
  g_object_unref (last);
  while (g_atomic_pointer_get (&last) != NULL)
    g_usleep (100);
}

static gboolean
wait_ends (LokyFuture *future, gint64 timeout, int code)
{
  g_autoptr (GError) error = NULL;
  gboolean ended = loky_future_wait (future, timeout, NULL, &error);

  if (!ended)
    g_assert_error (error, G_IO_ERROR, code);
  return ended;
}

static void
wait_can_time_out (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (300));

  g_assert_false (wait_ends (future, 0, G_IO_ERROR_TIMED_OUT));
  g_assert_false (wait_ends (future, 10, G_IO_ERROR_TIMED_OUT));
  g_assert_false (loky_future_is_done (future));
}

static void
result_before_the_end_is_pending (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (300));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_future_dup_result (future, &error);

  g_assert_null (result);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_assert_null (loky_future_dup_error (future));
}

static void
states_are_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) running
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (300));
  g_autoptr (LokyFuture) failed
      = loky_fixture_submit (fixture->executor, "demo.fail", g_variant_new_string ("x"));
  g_autofree char *task = NULL;
  LokyFutureState state;

  loky_fixture_wait_running (running);
  g_assert_cmpint (loky_future_get_state (running), ==, LOKY_FUTURE_STATE_RUNNING);
  loky_future_cancel (running);
  g_assert_true (loky_future_wait (running, -1, NULL, NULL));
  g_assert_cmpint (loky_future_get_state (running), ==, LOKY_FUTURE_STATE_CANCELLED);
  g_assert_true (loky_future_wait (failed, -1, NULL, NULL));
  g_object_get (failed, "state", &state, "task", &task, NULL);
  g_assert_cmpint (state, ==, LOKY_FUTURE_STATE_FAILED);
  g_assert_cmpstr (task, ==, "demo.fail");
}

typedef struct
{
  guint n_over;
  GError *error;
} Wait;

static void
wait_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Wait *wait = user_data;

  g_clear_error (&wait->error);
  loky_future_wait_finish (LOKY_FUTURE (source), result, &wait->error);
  wait->n_over++;
}

static gboolean
is_over (gpointer data)
{
  return ((Wait *) data)->n_over > 0;
}

static void
async_wait_ends_with_the_future (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.fail", g_variant_new_string ("x"));
  Wait wait = { 0 };

  loky_future_wait_async (future, NULL, wait_cb, &wait);
  loky_fixture_wait_for (is_over, &wait);
  /* That the task failed is not an error of the wait. */
  g_assert_no_error (wait.error);
  wait.n_over = 0;
  loky_future_wait_async (future, NULL, wait_cb, &wait);
  g_assert_cmpuint (wait.n_over, ==, 0);
  loky_fixture_wait_for (is_over, &wait);
}

static void
cancelled_wait_leaves_the_task (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (300));
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Wait wait = { 0 };

  loky_future_wait_async (future, cancellable, wait_cb, &wait);
  g_cancellable_cancel (cancellable);
  loky_fixture_wait_for (is_over, &wait);
  g_assert_error (wait.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&wait.error);
  g_assert_false (loky_future_is_done (future));
  g_assert_false (loky_future_wait (future, -1, cancellable, NULL));
}

static void
progress_cb (GObject *object, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
progress_is_notified (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = loky_fixture_submit (fixture->executor, "fault.obey",
                                                       g_variant_new_string ("progress:1000000"));
  guint n_notified = 0;
  guint n_done = 0;

  g_signal_connect (future, "notify::progress", G_CALLBACK (progress_cb), &n_notified);
  g_signal_connect (future, "done", G_CALLBACK (done_cb), &n_done);
  loky_fixture_wait_for (is_one, &n_done);
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
  g_assert_cmpuint (n_notified, >, 0);
  g_assert_cmpuint (n_notified, <, 10000);
  g_assert_cmpfloat (loky_future_get_progress (future), ==, 1.0);
}

/* The context goes while its future is still to be told. */
static void
context_may_go_first (LokyFixture *fixture, gconstpointer data)
{
  GMainContext *context = g_main_context_new ();
  g_autoptr (LokyFuture) future = NULL;
  guint count = 0;

  g_main_context_push_thread_default (context);
  future = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("x"));
  g_main_context_pop_thread_default (context);
  g_signal_connect (future, "done", G_CALLBACK (done_cb), &count);
  g_main_context_unref (context);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  g_assert_cmpuint (count, ==, 0);
}

static void
future_outlives_its_executor (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (0.05));
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  g_clear_object (&fixture->executor);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (g_variant_get_double (result), ==, 0.05);
  /* The monitor lets the workers leave, and ends. */
  while (loky_fixture_count_fds () > fixture->n_fds + 1)
    g_usleep (1000);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/future/done-is-emitted-once-in-its-context",
                    done_is_emitted_once_in_its_context);
  LOKY_FIXTURE_ADD ("/loky/future/late-handler-misses-nothing", late_handler_misses_nothing);
  LOKY_FIXTURE_ADD ("/loky/future/thrown-away-future-is-told", thrown_away_future_is_told);
  LOKY_FIXTURE_ADD ("/loky/future/unheard-futures-leave-nothing", unheard_futures_leave_nothing);
  LOKY_FIXTURE_ADD ("/loky/future/wait-can-time-out", wait_can_time_out);
  LOKY_FIXTURE_ADD ("/loky/future/result-before-the-end-is-pending",
                    result_before_the_end_is_pending);
  LOKY_FIXTURE_ADD ("/loky/future/states-are-told", states_are_told);
  LOKY_FIXTURE_ADD ("/loky/future/async-wait-ends-with-the-future",
                    async_wait_ends_with_the_future);
  LOKY_FIXTURE_ADD ("/loky/future/cancelled-wait-leaves-the-task", cancelled_wait_leaves_the_task);
  LOKY_FIXTURE_ADD ("/loky/future/progress-is-notified", progress_is_notified);
  LOKY_FIXTURE_ADD ("/loky/future/context-may-go-first", context_may_go_first);
  LOKY_FIXTURE_ADD ("/loky/future/future-outlives-its-executor", future_outlives_its_executor);
  return g_test_run ();
}
