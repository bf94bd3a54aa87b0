/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers that send what no worker sends, write nonsense into shared memory, or stop: rows 16 (what travels
 * in memfds), 19 and 20 of docs/faults.md. */

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "hostile.h"

/* How many tasks are there besides the one that is hostile, in each test. */
#define N_OTHERS 20

static LokyTaskOptions *
timing_out (gint64 timeout, gint64 grace)
{
  return g_object_new (LOKY_TYPE_TASK_OPTIONS, "timeout", timeout, "cancel-grace", grace, NULL);
}

/* --- what costs a worker its life -------------------------------------------------------------- */

typedef struct
{
  const char *path;
  const char *order;
  const char *text; /* in the error */
} Crime;

static const Crime crimes[] = {
  { "19/wrong-magic", "magic", "A frame begins with" },
  { "19/other-version", "version", "A frame is of protocol version 99" },
  { "19/length-0", "length:0", "is too short for a value" },
  { "19/length-too-short", "length:40", "is" },
  { "19/length-2-to-the-31-less-1", "length:2147483647", "claims a body of 2147483647 bytes" },
  { "19/length-2-to-the-32-less-1", "length:4294967295", "claims a body of 4294967295 bytes" },
  { "19/length-just-too-large", "length:1048577", "claims a body of 1048577 bytes" },
  { "19/value-of-2-to-the-63", "value-size:9223372036854775808", "is not as long as its value" },
  { "19/value-of-2-to-the-64-less-1", "value-size:18446744073709551615", "is not as long as its value" },
  { "19/255-descriptors-claimed", "n-fds", "claims 255 descriptors" },
  { "19/descriptors-missing", "missing-fds", "without its descriptors" },
  { "19/reserved-byte", "reserved", "where zero is due" },
  { "19/type-too-long", "type-length", "is too short for its type" },
  { "19/type-indefinite", "type-string", "no valid type string" },
  { "19/no-known-place", "place", "in no known place" },
  { "19/message-0", "type:0", "a message of type 0" },
  { "19/message-unknown", "type:99", "a message of type 99" },
  { "19/message-255", "type:255", "a message of type 255" },
  { "19/message-of-the-parent", "type:3", "a message of type 3" },
  { "19/empty-result", "type:34", "is too short for a value" },
  { "19/empty-failure", "type:35", "is not what its type says" },
  { "19/failure-of-nonsense", "bad-failure", "is not what its type says" },
  { "19/failure-not-utf8", "bad-text", "is not what its type says" },
  { "19/slot-of-no-task", "slot:200", "a task that it does not have" },
  { "19/slot-too-high", "slot:256", "a task that it does not have" },
  { "19/slot-far-too-high", "slot:4294967295", "a task that it does not have" },
  { "19/number-of-no-task", "number:77777", "a task that it does not have" },
  { "19/number-0", "number:0", "a task that it does not have" },
  { "19/number-2-to-the-63", "number:9223372036854775808", "a task that it does not have" },
  { "19/chunk-result-for-a-task", "chunk-undue", "a task that it does not have" },
  { "19/hello-again", "hello-again", "said hello twice" },
  { "19/goodbye-untold", "goodbye", "left untold" },
  { "19/writing-shut-down", "shut:1", "closed its channel" },
  { "19/both-ways-shut-down", "shut:2", "closed its channel" },
  { "19/channel-closed", "close", "closed its channel" },
  { "19/channel-closed-in-an-exit-without-end", "exit-slowly:never", "closed its channel" },
  { "19/note-too-short", "broken-note:short", "a task that it does not have" },
  { "19/note-with-a-segment", "broken-note:segment", "a task that it does not have" },
  { "19/note-with-a-buffer", "broken-note:buffer", "a task that it does not have" },
  { "19/note-of-a-chunk", "broken-note:chunk", "a task that it does not have" },
  { "19/note-of-no-type", "broken-note:type", "a task that it does not have" },
  { "19/partial-that-nobody-asked-for", "partial-and-hang", "sent what nobody asked for" },
  { "19/partial-of-another-number", "partial-number", "a task that it does not have" },
  { "19/flood-of-empty-partials", "flood:40", "too short for a value" },
  { "19/flood-of-unknown-messages", "flood:77", "a message of type 77" },
  { "19/flood-of-setups", "flood:1", "a message of type 1" },
  { "19/flood-of-goodbyes", "flood:37", "left untold" },
  { "19/descriptor-pipe", "fd:pipe", "does not carry the descriptors" },
  { "19/descriptor-fifo", "fd:fifo", "no memory that can be sealed" },
  { "19/descriptor-socket", "fd:socket", "no memory that can be sealed" },
  { "19/descriptor-lingering", "fd:linger", "no memory that can be sealed" },
  { "19/descriptor-eventfd", "fd:eventfd", "no memory that can be sealed" },
  { "19/descriptor-epoll", "fd:epoll", "no memory that can be sealed" },
  { "19/descriptor-folder", "fd:folder", "no memory that can be sealed" },
  { "19/descriptor-path", "fd:path", "no memory that can be sealed" },
  { "19/descriptor-file", "fd:file", "no memory that can be sealed" },
  { "19/descriptor-that-nobody-accepts", "undue-descriptor:socket", "no memory that can be sealed" },
  { "19/descriptor-its-own-channel", "fd:channel", "no memory that can be sealed" },
  { "19/descriptors-unclaimed", "fd-flood", "More descriptors were sent than frames claim" },
  { "19/descriptors-more-than-fit", "fds:memory", NULL },
  { "16/segment-shrunk", "segment:shrunk", "smaller than the value" },
  { "16/segment-emptied", "segment:empty", "smaller than the value" },
  { "16/segment-with-a-hole", "segment:hole", "smaller than the value" },
  { "16/segment-of-a-sparse-file", "segment:tmpfs", "smaller than the value" },
  { "16/segment-of-2-to-the-63", "segment:huge", "smaller than the value" },
  { "16/segment-that-is-a-pipe", "segment:pipe", "smaller than the value" },
  { "16/segment-write-only", "segment:write-only", NULL },
  { "16/buffer-unsealed", "buffer:unsealed", "is not sealed" },
  { "16/buffer-without-write-seal", "buffer:no-write-seal", "is not sealed" },
  { "16/buffer-with-future-write-seal", "buffer:future-write", "is not sealed" },
  { "16/buffer-without-shrink-seal", "buffer:no-shrink-seal", "is not sealed" },
  { "16/buffer-with-a-hole", "buffer:hole", "has holes" },
  { "16/buffer-longer-than-it-is", "buffer:longer", "is not of the size that was said" },
  { "16/buffer-that-is-a-pipe", "resource:buffer", "is not sealed" },
  { "16/synchronizer-that-is-a-pipe", "resource:synchronizer", "is not sealed" },
  { "16/descriptor-that-is-a-pipe", "resource:descriptor", "A descriptor came with a result" },
  { "16/hold-that-is-memory", "resource:memory", "is no hold" },
  { "16/hold-that-is-a-fifo", "resource:fifo", "no memory that can be sealed" },
  { "16/hold-that-can-be-read", "resource:read-end", "is no hold" },
  { "16/hold-of-some-size", "resource:size", "is no hold" },
};

