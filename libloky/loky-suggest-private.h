/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Finds what somebody who made a typing error meant. Pure; callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* How many letters have to be added, dropped, changed or swapped with their neighbour (optimal string
 * alignment distance). */
guint loky_suggest_distance (const char *a, const char *b);

/* The nearest of @candidates (a NULL-terminated array, or NULL), if it is near enough to be meant. */
const char *loky_suggest_nearest (const char *word, const char *const *candidates);

G_END_DECLS
