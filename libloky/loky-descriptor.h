/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_DESCRIPTOR (loky_descriptor_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyDescriptor, loky_descriptor, LOKY, DESCRIPTOR, GObject)

LOKY_AVAILABLE_IN_1_0
LokyDescriptor *loky_descriptor_new (int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
int loky_descriptor_dup_fd (LokyDescriptor *self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
int loky_descriptor_steal_fd (LokyDescriptor *self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gint32 loky_descriptor_get_handle (LokyDescriptor *self);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_descriptor_to_variant (LokyDescriptor *self,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
