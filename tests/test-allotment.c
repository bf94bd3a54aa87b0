/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What each worker has for itself: variables and CPUs. */

#include "fixture.h"

#include <sched.h>

static GVariant *
make_environments (void)
{
  return g_variant_new_parsed ("[['DEVICE=0', 'FIRST=yes'], ['DEVICE=1']]");
}

static LokyFuture *
occupy_worker (LokyExecutor *executor)
{
  LokyFuture *future = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (300));

  loky_fixture_wait_running (future);
  return future;
}

static void
assert_obeys (LokyExecutor *executor, const char *order, const char *expected)
{
  g_autofree char *value = loky_fixture_call (executor, "fault.obey", order);

  g_assert_cmpstr (value, ==, expected);
}

static void
each_worker_has_its_environment (LokyFixture *fixture, gconstpointer data)
{
  const char *const common[] = { "DEVICE=none", "COMMON=c", NULL };
  LokyExecutor *executor = loky_fixture_make_executor (
      "max-workers", 3, "environment", common, "worker-environments", make_environments (), NULL);
  g_autoptr (LokyFuture) first = NULL;
  g_autoptr (LokyFuture) second = NULL;

  assert_obeys (executor, "env:DEVICE", "0");
  assert_obeys (executor, "env:FIRST", "yes");
  first = occupy_worker (executor);
  assert_obeys (executor, "env:DEVICE", "1");
  assert_obeys (executor, "env:FIRST", "");
  assert_obeys (executor, "env:COMMON", "c");
  second = occupy_worker (executor);
  /* There are more workers than elements. */
  assert_obeys (executor, "env:DEVICE", "0");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

static void
successor_has_what_the_dead_one_had (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor (
      "max-workers", 2, "worker-environments", make_environments (), NULL);
  g_autoptr (LokyFuture) first = occupy_worker (executor);

  assert_obeys (executor, "env:DEVICE", "1");
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = loky_executor_call_sync (
          executor, "fault.obey", g_variant_new_string ("abort"), NULL, NULL, &error);

      g_assert_null (result);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      assert_obeys (executor, "env:DEVICE", "1");
    }
  g_assert_cmpint (loky_future_get_state (first), ==, LOKY_FUTURE_STATE_RUNNING);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

/* Their number, and two of them that this process may run on. */
static guint
find_cpus (guint32 found[2])
{
  cpu_set_t set;
  guint n = 0;

  g_assert_cmpint (sched_getaffinity (0, sizeof set, &set), ==, 0);
  for (guint32 i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET (i, &set))
      {
        found[MIN (n, 1)] = i;
        n++;
      }
  if (n == 1)
    found[1] = found[0];
  return n;
}

static void
each_worker_has_its_cpus (LokyFixture *fixture, gconstpointer data)
{
  guint32 cpus[2];
  guint n = find_cpus (cpus);
  LokyExecutor *executor = loky_fixture_make_executor (
      "max-workers", 2, "worker-cpus", g_variant_new_parsed ("[[%u], [%u]]", cpus[0], cpus[1]), NULL);
  g_autofree char *on_first = g_strdup_printf ("%u", cpus[0]);
  g_autofree char *on_second = g_strdup_printf ("%u", cpus[1]);
  g_autoptr (LokyFuture) first = NULL;

  g_test_message ("of %u", n);
  assert_obeys (executor, "affinity", on_first);
  assert_obeys (executor, "env:OMP_NUM_THREADS", "1");
  first = occupy_worker (executor);
  assert_obeys (executor, "affinity", on_second);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

static void
cpus_that_are_not_there_are_told (LokyFixture *fixture, gconstpointer data)
{
  static const char *const lists[] = { "[[@u 65535]]", "[[@u 4294967295]]" };

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      LokyExecutor *executor = loky_fixture_make_executor (
          "max-workers", 1, "worker-cpus", g_variant_new_parsed (lists[i]), NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = loky_executor_call_sync (executor, "demo.echo", NULL, NULL, NULL, &error);

      g_assert_null (result);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BROKEN);
      g_assert_nonnull (strstr (error->message, "CPU"));
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
    }
}

static void
empty_lists_are_none (LokyFixture *fixture, gconstpointer data)
{
  guint32 cpus[2];
  LokyExecutor *all = loky_fixture_make_executor ("max-workers", 1, NULL);
  LokyExecutor *executor = loky_fixture_make_executor (
      "max-workers", 1, "worker-cpus", g_variant_new_parsed ("[@au []]"), "worker-environments",
      g_variant_new_parsed ("@aas []"), NULL);
  g_autofree char *expected = loky_fixture_call (all, "fault.obey", "affinity");

  g_assert_cmpuint (find_cpus (cpus), >, 0);
  assert_obeys (executor, "affinity", expected);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  loky_fixture_end_executor (all, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/allotment/environment", each_worker_has_its_environment);
  LOKY_FIXTURE_ADD ("/loky/allotment/successor", successor_has_what_the_dead_one_had);
  LOKY_FIXTURE_ADD ("/loky/allotment/cpus", each_worker_has_its_cpus);
  LOKY_FIXTURE_ADD ("/loky/allotment/missing-cpus", cpus_that_are_not_there_are_told);
  LOKY_FIXTURE_ADD ("/loky/allotment/empty", empty_lists_are_none);

  return g_test_run ();
}
