/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Locks, semaphores, conditions, events and barriers, between the application, its threads and its workers. */

#include "fixture.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_WORKERS 3
#define N_THREADS 3
#define N_COUNTS 40

#define ACQUIRED LOKY_ACQUIRE_RESULT_ACQUIRED
#define OWNER_DIED LOKY_ACQUIRE_RESULT_OWNER_DIED
#define FAILED LOKY_ACQUIRE_RESULT_FAILED

typedef struct
{
  LokyFixture base;
  LokyExecutor *executor;
  LokySemaphore *ready; /* raised by tasks that are in the middle of something */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  loky_fixture_set_up (&fixture->base, NULL);
  fixture->executor = loky_fixture_make_executor ("max-workers", N_WORKERS, NULL);
  fixture->ready = loky_semaphore_new (0, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  loky_fixture_end_executor (fixture->executor, LOKY_SHUTDOWN_DRAIN);
  g_clear_object (&fixture->ready);
  loky_fixture_tear_down (&fixture->base, NULL);
}

/* --- helpers ---------------------------------------------------------------------------------- */

static gint32
handle_of (gpointer synchronizer)
{
  return loky_synchronizer_get_handle (LOKY_SYNCHRONIZER (synchronizer));
}

static LokyFuture *
submit (Fixture *fixture, const char *task, GVariant *args)
{
  return loky_fixture_submit (fixture->executor, task, args);
}

static GVariant *
await_result (LokyFuture *future)
{
  g_autoptr (GError) error = NULL;
  GVariant *result;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  return result;
}

static void
assert_succeeds (LokyFuture *future)
{
  g_variant_unref (await_result (future));
}

static void
call (Fixture *fixture, const char *task, GVariant *args)
{
  g_autoptr (LokyFuture) future = submit (fixture, task, args);

  assert_succeeds (future);
}

static void
await_ready (Fixture *fixture, guint n)
{
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < n; i++)
    g_assert_cmpint (loky_semaphore_acquire (fixture->ready, -1, NULL, &error), ==, ACQUIRED);
}

/* A task that holds it @n times, and now does. */
static LokyFuture *
submit_hold (Fixture *fixture, gpointer synchronizer, guint n, const char *end)
{
  LokyFuture *future
      = submit (fixture, "sync.hold",
                g_variant_new ("(hhus)", handle_of (synchronizer), handle_of (fixture->ready), n, end));

  await_ready (fixture, 1);
  return future;
}

/* What came of acquiring. FAILED: in the time that it was given. */
static void
assert_acquired (LokyAcquireResult result, const GError *error, LokyAcquireResult expected)
{
  if (expected == FAILED)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  else
    g_assert_no_error (error);
  g_assert_cmpint (result, ==, expected);
}

static void
assert_released (gboolean is_released, const GError *error, gboolean expected)
{
  g_assert_cmpint (is_released, ==, expected);
  if (expected)
    g_assert_no_error (error);
  else
    g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NOT_HELD);
}

static void
assert_lock (LokyLock *lock, gint64 timeout, LokyAcquireResult expected)
{
  g_autoptr (GError) error = NULL;
  LokyAcquireResult result = loky_lock_acquire (lock, timeout, NULL, &error);

  assert_acquired (result, error, expected);
}

static void
assert_unlock (LokyLock *lock, gboolean expected)
{
  g_autoptr (GError) error = NULL;
  gboolean is_released = loky_lock_release (lock, &error);

  assert_released (is_released, error, expected);
}

static void
assert_take (LokySemaphore *semaphore, gint64 timeout, LokyAcquireResult expected)
{
  g_autoptr (GError) error = NULL;
  LokyAcquireResult result = loky_semaphore_acquire (semaphore, timeout, NULL, &error);

  assert_acquired (result, error, expected);
}

static void
assert_give (LokySemaphore *semaphore, gboolean expected)
{
  g_autoptr (GError) error = NULL;
  gboolean is_released = loky_semaphore_release (semaphore, &error);

  assert_released (is_released, error, expected);
}

/* Runs it in another thread, to its end. */
static gpointer
in_thread (GThreadFunc func, gpointer data)
{
  return g_thread_join (g_thread_new ("test", func, data));
}

static gpointer
cancel_cb (gpointer data)
{
  g_usleep (20 * 1000);
  g_cancellable_cancel (data);
  return NULL;
}

/* --- lock ------------------------------------------------------------------------------------- */

static gpointer
unlock_cb (gpointer data)
{
  assert_unlock (data, TRUE);
  return NULL;
}

static gpointer
cannot_unlock_cb (gpointer data)
{
  assert_unlock (data, FALSE);
  return NULL;
}

static gpointer
cannot_lock_cb (gpointer data)
{
  assert_lock (data, 0, FAILED);
  return NULL;
}

static gpointer
lock_and_unlock_cb (gpointer data)
{
  assert_lock (data, -1, ACQUIRED);
  assert_unlock (data, TRUE);
  return NULL;
}

