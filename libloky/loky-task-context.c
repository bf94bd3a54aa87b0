/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-task-context-private.h"

#include "loky-attachment-private.h"
#include "loky-error.h"
#include "loky-synchronizer-private.h"
#include "loky-reducer-private.h"
#include "loky-watchdog-private.h"
#include "loky-tsan-private.h"
#include "loky-util-private.h"

/* How often the parent is told that there is news of the progress, in µs. */
#define PROGRESS_INTERVAL (100 * 1000)

/**
 * LokyTaskContext:
 *
 * What a running task can see of its surroundings, in the worker.
 *
 * The functions that add something to the result, [method@Loky.TaskContext.dup_value] and
 * [method@Loky.TaskContext.reduce_value] are for the thread of the task; all others can be called from any thread of the
 * worker. After the task has returned a context that somebody kept is never cancelled and reports nothing.
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

  LokySerializer *serializer; /* of the task's values; NULL: the default; constant while it runs */

  GMutex partial_lock; /* one partial result at a time: before lock */
  GMutex lock;
  gboolean has_ended;        /* lock */
  LokyPartialMode partial_mode; /* lock */
  gint64 partials_sent;      /* what they cost; lock */
  gint64 progress_told_at;   /* lock */
  GObject *stopper;          /* lock; made when it is asked for */
  void (*stop) (GObject *);  /* lock; has it say that the task is to stop */
};

G_DEFINE_FINAL_TYPE (LokyTaskContext, loky_task_context, G_TYPE_OBJECT)

static void
loky_task_context_finalize (GObject *object)
{
  LokyTaskContext *self = LOKY_TASK_CONTEXT (object);

  LOKY_TSAN_ACQUIRE (object);
  g_free (self->task);
  g_clear_pointer (&self->buffers, g_ptr_array_unref);
  g_clear_object (&self->stopper);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->partial_lock);

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
  g_mutex_init (&self->partial_lock);
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
loky_task_context_set_partial_mode (LokyTaskContext *self, LokyPartialMode mode, LokySerializer *serializer)
{
  self->partial_mode = mode;
  self->serializer = serializer;
}

LokyPartialMode
loky_task_context_get_partial_mode (LokyTaskContext *self)
{
  LokyPartialMode mode;

  g_mutex_lock (&self->lock);
  mode = self->has_ended ? LOKY_PARTIAL_REFUSED : self->partial_mode;
  g_mutex_unlock (&self->lock);
  return mode;
}

LokySerializer *
loky_task_context_get_serializer (LokyTaskContext *self)
{
  return self->serializer;
}

static gboolean
append_partial_locked (LokyTaskContext *self, GVariant *value, gint64 cost, GError **error)
{
  LokyControl *control = self->surroundings->control;

  if (self->has_ended || self->partial_mode != LOKY_PARTIAL_SENT)
    {
      g_set_error (error, LOKY_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "The task “%s” cannot send partial results: it %s", self->task,
                   self->has_ended ? "has returned" : "is not a task of kind call that was submitted");
      return FALSE;
    }
  if (!loky_partial_fits (self->partials_sent, loky_control_get_credit (control, self->slot), cost))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL,
                   "The owner of the task “%s” has not taken its partial results: no more are kept",
                   self->task);
      return FALSE;
    }
  self->partials_sent += cost;
  /* Under the lock, so that it is not sent after the result. */
  loky_channel_append_value (self->surroundings->channel, LOKY_MESSAGE_PARTIAL, self->slot, self->number,
                             &(LokyValueMessage){ NULL }, value, NULL);
  return TRUE;
}

