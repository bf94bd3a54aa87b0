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

#define LOKY_TYPE_LOCK (loky_lock_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyLock, loky_lock, LOKY, LOCK, LokySynchronizer)

LOKY_AVAILABLE_IN_1_0
LokyLock *loky_lock_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyLock *loky_lock_new_recursive (GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_lock_is_recursive (LokyLock *self);

LOKY_AVAILABLE_IN_1_0
LokyAcquireResult loky_lock_acquire (LokyLock *self,
                                     gint64 timeout,
                                     GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_lock_release (LokyLock *self, GError **error);

G_END_DECLS
