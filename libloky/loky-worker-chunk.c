/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-chunk-private.h"

#include <string.h>

#include "loky-attachment-private.h"
#include "loky-chunk-private.h"
#include "loky-error.h"
#include "loky-task-context-private.h"
#include "loky-value-private.h"
#include "loky-worker-call-private.h"

/* What the items of a chunk have come to. */
typedef struct
{
  GPtrArray *results; /* of GVariant, NULL for those that failed */
  GPtrArray *errors;  /* of GError, NULL for the others */
  GHashTable *buffers; /* that the results refer to, which the context keeps; NULL until one does */
} Outcome;

static void
free_error (gpointer error)
{
  if (error != NULL)
    g_error_free (error);
}

static void
free_result (gpointer result)
{
  if (result != NULL)
    g_variant_unref (result);
}

static void
outcome_init (Outcome *self, guint n)
{
  self->results = g_ptr_array_new_full (n, free_result);
  self->errors = g_ptr_array_new_full (n, free_error);
  self->buffers = NULL;
}

static void
outcome_clear (Outcome *self)
{
  g_ptr_array_unref (self->results);
  g_ptr_array_unref (self->errors);
  g_clear_pointer (&self->buffers, g_hash_table_unref);
}

/* Takes over both. */
static void
outcome_add (Outcome *self, GVariant *result, GError *error)
{
  g_ptr_array_add (self->results, result);
  g_ptr_array_add (self->errors, error);
}

/* What @outcome comes to for @n items, of which the last have not been begun if the task is to stop. */
static GVariant *
outcome_join (Outcome *self,
              LokyTaskContext *context,
              guint n,
              gboolean *is_mixed,
              GError **error)
{
  g_autoptr (GError) cancelled = NULL;

  if (self->results->len < n)
    {
      loky_task_context_set_error_if_cancelled (context, &cancelled);
      if (self->results->len == 0)
        {
          g_propagate_error (error, g_steal_pointer (&cancelled));
          return NULL;
        }
    }
  while (self->results->len < n)
    outcome_add (self, NULL, g_error_copy (cancelled));
  return loky_chunk_join (self->results, self->errors, is_mixed);
}

/* Until the chunk was sent, though the task may let go of them when it is called for the next item. */
static gboolean
keep_buffers (Outcome *self, LokyTaskContext *context, GPtrArray *buffers, GError **error)
{
  for (guint i = 0; i < buffers->len; i++)
    {
      GVariant *handle = loky_task_context_keep (context, buffers->pdata[i], error);

      if (handle == NULL)
        return FALSE;
      g_variant_unref (handle);
      g_hash_table_add (self->buffers, buffers->pdata[i]);
    }
  return TRUE;
}

/* Whether the result can go with those before it: there is a limit to the buffers of one value. */
static gboolean
has_room_for_buffers (Outcome *self, LokyTaskContext *context, GVariant *result, GError **error)
{
  g_autoptr (GPtrArray) buffers = NULL;
  guint n_new = 0;

  if (strpbrk (g_variant_get_type_string (result), "hv") == NULL)
    return TRUE;
  if (!loky_attachment_collect_result (result, loky_task_context_get_buffers (context),
                                       loky_task_context_accepts_descriptors (context), &buffers, error))
    return FALSE;
  if (buffers == NULL)
    return TRUE;
  if (self->buffers == NULL)
    self->buffers = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < buffers->len; i++)
    n_new += !g_hash_table_contains (self->buffers, buffers->pdata[i]);
  if (g_hash_table_size (self->buffers) + n_new < LOKY_FRAME_MAX_FDS)
    return keep_buffers (self, context, buffers, error);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE,
               "The results of one chunk hold more than %d buffers: a smaller chunk-size is needed",
               LOKY_FRAME_MAX_FDS - 1);
  return FALSE;
}

static gboolean
check_result (Outcome *self,
              const LokyLoadedTask *task,
              LokyTaskContext *context,
              GVariant *result,
              GError **error)
{
  if (loky_chunk_can_hold (result))
    return has_room_for_buffers (self, context, result, error);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT,
               "The task “%s” returned a value that is nested too deeply to be sent in a chunk",
               task->name);
  return FALSE;
}

static GVariant *
call_each (LokyWorker *worker,
           const LokyLoadedTask *task,
           LokyTaskContext *context,
           GVariant *chunk,
           gboolean *is_mixed,
           GError **error)
{
  guint n = (guint) g_variant_n_children (chunk);
  GMainContext *before = g_main_context_get_thread_default ();
  GVariant *joined;
  Outcome outcome;

  outcome_init (&outcome, n);
  for (guint i = 0; i < n && !loky_task_context_is_cancelled (context); i++)
    {
      g_autoptr (GVariant) args = g_variant_get_child_value (chunk, i);
      GError *item_error = NULL;
      GVariant *result = loky_worker_call_task (task, context, args, &item_error);

      if (result != NULL && !check_result (&outcome, task, context, result, &item_error))
        g_clear_pointer (&result, g_variant_unref);
      outcome_add (&outcome, result, item_error);
      loky_worker_settle (worker, before);
    }
  joined = outcome_join (&outcome, context, n, is_mixed, error);
  outcome_clear (&outcome);
  return joined;
}

