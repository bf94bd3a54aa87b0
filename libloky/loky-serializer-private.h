/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How values become bytes on their way, where that is not left to GVariant. docs/reducers.md has what is sent.
 *
 * Serializers are modules of the plugin path; they are opened once in a process, when they are first named, and stay.
 * NULL stands for the default one, which does nothing and costs nothing.
 *
 * Callable from any thread. The functions of a serializer are called without a lock. */

#include "loky-serializer.h"

G_BEGIN_DECLS

typedef const LokySerializerDescriptor LokySerializer;

/* What is sent in place of a value. One for which it is not worth it is sent as it is, and in a "v" if it is of this
 * type or a "v" itself. */
#define LOKY_SERIALIZED_TYPE "(stay)" /* type, size, bytes */

/* --- loky-serializer.c --- */

gboolean loky_serializer_is_default (const char *name);

/* Sets @serializer, opening it from @plugin_path (NULL: the default one) if it is not open. LOKY_ERROR_SERIALIZER
 * names it. NULL, "" and "gvariant" are the default. */
gboolean loky_serializer_find (const char *name,
                               const char *const *plugin_path,
                               LokySerializer **serializer,
                               GError **error);

/* As that, but nothing is opened: for a name that comes from a worker. */
gboolean loky_serializer_find_open (const char *name, LokySerializer **serializer, GError **error);

/* In the application as _find_open(), in a worker as _find(). */
gboolean loky_serializer_find_for_peer (const char *name, LokySerializer **serializer, GError **error);

/* NULL: of the default. */
const char *loky_serializer_get_name (LokySerializer *serializer);

/* The one that was chosen for the process. It fails if the environment names one that is not there. */
gboolean loky_serializer_get_chosen (LokySerializer **serializer, GError **error);

/* Before and after a module is opened. For the main thread of a worker. */
typedef void (*LokySerializerOpening) (const char *path, gpointer user_data);

/* In a worker: where serializers are, for all that names none, and who wants to know. Before any other call. */
void loky_serializer_serve (const char *const *plugin_path, LokySerializerOpening opening, gpointer user_data);

/* Whether the name of a file in the plugin path is that of a serializer, or would be with a suffix. */
gboolean loky_serializer_is_file (const char *name);

/* --- loky-serialize.c --- */

/* @value is in normal form. What is sent of it: in normal form and there as bytes; not floating. */
GVariant *loky_serialize (LokySerializer *serializer, GVariant *value, GError **error);

/* @wire may come from a peer that is not trusted. The value is in normal form. */
GVariant *loky_deserialize (LokySerializer *serializer, GVariant *wire, GError **error);

G_END_DECLS
