/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-remove-private.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "loky-util-private.h"

/* Somebody may put files into a folder while it is emptied. */
#define MAX_PASSES 8

/* Each level takes some of the stack, and a descriptor. */
#define MAX_DEPTH 1000

typedef struct
{
  dev_t device; /* what all must be on; 0 while it is not known */
  guint depth;
  guint left; /* how many may still be removed */
  gboolean is_stopped;
  GError **error;
} Walk;

/* The first error is kept. */
static gboolean
fail (GError **error, const char *name, const char *why)
{
  int saved_errno = errno;

  if (error != NULL && *error == NULL)
    g_set_error (error, G_FILE_ERROR, (gint) g_file_error_from_errno (saved_errno),
                 "“%s” cannot be removed: %s", name, why != NULL ? why : g_strerror (saved_errno));
  return FALSE;
}

/* The folder that @path is in, by way of no symbolic link; @name: where what is in it begins. -1:
 * there is none. */
static int
open_parent (const char *path, const char **name)
{
  loky_autofd int fd = open (path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const char *rest = path + strspn (path, "/");
  const char *slash;

  for (; fd >= 0 && (slash = strchr (rest, '/')) != NULL; rest = slash + strspn (slash, "/"))
    {
      g_autofree char *part = g_strndup (rest, (gsize) (slash - rest));
      int next = openat (fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      int saved_errno = errno;

      close (fd);
      fd = next;
      errno = saved_errno;
    }
  *name = rest;
  return loky_steal_fd (&fd);
}

gboolean
loky_remove_file (const char *path, GError **error)
{
  const char *name;
  loky_autofd int parent = open_parent (path, &name);

  return (parent >= 0 && unlinkat (parent, name, 0) == 0) || errno == ENOENT ||
         fail (error, path, NULL);
}

static gboolean remove_folder_at (Walk *walk, int parent, const char *name);

/* What was done is not done again, so that it may be interrupted anywhere. */
static gboolean
count_removal (Walk *walk)
{
  if (walk->left > 0)
    walk->left--;
  return TRUE;
}

static gboolean
remove_entry (Walk *walk, int parent, const char *name)
{
  if (walk->left == 0)
    {
      walk->is_stopped = TRUE;
      return FALSE;
    }
  if (unlinkat (parent, name, 0) == 0)
    return count_removal (walk);
  if (errno == ENOENT)
    return TRUE;
  /* EPERM is what POSIX says. */
  if (errno != EISDIR && errno != EPERM)
    return fail (walk->error, name, NULL);
  return remove_folder_at (walk, parent, name);
}

static gboolean
empty_folder (Walk *walk, DIR *folder)
{
  gboolean is_done = TRUE;
  struct dirent *entry;

  rewinddir (folder);
  while (!walk->is_stopped && (entry = readdir (folder)) != NULL)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      is_done &= remove_entry (walk, dirfd (folder), entry->d_name);
  return is_done;
}

static DIR *
open_folder (Walk *walk, int parent, const char *name)
{
  loky_autofd int fd = openat (parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  dev_t *device = &walk->device;
  struct stat info;
  DIR *folder;

  if (fd < 0 || fstat (fd, &info) != 0)
    {
      fail (walk->error, name, NULL);
      return NULL;
    }
  if (*device != 0 && info.st_dev != *device)
    {
      errno = EXDEV;
      fail (walk->error, name, "another file system is mounted there");
      return NULL;
    }
  *device = info.st_dev;
  folder = fdopendir (fd);
  if (folder == NULL)
    fail (walk->error, name, NULL);
  else
    loky_steal_fd (&fd);
  return folder;
}

static gboolean
remove_folder_at (Walk *walk, int parent, const char *name)
{
  DIR *folder;
  gboolean is_done = FALSE;

  if (walk->depth == MAX_DEPTH)
    {
      errno = ENAMETOOLONG;
      return fail (walk->error, name, "it is too deep in the folder");
    }
  folder = open_folder (walk, parent, name);
  if (folder == NULL)
    return FALSE;
  walk->depth++;
  for (guint i = 0; i < MAX_PASSES && !is_done && empty_folder (walk, folder); i++)
    {
      is_done = unlinkat (parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
      if (!is_done && errno != ENOTEMPTY && errno != EEXIST)
        break;
    }
  walk->depth--;
  if (is_done)
    count_removal (walk);
  else if (!walk->is_stopped)
    fail (walk->error, name, NULL);
  closedir (folder);
  return is_done;
}

gboolean
loky_remove_some (const char *path, guint n_max, gboolean *is_interrupted, GError **error)
{
  g_autoptr (GError) first = NULL;
  Walk walk = { .left = n_max, .error = &first };
  const char *name;
  loky_autofd int parent = open_parent (path, &name);
  struct stat info;
  gboolean is_done;

  *is_interrupted = FALSE;
  if (parent < 0 || fstatat (parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || fail (error, path, NULL);
  is_done = remove_folder_at (&walk, parent, name);
  *is_interrupted = walk.is_stopped;
  if (!is_done && !walk.is_stopped)
    g_propagate_error (error, g_steal_pointer (&first));
  return is_done;
}

gboolean
loky_remove_folder (const char *path, GError **error)
{
  gboolean is_interrupted;

  return loky_remove_some (path, G_MAXUINT, &is_interrupted, error);
}
