/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How much is done in a time. */

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_WORKERS 2
#define N_THREADS 8
#define N_MANY_WORKERS 200
#define PAYLOAD_SIZE (64u << 20)

/* Submits @n tasks and waits for all; @end: the time of the last end. */
static GPtrArray *
run_tasks (LokyExecutor *executor, guint n, double *end)
{
  GPtrArray *futures = g_ptr_array_new_full (n, g_object_unref);
  g_autoptr (GVariant) args = g_variant_ref_sink (g_variant_new_uint32 (1));
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < n; i++)
    {
      LokyFuture *future = loky_executor_submit (executor, "bench.nop", args, NULL, &error);

      bench_check (future != NULL, error, "bench.nop");
      g_ptr_array_add (futures, future);
    }
  for (guint i = 0; i < n; i++)
    bench_check (loky_future_wait (futures->pdata[i], -1, NULL, &error), error, "a wait");
  *end = bench_now ();
  return futures;
}

static double
measure_submit (guint n_workers, guint n)
{
  LokyExecutor *executor = bench_executor (n_workers);
  double start, end;

  g_ptr_array_unref (run_tasks (executor, MIN (n, 1000), &end));
  start = bench_now ();
  g_ptr_array_unref (run_tasks (executor, n, &end));
  bench_end_executor (executor);
  return n / (end - start) * 1e6;
}

double
bench_submit (const BenchScale *scale)
{
  return measure_submit (N_WORKERS, bench_count (scale, 200000));
}

double
bench_submit_many_workers (const BenchScale *scale)
{
  return measure_submit (scale->smoke ? 3 : N_MANY_WORKERS, bench_count (scale, 200000));
}

/* --- from many threads --------------------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *executor;
  guint n;
  GPtrArray *futures;
  double end;
} Share;

static gpointer
submit_share (gpointer user_data)
{
  Share *share = user_data;

  share->futures = run_tasks (share->executor, share->n, &share->end);
  return NULL;
}

/* By eight threads. */
static double
measure_submit_threads (guint n_tasks)
{
  LokyExecutor *executor = bench_executor (N_WORKERS);
  guint n = MAX (n_tasks / N_THREADS, 1);
  GThread *threads[N_THREADS];
  Share shares[N_THREADS];
  double start, end;

  g_ptr_array_unref (run_tasks (executor, MIN (n, 1000), &end));
  end = 0;
  start = bench_now ();
  for (guint i = 0; i < N_THREADS; i++)
    {
      shares[i] = (Share){ .executor = executor, .n = n };
      threads[i] = g_thread_new ("submitter", submit_share, &shares[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    {
      g_thread_join (threads[i]);
      end = MAX (end, shares[i].end);
    }
  /* As with one thread: not while others still wait. */
  for (guint i = 0; i < N_THREADS; i++)
    g_ptr_array_unref (shares[i].futures);
  bench_end_executor (executor);
  return N_THREADS * n / (end - start) * 1e6;
}

#define N_IN_TURN 7

double
bench_measure_submit_threads (guint n, double *one)
{
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (BenchPair));
  const BenchPair *middle;

  /* From then on neither has memory that the other has not. */
  measure_submit (N_WORKERS, n);
  measure_submit_threads (n);
  for (guint i = 0; i < N_IN_TURN; i++)
    {
      BenchPair pair = { .against = measure_submit (N_WORKERS, n) };

      pair.ours = measure_submit_threads (n);
      g_array_append_val (pairs, pair);
    }
  middle = bench_middle_pair (pairs);
  *one = middle->against;
  return middle->ours;
}

static double one_thread;

double
bench_submit_threads (const BenchScale *scale)
{
  return bench_ask_fresh (&one_thread, "--submit-threads=%u", bench_count (scale, 200000));
}

/* What was found with the eight, which are measured before. */
double
bench_submit_one_thread (const BenchScale *scale)
{
  return one_thread;
}

/* --- maps ---------------------------------------------------------------------------------------- */

static LokyInput *
make_numbers (guint n)
{
  g_autofree gint64 *numbers = g_new (gint64, n);

  for (guint i = 0; i < n; i++)
    numbers[i] = i;
  return loky_input_new_for_array (
      g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, numbers, n, sizeof *numbers));
}

static double
measure_map (const char *task, guint n)
{
  LokyExecutor *executor = bench_executor (N_WORKERS);
  g_autoptr (LokyInput) input = make_numbers (n);
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (GError) error = NULL;
  gint64 expected = (gint64) n * (n + 1) / 2;
  GVariant *chunk;
  gint64 sum = 0;
  double start, time;

  loky_map_options_set_chunk_size (options, 0);
  start = bench_now ();
  results = loky_executor_map (executor, task, input, options);
  while ((chunk = loky_results_next_chunk (results, NULL, &error)) != NULL)
    {
      gsize n_results;
      const gint64 *numbers = g_variant_get_fixed_array (chunk, &n_results, sizeof *numbers);

      for (gsize i = 0; i < n_results; i++)
        sum += numbers[i];
      g_variant_unref (chunk);
    }
  time = bench_now () - start;
  bench_check (error == NULL && sum == expected, error, task);
  bench_end_executor (executor);
  return n / time * 1e6;
}

double
bench_map (const BenchScale *scale)
{
  return measure_map ("bench.increment", bench_count (scale, 2000000));
}

double
bench_map_batch (const BenchScale *scale)
{
  return measure_map ("bench.increment-all", bench_count (scale, 2000000));
}

/* --- large values -------------------------------------------------------------------------------- */

double
bench_payload (const BenchScale *scale)
{
  g_autoptr (GArray) rates = g_array_new (FALSE, FALSE, sizeof (double));
  LokyExecutor *executor = bench_executor (1);
  gsize size = scale->smoke ? 1 << 20 : PAYLOAD_SIZE;
  char *data = g_malloc (size);
  g_autoptr (GVariant) value = NULL;
  guint n = bench_count (scale, 10);

  memset (data, 1, size);
  value = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data));
  for (guint i = 0; i < n; i++)
    {
      double start = bench_now ();
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = loky_executor_call_sync (executor, "bench.nop", value, NULL, NULL, &error);
      double rate = 2.0 * (double) size / (1 << 30) / (bench_now () - start) * 1e6;

      bench_check (result != NULL && g_variant_get_size (result) == size, error, "bench.nop");
      g_array_append_val (rates, rate);
    }
  bench_end_executor (executor);
  return bench_median (rates);
}

