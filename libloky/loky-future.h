/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-buffer.h"
#include "loky-descriptor.h"
#include "loky-enums.h"
#include "loky-resource.h"
#include "loky-synchronizer.h"

G_BEGIN_DECLS

#define LOKY_TYPE_FUTURE (loky_future_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyFuture, loky_future, LOKY, FUTURE, GObject)

LOKY_AVAILABLE_IN_1_0
LokyFutureState loky_future_get_state (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_future_is_done (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
const char *loky_future_get_task (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
gdouble loky_future_get_progress (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_future_cancel (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_future_wait (LokyFuture *self,
                           gint64 timeout,
                           GCancellable *cancellable,
                           GError **error);

LOKY_AVAILABLE_IN_1_0
void loky_future_wait_async (LokyFuture *self,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);

LOKY_AVAILABLE_IN_1_0
gboolean loky_future_wait_finish (LokyFuture *self, GAsyncResult *result, GError **error);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_future_next_partial (LokyFuture *self,
                                    gint64 timeout,
                                    GCancellable *cancellable,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
GBytes *loky_future_dup_output (LokyFuture *self, LokyStream stream) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
guint64 loky_future_get_output_size (LokyFuture *self, LokyStream stream);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_future_dup_result (LokyFuture *self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_future_dup_value (LokyFuture *self, GValue *value, GError **error);

LOKY_AVAILABLE_IN_1_0
GError *loky_future_dup_error (LokyFuture *self) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyBuffer *loky_future_lookup_buffer (LokyFuture *self, gint32 handle, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyDescriptor *loky_future_lookup_descriptor (LokyFuture *self, gint32 handle, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyResource *loky_future_lookup_resource (LokyFuture *self, GVariant *value, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gpointer loky_future_lookup_synchronizer (LokyFuture *self, gint32 handle, GType type, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
guint loky_future_get_attempts (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
gint loky_future_get_worker_pid (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
gint loky_future_get_term_signal (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
gint loky_future_get_exit_status (LokyFuture *self);

LOKY_AVAILABLE_IN_1_0
char *loky_future_dup_stderr_tail (LokyFuture *self) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
char *loky_future_dup_backtrace (LokyFuture *self) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
guint loky_future_get_worker_id (LokyFuture *self);

G_END_DECLS
