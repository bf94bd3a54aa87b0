/* SPDX-License-Identifier: MIT-0 */

/* Two batches that know nothing of each other, over the workers of one executor, which leave when
 * there was nothing to do for two seconds. */

#include <loky.h>

#define N_WORKERS 2
#define N_TASKS 8

/* Adds who answered to @greetings. */
static gboolean
run_batch (const char *title, GHashTable *greetings, GError **error)
{
  g_autoptr (LokyExecutorConfig) config =
      g_object_new (LOKY_TYPE_EXECUTOR_CONFIG, "max-workers", N_WORKERS, "idle-timeout",
                    (gint64) 2000, NULL);
  g_autoptr (LokyExecutor) executor =
      loky_get_reusable_executor (config, LOKY_REUSE_AUTO, FALSE, error);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (LokyCompletions) completions = NULL;

  if (executor == NULL)
    return FALSE;

  for (guint i = 0; i < N_TASKS; i++)
    {
      LokyFuture *future = loky_executor_submit (executor, "hello.greet-slowly",
                                                 g_variant_new_string ("again"), NULL, error);

      if (future == NULL)
        return FALSE;
      g_ptr_array_add (futures, future);
    }

  g_print ("%s\n", title);
  completions = loky_as_completed ((LokyFuture **) futures->pdata, futures->len);
  for (guint i = 0; i < N_TASKS; i++)
    {
      g_autoptr (LokyFuture) future = loky_completions_next (completions, -1, NULL, error);
      g_autoptr (GVariant) greeting =
          future != NULL ? loky_future_dup_result (future, error) : NULL;

      if (greeting == NULL)
        return FALSE;
      g_print ("  %s\n", g_variant_get_string (greeting, NULL));
      g_hash_table_add (greetings, g_variant_dup_string (greeting, NULL));
    }
  return TRUE;
}

static void
n_workers_cb (LokyExecutor *executor, GParamSpec *pspec, gpointer data)
{
  g_print ("Workers: %u\n", loky_executor_get_n_workers (executor));
}

int
main (void)
{
  g_autoptr (GHashTable) greetings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (LokyExecutor) executor = NULL;
  g_autoptr (GError) error = NULL;

  if (!run_batch ("First batch", greetings, &error) ||
      !run_batch ("Second batch", greetings, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  /* The one that there is, whatever its settings. */
  executor = loky_get_reusable_executor (NULL, LOKY_REUSE_ALWAYS, FALSE, &error);
  if (executor == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  g_signal_connect (executor, "notify::n-workers", G_CALLBACK (n_workers_cb), NULL);
  while (loky_executor_get_n_workers (executor) > 0)
    g_main_context_iteration (NULL, TRUE);

  g_print ("%u workers did both batches, and %u are left\n", g_hash_table_size (greetings),
           loky_executor_get_n_workers (executor));
  return g_hash_table_size (greetings) <= N_WORKERS ? 0 : 1;
}
