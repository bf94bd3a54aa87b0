/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The word of a seat is owner << 32 | queue << 2 | state, 0 while it is free. Who takes or leaves it, and who
 * wakes, changes the word by one compare-and-swap: there is no moment at which a process could die and leave
 * it half done. */

#include "loky-sync-seat-private.h"

#include "loky-error.h"
#include "loky-sync-wait-private.h"

static guint64
make_word (LokySyncOwner owner, guint queue, LokySeatState state)
{
  return (guint64) owner << 32 | (guint64) queue << 2 | state;
}

static LokySyncOwner
get_owner (guint64 word)
{
  return (LokySyncOwner) (word >> 32);
}

static gboolean
swap (LokySyncSeat *seat, guint64 from, guint64 to)
{
  return __atomic_compare_exchange_n (&seat->word, &from, to, FALSE, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST);
}

static guint64
load (LokySyncSeat *seat)
{
  return __atomic_load_n (&seat->word, __ATOMIC_SEQ_CST);
}

static LokySyncSeat *
sit_down (LokySync *sync, LokySyncSeat *seat, guint64 from, guint queue)
{
  if (!swap (seat, from, make_word (sync->owner, queue, LOKY_SEAT_TAKEN)))
    return NULL;
  __atomic_store_n (&seat->ticket,
                    __atomic_fetch_add (&sync->memory->next_ticket, 1, __ATOMIC_RELAXED),
                    __ATOMIC_RELAXED);
  return seat;
}

LokySyncSeat *
loky_sync_take_seat (LokySync *sync, guint queue, GError **error)
{
  LokySyncCensus census = { 0 };

  for (guint i = 0; i < LOKY_SYNC_N_SEATS; i++)
    {
      LokySyncSeat *seat = &sync->memory->seats[i];

      if (load (seat) == 0 && sit_down (sync, seat, 0, queue) != NULL)
        return seat;
    }
  for (guint i = 0; i < LOKY_SYNC_N_SEATS; i++)
    {
      LokySyncSeat *seat = &sync->memory->seats[i];
      guint64 word = load (seat);

      if (!loky_sync_is_alive (sync, get_owner (word), &census) &&
          sit_down (sync, seat, word, queue) != NULL)
        return seat;
    }
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "%d threads wait here already",
               LOKY_SYNC_N_SEATS);
  return NULL;
}

void
loky_sync_set_seat (LokySync *sync, LokySyncSeat *seat, guint queue, LokySeatState state)
{
  __atomic_store_n (&seat->word, make_word (sync->owner, queue, state), __ATOMIC_SEQ_CST);
}

LokySeatState
loky_sync_leave_seat (LokySync *sync, LokySyncSeat *seat)
{
  guint64 word = load (seat);

  /* A waker may change it once. If it is not the caller's any more, somebody has spoilt the memory. */
  for (guint i = 0; i < 2 && get_owner (word) == sync->owner; i++)
    {
      if (swap (seat, word, 0))
        break;
      word = load (seat);
    }
  return (LokySeatState) (word & 3);
}

gboolean
loky_sync_is_waiting (LokySync *sync, LokySyncSeat *seat, guint queue)
{
  /* In memory that somebody spoils nobody sleeps on. */
  return load (seat) == make_word (sync->owner, queue, LOKY_SEAT_WAITING);
}

static LokySyncSeat *
find_first (LokySync *sync, guint queue, LokySyncCensus *census, guint64 *word)
{
  LokySyncSeat *first = NULL;
  guint32 first_ticket = 0;

  for (guint i = 0; i < LOKY_SYNC_N_SEATS; i++)
    {
      LokySyncSeat *seat = &sync->memory->seats[i];
      guint64 now = load (seat);
      guint32 ticket = __atomic_load_n (&seat->ticket, __ATOMIC_RELAXED);

      if ((guint32) now != (guint32) make_word (0, queue, LOKY_SEAT_WAITING))
        continue;
      /* Tickets come round again. */
      if (first != NULL && (gint32) (ticket - first_ticket) >= 0)
        continue;
      if (!loky_sync_is_alive (sync, get_owner (now), census))
        {
          swap (seat, now, 0);
          continue;
        }
      first = seat;
      first_ticket = ticket;
      *word = now;
    }
  return first;
}

guint
loky_sync_wake_first (LokySync *sync, guint queue, guint n)
{
  LokySyncCensus census = { 0 };
  guint n_woken = 0;

  /* One that left or was woken by another meanwhile is no reason to give up, but in memory that somebody spoils it is
   * not tried for ever. */
  for (guint i = 0; i < 2 * LOKY_SYNC_N_SEATS && n_woken < n; i++)
    {
      guint64 word;
      LokySyncSeat *seat = find_first (sync, queue, &census, &word);

      if (seat == NULL)
        break;
      if (!swap (seat, word, make_word (get_owner (word), queue, LOKY_SEAT_WOKEN)))
        continue;
      loky_sync_ring (&seat->bell, G_MAXINT);
      n_woken++;
    }
  return n_woken;
}

static gboolean
is_earlier (guint32 round, guint32 than)
{
  guint32 n_since = (than - round) & LOKY_SEAT_ROUND_MASK;

  return n_since != 0 && n_since <= LOKY_SEAT_ROUND_MASK / 2;
}

gboolean
loky_sync_has_dead (LokySync *sync, guint round)
{
  LokySyncCensus census = { 0 };

  for (guint i = 0; i < LOKY_SYNC_N_SEATS; i++)
    {
      LokySyncSeat *seat = &sync->memory->seats[i];
      guint64 word = load (seat);

      if (word == 0 || loky_sync_is_alive (sync, get_owner (word), &census))
        continue;
      if ((guint32) word >> 2 == round)
        return TRUE;
      if (is_earlier ((guint32) word >> 2, round))
        swap (seat, word, 0);
    }
  return FALSE;
}
