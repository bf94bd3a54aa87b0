/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How long one thing takes. */

#include "bench.h"

#include <math.h>
#include <signal.h>
#include <sys/mman.h>

#define BUFFER_SIZE ((gsize) 1 << 30)
#define LARGE_SIZE ((gsize) 2 << 30)

static gboolean
call_nop (gpointer executor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (executor, "bench.nop", g_variant_new_uint32 (1), NULL, NULL, &error);

  bench_check (result != NULL, error, "bench.nop");
  return TRUE;
}

GArray *
bench_time_round_trips (guint n, guint pause)
{
  LokyExecutor *executor = bench_executor (1);
  GArray *times = bench_time (n, n / 10, pause, call_nop, executor);

  bench_end_executor (executor);
  return times;
}

double
bench_round_trip_sync (const BenchScale *scale)
{
  g_autoptr (GArray) times = bench_time_round_trips (bench_count (scale, 20000), 0);

  return bench_median (times);
}

double
bench_round_trip_sparse (const BenchScale *scale)
{
  g_autoptr (GArray) times = bench_time_round_trips (bench_count (scale, 100), 5000);

  return bench_median (times);
}

/* --- with a main loop ---------------------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *executor;
  GMainLoop *loop;
  GArray *times;
  double start;
  guint n_left;
} Chain;

static void called_cb (GObject *source, GAsyncResult *result, gpointer user_data);

static void
call (Chain *self)
{
  self->start = bench_now ();
  loky_executor_call_async (self->executor, "bench.nop", g_variant_new_uint32 (1), NULL, NULL, called_cb,
                            self);
}

static void
called_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Chain *self = user_data;
  double time = bench_now () - self->start;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = loky_executor_call_finish (self->executor, result, &error);

  bench_check (value != NULL, error, "bench.nop");
  g_array_append_val (self->times, time);
  if (--self->n_left > 0)
    call (self);
  else
    g_main_loop_quit (self->loop);
}

GArray *
bench_time_async_round_trips (guint n)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  GArray *times = g_array_new (FALSE, FALSE, sizeof (double));
  Chain chain = { bench_executor (1), loop, times, 0, n + n / 10 };

  call (&chain);
  g_main_loop_run (loop);
  bench_end_executor (chain.executor);
  g_array_remove_range (times, 0, n / 10);
  return times;
}

double
bench_round_trip_async (const BenchScale *scale)
{
  g_autoptr (GArray) times = bench_time_async_round_trips (bench_count (scale, 20000));

  return bench_median (times);
}

/* --- a large buffer ------------------------------------------------------------------------------ */

typedef struct
{
  LokyExecutor *executor;
  LokyBuffer *buffer;
} HandOver;

static gboolean
hand_over (gpointer data)
{
  HandOver *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) args = loky_buffer_to_variant (self->buffer, &error);
  g_autoptr (GVariant) result = NULL;

  bench_check (args != NULL, error, "a buffer");
  result = loky_executor_call_sync (self->executor, "bench.touch-nothing", args, NULL, NULL, &error);
  bench_check (result != NULL, error, "bench.touch-nothing");
  return TRUE;
}

double
bench_hand_over (const BenchScale *scale)
{
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (scale->smoke ? 1 << 20 : BUFFER_SIZE, NULL);
  g_autoptr (GArray) times = NULL;
  guint n = bench_count (scale, 500);
  HandOver self;

  if (buffer == NULL)
    return NAN;
  self = (HandOver){ bench_executor (1), buffer };
  times = bench_time (n, 0, 0, hand_over, &self);
  bench_end_executor (self.executor);
  return bench_median (times);
}

/* --- from nothing -------------------------------------------------------------------------------- */

static double
measure_first_results (guint n)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));

  for (guint i = 0; i < n; i++)
    {
      double start = bench_now ();
      LokyExecutor *executor = loky_executor_new (1);
      double time;

      call_nop (executor);
      time = (bench_now () - start) / 1e3;
      g_array_append_val (times, time);
      bench_end_executor (executor);
    }
  return bench_median (times);
}

double
bench_first_result (const BenchScale *scale)
{
  return measure_first_results (bench_count (scale, 30));
}

double
bench_first_result_large_parent (const BenchScale *scale)
{
  gsize size = scale->smoke ? 1 << 20 : LARGE_SIZE;
  void *memory = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  double time;

  if (memory == MAP_FAILED)
    return NAN;
  time = measure_first_results (bench_count (scale, 30));
  munmap (memory, size);
  return time;
}

/* --- after a death ------------------------------------------------------------------------------- */

static void
kill_workers (void)
{
  g_autoptr (GArray) pids = bench_find_workers ();

  for (guint i = 0; i < pids->len; i++)
    kill (g_array_index (pids, int, i), SIGKILL);
}

/* @to_result: until the next task has its result; else until the error is there. */
static double
measure_recovery (guint n, gboolean to_result)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  LokyExecutor *executor = bench_executor (1);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LokyFuture) future = NULL;
      double start, time;

      /* Killed while it opens the plugin it would be the plugin that is refused. */
      call_nop (executor);
      future = loky_executor_submit (executor, "bench.wait", g_variant_new_uint32 (0), NULL, &error);
      bench_check (future != NULL, error, "bench.wait");
      while (loky_future_get_state (future) != LOKY_FUTURE_STATE_RUNNING)
        g_usleep (100);
      start = bench_now ();
      kill_workers ();
      bench_check (loky_future_wait (future, -1, NULL, &error), error, "a wait");
      if (to_result)
        call_nop (executor);
      time = (bench_now () - start) / 1e3;
      g_array_append_val (times, time);
    }
  bench_end_executor (executor);
  return bench_median (times);
}

double
bench_recovery (const BenchScale *scale)
{
  return measure_recovery (bench_count (scale, 30), FALSE);
}

double
bench_recovery_replacement (const BenchScale *scale)
{
  return measure_recovery (bench_count (scale, 30), TRUE);
}
