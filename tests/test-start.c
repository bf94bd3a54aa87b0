/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Start methods. This program serves as its own worker, with the plugin "own" in it; and, with a first argument, as
 * a program of another kind: see roles below. */

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define VARIABLE "LOKY_START_METHOD"

static char *program;

/* --- a plugin that is part of this program ------------------------------------------------------- */

static char shared[32] = "as it was";

static GVariant *
look (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_string (shared);
}

static GVariant *
nest (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *method = g_variant_get_string (args, NULL);
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor (
      "max-workers", 1, "start-method", method[0] != '\0' ? method : NULL, NULL);
  g_autoptr (GVariant) result
      = loky_executor_call_sync (executor, "own.look", NULL, NULL, NULL, error);

  if (!loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_KILL, -1, NULL, result != NULL ? error : NULL) ||
      result == NULL)
    return NULL;
  return g_variant_new ("s", loky_get_start_method ());
}

static GVariant *
draw (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_uint32 (g_random_int ());
}

static const LokyTaskDescriptor tasks[] = {
  { .name = "look", .arguments_type = "()", .result_type = "s", .func = look },
  { .name = "nest", .arguments_type = "s", .result_type = "s", .func = nest },
  { .name = "draw", .arguments_type = "()", .result_type = "u", .func = draw },
};

static const LokyPluginDescriptor own = {
  LOKY_PLUGIN_INIT,
  .name = "own",
  .version = "1",
  .summary = "Part of the test",
  .tasks = tasks,
  .n_tasks = G_N_ELEMENTS (tasks),
};

static const LokyPluginDescriptor unsound = {
  LOKY_PLUGIN_INIT,
  .name = "unsound",
  .n_tasks = 1,
};

/* --- programs of another kind --------------------------------------------------------------------- */

static int
fail (const char *what, const GError *error)
{
  printf ("%s: %s\n", what, error != NULL ? error->message : "no error");
  return 1;
}

/* Prints the error of a task, and how many times this program ran, in the file COUNT. */
static int
be_without_init (void)
{
  LokyExecutor *executor
      = g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 1, "start-method", "loky-init-main", NULL);
  g_autoptr (GError) error = NULL;
  FILE *count = fopen (g_getenv ("COUNT"), "a");

  fputc ('x', count);
  fclose (count);
  if (loky_executor_call_sync (executor, "own.look", NULL, NULL, NULL, &error) != NULL)
    return fail ("it worked", NULL);
  fail ("error", error);
  return g_error_matches (error, LOKY_ERROR, LOKY_ERROR_WORKER_START) ? 0 : 2;
}

/* The same, with loky_init() only where it is not needed. */
static int
be_with_late_init (void)
{
  char *arguments[] = { program, NULL };
  char **argv = arguments;
  int argc = 1;

  loky_init (&argc, &argv);
  return be_without_init ();
}

/* What a program ends with that has a thread of a sanitizer. */
#define SKIPPED 77

/* In one that has one thread. */
static int
be_fork (void)
{
  LokyExecutor *executor
      = g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 2, "start-method", "fork", NULL);
  LokyExecutor *late;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GVariant) again = NULL;
  g_autofree char *nested = NULL;

  strcpy (shared, "as it is now");
  result = loky_executor_call_sync (executor, "own.look", NULL, NULL, NULL, &error);
  if (LOKY_HAS_SANITIZER && result == NULL && strstr (error->message, " threads") != NULL)
    return SKIPPED;
  if (result == NULL || !g_str_equal (g_variant_get_string (result, NULL), "as it was"))
    return fail ("look", error);
  /* The monitor is a second thread. */
  late = g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 1, "start-method", "fork", NULL);
  if (loky_executor_call_sync (late, "own.look", NULL, NULL, NULL, &error) != NULL ||
      !g_error_matches (error, LOKY_ERROR, LOKY_ERROR_WORKER_START) ||
      strstr (error->message, " threads") == NULL)
    return fail ("late", error);
  g_clear_error (&error);
  g_object_unref (late);
  if (loky_executor_call_sync (executor, "own.nest", g_variant_new_string ("fork"), NULL, NULL, &error) != NULL ||
      !g_error_matches (error, LOKY_ERROR, LOKY_ERROR_WORKER_START) ||
      strstr (error->message, "inside a worker") == NULL)
    return fail ("nested", error);
  g_clear_error (&error);
  nested = loky_fixture_call (executor, "own.nest", "loky-init-main");
  if (loky_executor_call_sync (executor, "fault.obey", g_variant_new_string ("exit:5"), NULL, NULL, &error) != NULL ||
      strstr (error->message, "status 5") == NULL)
    return fail ("death", error);
  g_clear_error (&error);
  again = loky_executor_call_sync (executor, "own.look", NULL, NULL, NULL, &error);
  if (again == NULL)
    return fail ("again", error);
  if (!loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, &error))
    return fail ("shutdown", error);
  g_object_unref (executor);
  if (waitpid (-1, NULL, WNOHANG) != -1 || errno != ECHILD)
    return fail ("a child is left", NULL);
  return 0;
}

