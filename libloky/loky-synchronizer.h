/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_SYNCHRONIZER (loky_synchronizer_get_type ())

typedef struct _LokySynchronizer LokySynchronizer;

/**
 * LokySynchronizerClass:
 *
 * What the classes of libloky are derived from; no others can be, since the structure of an object is private.
 *
 * Since: 1.0
 */
typedef struct
{
  /*< private >*/
  GObjectClass parent_class;
} LokySynchronizerClass;

LOKY_AVAILABLE_IN_1_0
GType loky_synchronizer_get_type (void) G_GNUC_CONST;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokySynchronizer, g_object_unref)

/* As G_DECLARE_DERIVABLE_TYPE() has them, which would want the structure of an object here. */
static inline G_GNUC_UNUSED LokySynchronizer *
LOKY_SYNCHRONIZER (gpointer object)
{
  return G_TYPE_CHECK_INSTANCE_CAST (object, LOKY_TYPE_SYNCHRONIZER, LokySynchronizer);
}

static inline G_GNUC_UNUSED gboolean
LOKY_IS_SYNCHRONIZER (gpointer object)
{
  return G_TYPE_CHECK_INSTANCE_TYPE (object, LOKY_TYPE_SYNCHRONIZER);
}

LOKY_AVAILABLE_IN_1_0
gint32 loky_synchronizer_get_handle (LokySynchronizer *self);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_synchronizer_to_variant (LokySynchronizer *self, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
