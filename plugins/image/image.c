/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `image`: sizes and thumbnails of image files, by gdk-pixbuf. A picture that makes its
 * decoder crash costs a worker, not the application.
 */

#include <errno.h>
#include <glib/gstdio.h>

#include "image-pixbuf.h"
#include "image-private.h"

#define THUMBNAIL_SIZE 128

static GVariant *
image_info (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autofree char *path = image_dup_path (g_variant_get_string (args, NULL), error);
  g_autofree char *format = NULL;
  ImageInfo info = { 0 };

  if (path == NULL || !image_read_info (context, path, &info, error))
    return NULL;

  format = info.format;
  return g_variant_new ("(sii)", format, info.width, info.height);
}

/* A PNG, in one piece: it is written beside its destination and then renamed. @uri is kept in the
 * file if it is given, as the thumbnail specification asks.
 */
static gboolean
save_png (GdkPixbuf *pixbuf, const char *uri, const char *path, int mode, GError **error)
{
  const char *no_keys[] = { NULL };
  const char *keys[] = { "tEXt::Thumb::URI", NULL };
  const char *values[] = { uri, NULL };
  g_autofree char *contents = NULL;
  gsize length = 0;

  if (!gdk_pixbuf_save_to_bufferv (pixbuf, &contents, &length, "png",
                                   (char **) (uri != NULL ? keys : no_keys),
                                   (char **) (uri != NULL ? values : no_keys), error))
    {
      g_autofree char *name = g_filename_display_name (path);

      g_prefix_error (error, "Cannot encode “%s”: ", name);
      return FALSE;
    }

  return g_file_set_contents_full (path, contents, length, G_FILE_SET_CONTENTS_CONSISTENT, mode,
                                   error);
}

static char *
ensure_thumbnail_folder (GError **error)
{
  const char *chosen = g_getenv ("LOKY_THUMBNAIL_DIR");
  g_autofree char *folder = NULL;

  if (chosen != NULL && *chosen != '\0')
    folder = g_canonicalize_filename (chosen, NULL);
  else
    folder = g_build_filename (g_get_user_cache_dir (), "loky", "thumbnails", NULL);

  if (g_mkdir_with_parents (folder, 0700) < 0)
    {
      int error_number = errno;
      g_autofree char *name = g_filename_display_name (folder);

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (error_number),
                   "Cannot make the folder “%s”: %s", name, g_strerror (error_number));
      return NULL;
    }

  return g_steal_pointer (&folder);
}

static GVariant *
path_to_variant (const char *path, GError **error)
{
  g_autofree char *uri = NULL;

  if (g_utf8_validate (path, -1, NULL))
    return g_variant_new_string (path);

  uri = g_filename_to_uri (path, NULL, error);
  return uri != NULL ? g_variant_new_string (uri) : NULL;
}

static GVariant *
image_thumbnail (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autofree char *path = image_dup_path (g_variant_get_string (args, NULL), error);
  g_autofree char *absolute = path != NULL ? g_canonicalize_filename (path, NULL) : NULL;
  g_autofree char *uri = absolute != NULL ? g_filename_to_uri (absolute, NULL, error) : NULL;
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  g_autofree char *folder = NULL;
  g_autofree char *checksum = NULL;
  g_autofree char *name = NULL;
  g_autofree char *destination = NULL;

  if (uri == NULL)
    return NULL;

  pixbuf = image_load (context, absolute, THUMBNAIL_SIZE, error);
  if (pixbuf == NULL)
    return NULL;

  folder = ensure_thumbnail_folder (error);
  if (folder == NULL)
    return NULL;

  checksum = g_compute_checksum_for_string (G_CHECKSUM_MD5, uri, -1);
  name = g_strconcat (checksum, ".png", NULL);
  destination = g_build_filename (folder, name, NULL);
  if (!save_png (pixbuf, uri, destination, 0600, error))
    return NULL;

  return path_to_variant (destination, error);
}

