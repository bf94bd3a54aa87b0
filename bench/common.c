/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

guint
bench_count (const BenchScale *scale, guint n)
{
  return scale->smoke ? 1 : (guint) MAX (MIN (n, 5), n * scale->factor);
}

double
bench_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec * 1e6 + (double) now.tv_nsec / 1e3;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return x < y ? -1 : x > y;
}

double
bench_percentile (GArray *values, double percent)
{
  if (values->len == 0)
    return NAN;
  g_array_sort (values, compare);
  return g_array_index (values, double, (guint) ((values->len - 1) * percent / 100 + 0.5));
}

double
bench_median (GArray *values)
{
  return bench_percentile (values, 50);
}

static int
compare_pairs (gconstpointer a, gconstpointer b)
{
  const BenchPair *one = a, *other = b;
  double first = one->ours / one->against, second = other->ours / other->against;

  return (first > second) - (first < second);
}

const BenchPair *
bench_middle_pair (GArray *pairs)
{
  g_array_sort (pairs, compare_pairs);
  return pairs->len > 0 ? &g_array_index (pairs, BenchPair, (pairs->len - 1) / 2) : NULL;
}

GArray *
bench_time (guint n, guint n_warm_up, guint pause, BenchFunc func, gpointer data)
{
  GArray *times = g_array_new (FALSE, FALSE, sizeof (double));

  for (guint i = 0; i < n_warm_up + n; i++)
    {
      double start, time;

      if (pause > 0)
        g_usleep (pause);
      start = bench_now ();
      if (!func (data))
        break;
      time = bench_now () - start;
      if (i >= n_warm_up)
        g_array_append_val (times, time);
    }
  return times;
}

void
bench_check (gboolean is_right, const GError *error, const char *what)
{
  if (is_right)
    return;
  fprintf (stderr, "loky-bench: %s: %s\n", what, error != NULL ? error->message : "failed");
  exit (1);
}

LokyExecutor *
bench_executor (guint n_workers)
{
  LokyExecutor *executor = loky_executor_new (n_workers);
  g_autoptr (GError) error = NULL;
  gboolean is_warm = loky_executor_warm_up_sync (executor, n_workers, NULL, &error);

  bench_check (is_warm, error, "the workers do not start");
  return executor;
}

void
bench_end_executor (LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;
  gboolean is_ended = loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_KILL, -1, NULL, &error);

  bench_check (is_ended, error, "the executor does not end");
  g_object_unref (executor);
}

GArray *
bench_find_workers (void)
{
  GArray *pids = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "children", NULL);
      g_autofree char *text = NULL;
      g_auto (GStrv) words = NULL;

      if (!g_file_get_contents (path, &text, NULL, NULL))
        continue;
      words = g_strsplit (g_strstrip (text), " ", -1);
      for (guint i = 0; words[i] != NULL && *words[i] != '\0'; i++)
        {
          int pid = atoi (words[i]);

          g_array_append_val (pids, pid);
        }
    }
  return pids;
}
