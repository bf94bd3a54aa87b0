/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values of types of GObject as arguments and results. */

#include "values.h"

/* --- built-in types ------------------------------------------------------------------------------- */

static void
assert_echo (LokyExecutor *executor, GType type, const char *text)
{
  g_auto (GValue) string = G_VALUE_INIT;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;
  g_autofree char *contents = NULL;
  g_autofree char *expected = NULL;

  init_string (&string, text);
  g_value_init (&value, type);
  if (type == G_TYPE_STRING)
    g_value_copy (&string, &value);
  else if (type == G_TYPE_DOUBLE || type == G_TYPE_FLOAT)
    {
      g_auto (GValue) number = G_VALUE_INIT;

      g_value_init (&number, G_TYPE_DOUBLE);
      g_value_set_double (&number, g_ascii_strtod (text, NULL));
      g_assert_true (g_value_transform (&number, &value));
    }
  else
    {
      g_auto (GValue) number = G_VALUE_INIT;
      gboolean is_signed = text[0] == '-';

      g_value_init (&number, is_signed ? G_TYPE_INT64 : G_TYPE_UINT64);
      if (is_signed)
        g_value_set_int64 (&number, g_ascii_strtoll (text, NULL, 10));
      else
        g_value_set_uint64 (&number, g_ascii_strtoull (text, NULL, 10));
      g_assert_true (g_value_transform (&number, &value));
    }
  call (executor, "reduce.echo", &value, &result);
  g_assert_cmpstr (G_VALUE_TYPE_NAME (&result), ==, g_type_name (type));
  contents = g_strdup_value_contents (&result);
  expected = g_strdup_value_contents (&value);
  g_assert_cmpstr (contents, ==, expected);
}

static void
fundamental_types_come_back (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    GType type;
    const char *text;
  } cases[] = {
    { G_TYPE_BOOLEAN, "1" },     { G_TYPE_CHAR, "-128" },    { G_TYPE_UCHAR, "255" },
    { G_TYPE_INT, "-2147483648" }, { G_TYPE_UINT, "4294967295" }, { G_TYPE_LONG, "-9223372036854775807" },
    { G_TYPE_ULONG, "18446744073709551615" }, { G_TYPE_INT64, "-9223372036854775807" },
    { G_TYPE_UINT64, "18446744073709551615" }, { G_TYPE_FLOAT, "0.5" }, { G_TYPE_DOUBLE, "0.1" },
    { G_TYPE_STRING, "héllo" }, { G_TYPE_STRING, "" }, { G_TYPE_STRING, "\xff\x01 no text" }, { G_TYPE_STRING, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_echo (fixture->executor, cases[i].type, cases[i].text);
}

static void
boxed_types_come_back (LokyFixture *fixture, gconstpointer data)
{
  static const char *const texts[] = { "a", "", "ü", NULL };
  static const char *const bytes[] = { "\xff", "b", NULL };
  g_autoptr (GVariant) variant = g_variant_ref_sink (g_variant_new_parsed ("(1, 'two', <3.0>)"));
  g_autoptr (GBytes) all = g_bytes_new ("\0\1\2", 3);
  g_autoptr (GError) own = g_error_new (G_IO_ERROR, G_IO_ERROR_BUSY, "%s", "why");
  GValue values[5] = { G_VALUE_INIT };
  GValue result = G_VALUE_INIT;
  GError *error;

  g_value_init (&values[0], G_TYPE_STRV);
  g_value_set_boxed (&values[0], texts);
  call (fixture->executor, "reduce.echo", &values[0], &result);
  g_assert_true (g_strv_equal (g_value_get_boxed (&result), texts));
  g_value_unset (&result);

  g_value_set_boxed (&values[0], bytes);
  call (fixture->executor, "reduce.echo", &values[0], &result);
  g_assert_true (g_strv_equal (g_value_get_boxed (&result), bytes));
  g_value_unset (&result);

  g_value_init (&values[1], G_TYPE_BYTES);
  g_value_set_boxed (&values[1], all);
  call (fixture->executor, "reduce.echo", &values[1], &result);
  g_assert_true (g_bytes_equal (g_value_get_boxed (&result), all));
  g_value_unset (&result);

  g_value_init (&values[2], G_TYPE_ERROR);
  g_value_set_boxed (&values[2], own);
  call (fixture->executor, "reduce.echo", &values[2], &result);
  error = g_value_get_boxed (&result);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_cmpstr (error->message, ==, "why");
  g_value_unset (&result);

  g_value_init (&values[3], G_TYPE_VARIANT);
  g_value_set_variant (&values[3], variant);
  call (fixture->executor, "reduce.echo", &values[3], &result);
  g_assert_true (g_variant_equal (g_value_get_variant (&result), variant));
  g_value_unset (&result);

  /* Without a value. */
  g_value_init (&values[4], G_TYPE_BYTES);
  call (fixture->executor, "reduce.echo", &values[4], &result);
  g_assert_true (G_VALUE_HOLDS (&result, G_TYPE_BYTES));
  g_assert_null (g_value_get_boxed (&result));
  g_value_unset (&result);
  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    g_value_unset (&values[i]);
}

static void
assert_time (LokyExecutor *executor, GDateTime *time)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;
  GDateTime *back;

  g_value_init (&value, G_TYPE_DATE_TIME);
  g_value_set_boxed (&value, time);
  call (executor, "reduce.echo", &value, &result);
  back = g_value_get_boxed (&result);
  g_assert_true (g_date_time_equal (time, back));
  g_assert_cmpint (g_date_time_get_microsecond (back), ==, g_date_time_get_microsecond (time));
  g_assert_cmpint (g_date_time_get_utc_offset (back), ==, g_date_time_get_utc_offset (time));
}

