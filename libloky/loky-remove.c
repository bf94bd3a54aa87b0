/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-remove-private.h"

#include <dirent.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>

#include "loky-util-private.h"

/* Somebody may put files into a folder while it is emptied. */
#define MAX_PASSES 8

/* The first error is kept. */
static gboolean
fail (GError **error, const char *name, const char *why)
{
  int saved_errno = errno;

  if (error != NULL && *error == NULL)
    g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (saved_errno),
                 "“%s” cannot be removed: %s", name, why != NULL ? why : g_strerror (saved_errno));
  return FALSE;
}

gboolean
loky_remove_file (const char *path, GError **error)
{
  return unlink (path) == 0 || errno == ENOENT || fail (error, path, NULL);
}

static gboolean remove_folder_at (int parent, const char *name, dev_t device, GError **error);

static gboolean
remove_entry (int parent, const char *name, dev_t device, GError **error)
{
  if (unlinkat (parent, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  /* EPERM is what POSIX says. */
  if (errno != EISDIR && errno != EPERM)
    return fail (error, name, NULL);
  return remove_folder_at (parent, name, device, error);
}

static gboolean
empty_folder (DIR *folder, dev_t device, GError **error)
{
  gboolean is_done = TRUE;
  struct dirent *entry;

  rewinddir (folder);
  while ((entry = readdir (folder)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      is_done &= remove_entry (dirfd (folder), entry->d_name, device, error);
  return is_done;
}

/* @device: what it must be on; 0 for whatever it is on. */
static DIR *
open_folder (int parent, const char *name, dev_t *device, GError **error)
{
  loky_autofd int fd = openat (parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat info;
  DIR *folder;

  if (fd < 0 || fstat (fd, &info) != 0)
    {
      fail (error, name, NULL);
      return NULL;
    }
  if (*device != 0 && info.st_dev != *device)
    {
      errno = EXDEV;
      fail (error, name, "another file system is mounted there");
      return NULL;
    }
  *device = info.st_dev;
  folder = fdopendir (fd);
  if (folder == NULL)
    fail (error, name, NULL);
  else
    loky_steal_fd (&fd);
  return folder;
}

static gboolean
remove_folder_at (int parent, const char *name, dev_t device, GError **error)
{
  DIR *folder = open_folder (parent, name, &device, error);
  gboolean is_done = FALSE;

  if (folder == NULL)
    return FALSE;
  for (guint i = 0; i < MAX_PASSES && !is_done && empty_folder (folder, device, error); i++)
    {
      is_done = unlinkat (parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
      if (!is_done && errno != ENOTEMPTY && errno != EEXIST)
        break;
    }
  if (!is_done)
    fail (error, name, NULL);
  closedir (folder);
  return is_done;
}

gboolean
loky_remove_folder (const char *path, GError **error)
{
  struct stat info;

  if (lstat (path, &info) != 0 && errno == ENOENT)
    return TRUE;
  return remove_folder_at (AT_FDCWD, path, 0, error);
}
