/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A condition is a number within the memory of its lock. Who waits has a seat there with that number; to wake
 * is to change the seat of the one who came first and lives. */

#include "loky-condition-private.h"

#include "loky-error.h"
#include "loky-lock-private.h"
#include "loky-sync-seat-private.h"
#include "loky-sync-wait-private.h"
#include "loky-synchronizer-private.h"
#include "loky-tsan-private.h"

/* How long is waited for the lock, in ms, by who does not want to wait any more. */
#define GRACE 1000

/**
 * LokyCondition:
 *
 * Waiting, with a lock released meanwhile, until another thread or process has changed what the lock protects.
 *
 * It belongs to a [class@Loky.Lock], which may have several. Who waits, and who wakes, holds the lock. Who
 * was woken looks again whether what it waits for is so, and if not, waits again:
 *
 * ```c
 * while (!has_room && result != LOKY_ACQUIRE_RESULT_FAILED)
 *   result = loky_condition_wait (condition, -1, cancellable, &error);
 * ```
 *
 * Those who wait are woken in the order in which they came. Who died is not counted.
 *
 * Since: 1.0
 */
struct _LokyCondition
{
  LokySynchronizer parent_instance;

  LokyLock *lock; /* made when it is asked for, if it was received; atomic */
};

G_DEFINE_FINAL_TYPE (LokyCondition, loky_condition, LOKY_TYPE_SYNCHRONIZER)

static void
loky_condition_finalize (GObject *object)
{
  LokyCondition *self = LOKY_CONDITION (object);

  LOKY_TSAN_ACQUIRE (object);
  g_clear_object (&self->lock);

  G_OBJECT_CLASS (loky_condition_parent_class)->finalize (object);
}

static void
loky_condition_class_init (LokyConditionClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_condition_finalize;
}

static void
loky_condition_init (LokyCondition *self)
{
}

static guint
get_queue (LokyCondition *self)
{
  return LOKY_SYNCHRONIZER (self)->part - LOKY_PART_CONDITION;
}

/* Until it was woken, the time is over, or it was cancelled, which sets @error. */
static gboolean
wait_in_seat (LokySync *sync, LokySyncSeat *seat, guint queue, LokySyncWait *wait, GError **error)
{
  gboolean goes_on = TRUE;
  guint32 seen = __atomic_load_n (&seat->bell, __ATOMIC_SEQ_CST);

  while (goes_on && loky_sync_is_waiting (sync, seat, queue))
    {
      goes_on = loky_sync_wait_sleep (wait, seen, LOKY_SYNC_LONG_SLICE, error);
      seen = __atomic_load_n (&seat->bell, __ATOMIC_SEQ_CST);
    }
  loky_sync_wait_end (wait);
  if (loky_sync_leave_seat (sync, seat) == LOKY_SEAT_WAITING)
    return goes_on;
  g_clear_error (error);
  return TRUE;
}

/* Without a limit, but with a way out. */
static LokyAcquireResult
acquire_again (LokySync *sync, GCancellable *cancellable)
{
  LokyAcquireResult result = loky_sync_acquire (sync, -1, cancellable, NULL);

  return result != LOKY_ACQUIRE_RESULT_FAILED ? result : loky_sync_acquire (sync, GRACE, NULL, NULL);
}

static LokyAcquireResult
wait_for (LokySync *sync, guint queue, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokySyncSeat *seat = loky_sync_take_seat (sync, queue, error);
  g_autoptr (GError) wait_error = NULL;
  LokyAcquireResult result;
  gboolean was_woken;
  LokySyncWait wait;
  gint depth;

  if (seat == NULL)
    return LOKY_ACQUIRE_RESULT_FAILED;
  if (!loky_sync_wait_begin (&wait, &seat->bell, NULL, timeout, cancellable, error))
    {
      loky_sync_leave_seat (sync, seat);
      return LOKY_ACQUIRE_RESULT_FAILED;
    }
  loky_sync_set_seat (sync, seat, queue, LOKY_SEAT_WAITING);
  depth = loky_sync_release_all (sync);
  was_woken = wait_in_seat (sync, seat, queue, &wait, &wait_error);
  result = acquire_again (sync, cancellable);
  if (result == LOKY_ACQUIRE_RESULT_FAILED)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_NOT_HELD,
                           "The wait was cancelled, and the lock cannot be acquired again");
      return result;
    }
  loky_sync_restore (sync, depth);
  if (was_woken || result == LOKY_ACQUIRE_RESULT_OWNER_DIED)
    return result;
  g_propagate_error (error, g_steal_pointer (&wait_error));
  return LOKY_ACQUIRE_RESULT_FAILED;
}

/* A number that no other condition of the lock has. */
static gboolean
draw_number (LokySync *sync, guint32 *number, GError **error)
{
  *number = __atomic_fetch_add (&sync->memory->n_conditions, 1, __ATOMIC_SEQ_CST);
  if (*number < LOKY_CONDITION_MAX)
    return TRUE;
  __atomic_sub_fetch (&sync->memory->n_conditions, 1, __ATOMIC_SEQ_CST);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "%d conditions were made of this lock already",
               LOKY_CONDITION_MAX);
  return FALSE;
}