static void
times_come_back (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GTimeZone) zone = g_time_zone_new_offset (-(5 * 3600 + 30 * 60));
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) here = g_date_time_new (zone, 2026, 11, 21, 1, 2, 3.000004);
  g_autoptr (GDateTime) before = g_date_time_new (utc, 1, 1, 1, 0, 0, 0.5);
  g_autoptr (GDateTime) after = g_date_time_new (utc, 9999, 12, 31, 23, 59, 59.999999);

  assert_time (fixture->executor, now);
  assert_time (fixture->executor, here);
  assert_time (fixture->executor, before);
  assert_time (fixture->executor, after);
}

G_GNUC_BEGIN_IGNORE_DEPRECATIONS

static void
arrays_of_values_come_back (LokyFixture *fixture, gconstpointer data)
{
  GValueArray *inner = g_value_array_new (0);
  GValueArray *outer = g_value_array_new (0);
  g_auto (GValue) number = G_VALUE_INIT;
  g_auto (GValue) text = G_VALUE_INIT;
  g_auto (GValue) nested = G_VALUE_INIT;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;

  init_int (&number, 7);
  init_string (&text, "seven");
  g_value_array_append (inner, &number);
  g_value_init (&nested, g_value_array_get_type ());
  g_value_take_boxed (&nested, inner);
  g_value_array_append (outer, &nested);
  g_value_array_append (outer, &text);
  g_value_init (&value, g_value_array_get_type ());
  g_value_take_boxed (&value, outer);

  call (fixture->executor, "reduce.echo", &value, &result);
  outer = g_value_get_boxed (&result);
  g_assert_cmpuint (outer->n_values, ==, 2);
  inner = g_value_get_boxed (&outer->values[0]);
  g_assert_cmpuint (inner->n_values, ==, 1);
  g_assert_cmpint (g_value_get_int (&inner->values[0]), ==, 7);
  g_assert_cmpstr (g_value_get_string (&outer->values[1]), ==, "seven");
}

G_GNUC_END_IGNORE_DEPRECATIONS

