/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>

static void
sync_returns_result (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *result = loky_fixture_call (fixture->executor, "demo.echo", "héllo");

  g_assert_cmpstr (result, ==, "héllo");
}

static void
no_arguments_are_a_unit (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (fixture->executor, "demo.echo", NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_type_string (result), ==, "()");
}

static void
types_come_back_as_they_were (LokyFixture *fixture, gconstpointer data)
{
  static const char *const texts[] = {
    "true", "byte 0x7f", "int64 -9223372036854775808", "1.5", "'text'", "@as []", "@a{sv} {}",
    "{'a': <1>, 'b': <'x'>}", "(1, 'two', [3.0], <(4, 5)>)", "@mi nothing", "@may just []",
    "objectpath '/a/b'", "[<1>, <'a'>, <@ay []>]", "((((1,),),),)",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = g_variant_parse (NULL, texts[i], NULL, NULL, &error);
      g_autoptr (GVariant) result = NULL;

      g_assert_no_error (error);
      result = loky_executor_call_sync (fixture->executor, "demo.echo", value, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (g_variant_equal (value, result));
      g_assert_cmpstr (g_variant_get_type_string (value), ==, g_variant_get_type_string (result));
    }
}

static void
error_keeps_domain_and_code (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "fault.obey", "io-error:gone");

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_cmpstr (error->message, ==, "gone");
}

static void
wrong_argument_type_is_named (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "demo.sleep", "abc");

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "type d, not s"));
}

static void
bad_results_are_errors (LokyFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "null", "wrong-type" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "fault.obey", orders[i]);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT);
    }
}

static void
result_with_error_is_the_error (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "fault.obey", "both");

  g_assert_nonnull (error);
}

static void
error_messages_are_bounded_text (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) huge = loky_fixture_fail (fixture->executor, "fault.obey", "huge-error");
  g_autoptr (GError) broken = loky_fixture_fail (fixture->executor, "fault.obey", "bad-utf8-error");
  g_autoptr (GError) nameless = loky_fixture_fail (fixture->executor, "fault.obey", "error:why");

  g_assert_cmpuint (strlen (huge->message), <=, 64 * 1024);
  g_assert_true (g_utf8_validate (broken->message, -1, NULL));
  g_assert_error (nameless, LOKY_ERROR, LOKY_ERROR_FAILED);
  g_assert_nonnull (strstr (nameless->message, "why"));
}

static void
names_are_checked (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *long_name = g_strnfill (300, 'x');
  const char *names[] = { "", "\xff.x", long_name };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LokyFuture) future
          = loky_executor_submit (fixture->executor, names[i], g_variant_new_int32 (1), NULL, &error);

      g_assert_null (future);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
    }
}

static void
unknown_tasks_are_suggested (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) task = loky_fixture_fail (fixture->executor, "demo.ehco", "x");
  g_autoptr (GError) plugin = loky_fixture_fail (fixture->executor, "dmeo.echo", "x");
  g_autoptr (GError) plain = loky_fixture_fail (fixture->executor, "echo", "x");

  g_assert_error (task, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
  g_assert_nonnull (strstr (task->message, "demo.echo"));
  g_assert_error (plugin, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
  g_assert_nonnull (strstr (plugin->message, "“demo”"));
  g_assert_error (plain, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
}

static void
item_and_batch_tasks_run (LokyFixture *fixture, gconstpointer data)
{
  static const gint64 numbers[] = { 1, -2, G_MAXINT64 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) square = loky_executor_call_sync (
      fixture->executor, "fault.square", g_variant_new_int64 (-12), NULL, NULL, &error);
  g_autoptr (GVariant) negated = NULL;
  const gint64 *elements;
  gsize n_elements;

  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (square), ==, 144);
  negated = loky_executor_call_sync (
      fixture->executor, "fault.negate",
      g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, numbers, G_N_ELEMENTS (numbers), sizeof (gint64)),
      NULL, NULL, &error);
  g_assert_no_error (error);
  elements = g_variant_get_fixed_array (negated, &n_elements, sizeof (gint64));
  g_assert_cmpuint (n_elements, ==, G_N_ELEMENTS (numbers));
  for (gsize i = 0; i < n_elements; i++)
    g_assert_cmpint (elements[i], ==, -numbers[i]);
}

