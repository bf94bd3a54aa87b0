/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a task writes to standard output and error, and who gets it. */

#include "fixture.h"

#include <string.h>
#include <sys/resource.h>

#define RECORD (64u << 10)
#define PENDING (1u << 20)

static LokyFuture *
submit (LokyExecutor *executor, const char *text, guint retries, gint64 timeout)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  g_autoptr (GError) error = NULL;
  LokyFuture *future;

  loky_task_options_set_capture_output (options, TRUE);
  loky_task_options_set_retries (options, retries);
  loky_task_options_set_timeout (options, timeout);
  loky_task_options_set_cancel_grace (options, 10);
  future =
      loky_executor_submit (executor, "fault.obey", g_variant_new_string (text), options, &error);
  g_assert_no_error (error);
  return future;
}

static LokyFuture *
order (LokyFixture *fixture, const char *text)
{
  return submit (fixture->executor, text, 0, -1);
}

static void
assert_output (LokyFuture *future, LokyStream stream, const char *expected)
{
  g_autoptr (GBytes) bytes = loky_future_dup_output (future, stream);
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);

  g_assert_cmpmem (data, size, expected, strlen (expected));
  g_assert_cmpuint (loky_future_get_output_size (future, stream), ==, strlen (expected));
}

static void
assert_succeeded (LokyFuture *future)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  error = loky_future_dup_error (future);
  g_assert_no_error (error);
}

typedef struct
{
  GString *text[2];
  guint64 n_dropped[2];
  guint n_done;
  guint n_after_done;
} Heard;

static void
output_cb (
    LokyFuture *future, LokyStream stream, GBytes *bytes, guint64 n_dropped, gpointer user_data)
{
  Heard *heard = user_data;
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);

  g_assert_cmpuint (size, >, 0);
  heard->n_after_done += heard->n_done;
  heard->n_dropped[stream] += n_dropped;
  g_string_append_len (heard->text[stream], data, (gssize) size);
}

static void
done_cb (LokyFuture *future, gpointer user_data)
{
  ((Heard *) user_data)->n_done++;
}

static void
hear (LokyFuture *future, Heard *heard)
{
  *heard = (Heard){ { g_string_new (NULL), g_string_new (NULL) } };
  g_signal_connect (future, "output", G_CALLBACK (output_cb), heard);
  g_signal_connect (future, "done", G_CALLBACK (done_cb), heard);
}

static void
heard_clear (Heard *heard)
{
  g_assert_cmpuint (heard->n_done, ==, 1);
  g_assert_cmpuint (heard->n_after_done, ==, 0);
  g_string_free (heard->text[0], TRUE);
  g_string_free (heard->text[1], TRUE);
}

static gboolean
is_done (gpointer data)
{
  return ((Heard *) data)->n_done > 0;
}

static gboolean
has_output (gpointer data)
{
  return ((Heard *) data)->text[0]->len > 0;
}

static void
both_streams_are_told_before_done (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = order (fixture, "output:x");
  Heard heard;

  hear (future, &heard);
  loky_fixture_wait_for (is_done, &heard);
  g_assert_cmpstr (heard.text[LOKY_STREAM_STDOUT]->str, ==, "out x");
  g_assert_cmpstr (heard.text[LOKY_STREAM_STDERR]->str, ==, "err x");
  heard_clear (&heard);
  assert_output (future, LOKY_STREAM_STDOUT, "out x");
  assert_output (future, LOKY_STREAM_STDERR, "err x");
}

/* Each has its own, however many there are. */
static void
each_task_has_its_own (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[100];

  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      g_autofree char *text = g_strdup_printf ("output:%u", i);

      futures[i] = order (fixture, text);
    }
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      g_autofree char *out = g_strdup_printf ("out %u", i);
      g_autofree char *err = g_strdup_printf ("err %u", i);

      assert_succeeded (futures[i]);
      assert_output (futures[i], LOKY_STREAM_STDOUT, out);
      assert_output (futures[i], LOKY_STREAM_STDERR, err);
      g_object_unref (futures[i]);
    }
}

