/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The results of a chunk as one value: joined in the worker, taken apart in the application, which believes
 * nothing of it. */

#include "loky-chunk-private.h"

#include <gio/gio.h>
#include <string.h>

#include "loky-error.h"
#include "loky-message-private.h"

static void
free_error (gpointer error)
{
  if (error != NULL)
    g_error_free (error);
}

static void
free_value (gpointer value)
{
  if (value != NULL)
    g_variant_unref (value);
}

/* Of each item its result in the text format of GVariant, or "!" and the message of its error. */
static GVariant *
join (const char *const *items, gboolean *is_mixed)
{
  g_autoptr (GPtrArray) results = g_ptr_array_new_with_free_func (free_value);
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (free_error);

  for (; *items != NULL; items++)
    {
      gboolean is_error = (*items)[0] == '!';

      g_ptr_array_add (results, is_error ? NULL : g_variant_ref_sink (g_variant_new_parsed (*items)));
      g_ptr_array_add (errors, is_error ? g_error_new_literal (G_IO_ERROR, 7, *items + 1) : NULL);
    }
  return loky_chunk_join (results, errors, is_mixed);
}

static void
assert_value (GVariant *value, const char *text)
{
  g_autofree char *printed = NULL;

  g_assert_nonnull (value);
  printed = g_variant_print (value, TRUE);
  g_assert_cmpstr (printed, ==, text);
  g_variant_unref (value);
}

static void
assert_run (GVariant *results, gboolean is_mixed, gsize first, const char *text)
{
  g_autoptr (GError) error = NULL;

  assert_value (loky_chunk_dup_run (results, is_mixed, first, &error), text);
  g_assert_no_error (error);
}

static void
test_of_one_type (void)
{
  static const char *const items[] = { "int64 1", "int64 2", "int64 3", NULL };
  gboolean is_mixed;
  g_autoptr (GVariant) results = join (items, &is_mixed);
  g_autoptr (GError) error = NULL;

  g_assert_false (is_mixed);
  g_assert_true (loky_chunk_check (results, is_mixed, 3, &error));
  assert_value (loky_chunk_dup_result (results, is_mixed, 1, &error), "int64 2");
  assert_run (results, is_mixed, 0, "[int64 1, 2, 3]");
  assert_run (results, is_mixed, 2, "[int64 3]");
  g_assert_no_error (error);
}

static void
test_of_variable_size (void)
{
  static const char *const items[] = { "'one'", "'two'", "'three'", NULL };
  gboolean is_mixed;
  g_autoptr (GVariant) results = join (items, &is_mixed);

  g_assert_false (is_mixed);
  assert_run (results, is_mixed, 1, "['two', 'three']");
}

static void
test_of_several_types (void)
{
  static const char *const items[] = { "uint32 1", "'two'", "'three'", NULL };
  gboolean is_mixed;
  g_autoptr (GVariant) results = join (items, &is_mixed);
  g_autoptr (GError) error = NULL;

  g_assert_true (is_mixed);
  g_assert_true (loky_chunk_check (results, is_mixed, 3, &error));
  assert_value (loky_chunk_dup_result (results, is_mixed, 0, &error), "uint32 1");
  assert_run (results, is_mixed, 0, "[<uint32 1>, <'two'>, <'three'>]");
  assert_run (results, is_mixed, 1, "['two', 'three']");
}

static void
test_with_errors (void)
{
  static const char *const items[] = { "int64 1", "!second", "int64 3", "int64 4", "!last", NULL };
  gboolean is_mixed;
  g_autoptr (GVariant) results = join (items, &is_mixed);
  g_autoptr (GError) error = NULL;

  g_assert_true (is_mixed);
  g_assert_true (g_variant_is_of_type (results, G_VARIANT_TYPE (LOKY_MESSAGE_MIXED_TYPE)));
  g_assert_true (loky_chunk_check (results, is_mixed, 5, &error));
  assert_run (results, is_mixed, 0, "[int64 1]");
  assert_run (results, is_mixed, 2, "[int64 3, 4]");
  g_assert_null (loky_chunk_dup_run (results, is_mixed, 1, &error));
  g_assert_error (error, G_IO_ERROR, 7);
  g_assert_cmpstr (error->message, ==, "second");
  g_clear_error (&error);
  g_assert_null (loky_chunk_dup_result (results, is_mixed, 4, &error));
  g_assert_error (error, G_IO_ERROR, 7);
  g_assert_cmpstr (error->message, ==, "last");
}

/* A result that is nothing, or whose text is that of an error, is a result. */
static void
test_results_like_errors (void)
{
  static const char *const items[] = { "@ms nothing", "('a', 1, 'b')", "!x", NULL };
  gboolean is_mixed;
  g_autoptr (GVariant) results = join (items, &is_mixed);
  g_autoptr (GError) error = NULL;

  assert_value (loky_chunk_dup_result (results, is_mixed, 0, &error), "@ms nothing");
  assert_value (loky_chunk_dup_result (results, is_mixed, 1, &error), "('a', 1, 'b')");
  g_assert_no_error (error);
}

