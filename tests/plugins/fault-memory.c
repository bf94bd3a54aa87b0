/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders that spoil memory: the heap, for a later task to find, and what is shared with the application. */

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fault-private.h"

/* Larger than what the C library keeps in lists of its own that it hardly checks. */
#define BLOCK_SIZE 5000
#define LEAK_SIZE ((gsize) 4 << 20)

static char *volatile spoilt_block;

/* Writes below its block and returns as if nothing was. */
static GVariant *
obey_corrupt_later (LokyTaskContext *context, const char *argument, GError **error)
{
  volatile gsize *volatile head;

  spoilt_block = malloc (BLOCK_SIZE);
  head = (volatile gsize *) (gpointer) spoilt_block;
  head[-1] = 0x4141414141414141;
  return fault_ok ();
}

/* A sound task that gives back what the order before it spoilt. */
static GVariant *
obey_free_corrupted (LokyTaskContext *context, const char *argument, GError **error)
{
  free (spoilt_block);
  return fault_ok ();
}

/* Some more at each call, under a limit that the first one sets. */
static GVariant *
obey_leak (LokyTaskContext *context, const char *argument, GError **error)
{
  static gboolean is_limited;
  g_autofree char *statm = NULL;

  if (!is_limited && g_file_get_contents ("/proc/self/statm", &statm, NULL, NULL))
    {
      rlim_t now = strtoul (statm, NULL, 10) * (rlim_t) sysconf (_SC_PAGESIZE);
      struct rlimit limit = { now + 10 * LEAK_SIZE, RLIM_INFINITY };

      setrlimit (RLIMIT_AS, &limit);
      is_limited = TRUE;
    }
  memset (g_malloc (LEAK_SIZE), 1, LEAK_SIZE);
  return fault_ok ();
}

/* How GLib's programs take memory: without looking. The argument is in MiB. */
static GVariant *
obey_take (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 size;
  char *volatile memory;

  if (!fault_parse_number (argument, &size, error))
    return NULL;
  memory = g_malloc (size << 20);
  memory[0] = 1;
  g_free (memory);
  return fault_ok ();
}

/* The same in C, and bit by bit. */
static GVariant *
obey_take_unchecked (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 size;

  if (!fault_parse_number (argument, &size, error))
    return NULL;
  for (guint64 i = 0; i < size; i++)
    {
      char *volatile memory = malloc (1 << 20);

      *(volatile char *) memory = 1;
    }
  return fault_ok ();
}

/* --- shared memory ---------------------------------------------------------------------------------- */

/* The descriptors of segments and buffers, up to @n. */
static guint
find_shared (int *fds, guint n)
{
  guint n_found = 0;

  for (int fd = 0; fd < 1024 && n_found < n; fd++)
    {
      char path[32], target[64];
      ssize_t length;

      snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
      length = readlink (path, target, sizeof target - 1);
      if (length <= 0)
        continue;
      target[length] = '\0';
      if (strstr (target, "memfd:loky-segment") != NULL || strstr (target, "memfd:loky-buffer") != NULL)
        fds[n_found++] = fd;
    }
  return n_found;
}

/* The first of what the seals forbid that can be done with it all the same; NULL if there is none. */
static const char *
spoil_shared (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  char junk[64];
  const char *done = NULL;
  int other;

  memset (junk, 0xa5, sizeof junk);
  if (ftruncate (fd, 0) == 0)
    return "shrunk";
  if (ftruncate (fd, (off_t) 1 << 40) == 0)
    return "grown";
  if (pwrite (fd, junk, sizeof junk, 0) >= 0)
    return "written";
  if (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0)
    return "punched";
  other = open (path, O_RDWR | O_CLOEXEC);
  if (other >= 0 && mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0) != MAP_FAILED)
    done = "mapped for writing";
  if (other >= 0)
    close (other);
  return done;
}

/* On each segment and buffer that the worker holds; "N refused". */
static GVariant *
obey_spoil_shared (LokyTaskContext *context, const char *argument, GError **error)
{
  int fds[64];
  guint n = find_shared (fds, G_N_ELEMENTS (fds));

  for (guint i = 0; i < n; i++)
    {
      const char *done = spoil_shared (fds[i]);

      if (done == NULL)
        continue;
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "Shared memory was %s", done);
      return NULL;
    }
  return g_variant_new_take_string (g_strdup_printf ("%u refused", n));
}

/* Random bytes all over a mapping, by the kernel: it fails where the mapping has gone meanwhile. */
static void
scribble (gulong start, gulong end)
{
  int fd = open ("/dev/urandom", O_RDONLY | O_CLOEXEC);

  for (guint i = 0; fd >= 0 && i < 64; i++)
    {
      gpointer place = (gpointer) (start + (gulong) g_random_int () % (end - start - 64));
      ssize_t got G_GNUC_UNUSED = read (fd, place, 64);
    }
  if (fd >= 0)
    close (fd);
}

/* Writes over what the worker has mapped for its own results, for ever: what the application copies changes
 * under its hands. */
static void *
run_scribbler (void *unused)
{
  for (;;)
    {
      FILE *maps = fopen ("/proc/self/maps", "re");
      char line[512], mode[5];
      gulong start, end;

      while (maps != NULL && fgets (line, sizeof line, maps) != NULL)
        if (strstr (line, "memfd:loky-segment") != NULL &&
            sscanf (line, "%lx-%lx %4s", &start, &end, mode) == 3 && mode[1] == 'w')
          scribble (start, end);
      if (maps != NULL)
        fclose (maps);
    }
  return NULL;
}

/* Shrinks, for ever, what is not sealed yet. */
static void *
run_shrinker (void *unused)
{
  for (;;)
    {
      int fds[64];
      guint n = find_shared (fds, G_N_ELEMENTS (fds));

      for (guint i = 0; i < n; i++)
        {
          int result G_GNUC_UNUSED = ftruncate (fds[i], 0);
        }
    }
  return NULL;
}

/* One in each worker. */
static GVariant *
start_thread (void *(*func) (void *), GError **error)
{
  static gboolean is_started;
  pthread_t thread;

  if (is_started)
    return fault_ok ();
  is_started = TRUE;
  if (pthread_create (&thread, NULL, func, NULL) != 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "pthread_create() failed");
      return NULL;
    }
  pthread_detach (thread);
  return fault_ok ();
}

static GVariant *
obey_scribble (LokyTaskContext *context, const char *argument, GError **error)
{
  return start_thread (run_scribbler, error);
}

static GVariant *
obey_shrink (LokyTaskContext *context, const char *argument, GError **error)
{
  return start_thread (run_shrinker, error);
}

const FaultOrder fault_memory_orders[] = {
  { "corrupt-later", obey_corrupt_later },
  { "free-corrupted", obey_free_corrupted },
  { "leak", obey_leak },
  { "take", obey_take },
  { "take-unchecked", obey_take_unchecked },
  { "spoil-shared", obey_spoil_shared },
  { "scribble", obey_scribble },
  { "shrink", obey_shrink },
  { NULL },
};
