/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-future.h"

G_BEGIN_DECLS

#define LOKY_TYPE_COMPLETIONS (loky_completions_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyCompletions, loky_completions, LOKY, COMPLETIONS, GObject)

LOKY_AVAILABLE_IN_1_0
LokyCompletions *loky_as_completed (LokyFuture *const *futures, gsize n_futures)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyFuture *loky_completions_next (LokyCompletions *self,
                                   gint64 timeout,
                                   GCancellable *cancellable,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
void loky_completions_next_async (LokyCompletions *self,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);

LOKY_AVAILABLE_IN_1_0
LokyFuture *loky_completions_next_finish (LokyCompletions *self, GAsyncResult *result, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