static void
programs_that_a_task_starts_are_captured (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = order (fixture, "output-program:y");

  assert_succeeded (future);
  assert_output (future, LOKY_STREAM_STDOUT, "out y\n");
  assert_output (future, LOKY_STREAM_STDERR, "err y\n");
}

/* By the sync functions, and nobody iterates: the last is kept. */
static void
record_is_bounded (LokyFixture *fixture, gconstpointer data)
{
  static const guint sizes[] = { 0, 1, RECORD - 1, RECORD, RECORD + 1, 3 * RECORD + 5, 10000000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = g_strdup_printf ("output-bytes:%u", sizes[i]);
      g_autoptr (LokyFuture) future = order (fixture, text);
      g_autoptr (GBytes) bytes = NULL;
      const guint8 *content;
      gsize size;

      assert_succeeded (future);
      bytes = loky_future_dup_output (future, LOKY_STREAM_STDOUT);
      content = g_bytes_get_data (bytes, &size);
      g_assert_cmpuint (size, ==, MIN (sizes[i], RECORD));
      g_assert_cmpuint (loky_future_get_output_size (future, LOKY_STREAM_STDOUT), ==, sizes[i]);
      for (gsize j = 0; j < size; j++)
        if (content[j] != (guint8) (7 * ((sizes[i] - size + j) % 4096) + 3))
          g_assert_cmpuint (content[j], ==, (guint8) (7 * ((sizes[i] - size + j) % 4096) + 3));
    }
}

/* Who listens late gets the last of it, and hears how much is missing. */
static void
what_is_dropped_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = order (fixture, "output-bytes:10000000");
  Heard heard;

  assert_succeeded (future);
  hear (future, &heard);
  loky_fixture_wait_for (is_done, &heard);
  g_assert_cmpuint (heard.text[0]->len + heard.n_dropped[0], ==, 10000000);
  g_assert_cmpuint (heard.text[0]->len, <=, PENDING);
  g_assert_cmpuint (heard.text[0]->len, >, PENDING / 4);
  heard_clear (&heard);
}

static void
crash_loses_no_output (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = order (fixture, "output-crash:last words");
  g_autoptr (GError) error = NULL;
  g_autofree char *tail = NULL;
  Heard heard;

  hear (future, &heard);
  loky_fixture_wait_for (is_done, &heard);
  g_assert_true (g_str_has_prefix (heard.text[0]->str, "last words"));
  g_assert_true (g_str_has_prefix (heard.text[1]->str, "last words"));
  heard_clear (&heard);
  assert_output (future, LOKY_STREAM_STDOUT, "last words");
  error = loky_future_dup_error (future);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  g_assert_nonnull (strstr (error->message, "last words"));
  tail = loky_future_dup_stderr_tail (future);
  g_assert_nonnull (strstr (tail, "last words"));
}

static void
attempts_add_up (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture->executor, "output-crash-once:z", 1, -1);

  assert_succeeded (future);
  assert_output (future, LOKY_STREAM_STDOUT, "zout z");
}

/* The next worker is there already: it is sent there while the last one is being buried. */
static void
attempt_at_another_worker_has_its_own_pipes (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 4, NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (LokyFuture) future = NULL;

      loky_executor_warm_up_sync (executor, 4, NULL, &error);
      g_assert_no_error (error);
      future = submit (executor, "output-crash-once:z", 1, -1);
      assert_succeeded (future);
      assert_output (future, LOKY_STREAM_STDOUT, "zout z");
      assert_output (future, LOKY_STREAM_STDERR, "zerr z");
    }
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

