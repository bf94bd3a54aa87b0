/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which serializer is used, and what comes of one that fails. */

#include "fixture.h"

#include <string.h>

static LokyExecutor *
make_executor (const char *serializer)
{
  return loky_fixture_make_executor ("max-workers", 1, "serializer", serializer, NULL);
}

static LokyFuture *
submit_text (LokyExecutor *executor, const char *text)
{
  LokyFuture *future = loky_fixture_submit (executor, "demo.echo", g_variant_new_string (text));

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  return future;
}

static void
assert_echo (LokyExecutor *executor, const char *text)
{
  g_autofree char *result = loky_fixture_call (executor, "demo.echo", text);

  g_assert_cmpstr (result, ==, text);
}

static void
values_go_by_the_executors_own (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make_executor ("test");
  LokyExecutor *plain = make_executor ("gvariant");
  g_autofree char *name = NULL;
  g_autofree char *large = g_strnfill (1 << 20, 'x');

  g_object_get (executor, "serializer", &name, NULL);
  g_assert_cmpstr (name, ==, "test");
  assert_echo (executor, "hello");
  assert_echo (executor, "");
  assert_echo (executor, large);
  assert_echo (plain, "hello");
  assert_echo (fixture->executor, "hello");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  loky_fixture_end_executor (plain, LOKY_SHUTDOWN_DRAIN);
}

/* That it is used at all shows when it fails. */
static void
assert_fails_in_the_application (LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = loky_executor_submit (
      executor, "demo.echo", g_variant_new_string ("application-serialize-fail"), NULL, &error);

  g_assert_null (future);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_nonnull (strstr (error->message, "“test”"));
}

static void
the_choice_of_the_process_holds_from_then_on (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  LokyExecutor *plain = make_executor ("gvariant");

  g_assert_cmpstr (loky_get_serializer (), ==, "gvariant");
  assert_echo (fixture->executor, "application-serialize-fail");
  g_assert_true (loky_set_serializer ("test", &error));
  g_assert_no_error (error);
  g_assert_cmpstr (loky_get_serializer (), ==, "test");
  assert_fails_in_the_application (fixture->executor);
  assert_echo (fixture->executor, "hello");
  /* One of its own comes first. */
  assert_echo (plain, "application-serialize-fail");
  /* The choice stays if there is no such one. */
  g_assert_false (loky_set_serializer ("absent", &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
  g_assert_nonnull (strstr (error->message, "“absent”"));
  g_assert_cmpstr (loky_get_serializer (), ==, "test");
  assert_fails_in_the_application (fixture->executor);
  g_assert_true (loky_set_serializer (data, NULL));
  g_assert_cmpstr (loky_get_serializer (), ==, "gvariant");
  assert_echo (fixture->executor, "application-serialize-fail");
  loky_fixture_end_executor (plain, LOKY_SHUTDOWN_DRAIN);
}

/* The setting travels with each task, and its result comes by the same. */
static void
tasks_keep_what_they_were_submitted_with (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) first = NULL;
  g_autoptr (LokyFuture) second = NULL;
  g_autoptr (LokyFuture) sleeper = loky_fixture_submit (fixture->executor, "demo.sleep", g_variant_new_double (0.1));
  g_autoptr (GVariant) first_result = NULL;
  g_autoptr (GVariant) second_result = NULL;

  g_assert_true (loky_set_serializer ("test", NULL));
  first = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("first"));
  g_assert_true (loky_set_serializer (NULL, NULL));
  second = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("second"));
  g_assert_true (loky_future_wait (first, -1, NULL, NULL));
  g_assert_true (loky_future_wait (second, -1, NULL, NULL));
  g_assert_true (loky_future_wait (sleeper, -1, NULL, NULL));
  first_result = loky_future_dup_result (first, NULL);
  second_result = loky_future_dup_result (second, NULL);
  g_assert_cmpstr (g_variant_get_string (first_result, NULL), ==, "first");
  g_assert_cmpstr (g_variant_get_string (second_result, NULL), ==, "second");
  g_assert_cmpstr (loky_future_get_task (first), ==, "demo.echo");
}

