/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rows of loky-bench: what is measured, against what, and how far it may be from that. A measurement returns
 * one value in the row's unit, or NAN if it cannot be had here; the runner takes ours and its yardsticks in
 * turn, several times, and compares medians. */

#include <loky.h>

/* How much work one measurement is. */
typedef struct
{
  double factor;  /* by which counts of repetitions are multiplied; 1 in a full run */
  gboolean smoke; /* once is enough: only whether it works is looked at */
} BenchScale;

typedef double (*BenchMeasure) (const BenchScale *scale);

typedef enum
{
  BENCH_AT_MOST,
  BENCH_AT_LEAST,
} BenchBound;

/* A value that ours is compared with. */
typedef struct
{
  const char *name;
  BenchMeasure measure;   /* NULL: by bench/peers/peers.py, where Python and the peer are installed */
  const char *peer_work;  /* what to ask of it */
} BenchPeer;

typedef struct
{
  const char *name;
  const char *unit;
  BenchMeasure ours;
  BenchBound bound;
  double goal;         /* of ours over @against; of ours itself, if there is none */
  const char *against; /* the name of a peer, or NULL */
  BenchPeer peers[8];
} BenchRow;

extern const BenchRow bench_rows[];
extern const guint bench_n_rows;

/* @n times @scale's factor; not less than 5 of @n, since one sample is cold. 1 if only whether it works is looked
 * at. */
guint bench_count (const BenchScale *scale, guint n);

/* Of @values, which is sorted by it; NAN if there are none. */
double bench_median (GArray *values);
double bench_percentile (GArray *values, double percent);

/* What was measured one after the other, in the same state of the machine, which changes from one time to the next by more
 * than what is looked for. */
typedef struct
{
  double ours;
  double against;
} BenchPair;

/* Of @pairs (of BenchPair), which is sorted by it, the one in the middle by its ratio; NULL if there are none. */
const BenchPair *bench_middle_pair (GArray *pairs);

/* In µs, monotonic, with fractions. */
double bench_now (void);

/* What is timed; FALSE: it failed, and is not to be done again. */
typedef gboolean (*BenchFunc) (gpointer data);

/* Calls @func @n_warm_up times and then @n times, after a pause of so many µs each, and returns how long each of
 * the latter took, in µs (double). */
GArray *bench_time (guint n, guint n_warm_up, guint pause, BenchFunc func, gpointer data);

/* What starts executors for all rows; failures end the program with a message. */
LokyExecutor *bench_executor (guint n_workers);
void bench_end_executor (LokyExecutor *executor);
/* The sum of the lines that begin with @prefix in what the kernel knows of a process's memory, in KiB. */
double bench_sum_of_memory (int pid, const char *prefix);
/* What this program measures with an option, and @other (nullable), in a process of its own: in one that had tasks before,
 * memory that was freed is used again, by one measurement more than by another. NAN if it fails. */
double bench_ask_fresh (double *other, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* The process ids (int) of the children of this process. */
GArray *bench_find_workers (void);
void bench_check (gboolean is_right, const GError *error, const char *what);

/* What bench/peers/peers.py says; NAN where it or the peer is missing. */
double bench_ask_peer (const char *peer, const char *work, const BenchScale *scale);

/* --- curves.c ------------------------------------------------------------------------------------ */

/* Both as JSON, for bench/plot.py. */
char *bench_make_curves (const BenchScale *scale);

/* --- yardsticks.c -------------------------------------------------------------------------------- */

/* A blocking ping-pong of 64 bytes between two processes over a socket pair, @n times, by several pairs one after
 * the other, with a pause of so many µs before each: µs (double). */
GArray *bench_time_ping_pong (guint n, guint pause);
/* Its p50, in µs. */
double bench_ping_pong (const BenchScale *scale);
/* The same, once every 5 ms. */
double bench_ping_pong_sparse (const BenchScale *scale);
/* The same with a GObject for each call and GVariants on both sides. */
double bench_bare_call_sparse (const BenchScale *scale);
/* The ping-pong back to back, with both processes bound to one processor. */
double bench_ping_pong_pinned (const BenchScale *scale);
/* g_task_run_in_thread() of tasks that do nothing, from the first to the last completion, tasks/s. */
double bench_gtask (const BenchScale *scale);
/* posix_spawn() of /bin/true until it is reaped, and of a program with the libraries of a worker, in ms. */
double bench_spawn (const BenchScale *scale);
double bench_spawn_linked (const BenchScale *scale);
/* memcpy() of 64 MiB, in GiB/s. */
double bench_memcpy (const BenchScale *scale);
/* find | xargs -P sha256sum, of what the row `checksum` reads, in s. */
double bench_xargs_sha256sum (const BenchScale *scale);

/* --- latency.c ----------------------------------------------------------------------------------- */

/* The same by call_sync() of a task that does nothing, and by call_async() to its callback. */
GArray *bench_time_round_trips (guint n, guint pause);
GArray *bench_time_async_round_trips (guint n);

double bench_round_trip_sync (const BenchScale *scale);
double bench_round_trip_async (const BenchScale *scale);
double bench_round_trip_sparse (const BenchScale *scale);
double bench_hand_over (const BenchScale *scale);
double bench_first_result (const BenchScale *scale);
double bench_first_result_large_parent (const BenchScale *scale);
double bench_recovery (const BenchScale *scale);
double bench_recovery_replacement (const BenchScale *scale);

/* --- throughput.c -------------------------------------------------------------------------------- */

double bench_submit (const BenchScale *scale);
double bench_submit_threads (const BenchScale *scale);
double bench_submit_one_thread (const BenchScale *scale);
/* Their part that wants a fresh process: of @n tasks, in tasks a second. */
double bench_measure_submit_threads (guint n, double *one);
double bench_submit_many_workers (const BenchScale *scale);
double bench_map (const BenchScale *scale);
double bench_map_batch (const BenchScale *scale);
double bench_payload (const BenchScale *scale);
double bench_imbalance (const BenchScale *scale);
double bench_imbalance_ideal (const BenchScale *scale);
double bench_checksum (const BenchScale *scale);

/* --- starts.c ------------------------------------------------------------------------------------ */

/* Until the next worker is ready, in ms, and its private memory when it has run a task, in MiB; by start method. */
double bench_next_worker_loky (const BenchScale *scale);
double bench_next_worker_forkserver (const BenchScale *scale);
double bench_next_worker_init_main (const BenchScale *scale);
double bench_next_worker_fork (const BenchScale *scale);
double bench_next_memory_loky (const BenchScale *scale);
double bench_next_memory_forkserver (const BenchScale *scale);
double bench_next_memory_init_main (const BenchScale *scale);
double bench_next_memory_fork (const BenchScale *scale);
/* Their parts that want a fresh process; of @n starts. */
double bench_measure_next_worker (const char *method, guint n);
double bench_measure_next_memory (const char *method);

/* --- costs.c ------------------------------------------------------------------------------------- */

double bench_backlog_long (const BenchScale *scale);
double bench_backlog_short (const BenchScale *scale);
double bench_backlog_memory (const BenchScale *scale);
/* Their parts that want a fresh process: of @n pending tasks, in bytes each; of a submission behind them and behind few,
 * in µs. */
double bench_measure_backlog_memory (guint n);
double bench_measure_backlog_costs (guint n, double *short_cost);
double bench_idle_memory (const BenchScale *scale);
double bench_idle_memory_proportional (const BenchScale *scale);
double bench_idle_switches (const BenchScale *scale);
double bench_descriptors (const BenchScale *scale);
