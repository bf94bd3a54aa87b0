/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads image files through GdkPixbufLoader, block by block, so that a task can be cancelled and a
 * header can be had without the picture.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "image-private.h"

#define BLOCK_SIZE (64 * 1024)

/* Most headers are over by then, and what is not read need not be decoded. */
#define INFO_BLOCK_SIZE (4 * 1024)

typedef struct
{
  int limit; /* the most pixels in either direction; 0 when only the header is wanted */
  int width; /* as the file has it; 0 until known */
  int height;
} Size;

static void
set_file_error (GError **error, const char *verb, const char *path, int error_number)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (error_number), "Cannot %s “%s”: %s", verb,
               name, g_strerror (error_number));
}

static void
prefix_with_path (GError **error, const char *path)
{
  g_autofree char *name = g_filename_display_name (path);

  g_prefix_error (error, "Cannot load “%s”: ", name);
}

/*
 * image_dup_path:
 * @file: the name of a file, or a `file:///` URI, which can name a file whose name is not UTF-8
 */
char *
image_dup_path (const char *file, GError **error)
{
  if (g_str_has_prefix (file, "file:///"))
    return g_filename_from_uri (file, NULL, error);

  return g_strdup (file);
}

static int
open_image (const char *path, GError **error)
{
  int descriptor;

  do
    descriptor = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  while (descriptor < 0 && errno == EINTR);

  if (descriptor < 0)
    set_file_error (error, "open", path, errno);

  return descriptor;
}

/* Scaling while loading, to the largest size within the limit, and never up: JPEG is then decoded
 * at a fraction of its size. A size of 0 makes the loader stop behind the header.
 */
static void
size_prepared_cb (GdkPixbufLoader *loader, int width, int height, gpointer user_data)
{
  Size *size = user_data;
  gdouble scale = (gdouble) size->limit / MAX (width, height);

  size->width = width;
  size->height = height;
  if (size->limit == 0)
    gdk_pixbuf_loader_set_size (loader, 0, 0);
  else if (scale < 1)
    gdk_pixbuf_loader_set_size (loader, MAX (1, (int) (width * scale + 0.5)),
                                MAX (1, (int) (height * scale + 0.5)));
}

static gboolean
feed_loader (LokyTaskContext *context,
             GdkPixbufLoader *loader,
             const Size *size,
             ImageEnd *end,
             const char *path,
             GError **error)
{
  g_autofree guint8 *block = g_malloc (BLOCK_SIZE);
  gsize wanted = size->limit == 0 ? INFO_BLOCK_SIZE : BLOCK_SIZE;
  gssize length = 1;
  gboolean success = TRUE;
  int descriptor = open_image (path, error);

  if (descriptor < 0)
    return FALSE;

  while (success && length != 0 && (size->limit > 0 || size->width == 0))
    {
      if (loky_task_context_set_error_if_cancelled (context, error))
        {
          success = FALSE;
          break;
        }

      length = read (descriptor, block, wanted);
      if (length > 0)
        {
          image_end_feed (end, block, length);
          success = gdk_pixbuf_loader_write (loader, block, length, error);
          if (!success)
            prefix_with_path (error, path);
        }
      else if (length < 0 && errno != EINTR)
        {
          set_file_error (error, "read", path, errno);
          success = FALSE;
        }
    }

  close (descriptor);
  return success;
}

static char *
dup_format_name (GdkPixbufLoader *loader)
{
  GdkPixbufFormat *format = gdk_pixbuf_loader_get_format (loader);

  return format != NULL ? gdk_pixbuf_format_get_name (format) : g_strdup ("unknown");
}

gboolean
image_read_info (LokyTaskContext *context, const char *path, ImageInfo *info, GError **error)
{
  g_autoptr (GdkPixbufLoader) loader = gdk_pixbuf_loader_new ();
  g_autoptr (GError) read_error = NULL;
  g_autoptr (GError) close_error = NULL;
  Size size = { .limit = 0 };
  ImageEnd end = { 0 };

  g_signal_connect (loader, "size-prepared", G_CALLBACK (size_prepared_cb), &size);
  feed_loader (context, loader, &size, &end, path, &read_error);
  gdk_pixbuf_loader_close (loader, &close_error);

  /* Once the size is known, errors only say that the picture was not wanted. */
  if (size.width > 0)
    {
      info->format = dup_format_name (loader);
      info->width = size.width;
      info->height = size.height;
      return TRUE;
    }

  if (read_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&read_error));
      return FALSE;
    }

  if (close_error != NULL)
    g_propagate_error (error, g_steal_pointer (&close_error));
  else
    g_set_error (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE,
                 "The file ends before the size of the image");
  prefix_with_path (error, path);
  return FALSE;
}

static GdkPixbuf *
finish_loader (GdkPixbufLoader *loader, const ImageEnd *end, GError **error)
{
  GdkPixbuf *pixbuf;

  if (!gdk_pixbuf_loader_close (loader, error))
    return NULL;

  pixbuf = gdk_pixbuf_loader_get_pixbuf (loader);
  if (pixbuf == NULL || image_end_is_missing (end))
    {
      g_set_error (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE,
                   "The file is truncated: it ends before the image does");
      return NULL;
    }

  return gdk_pixbuf_apply_embedded_orientation (pixbuf);
}

/*
 * image_load:
 * @size: the most pixels in either direction; at least 1
 *
 * Returns: (transfer full): the picture, upright
 */
GdkPixbuf *
image_load (LokyTaskContext *context, const char *path, int size, GError **error)
{
  g_autoptr (GdkPixbufLoader) loader = gdk_pixbuf_loader_new ();
  Size wanted = { .limit = size };
  ImageEnd end = { 0 };
  GdkPixbuf *pixbuf;

  g_signal_connect (loader, "size-prepared", G_CALLBACK (size_prepared_cb), &wanted);
  if (!feed_loader (context, loader, &wanted, &end, path, error))
    {
      gdk_pixbuf_loader_close (loader, NULL);
      return NULL;
    }

  pixbuf = finish_loader (loader, &end, error);
  if (pixbuf == NULL)
    prefix_with_path (error, path);

  return pixbuf;
}
