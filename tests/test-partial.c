/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a task sends before its end, and who gets it. */

#include "fixture.h"

#include <string.h>

#define LIMIT (16u << 20)

static LokyFuture *
submit (LokyExecutor *executor, const char *task, GVariant *args, guint retries)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  g_autoptr (GError) error = NULL;
  LokyFuture *future;

  loky_task_options_set_partial_results (options, TRUE);
  loky_task_options_set_retries (options, retries);
  future = loky_executor_submit (executor, task, args, options, &error);
  g_assert_no_error (error);
  return future;
}

static LokyFuture *
order (LokyFixture *fixture, const char *text)
{
  return submit (fixture->executor, "fault.obey", g_variant_new_string (text), 0);
}

typedef struct
{
  GArray *numbers; /* of guint32 */
  gsize n_bytes;
  guint n_done;
  guint n_after_done;
} Heard;

static void
partial_cb (LokyFuture *future, GVariant *value, gpointer user_data)
{
  Heard *heard = user_data;

  heard->n_after_done += heard->n_done;
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    {
      guint32 number = g_variant_get_uint32 (value);

      g_array_append_val (heard->numbers, number);
    }
  else
    heard->n_bytes += g_variant_get_size (value);
}

static void
done_cb (LokyFuture *future, gpointer user_data)
{
  ((Heard *) user_data)->n_done++;
}

static void
hear (LokyFuture *future, Heard *heard)
{
  heard->numbers = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_signal_connect (future, "partial", G_CALLBACK (partial_cb), heard);
  g_signal_connect (future, "done", G_CALLBACK (done_cb), heard);
}

static gboolean
is_done (gpointer data)
{
  return ((Heard *) data)->n_done > 0;
}

/* From 1 to @n, all before done. */
static void
assert_heard (Heard *heard, guint n)
{
  g_assert_cmpuint (heard->n_done, ==, 1);
  g_assert_cmpuint (heard->n_after_done, ==, 0);
  g_assert_cmpuint (heard->numbers->len, ==, n);
  for (guint i = 0; i < n; i++)
    g_assert_cmpuint (g_array_index (heard->numbers, guint32, i), ==, i + 1);
  g_clear_pointer (&heard->numbers, g_array_unref);
}

static void
assert_next (LokyFuture *future, guint32 number)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = loky_future_next_partial (future, -1, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint32 (value), ==, number);
}

static void
assert_no_more (LokyFuture *future)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_future_next_partial (future, -1, NULL, &error));
  g_assert_no_error (error);
}

static void
all_are_emitted_in_order_before_done (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future =
      submit (fixture->executor, "demo.count", g_variant_new_uint32 (10000), 0);
  Heard heard = { NULL };

  hear (future, &heard);
  loky_fixture_wait_for (is_done, &heard);
  assert_heard (&heard, 10000);
  assert_no_more (future);
}

/* All has come, and the future has ended, before the context is iterated: more than fits into one
 * turn of it. */
static void
all_are_emitted_late_and_still_before_done (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future =
      submit (fixture->executor, "demo.count", g_variant_new_uint32 (20000), 0);
  Heard heard = { NULL };

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  hear (future, &heard);
  loky_fixture_wait_for (is_done, &heard);
  assert_heard (&heard, 20000);
}

/* Nobody but the handler knows it. */
static void
thrown_away_future_is_told (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *future = submit (fixture->executor, "demo.count", g_variant_new_uint32 (100), 0);
  Heard heard = { NULL };

  hear (future, &heard);
  g_object_unref (future);
  loky_fixture_wait_for (is_done, &heard);
  assert_heard (&heard, 100);
}

static void
dropped_future_drops_them (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *future = submit (fixture->executor, "demo.count", g_variant_new_uint32 (100), 0);

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  g_object_add_weak_pointer (G_OBJECT (future), (gpointer *) &future);
  g_object_unref (future);
  while (g_atomic_pointer_get (&future) != NULL)
    g_usleep (100);
}

static void
next_takes_them_without_a_main_loop (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future =
      submit (fixture->executor, "demo.count", g_variant_new_uint32 (1000), 0);
  g_autoptr (GVariant) result = NULL;

  for (guint i = 1; i <= 1000; i++)
    assert_next (future, i);
  assert_no_more (future);
  result = loky_future_dup_result (future, NULL);
  g_assert_cmpuint (g_variant_get_uint32 (result), ==, 1000);
}