/**
 * loky_condition_new:
 * @lock: (nullable): the lock that it belongs to; %NULL for a new one, which is recursive
 * @error: return location for an error
 *
 * Makes a condition.
 *
 * Of one lock 65535 can be made in its life.
 *
 * Returns: (transfer full): a new condition, or %NULL with %LOKY_ERROR_RESOURCES, or with %LOKY_ERROR_FORKED
 *   in a child
 *   of the process that has the lock
 *
 * Since: 1.0
 */
LokyCondition *
loky_condition_new (LokyLock *lock, GError **error)
{
  g_autoptr (LokyLock) owned = NULL;
  LokyCondition *self;
  LokySync *sync;
  guint32 number;

  g_return_val_if_fail (lock == NULL || LOKY_IS_LOCK (lock), NULL);

  owned = lock != NULL ? g_object_ref (lock) : loky_lock_new_recursive (error);
  if (owned == NULL)
    return NULL;
  sync = loky_synchronizer_get_sync (owned, error);
  if (sync == NULL || !draw_number (sync, &number, error))
    return NULL;
  self = loky_synchronizer_make (LOKY_TYPE_CONDITION, loky_sync_ref (sync),
                                 LOKY_PART_CONDITION + number);
  self->lock = g_steal_pointer (&owned);
  return self;
}

/**
 * loky_condition_get_lock:
 * @self: a condition
 *
 * Gets the lock that a condition belongs to.
 *
 * Returns: (transfer none) (nullable): the lock, which is the condition's; %NULL if it was not made by its
 *   constructor
 *
 * Since: 1.0
 */
LokyLock *
loky_condition_get_lock (LokyCondition *self)
{
  LokySync *sync;
  LokyLock *lock;

  g_return_val_if_fail (LOKY_IS_CONDITION (self), NULL);

  sync = LOKY_SYNCHRONIZER (self)->sync;
  lock = g_atomic_pointer_get (&self->lock);
  if (lock != NULL || sync == NULL)
    return lock;
  lock = loky_synchronizer_make (LOKY_TYPE_LOCK, loky_sync_ref (sync), LOKY_PART_WHOLE);
  if (g_atomic_pointer_compare_and_exchange (&self->lock, NULL, lock))
    return lock;
  g_object_unref (lock);
  return g_atomic_pointer_get (&self->lock);
}

/**
 * loky_condition_wait:
 * @self: a condition
 * @timeout: how long to wait, in milliseconds; -1 to wait without a limit
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Releases the lock, waits to be woken, and acquires the lock again.
 *
 * A recursive lock is released altogether, however often it is held. The lock is held again whenever this
 * returns, except with %LOKY_ERROR_NOT_HELD. To acquire it again may take longer than @timeout; if @cancellable
 * was cancelled, 1 s at most.
 *
 * Returns: %LOKY_ACQUIRE_RESULT_ACQUIRED if it was woken; %LOKY_ACQUIRE_RESULT_OWNER_DIED, woken or not, if who held
 *   the lock meanwhile died; %LOKY_ACQUIRE_RESULT_FAILED with %G_IO_ERROR_TIMED_OUT or %G_IO_ERROR_CANCELLED if it was
 *   not woken, with %LOKY_ERROR_NOT_HELD if the calling thread does not hold the lock or cannot acquire it again, with
 *   %LOKY_ERROR_RESOURCES if 1024 threads wait for conditions of the lock, or with %LOKY_ERROR_FORKED in a child of
 *   the process that has the object
 *
 * Since: 1.0
 */
LokyAcquireResult
loky_condition_wait (LokyCondition *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_CONDITION (self), LOKY_ACQUIRE_RESULT_FAILED);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable),
                        LOKY_ACQUIRE_RESULT_FAILED);

  sync = loky_synchronizer_get_sync (self, error);
  if (sync == NULL || !loky_sync_check_held (sync, error))
    return LOKY_ACQUIRE_RESULT_FAILED;
  return wait_for (sync, get_queue (self), timeout, cancellable, error);
}

static gboolean
wake (LokyCondition *self, guint n, GError **error)
{
  LokySync *sync = loky_synchronizer_get_sync (self, error);

  if (sync == NULL || !loky_sync_check_held (sync, error))
    return FALSE;
  loky_sync_wake_first (sync, get_queue (self), n);
  return TRUE;
}

/**
 * loky_condition_wake_one:
 * @self: a condition
 * @error: return location for an error
 *
 * Wakes the thread that has waited longest, of any process, if there is one.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_NOT_HELD if the calling thread does not hold the lock, or with
 *   %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
gboolean
loky_condition_wake_one (LokyCondition *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_CONDITION (self), FALSE);

  return wake (self, 1, error);
}

/**
 * loky_condition_wake_all:
 * @self: a condition
 * @error: return location for an error
 *
 * Wakes all threads that wait, of all processes.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_NOT_HELD if the calling thread does not hold the lock, or with
 *   %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
gboolean
loky_condition_wake_all (LokyCondition *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_CONDITION (self), FALSE);

  return wake (self, LOKY_SYNC_N_SEATS, error);
}
