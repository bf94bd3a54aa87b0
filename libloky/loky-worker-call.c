/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-call-private.h"

#include <string.h>

#include "loky-error.h"
#include "loky-message-private.h"
#include "loky-value-private.h"

gboolean
loky_worker_check_arguments (const LokyLoadedTask *task, const GVariantType *given, GError **error)
{
  const char *type = task->descriptor->arguments_type;

  if (g_variant_type_is_subtype_of (given, (const GVariantType *) type))
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "The task “%s” takes arguments of type %s, not %.*s", task->name, type,
               (int) g_variant_type_get_string_length (given), g_variant_type_peek_string (given));
  return FALSE;
}

gsize
loky_worker_get_fixed_size (const GVariantType *type)
{
  /* A value of a fixed-size type made of nothing is its default; its normal form has the size of
   * all. */
  g_autoptr (GVariant) empty
      = g_variant_ref_sink (g_variant_new_from_data (type, NULL, 0, FALSE, NULL, NULL));
  g_autoptr (GVariant) shape = g_variant_get_normal_form (empty);

  return g_variant_get_size (shape);
}

static GVariant *
call_item (const LokyTaskDescriptor *task, LokyTaskContext *context, GVariant *args, GError **error)
{
  const GVariantType *type = (const GVariantType *) task->result_type;
  gsize size = loky_worker_get_fixed_size (type);
  g_autofree gpointer result = g_malloc0 (MAX (size, 1));
  gpointer data = result;

  if (!task->item_func (context, g_variant_get_data (args), result, task->user_data, error))
    return NULL;
  return g_variant_new_from_data (type, g_steal_pointer (&result), size, FALSE, g_free, data);
}

static gboolean
check_result (const LokyLoadedTask *task, GVariant *args, GVariant *result, GError **error)
{
  const LokyTaskDescriptor *descriptor = task->descriptor;
  const char *type = g_variant_get_type_string (result);

  if (strcmp (type, descriptor->result_type) != 0 &&
      !g_variant_is_of_type (result, (const GVariantType *) descriptor->result_type))
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT,
                 "The task “%s” returned a value of type %s instead of %s", task->name, type,
                 descriptor->result_type);
  else if (strlen (type) > LOKY_MESSAGE_MAX_TYPE)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE,
                 "The task “%s” returned a value whose type is longer than %d characters", task->name,
                 LOKY_MESSAGE_MAX_TYPE);
  else if (descriptor->kind == LOKY_TASK_KIND_BATCH &&
           g_variant_n_children (result) != g_variant_n_children (args))
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT,
                 "The task “%s” returned %" G_GSIZE_FORMAT " elements for %" G_GSIZE_FORMAT,
                 task->name, g_variant_n_children (result), g_variant_n_children (args));
  else
    return TRUE;
  return FALSE;
}

static GVariant *
call_func (const LokyTaskDescriptor *task,
           LokyTaskContext *context,
           GVariant *args,
           GError **error)
{
  if (task->kind == LOKY_TASK_KIND_ITEM)
    return call_item (task, context, args, error);
  return task->func (context, args, task->user_data, error);
}

GVariant *
loky_worker_call_task (const LokyLoadedTask *task,
                       LokyTaskContext *context,
                       GVariant *args,
                       GError **error)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GVariant) normal = NULL;
  GError *task_error = NULL;

  result = call_func (task->descriptor, context, args, &task_error);
  if (result != NULL)
    result = g_variant_take_ref (g_steal_pointer (&result));
  if (task_error != NULL)
    {
      g_propagate_error (error, task_error);
      return NULL;
    }
  if (result == NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT,
                   "The task “%s” returned no value and set no error", task->name);
      return NULL;
    }
  if (!check_result (task, args, result, error))
    return NULL;
  normal = loky_value_ref_normal (result);
  if (loky_value_is_readable (normal))
    return g_steal_pointer (&normal);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT,
               "The task “%s” returned a value of type %s that is nested too deeply", task->name,
               g_variant_get_type_string (normal));
  return NULL;
}