/* It is killed, its task says why, those that were sent to it besides run elsewhere, and the next worker
 * serves. */
static void
crime (HostileFixture *fixture, gconstpointer data)
{
  const Crime *it = data;
  LokyExecutor *executor = fixture->base.executor;
  LokyFuture *future, *others[N_OTHERS];
  g_autofree char *pid = NULL;

  /* From now on short tasks are sent ahead. */
  hostile_assert_serves (fixture, executor, 2);
  future = hostile_submit (fixture, executor, it->order, NULL);
  for (guint i = 0; i < N_OTHERS; i++)
    others[i] = hostile_submit (fixture, executor, "good", NULL);
  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_PROTOCOL, it->text);
  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "hostile.obey");
  pid = g_strdup_printf ("(pid %d) was killed", loky_future_get_worker_pid (future));
  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_PROTOCOL, pid);
  for (guint i = 0; i < N_OTHERS; i++)
    hostile_assert_result (others[i], "good");
  hostile_assert_serves (fixture, executor, 4);
}

/* --- what costs it nothing, or only itself ----------------------------------------------------- */

typedef struct
{
  const char *path;
  const char *order;
  GQuark (*get_domain) (void); /* NULL: the order itself is the result */
  int code;
} Misdeed;

static const Misdeed misdeeds[] = {
  { "19/same-result-twice", "again", NULL, 0 },
  { "19/same-result-twice-apart", "again-later", NULL, 0 },
  { "19/failure-then-result", "failure-then-result", g_io_error_quark, G_IO_ERROR_NOT_FOUND },
  { "19/start-failed-while-it-serves", "start-failed", NULL, 0 },
  { "19/grown-without-end", "grown", NULL, 0 },
  { "19/release-of-what-was-never-sent", "release", NULL, 0 },
  { "19/flood-of-releases", "flood:16", NULL, 0 },
  { "19/flood-of-progress", "flood:36", NULL, 0 },
  { "19/flood-of-start-failed", "flood:33", loky_error_quark, LOKY_ERROR_PROTOCOL },
  { "19/nonsense-progress", "progress", NULL, 0 },
  { "19/doorbell-written-to", "ring", NULL, 0 },
  { "19/note-as-it-should-be", "note", NULL, 0 },
  { "19/note-of-another-number", "odd-note:number", NULL, 0 },
  { "19/note-of-another-slot", "odd-note:slot", NULL, 0 },
  { "19/note-of-another-type", "odd-note:type", NULL, 0 },
  { "19/note-too-long", "odd-note:length", NULL, 0 },
  { "19/note-elsewhere", "odd-note:elsewhere", NULL, 0 },
  { "19/note-and-death", "note-and-die", NULL, 0 },
  { "19/note-and-message", "note-and-message", NULL, 0 },
  { "19/flood-of-notes", "note-flood", NULL, 0 },
  { "19/value-not-normal", "not-normal", loky_error_quark, LOKY_ERROR_PROTOCOL },
  { "19/error-domain-long", "domain:long", loky_error_quark, LOKY_ERROR_FAILED },
  { "19/error-domain-empty", "domain:", loky_error_quark, LOKY_ERROR_FAILED },
  { "19/error-message-long", "message", g_io_error_quark, G_IO_ERROR_FAILED },
  { "16/segment-as-it-should-be", "segment:good", NULL, -1 },
};

