/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-memory-private.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

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

static guint64
measure (void)
{
  char text[STATUS_SIZE];
  int fd = open ("/proc/self/status", O_RDONLY | O_CLOEXEC);
  gssize length = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;

  if (fd >= 0)
    close (fd);
  if (length <= 0)
    return 0;
  text[length] = '\0';
  return loky_worker_memory_parse (text);
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
