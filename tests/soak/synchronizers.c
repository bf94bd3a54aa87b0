/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Locks, semaphores, conditions, events and barriers between this process and workers that die
 * while they hold them or wait for them: who waits goes on, and each death of a holder is told to
 * one, the next. */

#include "parts.h"

#include "../fixture.h"

#define N_WORKERS 3
#define N_TASKS 7

typedef struct
{
  SoakPart *part;
  GRand *random;
  LokyExecutor *executor;
  LokySemaphore *ready;
  GPtrArray *futures;
  guint n_owners_died;
} Round;

static gint32
handle_of (gpointer synchronizer)
{
  return loky_synchronizer_get_handle (LOKY_SYNCHRONIZER (synchronizer));
}

static LokyFuture *
submit (Round *round, const char *task, GVariant *args)
{
  g_autoptr (GError) error = NULL;
  LokyFuture *future = loky_executor_submit (round->executor, task, args, NULL, &error);

  if (soak_expect (future != NULL, "%s was refused: %s", task, error != NULL ? error->message : ""))
    g_ptr_array_add (round->futures, future);
  return future;
}

static void
pause_a_little (Round *round)
{
  g_usleep ((gulong) g_rand_int_range (round->random, 0, 3000));
}

/* --- what is held
 * --------------------------------------------------------------------------------- */

static LokySynchronizer *
draw_lock (Round *round)
{
  switch (g_rand_int_range (round->random, 0, 4))
    {
    case 0:
      return LOKY_SYNCHRONIZER (loky_lock_new (NULL));
    case 1:
      return LOKY_SYNCHRONIZER (loky_lock_new_recursive (NULL));
    case 2:
      return LOKY_SYNCHRONIZER (loky_semaphore_new (1, NULL));
    default:
      return LOKY_SYNCHRONIZER (loky_semaphore_new_bounded (1, NULL));
    }
}

/* Acquires it here, for a moment. */
static void
use (Round *round, LokySynchronizer *object)
{
  g_autoptr (GError) error = NULL;
  LokyAcquireResult result =
      LOKY_IS_LOCK (object)
          ? loky_lock_acquire (LOKY_LOCK (object), soak_get_patience (), NULL, &error)
          : loky_semaphore_acquire (LOKY_SEMAPHORE (object), soak_get_patience (), NULL, &error);

  if (!soak_expect (result != LOKY_ACQUIRE_RESULT_FAILED, "%s cannot be had: %s",
                    G_OBJECT_TYPE_NAME (object), error != NULL ? error->message : ""))
    return;
  round->n_owners_died += result == LOKY_ACQUIRE_RESULT_OWNER_DIED;
  soak_expect (LOKY_IS_LOCK (object) ? loky_lock_release (LOKY_LOCK (object), &error)
                                     : loky_semaphore_release (LOKY_SEMAPHORE (object), &error),
               "%s was not held: %s", G_OBJECT_TYPE_NAME (object),
               error != NULL ? error->message : "");
}

static void
submit_acquire (Round *round, LokySynchronizer *object)
{
  submit (round, "sync.acquire", g_variant_new ("(hx)", handle_of (object), (gint64) -1));
}

/* The ends of all tasks; what those that acquired were told. */
static void
settle (Round *round, gboolean may_die)
{
  for (guint i = 0; i < round->futures->len; i++)
    {
      LokyFuture *future = g_ptr_array_index (round->futures, i);
      g_autoptr (GVariant) result = NULL;

      soak_expect_end (round->part, future, may_die);
      result = loky_future_dup_result (future, NULL);
      if (result != NULL && g_variant_is_of_type (result, G_VARIANT_TYPE_UINT32))
        round->n_owners_died += g_variant_get_uint32 (result) == LOKY_ACQUIRE_RESULT_OWNER_DIED;
    }
  g_ptr_array_set_size (round->futures, 0);
}

