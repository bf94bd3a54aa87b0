/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waiting for several futures: loky_wait() and loky_as_completed(). */

#include "fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#define N_MANY 200

static LokyFuture *
sleep_for (LokyFixture *fixture, double seconds)
{
  return loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (seconds));
}

static void
clear_all (LokyFuture **futures, gsize n_futures)
{
  for (gsize i = 0; i < n_futures; i++)
    g_clear_object (&futures[i]);
}

static void
wait_until (LokyFuture *const *futures, gsize n_futures, LokyWaitMode mode)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_wait (futures, n_futures, mode, -1, NULL, &error));
  g_assert_no_error (error);
}

static void
first_completed_ends_the_wait (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[] = { sleep_for (fixture, 300), sleep_for (fixture, 0.01) };

  wait_until (futures, 2, LOKY_WAIT_FIRST_COMPLETED);
  g_assert_false (loky_future_is_done (futures[0]));
  g_assert_true (loky_future_is_done (futures[1]));
  /* One has ended already. */
  wait_until (futures, 2, LOKY_WAIT_FIRST_COMPLETED);
  clear_all (futures, 2);
}

/* Pending ones do not count, though they were asked to end: only what has ended does. */
static void
cancelled_counts_as_completed (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[] = { sleep_for (fixture, 300), sleep_for (fixture, 300), sleep_for (fixture, 300) };

  loky_fixture_wait_running (futures[0]);
  g_assert_true (loky_future_cancel (futures[2]));
  wait_until (futures, 3, LOKY_WAIT_FIRST_COMPLETED);
  g_assert_cmpint (loky_future_get_state (futures[2]), ==, LOKY_FUTURE_STATE_CANCELLED);
  g_assert_false (loky_future_is_done (futures[0]));
  clear_all (futures, 3);
}

static void
first_error_ends_the_wait (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[] = {
    sleep_for (fixture, 300),
    loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("x")),
    loky_fixture_submit (fixture->executor, "demo.fail", g_variant_new_string ("x")),
  };

  wait_until (futures, 3, LOKY_WAIT_FIRST_ERROR);
  g_assert_cmpint (loky_future_get_state (futures[2]), ==, LOKY_FUTURE_STATE_FAILED);
  g_assert_false (loky_future_is_done (futures[0]));
  /* One has failed already. */
  wait_until (futures, 3, LOKY_WAIT_FIRST_ERROR);
  clear_all (futures, 3);
}

static void
without_an_error_all_are_waited_for (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[] = {
    loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("x")),
    sleep_for (fixture, 0.03),
    sleep_for (fixture, 300),
  };

  loky_future_cancel (futures[2]);
  wait_until (futures, 3, LOKY_WAIT_FIRST_ERROR);
  for (guint i = 0; i < 3; i++)
    g_assert_true (loky_future_is_done (futures[i]));
  clear_all (futures, 3);
}

static void
all_completed_waits_for_all (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[N_MANY];

  for (guint i = 0; i < N_MANY; i++)
    futures[i] = i % 7 == 3
                     ? loky_fixture_submit (fixture->executor, "demo.fail", g_variant_new_string ("x"))
                     : loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_uint32 (i));
  wait_until (futures, N_MANY, LOKY_WAIT_ALL_COMPLETED);
  for (guint i = 0; i < N_MANY; i++)
    g_assert_true (loky_future_is_done (futures[i]));
  clear_all (futures, N_MANY);
  wait_until (NULL, 0, LOKY_WAIT_FIRST_COMPLETED);
}