/* --- tasks of unequal length --------------------------------------------------------------------- */

#define N_SHORT 999
#define SHORT_USEC 100
#define LONG_USEC 500000

/* The long one is in the middle, as what comes without notice. In ms. */
double
bench_imbalance (const BenchScale *scale)
{
  guint n = bench_count (scale, N_SHORT);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  LokyExecutor *executor = bench_executor (N_WORKERS);
  g_autoptr (GError) error = NULL;
  double start = bench_now ();
  double time;

  for (guint i = 0; i <= n; i++)
    g_ptr_array_add (futures,
                     loky_executor_submit (executor, "bench.spin",
                                           g_variant_new_uint32 (i == n / 2 ? LONG_USEC : SHORT_USEC), NULL,
                                           &error));
  for (guint i = 0; i <= n; i++)
    bench_check (loky_future_wait (futures->pdata[i], -1, NULL, &error), error, "a wait");
  time = (bench_now () - start) / 1e3;
  bench_end_executor (executor);
  return time;
}

/* Of who begins each when its turn comes, and has no other cost: the second half of the short ones is done
 * beside the long one. In ms. */
double
bench_imbalance_ideal (const BenchScale *scale)
{
  guint n = bench_count (scale, N_SHORT);

  return (n / 2 * (double) SHORT_USEC / N_WORKERS + LONG_USEC) / 1e3;
}

/* --- the command --------------------------------------------------------------------------------- */

double
bench_checksum (const BenchScale *scale)
{
  const char *loky = g_getenv ("LOKY_BENCH_COMMAND");
  g_autofree char *command = NULL;
  double start;

  if (loky == NULL || !g_file_test (loky, G_FILE_TEST_IS_EXECUTABLE))
    return NAN;
  command = g_strdup_printf ("find /usr/include -type f -print0 | '%s' map checksum.sha256 -0 - >/dev/null", loky);
  start = bench_now ();
  return system (command) == 0 ? (bench_now () - start) / 1e6 : NAN;
}
