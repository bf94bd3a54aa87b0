/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who runs what, when: the queue, the priorities, which worker gets which task, what is sent ahead
 * and taken back, retries, deadlines, the crash policy and the shutdown.
 *
 * Pure: the scheduler knows no process, file, clock or callback. It is told of an event and of the
 * time (CLOCK_MONOTONIC, in µs) and appends actions to the caller's list. The caller carries them
 * out in their order, before it tells of the next event; RECALL, PROBE, BEAT and START are questions, which
 * it answers at once, and the answer appends further actions to the same list.
 *
 * Tasks and workers are the caller's structures, which hold those below; the scheduler only links
 * them. A task belongs to the scheduler from submit to its one COMPLETE action; a worker from
 * add_worker to worker_gone.
 *
 * Not thread-safe: the pool calls it with its lock held. */

#include <glib.h>

#include "loky-enums.h"

G_BEGIN_DECLS

#define LOKY_SCHEDULER_MAX_DEPTH 256

typedef struct _LokyScheduler LokyScheduler;
typedef struct _LokySchedulerTask LokySchedulerTask;
typedef struct _LokySchedulerWorker LokySchedulerWorker;

/* What all tasks of one name share. */
typedef struct
{
  gint64 run_time; /* of one item, a running mean, in ns; -1 until one has returned */
  gboolean was_much_longer; /* the last one, than the mean */
} LokySchedulerFunction;

typedef enum
{
  LOKY_DEADLINE_QUEUE,    /* of a task that waits: its queue timeout */
  LOKY_DEADLINE_RUN,      /* of a task that was sent: its timeout, to be probed */
  LOKY_DEADLINE_GRACE,    /* of a task that was asked to stop */
  LOKY_DEADLINE_WORKER,   /* of a worker: starting, idle, leaving or dying */
  LOKY_DEADLINE_BEAT,     /* of a worker that has a task: it is to answer */
  LOKY_DEADLINE_BACKOFF,  /* of the scheduler: the next start is allowed */
  LOKY_DEADLINE_STALL,    /* of the scheduler: look for tasks that wait behind a long one */
  LOKY_DEADLINE_SHUTDOWN, /* of the scheduler: drain no longer */
} LokyDeadlineKind;

typedef struct
{
  gint64 at;
  GSequenceIter *iter; /* NULL while it is not set */
  LokyDeadlineKind kind; /* which tells of what it is a part, too */
} LokyDeadline;

typedef enum
{
  LOKY_TASK_STATE_NEW,
  LOKY_TASK_STATE_QUEUED, /* no worker has it */
  LOKY_TASK_STATE_SENT,   /* a worker has it, and may have begun it */
  LOKY_TASK_STATE_ENDED,
} LokyTaskState;

typedef enum
{
  LOKY_STOP_NONE,
  LOKY_STOP_CANCEL,
  LOKY_STOP_TIMEOUT,
} LokyStop;

typedef enum
{
  LOKY_RECALL_NONE,
  LOKY_RECALL_TAKE_BACK,
  LOKY_RECALL_CANCEL,
  LOKY_RECALL_CANCEL_PENDING, /* cancelled, but only if it was not begun */
  LOKY_RECALL_DEATH,
} LokyRecall;

/* There may be a million of them: what is small is kept together. */
struct _LokySchedulerTask
{
  /* set by the caller before submit; times in µs, negative for none */
  LokySchedulerFunction *function;
  gint64 timeout;
  gint64 queue_timeout;
  gint64 cancel_grace;
  gint priority; /* lower runs first */
  guint retries;
  guint n_items : 31; /* among which its run time is divided; 0 counts as 1 */
  guint is_alone : 1; /* it never waits at a worker, and nothing behind it */

  /* the scheduler's; for others to read */
  guint attempts; /* how often it was begun, or sent without being taken back */
  guint16 slot;
  guint8 state; /* LokyTaskState */
  guint8 stop;  /* LokyStop */

  /*< private >*/
  guint8 recall;     /* LokyRecall */
  guint8 was_behind; /* another task at its worker, and was not seen to have begun */
  guint16 n_late;    /* workers that were killed since they did not begin it */

  /*< public >*/
  LokySchedulerWorker *worker;
  guint64 number;

  /*< private >*/
  GList link; /* in the queue of its priority, or among a worker's tasks */
  gint64 queued_at;
  gint64 sent_at;
  gint64 started;    /* as the worker said when it was probed first; negative: not yet */
  gint64 late_since; /* it should have been begun: the worker has nothing else to do; negative: it has */
  gint64 expected;   /* ns */
  LokyDeadline deadline;
};

typedef enum
{
  LOKY_WORKER_STATE_STARTING,
  LOKY_WORKER_STATE_READY,
  LOKY_WORKER_STATE_RETIRING, /* ends what it runs, gets nothing more */
  LOKY_WORKER_STATE_LEAVING,  /* was told to leave */
  LOKY_WORKER_STATE_DYING,    /* is being killed */
  LOKY_WORKER_STATE_GONE,
} LokyWorkerState;

