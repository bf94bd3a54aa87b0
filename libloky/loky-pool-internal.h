/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the pool share: loky-pool.c (life, and what owners of tasks do), loky-pool-actions.c
 * (carrying out what the scheduler decides), loky-pool-wait.c (threads that wait for a task), and of the monitor
 * thread loky-pool-monitor.c (the loop), loky-pool-start.c, loky-pool-read.c and loky-pool-death.c (the life of
 * workers).
 *
 * Two locks. The pool's guards what has to do with tasks. The reader lock guards the reading of channels, and
 * what is known of workers by it: the monitor thread holds it but while it polls, so that what follows need not
 * care, and a thread that waits for a task holds it while it reads; that one only ever tries it. Order: the
 * reader lock, then the pool's. */

#include "loky-backoff-private.h"
#include "loky-channel-private.h"
#include "loky-control-private.h"
#include "loky-error.h"
#include "loky-pool-private.h"
#include "loky-spin-private.h"
#include "loky-start-method-private.h"
#include "loky-stderr-private.h"
#include "loky-worker-process-private.h"

G_BEGIN_DECLS

typedef struct _LokyPoolWorker LokyPoolWorker;
typedef struct _LokyPoolServer LokyPoolServer;

/* Descriptors that starting a worker needs, those of GLib included: with fewer left GLib ends the
 * application. */
#define LOKY_POOL_N_SPARE 24

typedef enum
{
  LOKY_WATCH_CHANNEL,
  LOKY_WATCH_PIDFD,
  LOKY_WATCH_STDERR,
  LOKY_WATCH_SERVER, /* of no worker */
  LOKY_WATCH_OUTPUT, /* of no worker: a part of a capture */
} LokyWatchKind;

/* Of what each worker has its own. */
typedef enum
{
  LOKY_ALLOTMENT_ENVIRONMENT, /* "as": NAME=VALUE */
  LOKY_ALLOTMENT_CPUS,        /* "au": their numbers; empty: all */
  LOKY_N_ALLOTMENTS,
} LokyAllotmentKind;

/* The worker that is allowed to spin, one of them for each token. */
typedef struct
{
  LokyPoolWorker *worker; /* or NULL */
  gint64 used;            /* when it was sent a task last, in µs */
} LokyPoolLease;

#define LOKY_POOL_MAX_LEASES 32

/* What an epoll event points to. */
typedef struct
{
  LokyWatchKind kind;
  LokyPoolWorker *worker;
} LokyWatch;

struct _LokyPoolWorker
{
  LokySchedulerWorker scheduling; /* pool lock */

  gatomicrefcount ref_count;
  LokyPool *pool; /* not a reference: the monitor thread, which has one, outlives all workers */
  guint id;
  guint allotments[LOKY_N_ALLOTMENTS]; /* which element of the pool's; set before it is started */
  LokyControl control;
  LokyChannel *channel; /* NULL until the process was started; then constant */

  /* pool lock */
  GHashTable *names;    /* of LokyFunction, that the worker was told */
  LokyFunction *latest_function; /* one of these, or NULL */
  gboolean needs_flush; /* in the list of the turn that holds the lock */
  guint64 n_put;        /* messages of the pool's into its outbox */
  guint64 roused_by;    /* which of these roused it last; 0: none */
  guint64 n_left;       /* tasks in its control area */
  guint64 put_number;   /* of the last task that was put into its outbox */
  guint64 sent_number;  /* of the last one that was, or is to be when the lock is released, sent from there */
  guint64 n_beats;    /* how often it was asked for a sign of life */
  gboolean is_killed; /* KILL was asked for */
  gboolean is_abandoned;
  LokyKillReason kill_reason;
  gboolean kill_is_ours; /* not the scheduler's: a protocol error or a closed channel */
  gboolean is_awaited;   /* its fork server has not told of it: without a pidfd it gets no task */
  gboolean is_early;     /* it has said hello meanwhile */
  LokyPoolLease *lease;  /* or NULL */
  LokyCapture *capture;  /* of the task that it has, or NULL; set before that is sent, and looked for without the lock */

  /* reader lock */
  GError *read_error; /* found by who is not the monitor: that one is to act on it */
  guint64 sent_seen;  /* the worker's hint before its channel was read last; read without the lock, too */
  gboolean is_attended; /* in the pool's list */
  guint64 last_answered; /* the highest number of a task that it has answered for */
  gboolean owes_answer;  /* for one that it was sent before that */
  gboolean has_to_release; /* a segment: the message is in the outbox */
  LokySegmentView view;    /* of its segments */