static void
misdeed (HostileFixture *fixture, gconstpointer data)
{
  const Misdeed *it = data;
  LokyExecutor *executor = fixture->base.executor;

  for (guint round = 0; round < 3; round++)
    {
      LokyFuture *future, *others[N_OTHERS];

      hostile_assert_serves (fixture, executor, 2);
      future = hostile_submit (fixture, executor, it->order, NULL);
      for (guint i = 0; i < N_OTHERS; i++)
        others[i] = hostile_submit (fixture, executor, "good", NULL);
      if (it->get_domain == NULL)
        hostile_assert_result (future, it->code == 0 ? it->order : NULL);
      else
        hostile_assert_error (future, it->get_domain (), it->code, NULL);
      g_assert_cmpfloat (loky_future_get_progress (future), >=, 0);
      g_assert_cmpfloat (loky_future_get_progress (future), <=, 1);
      for (guint i = 0; i < N_OTHERS; i++)
        hostile_assert_result (others[i], "good");
      hostile_settle (fixture);
    }
}

/* --- answers for the tasks of others ----------------------------------------------------------- */

/* One that was sent ahead and is taken back, since the worker does not return. */
static void
result_for_a_task_taken_back (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);
  LokyFuture *thief, *robbed[5];

  hostile_assert_serves (fixture, executor, 5);
  thief = hostile_submit (fixture, executor, "steal", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (robbed); i++)
    robbed[i] = hostile_submit (fixture, executor, "good", NULL);
  hostile_assert_error (thief, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "a task that it does not have");
  for (guint i = 0; i < G_N_ELEMENTS (robbed); i++)
    hostile_assert_result (robbed[i], "good");
  g_assert_cmpint (fixture->board->n_holding, ==, 1);
  hostile_assert_serves (fixture, executor, 5);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
result_for_a_cancelled_task (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);
  LokyFuture *thief, *cancelled;

  hostile_assert_serves (fixture, executor, 5);
  thief = hostile_submit (fixture, executor, "steal", NULL);
  cancelled = hostile_submit (fixture, executor, "good", NULL);
  hostile_wait_holding (fixture, 1);
  g_assert_true (loky_future_cancel (cancelled));
  hostile_assert_error (thief, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "a task that it does not have");
  hostile_assert_error (cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED, NULL);
  hostile_assert_serves (fixture, executor, 5);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
result_for_the_task_of_another_worker (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);
  LokyFuture *held, *thief;

  /* Numbers are a worker's own: the one that holds has come further. */
  hostile_assert_serves (fixture, executor, 10);
  held = hostile_submit (fixture, executor, "hold", NULL);
  hostile_wait_holding (fixture, 1);
  g_assert_cmpint (fixture->board->held_number, >, 10);
  loky_executor_set_max_workers (executor, 2);
  thief = hostile_submit (fixture, executor, "other", NULL);
  hostile_assert_error (thief, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "a task that it does not have");
  g_assert_cmpint (loky_future_get_worker_pid (thief), !=, fixture->board->held_pid);
  g_assert_false (loky_future_is_done (held));
  g_atomic_int_set (&fixture->board->go_on, TRUE);
  hostile_assert_result (held, "hold");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- silence ----------------------------------------------------------------------------------- */

/* Half a frame, and nothing else, at the fields' edges: the timeout of the task ends it. */
static void
truncated_frame_then_silence (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[]
      = { "silence:0", "silence:1", "silence:23", "silence:24", "silence:25", "silence:60" };
  g_autoptr (LokyTaskOptions) options = timing_out (50, 50);

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyFuture *future = hostile_submit (fixture, fixture->base.executor, orders[i], options);

      hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_TIMED_OUT, "hostile.obey");
    }
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

/* The same without a timeout: a worker that gives no sign of life is killed. */
static void
truncated_frame_and_heartbeat (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2, "heartbeat-timeout",
                                                  G_GINT64_CONSTANT (100));
  LokyFuture *future = hostile_submit (fixture, executor, "silence:30", NULL);

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "no sign of life");
  hostile_assert_serves (fixture, executor, 10);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
truncated_frame_and_shutdown (HostileFixture *fixture, gconstpointer data)
{
  static const LokyShutdownMode modes[]
      = { LOKY_SHUTDOWN_DRAIN, LOKY_SHUTDOWN_CANCEL_PENDING, LOKY_SHUTDOWN_KILL };

  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2);
      LokyFuture *future = hostile_submit (fixture, executor, "silence:30", NULL);
      g_autoptr (GError) error = NULL;

      loky_fixture_wait_running (future);
      g_assert_true (loky_executor_shutdown_sync (executor, modes[i], 50, NULL, &error));
      g_assert_no_error (error);
      hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN, NULL);
      hostile_settle (fixture);
      g_object_unref (executor);
    }
}

/* --- the control area -------------------------------------------------------------------------- */

