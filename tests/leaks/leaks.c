/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The whole life of an executor, a worker's death in the middle of it. Afterwards no child, no
 * descriptor and no thread may be left; that no memory is, valgrind sees. */

#include <stdlib.h>
#include <unistd.h>

#include "../fixture.h"

#define N_ROUNDS 3

static void
submit_and_wait (LokyExecutor *executor)
{
  g_autofree char *text = loky_fixture_call (executor, "demo.echo", "hello");
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (executor, "demo.echo", g_variant_new_string ("again"));

  g_assert_cmpstr (text, ==, "hello");
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
}

static void
crash_worker (LokyExecutor *executor)
{
  g_autoptr (GError) error = loky_fixture_fail (executor, "demo.crash", "segv");

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
}

static void
map (LokyExecutor *executor)
{
  const char *const strings[] = { "a", "b", "c", NULL };
  g_autoptr (LokyInput) input = loky_input_new_for_strv (strings);
  g_autoptr (LokyResults) results = loky_executor_map (executor, "demo.echo", input, NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, &error);
      g_autoptr (GVariant) result = NULL;

      g_assert_no_error (error);
      result = loky_future_dup_result (future, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (g_variant_get_string (result, NULL), ==, strings[i]);
    }
  g_assert_null (loky_results_next (results, NULL, &error));
  g_assert_no_error (error);
}

static void
hand_over_buffer (LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (1 << 20, &error);
  g_autoptr (LokyBuffer) returned = NULL;
  g_autoptr (GVariant) args = NULL;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_assert_no_error (error);
  args = loky_buffer_to_variant (buffer, &error);
  g_assert_no_error (error);
  future = loky_fixture_submit (executor, "demo.echo", args);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  returned = loky_future_lookup_buffer (future, g_variant_get_handle (result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (loky_buffer_get_size (returned), ==, 1 << 20);
}

/* The futures are dropped before their tasks have ended. */
static void
leave_tasks_behind (LokyExecutor *executor)
{
  for (guint i = 0; i < 10; i++)
    g_object_unref (
        loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (i % 2 * 3600)));
}

static void
run_round (LokyShutdownMode mode)
{
  LokyExecutor *executor = loky_executor_new (2);

  submit_and_wait (executor);
  crash_worker (executor);
  map (executor);
  hand_over_buffer (executor);
  submit_and_wait (executor);
  if (mode == LOKY_SHUTDOWN_KILL)
    leave_tasks_behind (executor);
  loky_fixture_end_executor (executor, mode);
}

int
main (int argc, char **argv)
{
  const LokyShutdownMode modes[]
      = { LOKY_SHUTDOWN_DRAIN, LOKY_SHUTDOWN_CANCEL_PENDING, LOKY_SHUTDOWN_KILL };
  guint n_children;
  guint n_fds;

  loky_fixture_init (&argc, &argv);
  alarm (100);
  n_children = loky_fixture_count_children ();
  n_fds = loky_fixture_count_fds ();

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      run_round (modes[i]);
      /* An executor that was never used has nothing to leave. */
      g_object_unref (loky_executor_new (1));

      g_assert_cmpuint (loky_fixture_count_children (), ==, n_children);
      loky_fixture_assert_fds (n_fds);
    }
  return 0;
}
