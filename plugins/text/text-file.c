/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads a file in blocks, for texts of any size. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text-private.h"

#define BLOCK_SIZE (256 * 1024)

/* What a function may leave of a block; a character of UTF-8 has at most 6 bytes for GLib. */
#define REST_MAXIMUM 16

/* A worker runs one task at a time, in one thread. */
static guint8 buffer[REST_MAXIMUM + BLOCK_SIZE];

static void
set_file_error (GError **error, const char *verb, const char *path, int error_number)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (error_number), "Cannot %s “%s”: %s", verb,
               name, g_strerror (error_number));
}

static gssize
read_block (int descriptor, guint8 *block)
{
  gssize length;

  do
    length = read (descriptor, block, BLOCK_SIZE);
  while (length < 0 && errno == EINTR);

  return length;
}

static gboolean
read_blocks (LokyTaskContext *context,
             int descriptor,
             const char *path,
             TextBlockFunc func,
             gpointer user_data,
             GError **error)
{
  struct stat status;
  guint64 total = 0;
  gssize length = 1;
  gsize rest = 0;

  if (fstat (descriptor, &status) < 0)
    status.st_size = 0;

  while (length > 0)
    {
      gsize available;
      gsize used;

      if (loky_task_context_set_error_if_cancelled (context, error))
        return FALSE;

      length = read_block (descriptor, buffer + rest);
      if (length < 0)
        {
          set_file_error (error, "read", path, errno);
          return FALSE;
        }

      available = rest + length;
      used = func (buffer, length > 0 ? available : 0, user_data);
      rest = available - MIN (used, available);
      g_assert (rest <= REST_MAXIMUM || length == 0);
      if (length > 0)
        memmove (buffer, buffer + used, rest);

      total += length;
      if (status.st_size > BLOCK_SIZE)
        loky_task_context_set_progress (context, MIN (1.0, (gdouble) total / status.st_size));
    }

  return TRUE;
}

/*
 * text_file_foreach_block:
 * @file: the name of a file, or a `file:///` URI, which can name a file whose name is not UTF-8
 */
gboolean
text_file_foreach_block (LokyTaskContext *context,
                         const char *file,
                         TextBlockFunc func,
                         gpointer user_data,
                         GError **error)
{
  g_autofree char *from_uri = NULL;
  const char *path = file;
  gboolean success;
  int descriptor;

  if (g_str_has_prefix (file, "file:///"))
    {
      from_uri = g_filename_from_uri (file, NULL, error);
      if (from_uri == NULL)
        return FALSE;
      path = from_uri;
    }

  do
    descriptor = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  while (descriptor < 0 && errno == EINTR);

  if (descriptor < 0)
    {
      set_file_error (error, "open", path, errno);
      return FALSE;
    }

  success = read_blocks (context, descriptor, path, func, user_data, error);
  close (descriptor);

  return success;
}