static void
lock_is_acquired_once (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);

  g_assert_false (loky_lock_is_recursive (lock));
  assert_lock (lock, -1, ACQUIRED);
  assert_lock (lock, 0, FAILED);
  in_thread (cannot_lock_cb, lock);
  assert_unlock (lock, TRUE);
  assert_unlock (lock, FALSE);
  assert_lock (lock, 0, ACQUIRED);
  in_thread (unlock_cb, lock);
  in_thread (lock_and_unlock_cb, lock);
  assert_unlock (lock, FALSE);
}

static void
lock_is_released_by_another_process (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokyFuture) again = NULL;

  assert_lock (lock, 0, ACQUIRED);
  call (fixture, "sync.release", g_variant_new ("(h)", handle_of (lock)));
  assert_lock (lock, 0, ACQUIRED);
  assert_unlock (lock, TRUE);
  again = submit (fixture, "sync.release", g_variant_new ("(h)", handle_of (lock)));
  loky_fixture_assert_fails (again, LOKY_ERROR, LOKY_ERROR_NOT_HELD);
}

static void
recursive_lock_is_for_its_thread (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new_recursive (NULL);
  g_autoptr (LokyFuture) other = NULL;

  g_assert_true (loky_lock_is_recursive (lock));
  assert_unlock (lock, FALSE);
  for (guint i = 0; i < 3; i++)
    assert_lock (lock, 0, ACQUIRED);
  in_thread (cannot_lock_cb, lock);
  in_thread (cannot_unlock_cb, lock);
  other = submit (fixture, "sync.release", g_variant_new ("(h)", handle_of (lock)));
  loky_fixture_assert_fails (other, LOKY_ERROR, LOKY_ERROR_NOT_HELD);
  for (guint i = 0; i < 3; i++)
    {
      in_thread (cannot_lock_cb, lock);
      assert_unlock (lock, TRUE);
    }
  in_thread (lock_and_unlock_cb, lock);
  assert_unlock (lock, FALSE);
}

static char *
make_counter (void)
{
  g_autoptr (GError) error = NULL;
  char *path = NULL;
  int fd = g_file_open_tmp ("loky-count-XXXXXX", &path, &error);

  g_assert_no_error (error);
  g_assert_cmpint (write (fd, "0", 1), ==, 1);
  close (fd);
  return path;
}

static void
assert_counted (const char *path, int expected)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpint (atoi (text), ==, expected);
  unlink (path);
}

static void
check_counting (Fixture *fixture, gpointer synchronizer, const char *task)
{
  g_autofree char *path = make_counter ();
  LokyFuture *futures[2 * N_WORKERS];

  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    futures[i] = submit (fixture, task, g_variant_new ("(hsu)", handle_of (synchronizer), path, N_COUNTS));
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      assert_succeeds (futures[i]);
      g_object_unref (futures[i]);
    }
  assert_counted (path, (int) G_N_ELEMENTS (futures) * N_COUNTS);
}

static void
lock_keeps_workers_apart (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) plain = loky_lock_new (NULL);
  g_autoptr (LokyLock) recursive = loky_lock_new_recursive (NULL);

  check_counting (fixture, plain, "sync.count");
  check_counting (fixture, recursive, "sync.count");
}

static void
lock_reaches_workers_of_workers (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);

  check_counting (fixture, lock, "sync.count-below");
}

static guint n_counted;

static gpointer
count_cb (gpointer data)
{
  for (guint i = 0; i < 2000; i++)
    {
      guint before;

      assert_lock (data, -1, ACQUIRED);
      before = n_counted;
      if (i % 64 == 0)
        g_thread_yield ();
      n_counted = before + 1;
      assert_unlock (data, TRUE);
    }
  return NULL;
}

