/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One idea, decisions, in one file: the rules refer to each other, and splitting them would make the
 * private state of the scheduler known to several files. */

#include "loky-scheduler-private.h"

/* How much work is sent ahead to a worker, in ns of expected run time. */
#define AHEAD_BUDGET (1000 * 1000)

/* Tasks that are shorter than this are not worth waking a worker for when all CPUs have one that is busy, and
 * work that is less than this is not worth having back for an idle one, in ns. */
#define WAKE_TIME (50 * 1000)

/* Who submits tasks that are shorter than this, one after another, is as busy with it as a worker with them, in ns. */
#define QUICK_TIME (10 * 1000)

/* A worker that has had tasks waiting behind its current one for this long gives them back, in µs. */
#define STALL_TIME (5 * 1000)

/* How often it is looked at the most whether a worker has begun what it has, in µs. */
#define LOOK_TIME (1 * G_USEC_PER_SEC)

/* In what steps workers measure the time of a task, in ns. */
#define CLOCK_STEP 1000

/* What is fetched of a task before it is needed, in bytes from its beginning. */
#define PREFETCH_BEFORE 128
#define PREFETCH_AFTER 256
#define CACHE_LINE 64

/* How long a worker has to leave, or to end after SIGKILL, in µs. */
#define LEAVE_TIME (5 * G_USEC_PER_SEC)
#define KILL_TIME (5 * G_USEC_PER_SEC)

/* How long a worker has to say hello unless it was told otherwise, in µs. */
#define START_TIME (30 * G_USEC_PER_SEC)

/* Workers that die before they serve: the pause doubles from the first to the longest, in µs; after
 * so many in a row, with none alive, the executor is broken. */
#define BACKOFF_FIRST (10 * 1000)
#define BACKOFF_LONGEST (1 * G_USEC_PER_SEC)
#define MAX_FAILED_STARTS 5

/* Workers that serve and die before they have begun a task: after so many in a row, with none alive, too. */
#define MAX_USELESS_WORKERS 10

/* How long a worker that has nothing else to do may take to begin a task that has a timeout, in µs. */
#define BEGIN_TIME (1 * G_USEC_PER_SEC)

/* The tasks of one priority that wait, first come first served. */
typedef struct
{
  gint priority;
  GQueue tasks;
} Level;

struct _LokyScheduler
{
  LokyExecutorState state;
  LokyCrashPolicy crash_policy;
  guint max_workers;
  guint n_cpus;
  gboolean is_quick_submitted; /* a task, just now */
  gint64 idle_timeout;
  gint64 start_timeout;
  gint64 heartbeat;
  guint max_tasks; /* of a worker; 0: any number */

  GPtrArray *levels; /* of Level, by priority; none is empty */
  guint64 n_queued;
  guint64 n_tasks;

  GQueue workers; /* all that are not gone */
  guint n_workers; /* with those that START was asked for */
  guint n_starting;
  GQueue idle; /* the most recently used first */
  GQueue open; /* busy, with room for more; taken in turn */
  guint n_busy;
  guint n_brisk;
  guint64 n_ahead; /* tasks that were sent behind another one */
  guint n_recalls; /* that were asked for and not answered */
  gboolean is_undecided; /* an answer changed something */

  GSequence *deadlines;
  LokyDeadline backoff;
  LokyDeadline stall;
  LokyDeadline shutdown;
  guint n_failed_starts;
  guint n_useless; /* workers in a row that served and ended without having begun a task */
  gint64 last_start; /* when START was asked for last */
  guint n_warm; /* workers that were asked for without a task and have yet to say hello */
  gboolean is_broken;
  gboolean is_finished;
};

static void dispatch (LokyScheduler *self, gint64 now, GArray *actions);
static void break_if_useless (LokyScheduler *self, gint64 now, GArray *actions);

/* --- actions ---------------------------------------------------------------------------------- */

static void
act (GArray *actions, LokyActionType type, LokySchedulerTask *task, LokySchedulerWorker *worker)
{
  LokyAction action = { .type = type, .task = task, .worker = worker };

  g_array_append_val (actions, action);
}

static void
act_kill (GArray *actions, LokySchedulerWorker *worker, LokyKillReason reason)
{
  LokyAction action = { .type = LOKY_ACTION_KILL, .worker = worker, .kill_reason = reason };

  g_array_append_val (actions, action);
}

/* --- deadlines -------------------------------------------------------------------------------- */

static gint
compare_deadlines (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const LokyDeadline *left = a;
  const LokyDeadline *right = b;

  return (left->at > right->at) - (left->at < right->at);
}

static void
clear_deadline (LokyDeadline *deadline)
{
  if (deadline->iter != NULL)
    g_sequence_remove (deadline->iter);
  deadline->iter = NULL;
}

static void
set_deadline (LokyScheduler *self, LokyDeadline *deadline, LokyDeadlineKind kind, gint64 at)
{
  clear_deadline (deadline);
  deadline->kind = kind;
  deadline->at = at;
  deadline->iter = g_sequence_insert_sorted (self->deadlines, deadline, compare_deadlines, NULL);
}

/* A duration may be so large that the sum would overflow. */
static gint64
later (gint64 now, gint64 duration)
{
  return duration > G_MAXINT64 - now ? G_MAXINT64 : now + duration;
}

gint64
loky_scheduler_get_deadline (LokyScheduler *self)
{
  GSequenceIter *first = g_sequence_get_begin_iter (self->deadlines);

  if (g_sequence_iter_is_end (first))
    return -1;
  return ((LokyDeadline *) g_sequence_get (first))->at;
}

/* --- the queue -------------------------------------------------------------------------------- */

static void
level_free (Level *level)
{
  g_free (level);
}