/* The task goes on: they come at once, and not with its end. */
static void
they_come_while_the_task_runs (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = order (fixture, "partial-wait:3");
  g_autoptr (GError) error = NULL;

  for (guint i = 1; i <= 3; i++)
    assert_next (future, i);
  g_assert_null (loky_future_next_partial (future, 1, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_null (loky_future_next_partial (future, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_false (loky_future_is_done (future));
  loky_future_cancel (future);
  assert_no_more (future);
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_CANCELLED);
}

static gpointer
cancel_thread (gpointer data)
{
  g_usleep (1000);
  g_cancellable_cancel (data);
  return NULL;
}

static void
wait_can_be_cancelled (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = order (fixture, "partial-wait:0");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("cancel", cancel_thread, cancellable);

  g_assert_null (loky_future_next_partial (future, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_assert_false (loky_future_is_done (future));
  loky_future_cancel (future);
}

static gpointer
taking_thread (gpointer data)
{
  guint n_taken = 0;
  GVariant *value;

  while ((value = loky_future_next_partial (data, -1, NULL, NULL)) != NULL)
    {
      g_variant_unref (value);
      n_taken++;
    }
  return GUINT_TO_POINTER (n_taken);
}

static void
each_goes_to_one_of_many_who_take (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = order (fixture, "partial-threads:500");
  GThread *threads[4];
  guint n_taken = 0;

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("taker", taking_thread, future);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    n_taken += GPOINTER_TO_UINT (g_thread_join (threads[i]));
  g_assert_cmpuint (n_taken, ==, 2000);
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
}

/* By shared memory, in pieces, and in one that is more than all that may be kept. */
static void
large_ones_arrive (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 1, 32768, 32769, 1000000, 5000000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = g_strdup_printf ("partial-bytes:%u", sizes[i]);
      g_autoptr (LokyFuture) future = order (fixture, text);

      for (guint n = 0; n < 3; n++)
        {
          g_autoptr (GVariant) value = loky_future_next_partial (future, -1, NULL, NULL);
          const guint8 *bytes = g_variant_get_data (value);

          g_assert_cmpuint (g_variant_get_size (value), ==, sizes[i]);
          for (guint j = 0; j < sizes[i]; j++)
            if (bytes[j] != (guint8) (7 * j + 3))
              g_assert_cmpuint (bytes[j], ==, (guint8) (7 * j + 3));
        }
      assert_no_more (future);
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
}

static void
one_larger_than_all_goes_alone (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strdup_printf ("partial-bytes:%u", LIMIT + 1);
  g_autoptr (LokyFuture) future = order (fixture, text);
  g_autoptr (GVariant) value = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL);
  value = loky_future_next_partial (future, -1, NULL, NULL);
  g_assert_cmpuint (g_variant_get_size (value), ==, LIMIT + 1);
  assert_no_more (future);
}

/* Who takes nothing keeps the task from sending more, and not from going on. */
static void
what_is_kept_is_bounded (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 0, 1000, 1000000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = g_strdup_printf ("partial-flood:%u", sizes[i]);
      g_autofree char *expected = g_strdup_printf ("%u: ", LIMIT / (sizes[i] + 256 + 2 /* its type */));
      g_autoptr (LokyFuture) future = order (fixture, text);
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      error = loky_future_dup_error (future);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL);
      g_assert_true (g_str_has_prefix (error->message, expected));
    }
}

/* Ten times what may be kept. */
static void
taking_lets_more_come (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) taken = order (fixture, "partial-patient:160");
  g_autoptr (LokyFuture) heard_of = order (fixture, "partial-patient:160");
  Heard heard = { NULL };

  hear (heard_of, &heard);
  for (guint i = 0; i < 160; i++)
    {
      g_autoptr (GVariant) value = loky_future_next_partial (taken, -1, NULL, NULL);

      g_assert_cmpuint (g_variant_get_size (value), ==, 1 << 20);
    }
  assert_no_more (taken);
  loky_fixture_wait_for (is_done, &heard);
  g_assert_cmpuint (heard.n_bytes, ==, 160u << 20);
  assert_heard (&heard, 0);
}

/* Nothing is sent: more than could be kept is no matter. */
static void
nobody_asked (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future =
      loky_executor_submit (fixture->executor, "fault.obey",
                            g_variant_new_string ("partial-patient:100"), NULL, &error);
  g_autoptr (GVariant) result = NULL;
  Heard heard = { NULL };

  g_assert_no_error (error);
  hear (future, &heard);
  loky_fixture_wait_for (is_done, &heard);
  assert_heard (&heard, 0);
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
  g_assert_null (loky_future_next_partial (future, -1, NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  result = loky_executor_call_sync (fixture->executor, "demo.count", g_variant_new_uint32 (10),
                                    NULL, NULL, NULL);
  g_assert_cmpuint (g_variant_get_uint32 (result), ==, 10);
}

static void
call_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError **error = user_data;

  g_assert_null (loky_executor_call_finish (LOKY_EXECUTOR (source), result, error));
}

static gboolean
is_set (gpointer data)
{
  return *(gpointer *) data != NULL;
}

static void
calls_and_maps_refuse (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  g_autoptr (LokyMapOptions) map_options = loky_map_options_new ();
  g_autoptr (GError) error = NULL;

  loky_task_options_set_partial_results (options, TRUE);
  loky_task_options_set_partial_results (LOKY_TASK_OPTIONS (map_options), TRUE);
  g_assert_null (loky_executor_call_sync (fixture->executor, "demo.count", g_variant_new_uint32 (1),
                                          options, NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  loky_executor_call_async (fixture->executor, "demo.count", g_variant_new_uint32 (1), options,
                            NULL, call_cb, &error);
  loky_fixture_wait_for (is_set, &error);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  for (guint chunk_size = 1; chunk_size <= 2; chunk_size++)
    {
      GVariant *items[] = { g_variant_new_uint32 (1), g_variant_new_uint32 (1) };
      g_autoptr (GVariant) array = g_variant_ref_sink (g_variant_new_array (NULL, items, 2));
      g_autoptr (LokyInput) input = loky_input_new_for_array (array);
      g_autoptr (LokyResults) results = NULL;
      g_autoptr (LokyFuture) future = NULL;
      g_autoptr (GError) item_error = NULL;

      loky_map_options_set_chunk_size (map_options, chunk_size);
      results = loky_executor_map (fixture->executor, "demo.count", input, map_options);
      future = loky_results_next (results, NULL, &item_error);
      if (future != NULL)
        item_error = loky_future_dup_error (future);
      g_assert_error (item_error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
    }
}

static void
map_of_a_task_that_sends_works (LokyFixture *fixture, gconstpointer data)
{
  for (guint chunk_size = 1; chunk_size <= 2; chunk_size++)
    {
      GVariant *items[] = { g_variant_new_uint32 (1), g_variant_new_uint32 (2) };
      g_autoptr (GVariant) array = g_variant_ref_sink (g_variant_new_array (NULL, items, 2));
      g_autoptr (LokyMapOptions) options = loky_map_options_new ();
      g_autoptr (LokyInput) input = loky_input_new_for_array (array);
      g_autoptr (LokyResults) results = NULL;

      loky_map_options_set_chunk_size (options, chunk_size);
      results = loky_executor_map (fixture->executor, "demo.count", input, options);
      for (guint i = 1; i <= 2; i++)
        {
          g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
          g_autoptr (GVariant) result = loky_future_dup_result (future, NULL);

          g_assert_cmpuint (g_variant_get_uint32 (result), ==, i);
        }
    }
}

static void
assert_refused (LokyFixture *fixture, const char *task, GVariant *args, GQuark domain, int code)
{
  g_autoptr (LokyFuture) future = submit (fixture->executor, task, args, 0);

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  loky_fixture_assert_fails (future, domain, code);
  assert_no_more (future);
}

static void
what_cannot_be_sent_is_told (LokyFixture *fixture, gconstpointer data)
{
  static const gint64 number = 1;

  assert_refused (fixture, "fault.obey", g_variant_new_string ("partial-handle"), LOKY_ERROR,
                  LOKY_ERROR_INVALID_ARGUMENT);
  assert_refused (fixture, "fault.obey", g_variant_new_string ("partial-nested"), LOKY_ERROR,
                  LOKY_ERROR_INVALID_ARGUMENT);
  assert_refused (fixture, "fault.partial-item", g_variant_new_int64 (number), G_IO_ERROR,
                  G_IO_ERROR_NOT_SUPPORTED);
  assert_refused (fixture, "fault.partial-batch",
                  g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, &number, 1, sizeof number),
                  G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
}

static void
task_that_has_returned_sends_nothing (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyFuture) kept =
      submit (executor, "fault.obey", g_variant_new_string ("partial-keep"), 0);
  g_autoptr (LokyFuture) late = NULL;

  g_assert_true (loky_future_wait (kept, -1, NULL, NULL));
  late = submit (executor, "fault.obey", g_variant_new_string ("partial-late"), 0);
  g_assert_true (loky_future_wait (late, -1, NULL, NULL));
  loky_fixture_assert_fails (late, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  assert_no_more (kept);
  assert_no_more (late);
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
initializer_sends_nothing (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor =
      loky_fixture_make_executor ("max-workers", 1, "initializer", "demo.count", "initializer-args",
                                  g_variant_new_uint32 (1), NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_executor_call_sync (executor, "demo.echo", g_variant_new_uint32 (1), NULL,
                                          NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INITIALIZER);
  g_assert_nonnull (strstr (error->message, "cannot send partial results"));
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
crash_loses_none (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = order (fixture, "partial-die:1000");
  Heard heard = { NULL };

  hear (future, &heard);
  loky_fixture_wait_for (is_done, &heard);
  assert_heard (&heard, 1000);
  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
}

/* What the lost attempt has sent stays, and counts. */
static void
retry_adds_to_them (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future =
      submit (fixture->executor, "fault.obey", g_variant_new_string ("partial-die-once:3"), 1);
  g_autoptr (LokyFuture) full =
      submit (fixture->executor, "fault.obey", g_variant_new_string ("partial-die-once:40000"), 1);

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  for (guint attempt = 0; attempt < 2; attempt++)
    for (guint i = 1; i <= 3; i++)
      assert_next (future, i);
  assert_no_more (future);
  g_assert_true (loky_future_wait (full, -1, NULL, NULL));
  loky_fixture_assert_fails (full, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL);
}

/* Half of it by a handler, the rest by who takes it. */
static void
handler_may_take (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future =
      submit (fixture->executor, "demo.count", g_variant_new_uint32 (4), 0);

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  assert_next (future, 1);
  assert_next (future, 2);
  {
    Heard heard = { NULL };

    hear (future, &heard);
    loky_fixture_wait_for (is_done, &heard);
    g_assert_cmpuint (heard.numbers->len, ==, 2);
    g_assert_cmpuint (g_array_index (heard.numbers, guint32, 0), ==, 3);
    g_array_unref (heard.numbers);
  }
}

static void
serializer_is_used (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor =
      loky_fixture_make_executor ("max-workers", 1, "serializer", "test", NULL);
  g_autoptr (LokyFuture) future =
      submit (executor, "fault.obey", g_variant_new_string ("partial-bytes:100000"), 0);

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = loky_future_next_partial (future, -1, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_size (value), ==, 100000);
    }
  assert_no_more (future);
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/partial/all-are-emitted-in-order-before-done",
                    all_are_emitted_in_order_before_done);
  LOKY_FIXTURE_ADD ("/loky/partial/all-are-emitted-late-and-still-before-done",
                    all_are_emitted_late_and_still_before_done);
  LOKY_FIXTURE_ADD ("/loky/partial/thrown-away-future-is-told", thrown_away_future_is_told);
  LOKY_FIXTURE_ADD ("/loky/partial/dropped-future-drops-them", dropped_future_drops_them);
  LOKY_FIXTURE_ADD ("/loky/partial/next-takes-them-without-a-main-loop",
                    next_takes_them_without_a_main_loop);
  LOKY_FIXTURE_ADD ("/loky/partial/they-come-while-the-task-runs", they_come_while_the_task_runs);
  LOKY_FIXTURE_ADD ("/loky/partial/wait-can-be-cancelled", wait_can_be_cancelled);
  LOKY_FIXTURE_ADD ("/loky/partial/each-goes-to-one-of-many-who-take",
                    each_goes_to_one_of_many_who_take);
  LOKY_FIXTURE_ADD ("/loky/partial/large-ones-arrive", large_ones_arrive);
  LOKY_FIXTURE_ADD ("/loky/partial/one-larger-than-all-goes-alone", one_larger_than_all_goes_alone);
  LOKY_FIXTURE_ADD ("/loky/partial/what-is-kept-is-bounded", what_is_kept_is_bounded);
  LOKY_FIXTURE_ADD ("/loky/partial/taking-lets-more-come", taking_lets_more_come);
  LOKY_FIXTURE_ADD ("/loky/partial/nobody-asked", nobody_asked);
  LOKY_FIXTURE_ADD ("/loky/partial/calls-and-maps-refuse", calls_and_maps_refuse);
  LOKY_FIXTURE_ADD ("/loky/partial/map-of-a-task-that-sends-works", map_of_a_task_that_sends_works);
  LOKY_FIXTURE_ADD ("/loky/partial/what-cannot-be-sent-is-told", what_cannot_be_sent_is_told);
  LOKY_FIXTURE_ADD ("/loky/partial/task-that-has-returned-sends-nothing",
                    task_that_has_returned_sends_nothing);
  LOKY_FIXTURE_ADD ("/loky/partial/initializer-sends-nothing", initializer_sends_nothing);
  LOKY_FIXTURE_ADD ("/loky/partial/crash-loses-none", crash_loses_none);
  LOKY_FIXTURE_ADD ("/loky/partial/retry-adds-to-them", retry_adds_to_them);
  LOKY_FIXTURE_ADD ("/loky/partial/handler-may-take", handler_may_take);
  LOKY_FIXTURE_ADD ("/loky/partial/serializer-is-used", serializer_is_used);

  return g_test_run ();
}
