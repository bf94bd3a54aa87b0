/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Threads and main contexts that wait for tasks: who hears the workers, and that nobody waits in vain. */

#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_TIMEOUT 20000 /* ms */
#define N_THREADS 6
#define N_CALLS 150
#define MAX_TRIES 100

static void
call_many (LokyExecutor *executor, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result
          = loky_executor_call_sync (executor, "demo.echo", g_variant_new_uint32 (i), NULL, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint32 (result), ==, i);
    }
}

/* Without spinning, as usual, and with more of it than any task takes. */
static void
test_spin_times (LokyFixture *fixture, gconstpointer data)
{
  static const guint times[] = { 0, 50, 1000 * 1000 };
  guint spin_time;

  g_object_get (fixture->executor, "spin-time", &spin_time, NULL);
  g_assert_cmpuint (spin_time, ==, 50);
  for (gsize i = 0; i < G_N_ELEMENTS (times); i++)
    {
      LokyExecutor *executor
          = loky_fixture_make_executor ("max-workers", 1, "spin-time", times[i], NULL);

      g_object_get (executor, "spin-time", &spin_time, NULL);
      g_assert_cmpuint (spin_time, ==, times[i]);
      call_many (executor, N_CALLS);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

static gpointer
call_many_cb (gpointer data)
{
  call_many (data, N_CALLS);
  return NULL;
}

static gboolean
is_done (gpointer data)
{
  return loky_future_is_done (data);
}

#define N_BURSTS 6000
#define MAX_BURST 6
#define MAX_DELAY 120 /* µs */

/* In the control area, in a message, and in shared memory: they stay in their order all the same. */
static GVariant *
make_args (gsize size)
{
  g_autofree guint8 *bytes = g_malloc0 (size);

  return g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, size, 1));
}

/* Both sides go to sleep and wake in all ways while tasks and answers pass: one that is overlooked would be found
 * by the next one, so that nothing follows but after all have ended. */
static void
run_bursts (LokyExecutor *executor, gboolean listens)
{
  g_autoptr (GVariant) small = make_args (7);
  g_autoptr (GVariant) medium = make_args (700);
  g_autoptr (GVariant) large = make_args (70000);
  GVariant *args[] = { small, small, small, small, small, small, small, small, medium, medium, large };
  guint n_bursts = loky_fixture_has_valgrind () ? N_BURSTS / 100 : N_BURSTS;

  for (guint i = 0; i < n_bursts; i++)
    {
      LokyFuture *futures[MAX_BURST];
      guint n = (guint) g_test_rand_int_range (1, MAX_BURST + 1);

      for (guint j = 0; j < n; j++)
        {
          gint64 until = g_get_monotonic_time () + g_test_rand_int_range (-MAX_DELAY, MAX_DELAY);

          futures[j] = loky_fixture_submit (
              executor, "demo.echo", args[g_test_rand_int_range (0, (gint32) G_N_ELEMENTS (args))]);
          while (g_get_monotonic_time () < until)
            ;
        }
      for (guint j = 0; j < n; j++)
        {
          if (listens)
            g_assert_true (loky_future_wait (futures[j], WAIT_TIMEOUT, NULL, NULL));
          else
            loky_fixture_wait_for (is_done, futures[j]);
          g_object_unref (futures[j]);
        }
    }
}

static void
test_bursts (LokyFixture *fixture, gconstpointer data)
{
  run_bursts (fixture->executor, TRUE);
}

/* The monitor reads all. */
static void
test_unheard_bursts (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 2, "spin-time", 0, NULL);

  run_bursts (executor, FALSE);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* One of them hears the answers of all. */
static void
test_many_threads (LokyFixture *fixture, gconstpointer data)
{
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("caller", call_many_cb, fixture->executor);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
}

