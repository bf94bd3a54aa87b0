/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The executor of the process, and configurations. Each test ends by shutting it down and leaving one that was never
 * started, whose context is not that of the test. */

#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static LokyExecutorConfig *
make_config (guint max_workers)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", max_workers, NULL);

  return loky_executor_dup_config (executor);
}

static LokyExecutorConfig *
make_config_with_environment (guint max_workers, const char *variable)
{
  const char *environment[] = { variable, NULL };
  LokyExecutorConfig *config = make_config (max_workers);

  g_object_set (config, "environment", environment, NULL);
  return config;
}

static LokyExecutor *
get (LokyExecutorConfig *config, LokyReuse reuse)
{
  g_autoptr (GError) error = NULL;
  LokyExecutor *executor = loky_get_reusable_executor (config, reuse, FALSE, &error);

  g_assert_no_error (error);
  g_assert_true (LOKY_IS_EXECUTOR (executor));
  return executor;
}

static LokyExecutor *
get_of (guint max_workers)
{
  g_autoptr (LokyExecutorConfig) config = make_config (max_workers);

  return get (config, LOKY_REUSE_AUTO);
}

static void
end_it (LokyExecutor *executor)
{
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

static void
tear_down (LokyFixture *fixture, gconstpointer data)
{
  end_it (get (NULL, LOKY_REUSE_ALWAYS));
  g_main_context_push_thread_default (NULL);
  g_object_unref (get (NULL, LOKY_REUSE_NEVER));
  g_main_context_pop_thread_default (NULL);
  loky_fixture_tear_down (fixture, data);
}

static gint
compare_pids (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* The pids of all @n workers, sorted: each is asked while all are busy. */
static GPtrArray *
get_pids (LokyExecutor *executor, guint n)
{
  GPtrArray *pids = g_ptr_array_new_with_free_func (g_free);

  g_assert_true (loky_executor_warm_up_sync (executor, n, NULL, NULL));
  while (pids->len < n)
    {
      g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");
      LokyFuture *busy;

      if (!g_ptr_array_find_with_equal_func (pids, pid, g_str_equal, NULL))
        g_ptr_array_add (pids, g_strdup (pid));
      /* So that the next one is told by another; one that was told twice would else answer for ever. */
      busy = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (0.2));
      loky_fixture_wait_running (busy);
      g_object_unref (busy);
    }
  g_ptr_array_sort (pids, compare_pids);
  return pids;
}

static guint
count_common (GPtrArray *a, GPtrArray *b)
{
  guint n = 0;

  for (guint i = 0; i < a->len; i++)
    n += g_ptr_array_find_with_equal_func (b, g_ptr_array_index (a, i), g_str_equal, NULL);
  return n;
}

/* --- configurations --------------------------------------------------------------------------- */

static void
configurations_are_compared_by_value (void)
{
  const char *path[] = { "/a", "/b", NULL };
  g_autoptr (LokyExecutorConfig) a = loky_executor_config_new ();
  g_autoptr (LokyExecutorConfig) b = loky_executor_config_new ();
  g_autoptr (LokyExecutorConfig) copy = NULL;

  g_assert_true (loky_executor_config_equal (a, b));
  g_object_set (a, "plugin-path", path, "initializer", "x.y", "initializer-args",
                g_variant_new ("(s)", "text"), "idle-timeout", (gint64) 5, NULL);
  g_assert_false (loky_executor_config_equal (a, b));
  g_object_set (b, "plugin-path", path, "initializer", "x.y", "initializer-args",
                g_variant_new ("(s)", "text"), "idle-timeout", (gint64) 5, NULL);
  g_assert_true (loky_executor_config_equal (a, b));
  copy = loky_executor_config_copy (a);
  g_assert_true (loky_executor_config_equal (a, copy));
  g_object_set (copy, "initializer-args", g_variant_new ("(s)", "other"), NULL);
  g_assert_false (loky_executor_config_equal (a, copy));
  path[1] = NULL;
  g_object_set (b, "plugin-path", path, NULL);
  g_assert_false (loky_executor_config_equal (a, b));
  g_object_set (b, "plugin-path", NULL, NULL);
  g_assert_false (loky_executor_config_equal (b, a));
}

/* A setting that one of them did not know would be lost on the way. */
static void
configuration_has_each_setting_of_an_executor (void)
{
  g_autoptr (GTypeClass) klass = g_type_class_ref (LOKY_TYPE_EXECUTOR);
  g_autoptr (GTypeClass) config_class = g_type_class_ref (LOKY_TYPE_EXECUTOR_CONFIG);
  g_autofree GParamSpec **specs = NULL;
  guint n_specs, n_settings = 0;

  specs = g_object_class_list_properties (G_OBJECT_CLASS (klass), &n_specs);
  for (guint i = 0; i < n_specs; i++)
    {
      GParamSpec *same;

      if ((specs[i]->flags & G_PARAM_WRITABLE) == 0)
        continue;
      same = g_object_class_find_property (G_OBJECT_CLASS (config_class), specs[i]->name);
      g_assert_nonnull (same);
      g_assert_true (g_type_is_a (same->value_type, specs[i]->value_type));
      g_assert_cmpint (g_param_values_cmp (same, g_param_spec_get_default_value (same),
                                           g_param_spec_get_default_value (specs[i])), ==, 0);
      n_settings++;
    }
  g_assert_cmpuint (n_settings, >, 5);
}

static void
executor_has_the_settings_of_its_configuration (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = make_config_with_environment (3, "A=b");
  g_autoptr (LokyExecutorConfig) same = NULL;
  g_autofree char *value = NULL;
  LokyExecutor *executor;

  g_object_set (config, "idle-timeout", (gint64) 4321, "crash-policy", LOKY_CRASH_POLICY_BREAK,
                "spin-time", 7, NULL);
  executor = loky_executor_new_with_config (config);
  same = loky_executor_dup_config (executor);
  g_assert_true (loky_executor_config_equal (config, same));
  value = loky_fixture_call (executor, "fault.obey", "env:A");
  g_assert_cmpstr (value, ==, "b");
  end_it (executor);
}

/* --- reuse ------------------------------------------------------------------------------------ */

static void
same_settings_give_the_same (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) first = NULL;
  g_autoptr (LokyExecutor) second = NULL;
  g_autoptr (LokyExecutorConfig) a = make_config_with_environment (2, "A=1");
  g_autoptr (LokyExecutorConfig) b = make_config_with_environment (2, "A=1");

  first = get (a, LOKY_REUSE_AUTO);
  /* What is compared are the values, not the arrays. */
  second = get (b, LOKY_REUSE_AUTO);
  g_assert_true (first == second);
}

