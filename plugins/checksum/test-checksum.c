/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <glib/gstdio.h>
#include <loky.h>

typedef struct
{
  LokyExecutor *executor;
  char *folder;
} Fixture;

static void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->executor = loky_executor_new (1);
  fixture->folder = g_dir_make_tmp ("loky-checksum-XXXXXX", &error);
  g_assert_no_error (error);
}

static void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  loky_executor_shutdown_sync (fixture->executor, LOKY_SHUTDOWN_DRAIN, 30 * G_TIME_SPAN_SECOND,
                               NULL, &error);
  g_assert_no_error (error);
  g_clear_object (&fixture->executor);

  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_clear_pointer (&fixture->folder, g_free);
}

static char *
write_file (Fixture *fixture, const char *name, gconstpointer contents, gsize length)
{
  g_autoptr (GError) error = NULL;
  char *path = g_build_filename (fixture->folder, name, NULL);

  g_file_set_contents (path, contents, length, &error);
  g_assert_no_error (error);

  return path;
}

static char *
checksum (Fixture *fixture, const char *task, const char *file, GError **error)
{
  g_autoptr (GVariant) result =
      loky_executor_call_sync (fixture->executor, task, g_variant_new_string (file), NULL, NULL,
                               error);

  return result != NULL ? g_variant_dup_string (result, NULL) : NULL;
}

static void
assert_checksum (Fixture *fixture, const char *task, const char *file, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *found = checksum (fixture, task, file, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (found, ==, expected);
}

#define MD5_ABC "900150983cd24fb0d6963f7d28e17f72"
#define SHA1_ABC "a9993e364706816aba3e25717850c26c9cd0d89d"
#define SHA256_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA512_ABC                                                                                 \
  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                               \
  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
#define BLAKE2B_ABC                                                                                \
  "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"                               \
  "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
#define SHA256_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void
test_known_values (Fixture *fixture, gconstpointer data)
{
  g_autofree char *abc = write_file (fixture, "abc", "abc", 3);
  g_autofree char *empty = write_file (fixture, "empty", "", 0);

  assert_checksum (fixture, "checksum.md5", abc, MD5_ABC);
  assert_checksum (fixture, "checksum.sha1", abc, SHA1_ABC);
  assert_checksum (fixture, "checksum.sha256", abc, SHA256_ABC);
  assert_checksum (fixture, "checksum.sha512", abc, SHA512_ABC);
  assert_checksum (fixture, "checksum.blake2b", abc, BLAKE2B_ABC);
  assert_checksum (fixture, "checksum.sha256", empty, SHA256_EMPTY);

  g_assert_cmpint (g_unlink (abc), ==, 0);
  g_assert_cmpint (g_unlink (empty), ==, 0);
}

/* The sizes around a whole block are those at which the end of the file is found differently. */
static void
test_sizes_agree_with_glib (Fixture *fixture, gconstpointer data)
{
  static const gsize sizes[] = { 1, 262143, 262144, 262145, 524288, 5000000, 20000000 };
  gsize largest = sizes[G_N_ELEMENTS (sizes) - 1];
  g_autofree guint8 *contents = g_malloc (largest);

  for (gsize i = 0; i < largest; i++)
    contents[i] = (i * 7 + i / 251) & 0xff;

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *path = write_file (fixture, "large", contents, sizes[i]);
      g_autofree char *expected =
          g_compute_checksum_for_data (G_CHECKSUM_SHA256, contents, sizes[i]);

      assert_checksum (fixture, "checksum.sha256", path, expected);
      g_assert_cmpint (g_unlink (path), ==, 0);
    }
}

static void
test_file_of_unknown_size (Fixture *fixture, gconstpointer data)
{
  const char *path = "/proc/version";
  g_autofree char *contents = NULL;
  g_autofree char *expected = NULL;
  gsize length = 0;

  if (!g_file_get_contents (path, &contents, &length, NULL))
    {
      g_test_skip ("There is no /proc here");
      return;
    }

  expected = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guint8 *) contents, length);
  assert_checksum (fixture, "checksum.sha256", path, expected);
}

static void
test_uri_names_what_is_not_utf8 (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = write_file (fixture, "caf\xe9", "abc", 3);
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;

  assert_checksum (fixture, "checksum.sha256", uri, SHA256_ABC);
  g_assert_cmpint (g_unlink (path), ==, 0);

  found = checksum (fixture, "checksum.sha256", "file:///bad%zzescape", &error);
  g_assert_error (error, G_CONVERT_ERROR, G_CONVERT_ERROR_BAD_URI);
  g_assert_null (found);
}

static void
test_directory_is_an_error (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *found = checksum (fixture, "checksum.sha256", fixture->folder, &error);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_assert_nonnull (strstr (error->message, fixture->folder));
  g_assert_null (found);
}

static void
test_missing_file_is_named (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "missing", NULL);
  g_autofree char *expected = g_strdup_printf ("Cannot open “%s”: %s", path, g_strerror (ENOENT));
  g_autoptr (GError) error = NULL;
  g_autofree char *found = checksum (fixture, "checksum.sha256", path, &error);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, expected));
  g_assert_null (found);
}

/* A digest that was cut short must not leak into the next one. */
static void
test_success_after_failure (Fixture *fixture, gconstpointer data)
{
  g_autofree char *abc = write_file (fixture, "abc", "abc", 3);
  g_autofree char *found = checksum (fixture, "checksum.sha256", fixture->folder, NULL);

  g_assert_null (found);
  assert_checksum (fixture, "checksum.sha256", abc, SHA256_ABC);
  g_assert_cmpint (g_unlink (abc), ==, 0);
}

static gpointer
cancel_thread (gpointer data)
{
  g_usleep (G_USEC_PER_SEC / 5);
  g_cancellable_cancel (data);
  return NULL;
}

/* /dev/zero never ends: only the cancellation does. */
static void
test_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("cancel", cancel_thread, cancellable);

  result = loky_executor_call_sync (fixture->executor, "checksum.sha256",
                                    g_variant_new_string ("/dev/zero"), NULL, cancellable, &error);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (result);
  g_thread_join (thread);
}

#define ADD_TEST(name, func)                                                                       \
  g_test_add ("/loky/plugins/checksum/" name, Fixture, NULL, fixture_set_up, func,                 \
              fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD_TEST ("known-values", test_known_values);
  ADD_TEST ("sizes-agree-with-glib", test_sizes_agree_with_glib);
  ADD_TEST ("file-of-unknown-size", test_file_of_unknown_size);
  ADD_TEST ("uri-names-what-is-not-utf8", test_uri_names_what_is_not_utf8);
  ADD_TEST ("directory-is-an-error", test_directory_is_an_error);
  ADD_TEST ("missing-file-is-named", test_missing_file_is_named);
  ADD_TEST ("success-after-failure", test_success_after_failure);
  ADD_TEST ("cancelled", test_cancelled);

  return g_test_run ();
}
