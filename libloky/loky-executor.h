/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-enums.h"
#include "loky-executor-config.h"
#include "loky-future.h"
#include "loky-input.h"
#include "loky-map-options.h"
#include "loky-results.h"
#include "loky-task-options.h"

G_BEGIN_DECLS

#define LOKY_TYPE_EXECUTOR (loky_executor_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyExecutor, loky_executor, LOKY, EXECUTOR, GObject)

LOKY_AVAILABLE_IN_1_0
LokyExecutor *loky_executor_new (guint max_workers);

LOKY_AVAILABLE_IN_1_0
LokyExecutor *loky_executor_new_with_config (LokyExecutorConfig *config);

LOKY_AVAILABLE_IN_1_0
LokyExecutorConfig *loky_executor_dup_config (LokyExecutor *self) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyFuture *loky_executor_submit (LokyExecutor *self,
                                  const char *task,
                                  GVariant *args,
                                  LokyTaskOptions *options,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
void loky_executor_submit_async (LokyExecutor *self,
                                 const char *task,
                                 GVariant *args,
                                 LokyTaskOptions *options,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);

LOKY_AVAILABLE_IN_1_0
LokyFuture *loky_executor_submit_finish (LokyExecutor *self, GAsyncResult *result, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
void loky_executor_call_async (LokyExecutor *self,
                               const char *task,
                               GVariant *args,
                               LokyTaskOptions *options,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_executor_call_finish (LokyExecutor *self, GAsyncResult *result, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
GVariant *loky_executor_call_sync (LokyExecutor *self,
                                   const char *task,
                                   GVariant *args,
                                   LokyTaskOptions *options,
                                   GCancellable *cancellable,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyResults *loky_executor_map (LokyExecutor *self,
                                const char *task,
                                LokyInput *input,
                                LokyMapOptions *options) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyFuture *loky_executor_submit_values (LokyExecutor *self,
                                         const char *task,
                                         const GValue *values,
                                         gsize n_values,
                                         LokyTaskOptions *options,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
void loky_executor_warm_up_async (LokyExecutor *self,
                                  guint n_workers,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);

LOKY_AVAILABLE_IN_1_0
gboolean loky_executor_warm_up_finish (LokyExecutor *self, GAsyncResult *result, GError **error);

LOKY_AVAILABLE_IN_1_0
gboolean loky_executor_warm_up_sync (LokyExecutor *self,
                                     guint n_workers,
                                     GCancellable *cancellable,
                                     GError **error);

LOKY_AVAILABLE_IN_1_0
void loky_executor_shutdown_async (LokyExecutor *self,
                                   LokyShutdownMode mode,
                                   gint64 timeout,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);

LOKY_AVAILABLE_IN_1_0
gboolean loky_executor_shutdown_finish (LokyExecutor *self, GAsyncResult *result, GError **error);

LOKY_AVAILABLE_IN_1_0
gboolean loky_executor_shutdown_sync (LokyExecutor *self,
                                      LokyShutdownMode mode,
                                      gint64 timeout,
                                      GCancellable *cancellable,
                                      GError **error);

LOKY_AVAILABLE_IN_1_0
LokyExecutorState loky_executor_get_state (LokyExecutor *self);

LOKY_AVAILABLE_IN_1_0
guint loky_executor_get_max_workers (LokyExecutor *self);

LOKY_AVAILABLE_IN_1_0
void loky_executor_set_max_workers (LokyExecutor *self, guint max_workers);

LOKY_AVAILABLE_IN_1_0
guint loky_executor_get_n_workers (LokyExecutor *self);

LOKY_AVAILABLE_IN_1_0
guint64 loky_executor_get_n_pending (LokyExecutor *self);

LOKY_AVAILABLE_IN_1_0
guint loky_executor_get_n_running (LokyExecutor *self);

LOKY_AVAILABLE_IN_1_0
char **loky_executor_dup_plugin_path (LokyExecutor *self) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
