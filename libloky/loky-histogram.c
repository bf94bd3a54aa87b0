/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-histogram-private.h"

/* Log-linear, as HdrHistogram by Gil Tene has it: of a number the place of its highest bit, and the three bits behind
 * that. Numbers below 8 are steps of their own. */
#define BITS 3
#define N_PER_DOUBLING (1 << BITS)

static guint
get_step (guint64 duration)
{
  guint highest;
  guint step;

  if (duration < N_PER_DOUBLING)
    return (guint) duration;
  highest = 63 - (guint) __builtin_clzll (duration);
  step = (highest - BITS + 1) * N_PER_DOUBLING +
         (guint) ((duration >> (highest - BITS)) & (N_PER_DOUBLING - 1));
  return MIN (step, LOKY_HISTOGRAM_N_STEPS - 1);
}

/* In the middle of a step. */
static gint64
get_duration (guint step)
{
  guint doubling = step / N_PER_DOUBLING;
  guint64 first;

  if (doubling == 0)
    return step;
  first = (guint64) (N_PER_DOUBLING + step % N_PER_DOUBLING) << (doubling - 1);
  return (gint64) (first + (((guint64) 1 << (doubling - 1)) >> 1));
}

void
loky_histogram_add (LokyHistogram *self, gint64 duration, guint64 n)
{
  self->counts[get_step ((guint64) MAX (duration, 0))] += n;
  self->n += n;
}

void
loky_histogram_merge (LokyHistogram *self, const LokyHistogram *other)
{
  for (guint i = 0; i < LOKY_HISTOGRAM_N_STEPS; i++)
    self->counts[i] += other->counts[i];
  self->n += other->n;
}

gint64
loky_histogram_get_percentile (const LokyHistogram *self, gdouble percentile)
{
  gdouble wanted = (gdouble) self->n * CLAMP (percentile, 0, 100) / 100;
  guint64 seen = 0;
  guint last = 0;

  if (self->n == 0)
    return -1;
  for (guint i = 0; i < LOKY_HISTOGRAM_N_STEPS; i++)
    {
      if (self->counts[i] == 0)
        continue;
      seen += self->counts[i];
      last = i;
      if ((gdouble) seen >= wanted)
        break;
    }
  return get_duration (last);
}
