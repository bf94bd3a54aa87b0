/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Valgrind before 3.21 knows no pidfd_open() and no pidfd_send_signal(), and fails them with ENOSYS.
 * There, and only there, they are asked of a helper that valgrind does not see: it opens the
 * descriptors, which are real ones, and sends them here. To be preloaded, with the helper's path in
 * LOKY_PIDFD_HELPER. The helper is no child of the process and lives as long as it. */

/* The request; a descriptor comes with PIDFD_SEND_SIGNAL. The answer is an errno, and with
 * PIDFD_OPEN a descriptor if that is 0. */
typedef enum
{
  PIDFD_OPEN,
  PIDFD_SEND_SIGNAL,
} PidfdVerb;

typedef struct
{
  PidfdVerb verb;
  int pid;
  int signal;
  unsigned flags;
} PidfdRequest;

/* Sends @size bytes and a descriptor, unless that is -1; the socket keeps messages apart. */
int pidfd_send (int socket, const void *data, unsigned long size, int fd);
long pidfd_receive (int socket, void *data, unsigned long size, int *fd);
