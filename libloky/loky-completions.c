/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-completions.h"

#include "loky-gather-private.h"
#include "loky-tsan-private.h"

/**
 * LokyCompletions:
 *
 * Futures, each when it has ended.
 *
 * [func@Loky.as_completed] makes one of any futures, of one or of several executors. Those that have ended already
 * come first, in the order in which they were given.
 *
 * All functions can be called from any thread. Dropping the last reference cancels nothing.
 *
 * Since: 1.0
 */
struct _LokyCompletions
{
  GObject parent_instance;

  LokyGather *gather;
};

G_DEFINE_FINAL_TYPE (LokyCompletions, loky_completions, G_TYPE_OBJECT)

static void
loky_completions_finalize (GObject *object)
{
  LokyCompletions *self = LOKY_COMPLETIONS (object);

  LOKY_TSAN_ACQUIRE (object);
  g_clear_pointer (&self->gather, loky_gather_close);

  G_OBJECT_CLASS (loky_completions_parent_class)->finalize (object);
}

static void
loky_completions_class_init (LokyCompletionsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_completions_finalize;
}

static void
loky_completions_init (LokyCompletions *self)
{
}

/* A binding can make an object of the type without futures. */
static gboolean
is_made (LokyCompletions *self)
{
  return LOKY_IS_COMPLETIONS (self) && self->gather != NULL;
}

/**
 * loky_as_completed:
 * @futures: (array length=n_futures): futures, of one or of several executors
 * @n_futures: how many these are
 *
 * Gives futures in the order in which they end. One that is given more than once comes once.
 *
 * Returns: (transfer full): a new object that gives them
 *
 * Since: 1.0
 */
LokyCompletions *
loky_as_completed (LokyFuture *const *futures, gsize n_futures)
{
  LokyCompletions *self;

  g_return_val_if_fail (loky_gather_are_futures (futures, n_futures), NULL);

  self = g_object_new (LOKY_TYPE_COMPLETIONS, NULL);
  self->gather = loky_gather_new (futures, n_futures);
  return self;
}

/**
 * loky_completions_next:
 * @self: completions
 * @timeout: how long to wait, in milliseconds; 0 only to look, -1 to wait without a limit
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Takes the next future that has ended, and blocks until there is one. It needs no main loop.
 *
 * Returns: (transfer full) (nullable): a future that has ended; %NULL without an error when all were taken;
 *   %NULL with %G_IO_ERROR_TIMED_OUT or %G_IO_ERROR_CANCELLED if the wait ended before, with
 *   %LOKY_ERROR_FORKED in a child of the process that made an executor, or with %G_IO_ERROR_WOULD_BLOCK in
 *   the thread that serves one
 *
 * Since: 1.0
 */
LokyFuture *
loky_completions_next (LokyCompletions *self,
                       gint64 timeout,
                       GCancellable *cancellable,
                       GError **error)
{
  g_return_val_if_fail (is_made (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  if (!loky_gather_check (self->gather, error))
    return NULL;
  return loky_gather_take (self->gather, timeout, cancellable, error);
}

/**
 * loky_completions_next_async:
 * @self: completions
 * @cancellable: (nullable): ends the wait, not the tasks
 * @callback: called when a future has ended
 * @user_data: given to @callback
 *
 * Takes the next future that has ended, without blocking. Only one call can be under way.
 *
 * @callback runs in the thread-default main context of the caller.
 *
 * Since: 1.0
 */
void
loky_completions_next_async (LokyCompletions *self,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (is_made (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, loky_completions_next_async);
  if (loky_gather_check_process (self->gather, &error))
    {
      loky_gather_add_task (self->gather, LOKY_GATHER_ANY, TRUE, task);
      return;
    }
  g_task_return_error (task, error);
  g_object_unref (task);
}

/**
 * loky_completions_next_finish:
 * @self: completions
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [method@Loky.Completions.next_async].
 *
 * Returns: (transfer full) (nullable): a future that has ended; %NULL without an error when all were taken;
 *   %NULL with %G_IO_ERROR_CANCELLED if the wait was cancelled before, with %G_IO_ERROR_PENDING if another
 *   call was under way, or with %LOKY_ERROR_FORKED in a child of the process that made an executor
 *
 * Since: 1.0
 */
LokyFuture *
loky_completions_next_finish (LokyCompletions *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (is_made (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, loky_completions_next_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