/* With the partial lock. What there is no shared memory for does not reach the owner, who will not take it. */
static gboolean
send_partial_locked (LokyTaskContext *self, GVariant *value, GError **error)
{
  LokyChannel *channel = self->surroundings->channel;
  gint64 cost = value != NULL ? loky_partial_get_cost (g_variant_get_type_string (value), g_variant_get_size (value)) : 0;
  LokySendFailure failure;
  gboolean is_appended;

  g_mutex_lock (&self->lock);
  is_appended = append_partial_locked (self, value, cost, error);
  g_mutex_unlock (&self->lock);
  if (!is_appended)
    return FALSE;
  /* If the parent is gone, the watchdog is about to say so. */
  loky_channel_flush_all (channel);
  loky_control_tell_parent (self->surroundings->control);
  if (!loky_channel_take_failure_of (channel, LOKY_MESSAGE_PARTIAL, self->number, &failure))
    return TRUE;
  g_mutex_lock (&self->lock);
  self->partials_sent -= cost;
  g_mutex_unlock (&self->lock);
  g_propagate_error (error, failure.error);
  return FALSE;
}

gboolean
loky_task_context_send_prepared (LokyTaskContext *self, GVariant *value, GError **error)
{
  gboolean is_sent;

  g_mutex_lock (&self->partial_lock);
  is_sent = send_partial_locked (self, value, error);
  g_mutex_unlock (&self->partial_lock);
  return is_sent;
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
  if (is_known (self) || self->stopper != NULL)
    {
      g_object_unref (self);
      return;
    }
  g_clear_pointer (&self->buffers, g_ptr_array_unref);
  self->has_ended = FALSE;
  self->progress_told_at = 0;
  self->partial_mode = LOKY_PARTIAL_REFUSED;
  self->partials_sent = 0;
  *kept = self;
}

gboolean
loky_task_context_has_sent (LokyTaskContext *self)
{
  /* They are not written again: the task has ended. */
  return self->progress_told_at != 0 || self->partials_sent > 0;
}

gboolean
loky_task_context_accepts_descriptors (LokyTaskContext *self)
{
  return self->surroundings->accepts_descriptors;
}

GPtrArray *
loky_task_context_get_buffers (LokyTaskContext *self)
{
  return self->buffers;
}

GVariant *
loky_task_context_keep (LokyTaskContext *self, GObject *attachment, GError **error)
{
  gint32 handle = loky_attachment_get_handle (attachment);
  g_autoptr (GObject) other = NULL;

  if (!loky_attachment_prepare_result (attachment, self->surroundings->accepts_descriptors, error))
    return NULL;
  other = loky_attachment_find (self->buffers, handle, G_TYPE_OBJECT, NULL);
  if (other != NULL && other != attachment)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "The handle %d is that of something else in the arguments", handle);
      return NULL;
    }
  if (self->buffers == NULL)
    self->buffers = g_ptr_array_new_with_free_func (g_object_unref);
  if (other == NULL)
    g_ptr_array_add (self->buffers, g_object_ref (attachment));
  return g_variant_ref_sink (g_variant_new_handle (handle));
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
  g_set_error (error, LOKY_IO_ERROR, G_IO_ERROR_CANCELLED, "The task “%s” was cancelled", self->task);
  return TRUE;
}

GObject *
loky_task_context_ensure_stopper (LokyTaskContext *self, GObject *(*make) (void), void (*stop) (GObject *stopper))
{
  g_mutex_lock (&self->lock);
  if (self->stopper == NULL)
    {
      self->stopper = make ();
      self->stop = stop;
    }
  g_mutex_unlock (&self->lock);
  /* Rings at once if the task was cancelled before. */
  loky_watchdog_start_relay ();
  return self->stopper;
}

void
loky_task_context_relay (LokyTaskContext *self)
{
  g_autoptr (GObject) stopper = NULL;

  if (!loky_task_context_is_cancelled (self))
    return;
  g_mutex_lock (&self->lock);
  if (self->stopper != NULL && !self->has_ended)
    stopper = g_object_ref (self->stopper);
  g_mutex_unlock (&self->lock);
  /* With the object came the function, which stays. */
  if (stopper != NULL)
    self->stop (stopper);
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

  return loky_attachment_find (self->buffers, handle, LOKY_TYPE_BUFFER, error);
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
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);
  g_return_val_if_fail (LOKY_IS_BUFFER (buffer), NULL);

  return loky_task_context_keep (self, G_OBJECT (buffer), error);
}

