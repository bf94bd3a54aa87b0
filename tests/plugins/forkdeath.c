/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Kills the process that forks a moment after it did: a fork server, before it can tell of its worker. */

#include <pthread.h>
#include <signal.h>

#include "trivial-task.h"

static void
die (void)
{
  /* So that the worker can begin a task. */
  g_usleep (200 * 1000);
  raise (SIGKILL);
}

__attribute__ ((constructor)) static void
wait_for_a_fork (void)
{
  pthread_atfork (NULL, die, NULL);
}

LOKY_PLUGIN_DEFINE ("forkdeath", "1.0", "Kills who forks", trivial_tasks)
