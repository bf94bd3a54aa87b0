/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reducers that fail, or are not there, on either side; what is refused of a worker; in which thread and when they are
 * called. */

#include "values.h"

#include <glib/gstdio.h>

/* --- failures ------------------------------------------------------------------------------------- */

static GVariant *
reduce_to_nothing (const GValue *value, gpointer user_data, GError **error)
{
  return NULL;
}

static GVariant *
reduce_to_error (const GValue *value, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "not this one");
  return NULL;
}

static void
rebuild_to_nothing (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
}

static void
rebuild_to_error (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "not this one");
}

static void
rebuild_to_other (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_value_init (value, G_TYPE_STRV);
}

static void
assert_not_submitted (LokyExecutor *executor, const GValue *value, GQuark domain, int code, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = loky_executor_submit_values (executor, "reduce.echo", value, 1, NULL, &error);

  g_assert_null (future);
  g_assert_error (error, domain, code);
  g_test_message ("%s", error->message);
  assert_says (error, text, "the application");
}

static void
arguments_that_cannot_be_reduced_fail_alone (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = loky_reducer_registry_new ();
  LokyExecutor *executor = make_executor (registry);
  g_auto (GValue) unknown = G_VALUE_INIT;
  g_auto (GValue) word = G_VALUE_INIT;
  GValue unset = G_VALUE_INIT;

  init_object (&unknown, G_TYPE_OBJECT, g_cancellable_new ());
  assert_not_submitted (executor, &unknown, LOKY_ERROR, LOKY_ERROR_REDUCER, "“GCancellable”");
  g_value_init (&word, TEST_TYPE_WORD);
  g_value_take_boxed (&word, test_word_new ("hello"));
  assert_not_submitted (executor, &word, LOKY_ERROR, LOKY_ERROR_REDUCER, "“TestWord”");
  loky_reducer_registry_set_reduce_func (registry, TEST_TYPE_WORD, reduce_to_error, NULL, NULL);
  assert_not_submitted (executor, &word, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "not this one");
  loky_reducer_registry_set_reduce_func (registry, TEST_TYPE_WORD, reduce_to_nothing, NULL, NULL);
  assert_not_submitted (executor, &word, LOKY_ERROR, LOKY_ERROR_REDUCER, "no value and set no error");
  assert_not_submitted (executor, &unset, LOKY_ERROR, LOKY_ERROR_REDUCER, "without a type");
  assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static GVariant *
reduce_word (const GValue *value, gpointer user_data, GError **error)
{
  return g_variant_new_string (((TestWord *) g_value_get_boxed (value))->text);
}

static void
rebuild_word (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_value_init (value, TEST_TYPE_WORD);

  g_value_take_boxed (value, test_word_new (g_variant_get_string (form, NULL)));
}

static LokyReducerRegistry *
make_word_registry (void)
{
  LokyReducerRegistry *registry = loky_reducer_registry_new ();

  loky_reducer_registry_set_reduce_func (registry, TEST_TYPE_WORD, reduce_word, NULL, NULL);
  loky_reducer_registry_set_rebuild_func (registry, TEST_TYPE_WORD, rebuild_word, NULL, NULL);
  return registry;
}

static LokyFuture *
submit_word (LokyExecutor *executor, const char *text)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, TEST_TYPE_WORD);
  g_value_take_boxed (&value, test_word_new (text));
  return submit (executor, "reduce.echo", &value, 1);
}

