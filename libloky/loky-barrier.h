/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-synchronizer.h"
#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_BARRIER (loky_barrier_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyBarrier, loky_barrier, LOKY, BARRIER, LokySynchronizer)

LOKY_AVAILABLE_IN_1_0
LokyBarrier *loky_barrier_new (guint n_parties, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
guint loky_barrier_get_n_parties (LokyBarrier *self);

LOKY_AVAILABLE_IN_1_0
guint loky_barrier_get_n_waiting (LokyBarrier *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_barrier_is_broken (LokyBarrier *self);

LOKY_AVAILABLE_IN_1_0
gint loky_barrier_wait (LokyBarrier *self,
                        gint64 timeout,
                        GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
void loky_barrier_abort (LokyBarrier *self);

LOKY_AVAILABLE_IN_1_0
void loky_barrier_reset (LokyBarrier *self);

G_END_DECLS
