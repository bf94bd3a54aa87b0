/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-buffer.h"
#include "loky-descriptor.h"
#include "loky-resource.h"
#include "loky-synchronizer.h"

G_BEGIN_DECLS

#define LOKY_TYPE_TASK_CONTEXT (loky_task_context_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyTaskContext, loky_task_context, LOKY, TASK_CONTEXT, GObject)

LOKY_AVAILABLE_IN_1_0
const char *loky_task_context_get_task (LokyTaskContext *self);

LOKY_AVAILABLE_IN_1_0
guint loky_task_context_get_worker_id (LokyTaskContext *self);

LOKY_AVAILABLE_IN_1_0
guint loky_task_context_get_attempt (LokyTaskContext *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_task_context_is_cancelled (LokyTaskContext *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_task_context_set_error_if_cancelled (LokyTaskContext *self, GError **error);

LOKY_AVAILABLE_IN_1_0
GCancellable *loky_task_context_get_cancellable (LokyTaskContext *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_context_set_progress (LokyTaskContext *self, gdouble progress);

LOKY_AVAILABLE_IN_1_0
gboolean loky_task_context_send_partial (LokyTaskContext *self, GVariant *value, GError **error);

LOKY_AVAILABLE_IN_1_0
LokyBuffer *loky_task_context_lookup_buffer (LokyTaskContext *self, gint32 handle, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
GVariant *loky_task_context_add_buffer (LokyTaskContext *self, LokyBuffer *buffer, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gpointer loky_task_context_lookup_synchronizer (LokyTaskContext *self,
                                                gint32 handle,
                                                GType type,
                                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
GVariant *loky_task_context_add_synchronizer (LokyTaskContext *self,
                                              LokySynchronizer *synchronizer,
                                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyDescriptor *loky_task_context_lookup_descriptor (LokyTaskContext *self,
                                                     gint32 handle,
                                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
GVariant *loky_task_context_add_descriptor (LokyTaskContext *self,
                                            LokyDescriptor *descriptor,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyResource *loky_task_context_lookup_resource (LokyTaskContext *self,
                                                 GVariant *value,
                                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
GVariant *loky_task_context_add_resource (LokyTaskContext *self,
                                          LokyResource *resource,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_task_context_dup_value (LokyTaskContext *self,
                                      GVariant *args,
                                      guint index,
                                      GValue *value,
                                      GError **error);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_task_context_reduce_value (LokyTaskContext *self,
                                          const GValue *value,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