static void
files_come_back (LokyFixture *fixture, gconstpointer data)
{
  static const char *const paths[] = { "/tmp/a b%20ü", "/tmp/\xff\xfe" };

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr (GFile) file = g_file_new_for_path (paths[i]);
      g_auto (GValue) value = G_VALUE_INIT;
      g_auto (GValue) result = G_VALUE_INIT;
      g_auto (GValue) name = G_VALUE_INIT;

      init_object (&value, G_TYPE_FILE, g_object_ref (file));
      call (fixture->executor, "reduce.echo", &value, &result);
      g_assert_true (g_file_equal (g_value_get_object (&result), file));
      call (fixture->executor, "reduce.type-name", &value, &name);
      g_assert_cmpstr (g_value_get_string (&name), ==, "GFile");
    }
}

static void
buffers_are_handed_over (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) bytes = g_bytes_new ("twelve bytes", 12);
  g_autoptr (GBytes) back = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;
  g_auto (GValue) made = G_VALUE_INIT;
  g_autoptr (LokyFuture) future = NULL;

  init_object (&value, LOKY_TYPE_BUFFER, loky_buffer_new_from_bytes (bytes, &error));
  g_assert_no_error (error);
  call (fixture->executor, "reduce.echo", &value, &result);
  back = loky_buffer_dup_bytes (g_value_get_object (&result), &error);
  g_assert_true (g_bytes_equal (back, bytes));

  /* One that the worker alone had. */
  future = loky_fixture_submit (fixture->executor, "reduce.make-buffer", g_variant_new_uint64 (5));
  g_assert_true (loky_future_wait (future, -1, NULL, &error));
  g_assert_true (loky_future_dup_value (future, &made, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (loky_buffer_get_size (g_value_get_object (&made)), ==, 5);
}

static void
synchronizers_stand_for_the_same (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new (1, &error);
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;

  g_assert_no_error (error);
  init_object (&value, LOKY_TYPE_SEMAPHORE, g_object_ref (semaphore));
  call (fixture->executor, "reduce.echo", &value, &result);
  g_assert_true (LOKY_IS_SEMAPHORE (g_value_get_object (&result)));
  g_assert_cmpint (loky_synchronizer_get_handle (g_value_get_object (&result)), ==,
                   loky_synchronizer_get_handle (LOKY_SYNCHRONIZER (semaphore)));
}

/* --- objects -------------------------------------------------------------------------------------- */

static void
objects_travel_by_their_properties (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_registry ();
  LokyExecutor *executor = make_executor (registry);
  g_autoptr (GFile) file = g_file_new_for_path ("/somewhere");
  TestPoint *next = g_object_new (TEST_TYPE_POINT, "label", "next", NULL);
  TestPoint *point = g_object_new (TEST_TYPE_POINT, "x", 1.5, "weight", 7, "label", "here", "colour",
                                   TEST_COLOUR_GREEN, "file", file, "next", next, NULL);
  g_auto (GValue) result = G_VALUE_INIT;
  GValue values[2] = { G_VALUE_INIT, G_VALUE_INIT };
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (TestPoint) next_back = NULL;
  g_autoptr (GFile) file_back = NULL;
  g_autofree char *label = NULL;
  TestColour colour;
  double x;
  int weight;

  g_object_unref (next);
  init_object (&values[0], G_TYPE_OBJECT, point);
  g_value_init (&values[1], G_TYPE_DOUBLE);
  g_value_set_double (&values[1], 2);
  future = submit (executor, "reduce.move", values, 2);
  g_assert_true (loky_future_dup_value (future, &result, &error));
  g_assert_no_error (error);
  g_assert_true (G_VALUE_HOLDS (&result, TEST_TYPE_POINT));
  g_assert_true (g_value_get_object (&result) != point);
  g_object_get (g_value_get_object (&result), "x", &x, "weight", &weight, "label", &label, "colour", &colour,
                "file", &file_back, "next", &next_back, NULL);
  g_assert_cmpfloat (x, ==, 3.5);
  g_assert_cmpint (weight, ==, 7);
  g_assert_cmpstr (label, ==, "here");
  g_assert_cmpint (colour, ==, TEST_COLOUR_GREEN);
  g_assert_true (g_file_equal (file_back, file));
  g_assert_true (TEST_IS_POINT (next_back));
  g_value_unset (&values[0]);
  g_value_unset (&values[1]);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
enumerations_travel_by_their_number (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_registry ();
  LokyExecutor *executor = make_executor (registry);
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;

  g_value_init (&value, test_colour_get_type ());
  g_value_set_enum (&value, TEST_COLOUR_GREEN);
  call (executor, "reduce.echo", &value, &result);
  g_assert_true (G_VALUE_HOLDS (&result, test_colour_get_type ()));
  g_assert_cmpint (g_value_get_enum (&result), ==, TEST_COLOUR_GREEN);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

typedef TestPoint TestSpecialPoint;
typedef TestPointClass TestSpecialPointClass;

GType test_special_point_get_type (void);
G_DEFINE_TYPE (TestSpecialPoint, test_special_point, test_point_get_type ())

static void
test_special_point_class_init (TestSpecialPointClass *class)
{
}

static void
test_special_point_init (TestSpecialPoint *self)
{
}

static void
derived_objects_are_not_cut (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_registry ();
  g_autoptr (GVariant) reduced = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  init_object (&value, TEST_TYPE_POINT, g_object_new (test_special_point_get_type (), NULL));
  g_assert_null (loky_reducer_registry_reduce (registry, &value, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER);
  assert_says (error, "“TestSpecialPoint”", "“TestPoint”");
  g_clear_error (&error);

  g_assert_true (loky_reducer_registry_add_type (registry, test_special_point_get_type (), &error));
  reduced = loky_reducer_registry_reduce (registry, &value, &error);
  g_assert_no_error (error);
  g_assert_nonnull (reduced);
}

static void
objects_that_refer_to_themselves_are_refused (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = make_registry ();
  TestPoint *point = g_object_new (TEST_TYPE_POINT, NULL);
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) number = G_VALUE_INIT;
  g_autoptr (GVariant) reduced = NULL;

  g_object_set (point, "next", point, NULL);
  init_object (&value, TEST_TYPE_POINT, point);
  g_assert_null (loky_reducer_registry_reduce (registry, &value, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
  g_object_set (point, "next", NULL, NULL);

  /* What was counted is not kept. */
  init_int (&number, 1);
  for (guint i = 0; i < 100; i++)
    {
      g_clear_pointer (&reduced, g_variant_unref);
      reduced = loky_reducer_registry_reduce (registry, &number, NULL);
      g_assert_nonnull (reduced);
    }
}

static void
what_cannot_be_sent_is_not_added (LokyFixture *fixture, gconstpointer data)
{
  const GType types[] = { G_TYPE_INITABLE, G_TYPE_BYTES, G_TYPE_INT, G_TYPE_INVALID, G_TYPE_FILTER_INPUT_STREAM };
  const GType contents[] = { G_TYPE_BYTES, G_TYPE_INT, G_TYPE_INVALID };
  g_autoptr (LokyReducerRegistry) registry = loky_reducer_registry_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (loky_reducer_registry_add_type (registry, types[i], &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (contents); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (loky_reducer_registry_add_hash_table (registry, contents[i], &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
    }
}

/* --- hash tables ---------------------------------------------------------------------------------- */

static GHashTable *
echo_table (LokyReducerRegistry *registry, GHashTable *table, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) back = G_VALUE_INIT;
  g_autoptr (GVariant) reduced = NULL;

  g_value_init (&value, G_TYPE_HASH_TABLE);
  g_value_set_boxed (&value, table);
  reduced = loky_reducer_registry_reduce (registry, &value, error);
  if (reduced == NULL || !loky_reducer_registry_rebuild (registry, reduced, &back, error))
    return NULL;
  return g_value_dup_boxed (&back);
}

static void
hash_tables_hold_what_was_said (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = loky_reducer_registry_new ();
  g_autoptr (GHashTable) texts = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) values = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) none = NULL;
  g_autoptr (GHashTable) texts_back = NULL;
  g_autoptr (GHashTable) values_back = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) number = G_VALUE_INIT;

  g_hash_table_insert (texts, (char *) "one", (char *) "eins");
  none = echo_table (registry, texts, &error);
  g_assert_null (none);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER);
  g_assert_nonnull (strstr (error->message, "“GHashTable”"));
  g_clear_error (&error);

  g_assert_true (loky_reducer_registry_add_hash_table (registry, G_TYPE_STRING, &error));
  texts_back = echo_table (registry, texts, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_hash_table_size (texts_back), ==, 1);
  g_assert_cmpstr (g_hash_table_lookup (texts_back, "one"), ==, "eins");

  init_int (&number, 2);
  g_hash_table_insert (values, (char *) "two", &number);
  g_assert_true (loky_reducer_registry_add_hash_table (registry, G_TYPE_VALUE, &error));
  values_back = echo_table (registry, values, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_value_get_int (g_hash_table_lookup (values_back, "two")), ==, 2);
}

/* --- functions of the application ----------------------------------------------------------------- */

static GVariant *
reduce_plus_5 (const GValue *value, gpointer user_data, GError **error)
{
  return g_variant_new_int32 (g_value_get_int (value) + 5);
}

static void
rebuild_times_7 (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_value_init (value, G_TYPE_INT);

  g_value_set_int (value, g_variant_get_int32 (form) * 7);
}

static int
call_with_int (LokyExecutor *executor, const char *task, int number)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;

  init_int (&value, number);
  call (executor, task, &value, &result);
  return g_value_get_int (&result);
}

static void
each_direction_has_its_reducers (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) jobs = loky_reducer_registry_new ();
  g_autoptr (LokyReducerRegistry) results = loky_reducer_registry_new ();
  LokyExecutor *executor;

  loky_reducer_registry_set_reduce_func (jobs, G_TYPE_INT, reduce_plus_5, NULL, NULL);
  loky_reducer_registry_set_rebuild_func (results, G_TYPE_INT, rebuild_times_7, NULL, NULL);
  executor = loky_fixture_make_executor ("job-reducers", jobs, "result-reducers", results, NULL);
  g_assert_cmpint (call_with_int (executor, "reduce.echo", 1), ==, 42);
  /* A task that knows of no reducers gets the number, too. */
  g_assert_cmpint (call_with_int (executor, "reduce.plain", 1), ==, 42);
  /* Another executor has neither. */
  g_assert_cmpint (call_with_int (fixture->executor, "reduce.echo", 1), ==, 1);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
those_of_jobs_serve_results (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = loky_reducer_registry_new ();
  g_autoptr (LokyReducerRegistry) other = loky_reducer_registry_new ();
  LokyExecutor *executor;

  loky_reducer_registry_set_reduce_func (registry, G_TYPE_INT, reduce_plus_5, NULL, NULL);
  loky_reducer_registry_set_rebuild_func (registry, G_TYPE_INT, rebuild_times_7, NULL, NULL);
  executor = make_executor (registry);
  g_assert_cmpint (call_with_int (executor, "reduce.echo", 1), ==, 42);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);

  /* Unless there are others. */
  executor = loky_fixture_make_executor ("job-reducers", registry, "result-reducers", other, NULL);
  g_assert_cmpint (call_with_int (executor, "reduce.echo", 1), ==, 6);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
registries_do_not_share (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) one = loky_reducer_registry_new ();
  g_autoptr (LokyReducerRegistry) two = loky_reducer_registry_new ();
  g_autoptr (GVariant) by_one = NULL;
  g_autoptr (GVariant) by_two = NULL;
  g_autoptr (GVariant) by_default = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  init_int (&value, 1);
  loky_reducer_registry_set_reduce_func (one, G_TYPE_INT, reduce_plus_5, NULL, NULL);
  by_one = loky_reducer_registry_reduce (one, &value, NULL);
  by_two = loky_reducer_registry_reduce (two, &value, NULL);
  by_default = loky_reducer_registry_reduce (loky_reducer_registry_get_default (), &value, NULL);
  g_assert_cmpint (g_variant_get_int32 (by_one), ==, 6);
  g_assert_cmpint (g_variant_get_int32 (by_two), ==, 1);
  g_assert_cmpint (g_variant_get_int32 (by_default), ==, 1);
}

static char *
reduce_to_name (LokyReducerRegistry *registry, gpointer object)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GVariant) reduced = NULL;
  g_autoptr (GVariant) form = NULL;
  g_autoptr (GError) error = NULL;
  const char *name;

  init_object (&value, G_TYPE_OBJECT, g_object_ref (object));
  reduced = loky_reducer_registry_reduce (registry, &value, &error);
  if (reduced == NULL)
    return g_strdup ("none");
  g_variant_get (reduced, "(&smv)", &name, &form);
  return g_strdup_printf ("%s:%s", name, g_variant_get_string (form, NULL));
}

