/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values in normal form, as they are sent and after they were received.
 *
 * GVariant looks at each element of an array to see whether it is in normal form, which takes some 4 ns for
 * each: a quarter of a second for 64 MiB of bytes. Numbers, and arrays of numbers, are in normal form whatever
 * their bits are, and are not looked at here.
 *
 * Pure; callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* @value if it is in normal form, or else one of the same contents that is; a reference. It is there as
 * bytes. */
GVariant *loky_value_ref_normal (GVariant *value);

/* Whether who gets the bytes of @value, which is in normal form, can read them. Only values in values can be
 * nested too deeply: it is not checked when they are made. */
gboolean loky_value_is_readable (GVariant *value);

/* A value of the definite type @type over @bytes; NULL if they are not one in normal form, or one that is
 * nested too deeply. The reference is not floating. */
GVariant *loky_value_new_received (const char *type, GBytes *bytes);

G_END_DECLS
