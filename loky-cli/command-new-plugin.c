/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `loky new-plugin`: a folder with a plugin that builds against an installed libloky. It is written
 * under another name and renamed when it is whole. */

#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESOURCE_FOLDER "/org/libloky/plugin-template/"

/* In the names as in the contents, @NAME@ stands for the plugin's name. */
static const struct
{
  const char *resource;
  const char *file;
} files[] = {
  { "plugin.c", "@NAME@.c" },
  { "test-plugin.c", "test-@NAME@.c" },
  { "meson.build", "meson.build" },
  { "README.md", "README.md" },
  { "LICENSE", "LICENSE" },
};

static gboolean
is_valid_name (const char *name)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

  return name[0] != '\0' && strchr (letters, name[0]) != NULL &&
         name[strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0' &&
         strlen (name) <= 64;
}

static char *
fill_in (const char *text, const char *name)
{
  GString *filled = g_string_new (text);

  g_string_replace (filled, "@NAME@", name, 0);
  return g_string_free (filled, FALSE);
}

static gboolean
write_files (const char *folder, const char *name, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *resource = g_strconcat (RESOURCE_FOLDER, files[i].resource, NULL);
      g_autofree char *file = fill_in (files[i].file, name);
      g_autofree char *path = g_build_filename (folder, file, NULL);
      g_autofree char *contents = NULL;
      g_autoptr (GBytes) bytes =
          g_resources_lookup_data (resource, G_RESOURCE_LOOKUP_FLAGS_NONE, error);

      if (bytes == NULL)
        return FALSE;
      contents = fill_in (g_bytes_get_data (bytes, NULL), name);
      if (!g_file_set_contents (path, contents, -1, error))
        return FALSE;
    }
  return TRUE;
}

static void
remove_files (const char *folder, const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *file = fill_in (files[i].file, name);
      g_autofree char *path = g_build_filename (folder, file, NULL);

      g_unlink (path);
    }
  g_rmdir (folder);
}

static gboolean
set_error_from_errno (const char *what, const char *path, int saved_errno, GError **error)
{
  g_set_error (error,
               G_IO_ERROR,
               g_io_error_from_errno (saved_errno),
               "%s “%s”: %s",
               what,
               path,
               g_strerror (saved_errno));
  return FALSE;
}

/* The folder gets the mode that mkdir() gives, and takes its name only if nothing has that. */
static gboolean
publish (const char *temporary, const char *folder, GError **error)
{
  mode_t mask = umask (0);
  int result;

  umask (mask);
  if (g_chmod (temporary, 0777 & ~mask) != 0)
    return set_error_from_errno ("Cannot write", temporary, errno, error);
  result = renameat2 (AT_FDCWD, temporary, AT_FDCWD, folder, RENAME_NOREPLACE);
  if (result != 0 && (errno == EINVAL || errno == ENOSYS))
    {
      /* A file system that does not know the flag. */
      errno = EEXIST;
      if (g_file_test (folder, G_FILE_TEST_EXISTS))
        return set_error_from_errno ("Cannot write", folder, errno, error);
      result = g_rename (temporary, folder);
    }
  return result == 0 || set_error_from_errno ("Cannot write", folder, errno, error);
}

static gboolean
create_plugin (const char *parent, const char *name, GError **error)
{
  g_autofree char *folder = g_build_filename (parent, name, NULL);
  g_autofree char *hidden = g_strdup_printf (".%s-XXXXXX", name);
  g_autofree char *temporary = g_build_filename (parent, hidden, NULL);

  if (g_file_test (folder, G_FILE_TEST_EXISTS) || g_file_test (folder, G_FILE_TEST_IS_SYMLINK))
    return set_error_from_errno ("Cannot write", folder, EEXIST, error);
  if (g_mkdtemp (temporary) == NULL)
    return set_error_from_errno ("Cannot write in", parent, errno, error);
  if (write_files (temporary, name, error) && publish (temporary, folder, error))
    {
      printf ("%s\n", folder);
      return TRUE;
    }
  remove_files (temporary, name);
  return FALSE;
}

int
command_new_plugin (int argc, char **argv)
{
  g_autofree char *directory = NULL;
  g_auto (GStrv) words = NULL;
  const GOptionEntry entries[] = {
    { "directory", 0, 0, G_OPTION_ARG_FILENAME, &directory,
      "Write the folder into DIR instead of the current one", "DIR" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("NAME");
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context,
                                "Writes a folder NAME with a plugin of one task, its test and its "
                                "build,\nand prints the folder's path.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!cli_parse_options (context, "new-plugin", &argc, &argv))
    return CLI_USAGE;
  if (words == NULL || words[1] != NULL)
    return cli_usage_error ("new-plugin ", "new-plugin takes one name");
  if (!is_valid_name (words[0]))
    return cli_usage_error ("new-plugin ",
                            "a plugin's name is of a-z, 0-9 and “-”, begins with a letter, and has "
                            "64 letters at most");
  if (strcmp (words[0], "loky") == 0)
    return cli_usage_error ("new-plugin ", "“loky” is the name of the built-in plugin");
  if (create_plugin (directory != NULL ? directory : ".", words[0], &error))
    return CLI_SUCCESS;
  cli_error ("%s", error->message);
  return CLI_FAILURE;
}
