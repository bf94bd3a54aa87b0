/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether a worker has grown too much: what its tasks have allocated and not freed; and how much one task may
 * allocate. In the thread that runs tasks. */

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint64 limit;     /* bytes that it may grow by; 0: not looked at */
  gint64 interval;   /* between two looks, in µs */
  guint64 reference; /* bytes after the first task; 0: not known */
  gint64 looked;     /* when it was looked last, in µs */
  gboolean has_told;
} LokyWorkerMemory;

void loky_worker_memory_init (LokyWorkerMemory *self, guint64 limit, gint64 interval);

/* After a task, at @now in µs. TRUE, once: it has grown by the limit or more, to @size, though what is free was given
 * back. */
gboolean loky_worker_memory_has_grown (LokyWorkerMemory *self, gint64 now, guint64 *size);

/* From now on the process may allocate so many bytes, at least 1, more than it has; what is beyond fails, which
 * the crash handler then takes for a want of memory. Not thread-safe, and not twice without an end. */
gboolean loky_worker_memory_limit (guint64 limit, GError **error);

/* Ends that; harmless without. */
void loky_worker_memory_unlimit (void);

/* What a process holds alone, in bytes, of a text as /proc/PID/status has it; 0: it does not say. */
guint64 loky_worker_memory_parse (const char *status);

G_END_DECLS