static void
other_settings_give_another (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) a = make_config_with_environment (1, "A=1");
  g_autoptr (LokyExecutorConfig) b = make_config_with_environment (1, "A=2");
  g_autoptr (LokyExecutor) first = get (a, LOKY_REUSE_AUTO);
  g_autoptr (LokyExecutor) second = get (b, LOKY_REUSE_AUTO);
  g_autofree char *old = NULL;
  g_autofree char *new = NULL;

  g_assert_true (first != second);
  /* Who holds the old one goes on using it, and gets what he asked for. */
  old = loky_fixture_call (first, "fault.obey", "env:A");
  g_assert_cmpstr (old, ==, "1");
  new = loky_fixture_call (second, "fault.obey", "env:A");
  g_assert_cmpstr (new, ==, "2");
  end_it (g_steal_pointer (&first));
}

static void
never_gives_another (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = make_config (1);
  g_autoptr (LokyExecutor) first = get (config, LOKY_REUSE_NEVER);
  g_autoptr (LokyExecutor) second = get (config, LOKY_REUSE_NEVER);

  g_assert_true (first != second);
}

static void
always_keeps_settings_and_size (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = make_config (3);
  g_autoptr (LokyExecutorConfig) other = make_config_with_environment (0, "A=2");
  g_autoptr (LokyExecutor) first = NULL;
  g_autoptr (LokyExecutor) second = NULL;
  g_autoptr (LokyExecutor) third = NULL;
  gint64 idle_timeout;

  g_object_set (config, "idle-timeout", (gint64) 42000, NULL);
  first = get (config, LOKY_REUSE_AUTO);
  second = get (NULL, LOKY_REUSE_ALWAYS);
  third = get (other, LOKY_REUSE_ALWAYS);
  g_assert_true (first == second && second == third);
  g_object_get (third, "idle-timeout", &idle_timeout, NULL);
  g_assert_cmpint (idle_timeout, ==, 42000);
  g_assert_cmpuint (loky_executor_get_max_workers (third), ==, 3);
  g_object_set (other, "max-workers", 2, NULL);
  g_object_unref (get (other, LOKY_REUSE_ALWAYS));
  g_assert_cmpuint (loky_executor_get_max_workers (third), ==, 2);
}

