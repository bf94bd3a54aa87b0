/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How buffers are handed from one process to another. Callable from any thread. */

#include "loky-buffer.h"
#include "loky-message-private.h"

G_BEGIN_DECLS

/* The sealed descriptor; it stays the buffer's own. */
int loky_buffer_get_fd (LokyBuffer *self);

/* A buffer over what a peer sent, after checking its seals and its size, and that as much memory is there.
 * Takes over @fd. */
LokyBuffer *loky_buffer_new_received (int fd, gint32 handle, guint64 size, GError **error);

/* For one that came from a peer that is not trusted: whether all of its memory is there, so that no access
 * fails for want of it. LOKY_ERROR_PROTOCOL if not. It looks at each page: about 12 ms for a gigabyte. */
gboolean loky_buffer_check_whole (LokyBuffer *self, GError **error);

G_END_DECLS
