/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The items of a chunk and their results, as one value.
 *
 * A chunk travels as an array of the items' arguments. What comes back is an array of the results, or,
 * when some failed or they are not all of one type, a "mixed" one, of LOKY_MESSAGE_MIXED_TYPE.
 *
 * Pure: no I/O and no shared state but the error domains; callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* Whether all values of a definite type have one size, and none of them is a handle. */
gboolean loky_chunk_is_plain_type (const GVariantType *type);

/* Whether @value can be read by who gets it inside a chunk: GVariant limits how deeply values are
 * nested. */
gboolean loky_chunk_can_hold (GVariant *value);

/* --- in the worker --- */

/* @results and @errors are of the same length: of each item one of them is NULL. An own reference. */
GVariant *loky_chunk_join (GPtrArray *results, GPtrArray *errors, gboolean *is_mixed);

/* --- in the application: of what a worker sent, in normal form --- */

/* LOKY_ERROR_PROTOCOL if it cannot be the results of @n_items. */
gboolean loky_chunk_check (GVariant *results, gboolean is_mixed, gsize n_items, GError **error);

/* The result of one item, or its error. */
GVariant *loky_chunk_dup_result (GVariant *results, gboolean is_mixed, gsize position, GError **error);

/* The results from @first to the last, or to the one before the first that failed, as an array: of their
 * type if they have the same, else of "v". NULL with the error of the one at @first if that failed. */
GVariant *loky_chunk_dup_run (GVariant *results, gboolean is_mixed, gsize first, GError **error);

/* An array of one. */
GVariant *loky_chunk_wrap (GVariant *result);

/* The @n elements from @first on of an array of a plain type, over the same memory. @bytes are those of the
 * array, in normal form. */
GVariant *loky_chunk_slice (const GVariantType *array_type,
                            GBytes *bytes,
                            gsize element_size,
                            gsize first,
                            gsize n);

G_END_DECLS
