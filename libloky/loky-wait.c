/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waiting for several futures at once. */

#include "loky-wait.h"

#include "loky-gather-private.h"

static LokyGatherCondition
get_condition (LokyWaitMode mode)
{
  switch (mode)
    {
    case LOKY_WAIT_FIRST_COMPLETED:
      return LOKY_GATHER_ANY;
    case LOKY_WAIT_FIRST_ERROR:
      return LOKY_GATHER_ERROR;
    case LOKY_WAIT_ALL_COMPLETED:
    default:
      return LOKY_GATHER_ALL;
    }
}

/**
 * loky_wait:
 * @futures: (array length=n_futures): futures, of one or of several executors
 * @n_futures: how many these are
 * @mode: what to wait for
 * @timeout: how long to wait, in milliseconds; 0 only to look, -1 to wait without a limit
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Blocks until of several futures all have ended, or the first one, or the first with an error. It needs no main
 * loop.
 *
 * Which have ended tells [method@Loky.Future.is_done]. Of no futures all have ended.
 *
 * Returns: %TRUE when it is so; %FALSE with %G_IO_ERROR_TIMED_OUT or %G_IO_ERROR_CANCELLED if the wait ended
 *   before, with %LOKY_ERROR_FORKED in a child of the process that made an executor, or with
 *   %G_IO_ERROR_WOULD_BLOCK in the thread that serves one
 *
 * Since: 1.0
 */
gboolean
loky_wait (LokyFuture *const *futures,
           gsize n_futures,
           LokyWaitMode mode,
           gint64 timeout,
           GCancellable *cancellable,
           GError **error)
{
  LokyGather *gather;
  gboolean is_over;

  g_return_val_if_fail (loky_gather_are_futures (futures, n_futures), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);

  gather = loky_gather_new (futures, n_futures);
  is_over = loky_gather_check (gather, error) &&
            loky_gather_wait (gather, get_condition (mode), timeout, cancellable, error);
  loky_gather_close (gather);
  return is_over;
}

/**
 * loky_wait_async:
 * @futures: (array length=n_futures): futures, of one or of several executors
 * @n_futures: how many these are
 * @mode: what to wait for
 * @cancellable: (nullable): ends the wait, not the tasks
 * @callback: called when it is so
 * @user_data: given to @callback
 *
 * Waits, without blocking, until of several futures all have ended, or the first one, or the first with an error.
 *
 * @callback runs in the thread-default main context of the caller; it is given no source object.
 *
 * Since: 1.0
 */
void
loky_wait_async (LokyFuture *const *futures,
                 gsize n_futures,
                 LokyWaitMode mode,
                 GCancellable *cancellable,
                 GAsyncReadyCallback callback,
                 gpointer user_data)
{
  GError *error = NULL;
  LokyGather *gather;
  GTask *task;

  g_return_if_fail (loky_gather_are_futures (futures, n_futures));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (NULL, cancellable, callback, user_data);
  g_task_set_source_tag (task, loky_wait_async);
  gather = loky_gather_new (futures, n_futures);
  g_task_set_task_data (task, gather, (GDestroyNotify) loky_gather_close);
  if (loky_gather_check_process (gather, &error))
    {
      loky_gather_add_task (gather, get_condition (mode), FALSE, task);
      return;
    }
  g_task_return_error (task, error);
  g_object_unref (task);
}

/**
 * loky_wait_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [func@Loky.wait_async].
 *
 * Returns: %TRUE when it is so; %FALSE with %G_IO_ERROR_CANCELLED if the wait was cancelled before, or with
 *   %LOKY_ERROR_FORKED in a child of the process that made an executor
 *
 * Since: 1.0
 */
gboolean
loky_wait_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, loky_wait_async), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
