/* SPDX-License-Identifier: MIT-0 */

/* Workers that are ready before the program reads its first line, so that its first call starts
 * none. A program with a main loop does the same by loky_executor_warm_up_async(). */

#include <stdio.h>

#include <loky.h>

#define N_WORKERS 2

static char *
read_name (void)
{
  char line[100];

  g_print ("Your name? ");
  if (fgets (line, sizeof line, stdin) == NULL)
    {
      g_print ("\n");
      return g_strdup ("nobody");
    }
  return g_utf8_make_valid (g_strchomp (line), -1);
}

static gboolean
greet (LokyExecutor *executor, const char *name)
{
  gint64 start = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) greeting =
      loky_executor_call_sync (executor, "hello.greet", g_variant_new_string (name), NULL, NULL,
                               &error);

  if (greeting == NULL)
    g_printerr ("%s\n", error->message);
  else
    g_print ("%s, in %.2f ms\n", g_variant_get_string (greeting, NULL),
             (g_get_monotonic_time () - start) / 1000.0);
  return greeting != NULL;
}

int
main (void)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (N_WORKERS);
  g_autoptr (LokyExecutor) cold = loky_executor_new (N_WORKERS);
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  guint n_before;

  if (!loky_executor_warm_up_sync (executor, N_WORKERS, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  name = read_name ();
  n_before = loky_executor_get_n_workers (executor);
  g_print ("Warm, with %u workers: ", n_before);
  if (!greet (executor, name))
    return 1;
  g_print ("Cold, with %u workers: ", loky_executor_get_n_workers (cold));
  if (!greet (cold, name))
    return 1;
  return n_before == N_WORKERS && loky_executor_get_n_workers (executor) == N_WORKERS ? 0 : 1;
}
