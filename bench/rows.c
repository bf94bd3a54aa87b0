/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table: each row with its yardsticks and the goal. */

#include "bench.h"

#define PING_PONG \
  { "ping-pong", bench_ping_pong, NULL }, { "ping-pong-on-one-cpu", bench_ping_pong_pinned, NULL }
#define PEER(name, work) { name, NULL, work }
#define PEERS(work) \
  PEER ("loky", work), PEER ("multiprocessing", work), PEER ("concurrent.futures", work), PEER ("pebble", work)

const BenchRow bench_rows[] = {
  { "round-trip-sync", "µs", bench_round_trip_sync, BENCH_AT_MOST, 0.5, "ping-pong",
    { PING_PONG, PEERS ("round-trip") } },
  { "round-trip-async", "µs", bench_round_trip_async, BENCH_AT_MOST, 1.0, "ping-pong", { PING_PONG } },
  { "round-trip-sparse", "µs", bench_round_trip_sparse, BENCH_AT_MOST, 1.5, "ping-pong-sparse",
    { { "ping-pong-sparse", bench_ping_pong_sparse, NULL },
      { "bare-call-sparse", bench_bare_call_sparse, NULL } } },
  { "submit", "tasks/s", bench_submit, BENCH_AT_LEAST, 1.0, "gtask",
    { { "gtask", bench_gtask, NULL }, PEERS ("submit") } },
  { "submit-over-loky", "tasks/s", bench_submit, BENCH_AT_LEAST, 25, "loky", { PEER ("loky", "submit") } },
  { "map", "items/s", bench_map, BENCH_AT_LEAST, 0.3, "multiprocessing",
    { PEER ("multiprocessing", "map") } },
  { "map-batch", "items/s", bench_map_batch, BENCH_AT_LEAST, 2, "multiprocessing",
    { PEER ("multiprocessing", "map") } },
  { "submit-threads", "tasks/s", bench_submit_threads, BENCH_AT_LEAST, 0.8, "one-thread",
    { { "one-thread", bench_submit_one_thread, NULL } } },
  { "backlog", "µs", bench_backlog_long, BENCH_AT_MOST, 1.3, "short-backlog",
    { { "short-backlog", bench_backlog_short, NULL } } },
  { "backlog-memory", "B", bench_backlog_memory, BENCH_AT_MOST, 400, NULL, { { NULL } } },
  { "first-result", "ms", bench_first_result, BENCH_AT_MOST, 5, "spawn",
    { { "spawn", bench_spawn, NULL }, { "spawn-linked", bench_spawn_linked, NULL }, PEERS ("first-result") } },
  { "first-result-large-parent", "ms", bench_first_result_large_parent, BENCH_AT_MOST, 1.3, "first-result",
    { { "first-result", bench_first_result, NULL } } },
  { "payload", "GiB/s", bench_payload, BENCH_AT_LEAST, 0.5, "memcpy",
    { { "memcpy", bench_memcpy, NULL }, PEER ("loky", "payload"), PEER ("multiprocessing", "payload") } },
  { "hand-over", "µs", bench_hand_over, BENCH_AT_MOST, 3, "ping-pong", { PING_PONG } },
  { "idle-memory", "MiB", bench_idle_memory, BENCH_AT_MOST, 0.8, NULL, { PEER ("loky", "idle-memory") } },
  { "idle-memory-proportional", "MiB", bench_idle_memory_proportional, BENCH_AT_MOST, 1.6, NULL, { { NULL } } },
  { "idle-cpu", "switches", bench_idle_switches, BENCH_AT_MOST, 0, NULL, { { NULL } } },
  { "many-workers", "tasks/s", bench_submit_many_workers, BENCH_AT_LEAST, 0.6, "two-workers",
    { { "two-workers", bench_submit, NULL } } },
  { "many-workers-descriptors", "descriptors", bench_descriptors, BENCH_AT_MOST, 4, NULL, { { NULL } } },
  { "recovery", "ms", bench_recovery, BENCH_AT_MOST, 2, NULL, { { NULL } } },
  { "recovery-replacement", "ms", bench_recovery_replacement, BENCH_AT_MOST, 1.5, "first-result",
    { { "first-result", bench_first_result, NULL } } },
  { "next-worker-forkserver", "ms", bench_next_worker_forkserver, BENCH_AT_MOST, 0.5, "method-loky",
    { { "method-loky", bench_next_worker_loky, NULL }, { "method-loky-init-main", bench_next_worker_init_main, NULL },
      { "method-fork", bench_next_worker_fork, NULL } } },
  { "next-memory-forkserver", "MiB", bench_next_memory_forkserver, BENCH_AT_MOST, 1, "method-loky",
    { { "method-loky", bench_next_memory_loky, NULL }, { "method-loky-init-main", bench_next_memory_init_main, NULL },
      { "method-fork", bench_next_memory_fork, NULL } } },
  { "imbalance", "ms", bench_imbalance, BENCH_AT_MOST, 1.1, "ideal",
    { { "ideal", bench_imbalance_ideal, NULL } } },
  { "checksum", "s", bench_checksum, BENCH_AT_MOST, 0.5, "xargs-sha256sum",
    { { "xargs-sha256sum", bench_xargs_sha256sum, NULL } } },
};

const guint bench_n_rows = G_N_ELEMENTS (bench_rows);