/* One that is never used leaves nothing, whether it is shut down or dropped. */
static int
be_fork_unused (void)
{
  g_autoptr (GError) error = NULL;
  LokyExecutor *executor = g_object_new (LOKY_TYPE_EXECUTOR, "start-method", "fork", NULL);

  if (!loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, &error))
    return fail ("shutdown", error);
  if (waitpid (-1, NULL, WNOHANG) != -1)
    return fail ("a child is left by a shutdown", NULL);
  g_object_unref (executor);
  executor = g_object_new (LOKY_TYPE_EXECUTOR, "start-method", "fork", NULL);
  if (waitpid (-1, NULL, WNOHANG) != 0)
    return LOKY_HAS_SANITIZER ? SKIPPED : fail ("no child was made", NULL);
  g_object_unref (executor);
  if (waitpid (-1, NULL, WNOHANG) != -1)
    return fail ("a child is left by dropping it", NULL);
  return 0;
}

static const struct
{
  const char *name;
  gboolean calls_init;
  int (*func) (void);
} roles[] = {
  { "without-init", FALSE, be_without_init },
  { "with-late-init", FALSE, be_with_late_init },
  { "fork", TRUE, be_fork },
  { "fork-unused", TRUE, be_fork_unused },
};

/* Runs this program as that, with COUNT set; returns the exit status. */
static int
run_role (const char *role, const char *count, char **output)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;

  g_subprocess_launcher_setenv (launcher, "LOKY_TEST_ROLE", role, TRUE);
  if (count != NULL)
    g_subprocess_launcher_setenv (launcher, "COUNT", count, TRUE);
  process = g_subprocess_launcher_spawn (launcher, &error, program, NULL);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate_utf8 (process, NULL, NULL, output, NULL, &error));
  g_assert_no_error (error);
  if (**output != '\0')
    g_test_message ("%s", *output);
  return g_subprocess_get_if_exited (process) ? g_subprocess_get_exit_status (process) : -1;
}

/* --- names and the default ------------------------------------------------------------------------ */

static LokyExecutor *
make (const char *method)
{
  return loky_fixture_make_executor ("max-workers", 2, "start-method", method, NULL);
}

