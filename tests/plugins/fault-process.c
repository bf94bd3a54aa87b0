/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders that spoil what the worker's process has: memory, descriptors, children, surroundings. */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault-private.h"

#define MEBIBYTE (1024 * 1024)
#define HIGHEST_DESCRIPTOR 1023
#define CHILD_SECONDS 300

/* The memory is kept for as long as the worker lives. */
static GVariant *
obey_alloc (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 size;
  char *volatile memory;

  if (!fault_parse_number (argument, &size, error))
    return NULL;

  memory = malloc (size * MEBIBYTE);
  if (memory == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "malloc() found no memory");
      return NULL;
    }

  memset (memory, 0x5a, size * MEBIBYTE);
  /* Else the compiler sees that nobody reads what is written. */
  __asm__ volatile ("" : : "r"(memory) : "memory");
  return fault_ok ();
}

static GVariant *
print_kibibytes (FILE *stream, const char *argument, GError **error)
{
  char line[1025];
  guint64 size;

  if (!fault_parse_number (argument, &size, error))
    return NULL;

  memset (line, 'x', 1023);
  line[1023] = '\n';
  line[1024] = '\0';
  for (guint64 i = 0; i < size; i++)
    fputs (line, stream);
  fflush (stream);

  return fault_ok ();
}

static GVariant *
obey_print (LokyTaskContext *context, const char *argument, GError **error)
{
  return print_kibibytes (stderr, argument, error);
}

static GVariant *
obey_print_out (LokyTaskContext *context, const char *argument, GError **error)
{
  return print_kibibytes (stdout, argument, error);
}

static GVariant *
obey_close_fds (LokyTaskContext *context, const char *argument, GError **error)
{
  for (int descriptor = 0; descriptor <= HIGHEST_DESCRIPTOR; descriptor++)
    close (descriptor);

  return fault_ok ();
}

/* Not waiting where nobody reads: a socket, above all. */
static GVariant *
obey_junk_fds (LokyTaskContext *context, const char *argument, GError **error)
{
  char junk[64];
  gssize written;

  memset (junk, 0xa5, sizeof junk);
  for (int descriptor = 0; descriptor <= HIGHEST_DESCRIPTOR; descriptor++)
    {
      written = send (descriptor, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (written < 0 && errno == ENOTSOCK)
        written = write (descriptor, junk, sizeof junk);
    }

  return fault_ok ();
}

/* The child's process id as a string; the child holds all descriptors that a fork leaves it. */
static GVariant *
fork_sleeper (gboolean new_session, GError **error)
{
  pid_t child = fork ();

  if (child < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (errno), "fork() failed");
      return NULL;
    }

  if (child == 0)
    {
      if (new_session)
        setsid ();
      sleep (CHILD_SECONDS);
      _exit (0);
    }

  return g_variant_new_take_string (g_strdup_printf ("%d", (int) child));
}

static GVariant *
obey_fork (LokyTaskContext *context, const char *argument, GError **error)
{
  return fork_sleeper (FALSE, error);
}

static GVariant *
obey_fork_setsid (LokyTaskContext *context, const char *argument, GError **error)
{
  return fork_sleeper (TRUE, error);
}

/* Both processes return from the task, the new one first. */
static GVariant *
obey_fork_twice (LokyTaskContext *context, const char *argument, GError **error)
{
  pid_t child = fork ();

  if (child > 0)
    waitpid (child, NULL, 0);
  return g_variant_new_string (child == 0 ? "child" : "parent");
}

static GVariant *
obey_chdir (LokyTaskContext *context, const char *argument, GError **error)
{
  const char *folder = *argument != '\0' ? argument : "/";

  if (chdir (folder) < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (errno), "chdir() failed");
      return NULL;
    }

  return fault_ok ();
}

static GVariant *
obey_pid (LokyTaskContext *context, const char *argument, GError **error)
{
  return g_variant_new_take_string (g_strdup_printf ("%d", (int) getpid ()));
}

/* A variable that is not set is an empty string. */
static GVariant *
obey_env (LokyTaskContext *context, const char *argument, GError **error)
{
  const char *value = g_getenv (argument);

  return g_variant_new_string (value != NULL ? value : "");
}

/* The CPUs that it may run on, with commas between. */
static GVariant *
obey_affinity (LokyTaskContext *context, const char *argument, GError **error)
{
  g_autoptr (GString) list = g_string_new (NULL);
  cpu_set_t set;

  if (sched_getaffinity (0, sizeof set, &set) != 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "sched_getaffinity() failed");
      return NULL;
    }
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET (i, &set))
      g_string_append_printf (list, "%s%d", list->len > 0 ? "," : "", i);
  return g_variant_new_string (list->str);
}

const FaultOrder fault_process_orders[] = {
  { "alloc", obey_alloc },
  { "print", obey_print },
  { "print-out", obey_print_out },
  { "close-fds", obey_close_fds },
  { "junk-fds", obey_junk_fds },
  { "fork", obey_fork },
  { "fork-setsid", obey_fork_setsid },
  { "fork-twice", obey_fork_twice },
  { "chdir", obey_chdir },
  { "pid", obey_pid },
  { "env", obey_env },
  { "affinity", obey_affinity },
  { NULL },
};
