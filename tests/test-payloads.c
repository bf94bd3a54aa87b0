/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>

static guint8
pattern (gsize i)
{
  return (guint8) ((i * 7 + 3) & 0xff);
}

static GVariant *
make_bytes (gsize size)
{
  guint8 *data = g_malloc (MAX (size, 1));

  for (gsize i = 0; i < size; i++)
    data[i] = pattern (i);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
}

static void
assert_bytes (GVariant *value, gsize size)
{
  gsize n_elements;
  const guint8 *data = g_variant_get_fixed_array (value, &n_elements, 1);

  g_assert_cmpuint (n_elements, ==, size);
  for (gsize i = 0; i < size; i++)
    if (data[i] != pattern (i))
      g_error ("byte %" G_GSIZE_FORMAT " is %u", i, data[i]);
}

/* Around the size from which values travel in shared memory, and around that of pages. */
static const gsize sizes[] = { 0,     1,      7,      4095,   4096,    32767,
                               32768, 32769,  65536,  65537,  1000000, 1 << 20,
                               (1 << 20) + 1, 5000011 };

static void
bytes_of_any_size_return (LokyFixture *fixture, gconstpointer data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = loky_executor_call_sync (
          fixture->executor, "demo.echo", make_bytes (sizes[i]), NULL, NULL, &error);

      g_assert_no_error (error);
      assert_bytes (result, sizes[i]);
    }
}

static void
many_large_values_at_once (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < 60; i++)
    g_ptr_array_add (futures, loky_fixture_submit (fixture->executor, "demo.echo",
                                                   make_bytes (100000 + i * 10007)));
  for (guint i = 0; i < futures->len; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = NULL;

      g_assert_true (loky_future_wait (g_ptr_array_index (futures, i), -1, NULL, NULL));
      result = loky_future_dup_result (g_ptr_array_index (futures, i), &error);
      g_assert_no_error (error);
      assert_bytes (result, 100000 + i * 10007);
    }
}

static void
arguments_and_results_go_their_own_ways (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) made = loky_executor_call_sync (
      fixture->executor, "fault.bytes", g_variant_new_uint64 (3000000), NULL, NULL, &error);
  g_autoptr (GVariant) sum = NULL;
  guint64 expected = 0;

  g_assert_no_error (error);
  assert_bytes (made, 3000000);
  for (gsize i = 0; i < 3000000; i++)
    expected += pattern (i);
  sum = loky_executor_call_sync (fixture->executor, "fault.sum", made, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint64 (sum), ==, expected);
}

/* What a worker has mapped when it dies is not reused, and not lost. */
static void
large_value_of_a_dying_worker (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (GVariant) args = g_variant_ref_sink (make_bytes (1 << 20));
      g_autoptr (LokyFuture) dying
          = loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("kill"));
      g_autoptr (LokyFuture) echo = loky_fixture_submit (fixture->executor, "demo.echo", args);
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GError) error = NULL;

      loky_fixture_assert_fails (dying, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      g_assert_true (loky_future_wait (echo, -1, NULL, NULL));
      result = loky_future_dup_result (echo, &error);
      g_assert_no_error (error);
      assert_bytes (result, 1 << 20);
    }
}

static LokyBuffer *
make_buffer (gsize size)
{
  g_autoptr (GError) error = NULL;
  LokyBuffer *buffer = loky_buffer_new (size, &error);
  guint8 *data;

  g_assert_no_error (error);
  data = loky_buffer_get_writable_data (buffer);
  for (gsize i = 0; i < size; i++)
    data[i] = pattern (i);
  return buffer;
}

