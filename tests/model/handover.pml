/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How tasks pass from the parent to a worker and back: claim, recall, result, crash at any point, idle
 * retirement, shutdown. docs/concurrency.md says which line of the code is which line here.
 *
 * Everything in it is bounded (tasks, cancellations, take-backs, lives of workers), so that a search of all
 * states that finds no invalid end state shows that each task ends. Each of the names below, when it is
 * defined, puts a defect into the model; the search must find it. */

#define N_TASKS 3
#define N_SLOTS 2
#define N_LIVES 2 /* of the worker: it is replaced once */
#define N_TAKE_BACKS 1

/* The state of a slot. */
#define FREE 0
#define QUEUED 1
#define RUNNING 2
#define RECALLED 3

/* Messages. */
mtype = { TASK, LEAVE, RESULT, GOODBYE };

/* Where a task is. */
#define WAITS 0
#define SENT 1
#define ENDED 2

typedef Slot { byte number; byte state };
Slot slot[N_SLOTS]; /* the control area */

chan to_worker = [3] of { mtype, byte, byte, byte };
chan to_parent = [2] of { mtype, byte, byte };

/* The parent's own record. */
byte task_state[N_TASKS];
byte holds[N_SLOTS];       /* the task in a slot, plus 1; 0: none */
byte held_number[N_SLOTS];
byte last_number;

/* What is checked. */
byte n_runs[N_TASKS];
byte n_ends[N_TASKS];
bool was_told[N_TASKS]; /* that it does not run: cancelled, or shut down */

bool is_killed; /* SIGKILL, by anybody, at any point */
bool is_gone;   /* the process */
byte life;
bool is_leaving;
bool is_shut_down; /* with kill */

/* --- both ---------------------------------------------------------------------------------------- */

/* Compare and swap; the answer is in "swapped". */
inline swap (s, n, from, to)
{
  d_step {
    swapped = false;
    if
#ifdef NO_NUMBERS
    :: slot[s].state == from -> slot[s].state = to; swapped = true
#else
    :: slot[s].state == from && slot[s].number == n -> slot[s].state = to; swapped = true
#endif
    :: else
    fi
  }
}

/* --- the worker ---------------------------------------------------------------------------------- */

proctype Worker ()
{
  byte s, n, t;
  bool swapped;
#ifdef LATE_RESULT
  byte late_s, late_n;
  bool is_late;
#endif

  {
    do
    :: to_worker ? TASK (s, n, t) ->
       swap (s, n, QUEUED, RUNNING);
       if
       :: swapped ->
          atomic {
            n_runs[t]++;
            assert (n_runs[t] <= 1);
            assert (! was_told[t])
          }
#ifdef LATE_RESULT
          if
          :: is_late -> to_parent ! RESULT (late_s, late_n)
          :: else
          fi
          late_s = s; late_n = n; is_late = true;
          if
          :: empty (to_worker) -> to_parent ! RESULT (late_s, late_n); is_late = false
          :: nempty (to_worker)
          fi
#else
          to_parent ! RESULT (s, n)
#endif
       :: else /* taken back, or left over from a slot that holds another one now */
       fi
    :: to_worker ? LEAVE (_, _, _) ->
       to_parent ! GOODBYE (0, 0);
       break
    od
  } unless { is_killed };
  is_gone = true
}

/* --- the parent ---------------------------------------------------------------------------------- */

/* The one place where a task ends. */
inline end_task (t)
{
  d_step {
    assert (n_ends[t] == 0);
    n_ends[t]++;
    task_state[t] = ENDED
  }
}

inline release_slot (s)
{
  holds[s] = 0
}

inline receive_result (s, n)
{
  if
  :: holds[s] > 0 && held_number[s] == n ->
     t = holds[s] - 1;
     release_slot (s);
     end_task (t)
  :: else /* it is not known: after a shutdown that kills */
  fi
}

/* The worker is dead: what it sent is read, then every slot is asked back. What cannot be had back was
 * running, which is one task at the most. */
inline bury ()
{
#ifndef NO_DRAIN
  do
  :: to_parent ? RESULT (s, n) -> receive_result (s, n)
  :: to_parent ? GOODBYE (_, _)
  :: empty (to_parent) -> break
  od;
#endif
  n_lost = 0;
  s = 0;
  do
  :: s < N_SLOTS ->
     if
     :: holds[s] > 0 ->
        t = holds[s] - 1;
        swap (s, held_number[s], QUEUED, RECALLED);
        release_slot (s);
#ifdef NO_RECALL
        swapped = true;
#endif
        if
        :: swapped && life < N_LIVES -> task_state[t] = WAITS
        :: swapped && life == N_LIVES -> end_task (t) /* broken */
        :: ! swapped -> n_lost++; end_task (t)
        fi
     :: else
     fi;
     s++
  :: else -> break
  od;
  assert (n_lost <= 1);
  /* Its channel is closed, its control area gone. */
  d_step {
    do
    :: to_worker ? _ (_, _, _)
    :: to_parent ? _ (_, _)
    :: empty (to_worker) && empty (to_parent) -> break
    od;
    s = 0;
    do
    :: s < N_SLOTS -> slot[s].state = FREE; slot[s].number = 0; s++
    :: else -> break
    od;
    last_number = 0;
    is_leaving = false
  }
}

