/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ends of workers, in the monitor thread: killing them, what is known of their end, what it means for
 * their task, and letting go of all that was theirs. */

#include <gio/gio.h>
#include <sys/stat.h>

#include "loky-error.h"
#include "loky-pool-internal.h"

/* How much a worker is read after its end: the bound is for one whose descriptors live on in a child that
 * never stops writing. In calls of recvmsg(), and in bytes. */
#define FILLS_AFTER_END 4096
#define OUTPUT_AFTER_END (8u << 20)

/* How many plugin files can be refused: what a worker is told at its start is bounded. */
#define MAX_REFUSALS 64

void
loky_pool_kill_process (LokyPoolWorker *worker)
{
  if (worker->process != NULL && !worker->is_buried)
    loky_worker_process_kill (worker->process);
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
  loky_scheduler_worker_dying (self->scheduler, &worker->scheduling, turn.now);
  loky_pool_turn_end (&turn);
  if (!worker->channel_is_closed)
    loky_pool_unwatch (self, loky_channel_get_fd (worker->channel));
  worker->channel_is_closed = TRUE;
  loky_pool_kill_process (worker);
}

/* The cause that the executor would have, should this end break it. */
static GError *
describe_cause (LokyPoolWorker *worker)
{
  g_autofree char *ending = NULL;
  g_autofree char *output = NULL;

  if (worker->process == NULL || (!worker->has_said_hello && worker->cause != NULL))
    return g_error_copy (worker->cause);
  ending = loky_ending_to_string (&worker->ending);
  output = worker->stderr_tail != NULL ? g_strdup_printf ("; its last output: %s", worker->stderr_tail)
                                       : g_strdup ("");
  if (!worker->has_said_hello)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_START,
                        "Workers end before they serve: the last one %s%s%s%s", ending,
                        worker->reason != NULL ? ": " : "",
                        worker->reason != NULL ? worker->reason : "", output);
  return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "Worker %u (pid %d) %s%s", worker->id,
                      (int) loky_worker_process_get_pid (worker->process), ending, output);
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
  if (worker->is_abandoned)
    self->n_abandoned++;
  loky_pool_turn_run (&turn);
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
      loky_pool_turn_add_flush (&turn, other);
    }
  loky_pool_turn_end (&turn);
}

GError *
loky_pool_describe_loss (LokyPoolWorker *worker, LokyFuture *future, LokyLoss **loss)
{
  const char *name = future->function->name;
  int pid = worker->process != NULL ? (int) loky_worker_process_get_pid (worker->process) : 0;
  g_autofree char *ending = loky_ending_to_string (&worker->ending);
  g_autofree char *loading = loky_control_dup_loading (&worker->control);
  g_autofree char *output = NULL;
  g_autofree char *reason = NULL;

  *loss = g_new0 (LokyLoss, 1);
  (*loss)->pid = pid;
  (*loss)->term_signal = worker->ending.kind == LOKY_ENDING_SIGNALED ? worker->ending.code : 0;
  (*loss)->exit_status = worker->ending.kind == LOKY_ENDING_EXITED ? worker->ending.code : -1;
  (*loss)->stderr_tail = g_strdup (worker->stderr_tail);
  output = worker->stderr_tail != NULL ? g_strdup_printf ("; its last output: %s", worker->stderr_tail)
                                       : g_strdup ("");
  reason = worker->reason != NULL ? g_strdup_printf (" (%s)", worker->reason) : g_strdup ("");

  if (loading != NULL)
    {
      g_autofree char *path = g_filename_display_name (loading);

      return g_error_new (LOKY_ERROR, LOKY_ERROR_PLUGIN,
                          "The plugin “%s” cannot be opened for the task “%s”: worker %u (pid %d) that "
                          "opened it %s%s",
                          path, name, worker->id, pid, ending, output);
    }
  if (worker->is_abandoned)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED,
                        "The task “%s” (attempt %u) was lost: its worker %u (pid %d) does not end "
                        "although it was killed",
                        name, future->task.attempts, worker->id, pid);
  if (worker->cause != NULL && worker->kill_is_ours)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                        "The task “%s” (attempt %u) was lost: its worker %u (pid %d) was killed: %s%s",
                        name, future->task.attempts, worker->id, pid, worker->cause->message, output);
  return g_error_new (LOKY_ERROR, LOKY_ERROR_WORKER_DIED,
                      "The task “%s” (attempt %u) was lost: its worker %u (pid %d) %s%s%s", name,
                      future->task.attempts, worker->id, pid, ending, reason, output);
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
static void
let_reap (LokyPool *self, LokyWorkerProcess *process)
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

/* The worker's end is known: what it still sent and printed is taken, then all is let go. */
static void
bury (LokyPool *self, LokyPoolWorker *worker)
{
  g_autofree char *loading = NULL;

  if (worker->is_buried)
    return;
  /* Its process group, which is what it left behind, and what might go on writing. */
  loky_worker_process_kill (worker->process);
  /* Not to the end of the stream: a child of the worker may hold it open. */
  loky_pool_read_channel (self, worker, FILLS_AFTER_END, TRUE);
  loky_pool_read_output (self, worker, OUTPUT_AFTER_END);
  worker->is_buried = TRUE;
  if (worker->hang_up != NULL)
    g_source_destroy (worker->hang_up);
  g_clear_pointer (&worker->hang_up, g_source_unref);
  worker->stderr_tail = loky_worker_process_dup_stderr_tail (worker->process);
  worker->reason = loky_control_dup_reason (&worker->control);
  loading = loky_control_dup_loading (&worker->control);
  if (loading != NULL && is_to_blame (self, worker))
    refuse_plugin (self, worker, loading);
  loky_pool_unwatch (self, loky_worker_process_get_pidfd (worker->process));
  loky_pool_unwatch (self, loky_worker_process_get_stderr_fd (worker->process));
  if (!worker->channel_is_closed)
    loky_pool_unwatch (self, loky_channel_get_fd (worker->channel));
  worker->channel_is_closed = TRUE;
  loky_pool_tell_gone (self, worker);
  let_reap (self, g_steal_pointer (&worker->process));
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
  loky_pool_unwatch (self, loky_worker_process_get_pidfd (worker->process));
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
