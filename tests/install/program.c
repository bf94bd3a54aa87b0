/* SPDX-License-Identifier: MIT-0 */

/* program FOLDER PLUGINDIR FILE: what the plugin in FOLDER makes of a string, and what one that was
 * installed makes of FILE. */

#include <loky.h>

static gboolean
print_result (LokyExecutor *executor, const char *task, const char *argument)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_executor_call_sync (
      executor, task, g_variant_new_string (argument), NULL, NULL, &error);

  if (result != NULL)
    g_print ("%s\n", g_variant_get_string (result, NULL));
  else
    g_printerr ("%s\n", error->message);
  return result != NULL;
}

int
main (int argc, char **argv)
{
  g_autoptr (LokyExecutor) executor = NULL;

  if (argc != 4)
    return 2;
  executor = g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 2, "plugin-path",
                           (const char *const[]){ argv[1], argv[2], NULL }, NULL);
  if (!print_result (executor, "outside.reverse", "ykol") ||
      !print_result (executor, "checksum.sha256", argv[3]))
    return 1;
  return 0;
}
