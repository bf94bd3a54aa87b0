/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_WRAPPER (loky_wrapper_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyWrapper, loky_wrapper, LOKY, WRAPPER, GObject)

LOKY_AVAILABLE_IN_1_0
LokyWrapper *loky_wrapper_new (const GValue *value, const char *serializer, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
LokyWrapper *loky_wrap_object (GObject *object, const char *serializer, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
const char *loky_wrapper_get_serializer (LokyWrapper *self);

LOKY_AVAILABLE_IN_1_0
void loky_wrapper_dup_value (LokyWrapper *self, GValue *value);

G_END_DECLS
