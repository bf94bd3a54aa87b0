/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The pool: the scheduler, the workers and the monitor thread, under one lock.
 *
 * An executor is a handle on a pool. The pool holds itself, by its thread, until it is idle and shut
 * down; futures hold it too, for its lock.
 *
 * A thread that waits for a task may read the channels itself: see loky_pool_await_locked().
 *
 * All functions can be called from any thread, without the lock unless they end in _locked. None
 * calls user code with the lock held. Lock order: the pool's lock, then a channel's or a mailbox's. */

#include "loky-future-private.h"
#include "loky-reducer-registry.h"

G_BEGIN_DECLS

LokyPool *loky_pool_new (guint max_workers);
LokyPool *loky_pool_ref (LokyPool *self);
void loky_pool_unref (LokyPool *self);

/* Whether this process is a child that was forked off the one that made the pool: here it has neither its
 * thread nor its workers, and nothing may wait for it. */
gboolean loky_pool_is_foreign (LokyPool *self);
/* LOKY_ERROR_FORKED there. */
gboolean loky_pool_check_process (LokyPool *self, GError **error);
/* G_IO_ERROR_WOULD_BLOCK in the monitor thread, which nothing may wait in. */
gboolean loky_pool_check_thread (LokyPool *self, GError **error);

void loky_pool_lock (LokyPool *self);
void loky_pool_unlock (LokyPool *self);

/* Waits on @cond until @end (CLOCK_MONOTONIC, in µs; negative: for ever). FALSE: the time is over. */
gboolean loky_pool_wait_locked (LokyPool *self, GCond *cond, gint64 end);

/* A thread that waits for a future; on its stack. */
struct _LokyWaiter
{
  LokyFuture *future;
  LokyWaiter *next;      /* of the same future; pool lock */
  gboolean is_cancelled; /* pool lock */
  gboolean wants_partial; /* will do as well as the end; constant */

  /*< private to loky-pool-wait.c >*/
  GCond cond;
  gboolean listens; /* pool lock */
  int bell;         /* what it polls besides the channels, or -1; pool lock */
  gint is_rung;     /* atomic */
  gboolean woke_worker; /* which slept when its task was sent */
  LokyFuture *told; /* what it has to announce when it has left; references */
  LokyFuture **told_tail;
  gboolean is_deaf; /* it leaves the channels to the monitor */

  /*< private to loky-pool-patience.c >*/
  gboolean is_patient; /* pool lock, as those below */
  gboolean is_deferred;
  LokyWaiter *next_deferred;
};

void loky_waiter_init (LokyWaiter *self, LokyFuture *future);
void loky_waiter_clear (LokyWaiter *self);
/* Has it look again. */
void loky_waiter_wake_locked (LokyWaiter *self);
/* Its future has ended: at once, or soon. */
void loky_waiter_serve_locked (LokyWaiter *self);

/* Before a task is made that is to be submitted at once: wakes the worker that it would go to if that sleeps, so that
 * both are ready at the same time. Any thread; it does not wait. */
void loky_pool_rouse (LokyPool *self);

/* Has it listen to the workers, if nobody does: before its task is sent, since the answer may be faster than it
 * is. It must await then. */
void loky_pool_listen_locked (LokyPool *self, LokyWaiter *waiter);

/* Waits for a moment, until @end at the latest, as above. One waiter at a time listens to the workers itself, so
 * that a result needs no other thread to be woken: it takes the channels from the monitor's poll, spins if its
 * task is expected soon, then polls, and reads whatever comes. FALSE: the time is over. */
gboolean loky_pool_await_locked (LokyPool *self, LokyWaiter *waiter, gint64 end);

/* Told when the state or the number of workers may have changed: in any thread, with the lock held, so
 * that it may only arm a source. Once it was set to NULL it is not called any more. */
typedef void (*LokyPoolChanged) (gpointer user_data);
void loky_pool_set_changed_func (LokyPool *self, LokyPoolChanged func, gpointer user_data);

/* --- settings --- */

void loky_pool_set_max_workers (LokyPool *self, guint max_workers);
/* ms, negative for none */
void loky_pool_set_idle_timeout (LokyPool *self, gint64 idle_timeout);
void loky_pool_set_crash_policy (LokyPool *self, LokyCrashPolicy crash_policy);
/* Each NULL for the default. */
void loky_pool_set_worker_path (LokyPool *self, const char *worker_path);
void loky_pool_set_plugin_path (LokyPool *self, const char *const *plugin_path);
void loky_pool_set_environment (LokyPool *self, const char *const *environment);
/* "aas" and "aau", or NULL; once, before the first task. */
void loky_pool_set_allotments (LokyPool *self, GVariant *environments, GVariant *cpus);
void loky_pool_set_preload (LokyPool *self, const char *const *preload);
/* The name of a start method; NULL for the default. Once, after the settings above and before anything else: with
 * "fork" this forks. One that cannot be used is an error of whoever needs workers. */