/* It comes while the task runs, and nothing of it is lost when that has to be killed. */
static void
hang_has_its_output (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture->executor, "output-hang:still here", 0, 600000);
  g_autoptr (LokyFuture) timed = submit (fixture->executor, "output-hang:too long", 0, 50);
  Heard heard;

  hear (future, &heard);
  loky_fixture_wait_for (has_output, &heard);
  g_assert_false (loky_future_is_done (future));
  assert_output (future, LOKY_STREAM_STDOUT, "still here");
  loky_future_cancel (future);
  loky_fixture_wait_for (is_done, &heard);
  g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_CANCELLED);
  g_assert_cmpstr (heard.text[0]->str, ==, "still here");
  heard_clear (&heard);
  g_assert_true (loky_future_wait (timed, -1, NULL, NULL));
  loky_fixture_assert_fails (timed, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  assert_output (timed, LOKY_STREAM_STDOUT, "too long");
}

/* It is not waited for, whatever it does. */
static void
child_that_holds_the_pipe_holds_nothing_up (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyFuture) quiet = submit (executor, "output-child:child", 0, -1);
  g_autoptr (LokyFuture) loud = submit (executor, "output-child:flood", 0, -1);
  g_autoptr (LokyFuture) next = submit (executor, "output:next", 0, -1);

  assert_succeeded (quiet);
  assert_output (quiet, LOKY_STREAM_STDOUT, "child");
  assert_succeeded (loud);
  g_assert_cmpuint (loky_future_get_output_size (loud, LOKY_STREAM_STDOUT), >=, 5);
  assert_succeeded (next);
  assert_output (next, LOKY_STREAM_STDOUT, "out next");
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

/* Only while a task is captured. */
static void
worker_has_its_own_output_back (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *before = loky_fixture_call (executor, "fault.obey", "output-places");
  static const char *const orders[] = { "output:x", "output-crash:x", "output-close" };

  for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (LokyFuture) future = submit (executor, orders[i], 0, -1);
      g_autofree char *after = NULL;

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      after = loky_fixture_call (executor, "fault.obey", "output-places");
      /* Another worker has another one. */
      if (strstr (orders[i], "crash") != NULL)
        {
          g_free (before);
          before = g_steal_pointer (&after);
        }
      else
        g_assert_cmpstr (after, ==, before);
    }
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

/* Then there is none any more, and nothing else in its place. */
static void
task_that_closes_everything_costs_the_output (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyFuture) future = submit (executor, "output-close-all", 0, -1);
  g_autoptr (LokyFuture) next = NULL;
  g_autofree char *places = NULL;

  assert_succeeded (future);
  places = loky_fixture_call (executor, "fault.obey", "output-places");
  g_assert_cmpstr (places, ==, "/dev/null /dev/null");
  next = submit (executor, "output:x", 0, -1);
  assert_succeeded (next);
  assert_output (next, LOKY_STREAM_STDOUT, "out x");
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

/* It prints when nobody reads any more. */
static void
late_printing_does_not_end_the_worker (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *before = loky_fixture_call (executor, "fault.obey", "pid");
  g_autofree char *after = NULL;

  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (LokyTaskOptions) options = g_object_new (LOKY_TYPE_TASK_OPTIONS, "capture-output", TRUE, NULL);
      g_autoptr (LokyFuture) future = loky_executor_submit (
          executor, "fault.obey", g_variant_new_string ("output-late"), options, NULL);

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      g_assert_cmpint (loky_future_get_state (future), ==, LOKY_FUTURE_STATE_SUCCEEDED);
    }
  after = loky_fixture_call (executor, "fault.obey", "pid");
  g_assert_cmpstr (before, ==, after);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* The C library's own buffer is lost then, and nothing else. */
static void
thread_that_holds_a_stream_holds_nothing_up (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyFuture) future = submit (executor, "output-lock", 0, -1);
  g_autoptr (LokyFuture) next = NULL;

  assert_succeeded (future);
  next = submit (executor, "output-program:x", 0, -1);
  assert_succeeded (next);
  assert_output (next, LOKY_STREAM_STDOUT, "out x\n");
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
large_arguments_and_captured_output_go_together (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *filler = g_strnfill (100000, 'f');
  g_autofree char *text = g_strconcat ("output:", filler, NULL);
  g_autofree char *out = g_strconcat ("out ", filler, NULL);
  g_autoptr (LokyFuture) future = order (fixture, text);
  g_autoptr (GBytes) bytes = NULL;

  assert_succeeded (future);
  bytes = loky_future_dup_output (future, LOKY_STREAM_STDOUT);
  g_assert_cmpuint (loky_future_get_output_size (future, LOKY_STREAM_STDOUT), ==, strlen (out));
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                   out + strlen (out) - RECORD, RECORD);
}