struct _LokySchedulerWorker
{
  LokyWorkerState state;
  guint64 last_number;

  /*< private >*/
  GQueue tasks; /* in the order in which they were sent */
  GList pool_link; /* among all workers */
  GList list_link; /* among the idle or the open ones */
  GQueue *list;
  gint64 ahead; /* expected run time of what it has, in ns */
  gint64 last_activity;
  guint64 n_given; /* items that it was sent and that were not taken back */
  gboolean is_stalled;
  gboolean is_brisk;
  gboolean has_served; /* said hello */
  gboolean has_worked; /* returned a task */
  gboolean may_leave;  /* was told to: however it ends then, no task is lost */
  gboolean was_killed; /* by the scheduler's decision, or is excused */
  LokyDeadline deadline;
  LokyDeadline beat;
  LokySchedulerTask *slots[LOKY_SCHEDULER_MAX_DEPTH];
  guint16 free_slots[LOKY_SCHEDULER_MAX_DEPTH];
  guint n_free_slots;
};

typedef enum
{
  LOKY_OUTCOME_RESULT,
  LOKY_OUTCOME_FAILURE, /* the task's own, as the worker told it */
  LOKY_OUTCOME_CANCELLED,
  LOKY_OUTCOME_TIMED_OUT,
  LOKY_OUTCOME_QUEUE_TIMED_OUT,
  LOKY_OUTCOME_WORKER_DIED,
  LOKY_OUTCOME_UNSENDABLE,
  LOKY_OUTCOME_SHUT_DOWN,
  LOKY_OUTCOME_BROKEN,
} LokyOutcome;

typedef enum
{
  LOKY_KILL_STOP_TASK, /* its task did not stop within the grace period */
  LOKY_KILL_SHUTDOWN,
  LOKY_KILL_BROKEN,
  LOKY_KILL_UNRESPONSIVE, /* it did not say hello, or was told to leave and did not */
  LOKY_KILL_IDLE,         /* it was sent a task and does not begin it */
  LOKY_KILL_NONSENSE,     /* the caller's: its control area holds what no worker writes */
  LOKY_KILL_SURPLUS,      /* it had not said hello when there were to be fewer */
  LOKY_KILL_SILENT,       /* it was asked whether it lives and did not answer */
} LokyKillReason;

typedef enum
{
  LOKY_ACTION_SEND,     /* task, to task->worker, in task->slot, under task->number */
  LOKY_ACTION_RECALL,   /* task; answered by loky_scheduler_recalled() */
  LOKY_ACTION_REVOKE,   /* task: its worker must not begin it any more; no answer */
  LOKY_ACTION_PROBE,    /* task; answered by loky_scheduler_probed() */
  LOKY_ACTION_STOP,     /* task: ask it to stop */
  LOKY_ACTION_BEAT,     /* worker: ask it for a sign of life; answered by loky_scheduler_beaten() */
  LOKY_ACTION_COMPLETE, /* task, outcome; worker is the one that had it, or NULL */
  LOKY_ACTION_START,    /* answered by loky_scheduler_add_worker() */
  LOKY_ACTION_LEAVE,    /* worker: tell it to leave */
  LOKY_ACTION_KILL,     /* worker, kill_reason */
  LOKY_ACTION_ABANDON,  /* worker: it does not end though it was killed; forget it */
  LOKY_ACTION_FINISHED, /* no task and no worker is left, and none will come */
} LokyActionType;

typedef struct
{
  LokyActionType type;
  LokySchedulerTask *task;
  LokySchedulerWorker *worker;
  union
  {
    LokyOutcome outcome;
    LokyKillReason kill_reason;
  };
} LokyAction;

/* @actions everywhere: a GArray of LokyAction. */

LokyScheduler *loky_scheduler_new (guint max_workers);
void loky_scheduler_free (LokyScheduler *self);

void loky_scheduler_set_max_workers (LokyScheduler *self,
                                     guint max_workers,
                                     gint64 now,
                                     GArray *actions);
/* In µs, negative for none. */
void loky_scheduler_set_idle_timeout (LokyScheduler *self,
                                      gint64 idle_timeout,
                                      gint64 now,
                                      GArray *actions);
/* How many workers can run at the same time; not limited unless it is set. */
void loky_scheduler_set_n_cpus (LokyScheduler *self, guint n_cpus);
void loky_scheduler_set_crash_policy (LokyScheduler *self, LokyCrashPolicy crash_policy);
/* How long a worker has to say hello; for those that are started from now on. In µs. */
void loky_scheduler_set_start_timeout (LokyScheduler *self, gint64 start_timeout);
/* A worker that was sent so many items, or more, gets no others, unless some are taken back before it begins them, and
 * leaves when it has done them; 0: any number. For tasks that are sent from now on. */