static void
lock_keeps_threads_apart (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  GThread *threads[N_THREADS];

  n_counted = 0;
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("test", count_cb, lock);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (n_counted, ==, N_THREADS * 2000);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void
waiting_takes_as_long_as_said (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new (0, NULL);
  static const gint64 timeouts[] = { 0, 1, 30, 120 };

  assert_lock (lock, 0, ACQUIRED);
  for (gsize i = 0; i < G_N_ELEMENTS (timeouts); i++)
    {
      gint64 start = g_get_monotonic_time ();
      gint64 middle;

      assert_lock (lock, timeouts[i], FAILED);
      middle = g_get_monotonic_time ();
      assert_take (semaphore, timeouts[i], FAILED);
      g_assert_cmpint (middle - start, >=, timeouts[i] * 1000);
      g_assert_cmpint (g_get_monotonic_time () - middle, >=, timeouts[i] * 1000);
    }
  assert_unlock (lock, TRUE);
}

static void
waiting_ends_by_cancellation (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new (0, NULL);
  g_autoptr (LokyEvent) event = loky_event_new (NULL);
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (2, NULL);
  g_autoptr (LokyCondition) condition = loky_condition_new (lock, NULL);

  assert_lock (lock, 0, ACQUIRED);
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      GThread *thread = g_thread_new ("test", cancel_cb, cancellable);

      if (i % 5 == 0)
        g_assert_cmpint (loky_lock_acquire (lock, -1, cancellable, &error), ==, FAILED);
      else if (i % 5 == 1)
        g_assert_cmpint (loky_semaphore_acquire (semaphore, -1, cancellable, &error), ==, FAILED);
      else if (i % 5 == 2)
        g_assert_false (loky_event_wait (event, -1, cancellable, &error));
      else if (i % 5 == 3)
        g_assert_cmpint (loky_condition_wait (condition, -1, cancellable, &error), ==, FAILED);
      else
        g_assert_cmpint (loky_barrier_wait (barrier, -1, cancellable, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_thread_join (thread);
      loky_barrier_reset (barrier);
      in_thread (cannot_lock_cb, lock);
    }
  assert_unlock (lock, TRUE);
}

static void
cancelled_before_nothing_is_acquired (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_cmpint (loky_lock_acquire (lock, 0, cancellable, &error), ==, FAILED);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  assert_unlock (lock, FALSE);
}

/* --- semaphore -------------------------------------------------------------------------------- */

static void
semaphore_counts_beyond_its_first_value (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new (2, NULL);

  g_assert_false (loky_semaphore_is_bounded (semaphore));
  g_assert_cmpuint (loky_semaphore_get_value (semaphore), ==, 2);
  assert_take (semaphore, 0, ACQUIRED);
  assert_take (semaphore, 0, ACQUIRED);
  assert_take (semaphore, 0, FAILED);
  for (guint i = 1; i <= 4; i++)
    {
      assert_give (semaphore, TRUE);
      g_assert_cmpuint (loky_semaphore_get_value (semaphore), ==, i);
    }
  for (guint i = 0; i < 4; i++)
    assert_take (semaphore, 0, ACQUIRED);
  assert_take (semaphore, 0, FAILED);
}

static void
bounded_semaphore_is_not_released_too_often (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new_bounded (2, NULL);
  g_autoptr (LokyFuture) again = NULL;

  g_assert_true (loky_semaphore_is_bounded (semaphore));
  assert_give (semaphore, FALSE);
  g_assert_cmpuint (loky_semaphore_get_value (semaphore), ==, 2);
  assert_take (semaphore, 0, ACQUIRED);
  call (fixture, "sync.release", g_variant_new ("(h)", handle_of (semaphore)));
  again = submit (fixture, "sync.release", g_variant_new ("(h)", handle_of (semaphore)));
  loky_fixture_assert_fails (again, LOKY_ERROR, LOKY_ERROR_NOT_HELD);
  assert_give (semaphore, FALSE);
  g_assert_cmpuint (loky_semaphore_get_value (semaphore), ==, 2);
}

static void
semaphore_has_a_limit (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new (4096, NULL);
  g_autoptr (LokySemaphore) none = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (loky_semaphore_release (semaphore, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
  g_clear_error (&error);
  g_assert_cmpuint (loky_semaphore_get_value (semaphore), ==, 4096);
  none = loky_semaphore_new_bounded (4097, &error);
  g_assert_null (none);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
}

static void
semaphore_of_one_keeps_workers_apart (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new_bounded (1, NULL);

  check_counting (fixture, semaphore, "sync.count");
  g_assert_cmpuint (loky_semaphore_get_value (semaphore), ==, 1);
}

typedef struct
{
  GCancellable *cancellable;
  LokySemaphore *ready;
} Cancelling;

static gpointer
cancel_when_ready_cb (gpointer data)
{
  Cancelling *cancelling = data;

  assert_take (cancelling->ready, -1, ACQUIRED);
  g_cancellable_cancel (cancelling->cancellable);
  return NULL;
}

/* --- condition -------------------------------------------------------------------------------- */

typedef struct
{
  LokyCondition *condition;
  LokySemaphore *ready;
  guint n_woken; /* the lock of the condition */
} Waiting;

static gpointer
wait_cb (gpointer data)
{
  Waiting *waiting = data;
  LokyLock *lock = loky_condition_get_lock (waiting->condition);
  g_autoptr (GError) error = NULL;

  assert_lock (lock, -1, ACQUIRED);
  assert_give (waiting->ready, TRUE);
  g_assert_cmpint (loky_condition_wait (waiting->condition, -1, NULL, &error), !=, FAILED);
  g_assert_no_error (error);
  waiting->n_woken++;
  assert_unlock (lock, TRUE);
  return NULL;
}

static guint
count_done (LokyFuture **futures, guint n)
{
  guint n_done = 0;

  for (guint i = 0; i < n; i++)
    n_done += loky_future_is_done (futures[i]);
  return n_done;
}

static LokyFuture *
submit_wait (Fixture *fixture, LokyCondition *condition, gint64 timeout)
{
  return submit (fixture, "sync.wait-condition",
                 g_variant_new ("(hhx)", handle_of (condition), handle_of (fixture->ready), timeout));
}

/* Three threads and three workers; one, and then all. */
static void
condition_wakes_one_or_all (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyCondition) condition = loky_condition_new (NULL, NULL);
  LokyLock *lock = loky_condition_get_lock (condition);
  Waiting waiting = { condition, fixture->ready, 0 };
  LokyFuture *futures[N_WORKERS];
  GThread *threads[N_THREADS];
  g_autoptr (GError) error = NULL;
  guint n_woken = 0;

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("test", wait_cb, &waiting);
  await_ready (fixture, N_THREADS);
  for (guint i = 0; i < N_WORKERS; i++)
    futures[i] = submit_wait (fixture, condition, -1);
  await_ready (fixture, N_WORKERS);

  /* The threads came first. Having the lock means that all have begun to wait. */
  assert_lock (lock, -1, ACQUIRED);
  g_assert_true (loky_condition_wake_one (condition, &error));
  assert_unlock (lock, TRUE);
  while (n_woken == 0)
    {
      assert_lock (lock, -1, ACQUIRED);
      n_woken = waiting.n_woken;
      assert_unlock (lock, TRUE);
    }
  g_usleep (20 * 1000);
  assert_lock (lock, -1, ACQUIRED);
  g_assert_cmpuint (waiting.n_woken, ==, 1);
  g_assert_cmpuint (count_done (futures, N_WORKERS), ==, 0);

  g_assert_true (loky_condition_wake_all (condition, &error));
  assert_unlock (lock, TRUE);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < N_WORKERS; i++)
    {
      assert_succeeds (futures[i]);
      g_object_unref (futures[i]);
    }
  g_assert_cmpuint (waiting.n_woken, ==, N_THREADS);
}

/* Of two conditions of one lock. */
static void
condition_wakes_its_own (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokyCondition) condition = loky_condition_new (lock, NULL);
  g_autoptr (LokyCondition) other = loky_condition_new (lock, NULL);
  g_autoptr (LokyFuture) future = submit_wait (fixture, condition, -1);

  g_assert_true (loky_condition_get_lock (other) == lock);
  await_ready (fixture, 1);
  assert_lock (lock, -1, ACQUIRED);
  g_assert_true (loky_condition_wake_all (other, NULL));
  assert_unlock (lock, TRUE);
  g_usleep (20 * 1000);
  g_assert_false (loky_future_is_done (future));
  call (fixture, "sync.wake", g_variant_new ("(h)", handle_of (condition)));
  assert_succeeds (future);
}

static void
condition_wait_times_out_with_the_lock_held (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyCondition) condition = loky_condition_new (NULL, NULL);
  LokyLock *lock = loky_condition_get_lock (condition);
  g_autoptr (LokyFuture) future = submit_wait (fixture, condition, 10);

  loky_fixture_assert_fails (future, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  assert_lock (lock, -1, ACQUIRED);
  assert_lock (lock, -1, ACQUIRED);
  for (gint64 timeout = 0; timeout <= 20; timeout += 10)
    {
      g_autoptr (GError) error = NULL;
      gint64 start = g_get_monotonic_time ();

      g_assert_cmpint (loky_condition_wait (condition, timeout, NULL, &error), ==, FAILED);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
      g_assert_cmpint (g_get_monotonic_time () - start, >=, timeout * 1000);
      in_thread (cannot_lock_cb, lock);
    }
  assert_unlock (lock, TRUE);
  assert_unlock (lock, TRUE);
  assert_unlock (lock, FALSE);
}

static void
condition_needs_its_lock (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyCondition) condition = loky_condition_new (NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (loky_condition_wait (condition, -1, NULL, &error), ==, FAILED);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NOT_HELD);
  g_clear_error (&error);
  g_assert_false (loky_condition_wake_one (condition, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NOT_HELD);
  g_assert_false (loky_condition_wake_all (condition, NULL));
}

/* The worker has the lock meanwhile and keeps it: the way out is the cancellable. */
static void
condition_gives_up_its_lock_when_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokyCondition) condition = loky_condition_new (lock, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (LokyFuture) holder = NULL;
  g_autoptr (GError) error = NULL;
  Cancelling cancelling = { cancellable, fixture->ready };
  GThread *thread;

  assert_lock (lock, -1, ACQUIRED);
  thread = g_thread_new ("test", cancel_when_ready_cb, &cancelling);
  holder = submit (fixture, "sync.hold",
                   g_variant_new ("(hhus)", handle_of (lock), handle_of (fixture->ready), 1, "wait"));
  g_assert_cmpint (loky_condition_wait (condition, -1, cancellable, &error), ==, FAILED);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NOT_HELD);
  g_thread_join (thread);
  loky_future_cancel (holder);
  assert_lock (lock, -1, ACQUIRED);
  assert_unlock (lock, TRUE);
}

