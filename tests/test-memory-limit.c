/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A task may allocate as much as its options say, and no more. */

#include "fixture.h"

#define LIMIT (64u << 20)

/* So many MiB are more than that. */
#define TOO_MUCH "256"
#define LITTLE "16"

static LokyTaskOptions *
make_limited (void)
{
  LokyTaskOptions *options = loky_task_options_new ();

  loky_task_options_set_memory_limit (options, LIMIT);
  return options;
}

static char *
run (LokyExecutor *executor, const char *order, LokyTaskOptions *options, GError **error)
{
  g_autoptr (GVariant) result = loky_executor_call_sync (
      executor, "fault.obey", g_variant_new_string (order), options, NULL, error);

  return result != NULL ? g_variant_dup_string (result, NULL) : NULL;
}

static gboolean
is_skipped (void)
{
  if (LOKY_HAS_SANITIZER)
    g_test_skip ("the allocator of a sanitizer ends the process in a way of its own");
  return LOKY_HAS_SANITIZER;
}

static void
task_over_its_limit_fails (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "take:" TOO_MUCH, "take-unchecked:" TOO_MUCH, "take-unchecked:1000000" };
  g_autoptr (LokyTaskOptions) options = make_limited ();

  if (is_skipped ())
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autofree char *result = NULL;
      g_autofree char *after = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) error_after = NULL;

      result = run (fixture->executor, orders[i], options, &error);
      g_assert_null (result);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_MEMORY_LIMIT);
      g_assert_nonnull (strstr (error->message, "67108864"));
      after = run (fixture->executor, "take:" TOO_MUCH, NULL, &error_after);
      g_assert_no_error (error_after);
    }
}

static void
task_that_looks_fails_by_itself (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyTaskOptions) options = make_limited ();
  g_autofree char *before = run (executor, "pid", options, NULL);
  g_autofree char *result = NULL;
  g_autofree char *after = NULL;
  g_autoptr (GError) error = NULL;

  if (!is_skipped ())
    {
      result = run (executor, "alloc:" TOO_MUCH, options, &error);
      g_assert_null (result);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
      after = run (executor, "pid", NULL, NULL);
      g_assert_cmpstr (before, ==, after);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* In the same worker. */
static void
limit_ends_with_the_task (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyTaskOptions) options = make_limited ();
  g_autofree char *before = run (executor, "pid", NULL, NULL);
  g_autofree char *after = NULL;

  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *within = run (executor, "take:" LITTLE, options, &error);
      g_autofree char *without = NULL;

      g_assert_no_error (error);
      g_assert_cmpstr (within, ==, "ok");
      without = run (executor, "take:" TOO_MUCH, NULL, &error);
      g_assert_no_error (error);
    }
  after = run (executor, "pid", NULL, NULL);
  g_assert_cmpstr (before, ==, after);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Of the task: what the worker holds already does not count. */
static void
memory_held_before_does_not_count (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyTaskOptions) options = make_limited ();
  g_autoptr (GError) error = NULL;
  g_autofree char *held = run (executor, "alloc:" TOO_MUCH, NULL, &error);
  g_autofree char *result = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (held, ==, "ok");
  result = run (executor, "take:" LITTLE, options, &error);
  g_assert_no_error (error);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
other_ends_are_what_they_are (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "abort", "segv", "exit:3" };
  g_autoptr (LokyTaskOptions) options = make_limited ();

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *result = run (fixture->executor, orders[i], options, &error);

      g_assert_null (result);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
    }
}

/* Its items are sent as chunks. */
static void
map_has_its_limit (LokyFixture *fixture, gconstpointer data)
{
  const char *const orders[] = { "take:" LITTLE, "take:" TOO_MUCH, "take:" LITTLE, NULL };
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  g_autoptr (LokyInput) input = loky_input_new_for_strv (orders);
  g_autoptr (LokyResults) results = NULL;

  if (is_skipped ())
    return;
  loky_task_options_set_memory_limit (LOKY_TASK_OPTIONS (options), LIMIT);
  loky_map_options_set_chunk_size (options, 1);
  results = loky_executor_map (fixture->executor, "fault.obey", input, options);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);
      g_autoptr (GError) error = loky_future_dup_error (future);

      if (i == 1)
        g_assert_error (error, LOKY_ERROR, LOKY_ERROR_MEMORY_LIMIT);
      else
        g_assert_no_error (error);
    }
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/memory-limit/over-it", task_over_its_limit_fails);
  LOKY_FIXTURE_ADD ("/loky/memory-limit/own-error", task_that_looks_fails_by_itself);
  LOKY_FIXTURE_ADD ("/loky/memory-limit/ends-with-the-task", limit_ends_with_the_task);
  LOKY_FIXTURE_ADD ("/loky/memory-limit/held-before", memory_held_before_does_not_count);
  LOKY_FIXTURE_ADD ("/loky/memory-limit/other-ends", other_ends_are_what_they_are);
  LOKY_FIXTURE_ADD ("/loky/memory-limit/map", map_has_its_limit);

  return g_test_run ();
}