static GVariant *
image_thumbnail_to (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *source_file;
  const char *destination_file;
  g_autofree char *source = NULL;
  g_autofree char *destination = NULL;
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  int size;

  g_variant_get (args, "(&s&si)", &source_file, &destination_file, &size);
  if (size < 1)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "The size of a thumbnail cannot be %d: it is at least 1 pixel", size);
      return NULL;
    }

  source = image_dup_path (source_file, error);
  if (source == NULL)
    return NULL;

  destination = image_dup_path (destination_file, error);
  if (destination == NULL)
    return NULL;

  pixbuf = image_load (context, source, size, error);
  if (pixbuf == NULL || !save_png (pixbuf, NULL, destination, 0666, error))
    return NULL;

  return g_variant_new ("(ii)", gdk_pixbuf_get_width (pixbuf), gdk_pixbuf_get_height (pixbuf));
}

/* The size that the second argument says. */
static gboolean
get_size (LokyTaskContext *context, GVariant *args, int *size, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loky_task_context_dup_value (context, args, 1, &value, error))
    return FALSE;
  *size = G_VALUE_HOLDS_INT (&value) ? g_value_get_int (&value) : 0;
  if (*size >= 1)
    return TRUE;

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "The size of a picture cannot be %d: it is at least 1 pixel", *size);
  return FALSE;
}

static GVariant *
image_decode (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) file = G_VALUE_INIT;
  g_auto (GValue) picture = G_VALUE_INIT;
  g_autofree char *path = NULL;
  GdkPixbuf *pixbuf;
  int size;

  if (!loky_task_context_dup_value (context, args, 0, &file, error) || !get_size (context, args, &size, error))
    return NULL;
  if (G_VALUE_HOLDS (&file, G_TYPE_FILE) && g_value_get_object (&file) != NULL)
    path = g_file_get_path (g_value_get_object (&file));
  if (path == NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "A “%s” is given as the file: it is to be a local GFile", G_VALUE_TYPE_NAME (&file));
      return NULL;
    }

  pixbuf = image_load (context, path, size, error);
  if (pixbuf == NULL)
    return NULL;

  g_value_init (&picture, GDK_TYPE_PIXBUF);
  g_value_take_object (&picture, pixbuf);
  return loky_task_context_reduce_value (context, &picture, error);
}

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "info",
      .arguments_type = "s",
      .result_type = "(sii)",
      .func = image_info,
      .summary = "The format, width and height of an image, from its header",
      .arguments = "FILE",
  },
  {
      .name = "thumbnail",
      .arguments_type = "s",
      .result_type = "s",
      .func = image_thumbnail,
      .summary = "Writes a thumbnail of at most 128×128 pixels to the cache, and returns its name",
      .arguments = "FILE",
  },
  {
      .name = "thumbnail-to",
      .arguments_type = "(ssi)",
      .result_type = "(ii)",
      .func = image_thumbnail_to,
      .summary = "Writes a PNG of an image within a size, and returns its width and height",
      .arguments = "SOURCE DESTINATION SIZE",
  },
  {
      .name = "decode",
      .arguments_type = "(*i)",
      .result_type = "(smv)",
      .func = image_decode,
      .summary = "The picture of an image within a size, as a GdkPixbuf, for programs",
      .arguments = "FILE SIZE",
  },
};

static const LokyReducerDescriptor reducers[] = {
  { .get_type = gdk_pixbuf_get_type, .reduce = image_pixbuf_reduce, .rebuild = image_pixbuf_rebuild },
};

static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "image",
  .version = "1.0",
  .summary = "Sizes and thumbnails of images",
  .tasks = tasks,
  .n_tasks = G_N_ELEMENTS (tasks),
  .reducers = reducers,
  .n_reducers = G_N_ELEMENTS (reducers),
};

LOKY_PLUGIN_EXPORT (descriptor)