/* --- event ------------------------------------------------------------------------------------ */

static void
event_is_waited_for_across_processes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyEvent) event = loky_event_new (NULL);
  LokyFuture *futures[N_WORKERS];
  g_autoptr (GError) error = NULL;

  g_assert_false (loky_event_is_set (event));
  g_assert_false (loky_event_wait (event, 10, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  for (guint i = 0; i < N_WORKERS; i++)
    futures[i] = submit (fixture, "sync.wait-event",
                         g_variant_new ("(hhx)", handle_of (event), handle_of (fixture->ready),
                                        (gint64) -1));
  await_ready (fixture, N_WORKERS);
  g_assert_cmpuint (count_done (futures, N_WORKERS), ==, 0);
  loky_event_set (event);
  loky_event_set (event);
  for (guint i = 0; i < N_WORKERS; i++)
    {
      assert_succeeds (futures[i]);
      g_object_unref (futures[i]);
    }
  g_assert_true (loky_event_is_set (event));
  g_assert_true (loky_event_wait (event, 0, NULL, NULL));
  loky_event_clear (event);
  g_assert_false (loky_event_is_set (event));
  g_assert_false (loky_event_wait (event, 0, NULL, NULL));

  call (fixture, "sync.set-event", g_variant_new ("(h)", handle_of (event)));
  g_assert_true (loky_event_wait (event, -1, NULL, NULL));
}

/* --- barrier ---------------------------------------------------------------------------------- */

typedef struct
{
  LokyBarrier *barrier;
  guint n_rounds;
  guint sum; /* atomic */
} Meeting;

static gpointer
meet_cb (gpointer data)
{
  Meeting *meeting = data;

  for (guint i = 0; i < meeting->n_rounds; i++)
    {
      g_autoptr (GError) error = NULL;
      gint index = loky_barrier_wait (meeting->barrier, -1, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpint (index, >=, 0);
      g_atomic_int_add (&meeting->sum, 1 << (8 * index));
    }
  return NULL;
}

static void
barrier_lets_all_pass_at_once (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (3, NULL);
  Meeting meeting = { barrier, 50, 0 };
  GThread *threads[3];

  g_assert_cmpuint (loky_barrier_get_n_parties (barrier), ==, 3);
  for (guint i = 0; i < 3; i++)
    threads[i] = g_thread_new ("test", meet_cb, &meeting);
  for (guint i = 0; i < 3; i++)
    g_thread_join (threads[i]);
  /* Each number once a round. */
  g_assert_cmphex (meeting.sum, ==, 50 | 50 << 8 | 50 << 16);
  g_assert_cmpuint (loky_barrier_get_n_waiting (barrier), ==, 0);
}

static void
barrier_is_met_across_processes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (N_WORKERS + 1, NULL);
  LokyFuture *futures[N_WORKERS];

  for (guint i = 0; i < N_WORKERS; i++)
    futures[i] = submit (fixture, "sync.meet", g_variant_new ("(hu)", handle_of (barrier), 20));
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (loky_barrier_wait (barrier, -1, NULL, &error), >=, 0);
      g_assert_no_error (error);
    }
  for (guint i = 0; i < N_WORKERS; i++)
    {
      assert_succeeds (futures[i]);
      g_object_unref (futures[i]);
    }
}

