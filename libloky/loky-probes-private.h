/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Places where a tracer can look on: probes of the provider "loky", in the notes of the library (<sys/sdt.h>).
 * One that nobody watches is a nop; without the header it is nothing. docs/tracing.md tells what they are and what
 * is in their arguments, and is part of the API: tests/test-probes.py compares it with what was built.
 *
 * Arguments must be at hand, and without effect: they are worked out whether or not somebody looks. */

#include <glib.h>

#if LOKY_HAS_USDT

#include <sys/sdt.h>

/* --- in the application -------------------------------------------------------------------------- */

#define LOKY_PROBE_TASK_QUEUED(future, name) DTRACE_PROBE2 (loky, task_queued, future, name)
#define LOKY_PROBE_TASK_SENT(future, name, worker_id, number, attempt) \
  DTRACE_PROBE5 (loky, task_sent, future, name, worker_id, number, attempt)
/* @outcome: a LokyOutcome */
#define LOKY_PROBE_TASK_ENDED(future, name, outcome) DTRACE_PROBE3 (loky, task_ended, future, name, outcome)
#define LOKY_PROBE_WORKER_SPAWNED(worker_id, pid) DTRACE_PROBE2 (loky, worker_spawned, worker_id, pid)
/* @kind: a LokyEndingKind */
#define LOKY_PROBE_WORKER_DIED(worker_id, pid, kind, code) \
  DTRACE_PROBE4 (loky, worker_died, worker_id, pid, kind, code)

/* --- in the worker ------------------------------------------------------------------------------- */

#define LOKY_PROBE_TASK_STARTED(name, worker_id, number, attempt) \
  DTRACE_PROBE4 (loky, task_started, name, worker_id, number, attempt)
/* @run_time: ns */
#define LOKY_PROBE_TASK_RETURNED(name, worker_id, number, run_time, has_result) \
  DTRACE_PROBE5 (loky, task_returned, name, worker_id, number, run_time, has_result)

#else

#define LOKY_PROBE_TASK_QUEUED(future, name) G_STMT_START {} G_STMT_END
#define LOKY_PROBE_TASK_SENT(future, name, worker_id, number, attempt) G_STMT_START {} G_STMT_END
#define LOKY_PROBE_TASK_ENDED(future, name, outcome) G_STMT_START {} G_STMT_END
#define LOKY_PROBE_WORKER_SPAWNED(worker_id, pid) G_STMT_START {} G_STMT_END
#define LOKY_PROBE_WORKER_DIED(worker_id, pid, kind, code) G_STMT_START {} G_STMT_END
#define LOKY_PROBE_TASK_STARTED(name, worker_id, number, attempt) G_STMT_START {} G_STMT_END
#define LOKY_PROBE_TASK_RETURNED(name, worker_id, number, run_time, has_result) G_STMT_START {} G_STMT_END

#endif