static void
unknown_method_is_told_with_all_names (LokyFixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "loky", "spawn", "forkserver", "loky-init-main", "fork" };
  LokyExecutor *executor = make ("threads");
  g_autoptr (LokyFuture) refused = NULL;
  g_autoptr (GError) error = NULL;

  refused = loky_executor_submit (executor, "demo.echo", NULL, NULL, &error);
  g_assert_null (refused);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "“threads”"));
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *quoted = g_strdup_printf ("“%s”", names[i]);

      g_assert_nonnull (strstr (error->message, quoted));
    }
  g_clear_error (&error);
  g_assert_false (loky_executor_warm_up_sync (executor, 0, NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
each_method_serves (LokyFixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "loky", "spawn", "forkserver", "loky-init-main" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      LokyExecutor *executor = make (names[i]);
      g_autofree char *said = loky_fixture_call (executor, "demo.echo", names[i]);
      g_autofree char *name = NULL;

      g_assert_cmpstr (said, ==, names[i]);
      g_object_get (executor, "start-method", &name, NULL);
      g_assert_cmpstr (name, ==, names[i]);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

static void
default_is_set_once (LokyFixture *fixture, gconstpointer data)
{
  const char *before = loky_get_start_method ();
  g_autoptr (GError) error = NULL;

  g_assert_false (loky_set_start_method ("nonsense", TRUE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_cmpstr (loky_get_start_method (), ==, before);

  g_assert_true (loky_set_start_method ("spawn", FALSE, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (loky_get_start_method (), ==, "loky");
  g_assert_false (loky_set_start_method ("forkserver", FALSE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "“loky”"));
  g_clear_error (&error);
  g_assert_false (loky_set_start_method (NULL, FALSE, NULL));
  g_assert_true (loky_set_start_method ("forkserver", TRUE, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (loky_get_start_method (), ==, "forkserver");
  g_assert_true (loky_set_start_method (NULL, TRUE, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (loky_get_start_method (), ==, before);
}

/* The variable is what a process has whose program sets nothing. */
static void
environment_is_the_default_of_the_default (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *before = g_strdup (g_getenv (VARIABLE));

  g_setenv (VARIABLE, "loky-init-main", TRUE);
  g_assert_cmpstr (loky_get_start_method (), ==, "loky-init-main");
  g_setenv (VARIABLE, "nonsense", TRUE);
  g_test_expect_message ("Loky", G_LOG_LEVEL_WARNING, "*nonsense*");
  g_assert_cmpstr (loky_get_start_method (), ==, "loky");
  g_test_assert_expected_messages ();
  g_unsetenv (VARIABLE);
  g_assert_cmpstr (loky_get_start_method (), ==, "loky");
  if (before != NULL)
    g_setenv (VARIABLE, before, TRUE);
}

static void
nested_executors_use_the_default (LokyFixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "loky", "forkserver", "loky-init-main", "fork" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      LokyExecutor *executor;
      g_autoptr (GError) error = NULL;
      g_autofree char *method = NULL;

      g_assert_true (loky_set_start_method (names[i], TRUE, &error));
      executor = make ("loky-init-main");
      /* What runs the worker program does not know this program's tasks. */
      if (g_str_equal (names[i], "loky-init-main"))
        {
          method = loky_fixture_call (executor, "own.nest", "");
          g_assert_cmpstr (method, ==, names[i]);
        }
      else
        {
          error = loky_fixture_fail (executor, "own.nest", "");
          g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
        }
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
  g_assert_true (loky_set_start_method (NULL, TRUE, NULL));
}

/* --- the program as worker ------------------------------------------------------------------------ */

static void
functions_of_the_program_are_tasks (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make ("loky-init-main");
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GVariant) list = NULL;
  g_autoptr (GError) unsound_error = NULL;
  g_autofree char *text = NULL;
  g_autofree char *echo = NULL;

  strcpy (shared, "changed here");
  result = loky_executor_call_sync (executor, "own.look", NULL, NULL, NULL, &error);
  strcpy (shared, "as it was");
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "as it was");
  list = loky_executor_call_sync (executor, "loky.list-plugins", NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  text = g_variant_print (list, FALSE);
  g_assert_nonnull (strstr (text, "('own', "));
  unsound_error = loky_fixture_fail (executor, "unsound.task", "x");
  g_assert_error (unsound_error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  echo = loky_fixture_call (executor, "demo.echo", "files, too");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Not a fork bomb. */
static void
program_without_init_is_told (LokyFixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "without-init", "with-late-init" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *count = NULL;
      g_autofree char *output = NULL;
      g_autofree char *runs = NULL;
      int fd = g_file_open_tmp ("loky-start-XXXXXX", &count, NULL);
      int status = run_role (names[i], count, &output);

      g_assert_cmpint (fd, >=, 0);
      close (fd);
      g_assert_true (g_file_get_contents (count, &runs, NULL, NULL));
      g_unlink (count);
      if (i == 0)
        {
          g_assert_cmpint (status, ==, 0);
          g_assert_nonnull (strstr (output, "loky_init()"));
          g_assert_cmpstr (runs, ==, "x");
          continue;
        }
      /* Each of its workers is the program once more, and starts none. */
      g_assert_cmpint (status, !=, 0);
      g_assert_cmpuint (strlen (runs), <=, 6);
    }
}

/* --- the fork server ------------------------------------------------------------------------------ */

/* The only child of this process. */
static pid_t
find_server (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  pid_t pid = 0;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "children", NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL) && text[0] != '\0')
        {
          g_assert_cmpint (pid, ==, 0);
          pid = atoi (text);
        }
    }
  g_assert_cmpint (pid, >, 1);
  return pid;
}

/* It looks up the functions of its libraries for its workers. No task is to see how, but what it was given. */
static void
fork_server_binds_for_its_workers (LokyFixture *fixture, gconstpointer data)
{
  static const char *const environment[] = { "LD_BIND_NOW=1", NULL };
  LokyExecutor *executor = make ("forkserver");
  LokyExecutor *other;
  g_autofree char *seen = loky_fixture_call (executor, "fault.obey", "env:LD_BIND_NOW");
  g_autofree char *given = NULL;
  g_autofree char *path = g_strdup_printf ("/proc/%d/environ", (int) find_server ());
  g_autofree char *text = NULL;
  gsize size;

  g_assert_cmpstr (seen, ==, "");
  g_assert_true (g_file_get_contents (path, &text, &size, NULL));
  g_assert_nonnull (memmem (text, size, "LD_BIND_NOW=", strlen ("LD_BIND_NOW=")));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);

  other = loky_fixture_make_executor ("max-workers", 1, "start-method", "forkserver", "environment", environment, NULL);
  given = loky_fixture_call (other, "fault.obey", "env:LD_BIND_NOW");
  g_assert_cmpstr (given, ==, "1");
  loky_fixture_end_executor (other, LOKY_SHUTDOWN_DRAIN);
}

static void
workers_are_forked (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make ("forkserver");
  g_autofree char *worker = loky_fixture_call (executor, "fault.obey", "pid");
  g_autofree char *path = g_strdup_printf ("/proc/%s/stat", worker);
  g_autofree char *stat = NULL;
  g_autofree char *parent = g_strdup_printf (" %d ", (int) find_server ());
  g_autofree char *environment = g_strdup_printf ("/proc/%s/environ", worker);
  g_autofree char *text = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (path, &stat, NULL, NULL));
  g_assert_nonnull (strstr (stat, parent));
  /* By which what it leaves behind is found. */
  g_assert_true (g_file_get_contents (environment, &text, &size, NULL));
  g_assert_nonnull (memmem (text, size, "-0000000001", 12));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
status_comes_from_the_fork_server (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make ("forkserver");
  static const struct
  {
    const char *order, *text;
  } cases[] = { { "_exit:7", "status 7" }, { "_exit:0", "status 0" }, { "kill", "SIGKILL" } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = loky_fixture_fail (executor, "fault.obey", cases[i].order);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      g_assert_nonnull (strstr (error->message, cases[i].text));
      g_assert_null (strstr (error->message, "not known"));
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
program_that_is_no_fork_server_is_told (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 2, "start-method", "forkserver",
                                                       "worker-path", "/bin/false", NULL);
  g_autoptr (GError) error = loky_fixture_fail (executor, "demo.echo", "x");

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BROKEN);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, "/bin/false"));
  g_assert_nonnull (strstr (error->message, "status 1"));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Its status comes long after it let go of all that it was sent. */
static void
fork_server_that_ends_slowly_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("loky-start-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "slow", NULL);
  LokyExecutor *executor;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents_full (path, "#!/bin/sh\ntimeout 0.4 cat >/dev/null\nexit 1\n", -1,
                                           G_FILE_SET_CONTENTS_NONE, 0700, &error));
  g_assert_no_error (error);
  executor = loky_fixture_make_executor ("max-workers", 1, "start-method", "forkserver", "worker-path", path, NULL);
  error = loky_fixture_fail (executor, "demo.echo", "x");
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BROKEN);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, "status 1"));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

/* Its end, and its being stopped, break no task. */
static void
fork_server_that_dies_breaks_no_task (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make ("forkserver");
  g_autoptr (LokyFuture) running
      = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (0.2));
  g_autoptr (GError) error = NULL;
  g_autofree char *said = NULL;
  pid_t first, second;

  loky_fixture_wait_running (running);
  first = find_server ();
  g_assert_cmpint (kill (first, SIGKILL), ==, 0);
  g_assert_true (loky_future_wait (running, -1, NULL, NULL));
  g_assert_cmpint (loky_future_get_state (running), ==, LOKY_FUTURE_STATE_SUCCEEDED);
  /* Nobody knows how it ended but itself. */
  error = loky_fixture_fail (executor, "fault.obey", "kill");
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  g_assert_nonnull (strstr (error->message, "not known"));
  /* Another server, another worker. */
  said = loky_fixture_call (executor, "demo.echo", "x");
  second = find_server ();
  g_assert_cmpint (second, !=, first);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
stopped_fork_server_delays_only_the_status (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, "start-method", "forkserver",
                                                       "start-timeout", G_GINT64_CONSTANT (1000), NULL);
  g_autofree char *first G_GNUC_UNUSED = loky_fixture_call (executor, "demo.echo", "x");
  g_autoptr (GError) error = NULL;
  g_autofree char *second = NULL;
  pid_t server = find_server ();

  g_assert_cmpint (kill (server, SIGSTOP), ==, 0);
  error = loky_fixture_fail (executor, "fault.obey", "_exit:3");
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  /* It does not fork the next one in time, and is replaced. */
  second = loky_fixture_call (executor, "demo.echo", "y");
  g_assert_cmpstr (second, ==, "y");
  g_assert_cmpint (find_server (), !=, server);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Shut down while it is stopped, before and after it has forked. */
static void
stopped_fork_server_delays_no_shutdown (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 2; i++)
    {
      LokyExecutor *executor = make ("forkserver");
      g_autofree char *said G_GNUC_UNUSED = loky_fixture_call (executor, "demo.echo", "x");
      g_autoptr (LokyFuture) running = loky_fixture_submit (executor, "fault.obey", g_variant_new_string ("hang"));
      g_autoptr (LokyFuture) waiting = NULL;

      loky_fixture_wait_running (running);
      g_assert_cmpint (kill (find_server (), SIGSTOP), ==, 0);
      if (i == 1)
        waiting = loky_fixture_submit (executor, "demo.echo", g_variant_new_string ("x"));
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
      loky_fixture_assert_fails (running, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
    }
}

/* As many starts as break an executor, none of which was a failure of its own. */
static void
fork_server_that_takes_all_starts_with_it_loses_no_task (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 8, "start-method", "forkserver", NULL);
  g_autofree char *said G_GNUC_UNUSED = loky_fixture_call (executor, "demo.echo", "x");
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;
  pid_t server = find_server ();

  g_assert_cmpint (kill (server, SIGSTOP), ==, 0);
  error = loky_fixture_fail (executor, "fault.obey", "_exit:3");
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  for (guint i = 0; i < 8; i++)
    g_ptr_array_add (futures, loky_fixture_submit (executor, "fault.obey", g_variant_new_string ("ok")));
  while (loky_executor_get_n_workers (executor) < 8)
    g_usleep (1000);
  g_assert_cmpint (kill (server, SIGKILL), ==, 0);
  for (guint i = 0; i < futures->len; i++)
    {
      LokyFuture *future = g_ptr_array_index (futures, i);

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* The server has not come to fork what is not wanted any more: the others are still to come of it. */
static void
fewer_workers_end_no_fork_server (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 2, "start-method", "forkserver", NULL);
  g_autofree char *said G_GNUC_UNUSED = loky_fixture_call (executor, "demo.echo", "x");
  g_autoptr (LokyFuture) busy = loky_fixture_submit (executor, "fault.obey", g_variant_new_string ("cancellable"));
  g_autoptr (LokyFuture) second = NULL;
  pid_t server = find_server ();

  loky_fixture_wait_running (busy);
  g_assert_cmpint (kill (server, SIGSTOP), ==, 0);
  second = loky_fixture_submit (executor, "demo.echo", g_variant_new_string ("y"));
  while (loky_executor_get_n_workers (executor) < 2)
    g_usleep (1000);
  g_object_set (executor, "max-workers", 1, NULL);
  while (loky_executor_get_n_workers (executor) > 1)
    g_usleep (1000);
  /* Its end would be seen. */
  g_usleep (400 * 1000);
  g_assert_cmpint (kill (server, SIGCONT), ==, 0);
  loky_future_cancel (busy);
  g_assert_true (loky_future_wait (second, -1, NULL, NULL));
  g_assert_cmpint (loky_future_get_state (second), ==, LOKY_FUTURE_STATE_SUCCEEDED);
  g_assert_cmpint (find_server (), ==, server);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* One that crashes, hangs or starts threads when it is loaded costs a start, and the others are still served. */
static void
plugin_that_cannot_be_preloaded_is_left_to_the_workers (LokyFixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "crashload", "exitload", "hangload", "threadload", "nonsense", "../demo" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const char *preload[] = { names[i], NULL };
      LokyExecutor *executor
          = loky_fixture_make_executor ("max-workers", 1, "start-method", "forkserver", "preload", preload,
                                        "start-timeout", G_GINT64_CONSTANT (1000), NULL);
      g_autofree char *said = loky_fixture_call (executor, "demo.echo", "x");

      g_assert_cmpstr (said, ==, "x");
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

/* It dies when it has forked a worker and has not told of it: that one has begun nothing, and nothing is lost. */
static void
fork_server_that_dies_after_a_fork_loses_no_task (LokyFixture *fixture, gconstpointer data)
{
  static const char *const preload[] = { "forkdeath", NULL };
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, "start-method", "forkserver", "preload",
                                                       preload, NULL);
  g_autofree char *said = loky_fixture_call (executor, "fault.obey", "sleep:300");

  g_assert_cmpstr (said, ==, "ok");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
preloaded_plugin_is_there_before_its_first_task (LokyFixture *fixture, gconstpointer data)
{
  static const char *const preload[] = { "demo", NULL };
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, "start-method", "forkserver",
                                                       "preload", preload, NULL);
  g_autofree char *path = NULL;
  g_autofree char *maps = NULL;
  g_autofree char *worker = NULL;

  if (LOKY_HAS_SANITIZER)
    {
      g_test_skip ("a sanitizer may have a thread of its own, with which nothing is loaded");
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
      return;
    }
  g_assert_true (loky_executor_warm_up_sync (executor, 1, NULL, NULL));
  path = g_strdup_printf ("/proc/%d/maps", (int) find_server ());
  g_assert_true (g_file_get_contents (path, &maps, NULL, NULL));
  g_assert_nonnull (strstr (maps, "/demo.so"));
  g_assert_null (strstr (maps, "/fault.so"));
  /* One that was used is loaded with the next worker. */
  worker = loky_fixture_call (executor, "fault.obey", "pid");
  kill (atoi (worker), SIGKILL);
  g_clear_pointer (&worker, g_free);
  for (guint i = 0; i < 100 && strstr (maps, "/fault.so") == NULL; i++)
    {
      g_autoptr (GVariant) result G_GNUC_UNUSED = loky_executor_call_sync (
          executor, "fault.obey", g_variant_new_string ("pid"), NULL, NULL, NULL);

      g_free (maps);
      g_assert_true (g_file_get_contents (path, &maps, NULL, NULL));
    }
  g_assert_nonnull (strstr (maps, "/fault.so"));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- a copy of the application -------------------------------------------------------------------- */

static void
check_fork (gconstpointer role)
{
  g_autofree char *output = NULL;
  int status = run_role (role, NULL, &output);

  if (status == SKIPPED)
    g_test_skip ("this sanitizer has a thread of its own");
  else
    g_assert_cmpint (status, ==, 0);
}

/* Which this one has, by GLib. */
static void
fork_with_threads_is_refused (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make ("fork");
  g_autoptr (GError) error = loky_fixture_fail (executor, "demo.echo", "x");

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START);
  g_assert_nonnull (strstr (error->message, " threads"));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
reusable_executor_refuses_fork (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = g_object_new (LOKY_TYPE_EXECUTOR_CONFIG, "start-method", "fork", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_get_reusable_executor (config, LOKY_REUSE_AUTO, FALSE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_object_set (config, "start-method", "nonsense", NULL);
  g_assert_null (loky_get_reusable_executor (config, LOKY_REUSE_AUTO, FALSE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_true (loky_set_start_method ("fork", TRUE, NULL));
  g_assert_null (loky_get_reusable_executor (NULL, LOKY_REUSE_AUTO, FALSE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_true (loky_set_start_method (NULL, TRUE, NULL));
}

static int
play (int argc, char **argv)
{
  const char *role = g_getenv ("LOKY_TEST_ROLE");
  int status;

  for (gsize i = 0; i < G_N_ELEMENTS (roles); i++)
    if (g_str_equal (roles[i].name, role))
      {
        if (roles[i].calls_init)
          loky_init (&argc, &argv);
        alarm (60);
        status = roles[i].func ();
        fflush (stdout);
        /* Some leave a thread, which a sanitizer would find. */
        _exit (status);
      }
  return 3;
}

int
main (int argc, char **argv)
{
  loky_register_plugin (&own);
  loky_register_plugin (&unsound);
  program = g_file_read_link ("/proc/self/exe", NULL);
  if (g_getenv ("LOKY_TEST_ROLE") != NULL)
    return play (argc, argv);
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/start/unknown-method-is-told-with-all-names", unknown_method_is_told_with_all_names);
  LOKY_FIXTURE_ADD ("/loky/start/each-method-serves", each_method_serves);
  LOKY_FIXTURE_ADD ("/loky/start/default-is-set-once", default_is_set_once);
  LOKY_FIXTURE_ADD ("/loky/start/environment-is-the-default-of-the-default",
                    environment_is_the_default_of_the_default);
  LOKY_FIXTURE_ADD ("/loky/start/nested-executors-use-the-default", nested_executors_use_the_default);
  LOKY_FIXTURE_ADD ("/loky/start/functions-of-the-program-are-tasks", functions_of_the_program_are_tasks);
  LOKY_FIXTURE_ADD ("/loky/start/program-without-init-is-told", program_without_init_is_told);
  LOKY_FIXTURE_ADD ("/loky/start/workers-are-forked", workers_are_forked);
  LOKY_FIXTURE_ADD ("/loky/start/fork-server-binds-for-its-workers", fork_server_binds_for_its_workers);
  LOKY_FIXTURE_ADD ("/loky/start/status-comes-from-the-fork-server", status_comes_from_the_fork_server);
  LOKY_FIXTURE_ADD ("/loky/start/program-that-is-no-fork-server-is-told", program_that_is_no_fork_server_is_told);
  LOKY_FIXTURE_ADD ("/loky/start/fork-server-that-ends-slowly-is-told", fork_server_that_ends_slowly_is_told);
  LOKY_FIXTURE_ADD ("/loky/start/fork-server-that-dies-breaks-no-task", fork_server_that_dies_breaks_no_task);
  LOKY_FIXTURE_ADD ("/loky/start/fork-server-that-takes-all-starts-with-it-loses-no-task",
                    fork_server_that_takes_all_starts_with_it_loses_no_task);
  LOKY_FIXTURE_ADD ("/loky/start/fewer-workers-end-no-fork-server", fewer_workers_end_no_fork_server);
  LOKY_FIXTURE_ADD ("/loky/start/stopped-fork-server-delays-only-the-status",
                    stopped_fork_server_delays_only_the_status);
  LOKY_FIXTURE_ADD ("/loky/start/stopped-fork-server-delays-no-shutdown",
                    stopped_fork_server_delays_no_shutdown);
  LOKY_FIXTURE_ADD ("/loky/start/plugin-that-cannot-be-preloaded-is-left-to-the-workers",
                    plugin_that_cannot_be_preloaded_is_left_to_the_workers);
  LOKY_FIXTURE_ADD ("/loky/start/fork-server-that-dies-after-a-fork-loses-no-task",
                    fork_server_that_dies_after_a_fork_loses_no_task);
  LOKY_FIXTURE_ADD ("/loky/start/preloaded-plugin-is-there-before-its-first-task",
                    preloaded_plugin_is_there_before_its_first_task);
  LOKY_FIXTURE_ADD ("/loky/start/fork-with-threads-is-refused", fork_with_threads_is_refused);
  LOKY_FIXTURE_ADD ("/loky/start/reusable-executor-refuses-fork", reusable_executor_refuses_fork);
  g_test_add_data_func ("/loky/start/fork-shares-the-memory", "fork", check_fork);
  g_test_add_data_func ("/loky/start/fork-leaves-nothing-when-unused", "fork-unused", check_fork);
  return g_test_run ();
}
