/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Maps that submit their items in chunks: what comes is what comes without. */

#include "fixture.h"

#include <signal.h>
#include <string.h>

#define N_ITEMS 3000

static LokyMapOptions *
make_options (guint chunk_size, gboolean ordered, guint window)
{
  return g_object_new (LOKY_TYPE_MAP_OPTIONS, "chunk-size", chunk_size, "ordered", ordered, "window", window,
                       NULL);
}

static LokyResults *
map_chunks (LokyFixture *fixture, const char *task, LokyInput *input, guint chunk_size)
{
  g_autoptr (LokyMapOptions) options = make_options (chunk_size, TRUE, 0);

  return loky_executor_map (fixture->executor, task, input, options);
}

static LokyResults *
map_strings (LokyFixture *fixture, const char *task, const char *const *strings, guint chunk_size)
{
  g_autoptr (LokyInput) input = loky_input_new_for_strv (strings);

  return map_chunks (fixture, task, input, chunk_size);
}

static GVariant *
make_numbers (guint n)
{
  g_autofree gint64 *numbers = g_new (gint64, n);

  for (guint i = 0; i < n; i++)
    numbers[i] = i;
  return g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, numbers, n, sizeof *numbers);
}

static void
assert_end (LokyResults *results)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_results_next (results, NULL, &error));
  g_assert_no_error (error);
  g_assert_null (loky_results_next_chunk (results, NULL, &error));
  g_assert_no_error (error);
}

/* --- kinds, sizes, orders ------------------------------------------------------------------------- */

typedef struct
{
  const char *task;
  gint64 factor;
  gboolean is_squared;
} Kind;

static const Kind kinds[] = {
  { "demo.echo", 1, FALSE },
  { "fault.square", 1, TRUE },
  { "fault.negate", -1, FALSE },
};

static gint64
get_expected (const Kind *kind, guint64 index)
{
  return kind->is_squared ? (gint64) (index * index) : kind->factor * (gint64) index;
}

static void
check_number (const Kind *kind, gboolean ordered, guint8 *seen, guint n_before, guint64 index, gint64 number)
{
  if (ordered)
    g_assert_cmpuint (index, ==, n_before);
  g_assert_cmpuint (seen[index]++, ==, 0);
  g_assert_cmpint (number, ==, get_expected (kind, index));
}

/* Every third time a single result is taken in between. */
static void
take_all (LokyResults *results, const Kind *kind, gboolean ordered, gboolean in_chunks)
{
  g_autofree guint8 *seen = g_new0 (guint8, N_ITEMS);
  g_autoptr (GError) error = NULL;
  guint n = 0;

  for (guint turn = 0; n < N_ITEMS; turn++)
    {
      if (in_chunks && turn % 3 != 2)
        {
          g_autoptr (GVariant) chunk = loky_results_next_chunk (results, NULL, &error);
          guint64 first = loky_results_get_index (results);
          const gint64 *numbers;
          gsize n_numbers;

          g_assert_no_error (error);
          g_assert_true (g_variant_is_of_type (chunk, G_VARIANT_TYPE ("ax")));
          g_assert_true (g_variant_is_normal_form (chunk));
          numbers = g_variant_get_fixed_array (chunk, &n_numbers, sizeof *numbers);
          for (gsize i = 0; i < n_numbers; i++)
            check_number (kind, ordered, seen, n++, first + i, numbers[i]);
        }
      else
        {
          g_autoptr (LokyFuture) future = loky_results_next (results, NULL, &error);
          g_autoptr (GVariant) result = NULL;

          g_assert_no_error (error);
          g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
          g_assert_true (loky_future_is_done (future));
          g_assert_cmpstr (loky_future_get_task (future), ==, kind->task);
          g_assert_cmpuint (loky_future_get_attempts (future), ==, 1);
          result = loky_future_dup_result (future, &error);
          g_assert_no_error (error);
          check_number (kind, ordered, seen, n++, loky_results_get_index (results), g_variant_get_int64 (result));
        }
    }
  assert_end (results);
}

