/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>

#define N_ITEMS 5000

static LokyMapOptions *
make_options (gboolean ordered, guint window)
{
  return g_object_new (LOKY_TYPE_MAP_OPTIONS, "ordered", ordered, "window", window, NULL);
}

typedef struct
{
  guint32 next;
  guint32 end;
  guint asked;
  guint most_ahead; /* of what was taken */
  guint32 n_taken;
} Counter;

static gboolean
count_up (LokyInput *input, gpointer user_data, GError **error)
{
  Counter *counter = user_data;

  counter->asked++;
  if (counter->next == counter->end)
    loky_input_end (input);
  else
    loky_input_push (input, g_variant_new_uint32 (counter->next++));
  counter->most_ahead = MAX (counter->most_ahead, counter->next - counter->n_taken);
  return TRUE;
}

static gboolean
never (LokyInput *input, gpointer user_data, GError **error)
{
  return TRUE;
}

static void
results_come_in_order (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyMapOptions) options = make_options (TRUE, 100);
  Counter counter = { .end = N_ITEMS };
  g_autoptr (LokyInput) input = loky_input_new (count_up, &counter, NULL);
  g_autoptr (LokyResults) results
      = loky_executor_map (fixture->executor, "demo.echo", input, options);
  g_autoptr (GError) error = NULL;
  guint32 expected = 0;
  LokyFuture *future;

  /* Nothing is taken from the input before it is needed. */
  g_assert_cmpuint (counter.asked, ==, 0);
  while ((future = loky_results_next (results, NULL, &error)) != NULL)
    {
      g_autoptr (GVariant) result = loky_future_dup_result (future, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint32 (result), ==, expected);
      g_assert_cmpuint (loky_results_get_index (results), ==, expected);
      counter.n_taken = ++expected;
      g_object_unref (future);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (expected, ==, N_ITEMS);
  /* The window holds. */
  g_assert_cmpuint (counter.most_ahead, <=, 101);
  g_assert_null (loky_results_next (results, NULL, &error));
  g_assert_no_error (error);
}

static void
unordered_gives_each_once (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyMapOptions) options = make_options (FALSE, 0);
  Counter counter = { .end = N_ITEMS };
  g_autoptr (LokyInput) input = loky_input_new (count_up, &counter, NULL);
  g_autoptr (LokyResults) results
      = loky_executor_map (fixture->executor, "demo.echo", input, options);
  g_autofree guint8 *seen = g_new0 (guint8, N_ITEMS);
  g_autoptr (GError) error = NULL;
  LokyFuture *future;

  while ((future = loky_results_next (results, NULL, &error)) != NULL)
    {
      g_autoptr (GVariant) result = loky_future_dup_result (future, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint32 (result), ==, loky_results_get_index (results));
      g_assert_cmpuint (seen[loky_results_get_index (results)]++, ==, 0);
      g_object_unref (future);
    }
  g_assert_no_error (error);
  for (guint i = 0; i < N_ITEMS; i++)
    g_assert_cmpuint (seen[i], ==, 1);
}

/* The second one is ready long before the first. */
static void
unordered_does_not_wait (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyMapOptions) options = make_options (FALSE, 0);
  static const double times[] = { 300, 0.001 };
  g_autoptr (LokyInput) input = loky_input_new_for_array (
      g_variant_new_fixed_array (G_VARIANT_TYPE_DOUBLE, times, G_N_ELEMENTS (times), sizeof (double)));
  g_autoptr (LokyResults) results
      = loky_executor_map (fixture->executor, "demo.sleep", input, options);
  g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);

  g_assert_nonnull (future);
  g_assert_cmpuint (loky_results_get_index (results), ==, 1);
}