static void
own_functions_are_used (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_word_registry ();
  LokyExecutor *executor = make_executor (registry);
  g_autoptr (LokyFuture) future = submit_word (executor, "hello");
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_dup_value (future, &value, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (((TestWord *) g_value_get_boxed (&value))->text, ==, "hello");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Arguments and results in the worker: what a reducer does there costs its own task only. */
static void
failures_in_the_worker_fail_alone (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *order;
    gboolean is_crash;
    const char *text;
  } cases[] = {
    { "rebuild-fail", FALSE, "no rebuild" },
    { "rebuild-null", FALSE, "no value and set no error" },
    { "rebuild-wrong", FALSE, "“GStrv”" },
    { "rebuild-exit", TRUE, "status 0" },
    { "rebuild-segv", TRUE, "SIGSEGV" },
    { "reduce-fail", FALSE, "no reduce" },
    { "reduce-null", FALSE, "no value and set no error" },
    { "reduce-exit", TRUE, "status 0" },
    { "reduce-segv", TRUE, "SIGSEGV" },
  };
  g_autoptr (LokyReducerRegistry) registry = make_word_registry ();
  LokyExecutor *executor = make_executor (registry);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (LokyFuture) future = submit_word (executor, cases[i].order);
      g_autoptr (GError) error = fail_dup (future);

      if (cases[i].is_crash)
        g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      else
        assert_says (error, "“TestWord”", "the worker");
      g_assert_nonnull (strstr (error->message, cases[i].text));
      assert_serves (executor);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
reducers_that_hang_in_the_worker_time_out (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_word_registry ();
  LokyExecutor *executor = make_executor (registry);
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  loky_task_options_set_timeout (options, 50);
  loky_task_options_set_cancel_grace (options, 0);
  g_value_init (&value, TEST_TYPE_WORD);
  g_value_take_boxed (&value, test_word_new ("rebuild-hang"));
  future = loky_executor_submit_values (executor, "reduce.echo", &value, 1, options, &error);
  g_assert_no_error (error);
  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
missing_reducers_name_type_and_place (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_word_registry ();
  LokyExecutor *executor = make_executor (registry);
  g_auto (GValue) word = G_VALUE_INIT;
  g_autoptr (LokyFuture) unknown = NULL;
  g_autoptr (LokyFuture) other_plugin = NULL;
  g_autoptr (LokyFuture) unwanted = NULL;
  GError *error;

  /* A task returns what its plugin cannot reduce. */
  unknown = loky_fixture_submit (executor, "reduce.unknown", NULL);
  loky_fixture_assert_fails (unknown, LOKY_ERROR, LOKY_ERROR_REDUCER);
  error = fail_dup (unknown);
  assert_says (error, "“GCancellable”", "the worker");
  g_error_free (error);

  /* A type that is sent, and unknown there. */
  loky_reducer_registry_set_reduce_func (registry, G_TYPE_CANCELLABLE, reduce_as_named, (gpointer) "x", NULL);
  init_object (&word, G_TYPE_CANCELLABLE, g_cancellable_new ());
  other_plugin = submit (executor, "reduce.echo", &word, 1);
  error = fail_dup (other_plugin);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER);
  assert_says (error, "“GCancellable”", "the worker");
  g_error_free (error);

  /* A result that the application has no reducer for: the executor of the fixture has none. */
  unwanted = loky_fixture_submit (fixture->executor, "reduce.say", g_variant_new_string ("hello"));
  g_assert_true (loky_future_wait (unwanted, -1, NULL, NULL));
  error = fail_dup (unwanted);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER);
  assert_says (error, "“TestWord”", "the application");
  g_error_free (error);
  assert_serves (executor);
  assert_serves (fixture->executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
results_that_cannot_be_rebuilt_fail_alone (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_word_registry ();
  LokyExecutor *executor = make_executor (registry);
  g_autoptr (LokyFuture) future = submit_word (executor, "hello");
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) nothing = NULL;
  g_autoptr (GError) other = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  loky_reducer_registry_set_rebuild_func (registry, TEST_TYPE_WORD, rebuild_to_error, NULL, NULL);
  error = fail_dup (future);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  assert_says (error, "“TestWord”", "the application");
  loky_reducer_registry_set_rebuild_func (registry, TEST_TYPE_WORD, rebuild_to_nothing, NULL, NULL);
  nothing = fail_dup (future);
  g_assert_error (nothing, LOKY_ERROR, LOKY_ERROR_REDUCER);
  loky_reducer_registry_set_rebuild_func (registry, TEST_TYPE_WORD, rebuild_to_other, NULL, NULL);
  other = fail_dup (future);
  g_assert_error (other, LOKY_ERROR, LOKY_ERROR_REDUCER);

  /* The task succeeded, and what it returned is there for whoever can read it. */
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
  result = loky_future_dup_result (future, NULL);
  g_assert_nonnull (result);
  loky_reducer_registry_set_rebuild_func (registry, TEST_TYPE_WORD, rebuild_word, NULL, NULL);
  g_assert_true (loky_future_dup_value (future, &value, NULL));
  assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* What a worker that was taken over could send. */
static void
forged_values_are_refused (LokyFixture *fixture, gconstpointer data)
{
  static const char *const texts[] = {
    "('GCancellable', just <'x'>)",
    "('GSubprocess', just <{'argv': <['/bin/true']>}>)",
    "('GObject', @mv nothing)",
    "('', @mv nothing)",
    "('gint', @mv nothing)",
    "('gint', just <'x'>)",
    "('GFile', just <1>)",
    "('GStrv', just <'x'>)",
    "('GBytes', just <'x'>)",
    "('GError', just <'x'>)",
    "('GDateTime', just <(int64 9223372036854775807, 0, 'UTC')>)",
    "('GDateTime', just <(int64 0, 2000000000, 'UTC')>)",
    "('GDateTime', just <(int64 0, -2147483648, '')>)",
    "('GValueArray', just <[<('GValueArray', just <[<('gint', just <'x'>)>]>)>]>)",
    "('LokyBuffer', just <handle 7>)",
    "('TestColour', just <77>)",
    "('TestColour', just <'red'>)",
    "('TestPoint', just <1>)",
    "('TestPoint', just <{'weight': <101>}>)",
    "('TestPoint', just <{'x': <'x'>}>)",
    "('TestPoint', just <{'x': <1e300>}>)",
    "('TestPoint', just <{'secret': <'x'>}>)",
    "('TestPoint', just <{'nothing': <'x'>}>)",
    "('TestPoint', just <{'weight': <1>, 'weight': <2>}>)",
    "('TestPoint', just <{'colour': <77>}>)",
    "('TestPoint', just <{'file': <('TestPoint', just <@a{sv} {}>)>}>)",
    "('TestPoint', just <{'next': <('GFile', just <'file:///'>)>}>)",
    "('TestPoint', just <{'x': <1.0>, 'label': <'x'>, 'colour': <0>, 'a': <1>, 'b': <1>, 'c': <1>, 'd': <1>}>)",
  };
  g_autoptr (LokyReducerRegistry) registry = make_registry ();

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) parse_error = NULL;
      g_autoptr (GVariant) reduced
          = g_variant_parse (G_VARIANT_TYPE ("(smv)"), texts[i], NULL, NULL, &parse_error);
      g_autoptr (GError) error = NULL;
      g_auto (GValue) value = G_VALUE_INIT;

      g_assert_no_error (parse_error);
      if (loky_reducer_registry_rebuild (registry, reduced, &value, &error))
        g_error ("%s was taken", texts[i]);
      g_test_message ("%s", error->message);
      g_assert_true (error->domain == LOKY_ERROR);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      g_assert_cmpuint (G_VALUE_TYPE (&value), ==, G_TYPE_INVALID);
    }
}

/* A file of a time zone two hours east. */
static char *
write_zone (const char *folder)
{
  static const guint8 contents[] = {
    'T', 'Z', 'i', 'f', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4,
    0, 0, 0x1c, 0x20, 0, 0, 'X', 'Y', 'Z', 0,
  };
  char *path = g_build_filename (folder, "zone", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GTimeZone) zone = NULL;

  g_file_set_contents (path, (const char *) contents, sizeof contents, &error);
  g_assert_no_error (error);
  /* It would be taken. */
  zone = g_time_zone_new_identifier (path);
  g_assert_nonnull (zone);
  g_assert_cmpint (g_time_zone_get_offset (zone, 0), ==, 7200);
  return path;
}

static void
zones_do_not_lead_out_of_their_folder (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("loky-zone-XXXXXX", NULL);
  g_autofree char *path = write_zone (folder);
  g_autofree char *relative = g_strconcat ("../../..", path, NULL);
  g_autofree char *inside = g_strconcat ("Etc/../../../..", path, NULL);
  const char *const names[] = { path, relative, inside, "", "\xc3\xbc" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GVariant) reduced = g_variant_ref_sink (
          g_variant_new ("(smv)", "GDateTime", g_variant_new ("(xis)", G_GINT64_CONSTANT (0), 3600, names[i])));
      g_auto (GValue) value = G_VALUE_INIT;
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_reducer_registry_rebuild (loky_reducer_registry_get_default (), reduced, &value, &error));
      g_assert_no_error (error);
      g_assert_cmpint (g_date_time_get_utc_offset (g_value_get_boxed (&value)), ==, 3600 * G_TIME_SPAN_SECOND);
    }
  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
