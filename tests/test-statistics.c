/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What became of the tasks of an executor. */

#include "fixture.h"

static LokyStatistics *
get (LokyFixture *fixture, const char *task)
{
  LokyStatistics *statistics = loky_executor_dup_statistics (fixture->executor, task);

  g_assert_nonnull (statistics);
  return statistics;
}

static void
each_end_is_counted (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) cancelled
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (300));
  g_autoptr (LokyFuture) crashed
      = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("segv"));
  g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "demo.fail", "x");
  g_autoptr (LokyStatistics) echo = NULL;
  g_autoptr (LokyStatistics) fail = NULL;
  g_autoptr (LokyStatistics) sleep = NULL;
  g_autoptr (LokyStatistics) obey = NULL;
  g_autoptr (LokyStatistics) all = NULL;

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  for (guint i = 0; i < 5; i++)
    g_free (loky_fixture_call (fixture->executor, "demo.echo", "x"));
  loky_future_cancel (cancelled);
  g_assert_true (loky_future_wait (cancelled, -1, NULL, NULL));
  g_assert_true (loky_future_wait (crashed, -1, NULL, NULL));

  echo = get (fixture, "demo.echo");
  g_assert_cmpuint (loky_statistics_get_n_submitted (echo), ==, 5);
  g_assert_cmpuint (loky_statistics_get_n_succeeded (echo), ==, 5);
  g_assert_cmpuint (loky_statistics_get_n_failed (echo), ==, 0);
  fail = get (fixture, "demo.fail");
  g_assert_cmpuint (loky_statistics_get_n_failed (fail), ==, 1);
  g_assert_cmpfloat (loky_statistics_get_run_time (fail, 50), >=, 0);
  sleep = get (fixture, "demo.sleep");
  g_assert_cmpuint (loky_statistics_get_n_cancelled (sleep), ==, 1);
  obey = get (fixture, "fault.obey");
  g_assert_cmpuint (loky_statistics_get_n_failed (obey), ==, 1);
  /* It did not return. */
  g_assert_cmpfloat (loky_statistics_get_run_time (obey, 50), ==, -1);
  all = get (fixture, NULL);
  g_assert_cmpuint (loky_statistics_get_n_submitted (all), ==, 8);
  g_assert_cmpuint (loky_statistics_get_n_succeeded (all), ==, 5);
  g_assert_cmpuint (loky_statistics_get_n_failed (all), ==, 2);
  g_assert_cmpuint (loky_statistics_get_n_cancelled (all), ==, 1);
}

/* One worker: the second waits for as long as the first runs, by the clocks of the statistics themselves. */
static void
times_are_told_apart (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[2];
  g_autoptr (LokyStatistics) statistics = NULL;
  gdouble run_time;

  loky_executor_set_max_workers (fixture->executor, 1);
  for (guint i = 0; i < 2; i++)
    futures[i] = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (0.05));
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (loky_future_wait (futures[i], -1, NULL, NULL));
      g_object_unref (futures[i]);
    }
  statistics = get (fixture, "demo.sleep");
  run_time = loky_statistics_get_run_time (statistics, 0);
  g_assert_cmpfloat (run_time, >=, 50 * 15.0 / 16);
  g_assert_cmpfloat (loky_statistics_get_queue_time (statistics, 100), >=, run_time * 14 / 16);
  g_assert_cmpfloat (loky_statistics_get_queue_time (statistics, 100), >,
                     loky_statistics_get_queue_time (statistics, 0));
}

static void
items_of_a_map_are_counted (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  const char *values[] = { "a", "b", "c", "d", "e", "f", "g", NULL };
  g_autoptr (LokyInput) input = loky_input_new_for_strv (values);
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (LokyStatistics) statistics = NULL;
  LokyFuture *future;

  loky_map_options_set_chunk_size (options, 3);
  results = loky_executor_map (fixture->executor, "demo.echo", input, options);
  while ((future = loky_results_next (results, NULL, NULL)) != NULL)
    g_object_unref (future);
  statistics = get (fixture, "demo.echo");
  g_assert_cmpuint (loky_statistics_get_n_submitted (statistics), ==, 7);
  g_assert_cmpuint (loky_statistics_get_n_succeeded (statistics), ==, 7);
}

static void
names_are_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyStatistics) unknown = get (fixture, "no.such");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) before = loky_executor_dup_task_names (fixture->executor);
  g_auto (GStrv) names = NULL;

  g_assert_cmpuint (g_strv_length (before), ==, 0);
  g_assert_cmpuint (loky_statistics_get_n_submitted (unknown), ==, 0);
  g_assert_cmpfloat (loky_statistics_get_queue_time (unknown, 50), ==, -1);
  g_free (loky_fixture_call (fixture->executor, "demo.echo", "x"));
  error = loky_fixture_fail (fixture->executor, "demo.absent", "x");
  names = loky_executor_dup_task_names (fixture->executor);
  g_assert_cmpuint (g_strv_length (names), ==, 2);
  g_assert_cmpstr (names[0], ==, "demo.absent");
  g_assert_cmpstr (names[1], ==, "demo.echo");
}

/* It is a copy. */
static void
statistics_stay_as_they_are (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyStatistics) before = NULL;

  g_free (loky_fixture_call (fixture->executor, "demo.echo", "x"));
  before = get (fixture, NULL);
  g_free (loky_fixture_call (fixture->executor, "demo.echo", "x"));
  g_assert_cmpuint (loky_statistics_get_n_succeeded (before), ==, 1);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/statistics/each-end", each_end_is_counted);
  LOKY_FIXTURE_ADD ("/loky/statistics/times", times_are_told_apart);
  LOKY_FIXTURE_ADD ("/loky/statistics/items-of-a-map", items_of_a_map_are_counted);
  LOKY_FIXTURE_ADD ("/loky/statistics/names", names_are_told);
  LOKY_FIXTURE_ADD ("/loky/statistics/stay", statistics_stay_as_they_are);

  return g_test_run ();
}
