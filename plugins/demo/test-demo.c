/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>
#include <signal.h>
#include <loky.h>

typedef struct
{
  LokyExecutor *executor;
} Fixture;

static void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  fixture->executor = loky_executor_new (1);
}

static void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  loky_executor_shutdown_sync (fixture->executor, LOKY_SHUTDOWN_DRAIN, 30 * G_TIME_SPAN_SECOND,
                               NULL, &error);
  g_assert_no_error (error);
  g_clear_object (&fixture->executor);
}

static GVariant *
call (Fixture *fixture, const char *task, GVariant *args, GError **error)
{
  return loky_executor_call_sync (fixture->executor, task, args, NULL, NULL, error);
}

static void
test_echo_returns_its_argument (Fixture *fixture, gconstpointer data)
{
  static const char *const values[] = {
    "'text'",      "42",       "()", "@as []", "{'a': <1>, 'b': <(true, [1.5, 2.5])>}",
    "@mi nothing", "b'bytes'",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = g_variant_parse (NULL, values[i], NULL, NULL, &error);
      g_autoptr (GVariant) result = NULL;

      g_assert_no_error (error);
      result = call (fixture, "demo.echo", value, &error);
      g_assert_no_error (error);
      g_assert_cmpvariant (result, value);
    }
}

static void
test_sleep_returns_the_seconds (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  g_autoptr (GVariant) result = call (fixture, "demo.sleep", g_variant_new_double (0.05), &error);

  g_assert_no_error (error);
  g_assert_cmpfloat (g_variant_get_double (result), ==, 0.05);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 50000);
}

static void
test_sleep_refuses_bad_seconds (Fixture *fixture, gconstpointer data)
{
  const gdouble values[] = { -1, (gdouble) NAN, (gdouble) INFINITY, -(gdouble) INFINITY };

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result =
          call (fixture, "demo.sleep", g_variant_new_double (values[i]), &error);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
      g_assert_null (result);
    }
}

static gpointer
cancel_thread (gpointer data)
{
  g_usleep (G_USEC_PER_SEC / 5);
  g_cancellable_cancel (data);
  return NULL;
}

/* The next task of the one worker runs only when the sleeper has really stopped: at once, and in
 * the same process, as it was not killed.
 */
static void
test_sleep_is_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GVariant) next = NULL;
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  GThread *thread = g_thread_new ("cancel", cancel_thread, cancellable);

  result = loky_executor_call_sync (fixture->executor, "demo.sleep", g_variant_new_double (3600),
                                    NULL, cancellable, &error);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (result);
  g_thread_join (thread);

  g_clear_error (&error);
  next = call (fixture, "demo.echo", g_variant_new_int32 (1), &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (next), ==, 1);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 60 * G_TIME_SPAN_SECOND);
}

static void
test_count_sends_each_number (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  loky_task_options_set_partial_results (options, TRUE);
  future = loky_executor_submit (fixture->executor, "demo.count", g_variant_new_uint32 (3), options, &error);
  g_assert_no_error (error);
  for (guint i = 1; i <= 3; i++)
    {
      g_autoptr (GVariant) number = loky_future_next_partial (future, -1, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint32 (number), ==, i);
    }
  g_assert_null (loky_future_next_partial (future, -1, NULL, &error));
  g_assert_no_error (error);
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint32 (result), ==, 3);
}

static void
test_primes_are_counted (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    guint64 from;
    guint64 to;
    guint64 count;
  } cases[] = {
    { 0, 100, 25 },
    { 0, 0, 0 },
    { 0, 2, 0 },
    { 0, 3, 1 },
    { 2, 3, 1 },
    { 3, 4, 1 },
    { 3, 3, 0 },
    { 4, 5, 0 },
    { 7, 8, 1 },
    { 9, 10, 0 },
    { 25, 26, 0 },
    { 49, 50, 0 },
    { 100, 10, 0 },
    { 0, 1000000, 78498 },
    { 500000, 1000000, 36960 },
    { 0, 10000000, 664579 },
    { G_GUINT64_CONSTANT (99999999999900), G_GUINT64_CONSTANT (100000000000000), 6 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result =
          call (fixture, "demo.primes", g_variant_new ("(tt)", cases[i].from, cases[i].to), &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint64 (result), ==, cases[i].count);
    }
}

static void
test_primes_refuse_what_is_too_large (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result =
      call (fixture, "demo.primes", g_variant_new ("(tt)", (guint64) 0, G_MAXUINT64), &error);

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_null (result);
}

static void
test_fail_keeps_its_error (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result =
      call (fixture, "demo.fail", g_variant_new_string ("no luck today"), &error);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "no luck today"));
  g_assert_null (result);
}

static void
test_crash_is_reported (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *how;
    const char *message;
  } cases[] = {
    { "segv", "SIGSEGV" }, { "abort", "SIGABRT" }, { "kill", "SIGKILL" },
    { "fpe", "SIGFPE" },   { "stack", "SIGSEGV" }, { "exit:7", "7" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result =
          call (fixture, "demo.crash", g_variant_new_string (cases[i].how), &error);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      g_assert_nonnull (strstr (error->message, cases[i].message));
      g_assert_null (result);
    }
}

static void
test_crash_refuses_an_unknown_way (Fixture *fixture, gconstpointer data)
{
  static const char *const ways[] = { "", "gently", "exit:", "exit:256", "exit:-1" };

  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result =
          call (fixture, "demo.crash", g_variant_new_string (ways[i]), &error);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
      g_assert_nonnull (strstr (error->message, "segv"));
      g_assert_null (result);
    }
}

#define ADD_TEST(name, func)                                                                       \
  g_test_add ("/loky/plugins/demo/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD_TEST ("echo-returns-its-argument", test_echo_returns_its_argument);
  ADD_TEST ("sleep-returns-the-seconds", test_sleep_returns_the_seconds);
  ADD_TEST ("sleep-refuses-bad-seconds", test_sleep_refuses_bad_seconds);
  ADD_TEST ("sleep-is-cancelled", test_sleep_is_cancelled);
  ADD_TEST ("count-sends-each-number", test_count_sends_each_number);
  ADD_TEST ("primes-are-counted", test_primes_are_counted);
  ADD_TEST ("primes-refuse-what-is-too-large", test_primes_refuse_what_is_too_large);
  ADD_TEST ("fail-keeps-its-error", test_fail_keeps_its_error);
  ADD_TEST ("crash-is-reported", test_crash_is_reported);
  ADD_TEST ("crash-refuses-an-unknown-way", test_crash_refuses_an_unknown_way);

  return g_test_run ();
}