values_inside_values_have_a_limit (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GVariant) reduced = g_variant_ref_sink (g_variant_new_int32 (1));
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  for (guint i = 0; i < 25; i++)
    {
      GVariant *array = g_variant_new ("av", NULL);
      GVariantBuilder builder;

      g_variant_unref (g_variant_ref_sink (array));
      g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
      g_variant_builder_add (&builder, "v", reduced);
      array = g_variant_new ("(smv)", "GValueArray", g_variant_builder_end (&builder));
      g_variant_unref (reduced);
      reduced = g_variant_ref_sink (array);
    }
  g_assert_false (loky_reducer_registry_rebuild (loky_reducer_registry_get_default (), reduced, &value, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
}

/* --- who calls ------------------------------------------------------------------------------------ */

typedef struct
{
  LokyExecutor *executor;
  GThread *reduced_in;
  GThread *rebuilt_in;
  GThread *destroyed_in;
  guint n_destroyed;
} Calls;

/* With a lock held it would never return. */
static GVariant *
reduce_with_a_call (const GValue *value, gpointer user_data, GError **error)
{
  Calls *calls = user_data;

  calls->reduced_in = g_thread_self ();
  assert_serves (calls->executor);
  return reduce_word (value, NULL, error);
}

static void
rebuild_with_a_call (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  Calls *calls = user_data;

  calls->rebuilt_in = g_thread_self ();
  assert_serves (calls->executor);
  rebuild_word (form, value, NULL, error);
}

static void
count_destroyed (gpointer user_data)
{
  Calls *calls = user_data;

  calls->destroyed_in = g_thread_self ();
  calls->n_destroyed++;
}

static void
functions_may_use_the_executor (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = loky_reducer_registry_new ();
  LokyExecutor *executor = make_executor (registry);
  Calls calls = { .executor = executor };
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (LokyFuture) future = NULL;

  loky_reducer_registry_set_reduce_func (registry, TEST_TYPE_WORD, reduce_with_a_call, &calls, count_destroyed);
  loky_reducer_registry_set_rebuild_func (registry, TEST_TYPE_WORD, rebuild_with_a_call, &calls, count_destroyed);
  future = submit_word (executor, "hello");
  g_assert_true (loky_future_dup_value (future, &value, NULL));
  g_assert_true (calls.reduced_in == g_thread_self ());
  g_assert_true (calls.rebuilt_in == g_thread_self ());
  loky_reducer_registry_set_reduce_func (registry, TEST_TYPE_WORD, NULL, NULL, NULL);
  g_assert_cmpuint (calls.n_destroyed, ==, 1);
  loky_reducer_registry_set_rebuild_func (registry, TEST_TYPE_WORD, rebuild_word, NULL, NULL);
  g_assert_cmpuint (calls.n_destroyed, ==, 2);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static gboolean
is_destroyed (gpointer data)
{
  return ((Calls *) data)->n_destroyed > 0;
}

/* The pool lives on in its own thread, which is no place for the functions of a language binding. */
static void
functions_are_let_go_of_at_home (LokyFixture *fixture, gconstpointer data)
{
  LokyReducerRegistry *registry = loky_reducer_registry_new ();
  LokyExecutor *executor = make_executor (registry);
  Calls calls = { NULL };
  LokyFuture *future;

  loky_reducer_registry_set_reduce_func (registry, TEST_TYPE_WORD, reduce_word, &calls, count_destroyed);
  g_object_unref (registry);
  future = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (0.05));
  g_object_unref (future);
  g_object_unref (executor);
  loky_fixture_wait_for (is_destroyed, &calls);
  g_assert_cmpuint (calls.n_destroyed, ==, 1);
  g_assert_true (calls.destroyed_in == g_thread_self ());
}

typedef struct
{
  LokyReducerRegistry *registry;
  gint is_over; /* atomic */
} Race;

static gpointer
replace_for_ever (gpointer data)
{
  Race *race = data;

  while (!g_atomic_int_get (&race->is_over))
    {
      char *text = g_strdup ("x");

      loky_reducer_registry_set_reduce_func (race->registry, TEST_TYPE_WORD, reduce_as_named, text, g_free);
    }
  return NULL;
}

static void
functions_can_be_replaced_while_they_are_used (LokyFixture *fixture, gconstpointer data)
{
  Race race = { .registry = make_word_registry () };
  GThread *thread = g_thread_new ("replacer", replace_for_ever, &race);
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, TEST_TYPE_WORD);
  g_value_take_boxed (&value, test_word_new ("x"));
  for (guint i = 0; i < 2000; i++)
    {
      g_autoptr (GVariant) reduced = loky_reducer_registry_reduce (race.registry, &value, NULL);

      g_assert_nonnull (reduced);
    }
  g_atomic_int_set (&race.is_over, TRUE);
  g_thread_join (thread);
  g_object_unref (race.registry);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/own-functions-are-used", own_functions_are_used);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/arguments-that-cannot-be-reduced-fail-alone",
                    arguments_that_cannot_be_reduced_fail_alone);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/failures-in-the-worker-fail-alone", failures_in_the_worker_fail_alone);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/reducers-that-hang-in-the-worker-time-out",
                    reducers_that_hang_in_the_worker_time_out);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/missing-reducers-name-type-and-place",
                    missing_reducers_name_type_and_place);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/results-that-cannot-be-rebuilt-fail-alone",
                    results_that_cannot_be_rebuilt_fail_alone);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/forged-values-are-refused", forged_values_are_refused);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/zones-do-not-lead-out-of-their-folder",
                    zones_do_not_lead_out_of_their_folder);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/values-inside-values-have-a-limit", values_inside_values_have_a_limit);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/functions-may-use-the-executor", functions_may_use_the_executor);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/functions-are-let-go-of-at-home", functions_are_let_go_of_at_home);
  LOKY_FIXTURE_ADD ("/loky/reducers-failures/functions-can-be-replaced-while-they-are-used",
                    functions_can_be_replaced_while_they_are_used);
  return g_test_run ();
}
