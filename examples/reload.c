/* SPDX-License-Identifier: MIT-0 */

/* A plugin that is built anew while the program runs: the workers that have the old code are
 * killed.
 *
 *     example-reload EDITION-ONE EDITION-TWO
 */

#include <unistd.h>

#include <loky.h>

/* Renamed into place: a file that a process runs is never written into. */
static gboolean
install (const char *edition, const char *plugin, GError **error)
{
  g_autofree char *new_name = g_strconcat (plugin, ".new", NULL);
  g_autoptr (GFile) source = g_file_new_for_path (edition);
  g_autoptr (GFile) new_file = g_file_new_for_path (new_name);
  g_autoptr (GFile) file = g_file_new_for_path (plugin);

  return g_file_copy (source, new_file, G_FILE_COPY_OVERWRITE, NULL, NULL, NULL, error) &&
         g_file_move (new_file, file, G_FILE_COPY_OVERWRITE, NULL, NULL, NULL, error);
}

static gboolean
greets (const char *folder, gboolean reloads, const char *expected, GError **error)
{
  const char *path[] = { folder, NULL };
  g_autoptr (LokyExecutorConfig) config =
      g_object_new (LOKY_TYPE_EXECUTOR_CONFIG, "max-workers", 1, "plugin-path", path, NULL);
  g_autoptr (LokyExecutor) executor =
      loky_get_reusable_executor (config, reloads ? LOKY_REUSE_NEVER : LOKY_REUSE_AUTO, reloads,
                                  error);
  g_autoptr (GVariant) greeting = NULL;

  if (executor == NULL)
    return FALSE;
  greeting = loky_executor_call_sync (executor, "greeting.greet", g_variant_new_string ("Ada"),
                                      NULL, NULL, error);
  if (greeting == NULL)
    return FALSE;
  g_print ("  %s\n", g_variant_get_string (greeting, NULL));
  if (g_str_equal (g_variant_get_string (greeting, NULL), expected))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "It should have been “%s”", expected);
  return FALSE;
}

static gboolean
show (char **editions, const char *folder, const char *plugin, GError **error)
{
  g_print ("Edition one\n");
  if (!install (editions[0], plugin, error) || !greets (folder, FALSE, "Good morning, Ada", error))
    return FALSE;
  g_print ("Edition two, in a worker that has edition one\n");
  if (!install (editions[1], plugin, error) || !greets (folder, FALSE, "Good morning, Ada", error))
    return FALSE;
  g_print ("Edition two, in a new worker\n");
  return greets (folder, TRUE, "Good evening, Ada", error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = NULL;
  g_autofree char *plugin = NULL;
  gboolean is_shown;

  if (argc != 3)
    {
      g_printerr ("Two editions of the plugin are needed\n");
      return 1;
    }
  folder = g_dir_make_tmp ("loky-reload-XXXXXX", &error);
  if (folder == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  plugin = g_build_filename (folder, "greeting.so", NULL);
  is_shown = show (argv + 1, folder, plugin, &error);
  if (!is_shown)
    g_printerr ("%s\n", error->message);
  unlink (plugin);
  rmdir (folder);
  return is_shown ? 0 : 1;
}