static void
assert_refused (GVariant *results, gboolean is_mixed, gsize n_items)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (results);
  g_autoptr (GError) error = NULL;

  g_assert_false (loky_chunk_check (owned, is_mixed, n_items, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

static void
test_what_is_refused (void)
{
  assert_refused (g_variant_new_string ("abc"), FALSE, 3);
  assert_refused (g_variant_new_int64 (3), FALSE, 3);
  assert_refused (g_variant_new_parsed ("(1, 2, 3)"), FALSE, 3);
  assert_refused (g_variant_new_parsed ("[1, 2]"), FALSE, 3);
  assert_refused (g_variant_new_parsed ("[1, 2, 3, 4]"), FALSE, 3);
  assert_refused (g_variant_new_parsed ("[1, 2, 3]"), TRUE, 3);
  assert_refused (g_variant_new_parsed ("@a(mv(sis)) []"), TRUE, 3);
  assert_refused (g_variant_new_parsed ("[(@mv nothing, ('', 0, ''))]"), TRUE, 3);
  assert_refused (g_variant_new_parsed ("[(@mv nothing, ('', 0))]"), TRUE, 1);
}

/* Neither a result nor a domain: an error all the same. */
static void
test_empty_error (void)
{
  g_autoptr (GVariant) results
      = g_variant_ref_sink (g_variant_new_parsed ("[(@mv nothing, ('', 0, ''))]"));
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_chunk_check (results, TRUE, 1, &error));
  g_assert_null (loky_chunk_dup_result (results, TRUE, 0, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_FAILED);
}

/* However many items fail, and however much they say. */
static void
test_long_messages (void)
{
  enum { N = 1000 };
  g_autofree char *text = g_strnfill (100 * 1000, 'x');
  g_autoptr (GPtrArray) results = g_ptr_array_new ();
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (free_error);
  g_autoptr (GVariant) joined = NULL;
  gboolean is_mixed;

  for (guint i = 0; i < N; i++)
    {
      g_ptr_array_add (results, NULL);
      g_ptr_array_add (errors, g_error_new_literal (G_IO_ERROR, 1, text));
    }
  joined = loky_chunk_join (results, errors, &is_mixed);
  g_assert_cmpuint (g_variant_n_children (joined), ==, N);
  g_assert_cmpuint (g_variant_get_size (joined), <, 18u << 20);
  g_assert_cmpuint (g_variant_get_size (joined), >, 10u << 20);
}

/* What passes alone and would not within a chunk is told apart before. */
static void
test_nesting (void)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_boolean (TRUE));
  guint n_held = 0;

  for (guint depth = 1; depth < 140; depth++)
    {
      GVariant *inner = value;
      g_autoptr (GVariant) array = NULL;
      g_autoptr (GVariant) read = NULL;
      g_autoptr (GBytes) bytes = NULL;

      value = g_variant_ref_sink (g_variant_new_variant (inner));
      g_variant_unref (inner);
      if (!loky_chunk_can_hold (value))
        continue;
      n_held++;
      array = g_variant_ref_sink (g_variant_new_array (NULL, &value, 1));
      bytes = g_variant_get_data_as_bytes (array);
      read = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("av"), bytes, FALSE));
      g_assert_true (g_variant_is_normal_form (read));
    }
  g_assert_cmpuint (n_held, >, 100);
  g_assert_cmpuint (n_held, <, 139);
}

static void
test_plain_types (void)
{
  static const char *const plain[] = { "x", "y", "b", "d", "(xy)", "{ix}", "()", "((yx)d)" };
  static const char *const others[] = { "s", "ax", "v", "h", "mx", "(xs)", "o", "g", "(xh)", "{sv}" };

  for (gsize i = 0; i < G_N_ELEMENTS (plain); i++)
    g_assert_true (loky_chunk_is_plain_type (G_VARIANT_TYPE (plain[i])));
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    g_assert_false (loky_chunk_is_plain_type (G_VARIANT_TYPE (others[i])));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/chunk/of-one-type", test_of_one_type);
  g_test_add_func ("/loky/chunk/of-variable-size", test_of_variable_size);
  g_test_add_func ("/loky/chunk/of-several-types", test_of_several_types);
  g_test_add_func ("/loky/chunk/with-errors", test_with_errors);
  g_test_add_func ("/loky/chunk/results-like-errors", test_results_like_errors);
  g_test_add_func ("/loky/chunk/what-is-refused", test_what_is_refused);
  g_test_add_func ("/loky/chunk/empty-error", test_empty_error);
  g_test_add_func ("/loky/chunk/long-messages", test_long_messages);
  g_test_add_func ("/loky/chunk/nesting", test_nesting);
  g_test_add_func ("/loky/chunk/plain-types", test_plain_types);
  return g_test_run ();
}
