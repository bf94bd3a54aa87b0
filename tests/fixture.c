/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long one test may take before the watchdog ends the process, in seconds. */
#define WATCHDOG_TIMEOUT 60

static guint
get_timeout (void)
{
  const char *multiplier = g_getenv ("LOKY_TEST_TIMEOUT_MULTIPLIER");
  gint64 factor = multiplier != NULL ? g_ascii_strtoll (multiplier, NULL, 10) : 1;

  return (guint) (WATCHDOG_TIMEOUT * CLAMP (factor, 1, 1000));
}

/* GLib makes its own thread and descriptors at its first child, and those of the default context at its
 * first use: before anything is counted. */
static void
warm_glib (void)
{
  g_autoptr (GSubprocess) process = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, "/bin/true", NULL);

  g_assert_nonnull (process);
  g_assert_true (g_subprocess_wait (process, NULL, NULL));
  g_assert_nonnull (g_main_context_default ());
}

void
loky_fixture_init (int *argc, char ***argv)
{
  /* As a worker of the start method loky-init-main it does not return. */
  loky_init (argc, argv);
  g_test_init (argc, argv, NULL);
  g_assert_nonnull (g_getenv ("LOKY_TEST_PLUGINS"));
  g_setenv ("HOME", "/invalid", TRUE);
  warm_glib ();
}

const char *
loky_fixture_get_plugin_folder (void)
{
  return g_getenv ("LOKY_TEST_PLUGINS");
}

gboolean
loky_fixture_has_valgrind (void)
{
  return g_getenv ("LOKY_TEST_VALGRIND") != NULL;
}

guint
loky_fixture_count_fds (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  guint count = 0;

  while (g_dir_read_name (folder) != NULL)
    count++;
  /* The folder's own. */
  return count - 1;
}

/* What is left, for who has to find out why. */
static void
print_fds (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      g_test_message ("descriptor %s is %s", name, target);
    }
}

void
loky_fixture_assert_fds (guint n_fds)
{
  /* GLib's own thread lets go of the pidfd of a child a moment after it told us of its end; also of the
   * child before the first count. */
  for (guint i = 0; i < 5000 && loky_fixture_count_fds () > n_fds; i++)
    g_usleep (1000);
  if (loky_fixture_count_fds () > n_fds)
    print_fds ();
  g_assert_cmpuint (loky_fixture_count_fds (), <=, n_fds);
}

guint
loky_fixture_count_children (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  guint count = 0;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "children", NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL))
        for (const char *c = text; *c != '\0'; c++)
          count += *c == ' ';
    }
  return count;
}

static guint
count_threads (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  guint count = 0;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "comm", NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL) && g_str_has_prefix (text, "loky-"))
        count++;
    }
  return count;
}

LokyExecutor *
loky_fixture_make_executor (const char *first_property, ...)
{
  LokyExecutor *executor;
  va_list arguments;

  va_start (arguments, first_property);
  executor = LOKY_EXECUTOR (g_object_new_valist (LOKY_TYPE_EXECUTOR, first_property, arguments));
  va_end (arguments);
  return executor;
}

void
loky_fixture_end_executor (LokyExecutor *executor, LokyShutdownMode mode)
{
  g_autoptr (GError) error = NULL;

  loky_executor_shutdown_sync (executor, mode, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (loky_executor_get_state (executor), ==, LOKY_EXECUTOR_STATE_SHUT_DOWN);
  g_object_unref (executor);
}

void
loky_fixture_set_up (LokyFixture *fixture, gconstpointer data)
{
  alarm (get_timeout ());
  fixture->n_fds = loky_fixture_count_fds ();
  fixture->context = g_main_context_new ();
  g_main_context_push_thread_default (fixture->context);
  fixture->executor = loky_fixture_make_executor ("max-workers", 2, NULL);
}

void
loky_fixture_tear_down (LokyFixture *fixture, gconstpointer data)
{
  gboolean is_quiet = FALSE;

  if (fixture->executor != NULL)
    loky_fixture_end_executor (fixture->executor, LOKY_SHUTDOWN_KILL);
  /* What was posted last is delivered; nothing may be left that never ends. What a test has let go of may post yet. */
  for (guint i = 0; i < 10000 && !is_quiet; i++)
    is_quiet = !g_main_context_iteration (fixture->context, FALSE);
  g_assert_true (is_quiet);
  g_main_context_pop_thread_default (fixture->context);
  g_main_context_unref (fixture->context);

  /* The kernel lists a thread for a moment longer than pthread_join() waits for. */
  while (count_threads () > 0)
    g_usleep (100);
  g_assert_cmpuint (loky_fixture_count_children (), ==, 0);
  loky_fixture_assert_fds (fixture->n_fds);
  alarm (0);
}

void
loky_fixture_wait_for (LokyFixtureCondition condition, gpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  while (!condition (data))
    g_main_context_iteration (context, TRUE);
}

char *
loky_fixture_call (LokyExecutor *executor, const char *task, const char *argument)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (executor, task, g_variant_new_string (argument), NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (g_variant_is_of_type (result, G_VARIANT_TYPE_STRING));
  return g_variant_dup_string (result, NULL);
}

GError *
loky_fixture_fail (LokyExecutor *executor, const char *task, const char *argument)
{
  GError *error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (executor, task, g_variant_new_string (argument), NULL, NULL, &error);

  g_assert_null (result);
  g_assert_nonnull (error);
  return error;
}

LokyFuture *
loky_fixture_submit (LokyExecutor *executor, const char *task, GVariant *args)
{
  g_autoptr (GError) error = NULL;
  LokyFuture *future = loky_executor_submit (executor, task, args, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (future);
  return future;
}

void
loky_fixture_wait_running (LokyFuture *future)
{
  while (loky_future_get_state (future) == LOKY_FUTURE_STATE_PENDING)
    g_usleep (100);
}

void
loky_fixture_wait_idle (LokyExecutor *executor)
{
  while (loky_executor_get_n_pending (executor) + loky_executor_get_n_running (executor) > 0)
    g_usleep (100);
}

void
loky_fixture_assert_fails (LokyFuture *future, GQuark domain, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_null (result);
  g_assert_error (error, domain, code);
}
