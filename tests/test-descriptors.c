/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Descriptors and sockets as arguments. */

#include "fixture.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  LokyFixture base;
  int ours;   /* of a pair of sockets */
  int theirs; /* to be sent */
} Fixture;

static void
close_one (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  int pair[2];

  loky_fixture_set_up (&fixture->base, NULL);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  fixture->ours = pair[0];
  fixture->theirs = pair[1];
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  close_one (&fixture->ours);
  close_one (&fixture->theirs);
  loky_fixture_tear_down (&fixture->base, NULL);
}

/* --- helpers ---------------------------------------------------------------------------------- */

static LokyDescriptor *
make (int fd)
{
  g_autoptr (GError) error = NULL;
  LokyDescriptor *descriptor = loky_descriptor_new (fd, &error);

  g_assert_no_error (error);
  return descriptor;
}

/* The object and what it is a copy of may go at once. */
static LokyFuture *
submit (Fixture *fixture, LokyExecutor *executor, const char *task, LokyTaskOptions *options)
{
  g_autoptr (LokyDescriptor) descriptor = make (fixture->theirs);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) handle = loky_descriptor_to_variant (descriptor, &error);
  LokyFuture *future;

  g_assert_no_error (error);
  future = loky_executor_submit (executor, task, g_variant_new ("(@h)", handle), options, &error);
  g_assert_no_error (error);
  close_one (&fixture->theirs);
  return future;
}

static GVariant *
await_result (LokyFuture *future)
{
  g_autoptr (GError) error = NULL;
  GVariant *result;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  return result;
}

static void
assert_succeeds (LokyFuture *future)
{
  g_variant_unref (await_result (future));
}

/* Sends a text, says that it was all, and reads it back until the last copy of the other end is
 * closed. */
static void
assert_echo (int fd)
{
  char buffer[64] = "";
  gsize got = 0;
  ssize_t now;

  g_assert_cmpint (write (fd, "over there", 10), ==, 10);
  g_assert_cmpint (shutdown (fd, SHUT_WR), ==, 0);
  while ((now = read (fd, buffer + got, sizeof buffer - 1 - got)) > 0)
    got += (gsize) now;
  g_assert_cmpint (now, ==, 0);
  g_assert_cmpstr (buffer, ==, "over there");
}

/* Nobody has the other end any more; some other thread may just be closing it. */
static void
assert_end (int fd)
{
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 0);
}

static LokyFuture *
submit_object (LokyExecutor *executor, const char *task, gpointer object, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_OBJECT_TYPE (object));
  g_value_set_object (&value, object);
  return loky_executor_submit_values (executor, task, &value, 1, NULL, error);
}