static void
assert_nearest (LokyReducerRegistry *registry, gpointer object, const char *expected)
{
  g_autofree char *name = reduce_to_name (registry, object);

  g_assert_cmpstr (name, ==, expected);
}

static void
the_nearest_type_counts (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = loky_reducer_registry_new ();
  LokyReducerRegistry *base = loky_reducer_registry_get_default ();
  g_autoptr (GInputStream) stream = g_memory_input_stream_new ();

  assert_nearest (registry, stream, "none");
  loky_reducer_registry_set_reduce_func (registry, G_TYPE_OBJECT, reduce_as_named, (gpointer) "own", NULL);
  assert_nearest (registry, stream, "GObject:own");
  /* A nearer one below is nearer all the same. */
  loky_reducer_registry_set_reduce_func (base, G_TYPE_INPUT_STREAM, reduce_as_named, (gpointer) "base", NULL);
  assert_nearest (registry, stream, "GInputStream:base");
  loky_reducer_registry_set_reduce_func (registry, G_TYPE_SEEKABLE, reduce_as_named, (gpointer) "own", NULL);
  assert_nearest (registry, stream, "GSeekable:own");
  /* One interface that requires another is nearer. */
  loky_reducer_registry_set_reduce_func (registry, G_TYPE_POLLABLE_INPUT_STREAM, reduce_as_named, (gpointer) "own",
                                         NULL);
  loky_reducer_registry_set_reduce_func (registry, G_TYPE_SEEKABLE, NULL, NULL, NULL);
  assert_nearest (registry, stream, "GPollableInputStream:own");
  loky_reducer_registry_set_reduce_func (registry, G_TYPE_MEMORY_INPUT_STREAM, reduce_as_named, (gpointer) "own",
                                         NULL);
  assert_nearest (registry, stream, "GMemoryInputStream:own");
  /* The same type: the upper layer. */
  loky_reducer_registry_set_reduce_func (base, G_TYPE_MEMORY_INPUT_STREAM, reduce_as_named, (gpointer) "base", NULL);
  assert_nearest (registry, stream, "GMemoryInputStream:own");
  loky_reducer_registry_set_reduce_func (registry, G_TYPE_MEMORY_INPUT_STREAM, NULL, NULL, NULL);
  assert_nearest (registry, stream, "GMemoryInputStream:base");
  loky_reducer_registry_set_reduce_func (base, G_TYPE_MEMORY_INPUT_STREAM, NULL, NULL, NULL);
  loky_reducer_registry_set_reduce_func (base, G_TYPE_INPUT_STREAM, NULL, NULL, NULL);
}