static void
errors_come_at_their_place (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[]
      = { "ok", "io-error:first", "ok", "segv", "null", "ok", "kill", "ok", NULL };
  g_autoptr (LokyInput) input = loky_input_new_for_strv (orders);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "fault.obey", input, NULL);
  guint n_results = 0;
  LokyFuture *future;

  while ((future = loky_results_next (results, NULL, NULL)) != NULL)
    {
      g_autoptr (GError) error = loky_future_dup_error (future);

      g_assert_true ((strcmp (orders[n_results++], "ok") == 0) == (error == NULL));
      g_object_unref (future);
    }
  g_assert_cmpuint (n_results, ==, 8);
}

static gboolean
fail_at_three (LokyInput *input, gpointer user_data, GError **error)
{
  guint *count = user_data;

  if ((*count)++ < 3)
    {
      loky_input_push (input, g_variant_new_uint32 (*count));
      return TRUE;
    }
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_IO, "no more");
  return FALSE;
}

static void
failing_input_fails_last (LokyFixture *fixture, gconstpointer data)
{
  guint count = 0;
  g_autoptr (LokyInput) input = loky_input_new (fail_at_three, &count, NULL);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
  g_assert_null (loky_results_next (results, NULL, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_IO);
}

/* A reference to a buffer that is not there: only that item fails. */
static void
bad_item_fails_alone (LokyFixture *fixture, gconstpointer data)
{
  GVariantBuilder builder;
  g_autoptr (LokyInput) input = NULL;
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (LokyFuture) bad = NULL;
  g_autoptr (LokyFuture) good = NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  g_variant_builder_add (&builder, "v", g_variant_new_handle (12345));
  g_variant_builder_add (&builder, "v", g_variant_new_string ("x"));
  input = loky_input_new_for_array (g_variant_builder_end (&builder));
  results = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  bad = loky_results_next (results, NULL, NULL);
  loky_fixture_assert_fails (bad, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  good = loky_results_next (results, NULL, NULL);
  g_assert_cmpint (loky_future_get_state (good), ==, LOKY_FUTURE_STATE_SUCCEEDED);
}

typedef struct
{
  LokyResults *results;
  guint n_results;
  gboolean is_over;
} AsyncMap;

static void
next_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  AsyncMap *map = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = loky_results_next_finish (map->results, result, &error);

  g_assert_no_error (error);
  if (future == NULL)
    {
      map->is_over = TRUE;
      return;
    }
  g_assert_cmpuint (loky_results_get_index (map->results), ==, map->n_results);
  map->n_results++;
  loky_results_next_async (map->results, NULL, next_cb, map);
}

static gboolean
map_is_over (gpointer data)
{
  return ((AsyncMap *) data)->is_over;
}

static void
async_results_come_in_order (LokyFixture *fixture, gconstpointer data)
{
  Counter counter = { .end = N_ITEMS };
  g_autoptr (LokyInput) input = loky_input_new (count_up, &counter, NULL);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  AsyncMap map = { .results = results };

  loky_results_next_async (results, NULL, next_cb, &map);
  loky_fixture_wait_for (map_is_over, &map);
  g_assert_cmpuint (map.n_results, ==, N_ITEMS);
}

typedef struct
{
  LokyResults *other;
  guint n_told;
} Nested;

/* It waits for what ended in the same moment. */
static void
nested_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Nested *nested = user_data;
  g_autoptr (LokyFuture) own = loky_results_next_finish (LOKY_RESULTS (source), result, NULL);
  g_autoptr (LokyFuture) other = loky_results_next (nested->other, NULL, NULL);

  g_assert_true (loky_future_is_done (own));
  g_assert_true (loky_future_is_done (other));
  nested->n_told++;
}