static void
wait_can_time_out (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[] = { sleep_for (fixture, 300),
                            loky_fixture_submit (fixture->executor, "demo.echo",
                                                 g_variant_new_string ("x")) };
  const gint64 timeouts[] = { 0, 20 };

  wait_until (&futures[1], 1, LOKY_WAIT_ALL_COMPLETED);
  for (guint i = 0; i < G_N_ELEMENTS (timeouts); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (loky_wait (futures, 2, LOKY_WAIT_ALL_COMPLETED, timeouts[i], NULL, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
      g_assert_false (loky_future_is_done (futures[0]));
      g_assert_true (loky_future_is_done (futures[1]));
    }
  clear_all (futures, 2);
}

static gpointer
cancel_thread (gpointer data)
{
  g_usleep (5000);
  g_cancellable_cancel (data);
  return NULL;
}

static void
wait_can_be_cancelled (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  LokyFuture *future = sleep_for (fixture, 300);
  GThread *thread = g_thread_new ("cancel", cancel_thread, cancellable);

  g_assert_false (loky_wait (&future, 1, LOKY_WAIT_ALL_COMPLETED, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (loky_future_is_done (future));
  g_thread_join (thread);
  g_object_unref (future);
}

static void
futures_of_several_executors_are_mixed (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *other = loky_fixture_make_executor ("max-workers", 1, NULL);
  LokyFuture *futures[] = { sleep_for (fixture, 300),
                            loky_fixture_submit (other, "demo.sleep", g_variant_new_double (0.01)) };

  wait_until (futures, 2, LOKY_WAIT_FIRST_COMPLETED);
  g_assert_true (loky_future_is_done (futures[1]));
  clear_all (futures, 2);
  loky_fixture_end_executor (other, LOKY_SHUTDOWN_DRAIN);
}

/* --- without blocking ------------------------------------------------------------------------- */

typedef struct
{
  guint n_over;
  gboolean is_true;
  LokyFuture *future;
  GError *error;
} Told;

static gboolean
is_over (gpointer data)
{
  return ((Told *) data)->n_over == 1;
}

static void
wait_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Told *told = user_data;

  g_assert_null (source);
  told->n_over++;
  told->is_true = loky_wait_finish (result, &told->error);
}

static void
async_wait_is_told_in_its_context (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[] = { sleep_for (fixture, 0.02), sleep_for (fixture, 0.01) };
  Told told = { 0 };

  loky_wait_async (futures, 2, LOKY_WAIT_ALL_COMPLETED, NULL, wait_cb, &told);
  wait_until (futures, 2, LOKY_WAIT_ALL_COMPLETED);
  g_assert_cmpuint (told.n_over, ==, 0);
  loky_fixture_wait_for (is_over, &told);
  g_assert_true (told.is_true);
  clear_all (futures, 2);
}

static void
async_wait_can_be_cancelled (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  LokyFuture *future = sleep_for (fixture, 300);
  Told told = { 0 };

  loky_wait_async (&future, 1, LOKY_WAIT_FIRST_ERROR, cancellable, wait_cb, &told);
  g_cancellable_cancel (cancellable);
  loky_fixture_wait_for (is_over, &told);
  g_assert_false (told.is_true);
  g_assert_error (told.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (loky_future_is_done (future));
  g_clear_error (&told.error);
  g_object_unref (future);
}

typedef struct
{
  LokyFuture *other;
  LokyCompletions *completions;
  guint n_over;
} Nested;

/* It waits for what ended in the same moment. */
static void
nested_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Nested *nested = user_data;
  g_autoptr (LokyFuture) taken = NULL;

  g_assert_true (loky_wait_finish (result, NULL));
  taken = loky_completions_next (nested->completions, -1, NULL, NULL);
  g_assert_true (taken == nested->other);
  nested->n_over++;
}

static gboolean
shut_down_cb (gpointer user_data)
{
  loky_executor_shutdown_async (user_data, LOKY_SHUTDOWN_KILL, -1, NULL, NULL, NULL);
  return G_SOURCE_REMOVE;
}

static gboolean
is_nested_over (gpointer data)
{
  return ((Nested *) data)->n_over == 1;
}

static void
callback_may_wait_for_the_next (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[] = { sleep_for (fixture, 300), sleep_for (fixture, 300) };
  Nested nested = { .other = futures[1], .completions = loky_as_completed (&futures[1], 1) };
  g_autoptr (GSource) source = g_timeout_source_new (5);

  loky_wait_async (futures, 1, LOKY_WAIT_ALL_COMPLETED, NULL, nested_cb, &nested);
  g_source_set_callback (source, shut_down_cb, fixture->executor, NULL);
  g_source_attach (source, fixture->context);
  loky_fixture_wait_for (is_nested_over, &nested);
  g_object_unref (nested.completions);
  clear_all (futures, 2);
}

/* --- as completed ----------------------------------------------------------------------------- */

static void
all_come_once_in_the_order_of_their_ends (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *slow = sleep_for (fixture, 0.3);
  LokyFuture *fast = sleep_for (fixture, 0.01);
  LokyFuture *early = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("x"));
  LokyFuture *futures[] = { slow, fast, early, fast, slow };
  g_autoptr (LokyCompletions) completions = NULL;
  g_autoptr (GError) error = NULL;
  LokyFuture *expected[3];
  LokyFuture *taken;

  wait_until (&early, 1, LOKY_WAIT_ALL_COMPLETED);
  expected[0] = loky_future_is_done (fast) ? fast : early;
  expected[1] = loky_future_is_done (fast) ? early : fast;
  expected[2] = slow;
  completions = loky_as_completed (futures, G_N_ELEMENTS (futures));
  for (guint i = 0; i < 3; i++)
    {
      taken = loky_completions_next (completions, -1, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (taken == expected[i]);
      g_assert_true (loky_future_is_done (taken));
      g_object_unref (taken);
    }
  g_assert_null (loky_completions_next (completions, -1, NULL, &error));
  g_assert_no_error (error);
  clear_all (futures, 3);
}

static void
no_time_gives_those_that_are_done (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[] = { sleep_for (fixture, 300),
                            loky_fixture_submit (fixture->executor, "demo.echo",
                                                 g_variant_new_string ("x")) };
  g_autoptr (LokyCompletions) completions = NULL;
  g_autoptr (LokyFuture) taken = NULL;
  g_autoptr (GError) error = NULL;

  wait_until (&futures[1], 1, LOKY_WAIT_ALL_COMPLETED);
  completions = loky_as_completed (futures, 2);
  taken = loky_completions_next (completions, 0, NULL, &error);
  g_assert_true (taken == futures[1]);
  g_assert_null (loky_completions_next (completions, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  clear_all (futures, 2);
}

static void
next_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Told *told = user_data;

  told->n_over++;
  told->future = loky_completions_next_finish (LOKY_COMPLETIONS (source), result, &told->error);
}

static void
next_async_gives_the_next (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *future = sleep_for (fixture, 0.01);
  g_autoptr (LokyCompletions) completions = loky_as_completed (&future, 1);
  Told first = { 0 };
  Told second = { 0 };
  Told last = { 0 };

  loky_completions_next_async (completions, NULL, next_cb, &first);
  loky_completions_next_async (completions, NULL, next_cb, &second);
  loky_fixture_wait_for (is_over, &second);
  g_assert_error (second.error, G_IO_ERROR, G_IO_ERROR_PENDING);
  loky_fixture_wait_for (is_over, &first);
  g_assert_no_error (first.error);
  g_assert_true (first.future == future);
  loky_completions_next_async (completions, NULL, next_cb, &last);
  loky_fixture_wait_for (is_over, &last);
  g_assert_no_error (last.error);
  g_assert_null (last.future);
  g_clear_error (&second.error);
  g_object_unref (first.future);
  g_object_unref (future);
}

/* What was not taken, or has yet to end, is let go. */
static void
dropped_completions_leave_nothing (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[N_MANY];
  g_autoptr (LokyCompletions) completions = NULL;

  for (guint i = 0; i < N_MANY; i++)
    futures[i] = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_uint32 (i));
  completions = loky_as_completed (futures, N_MANY);
  g_object_unref (loky_completions_next (completions, -1, NULL, NULL));
  g_clear_object (&completions);
  wait_until (futures, N_MANY, LOKY_WAIT_ALL_COMPLETED);
  for (guint i = 0; i < N_MANY; i++)
    {
      g_object_add_weak_pointer (G_OBJECT (futures[i]), (gpointer *) &futures[i]);
      g_object_unref (futures[i]);
      while (g_atomic_pointer_get (&futures[i]) != NULL)
        g_usleep (100);
    }
}

static gpointer
take_thread (gpointer data)
{
  guint n_taken = 0;

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LokyFuture) future = loky_completions_next (data, -1, NULL, &error);

      g_assert_no_error (error);
      if (future == NULL)
        return GUINT_TO_POINTER (n_taken);
      g_assert_true (loky_future_is_done (future));
      n_taken++;
    }
}

static void
threads_share_completions (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[N_MANY];
  g_autoptr (LokyCompletions) completions = NULL;
  GThread *threads[4];
  guint n_taken = 0;

  for (guint i = 0; i < N_MANY; i++)
    futures[i] = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_uint32 (i));
  completions = loky_as_completed (futures, N_MANY);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("take", take_thread, completions);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    n_taken += GPOINTER_TO_UINT (g_thread_join (threads[i]));
  g_assert_cmpuint (n_taken, ==, N_MANY);
  clear_all (futures, N_MANY);
}

