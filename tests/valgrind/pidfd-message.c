/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pidfd.h"

#include <string.h>
#include <sys/socket.h>

typedef union
{
  struct cmsghdr header;
  char space[CMSG_SPACE (sizeof (int))];
} Control;

int
pidfd_send (int socket, const void *data, unsigned long size, int fd)
{
  struct iovec vector = { (void *) data, size };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
  Control control = { 0 };

  if (fd >= 0)
    {
      message.msg_control = &control;
      message.msg_controllen = sizeof control;
      control.header.cmsg_level = SOL_SOCKET;
      control.header.cmsg_type = SCM_RIGHTS;
      control.header.cmsg_len = CMSG_LEN (sizeof (int));
      memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);
    }
  return sendmsg (socket, &message, MSG_NOSIGNAL) == (ssize_t) size ? 0 : -1;
}

long
pidfd_receive (int socket, void *data, unsigned long size, int *fd)
{
  Control control = { 0 };
  struct iovec vector = { data, size };
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  long received = recvmsg (socket, &message, MSG_CMSG_CLOEXEC);

  *fd = -1;
  if (received > 0 && CMSG_FIRSTHDR (&message) != NULL)
    memcpy (fd, CMSG_DATA (CMSG_FIRSTHDR (&message)), sizeof *fd);
  return received;
}