static void
await_waiting (LokyBarrier *barrier, guint n)
{
  while (loky_barrier_get_n_waiting (barrier) < n)
    g_usleep (1000);
}

static gpointer
meet_broken_cb (gpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (loky_barrier_wait (data, -1, NULL, &error), ==, -1);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BARRIER_BROKEN);
  return NULL;
}

static void
barrier_is_broken_by_who_gives_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (3, NULL);

  for (guint i = 0; i < 3; i++)
    {
      GThread *thread = g_thread_new ("test", meet_broken_cb, barrier);
      g_autoptr (GError) error = NULL;

      await_waiting (barrier, 1);
      if (i == 0)
        {
          g_assert_cmpint (loky_barrier_wait (barrier, 10, NULL, &error), ==, -1);
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
        }
      else if (i == 1)
        loky_barrier_abort (barrier);
      else
        loky_barrier_reset (barrier);
      g_thread_join (thread);
      g_assert_cmpint (loky_barrier_is_broken (barrier), ==, i < 2);
      if (i < 2)
        in_thread (meet_broken_cb, barrier);
      loky_barrier_reset (barrier);
      g_assert_false (loky_barrier_is_broken (barrier));
    }
}

static void
barrier_of_one_or_too_many (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (1, NULL);
  g_autoptr (LokyBarrier) none = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (loky_barrier_wait (barrier, 0, NULL, NULL), ==, 0);
  none = loky_barrier_new (0, &error);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_null (none);
  none = loky_barrier_new (1025, NULL);
  g_assert_null (none);
}

/* --- deaths ----------------------------------------------------------------------------------- */

/* Who waits already, and who comes later; a fork()ed child of the dead one lives on. */
static void
lock_of_a_dead_worker_is_had_back (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) plain = loky_lock_new (NULL);
  g_autoptr (LokyLock) recursive = loky_lock_new_recursive (NULL);
  static const char *const ends[] = { "kill", "fork" };

  for (guint i = 0; i < 8; i++)
    {
      LokyLock *lock = i / 4 == 0 ? plain : recursive;
      g_autoptr (LokyFuture) future = submit_hold (fixture, lock, i / 4 == 0 ? 1 : 3, ends[i % 2]);

      if (i % 4 < 2)
        loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      assert_lock (lock, -1, OWNER_DIED);
      assert_lock (plain, 0, lock == plain ? FAILED : ACQUIRED);
      assert_unlock (lock, TRUE);
      if (lock != plain)
        assert_unlock (plain, TRUE);
      assert_lock (lock, 0, ACQUIRED);
      assert_unlock (lock, TRUE);
      loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
    }
}

static void
lock_of_a_dead_worker_is_not_released (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokyFuture) future = submit_hold (fixture, lock, 1, "kill");

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  assert_unlock (lock, FALSE);
  assert_lock (lock, 0, OWNER_DIED);
  assert_unlock (lock, TRUE);
}

