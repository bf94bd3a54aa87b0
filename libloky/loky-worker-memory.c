/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-memory-private.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loky-crash-private.h"
#include "loky-error.h"
#include "loky-memory-private.h"

/* More than any kernel writes. */
#define STATUS_SIZE 8192

void
loky_worker_memory_init (LokyWorkerMemory *self, guint64 limit, gint64 interval)
{
  *self = (LokyWorkerMemory){ .limit = limit, .interval = interval };
}

/* What is in files or shared, as segments are, does not count; what the system has put aside does. */
guint64
loky_worker_memory_parse (const char *status)
{
  return loky_memory_find_field (status, "\nRssAnon:") + loky_memory_find_field (status, "\nVmSwap:");
}

static gboolean
read_status (char text[STATUS_SIZE])
{
  int fd = open ("/proc/self/status", O_RDONLY | O_CLOEXEC);
  gssize length = fd >= 0 ? read (fd, text, STATUS_SIZE - 1) : -1;

  if (fd >= 0)
    close (fd);
  text[MAX (length, 0)] = '\0';
  return length > 0;
}

static guint64
measure (void)
{
  char text[STATUS_SIZE];

  return read_status (text) ? loky_worker_memory_parse (text) : 0;
}

gboolean
loky_worker_memory_has_grown (LokyWorkerMemory *self, gint64 now, guint64 *size)
{
  if (self->limit == 0 || self->has_told)
    return FALSE;
  if (self->reference == 0)
    {
      self->reference = measure ();
      self->looked = now;
      return FALSE;
    }
  if (now - self->looked < self->interval)
    return FALSE;
  self->looked = now;
  *size = measure ();
  if (*size < self->reference || *size - self->reference < self->limit)
    return FALSE;
  /* Much of it may be free, and only kept by the allocator. */
  malloc_trim (0);
  *size = measure ();
  self->has_told = *size >= self->reference && *size - self->reference >= self->limit;
  return self->has_told;
}

/* --- the limit of one task ------------------------------------------------------------------------ */

/* As it was before; has_limit: it was changed. */
static struct rlimit before;
static gboolean has_limit;

/* RLIMIT_DATA is what the kernel keeps to at each call that takes memory: private and writable, touched or not, which is
 * what VmData counts. Only the soft limit is changed, so that it can be raised again. */
gboolean
loky_worker_memory_limit (guint64 limit, GError **error)
{
  char text[STATUS_SIZE];
  struct rlimit with;
  guint64 held;

  malloc_trim (0);
  held = read_status (text) ? loky_memory_find_field (text, "\nVmData:") : 0;
  if (held == 0 || getrlimit (RLIMIT_DATA, &before) != 0)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                           "The memory of the task cannot be limited: the system does not tell how much there is");
      return FALSE;
    }
  with = before;
  with.rlim_cur = (rlim_t) MIN (held + MIN (limit, G_MAXINT64), before.rlim_cur);
  if (setrlimit (RLIMIT_DATA, &with) != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The memory of the task cannot be limited: %s",
                   g_strerror (errno));
      return FALSE;
    }
  has_limit = TRUE;
  loky_crash_set_memory_limited (TRUE);
  return TRUE;
}

void
loky_worker_memory_unlimit (void)
{
  if (!has_limit)
    return;
  has_limit = FALSE;
  loky_crash_set_memory_limited (FALSE);
  setrlimit (RLIMIT_DATA, &before);
}