  /* the monitor thread's: reader lock */
  LokyWorkerProcess *process;
  gboolean has_said_hello;
  gboolean has_said_goodbye;
  gboolean channel_is_closed;
  GSource *hang_up; /* kills it soon after the end of its channel */
  guint n_hang_ups; /* how often that was put off */
  GSource *termination; /* kills it when SIGTERM did not end it */
  gboolean is_buried;
  GError *cause; /* why we killed it, or why it could not start */
  LokyEnding ending;
  char *stderr_tail;
  char *reason;
  gboolean has_run_initializer; /* or was about to when it ended */
  gboolean is_out_of_memory;
  gboolean was_stopped; /* by a signal, when it was killed */
  gboolean writes_nonsense; /* into its control area: nothing there is believed */
  gboolean is_silent; /* was killed since it gave no sign of life */
  LokyCrash *crash;
  char *backtrace;
  GCancellable *symbolizing; /* while its backtrace is put into words */
  LokyWatch watches[3];
};

/* A plugin file that a worker did not survive the opening of. */
typedef struct
{
  guint64 device;
  guint64 inode;
  guint64 mtime; /* ns */
  char *path;
  char *reason;
} LokyRefusal;

struct _LokyPool
{
  gatomicrefcount ref_count;
  guint fork_generation;
  GMutex lock;

  /* lock */
  LokyScheduler *scheduler;
  GArray *actions;
  GHashTable *functions; /* a set of LokyFunction, by name and traits */
  guint32 last_function; /* its number */
  LokyFunction *latest_function; /* of the last task; NULL: none */
  GHashTable *mailboxes; /* GMainContext → LokyMailbox */
  GSList *waits;         /* of LokyPoolWait */
  char *worker_path;
  char **plugin_path;
  char **environment;
  GVariant *allotments[LOKY_N_ALLOTMENTS]; /* an array of such; NULL: none; constant */
  LokyStartMethod start_method; /* constant */
  GError *start_error;          /* why it cannot be used here; constant */
  char **preload;
  char *initializer;
  GVariant *initializer_args;
  gint64 start_timeout; /* ms */
  gint64 heartbeat;     /* ms; -1: none */
  guint64 memory_growth_limit;  /* bytes; 0: none */
  gint64 memory_check_interval; /* µs */
  gboolean accepts_descriptors; /* constant from the first start on */
  gboolean was_sent_foreign;    /* atomic: by a worker, of descriptors that may block who closes them */
  GArray *growths;              /* of LokyGrowth, that were not taken */
  guint max_backlog;            /* 0: any */
  GQueue room_waits;            /* of LokyPoolWait, for room in the backlog; first come, first served */
  GPtrArray *refusals;
  GError *broken;     /* why the executor is */
  guint n_abandoned;
  gint64 timer; /* when the monitor wakes at the latest; -1: not by the clock */
  gint64 spin_time; /* ns; 0: none */
  gint is_quiet;    /* a worker that sleeps is worth rousing; also read without the lock */
  LokyBackoff rousing; /* where it was in vain */
  gboolean has_roused;  /* and whether that was in vain is not known yet */
  gint64 tried_leases; /* when none was to be had, in µs */
  LokyPoolLease leases[LOKY_POOL_MAX_LEASES];
  LokyWaiter *listener; /* the thread that polls the channels instead of the monitor */
  GCond listener_left;
  LokyWaiter *deferred;  /* whose tasks have ended, and who are woken later */
  gint64 deferred_until; /* by then, in µs; 0: nobody; the monitor's */
  gboolean is_deferring; /* the monitor's */
  GArray *bells;       /* of int: eventfds that no listener uses */
  gboolean is_closing; /* nobody may begin to listen */
  gboolean is_unheard; /* nobody listens: nothing is to come */
  gboolean has_thread;
  gboolean is_finished; /* the monitor is to end */
  gboolean is_over;     /* it has */
  GThread *thread;      /* until it was joined */
  GQueue to_start;      /* of LokyPoolWorker: references */
  GQueue to_kill;
  GQueue to_read;
  GQueue to_close; /* of LokyCapture */
  LokyFuture *to_announce; /* references; by the monitor */
  GSList *over_waits;      /* to be ended by the monitor */
  LokyPoolChanged changed_func;
  gpointer changed_data;
  LokyExecutorState told_state;
  guint told_n_workers;

