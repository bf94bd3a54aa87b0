/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ends of workers, in the monitor thread: killing them, what is known of their end, what it means for
 * their task, and letting go of all that was theirs. */

#include <gio/gio.h>
#include <signal.h>
#include <sys/stat.h>

#include "loky-descendants-private.h"
#include "loky-error.h"
#include "loky-memory-events-private.h"
#include "loky-paths-private.h"
#include "loky-pool-server-private.h"
#include "loky-probes-private.h"

/* How much a worker is read after its end: the bound is for one whose descriptors live on in a child that
 * never stops writing. In calls of recvmsg(), and in bytes. */
#define FILLS_AFTER_END 4096
#define OUTPUT_AFTER_END (8u << 20)

/* How many plugin files can be refused: what a worker is told at its start is bounded. */
#define MAX_REFUSALS 64

/* How long a worker has to record where it is and to die of SIGTERM, in ms. */
#define TERMINATION_TIME 250

/* How often it is looked for what dead workers left behind, and how soon after a death, in ms. */
#define SWEEP_INTERVAL 200
#define SWEEP_DELAY 20

void
loky_pool_kill_process (LokyPoolWorker *worker)
{
  if (worker->process == NULL || worker->is_buried)
    return;
  if (loky_worker_process_is_awaited (worker->process))
    loky_pool_server_give_up (worker);
  else
    loky_worker_process_kill (worker->process);
}

static gboolean
not_terminated_cb (gpointer user_data)
{
  loky_pool_kill_process (user_data);
  return G_SOURCE_REMOVE;
}

void
loky_pool_carry_out_kill (LokyPool *self, LokyPoolWorker *worker)
{
  LokyKillReason reason;

  loky_pool_lock (self);
  reason = worker->kill_reason;
  loky_pool_unlock (self);
  if (worker->process == NULL || worker->is_buried)
    return;
  if (reason == LOKY_KILL_SILENT)
    worker->is_silent = TRUE;
  if (reason == LOKY_KILL_NONSENSE && worker->cause == NULL)
    worker->cause = g_error_new_literal (LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                                         "its control area holds what no worker writes");
  if (reason == LOKY_KILL_NONSENSE)
    {
      worker->writes_nonsense = TRUE;
      loky_pool_lock (self);
      worker->kill_is_ours = TRUE;
      loky_pool_unlock (self);
    }
  worker->was_stopped = loky_worker_process_is_stopped (worker->process);
  if (reason != LOKY_KILL_STOP_TASK || worker->was_stopped ||
      loky_worker_process_is_awaited (worker->process))
    {
      loky_pool_kill_process (worker);
      return;
    }
  loky_worker_process_terminate (worker->process);
  worker->termination = g_timeout_source_new (TERMINATION_TIME);
  g_source_set_static_name (worker->termination, "[loky] worker terminated");
  g_source_set_callback (worker->termination, not_terminated_cb, worker, NULL);
  g_source_attach (worker->termination, self->context);
}

/* Kills a worker for a reason of its own making. Takes over @cause. */
void
loky_pool_condemn (LokyPool *self, LokyPoolWorker *worker, GError *cause)
{
  LokyPoolTurn turn;

  if (worker->cause == NULL)
    worker->cause = cause;
  else
    g_error_free (cause);
  loky_pool_turn_begin (self, &turn);
  worker->kill_is_ours = TRUE;
  loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, turn.now, self->actions);
  loky_pool_turn_end (&turn);
  if (!worker->channel_is_closed)
    loky_pool_unwatch (self, LOKY_WATCH_CHANNEL, loky_channel_get_fd (worker->channel));
  worker->channel_is_closed = TRUE;
  loky_pool_kill_process (worker);
}

static char *
describe_output (LokyPoolWorker *worker)
{
  if (worker->stderr_tail == NULL)
    return g_strdup ("");
  return g_strdup_printf ("; its last output: %s", worker->stderr_tail);
}

char *
loky_pool_describe_place (LokyPoolWorker *worker, const char *prefix)
{
  g_autofree char *culprit
      = worker->backtrace != NULL ? loky_crash_find_culprit (worker->backtrace) : NULL;

  /* The backtrace is the monitor's until the worker is buried. */
  if (culprit == NULL)
    return g_strdup ("");
  return g_strdup_printf ("%s %s", prefix, culprit);
}

/* What is run as a worker. */
static char *
describe_program (LokyPool *pool)
{
  g_autofree char *path = loky_pool_dup_program (pool);

  return g_filename_display_name (path);
}