/* Before hello: the parent goes by its own record. */
static void
control_area_of_nonsense_at_start (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "scribble:random", "scribble:ones", "scribble:zeros" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2);

      hostile_order (fixture, 2, orders[i]);
      hostile_assert_serves (fixture, executor, 100);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
      hostile_settle (fixture);
    }
}

/* In a task: what is sent after it is not harmed. */
static void
control_area_of_nonsense_in_a_task (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "scribble:random", "scribble:ones", "scribble:zeros" };

  for (guint i = 0; i < 30; i++)
    {
      const char *order = orders[i % G_N_ELEMENTS (orders)];

      hostile_assert_result (hostile_submit (fixture, fixture->base.executor, order, NULL), order);
      hostile_assert_serves (fixture, fixture->base.executor, 10);
    }
}

/* In a task, while others wait behind it at the same worker: they are served, or their end is told, since
 * nobody can say any more whether they were begun. */
static void
control_area_of_nonsense_before_others (HostileFixture *fixture, gconstpointer data)
{
  const char *order = data;
  LokyFuture *others[N_OTHERS];
  LokyFuture *future;
  g_autoptr (GError) end = NULL;

  hostile_assert_serves (fixture, fixture->base.executor, 2);
  future = hostile_submit (fixture, fixture->base.executor, order, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    others[i] = hostile_submit (fixture, fixture->base.executor, "good", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_future_wait (others[i], -1, NULL, NULL));
      error = loky_future_dup_error (others[i]);
      if (error != NULL)
        g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
    }
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  end = loky_future_dup_error (future);
  if (end != NULL || g_str_equal (order, "forget"))
    g_assert_error (end, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  hostile_assert_serves (fixture, fixture->base.executor, N_OTHERS);
}

/* What it leaves behind is nonsense: an error all the same, and text. */
static void
control_area_of_nonsense_at_the_end (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[]
      = { "scribble-and-die:random", "scribble-and-die:ones", "scribble-and-die:zeros" };

  for (guint i = 0; i < 30; i++)
    {
      LokyFuture *future
          = hostile_submit (fixture, fixture->base.executor, orders[i % G_N_ELEMENTS (orders)], NULL);
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      error = loky_future_dup_error (future);
      g_assert_nonnull (error);
      g_assert_true (error->domain == LOKY_ERROR);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      g_assert_nonnull (strstr (error->message, "hostile.obey"));
      g_assert_nonnull (strstr (error->message, "pid"));
    }
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

/* What is judged by the area is judged in time. */
static void
control_area_of_nonsense_and_timeout (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[]
      = { "scribble-and-hang:random", "scribble-and-hang:ones", "scribble-and-hang:zeros", "young",
          "pending" };
  const char *order = orders[GPOINTER_TO_UINT (data)];
  g_autoptr (LokyTaskOptions) options = timing_out (50, 50);
  LokyFuture *future = hostile_submit (fixture, fixture->base.executor, order, options);
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  error = loky_future_dup_error (future);
  g_assert_nonnull (error);
  g_assert_true (error->domain == LOKY_ERROR);
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

static void
control_area_of_nonsense_and_cancel (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[]
      = { "scribble-and-hang:random", "scribble-and-hang:ones", "scribble-and-hang:zeros", "young" };
  g_autoptr (LokyTaskOptions) options = timing_out (-1, 20);

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyFuture *future = hostile_submit (fixture, fixture->base.executor, orders[i], options);

      g_usleep (5000);
      loky_future_cancel (future);
      hostile_assert_error (future, G_IO_ERROR, G_IO_ERROR_CANCELLED, NULL);
    }
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

/* --- segments and buffers ---------------------------------------------------------------------- */

/* What a worker takes back as released before it was sent is not used twice. */
static void
early_release (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2);
  LokyFuture *futures[30];
  char *sums[30];

  hostile_order (fixture, 2, "release");
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      g_autofree char *text = g_strnfill (100 * 1000 + i, (char) ('a' + i % 26));
      g_autofree char *order = g_strconcat ("sum:", text, NULL);

      sums[i] = g_compute_checksum_for_string (G_CHECKSUM_SHA1, text, -1);
      futures[i] = hostile_submit (fixture, executor, order, NULL);
    }
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      hostile_assert_result (futures[i], sums[i]);
      g_free (sums[i]);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* While the parent reads it: it gets something, once, or tells that it did not. */
static void
segment_changes_while_read (HostileFixture *fixture, gconstpointer data)
{
  const char *order = data;
  guint n_results = 0, n_errors = 0;

  for (guint i = 0; i < 100; i++)
    {
      LokyFuture *future = hostile_submit (fixture, fixture->base.executor, order, NULL);
      g_autoptr (GVariant) first = NULL;
      g_autoptr (GVariant) second = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      first = loky_future_dup_result (future, &error);
      g_usleep (200);
      second = loky_future_dup_result (future, NULL);
      if (first == NULL)
        {
          g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
          g_assert_null (second);
          n_errors++;
          continue;
        }
      g_assert_true (g_variant_equal (first, second));
      g_assert_true (g_variant_is_normal_form (first));
      n_results++;
    }
  g_test_message ("%s: %u results, %u errors", order, n_results, n_errors);
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

/* The end of a pipe that nobody reads is a hold like others: it keeps what no tracker of ours has. */
static void
hold_of_nothing (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future = hostile_submit (fixture, fixture->base.executor, "resource:good", NULL);
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new ("(h^ayb)", 1, "/nonexistent/file", FALSE));
  g_autoptr (LokyResource) resource = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  resource = loky_future_lookup_resource (future, value, &error);
  g_assert_no_error (error);
  g_assert_true (loky_resource_forget (resource, &error));
  g_assert_no_error (error);
  hostile_assert_serves (fixture, fixture->base.executor, 4);
}

static void
buffer_with_blocks_behind_its_end (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future = hostile_submit (fixture, fixture->base.executor, "buffer:beyond", NULL);

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "has holes");
}

/* Descriptors that claim to be sealed memory, and are something else. */
static void
buffer_of_odd_memory (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "buffer:huge-pages", "buffer:write-only" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyFuture *future = hostile_submit (fixture, fixture->base.executor, orders[i], NULL);
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      error = loky_future_dup_error (future);
      if (error != NULL)
        {
          g_assert_true (error->domain == LOKY_ERROR);
          g_assert_true (error->code == LOKY_ERROR_PROTOCOL || error->code == LOKY_ERROR_RESOURCES);
        }
      hostile_assert_serves (fixture, fixture->base.executor, 4);
    }
}

