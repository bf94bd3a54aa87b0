/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders that end, stop or block the worker. */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

G_NORETURN G_NO_INLINE static void
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

/* A file that is shorter than its mapping. */
static GVariant *
obey_bus (LokyTaskContext *context, const char *argument, GError **error)
{
  int fd = memfd_create ("bus", MFD_CLOEXEC);
  volatile char *memory = mmap (NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

  return g_variant_new_take_string (g_strdup_printf ("%d", memory[0]));
}

static GVariant *
obey_fpe (LokyTaskContext *context, const char *argument, GError **error)
{
  volatile int nothing = 0;
  volatile int quotient = 1 / nothing;

  /* Machines on which a division by zero is no fault come to this. */
  if (quotient == 0)
    raise (SIGFPE);
  return fault_ok ();
}

/* Each call needs what the one in it returns, so that it stays a call. It would end if "above" were not 0. */
static int
overflow (volatile char *above)
{
  volatile char frame[4096];

  frame[0] = above[0];
  return frame[0] == 0 ? overflow (frame) + frame[0] : 0;
}

static GVariant *
obey_overflow (LokyTaskContext *context, const char *argument, GError **error)
{
  volatile char first[1] = { 0 };

  return g_variant_new_take_string (g_strdup_printf ("%d", overflow (first)));
}

static GVariant *
obey_g_error (LokyTaskContext *context, const char *argument, GError **error)
{
  g_error ("These are the last words");
  return NULL;
}

static GVariant *
obey_assert (LokyTaskContext *context, const char *argument, GError **error)
{
  g_assert_cmpint (argument[0], ==, 'x');
  return fault_ok ();
}

/* Writes over the head of a block, which the C library sees when that is freed. */
static GVariant *
obey_corrupt_heap (LokyTaskContext *context, const char *argument, GError **error)
{
  char *volatile block = malloc (5000);
  volatile gsize *volatile head = (volatile gsize *) (gpointer) block;

  head[-1] = 0x4141414141414141;
  free (block);
  return fault_ok ();
}

static GVariant *
obey_pthread_exit (LokyTaskContext *context, const char *argument, GError **error)
{
  pthread_exit (NULL);
}

/* Past the C library: the thread is gone without a trace. */
static GVariant *
obey_thread_exit (LokyTaskContext *context, const char *argument, GError **error)
{
  syscall (SYS_exit, 0);
  return fault_ok ();
}

/* In the state that `ps` calls D, until the child of vfork() ends, which it does not. */
static GVariant *
obey_vfork (LokyTaskContext *context, const char *argument, GError **error)
{
  if (vfork () == 0)
    wait_for_ever ();
  return fault_ok ();
}

static GVariant *
obey_quick_exit (LokyTaskContext *context, const char *argument, GError **error)
{
  quick_exit (5);
}

static GVariant *
obey_exec (LokyTaskContext *context, const char *argument, GError **error)
{
  execl ("/bin/sleep", "sleep", "300", NULL);
  return fault_ok ();
}

/* Deaf to everything but SIGKILL, and busy. */
static GVariant *
obey_spin (LokyTaskContext *context, const char *argument, GError **error)
{
  volatile guint64 counter = 0;
  sigset_t all;

  sigfillset (&all);
  sigprocmask (SIG_BLOCK, &all, NULL);
  for (;;)
    counter++;
  return NULL;
}

/* 64 MiB of address space more than there are, used up in small pieces. */
static void
limit_memory (void)
{
  struct rlimit limit = { 0, RLIM_INFINITY };
  gulong pages = 0;
  g_autofree char *statm = NULL;

  g_file_get_contents ("/proc/self/statm", &statm, NULL, NULL);
  pages = strtoul (statm, NULL, 10);
  limit.rlim_cur = pages * (gulong) sysconf (_SC_PAGESIZE) + (64u << 20);
  setrlimit (RLIMIT_AS, &limit);
}

static GVariant *
obey_limit_alloc (LokyTaskContext *context, const char *argument, GError **error)
{
  limit_memory ();
  for (;;)
    {
      char *volatile block = g_malloc (1 << 20);

      memset (block, 1, 1 << 20);
    }
  return NULL;
}

/* Who does not look at what malloc() returns. */
static GVariant *
obey_limit_malloc (LokyTaskContext *context, const char *argument, GError **error)
{
  limit_memory ();
  for (;;)
    {
      char *volatile block = malloc (64 << 10);

      memset (block, 1, 64 << 10);
    }
  return NULL;
}

const FaultOrder fault_death_orders[] = {
  { "exit", obey_exit },   { "_exit", obey_exit_at_once },
  { "abort", obey_abort }, { "segv", obey_segv },
  { "kill", obey_kill },   { "stop", obey_stop },
  { "hang", obey_hang },   { "hang-hard", obey_hang_hard },
  { "sleep", obey_sleep },
  { "bus", obey_bus },
  { "fpe", obey_fpe },
  { "overflow", obey_overflow },
  { "g_error", obey_g_error },
  { "assert", obey_assert },
  { "corrupt-heap", obey_corrupt_heap },
  { "pthread-exit", obey_pthread_exit },
  { "thread-exit", obey_thread_exit },
  { "quick-exit", obey_quick_exit },
  { "exec", obey_exec },
  { "vfork", obey_vfork },
  { "spin", obey_spin },
  { "limit-alloc", obey_limit_alloc },
  { "limit-malloc", obey_limit_malloc },
  { NULL },
};
