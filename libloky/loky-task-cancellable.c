/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The cancellable of a task: a task that asks for it needs GIO, and the context itself does not. */

#include "loky-task-context-private.h"

static GObject *
make (void)
{
  return G_OBJECT (g_cancellable_new ());
}

static void
cancel (GObject *cancellable)
{
  g_cancellable_cancel (G_CANCELLABLE (cancellable));
}

/**
 * loky_task_context_get_cancellable:
 * @self: a context
 *
 * Gets a cancellable for the functions that the task calls.
 *
 * It is cancelled when the task is to stop, by a thread of libloky that is started by the first call. A plugin
 * that calls this needs GIO, which is loaded with it.
 *
 * Returns: (transfer none): the cancellable, which is the context's
 *
 * Since: 1.0
 */
GCancellable *
loky_task_context_get_cancellable (LokyTaskContext *self)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);

  return G_CANCELLABLE (loky_task_context_ensure_stopper (self, make, cancel));
}
