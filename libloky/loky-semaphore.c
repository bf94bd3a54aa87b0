/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A semaphore is a row of units, each a word: who holds it, or 0. A unit is taken, given back or had back
 * from the dead by one compare-and-swap: none can be lost, and none be there twice, wherever a process dies.
 * There is no count that could differ from it. */

#include "loky-semaphore.h"

#include "loky-error.h"
#include "loky-sync-wait-private.h"
#include "loky-synchronizer-private.h"

/**
 * LokySemaphore:
 *
 * A number of units, each of which one process at a time holds.
 *
 * [method@Loky.Semaphore.acquire] takes a unit and [method@Loky.Semaphore.release] gives one back: one of the
 * process's own, else one that another process holds, and if nobody holds any, it makes a new one. A bounded
 * semaphore refuses to make new ones.
 *
 * The units of a process that died, or that dropped its last reference, come back: who acquires one of those is told
 * so by %LOKY_ACQUIRE_RESULT_OWNER_DIED.
 *
 * It is not fair: who waits longest is not served first.
 *
 * Since: 1.0
 */
struct _LokySemaphore
{
  LokySynchronizer parent_instance;
};

G_DEFINE_FINAL_TYPE (LokySemaphore, loky_semaphore, LOKY_TYPE_SYNCHRONIZER)

static void
loky_semaphore_class_init (LokySemaphoreClass *klass)
{
}

static void
loky_semaphore_init (LokySemaphore *self)
{
}

static guint
get_n_units (LokySync *sync)
{
  /* Read once: MIN() would read it again after it was compared. */
  guint32 n = __atomic_load_n (&sync->memory->n_units, __ATOMIC_SEQ_CST);

  return MIN (n, LOKY_SYNC_N_UNITS);
}

static LokySyncOwner
load (LokySync *sync, guint unit)
{
  return __atomic_load_n (&sync->memory->units[unit], __ATOMIC_SEQ_CST);
}

static gboolean
swap (LokySync *sync, guint unit, LokySyncOwner from, LokySyncOwner to)
{
  return __atomic_compare_exchange_n (&sync->memory->units[unit], &from, to, FALSE, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST);
}

/* FAILED: not now. @has_holders: whether one may come back by a death. */
static LokyAcquireResult
try_acquire (LokySync *sync, gboolean *has_holders)
{
  guint n = get_n_units (sync);
  LokySyncCensus census = { 0 };

  *has_holders = n > 0;
  for (guint i = 0; i < n; i++)
    if (load (sync, i) == 0 && swap (sync, i, 0, sync->owner))
      return LOKY_ACQUIRE_RESULT_ACQUIRED;
  for (guint i = 0; i < n; i++)
    {
      LokySyncOwner owner = load (sync, i);

      if (!loky_sync_is_alive (sync, owner, &census) && swap (sync, i, owner, sync->owner))
        return owner == 0 ? LOKY_ACQUIRE_RESULT_ACQUIRED : LOKY_ACQUIRE_RESULT_OWNER_DIED;
    }
  return LOKY_ACQUIRE_RESULT_FAILED;
}

static LokyAcquireResult
acquire (LokySync *sync, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokySyncMemory *memory = sync->memory;
  LokyAcquireResult result;
  gboolean has_holders;
  LokySyncWait wait;
  guint32 seen;

  if (!loky_sync_wait_begin (&wait, &memory->bell, &memory->n_sleepers, timeout, cancellable, error))
    return LOKY_ACQUIRE_RESULT_FAILED;
  do
    {
      seen = __atomic_load_n (&memory->bell, __ATOMIC_SEQ_CST);
      result = try_acquire (sync, &has_holders);
    }
  while (result == LOKY_ACQUIRE_RESULT_FAILED &&
         loky_sync_wait_sleep (&wait, seen, has_holders ? LOKY_SYNC_SLICE : LOKY_SYNC_LONG_SLICE,
                               error));
  loky_sync_wait_end (&wait);
  return result;
}

/* One unit of the process's own or, if @of_others, of another that lives. */
static gboolean
free_unit (LokySync *sync, gboolean of_others)
{
  guint n = get_n_units (sync);
  LokySyncCensus census = { 0 };

  for (guint i = 0; i < n; i++)
    {
      LokySyncOwner owner = load (sync, i);

      if (of_others ? owner != 0 && loky_sync_is_alive (sync, owner, &census) : owner == sync->owner)
        if (swap (sync, i, owner, 0))
          return TRUE;
    }
  return FALSE;
}

static gboolean
add_unit (LokySync *sync, GError **error)
{
  guint32 n = __atomic_load_n (&sync->memory->n_units, __ATOMIC_SEQ_CST);

  /* Each failure is the success of another, unless somebody spoils the memory. */
  for (guint i = 0; i < LOKY_SYNC_N_UNITS && n < LOKY_SYNC_N_UNITS; i++)
    if (__atomic_compare_exchange_n (&sync->memory->n_units, &n, n + 1, FALSE, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
      return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE, "A semaphore has at most %d units",
               LOKY_SYNC_N_UNITS);
  return FALSE;
}

static LokySemaphore *
make (LokySyncKind kind, guint value, GError **error)
{
  LokySync *sync;

  if (value > LOKY_SYNC_N_UNITS)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE, "A semaphore has at most %d units",
                   LOKY_SYNC_N_UNITS);
      return NULL;
    }
  sync = loky_sync_new (kind, 0, error);
  if (sync != NULL)
    sync->memory->n_units = value;
  return loky_synchronizer_make (LOKY_TYPE_SEMAPHORE, sync, LOKY_PART_WHOLE);
}

