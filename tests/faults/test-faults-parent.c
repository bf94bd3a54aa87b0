/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rows 23 and 24: the application ends in any way, or is forked.
 *
 * The application that ends is this program again, as `test-faults-parent victim MARK SCENE END`: it says
 * "ready" and ends. All that it leaves has MARK in its environment. */

#include "faults.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "LOKY_TEST_MARK"

/* --- the victim ----------------------------------------------------------------------------------- */

static LokyExecutor *victim_executor;

static void
scene_idle (void)
{
  loky_executor_warm_up_sync (victim_executor, 4, NULL, NULL);
}

static LokyFuture *
start (const char *order)
{
  return loky_executor_submit (victim_executor, "fault.obey", g_variant_new_string (order), NULL, NULL);
}

static void
scene_busy (void)
{
  for (guint i = 0; i < 4; i++)
    loky_fixture_wait_running (start (i % 2 == 0 ? "spin" : "hang-hard"));
}

/* Our children, whichever thread started them; of a fork server its children. */
static GArray *
list_workers (int pid)
{
  gboolean has_server = pid == getpid () && g_str_equal (loky_get_start_method (), "forkserver");
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) threads = g_dir_open (folder, 0, NULL);
  GArray *workers = g_array_new (FALSE, FALSE, sizeof (int));
  const char *thread;

  while (threads != NULL && (thread = g_dir_read_name (threads)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, thread, "children", NULL);
      g_autofree char *text = NULL;
      g_auto (GStrv) pids = NULL;

      if (!g_file_get_contents (path, &text, NULL, NULL))
        continue;
      pids = g_strsplit (g_strstrip (text), " ", -1);
      for (guint i = 0; pids[i] != NULL && pids[i][0] != '\0'; i++)
        {
          int child = atoi (pids[i]);
          g_autoptr (GArray) children = has_server ? list_workers (child) : NULL;

          if (children == NULL)
            g_array_append_val (workers, child);
          else
            g_array_append_vals (workers, children->data, children->len);
        }
    }
  return workers;
}

/* How many of them are stopped. */
static guint
count_stopped (void)
{
  g_autoptr (GArray) workers = list_workers (getpid ());
  guint count = 0;

  for (guint i = 0; i < workers->len; i++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/%d/stat", g_array_index (workers, int, i));
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL))
        count += strstr (text, ") T ") != NULL;
    }
  return count;
}

static void
scene_stopped (void)
{
  for (guint i = 0; i < 3; i++)
    start ("stop");
  /* Not before: what stops in the very moment when we end is not woken by our end. */
  while (count_stopped () < 3)
    g_usleep (1000);
}

static void
scene_nested (void)
{
  g_autofree char *pid G_GNUC_UNUSED = loky_fixture_call (victim_executor, "fault.obey", "nest");
}

static void
scene_descendants (void)
{
  static const char *const orders[] = { "fork", "fork-setsid", "daemonize" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autofree char *pid G_GNUC_UNUSED = loky_fixture_call (victim_executor, "fault.obey", orders[i]);
    }
}

/* The hardest: eight workers deaf to everything, each with a grandchild, two of them stopped. */
static void
scene_all (void)
{
  LokyFuture *futures[8];

  for (guint i = 0; i < 8; i++)
    futures[i] = start ("fork-spin");
  for (guint i = 0; i < 8; i++)
    {
      loky_fixture_wait_running (futures[i]);
      /* The grandchild is there when it says so by progress. */
      while (loky_future_get_progress (futures[i]) < 1)
        g_usleep (1000);
    }
  for (guint i = 0; i < 4000; i++)
    {
      g_autoptr (GArray) workers = list_workers (getpid ());

      if (workers->len < 2)
        continue;
      kill (g_array_index (workers, int, 0), SIGSTOP);
      kill (g_array_index (workers, int, 1), SIGSTOP);
      break;
    }
}

static const struct
{
  const char *name;
  guint max_workers;
  void (*func) (void);
} scenes[] = {
  { "idle", 4, scene_idle },       { "busy", 4, scene_busy },
  { "stopped", 3, scene_stopped }, { "nested", 1, scene_nested },
  { "descendants", 1, scene_descendants }, { "all", 8, scene_all },
};

static int
be_victim (const char *scene, const char *end)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  for (gsize i = 0; i < G_N_ELEMENTS (scenes); i++)
    if (g_str_equal (scenes[i].name, scene))
      {
        victim_executor = loky_fixture_make_executor ("max-workers", scenes[i].max_workers, NULL);
        scenes[i].func ();
      }
  if (g_str_has_prefix (end, "fork-") && fork () == 0)
    {
      /* A copy that lives on, and is no concern of the library's. */
      prctl (PR_SET_PDEATHSIG, 0);
      setsid ();
      prctl (PR_SET_NAME, "fork-copy");
      for (;;)
        pause ();
    }
  printf ("ready\n");
  fflush (stdout);
  if (g_str_has_suffix (end, "kill"))
    kill (getpid (), SIGKILL);
  if (g_str_has_suffix (end, "_exit"))
    _exit (0);
  if (g_str_has_suffix (end, "exit") && !LOKY_HAS_SANITIZER)
    exit (0);
  abort ();
}

/* --- looking on ----------------------------------------------------------------------------------- */