static void
test_timeout_of_who_hears (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("hang"));
  g_autoptr (GError) error = NULL;

  loky_fixture_wait_running (future);
  g_assert_false (loky_future_wait (future, 20, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_false (loky_future_wait (future, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  /* It has left: others are heard. */
  call_many (fixture->executor, 3);
  loky_fixture_end_executor (g_object_ref (fixture->executor), LOKY_SHUTDOWN_KILL);
  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
}

static gpointer
cancel_soon_cb (gpointer data)
{
  g_usleep (20 * 1000);
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_cancelled_while_it_hears (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("canceller", cancel_soon_cb, cancellable);

  loky_task_options_set_cancel_grace (options, 0);
  g_assert_null (loky_executor_call_sync (fixture->executor, "fault.obey", g_variant_new_string ("hang"),
                                          options, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  call_many (fixture->executor, 3);
}

/* The end of a channel and of a process are the monitor's to see, who is told nothing by the one who hears. */
static void
test_deaths_while_it_hears (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "fault.obey", i % 2 == 0 ? "_exit:3" : "kill");

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      call_many (fixture->executor, 3);
    }
}

/* Nobody listens to workers that rest. */
static void
test_deaths_while_nobody_hears (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 10; i++)
    {
      g_autofree char *pid = loky_fixture_call (fixture->executor, "fault.obey", "pid");

      kill (atoi (pid), i % 2 == 0 ? SIGKILL : SIGTERM);
      if (i % 3 == 0)
        g_usleep (5 * 1000);
      call_many (fixture->executor, 3);
    }
}

/* --- main contexts ----------------------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *executor;
  guint n_left;
  guint n_inside; /* callbacks that are being called */
  guint n_ticks;
  gboolean stays_away; /* now and then somebody else hears the end */
} Loop;

static void
called_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Loop *loop = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = loky_executor_call_finish (loop->executor, result, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint32 (value), <, 100);
  g_assert_cmpuint (loop->n_inside, ==, 0);
  loop->n_inside++;
  /* Reads what the others are told, but tells none of them from in here. */
  if (loop->n_left % 10 == 0)
    call_many (loop->executor, 5);
  loop->n_inside--;
  loop->n_left--;
}

static gboolean
all_are_called (gpointer data)
{
  return ((Loop *) data)->n_left == 0;
}

static void
test_calls_inside_callbacks (LokyFixture *fixture, gconstpointer data)
{
  Loop loop = { .executor = fixture->executor, .n_left = 100 };

  for (guint i = 0; i < 100; i++)
    loky_executor_call_async (loop.executor, "demo.echo", g_variant_new_uint32 (i), NULL, NULL, called_cb, &loop);
  loky_fixture_wait_for (all_are_called, &loop);
}

static void
chain_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Loop *loop = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = loky_executor_call_finish (loop->executor, result, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint32 (value), ==, 1);
  if (--loop->n_left == 0)
    return;
  loky_executor_call_async (loop->executor, "demo.echo", g_variant_new_uint32 (1), NULL, NULL, chain_cb, loop);
  if (loop->stays_away && loop->n_left % 10 == 0)
    loky_fixture_wait_idle (loop->executor);
}

static gboolean
tick_cb (gpointer user_data)
{
  ((Loop *) user_data)->n_ticks++;
  return G_SOURCE_CONTINUE;
}

/* A context that hears does all else that it has to, and one thread hears while others do. */
static void
test_a_context_hears (LokyFixture *fixture, gconstpointer data)
{
  Loop loop = { .executor = fixture->executor, .n_left = 300 };
  GThread *thread = g_thread_new ("caller", call_many_cb, fixture->executor);
  g_autoptr (GSource) tick = g_idle_source_new ();

  g_source_set_callback (tick, tick_cb, &loop, NULL);
  g_source_attach (tick, fixture->context);
  loky_executor_call_async (loop.executor, "demo.echo", g_variant_new_uint32 (1), NULL, NULL, chain_cb, &loop);
  loky_fixture_wait_for (all_are_called, &loop);
  g_assert_cmpuint (loop.n_ticks, >, 0);
  g_source_destroy (tick);
  g_thread_join (thread);
}

/* The worker expects it to listen soon, since the last ones that called so did. */
static void
test_a_context_stays_away (LokyFixture *fixture, gconstpointer data)
{
  Loop loop = { .executor = fixture->executor, .n_left = 200, .stays_away = TRUE };

  loky_executor_call_async (loop.executor, "demo.echo", g_variant_new_uint32 (1), NULL, NULL, chain_cb, &loop);
  loky_fixture_wait_for (all_are_called, &loop);
}

static void
lost_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Loop *loop = user_data;
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_executor_call_finish (loop->executor, result, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  loop->n_left--;
}

static void
test_deaths_while_a_context_hears (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 10; i++)
    {
      Loop loop = { .executor = fixture->executor, .n_left = 1 };

      call_many (fixture->executor, 3);
      loky_executor_call_async (loop.executor, "fault.obey", g_variant_new_string ("_exit:3"), NULL, NULL, lost_cb,
                                &loop);
      loky_fixture_wait_for (all_are_called, &loop);
    }
}