/* --- tasks that know nothing of values ------------------------------------------------------------ */

static void
any_result_is_a_value (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) text = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_string ("x"));
  g_autoptr (LokyFuture) array = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_parsed ("[1, 2]"));
  g_auto (GValue) text_value = G_VALUE_INIT;
  g_auto (GValue) array_value = G_VALUE_INIT;
  g_autoptr (GVariant) result = NULL;

  g_assert_true (loky_future_wait (text, -1, NULL, NULL));
  g_assert_true (loky_future_wait (array, -1, NULL, NULL));
  g_assert_true (loky_future_dup_value (text, &text_value, NULL));
  g_assert_true (loky_future_dup_value (array, &array_value, NULL));
  g_assert_cmpstr (g_value_get_string (&text_value), ==, "x");
  result = loky_future_dup_result (array, NULL);
  g_assert_true (g_variant_equal (g_value_get_variant (&array_value), result));
}

static void
no_values_are_a_unit (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture->executor, "demo.echo", NULL, 0);
  g_autoptr (GVariant) result = loky_future_dup_result (future, NULL);

  g_assert_cmpstr (g_variant_get_type_string (result), ==, "()");
}

static void
arguments_that_are_not_there_are_an_error (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture->executor, "reduce.echo", NULL, 0);

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

