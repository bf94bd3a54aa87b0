/* SPDX-License-Identifier: MIT-0 */

/* Fifty tasks by four workers, all of which take part. */

#include <loky.h>

#define N_WORKERS 4
#define N_TASKS 50

int
main (void)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (N_WORKERS);
  g_autoptr (GHashTable) greetings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const char *names[N_TASKS + 1] = { NULL };
  g_autoptr (LokyInput) input = NULL;
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (GError) error = NULL;
  guint n_done = 0;

  /* All are there before there is work: else who comes first could have done it. */
  if (!loky_executor_warm_up_sync (executor, N_WORKERS, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  for (guint i = 0; i < N_TASKS; i++)
    names[i] = "world";
  input = loky_input_new_for_strv (names);
  results = loky_executor_map (executor, "hello.greet-slowly", input, NULL);

  while (TRUE)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, &error);
      g_autoptr (GVariant) greeting = NULL;

      if (future == NULL)
        break;
      greeting = loky_future_dup_result (future, &error);
      if (greeting == NULL)
        break;
      n_done++;
      /* Equal questions: answers differ by who gave them. */
      if (g_hash_table_add (greetings, g_variant_dup_string (greeting, NULL)))
        g_print ("%s\n", g_variant_get_string (greeting, NULL));
    }

  if (error != NULL)
    g_printerr ("%s\n", error->message);
  g_print ("%u tasks by %u workers\n", n_done, g_hash_table_size (greetings));
  return n_done == N_TASKS && g_hash_table_size (greetings) == N_WORKERS ? 0 : 1;
}