static void
no_number_stands_for_that_of_cpus (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = make_config (loky_cpu_count () + 3);
  g_autoptr (LokyExecutor) first = get (config, LOKY_REUSE_AUTO);
  g_autoptr (LokyExecutor) second = NULL;

  g_object_set (config, "max-workers", 0, NULL);
  second = get (config, LOKY_REUSE_AUTO);
  g_assert_true (first == second);
  g_assert_cmpuint (loky_executor_get_max_workers (second), ==, loky_cpu_count ());
}

static void
without_a_configuration_workers_leave_in_time (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = get (NULL, LOKY_REUSE_AUTO);
  gint64 idle_timeout;

  g_object_get (executor, "idle-timeout", &idle_timeout, NULL);
  g_assert_cmpint (idle_timeout, ==, 10000);
}

static void
broken_or_shut_down_is_replaced (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = make_config (2);
  g_autoptr (LokyExecutor) broken = NULL;
  g_autoptr (LokyExecutor) second = NULL;
  g_autoptr (LokyExecutor) third = NULL;
  g_autoptr (GError) error = NULL;

  g_object_set (config, "crash-policy", LOKY_CRASH_POLICY_BREAK, NULL);
  broken = get (config, LOKY_REUSE_AUTO);
  error = loky_fixture_fail (broken, "fault.obey", "segv");
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  second = get (NULL, LOKY_REUSE_ALWAYS);
  g_assert_true (second != broken);
  g_clear_object (&second);
  second = get (config, LOKY_REUSE_AUTO);
  g_free (loky_fixture_call (second, "fault.obey", "ok"));

  g_assert_true (loky_executor_shutdown_sync (second, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL));
  third = get (config, LOKY_REUSE_AUTO);
  g_assert_true (third != second);
  g_free (loky_fixture_call (third, "fault.obey", "ok"));
}

static gboolean
has_no_worker (gpointer data)
{
  return loky_executor_get_n_workers (data) == 0;
}

/* No task is submitted to it any more: it would hold its workers for nothing. */
static void
replaced_one_lets_its_workers_go (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = make_config (2);
  g_autoptr (LokyExecutor) old = get (config, LOKY_REUSE_AUTO);

  g_assert_true (loky_executor_warm_up_sync (old, 2, NULL, NULL));
  g_object_unref (get (config, LOKY_REUSE_NEVER));
  loky_fixture_wait_for (has_no_worker, old);
}

