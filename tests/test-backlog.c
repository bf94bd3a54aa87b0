/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* As many tasks as may wait, and no more. */

#include "fixture.h"

#define MAX_BACKLOG 3

/* One worker, which runs a task that does not end. */
static LokyExecutor *
make_busy (LokyFuture **running)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "max-backlog", MAX_BACKLOG, NULL);

  *running = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (300));
  loky_fixture_wait_running (*running);
  return executor;
}

static LokyFuture *
submit (LokyExecutor *executor, GError **error)
{
  return loky_executor_submit (executor, "demo.echo", g_variant_new_string ("x"), NULL, error);
}

static void
no_more_than_that_wait (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) running = NULL;
  LokyExecutor *executor = make_busy (&running);
  LokyFuture *futures[MAX_BACKLOG];
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) call_error = NULL;

  for (guint i = 0; i < MAX_BACKLOG; i++)
    {
      futures[i] = submit (executor, &error);
      g_assert_no_error (error);
    }
  g_assert_null (submit (executor, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL);
  result = loky_executor_call_sync (executor, "demo.echo", NULL, NULL, NULL, &call_error);
  g_assert_null (result);
  g_assert_error (call_error, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL);
  g_assert_cmpuint (loky_executor_get_n_pending (executor), ==, MAX_BACKLOG);
  /* Whatever ends makes room. */
  g_assert_true (loky_future_cancel (futures[1]));
  g_object_unref (futures[1]);
  g_clear_error (&error);
  futures[1] = submit (executor, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < MAX_BACKLOG; i++)
    g_object_unref (futures[i]);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

typedef struct
{
  gint n_over;
  LokyFuture *future;
  GError *error;
} Told;

static gboolean
is_over (gpointer data)
{
  return ((Told *) data)->n_over == 1;
}

static void
submitted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Told *told = user_data;

  told->future = loky_executor_submit_finish (LOKY_EXECUTOR (source), result, &told->error);
  /* Another thread may look. */
  g_atomic_int_inc (&told->n_over);
}

static void
submit_async (LokyExecutor *executor, GCancellable *cancellable, Told *told)
{
  *told = (Told){ 0 };
  loky_executor_submit_async (executor, "demo.echo", g_variant_new_string ("x"), NULL, cancellable,
                              submitted_cb, told);
}

