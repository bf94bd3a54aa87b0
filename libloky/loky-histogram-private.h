/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How often durations were how long. Eight steps for each doubling: what is told is at most 1/16 off. Pure. */

#include <glib.h>

G_BEGIN_DECLS

/* Up to 2 to the power of 46 ns, about 20 hours; longer ones count as that. */
#define LOKY_HISTOGRAM_N_STEPS (8 * 44)

typedef struct
{
  guint64 n; /* in all */
  guint64 counts[LOKY_HISTOGRAM_N_STEPS];
} LokyHistogram;

/* @duration in ns; negative ones count as 0. */
void loky_histogram_add (LokyHistogram *self, gint64 duration, guint64 n);
void loky_histogram_merge (LokyHistogram *self, const LokyHistogram *other);
/* The duration, in ns, that @percentile percent of them do not exceed; -1: there are none. */
gint64 loky_histogram_get_percentile (const LokyHistogram *self, gdouble percentile);

G_END_DECLS
