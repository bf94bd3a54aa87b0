/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-memory-events-private.h"

#include <string.h>

#define KEY "oom_kill "

/* Lines "KEY NUMBER", in both versions. */
static gboolean
read_file (const char *folder, const char *file, guint64 *n_kills)
{
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], KEY))
      return g_ascii_string_to_unsigned (lines[i] + strlen (KEY), 10, 0, G_MAXUINT64, n_kills, NULL);
  return FALSE;
}

static gboolean
read_group (const char *root, const char *group, const char *file, guint64 *n_kills)
{
  g_autofree char *folder = g_build_filename (root, group, NULL);

  return read_file (folder, file, n_kills) || read_file (root, file, n_kills);
}

gboolean
loky_memory_events_count_kills (const char *proc_cgroup, const char *cgroup_root, guint64 *n_kills)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (proc_cgroup, &text, NULL, NULL))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);

  /* Each line is "ID:CONTROLLERS:GROUP"; version 2 is the one without controllers. */
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) fields = g_strsplit (lines[i], ":", 3);
      g_auto (GStrv) controllers = NULL;

      if (g_strv_length (fields) != 3)
        continue;
      controllers = g_strsplit (fields[1], ",", -1);
      if (g_strv_contains ((const char *const *) controllers, "memory"))
        {
          g_autofree char *memory = g_build_filename (cgroup_root, "memory", NULL);

          if (read_group (memory, fields[2], "memory.oom_control", n_kills))
            return TRUE;
        }
      else if (fields[1][0] == '\0' && read_group (cgroup_root, fields[2], "memory.events", n_kills))
        return TRUE;
    }
  return FALSE;
}