static void
async_submission_waits_for_room (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) running = NULL;
  LokyExecutor *executor = make_busy (&running);
  Told told[3 * MAX_BACKLOG];

  for (guint i = 0; i < G_N_ELEMENTS (told); i++)
    submit_async (executor, NULL, &told[i]);
  loky_fixture_wait_for (is_over, &told[MAX_BACKLOG - 1]);
  g_assert_cmpint (told[MAX_BACKLOG].n_over, ==, 0);
  g_assert_cmpuint (loky_executor_get_n_pending (executor), ==, MAX_BACKLOG);
  /* Whoever came first is first. */
  g_assert_true (loky_future_cancel (told[0].future));
  loky_fixture_wait_for (is_over, &told[MAX_BACKLOG]);
  g_assert_cmpint (told[MAX_BACKLOG + 1].n_over, ==, 0);
  loky_future_cancel (running);
  for (guint i = 0; i < G_N_ELEMENTS (told); i++)
    {
      loky_fixture_wait_for (is_over, &told[i]);
      g_assert_no_error (told[i].error);
      g_assert_true (loky_future_wait (told[i].future, -1, NULL, NULL));
      g_assert_cmpint (loky_future_get_state (told[i].future), ==,
                       i == 0 ? LOKY_FUTURE_STATE_CANCELLED : LOKY_FUTURE_STATE_SUCCEEDED);
      g_object_unref (told[i].future);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
wait_for_room_can_be_cancelled (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (LokyFuture) running = NULL;
  LokyExecutor *executor = make_busy (&running);
  Told accepted[MAX_BACKLOG];
  Told told;

  for (guint i = 0; i < MAX_BACKLOG; i++)
    {
      submit_async (executor, NULL, &accepted[i]);
      loky_fixture_wait_for (is_over, &accepted[i]);
      g_object_unref (accepted[i].future);
    }
  submit_async (executor, cancellable, &told);
  g_cancellable_cancel (cancellable);
  loky_fixture_wait_for (is_over, &told);
  g_assert_null (told.future);
  g_assert_error (told.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&told.error);
  g_assert_cmpuint (loky_executor_get_n_pending (executor), ==, MAX_BACKLOG);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

static void
shutdown_ends_the_wait_for_room (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) running = NULL;
  LokyExecutor *executor = make_busy (&running);
  Told told[MAX_BACKLOG + 1];

  for (guint i = 0; i < G_N_ELEMENTS (told); i++)
    submit_async (executor, NULL, &told[i]);
  loky_executor_shutdown_async (executor, LOKY_SHUTDOWN_KILL, -1, NULL, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (told); i++)
    {
      loky_fixture_wait_for (is_over, &told[i]);
      g_clear_object (&told[i].future);
    }
  g_assert_error (told[MAX_BACKLOG].error, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
  g_clear_error (&told[MAX_BACKLOG].error);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

/* Who does not iterate his context has what he asked for, and no room besides: that goes to who waits behind him. */
static void
who_does_not_look_holds_no_room (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GMainContext) other = g_main_context_new ();
  g_autoptr (LokyFuture) running = NULL;
  LokyExecutor *executor = make_busy (&running);
  LokyFuture *futures[MAX_BACKLOG];
  Told others[MAX_BACKLOG];
  Told last;

  for (guint i = 0; i < MAX_BACKLOG; i++)
    futures[i] = submit (executor, NULL);
  g_main_context_push_thread_default (other);
  for (guint i = 0; i < MAX_BACKLOG; i++)
    submit_async (executor, NULL, &others[i]);
  g_main_context_pop_thread_default (other);
  submit_async (executor, NULL, &last);
  loky_future_cancel (running);
  g_assert_true (loky_wait (futures, MAX_BACKLOG, LOKY_WAIT_ALL_COMPLETED, -1, NULL, NULL));
  loky_fixture_wait_for (is_over, &last);
  g_assert_no_error (last.error);
  g_assert_true (loky_future_wait (last.future, -1, NULL, NULL));
  g_object_unref (last.future);
  g_assert_cmpint (others[0].n_over, ==, 0);
  for (guint i = 0; i < MAX_BACKLOG; i++)
    {
      while (others[i].n_over == 0)
        g_main_context_iteration (other, TRUE);
      /* They came before the last one. */
      g_assert_cmpint (loky_future_get_state (others[i].future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
      g_object_unref (others[i].future);
      g_object_unref (futures[i]);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  while (g_main_context_iteration (other, FALSE))
    ;
}

static void
what_was_submitted_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Told told;

  submit_async (fixture->executor, cancellable, &told);
  g_cancellable_cancel (cancellable);
  loky_fixture_wait_for (is_over, &told);
  g_assert_no_error (told.error);
  g_assert_true (loky_future_wait (told.future, -1, NULL, NULL));
  g_object_unref (told.future);
}

typedef struct
{
  Told told;
  gint n_done;
} Heard;

static gboolean
is_heard (gpointer data)
{
  return ((Heard *) data)->n_done == 1;
}

static void
done_cb (LokyFuture *future, gpointer user_data)
{
  ((Heard *) user_data)->n_done++;
}

static void
listening_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Heard *heard = user_data;

  submitted_cb (source, result, &heard->told);
  g_signal_connect (heard->told.future, "done", G_CALLBACK (done_cb), heard);
}

/* However soon it has ended, its end is told after that it was submitted. */
static void
end_is_told_afterwards (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 20; i++)
    {
      Heard heard = { { 0 } };

      loky_executor_submit_async (fixture->executor, "demo.echo", g_variant_new_string ("x"), NULL, NULL,
                                  listening_cb, &heard);
      loky_fixture_wait_idle (fixture->executor);
      loky_fixture_wait_for (is_heard, &heard);
      g_object_unref (heard.told.future);
    }
}

typedef struct
{
  LokyExecutor *executor;
  gint is_over;
} Submitter;

static gpointer
submit_thread (gpointer data)
{
  Submitter *submitter = data;
  Told told;

  /* Its default context is that of the main thread. */
  submit_async (submitter->executor, NULL, &told);
  while (g_atomic_int_get (&told.n_over) == 0)
    g_usleep (1000);
  g_assert_no_error (told.error);
  g_object_unref (told.future);
  g_atomic_int_set (&submitter->is_over, TRUE);
  return NULL;
}

static void
any_thread_may_submit (LokyFixture *fixture, gconstpointer data)
{
  Submitter submitter = { fixture->executor, FALSE };
  GThread *thread;

  g_main_context_pop_thread_default (fixture->context);
  /* As a main loop has it all the time. */
  g_assert_true (g_main_context_acquire (NULL));
  thread = g_thread_new ("submit", submit_thread, &submitter);
  while (!g_atomic_int_get (&submitter.is_over))
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (1000);
    }
  g_thread_join (thread);
  g_main_context_release (NULL);
  g_main_context_push_thread_default (fixture->context);
}

static void
maps_are_not_held_up (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, "max-backlog", 1, NULL);
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  const char *values[] = { "a", "b", "c", "d", "e", "f", NULL };
  g_autoptr (LokyInput) input = loky_input_new_for_strv (values);
  g_autoptr (LokyResults) results = NULL;
  LokyFuture *future;
  guint n_results = 0;

  loky_map_options_set_chunk_size (options, 1);
  results = loky_executor_map (executor, "demo.echo", input, options);
  while ((future = loky_results_next (results, NULL, NULL)) != NULL)
    {
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
      g_object_unref (future);
      n_results++;
    }
  g_assert_cmpuint (n_results, ==, 6);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/backlog/no-more", no_more_than_that_wait);
  LOKY_FIXTURE_ADD ("/loky/backlog/async-waits-for-room", async_submission_waits_for_room);
  LOKY_FIXTURE_ADD ("/loky/backlog/wait-can-be-cancelled", wait_for_room_can_be_cancelled);
  LOKY_FIXTURE_ADD ("/loky/backlog/shutdown-ends-the-wait", shutdown_ends_the_wait_for_room);
  LOKY_FIXTURE_ADD ("/loky/backlog/who-does-not-look", who_does_not_look_holds_no_room);
  LOKY_FIXTURE_ADD ("/loky/backlog/submitted-is-told", what_was_submitted_is_told);
  LOKY_FIXTURE_ADD ("/loky/backlog/end-is-told-afterwards", end_is_told_afterwards);
  LOKY_FIXTURE_ADD ("/loky/backlog/any-thread", any_thread_may_submit);
  LOKY_FIXTURE_ADD ("/loky/backlog/maps-are-not-held-up", maps_are_not_held_up);

  return g_test_run ();
}
