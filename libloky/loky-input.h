/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_INPUT (loky_input_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyInput, loky_input, LOKY, INPUT, GObject)

/**
 * LokyInputFunc:
 * @input: the input that wants items
 * @user_data: what was given to [ctor@Loky.Input.new]
 * @error: return location for an error
 *
 * Supplies a map with its next items.
 *
 * It calls [method@Loky.Input.push] for each item that is at hand, or [method@Loky.Input.end] after
 * the last one. When it does neither, nothing is at hand now: the map goes on with what it has and
 * does not call again until somebody has pushed or ended.
 *
 * It is called in the thread that takes the results, when the map has room for another item, with no
 * lock held.
 *
 * Returns: %FALSE if the input failed; the map then ends with @error after the items before it
 *
 * Since: 1.0
 */
typedef gboolean (*LokyInputFunc) (LokyInput *input, gpointer user_data, GError **error);

/**
 * LokyInputItemFunc:
 * @item: (type GObject): an item of the list model
 * @user_data: what was given to [ctor@Loky.Input.new_for_model]
 * @error: return location for an error
 *
 * Turns an item of a list model into the arguments of a task.
 *
 * Returns: (transfer full) (nullable): the arguments, or %NULL with @error set; a floating reference
 *   is taken over
 *
 * Since: 1.0
 */
typedef GVariant *(*LokyInputItemFunc) (gpointer item, gpointer user_data, GError **error);

LOKY_AVAILABLE_IN_1_0
LokyInput *loky_input_new (LokyInputFunc func, gpointer user_data, GDestroyNotify destroy);

LOKY_AVAILABLE_IN_1_0
LokyInput *loky_input_new_for_array (GVariant *array);

LOKY_AVAILABLE_IN_1_0
LokyInput *loky_input_new_for_strv (const char *const *strv);

LOKY_AVAILABLE_IN_1_0
LokyInput *loky_input_new_for_model (GListModel *model,
                                     LokyInputItemFunc func,
                                     gpointer user_data,
                                     GDestroyNotify destroy);

LOKY_AVAILABLE_IN_1_0
LokyInput *loky_input_new_zip (LokyInput **inputs, guint n_inputs);

LOKY_AVAILABLE_IN_1_0
void loky_input_push (LokyInput *self, GVariant *args);

LOKY_AVAILABLE_IN_1_0
void loky_input_end (LokyInput *self);

LOKY_AVAILABLE_IN_1_0
void loky_input_fail (LokyInput *self, const GError *error);

G_END_DECLS
