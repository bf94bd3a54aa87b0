/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the parent hands tasks to a worker: in the ring of the control area, or by a message where there is no room, a
 * task is too large, or the worker sleeps. docs/concurrency.md says which line of the code is which line here.
 *
 * A task that is overlooked leaves the worker asleep: an invalid end state. One that overtakes another fails an
 * assertion, as does one that is written over. Each of the names below, when it is defined, puts a defect into the
 * model; the search must find it. */

#define N_TASKS 5
#define RING_SIZE 2
#define LOOK 255
#define UNSENDABLE 254

chan outbox = [12] of { byte };
chan to_worker = [12] of { byte };
byte ring[RING_SIZE];
byte before[RING_SIZE]; /* how many messages are to be handled before it */
byte n_left;    /* tasks in the ring, in all */
byte n_taken;   /* of these, by the worker */
byte n_put;     /* messages */
byte n_handled; /* of these, by the worker */
byte n_noted;   /* of these, as the parent can see it */
bool is_asleep; /* the worker */
byte n_done;

/* --- the parent ---------------------------------------------------------------------------------- */

#ifdef NO_BOUND
#define is_room true
#else
#define is_room (n_left - n_taken < RING_SIZE)
#endif

inline has_to_be_woken (result)
{
  result = is_asleep;
  if
  :: result && n_noted < n_put -> result = false
  :: else
  fi
}

inline put (t)
{
  n_put++;
  outbox ! t
}

active proctype Parent ()
{
  byte t;
  bool wakes;
  bool has_put_unsendable;
  bool has_roused;

  do
  :: t < N_TASKS ->
     has_to_be_woken (wakes);
     if
     :: ! wakes && is_room ->
        ring[n_left % RING_SIZE] = t;
        before[n_left % RING_SIZE] = n_put;
        n_left++;
#ifndef NO_WAKING
        has_to_be_woken (wakes);
        if
        :: wakes -> put (LOOK)
        :: else
        fi
#endif
        t++
     :: wakes || ! is_room || t % 2 == 1 ->
        put (t);
        t++
     :: ! has_put_unsendable ->
        has_put_unsendable = true;
        put (UNSENDABLE)
     :: wakes && ! has_roused ->
        /* For a task that may follow. */
        has_roused = true;
        put (LOOK)
     fi
  :: else -> break
  od
}

/* Whoever flushes: at any time after something was put. */
active proctype Sender ()
{
  byte t;

end:
  do
  :: outbox ? t ->
     if
     :: t == UNSENDABLE ->
#ifndef DROPS
        to_worker ! LOOK
#else
        skip
#endif
     :: else -> to_worker ! t
     fi
  od
}

/* --- the worker ---------------------------------------------------------------------------------- */

#ifdef OVERTAKES
#define has_left (n_left > n_taken)
#else
#define has_left (n_left > n_taken && before[n_taken % RING_SIZE] <= n_handled)
#endif

inline handle (t)
{
  d_step {
    assert (t == n_done);
    n_done++
  }
}

inline handle_left ()
{
  do
  :: has_left ->
     handle (ring[n_taken % RING_SIZE]);
     n_taken++
  :: ! has_left -> break
  od
}

active proctype Worker ()
{
  byte t;

  do
  :: n_done == N_TASKS -> break
  :: else ->
     handle_left ();
     if
     :: nempty (to_worker) ->
        to_worker ? t;
#ifndef NO_LEFT_FIRST
        handle_left ();
#endif
        if
        :: t == LOOK
        :: else -> handle (t)
        fi;
        n_handled++;
#ifndef NOTES_LATE
        n_noted = n_handled
#endif
     :: empty (to_worker) ->
        is_asleep = true;
#ifndef NO_LAST_LOOK
        if
        :: ! has_left ->
#else
        if
        :: true ->
#endif
#ifdef NOTES_LATE
           n_noted = n_handled;
#endif
           if
           :: nempty (to_worker)
           :: n_done == N_TASKS
           fi
        :: else
        fi;
        is_asleep = false
     fi
  od
}
