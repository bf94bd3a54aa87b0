/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static GPtrArray *
submit_sleeps (LokyFixture *fixture, guint n_tasks, double seconds)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, loky_fixture_submit (fixture->executor, "demo.sleep",
                                                   g_variant_new_double (seconds)));
  return futures;
}

static void
drain_runs_everything (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = submit_sleeps (fixture, 50, 0.001);

  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_DRAIN);
  for (guint i = 0; i < futures->len; i++)
    g_assert_cmpint (loky_future_get_state (g_ptr_array_index (futures, i)), ==,
                     LOKY_FUTURE_STATE_SUCCEEDED);
}

static void
cancel_pending_waits_for_what_runs (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = submit_sleeps (fixture, 20, 0.2);

  loky_fixture_wait_running (g_ptr_array_index (futures, 0));
  loky_fixture_wait_running (g_ptr_array_index (futures, 1));
  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_CANCEL_PENDING);
  for (guint i = 0; i < futures->len; i++)
    g_assert_cmpint (loky_future_get_state (g_ptr_array_index (futures, i)), ==,
                     i < 2 ? LOKY_FUTURE_STATE_SUCCEEDED : LOKY_FUTURE_STATE_CANCELLED);
}

static void
kill_ends_everything (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "hang", "hang-hard", "stop" };
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  loky_executor_set_max_workers (fixture->executor, G_N_ELEMENTS (orders));
  for (guint i = 0; i < G_N_ELEMENTS (orders) + 20; i++)
    {
      const char *order = i < G_N_ELEMENTS (orders) ? orders[i] : "ok";
      LokyFuture *future
          = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string (order));

      g_ptr_array_add (futures, future);
      if (i < G_N_ELEMENTS (orders))
        loky_fixture_wait_running (future);
    }
  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_KILL);
  for (guint i = 0; i < futures->len; i++)
    loky_fixture_assert_fails (g_ptr_array_index (futures, i), LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
}

static void
drain_kills_at_its_deadline (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("hang-hard"));
  g_autoptr (GError) error = NULL;

  loky_fixture_wait_running (future);
  g_assert_true (
      loky_executor_shutdown_sync (fixture->executor, LOKY_SHUTDOWN_DRAIN, 50, NULL, &error));
  g_assert_no_error (error);
  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
}

static void
nothing_is_accepted_after_it (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) running
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (0.05));
  g_autoptr (LokyFuture) refused = NULL;
  g_autoptr (GError) error = NULL;

  loky_executor_shutdown_async (fixture->executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL, NULL);
  refused = loky_executor_submit (fixture->executor, "demo.echo", NULL, NULL, &error);
  g_assert_null (refused);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
  g_assert_true (loky_future_wait (running, -1, NULL, NULL));
  g_assert_cmpint (loky_future_get_state (running), ==, LOKY_FUTURE_STATE_SUCCEEDED);
}

/* The first processor that this process may use. */
static cpu_set_t
get_first_processor (void)
{
  cpu_set_t allowed, first;
  int cpu = 0;

  g_assert_cmpint (sched_getaffinity (getpid (), sizeof allowed, &allowed), ==, 0);
  while (!CPU_ISSET (cpu, &allowed))
    cpu++;
  CPU_ZERO (&first);
  CPU_SET (cpu, &first);
  return first;
}

/* Keeps it busy until told otherwise. */
static gpointer
spin (gpointer user_data)
{
  int *goes_on = user_data;
  cpu_set_t processor = get_first_processor ();

  sched_setaffinity (0, sizeof processor, &processor);
  while (g_atomic_int_get (goes_on))
    ;
  return NULL;
}

/* GLib's own thread, which reaps children, gets the processor that the spinning one needs more. */
static void
set_reaping_policy (int policy)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  cpu_set_t processor = get_first_processor ();
  struct sched_param nothing = { 0 };
  const char *name;

  while ((name = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "comm", NULL);
      g_autofree char *comm = NULL;

      if (!g_file_get_contents (path, &comm, NULL, NULL) || !g_str_equal (comm, "gmain\n"))
        continue;
      sched_setaffinity (atoi (name), sizeof processor, &processor);
      sched_setscheduler (atoi (name), policy, &nothing);
    }
}

/* Not even one that only waits for its status to be taken. */
static void
no_child_is_left_when_it_returns (LokyFixture *fixture, gconstpointer data)
{
  int goes_on = TRUE;
  GThread *spinner = g_thread_new ("spin", spin, &goes_on);

  set_reaping_policy (SCHED_IDLE);
  for (guint i = 0; i < 20; i++)
    {
      LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 8, NULL);
      g_autoptr (GError) error = NULL;

      loky_executor_warm_up_sync (executor, 8, NULL, &error);
      g_assert_no_error (error);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
      g_assert_cmpuint (loky_fixture_count_children (), ==, 0);
    }
  g_atomic_int_set (&goes_on, FALSE);
  g_thread_join (spinner);
  /* Or what it still holds is not let go for as long as the machine is busy. */
  set_reaping_policy (SCHED_OTHER);
}

static void
unused_executor_shuts_down (LokyFixture *fixture, gconstpointer data)
{
  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_DRAIN);
}

