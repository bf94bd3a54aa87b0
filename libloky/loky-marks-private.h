/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Marks in a capture of sysprof: one for each task that returned, as long as it ran. Not in the worker, which does
 * not have the collector of the application (docs/environment.md), but when its answer is read, from what it says.
 *
 * Not under the lock: the first mark of a thread asks sysprof for a buffer, and waits for it. */

#include <glib.h>

#if LOKY_HAS_SYSPROF

#include <sysprof-capture.h>

static inline gboolean
loky_marks_are_wanted (void)
{
  return sysprof_collector_is_active ();
}

/* The task @name returned just now after @run_time ns, which a worker said: any number. */
static inline void
loky_mark_task (const char *name, guint worker_id, gint64 run_time)
{
  gint64 now = SYSPROF_CAPTURE_CURRENT_TIME;
  gint64 duration = CLAMP (run_time, 0, now);

  sysprof_collector_mark_printf (now - duration, duration, "loky", name, "worker %u", worker_id);
}

#else

static inline gboolean
loky_marks_are_wanted (void)
{
  return FALSE;
}

static inline void
loky_mark_task (const char *name, guint worker_id, gint64 run_time)
{
}

#endif