/* --- descriptors whose closing blocks ---------------------------------------------------------- */

/* More than are taken, so that the kernel closes the others when they are read; or with a frame that nobody
 * reads any more. */
static void
lingering_descriptors (HostileFixture *fixture, gconstpointer data)
{
  const char *order = data;
  LokyFuture *future = hostile_submit (fixture, fixture->base.executor, order, NULL);

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_PROTOCOL, NULL);
  hostile_assert_serves (fixture, fixture->base.executor, 10);
  /* All that is to be closed is, or the thread that does it is another. */
  loky_fixture_end_executor (g_steal_pointer (&fixture->base.executor), LOKY_SHUTDOWN_DRAIN);
}

static void
accept_descriptors (HostileFixture *fixture)
{
  loky_fixture_end_executor (g_steal_pointer (&fixture->base.executor), LOKY_SHUTDOWN_DRAIN);
  fixture->base.executor
      = hostile_make_executor (fixture, "max-workers", 2, "accept-descriptors", TRUE, NULL);
}

/* Also where descriptors are accepted. */
static const Crime accepted_crimes[] = {
  { "19/accepted-descriptor-eventfd", "undue-descriptor:eventfd", "if it is a socket" },
  { "19/accepted-descriptor-epoll", "undue-descriptor:epoll", "if it is a socket" },
  { "19/accepted-descriptor-unclaimed", "fd:socket", "does not carry the descriptors" },
  { "19/accepted-descriptor-unclaimed-lingering", "fd:linger", "does not carry the descriptors" },
  { "19/accepted-descriptors-lingering-more-than-fit", "fds:linger", NULL },
  { "19/accepted-descriptor-lingering-unread", "unread-linger", NULL },
  { "16/accepted-lingering-that-is-no-buffer", "misplaced:linger", "in place of memory" },
  { "16/accepted-lingering-that-is-no-segment", "misplaced-segment:linger", "in place of memory" },
  { "16/accepted-folder-that-is-no-segment", "misplaced-segment:folder", "in place of memory" },
};

static void
accepted_crime (HostileFixture *fixture, gconstpointer data)
{
  accept_descriptors (fixture);
  crime (fixture, data);
}

/* None is waited for when it is dropped, with its result or with its worker; other results come meanwhile. */
static void
lingering_results (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "descriptor:linger", "descriptors:linger", "descriptor:linger" };

  accept_descriptors (fixture);
  for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyFuture *future = hostile_submit (fixture, fixture->base.executor, orders[i], NULL);
      g_autoptr (LokyDescriptor) descriptor = NULL;
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      result = loky_future_dup_result (future, &error);
      g_assert_no_error (error);
      descriptor = loky_future_lookup_descriptor (future, g_variant_get_handle (result), &error);
      g_assert_no_error (error);
      hostile_assert_serves (fixture, fixture->base.executor, 4);
    }
  loky_fixture_end_executor (g_steal_pointer (&fixture->base.executor), LOKY_SHUTDOWN_DRAIN);
}

static void
half_a_frame_with_a_lingering_descriptor (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future;

  accept_descriptors (fixture);
  future = hostile_submit (fixture, fixture->base.executor, "half:linger", NULL);
  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, NULL);
  hostile_assert_serves (fixture, fixture->base.executor, 4);
  loky_fixture_end_executor (g_steal_pointer (&fixture->base.executor), LOKY_SHUTDOWN_DRAIN);
}

/* --- errors ------------------------------------------------------------------------------------ */