  /* constant from the construction of the executor on; nullable */
  LokyReducerRegistry *job_reducers;
  LokyReducerRegistry *result_reducers;
  GMainContext *home; /* where they are let go of */
  gboolean has_serializer; /* its own, not that of the process */
  char *serializer_name;   /* NULL: the default */
  gpointer serializer; /* that of that name, once it was found; atomic */

  /* constant while the monitor runs */
  GMainContext *context;
  GSource *source;
  int epoll_fd;
  int channels_fd; /* an epoll descriptor inside that one, for all channels: the listener takes it out */
  int parent_pidfd;
  int spare[LOKY_POOL_N_SPARE]; /* descriptors to be let go when a worker is started */
  char *token;                  /* the pool's part of what its descendants are known by */
  LokyBlockCache *blocks;       /* closed when the monitor ends */
  LokyStderr *output;

  GMutex reader_lock;
  GArray *incoming; /* what was read and is not applied yet, or NULL; reader lock */
  GPtrArray *attended; /* of LokyPoolWorker: references; reader lock */
  LokySpin spin; /* the listener's */
  guint n_vain;      /* main contexts that listened in vain, running; lock */
  gint64 vain_until; /* no other one does so before, in ns; lock */

  /* the monitor thread's: reader lock */
  GMainLoop *loop;
  guint last_worker;
  GPtrArray *workers; /* of LokyPoolWorker: references */
  LokyPoolServer *server; /* or NULL */
  guint n_symbolizing;
  GHashTable *backtraces; /* frames → the same in words */
  gboolean knows_memory_kills;
  guint64 n_memory_kills; /* of the control group, at the last look; the first is after the first start */
  GSource *sweep;         /* looks for what dead workers left behind */
  gint64 last_sweep;
  guint n_reaping;    /* processes that have ended and were not reaped yet */
  GPtrArray *graveyard; /* those whose events may still be in the list at hand */
};

/* What is not told by a thread that only came to read: it may be in the middle of anything. */
typedef struct
{
  LokyFuture *ended; /* references, in the order of their ends */
  LokyFuture **ended_tail;
  GSList *waits;
} LokyPoolDeferred;

#define LOKY_TURN_N_FLUSH 8

/* One hold of the lock, and what is to be done when it is released. */
typedef struct
{
  LokyPool *pool;
  gint64 now;
  LokyPoolWorker *to_flush[LOKY_TURN_N_FLUSH]; /* references */
  guint n_to_flush;
  GSList *more_to_flush; /* references */
  LokyFuture *ended;        /* references */
  LokyFuture **ended_tail;
  GSList *waits; /* that are over */
  GSList *payloads; /* that nobody gets: letting go of their descriptors is not for who holds the lock */
  gboolean wakes_monitor;
  gboolean comes_back; /* to the main context where the task's end is told, and may listen then */
  gboolean has_changed;
  LokyPoolDeferred *deferred; /* instead of telling; or NULL */
} LokyPoolTurn;

/* Takes the lock. */
void loky_pool_turn_begin (LokyPool *self, LokyPoolTurn *turn);
/* Carries out the actions, releases the lock, sends, and tells whoever is to be told. */
void loky_pool_turn_end (LokyPoolTurn *turn);

/* Tells of futures that have ended, a list by next_ended, whose references it takes over. Without any lock. */
void loky_pool_announce (LokyFuture *ended);

/* The same as two steps, for who has to do something else under the lock in between. */
void loky_pool_turn_run (LokyPoolTurn *turn);

void loky_pool_turn_add_flush (LokyPoolTurn *turn, LokyPoolWorker *worker);
/* When tasks have gone from the worker: sends what is held back for as long as it has enough to do. */
void loky_pool_turn_check_held (LokyPoolTurn *turn, LokyPoolWorker *worker);
/* With @deferred (nullable) whatever ended is put there. */
void loky_pool_flush_worker (LokyPool *self, LokyPoolWorker *worker, LokyPoolDeferred *deferred);

LokyPoolWorker *loky_pool_worker_ref (LokyPoolWorker *worker);
void loky_pool_worker_unref (LokyPoolWorker *worker);

/* Makes what the monitor needs and starts it. */
gboolean loky_pool_ensure_thread_locked (LokyPool *self, GError **error);
gpointer loky_pool_run_monitor (gpointer user_data);
gboolean loky_pool_monitor_init (LokyPool *self, GError **error);
/* Before there is a thread: what its descendants are known by. */
void loky_pool_ensure_token (LokyPool *self);
void loky_pool_monitor_clear (LokyPool *self);

