/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-close-private.h"

#include <sys/stat.h>

#include "loky-util-private.h"

static gpointer
close_cb (gpointer data)
{
  close (GPOINTER_TO_INT (data));
  return NULL;
}

gboolean
loky_close_apart (int fd)
{
  GThread *thread = g_thread_try_new ("loky-close", close_cb, GINT_TO_POINTER (fd), NULL);

  if (thread != NULL)
    g_thread_unref (thread);
  return thread != NULL;
}

/* What the kernel remembers is enough: a file system of somebody's own is not asked, and cannot
 * keep us waiting. 0: it cannot be told. */
static guint64
get_device (int fd)
{
  struct statx info;

  if (statx (fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &info) != 0)
    return 0;
  return 1 + ((guint64) info.stx_dev_major << 32 | info.stx_dev_minor);
}

/* That of all anonymous pipes; a FIFO with a name may be anywhere. */
static guint64
get_device_of_pipes (void)
{
  static guint64 device; /* atomic; 0 while it is not known */
  guint64 known = __atomic_load_n (&device, __ATOMIC_RELAXED);
  int ends[2];

  if (known != 0 || pipe2 (ends, O_CLOEXEC) != 0)
    return known;
  known = get_device (ends[0]);
  close (ends[0]);
  close (ends[1]);
  __atomic_store_n (&device, known, __ATOMIC_RELAXED);
  return known;
}

gboolean
loky_close_is_pipe (int fd)
{
  guint64 device;

  if (fcntl (fd, F_GETPIPE_SZ) < 0)
    return FALSE;
  device = get_device_of_pipes ();
  return device != 0 && get_device (fd) == device;
}

void
loky_close_trusted (int fd)
{
  if (fcntl (fd, F_GET_SEALS) >= 0 || fcntl (fd, F_GETPIPE_SZ) >= 0 || !loky_close_apart (fd))
    close (fd);
}