void loky_pool_set_start_method (LokyPool *self, const char *name);
/* A task that each worker runs before it serves; NULL for none. */
void loky_pool_set_initializer (LokyPool *self, const char *initializer);
void loky_pool_set_initializer_args (LokyPool *self, GVariant *args);
/* ms */
void loky_pool_set_start_timeout (LokyPool *self, gint64 start_timeout);
/* ms, negative for none */
void loky_pool_set_heartbeat (LokyPool *self, gint64 heartbeat);
/* Bytes, 0 for none: a worker that has grown by so much leaves when it is free; looked at every @interval ms. */
void loky_pool_set_memory_growth (LokyPool *self, guint64 limit, gint64 interval);
/* Before the first worker starts. */
void loky_pool_set_accepts_descriptors (LokyPool *self, gboolean accepts_descriptors);
/* 0 for any number */
void loky_pool_set_max_tasks (LokyPool *self, guint max_tasks);
/* Of tasks that wait, but for those of maps; 0 for any number. */
void loky_pool_set_max_backlog (LokyPool *self, guint max_backlog);
/* µs; 0 for none */
void loky_pool_set_spin_time (LokyPool *self, gint64 spin_time);
char **loky_pool_dup_plugin_path (LokyPool *self);
/* Before it is used: what reduces the arguments of its tasks, and what rebuilds their results. NULL for the default.
 * The monitor thread does not let go of them itself, but in @home. */
void loky_pool_set_reducers (LokyPool *self,
                             LokyReducerRegistry *jobs,
                             LokyReducerRegistry *results,
                             GMainContext *home);
/* Before it is used; NULL for what is chosen for the process. */
void loky_pool_set_serializer (LokyPool *self, const char *name);
/* What a task that is submitted now goes by; NULL for the default. */
gboolean loky_pool_get_serializer (LokyPool *self, LokySerializer **serializer, GError **error);
LokyReducerRegistry *loky_pool_get_job_reducers (LokyPool *self);
LokyReducerRegistry *loky_pool_get_result_reducers (LokyPool *self);

/* --- state --- */

typedef struct
{
  LokyExecutorState state;
  guint n_workers; /* that serve */
  guint64 n_pending;
  guint n_running;
} LokyPoolStatus;

void loky_pool_get_status (LokyPool *self, LokyPoolStatus *status);

/* A worker that had grown too much. */
typedef struct
{
  guint worker_id;
  guint64 before; /* bytes */
  guint64 after;
} LokyGrowth;

/* Those since the last call: a GArray of LokyGrowth, or NULL. */
GArray *loky_pool_take_growths (LokyPool *self);

/* --- tasks --- */

/* Submits @future, whose args, buffers and task options are set; args went by the
 * serializer of @traits. With @has_mailbox its news go to the
 * thread-default main context. */
gboolean loky_pool_submit (LokyPool *self,
                           LokyFuture *future,
                           const char *task,
                           const LokyTaskTraits *traits,
                           gboolean has_mailbox,
                           GError **error);
/* The same when there is room in the backlog, by whoever makes it: nobody has to iterate a context for that. @gtask
 * returns the future, whose news go to its context; or an error. Takes over @future and @gtask. */
void loky_pool_submit_async (LokyPool *self,
                             LokyFuture *future,
                             const char *task,
                             const LokyTaskTraits *traits,
                             GTask *gtask);
gboolean loky_pool_cancel (LokyPool *self, LokyFuture *future);
/* Of the tasks of one name, or with NULL of all; a new one. */
LokyStatistics *loky_pool_dup_statistics (LokyPool *self, const char *task);
char **loky_pool_dup_task_names (LokyPool *self);
/* A future that has failed with @error already. */
LokyFuture *loky_pool_make_failed (LokyPool *self, const char *task, const GError *error);
/* For what is told in @context, which must not go before it was posted; a reference. */
LokyMailbox *loky_pool_ensure_mailbox_locked (LokyPool *self, GMainContext *context);
gboolean loky_pool_is_task_running_locked (LokyPool *self, LokySchedulerTask *task);
gdouble loky_pool_get_task_progress_locked (LokyPool *self, LokySchedulerTask *task);
/* Of a future that has a feed, or NULL; its worker may send more then. */
LokyPartial *loky_pool_take_partial (LokyPool *self, LokyFuture *future);

/* --- life --- */

typedef enum
{
  LOKY_POOL_WARM,
  LOKY_POOL_HAS_ROOM, /* of loky_pool_submit_async() only */
  LOKY_POOL_SHUT_DOWN,
} LokyPoolCondition;

/* Starts workers until @n_workers serve. */
gboolean loky_pool_warm_up (LokyPool *self, guint n_workers, GError **error);
/* @timeout in ms, negative for none */
void loky_pool_shutdown (LokyPool *self, LokyShutdownMode mode, gint64 timeout);

/* @task returns TRUE when the condition holds, or an error if it cannot any more; a cancellation ends
 * the wait at once. Takes over @task. */
void loky_pool_wait_async (LokyPool *self, LokyPoolCondition condition, GTask *task);
gboolean loky_pool_wait_sync (LokyPool *self,
                              LokyPoolCondition condition,
                              GCancellable *cancellable,
                              GError **error);

/* Joins the monitor thread of a pool that is shut down, unless the caller is that thread. */
void loky_pool_join (LokyPool *self);

G_END_DECLS
