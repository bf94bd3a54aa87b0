/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Submitting to an executor as many of whose tasks wait as may: when there is room. */

#include "loky-error.h"
#include "loky-executor-private.h"
#include "loky-tsan-private.h"

/* What waits to be submitted; the data of its GTask. */
typedef struct
{
  LokyPool *pool;
  char *task;
  LokyFuture *future;
  LokyTaskTraits traits;
} Submission;

/* Also of one that never came to be submitted: others wait for its room. */
static void
submission_free (gpointer data)
{
  Submission *self = data;

  LOKY_TSAN_ACQUIRE (self);
  if (self->future != NULL && self->future->has_room)
    loky_pool_give_room_back (self->pool);
  g_clear_object (&self->future);
  loky_pool_unref (self->pool);
  g_free (self->task);
  g_free (self);
}

static void room_cb (GObject *source, GAsyncResult *result, gpointer user_data);

/* In the thread whose default context is that of the task: the future's news are for it, too. Takes over the
 * reference. */
static void
try_to_submit (GTask *gtask)
{
  LokyExecutor *executor = g_task_get_source_object (gtask);
  Submission *submission = g_task_get_task_data (gtask);
  g_autoptr (GError) error = NULL;
  GTask *wait;

  if (loky_pool_submit (submission->pool, submission->future, submission->task, &submission->traits, TRUE, &error))
    {
      LokyFuture *future = g_steal_pointer (&submission->future);

      LOKY_TSAN_RELEASE (submission);
      g_task_return_pointer (gtask, future, g_object_unref);
      g_object_unref (gtask);
      return;
    }
  if (!g_error_matches (error, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL))
    {
      g_task_return_error (gtask, g_steal_pointer (&error));
      g_object_unref (gtask);
      return;
    }
  wait = g_task_new (executor, g_task_get_cancellable (gtask), room_cb, gtask);
  g_task_set_name (wait, "[loky] room in the backlog");
  loky_pool_wait_async (submission->pool, LOKY_POOL_HAS_ROOM, wait);
}

/* By a source of the task's context. There is room, which is kept for it. */
static void
room_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *gtask = user_data;
  GMainContext *context = g_task_get_context (gtask);
  Submission *submission = g_task_get_task_data (gtask);
  GError *error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      g_task_return_error (gtask, error);
      g_object_unref (gtask);
      return;
    }
  submission->future->has_room = TRUE;
  if (g_task_return_error_if_cancelled (gtask))
    {
      g_object_unref (gtask);
      return;
    }
  g_main_context_push_thread_default (context);
  try_to_submit (gtask);
  g_main_context_pop_thread_default (context);
}

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
  Submission *submission;
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
  submission = g_new0 (Submission, 1);
  submission->pool = loky_pool_ref (loky_executor_get_pool (self));
  submission->task = g_strdup (task);
  submission->future = loky_pool_make_future (loky_executor_get_pool (self), task, owned, options,
                                              &submission->traits, &error);
  LOKY_TSAN_RELEASE (submission);
  g_task_set_task_data (gtask, submission, submission_free);
  if (submission->future != NULL)
    {
      try_to_submit (gtask);
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
