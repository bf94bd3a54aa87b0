/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Many threads at one executor. Mostly for the thread sanitizer to look at. */

#include "fixture.h"

#include <signal.h>
#include <stdlib.h>

#define N_THREADS 8
#define N_TASKS 200

typedef struct
{
  LokyExecutor *executor;
  gint n_results; /* atomic, as all of these */
  gint n_errors;
  gint n_cancelled;
  gint n_refused;
  gint stop;
} Shared;

static void
account (Shared *shared, LokyFuture *future)
{
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  switch (loky_future_get_state (future))
    {
    case LOKY_FUTURE_STATE_SUCCEEDED:
      g_atomic_int_inc (&shared->n_results);
      break;
    case LOKY_FUTURE_STATE_FAILED:
      g_atomic_int_inc (&shared->n_errors);
      break;
    case LOKY_FUTURE_STATE_CANCELLED:
      g_atomic_int_inc (&shared->n_cancelled);
      break;
    case LOKY_FUTURE_STATE_PENDING:
    case LOKY_FUTURE_STATE_RUNNING:
    case LOKY_FUTURE_STATE_CANCELLING:
    default:
      g_assert_not_reached ();
    }
}

static gpointer
submit_many (gpointer data)
{
  Shared *shared = data;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < N_TASKS; i++)
    {
      LokyFuture *future
          = loky_executor_submit (shared->executor, "demo.echo", g_variant_new_uint32 (i), NULL, NULL);

      if (future == NULL)
        {
          g_atomic_int_inc (&shared->n_refused);
          continue;
        }
      g_ptr_array_add (futures, future);
      if (i % 7 == 3)
        loky_future_cancel (future);
    }
  for (guint i = 0; i < futures->len; i++)
    account (shared, g_ptr_array_index (futures, i));
  return NULL;
}

static void
run_threads (Shared *shared, GThreadFunc func)
{
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("submitter", func, shared);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
}

static void
assert_accounted (Shared *shared)
{
  g_assert_cmpint (shared->n_results + shared->n_errors + shared->n_cancelled + shared->n_refused, ==,
                   N_THREADS * N_TASKS);
}

static void
all_submit_and_cancel (LokyFixture *fixture, gconstpointer data)
{
  Shared shared = { .executor = fixture->executor };

  run_threads (&shared, submit_many);
  assert_accounted (&shared);
  g_assert_cmpint (shared.n_errors, ==, 0);
  g_assert_cmpint (shared.n_refused, ==, 0);
}

static gpointer
resize (gpointer data)
{
  Shared *shared = data;
  guint size = 1;

  while (!g_atomic_int_get (&shared->stop))
    {
      loky_executor_set_max_workers (shared->executor, 1 + size++ % 5);
      g_usleep (500);
    }
  return NULL;
}

static void
submitting_while_resizing (LokyFixture *fixture, gconstpointer data)
{
  Shared shared = { .executor = fixture->executor };
  GThread *resizer = g_thread_new ("resizer", resize, &shared);

  run_threads (&shared, submit_many);
  g_atomic_int_set (&shared.stop, TRUE);
  g_thread_join (resizer);
  assert_accounted (&shared);
  g_assert_cmpint (shared.n_errors, ==, 0);
}

static gpointer
kill_workers (gpointer data)
{
  Shared *shared = data;

  while (!g_atomic_int_get (&shared->stop))
    {
      g_autoptr (GVariant) result = loky_executor_call_sync (
          shared->executor, "fault.obey", g_variant_new_string ("kill"), NULL, NULL, NULL);

      g_assert_null (result);
    }
  return NULL;
}

static void
submitting_while_workers_die (LokyFixture *fixture, gconstpointer data)
{
  Shared shared = { .executor = fixture->executor };
  GThread *killer = g_thread_new ("killer", kill_workers, &shared);

  run_threads (&shared, submit_many);
  g_atomic_int_set (&shared.stop, TRUE);
  g_thread_join (killer);
  assert_accounted (&shared);
  /* Each death is that of the killer's own task. */
  g_assert_cmpint (shared.n_errors, ==, 0);
}

static gpointer
shut_down (gpointer data)
{
  Shared *shared = data;

  g_usleep (2000);
  g_assert_true (
      loky_executor_shutdown_sync (shared->executor, LOKY_SHUTDOWN_KILL, -1, NULL, NULL));
  return NULL;
}

static void
submitting_while_shutting_down (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 5; i++)
    {
      Shared shared = { 0 };
      GThread *thread;

      shared.executor = loky_fixture_make_executor ("max-workers", 3, NULL);
      thread = g_thread_new ("shutdown", shut_down, &shared);
      run_threads (&shared, submit_many);
      g_thread_join (thread);
      assert_accounted (&shared);
      loky_fixture_end_executor (shared.executor, LOKY_SHUTDOWN_KILL);
    }
}

/* Each thread with a context of its own, which gets what it asked for. */
typedef struct
{
  Shared *shared;
  GMainLoop *loop;
  guint n_left;
} Loop;

static void
call_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Loop *loop = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value G_GNUC_UNUSED = loky_executor_call_finish (LOKY_EXECUTOR (source), result, &error);

  g_assert_no_error (error);
  g_assert_true (g_main_context_is_owner (g_main_loop_get_context (loop->loop)));
  g_atomic_int_inc (&loop->shared->n_results);
  if (--loop->n_left == 0)
    g_main_loop_quit (loop->loop);
}

static gpointer
run_loop (gpointer data)
{
  Shared *shared = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  Loop loop = { .shared = shared, .n_left = N_TASKS };

  g_main_context_push_thread_default (context);
  loop.loop = g_main_loop_new (context, FALSE);
  for (guint i = 0; i < N_TASKS; i++)
    loky_executor_call_async (shared->executor, "demo.echo", g_variant_new_uint32 (i), NULL, NULL,
                              call_cb, &loop);
  g_main_loop_run (loop.loop);
  g_main_loop_unref (loop.loop);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
each_context_gets_its_own (LokyFixture *fixture, gconstpointer data)
{
  Shared shared = { .executor = fixture->executor };

  run_threads (&shared, run_loop);
  g_assert_cmpint (shared.n_results, ==, N_THREADS * N_TASKS);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/threads/all-submit-and-cancel", all_submit_and_cancel);
  LOKY_FIXTURE_ADD ("/loky/threads/submitting-while-resizing", submitting_while_resizing);
  LOKY_FIXTURE_ADD ("/loky/threads/submitting-while-workers-die", submitting_while_workers_die);
  LOKY_FIXTURE_ADD ("/loky/threads/submitting-while-shutting-down", submitting_while_shutting_down);
  LOKY_FIXTURE_ADD ("/loky/threads/each-context-gets-its-own", each_context_gets_its_own);
  return g_test_run ();
}