static void
all_kinds_and_sizes (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 0, 1, 2, 7, 1000, G_MAXUINT };

  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
      for (guint how = 0; how < 4; how++)
        {
          gboolean ordered = (how & 1) != 0;
          g_autoptr (LokyMapOptions) options = make_options (sizes[s], ordered, 0);
          g_autoptr (LokyInput) input = loky_input_new_for_array (make_numbers (N_ITEMS));
          g_autoptr (LokyResults) results = NULL;

          /* A batch task takes arrays: a chunk is one, an item alone is not. */
          if (strcmp (kinds[k].task, "fault.negate") == 0 && sizes[s] == 1)
            continue;
          results = loky_executor_map (fixture->executor, kinds[k].task, input, options);
          take_all (results, &kinds[k], ordered, (how & 2) != 0);
        }
}

/* Items that a batch task takes alone are not changed by their chunk. */
static void
batches_stay_batches (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 0, 1, 2, 5 };

  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    {
      g_autoptr (LokyInput) input
          = loky_input_new_for_array (g_variant_new_parsed ("[[int64 1, 2], [3], [], [4], [5, 6, 7]]"));
      g_autoptr (LokyResults) results = map_chunks (fixture, "fault.negate", input, sizes[s]);
      GVariantBuilder builder;
      LokyFuture *future;
      g_autoptr (GVariant) all = NULL;
      g_autofree char *text = NULL;

      g_variant_builder_init (&builder, G_VARIANT_TYPE ("aax"));
      while ((future = loky_results_next (results, NULL, NULL)) != NULL)
        {
          g_autoptr (GVariant) result = loky_future_dup_result (future, NULL);

          g_variant_builder_add_value (&builder, result);
          g_object_unref (future);
        }
      all = g_variant_ref_sink (g_variant_builder_end (&builder));
      text = g_variant_print (all, FALSE);
      g_assert_cmpstr (text, ==, "[[-1, -2], [-3], [], [-4], [-5, -6, -7]]");
    }
}

/* Values of variable size and of several types keep their type. */
static void
any_values (LokyFixture *fixture, gconstpointer data)
{
  static const char *const texts[] = { "uint32 1", "uint32 2", "'three'", "'four'", "@mv nothing", "()",
                                       "[<1>, <'x'>]", "{'k': <2>}", "<<<5>>>", "uint32 9" };

  for (guint size = 0; size < 6; size++)
    {
      GVariantBuilder builder;
      g_autoptr (LokyInput) input = NULL;
      g_autoptr (LokyResults) results = NULL;

      g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
      for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
        g_variant_builder_add (&builder, "v", g_variant_new_parsed (texts[i]));
      input = loky_input_new_for_array (g_variant_builder_end (&builder));
      results = map_chunks (fixture, "demo.echo", input, size);
      for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
        {
          g_autoptr (GVariant) expected = g_variant_ref_sink (g_variant_new_parsed (texts[i]));
          g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
          g_autoptr (GError) error = NULL;
          g_autoptr (GVariant) result = loky_future_dup_result (future, &error);

          g_assert_no_error (error);
          g_assert_true (g_variant_equal (result, expected));
        }
      assert_end (results);
    }
}

static void
empty_input (LokyFixture *fixture, gconstpointer data)
{
  for (guint size = 0; size < 4; size++)
    {
      g_autoptr (LokyInput) input = loky_input_new_for_array (make_numbers (0));
      g_autoptr (LokyResults) results = map_chunks (fixture, "fault.square", input, size);

      assert_end (results);
    }
}

/* --- errors --------------------------------------------------------------------------------------- */

static void
check_errors_in_the_middle (LokyFixture *fixture, guint size)
{
  static const gint64 numbers[] = { 0, 1, 2, -3, 4, -5, -6, 7, 8, 9 };
  g_autoptr (LokyInput) input = loky_input_new_for_array (
      g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, numbers, G_N_ELEMENTS (numbers), sizeof (gint64)));
  g_autoptr (LokyResults) results = map_chunks (fixture, "fault.positive", input, size);

  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = loky_future_dup_result (future, &error);

      g_assert_cmpuint (loky_results_get_index (results), ==, i);
      if (numbers[i] >= 0)
        g_assert_cmpint (g_variant_get_int64 (result), ==, numbers[i]);
      else
        {
          g_autoptr (GError) same = loky_future_dup_error (future);

          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
          g_assert_nonnull (strstr (error->message, "is negative"));
          g_assert_cmpstr (same->message, ==, error->message);
          g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_FAILED);
        }
    }
  assert_end (results);
}

