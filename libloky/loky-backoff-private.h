/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Exponential back-off, counted in attempts: what was tried in vain once is tried again; then it is left out once, then
 * three times, seven times, up to 31 times, until it succeeds again. All zeros is the beginning. Used by one thread at
 * a time. */

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint n_failures; /* running */
  guint n_to_skip;
} LokyBackoff;

/* Whether to try it this time. */
gboolean loky_backoff_may_try (LokyBackoff *self);
void loky_backoff_note (LokyBackoff *self, gboolean has_succeeded);

G_END_DECLS
