/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of reducers share. */

#include <string.h>

#include "fixture.h"
#include "plugins/reduce-point.h"

G_GNUC_UNUSED static LokyReducerRegistry *
make_registry (void)
{
  LokyReducerRegistry *registry = loky_reducer_registry_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_reducer_registry_add_type (registry, TEST_TYPE_POINT, &error));
  g_assert_true (loky_reducer_registry_add_type (registry, test_colour_get_type (), &error));
  g_assert_no_error (error);
  return registry;
}

G_GNUC_UNUSED static LokyExecutor *
make_executor (LokyReducerRegistry *registry)
{
  return loky_fixture_make_executor ("max-workers", 1, "job-reducers", registry, NULL);
}

G_GNUC_UNUSED static LokyFuture *
submit (LokyExecutor *executor, const char *task, const GValue *values, gsize n_values)
{
  g_autoptr (GError) error = NULL;
  LokyFuture *future = loky_executor_submit_values (executor, task, values, n_values, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (loky_future_wait (future, -1, NULL, &error));
  return future;
}

/* What comes of a value that is sent to a task and back. */
G_GNUC_UNUSED static void
call (LokyExecutor *executor, const char *task, const GValue *argument, GValue *result)
{
  g_autoptr (LokyFuture) future = submit (executor, task, argument, 1);
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_dup_value (future, result, &error));
  g_assert_no_error (error);
}

G_GNUC_UNUSED static GError *
fail_dup (LokyFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  GError *error = NULL;

  g_assert_false (loky_future_dup_value (future, &value, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (G_VALUE_TYPE (&value), ==, G_TYPE_INVALID);
  g_test_message ("%s", error->message);
  return error;
}

G_GNUC_UNUSED static void
assert_says (const GError *error, const char *first, const char *second)
{
  g_assert_nonnull (strstr (error->message, first));
  g_assert_nonnull (strstr (error->message, second));
}

G_GNUC_UNUSED static void
assert_serves (LokyExecutor *executor)
{
  g_autofree char *result = loky_fixture_call (executor, "demo.echo", "still here");

  g_assert_cmpstr (result, ==, "still here");
}

G_GNUC_UNUSED static void
init_string (GValue *value, const char *text)
{
  g_value_init (value, G_TYPE_STRING);
  g_value_set_string (value, text);
}

G_GNUC_UNUSED static void
init_int (GValue *value, int number)
{
  g_value_init (value, G_TYPE_INT);
  g_value_set_int (value, number);
}

G_GNUC_UNUSED static void
init_object (GValue *value, GType type, gpointer object)
{
  g_value_init (value, type);
  g_value_take_object (value, object);
}

/* Every value becomes the text that is given with the function. */
G_GNUC_UNUSED static GVariant *
reduce_as_named (const GValue *value, gpointer user_data, GError **error)
{
  return g_variant_new_string (user_data);
}