/* A domain is never forgotten: they are not made without end. */
static void
made_up_domains (HostileFixture *fixture, gconstpointer data)
{
  const guint n = 10000;
  g_autoptr (GPtrArray) futures = g_ptr_array_new ();
  GQuark first = g_quark_from_string ("the last one before");
  GQuark last;

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *order = g_strdup_printf ("domain:made-up-%u", i);

      g_ptr_array_add (futures, hostile_submit (fixture, fixture->base.executor, order, NULL));
    }
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *domain = g_strdup_printf ("made-up-%u", i);

      g_assert_true (loky_future_wait (g_ptr_array_index (futures, i), -1, NULL, NULL));
      error = loky_future_dup_error (g_ptr_array_index (futures, i));
      g_assert_nonnull (error);
      if (error->domain == LOKY_ERROR)
        {
          g_assert_cmpint (error->code, ==, LOKY_ERROR_FAILED);
          g_assert_nonnull (strstr (error->message, domain));
        }
      else
        g_assert_cmpstr (g_quark_to_string (error->domain), ==, domain);
      g_assert_nonnull (strstr (error->message, "of a made-up domain"));
    }
  last = g_quark_from_string ("the first one after");
  g_test_message ("%u domains, %u quarks", n, last - first - 1);
  g_assert_cmpuint (last - first, <=, 300);
}

/* --- the doorbell ------------------------------------------------------------------------------ */

/* Rung many times, and never answered. */
static void
doorbell_rung_often (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);
  g_autoptr (LokyTaskOptions) options = timing_out (-1, 20);
  LokyFuture *future;

  for (guint i = 0; i < 1000; i++)
    {
      future = hostile_submit (fixture, executor, "until-cancelled", NULL);
      loky_fixture_wait_running (future);
      g_assert_true (loky_future_cancel (future));
      hostile_assert_error (future, G_IO_ERROR, G_IO_ERROR_CANCELLED, NULL);
    }
  g_assert_cmpint (fixture->board->n_started, ==, 1);
  future = hostile_submit (fixture, executor, "hang", options);
  loky_fixture_wait_running (future);
  g_assert_true (loky_future_cancel (future));
  hostile_assert_error (future, G_IO_ERROR, G_IO_ERROR_CANCELLED, NULL);
  hostile_assert_serves (fixture, executor, 10);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
doorbell_never_answered (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2, "heartbeat-timeout",
                                                  G_GINT64_CONSTANT (50));
  LokyFuture *future = hostile_submit (fixture, executor, "hang", NULL);

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "no sign of life");
  hostile_assert_serves (fixture, executor, 10);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- stopped ----------------------------------------------------------------------------------- */

static pid_t
get_pid (HostileFixture *fixture, gint i)
{
  return (pid_t) g_atomic_int_get (&fixture->board->pids[i]);
}

static gboolean
is_stopped (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) && strstr (text, ") T ") != NULL;
}

static void
stop (pid_t pid)
{
  g_assert_cmpint (kill (pid, SIGSTOP), ==, 0);
  while (!is_stopped (pid))
    g_usleep (100);
}

static void
stopped_and_continued (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);

  for (guint i = 0; i < 20; i++)
    {
      LokyFuture *future;

      /* Idle, then in a task. */
      hostile_assert_serves (fixture, executor, 1);
      stop (get_pid (fixture, 0));
      future = hostile_submit (fixture, executor, "stop", NULL);
      g_usleep (1000);
      g_assert_false (loky_future_is_done (future));
      kill (get_pid (fixture, 0), SIGCONT);
      loky_fixture_wait_running (future);
      while (!is_stopped (get_pid (fixture, 0)))
        g_usleep (100);
      g_assert_false (loky_future_is_done (future));
      kill (get_pid (fixture, 0), SIGCONT);
      hostile_assert_result (future, "stop");
    }
  g_assert_cmpint (fixture->board->n_started, ==, 1);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* In a task, or before it read any: with a timeout. */
static void
stopped_for_good_in_a_task (HostileFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = timing_out (50, 20);
  LokyFuture *future = hostile_submit (fixture, fixture->base.executor, "stop", options);

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_TIMED_OUT, "hostile.obey");
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

static void
stopped_for_good_before_a_task (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);
  g_autoptr (LokyTaskOptions) options = timing_out (50, 20);
  LokyFuture *future;

  hostile_assert_serves (fixture, executor, 1);
  stop (get_pid (fixture, 0));
  future = hostile_submit (fixture, executor, "good", options);
  g_assert_true (loky_future_wait (future, 20000, NULL, NULL));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

static void
stopped_for_good_and_heartbeat (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1, "heartbeat-timeout",
                                                  G_GINT64_CONSTANT (100));
  LokyFuture *future = hostile_submit (fixture, executor, "stop", NULL);

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED, "stopped by a signal");
  hostile_assert_serves (fixture, executor, 1);
  /* Before it began: the task runs elsewhere, and no attempt was lost. */
  stop (get_pid (fixture, 1));
  future = hostile_submit (fixture, executor, "good", NULL);
  hostile_assert_result (future, "good");
  g_assert_cmpuint (loky_future_get_attempts (future), ==, 1);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
stopped_for_good_and_shutdown (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 4);
  LokyFuture *stopping = hostile_submit (fixture, executor, "stop", NULL);
  g_autoptr (GError) error = NULL;

  hostile_submit (fixture, executor, "stop", NULL);
  loky_fixture_wait_running (stopping);
  g_assert_true (loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, 50, NULL, &error));
  g_assert_no_error (error);
  hostile_assert_error (stopping, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN, NULL);
  g_object_unref (executor);
}

