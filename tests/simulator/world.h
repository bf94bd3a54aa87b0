/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The world around the scheduler, invented: tasks, workers, a clock. It carries out the scheduler's actions
 * as the pool does, keeps its own record of what is where, and checks after each step that nothing is lost,
 * doubled, or left waiting without a way out.
 *
 * What is found wrong ends the process by abort(), after it was written to world_failure: a schedule is run
 * in a process of its own where that matters. */

#include "loky-scheduler-private.h"

#define WORLD_MAX_TASKS 512
#define WORLD_MAX_WORKERS 1024
#define WORLD_N_FUNCTIONS 3

#define MSEC 1000
#define SECOND ((gint64) G_USEC_PER_SEC)

typedef struct
{
  LokySchedulerTask scheduling; /* first: a task of the scheduler is one of ours */
  guint id;
  struct _WorldWorker *holder; /* who was sent it and has neither returned it nor given it back */
  gboolean is_begun;           /* there */
  gboolean is_done;            /* there: its result is on the way */
  gint64 begun_at;
  gint64 submitted_at;
  guint n_sent;
  guint n_begun; /* in all */
  gboolean is_result; /* what it returned */
  gint64 run_time;
  guint n_ended;
  gboolean is_stopped;    /* its worker was asked to stop it */
  gboolean was_cancelled; /* its owner asked for that */
  gboolean is_revoked;    /* ended by force while it ran: nobody waits for what it returns */
} WorldTask;

typedef struct _WorldWorker
{
  LokySchedulerWorker scheduling; /* first */
  guint id;
  GQueue tasks; /* of WorldTask, in the order in which they came */
  guint64 last_number;
  guint n_begun; /* of its tasks, in all */
  gboolean is_told_to_leave;
  gboolean is_killed;
  gboolean is_abandoned;
  gboolean is_stopped; /* by a signal: does nothing */
  gboolean is_asked;   /* for a sign of life */
} WorldWorker;

typedef struct
{
  guint64 n_schedules;
  guint64 n_steps;
  guint64 n_tasks;
  guint64 n_results;
  guint64 n_crashes;
  guint64 n_kills;
  guint64 n_cancels;
  guint64 n_timeouts;
  guint64 n_resizes;
  guint64 n_shutdowns;
  guint64 n_broken;
  guint64 n_silent;
} WorldCounts;

/* What to break in the world itself, for a test of the simulator: nothing, the end of the seventh task is
 * told twice, or a task that was taken back is begun all the same. */
typedef enum
{
  WORLD_SOUND,
  WORLD_TELLS_TWICE,
  WORLD_BEGINS_RECALLED,
} WorldDefect;

typedef struct
{
  LokyScheduler *scheduler;
  LokySchedulerFunction functions[WORLD_N_FUNCTIONS];
  gint64 now;
  guint max_workers;
  guint n_cpus;
  gint64 idle_timeout;
  gint64 heartbeat;
  guint max_tasks; /* of a worker; 0: any number */
  LokyCrashPolicy policy;
  gboolean is_mad; /* what the workers write into the control area cannot be believed */
  guint64 lies;
  gboolean has_cancelled_pending; /* a shutdown did */
  gboolean has_killed;            /* a shutdown did, or one with a deadline may */
  guint n_finished;
  guint n_steps;
  GArray *actions;
  WorldTask *tasks;
  guint n_tasks;
  WorldWorker *workers;
  guint n_workers;
  guint first_task;   /* all before it have ended */
  guint first_worker; /* all before it are gone */
  WorldCounts *counts;
  WorldDefect defect;
} World;

/* Shared by the process that runs a schedule and the one that asked for it. */
extern char *world_failure;
#define WORLD_FAILURE_SIZE 512

G_NORETURN void world_fail (const char *format, ...) G_GNUC_PRINTF (1, 2);
#define WORLD_CHECK(condition, ...)                                                                \
  G_STMT_START                                                                                     \
  {                                                                                                \
    if (G_UNLIKELY (!(condition)))                                                                 \
      world_fail (__VA_ARGS__);                                                                    \
  }                                                                                                \
  G_STMT_END

/* The arrays are made once and used for one schedule after the other. */
void world_init (World *self, WorldCounts *counts, WorldDefect defect);
void world_clear (World *self);
void world_begin (World *self, guint max_workers, gboolean is_mad);
/* Lets all that is there come to its end, shuts down by @mode, and checks that nothing is left. */
void world_end (World *self, LokyShutdownMode mode);

/* The events. What is not possible is not done. Task and worker are any number. */
void world_submit (World *self,
                   guint function,
                   gint64 timeout,
                   gint64 queue_timeout,
                   gint64 grace,
                   gint priority,
                   guint retries);
void world_cancel (World *self, guint task);
void world_resize (World *self, guint max_workers);
void world_set_idle_timeout (World *self, gint64 idle_timeout);
void world_set_policy (World *self, LokyCrashPolicy policy);
void world_set_heartbeat (World *self, gint64 heartbeat);
void world_set_max_tasks (World *self, guint max_tasks);
void world_set_start_timeout (World *self, gint64 start_timeout);
void world_warm_up (World *self, guint n_workers);
void world_shut_down (World *self, LokyShutdownMode mode, gint64 duration);
void world_ready (World *self, guint worker);
void world_begin_task (World *self, guint worker);
/* The worker is through with what it has begun, and may begin the next before anybody knows. */
void world_finish (World *self, guint worker, gboolean is_result, gint64 run_time);
/* Its first result arrives. */
void world_return (World *self, guint worker);
void world_unsendable (World *self, guint worker);
void world_leave (World *self, guint worker);
void world_crash (World *self, guint worker);
void world_condemn (World *self, guint worker);
/* It says that it has grown too much. */
void world_retire (World *self, guint worker);
void world_stop (World *self, guint worker);
void world_continue (World *self, guint worker);
void world_pass_time (World *self, gint64 duration);
void world_pass_to_deadline (World *self);