/* One that could not be started, or said itself why it cannot serve. */
static GError *
describe_failed_start (LokyPoolWorker *worker)
{
  if (!g_error_matches (worker->cause, LOKY_ERROR, LOKY_ERROR_INITIALIZER))
    return g_error_copy (worker->cause);
  return g_error_new (LOKY_ERROR, LOKY_ERROR_INITIALIZER,
                      "The initializer “%s” of the workers failed: %s", worker->pool->initializer,
                      worker->cause->message);
}

/* The cause that the executor would have, should this end break it. */
static GError *
describe_cause (LokyPoolWorker *worker)
{
  g_autofree char *program = NULL;
  g_autofree char *ending = NULL;
  g_autofree char *place = NULL;
  g_autofree char *output = NULL;

  if (worker->process == NULL || (!worker->has_said_hello && worker->cause != NULL))
    return describe_failed_start (worker);
  ending = loky_ending_to_string (&worker->ending);
  place = loky_pool_describe_place (worker, " in");
  output = describe_output (worker);
  if (!worker->has_said_hello)
    program = describe_program (worker->pool);
  if (worker->has_run_initializer && worker->is_killed)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_INITIALIZER,
                        "The initializer “%s” of the workers did not return in time%s",
                        worker->pool->initializer, output);
  if (worker->has_run_initializer)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_INITIALIZER,
                        "The initializer “%s” of the workers ends them: the last one %s%s%s",
                        worker->pool->initializer, ending, place, output);
  if (!worker->has_said_hello && worker->is_killed)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_START,
                        "Workers do not serve: the last one, %s, said nothing within %g s%s", program,
                        (double) worker->pool->start_timeout / 1000, output);
  if (!worker->has_said_hello)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_START,
                        "Workers end before they serve: the last one, %s, %s%s%s%s%s", program, ending,
                        worker->reason != NULL ? ": " : "",
                        worker->reason != NULL ? worker->reason : "", place, output);
  if (worker->cause != NULL && worker->kill_is_ours)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "Worker %u (pid %d) was killed: %s%s",
                        worker->id, (int) loky_worker_process_get_pid (worker->process),
                        worker->cause->message, output);
  return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "Worker %u (pid %d) %s%s%s", worker->id,
                      (int) loky_worker_process_get_pid (worker->process), ending, place, output);
}

/* Tells the scheduler that a worker is gone, with the cause at hand if that breaks the executor. */
void
loky_pool_tell_gone (LokyPool *self, LokyPoolWorker *worker)
{
  GError *cause = describe_cause (worker);
  LokyPoolTurn turn;

  loky_pool_turn_begin (self, &turn);
  if (self->broken == NULL)
    self->broken = g_steal_pointer (&cause);
  loky_scheduler_worker_gone (self->scheduler, &worker->scheduling, turn.now, self->actions);
  if (worker->lease != NULL)
    worker->lease->worker = NULL;
  worker->lease = NULL;
  if (worker->is_abandoned)
    self->n_abandoned++;
  loky_pool_turn_run (&turn);
  /* Of a task that is to be run again. */
  loky_pool_end_capture_locked (&turn, worker->capture);
  if (!loky_scheduler_is_broken (self->scheduler))
    g_clear_error (&self->broken);
  loky_pool_turn_end (&turn);
  g_clear_error (&cause);
}

/* A plugin that killed the worker that opened it would kill the next one too. */
static void
refuse_plugin (LokyPool *self, LokyPoolWorker *worker, const char *path)
{
  LokyRefusal *refusal;
  g_autofree char *ending = loky_ending_to_string (&worker->ending);
  g_autoptr (GVariant) message = NULL;
  LokyPoolTurn turn;
  struct stat info;

  /* The path is what the worker wrote: it may be any text. */
  if (stat (path, &info) != 0 || !S_ISREG (info.st_mode) || self->refusals->len >= MAX_REFUSALS)
    return;
  refusal = g_new0 (LokyRefusal, 1);
  refusal->path = g_strdup (path);
  refusal->reason = worker->is_killed ? g_strdup ("a worker that opened it did not come back")
                                      : g_strdup_printf ("a worker that opened it %s", ending);
  refusal->device = info.st_dev;
  refusal->inode = info.st_ino;
  refusal->mtime = (guint64) info.st_mtim.tv_sec * G_GUINT64_CONSTANT (1000000000) +
                   (guint64) info.st_mtim.tv_nsec;
  message = g_variant_ref_sink (loky_refusal_to_variant (refusal));

  loky_pool_turn_begin (self, &turn);
  g_ptr_array_add (self->refusals, refusal);
  for (guint i = 0; i < self->workers->len; i++)
    {
      LokyPoolWorker *other = g_ptr_array_index (self->workers, i);

      if (other == worker || other->scheduling.state > LOKY_WORKER_STATE_RETIRING)
        continue;
      loky_channel_append_variant (other->channel, LOKY_MESSAGE_REFUSE, 0, 0, message, NULL, 0);
      other->n_put++;
      loky_pool_turn_add_flush (&turn, other);
    }
  loky_pool_turn_end (&turn);
}