/* loky-pool-wait.c; of a LokyPool: looks for a moment, if that is worth it, whether a worker has answered. In
 * whatever thread waits for tasks by its main context, while one is expected there: that holds the pool. */
void loky_pool_hear (gpointer user_data);

/* with the lock */
void loky_pool_drop_bells_locked (LokyPool *self);

/* loky-pool-patience.c */

/* Sleeps until somebody wakes it, or until @end, as loky_pool_wait_locked(). */
gboolean loky_pool_sleep_locked (LokyPool *self, LokyWaiter *waiter, gint64 end);
/* By the monitor, unlocked: wakes them if it is time, or if it has nothing to read and there is a CPU for them. Returns
 * when it will be, in µs from now; -1: never. */
gint64 loky_pool_wake_deferred (LokyPool *self, gboolean is_all_read);
/* By the monitor, unlocked, before anything that may take long. */
void loky_pool_wake_all_deferred (LokyPool *self);

/* loky-pool-rouse.c; whether it is about to wake up for a task that it has yet to be given */
gboolean loky_pool_is_rousing_locked (LokyPoolWorker *worker);
/* Whether it sleeps and is not about to. */
gboolean loky_pool_sleeps_on_locked (LokyPoolWorker *worker);
/* By who has submitted, whether its answer came without sleeping for it. */
void loky_pool_note_heard_locked (LokyPool *self, gboolean came_at_once);
/* By who does not expect it at once. */
void loky_pool_forget_roused_locked (LokyPool *self);
/* At the end of each turn. */
void loky_pool_note_quiet_locked (LokyPool *self);
/* loky-pool-actions.c: to a worker that is given work */
void loky_pool_lend_spinning (LokyPool *self, LokyPoolWorker *worker, gint64 now);
/* Something may come: somebody has to listen. */
void loky_pool_be_heard_locked (LokyPool *self);

/* --- what the files of the monitor thread call of each other: in that thread, without the lock --- */

/* loky-pool-start.c */
void loky_pool_start_worker (LokyPool *self, LokyPoolWorker *worker);
/* Starts the program of workers, for @worker, or with NULL for others that it is to fork. Takes over @channel_fd. */
LokyWorkerProcess *loky_pool_spawn (LokyPool *self,
                                    LokyPoolWorker *worker,
                                    const char *argument,
                                    const char *token,
                                    int channel_fd,
                                    GError **error);
/* Any thread: the path of that program, and what its environment has besides ours. */
char *loky_pool_dup_program (LokyPool *self);
char **loky_pool_make_environment (LokyPool *self, LokyPoolWorker *worker);
gboolean loky_pool_watch (LokyPool *self, LokyPoolWorker *worker, LokyWatchKind kind, int fd);

/* loky-pool-allotment.c: chooses for a worker that is about to be started; what that was, and for none the empty
 * value (transfer full). */
void loky_pool_allot (LokyPool *self, LokyPoolWorker *worker);
GVariant *loky_pool_get_allotment (LokyPool *self, LokyPoolWorker *worker, LokyAllotmentKind kind);
void loky_pool_unwatch (LokyPool *self, LokyWatchKind kind, int fd);

/* Takes what is missing of the spare descriptors. FALSE: not all are to be had. */
gboolean loky_pool_fill_spare (LokyPool *self);
void loky_pool_release_spare (LokyPool *self);

/* loky-pool-read.c; with @to_the_end until nothing is left, else as much as comes at once */
void loky_pool_read_channel (LokyPool *self,
                             LokyPoolWorker *worker,
                             guint n_fills,
                             gboolean to_the_end);
/* By another thread, with the reader lock: as much as comes at once. FALSE: there is something that the monitor
 * has to see to. */
gboolean loky_pool_read_for_waiter (LokyPool *self, LokyPoolWorker *worker, LokyPoolDeferred *deferred);
/* By any thread: has the monitor do that. */
void loky_pool_ask_to_read (LokyPool *self, LokyPoolWorker *worker);
void loky_pool_read_output (LokyPool *self, LokyWorkerProcess *process, LokyWatchKind kind, gsize most);
/* With the reader lock, by the monitor or, with @deferred, another thread: the answers that the worker has left in
 * its control area. TRUE: there were some. */
