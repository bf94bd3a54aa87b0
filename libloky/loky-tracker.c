/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A tracker as the process has it that started it: a socket. */

#include "loky-tracker-private.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loky-environment-private.h"
#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-paths-private.h"
#include "loky-util-private.h"

/* How long the tracker may take to start, or to answer while it removes a large folder, in ms. */
#define TIMEOUT 30000

struct _LokyTracker
{
  gatomicrefcount ref_count;
  int fd;
  guint fork_generation;
  guint id;
  guint32 asked;    /* the serial of the last request */
  guint32 answered; /* of the last answer */
};

static void
set_errno (GError **error, const char *what)
{
  int saved_errno = errno;

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "%s: %s", what, g_strerror (saved_errno));
}

void
loky_tracker_unref (LokyTracker *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  /* A child has lost it, and its number may be somebody else's. */
  if (self->fork_generation == loky_fork_guard_get_generation ())
    loky_fork_guard_close (&self->fd);
  g_free (self);
}

LokyTracker *
loky_tracker_ref (LokyTracker *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/* Takes over @fd. */
static LokyTracker *
tracker_new (int fd)
{
  static guint last_id; /* atomic */
  LokyTracker *self = g_new0 (LokyTracker, 1);

  self->id = 1 + (guint) g_atomic_int_add ((gint *) &last_id, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->fd = fd;
  loky_fork_guard_add (fd);
  self->fork_generation = loky_fork_guard_get_generation ();
  return self;
}

/* What was started has only to make a copy of itself, which is nobody's child, and to end. */
static gboolean
await_copy (pid_t pid, GError **error)
{
  loky_autofd int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };
  gint64 end = g_get_monotonic_time () + TIMEOUT * 1000;
  int result = -1;
  int status = 0;

  /* Somebody else in the application may have reaped it. */
  if (pidfd < 0 && errno == ESRCH)
    return TRUE;
  if (pidfd >= 0)
    do
      result = poll (&poll_fd, 1, (int) MAX ((end - g_get_monotonic_time ()) / 1000, 0));
    while (result < 0 && errno == EINTR);
  if (result <= 0)
    kill (pid, SIGKILL);
  if (waitpid (pid, &status, 0) != pid)
    status = 0;
  if (result > 0 && status == 0)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
               "The resource tracker does not start (status %d)", status);
  return FALSE;
}

/* With @fd as its standard input. */
static gboolean
spawn (int fd, GError **error)
{
  g_autofree char *program = loky_paths_find_worker (NULL);
  g_auto (GStrv) environment = loky_environment_make_clean ();
  char *arguments[] = { program, (char *) LOKY_TRACKER_ARGUMENT, NULL };
  posix_spawn_file_actions_t actions;
  pid_t pid = 0;
  int result;

  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, fd, STDIN_FILENO);
  result = posix_spawn (&pid, program, &actions, NULL, arguments, environment);
  posix_spawn_file_actions_destroy (&actions);
  if (result == 0)
    return await_copy (pid, error);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
               "The resource tracker “%s” cannot be started: %s", program, g_strerror (result));
  return FALSE;
}

LokyTracker *
loky_tracker_start (GError **error)
{
  int pair[2];
  loky_autofd int ours = -1;
  loky_autofd int theirs = -1;

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    {
      set_errno (error, "There is no socket for the resource tracker");
      return NULL;
    }
  ours = loky_fd_above_standard (pair[0]);
  theirs = loky_fd_above_standard (pair[1]);
  if (ours < 0 || theirs < 0)
    {
      set_errno (error, "There is no socket for the resource tracker");
      return NULL;
    }
  return spawn (theirs, error) ? tracker_new (loky_steal_fd (&ours)) : NULL;
}

gboolean
loky_tracker_is_alive (LokyTracker *self)
{
  struct pollfd poll_fd = { .fd = self->fd };

  return poll (&poll_fd, 1, 0) == 0;
}

guint
loky_tracker_get_id (LokyTracker *self)
{
  return self->id;
}

/* --- asking ----------------------------------------------------------------------------------- */

static ssize_t
send_request (LokyTracker *self, LokyTracked *tracked)
{
  char control[CMSG_SPACE (sizeof (int))]
      __attribute__ ((aligned (__alignof__(struct cmsghdr)))) = { 0 };
  LokyTrackerRequest request = { .magic = LOKY_TRACKER_MAGIC,
                                 .kind = (guint32) tracked->kind,
                                 .serial = self->asked + 1 };
  struct iovec parts[] = {
    { &request, sizeof request },
    { tracked->path, strlen (tracked->path) },
  };
  struct msghdr message = { .msg_iov = parts,
                            .msg_iovlen = G_N_ELEMENTS (parts),
                            .msg_control = control,
                            .msg_controllen = sizeof control };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof (int));
  memcpy (CMSG_DATA (header), &tracked->read_fd, sizeof (int));
  return sendmsg (self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* If there is no room for it the tracker does not answer, and stays. */
void
loky_tracker_release (LokyTracker *self)
{
  LokyTrackerRequest request = { .magic = LOKY_TRACKER_MAGIC, .kind = LOKY_TRACKER_RELEASE };

  if (send (self->fd, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return;
}

/* Until the last request is answered: 0, or why it is not. @error: what the answer says. */
static int
await_answer (LokyTracker *self, gint64 end, int *error)
{
  while (self->answered != self->asked)
    {
      struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
      gint64 left = MAX (end - g_get_monotonic_time (), 0);
      LokyTrackerAnswer answer;
      ssize_t got = recv (self->fd, &answer, sizeof answer, MSG_DONTWAIT);

      if (got == sizeof answer)
        {
          self->answered = answer.serial;
          *error = answer.error;
          continue;
        }
      if (got >= 0)
        return EPIPE;
      if (errno != EAGAIN && errno != EINTR)
        return errno;
      if (left == 0)
        return ETIMEDOUT;
      poll (&poll_fd, 1, (int) ((left + 999) / 1000));
    }
  return 0;
}

int
loky_tracker_ask (LokyTracker *self, LokyTracked *tracked)
{
  gint64 end = g_get_monotonic_time () + (gint64) TIMEOUT * 1000;
  int answer = 0;
  /* What was asked before, in vain: nothing is sent behind it, so there is room for one. */
  int failure = await_answer (self, end, &answer);

  if (failure != 0)
    return failure;
  if (send_request (self, tracked) < 0)
    return errno;
  self->asked++;
  failure = await_answer (self, end, &answer);
  return failure != 0 ? failure : answer;
}
