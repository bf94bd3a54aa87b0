/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tasks whose arguments and results are values of any GType. */

#include "loky-executor-private.h"
#include "loky-reducer-private.h"

/* A tuple of the reduced values, floating. @kept: what has to live until they are submitted. */
static GVariant *
reduce_values (LokyReducerRegistry *registry,
               const GValue *values,
               gsize n_values,
               GPtrArray *kept,
               GError **error)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_TUPLE);
  for (gsize i = 0; i < n_values; i++)
    {
      g_autoptr (GVariant) reduced
          = loky_reduce_value (registry, &values[i], LOKY_PLACE_APPLICATION, kept, error);

      if (reduced == NULL)
        {
          g_prefix_error (error, "Argument %" G_GSIZE_FORMAT ": ", i);
          g_variant_builder_clear (&builder);
          return NULL;
        }
      g_variant_builder_add_value (&builder, reduced);
    }
  return g_variant_builder_end (&builder);
}

/**
 * loky_executor_submit_values:
 * @self: an executor
 * @task: the name of a task, `PLUGIN.TASK`
 * @values: (array length=n_values) (nullable): the arguments
 * @n_values: how many there are
 * @options: (nullable): how the task is run; read at the call
 * @error: return location for an error
 *
 * Submits a task whose arguments are values of any types for which there are reducers.
 *
 * They are reduced at the call, in the thread of the caller, by [property@Loky.Executor:job-reducers], and sent as a
 * tuple of what [method@Loky.ReducerRegistry.reduce] makes of each. The task gets them by
 * [method@Loky.TaskContext.dup_value]; one that takes numbers and strings only can read the tuple as it is.
 *
 * All else is as in [method@Loky.Executor.submit].
 *
 * Returns: (transfer full): a future; %NULL with %LOKY_ERROR_REDUCER if there is no reducer for a value, with the error
 *   of a reducer, or with one of those of [method@Loky.Executor.submit]: then the task will not run
 *
 * Since: 1.0
 */
LokyFuture *
loky_executor_submit_values (LokyExecutor *self,
                             const char *task,
                             const GValue *values,
                             gsize n_values,
                             LokyTaskOptions *options,
                             GError **error)
{
  g_autoptr (GPtrArray) kept = NULL;
  LokyPool *pool;
  GVariant *args;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (values != NULL || n_values == 0, NULL);
  g_return_val_if_fail (options == NULL || LOKY_IS_TASK_OPTIONS (options), NULL);

  pool = loky_executor_get_pool (self);
  kept = g_ptr_array_new_with_free_func (g_object_unref);
  args = reduce_values (loky_pool_get_job_reducers (pool), values, n_values, kept, error);
  if (args == NULL)
    return NULL;
  return loky_pool_submit_task (pool, task, args, options, NULL, NULL, TRUE, error);
}
