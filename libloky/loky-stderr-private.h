/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Forwards what workers print to the application's standard error.
 *
 * That descriptor is the application's: it may be a paused pager, or a pipe that nobody reads. It is
 * therefore written by a thread of its own, never by the monitor, from a bounded queue. The thread
 * is started by the first output. Callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

typedef struct _LokyStderr LokyStderr;

LokyStderr *loky_stderr_new (void);

/* Never blocks. What does not fit into the queue is dropped, and a line says how much. */
void loky_stderr_write (LokyStderr *self, const char *data, gsize size);

/* Writes out what it can within a short time, ends the thread. */
void loky_stderr_free (LokyStderr *self);

G_END_DECLS