typedef struct
{
  GVariant *result;
  GError *error;
  gboolean is_over;
  GThread *thread;
} Call;

static void
call_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  call->result = loky_executor_call_finish (LOKY_EXECUTOR (source), result, &call->error);
  call->thread = g_thread_self ();
  call->is_over = TRUE;
}

static gboolean
call_is_over (gpointer data)
{
  return ((Call *) data)->is_over;
}

static void
async_ends_in_the_callers_context (LokyFixture *fixture, gconstpointer data)
{
  Call call = { 0 };

  loky_executor_call_async (fixture->executor, "demo.echo", g_variant_new_string ("x"), NULL, NULL,
                            call_cb, &call);
  g_assert_false (call.is_over);
  loky_fixture_wait_for (call_is_over, &call);
  g_assert_no_error (call.error);
  g_assert_cmpstr (g_variant_get_string (call.result, NULL), ==, "x");
  g_assert_true (call.thread == g_thread_self ());
  g_variant_unref (call.result);
}

static void
async_cancel_ends_at_once (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Call call = { 0 };

  loky_executor_call_async (fixture->executor, "demo.sleep", g_variant_new_double (300), NULL,
                            cancellable, call_cb, &call);
  g_cancellable_cancel (cancellable);
  loky_fixture_wait_for (call_is_over, &call);
  g_assert_error (call.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&call.error);

  /* One that is cancelled before it is made is never submitted. */
  call = (Call){ 0 };
  loky_executor_call_async (fixture->executor, "demo.echo", g_variant_new_string ("x"), NULL,
                            cancellable, call_cb, &call);
  loky_fixture_wait_for (call_is_over, &call);
  g_assert_error (call.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&call.error);
}

static gpointer
cancel_soon (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

static void
sync_cancel_ends_at_once (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *thread = g_thread_new ("canceller", cancel_soon, cancellable);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_executor_call_sync (
      fixture->executor, "demo.sleep", g_variant_new_double (300), NULL, cancellable, &error);

  g_thread_join (thread);
  g_assert_null (result);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
state_persists_in_a_worker (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *first = loky_fixture_call (fixture->executor, "fault.obey", "pid");
  g_autofree char *second = loky_fixture_call (fixture->executor, "fault.obey", "pid");

  /* One after the other, the most recently used worker is taken. */
  g_assert_cmpstr (first, ==, second);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  LOKY_FIXTURE_ADD ("/loky/calls/sync-returns-result", sync_returns_result);
  LOKY_FIXTURE_ADD ("/loky/calls/no-arguments-are-a-unit", no_arguments_are_a_unit);
  LOKY_FIXTURE_ADD ("/loky/calls/types-come-back-as-they-were", types_come_back_as_they_were);
  LOKY_FIXTURE_ADD ("/loky/calls/error-keeps-domain-and-code", error_keeps_domain_and_code);
  LOKY_FIXTURE_ADD ("/loky/calls/wrong-argument-type-is-named", wrong_argument_type_is_named);
  LOKY_FIXTURE_ADD ("/loky/calls/bad-results-are-errors", bad_results_are_errors);
  LOKY_FIXTURE_ADD ("/loky/calls/result-with-error-is-the-error", result_with_error_is_the_error);
  LOKY_FIXTURE_ADD ("/loky/calls/error-messages-are-bounded-text", error_messages_are_bounded_text);
  LOKY_FIXTURE_ADD ("/loky/calls/names-are-checked", names_are_checked);
  LOKY_FIXTURE_ADD ("/loky/calls/unknown-tasks-are-suggested", unknown_tasks_are_suggested);
  LOKY_FIXTURE_ADD ("/loky/calls/item-and-batch-tasks-run", item_and_batch_tasks_run);
  LOKY_FIXTURE_ADD ("/loky/calls/async-ends-in-the-callers-context",
                    async_ends_in_the_callers_context);
  LOKY_FIXTURE_ADD ("/loky/calls/async-cancel-ends-at-once", async_cancel_ends_at_once);
  LOKY_FIXTURE_ADD ("/loky/calls/sync-cancel-ends-at-once", sync_cancel_ends_at_once);
  LOKY_FIXTURE_ADD ("/loky/calls/state-persists-in-a-worker", state_persists_in_a_worker);
  return g_test_run ();
}