static void
errors_in_the_middle (LokyFixture *fixture, gconstpointer data)
{
  for (guint size = 0; size < 12; size++)
    check_errors_in_the_middle (fixture, size);
}

/* The first item that failed ends a chunk, and waits until it is taken. */
static void
errors_end_chunks (LokyFixture *fixture, gconstpointer data)
{
  static const gint64 numbers[] = { 0, 1, -2, -3, 4, 5 };
  g_autoptr (LokyInput) input = loky_input_new_for_array (
      g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, numbers, G_N_ELEMENTS (numbers), sizeof (gint64)));
  g_autoptr (LokyResults) results = map_chunks (fixture, "fault.positive", input, 6);
  g_autoptr (GVariant) first = loky_results_next_chunk (results, NULL, NULL);
  g_autoptr (GVariant) last = NULL;

  g_assert_cmpuint (loky_results_get_index (results), ==, 0);
  g_assert_cmpuint (g_variant_n_children (first), ==, 2);
  for (guint64 i = 2; i < 4; i++)
    {
      g_autoptr (LokyFuture) future = NULL;

      for (guint again = 0; again < 3; again++)
        {
          g_autoptr (GError) error = NULL;

          g_assert_null (loky_results_next_chunk (results, NULL, &error));
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
          g_assert_cmpuint (loky_results_get_index (results), ==, i);
        }
      future = loky_results_next (results, NULL, NULL);
      loky_fixture_assert_fails (future, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_assert_cmpuint (loky_results_get_index (results), ==, i);
    }
  last = loky_results_next_chunk (results, NULL, NULL);
  g_assert_cmpuint (loky_results_get_index (results), ==, 4);
  g_assert_cmpuint (g_variant_n_children (last), ==, 2);
  assert_end (results);
}

/* A task that is called item by item, and leaves behind what it should not. */
static void
calls_do_not_disturb_each_other (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "ok",   "null", "io-error:x", "ok",         "push-context", "ok", "both",
                                        "fork-twice", "ok",  "block-signals", "huge-error", "ok", NULL };
  g_autoptr (LokyResults) results = map_strings (fixture, "fault.obey", orders, 20);

  for (gsize i = 0; orders[i] != NULL; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
      g_autoptr (GError) error = loky_future_dup_error (future);

      g_assert_cmpuint (loky_results_get_index (results), ==, i);
      if (strcmp (orders[i], "ok") == 0)
        g_assert_no_error (error);
      if (strcmp (orders[i], "null") == 0)
        g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT);
      if (strcmp (orders[i], "io-error:x") == 0)
        g_assert_cmpint (error->domain, ==, G_IO_ERROR);
      if (strcmp (orders[i], "huge-error") == 0)
        g_assert_cmpuint (strlen (error->message), ==, 64 * 1024);
    }
  assert_end (results);
}

static void
crash_takes_its_chunk (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "ok", "ok", "ok", "segv", "ok", "ok", "ok", "ok", NULL };
  g_autoptr (LokyResults) results = map_strings (fixture, "fault.obey", orders, 2);

  for (gsize i = 0; orders[i] != NULL; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);

      if (i == 2 || i == 3)
        {
          loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
          g_assert_cmpint (loky_future_get_term_signal (future), ==, SIGSEGV);
          g_assert_cmpint (loky_future_get_worker_pid (future), >, 0);
        }
      else
        g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
  assert_end (results);
}

static void
ended_thread_takes_its_chunk (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "ok", "pthread-exit", "ok", NULL };
  g_autoptr (LokyResults) results = map_strings (fixture, "fault.obey", orders, 3);

  for (gsize i = 0; orders[i] != NULL; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);

      loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
    }
  assert_end (results);
}

/* What the task cannot take is the error of each item. */
static void
wrong_type_fails_each (LokyFixture *fixture, gconstpointer data)
{
  static const char *const tasks[] = { "fault.square", "fault.negate", "demo.sleep" };
  static const char *const strings[] = { "a", "b", "c", "d", "e", NULL };

  for (gsize t = 0; t < G_N_ELEMENTS (tasks); t++)
    for (guint size = 0; size < 4; size++)
      {
        g_autoptr (LokyResults) results = map_strings (fixture, tasks[t], strings, size);

        for (gsize i = 0; strings[i] != NULL; i++)
          {
            g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
            g_autoptr (GError) error = loky_future_dup_error (future);

            g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
            g_assert_nonnull (strstr (error->message, "not s"));
          }
        assert_end (results);
      }
}

