/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Closing what blocks who closes it. */

#include "loky-close-private.h"

#include "fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than there may be threads, and so many more that no more is to be taken. */
#define N_THREADS 256
#define N_MORE 65

static gboolean has_threads = TRUE;

#if !LOKY_HAS_SANITIZER
__attribute__ ((visibility ("default"))) int
pthread_create (pthread_t *thread, const pthread_attr_t *attributes, void *(*func) (void *), void *data)
{
  int (*real) (pthread_t *, const pthread_attr_t *, void *(*) (void *), void *);

  *(void **) &real = dlsym (RTLD_NEXT, "pthread_create");
  return has_threads ? real (thread, attributes, func, data) : EAGAIN;
}
#endif

/* It is told once. */
static void
expect_warning (void)
{
  static gboolean is_told;

  if (!is_told)
    g_test_expect_message ("Loky", G_LOG_LEVEL_WARNING, "Descriptors that workers sent cannot be closed*");
  is_told = TRUE;
}

static int
make_listener (struct sockaddr_in *address)
{
  socklen_t length = sizeof *address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int size = 32768;

  *address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl (INADDR_LOOPBACK) } };
  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), ==, 0);
  g_assert_cmpint (bind (fd, (struct sockaddr *) address, sizeof *address), ==, 0);
  g_assert_cmpint (listen (fd, 1024), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) address, &length), ==, 0);
  return fd;
}

/* Whoever closes it waits until the listener is closed. */
static int
make_lingering (const struct sockaddr_in *address)
{
  static const char junk[65536];
  struct linger linger = { 1, 600 };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int size = 1 << 18;

  /* Much more than the other end takes. */
  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), ==, 0);
  g_assert_cmpint (connect (fd, (const struct sockaddr *) address, sizeof *address), ==, 0);
  while (send (fd, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
    ;
  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), ==, 0);
  return fd;
}

static void
close_lingering (const struct sockaddr_in *address, guint n)
{
  for (guint i = 0; i < n; i++)
    loky_close_untrusted (make_lingering (address));
}

/* Without the three standard ones. */
static guint
count_open (void)
{
  guint n_open = 0;

  for (int fd = STDERR_FILENO + 1; fd < 4096; fd++)
    n_open += fcntl (fd, F_GETFD) >= 0;
  return n_open;
}

/* What waits here is closed in a copy, which has no thread that would do it, and can close others. */
static void
assert_copy_is_free (const struct sockaddr_in *address, guint expected)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    {
      gboolean is_free = !loky_close_is_overrun () && count_open () <= expected;

      close_lingering (address, 1);
      _exit (is_free ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

static void
test_more_than_can_be_closed (void)
{
  struct sockaddr_in address;
  int listener = make_listener (&address);
  guint before = count_open ();

  if (loky_fixture_has_valgrind ())
    {
      close (listener);
      g_test_skip ("under valgrind no other thread runs while one is in close()");
      return;
    }
  expect_warning ();
  close_lingering (&address, N_THREADS);
  /* They are closed as far as anybody sees who looks for descriptors. */
  while (count_open () > before)
    g_usleep (100);
  g_assert_false (loky_close_is_overrun ());
  close_lingering (&address, N_MORE - 1);
  g_assert_false (loky_close_is_overrun ());
  g_assert_cmpuint (count_open (), ==, before + N_MORE - 1);
  close_lingering (&address, 1);
  g_assert_true (loky_close_is_overrun ());
  g_test_assert_expected_messages ();
  assert_copy_is_free (&address, before);

  close (listener);
  while (count_open () > before - 1)
    g_usleep (100);
  g_assert_false (loky_close_is_overrun ());
}

/* What came while there were none is closed when there are some, whoever asks next. */
static void
test_no_threads (void)
{
  guint before = count_open ();

  if (LOKY_HAS_SANITIZER)
    {
      g_test_skip ("pthread_create() is the sanitizer's");
      return;
    }
  expect_warning ();
  has_threads = FALSE;
  for (guint i = 0; i < N_MORE; i++)
    loky_close_untrusted (socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  g_assert_true (loky_close_is_overrun ());
  g_assert_cmpuint (count_open (), ==, before + N_MORE);
  g_test_assert_expected_messages ();
  has_threads = TRUE;
  loky_close_is_overrun ();
  while (count_open () > before)
    g_usleep (100);
  g_assert_false (loky_close_is_overrun ());
}

static void
test_memory_at_once (void)
{
  guint before = count_open ();
  int fd = memfd_create ("memory", MFD_CLOEXEC);

  loky_close_untrusted (fd);
  g_assert_cmpuint (count_open (), ==, before);
  loky_close_untrusted (-1);
}

static void
test_what_it_is (void)
{
  int memory = memfd_create ("memory", MFD_CLOEXEC);
  int ends[2];

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  g_assert_true (loky_close_is_memory (memory));
  g_assert_false (loky_close_is_pipe (memory));
  g_assert_true (loky_close_is_pipe (ends[0]));
  g_assert_true (loky_close_is_pipe (ends[1]));
  g_assert_false (loky_close_is_memory (ends[0]));
  g_assert_false (loky_close_is_pipe (-1));
  close (memory);
  close (ends[0]);
  close (ends[1]);
}

int
main (int argc, char **argv)
{
  /* Without a child: GLib lets go of its descriptors later. */
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/close/more-than-can-be-closed", test_more_than_can_be_closed);
  g_test_add_func ("/loky/close/no-threads", test_no_threads);
  g_test_add_func ("/loky/close/memory-at-once", test_memory_at_once);
  g_test_add_func ("/loky/close/what-it-is", test_what_it_is);
  return g_test_run ();
}
