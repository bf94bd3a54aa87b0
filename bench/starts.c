/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How soon the next worker is ready, by start method, and what it holds for itself. */

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_STARTS 100

static LokyExecutor *
make_executor (const char *method)
{
  return g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 1, "start-method", method, NULL);
}

static void
warm_up (LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;

  bench_check (loky_executor_warm_up_sync (executor, 1, NULL, &error), error,
               "the worker does not start");
}

static guint32
call (LokyExecutor *executor, const char *task)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result =
      loky_executor_call_sync (executor, task, g_variant_new_uint32 (0), NULL, NULL, &error);

  bench_check (result != NULL, error, task);
  return g_variant_get_uint32 (result);
}

/* Returns when it is gone. */
static void
kill_worker (LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = NULL;

  /* Killed while it opens the plugin it would be the plugin that is refused. */
  call (executor, "bench.nop");
  future = loky_executor_submit (executor, "bench.die", g_variant_new_uint32 (0), NULL, &error);
  bench_check (future != NULL, error, "bench.die");
  bench_check (loky_future_wait (future, -1, NULL, &error), error, "a wait");
}

/* The first worker has no server yet that forks, and finds the program in no cache. */
double
bench_measure_next_worker (const char *method, guint n)
{
  LokyExecutor *executor = make_executor (method);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));

  warm_up (executor);
  for (guint i = 0; i < n; i++)
    {
      double start, time;

      kill_worker (executor);
      start = bench_now ();
      warm_up (executor);
      time = (bench_now () - start) / 1e3;
      g_array_append_val (times, time);
    }
  bench_end_executor (executor);
  return bench_median (times);
}

double
bench_measure_next_memory (const char *method)
{
  LokyExecutor *executor = make_executor (method);
  double kib;

  /* The second: what the first one loads a server has loaded for those after it. */
  warm_up (executor);
  kill_worker (executor);
  call (executor, "bench.nop");
  kib = bench_sum_of_memory ((int) call (executor, "bench.pid"), "Private_");
  bench_end_executor (executor);
  return kib / 1024;
}

/* In processes of their own: `fork` wants one that has one thread. */
#define DEFINE(name, method)                                                                       \
  double bench_next_worker_##name (const BenchScale *scale)                                        \
  {                                                                                                \
    return bench_ask_fresh (NULL, "--next-worker=%s:%u", method, bench_count (scale, N_STARTS));   \
  }                                                                                                \
                                                                                                   \
  double bench_next_memory_##name (const BenchScale *scale)                                        \
  {                                                                                                \
    return bench_ask_fresh (NULL, "--next-memory=%s:%u", method, 1u);                              \
  }

DEFINE (loky, "loky")
DEFINE (forkserver, "forkserver")
DEFINE (init_main, "loky-init-main")
DEFINE (fork, "fork")
