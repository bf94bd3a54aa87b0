/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From the arguments of a call to a submitted future. */

#include <string.h>

#include "loky-attachment-private.h"
#include "loky-error.h"
#include "loky-executor-private.h"
#include "loky-util-private.h"
#include "loky-value-private.h"

#define MAX_NAME 255

static gboolean
check_name (const char *task, GError **error)
{
  if (task[0] != '\0' && strlen (task) <= MAX_NAME && g_utf8_validate (task, -1, NULL))
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "The name of a task is text of 1 to %d bytes, such as checksum.sha256", MAX_NAME);
  return FALSE;
}

/* The arguments as they are sent: in normal form and as bytes, so that the lock is held for a copy
 * only. */
static GVariant *
prepare_args (GVariant *args, GPtrArray **buffers, GError **error)
{
  g_autoptr (GVariant) normal = loky_value_ref_normal (args);

  if (strlen (g_variant_get_type_string (normal)) > LOKY_MESSAGE_MAX_TYPE)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE,
                   "The type of the arguments is longer than %d characters", LOKY_MESSAGE_MAX_TYPE);
      return NULL;
    }
  if (g_variant_get_size (normal) > G_MAXINT64)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE, "The arguments are too large");
      return NULL;
    }
  if (!loky_attachment_collect (normal, NULL, buffers, error))
    return NULL;
  g_variant_get_data (normal);
  return g_steal_pointer (&normal);
}

/* Whether something is to be had of the task before its end. */
static gboolean
has_feed (LokyTaskOptions *options)
{
  return options != NULL && (loky_task_options_get_partial_results (options) ||
                             loky_task_options_get_capture_output (options));
}

static void
set_options (LokyFuture *future, LokyTaskOptions *options)
{
  LokySchedulerTask *task = &future->task;

  task->timeout = options != NULL ? loky_usec_from_msec (loky_task_options_get_timeout (options)) : -1;
  task->queue_timeout
      = options != NULL ? loky_usec_from_msec (loky_task_options_get_queue_timeout (options)) : -1;
  task->cancel_grace = options != NULL
                           ? loky_usec_from_msec (loky_task_options_get_cancel_grace (options))
                           : 5 * G_USEC_PER_SEC;
  task->priority = options != NULL ? loky_task_options_get_priority (options) : 0;
  task->retries = options != NULL ? loky_task_options_get_retries (options) : 0;
  if (!has_feed (options))
    return;
  future->feed = loky_feed_new (loky_task_options_get_partial_results (options),
                                loky_task_options_get_capture_output (options));
  future->has_feed = TRUE;
  task->is_alone = future->feed->captures_output;
}

/* Beside them are those for its output. */
static gboolean
check_n_buffers (LokyFuture *future, GError **error)
{
  guint most = LOKY_FRAME_MAX_FDS - 1 - LOKY_TASK_N_OUTPUTS;

  if (!future->has_feed || !future->feed->captures_output || future->buffers == NULL || future->buffers->len <= most)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE,
               "The arguments of a task whose output is captured can refer to at most %u buffers and "
               "synchronizers", most);
  return FALSE;
}

/* Of a task whose future its owner does not see while it runs. */
static gboolean
check_unseen (LokyTaskOptions *options, GError **error)
{
  if (!has_feed (options))
    return TRUE;
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                       "Partial results and output are to be had of tasks that are submitted, not of calls and "
                       "maps");
  return FALSE;
}

/* Replaces @prepared by what is sent of it. */
static gboolean
serialize_args (LokySerializer *serializer, GVariant **prepared, GError **error)
{
  GVariant *wire = loky_serialize (serializer, *prepared, error);

  if (wire == NULL)
    return FALSE;
  g_variant_unref (*prepared);
  *prepared = wire;
  return TRUE;
}

LokyFuture *
loky_pool_make_future (LokyPool *pool,
                       const char *task,
                       GVariant *args,
                       LokyTaskOptions *options,
                       LokyTaskTraits *traits,
                       GError **error)
{
  g_autoptr (GVariant) owned
      = g_variant_ref_sink (args != NULL ? args : g_variant_new_tuple (NULL, 0));
  g_autoptr (GPtrArray) buffers = NULL;
  g_autoptr (GVariant) prepared = NULL;
  LokyFuture *future;

  if (!check_name (task, error) || !loky_pool_get_serializer (pool, &traits->serializer, error))
    return NULL;
  prepared = prepare_args (owned, &buffers, error);
  if (prepared == NULL)
    return NULL;
  if (traits->serializer != NULL && !serialize_args (traits->serializer, &prepared, error))
    return NULL;

  traits->memory_limit = options != NULL ? loky_task_options_get_memory_limit (options) : 0;
  future = loky_future_new ();
  future->args = g_steal_pointer (&prepared);
  future->buffers = g_steal_pointer (&buffers);
  set_options (future, options);
  if (!check_n_buffers (future, error))
    g_clear_object (&future);
  return future;
}

