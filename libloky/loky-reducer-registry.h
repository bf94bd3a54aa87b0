/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_REDUCER_REGISTRY (loky_reducer_registry_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyReducerRegistry, loky_reducer_registry, LOKY, REDUCER_REGISTRY, GObject)

/**
 * LokyReduceFunc:
 * @value: a value of the type for which the function was set, or of one derived from it; an object, boxed value
 *   or string in it is not %NULL
 * @user_data: what was given with the function
 * @error: return location for an error
 *
 * Reduces a value to a #GVariant, from which a `LokyRebuildFunc` can make it again in another process.
 *
 * It is called in the thread that submits the task, or that of the task, with no lock held. For values inside the
 * value it may call [method@Loky.ReducerRegistry.reduce].
 *
 * Returns: (transfer full) (nullable): the reduced form, of any type; a floating reference is taken over; %NULL
 *   with @error set if the value cannot be sent
 *
 * Since: 1.0
 */
typedef GVariant *(*LokyReduceFunc) (const GValue *value, gpointer user_data, GError **error);

/**
 * LokyRebuildFunc:
 * @form: what a `LokyReduceFunc` in another process has made
 * @value: (out caller-allocates): a #GValue without a type, to be initialised for the type for which the function was
 *   set, and filled
 * @user_data: what was given with the function
 * @error: return location for an error
 *
 * Makes a value of its reduced form.
 *
 * It is called in the thread that asks for the value, with no lock held. In the application, @form comes from a
 * worker, which a task may have taken over: it is in normal form, and of any type and content. If it is none that can
 * be rebuilt, @error is to be set; what @value is then does not matter.
 *
 * Since: 1.0
 */
typedef void (*LokyRebuildFunc) (GVariant *form, GValue *value, gpointer user_data, GError **error);

LOKY_AVAILABLE_IN_1_0
LokyReducerRegistry *loky_reducer_registry_new (void);

LOKY_AVAILABLE_IN_1_0
LokyReducerRegistry *loky_reducer_registry_get_default (void);

LOKY_AVAILABLE_IN_1_0
void loky_reducer_registry_set_reduce_func (LokyReducerRegistry *self,
                                            GType type,
                                            LokyReduceFunc func,
                                            gpointer user_data,
                                            GDestroyNotify destroy);

LOKY_AVAILABLE_IN_1_0
void loky_reducer_registry_set_rebuild_func (LokyReducerRegistry *self,
                                             GType type,
                                             LokyRebuildFunc func,
                                             gpointer user_data,
                                             GDestroyNotify destroy);

LOKY_AVAILABLE_IN_1_0
gboolean loky_reducer_registry_add_type (LokyReducerRegistry *self, GType type, GError **error);

LOKY_AVAILABLE_IN_1_0
gboolean loky_reducer_registry_add_hash_table (LokyReducerRegistry *self,
                                               GType value_type,
                                               GError **error);

LOKY_AVAILABLE_IN_1_0
GVariant *loky_reducer_registry_reduce (LokyReducerRegistry *self,
                                        const GValue *value,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

LOKY_AVAILABLE_IN_1_0
gboolean loky_reducer_registry_rebuild (LokyReducerRegistry *self,
                                        GVariant *reduced,
                                        GValue *value,
                                        GError **error);

G_END_DECLS