gboolean loky_pool_read_answers (LokyPool *self, LokyPoolWorker *worker, LokyPoolDeferred *deferred);

/* loky-pool-attend.c: workers that were heard and may leave answers, rather than send them, until unattend. With
 * the reader lock, which is not released in between; @deferred as above. */
void loky_pool_attend (LokyPool *self, LokyPoolWorker *worker);
/* TRUE: there were answers. */
gboolean loky_pool_look_at_attended (LokyPool *self, LokyPoolDeferred *deferred);
void loky_pool_unattend (LokyPool *self, LokyPoolDeferred *deferred);

/* loky-pool-capture.c */

/* With the lock, of the turn, before a task is sent: the ends that the worker is to write to, the caller's; read from then on.
 * LOKY_ERROR_RESOURCES. */
gboolean loky_pool_begin_capture_locked (LokyPoolTurn *turn,
                                         LokyPoolWorker *worker,
                                         LokyFuture *future,
                                         int write_ends[LOKY_N_STREAMS],
                                         GError **error);
/* With the lock, of the turn: nothing is taken from it any more. @capture: nullable. */
void loky_pool_end_capture_locked (LokyPoolTurn *turn, LokyCapture *capture);
/* With the reader lock: all that there is of the task of a worker. */
void loky_pool_drain_capture (LokyPool *self, LokyPoolWorker *worker);
/* In the monitor thread: an event; and those that have ended, between two looks at events. */
void loky_pool_read_capture (LokyPool *self, LokyWatch *watch);
void loky_pool_close_captures (LokyPool *self);

/* loky-pool-death.c */
void loky_pool_kill_process (LokyPoolWorker *worker);
/* As the scheduler decided: a worker whose task did not stop has a moment to say where it is. */
void loky_pool_carry_out_kill (LokyPool *self, LokyPoolWorker *worker);
/* Kills a worker for a reason of its own making. Takes over @cause. */
void loky_pool_condemn (LokyPool *self, LokyPoolWorker *worker, GError *cause);
void loky_pool_tell_gone (LokyPool *self, LokyPoolWorker *worker);
void loky_pool_process_ended (LokyPool *self, LokyPoolWorker *worker);
void loky_pool_bury_abandoned (LokyPool *self);
/* Takes over @process, which has ended or is about to: it is let go when it was reaped. */
void loky_pool_let_reap (LokyPool *self, LokyWorkerProcess *process);
/* Has it looked, soon, for what is left of those that are gone. */
void loky_pool_plan_sweep (LokyPool *self);
/* The second half of a burial, when the backtrace is there. */
void loky_pool_finish_burial (LokyPool *self, LokyPoolWorker *worker);
/* Kills what workers that are gone left behind, if that was not done since. */
void loky_pool_sweep_now (LokyPool *self);

/* loky-pool-backtrace.c */

/* TRUE: the backtrace of a crash is being put into words; finish_burial is called then. */
gboolean loky_pool_find_backtrace (LokyPool *self, LokyPoolWorker *worker);
/* Gives up on those that nobody waits for any more. */
void loky_pool_drop_backtraces (LokyPool *self);

/* The error of a task that was lost with its worker. */
GError *loky_pool_describe_loss (LokyPoolWorker *worker, LokyFuture *future, LokyLoss **loss);
/* What is known of the end of a worker, for the future of a task that ended with it. */
LokyLoss *loky_pool_make_loss (LokyPoolWorker *worker);
/* Whether the caller is the monitor thread of any pool. */
gboolean loky_pool_is_monitor (void);
gboolean loky_pool_is_monitor_of (LokyPool *self);

/* "PREFIX function (file:line)" of where it was when a signal ended it, or nothing. */
char *loky_pool_describe_place (LokyPoolWorker *worker, const char *prefix);

/* Ends the waits whose condition holds; called by turn_run. */
void loky_pool_check_waits_locked (LokyPool *self, GSList **over);
/* Submits tasks that wait for room for which there is some; the same. FALSE: none. */
gboolean loky_pool_submit_waiting_locked (LokyPool *self, gint64 now, GSList **over);
void loky_pool_end_waits (GSList *over);

/* With the lock: what a task ends with that a broken executor cannot run. */
LokyError loky_pool_get_broken_code_locked (LokyPool *self);

void loky_refusal_free (LokyRefusal *refusal);
GVariant *loky_refusal_to_variant (const LokyRefusal *refusal);

G_END_DECLS
