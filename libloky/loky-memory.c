/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-memory-private.h"

#include <errno.h>
#include <string.h>

/* Below this the look-up would cost more than it is worth, in bytes. */
#define SMALL (64u << 20)

guint64
loky_memory_find_field (const char *text, const char *name)
{
  const char *field = strstr (text, name);

  return field != NULL ? g_ascii_strtoull (field + strlen (name), NULL, 10) * 1024 : 0;
}

guint64
loky_memory_parse_meminfo (const char *text)
{
  guint64 available = loky_memory_find_field (text, "MemAvailable:");

  if (available == 0)
    return G_MAXUINT64;
  return available + loky_memory_find_field (text, "SwapFree:");
}

gboolean
loky_memory_is_available (guint64 size)
{
  g_autofree char *text = NULL;

  if (size < SMALL || !g_file_get_contents ("/proc/meminfo", &text, NULL, NULL) ||
      size <= loky_memory_parse_meminfo (text))
    return TRUE;
  errno = ENOMEM;
  return FALSE;
}