/* --- items of fixed size ------------------------------------------------------------------------ */

/* One call. What it writes when it fails does not count. */
static gboolean
call_item (const LokyLoadedTask *task,
           LokyTaskContext *context,
           gconstpointer item,
           gpointer result,
           GError **error)
{
  const LokyTaskDescriptor *descriptor = task->descriptor;
  GError *item_error = NULL;
  gboolean is_done
      = descriptor->item_func (context, item, result, descriptor->user_data, &item_error);

  if (G_LIKELY (is_done && item_error == NULL))
    return TRUE;
  if (item_error == NULL)
    g_set_error (&item_error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT,
                 "The task “%s” returned no value and set no error", task->name);
  g_propagate_error (error, item_error);
  return FALSE;
}

/* Adds the values of @n items that lie one behind the other at @results. */
static void
add_values (Outcome *outcome, const GVariantType *type, const guint8 *results, gsize size, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      gpointer copy = g_memdup2 (results + i * size, size);
      g_autoptr (GVariant) value
          = g_variant_ref_sink (g_variant_new_from_data (type, copy, size, FALSE, g_free, copy));

      outcome_add (outcome, loky_value_ref_normal (value), NULL);
    }
}

/* From one array into another. Values are made only when not all succeed: @outcome is begun then. */
static void
fill_results (const LokyLoadedTask *task,
              LokyTaskContext *context,
              const guint8 *items,
              gsize item_size,
              guint8 *results,
              gsize result_size,
              guint n,
              Outcome *outcome)
{
  const GVariantType *type = G_VARIANT_TYPE (task->descriptor->result_type);
  guint n_added = 0;
  guint i;

  for (i = 0; i < n && !loky_task_context_is_cancelled (context); i++)
    {
      GError *error = NULL;

      if (G_LIKELY (call_item (task, context, items + i * item_size, results + i * result_size, &error)))
        continue;
      if (outcome->results == NULL)
        outcome_init (outcome, n);
      add_values (outcome, type, results + n_added * result_size, result_size, i - n_added);
      outcome_add (outcome, NULL, error);
      n_added = i + 1;
    }
  if (i < n && outcome->results == NULL)
    outcome_init (outcome, n);
  if (outcome->results != NULL)
    add_values (outcome, type, results + n_added * result_size, result_size, i - n_added);
}

static GVariant *
make_array (const GVariantType *type, guint8 *results, gsize size)
{
  g_autoptr (GVariantType) array_type = g_variant_type_new_array (type);
  g_autoptr (GVariant) array = g_variant_ref_sink (
      g_variant_new_from_data (array_type, results, size, FALSE, g_free, results));

  return loky_value_ref_normal (array);
}

static GVariant *
call_items (const LokyLoadedTask *task,
            LokyTaskContext *context,
            GVariant *chunk,
            gboolean *is_mixed,
            GError **error)
{
  const GVariantType *type = G_VARIANT_TYPE (task->descriptor->result_type);
  guint n = (guint) g_variant_n_children (chunk);
  gsize result_size = loky_worker_get_fixed_size (type);
  g_autofree guint8 *results = g_try_malloc0_n (n, result_size);
  Outcome outcome = { NULL };
  GVariant *joined;

  if (results == NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "There is no memory for %u results", n);
      return NULL;
    }
  fill_results (task, context, g_variant_get_data (chunk), g_variant_get_size (chunk) / n, results,
                result_size, n, &outcome);
  if (outcome.results == NULL)
    return make_array (type, g_steal_pointer (&results), n * result_size);
  joined = outcome_join (&outcome, context, n, is_mixed, error);
  outcome_clear (&outcome);
  return joined;
}

/* --- all ---------------------------------------------------------------------------------------- */

static const GVariantType *
get_item_type (GVariant *chunk)
{
  return g_variant_type_element (g_variant_get_type (chunk));
}

/* An item that the task takes as it is, alone, means the same in a chunk. */
static gboolean
is_taken_whole (const LokyLoadedTask *task, GVariant *chunk)
{
  const GVariantType *type = G_VARIANT_TYPE (task->descriptor->arguments_type);

  return task->descriptor->kind == LOKY_TASK_KIND_BATCH &&
         !g_variant_type_is_subtype_of (get_item_type (chunk), type) &&
         g_variant_is_of_type (chunk, type);
}

const GVariantType *
loky_worker_get_chunk_type (const LokyLoadedTask *task, GVariant *chunk)
{
  return is_taken_whole (task, chunk) ? g_variant_get_type (chunk) : get_item_type (chunk);
}

GVariant *
loky_worker_call_chunk (LokyWorker *worker,
                        const LokyLoadedTask *task,
                        LokyTaskContext *context,
                        GVariant *chunk,
                        gboolean *is_mixed,
                        GError **error)
{
  *is_mixed = FALSE;
  /* Handles are looked at one by one. */
  if (task->descriptor->kind == LOKY_TASK_KIND_ITEM && strchr (task->descriptor->result_type, 'h') == NULL)
    return call_items (task, context, chunk, is_mixed, error);
  if (is_taken_whole (task, chunk))
    return loky_worker_call_task (task, context, chunk, error);
  return call_each (worker, task, context, chunk, is_mixed, error);
}
