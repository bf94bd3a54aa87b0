/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values in normal form: what is let pass without a look is what GVariant would let pass. */

#include "loky-value-private.h"

#include <string.h>

static const char *const types[] = {
  "y", "b",  "n",  "q",  "i",  "u",  "x",  "t",  "h",   "d",   "s",   "o",   "g",   "v",    "()",
  "ay", "ab", "an", "aq", "ai", "au", "ax", "at", "ah", "ad", "as", "av", "aay", "(yx)", "a(yx)", "ms", "mx",
  "a{sv}", "am", "aax",
};

/* Against GVariant itself: any bytes of any length as any type. */
static void
test_received_is_what_gvariant_says (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    for (gsize size = 0; size <= 40; size++)
      for (guint8 fill = 0; fill < 3; fill++)
        {
          guint8 data[40];
          g_autoptr (GBytes) bytes = NULL;
          g_autoptr (GVariant) plain = NULL;
          g_autoptr (GVariant) value = NULL;

          if (!g_variant_type_string_is_valid (types[i]))
            continue;
          memset (data, fill, sizeof data);
          bytes = g_bytes_new (data, size);
          plain = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (types[i]), bytes, FALSE));
          value = loky_value_new_received (types[i], bytes);
          g_assert_cmpint (value != NULL, ==, g_variant_is_normal_form (plain));
          if (value == NULL)
            continue;
          g_assert_false (g_variant_is_floating (value));
          g_assert_cmpstr (g_variant_get_type_string (value), ==, types[i]);
          g_assert_cmpvariant (value, plain);
        }
}

static void
test_normal_is_kept (void)
{
  static const double numbers[] = { 1, 2, 3 };
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_from_data (
      G_VARIANT_TYPE ("ad"), numbers, sizeof numbers, FALSE, NULL, NULL));
  g_autoptr (GVariant) normal = loky_value_ref_normal (value);

  g_assert_true (normal == value);
}

static void
test_not_normal_is_mended (void)
{
  static const guint8 data[] = { 7, 1 };
  static const char *const odd[] = { "ab", "aq", "s", "b", "x" };

  for (gsize i = 0; i < G_N_ELEMENTS (odd); i++)
    {
      gsize size = i == 1 ? 1 : sizeof data;
      g_autoptr (GVariant) value = g_variant_ref_sink (
          g_variant_new_from_data (G_VARIANT_TYPE (odd[i]), data, size, FALSE, NULL, NULL));
      g_autoptr (GVariant) normal = loky_value_ref_normal (value);
      g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (normal);
      g_autoptr (GVariant) again = loky_value_new_received (odd[i], bytes);

      g_assert_false (normal == value);
      g_assert_true (g_variant_is_normal_form (normal));
      g_assert_nonnull (again);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/value/received-is-what-gvariant-says", test_received_is_what_gvariant_says);
  g_test_add_func ("/loky/value/normal-is-kept", test_normal_is_kept);
  g_test_add_func ("/loky/value/not-normal-is-mended", test_not_normal_is_mended);
  return g_test_run ();
}
