/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Descriptors that come with results. */

#include "fixture.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* How many results are thrown away at once. */
#define N_MANY 50

static void
set_up (LokyFixture *fixture, gconstpointer data)
{
  loky_fixture_set_up (fixture, NULL);
  loky_fixture_end_executor (fixture->executor, LOKY_SHUTDOWN_DRAIN);
  fixture->executor =
      loky_fixture_make_executor ("max-workers", 2, "accept-descriptors", TRUE, NULL);
}

/* --- helpers ---------------------------------------------------------------------------------- */

static LokyFuture *
submit (LokyFixture *fixture, const char *task, const char *text)
{
  LokyFuture *future =
      loky_fixture_submit (fixture->executor, task, g_variant_new_string (text));

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  return future;
}

static LokyDescriptor *
find (LokyFuture *future)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_future_dup_result (future, &error);
  LokyDescriptor *descriptor;

  g_assert_no_error (error);
  descriptor = loky_future_lookup_descriptor (future, g_variant_get_handle (result), &error);
  g_assert_no_error (error);
  return descriptor;
}

/* What one task has returned; all but the descriptor is gone. */
static int
get_fd (LokyFixture *fixture, const char *task, const char *text)
{
  g_autoptr (LokyFuture) future = submit (fixture, task, text);
  g_autoptr (LokyDescriptor) descriptor = find (future);
  g_autoptr (GError) error = NULL;
  int fd = loky_descriptor_steal_fd (descriptor, &error);

  g_assert_no_error (error);
  g_assert_cmpint (fd, >, 2);
  g_assert_true ((fcntl (fd, F_GETFD) & FD_CLOEXEC) != 0);
  return fd;
}

static void
assert_reads (int fd, const char *expected)
{
  char buffer[64] = "";

  g_assert_cmpint (read (fd, buffer, sizeof buffer - 1), ==, (ssize_t) strlen (expected));
  g_assert_cmpstr (buffer, ==, expected);
}

/* Nobody has the other end any more; a thread of the worker's may just be closing it. */
static void
assert_end (int fd)
{
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 0);
}

static void
get_value (LokyFuture *future, GValue *value)
{
  g_autoptr (GError) error = NULL;
  gboolean is_there = loky_future_dup_value (future, value, &error);

  g_assert_no_error (error);
  g_assert_true (is_there);
}

/* Then nothing that came may be open, which the fixture looks at. */
static void
end (LokyFixture *fixture, LokyShutdownMode mode)
{
  loky_fixture_end_executor (g_steal_pointer (&fixture->executor), mode);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
test_file (LokyFixture *fixture, gconstpointer data)
{
  int fd = get_fd (fixture, "descriptor.make-file", "what is in it");
  char buffer[64] = "";

  g_assert_cmpint (pread (fd, buffer, sizeof buffer, 0), ==, 13);
  g_assert_cmpstr (buffer, ==, "what is in it");
  close (fd);
}

/* The worker keeps nothing of it. */
static void
test_socket_that_was_made (LokyFixture *fixture, gconstpointer data)
{
  int fd = get_fd (fixture, "descriptor.make-socket", "from over there");

  assert_reads (fd, "from over there");
  assert_end (fd);
  close (fd);
}

/* One that the task was given, in each way in which it can refer to it. */
static void
test_given_back (LokyFixture *fixture, gconstpointer data)
{
  static const char *const ways[] = { "given", "listed", "own" };

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      int ends[2];
      g_autoptr (LokyDescriptor) sent = NULL;
      g_autoptr (LokyDescriptor) back = NULL;
      g_autoptr (LokyFuture) future = NULL;
      int fd;

      g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
      sent = loky_descriptor_new (ends[1], NULL);
      future = loky_fixture_submit (
          fixture->executor, "descriptor.give-back",
          g_variant_new ("(hs)", loky_descriptor_get_handle (sent), ways[i]));
      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      back = find (future);
      g_assert_true (back != sent);
      fd = loky_descriptor_dup_fd (back, NULL);
      g_assert_cmpint (fd, >, 2);
      if (strcmp (ways[i], "own") != 0)
        {
          g_assert_cmpint (write (fd, "back", 4), ==, 4);
          assert_reads (ends[0], "back");
        }
      close (fd);
      close (ends[0]);
      close (ends[1]);
    }
}

static void
test_taken_once (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.make-socket", "once");
  g_autoptr (LokyDescriptor) descriptor = find (future);
  g_autoptr (LokyDescriptor) again = find (future);
  g_autoptr (GError) error = NULL;
  int fd = loky_descriptor_steal_fd (descriptor, &error);

  g_assert_no_error (error);
  g_assert_true (again == descriptor);
  g_assert_cmpint (loky_descriptor_steal_fd (again, &error), ==, -1);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_clear_object (&again);
  g_assert_null (loky_future_lookup_descriptor (future, 0, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  close (fd);
}

/* To a worker that did not make it. */
static void
test_sent_on (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) first = submit (fixture, "descriptor.make-socket", "echo");
  g_autoptr (LokyDescriptor) descriptor = find (first);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) handle = loky_descriptor_to_variant (descriptor, &error);
  g_autoptr (LokyFuture) second = NULL;
  int fd;

  g_assert_no_error (error);
  second = loky_fixture_submit (fixture->executor, "descriptor.give-back",
                                g_variant_new ("(@hs)", handle, "given"));
  g_clear_object (&first);
  g_clear_object (&descriptor);
  g_assert_true (loky_future_wait (second, -1, NULL, NULL));
  descriptor = find (second);
  fd = loky_descriptor_dup_fd (descriptor, &error);
  g_assert_no_error (error);
  assert_reads (fd, "echo");
  close (fd);
}