static GSocket *
make_socket (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  GSocket *socket = g_socket_new_from_fd (fixture->theirs, &error);

  g_assert_no_error (error);
  fixture->theirs = -1;
  return socket;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
test_worker_uses_it (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = submit (fixture, fixture->base.executor, "descriptor.echo", NULL);

  assert_echo (fixture->ours);
  assert_succeeds (future);
}

static void
test_copied_and_taken (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future =
      submit (fixture, fixture->base.executor, "descriptor.examine", NULL);
  g_autoptr (LokyDescriptor) made = make (fixture->ours);
  g_autoptr (GError) error = NULL;
  int copy;

  assert_succeeds (future);
  assert_end (fixture->ours);

  /* One that can be sent stays open. */
  g_assert_cmpint (loky_descriptor_steal_fd (made, &error), ==, -1);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  copy = loky_descriptor_dup_fd (made, &error);
  g_assert_no_error (error);
  g_assert_cmpint (copy, >, 2);
  close (copy);
  g_assert_null (loky_descriptor_new (-1, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

static void
test_retried_task_has_it (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = g_object_new (LOKY_TYPE_TASK_OPTIONS, "retries", 1, NULL);
  g_autoptr (LokyFuture) future =
      submit (fixture, fixture->base.executor, "descriptor.echo-again", options);

  assert_echo (fixture->ours);
  assert_succeeds (future);
  g_assert_cmpuint (loky_future_get_attempts (future), ==, 2);
}

static void
test_passed_on (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future =
      submit (fixture, fixture->base.executor, "descriptor.pass-on", NULL);

  assert_echo (fixture->ours);
  assert_succeeds (future);
}

static guint
count_open (LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) count =
      loky_executor_call_sync (executor, "descriptor.count-open", NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  return g_variant_get_uint32 (count);
}

static void
test_what_is_not_taken_is_closed (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  guint before = count_open (executor);
  g_autoptr (LokyFuture) future = submit (fixture, executor, "descriptor.count-open", NULL);
  g_autoptr (GVariant) during = await_result (future);

  g_assert_cmpuint (g_variant_get_uint32 (during), ==, before + 1);
  assert_end (fixture->ours);
  g_assert_cmpuint (count_open (executor), ==, before);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* Of one that is cancelled before it begins, and one whose executor is dropped with it. */
static void
test_unsent_is_closed (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyFuture) busy =
      loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (300));
  g_autoptr (LokyFuture) future = NULL;

  loky_fixture_wait_running (busy);
  future = submit (fixture, executor, "descriptor.echo", NULL);
  if (GPOINTER_TO_INT (data))
    loky_future_cancel (future);
  else
    loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_KILL);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  assert_end (fixture->ours);
  if (executor != NULL)
    loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
}

static void
test_refused_submission_leaves_nothing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GSocket) socket = make_socket (fixture);
  guint before = loky_fixture_count_fds ();
  g_autoptr (GError) error = NULL;

  g_assert_null (submit_object (fixture->base.executor, "", socket, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  loky_fixture_assert_fds (before);
}

static void
test_too_many (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  guint before = loky_fixture_count_fds () + 64;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 64; i++)
    g_assert_cmpint (g_unix_fd_list_append (list, fixture->theirs, NULL), >=, 0);
  g_assert_null (submit_object (fixture->base.executor, "descriptor.number-list", list, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
  loky_fixture_assert_fds (before);
}

static void
test_socket (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GSocket) socket = make_socket (fixture);
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  g_socket_set_timeout (socket, 50);
  future = submit_object (fixture->base.executor, "descriptor.echo-socket", socket, &error);
  g_assert_no_error (error);
  /* The copy that was sent is another's. */
  g_assert_true (g_socket_close (socket, &error));
  assert_echo (fixture->ours);
  result = await_result (future);
  g_assert_cmpuint (g_variant_get_uint32 (result), ==, 50);
}

static void
test_closed_socket (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GSocket) socket = make_socket (fixture);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_socket_close (socket, &error));
  g_assert_null (submit_object (fixture->base.executor, "descriptor.echo-socket", socket, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER);
  g_assert_nonnull (strstr (error->message, "is closed"));
}

static void
test_socket_outside_of_a_submission (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyReducerRegistry) registry = loky_reducer_registry_new ();
  g_autoptr (GSocket) socket = make_socket (fixture);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  g_value_init (&value, G_TYPE_SOCKET);
  g_value_set_object (&value, socket);
  g_assert_null (loky_reducer_registry_reduce (registry, &value, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER);
  g_assert_nonnull (strstr (error->message, "make a LokyDescriptor"));
}

static void
test_connection (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GSocket) socket = make_socket (fixture);
  g_autoptr (GSocketConnection) connection = g_socket_connection_factory_create_connection (socket);
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  future = submit_object (fixture->base.executor, "descriptor.echo-connection", connection, &error);
  g_assert_no_error (error);
  g_assert_true (g_io_stream_close (G_IO_STREAM (connection), NULL, &error));
  assert_echo (fixture->ours);
  result = await_result (future);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "GUnixConnection");
}

