/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rows 14 to 16: arguments and results, and the memory that they travel in. */

#include "faults.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* GVariant reads no more containers in one another. */
#define MAX_DEPTH 128

static GVariant *
make_nested (guint depth)
{
  GVariant *value = g_variant_new_boolean (TRUE);

  for (guint i = 0; i < depth; i++)
    value = g_variant_new_variant (value);
  return value;
}

/* What the task makes of it, or NULL. */
static GVariant *
run_task (LokyExecutor *executor, const char *task, GVariant *args, GError **error)
{
  g_autoptr (LokyFuture) future = faults_submit_task (executor, task, args, NULL);

  faults_watch (future);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  return loky_future_dup_result (future, error);
}

static void
assert_refused (LokyExecutor *executor,
                const char *task,
                GVariant *args,
                LokyError code,
                const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = run_task (executor, task, args, &error);

  g_assert_null (result);
  g_test_message ("%s", error->message);
  g_assert_error (error, LOKY_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, text));
}

static void
assert_echoed (LokyExecutor *executor, GVariant *args)
{
  g_autoptr (GVariant) sent = g_variant_ref_sink (args);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = run_task (executor, "fault.obey-any", sent, &error);

  g_assert_no_error (error);
  g_assert_true (g_variant_equal (sent, result));
}

/* --- 14: nesting, versions ------------------------------------------------------------------------ */

/* A value cannot hold itself; what comes next to it are containers without end. */
static void
nesting_has_a_limit_both_ways (LokyFixture *fixture, gconstpointer data)
{
  static const guint depths[] = { MAX_DEPTH, 2 * MAX_DEPTH, 2000 };

  assert_echoed (fixture->executor, make_nested (1));
  assert_echoed (fixture->executor, make_nested (MAX_DEPTH - 1));
  for (gsize i = 0; i < G_N_ELEMENTS (depths); i++)
    {
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GError) error = NULL;

      assert_refused (fixture->executor, "fault.obey-any", make_nested (depths[i]),
                      LOKY_ERROR_INVALID_ARGUMENT, "nested too deeply");
      result = run_task (fixture->executor, "fault.nested", g_variant_new_uint64 (depths[i]), &error);
      g_assert_null (result);
      g_test_message ("%s", error->message);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT);
      g_assert_nonnull (strstr (error->message, "fault.nested"));
    }
  faults_assert_serves (fixture->executor);
}

/* Deeper than a stack is: it is the task that makes it that dies. */
static void
endless_nesting_costs_its_worker (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = NULL;

  if (LOKY_HAS_SANITIZER)
    {
      g_test_skip ("a sanitizer has another stack and ends the process itself");
      return;
    }
  future = faults_submit_task (fixture->executor, "fault.nested", g_variant_new_uint64 (300000), NULL);
  faults_watch (future);
  faults_assert_ends (future, LOKY_ERROR_WORKER_DIED, "SIGSEGV");
  faults_assert_serves (fixture->executor);
}

/* A type string says how deep a value is, too; it has a length that it may have. */
static void
long_types_are_told (LokyFixture *fixture, gconstpointer data)
{
  GVariantBuilder builder;
  g_autoptr (GVariant) wide = NULL;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_TUPLE);
  for (guint i = 0; i < 5000; i++)
    g_variant_builder_add (&builder, "y", 1);
  wide = g_variant_ref_sink (g_variant_builder_end (&builder));
  future = loky_executor_submit (fixture->executor, "fault.obey-any", wide, NULL, &error);
  g_assert_null (future);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
  faults_assert_serves (fixture->executor);
}