/* --- futures that nobody listens to -------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *executor;
  GMutex lock; /* not a GAsyncQueue: the thread sanitizer does not see into GLib */
  GQueue queue;
  guint n_left;
} Supply;

static gboolean
supply_cb (gpointer user_data)
{
  Supply *supply = user_data;

  LokyFuture *future
      = loky_fixture_submit (supply->executor, "demo.echo", g_variant_new_uint32 (1));

  g_mutex_lock (&supply->lock);
  g_queue_push_tail (&supply->queue, future);
  g_mutex_unlock (&supply->lock);
  return --supply->n_left > 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static LokyFuture *
take (Supply *supply)
{
  LokyFuture *future;

  for (;;)
    {
      g_mutex_lock (&supply->lock);
      future = g_queue_pop_head (&supply->queue);
      g_mutex_unlock (&supply->lock);
      if (future != NULL)
        return future;
      g_thread_yield ();
    }
}

static gpointer
drop_cb (gpointer data)
{
  for (guint i = 0; i < 10 * N_CALLS; i++)
    {
      LokyFuture *future = take (data);

      /* Some are dropped when they are about to be delivered, some before they have ended. */
      if (i % 3 != 0)
        g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      g_object_unref (future);
    }
  return NULL;
}

static gboolean
is_supplied (gpointer data)
{
  return ((Supply *) data)->n_left == 0;
}

/* In another thread than that of their context, which is about to deliver them. */
static void
test_dropped_while_delivered (LokyFixture *fixture, gconstpointer data)
{
  Supply supply = { .executor = fixture->executor, .n_left = 10 * N_CALLS };
  GThread *thread = g_thread_new ("dropper", drop_cb, &supply);
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_callback (source, supply_cb, &supply, NULL);
  g_source_attach (source, fixture->context);
  loky_fixture_wait_for (is_supplied, &supply);
  g_thread_join (thread);
}

/* --- who sleeps ----------------------------------------------------------------------------------- */

/* Of the main thread of a process: how often it went to sleep. FALSE: it does not sleep now. */
static gboolean
count_sleeps (const char *pid, guint64 *n_sleeps)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "task", pid, "status", NULL);
  g_autofree char *status = NULL;
  const char *count;

  g_assert_true (g_file_get_contents (path, &status, NULL, NULL));
  count = strstr (status, "\nvoluntary_ctxt_switches:\t");
  g_assert_nonnull (count);
  *n_sleeps = g_ascii_strtoull (count + strlen ("\nvoluntary_ctxt_switches:\t"), NULL, 10);
  return strstr (status, "\nState:\tS") != NULL;
}

/* How often it has slept when it does for good. */
static guint64
settle (const char *pid)
{
  guint64 last = 0;
  guint64 now;
  guint n_same = 0;

  while (n_same < 20)
    {
      n_same = count_sleeps (pid, &now) && now == last ? n_same + 1 : 0;
      last = now;
      g_usleep (2000);
    }
  return last;
}

