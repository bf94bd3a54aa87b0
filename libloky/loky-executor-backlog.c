/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Submitting to an executor as many of whose tasks wait as may: when there is room. */

#include "loky-executor-private.h"
#include "loky-pool-private.h"

/**
 * loky_executor_submit_async:
 * @self: an executor
 * @task: the name of a task, `PLUGIN.TASK`
 * @args: (nullable): the arguments; %NULL for `()`; a floating reference is taken over
 * @options: (nullable): how the task is run; read at the call
 * @cancellable: (nullable): ends the wait; the task is not submitted then
 * @callback: called when the task was submitted
 * @user_data: given to @callback
 *
 * Submits a task when fewer than [property@Loky.Executor:max-backlog] wait, without blocking.
 *
 * Who asks first comes first, except for calls of [method@Loky.Executor.submit] in between. The queue timeout of the
 * task counts from when it was submitted.
 *
 * @callback runs in the thread-default main context of the caller.
 *
 * Since: 1.0
 */
void
loky_executor_submit_async (LokyExecutor *self,
                            const char *task,
                            GVariant *args,
                            LokyTaskOptions *options,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_autoptr (GVariant) owned = args != NULL ? g_variant_ref_sink (args) : NULL;
  LokyTaskTraits traits;
  LokyFuture *future;
  GError *error = NULL;
  GTask *gtask;

  g_return_if_fail (LOKY_IS_EXECUTOR (self));
  g_return_if_fail (task != NULL);
  g_return_if_fail (options == NULL || LOKY_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  gtask = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (gtask, loky_executor_submit_async);
  /* What was submitted is, whatever is cancelled afterwards. */
  g_task_set_check_cancellable (gtask, FALSE);
  if (g_task_return_error_if_cancelled (gtask))
    {
      g_object_unref (gtask);
      return;
    }
  future = loky_pool_make_future (loky_executor_get_pool (self), task, owned, options, &traits, &error);
  if (future != NULL)
    {
      loky_pool_submit_async (loky_executor_get_pool (self), future, task, &traits, gtask);
      return;
    }
  g_task_return_error (gtask, error);
  g_object_unref (gtask);
}

/**
 * loky_executor_submit_finish:
 * @self: an executor
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [method@Loky.Executor.submit_async].
 *
 * Returns: (transfer full): a future; %NULL with one of the errors of [method@Loky.Executor.submit], but for
 *   %LOKY_ERROR_BACKLOG_FULL, or with %G_IO_ERROR_CANCELLED: then the task will not run
 *
 * Since: 1.0
 */
LokyFuture *
loky_executor_submit_finish (LokyExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, loky_executor_submit_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
