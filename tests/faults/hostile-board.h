/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a test and its hostile workers share: a memfd of the test, whose path the workers find in the
 * environment variable LOKY_HOSTILE_BOARD. All integers are accessed by g_atomic_int_*(). */

#include <glib.h>

G_BEGIN_DECLS

#define HOSTILE_BOARD_VARIABLE "LOKY_HOSTILE_BOARD"
#define HOSTILE_MAX_WORKERS 4096
#define HOSTILE_MAX_MARKS 16

typedef struct
{
  /* Test: how many of the workers that start next obey what follows; the others behave. */
  gint n_orders;
  gint kill_sent;       /* SIGKILL after so many bytes were sent; -1: not */
  gint kill_read;       /* the same for bytes that were read */
  char start_order[64]; /* instead of saying hello; empty: none */

  /* Worker: how many have started, and their pids in turn. */
  gint n_started;
  gint pids[HOSTILE_MAX_WORKERS];

  /* Worker: where its frames ended in the two streams, in bytes; of a worker that obeys nothing. */
  gint n_sent_marks;
  gint sent_marks[HOSTILE_MAX_MARKS];
  gint n_read_marks;
  gint read_marks[HOSTILE_MAX_MARKS];

  /* The orders "hold" and "massacre": how many are at it; the test lets them go on. */
  gint n_holding;
  gint go_on;
  gint held_slot;
  gint held_number;
  gint held_pid;

  /* Test: where it listens and never accepts, on the loopback. */
  gint port;

  /* Worker: how many tasks were begun. */
  gint n_begun;
} HostileBoard;

G_END_DECLS
