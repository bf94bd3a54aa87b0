/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-enums.h"
#include "loky-future.h"

G_BEGIN_DECLS

LOKY_AVAILABLE_IN_1_0
gboolean loky_wait (LokyFuture *const *futures,
                    gsize n_futures,
                    LokyWaitMode mode,
                    gint64 timeout,
                    GCancellable *cancellable,
                    GError **error);

LOKY_AVAILABLE_IN_1_0
void loky_wait_async (LokyFuture *const *futures,
                      gsize n_futures,
                      LokyWaitMode mode,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data);

LOKY_AVAILABLE_IN_1_0
gboolean loky_wait_finish (GAsyncResult *result, GError **error);

G_END_DECLS
