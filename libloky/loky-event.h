/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-synchronizer.h"
#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_EVENT (loky_event_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyEvent, loky_event, LOKY, EVENT, LokySynchronizer)

LOKY_AVAILABLE_IN_1_0
LokyEvent *loky_event_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
void loky_event_set (LokyEvent *self);

LOKY_AVAILABLE_IN_1_0
void loky_event_clear (LokyEvent *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_event_is_set (LokyEvent *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_event_wait (LokyEvent *self,
                          gint64 timeout,
                          GCancellable *cancellable,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