/**
 * loky_semaphore_new:
 * @value: how many units there are at first, up to 4096
 * @error: return location for an error
 *
 * Makes a semaphore that has no bound but 4096 units.
 *
 * Returns: (transfer full): a new semaphore, or %NULL with %LOKY_ERROR_RESOURCES or %LOKY_ERROR_TOO_LARGE
 *
 * Since: 1.0
 */
LokySemaphore *
loky_semaphore_new (guint value, GError **error)
{
  return make (LOKY_SYNC_SEMAPHORE, value, error);
}

/**
 * loky_semaphore_new_bounded:
 * @value: how many units there are, up to 4096
 * @error: return location for an error
 *
 * Makes a semaphore that never has more units than at first.
 *
 * Returns: (transfer full): a new semaphore, or %NULL with %LOKY_ERROR_RESOURCES or %LOKY_ERROR_TOO_LARGE
 *
 * Since: 1.0
 */
LokySemaphore *
loky_semaphore_new_bounded (guint value, GError **error)
{
  return make (LOKY_SYNC_BOUNDED_SEMAPHORE, value, error);
}

/**
 * loky_semaphore_is_bounded:
 * @self: a semaphore
 *
 * Whether a semaphore refuses to be released more often than acquired.
 *
 * Returns: %TRUE if the semaphore is bounded
 *
 * Since: 1.0
 */
gboolean
loky_semaphore_is_bounded (LokySemaphore *self)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_SEMAPHORE (self), FALSE);

  sync = LOKY_SYNCHRONIZER (self)->sync;
  return sync != NULL && sync->kind == LOKY_SYNC_BOUNDED_SEMAPHORE;
}

/**
 * loky_semaphore_get_value:
 * @self: a semaphore
 *
 * Gets how many units could be acquired now, those of the dead included.
 *
 * Others may change that at any moment.
 *
 * Returns: a number of units; 0 in a child of the process that has the object
 *
 * Since: 1.0
 */
guint
loky_semaphore_get_value (LokySemaphore *self)
{
  LokySyncCensus census = { 0 };
  guint value = 0;
  LokySync *sync;
  guint n;

  g_return_val_if_fail (LOKY_IS_SEMAPHORE (self), 0);

  sync = loky_synchronizer_get_sync (self, NULL);
  if (sync == NULL)
    return 0;
  n = get_n_units (sync);
  for (guint i = 0; i < n; i++)
    {
      LokySyncOwner owner = load (sync, i);

      value += owner == 0 || !loky_sync_is_alive (sync, owner, &census);
    }
  return value;
}

/**
 * loky_semaphore_acquire:
 * @self: a semaphore
 * @timeout: how long to wait, in milliseconds; 0 to try only, -1 to wait without a limit
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Takes a unit, after waiting until there is one.
 *
 * The death of a process that holds units is noticed within 50 ms by those who wait.
 *
 * Returns: how the unit was acquired; %LOKY_ACQUIRE_RESULT_FAILED with %G_IO_ERROR_TIMED_OUT or
 *   %G_IO_ERROR_CANCELLED if none was, or with %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
LokyAcquireResult
loky_semaphore_acquire (LokySemaphore *self,
                        gint64 timeout,
                        GCancellable *cancellable,
                        GError **error)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_SEMAPHORE (self), LOKY_ACQUIRE_RESULT_FAILED);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable),
                        LOKY_ACQUIRE_RESULT_FAILED);

  sync = loky_synchronizer_get_sync (self, error);
  return sync != NULL ? acquire (sync, timeout, cancellable, error) : LOKY_ACQUIRE_RESULT_FAILED;
}

/**
 * loky_semaphore_release:
 * @self: a semaphore
 * @error: return location for an error
 *
 * Gives a unit back.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_NOT_HELD if the semaphore is bounded and nobody holds a unit, with
 *   %LOKY_ERROR_TOO_LARGE if it has 4096 units that nobody holds, or with %LOKY_ERROR_FORKED in a child of the process
 *   that has the object
 *
 * Since: 1.0
 */
gboolean
loky_semaphore_release (LokySemaphore *self, GError **error)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_SEMAPHORE (self), FALSE);

  sync = loky_synchronizer_get_sync (self, error);
  if (sync == NULL)
    return FALSE;
  if (!free_unit (sync, FALSE) && !free_unit (sync, TRUE))
    {
      if (sync->kind == LOKY_SYNC_BOUNDED_SEMAPHORE)
        {
          g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_NOT_HELD,
                               "The semaphore was released too often: nobody holds a unit");
          return FALSE;
        }
      if (!add_unit (sync, error))
        return FALSE;
    }
  loky_sync_ring_sleepers (&sync->memory->bell, &sync->memory->n_sleepers, 1);
  return TRUE;
}