static void
lock_that_a_task_kept_is_had_back (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokyFuture) future = submit_hold (fixture, lock, 1, "return");
  g_autoptr (LokyFuture) other = NULL;
  g_autoptr (GVariant) result = NULL;

  assert_succeeds (future);
  other = submit (fixture, "sync.acquire", g_variant_new ("(hx)", handle_of (lock), (gint64) -1));
  result = await_result (other);
  g_assert_cmpuint (g_variant_get_uint32 (result), ==, OWNER_DIED);
  assert_lock (lock, 0, ACQUIRED);
  assert_unlock (lock, TRUE);
}

static void
lock_of_a_live_worker_is_not_had (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokyFuture) holder = submit_hold (fixture, lock, 1, "wait");
  g_autoptr (LokyFuture) other
      = submit (fixture, "sync.acquire", g_variant_new ("(hx)", handle_of (lock), (gint64) 120));

  assert_lock (lock, 120, FAILED);
  loky_fixture_assert_fails (other, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  loky_future_cancel (holder);
  assert_lock (lock, -1, ACQUIRED);
  assert_unlock (lock, TRUE);
}

static void
units_of_a_dead_worker_come_back (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new_bounded (3, NULL);

  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (LokyFuture) future = NULL;

      assert_take (semaphore, 0, ACQUIRED);
      future = submit_hold (fixture, semaphore, 2, i % 2 == 0 ? "kill" : "fork");
      assert_take (semaphore, -1, OWNER_DIED);
      assert_take (semaphore, 0, OWNER_DIED);
      assert_take (semaphore, 0, FAILED);
      loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      for (guint j = 0; j < 3; j++)
        assert_give (semaphore, TRUE);
      assert_give (semaphore, FALSE);
      g_assert_cmpuint (loky_semaphore_get_value (semaphore), ==, 3);
    }
}

static void
dead_waiter_is_not_woken (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyCondition) condition = loky_condition_new (NULL, NULL);
  LokyLock *lock = loky_condition_get_lock (condition);
  Waiting waiting = { condition, fixture->ready, 0 };
  LokyExecutor *other = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyFuture) dead = loky_fixture_submit (
      other, "sync.wait-condition",
      g_variant_new ("(hhx)", handle_of (condition), handle_of (fixture->ready), (gint64) -1));
  GThread *thread;

  await_ready (fixture, 1);
  assert_lock (lock, -1, ACQUIRED);
  loky_fixture_end_executor (other, LOKY_SHUTDOWN_KILL);
  assert_unlock (lock, TRUE);
  g_assert_true (loky_future_is_done (dead));
  thread = g_thread_new ("test", wait_cb, &waiting);
  await_ready (fixture, 1);
  assert_lock (lock, -1, ACQUIRED);
  g_assert_true (loky_condition_wake_one (condition, NULL));
  assert_unlock (lock, TRUE);
  g_thread_join (thread);
}

static void
barrier_is_broken_by_a_death (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (3, NULL);
  Meeting meeting = { barrier, 1, 0 };

  for (guint i = 0; i < 2; i++)
    {
      LokyExecutor *other = loky_fixture_make_executor ("max-workers", 1, NULL);
      g_autoptr (LokyFuture) dead
          = loky_fixture_submit (other, "sync.meet", g_variant_new ("(hu)", handle_of (barrier), 1));
      GThread *threads[3] = { NULL };

      await_waiting (barrier, 1);
      if (i == 0)
        threads[0] = g_thread_new ("test", meet_broken_cb, barrier);
      if (i == 0)
        await_waiting (barrier, 2);
      loky_fixture_end_executor (other, LOKY_SHUTDOWN_KILL);
      g_assert_true (loky_future_is_done (dead));
      if (i == 0)
        g_thread_join (threads[0]);
      in_thread (meet_broken_cb, barrier);
      g_assert_true (loky_barrier_is_broken (barrier));

      loky_barrier_reset (barrier);
      for (guint j = 0; j < 3; j++)
        threads[j] = g_thread_new ("test", meet_cb, &meeting);
      for (guint j = 0; j < 3; j++)
        g_thread_join (threads[j]);
    }
}

/* --- travelling ------------------------------------------------------------------------------- */

