/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a worker's tasks started and what left the worker's session is known by a token in its environment,
 * which every process hands down to its children unless it takes care not to.
 *
 * Only system calls, on the stack: callable from any thread, while any lock is held. */

#include <glib.h>

G_BEGIN_DECLS

/* "LOKY_WORKER_TOKEN=<32 hexadecimal digits>-<worker id>": the first part is the pool's. */
#define LOKY_DESCENDANTS_VARIABLE "LOKY_WORKER_TOKEN"
#define LOKY_DESCENDANTS_TOKEN_SIZE 80

/* Whether the worker of that id is to be left alone, with all that it started. */
typedef gboolean (*LokyDescendantsSpare) (guint worker_id, gpointer user_data);

/* Sends SIGKILL to each process but this one whose environment, as it was when its program was started,
 * has the variable with @pool in the beginning. Goes over all again until there are none. Returns how many
 * there were. */
guint loky_descendants_kill (const char *pool, LokyDescendantsSpare spare, gpointer user_data);

G_END_DECLS