static void
killed_one_ends_its_tasks (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = make_config (1);
  g_autoptr (LokyExecutor) old = get (config, LOKY_REUSE_AUTO);
  g_autoptr (LokyFuture) running
      = loky_fixture_submit (old, "fault.obey", g_variant_new_string ("hang-hard"));
  g_autoptr (LokyExecutor) new = NULL;
  g_autoptr (GError) error = NULL;

  loky_fixture_wait_running (running);
  g_object_set (config, "idle-timeout", (gint64) 77000, NULL);
  new = loky_get_reusable_executor (config, LOKY_REUSE_AUTO, TRUE, &error);
  g_assert_no_error (error);
  g_assert_true (new != old);
  g_free (loky_fixture_call (new, "fault.obey", "ok"));
  loky_fixture_assert_fails (running, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
  end_it (g_steal_pointer (&old));
}

/* --- resizing --------------------------------------------------------------------------------- */

static gboolean
has_two_workers (gpointer data)
{
  return loky_executor_get_n_workers (data) == 2;
}

static void
workers_that_stay_survive_a_resize (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = get_of (4);
  g_autoptr (GPtrArray) four = get_pids (executor, 4);
  g_autoptr (GPtrArray) two = NULL;
  g_autoptr (GPtrArray) three = NULL;

  g_object_unref (get_of (2));
  loky_fixture_wait_for (has_two_workers, executor);
  two = get_pids (executor, 2);
  g_assert_cmpuint (count_common (four, two), ==, 2);
  g_object_unref (get_of (3));
  three = get_pids (executor, 3);
  g_assert_cmpuint (count_common (two, three), ==, 2);
  /* The same size changes nothing. */
  g_object_unref (get_of (3));
  g_assert_cmpuint (loky_executor_get_n_workers (executor), ==, 3);
}

static void
resize_does_not_wait_for_what_runs (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = get_of (2);
  LokyFuture *futures[2];

  for (guint i = 0; i < 2; i++)
    {
      futures[i] = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (300));
      loky_fixture_wait_running (futures[i]);
    }
  g_object_unref (get_of (1));
  g_assert_cmpuint (loky_executor_get_max_workers (executor), ==, 1);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_false (loky_future_is_done (futures[i]));
      g_object_unref (futures[i]);
    }
}

static void
any_sizes_in_a_row_lose_no_task (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 12, 2, 1, 12, 6, 1, 8, 5 };
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (LokyExecutor) executor = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_clear_object (&executor);
      executor = get_of (sizes[i]);
      for (guint k = 0; k < 20; k++)
        g_ptr_array_add (futures, loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (0.001)));
    }
  g_assert_true (loky_wait ((LokyFuture **) futures->pdata, futures->len, LOKY_WAIT_ALL_COMPLETED, -1,
                            NULL, NULL));
  for (guint i = 0; i < futures->len; i++)
    g_assert_cmpint (loky_future_get_state (g_ptr_array_index (futures, i)), ==,
                     LOKY_FUTURE_STATE_SUCCEEDED);
}

static void
resize_after_workers_left (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 2, 8, 2 };
  g_autoptr (LokyExecutorConfig) config = make_config (1);
  g_autoptr (LokyExecutor) executor = NULL;

  g_object_set (config, "idle-timeout", (gint64) 1, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_clear_object (&executor);
      g_object_set (config, "max-workers", sizes[i], NULL);
      executor = get (config, LOKY_REUSE_AUTO);
      for (guint k = 0; k < 2 * sizes[i]; k++)
        g_free (loky_fixture_call (executor, "fault.obey", "ok"));
      loky_fixture_wait_for (has_no_worker, executor);
    }
}

static void
resize_in_done_cb (LokyFuture *future, gpointer user_data)
{
  g_autoptr (LokyExecutor) executor = get_of (3);
  guint *size = user_data;

  *size = loky_executor_get_max_workers (executor);
}

static gboolean
is_set (gpointer data)
{
  return *(guint *) data > 0;
}