/* Whether a process is one of the marked ones that must go. */
static gboolean
is_marked (const char *pid, const char *mark)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "environ", NULL);
  g_autofree char *comm_path = g_build_filename ("/proc", pid, "comm", NULL);
  g_autofree char *stat_path = g_build_filename ("/proc", pid, "stat", NULL);
  g_autofree char *text = NULL;
  g_autofree char *comm = NULL;
  g_autofree char *stat = NULL;
  g_autofree char *variable = g_strconcat (MARK "=", mark, NULL);
  gsize size;

  if (!g_ascii_isdigit (pid[0]) || !g_file_get_contents (path, &text, &size, NULL) ||
      memmem (text, size, variable, strlen (variable)) == NULL)
    return FALSE;
  if (!g_file_get_contents (comm_path, &comm, NULL, NULL) || g_str_equal (comm, "fork-copy\n"))
    return FALSE;
  return g_file_get_contents (stat_path, &stat, NULL, NULL) && strstr (stat, ") Z ") == NULL;
}

static guint
count_marked (const char *mark)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc", 0, NULL);
  const char *name;
  guint count = 0;

  while ((name = g_dir_read_name (folder)) != NULL)
    count += is_marked (name, mark);
  return count;
}

static void
kill_copies (const char *mark)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc", 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *comm_path = g_build_filename ("/proc", name, "comm", NULL);
      g_autofree char *comm = NULL;

      if (g_file_get_contents (comm_path, &comm, NULL, NULL) && g_str_equal (comm, "fork-copy\n"))
        kill (atoi (name), SIGKILL);
    }
}

static char *program;

static void
check_scene (const char *scene, const char *end)
{
  g_autofree char *mark = g_uuid_string_random ();
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_autoptr (GSubprocess) victim = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDataInputStream) lines = NULL;
  g_autofree char *line = NULL;
  gint64 start_time;

  g_subprocess_launcher_setenv (launcher, MARK, mark, TRUE);
  victim = g_subprocess_launcher_spawn (launcher, &error, program, "victim", scene, end, NULL);
  g_assert_no_error (error);
  lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (victim));
  line = g_data_input_stream_read_line (lines, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (line, ==, "ready");
  g_assert_true (g_subprocess_wait (victim, NULL, &error));
  start_time = g_get_monotonic_time ();
  while (count_marked (mark) > 0)
    g_usleep (1000);
  g_test_message ("%s, %s: nothing is left after %.0f ms", scene, end,
                  (double) (g_get_monotonic_time () - start_time) / 1000);
  kill_copies (mark);
}

static void
nothing_outlives_the_application (LokyFixture *fixture, gconstpointer data)
{
  static const char *const ends[] = { "kill", "_exit", "exit", "abort", "fork-kill" };

  for (gsize i = 0; i < G_N_ELEMENTS (scenes); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (ends); j++)
      check_scene (scenes[i].name, ends[j]);
}

/* --- 24: fork ------------------------------------------------------------------------------------- */

static int
use_everything (gconstpointer data)
{
  LokyExecutor *executor = *(LokyExecutor *const *) data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  if (loky_executor_submit (executor, "fault.obey", g_variant_new_string ("ok"), NULL, &error) != NULL ||
      !g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED))
    return 2;
  g_clear_error (&error);
  result = loky_executor_call_sync (executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL, &error);
  if (result != NULL || !g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED))
    return 3;
  g_clear_error (&error);
  if (loky_executor_warm_up_sync (executor, 1, NULL, &error) ||
      !g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED))
    return 4;
  g_clear_error (&error);
  if (loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_KILL, -1, NULL, &error) ||
      !g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED))
    return 5;
  loky_executor_set_max_workers (executor, 1);
  g_object_unref (executor);
  return 0;
}

static int
leave_by_exit (gconstpointer data)
{
  /* A sanitizer and valgrind would take what the parent has in use for lost. */
  if (LOKY_HAS_SANITIZER || loky_fixture_has_valgrind ())
    return 0;
  exit (0);
}

static int
execute (gconstpointer data)
{
  execl ("/bin/true", "true", NULL);
  return 2;
}

/* One of its own works there. */
static int
make_another (gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL, &error);

  if (result == NULL)
    return 2;
  return loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL) ? 0 : 3;
}

static void
forked_child_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) running = faults_submit (fixture->executor, "sleep:300", NULL);
  g_autoptr (GError) error = NULL;

  loky_fixture_wait_running (running);
  faults_run_in_child (use_everything, &fixture->executor);
  faults_run_in_child (leave_by_exit, NULL);
  faults_run_in_child (execute, NULL);
  faults_assert_serves (fixture->executor);
  error = faults_end_of (running);
  g_assert_no_error (error);
}

static void
forked_child_can_make_its_own (LokyFixture *fixture, gconstpointer data)
{
  if (LOKY_HAS_SANITIZER)
    {
      g_test_skip ("the thread sanitizer does not know threads that are started after a fork");
      return;
    }
  faults_assert_serves (fixture->executor);
  faults_run_in_child (make_another, NULL);
  faults_assert_serves (fixture->executor);
}

int
main (int argc, char *argv[])
{
  loky_init (&argc, &argv);
  if (argc == 4 && strcmp (argv[1], "victim") == 0)
    return be_victim (argv[2], argv[3]);
  program = g_file_read_link ("/proc/self/exe", NULL);
  prctl (PR_SET_CHILD_SUBREAPER, 0);
  loky_fixture_init (&argc, &argv);
  FAULTS_ADD ("23/nothing-outlives-the-application", nothing_outlives_the_application);
  FAULTS_ADD ("24/forked-child-is-told", forked_child_is_told);
  FAULTS_ADD ("24/forked-child-can-make-its-own", forked_child_can_make_its_own);
  return g_test_run ();
}