/* One of those that wait for it, at some time, loses it: one of the others is told, once. */
static void
one_holder_ends (Round *round)
{
  static const char *const ends[] = { "kill", "fork", "return" };
  g_autoptr (LokySynchronizer) object = draw_lock (round);
  guint which = (guint) g_rand_int_range (round->random, 0, N_TASKS);

  for (guint i = 0; i < N_TASKS; i++)
    {
      if (i == which)
        submit (round, "sync.hold",
                g_variant_new ("(hhus)", handle_of (object), handle_of (round->ready), 1u,
                               ends[g_rand_int_range (round->random, 0, G_N_ELEMENTS (ends))]));
      else
        submit_acquire (round, object);
      if (g_rand_int_range (round->random, 0, 3) == 0)
        use (round, object);
    }
  settle (round, TRUE);
  use (round, object);
  soak_expect (round->n_owners_died == 1, "the end of one holder of a %s was told to %u",
               G_OBJECT_TYPE_NAME (object), round->n_owners_died);
}

/* Killed at any instruction. */
static void
some_are_killed (Round *round)
{
  g_autoptr (LokySynchronizer) object = draw_lock (round);
  guint n_killed = 0;

  for (guint i = 0; i < N_TASKS; i++)
    submit_acquire (round, object);
  for (guint i = 0; i < 3; i++)
    {
      pause_a_little (round);
      if (g_rand_boolean (round->random))
        use (round, object);
      n_killed += soak_kill (round->part, round->random, round->executor);
    }
  settle (round, TRUE);
  use (round, object);
  soak_expect (round->n_owners_died <= n_killed,
               "%u ends of a holder were told, and %u workers killed", round->n_owners_died,
               n_killed);
  if (LOKY_IS_SEMAPHORE (object))
    soak_expect (loky_semaphore_get_value (LOKY_SEMAPHORE (object)) == 1, "a semaphore of 1 has %u",
                 loky_semaphore_get_value (LOKY_SEMAPHORE (object)));
}

/* Several units of a dead holder. */
static void
units_come_back (Round *round)
{
  guint n = (guint) g_rand_int_range (round->random, 2, 6);
  guint n_held = (guint) g_rand_int_range (round->random, 1, (gint32) n + 1);
  g_autoptr (LokySemaphore) semaphore = loky_semaphore_new (n, NULL);

  submit (round, "sync.hold",
          g_variant_new ("(hhus)", handle_of (semaphore), handle_of (round->ready), n_held,
                         "kill"));
  for (guint i = 0; i < 4; i++)
    submit_acquire (round, LOKY_SYNCHRONIZER (semaphore));
  settle (round, TRUE);
  soak_expect (loky_semaphore_get_value (semaphore) == n, "a semaphore of %u has %u", n,
               loky_semaphore_get_value (semaphore));
  for (guint i = 0; i < n; i++)
    {
      LokyAcquireResult result = loky_semaphore_acquire (semaphore, 0, NULL, NULL);

      soak_expect (result != LOKY_ACQUIRE_RESULT_FAILED, "unit %u cannot be had", i);
      round->n_owners_died += result == LOKY_ACQUIRE_RESULT_OWNER_DIED;
    }
  soak_expect (round->n_owners_died == n_held, "%u units of a dead holder were told as %u", n_held,
               round->n_owners_died);
}

/* --- what is waited for
 * --------------------------------------------------------------------------- */

/* So many are about to wait, or have died. */
static void
await_ready (Round *round, guint n)
{
  for (guint i = 0; i < n; i++)
    soak_expect (loky_semaphore_acquire (round->ready, soak_get_patience (), NULL, NULL) !=
                     LOKY_ACQUIRE_RESULT_FAILED,
                 "nobody is ready");
}

static gboolean
is_all_done (Round *round)
{
  for (guint i = 0; i < round->futures->len; i++)
    if (!loky_future_is_done (g_ptr_array_index (round->futures, i)))
      return FALSE;
  return TRUE;
}

static void
waiters_are_woken (Round *round)
{
  g_autoptr (LokyLock) lock =
      g_rand_boolean (round->random) ? loky_lock_new (NULL) : loky_lock_new_recursive (NULL);
  g_autoptr (LokyCondition) condition = loky_condition_new (lock, NULL);
  gint64 end = g_get_monotonic_time () + soak_get_patience () * 1000;
  gboolean is_killed = FALSE;

  for (guint i = 0; i < N_WORKERS; i++)
    submit (round, "sync.wait-condition",
            g_variant_new ("(hhx)", handle_of (condition), handle_of (round->ready), (gint64) -1));
  await_ready (round, N_WORKERS);
  if (g_rand_boolean (round->random))
    is_killed = soak_kill (round->part, round->random, round->executor);
  while (!is_all_done (round) && g_get_monotonic_time () < end)
    {
      if (!soak_expect (loky_lock_acquire (lock, soak_get_patience (), NULL, NULL) !=
                            LOKY_ACQUIRE_RESULT_FAILED,
                        "the lock of a condition cannot be had"))
        break;
      if (g_rand_boolean (round->random))
        loky_condition_wake_one (condition, NULL);
      else
        loky_condition_wake_all (condition, NULL);
      soak_expect (loky_lock_release (lock, NULL), "the lock of a condition was not held");
      if (g_rand_int_range (round->random, 0, 10) == 0)
        is_killed |= soak_kill (round->part, round->random, round->executor);
      g_thread_yield ();
    }
  settle (round, is_killed);
}