/* Where the level of that priority is, or would have to be. */
static guint
find_level (LokyScheduler *self, gint priority)
{
  guint low = 0;
  guint high = self->levels->len;

  while (low < high)
    {
      guint middle = (low + high) / 2;
      Level *level = g_ptr_array_index (self->levels, middle);

      if (level->priority < priority)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

static Level *
ensure_level (LokyScheduler *self, gint priority)
{
  guint position = find_level (self, priority);
  Level *level = position < self->levels->len ? g_ptr_array_index (self->levels, position) : NULL;

  if (level == NULL || level->priority != priority)
    {
      level = g_new0 (Level, 1);
      level->priority = priority;
      g_queue_init (&level->tasks);
      g_ptr_array_insert (self->levels, (gint) position, level);
    }
  return level;
}

static void
enqueue (LokyScheduler *self, LokySchedulerTask *task, gboolean at_front)
{
  Level *level = ensure_level (self, task->priority);

  if (task->queue_timeout >= 0 && task->attempts == 0)
    set_deadline (self, &task->deadline, LOKY_DEADLINE_QUEUE,
                  later (task->queued_at, task->queue_timeout));
  task->state = LOKY_TASK_STATE_QUEUED;
  task->link.data = task;
  if (at_front)
    g_queue_push_head_link (&level->tasks, &task->link);
  else
    g_queue_push_tail_link (&level->tasks, &task->link);
  self->n_queued++;
}

static void
dequeue (LokyScheduler *self, LokySchedulerTask *task)
{
  guint position = find_level (self, task->priority);
  Level *level = g_ptr_array_index (self->levels, position);

  g_queue_unlink (&level->tasks, &task->link);
  if (g_queue_is_empty (&level->tasks))
    g_ptr_array_remove_index (self->levels, position);
  clear_deadline (&task->deadline);
  self->n_queued--;
}

static LokySchedulerTask *
peek_queue (LokyScheduler *self)
{
  Level *level = self->levels->len > 0 ? g_ptr_array_index (self->levels, 0) : NULL;

  return level != NULL ? g_queue_peek_head (&level->tasks) : NULL;
}

/* The one place where a task ends. */
static void
complete (LokyScheduler *self, LokySchedulerTask *task, LokyOutcome outcome, GArray *actions)
{
  LokyAction action = {
    .type = LOKY_ACTION_COMPLETE,
    .task = task,
    .worker = task->worker,
    .outcome = outcome,
  };

  g_assert (task->state != LOKY_TASK_STATE_ENDED);
  if (task->state == LOKY_TASK_STATE_QUEUED)
    dequeue (self, task);
  clear_deadline (&task->deadline);
  task->state = LOKY_TASK_STATE_ENDED;
  self->n_tasks--;
  g_array_append_val (actions, action);
}

/* --- the workers ------------------------------------------------------------------------------ */

/* It has run, or has at hand, as many tasks as it may run. What is taken back from it makes room again. */
static gboolean
is_used_up (LokyScheduler *self, LokySchedulerWorker *worker)
{
  return self->max_tasks > 0 && worker->n_given >= self->max_tasks;
}

/* A worker is brisk that works off short tasks, more of which wait at it. */
static void
note_brisk (LokyScheduler *self, LokySchedulerWorker *worker)
{
  gboolean is_brisk = worker->state == LOKY_WORKER_STATE_READY && !worker->is_stalled &&
                      worker->tasks.length > 1 && !is_used_up (self, worker);

  if (is_brisk != worker->is_brisk)
    self->n_brisk += is_brisk ? 1 : -1;
  worker->is_brisk = is_brisk;
}

static void
unlist (LokyScheduler *self, LokySchedulerWorker *worker)
{
  note_brisk (self, worker);
  if (worker->list != NULL)
    g_queue_unlink (worker->list, &worker->list_link);
  worker->list = NULL;
}

/* Puts a worker where the next task finds it: among the idle, the open, or nowhere. */
static void
relist (LokyScheduler *self, LokySchedulerWorker *worker)
{
  GQueue *list = NULL;
  guint n_tasks = worker->tasks.length;

  if (worker->state == LOKY_WORKER_STATE_READY && !is_used_up (self, worker))
    {
      if (n_tasks == 0)
        list = &self->idle;
      else if (!worker->is_stalled && worker->ahead < AHEAD_BUDGET && worker->n_free_slots > 0)
        list = &self->open;
    }
  note_brisk (self, worker);
  if (list == worker->list)
    return;
  unlist (self, worker);
  worker->list = list;
  if (list == &self->idle)
    g_queue_push_head_link (list, &worker->list_link);
  else if (list != NULL)
    g_queue_push_tail_link (list, &worker->list_link);
}

static gboolean
is_live (LokySchedulerWorker *worker)
{
  return worker->state != LOKY_WORKER_STATE_DYING && worker->state != LOKY_WORKER_STATE_GONE;
}

static void
mark_dying (LokyScheduler *self, LokySchedulerWorker *worker, gint64 now)
{
  if (!is_live (worker))
    return;
  if (worker->state == LOKY_WORKER_STATE_STARTING)
    self->n_starting--;
  worker->state = LOKY_WORKER_STATE_DYING;
  unlist (self, worker);
  clear_deadline (&worker->beat);
  set_deadline (self, &worker->deadline, LOKY_DEADLINE_WORKER, later (now, KILL_TIME));
}

static void
kill_worker (LokyScheduler *self,
             LokySchedulerWorker *worker,
             LokyKillReason reason,
             gint64 now,
             GArray *actions)
{
  if (!is_live (worker))
    return;
  worker->was_killed = TRUE;
  mark_dying (self, worker, now);
  act_kill (actions, worker, reason);
}

static void
tell_to_leave (LokyScheduler *self, LokySchedulerWorker *worker, gint64 now, GArray *actions)
{
  worker->state = LOKY_WORKER_STATE_LEAVING;
  worker->may_leave = TRUE;
  unlist (self, worker);
  set_deadline (self, &worker->deadline, LOKY_DEADLINE_WORKER, later (now, LEAVE_TIME));
  act (actions, LOKY_ACTION_LEAVE, NULL, worker);
}

/* What a worker without tasks does next. */
static void
rest (LokyScheduler *self, LokySchedulerWorker *worker, gint64 now, GArray *actions)
{
  if (worker->tasks.length > 0)
    return;
  if (worker->state == LOKY_WORKER_STATE_RETIRING ||
      (worker->state == LOKY_WORKER_STATE_READY &&
       (is_used_up (self, worker) ||
        (self->state != LOKY_EXECUTOR_STATE_OPEN && self->n_tasks == 0))))
    tell_to_leave (self, worker, now, actions);
  else if (worker->state == LOKY_WORKER_STATE_READY && self->idle_timeout >= 0)
    set_deadline (self, &worker->deadline, LOKY_DEADLINE_WORKER, later (now, self->idle_timeout));
}

/* Takes a task away from its worker, whatever became of it. */
static void
detach (LokyScheduler *self, LokySchedulerTask *task)
{
  LokySchedulerWorker *worker = task->worker;

  g_queue_unlink (&worker->tasks, &task->link);
  worker->slots[task->slot] = NULL;
  worker->free_slots[worker->n_free_slots++] = (guint16) task->slot;
  worker->ahead -= task->expected;
  if (worker->tasks.length > 0)
    self->n_ahead--;
  else
    {
      self->n_busy--;
      clear_deadline (&worker->beat);
    }
  clear_deadline (&task->deadline);
  task->recall = LOKY_RECALL_NONE;
}

/* The run time, in ns, as far as it matters. */
static gint64
expect (LokySchedulerTask *task)
{
  gint64 run_time = task->function->run_time;
  gint64 n_items = MAX (task->n_items, 1);

  if (task->is_alone || run_time < 0 || run_time >= AHEAD_BUDGET / n_items)
    return AHEAD_BUDGET;
  return MAX (run_time * n_items, 1);
}

/* What waits in a long queue is in no cache any more: the next one comes while this one is sent, together with what
 * its owner has beside it. */
static void
prefetch_next (LokyScheduler *self)
{
  const char *next = (const char *) peek_queue (self);

  if (next == NULL)
    return;
  for (gint offset = -PREFETCH_BEFORE; offset < PREFETCH_AFTER; offset += CACHE_LINE)
    __builtin_prefetch (next + offset, 1);
}

static void
send (LokyScheduler *self,
      LokySchedulerWorker *worker,
      LokySchedulerTask *task,
      gint64 now,
      GArray *actions)
{
  dequeue (self, task);
  prefetch_next (self);
  task->state = LOKY_TASK_STATE_SENT;
  task->worker = worker;
  task->slot = worker->free_slots[--worker->n_free_slots];
  task->number = ++worker->last_number;
  task->attempts++;
  task->sent_at = now;
  task->started = -1;
  task->late_since = -1;
  task->expected = expect (task);
  worker->slots[task->slot] = task;
  worker->ahead += task->expected;

  task->was_behind = worker->tasks.length > 0;
  if (task->was_behind)
    {
      self->n_ahead++;
      if (self->stall.iter == NULL || self->stall.at > later (now, STALL_TIME))
        set_deadline (self, &self->stall, LOKY_DEADLINE_STALL, later (now, STALL_TIME));
    }
  else
    {
      self->n_busy++;
      worker->last_activity = now;
      clear_deadline (&worker->deadline);
      if (self->heartbeat >= 0)
        set_deadline (self, &worker->beat, LOKY_DEADLINE_BEAT, later (now, self->heartbeat));
    }
  g_queue_push_tail_link (&worker->tasks, &task->link);
  worker->n_given += MAX (task->n_items, 1);
  relist (self, worker);
  if (task->timeout >= 0)
    set_deadline (self, &task->deadline, LOKY_DEADLINE_RUN, later (now, task->timeout));
  act (actions, LOKY_ACTION_SEND, task, worker);
}

/* Of the next two in turn the one that has less to do: nearly as good as the least of all, and as cheap
 * for two hundred workers as for two. */
static LokySchedulerWorker *
choose_open (LokyScheduler *self)
{
  LokySchedulerWorker *first = g_queue_peek_head (&self->open);
  LokySchedulerWorker *second = g_queue_peek_nth (&self->open, 1);

  return second != NULL && second->ahead < first->ahead ? second : first;
}

/* One whose work ahead is within @budget, in ns, so that nothing waits behind it for long, or NULL. */
static LokySchedulerWorker *
take_open (LokyScheduler *self, LokySchedulerTask *task, gint64 budget)
{
  LokySchedulerWorker *worker;

  if (g_queue_is_empty (&self->open) || task->function->run_time < 0)
    return NULL;
  worker = choose_open (self);
  if (worker->ahead + expect (task) > budget)
    return NULL;
  g_queue_unlink (&self->open, &worker->list_link);
  g_queue_push_tail_link (&self->open, &worker->list_link);
  return worker;
}

/* The worker for the next task: an idle one, the most recently used first, as its caches are warm; else a busy
 * one. The other way round for the shortest of tasks when there is no CPU for another worker; they rather wait
 * when all CPUs have one that is at such tasks. To wake a worker on the CPU of who submits would hold that one up, and
 * the worker would soon sleep again: it is woken for what waits when there are results. */
static LokySchedulerWorker *
choose_worker (LokyScheduler *self, LokySchedulerTask *task)
{
  gboolean is_short
      = task->function->run_time >= 0 && task->function->run_time < WAKE_TIME && !task->is_alone;
  gboolean is_quick = self->is_quick_submitted && expect (task) < QUICK_TIME;
  guint n_cpus = is_quick && self->n_cpus > 1 ? self->n_cpus - 1 : self->n_cpus;
  LokySchedulerWorker *worker = NULL;

  if (is_short && self->n_busy >= n_cpus)
    worker = take_open (self, task, loky_scheduler_has_free_cpu (self) ? WAKE_TIME : AHEAD_BUDGET);
  if (worker != NULL || (is_short && self->n_brisk >= n_cpus))
    return worker;
  worker = g_queue_peek_head (&self->idle);
  return worker != NULL ? worker : take_open (self, task, AHEAD_BUDGET);
}

static void
start_workers (LokyScheduler *self, gint64 now, GArray *actions)
{
  guint64 waiting = self->n_queued + self->n_ahead;
  guint wanted;

  if (self->backoff.iter != NULL || self->is_broken || self->state == LOKY_EXECUTOR_STATE_SHUT_DOWN)
    return;
  waiting = MAX (waiting, self->n_warm);
  wanted = waiting > self->n_starting ? (guint) MIN (waiting - self->n_starting, G_MAXINT) : 0;
  for (; wanted > 0 && self->n_workers < self->max_workers; wanted--)
    {
      self->n_workers++;
      self->n_starting++;
      self->last_start = now;
      act (actions, LOKY_ACTION_START, NULL, NULL);
    }
}

static void
ask_back (LokyScheduler *self, LokySchedulerTask *task, LokyRecall recall, GArray *actions)
{
  task->recall = recall;
  self->n_recalls++;
  act (actions, LOKY_ACTION_RECALL, task, task->worker);
}

/* Asks for the last @count tasks of a worker; those that it has not begun come back. */
static void
take_back (LokyScheduler *self, LokySchedulerWorker *worker, guint count, GArray *actions)
{
  for (GList *l = worker->tasks.tail; l != NULL && count > 0; l = l->prev, count--)
    {
      LokySchedulerTask *task = l->data;

      if (task->recall != LOKY_RECALL_NONE || task->stop != LOKY_STOP_NONE)
        continue;
      ask_back (self, task, LOKY_RECALL_TAKE_BACK, actions);
    }
}

/* An idle worker and an empty queue: half of what waits at the worker that has most comes back. */
static void
share (LokyScheduler *self, GArray *actions)
{
  LokySchedulerWorker *richest = NULL;

  if (self->n_ahead == 0 || self->n_queued > 0 || g_queue_is_empty (&self->idle) ||
      !loky_scheduler_has_free_cpu (self))
    return;
  for (GList *l = self->workers.head; l != NULL; l = l->next)
    {
      LokySchedulerWorker *worker = l->data;

      if (worker->tasks.length > 1 && is_live (worker) &&
          (richest == NULL || worker->tasks.length > richest->tasks.length))
        richest = worker;
    }
  if (richest != NULL && (richest->ahead >= WAKE_TIME || richest->is_stalled))
    take_back (self, richest, richest->tasks.length / 2, actions);
}

static void
finish_if_empty (LokyScheduler *self, gint64 now, GArray *actions)
{
  if (self->state == LOKY_EXECUTOR_STATE_OPEN || self->n_tasks > 0)
    return;
  if (self->state == LOKY_EXECUTOR_STATE_SHUTTING_DOWN)
    {
      GList *next;

      for (GList *l = self->workers.head; l != NULL; l = next)
        {
          LokySchedulerWorker *worker = l->data;

          next = l->next;
          if (worker->state == LOKY_WORKER_STATE_STARTING)
            kill_worker (self, worker, LOKY_KILL_SHUTDOWN, now, actions);
          else
            rest (self, worker, now, actions);
        }
    }
  if (self->n_workers > 0 || self->is_finished)
    return;
  clear_deadline (&self->backoff);
  clear_deadline (&self->stall);
  clear_deadline (&self->shutdown);
  if (self->state == LOKY_EXECUTOR_STATE_SHUTTING_DOWN)
    self->state = LOKY_EXECUTOR_STATE_SHUT_DOWN;
  self->is_finished = TRUE;
  act (actions, LOKY_ACTION_FINISHED, NULL, NULL);
}

static void
dispatch (LokyScheduler *self, gint64 now, GArray *actions)
{
  LokySchedulerTask *task;

  /* What comes back goes before all that waits: first it must all be here. */
  if (self->n_recalls > 0)
    return;
  break_if_useless (self, now, actions);
  while ((task = peek_queue (self)) != NULL)
    {
      LokySchedulerWorker *worker = choose_worker (self, task);

      if (worker == NULL)
        break;
      send (self, worker, task, now, actions);
    }
  share (self, actions);
  start_workers (self, now, actions);
  finish_if_empty (self, now, actions);
}

/* --- life ------------------------------------------------------------------------------------- */

LokyScheduler *
loky_scheduler_new (guint max_workers)
{
  LokyScheduler *self = g_new0 (LokyScheduler, 1);

  self->max_workers = MAX (max_workers, 1);
  self->n_cpus = G_MAXUINT;
  self->idle_timeout = -1;
  self->start_timeout = START_TIME;
  self->heartbeat = -1;
  self->levels = g_ptr_array_new_with_free_func ((GDestroyNotify) level_free);
  self->deadlines = g_sequence_new (NULL);
  g_queue_init (&self->workers);
  g_queue_init (&self->idle);
  g_queue_init (&self->open);
  return self;
}

void
loky_scheduler_free (LokyScheduler *self)
{
  g_assert (self->n_tasks == 0 && self->workers.length == 0);
  g_ptr_array_unref (self->levels);
  g_sequence_free (self->deadlines);
  g_free (self);
}

void
loky_scheduler_set_n_cpus (LokyScheduler *self, guint n_cpus)
{
  self->n_cpus = n_cpus;
}

void
loky_scheduler_set_start_timeout (LokyScheduler *self, gint64 start_timeout)
{
  self->start_timeout = start_timeout;
}

void
loky_scheduler_set_heartbeat (LokyScheduler *self, gint64 heartbeat)
{
  self->heartbeat = heartbeat;
}

void
loky_scheduler_set_max_tasks (LokyScheduler *self, guint max_tasks)
{
  self->max_tasks = max_tasks;
}

LokyExecutorState
loky_scheduler_get_state (LokyScheduler *self)
{
  return self->state;
}

gboolean
loky_scheduler_is_broken (LokyScheduler *self)
{
  return self->is_broken;
}

guint64
loky_scheduler_get_n_tasks (LokyScheduler *self)
{
  return self->n_tasks;
}

guint64
loky_scheduler_get_n_queued (LokyScheduler *self)
{
  return self->n_queued;
}

guint
loky_scheduler_get_max_workers (LokyScheduler *self)
{
  return self->max_workers;
}

guint
loky_scheduler_get_n_workers (LokyScheduler *self)
{
  return self->n_workers;
}

guint
loky_scheduler_get_n_serving (LokyScheduler *self)
{
  guint count = 0;

  for (GList *l = self->workers.head; l != NULL; l = l->next)
    if (((LokySchedulerWorker *) l->data)->state == LOKY_WORKER_STATE_READY)
      count++;
  return count;
}

/* With those that are at work for the last time. */
static guint
count_alive (LokyScheduler *self)
{
  guint count = 0;

  for (GList *l = self->workers.head; l != NULL; l = l->next)
    {
      const LokySchedulerWorker *worker = l->data;

      count += worker->state == LOKY_WORKER_STATE_READY ||
               (worker->state == LOKY_WORKER_STATE_RETIRING && worker->tasks.length > 0);
    }
  return count;
}

gboolean
loky_scheduler_is_quiet (LokyScheduler *self)
{
  return self->state == LOKY_EXECUTOR_STATE_OPEN && self->n_tasks == 0 &&
         self->idle.length == self->n_workers;
}

LokySchedulerWorker *
loky_scheduler_peek_idle (LokyScheduler *self)
{
  return g_queue_peek_head (&self->idle);
}

guint
loky_scheduler_get_n_busy (LokyScheduler *self)
{
  return self->n_busy;
}

gboolean
loky_scheduler_has_free_cpu (LokyScheduler *self)
{
  return self->n_busy < self->n_cpus;
}

void
loky_scheduler_set_crash_policy (LokyScheduler *self, LokyCrashPolicy crash_policy)
{
  self->crash_policy = crash_policy;
}

void
loky_scheduler_set_idle_timeout (LokyScheduler *self,
                                 gint64 idle_timeout,
                                 gint64 now,
                                 GArray *actions)
{
  self->idle_timeout = idle_timeout;
  for (GList *l = self->idle.head; l != NULL; l = l->next)
    {
      LokySchedulerWorker *worker = l->data;

      clear_deadline (&worker->deadline);
      rest (self, worker, now, actions);
    }
}

/* Too many workers: the idle ones leave first, then those that have least to do, when it is done.
 * Those that remain keep their state. */
static LokySchedulerWorker *
choose_surplus (LokyScheduler *self)
{
  LokySchedulerWorker *least = g_queue_peek_tail (&self->idle);

  /* Of those that start the last one: whoever changes the limit all the time must not keep the first from
   * ever serving. */
  for (GList *l = self->workers.tail; least == NULL && l != NULL; l = l->prev)
    if (((LokySchedulerWorker *) l->data)->state == LOKY_WORKER_STATE_STARTING)
      least = l->data;
  if (least != NULL)
    return least;
  for (GList *l = self->workers.head; l != NULL; l = l->next)
    {
      LokySchedulerWorker *worker = l->data;

      if (worker->state == LOKY_WORKER_STATE_READY &&
          (least == NULL || worker->tasks.length < least->tasks.length))
        least = worker;
    }
  return least;
}

static void
retire (LokyScheduler *self, LokySchedulerWorker *worker, gint64 now, GArray *actions)
{
  worker->state = LOKY_WORKER_STATE_RETIRING;
  unlist (self, worker);
  if (worker->tasks.length > 1)
    take_back (self, worker, worker->tasks.length - 1, actions);
  rest (self, worker, now, actions);
}

static guint
count_staying (LokyScheduler *self)
{
  guint count = 0;

  for (GList *l = self->workers.head; l != NULL; l = l->next)
    if (((LokySchedulerWorker *) l->data)->state <= LOKY_WORKER_STATE_READY)
      count++;
  return count;
}

void
loky_scheduler_set_max_workers (LokyScheduler *self,
                                guint max_workers,
                                gint64 now,
                                GArray *actions)
{
  guint staying = count_staying (self);
  guint serving = loky_scheduler_get_n_serving (self);

  self->max_workers = MAX (max_workers, 1);
  self->n_warm = MIN (self->n_warm, self->max_workers - MIN (serving, self->max_workers));
  for (; staying > self->max_workers; staying--)
    {
      LokySchedulerWorker *worker = choose_surplus (self);

      if (worker->state == LOKY_WORKER_STATE_STARTING)
        {
          kill_worker (self, worker, LOKY_KILL_SURPLUS, now, actions);
          continue;
        }
      retire (self, worker, now, actions);
    }
  dispatch (self, now, actions);
}

gboolean
loky_scheduler_retire (LokyScheduler *self, LokySchedulerWorker *worker, gint64 now, GArray *actions)
{
  if (worker->state != LOKY_WORKER_STATE_READY)
    return FALSE;
  retire (self, worker, now, actions);
  dispatch (self, now, actions);
  return TRUE;
}

/* --- what the owner of a task does ------------------------------------------------------------- */

void
loky_scheduler_submit (LokyScheduler *self, LokySchedulerTask *task, gint64 now, GArray *actions)
{
  g_assert (self->state == LOKY_EXECUTOR_STATE_OPEN);

  self->n_tasks++;
  task->queued_at = now;
  enqueue (self, task, FALSE);
  self->is_quick_submitted = expect (task) < QUICK_TIME;
  dispatch (self, now, actions);
  self->is_quick_submitted = FALSE;
}

/* A running task is asked to stop, and its worker is killed if it does not within the grace. */
static void
stop_task (LokyScheduler *self,
           LokySchedulerTask *task,
           LokyStop stop,
           gint64 now,
           GArray *actions)
{
  task->stop = stop;
  act (actions, LOKY_ACTION_STOP, task, task->worker);
  clear_deadline (&task->deadline);
  if (task->cancel_grace >= 0)
    set_deadline (self, &task->deadline, LOKY_DEADLINE_GRACE, later (now, task->cancel_grace));
}

gboolean
loky_scheduler_cancel (LokyScheduler *self, LokySchedulerTask *task, gint64 now, GArray *actions)
{
  switch (task->state)
    {
    case LOKY_TASK_STATE_QUEUED:
      complete (self, task, LOKY_OUTCOME_CANCELLED, actions);
      dispatch (self, now, actions);
      return TRUE;
    case LOKY_TASK_STATE_SENT:
      if (task->stop == LOKY_STOP_NONE && task->recall == LOKY_RECALL_NONE)
        {
          ask_back (self, task, LOKY_RECALL_CANCEL, actions);
        }
      return TRUE;
    case LOKY_TASK_STATE_NEW:
    case LOKY_TASK_STATE_ENDED:
    default:
      return FALSE;
    }
}

void
loky_scheduler_warm_up (LokyScheduler *self, guint n_workers, gint64 now, GArray *actions)
{
  guint serving = count_alive (self);

  n_workers = MIN (n_workers, self->max_workers);
  self->n_warm = n_workers > serving ? n_workers - serving : 0;
  start_workers (self, now, actions);
}

gboolean
loky_scheduler_is_warm (LokyScheduler *self)
{
  return self->n_warm == 0;
}

/* What is at a worker that dies is told when that is gone: only then it is known whether it was begun. */
typedef enum
{
  TASKS_WAITING,
  TASKS_NOT_DYING,
  TASKS_ALL,
} Tasks;

static void
end_tasks (LokyScheduler *self, Tasks which, LokyOutcome outcome, GArray *actions)
{
  LokySchedulerTask *task;

  while ((task = peek_queue (self)) != NULL)
    complete (self, task, outcome, actions);

  for (GList *l = self->workers.head; which != TASKS_WAITING && l != NULL; l = l->next)
    {
      LokySchedulerWorker *worker = l->data;

      if (which == TASKS_NOT_DYING && worker->state == LOKY_WORKER_STATE_DYING)
        continue;
      while ((task = g_queue_peek_head (&worker->tasks)) != NULL)
        {
          act (actions, LOKY_ACTION_REVOKE, task, worker);
          detach (self, task);
          complete (self, task, outcome, actions);
        }
    }
}

static void
kill_all (LokyScheduler *self, LokyKillReason reason, gint64 now, GArray *actions)
{
  for (GList *l = self->workers.head; l != NULL; l = l->next)
    kill_worker (self, l->data, reason, now, actions);
}

void
loky_scheduler_shutdown (LokyScheduler *self,
                         LokyShutdownMode mode,
                         gint64 deadline,
                         gint64 now,
                         GArray *actions)
{
  if (self->state == LOKY_EXECUTOR_STATE_SHUT_DOWN)
    return;
  self->state = LOKY_EXECUTOR_STATE_SHUTTING_DOWN;
  self->is_finished = FALSE;
  self->n_warm = 0;

  if (mode == LOKY_SHUTDOWN_KILL)
    {
      end_tasks (self, TASKS_ALL, LOKY_OUTCOME_SHUT_DOWN, actions);
      kill_all (self, LOKY_KILL_SHUTDOWN, now, actions);
    }
  else if (mode == LOKY_SHUTDOWN_CANCEL_PENDING)
    {
      end_tasks (self, TASKS_WAITING, LOKY_OUTCOME_CANCELLED, actions);
      for (GList *l = self->workers.head; l != NULL; l = l->next)
        {
          LokySchedulerWorker *worker = l->data;

          for (GList *t = worker->tasks.head; t != NULL; t = t->next)
            {
              LokySchedulerTask *task = t->data;

              if (task->stop != LOKY_STOP_NONE || task->recall != LOKY_RECALL_NONE)
                continue;
              ask_back (self, task, LOKY_RECALL_CANCEL_PENDING, actions);
            }
        }
    }
  if (deadline >= 0 && (self->shutdown.iter == NULL || deadline < self->shutdown.at))
    set_deadline (self, &self->shutdown, LOKY_DEADLINE_SHUTDOWN, deadline);
  dispatch (self, now, actions);
}

/* --- what becomes of workers ------------------------------------------------------------------ */

static void
break_down (LokyScheduler *self, gint64 now, GArray *actions)
{
  if (self->state == LOKY_EXECUTOR_STATE_OPEN)
    self->state = LOKY_EXECUTOR_STATE_BROKEN;
  self->is_broken = TRUE;
  self->n_warm = 0;
  end_tasks (self, self->crash_policy == LOKY_CRASH_POLICY_BREAK ? TASKS_ALL : TASKS_NOT_DYING,
             LOKY_OUTCOME_BROKEN, actions);
  kill_all (self, LOKY_KILL_BROKEN, now, actions);
}

void
loky_scheduler_add_worker (LokyScheduler *self, LokySchedulerWorker *worker)
{
  worker->state = LOKY_WORKER_STATE_STARTING;
  g_queue_init (&worker->tasks);
  worker->pool_link.data = worker;
  worker->list_link.data = worker;
  worker->n_free_slots = LOKY_SCHEDULER_MAX_DEPTH;
  /* The first slots are used first: the pages of the others are never touched. */
  for (guint i = 0; i < LOKY_SCHEDULER_MAX_DEPTH; i++)
    worker->free_slots[i] = (guint16) (LOKY_SCHEDULER_MAX_DEPTH - 1 - i);
  g_queue_push_tail_link (&self->workers, &worker->pool_link);
  set_deadline (self, &worker->deadline, LOKY_DEADLINE_WORKER,
                later (self->last_start, self->start_timeout));
}

void
loky_scheduler_worker_ready (LokyScheduler *self,
                             LokySchedulerWorker *worker,
                             gint64 now,
                             GArray *actions)
{
  if (worker->state != LOKY_WORKER_STATE_STARTING)
    return;
  worker->state = LOKY_WORKER_STATE_READY;
  worker->has_served = TRUE;
  /* What it was excused by it has outlived. */
  worker->was_killed = FALSE;
  clear_deadline (&worker->deadline);
  self->n_starting--;
  if (self->n_warm > 0)
    self->n_warm--;
  self->n_failed_starts = 0;
  clear_deadline (&self->backoff);
  relist (self, worker);
  rest (self, worker, now, actions);
  dispatch (self, now, actions);
}

void
loky_scheduler_worker_dying (LokyScheduler *self,
                             LokySchedulerWorker *worker,
                             gint64 now,
                             GArray *actions)
{
  gboolean has_served = worker->has_served;

  mark_dying (self, worker, now);
  /* Short tasks may have waited for this one rather than go to one that rests. A failed start is told by its end,
   * which is when the next one is decided. */
  if (has_served)
    dispatch (self, now, actions);
}

static void
back_off (LokyScheduler *self, guint failed, gint64 now)
{
  gint64 pause = MIN (BACKOFF_FIRST << MIN (failed - 1, 10), BACKOFF_LONGEST);

  set_deadline (self, &self->backoff, LOKY_DEADLINE_BACKOFF, later (now, pause));
}

static void
break_if_useless (LokyScheduler *self, gint64 now, GArray *actions)
{
  if (self->n_useless >= MAX_USELESS_WORKERS && !self->is_broken && count_alive (self) == 0)
    {
      clear_deadline (&self->backoff);
      break_down (self, now, actions);
    }
}

static void
count_failed_start (LokyScheduler *self, gint64 now, GArray *actions)
{
  guint failed = ++self->n_failed_starts;

  if (failed >= MAX_FAILED_STARTS && count_alive (self) == 0)
    {
      clear_deadline (&self->backoff);
      break_down (self, now, actions);
    }
  else
    back_off (self, failed, now);
}

void
loky_scheduler_excuse (LokySchedulerWorker *worker)
{
  worker->was_killed = TRUE;
}

void
loky_scheduler_worker_gone (LokyScheduler *self,
                            LokySchedulerWorker *worker,
                            gint64 now,
                            GArray *actions)
{
  LokyWorkerState last = worker->state;

  g_return_if_fail (last != LOKY_WORKER_STATE_GONE);

  if (last == LOKY_WORKER_STATE_STARTING)
    self->n_starting--;
  worker->state = LOKY_WORKER_STATE_GONE;
  unlist (self, worker);
  clear_deadline (&worker->deadline);
  clear_deadline (&worker->beat);
  g_queue_unlink (&self->workers, &worker->pool_link);
  self->n_workers--;

  /* From the last to the first, since each goes to the front of the queue. */
  for (GList *l = worker->tasks.tail; l != NULL; l = l->prev)
    {
      ask_back (self, l->data, LOKY_RECALL_DEATH, actions);
    }

  if (!self->is_broken && !worker->was_killed)
    {
      if (!worker->has_served)
        count_failed_start (self, now, actions);
      else if (self->crash_policy == LOKY_CRASH_POLICY_BREAK && !worker->may_leave)
        /* What it had itself is told by the recalls above; all else ends now. */
        break_down (self, now, actions);
      else if (!worker->has_worked && !worker->may_leave && ++self->n_useless > 1)
        /* Unless the recalls tell that it had begun one. */
        back_off (self, self->n_useless - 1, now);
    }
  dispatch (self, now, actions);
}

/* --- what becomes of tasks at workers ----------------------------------------------------------- */

LokySchedulerTask *
loky_scheduler_find (LokySchedulerWorker *worker, guint slot, guint64 number)
{
  LokySchedulerTask *task = slot < LOKY_SCHEDULER_MAX_DEPTH ? worker->slots[slot] : NULL;

  return task != NULL && task->number == number ? task : NULL;
}

/* One that takes much longer may have waited for a CPU, or for the disk: it counts for no more than eight times the mean.
 * Two in a row are believed: too much sent ahead is worse than too little. */
static void
learn (LokySchedulerFunction *function, gint64 run_time)
{
  gint64 mean = function->run_time;
  gint64 longest = MAX (mean, CLOCK_STEP) * 8;
  gboolean is_much_longer;

  run_time = CLAMP (run_time, 0, G_MAXINT64 / 16);
  is_much_longer = mean >= 0 && run_time > longest;
  if (mean < 0 || (is_much_longer && function->was_much_longer))
    function->run_time = run_time;
  else
    function->run_time += (MIN (run_time, longest) - mean) / 8;
  function->was_much_longer = is_much_longer;
}

void
loky_scheduler_returned (LokyScheduler *self,
                         LokySchedulerTask *task,
                         LokyOutcome outcome,
                         gint64 run_time,
                         gint64 now,
                         GArray *actions)
{
  LokySchedulerWorker *worker = task->worker;

  detach (self, task);
  worker->last_activity = now;
  worker->is_stalled = FALSE;
  worker->has_worked = TRUE;
  self->n_useless = 0;
  if (outcome == LOKY_OUTCOME_UNSENDABLE)
    worker->n_given -= MAX (task->n_items, 1);
  if (outcome == LOKY_OUTCOME_RESULT)
    learn (task->function, run_time / MAX (task->n_items, 1));
  if (task->stop == LOKY_STOP_TIMEOUT)
    outcome = LOKY_OUTCOME_TIMED_OUT;
  else if (task->stop == LOKY_STOP_CANCEL && outcome != LOKY_OUTCOME_RESULT)
    outcome = LOKY_OUTCOME_CANCELLED;
  complete (self, task, outcome, actions);
  relist (self, worker);
  /* First the queue: a worker only rests when nothing waits. */
  dispatch (self, now, actions);
  rest (self, worker, now, actions);
}

/* A task that was at a worker and was not begun there waits again, before all others. */
static void
requeue (LokyScheduler *self, LokySchedulerTask *task)
{
  task->worker = NULL;
  enqueue (self, task, TRUE);
}

static void
task_lost (LokyScheduler *self, LokySchedulerTask *task, gint64 now, GArray *actions)
{
  if (task->stop == LOKY_STOP_TIMEOUT)
    complete (self, task, LOKY_OUTCOME_TIMED_OUT, actions);
  else if (task->stop == LOKY_STOP_CANCEL)
    complete (self, task, LOKY_OUTCOME_CANCELLED, actions);
  else if (self->crash_policy == LOKY_CRASH_POLICY_REPLACE && task->attempts <= task->retries &&
           !self->is_broken)
    requeue (self, task);
  else
    complete (self, task, LOKY_OUTCOME_WORKER_DIED, actions);
}

/* TRUE: something has changed. */
static gboolean
apply_recall (LokyScheduler *self,
              LokySchedulerTask *task,
              gboolean recalled,
              gint64 now,
              GArray *actions)
{
  LokySchedulerWorker *worker = task->worker;
  LokyRecall reason = task->recall;

  task->recall = LOKY_RECALL_NONE;
  /* Ended by an action before this one. */
  if (task->state != LOKY_TASK_STATE_SENT || reason == LOKY_RECALL_NONE)
    return TRUE;
  if (!recalled && reason == LOKY_RECALL_CANCEL)
    {
      stop_task (self, task, LOKY_STOP_CANCEL, now, actions);
      return FALSE;
    }
  if (!recalled && (reason == LOKY_RECALL_TAKE_BACK || reason == LOKY_RECALL_CANCEL_PENDING))
    return FALSE;

  detach (self, task);
  if (reason == LOKY_RECALL_DEATH && !recalled && self->n_useless > 0)
    {
      self->n_useless = 0;
      clear_deadline (&self->backoff);
    }
  if (recalled)
    {
      task->attempts--;
      worker->n_given -= MAX (task->n_items, 1);
    }
  if (!recalled)
    task_lost (self, task, now, actions);
  else if (reason == LOKY_RECALL_CANCEL || reason == LOKY_RECALL_CANCEL_PENDING ||
           task->stop == LOKY_STOP_CANCEL)
    complete (self, task, LOKY_OUTCOME_CANCELLED, actions);
  else if (task->stop == LOKY_STOP_TIMEOUT)
    complete (self, task, LOKY_OUTCOME_TIMED_OUT, actions);
  else if (self->is_broken)
    complete (self, task, LOKY_OUTCOME_BROKEN, actions);
  else if (reason == LOKY_RECALL_DEATH && task->n_late > 1)
    /* It is the task: it has the worker say that it was not begun. */
    complete (self, task, LOKY_OUTCOME_TIMED_OUT, actions);
  else
    requeue (self, task);

  if (worker->state != LOKY_WORKER_STATE_GONE)
    {
      relist (self, worker);
      rest (self, worker, now, actions);
    }
  return TRUE;
}

void
loky_scheduler_recalled (LokyScheduler *self,
                         LokySchedulerTask *task,
                         gboolean recalled,
                         gint64 now,
                         GArray *actions)
{
  self->n_recalls--;
  self->is_undecided |= apply_recall (self, task, recalled, now, actions);
  if (self->n_recalls > 0 || !self->is_undecided)
    return;
  /* Not where nothing came back: the same would be asked for again, for ever. */
  self->is_undecided = FALSE;
  dispatch (self, now, actions);
}

/* Its time does not run yet. But when it is the next one and is not begun for that long, then the worker does
 * nothing any more: it goes, and the task to another one. */
static void
probe_unbegun (LokyScheduler *self, LokySchedulerTask *task, gint64 now, GArray *actions)
{
  LokySchedulerWorker *worker = task->worker;
  gint64 patience = MAX (task->timeout, BEGIN_TIME);

  if (g_queue_peek_head (&worker->tasks) != task)
    task->late_since = -1;
  else if (task->late_since < 0)
    task->late_since = now;
  set_deadline (self, &task->deadline, LOKY_DEADLINE_RUN, later (now, MAX (task->timeout, 1000)));
  if (task->late_since >= 0 && now - task->late_since >= patience && is_live (worker))
    {
      task->n_late++;
      act_kill (actions, worker, LOKY_KILL_IDLE);
      loky_scheduler_worker_dying (self, worker, now, actions);
    }
}

void
loky_scheduler_probed (LokyScheduler *self,
                       LokySchedulerTask *task,
                       gboolean running,
                       gint64 started,
                       gint64 now,
                       GArray *actions)
{
  gint64 at;

  if (task->state != LOKY_TASK_STATE_SENT || task->stop != LOKY_STOP_NONE)
    return;
  task->was_behind &= !running;
  if (task->timeout < 0)
    return;
  if (!running)
    {
      probe_unbegun (self, task, now, actions);
      return;
    }
  /* The worker says when it began: it can be wrong, but not by more than this, and it cannot begin again. */
  if (task->started < 0)
    task->started = CLAMP (started, task->sent_at, now);
  at = later (task->started, task->timeout);
  if (at <= now)
    stop_task (self, task, LOKY_STOP_TIMEOUT, now, actions);
  else
    set_deadline (self, &task->deadline, LOKY_DEADLINE_RUN, MAX (at, now + 1000));
}

void
loky_scheduler_beaten (LokyScheduler *self,
                       LokySchedulerWorker *worker,
                       gboolean has_answered,
                       gint64 now,
                       GArray *actions)
{
  if (!is_live (worker) || worker->tasks.length == 0)
    return;
  /* Who looks so late may have been stopped together with the worker: it has another chance. */
  if (has_answered || now - worker->beat.at > self->heartbeat / 2)
    {
      if (self->heartbeat >= 0)
        set_deadline (self, &worker->beat, LOKY_DEADLINE_BEAT, later (now, self->heartbeat));
      return;
    }
  /* A death like any other: it is not the scheduler's will that it does not answer. */
  act_kill (actions, worker, LOKY_KILL_SILENT);
  loky_scheduler_worker_dying (self, worker, now, actions);
}

/* --- time ------------------------------------------------------------------------------------- */

static void
worker_deadline (LokyScheduler *self, LokySchedulerWorker *worker, gint64 now, GArray *actions)
{
  switch (worker->state)
    {
    case LOKY_WORKER_STATE_READY:
      tell_to_leave (self, worker, now, actions);
      break;
    case LOKY_WORKER_STATE_LEAVING:
      kill_worker (self, worker, LOKY_KILL_UNRESPONSIVE, now, actions);
      break;
    case LOKY_WORKER_STATE_DYING:
      act (actions, LOKY_ACTION_ABANDON, NULL, worker);
      break;
    case LOKY_WORKER_STATE_STARTING:
      /* A failed start like any other. */
      mark_dying (self, worker, now);
      act_kill (actions, worker, LOKY_KILL_UNRESPONSIVE);
      break;
    case LOKY_WORKER_STATE_RETIRING:
    case LOKY_WORKER_STATE_GONE:
    default:
      break;
    }
}

/* The task before it may have written over its slot, so that it is never begun: who looks at the slot sees that.
 * Those with a timeout are looked at by it. */
static gboolean
is_to_be_looked_at (const LokySchedulerWorker *worker)
{
  const LokySchedulerTask *task = g_queue_peek_head ((GQueue *) &worker->tasks);

  return task != NULL && task->was_behind && task->timeout < 0 && task->stop == LOKY_STOP_NONE &&
         worker->state < LOKY_WORKER_STATE_DYING;
}

static void
look_for_stalls (LokyScheduler *self, gint64 now, GArray *actions)
{
  gint64 pause = G_MAXINT64;

  for (GList *l = self->workers.head; l != NULL; l = l->next)
    {
      LokySchedulerWorker *worker = l->data;
      gint64 quiet = now - worker->last_activity;

      if (is_to_be_looked_at (worker))
        {
          pause = MIN (pause, CLAMP (quiet, STALL_TIME, LOOK_TIME));
          if (quiet >= STALL_TIME)
            act (actions, LOKY_ACTION_PROBE, worker->tasks.head->data, worker);
        }
      if (worker->tasks.length < 2 || quiet < STALL_TIME)
        continue;
      worker->is_stalled = TRUE;
      relist (self, worker);
      take_back (self, worker, worker->tasks.length - 1, actions);
    }
  if (self->n_ahead > 0)
    pause = STALL_TIME;
  if (pause < G_MAXINT64)
    set_deadline (self, &self->stall, LOKY_DEADLINE_STALL, later (now, pause));
}

/* What a deadline is the @member of; only if its kind says so. */
#define OWNER(it, type, member) ((type *) ((char *) (it) - G_STRUCT_OFFSET (type, member)))

static void
deadline_passed (LokyScheduler *self, LokyDeadline *deadline, gint64 now, GArray *actions)
{
  LokySchedulerTask *task = OWNER (deadline, LokySchedulerTask, deadline);

  switch (deadline->kind)
    {
    case LOKY_DEADLINE_QUEUE:
      complete (self, task, LOKY_OUTCOME_QUEUE_TIMED_OUT, actions);
      break;
    case LOKY_DEADLINE_RUN:
      act (actions, LOKY_ACTION_PROBE, task, task->worker);
      break;
    case LOKY_DEADLINE_GRACE:
      kill_worker (self, task->worker, LOKY_KILL_STOP_TASK, now, actions);
      break;
    case LOKY_DEADLINE_WORKER:
      worker_deadline (self, OWNER (deadline, LokySchedulerWorker, deadline), now, actions);
      break;
    case LOKY_DEADLINE_BEAT:
      act (actions, LOKY_ACTION_BEAT, NULL, OWNER (deadline, LokySchedulerWorker, beat));
      break;
    case LOKY_DEADLINE_STALL:
      look_for_stalls (self, now, actions);
      break;
    case LOKY_DEADLINE_SHUTDOWN:
      loky_scheduler_shutdown (self, LOKY_SHUTDOWN_KILL, -1, now, actions);
      break;
    case LOKY_DEADLINE_BACKOFF:
    default:
      break;
    }
}

void
loky_scheduler_tick (LokyScheduler *self, gint64 now, GArray *actions)
{
  for (;;)
    {
      GSequenceIter *first = g_sequence_get_begin_iter (self->deadlines);
      LokyDeadline *deadline;

      if (g_sequence_iter_is_end (first))
        break;
      deadline = g_sequence_get (first);
      if (deadline->at > now)
        break;
      clear_deadline (deadline);
      deadline_passed (self, deadline, now, actions);
    }
  dispatch (self, now, actions);
}