static void
buffers_leave_room_for_the_pipes (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();

  loky_task_options_set_capture_output (options, TRUE);
  for (guint n = 61; n <= 62; n++)
    {
      g_autoptr (GPtrArray) buffers = g_ptr_array_new_with_free_func (g_object_unref);
      g_autoptr (LokyFuture) future = NULL;
      g_autoptr (GError) error = NULL;
      GVariantBuilder builder;

      g_variant_builder_init (&builder, G_VARIANT_TYPE ("ah"));
      for (guint i = 0; i < n; i++)
        {
          LokyBuffer *buffer = loky_buffer_new (10, NULL);
          g_autoptr (GVariant) handle = loky_buffer_to_variant (buffer, NULL);

          g_ptr_array_add (buffers, buffer);
          g_variant_builder_add_value (&builder, handle);
        }
      future = loky_executor_submit (fixture->executor, "fault.obey-any",
                                     g_variant_builder_end (&builder), options, &error);
      if (n > 61)
        g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
      else
        assert_succeeded (future);
    }
}

/* Without descriptors the task is told, and no other is. */
static void
no_descriptor_is_told (LokyFixture *fixture, gconstpointer data)
{
  struct rlimit before, limit;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (LokyFuture) later = NULL;
  g_autofree char *before_all = loky_fixture_call (fixture->executor, "fault.obey", "output-places");

  g_assert_nonnull (before_all);
  if (loky_fixture_has_valgrind ())
    {
      g_test_skip ("valgrind has a limit of its own");
      return;
    }
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  limit = before;
  limit.rlim_cur = 3;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  future = order (fixture, "output:x");
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  later = order (fixture, "output:x");
  assert_succeeded (later);
  assert_output (later, LOKY_STREAM_STDOUT, "out x");
}

