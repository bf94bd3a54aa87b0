/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-integrity-private.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What tells the channel's descriptor from others (F_SETSIG), at half the price of fstat(): the signal that it would
 * raise anyway, if it were asked to, and nobody asks for by number. */
#define CHANNEL_MARK SIGIO

/* A byte that is 1 here, and 0 in whatever is fork()ed; NULL before Linux 4.14. */
static const volatile guint8 *
make_original (void)
{
  gsize size = (gsize) sysconf (_SC_PAGESIZE);
  guint8 *original = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (original == MAP_FAILED)
    return NULL;
  if (madvise (original, size, MADV_WIPEONFORK) != 0)
    {
      munmap (original, size);
      return NULL;
    }
  *original = 1;
  return original;
}

gboolean
loky_worker_integrity_init (LokyWorkerIntegrity *self, LokyChannel *channel, LokyControl *control)
{
  int fd = loky_channel_get_fd (channel);
  struct stat info;

  if (fstat (fd, &info) != 0)
    return FALSE;
  *self = (LokyWorkerIntegrity){
    .pid = getpid (),
    .original = make_original (),
    .fd = fd,
    .is_marked = fcntl (fd, F_SETSIG, CHANNEL_MARK) == 0 && fcntl (fd, F_GETSIG) == CHANNEL_MARK,
    .device = info.st_dev,
    .inode = info.st_ino,
    .channel = channel,
    .control = control,
    .n_unread = -1,
  };
  return TRUE;
}

gboolean
loky_worker_integrity_is_copy (const LokyWorkerIntegrity *self)
{
  return self->original != NULL ? *self->original == 0 : getpid () != self->pid;
}

gboolean
loky_worker_integrity_has_channel (const LokyWorkerIntegrity *self)
{
  struct stat info;

  if (self->is_marked)
    return fcntl (self->fd, F_GETSIG) == CHANNEL_MARK;
  return fstat (self->fd, &info) == 0 && info.st_dev == self->device && info.st_ino == self->inode;
}

/* What of all that was written to the channel is unread and what was received, at one time. FALSE: the parent is
 * reading. */
static gboolean
look (const LokyWorkerIntegrity *self, int *n_unread, guint64 *n_received)
{
  guint64 before = loky_control_get_readings (self->control, n_received);

  return before % 2 == 0 && ioctl (self->fd, SIOCOUTQ, n_unread) == 0 &&
         loky_control_get_readings (self->control, n_received) == before;
}

void
loky_worker_integrity_note_sent (LokyWorkerIntegrity *self)
{
  if (!look (self, &self->n_unread, &self->n_received))
    self->n_unread = -1;
}

gboolean
loky_worker_integrity_is_undisturbed (const LokyWorkerIntegrity *self)
{
  guint64 n_received;
  int n_unread;

  if (!look (self, &n_unread, &n_received))
    return FALSE;
  if (n_unread == 0)
    return n_received == loky_channel_get_n_sent (self->channel);
  return n_unread == self->n_unread && n_received == self->n_received;
}