static void
handle_of_nothing_is_refused (Fixture *fixture, gconstpointer data)
{
  LokyLock *lock = loky_lock_new (NULL);
  g_autoptr (LokyEvent) event = loky_event_new (NULL);
  gint32 handle = handle_of (lock);
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (LokyFuture) wrong = NULL;
  g_autoptr (GError) error = NULL;

  g_object_unref (lock);
  future = loky_executor_submit (fixture->executor, "sync.release", g_variant_new ("(h)", handle), NULL,
                                 &error);
  g_assert_null (future);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  wrong = submit (fixture, "sync.wake", g_variant_new ("(h)", handle_of (event)));
  loky_fixture_assert_fails (wrong, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

static void
result_holds_a_synchronizer (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (GVariant) variant = loky_synchronizer_to_variant (LOKY_SYNCHRONIZER (lock), NULL);
  g_autoptr (LokyFuture) echo = submit (fixture, "demo.echo", variant);
  g_autoptr (LokyFuture) made = submit (fixture, "sync.make-lock", NULL);
  g_autoptr (GVariant) echo_result = await_result (echo);
  g_autoptr (GVariant) made_result = await_result (made);
  g_autoptr (LokyLock) same = NULL;
  g_autoptr (LokyLock) other = NULL;
  g_autoptr (GVariant) passed_on = NULL;
  g_autoptr (GError) error = NULL;

  same = loky_future_lookup_synchronizer (echo, g_variant_get_handle (echo_result), LOKY_TYPE_LOCK, &error);
  g_assert_no_error (error);
  other = loky_future_lookup_synchronizer (made, g_variant_get_handle (made_result),
                                           LOKY_TYPE_SYNCHRONIZER, &error);
  g_assert_no_error (error);
  g_assert_true (LOKY_IS_LOCK (other));
  assert_lock (lock, 0, ACQUIRED);
  assert_lock (same, 0, FAILED);
  assert_lock (other, 0, ACQUIRED);
  assert_unlock (same, TRUE);
  assert_unlock (lock, FALSE);
  g_assert_null (loky_future_lookup_synchronizer (echo, g_variant_get_handle (echo_result),
                                                  LOKY_TYPE_EVENT, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  /* To a worker, as any other. */
  passed_on = loky_synchronizer_to_variant (LOKY_SYNCHRONIZER (other), &error);
  g_assert_no_error (error);
  call (fixture, "sync.release", g_variant_new ("(@h)", passed_on));
  assert_unlock (other, FALSE);
}

/* The descriptors of synchronizers; the executor has others, and may open some meanwhile. */
static guint
count_memories (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      n += target != NULL && strstr (target, "loky-synchronizer") != NULL;
    }
  return n;
}

static void
dropped_references_leave_nothing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  guint n = count_memories ();

  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (LokyLock) other = loky_lock_new (NULL);
      g_autoptr (LokyCondition) condition = loky_condition_new (other, NULL);
      g_autoptr (GVariant) args = loky_synchronizer_to_variant (LOKY_SYNCHRONIZER (condition), NULL);

      assert_lock (other, 0, ACQUIRED);
      if (i < 10)
        call (fixture, "demo.echo", args);
    }
  /* Who ends a task drops its arguments when all know of it. */
  while (count_memories () > n)
    g_usleep (1000);
  assert_lock (lock, 0, ACQUIRED);
}

static int
use_in_child (LokyLock *lock, LokySemaphore *semaphore, LokyBarrier *barrier)
{
  g_autoptr (GError) error = NULL;

  if (loky_lock_acquire (lock, -1, NULL, &error) != FAILED ||
      !g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED))
    return 1;
  if (loky_lock_release (lock, NULL) || loky_semaphore_release (semaphore, NULL))
    return 2;
  if (loky_semaphore_acquire (semaphore, -1, NULL, NULL) != FAILED ||
      loky_semaphore_get_value (semaphore) != 0)
    return 3;
  if (loky_barrier_wait (barrier, -1, NULL, NULL) != -1)
    return 4;
  g_object_unref (lock);
  g_object_unref (semaphore);
  g_object_unref (barrier);
  return 0;
}

static void
forked_child_holds_nothing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new (1, NULL);
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (1, NULL);
  int status;
  pid_t pid;

  assert_lock (lock, 0, ACQUIRED);
  pid = fork ();
  if (pid == 0)
    _exit (use_in_child (lock, semaphore, barrier));
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  assert_unlock (lock, TRUE);
  assert_take (semaphore, 0, ACQUIRED);
}

/* --- a worker that is not to be trusted ------------------------------------------------------- */

static LokySynchronizer *
make_any (guint i)
{
  switch (i)
    {
    case 0:
      return LOKY_SYNCHRONIZER (loky_lock_new (NULL));
    case 1:
      return LOKY_SYNCHRONIZER (loky_condition_new (NULL, NULL));
    case 2:
      return LOKY_SYNCHRONIZER (loky_semaphore_new (2, NULL));
    case 3:
      return LOKY_SYNCHRONIZER (loky_semaphore_new_bounded (2, NULL));
    case 4:
      return LOKY_SYNCHRONIZER (loky_event_new (NULL));
    default:
      return LOKY_SYNCHRONIZER (loky_barrier_new (2, NULL));
    }
}