LokyFuture *
loky_pool_submit_chunk (LokyPool *pool,
                        const char *task,
                        GVariant *items,
                        guint n_items,
                        LokyTaskOptions *options,
                        LokyFutureListener listener,
                        gpointer listener_data,
                        GError **error)
{
  LokyTaskTraits traits;
  g_autoptr (LokyFuture) future = NULL;

  if (!check_unseen (options, error))
    return NULL;
  future = loky_pool_make_future (pool, task, items, options, &traits, error);
  if (future == NULL)
    return NULL;
  future->is_chunk = TRUE;
  future->task.n_items = n_items;
  if (future->task.timeout > 0)
    future->task.timeout = MIN (future->task.timeout, G_MAXINT64 / 4 / n_items) * n_items;
  future->listener = listener;
  future->listener_data = listener_data;
  if (!loky_pool_submit (pool, future, task, &traits, FALSE, error))
    return NULL;
  return g_steal_pointer (&future);
}

LokyFuture *
loky_pool_submit_task (LokyPool *pool,
                       const char *task,
                       GVariant *args,
                       LokyTaskOptions *options,
                       LokyFutureListener listener,
                       gpointer listener_data,
                       gboolean has_mailbox,
                       GError **error)
{
  LokyTaskTraits traits;
  g_autoptr (LokyFuture) future = NULL;

  if (!has_mailbox && !check_unseen (options, error))
    return NULL;
  loky_pool_rouse (pool);
  future = loky_pool_make_future (pool, task, args, options, &traits, error);
  if (future == NULL)
    return NULL;
  future->listener = listener;
  if (listener != NULL)
    future->listener_data = listener_data;
  if (!loky_pool_submit (pool, future, task, &traits, has_mailbox, error))
    return NULL;
  return g_steal_pointer (&future);
}

/* Submits a task and waits for it. */
static LokyFuture *
run_task (LokyPool *pool,
          const char *task,
          GVariant *args,
          LokyTaskOptions *options,
          GCancellable *cancellable,
          GError **error)
{
  LokyTaskTraits traits;
  g_autoptr (LokyFuture) future = NULL;
  LokyWaiter waiter;
  gboolean is_submitted;
  gboolean is_done = FALSE;

  if (!check_unseen (options, error))
    return NULL;
  loky_pool_rouse (pool);
  future = loky_pool_make_future (pool, task, args, options, &traits, error);
  if (future == NULL || !loky_pool_check_thread (pool, error))
    return NULL;
  loky_waiter_init (&waiter, future);
  future->waiters = &waiter;
  is_submitted = loky_pool_submit (pool, future, task, &traits, FALSE, error);
  if (is_submitted)
    is_done = loky_future_await (future, &waiter, -1, cancellable, error);
  loky_waiter_clear (&waiter);
  if (is_submitted && !is_done)
    loky_future_cancel (future);
  return is_done ? g_steal_pointer (&future) : NULL;
}

/* --- calls ------------------------------------------------------------------------------------ */

/**
 * loky_executor_submit:
 * @self: an executor
 * @task: the name of a task, `PLUGIN.TASK`
 * @args: (nullable): the arguments, of the type that the task takes; %NULL for `()`; a floating
 *   reference is taken over, also when this fails
 * @options: (nullable): how the task is run; read at the call
 * @error: return location for an error
 *
 * Submits a task, to be run in a worker process.
 *
 * This never waits: neither for a worker nor for memory of one. What is wrong with the task itself (its
 * name, its arguments) is known by the worker only, and becomes the error of the future.
 *
 * The future's signals are emitted in the thread-default main context of the caller.
 *
 * Returns: (transfer full): a future; %NULL with %LOKY_ERROR_SHUT_DOWN, %LOKY_ERROR_BROKEN,
 *   %LOKY_ERROR_FORKED, %LOKY_ERROR_INVALID_ARGUMENT (a name that cannot be one, a handle without its
 *   buffer), %LOKY_ERROR_TOO_LARGE, %LOKY_ERROR_RESOURCES, %LOKY_ERROR_BACKLOG_FULL, or
 *   %LOKY_ERROR_SERIALIZER if the serializer cannot be found: then the task will not run
 *
 * Since: 1.0
 */
