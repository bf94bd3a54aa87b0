/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-lock.h"
#include "loky-synchronizer.h"
#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_CONDITION (loky_condition_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyCondition, loky_condition, LOKY, CONDITION, LokySynchronizer)

LOKY_AVAILABLE_IN_1_0
LokyCondition *loky_condition_new (LokyLock *lock, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyLock *loky_condition_get_lock (LokyCondition *self);

LOKY_AVAILABLE_IN_1_0
LokyAcquireResult loky_condition_wait (LokyCondition *self,
                                       gint64 timeout,
                                       GCancellable *cancellable,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_condition_wake_one (LokyCondition *self, GError **error);

LOKY_AVAILABLE_IN_1_0
gboolean loky_condition_wake_all (LokyCondition *self, GError **error);

G_END_DECLS
