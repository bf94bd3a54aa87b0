/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-spin-private.h"

#include <time.h>

#include "loky-cpu-count-private.h"

/* The clock is looked at each so many rounds, of some 40 ns each. */
#define ROUNDS 8

/* Between two looks at the clock nothing is done: who sees so much time pass did not run, in ns. */
#define GAP (20 * 1000)

/* How long it is not tried again after that, in ns: it may have been an interrupt, but hardly several times
 * running. */
#define QUIET_TIME (100 * 1000)
#define MAX_GAPS 7

static gint n_tokens_taken;

gint64
loky_spin_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

guint
loky_spin_count_tokens (void)
{
  return loky_cpu_count_once () / 2;
}

gboolean
loky_spin_take_token (void)
{
  gint n = g_atomic_int_get (&n_tokens_taken);

  while (n < (gint) loky_spin_count_tokens ())
    if (g_atomic_int_compare_and_exchange (&n_tokens_taken, n, n + 1))
      return TRUE;
    else
      n = g_atomic_int_get (&n_tokens_taken);
  return FALSE;
}

void
loky_spin_return_token (void)
{
  g_atomic_int_add (&n_tokens_taken, -1);
}

gboolean
loky_spin_begin (LokySpin *self, gint64 budget)
{
  gint64 now = loky_spin_now ();

  if (budget <= 0 || now < self->quiet_until)
    return FALSE;
  if (!self->had_gap)
    self->n_gaps = 0;
  self->had_gap = FALSE;
  self->end = now + budget;
  self->last = now;
  self->n = 0;
  return TRUE;
}

void
loky_spin_relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile ("yield");
#endif
}

gboolean
loky_spin_go_on (LokySpin *self)
{
  gint64 now;

  loky_spin_relax ();
  if (++self->n % ROUNDS != 0)
    return TRUE;
  now = loky_spin_now ();
  if (now - self->last > GAP)
    {
      self->had_gap = TRUE;
      self->n_gaps = MIN (self->n_gaps + 1, MAX_GAPS);
      self->quiet_until = now + ((gint64) QUIET_TIME << self->n_gaps);
      return FALSE;
    }
  self->last = now;
  return now < self->end;
}
