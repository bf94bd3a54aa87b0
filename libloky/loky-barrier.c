/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A barrier is used in rounds. Its word holds the number of the round, how many have arrived, whether it is
 * broken, and of the last rounds whether they ended by a reset. Who arrives has a seat with the number of the
 * round, taken before it is counted and left after the round: a dead one in the seats of the round, counted
 * or not, breaks it. */

#include "loky-barrier.h"

#include "loky-error.h"
#include "loky-sync-seat-private.h"
#include "loky-sync-wait-private.h"
#include "loky-synchronizer-private.h"

/* So often is a change tried that others prevent; only in memory that somebody spoils is that not enough. */
#define MAX_TRIES 10000

#define ROUND_BITS LOKY_SEAT_ROUND_BITS
#define ROUND_MASK LOKY_SEAT_ROUND_MASK
#define COUNT_MASK 0xfffu

G_STATIC_ASSERT (LOKY_SYNC_N_SEATS <= COUNT_MASK);
G_STATIC_ASSERT (ROUND_MASK <= LOKY_SEAT_MAX_QUEUE);

/**
 * LokyBarrier:
 *
 * A point at which a fixed number of threads or processes wait for each other.
 *
 * All go on when the last has arrived, and the barrier can be used again. If one of them does not wait any
 * more, since its time is over, it was cancelled, or it died, the barrier is broken: the others get
 * %LOKY_ERROR_BARRIER_BROKEN, and so does everybody until [method@Loky.Barrier.reset]. A death before the
 * arrival is not noticed: nobody knows who would have come.
 *
 * Since: 1.0
 */
struct _LokyBarrier
{
  LokySynchronizer parent_instance;
};

G_DEFINE_FINAL_TYPE (LokyBarrier, loky_barrier, LOKY_TYPE_SYNCHRONIZER)

typedef struct
{
  guint64 word;
  guint round;
  guint n_arrived;
  guint resets; /* the bit n: whether the round before the last n ended by a reset */
  gboolean is_broken;
} State;

typedef enum
{
  ROUND_GOES_ON,
  ROUND_PASSED,
  ROUND_BROKEN,
} Round;

static void
loky_barrier_class_init (LokyBarrierClass *klass)
{
}

static void
loky_barrier_init (LokyBarrier *self)
{
}

static State
load (LokySync *sync)
{
  guint64 word = __atomic_load_n (&sync->memory->word, __ATOMIC_SEQ_CST);

  return (State){
    .word = word,
    .round = (guint) word & ROUND_MASK,
    .resets = (guint) (word >> ROUND_BITS) & ROUND_MASK,
    .n_arrived = (guint) (word >> (2 * ROUND_BITS)) & COUNT_MASK,
    .is_broken = word >> 63 != 0,
  };
}

/* Puts @next in the place of @state, unless that has changed. */
static gboolean
swap (LokySync *sync, const State *state, const State *next)
{
  guint64 from = state->word;
  guint64 to = (guint64) next->round | (guint64) next->resets << ROUND_BITS |
               (guint64) next->n_arrived << (2 * ROUND_BITS) | (guint64) next->is_broken << 63;

  return __atomic_compare_exchange_n (&sync->memory->word, &from, to, FALSE, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST);
}

static State
get_next_round (const State *state, gboolean by_reset)
{
  return (State){
    .round = (state->round + 1) & ROUND_MASK,
    .resets = (state->resets << 1 | by_reset) & ROUND_MASK,
  };
}

static void
wake_all (LokySync *sync)
{
  loky_sync_ring_sleepers (&sync->memory->bell, &sync->memory->n_sleepers, G_MAXINT);
}

static Round
look (LokySync *sync, guint round)
{
  State state = load (sync);
  guint n_since = (state.round - round) & ROUND_MASK;

  if (n_since == 0)
    return state.is_broken ? ROUND_BROKEN : ROUND_GOES_ON;
  return n_since <= ROUND_BITS && (state.resets >> (n_since - 1) & 1) != 0 ? ROUND_BROKEN
                                                                           : ROUND_PASSED;
}