/* As a language does that has no pointers. */
static void
buffer_is_written_by_parts (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (10, NULL);
  g_autoptr (GBytes) part = g_bytes_new_static ("abcde", 5);
  g_autoptr (GBytes) whole = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_buffer_write (buffer, 0, part, &error));
  g_assert_true (loky_buffer_write (buffer, 5, part, &error));
  g_assert_no_error (error);
  g_assert_false (loky_buffer_write (buffer, 6, part, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (loky_buffer_write (buffer, G_MAXSIZE, part, NULL));
  whole = loky_buffer_dup_bytes (buffer, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (whole, NULL), g_bytes_get_size (whole), "abcdeabcde", 10);
  g_assert_false (loky_buffer_write (buffer, 0, part, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

static void
buffer_is_handed_over (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBuffer) buffer = make_buffer (1 << 20);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) handle = loky_buffer_to_variant (buffer, &error);
  g_autoptr (GVariant) sum = NULL;
  guint64 expected = 0;

  g_assert_no_error (error);
  for (gsize i = 0; i < (1 << 20); i++)
    expected += pattern (i);
  sum = loky_executor_call_sync (fixture->executor, "fault.buffer-sum", handle, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint64 (sum), ==, expected);
}

static void
assert_buffer_in_result (LokyFuture *future, gsize size)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (LokyBuffer) buffer = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  const guint8 *data;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  buffer = loky_future_lookup_buffer (future, g_variant_get_handle (result), &error);
  g_assert_no_error (error);
  bytes = loky_buffer_dup_bytes (buffer, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, size);
  data = g_bytes_get_data (bytes, NULL);
  for (gsize i = 0; i < size; i++)
    if (data[i] != pattern (i))
      g_error ("byte %" G_GSIZE_FORMAT " is %u", i, data[i]);
}

static void
buffer_comes_back (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) made
      = loky_fixture_submit (fixture->executor, "fault.buffer-make", g_variant_new_uint64 (200000));
  g_autoptr (LokyBuffer) buffer = make_buffer (5000);
  g_autoptr (GVariant) handle = loky_buffer_to_variant (buffer, NULL);
  g_autoptr (LokyFuture) echoed = loky_fixture_submit (fixture->executor, "demo.echo", handle);
  g_autoptr (LokyBuffer) other = NULL;
  g_autoptr (GError) error = NULL;

  assert_buffer_in_result (made, 200000);
  assert_buffer_in_result (echoed, 5000);
  other = loky_future_lookup_buffer (made, loky_buffer_get_handle (buffer), &error);
  g_assert_null (other);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

/* The submission keeps it. */
static void
buffer_may_be_dropped_after_the_submission (LokyFixture *fixture, gconstpointer data)
{
  LokyBuffer *buffer = make_buffer (5000);
  g_autoptr (GVariant) handle = loky_buffer_to_variant (buffer, NULL);
  g_autoptr (LokyFuture) future = loky_fixture_submit (fixture->executor, "demo.echo", handle);

  g_object_unref (buffer);
  assert_buffer_in_result (future, 5000);
}

static void
handle_without_a_buffer_is_refused (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = loky_executor_submit (
      fixture->executor, "demo.echo", g_variant_new_parsed ("[<handle 77>]"), NULL, &error);

  g_assert_null (future);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

static void
value_not_in_normal_form_is_made_so (LokyFixture *fixture, gconstpointer data)
{
  /* A string without its end. */
  g_autoptr (GVariant) args = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_STRING, "abc", 3, FALSE, NULL, NULL));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (fixture->executor, "demo.echo", args, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "");
}

static void
nesting_beyond_the_limit_is_an_error (LokyFixture *fixture, gconstpointer data)
{
  GVariant *value = g_variant_new_string ("x");
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  for (guint i = 0; i < 200; i++)
    value = g_variant_new_variant (value);
  result = loky_executor_call_sync (fixture->executor, "demo.echo", value, NULL, NULL, &error);
  g_assert_null (result);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/payloads/bytes-of-any-size-return", bytes_of_any_size_return);
  LOKY_FIXTURE_ADD ("/loky/payloads/many-large-values-at-once", many_large_values_at_once);
  LOKY_FIXTURE_ADD ("/loky/payloads/arguments-and-results-go-their-own-ways",
                    arguments_and_results_go_their_own_ways);
  LOKY_FIXTURE_ADD ("/loky/payloads/large-value-of-a-dying-worker", large_value_of_a_dying_worker);
  LOKY_FIXTURE_ADD ("/loky/payloads/buffer-is-written-by-parts", buffer_is_written_by_parts);
  LOKY_FIXTURE_ADD ("/loky/payloads/buffer-is-handed-over", buffer_is_handed_over);
  LOKY_FIXTURE_ADD ("/loky/payloads/buffer-comes-back", buffer_comes_back);
  LOKY_FIXTURE_ADD ("/loky/payloads/buffer-may-be-dropped-after-the-submission",
                    buffer_may_be_dropped_after_the_submission);
  LOKY_FIXTURE_ADD ("/loky/payloads/handle-without-a-buffer-is-refused",
                    handle_without_a_buffer_is_refused);
  LOKY_FIXTURE_ADD ("/loky/payloads/value-not-in-normal-form-is-made-so",
                    value_not_in_normal_form_is_made_so);
  LOKY_FIXTURE_ADD ("/loky/payloads/nesting-beyond-the-limit-is-an-error",
                    nesting_beyond_the_limit_is_an_error);
  return g_test_run ();
}
