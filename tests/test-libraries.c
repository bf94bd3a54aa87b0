/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which libraries a worker loads, and when. */

#include <dlfcn.h>
#include <glib/gstdio.h>

#include "values.h"

static LokyExecutor *
make_worker (void)
{
  return loky_fixture_make_executor ("max-workers", 1, NULL);
}

/* A worker that runs the program has what that has. */
static gboolean
has_program_of_its_own (void)
{
  if (!g_str_equal (loky_get_start_method (), "loky-init-main"))
    return TRUE;
  g_test_skip ("The worker runs this program, which needs GIO");
  return FALSE;
}

static void
assert_loaded (LokyExecutor *executor, gboolean expects_any)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (executor, "plain.libraries", g_variant_new_tuple (NULL, 0), NULL, NULL, &error);
  gboolean has_gio, has_upper;

  g_assert_no_error (error);
  g_variant_get (result, "(bb)", &has_gio, &has_upper);
  g_assert_cmpint (has_gio, ==, expects_any);
  g_assert_cmpint (has_upper, ==, expects_any);
}

static void
init_file (GValue *value)
{
  init_object (value, G_TYPE_FILE, g_file_new_for_path ("/no/such/file"));
}

static void
plain_worker_loads_no_gio (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = make_worker ();

  if (has_program_of_its_own ())
    {
      g_auto (GValue) text = G_VALUE_INIT;
      g_auto (GValue) result = G_VALUE_INIT;

      assert_loaded (executor, FALSE);
      /* Nor for values that GObject has. */
      init_string (&text, "x");
      call (executor, "plain.echo-value", &text, &result);
      assert_loaded (executor, FALSE);
    }
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
buffer_loads_no_gio (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = make_worker ();
  g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
  g_autoptr (GError) error = NULL;

  if (has_program_of_its_own ())
    {
      g_auto (GValue) value = G_VALUE_INIT;
      g_auto (GValue) result = G_VALUE_INIT;

      init_object (&value, LOKY_TYPE_BUFFER, loky_buffer_new_from_bytes (bytes, &error));
      g_assert_no_error (error);
      call (executor, "plain.echo-value", &value, &result);
      g_assert_true (G_VALUE_HOLDS (&result, LOKY_TYPE_BUFFER));
      assert_loaded (executor, FALSE);
    }
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

/* The name of a type may be any text. */
static void
unknown_type_loads_no_gio (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = make_worker ();

  if (has_program_of_its_own ())
    {
      GVariant *args = g_variant_new ("((smv))", "NoSuchType", g_variant_new_string ("x"));
      g_autoptr (LokyFuture) future = loky_fixture_submit (executor, "plain.echo-value", args);

      loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_REDUCER);
      assert_loaded (executor, FALSE);
    }
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
file_loads_what_knows_it (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = make_worker ();
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;

  init_file (&value);
  call (executor, "plain.echo-value", &value, &result);
  g_assert_true (g_file_equal (g_value_get_object (&result), g_value_get_object (&value)));
  assert_loaded (executor, TRUE);
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

/* The plugin `reduce` needs GIO, and not the library that knows how to send a file. */
static void
file_of_the_task_loads_what_knows_it (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = make_worker ();
  g_auto (GValue) result = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (executor, "reduce.make-file", g_variant_new_string ("/no/such/file"));

  g_assert_true (loky_future_wait (future, -1, NULL, &error));
  g_assert_true (loky_future_dup_value (future, &result, &error));
  g_assert_no_error (error);
  path = g_file_get_path (g_value_get_object (&result));
  g_assert_cmpstr (path, ==, "/no/such/file");
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
lock_loads_what_knows_it (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = make_worker ();
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyLock) lock = loky_lock_new (&error);
  g_autoptr (LokySynchronizer) back = NULL;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  GVariant *args;

  g_assert_no_error (error);
  args = loky_synchronizer_to_variant (LOKY_SYNCHRONIZER (lock), &error);
  g_assert_no_error (error);
  future = loky_fixture_submit (executor, "plain.echo-synchronizer", args);
  g_variant_unref (args);
  g_assert_true (loky_future_wait (future, -1, NULL, &error));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  back = loky_future_lookup_synchronizer (future, g_variant_get_handle (result), LOKY_TYPE_LOCK, &error);
  g_assert_no_error (error);
  g_assert_true (LOKY_IS_LOCK (back));
  assert_loaded (executor, TRUE);
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

/* The same, for an object that is a GInitable. */
static void
object_is_initialised (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_registry ();
  g_autoptr (LokyExecutor) executor = make_executor (registry);
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;
  g_autoptr (GVariant) reduced = NULL;
  g_autoptr (LokyFuture) future = NULL;
  GVariant *form;

  g_assert_true (loky_reducer_registry_add_type (registry, G_TYPE_CHARSET_CONVERTER, &error));
  init_object (&value, G_TYPE_CHARSET_CONVERTER, g_charset_converter_new ("UTF-8", "ISO-8859-1", &error));
  g_assert_no_error (error);
  call (executor, "reduce.echo", &value, &result);
  g_assert_true (G_VALUE_HOLDS (&result, G_TYPE_CHARSET_CONVERTER));

  form = g_variant_new_parsed ("{'from-charset': <'no-such'>, 'to-charset': <'UTF-8'>}");
  reduced = g_variant_ref_sink (g_variant_new ("((smv))", "GCharsetConverter", form));
  future = loky_fixture_submit (executor, "reduce.echo", reduced);
  loky_fixture_assert_fails (future, G_IO_ERROR, G_IO_ERROR_FAILED);
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

/* A folder with a copy of the library that a worker needs, and beside it, instead of the other one, what is none. */
static char *
make_folder (char **copy, char **other)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *contents = NULL;
  char *folder;
  gsize length;
  Dl_info info;

  g_assert_cmpint (dladdr ((gconstpointer) loky_buffer_get_size, &info), !=, 0);
  g_assert_nonnull (strstr (info.dli_fname, "libloky-task-1.so"));
  folder = g_dir_make_tmp ("loky-libraries-XXXXXX", &error);
  g_assert_no_error (error);
  *copy = g_build_filename (folder, "libloky-task-1.so.0", NULL);
  g_assert_true (g_file_get_contents (info.dli_fname, &contents, &length, &error));
  g_assert_true (g_file_set_contents (*copy, contents, (gssize) length, &error));
  *other = g_build_filename (folder, "libloky-1.so.0", NULL);
  g_assert_true (g_file_set_contents (*other, "no library", -1, &error));
  return folder;
}

static void
library_that_is_broken_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *copy = NULL;
  g_autofree char *other = NULL;
  g_autofree char *folder = NULL;
  g_autofree char *variable = NULL;
  g_autoptr (LokyExecutor) executor = NULL;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  if (!g_str_equal (loky_get_start_method (), "loky"))
    {
      g_test_skip ("The worker does not begin with its own environment");
      return;
    }
  folder = make_folder (&copy, &other);
  variable = g_strconcat ("LD_LIBRARY_PATH=", folder, NULL);
  executor = loky_fixture_make_executor ("max-workers", 1, "environment", (const char *const[]){ variable, NULL }, NULL);
  init_file (&value);
  future = submit (executor, "plain.echo-value", &value, 1);
  error = fail_dup (future);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER);
  assert_says (error, "GFile", "libloky-1.so.0 cannot be loaded");
  assert_loaded (executor, FALSE);
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
  g_assert_cmpint (g_remove (copy), ==, 0);
  g_assert_cmpint (g_remove (other), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/libraries/plain-worker-loads-no-gio", plain_worker_loads_no_gio);
  LOKY_FIXTURE_ADD ("/loky/libraries/buffer-loads-no-gio", buffer_loads_no_gio);
  LOKY_FIXTURE_ADD ("/loky/libraries/unknown-type-loads-no-gio", unknown_type_loads_no_gio);
  LOKY_FIXTURE_ADD ("/loky/libraries/file-loads-what-knows-it", file_loads_what_knows_it);
  LOKY_FIXTURE_ADD ("/loky/libraries/file-of-the-task-loads-what-knows-it", file_of_the_task_loads_what_knows_it);
  LOKY_FIXTURE_ADD ("/loky/libraries/lock-loads-what-knows-it", lock_loads_what_knows_it);
  LOKY_FIXTURE_ADD ("/loky/libraries/object-is-initialised", object_is_initialised);
  LOKY_FIXTURE_ADD ("/loky/libraries/library-that-is-broken-is-told", library_that_is_broken_is_told);

  return g_test_run ();
}