static void
again_is_harmless (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *result G_GNUC_UNUSED = loky_fixture_call (fixture->executor, "demo.echo", "x");

  for (guint i = 0; i < 3; i++)
    g_assert_true (loky_executor_shutdown_sync (
        fixture->executor, i == 1 ? LOKY_SHUTDOWN_KILL : LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL));
}

typedef struct
{
  LokyExecutor *executor;
  gboolean is_over;
  GError *error;
} Shutdown;

static void
shutdown_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Shutdown *shutdown = user_data;

  loky_executor_shutdown_finish (LOKY_EXECUTOR (source), result, &shutdown->error);
  shutdown->is_over = TRUE;
}

static gboolean
shutdown_is_over (gpointer data)
{
  return ((Shutdown *) data)->is_over;
}

static void
async_ends_when_all_is_gone (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures G_GNUC_UNUSED = submit_sleeps (fixture, 5, 0.01);
  Shutdown shutdown = { 0 };

  loky_executor_shutdown_async (fixture->executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, shutdown_cb,
                                &shutdown);
  loky_fixture_wait_for (shutdown_is_over, &shutdown);
  g_assert_no_error (shutdown.error);
  g_assert_cmpint (loky_executor_get_state (fixture->executor), ==, LOKY_EXECUTOR_STATE_SHUT_DOWN);
  g_assert_cmpuint (loky_fixture_count_children (), ==, 0);
}

static void
cancelled_wait_leaves_it_going (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (0.1));
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Shutdown shutdown = { 0 };

  loky_executor_shutdown_async (fixture->executor, LOKY_SHUTDOWN_DRAIN, -1, cancellable, shutdown_cb,
                                &shutdown);
  g_cancellable_cancel (cancellable);
  loky_fixture_wait_for (shutdown_is_over, &shutdown);
  g_assert_error (shutdown.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&shutdown.error);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
}

static void
drop_executor_cb (LokyFuture *future, gpointer user_data)
{
  LokyFixture *fixture = user_data;

  g_clear_object (&fixture->executor);
}

static gboolean
executor_is_gone (gpointer data)
{
  return ((LokyFixture *) data)->executor == NULL;
}

/* The rest is run all the same, and told. */
static void
last_reference_in_a_callback (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = submit_sleeps (fixture, 10, 0.001);

  g_signal_connect (g_ptr_array_index (futures, 0), "done", G_CALLBACK (drop_executor_cb), fixture);
  loky_fixture_wait_for (executor_is_gone, fixture);
  for (guint i = 0; i < futures->len; i++)
    {
      LokyFuture *future = g_ptr_array_index (futures, i);

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
  /* Nobody waits for the monitor of a dropped executor. */
  while (loky_fixture_count_fds () > fixture->n_fds + 1 || loky_fixture_count_children () > 0)
    g_usleep (1000);
}

static void
shut_down_cb (LokyFuture *future, gpointer user_data)
{
  LokyFixture *fixture = user_data;

  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), LOKY_SHUTDOWN_DRAIN);
}

static void
shutdown_in_a_callback (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = submit_sleeps (fixture, 10, 0.001);

  g_signal_connect (g_ptr_array_index (futures, 0), "done", G_CALLBACK (shut_down_cb), fixture);
  loky_fixture_wait_for (executor_is_gone, fixture);
  for (guint i = 0; i < futures->len; i++)
    g_assert_cmpint (loky_future_get_state (g_ptr_array_index (futures, i)), ==,
                     LOKY_FUTURE_STATE_SUCCEEDED);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/shutdown/drain-runs-everything", drain_runs_everything);
  LOKY_FIXTURE_ADD ("/loky/shutdown/cancel-pending-waits-for-what-runs",
                    cancel_pending_waits_for_what_runs);
  LOKY_FIXTURE_ADD ("/loky/shutdown/kill-ends-everything", kill_ends_everything);
  LOKY_FIXTURE_ADD ("/loky/shutdown/drain-kills-at-its-deadline", drain_kills_at_its_deadline);
  LOKY_FIXTURE_ADD ("/loky/shutdown/nothing-is-accepted-after-it", nothing_is_accepted_after_it);
  LOKY_FIXTURE_ADD ("/loky/shutdown/unused-executor-shuts-down", unused_executor_shuts_down);
  LOKY_FIXTURE_ADD ("/loky/shutdown/again-is-harmless", again_is_harmless);
  LOKY_FIXTURE_ADD ("/loky/shutdown/async-ends-when-all-is-gone", async_ends_when_all_is_gone);
  LOKY_FIXTURE_ADD ("/loky/shutdown/cancelled-wait-leaves-it-going", cancelled_wait_leaves_it_going);
  LOKY_FIXTURE_ADD ("/loky/shutdown/last-reference-in-a-callback", last_reference_in_a_callback);
  LOKY_FIXTURE_ADD ("/loky/shutdown/shutdown-in-a-callback", shutdown_in_a_callback);
  /* The last: GLib's thread stays as it is then. */
  LOKY_FIXTURE_ADD ("/loky/shutdown/no-child-is-left-when-it-returns", no_child_is_left_when_it_returns);
  return g_test_run ();
}
