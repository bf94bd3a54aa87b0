/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One end of a pipe, the other end of which is a tracker's: as long as anybody has it, what is
 * tracked stays. The kernel counts: it is closed with the process that has it, and a message that
 * carries it has it as well. Nothing is read from it here, and what a hostile peer sends instead is
 * a pipe at the worst, whose closing blocks nobody.
 *
 * Callable from any thread. */

#include <gio/gio.h>

#include "loky-message-private.h"

G_BEGIN_DECLS

#define LOKY_TYPE_HOLD (loky_hold_get_type ())

G_DECLARE_FINAL_TYPE (LokyHold, loky_hold, LOKY, HOLD, GObject)

/* Takes over @fd. */
LokyHold *loky_hold_new (int fd);
LokyHold *loky_hold_new_received (int fd, const LokyBufferRecord *record, GError **error);

int loky_hold_get_fd (LokyHold *self);
gint32 loky_hold_get_handle (LokyHold *self);

/* Whether both are of the same pipe. */
gboolean loky_hold_is_same (LokyHold *self, LokyHold *other);

/* LOKY_ERROR_FORKED in a child of the process that has it. */
gboolean loky_hold_check_process (LokyHold *self, GError **error);

/* Has it found by its handle. FALSE if it is not of this process, or something else has its handle
 * here. */
gboolean loky_hold_make_sendable (LokyHold *self, GError **error);

/* Tells the tracker to leave alone what it tracks by this. Whoever has a hold may say so; without a
 * tracker it is so. */
gboolean loky_hold_forget (LokyHold *self, GError **error);

G_END_DECLS
