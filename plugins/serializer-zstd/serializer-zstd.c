/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The serializer `zstd`: values as GVariant serialises them, compressed. Quick rather than small: values stay on one
 * machine, where it pays for those that are large and repeat themselves, such as text.
 */

#include <loky.h>
#include <zstd.h>

#define LEVEL 1

static gboolean
fail (GError **error, const char *what)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, what);
  return FALSE;
}

static GBytes *
compress (GVariant *value, gpointer user_data, GError **error)
{
  gsize size = g_variant_get_size (value);
  gsize capacity = ZSTD_compressBound (size);
  guint8 *out = ZSTD_isError (capacity) ? NULL : g_try_malloc (capacity);
  gsize length;

  if (out == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "There is no memory to compress the value in");
      return NULL;
    }
  length = ZSTD_compress (out, capacity, g_variant_get_data (value), size, LEVEL);
  if (ZSTD_isError (length))
    {
      fail (error, ZSTD_getErrorName (length));
      g_free (out);
      return NULL;
    }
  /* The bound is a little more than the value. */
  return g_bytes_new_take (g_realloc (out, MAX (length, 1)), length);
}

/* The size is checked against what the data says of itself before there is memory for it; decompression ends there. */
static GVariant *
decompress (const GVariantType *type, GBytes *bytes, gsize size, gpointer user_data, GError **error)
{
  gsize length;
  gconstpointer data = g_bytes_get_data (bytes, &length);
  guint8 *out;
  gsize done;

  if (length == 0 || ZSTD_getFrameContentSize (data, length) != size ||
      ZSTD_findFrameCompressedSize (data, length) != length)
    {
      fail (error, "This is not a value of the size that is said");
      return NULL;
    }
  out = g_try_malloc (MAX (size, 1));
  if (out == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "There is no memory for the value");
      return NULL;
    }
  done = ZSTD_decompress (out, size, data, length);
  if (done == size)
    return g_variant_new_from_data (type, out, size, FALSE, g_free, out);
  fail (error, ZSTD_isError (done) ? ZSTD_getErrorName (done) : "The value ends too soon");
  g_free (out);
  return NULL;
}

static const LokySerializerDescriptor descriptor = {
  LOKY_SERIALIZER_INIT,
  .name = "zstd",
  .version = "1.0",
  .summary = "Compresses values by Zstandard",
  .serialize = compress,
  .deserialize = decompress,
};

LOKY_SERIALIZER_EXPORT (descriptor)
