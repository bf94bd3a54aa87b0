/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How descriptors that are no memory are handed to a worker. Callable from any thread. */

#include "loky-descriptor.h"
#include "loky-message-private.h"

G_BEGIN_DECLS

/* Over what the application sent. Takes over @fd. */
LokyDescriptor *
loky_descriptor_new_received (int fd, const LokyBufferRecord *record, GError **error);

/* It stays the descriptor's own, and is open as long as that lives if check_sendable() said TRUE.
 */
int loky_descriptor_get_fd (LokyDescriptor *self);
gboolean loky_descriptor_check_sendable (LokyDescriptor *self, GError **error);

G_END_DECLS
