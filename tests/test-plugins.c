/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>

static void
others_still_work (LokyFixture *fixture)
{
  g_autofree char *result = loky_fixture_call (fixture->executor, "demo.echo", "x");

  g_assert_cmpstr (result, ==, "x");
}

/* Each is told by its path and by what is wrong with it. */
static void
faulty_plugins_are_told (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *name;
    const char *text;
  } cases[] = {
    { "badabi", "9999" },
    { "badsize", "sizes of 3" },
    { "badtypes", "no GVariant type" },
    { "crashload", "SIGSEGV" },
    { "duplicatetask", "two tasks called" },
    { "exitload", "exited with status" },
    { "initfails", "" },
    { "initnoerror", "without an error" },
    { "nosymbol", "loky_plugin_descriptor" },
    { "notamodule", "" },
    { "nulldescriptor", "returned nothing" },
    { "unresolved", "undefined symbol" },
    { "wrongname", "othername" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *task = g_strdup_printf ("%s.trivial", cases[i].name);
      g_autofree char *file = g_strdup_printf ("/%s.so", cases[i].name);
      g_autoptr (GError) error = loky_fixture_fail (fixture->executor, task, "x");

      g_test_message ("%s: %s", cases[i].name, error->message);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
      g_assert_nonnull (strstr (error->message, file));
      g_assert_nonnull (strstr (error->message, cases[i].text));
      others_still_work (fixture);
    }
}

/* The second time no worker has to die for it. */
static void
plugin_that_kills_is_refused (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) first
      = loky_fixture_submit (fixture->executor, "crashload.trivial", g_variant_new_string ("x"));
  g_autoptr (LokyFuture) second = NULL;

  loky_fixture_assert_fails (first, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  g_assert_cmpint (loky_future_get_worker_pid (first), >, 0);
  others_still_work (fixture);
  second = loky_fixture_submit (fixture->executor, "crashload.trivial", g_variant_new_string ("x"));
  loky_fixture_assert_fails (second, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  g_assert_cmpint (loky_future_get_worker_pid (second), ==, 0);
}

static void
plugin_that_hangs_is_stopped_by_the_timeout (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = g_object_new (
      LOKY_TYPE_TASK_OPTIONS, "timeout", G_GINT64_CONSTANT (50), "cancel-grace",
      G_GINT64_CONSTANT (50), NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (fixture->executor, "hangload.trivial", g_variant_new_string ("x"),
                                 options, NULL, &error);

  g_assert_null (result);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  g_assert_nonnull (strstr (error->message, "/hangload.so"));
  others_still_work (fixture);
  /* The next one need not wait for it. */
  g_clear_error (&error);
  error = loky_fixture_fail (fixture->executor, "hangload.trivial", "x");
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
}

static void
builtin_tasks_describe (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) list = loky_executor_call_sync (fixture->executor, "loky.list-plugins", NULL,
                                                       NULL, NULL, &error);
  g_autoptr (GVariant) task = NULL;
  const char *name, *type;

  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_n_children (list), >, 10);
  task = loky_executor_call_sync (fixture->executor, "loky.describe-task",
                                  g_variant_new_string ("demo.sleep"), NULL, NULL, &error);
  g_assert_no_error (error);
  g_variant_get (task, "(&s&s&s&s&s&s)", &name, &type, NULL, NULL, NULL, NULL);
  g_assert_cmpstr (name, ==, "demo.sleep");
  g_assert_cmpstr (type, ==, "d");
}

static void
missing_folder_is_no_disaster (LokyFixture *fixture, gconstpointer data)
{
  static const char *const folders[] = { "/nonexistent", "/dev/null", NULL };
  g_autoptr (LokyExecutor) executor
      = loky_fixture_make_executor ("max-workers", 1, "plugin-path", folders, NULL);
  g_autoptr (GError) error = loky_fixture_fail (executor, "demo.echo", "x");

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
  g_assert_nonnull (strstr (error->message, "/nonexistent"));
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/plugins/faulty-plugins-are-told", faulty_plugins_are_told);
  LOKY_FIXTURE_ADD ("/loky/plugins/plugin-that-kills-is-refused", plugin_that_kills_is_refused);
  LOKY_FIXTURE_ADD ("/loky/plugins/plugin-that-hangs-is-stopped-by-the-timeout",
                    plugin_that_hangs_is_stopped_by_the_timeout);
  LOKY_FIXTURE_ADD ("/loky/plugins/builtin-tasks-describe", builtin_tasks_describe);
  LOKY_FIXTURE_ADD ("/loky/plugins/missing-folder-is-no-disaster", missing_folder_is_no_disaster);
  return g_test_run ();
}
