/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A lock as a condition sees it. @sync is the memory of one. */

#include "loky-enums.h"
#include "loky-sync-memory-private.h"

G_BEGIN_DECLS

LokyAcquireResult loky_sync_acquire (LokySync *sync,
                                     gint64 timeout,
                                     GCancellable *cancellable,
                                     GError **error);

/* LOKY_ERROR_NOT_HELD unless the calling thread holds it. */
gboolean loky_sync_check_held (LokySync *sync, GError **error);

/* Lets go of what the calling thread holds, however often it does; has it held so often again. */
gint loky_sync_release_all (LokySync *sync);
void loky_sync_restore (LokySync *sync, gint depth);

G_END_DECLS
