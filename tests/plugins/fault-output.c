/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders about what a task writes to standard output and error. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault-private.h"

static gboolean
write_all (int fd, gconstpointer data, gsize size)
{
  for (gsize done = 0; done < size;)
    {
      ssize_t written = write (fd, (const char *) data + done, size - done);

      if (written < 0)
        return FALSE;
      done += (gsize) written;
    }
  return TRUE;
}

/* By the C library, which holds it back, without the end of a line. */
static GVariant *
obey_output (LokyTaskContext *context, const char *argument, GError **error)
{
  printf ("out %s", argument);
  fprintf (stderr, "err %s", argument);
  return fault_ok ();
}

/* The byte i is (7 i + 3) & 255. */
static GVariant *
obey_output_bytes (LokyTaskContext *context, const char *argument, GError **error)
{
  guint8 block[4096];
  guint64 size;

  if (!fault_parse_number (argument, &size, error))
    return NULL;
  for (gsize i = 0; i < sizeof block; i++)
    block[i] = (guint8) (7 * i + 3);
  for (guint64 done = 0; done < size; done += sizeof block)
    write_all (STDOUT_FILENO, block, MIN (size - done, sizeof block));
  return fault_ok ();
}

static GVariant *
obey_output_crash (LokyTaskContext *context, const char *argument, GError **error)
{
  write_all (STDOUT_FILENO, argument, strlen (argument));
  write_all (STDERR_FILENO, argument, strlen (argument));
  raise (SIGSEGV);
  return NULL;
}

static GVariant *
obey_output_crash_once (LokyTaskContext *context, const char *argument, GError **error)
{
  if (loky_task_context_get_attempt (context) == 1)
    return obey_output_crash (context, argument, error);
  return obey_output (context, argument, error);
}

/* Deaf to its cancellation. */
static GVariant *
obey_output_hang (LokyTaskContext *context, const char *argument, GError **error)
{
  write_all (STDOUT_FILENO, argument, strlen (argument));
  for (;;)
    pause ();
  return NULL;
}

static GVariant *
obey_output_program (LokyTaskContext *context, const char *argument, GError **error)
{
  g_autofree char *command =
      g_strdup_printf ("echo \"out %s\"; echo \"err %s\" >&2", argument, argument);
  int status = system (command);

  if (status == 0)
    return fault_ok ();
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "the shell ended with %d", status);
  return NULL;
}

/* A child that writes, and holds what it writes to until it is killed; with "flood" it never stops
 * writing. */
static GVariant *
obey_output_child (LokyTaskContext *context, const char *argument, GError **error)
{
  int fds[2];
  char byte;

  if (pipe (fds) != 0)
    return NULL;
  if (fork () == 0)
    {
      signal (SIGPIPE, SIG_IGN);
      write_all (STDOUT_FILENO, argument, strlen (argument));
      write_all (fds[1], "", 1);
      while (strcmp (argument, "flood") == 0 &&
             write_all (STDOUT_FILENO, argument, strlen (argument)))
        ;
      for (;;)
        pause ();
    }
  close (fds[1]);
  if (read (fds[0], &byte, 1) != 1)
    g_assert_not_reached ();
  close (fds[0]);
  return fault_ok ();
}

static GVariant *
obey_output_close (LokyTaskContext *context, const char *argument, GError **error)
{
  close (STDOUT_FILENO);
  close (STDERR_FILENO);
  return fault_ok ();
}

/* What is kept elsewhere, too; but for the channel. */
static GVariant *
obey_output_close_all (LokyTaskContext *context, const char *argument, GError **error)
{
  for (int fd = 0; fd < 100; fd++)
    if (fd != 3)
      close (fd);
  /* Others in their places. */
  for (int i = 0; i < 10; i++)
    if (dup (3) < 0)
      return NULL;
  return fault_ok ();
}

static gpointer
hold_stream (gpointer data)
{
  flockfile (stdout);
  g_atomic_int_set ((gint *) data, TRUE);
  for (;;)
    pause ();
  return NULL;
}

static gpointer
write_much (gpointer is_begun)
{
  static const char bytes[8 << 20];
  ssize_t written G_GNUC_UNUSED;

  g_atomic_int_set ((gint *) is_begun, 1);
  written = write (STDOUT_FILENO, bytes, sizeof bytes);
  return NULL;
}

/* By a thread that has not written all when the task returns. */
static GVariant *
obey_output_late (LokyTaskContext *context, const char *argument, GError **error)
{
  static gint is_begun;

  g_atomic_int_set (&is_begun, 0);
  g_thread_unref (g_thread_new ("writer", write_much, &is_begun));
  while (!g_atomic_int_get (&is_begun))
    g_thread_yield ();
  return fault_ok ();
}

/* By a thread that lives on. */
static GVariant *
obey_output_lock (LokyTaskContext *context, const char *argument, GError **error)
{
  static gint is_held;

  printf ("never to be seen");
  g_thread_unref (g_thread_new ("holder", hold_stream, &is_held));
  while (!g_atomic_int_get (&is_held))
    g_usleep (100);
  return fault_ok ();
}

/* Where the output goes, as the kernel names it. */
static GVariant *
obey_output_places (LokyTaskContext *context, const char *argument, GError **error)
{
  g_autofree char *out = g_file_read_link ("/proc/self/fd/1", error);
  g_autofree char *err = out != NULL ? g_file_read_link ("/proc/self/fd/2", error) : NULL;

  return err != NULL ? g_variant_new_take_string (g_strconcat (out, " ", err, NULL)) : NULL;
}

const FaultOrder fault_output_orders[] = {
  { "output", obey_output },
  { "output-bytes", obey_output_bytes },
  { "output-crash", obey_output_crash },
  { "output-crash-once", obey_output_crash_once },
  { "output-hang", obey_output_hang },
  { "output-program", obey_output_program },
  { "output-child", obey_output_child },
  { "output-close", obey_output_close },
  { "output-close-all", obey_output_close_all },
  { "output-lock", obey_output_lock },
  { "output-late", obey_output_late },
  { "output-places", obey_output_places },
  { NULL },
};
