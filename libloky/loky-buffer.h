/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_BUFFER (loky_buffer_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyBuffer, loky_buffer, LOKY, BUFFER, GObject)

LOKY_AVAILABLE_IN_1_0
LokyBuffer *loky_buffer_new (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyBuffer *loky_buffer_new_from_bytes (GBytes *bytes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gsize loky_buffer_get_size (LokyBuffer *self);

LOKY_AVAILABLE_IN_1_0
gpointer loky_buffer_get_writable_data (LokyBuffer *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_buffer_write (LokyBuffer *self, gsize offset, GBytes *bytes, GError **error);

LOKY_AVAILABLE_IN_1_0
gboolean loky_buffer_seal (LokyBuffer *self, GError **error);

LOKY_AVAILABLE_IN_1_0
gboolean loky_buffer_is_sealed (LokyBuffer *self);

LOKY_AVAILABLE_IN_1_0
GBytes *loky_buffer_dup_bytes (LokyBuffer *self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gint32 loky_buffer_get_handle (LokyBuffer *self);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_buffer_to_variant (LokyBuffer *self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
