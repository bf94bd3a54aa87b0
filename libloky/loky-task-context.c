/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-task-context-private.h"

#include "loky-error.h"
#include "loky-watchdog-private.h"
#include "loky-tsan-private.h"

/* How often the parent is told that there is news of the progress, in µs. */
#define PROGRESS_INTERVAL (100 * 1000)

/**
 * LokyTaskContext:
 *
 * What a running task can see of its surroundings, in the worker.
 *
 * All functions but [method@Loky.TaskContext.add_buffer] can be called from any thread of the worker.
 * After the task has returned a context
 * that somebody kept is never cancelled and reports nothing.
 *
 * Since: 1.0
 */
struct _LokyTaskContext
{
  GObject parent_instance;

  const LokyTaskSurroundings *surroundings;
  char *task;
  guint attempt;
  guint slot;
  guint64 number;
  GPtrArray *buffers; /* nullable */

  GMutex lock;
  gboolean has_ended;        /* lock */
  gint64 progress_told_at;   /* lock */
  GCancellable *cancellable; /* lock; made when it is asked for */
};

G_DEFINE_FINAL_TYPE (LokyTaskContext, loky_task_context, G_TYPE_OBJECT)

static void
loky_task_context_finalize (GObject *object)
{
  LokyTaskContext *self = LOKY_TASK_CONTEXT (object);

  LOKY_TSAN_ACQUIRE (object);
  g_free (self->task);
  g_clear_pointer (&self->buffers, g_ptr_array_unref);
  g_clear_object (&self->cancellable);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (loky_task_context_parent_class)->finalize (object);
}

static void
loky_task_context_class_init (LokyTaskContextClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_task_context_finalize;
}

static void
loky_task_context_init (LokyTaskContext *self)
{
  g_mutex_init (&self->lock);
}

LokyTaskContext *
loky_task_context_new (LokyTaskContext **kept,
                       const LokyTaskSurroundings *surroundings,
                       const char *task,
                       guint attempt,
                       guint slot,
                       guint64 number,
                       GPtrArray *buffers)
{
  LokyTaskContext *self = kept != NULL ? g_steal_pointer (kept) : NULL;

  if (self == NULL)
    self = g_object_new (LOKY_TYPE_TASK_CONTEXT, NULL);
  self->surroundings = surroundings;
  if (g_strcmp0 (self->task, task) != 0)
    {
      g_free (self->task);
      self->task = g_strdup (task);
    }
  self->attempt = attempt;
  self->slot = slot;
  self->number = number;
  self->buffers = buffers != NULL ? g_ptr_array_ref (buffers) : NULL;
  return self;
}

void
loky_task_context_end (LokyTaskContext *self)
{
  g_mutex_lock (&self->lock);
  self->has_ended = TRUE;
  g_mutex_unlock (&self->lock);
}

/* Whether somebody could still get at it, or wants to be told of its end: by a reference, a weak reference, or data
 * that was attached. A flag of the list of data says nothing. */
static gboolean
is_known (LokyTaskContext *self)
{
  GObject *object = G_OBJECT (self);
  gsize data = (gsize) g_atomic_pointer_get (&object->qdata) & ~(gsize) G_DATALIST_FLAGS_MASK;

  return g_atomic_int_get (&object->ref_count) > 1 || data != 0;
}

void
loky_task_context_recycle (LokyTaskContext *self, LokyTaskContext **kept)
{
  if (is_known (self) || self->cancellable != NULL)
    {
      g_object_unref (self);
      return;
    }
  g_clear_pointer (&self->buffers, g_ptr_array_unref);
  self->has_ended = FALSE;
  self->progress_told_at = 0;
  *kept = self;
}

gboolean
loky_task_context_has_told_progress (LokyTaskContext *self)
{
  /* It is not written again: the task has ended. */
  return self->progress_told_at != 0;
}

GPtrArray *
loky_task_context_get_buffers (LokyTaskContext *self)
{
  return self->buffers;
}

LokyPluginLoader *
loky_task_context_get_loader (LokyTaskContext *self)
{
  return self->surroundings->loader;
}

/**
 * loky_task_context_get_task:
 * @self: a context
 *
 * Gets the name of the task.
 *
 * Returns: (transfer none): the name, such as `checksum.sha256`
 *
 * Since: 1.0
 */
const char *
loky_task_context_get_task (LokyTaskContext *self)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);

  return self->task;
}

/**
 * loky_task_context_get_worker_id:
 * @self: a context
 *
 * Gets the number of the worker within its executor.
 *
 * Returns: the number, from 1; never used again for another worker of the executor
 *
 * Since: 1.0
 */
guint
loky_task_context_get_worker_id (LokyTaskContext *self)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), 0);

  return self->surroundings->worker_id;
}

/**
 * loky_task_context_get_attempt:
 * @self: a context
 *
 * Gets how often the task has been begun, this time included.
 *
 * Returns: 1, or more if workers died of it before
 *
 * Since: 1.0
 */
guint
loky_task_context_get_attempt (LokyTaskContext *self)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), 0);

  return self->attempt;
}

/**
 * loky_task_context_is_cancelled:
 * @self: a context
 *
 * Whether the task is to stop, because it was cancelled or has run for longer than its timeout.
 *
 * This reads one word of shared memory: it can be called in the innermost loop.
 *
 * Returns: %TRUE if the task is to stop
 *
 * Since: 1.0
 */
