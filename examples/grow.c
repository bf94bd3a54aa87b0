/* SPDX-License-Identifier: MIT-0 */

/* From two workers to four: who asks for more of them gets the same executor, whose workers stay.
 */

#include <loky.h>

/* Who answers: each of @n_workers, as it is asked while the others are busy. */
static GHashTable *
ask_all (guint n_workers, GError **error)
{
  g_autoptr (GHashTable) answers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (LokyExecutorConfig) config =
      g_object_new (LOKY_TYPE_EXECUTOR_CONFIG, "max-workers", n_workers, NULL);
  g_autoptr (LokyExecutor) executor =
      loky_get_reusable_executor (config, LOKY_REUSE_AUTO, FALSE, error);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  if (executor == NULL || !loky_executor_warm_up_sync (executor, n_workers, NULL, error))
    return NULL;

  g_print ("With %u workers:\n", n_workers);
  for (guint i = 0; i < n_workers; i++)
    {
      LokyFuture *future = loky_executor_submit (executor, "hello.greet-slowly",
                                                 g_variant_new_string ("you"), NULL, error);

      if (future == NULL)
        return NULL;
      g_ptr_array_add (futures, future);
    }

  if (!loky_wait ((LokyFuture **) futures->pdata, futures->len, LOKY_WAIT_ALL_COMPLETED, -1, NULL,
                  error))
    return NULL;
  for (guint i = 0; i < n_workers; i++)
    {
      g_autoptr (GVariant) answer = loky_future_dup_result (g_ptr_array_index (futures, i), error);

      if (answer == NULL)
        return NULL;
      g_print ("  %s\n", g_variant_get_string (answer, NULL));
      g_hash_table_add (answers, g_variant_dup_string (answer, NULL));
    }
  return g_steal_pointer (&answers);
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) two = ask_all (2, &error);
  g_autoptr (GHashTable) four = two != NULL ? ask_all (4, &error) : NULL;
  GHashTableIter iter;
  gpointer answer;
  guint n_stayed = 0;

  if (four == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  g_hash_table_iter_init (&iter, two);
  while (g_hash_table_iter_next (&iter, &answer, NULL))
    n_stayed += g_hash_table_contains (four, answer) ? 1 : 0;
  g_print ("%u became %u, and %u of them stayed\n", g_hash_table_size (two),
           g_hash_table_size (four), n_stayed);
  return g_hash_table_size (two) == 2 && g_hash_table_size (four) == 4 && n_stayed == 2 ? 0 : 1;
}