LokyLoss *
loky_pool_make_loss (LokyPoolWorker *worker)
{
  LokyLoss *loss = g_new0 (LokyLoss, 1);

  loss->worker_id = worker->id;
  loss->pid = worker->process != NULL ? (int) loky_worker_process_get_pid (worker->process) : 0;
  loss->term_signal = worker->ending.kind == LOKY_ENDING_SIGNALED ? worker->ending.code : 0;
  loss->exit_status = worker->ending.kind == LOKY_ENDING_EXITED ? worker->ending.code : -1;
  loss->stderr_tail = g_strdup (worker->stderr_tail);
  loss->backtrace = g_strdup (worker->backtrace);
  return loss;
}

/* "attempt 2", or that each of them ended like this. */
static char *
describe_attempt (LokyFuture *future)
{
  guint attempts = future->task.attempts;

  if (attempts <= 1)
    return g_strdup_printf ("attempt %u", attempts);
  return g_strdup_printf ("attempt %u of %u: each of them ended its worker", attempts,
                          future->task.retries + 1);
}

GError *
loky_pool_describe_loss (LokyPoolWorker *worker, LokyFuture *future, LokyLoss **loss)
{
  const char *name = future->function->name;
  g_autofree char *attempt = describe_attempt (future);
  g_autofree char *place = loky_pool_describe_place (worker, " in");
  int pid = worker->process != NULL ? (int) loky_worker_process_get_pid (worker->process) : 0;
  g_autofree char *ending = loky_ending_to_string (&worker->ending);
  g_autofree char *loading
      = worker->writes_nonsense ? NULL : loky_control_dup_loading (&worker->control);
  g_autofree char *output = NULL;
  g_autofree char *reason = NULL;

  *loss = loky_pool_make_loss (worker);
  output = describe_output (worker);
  reason = worker->reason != NULL ? g_strdup_printf (" (%s)", worker->reason) : g_strdup ("");

  if (loading != NULL)
    {
      g_autofree char *path = g_filename_display_name (loading);

      return g_error_new (LOKY_ERROR, LOKY_ERROR_PLUGIN,
                          "The plugin “%s” cannot be opened for the task “%s”: worker %u (pid %d) that "
                          "opened it %s%s%s",
                          path, name, worker->id, pid, ending, place, output);
    }
  if (worker->is_abandoned)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED,
                        "The task “%s” (%s) was lost: its worker %u (pid %d) does not end although it was "
                        "killed",
                        name, attempt, worker->id, pid);
  if (worker->is_out_of_memory && worker->crash != NULL && worker->crash->is_memory_limited &&
      future->function->traits.memory_limit > 0)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_MEMORY_LIMIT,
                        "The task “%s” (%s) needed more than the %" G_GUINT64_FORMAT " bytes that it may allocate: "
                        "its worker %u (pid %d) %s%s%s%s",
                        name, attempt, future->function->traits.memory_limit, worker->id, pid, ending, reason,
                        place, output);
  if (worker->is_out_of_memory)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_OUT_OF_MEMORY,
                        "The task “%s” (%s) was lost for want of memory: its worker %u (pid %d) %s%s%s%s",
                        name, attempt, worker->id, pid, ending, reason, place, output);
  if (worker->is_silent)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED,
                        "The task “%s” (%s) was lost: its worker %u (pid %d) was killed: it gave no sign of "
                        "life within %g s%s%s",
                        name, attempt, worker->id, pid, (double) worker->pool->heartbeat / 1000,
                        worker->was_stopped ? ", since it was stopped by a signal" : "", output);
  if (worker->cause != NULL && worker->kill_is_ours)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                        "The task “%s” (%s) was lost: its worker %u (pid %d) was killed: %s%s", name,
                        attempt, worker->id, pid, worker->cause->message, output);
  return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED,
                      "The task “%s” (%s) was lost: its worker %u (pid %d) %s%s%s%s", name, attempt,
                      worker->id, pid, ending, reason, place, output);
}

typedef struct
{
  LokyPool *pool;
  LokyWorkerProcess *process;
} Reaping;