/* Of one interface: larger structures work, of another: it is told. */
static void
plugins_of_other_versions (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *first = loky_fixture_call (fixture->executor, "latersize.trivial", "one");
  g_autofree char *second = loky_fixture_call (fixture->executor, "latersize.second", "two");

  g_assert_cmpstr (first, ==, "one");
  g_assert_cmpstr (second, ==, "two");
  assert_refused (fixture->executor, "badabi.trivial", g_variant_new_string ("x"), LOKY_ERROR_PLUGIN,
                  "version 9999");
  assert_refused (fixture->executor, "badsize.trivial", g_variant_new_string ("x"), LOKY_ERROR_PLUGIN,
                  "sizes of 3");
  faults_assert_serves (fixture->executor);
}

/* --- 15: what fits no task ------------------------------------------------------------------------ */

static void
wrong_types_are_told (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *task;
    const char *args;
    const char *text;
  } cases[] = {
    { "fault.obey", "1", "“fault.obey” takes arguments of type s, not i" },
    { "fault.obey", "('x',)", "“fault.obey” takes arguments of type s, not (s)" },
    { "fault.obey", "@ms 'x'", "“fault.obey” takes arguments of type s, not ms" },
    { "fault.bytes", "1", "“fault.bytes” takes arguments of type t, not i" },
    { "fault.sum", "[1, 2]", "“fault.sum” takes arguments of type ay, not ai" },
    { "fault.square", "1.5", "“fault.square” takes arguments of type x, not d" },
    { "fault.negate", "@x 1", "“fault.negate” takes arguments of type ax, not x" },
    { "fault.buffer-sum", "'x'", "“fault.buffer-sum” takes arguments of type h, not s" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_refused (fixture->executor, cases[i].task, g_variant_new_parsed (cases[i].args),
                    LOKY_ERROR_INVALID_ARGUMENT, cases[i].text);
  faults_assert_serves (fixture->executor);
}

static void
unknown_names_are_told_with_the_nearest (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *task;
    const char *text;
  } cases[] = {
    { "fault.obay", "Did you mean “fault.obey”?" },
    { "fault.obeyy", "Did you mean “fault.obey”?" },
    { "falt.obey", "Did you mean “fault”?" },
    { "fault.qqqqqqqqqqqqqqqqqqqqqq", "The tasks of that plugin are: fault.obey" },
    { "qqqqqqqqqqqqqqqqqqqqqqqq.x", "There is no plugin “qqqqqqqqqqqqqqqqqqqqqqqq” in" },
    { "fault", "“fault” is no name of a task" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_refused (fixture->executor, cases[i].task, g_variant_new_string ("x"),
                    LOKY_ERROR_NO_SUCH_TASK, cases[i].text);
  faults_assert_serves (fixture->executor);
}

/* Names that cannot be one never reach a worker. */
static void
impossible_names_are_refused (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *long_name = g_strnfill (300, 'x');
  const char *const names[] = { "", "\xff\xfe.x", long_name };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LokyFuture) future = loky_executor_submit (
          fixture->executor, names[i], g_variant_new_string ("x"), NULL, &error);

      g_assert_null (future);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
      g_test_message ("%s", error->message);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
  faults_assert_serves (fixture->executor);
}

/* Bytes that are no text become the empty one that GVariant reads from them: a task never sees others. */
static void
invalid_utf8_becomes_normal (LokyFixture *fixture, gconstpointer data)
{
  static const char bad[] = "abc\xff\xfe";
  g_autoptr (GVariant) args = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_STRING, bad, sizeof bad, FALSE, NULL, NULL));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = run_task (fixture->executor, "fault.obey-any", args, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "");
  faults_assert_serves (fixture->executor);
}

/* --- 16: sizes, descriptors, shared memory -------------------------------------------------------- */

