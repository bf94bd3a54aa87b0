/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The resources of a task: apart from its context, since a resource is a GFile, which needs GIO. */

#include "loky-resource-private.h"
#include "loky-task-context-private.h"

/**
 * loky_task_context_lookup_resource:
 * @self: a context
 * @value: a value in the arguments that [method@Loky.Resource.to_variant] has made
 * @error: return location for an error
 *
 * Finds a resource that the arguments refer to.
 *
 * This process is one of its users as long as the task runs, and after that as long as it has the object.
 *
 * Returns: (transfer full): the resource; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the arguments hold no such one
 *
 * Since: 1.0
 */
LokyResource *
loky_task_context_lookup_resource (LokyTaskContext *self, GVariant *value, GError **error)
{
  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);
  g_return_val_if_fail (value != NULL, NULL);

  return loky_resource_new_received (loky_task_context_get_buffers (self), value, error);
}

/**
 * loky_task_context_add_resource:
 * @self: a context
 * @resource: a resource
 * @error: return location for an error
 *
 * Makes a value of type `(hayb)` that refers to a resource, for the result of the task, and keeps it until the result
 * was sent.
 *
 * For the thread of the task.
 *
 * Returns: (transfer full): a value, not floating; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if its handle is taken by
 *   something else in the arguments, or with the errors of [method@Loky.Resource.to_variant]
 *
 * Since: 1.0
 */
GVariant *
loky_task_context_add_resource (LokyTaskContext *self, LokyResource *resource, GError **error)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) handle = NULL;

  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), NULL);
  g_return_val_if_fail (LOKY_IS_RESOURCE (resource), NULL);

  value = loky_resource_to_variant (resource, error);
  if (value == NULL)
    return NULL;
  handle = loky_task_context_keep (self, G_OBJECT (loky_resource_get_hold (resource)), error);
  return handle != NULL ? g_steal_pointer (&value) : NULL;
}
