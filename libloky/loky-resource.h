/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-enums.h"
#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_RESOURCE (loky_resource_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyResource, loky_resource, LOKY, RESOURCE, GObject)

LOKY_AVAILABLE_IN_1_0
LokyResource *
loky_resource_new (GFile *file, LokyResourceKind kind, GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
GFile *loky_resource_get_file (LokyResource *self);

LOKY_AVAILABLE_IN_1_0
LokyResourceKind loky_resource_get_kind (LokyResource *self);

LOKY_AVAILABLE_IN_1_0
gboolean loky_resource_forget (LokyResource *self, GError **error);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_resource_to_variant (LokyResource *self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
