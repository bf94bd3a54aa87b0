/* SPDX-License-Identifier: MIT-0 */

/* Environment variables of workers, which the application itself does not have. */

#include <loky.h>

static gboolean
is_in_worker (LokyExecutor *executor, const char *name, const char *value)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result =
      loky_executor_call_sync (executor, "hello.variable", g_variant_new_string (name), NULL, NULL,
                               &error);

  if (result == NULL)
    {
      g_printerr ("%s\n", error->message);
      return FALSE;
    }
  g_print ("%s in the worker: %s, here: %s\n", name, g_variant_get_string (result, NULL),
           g_getenv (name) != NULL ? g_getenv (name) : "not set");
  return g_str_equal (g_variant_get_string (result, NULL), value);
}

int
main (void)
{
  /* The second one is a variable that libloky sets for workers by itself, if it is not given. */
  const char *environment[] = { "HELLO_MOOD=merry", "OMP_NUM_THREADS=3", NULL };
  g_autoptr (LokyExecutor) executor =
      g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 1, "environment", environment, NULL);

  if (!is_in_worker (executor, "HELLO_MOOD", "merry") ||
      !is_in_worker (executor, "OMP_NUM_THREADS", "3"))
    return 1;
  return g_getenv ("HELLO_MOOD") == NULL ? 0 : 1;
}