static void
break_round (LokySync *sync, guint round)
{
  for (guint i = 0; i < MAX_TRIES; i++)
    {
      State state = load (sync);
      State next = state;

      if (state.round != round || state.is_broken)
        return;
      next.is_broken = TRUE;
      if (!swap (sync, &state, &next))
        continue;
      wake_all (sync);
      return;
    }
}

static void
fail_broken (GError **error)
{
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_BARRIER_BROKEN, "The barrier is broken");
}

/* The index of the caller in the round, or -1 if it is broken. */
static gint
arrive (LokySync *sync, LokySyncSeat *seat, guint *round)
{
  for (guint i = 0; i < MAX_TRIES; i++)
    {
      State state = load (sync);
      State next = state;

      *round = state.round;
      loky_sync_set_seat (sync, seat, state.round, LOKY_SEAT_TAKEN);
      /* More have arrived than ever can only in memory that somebody spoils. */
      if (state.is_broken || state.n_arrived >= sync->limit)
        return -1;
      if (loky_sync_has_dead (sync, state.round))
        {
          break_round (sync, state.round);
          continue;
        }
      next.n_arrived++;
      if (next.n_arrived == sync->limit)
        next = get_next_round (&state, FALSE);
      if (swap (sync, &state, &next))
        return (gint) state.n_arrived;
    }
  return -1;
}

/* Until the round has ended, or the caller gives up, which breaks it. */
static gboolean
wait_for_others (LokySync *sync, guint round, LokySyncWait *wait, GError **error)
{
  Round now;
  guint32 seen;

  do
    {
      seen = __atomic_load_n (&sync->memory->bell, __ATOMIC_SEQ_CST);
      if (loky_sync_has_dead (sync, round))
        break_round (sync, round);
      now = look (sync, round);
    }
  while (now == ROUND_GOES_ON && loky_sync_wait_sleep (wait, seen, LOKY_SYNC_SLICE, error));

  if (now == ROUND_GOES_ON)
    {
      break_round (sync, round);
      /* The last may have arrived just now. */
      if (look (sync, round) != ROUND_PASSED)
        return FALSE;
      g_clear_error (error);
    }
  else if (now == ROUND_BROKEN)
    {
      fail_broken (error);
      return FALSE;
    }
  return TRUE;
}

static gint
wait_in_seat (LokySync *sync, LokySyncSeat *seat, LokySyncWait *wait, GError **error)
{
  guint round;
  gint index = arrive (sync, seat, &round);

  if (index < 0)
    fail_broken (error);
  else if ((guint) index + 1 == sync->limit)
    wake_all (sync);
  else
    {
      loky_sync_set_seat (sync, seat, round, LOKY_SEAT_WAITING);
      if (!wait_for_others (sync, round, wait, error))
        index = -1;
    }
  return index;
}

/**
 * loky_barrier_new:
 * @n_parties: how many wait for each other, from 1 to 1024
 * @error: return location for an error
 *
 * Makes a barrier.
 *
 * Returns: (transfer full): a new barrier, or %NULL with %LOKY_ERROR_RESOURCES, or with
 *   %LOKY_ERROR_INVALID_ARGUMENT if
 *   @n_parties is out of its range
 *
 * Since: 1.0
 */
LokyBarrier *
loky_barrier_new (guint n_parties, GError **error)
{
  if (n_parties < 1 || n_parties > LOKY_SYNC_N_SEATS)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "A barrier is for 1 to %d parties, not %u", LOKY_SYNC_N_SEATS, n_parties);
      return NULL;
    }
  return loky_synchronizer_make (LOKY_TYPE_BARRIER, loky_sync_new (LOKY_SYNC_BARRIER, n_parties, error),
                                 LOKY_PART_WHOLE);
}

/**
 * loky_barrier_get_n_parties:
 * @self: a barrier
 *
 * Gets how many wait for each other.
 *
 * Returns: the number of parties
 *
 * Since: 1.0
 */
