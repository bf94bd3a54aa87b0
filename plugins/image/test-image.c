/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <string.h>
#include <loky.h>

#include "image-pixbuf.h"

typedef struct
{
  LokyExecutor *executor;
  char *folder;
  char *file;
  char *thumbnail;
} Fixture;

static void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->folder = g_dir_make_tmp ("loky-image-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->file = g_build_filename (fixture->folder, "image", NULL);
  fixture->thumbnail = g_build_filename (fixture->folder, "thumbnail", NULL);

  /* The workers take it over; HOME leads nowhere. */
  g_setenv ("LOKY_THUMBNAIL_DIR", fixture->folder, TRUE);
  fixture->executor = loky_executor_new (1);
}

static void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  loky_executor_shutdown_sync (fixture->executor, LOKY_SHUTDOWN_DRAIN, 30 * G_TIME_SPAN_SECOND,
                               NULL, &error);
  g_assert_no_error (error);
  g_clear_object (&fixture->executor);

  /* This also finds a temporary file that was left behind. */
  g_unlink (fixture->file);
  g_unlink (fixture->thumbnail);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_clear_pointer (&fixture->file, g_free);
  g_clear_pointer (&fixture->thumbnail, g_free);
  g_clear_pointer (&fixture->folder, g_free);
}

static GVariant *
call (Fixture *fixture, const char *task, GVariant *args, GError **error)
{
  return loky_executor_call_sync (fixture->executor, task, args, NULL, NULL, error);
}

/* Its left half is red, the rest blue, with noise that keeps it from being compressed. */
static void
encode_image (const char *type, int width, int height, char **contents, gsize *length)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, width, height);
  guint8 *pixels = gdk_pixbuf_get_pixels (pixbuf);
  int rowstride = gdk_pixbuf_get_rowstride (pixbuf);
  g_autoptr (GError) error = NULL;

  for (int y = 0; y < height; y++)
    {
      for (int x = 0; x < width; x++)
        {
          guint8 *pixel = pixels + y * rowstride + 3 * x;

          pixel[0] = x < width / 2 ? 240 : 10;
          pixel[1] = (x * 31 + y * 17) % 13;
          pixel[2] = x < width / 2 ? 10 : 240;
        }
    }

  gdk_pixbuf_save_to_buffer (pixbuf, contents, length, type, &error, NULL);
  g_assert_no_error (error);
}

static void
write_image (Fixture *fixture, const char *contents, gsize length)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (fixture->file, contents, length, &error);
  g_assert_no_error (error);
}

static void
make_image (Fixture *fixture, const char *type, int width, int height)
{
  g_autofree char *contents = NULL;
  gsize length;

  encode_image (type, width, height, &contents, &length);
  write_image (fixture, contents, length);
}

static void
assert_result (GVariant *result, const char *expected)
{
  g_autofree char *found = g_variant_print (result, FALSE);

  g_assert_cmpstr (found, ==, expected);
}

static GdkPixbuf *
assert_thumbnail (Fixture *fixture, int size, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;
  GdkPixbuf *pixbuf;
  g_autoptr (GVariant) result =
      call (fixture, "image.thumbnail-to",
            g_variant_new ("(ssi)", fixture->file, fixture->thumbnail, size), &error);

  g_assert_no_error (error);
  assert_result (result, expected);
  pixbuf = gdk_pixbuf_new_from_file (fixture->thumbnail, &error);
  g_assert_no_error (error);
  found =
      g_strdup_printf ("(%d, %d)", gdk_pixbuf_get_width (pixbuf), gdk_pixbuf_get_height (pixbuf));
  g_assert_cmpstr (found, ==, expected);

  return pixbuf;
}

static void
test_info (Fixture *fixture, gconstpointer data)
{
  static const char *const types[] = { "png", "jpeg" };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = NULL;
      g_autofree char *expected = g_strdup_printf ("('%s', 640, 480)", types[i]);

      make_image (fixture, types[i], 640, 480);
      result = call (fixture, "image.info", g_variant_new_string (fixture->file), &error);
      g_assert_no_error (error);
      assert_result (result, expected);
    }
}