/* While another resize is under way. */
static void
callback_may_resize (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = get_of (2);
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (0.02));
  guint size = 0;

  g_signal_connect (future, "done", G_CALLBACK (resize_in_done_cb), &size);
  g_object_unref (get_of (1));
  loky_fixture_wait_for (is_set, &size);
  g_assert_cmpuint (size, ==, 3);
}

static void
get_in_notify_cb (LokyExecutor *executor, GParamSpec *pspec, gpointer user_data)
{
  guint *n_told = user_data;

  (*n_told)++;
  if (*n_told == 1)
    g_object_unref (get_of (5));
}

/* No lock is held over user code. */
static void
handler_of_a_resize_may_ask_again (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = get_of (2);
  guint n_told = 0;

  g_signal_connect (executor, "notify::max-workers", G_CALLBACK (get_in_notify_cb), &n_told);
  g_object_unref (get_of (1));
  g_assert_cmpuint (n_told, ==, 2);
  g_assert_cmpuint (loky_executor_get_max_workers (executor), ==, 5);
  g_signal_handlers_disconnect_by_func (executor, get_in_notify_cb, &n_told);
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct
{
  guint id;
  gboolean varies;
  gboolean replaces;
} Job;

static gpointer
use_thread (gpointer data)
{
  const Job *job = data;

  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (LokyExecutorConfig) config = make_config (job->varies ? 1 + (job->id + i) % 4 : 2);
      g_autoptr (LokyExecutor) executor = NULL;
      g_autofree char *variable = g_strdup_printf ("WHO=%u", job->id);
      g_autofree char *who = NULL;

      if (job->replaces)
        {
          const char *environment[] = { variable, NULL };

          g_object_set (config, "environment", environment, NULL);
        }
      executor = get (config, LOKY_REUSE_AUTO);
      /* Another thread may have replaced it: who has it is served, and by workers with his own settings. */
      who = loky_fixture_call (executor, "fault.obey", "env:WHO");
      g_assert_cmpstr (who, ==, job->replaces ? variable + strlen ("WHO=") : "");
    }
  return NULL;
}