static void
cancelled_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_results_next_finish (LOKY_RESULTS (source), result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static gboolean
shut_down_cb (gpointer user_data)
{
  loky_executor_shutdown_async (user_data, LOKY_SHUTDOWN_KILL, -1, NULL, NULL, NULL);
  return G_SOURCE_REMOVE;
}

static gboolean
is_told (gpointer data)
{
  return ((Nested *) data)->n_told == 1;
}

static LokyResults *
map_one_sleep (LokyFixture *fixture)
{
  g_autoptr (LokyInput) input = loky_input_new_for_array (g_variant_new_parsed ("[300.0]"));

  return loky_executor_map (fixture->executor, "demo.sleep", input, NULL);
}

static void
callback_may_wait_for_another_map (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (LokyResults) results = map_one_sleep (fixture);
  g_autoptr (LokyResults) other = map_one_sleep (fixture);
  Nested nested = { .other = other };
  g_autoptr (GSource) source = g_timeout_source_new (5);

  loky_results_next_async (results, NULL, nested_cb, &nested);
  /* It has been begun, too, and nobody waits for it. */
  loky_results_next_async (other, cancellable, cancelled_cb, NULL);
  g_cancellable_cancel (cancellable);
  g_source_set_callback (source, shut_down_cb, fixture->executor, NULL);
  g_source_attach (source, fixture->context);
  loky_fixture_wait_for (is_told, &nested);
}

static gboolean
nothing_now (LokyInput *input, gpointer user_data, GError **error)
{
  (*(guint *) user_data)++;
  return TRUE;
}

typedef struct
{
  LokyInput *input;
  guint n_left;
} Pusher;

static gboolean
push_cb (gpointer user_data)
{
  Pusher *pusher = user_data;

  if (pusher->n_left-- == 0)
    {
      loky_input_end (pusher->input);
      return G_SOURCE_REMOVE;
    }
  loky_input_push (pusher->input, g_variant_new_uint32 (pusher->n_left));
  return G_SOURCE_CONTINUE;
}

/* Items come later, from the main loop, one at a time. */
static void
pushed_items_are_mapped (LokyFixture *fixture, gconstpointer data)
{
  guint asked = 0;
  g_autoptr (LokyInput) input = loky_input_new (nothing_now, &asked, NULL);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  AsyncMap map = { .results = results };
  Pusher pusher = { .input = input, .n_left = 50 };
  g_autoptr (GSource) source = g_timeout_source_new (1);

  g_source_set_callback (source, push_cb, &pusher, NULL);
  g_source_attach (source, fixture->context);
  loky_results_next_async (results, NULL, next_cb, &map);
  loky_fixture_wait_for (map_is_over, &map);
  g_assert_cmpuint (map.n_results, ==, 50);
  /* Asked again only after a push. */
  g_assert_cmpuint (asked, <=, 51);
}

static gpointer
push_thread (gpointer data)
{
  LokyInput *input = data;

  for (guint32 i = 0; i < 1000; i++)
    loky_input_push (input, g_variant_new_uint32 (i));
  loky_input_end (input);
  return NULL;
}

static void
another_thread_may_push (LokyFixture *fixture, gconstpointer data)
{
  guint asked = 0;
  g_autoptr (LokyInput) input = loky_input_new (nothing_now, &asked, NULL);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  GThread *thread = g_thread_new ("pusher", push_thread, input);
  guint32 n_results = 0;
  LokyFuture *future;

  while ((future = loky_results_next (results, NULL, NULL)) != NULL)
    {
      g_autoptr (GVariant) result = loky_future_dup_result (future, NULL);

      g_assert_cmpuint (g_variant_get_uint32 (result), ==, n_results);
      n_results++;
      g_object_unref (future);
    }
  g_thread_join (thread);
  g_assert_cmpuint (n_results, ==, 1000);
}

static void
dropped_results_cancel (LokyFixture *fixture, gconstpointer data)
{
  static const double times[] = { 0.001, 300, 300, 300, 300, 300, 300, 300 };
  g_autoptr (LokyInput) input = loky_input_new_for_array (
      g_variant_new_fixed_array (G_VARIANT_TYPE_DOUBLE, times, G_N_ELEMENTS (times), sizeof (double)));
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.sleep", input, NULL);
  g_autoptr (LokyFuture) first = loky_results_next (results, NULL, NULL);

  g_assert_cmpint (loky_future_get_state (first), ==, LOKY_FUTURE_STATE_SUCCEEDED);
  g_clear_object (&results);
  /* Otherwise this would take five minutes. */
  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_DRAIN);
}