static void
errors_of_the_task_are_those_of_the_value (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future
      = loky_fixture_submit (fixture->executor, "demo.fail", g_variant_new_string ("no luck"));
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  error = fail_dup (future);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/reducers/fundamental-types-come-back", fundamental_types_come_back);
  LOKY_FIXTURE_ADD ("/loky/reducers/boxed-types-come-back", boxed_types_come_back);
  LOKY_FIXTURE_ADD ("/loky/reducers/times-come-back", times_come_back);
  LOKY_FIXTURE_ADD ("/loky/reducers/arrays-of-values-come-back", arrays_of_values_come_back);
  LOKY_FIXTURE_ADD ("/loky/reducers/files-come-back", files_come_back);
  LOKY_FIXTURE_ADD ("/loky/reducers/buffers-are-handed-over", buffers_are_handed_over);
  LOKY_FIXTURE_ADD ("/loky/reducers/synchronizers-stand-for-the-same", synchronizers_stand_for_the_same);
  LOKY_FIXTURE_ADD ("/loky/reducers/objects-travel-by-their-properties", objects_travel_by_their_properties);
  LOKY_FIXTURE_ADD ("/loky/reducers/enumerations-travel-by-their-number", enumerations_travel_by_their_number);
  LOKY_FIXTURE_ADD ("/loky/reducers/derived-objects-are-not-cut", derived_objects_are_not_cut);
  LOKY_FIXTURE_ADD ("/loky/reducers/objects-that-refer-to-themselves-are-refused",
                    objects_that_refer_to_themselves_are_refused);
  LOKY_FIXTURE_ADD ("/loky/reducers/what-cannot-be-sent-is-not-added", what_cannot_be_sent_is_not_added);
  LOKY_FIXTURE_ADD ("/loky/reducers/hash-tables-hold-what-was-said", hash_tables_hold_what_was_said);
  LOKY_FIXTURE_ADD ("/loky/reducers/each-direction-has-its-reducers", each_direction_has_its_reducers);
  LOKY_FIXTURE_ADD ("/loky/reducers/those-of-jobs-serve-results", those_of_jobs_serve_results);
  LOKY_FIXTURE_ADD ("/loky/reducers/registries-do-not-share", registries_do_not_share);
  LOKY_FIXTURE_ADD ("/loky/reducers/the-nearest-type-counts", the_nearest_type_counts);
  LOKY_FIXTURE_ADD ("/loky/reducers/any-result-is-a-value", any_result_is_a_value);
  LOKY_FIXTURE_ADD ("/loky/reducers/no-values-are-a-unit", no_values_are_a_unit);
  LOKY_FIXTURE_ADD ("/loky/reducers/arguments-that-are-not-there-are-an-error",
                    arguments_that_are_not_there_are_an_error);
  LOKY_FIXTURE_ADD ("/loky/reducers/errors-of-the-task-are-those-of-the-value",
                    errors_of_the_task_are_those_of_the_value);
  return g_test_run ();
}
