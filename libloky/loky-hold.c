/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-hold-private.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "loky-attachment-private.h"
#include "loky-close-private.h"
#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-tsan-private.h"
#include "loky-util-private.h"

struct _LokyHold
{
  GObject parent_instance;

  int fd;
  gint32 handle;
  gint is_listed; /* atomic; among the live ones */
  guint fork_generation;
};

G_DEFINE_FINAL_TYPE (LokyHold, loky_hold, G_TYPE_OBJECT)

static void
loky_hold_finalize (GObject *object)
{
  LokyHold *self = LOKY_HOLD (object);

  LOKY_TSAN_ACQUIRE (object);
  if (g_atomic_int_get (&self->is_listed))
    loky_attachment_unlist (self->handle);
  /* A child has lost it, and its number may be somebody else's. */
  if (self->fork_generation == loky_fork_guard_get_generation ())
    loky_fork_guard_close (&self->fd);

  G_OBJECT_CLASS (loky_hold_parent_class)->finalize (object);
}

static void
loky_hold_class_init (LokyHoldClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_hold_finalize;
}

static void
loky_hold_init (LokyHold *self)
{
  self->fd = -1;
}

static LokyHold *
make_unlisted (int fd)
{
  LokyHold *self = g_object_new (LOKY_TYPE_HOLD, NULL);

  self->fd = fd;
  loky_fork_guard_add (fd);
  self->fork_generation = loky_fork_guard_get_generation ();
  return self;
}

LokyHold *
loky_hold_new (int fd)
{
  LokyHold *self = make_unlisted (fd);

  self->handle = loky_attachment_list (G_OBJECT (self));
  self->is_listed = TRUE;
  return self;
}

LokyHold *
loky_hold_new_received (int fd, const LokyBufferRecord *record, GError **error)
{
  loky_autofd int owned = fd;
  LokyHold *self;

  if (record->size != 0 || !loky_close_is_pipe (fd) ||
      (fcntl (fd, F_GETFL) & O_ACCMODE) != O_WRONLY)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                   "What has the handle %d is no hold on a resource", record->handle);
      return NULL;
    }
  self = make_unlisted (loky_steal_fd (&owned));
  self->handle = record->handle;
  return self;
}

int
loky_hold_get_fd (LokyHold *self)
{
  return self->fd;
}

gint32
loky_hold_get_handle (LokyHold *self)
{
  return self->handle;
}

gboolean
loky_hold_is_same (LokyHold *self, LokyHold *other)
{
  struct stat first, second;

  /* Both are anonymous pipes: no file system is asked. */
  return fstat (self->fd, &first) == 0 && fstat (other->fd, &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

gboolean
loky_hold_check_process (LokyHold *self, GError **error)
{
  if (self->fork_generation == loky_fork_guard_get_generation ())
    return TRUE;
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_FORKED,
                       "A resource cannot be used in a child of the process that has it");
  return FALSE;
}

/* One that was received has the handle of its sender; another object may have that here, mostly for
 * the same. */
static gboolean
list_received (LokyHold *self, GError **error)
{
  g_autoptr (GObject) other = NULL;

  if (loky_attachment_list_received (G_OBJECT (self), self->handle))
    {
      g_atomic_int_set (&self->is_listed, TRUE);
      return TRUE;
    }
  other = loky_attachment_lookup (self->handle);
  if (other != NULL && LOKY_IS_HOLD (other) && loky_hold_is_same (LOKY_HOLD (other), self))
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "The handle %d is that of something else in this process", self->handle);
  return FALSE;
}

gboolean
loky_hold_make_sendable (LokyHold *self, GError **error)
{
  return loky_hold_check_process (self, error) &&
         (g_atomic_int_get (&self->is_listed) || list_received (self, error));
}

/* A byte, without the signal that a pipe raises which nobody reads. Not by write(): whether that
 * waits is up to a flag that all who have the pipe share, and a hostile one among them can fill it.
 */
static ssize_t
write_at_once (int fd)
{
  static const char byte[] = "F";
  const struct iovec data = { (gpointer) byte, 1 };
  const struct timespec no_time = { 0 };
  sigset_t pipe_signal, before, pending;
  int saved_errno;
  ssize_t written;

  sigemptyset (&pipe_signal);
  sigaddset (&pipe_signal, SIGPIPE);
  sigpending (&pending);
  pthread_sigmask (SIG_BLOCK, &pipe_signal, &before);
  written = vmsplice (fd, &data, 1, SPLICE_F_NONBLOCK);
  saved_errno = errno;
  if (written < 0 && saved_errno == EPIPE && !sigismember (&pending, SIGPIPE))
    while (sigtimedwait (&pipe_signal, NULL, &no_time) < 0 && errno == EINTR)
      ;
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  errno = saved_errno;
  return written;
}

gboolean
loky_hold_forget (LokyHold *self, GError **error)
{
  if (!loky_hold_check_process (self, error))
    return FALSE;
  /* Full: somebody has said so already. Without a reader: nobody is left who would remove it. */
  if (write_at_once (self->fd) == 1 || errno == EAGAIN || errno == EPIPE)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A resource cannot be forgotten: %s",
               g_strerror (errno));
  return FALSE;
}