static void
use_from_threads (gboolean varies, gboolean replaces)
{
  GThread *threads[10];
  Job jobs[G_N_ELEMENTS (threads)];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      jobs[i] = (Job){ .id = i, .varies = varies, .replaces = replaces };
      threads[i] = g_thread_new ("use", use_thread, &jobs[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
threads_share_it (LokyFixture *fixture, gconstpointer data)
{
  use_from_threads (FALSE, FALSE);
}

static void
threads_resize_it (LokyFixture *fixture, gconstpointer data)
{
  use_from_threads (TRUE, FALSE);
}

static void
threads_replace_it (LokyFixture *fixture, gconstpointer data)
{
  use_from_threads (FALSE, TRUE);
  end_it (get (NULL, LOKY_REUSE_ALWAYS));
  while (loky_fixture_count_children () > 0)
    g_usleep (1000);
}

/* --- processes -------------------------------------------------------------------------------- */

/* What the parent has is of no use to it: it makes its own. */
static void
forked_child_has_its_own (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutorConfig) config = make_config (1);
  g_autoptr (LokyExecutor) executor = get (config, LOKY_REUSE_AUTO);
  int status;
  pid_t pid;

  g_free (loky_fixture_call (executor, "fault.obey", "ok"));
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      LokyExecutor *own = loky_get_reusable_executor (config, LOKY_REUSE_ALWAYS, FALSE, NULL);

      _exit (own != executor && loky_executor_get_state (own) == LOKY_EXECUTOR_STATE_OPEN ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  g_free (loky_fixture_call (executor, "fault.obey", "ok"));
}

/* In the subprocess: it ends without a word to its executor, which is at work. */
static void
leave_it_at_work (void)
{
  g_autoptr (LokyExecutorConfig) config = make_config (2);
  g_autoptr (LokyExecutor) executor = get (config, LOKY_REUSE_AUTO);
  g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (executor, "fault.obey", g_variant_new_string ("spin"));

  loky_fixture_wait_running (future);
  g_print ("worker %s\n", pid);
  exit (0);
}

/* The watchdog of the tests ends what never goes. */
static void
wait_until_gone (int pid)
{
  while (kill (pid, 0) == 0)
    g_usleep (1000);
}

static void
nothing_need_be_called_at_exit (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_file_read_link ("/proc/self/exe", NULL);
  const char *argv[] = { path, "-p", "/loky/reusable/left-at-work", NULL };
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_autoptr (GSubprocess) child = NULL;
  g_autofree char *output = NULL;
  g_autofree char *errors = NULL;
  const char *found;

  g_subprocess_launcher_setenv (launcher, "LOKY_TEST_LEAVE", "1", TRUE);
  /* It leaves in the middle of everything: what its threads have at hand is no leak. */
  g_subprocess_launcher_setenv (launcher, "LSAN_OPTIONS", "detect_leaks=0", TRUE);
  child = g_subprocess_launcher_spawnv (launcher, argv, NULL);
  g_assert_true (g_subprocess_communicate_utf8 (child, NULL, NULL, &output, &errors, NULL));
  g_assert_cmpint (g_subprocess_get_exit_status (child), ==, 0);
  g_assert_cmpstr (errors, ==, "");
  found = strstr (output, "worker ");
  g_assert_nonnull (found);
  wait_until_gone (atoi (found + strlen ("worker ")));
}

static void
left_at_work (void)
{
  if (g_getenv ("LOKY_TEST_LEAVE") != NULL)
    leave_it_at_work ();
}

#define ADD(path, func)                                                                            \
  g_test_add (path, LokyFixture, NULL, loky_fixture_set_up, func, tear_down)

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  g_test_add_func ("/loky/config/by-value", configurations_are_compared_by_value);
  g_test_add_func ("/loky/config/each-setting", configuration_has_each_setting_of_an_executor);
  LOKY_FIXTURE_ADD ("/loky/config/makes-executors", executor_has_the_settings_of_its_configuration);
  ADD ("/loky/reusable/same-settings", same_settings_give_the_same);
  ADD ("/loky/reusable/other-settings", other_settings_give_another);
  ADD ("/loky/reusable/never", never_gives_another);
  ADD ("/loky/reusable/always", always_keeps_settings_and_size);
  ADD ("/loky/reusable/no-number", no_number_stands_for_that_of_cpus);
  ADD ("/loky/reusable/default-idle-timeout", without_a_configuration_workers_leave_in_time);
  ADD ("/loky/reusable/broken-or-shut-down", broken_or_shut_down_is_replaced);
  ADD ("/loky/reusable/replaced-lets-workers-go", replaced_one_lets_its_workers_go);
  ADD ("/loky/reusable/killed", killed_one_ends_its_tasks);
  ADD ("/loky/reusable/resize-keeps-workers", workers_that_stay_survive_a_resize);
  ADD ("/loky/reusable/resize-does-not-wait", resize_does_not_wait_for_what_runs);
  ADD ("/loky/reusable/any-sizes", any_sizes_in_a_row_lose_no_task);
  ADD ("/loky/reusable/resize-after-workers-left", resize_after_workers_left);
  ADD ("/loky/reusable/resize-in-callback", callback_may_resize);
  ADD ("/loky/reusable/asked-in-handler", handler_of_a_resize_may_ask_again);
  ADD ("/loky/reusable/threads-share", threads_share_it);
  ADD ("/loky/reusable/threads-resize", threads_resize_it);
  ADD ("/loky/reusable/threads-replace", threads_replace_it);
  ADD ("/loky/reusable/forked-child", forked_child_has_its_own);
  ADD ("/loky/reusable/exit", nothing_need_be_called_at_exit);
  g_test_add_func ("/loky/reusable/left-at-work", left_at_work);

  return g_test_run ();
}
