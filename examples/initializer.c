/* SPDX-License-Identifier: MIT-0 */

/* A task that each worker runs before all others, and what it leaves there for them. */

#include <loky.h>

static gboolean
call (LokyExecutor *executor, const char *task, GVariant *args, const char *beginning)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_executor_call_sync (executor, task, args, NULL, NULL, &error);

  if (result == NULL)
    {
      g_printerr ("%s\n", error->message);
      return FALSE;
    }
  g_print ("%s: %s\n", task, g_variant_get_string (result, NULL));
  return g_str_has_prefix (g_variant_get_string (result, NULL), beginning);
}

int
main (void)
{
  g_autoptr (LokyExecutor) executor =
      g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 2, "initializer", "hello.set-language",
                    "initializer-args", g_variant_new_string ("fr"), NULL);

  if (!call (executor, "hello.language", NULL, "fr") ||
      !call (executor, "hello.greet", g_variant_new_string ("Ada"), "Bonjour Ada from worker "))
    return 1;
  return 0;
}