/* Idle, and told to leave. */
static void
stopped_for_good_while_leaving (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);

  hostile_assert_serves (fixture, executor, 1);
  stop (get_pid (fixture, 0));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Eight workers, of which each is in another way beyond talking to. */
static void
shutdown_of_all_kinds (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "stop", "hang", "silence:30", "flood-for-ever",
                                        "scribble-and-hang:ones", "young", "ring", "until-cancelled" };
  gint64 longest = 0;

  for (guint round = 0; round < 10; round++)
    {
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 8);
      LokyFuture *futures[G_N_ELEMENTS (orders)];
      g_autoptr (GError) error = NULL;
      gint64 began;
      gboolean is_shut_down;

      loky_executor_warm_up_sync (executor, 8, NULL, &error);
      g_assert_no_error (error);
      for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
        futures[i] = hostile_submit (fixture, executor, orders[i], NULL);
      while (g_atomic_int_get (&fixture->board->n_begun) < (gint) ((round + 1) * G_N_ELEMENTS (orders)))
        g_usleep (100);
      began = g_get_monotonic_time ();
      is_shut_down = loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_KILL, -1, NULL, &error);
      longest = MAX (longest, g_get_monotonic_time () - began);
      g_assert_no_error (error);
      g_assert_true (is_shut_down);
      for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
        if (!g_str_equal (orders[i], "ring"))
          hostile_assert_error (futures[i], LOKY_ERROR, LOKY_ERROR_SHUT_DOWN, "hostile.obey");
      hostile_settle (fixture);
      g_object_unref (executor);
    }
  g_test_message ("the longest of 10 shutdowns took %.1f ms", (double) longest / 1000);
  g_assert_cmpint (longest, <, 10 * G_USEC_PER_SEC);
}

/* Each item of such a chunk ends with the error, and the worker goes on. */
static void
chunk_answered_wrongly (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "a string instead of an array", "chunk-few", "chunk-many", "chunk-mixed-few",
                                        "chunk-mixed-type", "not-normal" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      const char *const items[] = { orders[i], "b", "c", "d", NULL };
      g_autoptr (LokyInput) input = loky_input_new_for_strv (items);
      g_autoptr (LokyMapOptions) options = loky_map_options_new ();
      g_autoptr (LokyResults) results = NULL;
      g_autoptr (GError) error = NULL;
      LokyFuture *future;
      guint n = 0;

      loky_map_options_set_chunk_size (options, 4);
      results = loky_executor_map (fixture->base.executor, "hostile.obey", input, options);
      while ((future = loky_results_next (results, NULL, &error)) != NULL)
        {
          loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
          n++;
          g_object_unref (future);
        }
      g_assert_no_error (error);
      g_assert_cmpuint (n, ==, 4);
    }
  hostile_assert_serves (fixture, fixture->base.executor, 10);
}

static LokyFuture *
submit_for_partials (HostileFixture *fixture, const char *order)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();

  loky_task_options_set_partial_results (options, TRUE);
  return hostile_submit (fixture, fixture->base.executor, order, options);
}

