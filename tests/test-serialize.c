/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A value by way of a serializer, and what is refused of a peer that is not trusted: in this process. */

#include "loky-serializer-private.h"

#include <string.h>

#include "loky-error.h"

/* Runs of one byte: length (8), byte (1). */
static GBytes *
serialize_runs (GVariant *value, gpointer user_data, GError **error)
{
  const guint8 *data = g_variant_get_data (value);
  gsize size = g_variant_get_size (value);
  GByteArray *runs = g_byte_array_new ();

  for (gsize i = 0; i < size;)
    {
      guint64 n = 1;

      while (i + n < size && data[i + n] == data[i])
        n++;
      g_byte_array_append (runs, (guint8 *) &n, sizeof n);
      g_byte_array_append (runs, data + i, 1);
      i += n;
    }
  return g_byte_array_free_to_bytes (runs);
}

static gsize most_allocated;

/* As careless as a serializer can be: it believes what it is given. */
static GVariant *
deserialize_runs (const GVariantType *type, GBytes *bytes, gsize size, gpointer user_data, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (bytes, &length);
  GByteArray *out = g_byte_array_new ();
  g_autoptr (GBytes) made = NULL;

  for (gsize i = 0; i + 9 <= length; i += 9)
    {
      guint64 n;
      guint start = out->len;

      memcpy (&n, data + i, sizeof n);
      n = MIN (n, size - out->len);
      g_byte_array_set_size (out, out->len + (guint) n);
      if (n > 0)
        memset (out->data + start, data[i + 8], n);
    }
  most_allocated = MAX (most_allocated, out->len);
  made = g_byte_array_free_to_bytes (out);
  return g_variant_new_from_bytes (type, made, FALSE);
}

static LokySerializer runs = {
  LOKY_SERIALIZER_INIT,
  .name = "runs",
  .serialize = serialize_runs,
  .deserialize = deserialize_runs,
};

static void
assert_round (GVariant *value, const char *wire_type)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (GVariant) normal = g_variant_get_normal_form (owned);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) wire = loky_serialize (&runs, normal, &error);
  g_autoptr (GVariant) back = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_type_string (wire), ==, wire_type);
  back = loky_deserialize (&runs, wire, &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_equal (back, owned));
}

static GVariant *
make_zeros (gsize size)
{
  gpointer zeros = g_malloc0 (size);

  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, zeros, size, TRUE, g_free, zeros);
}

static void
values_come_back (void)
{
  assert_round (make_zeros (1000), "(stay)");
  /* What becomes no smaller, and what becomes too much smaller, is sent as it is. */
  assert_round (g_variant_new_string ("short"), "s");
  assert_round (g_variant_new ("()"), "()");
  assert_round (make_zeros (1 << 20), "(stay)");
  assert_round (make_zeros (2 << 20), "ay");
  /* What could be mistaken for either. */
  assert_round (g_variant_new ("v", g_variant_new_string ("short")), "v");
  assert_round (g_variant_new ("(st@ay)", "s", G_GUINT64_CONSTANT (1), make_zeros (1)), "v");
}

static void
assert_refused (const char *type, guint64 size, guint64 run, int code)
{
  guint8 data[9] = { 0 };
  g_autoptr (GVariant) wire = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  memcpy (data, &run, sizeof run);
  wire = g_variant_ref_sink (
      g_variant_new ("(st@ay)", type, size, g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, sizeof data, 1)));
  value = loky_deserialize (&runs, wire, &error);
  g_assert_null (value);
  g_assert_error (error, LOKY_ERROR, code);
  g_test_message ("%s", error->message);
}