static void
cancelled_map_ends (LokyFixture *fixture, gconstpointer data)
{
  Counter counter = { .end = G_MAXUINT32 };
  g_autoptr (LokyInput) input = loky_input_new (count_up, &counter, NULL);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  LokyFuture *future;
  guint n_results = 0;

  while ((future = loky_results_next (results, NULL, NULL)) != NULL)
    {
      if (++n_results == 10)
        loky_results_cancel (results);
      g_object_unref (future);
    }
  g_assert_cmpuint (n_results, >=, 10);
}

static void
shutdown_ends_a_map (LokyFixture *fixture, gconstpointer data)
{
  Counter counter = { .end = G_MAXUINT32 };
  g_autoptr (LokyInput) input = loky_input_new (count_up, &counter, NULL);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  g_autoptr (LokyFuture) first G_GNUC_UNUSED = loky_results_next (results, NULL, NULL);
  g_autoptr (GError) error = NULL;
  LokyFuture *future;

  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_DRAIN);
  while ((future = loky_results_next (results, NULL, &error)) != NULL)
    {
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
      g_object_unref (future);
    }
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
}

static void
input_serves_one_map (LokyFixture *fixture, gconstpointer data)
{
  static const char *const items[] = { "a", NULL };
  g_autoptr (LokyInput) input = loky_input_new_for_strv (items);
  g_autoptr (LokyResults) first = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  g_autoptr (LokyResults) second = loky_executor_map (fixture->executor, "demo.echo", input, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = NULL;

  g_assert_null (loky_results_next (second, NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  future = loky_results_next (first, NULL, NULL);
  g_assert_nonnull (future);
}

/* --- the time of all ------------------------------------------------------------------------------ */

static LokyResults *
map_too_slowly (LokyExecutor *executor, gboolean ordered)
{
  g_autoptr (LokyMapOptions) options = make_options (ordered, 0);
  const char *values = "[0.0, 300.0, 300.0, 300.0, 0.0]";
  g_autoptr (LokyInput) input = loky_input_new_for_array (g_variant_new_parsed (values));

  loky_map_options_set_total_timeout (options, 500);
  loky_task_options_set_cancel_grace (LOKY_TASK_OPTIONS (options), 0);
  return loky_executor_map (executor, "demo.sleep", input, options);
}

static gboolean
has_succeeded (LokyFuture *future)
{
  g_autoptr (GError) error = loky_future_dup_error (future);

  if (error != NULL)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  return error == NULL;
}

static void
map_over_its_time_ends (LokyFixture *fixture, gconstpointer data)
{
  for (guint ordered = 0; ordered < 2; ordered++)
    {
      g_autoptr (LokyResults) results = map_too_slowly (fixture->executor, ordered);
      g_autoptr (GError) error = NULL;
      guint n_succeeded = 0, n_results = 0;
      LokyFuture *future;

      while ((future = loky_results_next (results, NULL, &error)) != NULL)
        {
          n_succeeded += has_succeeded (future);
          n_results++;
          g_object_unref (future);
        }
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
      g_assert_cmpuint (n_results, ==, 5);
      g_assert_cmpuint (n_succeeded, >=, 1);
      g_assert_cmpuint (n_succeeded, <=, 2);
      g_clear_error (&error);
      g_assert_null (loky_results_next (results, NULL, &error));
      g_assert_no_error (error);
    }
}

typedef struct
{
  guint n_results;
  GError *error;
  gboolean is_over;
} Told;

static void
told_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Told *told = user_data;
  g_autoptr (LokyFuture) future = loky_results_next_finish (LOKY_RESULTS (source), result, &told->error);

  told->is_over = future == NULL;
  if (told->is_over)
    return;
  told->n_results++;
  loky_results_next_async (LOKY_RESULTS (source), NULL, told_cb, told);
}

static gboolean
is_over (gpointer data)
{
  return ((Told *) data)->is_over;
}

static void
async_map_over_its_time_ends (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyResults) results = map_too_slowly (fixture->executor, TRUE);
  Told told = { 0 };

  loky_results_next_async (results, NULL, told_cb, &told);
  loky_fixture_wait_for (is_over, &told);
  g_assert_error (told.error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  g_assert_cmpuint (told.n_results, ==, 5);
  g_clear_error (&told.error);
}

/* Nothing comes from the input, and nobody would say that nothing will. */
static void
waiting_for_input_counts (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyMapOptions) options = make_options (TRUE, 0);
  g_autoptr (LokyInput) input = loky_input_new (never, NULL, NULL);
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (GError) error = NULL;

  loky_map_options_set_total_timeout (options, 20);
  results = loky_executor_map (fixture->executor, "demo.echo", input, options);
  g_assert_null (loky_results_next (results, NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
}

static void
map_within_its_time_is_whole (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyMapOptions) options = make_options (TRUE, 0);
  Counter counter = { .end = 100 };
  g_autoptr (LokyInput) input = loky_input_new (count_up, &counter, NULL);
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (GError) error = NULL;
  LokyFuture *future;
  guint n_results = 0;

  loky_map_options_set_total_timeout (options, G_MAXINT64);
  results = loky_executor_map (fixture->executor, "demo.echo", input, options);
  while ((future = loky_results_next (results, NULL, &error)) != NULL)
    {
      g_assert_true (has_succeeded (future));
      n_results++;
      g_object_unref (future);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n_results, ==, 100);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/map/results-come-in-order", results_come_in_order);
  LOKY_FIXTURE_ADD ("/loky/map/unordered-gives-each-once", unordered_gives_each_once);
  LOKY_FIXTURE_ADD ("/loky/map/unordered-does-not-wait", unordered_does_not_wait);
  LOKY_FIXTURE_ADD ("/loky/map/errors-come-at-their-place", errors_come_at_their_place);
  LOKY_FIXTURE_ADD ("/loky/map/failing-input-fails-last", failing_input_fails_last);
  LOKY_FIXTURE_ADD ("/loky/map/bad-item-fails-alone", bad_item_fails_alone);
  LOKY_FIXTURE_ADD ("/loky/map/async-results-come-in-order", async_results_come_in_order);
  LOKY_FIXTURE_ADD ("/loky/map/callback-may-wait", callback_may_wait_for_another_map);
  LOKY_FIXTURE_ADD ("/loky/map/pushed-items-are-mapped", pushed_items_are_mapped);
  LOKY_FIXTURE_ADD ("/loky/map/another-thread-may-push", another_thread_may_push);
  LOKY_FIXTURE_ADD ("/loky/map/dropped-results-cancel", dropped_results_cancel);
  LOKY_FIXTURE_ADD ("/loky/map/cancelled-map-ends", cancelled_map_ends);
  LOKY_FIXTURE_ADD ("/loky/map/shutdown-ends-a-map", shutdown_ends_a_map);
  LOKY_FIXTURE_ADD ("/loky/map/input-serves-one-map", input_serves_one_map);
  LOKY_FIXTURE_ADD ("/loky/map/total-timeout", map_over_its_time_ends);
  LOKY_FIXTURE_ADD ("/loky/map/async-total-timeout", async_map_over_its_time_ends);
  LOKY_FIXTURE_ADD ("/loky/map/total-timeout-without-input", waiting_for_input_counts);
  LOKY_FIXTURE_ADD ("/loky/map/within-its-time", map_within_its_time_is_whole);
  return g_test_run ();
}
