/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pidfd.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef long (*Syscall) (long number, ...);

static int helper_socket = -1;
static pthread_mutex_t helper_lock = PTHREAD_MUTEX_INITIALIZER;

/* GLib's own locks come here, too: nothing of GLib in this. */
static Syscall
get_real_syscall (void)
{
  static Syscall real;
  Syscall found = __atomic_load_n (&real, __ATOMIC_RELAXED);

  if (found == NULL)
    {
      found = (Syscall) dlsym (RTLD_NEXT, "syscall");
      __atomic_store_n (&real, found, __ATOMIC_RELAXED);
    }
  return found;
}

/* Before main(), and so before any other thread. A process without the calls cannot do its test: it ends. */
__attribute__ ((constructor)) static void
start_helper (void)
{
  const char *helper = getenv ("LOKY_PIDFD_HELPER");
  char *const arguments[] = { (char *) helper, NULL };
  posix_spawn_file_actions_t actions;
  int sockets[2];
  pid_t pid;
  int fd = (int) get_real_syscall () (SYS_pidfd_open, getpid (), 0);

  if (fd >= 0)
    close (fd);
  if (fd >= 0 || errno != ENOSYS || helper == NULL)
    return;

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    abort ();
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, sockets[1], STDIN_FILENO);
  if (posix_spawn (&pid, helper, &actions, NULL, arguments, environ) != 0)
    abort ();
  posix_spawn_file_actions_destroy (&actions);
  close (sockets[1]);
  /* It ends at once, and leaves a child of its own that is none of this process. */
  if (waitpid (pid, NULL, 0) != pid)
    abort ();
  helper_socket = sockets[0];
}

static long
ask (PidfdRequest request, int fd)
{
  int answer = EIO;
  int received = -1;

  pthread_mutex_lock (&helper_lock);
  if (pidfd_send (helper_socket, &request, sizeof request, fd) == 0)
    pidfd_receive (helper_socket, &answer, sizeof answer, &received);
  pthread_mutex_unlock (&helper_lock);

  errno = answer;
  if (answer != 0)
    return -1;
  return request.verb == PIDFD_OPEN ? received : 0;
}

/* Instead of the C library's, for all who call it in this process. */
__attribute__ ((visibility ("default"))) long
syscall (long number, ...)
{
  long arguments[6];
  va_list list;

  va_start (list, number);
  for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
    arguments[i] = va_arg (list, long);
  va_end (list);

  if (helper_socket >= 0 && number == SYS_pidfd_open)
    return ask ((PidfdRequest){ PIDFD_OPEN, (int) arguments[0], 0, (unsigned) arguments[1] }, -1);
  if (helper_socket >= 0 && number == SYS_pidfd_send_signal)
    return ask ((PidfdRequest){ PIDFD_SEND_SIGNAL, 0, (int) arguments[1], (unsigned) arguments[3] },
                (int) arguments[0]);
  return get_real_syscall () (number, arguments[0], arguments[1], arguments[2], arguments[3],
                              arguments[4], arguments[5]);
}
