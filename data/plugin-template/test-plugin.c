/* SPDX-License-Identifier: MIT-0 */
#include <loky.h>

/* The folder with the built plugin; given as the only argument. */
static const char *plugin_folder;

static LokyExecutor *
create_executor (void)
{
  const char *folders[] = { plugin_folder, NULL };

  return g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 1, "plugin-path", folders, NULL);
}

static void
test_greet (void)
{
  g_autoptr (LokyExecutor) executor = create_executor ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  result = loky_executor_call_sync (executor, "@NAME@.greet", g_variant_new_string ("world"), NULL,
                                    NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "Hello, world!");
}

static void
test_greet_nobody (void)
{
  g_autoptr (LokyExecutor) executor = create_executor ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  result = loky_executor_call_sync (executor, "@NAME@.greet", g_variant_new_string (""), NULL, NULL,
                                    &error);
  g_assert_null (result);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  plugin_folder = argc > 1 ? argv[1] : ".";
  g_test_add_func ("/@NAME@/greet", test_greet);
  g_test_add_func ("/@NAME@/greet-nobody", test_greet_nobody);
  return g_test_run ();
}
