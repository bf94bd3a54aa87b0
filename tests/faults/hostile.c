/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostile.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  LokyFuture *future;
  guint n_done;   /* emissions of "done" */
  guint n_waited; /* calls of the callback of a wait */
} Account;

const char *
hostile_get_program (void)
{
  return g_getenv ("LOKY_HOSTILE_WORKER");
}

static void
account_free (Account *account)
{
  g_object_unref (account->future);
  g_free (account);
}

static void
listen_somewhere (HostileFixture *fixture)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl (INADDR_LOOPBACK) } };
  socklen_t length = sizeof address;

  fixture->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (fixture->listener, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (listen (fixture->listener, 1024), ==, 0);
  g_assert_cmpint (getsockname (fixture->listener, (struct sockaddr *) &address, &length), ==, 0);
  fixture->board->port = ntohs (address.sin_port);
}

void
hostile_set_up (HostileFixture *fixture, gconstpointer data)
{
  g_assert_nonnull (hostile_get_program ());
  loky_fixture_set_up (&fixture->base, data);
  fixture->board_fd = memfd_create ("hostile-board", MFD_CLOEXEC);
  g_assert_cmpint (fixture->board_fd, >=, 0);
  g_assert_cmpint (ftruncate (fixture->board_fd, sizeof (HostileBoard)), ==, 0);
  fixture->board = mmap (NULL, sizeof (HostileBoard), PROT_READ | PROT_WRITE, MAP_SHARED,
                         fixture->board_fd, 0);
  g_assert_true (fixture->board != MAP_FAILED);
  listen_somewhere (fixture);
  fixture->environment[0] = g_strdup_printf ("%s=/proc/%d/fd/%d", HOSTILE_BOARD_VARIABLE,
                                             (int) getpid (), fixture->board_fd);
  fixture->accounts = g_ptr_array_new_with_free_func ((GDestroyNotify) account_free);
  loky_fixture_end_executor (g_steal_pointer (&fixture->base.executor), LOKY_SHUTDOWN_DRAIN);
  fixture->base.executor = hostile_make_executor (fixture, "max-workers", 2);
}

static void
assert_nothing_mapped (void)
{
  g_autofree char *maps = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  if (strstr (maps, "/memfd:loky") != NULL)
    g_test_message ("%s", maps);
  g_assert_null (strstr (maps, "/memfd:loky"));
}

void
hostile_tear_down (HostileFixture *fixture, gconstpointer data)
{
  if (fixture->base.executor != NULL)
    loky_fixture_end_executor (g_steal_pointer (&fixture->base.executor), LOKY_SHUTDOWN_KILL);
  hostile_settle (fixture);
  /* Ends what lingers. */
  close (fixture->listener);
  g_ptr_array_unref (fixture->accounts);
  g_free (fixture->environment[0]);
  munmap (fixture->board, sizeof (HostileBoard));
  close (fixture->board_fd);
  loky_fixture_tear_down (&fixture->base, data);
  assert_nothing_mapped ();
}

void
hostile_order (HostileFixture *fixture, guint n, const char *start_order)
{
  HostileBoard *board = fixture->board;

  g_strlcpy (board->start_order, start_order, sizeof board->start_order);
  g_atomic_int_set (&board->kill_sent, -1);
  g_atomic_int_set (&board->kill_read, -1);
  g_atomic_int_set (&board->n_orders, (gint) n);
}

void
hostile_order_kill (HostileFixture *fixture, guint n, int kill_sent, int kill_read)
{
  HostileBoard *board = fixture->board;

  board->start_order[0] = '\0';
  g_atomic_int_set (&board->kill_sent, kill_sent);
  g_atomic_int_set (&board->kill_read, kill_read);
  g_atomic_int_set (&board->n_orders, (gint) n);
}

static void
done_cb (LokyFuture *future, gpointer user_data)
{
  ((Account *) user_data)->n_done++;
}

static void
waited_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_assert_true (loky_future_wait_finish (LOKY_FUTURE (source), result, NULL));
  ((Account *) user_data)->n_waited++;
}

LokyFuture *
hostile_submit (HostileFixture *fixture,
                LokyExecutor *executor,
                const char *order,
                LokyTaskOptions *options)
{
  Account *account = g_new0 (Account, 1);
  g_autoptr (GError) error = NULL;

  account->future
      = loky_executor_submit (executor, "hostile.obey", g_variant_new_string (order), options, &error);
  g_assert_no_error (error);
  g_signal_connect (account->future, "done", G_CALLBACK (done_cb), account);
  loky_future_wait_async (account->future, NULL, waited_cb, account);
  g_ptr_array_add (fixture->accounts, account);
  return account->future;
}

static gboolean
is_announced (gpointer data)
{
  Account *account = data;

  return account->n_done > 0 && account->n_waited > 0;
}

void
hostile_settle (HostileFixture *fixture)
{
  for (guint i = 0; i < fixture->accounts->len; i++)
    loky_fixture_wait_for (is_announced, g_ptr_array_index (fixture->accounts, i));
  while (g_main_context_iteration (fixture->base.context, FALSE))
    ;
  for (guint i = 0; i < fixture->accounts->len; i++)
    {
      Account *account = g_ptr_array_index (fixture->accounts, i);
      g_autoptr (GError) error = loky_future_dup_error (account->future);

      g_assert_true (loky_future_is_done (account->future));
      g_assert_cmpuint (account->n_done, ==, 1);
      g_assert_cmpuint (account->n_waited, ==, 1);
      g_assert_true (error == NULL || g_utf8_validate (error->message, -1, NULL));
    }
  g_ptr_array_set_size (fixture->accounts, 0);
}

void
hostile_wait_holding (HostileFixture *fixture, gint n)
{
  while (g_atomic_int_get (&fixture->board->n_holding) < n)
    g_usleep (100);
}

void
hostile_assert_result (LokyFuture *future, const char *text)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  if (text != NULL)
    g_assert_cmpstr (g_variant_get_string (result, NULL), ==, text);
}

void
hostile_assert_error (LokyFuture *future, GQuark domain, int code, const char *text)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_null (result);
  g_assert_error (error, domain, code);
  if (text != NULL && strstr (error->message, text) == NULL)
    g_test_message ("“%s” is not in “%.300s”", text, error->message);
  if (text != NULL)
    g_assert_nonnull (strstr (error->message, text));
}

void
hostile_assert_serves (HostileFixture *fixture, LokyExecutor *executor, guint n_tasks)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new ();

  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, hostile_submit (fixture, executor, "good", NULL));
  for (guint i = 0; i < n_tasks; i++)
    hostile_assert_result (g_ptr_array_index (futures, i), "good");
  g_assert_cmpint (loky_executor_get_state (executor), ==, LOKY_EXECUTOR_STATE_OPEN);
}