LokyFuture *
loky_executor_submit (LokyExecutor *self,
                      const char *task,
                      GVariant *args,
                      LokyTaskOptions *options,
                      GError **error)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOKY_IS_TASK_OPTIONS (options), NULL);

  return loky_pool_submit_task (loky_executor_get_pool (self), task, args, options, NULL, NULL, TRUE,
                                error);
}

/**
 * loky_executor_call_async:
 * @self: an executor
 * @task: the name of a task, `PLUGIN.TASK`
 * @args: (nullable): the arguments; %NULL for `()`; a floating reference is taken over
 * @options: (nullable): how the task is run; read at the call
 * @cancellable: (nullable): cancels the task
 * @callback: called when the task has ended
 * @user_data: given to @callback
 *
 * Runs a task in a worker process, without blocking.
 *
 * @callback runs in the thread-default main context of the caller. When @cancellable is cancelled the
 * call ends at once with %G_IO_ERROR_CANCELLED; a task that runs is asked to stop, and its worker is
 * killed if it does not within its cancel grace.
 *
 * Since: 1.0
 */
void
loky_executor_call_async (LokyExecutor *self,
                          const char *task,
                          GVariant *args,
                          LokyTaskOptions *options,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr (GVariant) owned = args != NULL ? g_variant_ref_sink (args) : NULL;
  g_autoptr (LokyFuture) future = NULL;
  GError *error = NULL;
  GTask *gtask;

  g_return_if_fail (LOKY_IS_EXECUTOR (self));
  g_return_if_fail (task != NULL);
  g_return_if_fail (options == NULL || LOKY_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  gtask = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (gtask, loky_executor_call_async);
  if (g_task_return_error_if_cancelled (gtask))
    {
      g_object_unref (gtask);
      return;
    }
  future = loky_pool_submit_task (loky_executor_get_pool (self), task, owned, options, NULL, NULL,
                                  FALSE, &error);
  if (future != NULL)
    loky_future_add_task (future, gtask, TRUE);
  else
    {
      g_task_return_error (gtask, error);
      g_object_unref (gtask);
    }
}

/**
 * loky_executor_call_finish:
 * @self: an executor
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [method@Loky.Executor.call_async].
 *
 * Returns: (transfer full): the result; %NULL with the error of the task, with one of those of
 *   [method@Loky.Executor.submit], or with %G_IO_ERROR_CANCELLED
 *
 * Since: 1.0
 */
GVariant *
loky_executor_call_finish (LokyExecutor *self, GAsyncResult *result, GError **error)
{
  g_autoptr (LokyFuture) future = NULL;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  future = g_task_propagate_pointer (G_TASK (result), error);
  return future != NULL ? loky_future_dup_result (future, error) : NULL;
}

/**
 * loky_executor_call_sync:
 * @self: an executor
 * @task: the name of a task, `PLUGIN.TASK`
 * @args: (nullable): the arguments; %NULL for `()`; a floating reference is taken over
 * @options: (nullable): how the task is run; read at the call
 * @cancellable: (nullable): cancels the task
 * @error: return location for an error
 *
 * Runs a task in a worker process and blocks until it has ended. It needs no main loop.
 *
 * When @cancellable is cancelled, from another thread, this returns at once, as
 * [method@Loky.Executor.call_async] does.
 *
 * Returns: (transfer full): as [method@Loky.Executor.call_finish]
 *
 * Since: 1.0
 */
GVariant *
loky_executor_call_sync (LokyExecutor *self,
                         const char *task,
                         GVariant *args,
                         LokyTaskOptions *options,
                         GCancellable *cancellable,
                         GError **error)
{
  g_autoptr (GVariant) owned = args != NULL ? g_variant_ref_sink (args) : NULL;
  g_autoptr (LokyFuture) future = NULL;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOKY_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  future = run_task (loky_executor_get_pool (self), task, owned, options, cancellable, error);
  return future != NULL ? loky_future_dup_result (future, error) : NULL;
}

/**
 * loky_executor_map:
 * @self: an executor
 * @task: the name of a task, `PLUGIN.TASK`
 * @input: the arguments of one task after the other; an input serves one map
 * @options: (nullable): how the map and its tasks are run; read as items are submitted
 *
 * Runs a task for each item of an input.
 *
 * Nothing runs before the first result is asked for.
 *
 * Returns: (transfer full): the results, to be taken one after the other
 *
 * Since: 1.0
 */
LokyResults *
loky_executor_map (LokyExecutor *self,
                   const char *task,
                   LokyInput *input,
                   LokyMapOptions *options)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (LOKY_IS_INPUT (input), NULL);
  g_return_val_if_fail (options == NULL || LOKY_IS_MAP_OPTIONS (options), NULL);

  return loky_results_new (loky_executor_get_pool (self), task, input, options,
                           loky_executor_get_max_workers (self));
}