gboolean
loky_task_context_is_cancelled (LokyTaskContext *self)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), FALSE);

  return self->slot != LOKY_TASK_CONTEXT_NO_SLOT &&
         loky_control_is_cancelled (self->surroundings->control, self->slot, self->number);
}

/**
 * loky_task_context_set_error_if_cancelled:
 * @self: a context
 * @error: return location for an error
 *
 * Sets @error to %G_IO_ERROR_CANCELLED if the task is to stop.
 *
 * Returns: %TRUE if the task is to stop
 *
 * Since: 1.0
 */
gboolean
loky_task_context_set_error_if_cancelled (LokyTaskContext *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), FALSE);

  if (!loky_task_context_is_cancelled (self))
    return FALSE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The task “%s” was cancelled", self->task);
  return TRUE;
}

/**
 * loky_task_context_get_cancellable:
 * @self: a context
 *
 * Gets a cancellable for the functions that the task calls.
 *
 * It is cancelled when the task is to stop, by a thread of libloky that is started by the first call.
 *
 * Returns: (transfer none): the cancellable, which is the context's
 *
 * Since: 1.0
 */
GCancellable *
loky_task_context_get_cancellable (LokyTaskContext *self)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);

  g_mutex_lock (&self->lock);
  if (self->cancellable == NULL)
    self->cancellable = g_cancellable_new ();
  g_mutex_unlock (&self->lock);
  /* Rings at once if the task was cancelled before. */
  loky_watchdog_start_relay ();
  return self->cancellable;
}

void
loky_task_context_relay (LokyTaskContext *self)
{
  g_autoptr (GCancellable) cancellable = NULL;

  if (!loky_task_context_is_cancelled (self))
    return;
  g_mutex_lock (&self->lock);
  if (self->cancellable != NULL && !self->has_ended)
    cancellable = g_object_ref (self->cancellable);
  g_mutex_unlock (&self->lock);
  if (cancellable != NULL)
    g_cancellable_cancel (cancellable);
}

/**
 * loky_task_context_set_progress:
 * @self: a context
 * @progress: how much is done, from 0 to 1
 *
 * Tells how much of the task is done.
 *
 * This writes one word of shared memory; the owner of the task is told of it at most ten times a
 * second, and never waited for.
 *
 * Since: 1.0
 */
void
loky_task_context_set_progress (LokyTaskContext *self, gdouble progress)
{
  gint64 now = g_get_monotonic_time ();

  g_return_if_fail (LOKY_IS_TASK_CONTEXT (self));

  g_mutex_lock (&self->lock);
  if (!self->has_ended && self->slot != LOKY_TASK_CONTEXT_NO_SLOT)
    {
      loky_control_set_progress (self->surroundings->control, self->slot, progress);
      if (now - self->progress_told_at >= PROGRESS_INTERVAL)
        {
          self->progress_told_at = now;
          /* Under the lock, so that it is not sent after the result. */
          loky_channel_append (self->surroundings->channel, LOKY_MESSAGE_PROGRESS, self->slot,
                               self->number);
          loky_channel_flush (self->surroundings->channel);
        }
    }
  g_mutex_unlock (&self->lock);
}

/**
 * loky_task_context_lookup_buffer:
 * @self: a context
 * @handle: a handle in the arguments
 * @error: return location for an error
 *
 * Finds a buffer that the arguments refer to by a value of type `h`.
 *
 * Returns: (transfer full): the buffer, sealed; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the
 *   arguments hold no such handle
 *
 * Since: 1.0
 */
LokyBuffer *
loky_task_context_lookup_buffer (LokyTaskContext *self, gint32 handle, GError **error)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);

  return loky_buffer_find (self->buffers, handle, error);
}

/**
 * loky_task_context_add_buffer:
 * @self: a context
 * @buffer: a buffer
 * @error: return location for an error
 *
 * Seals a buffer, makes a value of type `h` that refers to it, for the result of the task, and keeps
 * it until the result was sent.
 *
 * For the thread of the task.
 *
 * Returns: (transfer full): a value, not floating; %NULL with %LOKY_ERROR_RESOURCES if the buffer
 *   cannot be sealed, or %LOKY_ERROR_INVALID_ARGUMENT if its handle is taken by one in the arguments
 *
 * Since: 1.0
 */
GVariant *
loky_task_context_add_buffer (LokyTaskContext *self, LokyBuffer *buffer, GError **error)
{
  g_autoptr (LokyBuffer) other = NULL;

  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);
  g_return_val_if_fail (LOKY_IS_BUFFER (buffer), NULL);

  if (!loky_buffer_seal (buffer, error))
    return NULL;
  other = loky_buffer_find (self->buffers, loky_buffer_get_handle (buffer), NULL);
  if (other != NULL && other != buffer)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "The handle %d is that of a buffer in the arguments",
                   loky_buffer_get_handle (buffer));
      return NULL;
    }
  if (self->buffers == NULL)
    self->buffers = g_ptr_array_new_with_free_func (g_object_unref);
  if (other == NULL)
    g_ptr_array_add (self->buffers, g_object_ref (buffer));
  return loky_buffer_to_variant (buffer, error);
}