static void
unknown_task_fails_each (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyInput) input = loky_input_new_for_array (make_numbers (100));
  g_autoptr (LokyResults) results = map_chunks (fixture, "demo.nothing", input, 0);

  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);

      loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
    }
  assert_end (results);
}

/* --- time ----------------------------------------------------------------------------------------- */

static LokyResults *
map_sleeps (LokyFixture *fixture, const double *times, guint n, guint size, gint64 timeout)
{
  g_autoptr (LokyMapOptions) options = make_options (size, TRUE, 0);
  g_autoptr (LokyInput) input = loky_input_new_for_array (
      g_variant_new_fixed_array (G_VARIANT_TYPE_DOUBLE, times, n, sizeof (double)));

  loky_task_options_set_timeout (LOKY_TASK_OPTIONS (options), timeout);
  return loky_executor_map (fixture->executor, "demo.sleep", input, options);
}

static void
timeout_is_that_of_an_item (LokyFixture *fixture, gconstpointer data)
{
  static const double times[] = { 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 };
  static const double too_long[] = { 0.001, 300, 300, 300 };
  g_autoptr (LokyResults) results = map_sleeps (fixture, times, G_N_ELEMENTS (times), 8, 600);
  g_autoptr (LokyResults) late = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (times); i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
      g_autoptr (GError) error = loky_future_dup_error (future);

      g_assert_no_error (error);
    }
  late = map_sleeps (fixture, too_long, G_N_ELEMENTS (too_long), 4, 50);
  for (gsize i = 0; i < G_N_ELEMENTS (too_long); i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (late, NULL, NULL);

      loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
    }
  assert_end (late);
}

typedef struct
{
  LokyResults *results;
  LokyFuture *future;
  GVariant *chunk;
  GError *error;
  gboolean is_done;
} Wait;

static void
next_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Wait *wait = user_data;

  wait->future = loky_results_next_finish (wait->results, result, &wait->error);
  wait->is_done = TRUE;
}

static gboolean
is_done (gpointer data)
{
  return ((Wait *) data)->is_done;
}

/* The results of all items of a map that is cancelled a while after its first task was sent. */
static LokyFutureState
cancel_after (LokyFixture *fixture, gulong usec)
{
  static const double times[] = { 0.001, 300, 300, 300, 300, 300, 300 };
  g_autoptr (LokyResults) results = map_sleeps (fixture, times, G_N_ELEMENTS (times), 4, -1);
  Wait wait = { .results = results };
  LokyFutureState state;

  loky_results_next_async (results, NULL, next_cb, &wait);
  while (loky_executor_get_n_running (fixture->executor) == 0)
    g_usleep (100);
  g_usleep (usec);
  loky_results_cancel (results);
  loky_fixture_wait_for (is_done, &wait);
  g_assert_no_error (wait.error);
  state = loky_future_get_state (wait.future);
  g_object_unref (wait.future);
  for (gsize i = 1; i < G_N_ELEMENTS (times); i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);

      loky_fixture_assert_fails (future, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_CANCELLED);
    }
  assert_end (results);
  return state;
}

/* The items that had been done keep their results: the first is, if the cancellation comes late enough. */
static void
cancelled_chunk_ends (LokyFixture *fixture, gconstpointer data)
{
  gulong usec = 0;

  while (cancel_after (fixture, usec) != LOKY_FUTURE_STATE_SUCCEEDED)
    usec = usec * 2 + 1000;
}

static void
dropped_results_cancel (LokyFixture *fixture, gconstpointer data)
{
  static const double times[] = { 0.001, 0.001, 300, 300, 300, 300, 300, 300 };
  g_autoptr (LokyResults) results = map_sleeps (fixture, times, G_N_ELEMENTS (times), 2, -1);
  g_autoptr (LokyFuture) first = loky_results_next (results, NULL, NULL);

  g_assert_cmpint (loky_future_get_state (first), ==, LOKY_FUTURE_STATE_SUCCEEDED);
  g_clear_object (&results);
  /* Otherwise this would take half an hour. */
  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_DRAIN);
}