guint
loky_barrier_get_n_parties (LokyBarrier *self)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_BARRIER (self), 0);

  sync = LOKY_SYNCHRONIZER (self)->sync;
  return sync != NULL ? sync->limit : 0;
}

/**
 * loky_barrier_get_n_waiting:
 * @self: a barrier
 *
 * Gets how many have arrived and wait for the others.
 *
 * Others may change that at any moment.
 *
 * Returns: a number below that of the parties
 *
 * Since: 1.0
 */
guint
loky_barrier_get_n_waiting (LokyBarrier *self)
{
  LokySync *sync;
  State state;

  g_return_val_if_fail (LOKY_IS_BARRIER (self), 0);

  sync = LOKY_SYNCHRONIZER (self)->sync;
  if (sync == NULL)
    return 0;
  state = load (sync);
  return MIN (state.n_arrived, sync->limit - 1);
}

/**
 * loky_barrier_is_broken:
 * @self: a barrier
 *
 * Whether a barrier has to be reset before it can be used again.
 *
 * Returns: %TRUE if the barrier is broken
 *
 * Since: 1.0
 */
gboolean
loky_barrier_is_broken (LokyBarrier *self)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_BARRIER (self), FALSE);

  sync = LOKY_SYNCHRONIZER (self)->sync;
  return sync != NULL && load (sync).is_broken;
}

/**
 * loky_barrier_wait:
 * @self: a barrier
 * @timeout: how long to wait, in milliseconds; -1 to wait without a limit
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Waits until all parties have arrived.
 *
 * The death of one that has arrived is noticed within 50 ms.
 *
 * Returns: a number from 0 on, another one for each party of the round; -1 with %G_IO_ERROR_TIMED_OUT or
 *   %G_IO_ERROR_CANCELLED, which break the barrier unless it was cancelled before the call, with
 *   %LOKY_ERROR_BARRIER_BROKEN if it was or becomes broken or is reset, with %LOKY_ERROR_RESOURCES if 1024 threads
 *   wait, or with %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
gint
loky_barrier_wait (LokyBarrier *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokySyncSeat *seat;
  LokySyncWait wait;
  LokySync *sync;
  gint index;

  g_return_val_if_fail (LOKY_IS_BARRIER (self), -1);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), -1);

  sync = loky_synchronizer_get_sync (self, error);
  if (sync == NULL || !loky_sync_wait_begin (&wait, &sync->memory->bell, &sync->memory->n_sleepers,
                                             timeout, cancellable, error))
    return -1;
  seat = loky_sync_take_seat (sync, load (sync).round, error);
  if (seat == NULL)
    return -1;
  index = wait_in_seat (sync, seat, &wait, error);
  loky_sync_wait_end (&wait);
  loky_sync_leave_seat (sync, seat);
  return index;
}

/**
 * loky_barrier_abort:
 * @self: a barrier
 *
 * Breaks a barrier: all who wait, and all who come before it is reset, get %LOKY_ERROR_BARRIER_BROKEN.
 *
 * Since: 1.0
 */
void
loky_barrier_abort (LokyBarrier *self)
{
  LokySync *sync;

  g_return_if_fail (LOKY_IS_BARRIER (self));

  sync = LOKY_SYNCHRONIZER (self)->sync;
  g_return_if_fail (sync != NULL);
  break_round (sync, load (sync).round);
}

/**
 * loky_barrier_reset:
 * @self: a barrier
 *
 * Puts a barrier into the state in which it was made: all who wait get %LOKY_ERROR_BARRIER_BROKEN.
 *
 * Since: 1.0
 */
void
loky_barrier_reset (LokyBarrier *self)
{
  LokySync *sync;

  g_return_if_fail (LOKY_IS_BARRIER (self));

  sync = LOKY_SYNCHRONIZER (self)->sync;
  g_return_if_fail (sync != NULL);
  for (guint i = 0; i < MAX_TRIES; i++)
    {
      State state = load (sync);
      State next = get_next_round (&state, TRUE);

      if (!swap (sync, &state, &next))
        continue;
      wake_all (sync);
      return;
    }
}
