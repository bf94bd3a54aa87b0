/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small helpers that GLib 2.74 does not have yet, or not without GIO. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

/* G_IO_ERROR by its name: the function behind that is GIO's, which is not to be needed. */
#define LOKY_IO_ERROR g_quark_from_static_string ("g-io-error-quark")

static inline void
loky_close_fd (int *fd)
{
  int saved_errno = errno;

  if (*fd >= 0)
    close (*fd);
  *fd = -1;
  errno = saved_errno;
}

static inline int
loky_steal_fd (int *fd)
{
  int stolen = *fd;

  *fd = -1;
  return stolen;
}

/* A descriptor that is closed at the end of its block. */
#define loky_autofd __attribute__ ((cleanup (loky_close_fd)))

/* Moves @fd above the three standard ones: a descriptor of ours that landed there, in an application
 * that closed its own, would be written to by anybody who prints. */
static inline int
loky_fd_above_standard (int fd)
{
  int moved;

  if (fd < 0 || fd > STDERR_FILENO)
    return fd;
  moved = fcntl (fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  loky_close_fd (&fd);
  return moved;
}

static inline gsize
loky_round_up_8 (gsize size)
{
  return (size + 7) & ~(gsize) 7;
}

/* Microseconds from milliseconds that may be negative (none) or huge. */
static inline gint64
loky_usec_from_msec (gint64 msec)
{
  if (msec < 0)
    return -1;
  return msec > G_MAXINT64 / 4000 ? G_MAXINT64 / 4 : msec * 1000;
}
