/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How descriptors that are no memory are handed to a worker. Callable from any thread. */

#include "loky-descriptor.h"
#include "loky-message-private.h"

G_BEGIN_DECLS

/* Over what the other side sent. Takes over @fd, which may be anything: it is closed by loky_close_untrusted(). */
LokyDescriptor *
loky_descriptor_new_received (int fd, const LokyBufferRecord *record, GError **error);

/* It stays the descriptor's own, and is open as long as that lives if check_sendable() said TRUE.
 */
int loky_descriptor_get_fd (LokyDescriptor *self);
gboolean loky_descriptor_check_sendable (LokyDescriptor *self, GError **error);

/* In a worker: it is to go with a result, and cannot be taken any more. LOKY_ERROR_INVALID_RESULT if the application
 * would not accept it. */
gboolean loky_descriptor_prepare_result (LokyDescriptor *self, GError **error);

/* How many there are that were received and not taken. */
guint loky_descriptor_count_received (void);

G_END_DECLS
