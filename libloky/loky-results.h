/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-future.h"

G_BEGIN_DECLS

#define LOKY_TYPE_RESULTS (loky_results_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyResults, loky_results, LOKY, RESULTS, GObject)

LOKY_AVAILABLE_IN_1_0
LokyFuture *loky_results_next (LokyResults *self, GCancellable *cancellable, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
void loky_results_next_async (LokyResults *self,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);

LOKY_AVAILABLE_IN_1_0
LokyFuture *loky_results_next_finish (LokyResults *self, GAsyncResult *result, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
GVariant *loky_results_next_chunk (LokyResults *self, GCancellable *cancellable, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
void loky_results_next_chunk_async (LokyResults *self,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_results_next_chunk_finish (LokyResults *self, GAsyncResult *result, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
guint64 loky_results_get_index (LokyResults *self);

LOKY_AVAILABLE_IN_1_0
void loky_results_cancel (LokyResults *self);

G_END_DECLS
