/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-foreign-private.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "loky-close-private.h"
#include "loky-error.h"
#include "loky-util-private.h"

/* Linux 5.8; the field is newer than some headers that have statx(). */
#ifdef STATX_MNT_ID
#define MOUNT_MASK STATX_MNT_ID
#define GET_MOUNT(info) ((info)->stx_mnt_id)
#else
#define MOUNT_MASK 0
#define GET_MOUNT(info) ((guint64) 0)
#endif

/* Not /proc/self, which is of no use when the main thread has ended. */
#define MOUNTS "/proc/thread-self/mountinfo"

/* Its type is what begins with that, where a program answers: fuse, fuseblk, fuse.NAME. */
#define SERVED "fuse"

static gboolean
is_socket (int fd)
{
  socklen_t size = sizeof (int);
  int type;

  return getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/* A line is: id, parent, device, root, place, options, any number of others, "-", type, source, options. */
char *
loky_foreign_find_mount (const char *mounts, guint64 id)
{
  g_autofree char *start = g_strdup_printf ("%" G_GUINT64_FORMAT " ", id);
  const char *next;

  for (const char *line = mounts; line != NULL; line = next)
    {
      const char *end = strchr (line, '\n');
      const char *type;

      next = end != NULL ? end + 1 : NULL;
      if (!g_str_has_prefix (line, start))
        continue;
      type = strstr (line, " - ");
      if (type == NULL || (end != NULL && type > end))
        return NULL;
      type += strlen (" - ");
      return g_strndup (type, strcspn (type, " \n"));
    }
  return NULL;
}

/* What the kernel remembers is enough: no file system is asked. */
static gboolean
is_file_of_known_mount (int fd, char **mounts, GError **error)
{
  g_autofree char *type = NULL;
  struct statx info;

  if (statx (fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | MOUNT_MASK, &info) != 0 ||
      MOUNT_MASK == 0 || (info.stx_mask & MOUNT_MASK) == 0)
    return FALSE;
  if (!S_ISREG (info.stx_mode) && !S_ISDIR (info.stx_mode) && !S_ISFIFO (info.stx_mode))
    return FALSE;
  /* One of another namespace, which whoever made that may have mounted, is not in the list. */
  if (*mounts == NULL && !g_file_get_contents (MOUNTS, mounts, NULL, error))
    return FALSE;
  type = loky_foreign_find_mount (*mounts, GET_MOUNT (&info));
  return type != NULL && !g_str_has_prefix (type, SERVED);
}

gboolean
loky_foreign_check (int fd, char **mounts, int code, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (loky_close_is_memory (fd) || loky_close_is_pipe (fd) || is_socket (fd) ||
      is_file_of_known_mount (fd, mounts, &local_error))
    return TRUE;
  if (g_error_matches (local_error, G_FILE_ERROR, G_FILE_ERROR_MFILE) ||
      g_error_matches (local_error, G_FILE_ERROR, G_FILE_ERROR_NFILE))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A descriptor cannot be looked at: %s",
                   local_error->message);
      return FALSE;
    }
  g_set_error_literal (error, LOKY_ERROR, code,
                       "A descriptor can be sent with a result if it is a socket, a pipe, memory, or a file or folder of "
                       "a file system that the application has mounted and no program serves");
  return FALSE;
}