/* Long items are not gathered, whatever is known of their number: the second is ready before the first. */
static void
long_items_stay_alone (LokyFixture *fixture, gconstpointer data)
{
  g_autofree double *times = g_new (double, 40);
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *chunk;
  guint n = 0;

  for (guint i = 0; i < 40; i++)
    times[i] = 0.005;
  results = map_sleeps (fixture, times, 40, 0, -1);
  while ((chunk = loky_results_next_chunk (results, NULL, &error)) != NULL)
    {
      g_assert_cmpuint (g_variant_n_children (chunk), ==, 1);
      n++;
      g_variant_unref (chunk);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 40);
}

/* Many short ones are. */
static void
short_items_are_gathered (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyInput) input = loky_input_new_for_array (make_numbers (100000));
  g_autoptr (LokyResults) results = map_chunks (fixture, "fault.square", input, 0);
  g_autoptr (GError) error = NULL;
  GVariant *chunk;
  guint n_chunks = 0, n = 0;

  while ((chunk = loky_results_next_chunk (results, NULL, &error)) != NULL)
    {
      n += (guint) g_variant_n_children (chunk);
      n_chunks++;
      g_variant_unref (chunk);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 100000);
  g_assert_cmpuint (n_chunks, <, 5000);
}

/* --- inputs --------------------------------------------------------------------------------------- */

typedef struct
{
  guint32 next;
  guint32 end;
  guint32 n_taken;
  guint32 most_ahead;
} Counter;

static gboolean
count_up (LokyInput *input, gpointer user_data, GError **error)
{
  Counter *counter = user_data;

  if (counter->next == counter->end)
    loky_input_end (input);
  else
    loky_input_push (input, g_variant_new_uint32 (counter->next++));
  counter->most_ahead = MAX (counter->most_ahead, counter->next - counter->n_taken);
  return TRUE;
}

static void
window_counts_items (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 0, 3, 10, 1000 };

  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    {
      Counter counter = { .end = 1000 };
      g_autoptr (LokyInput) input = loky_input_new (count_up, &counter, NULL);
      g_autoptr (LokyMapOptions) options = make_options (sizes[s], TRUE, 20);
      g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", input, options);
      g_autoptr (GError) error = NULL;
      LokyFuture *future;

      while ((future = loky_results_next (results, NULL, &error)) != NULL)
        {
          g_autoptr (GVariant) result = loky_future_dup_result (future, &error);

          g_assert_no_error (error);
          g_assert_cmpuint (g_variant_get_uint32 (result), ==, counter.n_taken);
          counter.n_taken++;
          g_object_unref (future);
        }
      g_assert_no_error (error);
      g_assert_cmpuint (counter.n_taken, ==, 1000);
      g_assert_cmpuint (counter.most_ahead, <=, 21);
    }
}

static gboolean
nothing_now (LokyInput *input, gpointer user_data, GError **error)
{
  return TRUE;
}

/* No item waits for others to fill its chunk. */
static void
chunks_are_not_waited_for (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 0, 100 };

  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    {
      g_autoptr (LokyInput) input = loky_input_new (nothing_now, NULL, NULL);
      g_autoptr (LokyResults) results = map_chunks (fixture, "demo.echo", input, sizes[s]);

      for (guint32 i = 0; i < 50; i++)
        {
          g_autoptr (GVariant) chunk = NULL;

          loky_input_push (input, g_variant_new_uint32 (i));
          chunk = loky_results_next_chunk (results, NULL, NULL);
          g_assert_cmpuint (g_variant_n_children (chunk), ==, 1);
        }
      loky_input_end (input);
      assert_end (results);
    }
}

static gpointer
push_thread (gpointer data)
{
  LokyInput *input = data;

  for (guint32 i = 0; i < N_ITEMS; i++)
    loky_input_push (input, g_variant_new_uint32 (i));
  loky_input_end (input);
  return NULL;
}

