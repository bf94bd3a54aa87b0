/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib/gstdio.h>
#include <loky.h>

typedef struct
{
  LokyExecutor *executor;
  char *folder;
  char *file;
} Fixture;

static void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->executor = loky_executor_new (1);
  fixture->folder = g_dir_make_tmp ("loky-text-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->file = g_build_filename (fixture->folder, "text", NULL);
}

static void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  loky_executor_shutdown_sync (fixture->executor, LOKY_SHUTDOWN_DRAIN, 30 * G_TIME_SPAN_SECOND,
                               NULL, &error);
  g_assert_no_error (error);
  g_clear_object (&fixture->executor);

  g_unlink (fixture->file);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_clear_pointer (&fixture->file, g_free);
  g_clear_pointer (&fixture->folder, g_free);
}

static GVariant *
call (Fixture *fixture, const char *task, GVariant *args, GError **error)
{
  return loky_executor_call_sync (fixture->executor, task, args, NULL, NULL, error);
}

static void
write_text (Fixture *fixture, const char *text, gssize length)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (fixture->file, text, length, &error);
  g_assert_no_error (error);
}

static void
assert_count (Fixture *fixture, guint64 lines, guint64 words, guint64 bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) expected = g_variant_ref_sink (g_variant_new ("(ttt)", lines, words, bytes));
  g_autoptr (GVariant) result =
      call (fixture, "text.count", g_variant_new_string (fixture->file), &error);

  g_assert_no_error (error);
  g_assert_cmpvariant (result, expected);
}

static void
assert_frequencies (Fixture *fixture, guint maximum, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;
  g_autoptr (GVariant) result =
      call (fixture, "text.frequencies", g_variant_new ("(su)", fixture->file, maximum), &error);

  g_assert_no_error (error);
  found = g_variant_print (result, FALSE);
  g_assert_cmpstr (found, ==, expected);
}

static void
test_count (Fixture *fixture, gconstpointer data)
{
  write_text (fixture, "", 0);
  assert_count (fixture, 0, 0, 0);

  write_text (fixture, "one two\nthree\n", -1);
  assert_count (fixture, 2, 3, 14);

  write_text (fixture, "  no\tnewline\v at \f the\r end", -1);
  assert_count (fixture, 0, 5, 27);

  write_text (fixture, "caf\xc3\xa9 \xc2\xa0 \xff\n", -1);
  assert_count (fixture, 1, 3, 11);

  write_text (fixture, "a\0b c\n", 6);
  assert_count (fixture, 1, 2, 6);
}

static void
test_count_over_blocks (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);

  /* 11 divides no block: words lie across the ends of blocks. */
  for (guint i = 0; i < 200000; i++)
    g_string_append (text, "seven eigh\n");

  write_text (fixture, text->str, text->len);
  assert_count (fixture, 200000, 400000, 2200000);
  assert_frequencies (fixture, 10, "[('eigh', 200000), ('seven', 200000)]");
}

static void
test_frequencies (Fixture *fixture, gconstpointer data)
{
  write_text (fixture, "The cat, the dog; THE bird. A dog!", -1);
  assert_frequencies (fixture, 2, "[('the', 3), ('dog', 2)]");
  assert_frequencies (fixture, 100, "[('the', 3), ('dog', 2), ('a', 1), ('bird', 1), ('cat', 1)]");
  assert_frequencies (fixture, 0, "[]");

  write_text (fixture, "", 0);
  assert_frequencies (fixture, 5, "[]");
}

static void
test_frequencies_of_unicode (Fixture *fixture, gconstpointer data)
{
  write_text (fixture, "Éclair éclair Straße STRASSE", -1);
  assert_frequencies (fixture, 9, "[('strasse', 2), ('éclair', 2)]");

  write_text (fixture, "don't Don’t 'quoted' dogs' a''b", -1);
  assert_frequencies (fixture, 9,
                      "[(\"don't\", 2), ('a', 1), ('b', 1), ('dogs', 1), ('quoted', 1)]");

  write_text (fixture,
              "ab\xff"
              "cd \xc3(ef) a\0b \xe2\x82",
              18);
  assert_frequencies (fixture, 9, "[('a', 1), ('ab', 1), ('b', 1), ('cd', 1), ('ef', 1)]");
}

static void
test_frequencies_of_characters_over_blocks (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);

  /* Four bytes each, shifted by one: every end of a block lies within a character. */
  g_string_append (text, "x");
  for (guint i = 0; i < 300000; i++)
    g_string_append (text, i % 10 == 9 ? " ab " : "𝐀");

  write_text (fixture, text->str, text->len);
  assert_frequencies (fixture, 3, "[('ab', 30000), ('𝐀𝐀𝐀𝐀𝐀𝐀𝐀𝐀𝐀', 29999), ('x𝐀𝐀𝐀𝐀𝐀𝐀𝐀𝐀𝐀', 1)]");
}

static void
test_errors_name_the_file (Fixture *fixture, gconstpointer data)
{
  static const char *const tasks[] = { "text.count", "text.frequencies" };

  for (gsize i = 0; i < G_N_ELEMENTS (tasks); i++)
    {
      GVariant *args =
          i == 0 ? g_variant_new_string (fixture->file) : g_variant_new ("(su)", fixture->file, 3);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = call (fixture, tasks[i], args, &error);

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
      call (fixture, "text.count", g_variant_new_string (fixture->folder), &error);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_assert_null (result);
}

static void
test_uri_names_a_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *uri = g_filename_to_uri (fixture->file, NULL, NULL);
  g_autofree char *found = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  write_text (fixture, "a b\n", -1);
  result = call (fixture, "text.count", g_variant_new_string (uri), &error);
  g_assert_no_error (error);
  found = g_variant_print (result, FALSE);
  g_assert_cmpstr (found, ==, "(1, 2, 4)");
}

#define ADD_TEST(name, func)                                                                       \
  g_test_add ("/loky/plugins/text/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD_TEST ("count", test_count);
  ADD_TEST ("count-over-blocks", test_count_over_blocks);
  ADD_TEST ("frequencies", test_frequencies);
  ADD_TEST ("frequencies-of-unicode", test_frequencies_of_unicode);
  ADD_TEST ("frequencies-of-characters-over-blocks", test_frequencies_of_characters_over_blocks);
  ADD_TEST ("errors-name-the-file", test_errors_name_the_file);
  ADD_TEST ("directory-is-an-error", test_directory_is_an_error);
  ADD_TEST ("uri-names-a-file", test_uri_names_a_file);

  return g_test_run ();
}
