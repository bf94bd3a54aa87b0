/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Spinning before sleeping: to be woken takes 4 to 50 µs, more than most of what is waited for back to back.
 *
 * A spin is bounded by its budget, and ends early when the CPU was taken away meanwhile: others need it then,
 * and for a while after that nobody who uses the same LokySpin spins, the longer the more often it happened
 * running (to 13 ms). Half of the CPUs may be spun on in the
 * application (the tokens), the other half by its workers (loky-pool-actions.c).
 *
 * Callable from any thread; one LokySpin is used by one thread at a time. */

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  gint64 quiet_until; /* ns: no spin before; it was in the way of others */
  guint n_gaps;       /* spins running that were */

  /*< of one spin >*/
  gint64 end; /* ns */
  gint64 last;
  guint n;
  gboolean had_gap;
} LokySpin;

/* CLOCK_MONOTONIC, in ns. */
gint64 loky_spin_now (void);

/* How many may spin at the same time on each side; 0 where there is one CPU only. */
guint loky_spin_count_tokens (void);
/* Of this process. FALSE: there is none. */
gboolean loky_spin_take_token (void);
void loky_spin_return_token (void);

/* For some 40 ns, in a loop that waits for another CPU. */
void loky_spin_relax (void);

/* FALSE: it may not now. @budget in ns. */
gboolean loky_spin_begin (LokySpin *self, gint64 budget);
/* Waits a moment. FALSE: the time is over. */
gboolean loky_spin_go_on (LokySpin *self);

G_END_DECLS