static void
another_thread_may_push (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 0, 1, 16 };

  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    {
      g_autoptr (LokyInput) input = loky_input_new (nothing_now, NULL, NULL);
      g_autoptr (LokyResults) results = map_chunks (fixture, "demo.echo", input, sizes[s]);
      GThread *thread = g_thread_new ("pusher", push_thread, input);
      guint32 n = 0;

      while (n < N_ITEMS)
        {
          g_autoptr (GVariant) chunk = loky_results_next_chunk (results, NULL, NULL);
          GVariantIter iter;
          guint32 number;

          g_variant_iter_init (&iter, chunk);
          while (g_variant_iter_next (&iter, "u", &number))
            g_assert_cmpuint (number, ==, n++);
        }
      assert_end (results);
      g_thread_join (thread);
    }
}

/* --- asynchronously ------------------------------------------------------------------------------- */

static void
next_chunk_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Wait *wait = user_data;

  wait->chunk = loky_results_next_chunk_finish (wait->results, result, &wait->error);
  wait->is_done = TRUE;
}

static void
async_chunks_come_in_order (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 0, 1, 16 };

  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    {
      Counter counter = { .end = N_ITEMS };
      g_autoptr (LokyInput) input = loky_input_new (count_up, &counter, NULL);
      g_autoptr (LokyResults) results = map_chunks (fixture, "demo.echo", input, sizes[s]);
      guint32 n = 0;

      for (;;)
        {
          Wait wait = { .results = results };

          loky_results_next_chunk_async (results, NULL, next_chunk_cb, &wait);
          loky_fixture_wait_for (is_done, &wait);
          g_assert_no_error (wait.error);
          if (wait.chunk == NULL)
            break;
          g_assert_cmpuint (loky_results_get_index (results), ==, n);
          n += (guint32) g_variant_n_children (wait.chunk);
          g_variant_unref (wait.chunk);
        }
      g_assert_cmpuint (n, ==, N_ITEMS);
    }
}

static void
async_error_is_not_taken (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "io-error:x", "ok", NULL };
  g_autoptr (LokyResults) results = map_strings (fixture, "fault.obey", orders, 2);
  g_autoptr (LokyFuture) failed = NULL;
  g_autoptr (LokyFuture) good = NULL;
  Wait wait = { .results = results };

  loky_results_next_chunk_async (results, NULL, next_chunk_cb, &wait);
  loky_fixture_wait_for (is_done, &wait);
  g_assert_null (wait.chunk);
  g_assert_cmpint (wait.error->domain, ==, G_IO_ERROR);
  g_clear_error (&wait.error);
  failed = loky_results_next (results, NULL, NULL);
  g_assert_cmpuint (loky_results_get_index (results), ==, 0);
  g_assert_cmpint (loky_future_get_state (failed), ==, LOKY_FUTURE_STATE_FAILED);
  good = loky_results_next (results, NULL, NULL);
  g_assert_cmpint (loky_future_get_state (good), ==, LOKY_FUTURE_STATE_SUCCEEDED);
  assert_end (results);
}

/* --- buffers and nesting -------------------------------------------------------------------------- */

#define N_BUFFERS 70

static void
buffers_go_alone (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) buffers = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (LokyInput) input = NULL;
  g_autoptr (LokyResults) results = NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("ah"));
  for (guint i = 0; i < N_BUFFERS; i++)
    {
      LokyBuffer *buffer = loky_buffer_new (i + 1, NULL);
      g_autoptr (GVariant) handle = NULL;

      memset (loky_buffer_get_writable_data (buffer), 1, i + 1);
      handle = loky_buffer_to_variant (buffer, NULL);
      g_variant_builder_add_value (&builder, handle);
      g_ptr_array_add (buffers, buffer);
    }
  input = loky_input_new_for_array (g_variant_builder_end (&builder));
  results = map_chunks (fixture, "fault.buffer-sum", input, 100);
  for (guint i = 0; i < N_BUFFERS; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) sum = loky_future_dup_result (future, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint64 (sum), ==, i + 1);
    }
  assert_end (results);
}