/**
 * loky_task_context_lookup_synchronizer:
 * @self: a context
 * @handle: a handle in the arguments
 * @type: what it must be, such as %LOKY_TYPE_LOCK; %LOKY_TYPE_SYNCHRONIZER for any
 * @error: return location for an error
 *
 * Finds a synchronizer that the arguments refer to by a value of type `h`.
 *
 * What this process holds of it is as good as dropped by a death once the task and the caller have dropped their
 * references.
 *
 * Returns: (transfer full) (type Loky.Synchronizer): the synchronizer; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the
 *   arguments hold no such handle of a @type
 *
 * Since: 1.0
 */
gpointer
loky_task_context_lookup_synchronizer (LokyTaskContext *self,
                                       gint32 handle,
                                       GType type,
                                       GError **error)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);
  g_return_val_if_fail (g_type_is_a (type, LOKY_TYPE_SYNCHRONIZER), NULL);

  return loky_attachment_find (self->buffers, handle, type, error);
}

/**
 * loky_task_context_add_synchronizer:
 * @self: a context
 * @synchronizer: a synchronizer
 * @error: return location for an error
 *
 * Makes a value of type `h` that refers to a synchronizer, for the result of the task, and keeps it until the
 * result was sent.
 *
 * For the thread of the task.
 *
 * Returns: (transfer full): a value, not floating; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if its handle is taken by
 *   something else in the arguments, or with %LOKY_ERROR_FORKED in a child of the worker
 *
 * Since: 1.0
 */
GVariant *
loky_task_context_add_synchronizer (LokyTaskContext *self,
                                    LokySynchronizer *synchronizer,
                                    GError **error)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);
  g_return_val_if_fail (LOKY_IS_SYNCHRONIZER (synchronizer), NULL);

  if (loky_synchronizer_get_sync (synchronizer, error) == NULL)
    return NULL;
  return loky_task_context_keep (self, G_OBJECT (synchronizer), error);
}

/**
 * loky_task_context_lookup_descriptor:
 * @self: a context
 * @handle: a handle in the arguments
 * @error: return location for an error
 *
 * Finds a descriptor that the arguments refer to by a value of type `h`.
 *
 * It is closed some time after the task, unless [method@Loky.Descriptor.steal_fd] has taken it.
 *
 * Returns: (transfer full): the descriptor; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the arguments hold no such
 *   handle of a descriptor
 *
 * Since: 1.0
 */
LokyDescriptor *
loky_task_context_lookup_descriptor (LokyTaskContext *self, gint32 handle, GError **error)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);

  return loky_attachment_find (self->buffers, handle, LOKY_TYPE_DESCRIPTOR, error);
}

/**
 * loky_task_context_add_descriptor:
 * @self: a context
 * @descriptor: a descriptor
 * @error: return location for an error
 *
 * Makes a value of type `h` that refers to a descriptor, for the result of the task, and keeps it open until the
 * result was sent.
 *
 * It needs an executor that accepts descriptors, [property@Loky.Executor:accept-descriptors]. One that the task was
 * given cannot be taken any more. For the thread of the task.
 *
 * Returns: (transfer full): a value, not floating; %NULL with %LOKY_ERROR_INVALID_RESULT if the executor does not
 *   accept descriptors, or none of that kind, with %LOKY_ERROR_INVALID_ARGUMENT if it was taken, or its handle is that of
 *   something else in the arguments, or with %LOKY_ERROR_FORKED in a child of the worker
 *
 * Since: 1.0
 */
GVariant *
loky_task_context_add_descriptor (LokyTaskContext *self, LokyDescriptor *descriptor, GError **error)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);
  g_return_val_if_fail (LOKY_IS_DESCRIPTOR (descriptor), NULL);

  return loky_task_context_keep (self, G_OBJECT (descriptor), error);
}