static void
forged_values_are_refused (void)
{
  g_autofree char *long_type = g_strnfill (5000, 'y');
  g_autofree char *long_tuple = g_strdup_printf ("(%s)", long_type);

  most_allocated = 0;
  /* Bombs. */
  assert_refused ("ay", G_MAXUINT64, G_MAXUINT64, LOKY_ERROR_SERIALIZER);
  assert_refused ("ay", G_GUINT64_CONSTANT (1) << 40, G_MAXUINT64, LOKY_ERROR_SERIALIZER);
  assert_refused ("ay", 2 << 20, G_MAXUINT64, LOKY_ERROR_SERIALIZER);
  g_assert_cmpuint (most_allocated, ==, 0);
  /* No types. */
  assert_refused ("", 1, 1, LOKY_ERROR_SERIALIZER);
  assert_refused ("a{", 1, 1, LOKY_ERROR_SERIALIZER);
  assert_refused ("*", 1, 1, LOKY_ERROR_SERIALIZER);
  assert_refused ("yy", 2, 2, LOKY_ERROR_SERIALIZER);
  assert_refused (long_tuple, 5000, 5000, LOKY_ERROR_SERIALIZER);
  g_assert_cmpuint (most_allocated, ==, 0);
  /* Other sizes than were announced, of types of fixed and of any size. */
  assert_refused ("ay", 100, 99, LOKY_ERROR_SERIALIZER);
  assert_refused ("i", 5, 5, LOKY_ERROR_SERIALIZER);
  assert_refused ("i", 0, 0, LOKY_ERROR_SERIALIZER);
  /* Not in normal form: a text without an end is none. */
  assert_refused ("s", 0, 0, LOKY_ERROR_SERIALIZER);
  assert_refused ("s", 9, 9, LOKY_ERROR_SERIALIZER);
  assert_refused ("v", 3, 3, LOKY_ERROR_SERIALIZER);
}

static GVariant *
deserialize_to_nothing (const GVariantType *type, GBytes *bytes, gsize size, gpointer user_data, GError **error)
{
  return NULL;
}

static GBytes *
serialize_to_nothing (GVariant *value, gpointer user_data, GError **error)
{
  return NULL;
}

static void
nothing_without_an_error_is_an_error (void)
{
  static LokySerializer nothing = {
    LOKY_SERIALIZER_INIT,
    .name = "nothing",
    .serialize = serialize_to_nothing,
    .deserialize = deserialize_to_nothing,
  };
  g_autoptr (GVariant) value = g_variant_ref_sink (make_zeros (1000));
  g_autoptr (GVariant) wire = loky_serialize (&runs, value, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_serialize (&nothing, value, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
  g_clear_error (&error);
  g_assert_null (loky_deserialize (&nothing, wire, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
}

static void
only_open_ones_are_found_for_a_worker (void)
{
  const char *const path[] = { g_getenv ("LOKY_TEST_PLUGINS"), NULL };
  LokySerializer *serializer = &runs;
  LokySerializer *again;
  g_autoptr (GError) error = NULL;

  g_assert_false (loky_serializer_find_open ("test", &serializer, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
  g_clear_error (&error);
  g_assert_true (loky_serializer_find ("test", path, &serializer, &error));
  g_assert_no_error (error);
  g_assert_true (loky_serializer_find_open ("test", &again, NULL));
  g_assert_true (serializer == again);
  g_assert_true (loky_serializer_find_open ("gvariant", &again, NULL));
  g_assert_null (again);
}

static void
assert_unusable (const char *name, const char *reason)
{
  const char *const path[] = { "/nowhere", g_getenv ("LOKY_TEST_PLUGINS"), NULL };
  LokySerializer *serializer;
  g_autoptr (GError) error = NULL;

  g_assert_false (loky_serializer_find (name, path, &serializer, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, reason));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static void
unusable_ones_are_named (void)
{
  assert_unusable ("absent", "“serializer-absent.so”");
  assert_unusable ("badabi", "version 9999");
  assert_unusable ("lacking", "lacks a function");
  assert_unusable ("nosymbol", "no function “loky_serializer_descriptor”");
  assert_unusable ("../serializer-test", "letters, digits");
  assert_unusable ("\xff", "letters, digits");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/serialize/values-come-back", values_come_back);
  g_test_add_func ("/loky/serialize/forged-values-are-refused", forged_values_are_refused);
  g_test_add_func ("/loky/serialize/nothing-without-an-error-is-an-error", nothing_without_an_error_is_an_error);
  g_test_add_func ("/loky/serialize/only-open-ones-are-found-for-a-worker", only_open_ones_are_found_for_a_worker);
  g_test_add_func ("/loky/serialize/unusable-ones-are-named", unusable_ones_are_named);
  return g_test_run ();
}
