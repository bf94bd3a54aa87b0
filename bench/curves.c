/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What one number does not tell: throughput over the length of a task, and the distribution of round trips. */

#include "bench.h"

#include <math.h>
#include <time.h>

#define N_WORKERS 2

/* Tasks of so many µs of processor time, for about half a second of work. By the clock, more threads than
 * processors would seem to do more. */
static guint
count_tasks (const BenchScale *scale, guint usec)
{
  return CLAMP (bench_count (scale, 500000 * N_WORKERS / MAX (usec, 10)), 10, 100000);
}

static double
measure_ours (const BenchScale *scale, guint usec)
{
  guint n = count_tasks (scale, usec);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_full (n, g_object_unref);
  g_autoptr (GVariant) args = g_variant_ref_sink (g_variant_new_uint32 (usec));
  LokyExecutor *executor = bench_executor (N_WORKERS);
  g_autoptr (GError) error = NULL;
  double start = bench_now ();
  double time;

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (futures, loky_executor_submit (executor, "bench.compute", args, NULL, &error));
  for (guint i = 0; i < n; i++)
    bench_check (loky_future_wait (futures->pdata[i], -1, NULL, &error), error, "a wait");
  time = bench_now () - start;
  bench_end_executor (executor);
  return n / time * 1e6;
}

static gint64
get_computed (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return (gint64) time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

static void
compute (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  gint64 end = get_computed () + GPOINTER_TO_UINT (task_data);

  while (get_computed () < end)
    ;
  g_task_return_boolean (task, TRUE);
}

static void
count_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  guint *n_left = user_data;

  --*n_left;
}

static double
measure_gtask (const BenchScale *scale, guint usec)
{
  guint n = count_tasks (scale, usec);
  guint n_left = n;
  double start = bench_now ();

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GTask) task = g_task_new (NULL, NULL, count_cb, &n_left);

      g_task_set_task_data (task, GUINT_TO_POINTER (usec), NULL);
      g_task_run_in_thread (task, compute);
    }
  while (n_left > 0)
    g_main_context_iteration (NULL, TRUE);
  return n / (bench_now () - start) * 1e6;
}

static void
append_point (GString *text, double x, double y, gboolean is_first)
{
  char first[G_ASCII_DTOSTR_BUF_SIZE], second[G_ASCII_DTOSTR_BUF_SIZE];

  if (!isfinite (y))
    return;
  g_string_append_printf (text, "%s[%s, %s]", is_first ? "" : ", ",
                          g_ascii_formatd (first, sizeof first, "%.6g", x),
                          g_ascii_formatd (second, sizeof second, "%.6g", y));
}

static void
append_throughput (GString *text, const BenchScale *scale)
{
  static const guint lengths[] = { 0, 1, 10, 100, 1000, 10000 };
  static const char *const peers[] = { "loky", "multiprocessing" };

  g_string_append (text, "  \"throughput\": {\n    \"ours\": [");
  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    append_point (text, lengths[i], measure_ours (scale, lengths[i]), i == 0);
  g_string_append (text, "],\n    \"gtask\": [");
  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    append_point (text, lengths[i], measure_gtask (scale, lengths[i]), i == 0);
  for (gsize j = 0; j < G_N_ELEMENTS (peers); j++)
    {
      g_string_append_printf (text, "],\n    \"%s\": [", peers[j]);
      for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
        {
          g_autofree char *work = g_strdup_printf ("compute:%u", lengths[i]);

          append_point (text, lengths[i], bench_ask_peer (peers[j], work, scale), i == 0);
        }
    }
  g_string_append (text, "]\n  },\n");
}

/* In percent of all, and µs. */
static void
append_distribution (GString *text, const char *name, GArray *times)
{
  static const double percents[] = { 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9 };

  g_string_append_printf (text, "    \"%s\": [", name);
  for (gsize i = 0; i < G_N_ELEMENTS (percents); i++)
    append_point (text, percents[i], bench_percentile (times, percents[i]), i == 0);
  g_string_append_c (text, ']');
}

char *
bench_make_curves (const BenchScale *scale)
{
  g_autoptr (GString) text = g_string_new ("{\n");
  guint n = bench_count (scale, 20000);
  g_autoptr (GArray) ping_pong = bench_time_ping_pong (n, 0);
  g_autoptr (GArray) sync = bench_time_round_trips (n, 0);
  g_autoptr (GArray) async = bench_time_async_round_trips (n);

  append_throughput (text, scale);
  g_string_append (text, "  \"round-trip\": {\n");
  append_distribution (text, "ping-pong", ping_pong);
  g_string_append (text, ",\n");
  append_distribution (text, "sync", sync);
  g_string_append (text, ",\n");
  append_distribution (text, "async", async);
  g_string_append (text, "\n  }\n}\n");
  return g_string_free (g_steal_pointer (&text), FALSE);
}
