/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the parent hands tasks to a worker: in the ring of the control area while the worker is awake and has handled
 * all messages, by a message otherwise. docs/concurrency.md says which line of the code is which line here.
 *
 * A task that is overlooked leaves the worker asleep: an invalid end state. One that overtakes another fails an
 * assertion, as does one that is written over. Each of the names below, when it is defined, puts a defect into the
 * model; the search must find it. */

#define N_TASKS 5
#define RING_SIZE 2
#define LOOK 255

chan to_worker = [3] of { byte };
byte ring[RING_SIZE];
byte n_left;    /* tasks in the ring, in all */
byte n_taken;   /* of these, by the worker */
byte n_put;     /* messages but for LOOK */
byte n_handled; /* of these, by the worker */
bool is_asleep; /* the worker */
byte n_done;

/* --- the parent ---------------------------------------------------------------------------------- */

#ifdef OVERTAKES
#define is_in_order true
#else
#define is_in_order (n_handled == n_put)
#endif

#ifdef NO_BOUND
#define is_room true
#else
#define is_room (n_left - n_taken < RING_SIZE)
#endif

active proctype Parent ()
{
  byte t;

  do
  :: t < N_TASKS ->
     if
     :: ! is_asleep && is_in_order && is_room ->
        ring[n_left % RING_SIZE] = t;
        n_left++;
#ifndef NO_WAKING
        if
        :: is_asleep -> to_worker ! LOOK
        :: else
        fi
#endif
     :: else ->
        n_put++;
        to_worker ! t
     fi;
     t++
  :: else -> break
  od
}

/* --- the worker ---------------------------------------------------------------------------------- */

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
  :: n_left > n_taken ->
     handle (ring[n_taken % RING_SIZE]);
     n_taken++
  :: n_left == n_taken -> break
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
        :: else ->
           handle (t);
           n_handled++
        fi
     :: empty (to_worker) ->
        is_asleep = true;
#ifndef NO_LAST_LOOK
        if
        :: n_left == n_taken ->
           if
           :: nempty (to_worker)
           :: n_done == N_TASKS
           fi
        :: else
        fi;
#else
        if
        :: nempty (to_worker)
        :: n_done == N_TASKS
        fi;
#endif
        is_asleep = false
     fi
  od
}