static void
test_kind_that_is_not_accepted (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.make-event", "");
  g_autoptr (GError) error = loky_future_dup_error (future);

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT);
  g_assert_nonnull (strstr (error->message, "if it is a socket"));
  /* The worker is none the worse for it. */
  close (get_fd (fixture, "descriptor.make-socket", "still there"));
}

static void
test_refused_by_default (LokyFixture *fixture, gconstpointer data)
{
  static const char *const tasks[] = { "make-file", "make-socket", "make-value" };
  static const int codes[] = { LOKY_ERROR_INVALID_RESULT, LOKY_ERROR_INVALID_RESULT, LOKY_ERROR_REDUCER };
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (tasks); i++)
    {
      g_autofree char *task = g_strconcat ("descriptor.", tasks[i], NULL);
      g_autoptr (LokyFuture) future =
          loky_fixture_submit (executor, task, g_variant_new_string ("GSocket"));
      g_autoptr (GError) error = NULL;

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      error = loky_future_dup_error (future);
      g_assert_error (error, LOKY_ERROR, codes[i]);
      g_assert_nonnull (strstr (error->message, "accept-descriptors"));
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
test_reduced_socket (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.make-value", "GSocket");
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) again = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  get_value (future, &value);
  g_assert_true (G_VALUE_HOLDS (&value, G_TYPE_SOCKET));
  g_assert_cmpuint (g_socket_get_timeout (g_value_get_object (&value)), ==, 50);
  assert_reads (g_socket_get_fd (g_value_get_object (&value)), "GSocket");
  g_assert_false (loky_future_dup_value (future, &again, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

/* GLib would make none of it, and leave unsaid whose it is then. */
static void
test_reduced_socket_without_a_name (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.make-value", "AF_ALG");
  g_autoptr (GVariant) result = loky_future_dup_result (future, NULL);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (result);
  if (g_variant_is_of_type (result, G_VARIANT_TYPE_STRING))
    {
      g_test_skip ("the kernel has no sockets of AF_ALG");
      return;
    }
  g_assert_false (loky_future_dup_value (future, &value, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER);
  g_assert_nonnull (strstr (error->message, "is no socket"));
}

/* By a worker to one of its own, after it was made ready to go back. */
static void
test_passed_on (LokyFixture *fixture, gconstpointer data)
{
  int ends[2];
  g_autoptr (LokyDescriptor) descriptor = NULL;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) handle = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  descriptor = loky_descriptor_new (ends[1], &error);
  g_assert_no_error (error);
  handle = loky_descriptor_to_variant (descriptor, &error);
  future = loky_fixture_submit (fixture->executor, "descriptor.pass-on", g_variant_new ("(@h)", handle));
  close (ends[1]);
  g_assert_cmpint (write (ends[0], "there", 5), ==, 5);
  g_assert_cmpint (shutdown (ends[0], SHUT_WR), ==, 0);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  assert_reads (ends[0], "there");
  close (ends[0]);
}

static void
test_reduced_connection (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.make-value", "GSocketConnection");
  g_auto (GValue) value = G_VALUE_INIT;
  GSocketConnection *connection;

  get_value (future, &value);
  connection = g_value_get_object (&value);
  g_assert_cmpstr (G_OBJECT_TYPE_NAME (connection), ==, "GUnixConnection");
  assert_reads (g_socket_get_fd (g_socket_connection_get_socket (connection)), "GSocketConnection");
}

static void
test_reduced_list (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.make-value", "GUnixFDList");
  g_auto (GValue) value = G_VALUE_INIT;
  const int *fds;
  int n_fds;

  get_value (future, &value);
  fds = g_unix_fd_list_peek_fds (g_value_get_object (&value), &n_fds);
  g_assert_cmpint (n_fds, ==, 2);
  assert_reads (fds[0], "GUnixFDList");
  g_assert_cmpint (shutdown (fds[1], SHUT_WR), ==, 0);
  assert_end (fds[0]);
}

static void
test_reduced_descriptor (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.make-value", "LokyDescriptor");
  g_auto (GValue) value = G_VALUE_INIT;
  int fd;

  get_value (future, &value);
  fd = loky_descriptor_steal_fd (g_value_get_object (&value), NULL);
  assert_reads (fd, "LokyDescriptor");
  close (fd);
}

/* Of each item of a chunk its own. */
static void
test_items_of_a_map (LokyFixture *fixture, gconstpointer data)
{
  static const char *const texts[] = { "zero", "one", "two", "three", "four", "five", NULL };
  g_autoptr (LokyInput) input = loky_input_new_for_strv (texts);
  g_autoptr (LokyMapOptions) options = g_object_new (LOKY_TYPE_MAP_OPTIONS, "chunk-size", 3, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyResults) results =
      loky_executor_map (fixture->executor, "descriptor.make-socket", input, options);

  for (guint i = 0; texts[i] != NULL; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, &error);
      g_autoptr (LokyDescriptor) descriptor = NULL;
      int fd;

      g_assert_no_error (error);
      descriptor = find (future);
      fd = loky_descriptor_steal_fd (descriptor, &error);
      g_assert_no_error (error);
      assert_reads (fd, texts[i]);
      assert_end (fd);
      close (fd);
    }
}

static void
test_thrown_away (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[N_MANY];

  for (guint i = 0; i < N_MANY; i++)
    futures[i] = loky_fixture_submit (fixture->executor, "descriptor.make-value",
                                      g_variant_new_string (i % 2 ? "GUnixFDList" : "GSocket"));
  /* Of a third before it has ended, of a third without a look, of the others the value only. */
  for (guint i = 0; i < N_MANY; i++)
    {
      g_autoptr (LokyFuture) future = futures[i];

      if (i % 3 == 0)
        continue;
      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      if (i % 3 == 1)
        g_variant_unref (loky_future_dup_result (future, NULL));
    }
  end (fixture, LOKY_SHUTDOWN_DRAIN);
}

/* Results that come when nobody wants them any more. */
static void
test_cancelled (LokyFixture *fixture, gconstpointer data)
{
  LokyFuture *futures[N_MANY];

  for (guint i = 0; i < N_MANY; i++)
    futures[i] = loky_fixture_submit (fixture->executor, "descriptor.make-value",
                                      g_variant_new_string ("GUnixFDList"));
  for (guint i = 0; i < N_MANY; i++)
    {
      if (i % 5 == 0)
        loky_fixture_wait_running (futures[i]);
      loky_future_cancel (futures[i]);
      g_object_unref (futures[i]);
    }
  end (fixture, LOKY_SHUTDOWN_KILL);
}

static void
test_worker_that_dies (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.die-with-many", "");
  g_autoptr (GError) error = loky_future_dup_error (future);

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  close (get_fd (fixture, "descriptor.make-socket", "the next one"));
  end (fixture, LOKY_SHUTDOWN_DRAIN);
}

/* What nobody takes is not to use up what the process may have open. */
static void
test_too_many_for_the_process (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;
  struct rlimit before, limit;

  close (get_fd (fixture, "descriptor.make-socket", "so that the workers are there"));
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  limit = before;
  limit.rlim_cur = 200;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  while (error == NULL)
    {
      g_ptr_array_add (futures, submit (fixture, "descriptor.make-value", "GUnixFDList"));
      error = loky_future_dup_error (g_ptr_array_index (futures, futures->len - 1));
    }
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  g_assert_cmpuint (futures->len, ==, 51);
  g_ptr_array_set_size (futures, 25);
  close (get_fd (fixture, "descriptor.make-socket", "there is room again"));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
}

/* With exec() as without. */
static void
test_children_have_it_not (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, "descriptor.make-socket", "ours");
  g_autoptr (LokyDescriptor) descriptor = find (future);
  int status;
  pid_t pid;

  if (loky_fixture_has_valgrind ())
    {
      g_test_skip ("A copy under valgrind has what valgrind opened");
      return;
    }
  pid = fork ();
  if (pid == 0)
    {
      g_autoptr (GError) error = NULL;
      gboolean has_none = loky_descriptor_steal_fd (descriptor, &error) == -1 &&
                          g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED);

      for (int fd = 3; fd < 1024; fd++)
        {
          int type;
          socklen_t size = sizeof type;

          has_none &= getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0;
        }
      _exit (has_none ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

#define ADD(path, function)                                                                        \
  g_test_add ("/loky/descriptors-back/" path, LokyFixture, NULL, set_up, function,                 \
              loky_fixture_tear_down)

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  ADD ("file", test_file);
  ADD ("socket-that-was-made", test_socket_that_was_made);
  ADD ("given-back", test_given_back);
  ADD ("taken-once", test_taken_once);
  ADD ("sent-on", test_sent_on);
  ADD ("kind-that-is-not-accepted", test_kind_that_is_not_accepted);
  ADD ("refused-by-default", test_refused_by_default);
  ADD ("reduced-socket", test_reduced_socket);
  ADD ("reduced-socket-without-a-name", test_reduced_socket_without_a_name);
  ADD ("passed-on", test_passed_on);
  ADD ("reduced-connection", test_reduced_connection);
  ADD ("reduced-list", test_reduced_list);
  ADD ("reduced-descriptor", test_reduced_descriptor);
  ADD ("items-of-a-map", test_items_of_a_map);
  ADD ("thrown-away", test_thrown_away);
  ADD ("cancelled", test_cancelled);
  ADD ("worker-that-dies", test_worker_that_dies);
  ADD ("too-many-for-the-process", test_too_many_for_the_process);
  ADD ("children-have-it-not", test_children_have_it_not);
  return g_test_run ();
}
