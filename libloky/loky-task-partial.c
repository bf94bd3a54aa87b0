/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a task sends before its end. */

#include <string.h>

#include "loky-attachment-private.h"
#include "loky-error.h"
#include "loky-task-context-private.h"
#include "loky-value-private.h"

#include <gio/gio.h>

/* What is sent of @value: in normal form, and there as bytes. */
static GVariant *
prepare (LokyTaskContext *self, GVariant *value, GError **error)
{
  LokySerializer *serializer = loky_task_context_get_serializer (self);
  g_autoptr (GVariant) normal = loky_value_ref_normal (value);

  if (strlen (g_variant_get_type_string (normal)) > LOKY_MESSAGE_MAX_TYPE)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE,
                 "The type of a partial result is longer than %d characters",
                 LOKY_MESSAGE_MAX_TYPE);
  else if (loky_attachment_is_in (normal))
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                         "A partial result cannot refer to buffers or synchronizers");
  else if (!loky_value_is_readable (normal))
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                         "A partial result is nested too deeply");
  else if (serializer != NULL)
    return loky_serialize (serializer, normal, error);
  else
    return g_steal_pointer (&normal);
  return NULL;
}

/**
 * loky_task_context_send_partial:
 * @self: a context
 * @value: a value of any type; a floating reference is taken over
 * @error: return location for an error
 *
 * Sends a value to the owner of the task, at once and before its result.
 *
 * The owner gets it by [signal@Loky.Future::partial] or [method@Loky.Future.next_partial]. If the
 * owner did not ask for such values, by [property@Loky.TaskOptions:partial-results], or the task is
 * one of a call or a map, nothing is sent, and this returns %TRUE.
 *
 * It does not wait for the owner. What the owner has not taken yet is at most 16 MiB, or one larger
 * value, where each value counts as its bytes, those of its type string and 256 more: beyond that this fails, and can be
 * tried again later.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_BACKLOG_FULL if too much was not taken yet,
 * %LOKY_ERROR_INVALID_ARGUMENT if the value refers to buffers or synchronizers or is nested too
 * deeply, %LOKY_ERROR_TOO_LARGE, %LOKY_ERROR_RESOURCES if there is no memory for it, with the error
 * of a serializer, or with %G_IO_ERROR_NOT_SUPPORTED in an initializer, in tasks of other kinds
 * than %LOKY_TASK_KIND_CALL, and after the task has returned
 *
 * Since: 1.0
 */
gboolean
loky_task_context_send_partial (LokyTaskContext *self, GVariant *value, GError **error)
{
  g_autoptr (GVariant) owned = NULL;
  g_autoptr (GVariant) wire = NULL;
  LokyPartialMode mode;

  g_return_val_if_fail (LOKY_IS_TASK_CONTEXT (self), FALSE);
  g_return_val_if_fail (value != NULL, FALSE);

  owned = g_variant_ref_sink (value);
  mode = loky_task_context_get_partial_mode (self);
  if (mode == LOKY_PARTIAL_DROPPED)
    return TRUE;
  if (mode == LOKY_PARTIAL_SENT && (wire = prepare (self, owned, error)) == NULL)
    return FALSE;
  return loky_task_context_send_prepared (self, wire, error);
}