static void
reaped_cb (gpointer user_data)
{
  Reaping *reaping = user_data;

  reaping->pool->n_reaping--;
  /* The monitor may have waited for this one to end. */
  g_source_set_ready_time (reaping->pool->source, 0);
  loky_worker_process_free (reaping->process);
  g_free (reaping);
}

/* GLib's own thread reaps. A shutdown is over when it has: no zombie is left then. */
void
loky_pool_let_reap (LokyPool *self, LokyWorkerProcess *process)
{
  Reaping *reaping = g_new (Reaping, 1);

  reaping->pool = self;
  reaping->process = process;
  self->n_reaping++;
  loky_worker_process_close (process);
  if (!loky_worker_process_wait_ended (process, reaped_cb, reaping))
    reaped_cb (reaping);
}

/* Whether the plugin that was being opened is why the worker ended: not if we killed it for another
 * reason than that its task did not come back. */
static gboolean
is_to_blame (LokyPool *self, LokyPoolWorker *worker)
{
  gboolean is_to_blame;

  loky_pool_lock (self);
  is_to_blame = !worker->is_killed || worker->kill_reason == LOKY_KILL_STOP_TASK;
  loky_pool_unlock (self);
  return is_to_blame;
}

/* --- what is left behind -------------------------------------------------------------------------- */

static gboolean
is_alive (guint worker_id, gpointer user_data)
{
  LokyPool *self = user_data;

  /* The fork server, and a worker that has just been forked. */
  if (worker_id == 0)
    return loky_pool_server_is_there (self);
  for (guint i = 0; i < self->workers->len; i++)
    {
      LokyPoolWorker *worker = g_ptr_array_index (self->workers, i);

      if (worker->id == worker_id)
        return !worker->is_buried;
    }
  return FALSE;
}

static gboolean
sweep_cb (gpointer user_data)
{
  LokyPool *self = user_data;

  g_clear_pointer (&self->sweep, g_source_unref);
  self->last_sweep = g_get_monotonic_time ();
  loky_descendants_kill (self->token, is_alive, self);
  return G_SOURCE_REMOVE;
}

void
loky_pool_sweep_now (LokyPool *self)
{
  if (self->sweep == NULL)
    return;
  g_source_destroy (self->sweep);
  sweep_cb (self);
}

/* One look at all processes serves all workers that died meanwhile. */
void
loky_pool_plan_sweep (LokyPool *self)
{
  gint64 since = (g_get_monotonic_time () - self->last_sweep) / 1000;

  if (self->sweep != NULL)
    return;
  self->sweep = g_timeout_source_new ((guint) CLAMP (SWEEP_INTERVAL - since, SWEEP_DELAY, SWEEP_INTERVAL));
  g_source_set_static_name (self->sweep, "[loky] sweep");
  g_source_set_callback (self->sweep, sweep_cb, self, NULL);
  g_source_attach (self->sweep, self->context);
}

/* --- the burial ----------------------------------------------------------------------------------- */

/* Whether the kernel killed it since the memory of its control group was used up. It tells how often it did
 * so, not whom. */
static gboolean
was_out_of_memory (LokyPool *self, LokyPoolWorker *worker)
{
  guint64 n_kills = 0;
  gboolean is_ours;

  if (worker->crash != NULL && worker->crash->is_out_of_memory)
    return TRUE;
  loky_pool_lock (self);
  is_ours = worker->is_killed || worker->kill_is_ours;
  loky_pool_unlock (self);
  if (is_ours || worker->ending.kind != LOKY_ENDING_SIGNALED || worker->ending.code != SIGKILL)
    return FALSE;
  if (!loky_memory_events_count_kills ("/proc/self/cgroup", "/sys/fs/cgroup", &n_kills) ||
      n_kills <= self->n_memory_kills)
    return FALSE;
  self->n_memory_kills++;
  return TRUE;
}

/* All that is known of the end, before anybody is told. */
static void
look_at_the_end (LokyPool *self, LokyPoolWorker *worker)
{
  int exit_status = loky_control_get_exit_status (&worker->control);

  worker->stderr_tail = loky_worker_process_dup_stderr_tail (worker->process);
  worker->reason = loky_control_dup_reason (&worker->control);
  if (!worker->writes_nonsense)
    worker->crash = loky_control_dup_crash (&worker->control);
  worker->has_run_initializer
      = !worker->has_said_hello &&
        loky_control_get_phase (&worker->control) == LOKY_PHASE_INITIALIZING;
  /* The alarm of a handler that did not come to its end. */
  if (worker->crash != NULL && worker->ending.kind == LOKY_ENDING_SIGNALED &&
      worker->ending.code == SIGALRM)
    worker->ending.code = worker->crash->signal;
  /* What the system does not tell any more the worker may have written down. */
  if (worker->ending.kind == LOKY_ENDING_UNKNOWN && worker->crash != NULL)
    worker->ending = (LokyEnding){ LOKY_ENDING_SIGNALED, worker->crash->signal };
  else if (worker->ending.kind == LOKY_ENDING_UNKNOWN && exit_status >= 0)
    worker->ending = (LokyEnding){ LOKY_ENDING_EXITED, exit_status };
  worker->is_out_of_memory = was_out_of_memory (self, worker);
}

