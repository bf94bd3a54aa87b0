/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Answers on the socket that is its standard input until the other end is closed. */

#include "pidfd.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int
main (void)
{
  PidfdRequest request;
  int fd;

  /* No test is to find a child that it did not start. */
  if (fork () != 0)
    return 0;
  setsid ();
  while (pidfd_receive (STDIN_FILENO, &request, sizeof request, &fd) == sizeof request)
    {
      int opened = -1;
      long result;
      int answer;

      if (request.verb == PIDFD_OPEN)
        result = opened = (int) syscall (SYS_pidfd_open, request.pid, request.flags);
      else
        result = syscall (SYS_pidfd_send_signal, fd, request.signal, NULL, request.flags);
      answer = result < 0 ? errno : 0;

      pidfd_send (STDIN_FILENO, &answer, sizeof answer, opened);
      if (opened >= 0)
        close (opened);
      if (fd >= 0)
        close (fd);
    }
  return 0;
}