static void
calls_and_maps_refuse (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  g_autoptr (LokyMapOptions) map_options = loky_map_options_new ();
  const char *const items[] = { "output:x", NULL };
  g_autoptr (LokyInput) input = loky_input_new_for_strv (items);
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  loky_task_options_set_capture_output (options, TRUE);
  loky_task_options_set_capture_output (LOKY_TASK_OPTIONS (map_options), TRUE);
  g_assert_null (loky_executor_call_sync (fixture->executor, "fault.obey",
                                          g_variant_new_string ("output:x"), options, NULL,
                                          &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  results = loky_executor_map (fixture->executor, "fault.obey", input, map_options);
  future = loky_results_next (results, NULL, &error);
  if (future != NULL)
    error = loky_future_dup_error (future);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

static void
nothing_where_it_is_not_asked_for (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future =
      loky_fixture_submit (fixture->executor, "fault.obey", g_variant_new_string ("ok"));

  g_assert_null (loky_future_dup_output (future, LOKY_STREAM_STDOUT));
  g_assert_cmpuint (loky_future_get_output_size (future, LOKY_STREAM_STDERR), ==, 0);
  assert_succeeded (future);
}

/* With everything in flight. */
static void
shutdown_lets_go_of_all (LokyFixture *fixture, gconstpointer data)
{
  static const LokyShutdownMode modes[] = { LOKY_SHUTDOWN_KILL, LOKY_SHUTDOWN_CANCEL_PENDING };

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 2, NULL);
      LokyFuture *futures[20];

      for (guint n = 0; n < G_N_ELEMENTS (futures); n++)
        futures[n] = submit (executor, i == 0 ? "output-hang:x" : "output:x", 0, -1);
      loky_fixture_wait_running (futures[0]);
      loky_fixture_end_executor (executor, modes[i]);
      for (guint n = 0; n < G_N_ELEMENTS (futures); n++)
        {
          g_assert_true (loky_future_is_done (futures[n]));
          g_object_unref (futures[n]);
        }
    }
}

/* Between tasks that are not, by threads that wait and that do not. */
static void
among_others (LokyFixture *fixture, gconstpointer data)
{
  for (guint round = 0; round < 50; round++)
    {
      g_autofree char *text = g_strdup_printf ("output:%u", round);
      g_autofree char *out = g_strdup_printf ("out %u", round);
      LokyFuture *others[20];
      g_autoptr (LokyFuture) future = NULL;

      for (guint i = 0; i < G_N_ELEMENTS (others); i++)
        others[i] = loky_fixture_submit (fixture->executor, "demo.echo", g_variant_new_uint32 (i));
      future = order (fixture, text);
      assert_succeeded (future);
      assert_output (future, LOKY_STREAM_STDOUT, out);
      for (guint i = 0; i < G_N_ELEMENTS (others); i++)
        {
          assert_succeeded (others[i]);
          g_object_unref (others[i]);
        }
    }
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/output/both-streams-are-told-before-done",
                    both_streams_are_told_before_done);
  LOKY_FIXTURE_ADD ("/loky/output/each-task-has-its-own", each_task_has_its_own);
  LOKY_FIXTURE_ADD ("/loky/output/programs-that-a-task-starts-are-captured",
                    programs_that_a_task_starts_are_captured);
  LOKY_FIXTURE_ADD ("/loky/output/record-is-bounded", record_is_bounded);
  LOKY_FIXTURE_ADD ("/loky/output/what-is-dropped-is-told", what_is_dropped_is_told);
  LOKY_FIXTURE_ADD ("/loky/output/crash-loses-no-output", crash_loses_no_output);
  LOKY_FIXTURE_ADD ("/loky/output/attempts-add-up", attempts_add_up);
  LOKY_FIXTURE_ADD ("/loky/output/attempt-at-another-worker-has-its-own-pipes",
                    attempt_at_another_worker_has_its_own_pipes);
  LOKY_FIXTURE_ADD ("/loky/output/hang-has-its-output", hang_has_its_output);
  LOKY_FIXTURE_ADD ("/loky/output/child-that-holds-the-pipe-holds-nothing-up",
                    child_that_holds_the_pipe_holds_nothing_up);
  LOKY_FIXTURE_ADD ("/loky/output/worker-has-its-own-output-back", worker_has_its_own_output_back);
  LOKY_FIXTURE_ADD ("/loky/output/task-that-closes-everything-costs-the-output",
                    task_that_closes_everything_costs_the_output);
  LOKY_FIXTURE_ADD ("/loky/output/late-printing-does-not-end-the-worker",
                    late_printing_does_not_end_the_worker);
  LOKY_FIXTURE_ADD ("/loky/output/thread-that-holds-a-stream-holds-nothing-up",
                    thread_that_holds_a_stream_holds_nothing_up);
  LOKY_FIXTURE_ADD ("/loky/output/large-arguments-and-captured-output-go-together",
                    large_arguments_and_captured_output_go_together);
  LOKY_FIXTURE_ADD ("/loky/output/buffers-leave-room-for-the-pipes",
                    buffers_leave_room_for_the_pipes);
  LOKY_FIXTURE_ADD ("/loky/output/no-descriptor-is-told", no_descriptor_is_told);
  LOKY_FIXTURE_ADD ("/loky/output/calls-and-maps-refuse", calls_and_maps_refuse);
  LOKY_FIXTURE_ADD ("/loky/output/nothing-where-it-is-not-asked-for",
                    nothing_where_it_is_not_asked_for);
  LOKY_FIXTURE_ADD ("/loky/output/shutdown-lets-go-of-all", shutdown_lets_go_of_all);
  LOKY_FIXTURE_ADD ("/loky/output/among-others", among_others);

  return g_test_run ();
}
