/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-watchdog-private.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "loky-descendants-private.h"
#include "loky-error.h"
#include "loky-util-private.h"

/* The watchdog calls nothing that needs more. */
#define STACK_SIZE (128u << 10)

static struct
{
  int channel_fd;
  int parent_pidfd;
  LokyControl *control;
  guint worker_id;
  char token[LOKY_DESCENDANTS_TOKEN_SIZE]; /* the pool's part of it; empty: none */
  int relay_fd; /* atomic; -1 while there is no relay */

  GMutex lock;
  LokyTaskContext *context; /* lock */
  GThread *relay;           /* lock */
} watchdog = { .relay_fd = -1 };

static void
ring (int fd)
{
  guint64 one = 1;
  ssize_t written G_GNUC_UNUSED = write (fd, &one, sizeof one);
}

static gboolean
is_foreign (guint worker_id, gpointer user_data)
{
  return worker_id != watchdog.worker_id;
}

void
loky_watchdog_end_everything (void)
{
  /* First who is not in our group, as after the second nothing is done any more. */
  if (watchdog.token[0] != '\0')
    loky_descendants_kill (watchdog.token, is_foreign, NULL);
  kill (0, SIGKILL);
  _exit (1);
}

static void *
run_watchdog (void *unused)
{
  struct pollfd fds[] = {
    { .fd = watchdog.channel_fd, .events = POLLRDHUP },
    { .fd = watchdog.parent_pidfd, .events = POLLIN },
  };

  for (;;)
    {
      if (poll (fds, G_N_ELEMENTS (fds), -1) < 0)
        continue;
      if ((fds[1].revents & POLLIN) != 0 || (fds[0].revents & (POLLRDHUP | POLLHUP)) != 0)
        loky_watchdog_end_everything ();
      /* A task closed them: the loop finds out after it, and what is left is enough until then. */
      for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
        if ((fds[i].revents & (POLLNVAL | POLLERR | POLLHUP)) != 0)
          fds[i].fd = -1;
    }
  return NULL;
}

/* A thread of its own, since nobody can wait for a descriptor and a word of memory at once. */
static void *
run_ringer (void *unused)
{
  guint32 seen = 0;

  for (;;)
    {
      int relay_fd;

      loky_control_wait_for_ring (watchdog.control, &seen);
      loky_control_answer (watchdog.control);
      relay_fd = __atomic_load_n (&watchdog.relay_fd, __ATOMIC_ACQUIRE);
      if (relay_fd >= 0)
        ring (relay_fd);
    }
  return NULL;
}

/* Detached, with all signals blocked. Returns an error number. */
static int
start_thread (void *(*func) (void *))
{
  pthread_attr_t attributes;
  sigset_t all, before;
  pthread_t thread;
  int result;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &before);
  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  /* Refused where the stack must be larger, by a sanitizer for one. */
  pthread_attr_setstacksize (&attributes, STACK_SIZE);
  result = pthread_create (&thread, &attributes, func, NULL);
  pthread_attr_destroy (&attributes);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return result;
}

/* The token is taken from the environment as it is before any task can change it. */
static void
read_token (void)
{
  const char *token = g_getenv (LOKY_DESCENDANTS_VARIABLE);
  const char *dash = token != NULL ? strrchr (token, '-') : NULL;

  if (dash == NULL || (gsize) (dash - token) >= sizeof watchdog.token)
    return;
  memcpy (watchdog.token, token, (gsize) (dash - token));
  watchdog.worker_id = (guint) g_ascii_strtoull (dash + 1, NULL, 10);
}

static gboolean
check_started (int result, GError **error)
{
  if (result == 0)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START, "A watchdog thread cannot be started: %s",
               g_strerror (result));
  return FALSE;
}

void
loky_watchdog_init (int channel_fd, int parent_pidfd, LokyControl *control)
{
  watchdog.channel_fd = channel_fd;
  watchdog.parent_pidfd = parent_pidfd;
  watchdog.control = control;
  read_token ();
}

gboolean
loky_watchdog_start (GError **error)
{
  return check_started (start_thread (run_watchdog), error);
}

gboolean
loky_watchdog_start_ringer (GError **error)
{
  return check_started (start_thread (run_ringer), error);
}

void
loky_watchdog_set_task (LokyTaskContext *context)
{
  g_mutex_lock (&watchdog.lock);
  watchdog.context = context;
  g_mutex_unlock (&watchdog.lock);
}

static gpointer
run_relay (gpointer user_data)
{
  int fd = GPOINTER_TO_INT (user_data);
  guint64 count;

  for (;;)
    {
      g_autoptr (LokyTaskContext) context = NULL;

      if (read (fd, &count, sizeof count) != sizeof count && errno != EINTR)
        return NULL;
      g_mutex_lock (&watchdog.lock);
      if (watchdog.context != NULL)
        context = g_object_ref (watchdog.context);
      g_mutex_unlock (&watchdog.lock);
      if (context != NULL)
        loky_task_context_relay (context);
    }
}

void
loky_watchdog_start_relay (void)
{
  g_mutex_lock (&watchdog.lock);
  if (watchdog.relay == NULL)
    {
      int fd = loky_fd_above_standard (eventfd (0, EFD_CLOEXEC));
      sigset_t all, before;

      sigfillset (&all);
      pthread_sigmask (SIG_BLOCK, &all, &before);
      if (fd >= 0)
        watchdog.relay = g_thread_try_new ("loky-relay", run_relay, GINT_TO_POINTER (fd), NULL);
      pthread_sigmask (SIG_SETMASK, &before, NULL);
      if (watchdog.relay != NULL)
        __atomic_store_n (&watchdog.relay_fd, fd, __ATOMIC_RELEASE);
      else
        loky_close_fd (&fd);
    }
  if (watchdog.relay_fd >= 0)
    ring (watchdog.relay_fd);
  g_mutex_unlock (&watchdog.lock);
}