static void
test_list (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  int ends[3][2];

  for (guint i = 0; i < 3; i++)
    {
      g_assert_cmpint (pipe2 (ends[i], O_CLOEXEC), ==, 0);
      g_assert_cmpint (g_unix_fd_list_append (list, ends[i][1], NULL), ==, i);
      close (ends[i][1]);
    }
  future = submit_object (fixture->base.executor, "descriptor.number-list", list, &error);
  g_assert_no_error (error);
  g_clear_object (&list);
  result = await_result (future);
  g_assert_cmpint (g_variant_get_int32 (result), ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      char byte = 0;

      g_assert_cmpint (read (ends[i][0], &byte, 1), ==, 1);
      g_assert_cmpint (byte, ==, (char) ('0' + i));
      assert_end (ends[i][0]);
      close (ends[i][0]);
    }
}

static void
assert_refused (LokyFuture *future, gint code)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  error = loky_future_dup_error (future);
  g_assert_error (error, LOKY_ERROR, code);
  g_assert_nonnull (strstr (error->message, "accept-descriptors"));
}

static void
test_result_is_refused (Fixture *fixture, gconstpointer data)
{
  static const char *const ways[] = { "given", "listed", "own" };

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autoptr (LokyDescriptor) descriptor = make (fixture->theirs);
      g_autoptr (LokyFuture) future =
          loky_fixture_submit (fixture->base.executor, "descriptor.give-back",
                               g_variant_new ("(hs)", loky_descriptor_get_handle (descriptor),
                                              ways[i]));

      assert_refused (future, LOKY_ERROR_INVALID_RESULT);
    }
}

static void
test_reduced_result_is_refused (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GSocket) socket = make_socket (fixture);
  g_autoptr (LokyDescriptor) descriptor = make (g_socket_get_fd (socket));
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) first =
      submit_object (fixture->base.executor, "descriptor.reduce-back", socket, &error);
  g_autoptr (LokyFuture) second =
      submit_object (fixture->base.executor, "descriptor.reduce-back", descriptor, &error);

  g_assert_no_error (error);
  assert_refused (first, LOKY_ERROR_REDUCER);
  assert_refused (second, LOKY_ERROR_INVALID_RESULT);
}

static void
test_forked_copy_has_it_not (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LokyDescriptor) descriptor = make (fixture->theirs);
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
      gboolean is_told = loky_descriptor_dup_fd (descriptor, &error) == -1 &&
                         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED) &&
                         loky_descriptor_to_variant (descriptor, NULL) == NULL;

      _exit (is_told ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

#define ADD(path, function, data)                                                                  \
  g_test_add ("/loky/descriptors/" path, Fixture, data, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  ADD ("worker-uses-it", test_worker_uses_it, NULL);
  ADD ("copied-and-taken", test_copied_and_taken, NULL);
  ADD ("retried-task-has-it", test_retried_task_has_it, NULL);
  ADD ("passed-on", test_passed_on, NULL);
  ADD ("what-is-not-taken-is-closed", test_what_is_not_taken_is_closed, NULL);
  ADD ("cancelled-task-leaves-nothing", test_unsent_is_closed, GINT_TO_POINTER (TRUE));
  ADD ("dropped-executor-leaves-nothing", test_unsent_is_closed, GINT_TO_POINTER (FALSE));
  ADD ("refused-submission-leaves-nothing", test_refused_submission_leaves_nothing, NULL);
  ADD ("too-many", test_too_many, NULL);
  ADD ("socket", test_socket, NULL);
  ADD ("closed-socket", test_closed_socket, NULL);
  ADD ("socket-outside-of-a-submission", test_socket_outside_of_a_submission, NULL);
  ADD ("connection", test_connection, NULL);
  ADD ("list", test_list, NULL);
  ADD ("result-is-refused", test_result_is_refused, NULL);
  ADD ("reduced-result-is-refused", test_reduced_result_is_refused, NULL);
  ADD ("forked-copy-has-it-not", test_forked_copy_has_it_not, NULL);
  return g_test_run ();
}
