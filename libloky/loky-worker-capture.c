/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-capture-private.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "loky-error.h"
#include "loky-util-private.h"

static const int places[LOKY_N_STREAMS] = { STDOUT_FILENO, STDERR_FILENO };

/* How long a thread that a task has left behind may hold one of the C library's streams, in ms. */
#define FLUSH_TIMEOUT 100

static void
flush_stream (FILE *stream)
{
  for (guint i = 0; i < FLUSH_TIMEOUT; i++)
    {
      if (ftrylockfile (stream) == 0)
        {
          fflush_unlocked (stream);
          funlockfile (stream);
          return;
        }
      g_usleep (1000);
    }
}

/* What the C library holds back belongs to whom it was printed for. */
static void
flush_streams (void)
{
  flush_stream (stdout);
  flush_stream (stderr);
}

static gboolean
keep (LokyWorkerKept *kept, int place)
{
  struct stat info;

  /* An earlier task may have closed it. */
  if (fstat (place, &info) != 0)
    return TRUE;
  kept->device = info.st_dev;
  kept->inode = info.st_ino;
  kept->fd = fcntl (place, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  return kept->fd >= 0;
}

static void
put_back (LokyWorkerKept *kept, int place)
{
  struct stat info;
  gboolean is_there;
  int null_fd;

  if (!kept->is_replaced)
    {
      loky_close_fd (&kept->fd);
      return;
    }
  is_there = kept->fd >= 0 && fstat (kept->fd, &info) == 0 &&
             info.st_dev == kept->device && info.st_ino == kept->inode;
  if (is_there && dup2 (kept->fd, place) >= 0)
    {
      loky_close_fd (&kept->fd);
      return;
    }
  /* Whatever is in its number now is the task's. */
  kept->fd = -1;
  close (place);
  null_fd = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null_fd == place)
    fcntl (place, F_SETFD, 0);
  else if (null_fd >= 0)
    {
      dup2 (null_fd, place);
      loky_close_fd (&null_fd);
    }
}

static void
do_nothing (int number)
{
}

/* A thread that a task left behind may still print when nobody reads any more: that is an error of its write() then, and
 * not the end of the worker. Not ignored, as programs that the task starts would ignore it, too; and not for a
 * task that has its own way with the signal. */
static void
outlive_closed_pipes (void)
{
  struct sigaction action;

  if (sigaction (SIGPIPE, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
    return;
  action = (struct sigaction){ .sa_handler = do_nothing, .sa_flags = SA_RESTART };
  sigaction (SIGPIPE, &action, NULL);
}

gboolean
loky_worker_capture_begin (LokyWorkerCapture *self, int fds[LOKY_N_STREAMS], GError **error)
{
  int saved_errno = 0;

  outlive_closed_pipes ();
  flush_streams ();
  for (guint i = 0; i < LOKY_N_STREAMS; i++)
    self->kept[i] = (LokyWorkerKept){ .fd = -1 };
  for (guint i = 0; i < LOKY_N_STREAMS && saved_errno == 0; i++)
    if (!keep (&self->kept[i], places[i]))
      saved_errno = errno;
  for (guint i = 0; i < LOKY_N_STREAMS && saved_errno == 0; i++)
    {
      self->kept[i].is_replaced = dup2 (fds[i], places[i]) >= 0;
      if (!self->kept[i].is_replaced)
        saved_errno = errno;
    }
  for (guint i = 0; i < LOKY_N_STREAMS; i++)
    loky_close_fd (&fds[i]);
  self->is_on = TRUE;
  if (saved_errno == 0)
    return TRUE;
  loky_worker_capture_end (self);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
               "The output of the task cannot be captured: %s", g_strerror (saved_errno));
  return FALSE;
}

void
loky_worker_capture_end (LokyWorkerCapture *self)
{
  if (!self->is_on)
    return;
  self->is_on = FALSE;
  flush_streams ();
  for (guint i = 0; i < LOKY_N_STREAMS; i++)
    put_back (&self->kept[i], places[i]);
}
