/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers that leave after so many tasks, or since they have grown. */

#include "fixture.h"

#include <string.h>

#define MEBIBYTE (1024 * 1024)

#if defined(__SANITIZE_THREAD__)
#define HAS_SHADOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_SHADOW 1
#endif
#endif
#ifndef HAS_SHADOW
#define HAS_SHADOW 0
#endif

static void
worker_leaves_after_its_tasks (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "max-tasks-per-worker", 3, NULL);
  g_autofree char *last = NULL;
  guint n_same = 0;
  guint n_workers = 0;

  for (guint i = 0; i < 12; i++)
    {
      g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");

      n_same = g_strcmp0 (pid, last) == 0 ? n_same + 1 : 1;
      n_workers += n_same == 1;
      g_assert_cmpuint (n_same, <=, 3);
      g_free (last);
      last = g_steal_pointer (&pid);
    }
  g_assert_cmpuint (n_workers, ==, 4);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Sent all at once: none goes to a worker that leaves. */
static void
no_task_is_lost_when_workers_leave (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 2, "max-tasks-per-worker", 10, NULL);
  g_autoptr (GHashTable) counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  LokyFuture *futures[200];

  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    futures[i] = loky_fixture_submit (executor, "fault.obey", g_variant_new_string ("pid"));
  g_assert_true (loky_wait (futures, G_N_ELEMENTS (futures), LOKY_WAIT_ALL_COMPLETED, -1, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = loky_future_dup_result (futures[i], &error);
      guint count;

      g_assert_no_error (error);
      count = GPOINTER_TO_UINT (g_hash_table_lookup (counts, g_variant_get_string (result, NULL))) + 1;
      g_assert_cmpuint (count, <=, 10);
      g_hash_table_insert (counts, g_variant_dup_string (result, NULL), GUINT_TO_POINTER (count));
      g_object_unref (futures[i]);
    }
  g_assert_cmpuint (g_hash_table_size (counts), >=, 20);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* All of a chunk are done by one worker, the next chunk by another. */
static void
items_of_a_map_count (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "max-tasks-per-worker", 8, NULL);
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  g_autoptr (GHashTable) pids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const char *orders[33] = { NULL };
  g_autoptr (LokyInput) input = NULL;
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (GError) error = NULL;
  LokyFuture *future;
  guint n_results = 0;

  for (guint i = 0; i < 32; i++)
    orders[i] = "pid";
  loky_map_options_set_chunk_size (options, 8);
  input = loky_input_new_for_strv (orders);
  results = loky_executor_map (executor, "fault.obey", input, options);
  while ((future = loky_results_next (results, NULL, &error)) != NULL)
    {
      g_autoptr (GVariant) result = loky_future_dup_result (future, &error);

      g_assert_no_error (error);
      g_hash_table_add (pids, g_variant_dup_string (result, NULL));
      g_object_unref (future);
      n_results++;
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n_results, ==, 32);
  g_assert_cmpuint (g_hash_table_size (pids), ==, 4);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

typedef struct
{
  guint n_told;
  guint worker_id;
  guint64 before;
  guint64 after;
} Growth;

static void
grown_cb (LokyExecutor *executor, guint worker_id, guint64 before, guint64 after, gpointer user_data)
{
  Growth *growth = user_data;

  growth->n_told++;
  growth->worker_id = worker_id;
  growth->before = before;
  growth->after = after;
}

static gboolean
is_told (gpointer data)
{
  return ((Growth *) data)->n_told > 0;
}

static void
worker_that_leaks_is_replaced (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor;
  g_autofree char *first = NULL;
  g_autofree char *same = NULL;
  g_autofree char *second = NULL;
  Growth growth = { 0 };

  if (HAS_SHADOW)
    {
      g_test_skip ("the thread sanitizer holds several times of what a task touches");
      return;
    }
  executor = loky_fixture_make_executor ("max-workers", 1, "memory-growth-limit", (guint64) 40 * MEBIBYTE,
                                         "memory-check-interval", (gint64) 0, NULL);
  first = loky_fixture_call (executor, "fault.obey", "pid");
  g_signal_connect (executor, "worker-grown", G_CALLBACK (grown_cb), &growth);
  g_free (loky_fixture_call (executor, "fault.obey", "alloc:16"));
  same = loky_fixture_call (executor, "fault.obey", "pid");
  g_assert_cmpstr (same, ==, first);
  g_free (loky_fixture_call (executor, "fault.obey", "alloc:30"));
  /* The next task may be there before it has told. */
  do
    {
      g_free (second);
      second = loky_fixture_call (executor, "fault.obey", "pid");
    }
  while (g_str_equal (second, first));
  loky_fixture_wait_for (is_told, &growth);
  g_assert_cmpuint (growth.n_told, ==, 1);
  g_assert_cmpuint (growth.worker_id, ==, 1);
  g_assert_cmpuint (growth.after, >=, growth.before + 40 * MEBIBYTE);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Whatever was sent to it already. */
static void
no_task_is_lost_when_workers_grow (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 2, "memory-growth-limit",
                                    (guint64) 10 * MEBIBYTE, "memory-check-interval", (gint64) 0, NULL);
  LokyFuture *futures[60];

  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    futures[i] = loky_fixture_submit (executor, "fault.obey",
                                      g_variant_new_string (i % 4 == 0 ? "alloc:4" : "ok"));
  g_assert_true (loky_wait (futures, G_N_ELEMENTS (futures), LOKY_WAIT_ALL_COMPLETED, -1, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      g_assert_cmpint (loky_future_get_state (futures[i]), ==, LOKY_FUTURE_STATE_SUCCEEDED);
      g_object_unref (futures[i]);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
without_a_limit_workers_stay (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "memory-growth-limit", (guint64) 0,
                                    "memory-check-interval", (gint64) 0, NULL);
  g_autofree char *first = loky_fixture_call (executor, "fault.obey", "pid");
  g_autofree char *second = NULL;

  g_free (loky_fixture_call (executor, "fault.obey", "alloc:40"));
  g_free (loky_fixture_call (executor, "fault.obey", "ok"));
  second = loky_fixture_call (executor, "fault.obey", "pid");
  g_assert_cmpstr (second, ==, first);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/worker-life/max-tasks", worker_leaves_after_its_tasks);
  LOKY_FIXTURE_ADD ("/loky/worker-life/max-tasks-loses-none", no_task_is_lost_when_workers_leave);
  LOKY_FIXTURE_ADD ("/loky/worker-life/items-of-a-map-count", items_of_a_map_count);
  LOKY_FIXTURE_ADD ("/loky/worker-life/leak", worker_that_leaks_is_replaced);
  LOKY_FIXTURE_ADD ("/loky/worker-life/leak-loses-none", no_task_is_lost_when_workers_grow);
  LOKY_FIXTURE_ADD ("/loky/worker-life/no-limit", without_a_limit_workers_stay);

  return g_test_run ();
}
