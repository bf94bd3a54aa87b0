/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-paths-private.h"

#include <dlfcn.h>
#include <sys/auxv.h>
#include <sys/stat.h>

const char *
loky_paths_get_environment (const char *name)
{
  return getauxval (AT_SECURE) != 0 ? NULL : g_getenv (name);
}

/* The folder that holds the code of this function, or NULL. */
static char *
find_own_folder (void)
{
  g_autofree char *path = NULL;
  Dl_info info;

  if (dladdr ((gconstpointer) find_own_folder, &info) == 0 || info.dli_fname == NULL)
    return NULL;
  path = g_canonicalize_filename (info.dli_fname, NULL);
  return g_path_get_dirname (path);
}

char *
loky_paths_find_own_library (const char *name)
{
  g_autofree char *folder = find_own_folder ();
  g_autofree char *path = folder != NULL ? g_build_filename (folder, name, NULL) : NULL;

  return path != NULL && g_file_test (path, G_FILE_TEST_EXISTS) ? g_steal_pointer (&path) : NULL;
}

static gboolean
is_build_folder (const char *folder)
{
  return folder != NULL && g_str_has_prefix (folder, LOKY_BUILDDIR G_DIR_SEPARATOR_S);
}

/* @relative seen from our own folder if that exists, else @installed: a prefix that was moved as a
 * whole keeps working. */
static char *
find_installed (const char *own_folder, const char *relative, const char *installed)
{
  if (own_folder != NULL)
    {
      g_autofree char *path = g_canonicalize_filename (relative, own_folder);

      if (g_file_test (path, G_FILE_TEST_EXISTS))
        return g_steal_pointer (&path);
    }
  return g_strdup (installed);
}

char *
loky_paths_find_worker (const char *chosen)
{
  g_autofree char *own_folder = find_own_folder ();

  if (chosen == NULL)
    chosen = loky_paths_get_environment ("LOKY_WORKER");
  if (chosen != NULL && chosen[0] != '\0')
    return g_canonicalize_filename (chosen, NULL);
  if (is_build_folder (own_folder))
    return g_strdup (LOKY_BUILDDIR "/loky-worker/loky-worker");
  return find_installed (own_folder, LOKY_LIBEXECDIR_RELATIVE "/loky-worker",
                         LOKY_LIBEXECDIR "/loky-worker");
}

char *
loky_paths_find_own_program (void)
{
  static const char link[] = "/proc/self/exe";
  static char *remembered; /* for when /proc is not there any more */
  g_autofree char *path = g_file_read_link (link, NULL);
  struct stat shown, own;

  if (path == NULL && (path = g_strdup (g_atomic_pointer_get (&remembered))) != NULL)
    return g_steal_pointer (&path);
  if (path != NULL && stat (path, &shown) == 0 && stat (link, &own) == 0 && shown.st_dev == own.st_dev &&
      shown.st_ino == own.st_ino)
    {
      g_autofree char *copy = g_strdup (path);

      if (g_atomic_pointer_compare_and_exchange (&remembered, NULL, copy))
        copy = NULL;
      return g_steal_pointer (&path);
    }
  return g_strdup (link);
}

char *
loky_paths_find_symbolizer (const char *worker)
{
  g_autofree char *folder = g_path_get_dirname (worker);
  g_autofree char *path = g_build_filename (folder, "loky-symbolize", NULL);
  g_autofree char *installed = NULL;

  if (!g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    {
      /* The worker is one of somebody's own. */
      installed = loky_paths_find_worker (NULL);
      g_free (folder);
      folder = g_path_get_dirname (installed);
      g_free (path);
      path = g_build_filename (folder, "loky-symbolize", NULL);
    }
  return g_file_test (path, G_FILE_TEST_IS_EXECUTABLE) ? g_steal_pointer (&path) : NULL;
}

gboolean
loky_paths_is_name (const char *name)
{
  if (name == NULL || name[0] == '\0')
    return FALSE;
  for (const char *c = name; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c) && *c != '-' && *c != '_')
      return FALSE;
  return TRUE;
}

char *
loky_paths_find_module (const char *const *folders, const char *name)
{
  g_autofree char *file = g_strconcat (name, LOKY_MODULE_SUFFIX, NULL);

  for (gsize i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *direct = g_build_filename (folders[i], file, NULL);
      g_autofree char *nested = g_build_filename (folders[i], name, file, NULL);

      if (g_file_test (direct, G_FILE_TEST_EXISTS))
        return g_steal_pointer (&direct);
      if (g_file_test (nested, G_FILE_TEST_EXISTS))
        return g_steal_pointer (&nested);
    }
  return NULL;
}

char **
loky_paths_get_plugin_path (void)
{
  g_autofree char *own_folder = find_own_folder ();
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  const char *chosen = loky_paths_get_environment ("LOKY_PLUGIN_PATH");

  if (chosen != NULL)
    {
      g_auto (GStrv) folders = g_strsplit (chosen, G_SEARCHPATH_SEPARATOR_S, -1);

      for (gsize i = 0; folders[i] != NULL; i++)
        if (folders[i][0] != '\0')
          {
            g_autofree char *folder = g_canonicalize_filename (folders[i], NULL);

            g_strv_builder_add (builder, folder);
          }
    }
  if (is_build_folder (own_folder))
    g_strv_builder_add (builder, LOKY_BUILDDIR "/plugins");
  else
    {
      g_autofree char *folder = find_installed (own_folder, LOKY_PLUGINDIR_RELATIVE, LOKY_PLUGINDIR);

      g_strv_builder_add (builder, folder);
    }
  return g_strv_builder_end (builder);
}
