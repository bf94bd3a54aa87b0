/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders that end, stop or block the worker. */

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault-private.h"

static GVariant *
obey_exit (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 status;

  if (!fault_parse_number (argument, &status, error))
    return NULL;

  exit ((int) status);
}

static GVariant *
obey_exit_at_once (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 status;

  if (!fault_parse_number (argument, &status, error))
    return NULL;

  _exit ((int) status);
}

static GVariant *
obey_abort (LokyTaskContext *context, const char *argument, GError **error)
{
  abort ();
}

static GVariant *
obey_segv (LokyTaskContext *context, const char *argument, GError **error)
{
  /* Volatile twice: else the compiler may leave the write out, or trap instead of writing. */
  volatile int *volatile nowhere = NULL;

  *nowhere = 1;
  return fault_ok ();
}

static GVariant *
obey_kill (LokyTaskContext *context, const char *argument, GError **error)
{
  kill (getpid (), SIGKILL);
  return fault_ok ();
}

static GVariant *
obey_stop (LokyTaskContext *context, const char *argument, GError **error)
{
  kill (getpid (), SIGSTOP);
  return fault_ok ();
}

G_NORETURN static void
wait_for_ever (void)
{
  for (;;)
    pause ();
}

static GVariant *
obey_hang (LokyTaskContext *context, const char *argument, GError **error)
{
  wait_for_ever ();
}

static GVariant *
obey_hang_hard (LokyTaskContext *context, const char *argument, GError **error)
{
  sigset_t all;

  sigfillset (&all);
  sigprocmask (SIG_BLOCK, &all, NULL);
  wait_for_ever ();
}

/* Deaf to cancellation, but not for ever. */
static GVariant *
obey_sleep (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 milliseconds;

  if (!fault_parse_number (argument, &milliseconds, error))
    return NULL;

  g_usleep (milliseconds * 1000);
  return fault_ok ();
}

const FaultOrder fault_death_orders[] = {
  { "exit", obey_exit },   { "_exit", obey_exit_at_once },
  { "abort", obey_abort }, { "segv", obey_segv },
  { "kill", obey_kill },   { "stop", obey_stop },
  { "hang", obey_hang },   { "hang-hard", obey_hang_hard },
  { "sleep", obey_sleep }, { NULL },
};