#define all_ended (n_ends[0] + n_ends[1] + n_ends[2] == N_TASKS)
#define is_idle (holds[0] == 0 && holds[1] == 0)

active proctype Parent ()
{
  byte s, n, t, n_take_backs, n_lost;
  bool swapped;
  bool is_running;
  bool may_shut_down;

  /* Not always: what only a shutdown ends would go unseen. */
  if
  :: may_shut_down = true
  :: skip
  fi;
  do
  /* start a worker */
  :: ! is_running && life < N_LIVES && ! all_ended && ! is_shut_down ->
     d_step { life++; is_killed = false; is_gone = false; is_running = true };
     run Worker ()
  /* none can be started any more: broken */
  :: ! is_running && life == N_LIVES && ! all_ended ->
     t = 0;
     do
     :: t < N_TASKS ->
        if
        :: task_state[t] == WAITS -> end_task (t)
        :: else
        fi;
        t++
     :: else -> break
     od
  /* send */
  :: is_running && ! is_leaving && nfull (to_worker) &&
     (task_state[0] == WAITS || task_state[1] == WAITS || task_state[2] == WAITS) &&
     (holds[0] == 0 || holds[1] == 0) ->
     if
     :: task_state[0] == WAITS -> t = 0
     :: task_state[1] == WAITS -> t = 1
     :: task_state[2] == WAITS -> t = 2
     fi;
     if
     :: holds[0] == 0 -> s = 0
     :: holds[1] == 0 -> s = 1
     fi;
     d_step {
       last_number++;
       holds[s] = t + 1;
       held_number[s] = last_number;
       task_state[t] = SENT;
       n = last_number
     };
#ifdef SENDS_FIRST
     to_worker ! TASK (s, n, t);
     d_step { slot[s].number = n; slot[s].state = QUEUED }
#else
     d_step { slot[s].number = n; slot[s].state = QUEUED };
     to_worker ! TASK (s, n, t)
#endif
  /* read */
  :: to_parent ? [RESULT (_, _)] ->
     to_parent ? RESULT (s, n);
     receive_result (s, n)
  :: to_parent ? [GOODBYE (_, _)] -> to_parent ? GOODBYE (_, _)
  /* cancel what waits */
  :: task_state[0] == WAITS -> was_told[0] = true; end_task (0)
  /* cancel what was sent, or take it back */
  :: holds[0] > 0 && n_take_backs < N_TAKE_BACKS ->
     n_take_backs++;
     t = holds[0] - 1;
#ifdef STORES_RECALL
     slot[0].state = RECALLED; swapped = true;
#else
     swap (0, held_number[0], QUEUED, RECALLED);
#endif
     if
     :: swapped ->
        release_slot (0);
        if
        :: was_told[t] = true; end_task (t)
        :: task_state[t] = WAITS
        fi
     :: else /* it runs: its result or its worker's end is waited for */
     fi
  /* idle, or drained: the worker is told to leave */
  :: is_running && ! is_leaving && is_idle && nfull (to_worker) ->
     is_leaving = true;
     to_worker ! LEAVE (0, 0, 0)
  /* the process has ended, of itself or by a kill */
  :: is_running && is_gone ->
     bury ();
     is_running = false
  /* shut down with kill */
  :: may_shut_down && ! is_shut_down ->
     is_shut_down = true;
     s = 0;
     do
     :: s < N_SLOTS ->
        if
        :: holds[s] > 0 ->
           t = holds[s] - 1;
           swap (s, held_number[s], QUEUED, RECALLED);
#ifndef NO_REVOKE
           if
           :: swapped -> was_told[t] = true
           :: else
           fi;
#else
           was_told[t] = true;
           slot[s].state = QUEUED;
#endif
           release_slot (s);
           end_task (t)
        :: else
        fi;
        s++
     :: else -> break
     od;
     t = 0;
     do
     :: t < N_TASKS ->
        if
        :: task_state[t] == WAITS -> was_told[t] = true; end_task (t)
        :: else
        fi;
        t++
     :: else -> break
     od;
     is_killed = true
  /* the end */
  :: all_ended && ! is_running -> break
  od;
  assert (all_ended)
}

/* --- the rest of the world ------------------------------------------------------------------------ */

/* Kills the worker at any point, or does not. */
active proctype World ()
{
  byte n_kills;

  do
  :: n_kills < 1 && ! is_gone && life > 0 -> n_kills++; is_killed = true
  :: break
  od
}