static void
clear_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

/* The worker's end is known: what it still sent and printed is taken, then all is let go. */
static void
bury (LokyPool *self, LokyPoolWorker *worker)
{
  LokyPoolTurn turn;

  if (worker->is_buried)
    return;
  /* Its process group, which is what it left behind, and what might go on writing. */
  loky_worker_process_kill (worker->process);
  /* Not to the end of the stream: a child of the worker may hold it open. */
  loky_pool_read_channel (self, worker, FILLS_AFTER_END, TRUE);
  loky_pool_drain_capture (self, worker);
  loky_pool_read_output (self, worker->process, LOKY_WATCH_STDERR, OUTPUT_AFTER_END);
  worker->is_buried = TRUE;
  clear_source (&worker->hang_up);
  clear_source (&worker->termination);
  loky_pool_unwatch (self, LOKY_WATCH_PIDFD, loky_worker_process_get_pidfd (worker->process));
  loky_pool_unwatch (self, LOKY_WATCH_STDERR, loky_worker_process_get_stderr_fd (worker->process));
  if (!worker->channel_is_closed)
    loky_pool_unwatch (self, LOKY_WATCH_CHANNEL, loky_channel_get_fd (worker->channel));
  worker->channel_is_closed = TRUE;
  look_at_the_end (self, worker);
  loky_pool_plan_sweep (self);
  /* It gets no task meanwhile. */
  loky_pool_turn_begin (self, &turn);
  loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, turn.now, self->actions);
  loky_pool_turn_end (&turn);
  if (!loky_pool_find_backtrace (self, worker))
    loky_pool_finish_burial (self, worker);
}

void
loky_pool_finish_burial (LokyPool *self, LokyPoolWorker *worker)
{
  g_autofree char *loading = loky_control_dup_loading (&worker->control);

  LOKY_PROBE_WORKER_DIED (worker->id, loky_worker_process_get_pid (worker->process), worker->ending.kind,
                          worker->ending.code);
  if (loading != NULL && !worker->writes_nonsense && is_to_blame (self, worker))
    refuse_plugin (self, worker, loading);
  loky_pool_tell_gone (self, worker);
  loky_pool_let_reap (self, g_steal_pointer (&worker->process));
  loky_channel_shutdown (worker->channel);
  g_ptr_array_add (self->graveyard, loky_pool_worker_ref (worker));
  g_ptr_array_remove_fast (self->workers, worker);
}

static void
status_known_cb (gpointer user_data)
{
  LokyPoolWorker *worker = user_data;

  if (loky_worker_process_check_ended (worker->process, &worker->ending))
    bury (worker->pool, worker);
}

void
loky_pool_process_ended (LokyPool *self, LokyPoolWorker *worker)
{
  if (loky_worker_process_check_ended (worker->process, &worker->ending))
    {
      bury (self, worker);
      return;
    }
  /* GLib's own thread was faster, and tells us soon. */
  loky_pool_unwatch (self, LOKY_WATCH_PIDFD, loky_worker_process_get_pidfd (worker->process));
  if (!loky_worker_process_wait_ended (worker->process, status_known_cb, worker))
    bury (self, worker);
}

/* One that does not end although it was killed, as a process in an uninterruptible sleep: everything
 * goes on without it, GSubprocess reaps it when it goes. */
void
loky_pool_bury_abandoned (LokyPool *self)
{
  for (guint i = self->workers->len; i > 0; i--)
    {
      LokyPoolWorker *worker = g_ptr_array_index (self->workers, i - 1);
      gboolean is_abandoned;

      loky_pool_lock (self);
      is_abandoned = worker->is_abandoned;
      loky_pool_unlock (self);
      if (!is_abandoned)
        continue;
      g_warning ("Worker %u (pid %d) does not end although it was killed", worker->id,
                 (int) loky_worker_process_get_pid (worker->process));
      worker->ending.kind = LOKY_ENDING_UNKNOWN;
      bury (self, worker);
    }
}
