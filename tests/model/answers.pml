/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a worker answers: in the control area while the parent is attentive, or has not read its last message yet;
 * by a message otherwise. The monitor,
 * which sleeps until there is a message, and a thread that spins are both readers; either may say that the parent
 * is attentive while the other says that it is not. docs/concurrency.md says which line of the code is which line
 * here.
 *
 * An answer that is overlooked leaves the monitor asleep: an invalid end state. Each of the names below, when it is
 * defined, puts a defect into the model; the search must find it. */

#define N_TASKS 3
#define N_SPINS 2

bool has_answer[N_TASKS]; /* each task has a slot of its own */
bool is_attentive;
byte n_sending; /* messages that the worker has sent, or is about to */
byte n_heard;   /* what the parent saw there when it had read */
chan to_parent = [N_TASKS] of { byte };
chan asked = [1] of { bit }; /* the monitor, to look */

bool reader_lock;
bool is_killed; /* by anybody, at any point */
bool is_gone;

byte n_begun;
byte n_ended;
byte n_ends[N_TASKS];

#define has_answers (has_answer[0] || has_answer[1] || has_answer[2])

/* --- the worker ---------------------------------------------------------------------------------- */

inline send (t)
{
#ifdef COUNTS_LATE
  to_parent ! t;
  n_sending++
#else
  n_sending++;
  to_parent ! t
#endif
}

#define is_listened_to (is_attentive || n_heard != n_sending)

proctype Worker ()
{
  byte t;
  bool was_there;

  {
    do
    :: t < N_TASKS ->
       n_begun++;
       if
       :: is_listened_to ->
          has_answer[t] = true;
#ifdef NO_SECOND_LOOK
          skip
#else
          if
          :: is_listened_to
          :: ! is_listened_to ->
             atomic { was_there = has_answer[t];
#ifndef NO_TAKE_BACK
               has_answer[t] = false
#endif
             };
#ifdef SENDS_ANYWAY
             was_there = true;
#endif
             if
             :: was_there -> send (t)
             :: else /* the parent has taken it */
             fi
          fi
#endif
       :: ! is_listened_to -> send (t)
       fi;
       t++
    :: else -> break
    od
  } unless { is_killed };
  if
  :: is_killed -> is_gone = true
  :: else
  fi
}

/* --- both readers -------------------------------------------------------------------------------- */

inline end_task (t)
{
  d_step {
    assert (n_ends[t] == 0);
    n_ends[t]++;
    n_ended++
  }
}

/* With the lock. */
inline look ()
{
  i = 0;
  do
  :: i < N_TASKS ->
     atomic {
       if
       :: has_answer[i] -> has_answer[i] = false; end_task (i)
       :: else
       fi
     };
     i++
  :: else -> break
  od
}

/* One message at the most: a look follows. */
inline receive ()
{
#ifdef HEARS_EARLY
  n_heard = n_sending;
#endif
  if
  :: to_parent ? t -> end_task (t)
  :: empty (to_parent)
  fi;
#ifndef HEARS_EARLY
  n_heard = n_sending
#endif
}

/* --- the monitor --------------------------------------------------------------------------------- */

proctype Monitor ()
{
  byte i, t;

  do
  :: n_ended == N_TASKS -> break
  :: else ->
     /* asleep, without the lock */
     if
     :: nempty (to_parent)
     :: asked ? _
     :: is_gone
     :: n_ended == N_TASKS -> break
     fi;
     atomic { ! reader_lock -> reader_lock = true };
     is_attentive = true;
     do
     :: receive (); look ()
     :: break
     od;
#ifdef LOOKS_TOO_EARLY
     look ();
#endif
     is_attentive = false;
#if !defined(NO_LAST_LOOK) && !defined(LOOKS_TOO_EARLY)
     look ();
#endif
     if
     :: is_gone ->
        /* All that it left; what it was doing is lost. */
        do
        :: nempty (to_parent) -> receive ()
        :: empty (to_parent) -> break
        od;
#ifndef NO_DRAIN
        look ();
#endif
        assert (n_begun - n_ended <= 1);
        reader_lock = false;
        break
     :: else -> reader_lock = false
     fi
  od
}

/* --- a thread that spins ------------------------------------------------------------------------- */

/* It only tries the lock. */
inline read ()
{
  atomic {
    got_lock = ! reader_lock;
    reader_lock = true
  };
  if
  :: got_lock ->
     receive ();
     look ();
     reader_lock = false
  :: else
  fi
}

proctype Spinner ()
{
  byte i, t, n_spins;
  bool got_lock;

  do
  :: n_spins < N_SPINS ->
     n_spins++;
     is_attentive = true;
     do
     :: has_answers || nempty (to_parent) ->
        read ();
        if
        :: ! got_lock -> break
        :: else
        fi
     :: break
     od;
     is_attentive = false;
     if
     :: has_answers -> read ()
     :: else
     fi;
#ifndef NO_ASKING
     if
     :: has_answers ->
        if
        :: nfull (asked) -> asked ! 1
        :: full (asked)
        fi
     :: else
     fi
#endif
  :: break
  od
}

/* --- the rest of the world ------------------------------------------------------------------------ */

init
{
  atomic {
    run Worker ();
    run Monitor ();
    run Spinner ()
  };
  if
  :: is_killed = true
  :: skip
  fi
}
