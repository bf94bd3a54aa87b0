/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Executors in workers. */

#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static LokyExecutor *
make_executor (guint max_workers, const char *variable)
{
  const char *environment[] = { variable, NULL };

  return loky_fixture_make_executor ("max-workers", max_workers, "environment", environment, NULL);
}

static void
as_deep_as_is_allowed (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make_executor (1, "LOKY_MAX_DEPTH=4");
  g_autofree char *told = loky_fixture_call (executor, "fault.obey", "nest-deep:3");
  g_autoptr (GError) error = loky_fixture_fail (executor, "fault.obey", "nest-deep:4");

  g_assert_cmpstr (told, ==, "bottom");
  /* It comes up through all of them as it is. */
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RECURSION);
  g_assert_nonnull (strstr (error->message, "LOKY_MAX_DEPTH"));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
depth_that_is_no_number_is_an_error (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make_executor (1, "LOKY_MAX_DEPTH=deep");
  g_autoptr (GError) error = loky_fixture_fail (executor, "fault.obey", "nest-deep:1");

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Nested pools do not multiply: the CPUs are divided among the workers, and so on below. */
static void
cpus_are_handed_down (LokyFixture *fixture, gconstpointer data)
{
  guint n_cpus = loky_cpu_count ();
  LokyExecutor *executor = make_executor (n_cpus, "A=b");
  LokyExecutor *single = make_executor (1, "A=b");
  g_autofree char *share = loky_fixture_call (executor, "fault.obey", "cpus");
  g_autofree char *all = loky_fixture_call (single, "fault.obey", "cpus");
  g_autofree char *below = loky_fixture_call (single, "fault.obey", "nest-reusable:cpus");
  g_autofree char *expected = g_strdup_printf ("%u", n_cpus);

  g_assert_cmpstr (share, ==, "1");
  g_assert_cmpstr (all, ==, expected);
  g_assert_cmpstr (below, ==, "1");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  loky_fixture_end_executor (single, LOKY_SHUTDOWN_DRAIN);
}

static void
user_may_give_more (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make_executor (loky_cpu_count () + 1, "OMP_NUM_THREADS=9");
  g_autofree char *given = loky_fixture_call (executor, "fault.obey", "env:OMP_NUM_THREADS");
  g_autofree char *limited = loky_fixture_call (executor, "fault.obey", "env:OPENBLAS_NUM_THREADS");

  g_assert_cmpstr (given, ==, "9");
  g_assert_cmpstr (limited, ==, "1");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* The worker leaves with an executor of its own that nobody has ended. */
static void
worker_leaves_with_its_own_workers (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make_executor (1, "A=b");
  g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "nest-reusable:pid");

  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  while (kill (atoi (pid), 0) == 0)
    g_usleep (1000);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/nesting/as-deep-as-is-allowed", as_deep_as_is_allowed);
  LOKY_FIXTURE_ADD ("/loky/nesting/depth-no-number", depth_that_is_no_number_is_an_error);
  LOKY_FIXTURE_ADD ("/loky/nesting/cpus-are-handed-down", cpus_are_handed_down);
  LOKY_FIXTURE_ADD ("/loky/nesting/user-may-give-more", user_may_give_more);
  LOKY_FIXTURE_ADD ("/loky/nesting/leaves-with-its-own-workers", worker_leaves_with_its_own_workers);

  return g_test_run ();
}
