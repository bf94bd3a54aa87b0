/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Standard output and error of a worker while it runs a task whose output is captured. In its main
 * thread. */

#include <sys/types.h>

#include "loky-feed-private.h"

G_BEGIN_DECLS

typedef struct
{
  int fd;       /* what was there before, kept elsewhere; -1: nothing */
  dev_t device; /* by which it is known: the task may close everything, and open something else
                   there */
  ino_t inode;
  gboolean is_replaced; /* something else is in its place */
} LokyWorkerKept;

typedef struct
{
  gboolean is_on;
  LokyWorkerKept kept[LOKY_N_STREAMS];
} LokyWorkerCapture;

/* Puts @fds in their places, and closes them: all are -1 then. LOKY_ERROR_RESOURCES. */
gboolean
loky_worker_capture_begin (LokyWorkerCapture *self, int fds[LOKY_N_STREAMS], GError **error);

/* What was printed is in the pipes then, and what was there before is in its place, or nothing is.
 */
void loky_worker_capture_end (LokyWorkerCapture *self);

G_END_DECLS