static void
assert_partial (LokyFuture *future, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = loky_future_next_partial (future, -1, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (value != NULL ? g_variant_get_string (value, NULL) : NULL, ==, text);
}

/* More than there was credit for: what came before it is there. */
static void
flood_of_partials (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future = submit_for_partials (fixture, "partial-flood");
  guint n = 0;

  hostile_assert_error (future, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "sent what nobody asked for");
  for (GVariant *value; (value = loky_future_next_partial (future, -1, NULL, NULL)) != NULL; n++)
    g_variant_unref (value);
  /* With their type, "s". */
  g_assert_cmpuint (n, ==, (16u << 20) / (6 + 1 + 256));
  hostile_assert_serves (fixture, fixture->base.executor, 4);
}

static void
partial_after_the_result (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future = submit_for_partials (fixture, "partial-late");

  assert_partial (future, NULL);
  hostile_assert_result (future, "partial-late");
  hostile_assert_serves (fixture, fixture->base.executor, 4);
}

static void
partial_not_normal (HostileFixture *fixture, gconstpointer data)
{
  LokyFuture *future = submit_for_partials (fixture, "partial-not-normal");
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_future_next_partial (future, -1, NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  assert_partial (future, "early");
  assert_partial (future, NULL);
  hostile_assert_result (future, "partial-not-normal");
}

static void
add_tests (void)
{
  HOSTILE_ADD ("/loky/faults/19/flood-of-partials", flood_of_partials);
  HOSTILE_ADD ("/loky/faults/19/partial-after-the-result", partial_after_the_result);
  HOSTILE_ADD ("/loky/faults/19/partial-not-normal", partial_not_normal);
  HOSTILE_ADD ("/loky/faults/19/chunk-answered-wrongly", chunk_answered_wrongly);
  HOSTILE_ADD ("/loky/faults/19/result-for-a-task-taken-back", result_for_a_task_taken_back);
  HOSTILE_ADD ("/loky/faults/19/result-for-a-cancelled-task", result_for_a_cancelled_task);
  HOSTILE_ADD ("/loky/faults/19/result-for-the-task-of-another-worker",
               result_for_the_task_of_another_worker);
  HOSTILE_ADD ("/loky/faults/19/truncated-frame-then-silence", truncated_frame_then_silence);
  HOSTILE_ADD ("/loky/faults/19/truncated-frame-and-heartbeat", truncated_frame_and_heartbeat);
  HOSTILE_ADD ("/loky/faults/19/truncated-frame-and-shutdown", truncated_frame_and_shutdown);
  HOSTILE_ADD ("/loky/faults/19/control-area-of-nonsense-at-start", control_area_of_nonsense_at_start);
  HOSTILE_ADD ("/loky/faults/19/control-area-of-nonsense-in-a-task",
               control_area_of_nonsense_in_a_task);
  HOSTILE_ADD ("/loky/faults/19/control-area-of-nonsense-at-the-end",
               control_area_of_nonsense_at_the_end);
  HOSTILE_ADD ("/loky/faults/19/control-area-of-nonsense-and-cancel",
               control_area_of_nonsense_and_cancel);
  HOSTILE_ADD ("/loky/faults/19/early-release", early_release);
  HOSTILE_ADD ("/loky/faults/19/made-up-domains", made_up_domains);
  HOSTILE_ADD ("/loky/faults/19/doorbell-rung-often", doorbell_rung_often);
  HOSTILE_ADD ("/loky/faults/19/doorbell-never-answered", doorbell_never_answered);
  HOSTILE_ADD ("/loky/faults/16/buffer-of-odd-memory", buffer_of_odd_memory);
  HOSTILE_ADD ("/loky/faults/20/stopped-and-continued", stopped_and_continued);
  HOSTILE_ADD ("/loky/faults/20/stopped-for-good-in-a-task", stopped_for_good_in_a_task);
  HOSTILE_ADD ("/loky/faults/20/stopped-for-good-and-heartbeat", stopped_for_good_and_heartbeat);
  HOSTILE_ADD ("/loky/faults/20/stopped-for-good-and-shutdown", stopped_for_good_and_shutdown);
  HOSTILE_ADD ("/loky/faults/20/stopped-for-good-while-leaving", stopped_for_good_while_leaving);
  HOSTILE_ADD ("/loky/faults/20/shutdown-of-all-kinds", shutdown_of_all_kinds);
}

static void
close_that_blocks (HostileFixture *fixture, gconstpointer data)
{
  g_test_skip ("under valgrind no other thread runs while one is in close()");
}

static void
add_test (const char *path, gconstpointer data, void (*func) (HostileFixture *, gconstpointer))
{
  g_autofree char *whole = g_strconcat ("/loky/faults/", path, NULL);

  if (loky_fixture_has_valgrind () && strstr (path, "linger") != NULL)
    func = close_that_blocks;

  g_test_add (whole, HostileFixture, data, hostile_set_up, func, hostile_tear_down);
}

/* What is written over in the control area while it matters. */
static void
add_control_areas (void)
{
  static const char *const areas[] = { "random", "ones", "zeros", "always-young", "never-begun" };

  for (guint i = 0; i < G_N_ELEMENTS (areas); i++)
    {
      g_autofree char *path = g_strdup_printf ("19/control-area-and-timeout-%s", areas[i]);

      add_test (path, GUINT_TO_POINTER (i), control_area_of_nonsense_and_timeout);
    }
  add_test ("19/control-area-of-nonsense-before-others", "scribble:random",
            control_area_of_nonsense_before_others);
  add_test ("19/control-area-of-ones-before-others", "scribble:ones",
            control_area_of_nonsense_before_others);
  /* As if somebody had written over an answer that was left. */
  add_test ("19/task-forgotten-before-others", "forget", control_area_of_nonsense_before_others);
  add_test ("20/stopped-for-good-before-a-task", NULL, stopped_for_good_before_a_task);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  for (gsize i = 0; i < G_N_ELEMENTS (crimes); i++)
    add_test (crimes[i].path, &crimes[i], crime);
  for (gsize i = 0; i < G_N_ELEMENTS (misdeeds); i++)
    add_test (misdeeds[i].path, &misdeeds[i], misdeed);
  add_test ("16/segment-shrinks-while-read", "shrink", segment_changes_while_read);
  add_test ("16/segment-rewritten-while-read", "rewrite", segment_changes_while_read);
  add_test ("19/more-lingering-descriptors-than-fit", "fds:linger", lingering_descriptors);
  add_test ("19/lingering-descriptor-unread", "unread-linger", lingering_descriptors);
  for (gsize i = 0; i < G_N_ELEMENTS (accepted_crimes); i++)
    add_test (accepted_crimes[i].path, &accepted_crimes[i], accepted_crime);
  add_test ("19/accepted-lingering-descriptors", NULL, lingering_results);
  add_test ("18/half-a-frame-with-a-lingering-descriptor", NULL, half_a_frame_with_a_lingering_descriptor);
  add_tests ();
  add_control_areas ();
  add_test ("16/buffer-with-blocks-behind-its-end", NULL, buffer_with_blocks_behind_its_end);
  add_test ("16/hold-of-nothing", NULL, hold_of_nothing);
  return g_test_run ();
}