static void
empty_values_arrive (LokyFixture *fixture, gconstpointer data)
{
  static const char *const texts[] = { "()", "''", "@as []", "@a{sv} {}", "@ay []", "@mv nothing", "@a(ss) []" };
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (0, NULL);
  g_autoptr (GVariant) handle = NULL;
  g_autoptr (GVariant) sum = NULL;
  g_autoptr (GVariant) none = NULL;
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    assert_echoed (fixture->executor, g_variant_new_parsed (texts[i]));
  none = run_task (fixture->executor, "fault.negate", g_variant_new_parsed ("@ax []"), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_n_children (none), ==, 0);
  g_assert_nonnull (buffer);
  handle = loky_buffer_to_variant (buffer, &error);
  g_assert_no_error (error);
  sum = run_task (fixture->executor, "fault.buffer-sum", handle, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint64 (sum), ==, 0);
}

static guint64
sum_result (LokyFuture *future)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_future_dup_result (future, &error);
  g_autoptr (LokyBuffer) buffer = NULL;
  g_autoptr (GBytes) bytes = NULL;
  const guint8 *data;
  guint64 sum = 0;
  gsize length;

  g_assert_no_error (error);
  buffer = loky_future_lookup_buffer (future, g_variant_get_handle (result), &error);
  g_assert_no_error (error);
  bytes = loky_buffer_dup_bytes (buffer, &error);
  g_assert_no_error (error);
  data = g_bytes_get_data (bytes, &length);
  for (gsize i = 0; i < length; i++)
    sum += data[i];
  return sum;
}

static guint64
sum_pattern (gsize length)
{
  guint64 sum = 0;

  for (gsize i = 0; i < length; i++)
    sum += (i * 7 + 3) & 0xff;
  return sum;
}