static void
call_in_vain (LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_executor_call_sync (executor, "", NULL, NULL, NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

/* A call wakes its worker before it is ready itself; here it never is. */
static void
test_rouses_who_sleeps (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");

  for (guint i = 0; i < 5; i++)
    {
      guint64 n_sleeps = settle (pid);
      guint n_tries = 0;

      /* Not at the first, if the calls before found that it does not help. */
      do
        {
          g_assert_cmpuint (++n_tries, <, MAX_TRIES);
          call_in_vain (executor);
        }
      while (settle (pid) == n_sleeps);
      call_many (executor, 1 + i);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
test_does_not_rouse_without_spinning (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, "spin-time", 0, NULL);
  g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");
  guint64 n_sleeps = settle (pid);

  for (guint i = 0; i < 20; i++)
    call_in_vain (executor);
  g_assert_cmpuint (settle (pid), ==, n_sleeps);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Pauses about as long as a worker spins: it is roused at any moment of going to sleep. */
static void
test_calls_after_pauses (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 2, NULL);
  g_autoptr (LokyFuture) future = NULL;

  for (guint i = 0; i < 400; i++)
    {
      call_many (executor, 1);
      g_usleep ((gulong) g_test_rand_int_range (0, 200));
      if (i % 7 == 0)
        call_in_vain (executor);
      if (i % 5 != 0)
        continue;
      g_clear_object (&future);
      future = loky_fixture_submit (executor, "demo.echo", g_variant_new_uint32 (i));
    }
  loky_fixture_wait_for (is_done, future);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- waiting in a row --------------------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *executor;
  guint n;
  gint64 timeout;
} Row;

static gpointer
wait_in_a_row (gpointer data)
{
  Row *row = data;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < row->n; i++)
    g_ptr_array_add (futures, loky_fixture_submit (row->executor, "demo.echo", g_variant_new_uint32 (i)));
  for (guint i = 0; i < row->n; i++)
    {
      g_autoptr (GError) error = NULL;

      while (!loky_future_wait (futures->pdata[i], row->timeout, NULL, &error))
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
          g_clear_error (&error);
        }
      g_assert_cmpint (loky_future_get_state (futures->pdata[i]), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
  return NULL;
}

/* Without a limit, and so that the time is over again and again. */
static void
wait_in_rows (LokyExecutor *executor, guint n)
{
  Row rows[] = { { executor, n, -1 }, { executor, n, -1 }, { executor, n, 1 }, { executor, n, 0 } };
  GThread *threads[G_N_ELEMENTS (rows)];

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    threads[i] = g_thread_new ("row", wait_in_a_row, &rows[i]);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    g_thread_join (threads[i]);
}

static void
test_waits_in_a_row (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 2, NULL);

  for (guint i = 0; i < 5; i++)
    wait_in_rows (executor, 500);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* There is never a CPU that has nothing to do, and there are always so many tasks that nobody listens but the monitor. */
static void
test_waits_beside_busy_workers (LokyFixture *fixture, gconstpointer data)
{
  guint n_busy = loky_cpu_count () + 16;
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", n_busy + 1, "heartbeat-timeout", (gint64) -1, NULL);
  g_autoptr (GPtrArray) busy = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < n_busy; i++)
    {
      LokyFuture *future = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (3600));

      g_ptr_array_add (busy, future);
      loky_fixture_wait_running (future);
    }
  wait_in_rows (executor, 500);
  for (guint i = 0; i < 100; i++)
    wait_in_rows (executor, 20);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/wait/spin-times", test_spin_times);
  LOKY_FIXTURE_ADD ("/loky/wait/bursts", test_bursts);
  LOKY_FIXTURE_ADD ("/loky/wait/unheard-bursts", test_unheard_bursts);
  LOKY_FIXTURE_ADD ("/loky/wait/many-threads", test_many_threads);
  LOKY_FIXTURE_ADD ("/loky/wait/timeout-of-who-hears", test_timeout_of_who_hears);
  LOKY_FIXTURE_ADD ("/loky/wait/cancelled-while-it-hears", test_cancelled_while_it_hears);
  LOKY_FIXTURE_ADD ("/loky/wait/deaths-while-it-hears", test_deaths_while_it_hears);
  LOKY_FIXTURE_ADD ("/loky/wait/deaths-while-nobody-hears", test_deaths_while_nobody_hears);
  LOKY_FIXTURE_ADD ("/loky/wait/calls-inside-callbacks", test_calls_inside_callbacks);
  LOKY_FIXTURE_ADD ("/loky/wait/a-context-hears", test_a_context_hears);
  LOKY_FIXTURE_ADD ("/loky/wait/a-context-stays-away", test_a_context_stays_away);
  LOKY_FIXTURE_ADD ("/loky/wait/deaths-while-a-context-hears", test_deaths_while_a_context_hears);
  LOKY_FIXTURE_ADD ("/loky/wait/dropped-while-delivered", test_dropped_while_delivered);
  LOKY_FIXTURE_ADD ("/loky/wait/rouses-who-sleeps", test_rouses_who_sleeps);
  LOKY_FIXTURE_ADD ("/loky/wait/does-not-rouse-without-spinning", test_does_not_rouse_without_spinning);
  LOKY_FIXTURE_ADD ("/loky/wait/calls-after-pauses", test_calls_after_pauses);
  LOKY_FIXTURE_ADD ("/loky/wait/in-a-row", test_waits_in_a_row);
  LOKY_FIXTURE_ADD ("/loky/wait/in-a-row-beside-busy-workers", test_waits_beside_busy_workers);
  return g_test_run ();
}
