/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What it costs to have: memory, descriptors, wake-ups, and what waits. */

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHORT_BACKLOG 1000
#define LONG_BACKLOG 1000000
#define N_SAMPLED 10000
#define GROUP 100
#define MAX_BACKLOG (1 + SHORT_BACKLOG + LONG_BACKLOG + 2 * N_SAMPLED)
#define MEMORY_BACKLOG 200000

/* --- a backlog ----------------------------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *executor;
  GPtrArray *futures;
  GVariant *args;
} Backlog;

static void
backlog_add (Backlog *self, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;
      LokyFuture *future = loky_executor_submit (self->executor, "bench.nop", self->args, NULL, &error);

      bench_check (future != NULL, error, "bench.nop");
      g_ptr_array_add (self->futures, future);
    }
}

/* One worker, which never comes to an end. */
static void
backlog_init (Backlog *self)
{
  g_autoptr (GError) error = NULL;

  self->executor = bench_executor (1);
  self->futures = g_ptr_array_new_full (MAX_BACKLOG, g_object_unref);
  self->args = g_variant_ref_sink (g_variant_new_uint32 (1));
  g_ptr_array_add (self->futures, loky_executor_submit (self->executor, "bench.wait",
                                                        g_variant_new_uint32 (0), NULL, &error));
}

static void
backlog_clear (Backlog *self)
{
  bench_end_executor (self->executor);
  g_ptr_array_unref (self->futures);
  g_variant_unref (self->args);
}

/* Of one submission, in µs: the median of groups, as all of them take a few ms, which others may have some of. */
static double
sample_backlog (Backlog *self)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));

  for (guint i = 0; i < N_SAMPLED / GROUP; i++)
    {
      double start = bench_now ();
      double time;

      backlog_add (self, GROUP);
      time = (bench_now () - start) / GROUP;
      g_array_append_val (times, time);
    }
  return bench_median (times);
}

double
bench_measure_backlog_costs (guint n, double *short_cost)
{
  Backlog backlog;
  double long_cost;

  backlog_init (&backlog);
  backlog_add (&backlog, SHORT_BACKLOG);
  *short_cost = sample_backlog (&backlog);
  backlog_add (&backlog, n);
  long_cost = sample_backlog (&backlog);
  backlog_clear (&backlog);
  return long_cost;
}

/* Both in one process: from one to the next they differ by half, by the state of the machine. */
static double short_cost;

double
bench_backlog_long (const BenchScale *scale)
{
  return bench_ask_fresh (&short_cost, "--backlog-cost=%u", bench_count (scale, LONG_BACKLOG));
}

/* What was found with the long one, which is measured before. */
double
bench_backlog_short (const BenchScale *scale)
{
  return short_cost;
}

/* --- memory -------------------------------------------------------------------------------------- */

double
bench_sum_of_memory (int pid, const char *prefix)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/smaps_rollup", pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  double sum = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NAN;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], prefix))
      sum += atof (strchr (lines[i], ':') + 1);
  return sum;
}

/* Private memory, with what malloc() adds: the futures are kept, their arguments are one value, and the array
 * that holds them was there before. */
double
bench_measure_backlog_memory (guint n)
{
  Backlog backlog;
  double before, after;

  backlog_init (&backlog);
  memset (backlog.futures->pdata + 1, 0xff, (MAX_BACKLOG - 1) * sizeof (gpointer));
  /* What there is once. */
  backlog_add (&backlog, 1000);
  before = bench_sum_of_memory (getpid (), "Private_");
  backlog_add (&backlog, n);
  after = bench_sum_of_memory (getpid (), "Private_");
  backlog_clear (&backlog);
  return (after - before) * 1024 / n;
}

double
bench_backlog_memory (const BenchScale *scale)
{
  return bench_ask_fresh (NULL, "--backlog-memory=%u", scale->smoke ? 1 : MEMORY_BACKLOG);
}

/* --- idle workers -------------------------------------------------------------------------------- */

/* Of workers that have run one task, in MiB for each. */
static double
measure_memory (guint n_workers, const char *prefix)
{
  LokyExecutor *executor = bench_executor (n_workers);
  g_autoptr (GArray) pids = NULL;
  double sum = 0;

  for (guint i = 0; i < 2 * n_workers; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = loky_executor_call_sync (executor, "bench.nop", g_variant_new_uint32 (1),
                                                             NULL, NULL, &error);

      bench_check (result != NULL, error, "bench.nop");
    }
  pids = bench_find_workers ();
  for (guint i = 0; i < pids->len; i++)
    sum += bench_sum_of_memory (g_array_index (pids, int, i), prefix);
  bench_end_executor (executor);
  return pids->len == n_workers ? sum / n_workers / 1024 : NAN;
}

double
bench_idle_memory (const BenchScale *scale)
{
  return measure_memory (1, "Private_");
}

double
bench_idle_memory_proportional (const BenchScale *scale)
{
  return measure_memory (8, "Pss:");
}

static guint64
count_switches (int pid)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) tasks = g_dir_open (folder, 0, NULL);
  const char *name;
  guint64 sum = 0;

  while (tasks != NULL && (name = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, "status", NULL);
      g_autofree char *text = NULL;
      const char *line;

      /* Who counts is awake. */
      if (pid == getpid () && atoi (name) == getpid ())
        continue;
      if (g_file_get_contents (path, &text, NULL, NULL) &&
          (line = strstr (text, "\nvoluntary_ctxt_switches:")) != NULL)
        sum += g_ascii_strtoull (strchr (line, ':') + 1, NULL, 10);
    }
  return sum;
}

static guint64
count_all_switches (void)
{
  g_autoptr (GArray) pids = bench_find_workers ();
  guint64 sum = count_switches (getpid ());

  for (guint i = 0; i < pids->len; i++)
    sum += count_switches (g_array_index (pids, int, i));
  return sum;
}

/* Of all the library's threads and workers, in 10 s. */
double
bench_idle_switches (const BenchScale *scale)
{
  double seconds = MAX (1, 10 * scale->factor);
  LokyExecutor *executor = bench_executor (8);
  guint64 before;
  double n;

  g_usleep (scale->smoke ? 1000 : 500 * 1000);
  before = count_all_switches ();
  g_usleep (scale->smoke ? 1000 : (gulong) (seconds * G_USEC_PER_SEC));
  n = (double) (count_all_switches () - before) * 10 / seconds;
  bench_end_executor (executor);
  return n;
}

static guint
count_descriptors (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (folder) != NULL)
    n++;
  return n;
}

double
bench_descriptors (const BenchScale *scale)
{
  guint n = scale->smoke ? 2 : 100;
  LokyExecutor *executor = bench_executor (1);
  guint before = count_descriptors ();
  g_autoptr (GError) error = NULL;
  double each;

  loky_executor_set_max_workers (executor, 1 + n);
  bench_check (loky_executor_warm_up_sync (executor, 1 + n, NULL, &error), error, "the workers do not start");
  each = (double) (count_descriptors () - before) / n;
  bench_end_executor (executor);
  return each;
}