static void
unknown_ones_are_named (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make_executor ("absent");
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = loky_executor_submit (executor, "demo.echo", NULL, NULL, &error);

  g_assert_null (future);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
  g_assert_nonnull (strstr (error->message, "“absent”"));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
failures_fail_alone (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *order;
    gboolean is_crash;
    const char *text;
  } cases[] = {
    { "worker-deserialize-fail", FALSE, "no deserialize" },
    { "worker-deserialize-null", FALSE, "set no error" },
    { "worker-deserialize-other", FALSE, "another value" },
    { "worker-deserialize-exit", TRUE, "status 0" },
    { "worker-deserialize-segv", TRUE, "SIGSEGV" },
    { "worker-serialize-fail", FALSE, "no serialize" },
    { "worker-serialize-null", FALSE, "set no error" },
    { "worker-serialize-exit", TRUE, "status 0" },
    { "worker-serialize-segv", TRUE, "SIGSEGV" },
  };
  LokyExecutor *executor = make_executor ("test");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (LokyFuture) future = submit_text (executor, cases[i].order);
      g_autoptr (GError) error = loky_future_dup_error (future);

      g_assert_nonnull (error);
      g_test_message ("%s", error->message);
      if (cases[i].is_crash)
        g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      g_assert_nonnull (strstr (error->message, cases[i].text));
      assert_echo (executor, "still here");
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
results_that_cannot_be_read_fail_alone (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "application-deserialize-fail", "application-deserialize-null",
                                        "application-deserialize-other" };
  LokyExecutor *executor = make_executor ("test");

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (LokyFuture) future = submit_text (executor, orders[i]);
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
      g_assert_null (loky_future_dup_result (future, &error));
      g_assert_nonnull (error);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, "“test”"));
      assert_echo (executor, "still here");
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
maps_go_by_it (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make_executor ("test");
  const gint64 chunk_sizes[] = { 1, 7, 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (chunk_sizes); i++)
    {
      g_autoptr (LokyMapOptions) options = loky_map_options_new ();
      g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
      g_autoptr (LokyInput) input = NULL;
      g_autoptr (LokyResults) results = NULL;

      for (guint j = 0; j < 50; j++)
        g_ptr_array_add (texts, g_strdup_printf ("item %u", j));
      g_ptr_array_add (texts, NULL);
      input = loky_input_new_for_strv ((const char *const *) texts->pdata);
      g_object_set (options, "chunk-size", (guint) chunk_sizes[i], NULL);
      results = loky_executor_map (executor, "demo.echo", input, options);
      for (guint j = 0; j < 50; j++)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (LokyFuture) future = loky_results_next (results, NULL, &error);
          g_autoptr (GVariant) result = NULL;

          g_assert_no_error (error);
          result = loky_future_dup_result (future, &error);
          g_assert_no_error (error);
          g_assert_cmpstr (g_variant_get_string (result, NULL), ==, texts->pdata[j]);
        }
      g_assert_null (loky_results_next (results, NULL, NULL));
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Buffers stay where they are: only the value that refers to them goes by it. */
static void
buffers_are_handed_over (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = make_executor ("test");
  g_autoptr (GBytes) bytes = g_bytes_new ("twelve bytes", 12);
  g_autoptr (LokyBuffer) buffer = loky_buffer_new_from_bytes (bytes, NULL);
  g_autoptr (GVariant) handle = loky_buffer_to_variant (buffer, NULL);
  g_autoptr (LokyFuture) future = loky_fixture_submit (executor, "demo.echo", handle);
  g_autoptr (LokyBuffer) back = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  back = loky_future_lookup_buffer (future, g_variant_get_handle (result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (loky_buffer_get_size (back), ==, 12);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- one value ------------------------------------------------------------------------------------- */

static void
init_wrapped (GValue *value, const char *text, const char *serializer)
{
  g_auto (GValue) string = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  LokyWrapper *wrapper;

  g_value_init (&string, G_TYPE_STRING);
  g_value_set_string (&string, text);
  wrapper = loky_wrapper_new (&string, serializer, &error);
  g_assert_no_error (error);
  g_value_init (value, LOKY_TYPE_WRAPPER);
  g_value_take_object (value, wrapper);
}

static LokyFuture *
submit_wrapped (LokyExecutor *executor, const char *text, const char *serializer, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  LokyFuture *future;

  init_wrapped (&value, text, serializer);
  future = loky_executor_submit_values (executor, "reduce.echo", &value, 1, NULL, error);
  g_assert_true (future == NULL || loky_future_wait (future, -1, NULL, NULL));
  return future;
}

/* The task sees the text itself: it returns it by the default. */
static void
one_value_goes_by_its_own (LokyFixture *fixture, gconstpointer data)
{
  static const char *const serializers[] = { "test", "gvariant", NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (serializers); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LokyFuture) future = submit_wrapped (fixture->executor, "hello", serializers[i], &error);
      g_auto (GValue) value = G_VALUE_INIT;

      g_assert_no_error (error);
      g_assert_true (loky_future_dup_value (future, &value, &error));
      g_assert_no_error (error);
      g_assert_cmpstr (g_value_get_string (&value), ==, "hello");
    }
}

static void
one_value_that_fails_fails_alone (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) never = submit_wrapped (fixture->executor, "application-serialize-fail", "test", &error);
  g_autoptr (LokyFuture) failed = NULL;
  g_autoptr (LokyFuture) lost = NULL;

  g_assert_null (never);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  failed = submit_wrapped (fixture->executor, "worker-deserialize-fail", "test", NULL);
  loky_fixture_assert_fails (failed, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  lost = submit_wrapped (fixture->executor, "worker-deserialize-segv", "test", NULL);
  loky_fixture_assert_fails (lost, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  assert_echo (fixture->executor, "still here");
}

static void
objects_are_wrapped (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GFile) file = g_file_new_for_path ("/somewhere");
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyWrapper) wrapper = loky_wrap_object (G_OBJECT (file), "test", &error);
  LokyReducerRegistry *registry = loky_reducer_registry_get_default ();
  g_auto (GValue) wrapped = G_VALUE_INIT;
  g_auto (GValue) inside = G_VALUE_INIT;
  g_auto (GValue) back = G_VALUE_INIT;
  g_autoptr (GVariant) reduced = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (loky_wrapper_get_serializer (wrapper), ==, "test");
  loky_wrapper_dup_value (wrapper, &inside);
  g_assert_true (g_value_get_object (&inside) == file);
  g_value_init (&wrapped, LOKY_TYPE_WRAPPER);
  g_value_set_object (&wrapped, wrapper);
  reduced = loky_reducer_registry_reduce (registry, &wrapped, &error);
  g_assert_no_error (error);
  g_assert_true (loky_reducer_registry_rebuild (registry, reduced, &back, &error));
  g_assert_true (g_file_equal (g_value_get_object (&back), file));

  g_assert_null (loky_wrap_object (G_OBJECT (file), "absent", &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
}

/* There is one of that name, which nobody here has asked for. */
static void
a_worker_has_no_serializer_opened (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GVariant) reduced = g_variant_ref_sink (
      g_variant_new_parsed ("('LokyWrapper', @mv just <('badabi', <1>)>)"));
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  g_assert_false (loky_reducer_registry_rebuild (loky_reducer_registry_get_default (), reduced, &value, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
  g_assert_nonnull (strstr (error->message, "was not opened here"));
}

static void
wrapped_values_that_are_forged_are_refused (LokyFixture *fixture, gconstpointer data)
{
  static const char *const texts[] = {
    "('LokyWrapper', just <1>)",
    "('LokyWrapper', just <('absent', <1>)>)",
    "('LokyWrapper', just <('', <('GCancellable', just <'x'>)>)>)",
    "('LokyWrapper', just <('test', <('s', uint64 9, @ay [])>)>)",
    "('LokyWrapper', just <('test', <('(', uint64 9, @ay [])>)>)",
  };

  g_assert_true (loky_set_serializer ("test", NULL));
  g_assert_true (loky_set_serializer (NULL, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GVariant) reduced = g_variant_parse (G_VARIANT_TYPE ("(smv)"), texts[i], NULL, NULL, NULL);
      g_autoptr (GError) error = NULL;
      g_auto (GValue) value = G_VALUE_INIT;

      g_assert_nonnull (reduced);
      g_assert_false (
          loky_reducer_registry_rebuild (loky_reducer_registry_get_default (), reduced, &value, &error));
      g_assert_nonnull (error);
      g_test_message ("%s", error->message);
    }
}

/* --- the environment, which is asked once in a process --------------------------------------------- */

static void
run_with_environment (const char *path, const char *value)
{
  g_setenv ("LOKY_SERIALIZER", value, TRUE);
  g_test_trap_subprocess (path, 0, 0);
  g_unsetenv ("LOKY_SERIALIZER");
  g_test_trap_assert_passed ();
}

static void
the_environment_chooses (void)
{
  run_with_environment ("/loky/serializers/subprocess/chosen", "test");
  run_with_environment ("/loky/serializers/subprocess/empty", "");
  run_with_environment ("/loky/serializers/subprocess/unknown", "absent");
}

static void
chosen_by_environment (void)
{
  LokyExecutor *executor = loky_executor_new (1);

  g_assert_cmpstr (loky_get_serializer (), ==, "test");
  assert_fails_in_the_application (executor);
  assert_echo (executor, "hello");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
empty_environment (void)
{
  g_assert_cmpstr (loky_get_serializer (), ==, "gvariant");
}

static void
unknown_by_environment (void)
{
  LokyExecutor *executor = loky_executor_new (1);

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LokyFuture) future = loky_executor_submit (executor, "demo.echo", NULL, NULL, &error);

      g_assert_null (future);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
      g_assert_nonnull (strstr (error->message, "LOKY_SERIALIZER"));
      g_assert_nonnull (strstr (error->message, "“absent”"));
    }
  /* Whoever chooses does without it. */
  g_assert_true (loky_set_serializer (NULL, NULL));
  assert_echo (executor, "hello");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/serializers/values-go-by-the-executors-own", values_go_by_the_executors_own);
  LOKY_FIXTURE_ADD ("/loky/serializers/the-choice-of-the-process-holds-from-then-on",
                    the_choice_of_the_process_holds_from_then_on);
  LOKY_FIXTURE_ADD ("/loky/serializers/tasks-keep-what-they-were-submitted-with",
                    tasks_keep_what_they_were_submitted_with);
  LOKY_FIXTURE_ADD ("/loky/serializers/unknown-ones-are-named", unknown_ones_are_named);
  LOKY_FIXTURE_ADD ("/loky/serializers/failures-fail-alone", failures_fail_alone);
  LOKY_FIXTURE_ADD ("/loky/serializers/results-that-cannot-be-read-fail-alone", results_that_cannot_be_read_fail_alone);
  LOKY_FIXTURE_ADD ("/loky/serializers/maps-go-by-it", maps_go_by_it);
  LOKY_FIXTURE_ADD ("/loky/serializers/buffers-are-handed-over", buffers_are_handed_over);
  LOKY_FIXTURE_ADD ("/loky/serializers/one-value-goes-by-its-own", one_value_goes_by_its_own);
  LOKY_FIXTURE_ADD ("/loky/serializers/one-value-that-fails-fails-alone", one_value_that_fails_fails_alone);
  LOKY_FIXTURE_ADD ("/loky/serializers/objects-are-wrapped", objects_are_wrapped);
  LOKY_FIXTURE_ADD ("/loky/serializers/a-worker-has-no-serializer-opened", a_worker_has_no_serializer_opened);
  LOKY_FIXTURE_ADD ("/loky/serializers/wrapped-values-that-are-forged-are-refused",
                    wrapped_values_that_are_forged_are_refused);
  g_test_add_func ("/loky/serializers/the-environment-chooses", the_environment_chooses);
  g_test_add_func ("/loky/serializers/subprocess/chosen", chosen_by_environment);
  g_test_add_func ("/loky/serializers/subprocess/empty", empty_environment);
  g_test_add_func ("/loky/serializers/subprocess/unknown", unknown_by_environment);
  return g_test_run ();
}
