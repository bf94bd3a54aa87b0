/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-enums.h"
#include "loky-synchronizer.h"
#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_SEMAPHORE (loky_semaphore_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokySemaphore, loky_semaphore, LOKY, SEMAPHORE, LokySynchronizer)

LOKY_AVAILABLE_IN_1_0
LokySemaphore *loky_semaphore_new (guint value, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokySemaphore *loky_semaphore_new_bounded (guint value, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_semaphore_is_bounded (LokySemaphore *self);

LOKY_AVAILABLE_IN_1_0
guint loky_semaphore_get_value (LokySemaphore *self);

LOKY_AVAILABLE_IN_1_0
LokyAcquireResult loky_semaphore_acquire (LokySemaphore *self,
                                          gint64 timeout,
                                          GCancellable *cancellable,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_semaphore_release (LokySemaphore *self, GError **error);

G_END_DECLS
