/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Seats: those who wait for a condition or at a barrier, one each. A seat names its owner, so that who died waiting
 * counts no more; nothing has to be put back in order for that. Callable from any thread. */

#include "loky-sync-memory-private.h"

G_BEGIN_DECLS

typedef enum
{
  LOKY_SEAT_FREE,
  LOKY_SEAT_TAKEN, /* about to wait */
  LOKY_SEAT_WAITING,
  LOKY_SEAT_WOKEN,
} LokySeatState;

/* A number of 30 bits: which condition, or which round of a barrier. */
#define LOKY_SEAT_MAX_QUEUE (G_MAXUINT32 >> 2)

/* One that is free, or whose owner is dead; NULL with LOKY_ERROR_RESOURCES. */
LokySyncSeat *loky_sync_take_seat (LokySync *sync, guint queue, GError **error);

/* By the owner. */
void loky_sync_set_seat (LokySync *sync, LokySyncSeat *seat, guint queue, LokySeatState state);
/* Tells what it was at last: who was woken at the last moment has to know. */
LokySeatState loky_sync_leave_seat (LokySync *sync, LokySyncSeat *seat);

/* Whether the caller has to wait on. */
gboolean loky_sync_is_waiting (LokySync *sync, LokySyncSeat *seat, guint queue);

/* Wakes the first @n in the queue that live, or as many as there are; how many. */
guint loky_sync_wake_first (LokySync *sync, guint queue, guint n);

/* The numbers of rounds come round again. */
#define LOKY_SEAT_ROUND_BITS 24
#define LOKY_SEAT_ROUND_MASK ((1u << LOKY_SEAT_ROUND_BITS) - 1)

/* Whether one in the round is dead. Forgets the dead of earlier rounds; those of later ones are not the caller's, who
 * may be late. */
gboolean loky_sync_has_dead (LokySync *sync, guint round);

G_END_DECLS