/* As many as one value can refer to; those that the task has let go of as well. */
static void
buffers_of_results (LokyFixture *fixture, gconstpointer data)
{
  g_autofree guint64 *sizes = g_new (guint64, N_BUFFERS);
  g_autoptr (LokyInput) input = NULL;
  g_autoptr (LokyResults) results = NULL;

  for (guint i = 0; i < N_BUFFERS; i++)
    sizes[i] = i + 1;
  input = loky_input_new_for_array (
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT64, sizes, N_BUFFERS, sizeof *sizes));
  results = map_chunks (fixture, "fault.buffer-make", input, 100);
  for (guint i = 0; i < N_BUFFERS; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) handle = loky_future_dup_result (future, &error);
      g_autoptr (LokyBuffer) buffer = NULL;

      if (i >= 63)
        {
          g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
          continue;
        }
      g_assert_no_error (error);
      buffer = loky_future_lookup_buffer (future, g_variant_get_handle (handle), &error);
      g_assert_no_error (error);
      g_assert_cmpuint (loky_buffer_get_size (buffer), ==, i + 1);
    }
  assert_end (results);
}

static GVariant *
nest (guint depth)
{
  GVariant *value = g_variant_new_boolean (TRUE);

  for (guint i = 0; i < depth; i++)
    value = g_variant_new_variant (value);
  return value;
}

/* As deep as GVariant lets them be alone; the one that is too deep fails alone. */
static void
nested_values_fail_alone (LokyFixture *fixture, gconstpointer data)
{
  enum { N = 200 };
  g_autoptr (LokyInput) input = loky_input_new (nothing_now, NULL, NULL);
  g_autoptr (LokyInput) chunks_input = loky_input_new (nothing_now, NULL, NULL);
  g_autoptr (LokyResults) alone = map_chunks (fixture, "fault.size", input, 1);
  g_autoptr (LokyResults) chunks = map_chunks (fixture, "fault.size", chunks_input, 8);
  guint n_good = 0;

  for (guint i = 0; i < N; i++)
    {
      loky_input_push (input, nest (i % 140));
      loky_input_push (chunks_input, nest (i % 140));
    }
  loky_input_end (input);
  loky_input_end (chunks_input);
  for (guint i = 0; i < N; i++)
    {
      g_autoptr (LokyFuture) expected = loky_results_next (alone, NULL, NULL);
      g_autoptr (LokyFuture) future = loky_results_next (chunks, NULL, NULL);

      n_good += loky_future_get_state (expected) == LOKY_FUTURE_STATE_SUCCEEDED;
      g_assert_cmpint (loky_future_get_state (future), ==, loky_future_get_state (expected));
    }
  g_assert_cmpuint (n_good, >, 100);
  g_assert_cmpuint (n_good, <, N);
}

/* --- options -------------------------------------------------------------------------------------- */

static void
options_are_kept (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  guint size;

  g_assert_cmpuint (loky_map_options_get_chunk_size (options), ==, 1);
  loky_map_options_set_chunk_size (options, 17);
  g_object_get (options, "chunk-size", &size, NULL);
  g_assert_cmpuint (size, ==, 17);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/all-kinds-and-sizes", all_kinds_and_sizes);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/batches-stay-batches", batches_stay_batches);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/any-values", any_values);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/empty-input", empty_input);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/errors-in-the-middle", errors_in_the_middle);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/errors-end-chunks", errors_end_chunks);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/calls-do-not-disturb-each-other", calls_do_not_disturb_each_other);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/crash-takes-its-chunk", crash_takes_its_chunk);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/ended-thread-takes-its-chunk", ended_thread_takes_its_chunk);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/wrong-type-fails-each", wrong_type_fails_each);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/unknown-task-fails-each", unknown_task_fails_each);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/timeout-is-that-of-an-item", timeout_is_that_of_an_item);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/cancelled-chunk-ends", cancelled_chunk_ends);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/dropped-results-cancel", dropped_results_cancel);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/long-items-stay-alone", long_items_stay_alone);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/short-items-are-gathered", short_items_are_gathered);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/window-counts-items", window_counts_items);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/chunks-are-not-waited-for", chunks_are_not_waited_for);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/another-thread-may-push", another_thread_may_push);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/async-chunks-come-in-order", async_chunks_come_in_order);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/async-error-is-not-taken", async_error_is_not_taken);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/buffers-go-alone", buffers_go_alone);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/buffers-of-results", buffers_of_results);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/nested-values-fail-alone", nested_values_fail_alone);
  LOKY_FIXTURE_ADD ("/loky/map-chunks/options-are-kept", options_are_kept);
  return g_test_run ();
}
