/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A GdkPixbuf as "(iiibay)": width, height, bytes from one row to the next, whether it has an alpha channel, pixels of
 * 8 bits a sample. In an application it comes from a decoder that may have been taken over by what it decoded: all
 * numbers are checked against each other before gdk-pixbuf believes them.
 */

#include "image-pixbuf.h"

GVariant *
image_pixbuf_reduce (const GValue *value, gpointer user_data, GError **error)
{
  GdkPixbuf *pixbuf = g_value_get_object (value);
  g_autoptr (GBytes) bytes = NULL;

  if (gdk_pixbuf_get_bits_per_sample (pixbuf) != 8)
    {
      g_set_error_literal (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNSUPPORTED_OPERATION,
                           "Only pictures of 8 bits a sample can be sent");
      return NULL;
    }

  bytes = gdk_pixbuf_read_pixel_bytes (pixbuf);
  return g_variant_new ("(iiib@ay)", gdk_pixbuf_get_width (pixbuf), gdk_pixbuf_get_height (pixbuf),
                        gdk_pixbuf_get_rowstride (pixbuf), gdk_pixbuf_get_has_alpha (pixbuf),
                        g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
}

static gboolean
is_whole (int width, int height, int rowstride, gboolean has_alpha, gsize size)
{
  gint64 row = (gint64) width * (has_alpha ? 4 : 3);

  return width > 0 && height > 0 && row <= rowstride &&
         (guint64) ((gint64) (height - 1) * rowstride + row) <= size;
}

void
image_pixbuf_rebuild (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  int width = 0, height = 0, rowstride = 0;
  gboolean has_alpha = FALSE;
  g_autoptr (GVariant) pixels = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (g_variant_is_of_type (form, G_VARIANT_TYPE ("(iiibay)")))
    {
      g_variant_get (form, "(iiib@ay)", &width, &height, &rowstride, &has_alpha, &pixels);
      bytes = g_variant_get_data_as_bytes (pixels);
    }

  if (bytes == NULL || !is_whole (width, height, rowstride, has_alpha, g_bytes_get_size (bytes)))
    {
      g_set_error_literal (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE, "This is no picture");
      return;
    }

  g_value_init (value, GDK_TYPE_PIXBUF);
  g_value_take_object (value, gdk_pixbuf_new_from_bytes (bytes, GDK_COLORSPACE_RGB, has_alpha, 8, width,
                                                         height, rowstride));
}