void loky_scheduler_set_max_tasks (LokyScheduler *self, guint max_tasks);
/* How often a worker that has a task is asked for a sign of life, and how long it has to give it. In µs,
 * negative for never; for tasks that are sent from now on to workers that have none. */
void loky_scheduler_set_heartbeat (LokyScheduler *self, gint64 heartbeat);

LokyExecutorState loky_scheduler_get_state (LokyScheduler *self);
gboolean loky_scheduler_is_broken (LokyScheduler *self); /* also when it was shut down after that */
guint64 loky_scheduler_get_n_tasks (LokyScheduler *self);  /* not ended */
guint64 loky_scheduler_get_n_queued (LokyScheduler *self); /* no worker has them */
guint loky_scheduler_get_max_workers (LokyScheduler *self);
guint loky_scheduler_get_n_workers (LokyScheduler *self);  /* not gone */
guint loky_scheduler_get_n_serving (LokyScheduler *self);  /* said hello, and stay */
guint loky_scheduler_get_n_busy (LokyScheduler *self);     /* have a task */
gboolean loky_scheduler_has_free_cpu (LokyScheduler *self); /* fewer workers are busy than there are CPUs */

/* Whether no task and no worker is on its way to anything: all workers serve, and have nothing to do. */
gboolean loky_scheduler_is_quiet (LokyScheduler *self);
/* The one that the next task goes to if nothing changes, or NULL. */
LokySchedulerWorker *loky_scheduler_peek_idle (LokyScheduler *self);

/* When tick() is due, or -1. */
gint64 loky_scheduler_get_deadline (LokyScheduler *self);
void loky_scheduler_tick (LokyScheduler *self, gint64 now, GArray *actions);

/* Only in the state OPEN. */
void loky_scheduler_submit (LokyScheduler *self,
                            LokySchedulerTask *task,
                            gint64 now,
                            GArray *actions);
/* FALSE: it has ended already. */
gboolean loky_scheduler_cancel (LokyScheduler *self,
                                LokySchedulerTask *task,
                                gint64 now,
                                GArray *actions);
/* Only in the state OPEN. Starts workers until there are @n_workers, within the limit; is_warm tells
 * when they serve. */
void loky_scheduler_warm_up (LokyScheduler *self, guint n_workers, gint64 now, GArray *actions);
gboolean loky_scheduler_is_warm (LokyScheduler *self);
/* @deadline in µs of the clock, negative for none: kill what is left then. */
void loky_scheduler_shutdown (LokyScheduler *self,
                              LokyShutdownMode mode,
                              gint64 deadline,
                              gint64 now,
                              GArray *actions);

/* The answer to START. */
void loky_scheduler_add_worker (LokyScheduler *self, LokySchedulerWorker *worker);
void loky_scheduler_worker_ready (LokyScheduler *self,
                                  LokySchedulerWorker *worker,
                                  gint64 now,
                                  GArray *actions);
/* The worker is to leave when it has done what it is at; what it has not begun goes to others. FALSE: it does not
 * serve, or is to leave already. */
gboolean loky_scheduler_retire (LokyScheduler *self,
                                LokySchedulerWorker *worker,
                                gint64 now,
                                GArray *actions);
/* The worker is to be killed for a reason of the caller's own, who does it. */
void loky_scheduler_worker_dying (LokyScheduler *self,
                                  LokySchedulerWorker *worker,
                                  gint64 now,
                                  GArray *actions);
/* The end of the worker, which is to be told, is not its own doing: it counts neither as a failed start nor as a crash,
 * unless it serves after all. */
void loky_scheduler_excuse (LokySchedulerWorker *worker);
/* The worker is dead and all that it sent has been told. */
void loky_scheduler_worker_gone (LokyScheduler *self,
                                 LokySchedulerWorker *worker,
                                 gint64 now,
                                 GArray *actions);

/* The task that a worker has in @slot under @number, or NULL: what a worker says is not believed. */
LokySchedulerTask *loky_scheduler_find (LokySchedulerWorker *worker, guint slot, guint64 number);

/* RESULT, FAILURE or UNSENDABLE; @run_time in ns. */
void loky_scheduler_returned (LokyScheduler *self,
                              LokySchedulerTask *task,
                              LokyOutcome outcome,
                              gint64 run_time,
                              gint64 now,
                              GArray *actions);
void loky_scheduler_recalled (LokyScheduler *self,
                              LokySchedulerTask *task,
                              gboolean recalled,
                              gint64 now,
                              GArray *actions);
void loky_scheduler_probed (LokyScheduler *self,
                            LokySchedulerTask *task,
                            gboolean running,
                            gint64 started,
                            gint64 now,
                            GArray *actions);

/* @has_answered: whether the worker has answered when it was asked the last time, TRUE if it was not
 * asked yet. It is asked again. */
void loky_scheduler_beaten (LokyScheduler *self,
                            LokySchedulerWorker *worker,
                            gboolean has_answered,
                            gint64 now,
                            GArray *actions);

G_END_DECLS