static void
test_thumbnail_keeps_the_aspect_ratio (Fixture *fixture, gconstpointer data)
{
  static const char *const types[] = { "png", "jpeg" };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GdkPixbuf) wide = NULL;
      g_autoptr (GdkPixbuf) high = NULL;
      g_autoptr (GdkPixbuf) thin = NULL;
      g_autoptr (GdkPixbuf) small = NULL;

      make_image (fixture, types[i], 640, 480);
      wide = assert_thumbnail (fixture, 100, "(100, 75)");
      make_image (fixture, types[i], 200, 800);
      high = assert_thumbnail (fixture, 64, "(16, 64)");
      make_image (fixture, types[i], 2000, 1);
      thin = assert_thumbnail (fixture, 64, "(64, 1)");
      make_image (fixture, types[i], 30, 20);
      small = assert_thumbnail (fixture, 64, "(30, 20)");
    }
}

static void
test_thumbnail_goes_to_the_cache (Fixture *fixture, gconstpointer data)
{
  g_autofree char *uri = g_filename_to_uri (fixture->file, NULL, NULL);
  g_autofree char *checksum = g_compute_checksum_for_string (G_CHECKSUM_MD5, uri, -1);
  g_autofree char *name = g_strconcat (checksum, ".png", NULL);
  g_autofree char *expected = g_build_filename (fixture->folder, name, NULL);
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  make_image (fixture, "jpeg", 640, 480);
  result = call (fixture, "image.thumbnail", g_variant_new_string (uri), &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, expected);

  pixbuf = gdk_pixbuf_new_from_file (expected, &error);
  g_assert_no_error (error);
  g_assert_cmpint (gdk_pixbuf_get_width (pixbuf), ==, 128);
  g_assert_cmpint (gdk_pixbuf_get_height (pixbuf), ==, 96);
  g_assert_cmpstr (gdk_pixbuf_get_option (pixbuf, "tEXt::Thumb::URI"), ==, uri);
  g_assert_cmpint (g_unlink (expected), ==, 0);
}

/* Orientation 6: the camera was turned, the picture is to be turned clockwise. */
static const guint8 exif_orientation[] = {
  0xff, 0xe1, 0x00, 0x22, 'E',  'x',  'i',  'f',  0x00, 0x00, 'M',  'M',
  0x00, 0x2a, 0x00, 0x00, 0x00, 0x08, 0x00, 0x01, 0x01, 0x12, 0x00, 0x03,
  0x00, 0x00, 0x00, 0x01, 0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static void
test_thumbnail_is_upright (Fixture *fixture, gconstpointer data)
{
  g_autofree char *contents = NULL;
  g_autoptr (GByteArray) oriented = g_byte_array_new ();
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  const guint8 *pixels;
  gsize length;
  int rowstride;

  encode_image ("jpeg", 640, 480, &contents, &length);
  g_byte_array_append (oriented, (const guint8 *) contents, 2);
  g_byte_array_append (oriented, exif_orientation, sizeof exif_orientation);
  g_byte_array_append (oriented, (const guint8 *) contents + 2, length - 2);
  write_image (fixture, (const char *) oriented->data, oriented->len);

  pixbuf = assert_thumbnail (fixture, 100, "(75, 100)");
  pixels = gdk_pixbuf_get_pixels (pixbuf);
  rowstride = gdk_pixbuf_get_rowstride (pixbuf);

  /* What was on the left, red, is now above. */
  g_assert_cmpint (pixels[10 * rowstride + 3 * 10], >, 200);
  g_assert_cmpint (pixels[10 * rowstride + 3 * 60], >, 200);
  g_assert_cmpint (pixels[90 * rowstride + 3 * 10 + 2], >, 200);
}

static void
assert_truncated (Fixture *fixture, const char *contents, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  write_image (fixture, contents, length);
  result = call (fixture, "image.thumbnail-to",
                 g_variant_new ("(ssi)", fixture->file, fixture->thumbnail, 64), &error);
  g_assert_nonnull (error);
  g_assert_true (error->domain == GDK_PIXBUF_ERROR);
  g_assert_nonnull (strstr (error->message, fixture->file));
  g_assert_null (result);
  g_assert_false (g_file_test (fixture->thumbnail, G_FILE_TEST_EXISTS));
}

static void
test_truncated_image_is_an_error (Fixture *fixture, gconstpointer data)
{
  static const char *const types[] = { "png", "jpeg" };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autofree char *contents = NULL;
      gsize length;

      encode_image (types[i], 640, 480, &contents, &length);
      assert_truncated (fixture, contents, 0);
      assert_truncated (fixture, contents, 1);
      assert_truncated (fixture, contents, 2);
      assert_truncated (fixture, contents, 20);
      assert_truncated (fixture, contents, 300);
      assert_truncated (fixture, contents, length / 2);
      assert_truncated (fixture, contents, length - 20);
      assert_truncated (fixture, contents, length - 2);
      assert_truncated (fixture, contents, length - 1);
    }
}

