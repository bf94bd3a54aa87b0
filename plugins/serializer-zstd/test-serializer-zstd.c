/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <loky.h>
#include <string.h>

static LokyExecutor *
make_executor (void)
{
  return g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 1, "serializer", "zstd", NULL);
}

static void
assert_echo (LokyExecutor *executor, GVariant *value)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_executor_call_sync (executor, "demo.echo", owned, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_type_string (result), ==, g_variant_get_type_string (owned));
  g_assert_true (g_variant_equal (result, owned));
}

static void
values_come_back (void)
{
  g_autoptr (LokyExecutor) executor = make_executor ();
  g_autofree char *text = g_strnfill (1 << 20, 'x');
  gsize size = 1 << 20;
  guint8 *noise = g_malloc (size);
  GRand *random = g_rand_new_with_seed (1);

  for (gsize i = 0; i < size; i++)
    noise[i] = (guint8) g_rand_int (random);
  g_rand_free (random);
  assert_echo (executor, g_variant_new_string (text));
  assert_echo (executor, g_variant_new_string (""));
  assert_echo (executor, g_variant_new ("()"));
  assert_echo (executor, g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, noise, size, TRUE, g_free, noise));
  assert_echo (executor, g_variant_new_parsed ("[{'a': <1>, 'b': <'x'>}, {}]"));
}

/* Zeros become smaller than anything that may be sent. */
static void
what_would_grow_too_much_comes_back (void)
{
  g_autoptr (LokyExecutor) executor = make_executor ();
  gsize size = 64 << 20;
  guint8 *zeros = g_malloc0 (size);

  assert_echo (executor, g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, zeros, size, TRUE, g_free, zeros));
}

static void
errors_are_those_of_the_task (void)
{
  g_autoptr (LokyExecutor) executor = make_executor ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (executor, "demo.fail", g_variant_new_string ("no luck"), NULL, NULL, &error);

  g_assert_null (result);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_cmpstr (error->message, ==, "no luck");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/serializer-zstd/values-come-back", values_come_back);
  g_test_add_func ("/loky/serializer-zstd/what-would-grow-too-much-comes-back", what_would_grow_too_much_comes_back);
  g_test_add_func ("/loky/serializer-zstd/errors-are-those-of-the-task", errors_are_those_of_the_task);
  return g_test_run ();
}