/* Nothing ends there: to wait would be for ever. */
static void
forked_child_is_told (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *future = sleep_for (fixture, 300);
  g_autoptr (LokyCompletions) completions = loky_as_completed (&future, 1);
  int status;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      g_autoptr (GError) first = NULL;
      g_autoptr (GError) second = NULL;
      gboolean is_right
          = !loky_wait (&future, 1, LOKY_WAIT_ALL_COMPLETED, -1, NULL, &first) &&
            g_error_matches (first, LOKY_ERROR, LOKY_ERROR_FORKED) &&
            loky_completions_next (completions, -1, NULL, &second) == NULL &&
            g_error_matches (second, LOKY_ERROR, LOKY_ERROR_FORKED);

      _exit (is_right ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  g_object_unref (future);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/wait/first-completed", first_completed_ends_the_wait);
  LOKY_FIXTURE_ADD ("/loky/wait/cancelled-counts-as-completed", cancelled_counts_as_completed);
  LOKY_FIXTURE_ADD ("/loky/wait/first-error", first_error_ends_the_wait);
  LOKY_FIXTURE_ADD ("/loky/wait/without-an-error-all", without_an_error_all_are_waited_for);
  LOKY_FIXTURE_ADD ("/loky/wait/all-completed", all_completed_waits_for_all);
  LOKY_FIXTURE_ADD ("/loky/wait/can-time-out", wait_can_time_out);
  LOKY_FIXTURE_ADD ("/loky/wait/can-be-cancelled", wait_can_be_cancelled);
  LOKY_FIXTURE_ADD ("/loky/wait/several-executors", futures_of_several_executors_are_mixed);
  LOKY_FIXTURE_ADD ("/loky/wait/async-is-told-in-its-context", async_wait_is_told_in_its_context);
  LOKY_FIXTURE_ADD ("/loky/wait/async-can-be-cancelled", async_wait_can_be_cancelled);
  LOKY_FIXTURE_ADD ("/loky/wait/callback-may-wait", callback_may_wait_for_the_next);
  LOKY_FIXTURE_ADD ("/loky/completions/once-in-the-order-of-their-ends",
                    all_come_once_in_the_order_of_their_ends);
  LOKY_FIXTURE_ADD ("/loky/completions/no-time-gives-those-that-are-done",
                    no_time_gives_those_that_are_done);
  LOKY_FIXTURE_ADD ("/loky/completions/next-async", next_async_gives_the_next);
  LOKY_FIXTURE_ADD ("/loky/completions/dropped-leave-nothing", dropped_completions_leave_nothing);
  LOKY_FIXTURE_ADD ("/loky/completions/shared-by-threads", threads_share_completions);
  LOKY_FIXTURE_ADD ("/loky/completions/forked-child-is-told", forked_child_is_told);

  return g_test_run ();
}