static void
test_junk_behind_an_image_is_no_error (Fixture *fixture, gconstpointer data)
{
  static const char *const types[] = { "png", "jpeg" };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autofree char *contents = NULL;
      g_autoptr (GString) longer = NULL;
      g_autoptr (GdkPixbuf) pixbuf = NULL;
      gsize length;

      encode_image (types[i], 64, 64, &contents, &length);
      longer = g_string_new_len (contents, length);
      g_string_append (longer, "\n some more");
      write_image (fixture, longer->str, longer->len);
      pixbuf = assert_thumbnail (fixture, 32, "(32, 32)");
    }
}

static void
test_what_is_no_image_is_an_error (Fixture *fixture, gconstpointer data)
{
  static const char *const tasks[] = { "image.info", "image.thumbnail" };

  write_image (fixture, "This is no image, but it is long enough to be looked at.\n", 57);
  for (gsize i = 0; i < G_N_ELEMENTS (tasks); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result =
          call (fixture, tasks[i], g_variant_new_string (fixture->file), &error);

      g_assert_error (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNKNOWN_TYPE);
      g_assert_nonnull (strstr (error->message, fixture->file));
      g_assert_null (result);
    }
}

static void
test_missing_file_is_named (Fixture *fixture, gconstpointer data)
{
  static const char *const tasks[] = { "image.info", "image.thumbnail" };

  for (gsize i = 0; i < G_N_ELEMENTS (tasks); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result =
          call (fixture, tasks[i], g_variant_new_string (fixture->file), &error);

      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
      g_assert_nonnull (strstr (error->message, fixture->file));
      g_assert_null (result);
    }
}

static void
test_directory_is_an_error (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result =
      call (fixture, "image.info", g_variant_new_string (fixture->folder), &error);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_assert_null (result);
}

static void
test_size_must_be_positive (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  make_image (fixture, "png", 8, 8);
  result = call (fixture, "image.thumbnail-to",
                 g_variant_new ("(ssi)", fixture->file, fixture->thumbnail, 0), &error);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_null (result);
}

