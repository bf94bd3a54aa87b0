/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Percentiles of durations. */

#include "loky-histogram-private.h"
#include "loky-statistics-private.h"

static void
test_empty (void)
{
  LokyHistogram histogram = { 0 };

  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 50), ==, -1);
}

/* Whatever is told is near. */
static void
test_precision (void)
{
  for (gint64 duration = 1; duration < (gint64) 1 << 46; duration += 1 + duration / 7)
    {
      LokyHistogram histogram = { 0 };
      gint64 told;

      loky_histogram_add (&histogram, duration, 1);
      told = loky_histogram_get_percentile (&histogram, 50);
      g_assert_cmpint (ABS (told - duration), <=, duration / 16 + 1);
    }
}

static void
test_percentiles (void)
{
  LokyHistogram histogram = { 0 };

  loky_histogram_add (&histogram, 1000, 90);
  loky_histogram_add (&histogram, 1000 * 1000, 9);
  loky_histogram_add (&histogram, 1000 * 1000 * 1000, 1);
  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 0), <=, 1063);
  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 90), <=, 1063);
  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 91), >=, 937 * 1000);
  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 99), <=, 1063 * 1000);
  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 100), >=, 937 * 1000 * 1000);
  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 1000), >=, 937 * 1000 * 1000);
}

static void
test_extremes (void)
{
  LokyHistogram histogram = { 0 };

  loky_histogram_add (&histogram, -5, 1);
  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 100), ==, 0);
  loky_histogram_add (&histogram, G_MAXINT64, 1);
  g_assert_cmpint (loky_histogram_get_percentile (&histogram, 100), >, (gint64) 1 << 45);
  g_assert_cmpuint (histogram.n, ==, 2);
}

static void
test_merge (void)
{
  LokyHistogram one = { 0 };
  LokyHistogram other = { 0 };

  loky_histogram_add (&one, 1, 3);
  loky_histogram_add (&other, 100000, 1);
  loky_histogram_merge (&one, &other);
  g_assert_cmpuint (one.n, ==, 4);
  g_assert_cmpint (loky_histogram_get_percentile (&one, 75), ==, 1);
  g_assert_cmpint (loky_histogram_get_percentile (&one, 76), >, 90000);
}

/* Who waits does not run; and what a worker says of its run time may be any number. */
static void
test_times_are_told_apart (void)
{
  static const gint64 msec = 1000 * 1000;
  g_autoptr (LokyStatistics) statistics = loky_statistics_new ();

  loky_statistics_add_times (statistics, 100 * msec, 300 * msec, 1);
  g_assert_cmpfloat_with_epsilon (loky_statistics_get_run_time (statistics, 50), 100, 100 / 16.0);
  g_assert_cmpfloat_with_epsilon (loky_statistics_get_queue_time (statistics, 50), 200, 200 / 16.0);
  loky_statistics_add_times (statistics, G_MAXINT64, 300 * msec, 1);
  g_assert_cmpfloat (loky_statistics_get_queue_time (statistics, 0), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/loky/histogram/empty", test_empty);
  g_test_add_func ("/loky/histogram/precision", test_precision);
  g_test_add_func ("/loky/histogram/percentiles", test_percentiles);
  g_test_add_func ("/loky/histogram/extremes", test_extremes);
  g_test_add_func ("/loky/histogram/merge", test_merge);
  g_test_add_func ("/loky/histogram/times-are-told-apart", test_times_are_told_apart);

  return g_test_run ();
}