/* The sender of a buffer dies before it is looked at: it is ours. */
static void
buffer_whose_sender_died_is_read (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = faults_make_single ();
  g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");
  g_autoptr (LokyFuture) made
      = faults_submit_task (executor, "fault.buffer-make", g_variant_new_uint64 (200000), NULL);
  g_autoptr (LokyFuture) dying = NULL;

  faults_watch (made);
  g_assert_true (loky_future_wait (made, -1, NULL, NULL));
  dying = faults_submit (executor, "kill", NULL);
  faults_watch (dying);
  faults_assert_ends (dying, LOKY_ERROR_WORKER_DIED, "SIGKILL");
  faults_wait_gone (pid);
  g_assert_cmpuint (sum_result (made), ==, sum_pattern (200000));
  faults_assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Killed while it has the buffer: the future says so, and the buffer is as it was. */
static void
buffer_of_a_task_that_dies_stays (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = faults_make_single ();
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (100000, NULL);
  g_autoptr (GVariant) args = NULL;
  g_autoptr (GVariant) sum = NULL;
  g_autoptr (GError) error = NULL;

  memset (loky_buffer_get_writable_data (buffer), 1, 100000);
  args = loky_buffer_to_variant (buffer, NULL);
  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");
      g_autoptr (LokyFuture) future = faults_submit_task (executor, "fault.buffer-sum", args, NULL);
      g_autoptr (GError) end = NULL;

      faults_watch (future);
      g_assert_cmpint (kill (atoi (pid), SIGKILL), ==, 0);
      end = faults_end_of (future);
      /* It was through, was running, or came to the next worker. */
      g_assert_true (end == NULL || g_error_matches (end, LOKY_ERROR, LOKY_ERROR_WORKER_DIED));
      faults_assert_serves (executor);
    }
  sum = run_task (executor, "fault.buffer-sum", args, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint64 (sum), ==, 100000);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* From inside of a worker, with the descriptors that it has: the seals refuse all of it. */
static void
sealed_memory_stays_as_it_is (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = faults_make_single ();
  g_autoptr (LokyFuture) made
      = faults_submit_task (executor, "fault.buffer-make", g_variant_new_uint64 (100000), NULL);
  g_autoptr (GVariant) bytes = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *refused = NULL;

  faults_watch (made);
  bytes = run_task (executor, "fault.bytes", g_variant_new_uint64 (300000), &error);
  g_assert_no_error (error);
  g_assert_true (loky_future_wait (made, -1, NULL, NULL));
  refused = loky_fixture_call (executor, "fault.obey", "spoil-shared");
  g_test_message ("%s", refused);
  /* The buffer that it made, and the segment that its bytes came in. */
  g_assert_cmpint (atoi (refused), >=, 2);
  g_assert_cmpuint (sum_result (made), ==, sum_pattern (100000));
  faults_assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* A thread of the worker rewrites what was sent while the application reads it: the value is that of some
 * moment or none of its type, but stays what it was once it is had. */
static void
rewritten_memory_is_read_once (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = faults_make_single ();
  g_autofree char *ok G_GNUC_UNUSED = loky_fixture_call (executor, "fault.obey", "scribble");
  guint n_refused = 0;

  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *text = g_strnfill (100000 + i * 5000, 'x');
      g_autoptr (LokyFuture) future
          = faults_submit_task (executor, "fault.obey-any", g_variant_new_string (text), NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) again_error = NULL;
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GVariant) again = NULL;

      faults_watch (future);
      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      result = loky_future_dup_result (future, &error);
      again = loky_future_dup_result (future, &again_error);
      g_assert_true ((result == NULL) == (again == NULL));
      if (result != NULL)
        {
          g_assert_true (g_utf8_validate (g_variant_get_string (result, NULL), -1, NULL));
          g_assert_true (g_variant_equal (result, again));
          continue;
        }
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
      g_assert_error (again_error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
      n_refused++;
    }
  g_test_message ("%u of 40 were no text any more", n_refused);
  faults_assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* One that shrinks it between its making and its sealing: it spoils its own worker only. */
static void
shrunk_memory_costs_the_worker_only (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = faults_make_single ();
  guint n_failed = 0;

  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *ok G_GNUC_UNUSED = loky_fixture_call (executor, "fault.obey", "shrink");
      g_autofree char *text = g_strnfill (70000 + i * 70000, 'x');
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result
          = i % 2 == 0 ? run_task (executor, "fault.obey-any", g_variant_new_string (text), &error)
                       : run_task (executor, "fault.buffer-make", g_variant_new_uint64 (70000 * i), &error);

      g_assert_true ((result != NULL) == (error == NULL));
      if (error == NULL)
        continue;
      g_test_message ("%s", error->message);
      g_assert_true (error->domain == LOKY_ERROR);
      n_failed++;
    }
  g_test_message ("%u of 50 failed", n_failed);
  faults_assert_serves (executor);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);
  FAULTS_ADD ("14/nesting-has-a-limit-both-ways", nesting_has_a_limit_both_ways);
  FAULTS_ADD ("14/endless-nesting-costs-its-worker", endless_nesting_costs_its_worker);
  FAULTS_ADD ("14/long-types-are-told", long_types_are_told);
  FAULTS_ADD ("14/plugins-of-other-versions", plugins_of_other_versions);
  FAULTS_ADD ("15/wrong-types-are-told", wrong_types_are_told);
  FAULTS_ADD ("15/unknown-names-are-told-with-the-nearest", unknown_names_are_told_with_the_nearest);
  FAULTS_ADD ("15/impossible-names-are-refused", impossible_names_are_refused);
  FAULTS_ADD ("15/invalid-utf8-becomes-normal", invalid_utf8_becomes_normal);
  FAULTS_ADD ("16/empty-values-arrive", empty_values_arrive);
  FAULTS_ADD ("16/buffer-whose-sender-died-is-read", buffer_whose_sender_died_is_read);
  FAULTS_ADD ("16/buffer-of-a-task-that-dies-stays", buffer_of_a_task_that_dies_stays);
  FAULTS_ADD ("16/sealed-memory-stays-as-it-is", sealed_memory_stays_as_it_is);
  FAULTS_ADD ("16/rewritten-memory-is-read-once", rewritten_memory_is_read_once);
  FAULTS_ADD ("16/shrunk-memory-costs-the-worker-only", shrunk_memory_costs_the_worker_only);
  return g_test_run ();
}
