/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders that change one thing of the worker's process each, so that a test sees which one is in the way of
 * the tasks that come after. `spoil` does many at once. */

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault-private.h"

static GVariant *
obey_umask (LokyTaskContext *context, const char *argument, GError **error)
{
  umask (0777);
  return fault_ok ();
}

static GVariant *
obey_locale (LokyTaskContext *context, const char *argument, GError **error)
{
  setlocale (LC_ALL, "C.UTF-8");
  uselocale (newlocale (LC_ALL_MASK, "C", (locale_t) 0));
  return fault_ok ();
}

static GVariant *
obey_block_signals (LokyTaskContext *context, const char *argument, GError **error)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, NULL);
  return fault_ok ();
}

static GVariant *
obey_ignore_signals (LokyTaskContext *context, const char *argument, GError **error)
{
  for (int number = 1; number < NSIG; number++)
    signal (number, SIG_IGN);
  return fault_ok ();
}

static GVariant *
obey_nice (LokyTaskContext *context, const char *argument, GError **error)
{
  setpriority (PRIO_PROCESS, 0, 19);
  return fault_ok ();
}

static GVariant *
obey_clear_env (LokyTaskContext *context, const char *argument, GError **error)
{
  clearenv ();
  return fault_ok ();
}

static const struct
{
  const char *name;
  int resource;
} limits[] = {
  { "as", RLIMIT_AS },           { "core", RLIMIT_CORE },     { "data", RLIMIT_DATA },
  { "fsize", RLIMIT_FSIZE },     { "memlock", RLIMIT_MEMLOCK }, { "nofile", RLIMIT_NOFILE },
  { "nproc", RLIMIT_NPROC },     { "sigpending", RLIMIT_SIGPENDING },
};

static GVariant *
obey_limit (LokyTaskContext *context, const char *argument, GError **error)
{
  const struct rlimit none = { 0, 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    if (g_str_equal (limits[i].name, argument) && setrlimit (limits[i].resource, &none) == 0)
      return fault_ok ();
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "The limit “%s” cannot be set", argument);
  return NULL;
}

static void
do_nothing (int number)
{
}

static void
leave (int number)
{
  _exit (9);
}

/* "return": handlers that do nothing; "exit": ones that end the process with status 9. */
static GVariant *
obey_handle (LokyTaskContext *context, const char *argument, GError **error)
{
  void (*handler) (int) = g_str_equal (argument, "exit") ? leave : do_nothing;

  signal (SIGSEGV, handler);
  signal (SIGBUS, handler);
  signal (SIGCHLD, do_nothing);
  return fault_ok ();
}

const FaultOrder fault_limits_orders[] = {
  { "umask", obey_umask },
  { "locale", obey_locale },
  { "block-signals", obey_block_signals },
  { "ignore-signals", obey_ignore_signals },
  { "nice", obey_nice },
  { "clear-env", obey_clear_env },
  { "limit", obey_limit },
  { "handle", obey_handle },
  { NULL },
};
