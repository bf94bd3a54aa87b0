/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-version.h"

G_BEGIN_DECLS

/**
 * LOKY_SERIALIZER_ABI_VERSION:
 *
 * The version of #LokySerializerDescriptor. A serializer built for another one is refused.
 *
 * Since: 1.0
 */
#define LOKY_SERIALIZER_ABI_VERSION 1

/**
 * LOKY_SERIALIZER_SYMBOL:
 *
 * The name of the one function that a serializer exports, a `LokySerializerFunc`.
 *
 * Since: 1.0
 */
#define LOKY_SERIALIZER_SYMBOL "loky_serializer_descriptor"

/**
 * LokySerializerDescriptor: (skip)
 * @abi_version: %LOKY_SERIALIZER_ABI_VERSION
 * @descriptor_size: the size of this structure, in bytes
 * @name: the name of the serializer; its file is called `serializer-NAME.so`
 * @version: the version of the serializer, for people
 * @summary: one line for people
 * @serialize: makes bytes of a value in normal form
 * @deserialize: makes a value of the type @type of bytes again, whose serialised data as a #GVariant has exactly @size
 *   bytes; bytes that are not those of such a value are an error. In the application, they come from a worker that is
 *   not trusted; @size is bounded already
 * @user_data: given to both functions
 *
 * What a serializer is: how the arguments and results of tasks become bytes on their way. Constant and valid for as
 * long as the process lives.
 *
 * Both functions are called in the application and in workers, from any thread, several at a time, without any lock
 * held.
 *
 * Since: 1.0
 */
typedef struct
{
  guint32 abi_version;
  guint32 descriptor_size;
  const char *name;
  const char *version;
  const char *summary;
  GBytes *(*serialize) (GVariant *value, gpointer user_data, GError **error);
  GVariant *(*deserialize) (const GVariantType *type,
                            GBytes *bytes,
                            gsize size,
                            gpointer user_data,
                            GError **error);
  gpointer user_data;
  /*< private >*/
  gpointer padding[8];
} LokySerializerDescriptor;

/**
 * LokySerializerFunc: (skip)
 *
 * The one function that a serializer exports.
 *
 * Returns: (transfer none): the serializer's descriptor
 *
 * Since: 1.0
 */
typedef const LokySerializerDescriptor *(*LokySerializerFunc) (void);

/**
 * LOKY_SERIALIZER_INIT: (skip)
 *
 * The first members of a #LokySerializerDescriptor, for an initializer.
 *
 * Since: 1.0
 */
#define LOKY_SERIALIZER_INIT                                                                       \
  .abi_version = LOKY_SERIALIZER_ABI_VERSION, .descriptor_size = sizeof (LokySerializerDescriptor)

/**
 * LOKY_SERIALIZER_EXPORT: (skip)
 * @descriptor: the name of a static constant #LokySerializerDescriptor
 *
 * Defines the one function that a serializer exports.
 *
 * Since: 1.0
 */
#define LOKY_SERIALIZER_EXPORT(descriptor)                                                         \
  __attribute__ ((visibility ("default")))                                                         \
  const LokySerializerDescriptor *loky_serializer_descriptor (void);                               \
  const LokySerializerDescriptor *loky_serializer_descriptor (void)                                \
  {                                                                                                \
    return &(descriptor);                                                                          \
  }

LOKY_AVAILABLE_IN_1_0
gboolean loky_set_serializer (const char *name, GError **error);

LOKY_AVAILABLE_IN_1_0
const char *loky_get_serializer (void);

G_END_DECLS