/* All that can be done with it, with nothing expected but an end. */
static void
use_any (LokySynchronizer *any)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  if (LOKY_IS_CONDITION (any))
    {
      LokyCondition *condition = LOKY_CONDITION (any);
      LokyLock *lock = loky_condition_get_lock (condition);

      if (loky_lock_acquire (lock, 1, NULL, NULL) != FAILED)
        {
          GThread *thread = g_thread_new ("test", cancel_cb, cancellable);

          (void) !loky_condition_wait (condition, 1, cancellable, NULL);
          loky_condition_wake_one (condition, NULL);
          loky_condition_wake_all (condition, NULL);
          g_thread_join (thread);
        }
      loky_lock_release (lock, NULL);
    }
  else if (LOKY_IS_LOCK (any))
    {
      (void) !loky_lock_acquire (LOKY_LOCK (any), 1, NULL, NULL);
      loky_lock_release (LOKY_LOCK (any), NULL);
    }
  else if (LOKY_IS_SEMAPHORE (any))
    {
      (void) !loky_semaphore_acquire (LOKY_SEMAPHORE (any), 1, NULL, NULL);
      loky_semaphore_release (LOKY_SEMAPHORE (any), NULL);
      g_assert_cmpuint (loky_semaphore_get_value (LOKY_SEMAPHORE (any)), <=, 4096);
    }
  else if (LOKY_IS_EVENT (any))
    {
      (void) !loky_event_wait (LOKY_EVENT (any), 1, NULL, NULL);
      loky_event_set (LOKY_EVENT (any));
      loky_event_clear (LOKY_EVENT (any));
    }
  else
    {
      g_assert_cmpint (loky_barrier_wait (LOKY_BARRIER (any), 1, NULL, NULL), <, 2);
      g_assert_cmpuint (loky_barrier_get_n_waiting (LOKY_BARRIER (any)), <, 2);
      loky_barrier_abort (LOKY_BARRIER (any));
      loky_barrier_reset (LOKY_BARRIER (any));
    }
}

static void
spoilt_memory_stops_nobody (Fixture *fixture, gconstpointer data)
{
  for (guint kind = 0; kind < 6; kind++)
    {
      g_autoptr (LokySynchronizer) any = make_any (kind);
      g_autoptr (LokyFuture) future
          = submit (fixture, "sync.scribble", g_variant_new ("(hh)", handle_of (any), handle_of (fixture->ready)));

      await_ready (fixture, 1);
      for (guint i = 0; i < 30; i++)
        use_any (any);
      loky_future_cancel (future);
      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
    }
}

#define ADD(path, func) g_test_add ("/loky/sync/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  ADD ("lock-is-acquired-once", lock_is_acquired_once);
  ADD ("lock-is-released-by-another-process", lock_is_released_by_another_process);
  ADD ("recursive-lock-is-for-its-thread", recursive_lock_is_for_its_thread);
  ADD ("lock-keeps-workers-apart", lock_keeps_workers_apart);
  ADD ("lock-reaches-workers-of-workers", lock_reaches_workers_of_workers);
  ADD ("lock-keeps-threads-apart", lock_keeps_threads_apart);
  ADD ("waiting-takes-as-long-as-said", waiting_takes_as_long_as_said);
  ADD ("waiting-ends-by-cancellation", waiting_ends_by_cancellation);
  ADD ("cancelled-before-nothing-is-acquired", cancelled_before_nothing_is_acquired);
  ADD ("semaphore-counts-beyond-its-first-value", semaphore_counts_beyond_its_first_value);
  ADD ("bounded-semaphore-is-not-released-too-often", bounded_semaphore_is_not_released_too_often);
  ADD ("semaphore-has-a-limit", semaphore_has_a_limit);
  ADD ("semaphore-of-one-keeps-workers-apart", semaphore_of_one_keeps_workers_apart);
  ADD ("condition-wakes-one-or-all", condition_wakes_one_or_all);
  ADD ("condition-wakes-its-own", condition_wakes_its_own);
  ADD ("condition-wait-times-out-with-the-lock-held", condition_wait_times_out_with_the_lock_held);
  ADD ("condition-needs-its-lock", condition_needs_its_lock);
  ADD ("condition-gives-up-its-lock-when-cancelled", condition_gives_up_its_lock_when_cancelled);
  ADD ("event-is-waited-for-across-processes", event_is_waited_for_across_processes);
  ADD ("barrier-lets-all-pass-at-once", barrier_lets_all_pass_at_once);
  ADD ("barrier-is-met-across-processes", barrier_is_met_across_processes);
  ADD ("barrier-is-broken-by-who-gives-up", barrier_is_broken_by_who_gives_up);
  ADD ("barrier-of-one-or-too-many", barrier_of_one_or_too_many);
  ADD ("lock-of-a-dead-worker-is-had-back", lock_of_a_dead_worker_is_had_back);
  ADD ("lock-of-a-dead-worker-is-not-released", lock_of_a_dead_worker_is_not_released);
  ADD ("lock-that-a-task-kept-is-had-back", lock_that_a_task_kept_is_had_back);
  ADD ("lock-of-a-live-worker-is-not-had", lock_of_a_live_worker_is_not_had);
  ADD ("units-of-a-dead-worker-come-back", units_of_a_dead_worker_come_back);
  ADD ("dead-waiter-is-not-woken", dead_waiter_is_not_woken);
  ADD ("barrier-is-broken-by-a-death", barrier_is_broken_by_a_death);
  ADD ("handle-of-nothing-is-refused", handle_of_nothing_is_refused);
  ADD ("result-holds-a-synchronizer", result_holds_a_synchronizer);
  ADD ("dropped-references-leave-nothing", dropped_references_leave_nothing);
  ADD ("forked-child-holds-nothing", forked_child_holds_nothing);
  ADD ("spoilt-memory-stops-nobody", spoilt_memory_stops_nobody);

  return g_test_run ();
}