/* --- values ----------------------------------------------------------------------------------- */

static LokyReducerRegistry *
get_reducers (LokyTaskContext *self)
{
  return loky_plugin_loader_get_reducers (self->surroundings->loader, self->task);
}

/* The arguments are a tuple, or the only one themselves. */
static GVariant *
get_argument (GVariant *args, guint index, GError **error)
{
  gboolean is_tuple = g_variant_is_of_type (args, G_VARIANT_TYPE_TUPLE);
  gsize n = is_tuple ? g_variant_n_children (args) : 1;

  if (index < n)
    return is_tuple ? g_variant_get_child_value (args, index) : g_variant_ref (args);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "There is no argument %u: the task was given %" G_GSIZE_FORMAT, index, n);
  return NULL;
}

/**
 * loky_task_context_dup_value:
 * @self: a context
 * @args: the arguments of the task
 * @index: which of them, from 0
 * @value: (out caller-allocates): a #GValue without a type, which is set; on an error it stays as it is
 * @error: return location for an error
 *
 * Gets an argument that was given to [method@Loky.Executor.submit_values], by the reducers of the task's plugin.
 *
 * Each call makes a new value. For the thread of the task.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_INVALID_ARGUMENT if there are fewer arguments, or with the errors of
 *   [method@Loky.ReducerRegistry.rebuild]
 *
 * Since: 1.0
 */
gboolean
loky_task_context_dup_value (LokyTaskContext *self,
                             GVariant *args,
                             guint index,
                             GValue *value,
                             GError **error)
{
  g_autoptr (GVariant) reduced = NULL;

  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), FALSE);
  g_return_val_if_fail (args != NULL, FALSE);
  g_return_val_if_fail (value != NULL && !G_IS_VALUE (value), FALSE);

  reduced = get_argument (args, index, error);
  return reduced != NULL && loky_rebuild_value (get_reducers (self), reduced, self->buffers, LOKY_PLACE_WORKER,
                                                value, error);
}

/* What the result refers to must live until that is sent. */
static gboolean
keep_buffers (LokyTaskContext *self, GVariant *reduced, GError **error)
{
  g_autoptr (GPtrArray) buffers = NULL;

  if (!loky_attachment_collect_result (reduced, self->buffers, self->surroundings->accepts_descriptors, &buffers,
                                       error))
    return FALSE;
  for (guint i = 0; buffers != NULL && i < buffers->len; i++)
    {
      GVariant *handle = loky_task_context_keep (self, buffers->pdata[i], error);

      if (handle == NULL)
        return FALSE;
      g_variant_unref (handle);
    }
  return TRUE;
}

/**
 * loky_task_context_reduce_value:
 * @self: a context
 * @value: a value
 * @error: return location for an error
 *
 * Makes of a value what the task can return, for [method@Loky.Future.dup_value], by the reducers of the task's plugin.
 *
 * Buffers and descriptors in it are kept until the result was sent. For the thread of the task.
 *
 * Returns: (transfer full): the reduced value, not floating; %NULL with the errors of
 *   [method@Loky.ReducerRegistry.reduce] or of [method@Loky.TaskContext.add_buffer]
 *
 * Since: 1.0
 */
GVariant *
loky_task_context_reduce_value (LokyTaskContext *self, const GValue *value, GError **error)
{
  g_autoptr (GPtrArray) kept = NULL;
  g_autoptr (GVariant) reduced = NULL;

  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);
  g_return_val_if_fail (value != NULL, NULL);

  if (self->surroundings->accepts_descriptors)
    kept = g_ptr_array_new_with_free_func (g_object_unref);
  reduced = loky_reduce_value (get_reducers (self), value, LOKY_PLACE_WORKER, kept, error);
  if (reduced == NULL || !keep_buffers (self, reduced, error))
    return NULL;
  return g_steal_pointer (&reduced);
}