static void
event_is_set (Round *round)
{
  g_autoptr (LokyEvent) event = loky_event_new (NULL);
  gboolean is_killed = FALSE;

  for (guint i = 0; i + 1 < N_WORKERS; i++)
    submit (round, "sync.wait-event",
            g_variant_new ("(hhx)", handle_of (event), handle_of (round->ready), (gint64) -1));
  if (g_rand_boolean (round->random))
    await_ready (round, N_WORKERS - 1);
  if (g_rand_boolean (round->random))
    is_killed = soak_kill (round->part, round->random, round->executor);
  if (g_rand_boolean (round->random))
    submit (round, "sync.set-event", g_variant_new ("(h)", handle_of (event)));
  else
    loky_event_set (event);
  /* Who has seen it once does not wait for it again. */
  if (g_rand_boolean (round->random))
    soak_expect (loky_event_wait (event, soak_get_patience (), NULL, NULL), "an event was not set");
  settle (round, is_killed);
}

static void
submit_meetings (Round *round, LokyBarrier *barrier, guint n)
{
  for (guint i = 0; i < N_WORKERS; i++)
    submit (round, "sync.meet", g_variant_new ("(hu)", handle_of (barrier), n));
}

static void
barrier_is_met (Round *round)
{
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (N_WORKERS, NULL);
  gboolean is_killed = FALSE;

  submit_meetings (round, barrier, (guint) g_rand_int_range (round->random, 1, 50));
  if (g_rand_boolean (round->random))
    {
      pause_a_little (round);
      is_killed = soak_kill (round->part, round->random, round->executor);
    }
  if (is_killed)
    {
      /* Who had not arrived when it died breaks nothing: nobody could know that it was to come. */
      pause_a_little (round);
      loky_barrier_abort (barrier);
      for (guint i = 0; i < round->futures->len; i++)
        {
          g_autoptr (GError) error = soak_end_of (g_ptr_array_index (round->futures, i));

          soak_expect (error == NULL || soak_is_death (round->part, error) ||
                           g_error_matches (error, LOKY_ERROR, LOKY_ERROR_BARRIER_BROKEN),
                       "a meeting failed: %s", error != NULL ? error->message : "");
        }
      g_ptr_array_set_size (round->futures, 0);
      if (round->part->is_spent)
        return;
      loky_barrier_reset (barrier);
      submit_meetings (round, barrier, 1);
    }
  settle (round, FALSE);
}

/* --------------------------------------------------------------------------------------------------
 */

gpointer
soak_run_synchronizers (gpointer data)
{
  static void (*const plays[]) (Round *) = { one_holder_ends,   some_are_killed, units_come_back,
                                             waiters_are_woken, event_is_set,    barrier_is_met };
  SoakPart *part = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (part->seed);
  Round round = { .part = part, .random = random };

  while (!soak_is_over ())
    {
      round.executor =
          soak_draw_executor (random, N_WORKERS, "crash-policy", LOKY_CRASH_POLICY_REPLACE, NULL);
      part->is_spent = FALSE;
      for (guint i = 0; i < 20 && !part->is_spent && !soak_is_over (); i++)
        {
          round.ready = loky_semaphore_new (0, NULL);
          round.futures = g_ptr_array_new_with_free_func (g_object_unref);
          round.n_owners_died = 0;
          plays[g_rand_int_range (random, 0, G_N_ELEMENTS (plays))](&round);
          g_clear_pointer (&round.futures, g_ptr_array_unref);
          g_clear_object (&round.ready);
          g_atomic_int_inc (&part->n_rounds);
        }
      soak_end_executor (random, g_steal_pointer (&round.executor));
    }
  return NULL;
}