#define ADD_TEST(name, func)                                                                       \
  g_test_add ("/loky/plugins/image/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

/* --- pictures as values ------------------------------------------------------------------------- */

static LokyReducerRegistry *
make_registry (void)
{
  LokyReducerRegistry *registry = loky_reducer_registry_new ();

  loky_reducer_registry_set_reduce_func (registry, GDK_TYPE_PIXBUF, image_pixbuf_reduce, NULL, NULL);
  loky_reducer_registry_set_rebuild_func (registry, GDK_TYPE_PIXBUF, image_pixbuf_rebuild, NULL, NULL);
  return registry;
}

static LokyFuture *
submit_decode (LokyExecutor *executor, const char *path, int size)
{
  GValue values[2] = { G_VALUE_INIT, G_VALUE_INIT };
  g_autoptr (GError) error = NULL;
  LokyFuture *future;

  g_value_init (&values[0], G_TYPE_FILE);
  g_value_take_object (&values[0], g_file_new_for_path (path));
  g_value_init (&values[1], G_TYPE_INT);
  g_value_set_int (&values[1], size);
  future = loky_executor_submit_values (executor, "image.decode", values, 2, NULL, &error);
  g_assert_no_error (error);
  g_value_unset (&values[0]);
  g_value_unset (&values[1]);
  g_assert_true (loky_future_wait (future, -1, NULL, &error));
  return future;
}

static void
test_decode_gives_a_picture (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_registry ();
  g_autoptr (LokyExecutor) executor = g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 1, "job-reducers", registry, NULL);
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (LokyFuture) bad = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) nothing = G_VALUE_INIT;
  GdkPixbuf *pixbuf;

  make_image (fixture, "png", 400, 100);
  future = submit_decode (executor, fixture->file, 200);
  g_assert_true (loky_future_dup_value (future, &value, &error));
  g_assert_no_error (error);
  pixbuf = g_value_get_object (&value);
  g_assert_true (GDK_IS_PIXBUF (pixbuf));
  g_assert_cmpint (gdk_pixbuf_get_width (pixbuf), ==, 200);
  g_assert_cmpint (gdk_pixbuf_get_height (pixbuf), ==, 50);
  g_assert_cmpint (gdk_pixbuf_read_pixels (pixbuf)[0], >, 200);

  bad = submit_decode (executor, fixture->file, 0);
  g_assert_false (loky_future_dup_value (bad, &nothing, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

static void
test_forged_pictures_are_refused (Fixture *fixture, gconstpointer data)
{
  static const char *const texts[] = {
    "1",
    "(0, 1, 3, false, @ay [])",
    "(1, 0, 3, false, [byte 1, 2, 3])",
    "(-1, -1, -3, false, [byte 1, 2, 3])",
    "(1, 1, 2, false, [byte 1, 2, 3])",
    "(1, 1, 3, true, [byte 1, 2, 3])",
    "(1, 2, 3, false, [byte 1, 2, 3])",
    "(2147483647, 2147483647, 2147483647, true, [byte 1, 2, 3])",
    "(1, 2147483647, 2147483647, false, [byte 1, 2, 3])",
  };
  g_autoptr (LokyReducerRegistry) registry = make_registry ();

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GVariant) form = g_variant_parse (NULL, texts[i], NULL, NULL, NULL);
      g_autoptr (GVariant) reduced = g_variant_ref_sink (g_variant_new ("(smv)", "GdkPixbuf", form));
      g_autoptr (GError) error = NULL;
      g_auto (GValue) value = G_VALUE_INIT;

      g_assert_false (loky_reducer_registry_rebuild (registry, reduced, &value, &error));
      g_assert_error (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD_TEST ("info", test_info);
  ADD_TEST ("thumbnail-keeps-the-aspect-ratio", test_thumbnail_keeps_the_aspect_ratio);
  ADD_TEST ("thumbnail-goes-to-the-cache", test_thumbnail_goes_to_the_cache);
  ADD_TEST ("thumbnail-is-upright", test_thumbnail_is_upright);
  ADD_TEST ("truncated-image-is-an-error", test_truncated_image_is_an_error);
  ADD_TEST ("junk-behind-an-image-is-no-error", test_junk_behind_an_image_is_no_error);
  ADD_TEST ("what-is-no-image-is-an-error", test_what_is_no_image_is_an_error);
  ADD_TEST ("missing-file-is-named", test_missing_file_is_named);
  ADD_TEST ("directory-is-an-error", test_directory_is_an_error);
  ADD_TEST ("size-must-be-positive", test_size_must_be_positive);
  ADD_TEST ("decode-gives-a-picture", test_decode_gives_a_picture);
  ADD_TEST ("forged-pictures-are-refused", test_forged_pictures_are_refused);

  return g_test_run ();
}
