/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The word of a lock is thread << 32 | owner, 0 while it is free. It is taken and released by one
 * compare-and-swap, so that no process can die half-way. A word whose owner is dead is taken over in the same
 * manner, by one. */

#include "loky-lock-private.h"

#include "loky-error.h"
#include "loky-lock.h"
#include "loky-sync-wait-private.h"
#include "loky-synchronizer-private.h"

/**
 * LokyLock:
 *
 * A lock that one thread at a time holds, of all the processes that have it.
 *
 * A recursive one can be acquired again by the thread that holds it, and is released by that thread only, as often.
 * One that is not recursive blocks its holder, too, and may be released by anybody.
 *
 * When its holder dies, or drops its last reference with the lock held, the lock is not lost: the next
 * [method@Loky.Lock.acquire] succeeds with %LOKY_ACQUIRE_RESULT_OWNER_DIED, and what the lock protects may be
 * half changed. A holder is a process: a thread that ends, or a task that returns, with the lock held while
 * others in its process still have it, leaves it held.
 *
 * It is not fair: who waits longest is not served first.
 *
 * Since: 1.0
 */
struct _LokyLock
{
  LokySynchronizer parent_instance;
};

G_DEFINE_FINAL_TYPE (LokyLock, loky_lock, LOKY_TYPE_SYNCHRONIZER)

static void
loky_lock_class_init (LokyLockClass *klass)
{
}

static void
loky_lock_init (LokyLock *self)
{
}

static guint64
get_own_word (LokySync *sync)
{
  return (guint64) loky_sync_get_thread () << 32 | sync->owner;
}

static guint64
load (LokySync *sync)
{
  return __atomic_load_n (&sync->memory->word, __ATOMIC_SEQ_CST);
}

static gboolean
swap (LokySync *sync, guint64 from, guint64 to)
{
  return __atomic_compare_exchange_n (&sync->memory->word, &from, to, FALSE, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST);
}

static gboolean
is_abandoned (LokySync *sync, guint64 word)
{
  return !loky_sync_is_alive (sync, (LokySyncOwner) word, NULL);
}

/* FAILED: not now. */
static LokyAcquireResult
try_acquire (LokySync *sync)
{
  guint64 word = load (sync);
  gboolean is_recovered;

  if (sync->kind == LOKY_SYNC_RECURSIVE_LOCK && word == get_own_word (sync))
    {
      __atomic_add_fetch (&sync->depth, 1, __ATOMIC_RELAXED);
      return LOKY_ACQUIRE_RESULT_ACQUIRED;
    }
  is_recovered = word != 0;
  if ((is_recovered && !is_abandoned (sync, word)) || !swap (sync, word, get_own_word (sync)))
    return LOKY_ACQUIRE_RESULT_FAILED;
  __atomic_store_n (&sync->depth, 1, __ATOMIC_RELAXED);
  return is_recovered ? LOKY_ACQUIRE_RESULT_OWNER_DIED : LOKY_ACQUIRE_RESULT_ACQUIRED;
}

LokyAcquireResult
loky_sync_acquire (LokySync *sync, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokySyncMemory *memory = sync->memory;
  LokyAcquireResult result;
  LokySyncWait wait;
  guint32 seen;

  if (!loky_sync_wait_begin (&wait, &memory->bell, &memory->n_sleepers, timeout, cancellable, error))
    return LOKY_ACQUIRE_RESULT_FAILED;
  do
    {
      seen = __atomic_load_n (&memory->bell, __ATOMIC_SEQ_CST);
      result = try_acquire (sync);
    }
  while (result == LOKY_ACQUIRE_RESULT_FAILED &&
         loky_sync_wait_sleep (&wait, seen, LOKY_SYNC_SLICE, error));
  loky_sync_wait_end (&wait);
  return result;
}

static gboolean
fail_not_held (GError **error, const char *what)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_NOT_HELD, "The lock is not held %s", what);
  return FALSE;
}

gboolean
loky_sync_check_held (LokySync *sync, GError **error)
{
  return load (sync) == get_own_word (sync) || fail_not_held (error, "by this thread");
}

static void
wake_next (LokySync *sync)
{
  loky_sync_ring_sleepers (&sync->memory->bell, &sync->memory->n_sleepers, 1);
}

gint
loky_sync_release_all (LokySync *sync)
{
  gint depth = __atomic_load_n (&sync->depth, __ATOMIC_RELAXED);

  if (swap (sync, get_own_word (sync), 0))
    wake_next (sync);
  return depth;
}

void
loky_sync_restore (LokySync *sync, gint depth)
{
  __atomic_store_n (&sync->depth, depth, __ATOMIC_RELAXED);
}

static gboolean
release_recursive (LokySync *sync, GError **error)
{
  if (!loky_sync_check_held (sync, error))
    return FALSE;
  if (__atomic_load_n (&sync->depth, __ATOMIC_RELAXED) > 1)
    __atomic_sub_fetch (&sync->depth, 1, __ATOMIC_RELAXED);
  else
    loky_sync_release_all (sync);
  return TRUE;
}

/* Of a dead holder it is not released: the next one to acquire it must learn of that. */
static gboolean
release_plain (LokySync *sync, GError **error)
{
  guint64 word = load (sync);

  /* If it changes meanwhile, somebody else released it. */
  if (word == 0 || is_abandoned (sync, word) || !swap (sync, word, 0))
    return fail_not_held (error, "by anybody");
  wake_next (sync);
  return TRUE;
}

/**
 * loky_lock_new:
 * @error: return location for an error
 *
 * Makes a lock that is free, and not recursive.
 *
 * Returns: (transfer full): a new lock, or %NULL with %LOKY_ERROR_RESOURCES
 *
 * Since: 1.0
 */
LokyLock *
loky_lock_new (GError **error)
{
  return loky_synchronizer_make (LOKY_TYPE_LOCK, loky_sync_new (LOKY_SYNC_LOCK, 0, error),
                                 LOKY_PART_WHOLE);
}

/**
 * loky_lock_new_recursive:
 * @error: return location for an error
 *
 * Makes a lock that is free, and recursive.
 *
 * Returns: (transfer full): a new lock, or %NULL with %LOKY_ERROR_RESOURCES
 *
 * Since: 1.0
 */
LokyLock *
loky_lock_new_recursive (GError **error)
{
  return loky_synchronizer_make (LOKY_TYPE_LOCK, loky_sync_new (LOKY_SYNC_RECURSIVE_LOCK, 0, error),
                                 LOKY_PART_WHOLE);
}

/**
 * loky_lock_is_recursive:
 * @self: a lock
 *
 * Whether the thread that holds the lock can acquire it again.
 *
 * Returns: %TRUE if the lock is recursive
 *
 * Since: 1.0
 */
gboolean
loky_lock_is_recursive (LokyLock *self)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_LOCK (self), FALSE);

  sync = LOKY_SYNCHRONIZER (self)->sync;
  return sync != NULL && sync->kind == LOKY_SYNC_RECURSIVE_LOCK;
}

/**
 * loky_lock_acquire:
 * @self: a lock
 * @timeout: how long to wait, in milliseconds; 0 to try only, -1 to wait without a limit
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Acquires a lock, after waiting until it is free.
 *
 * The death of a holder is noticed within 50 ms by those who wait. It makes the lock free; see
 * %LOKY_ACQUIRE_RESULT_OWNER_DIED.
 *
 * Returns: how the lock was acquired; %LOKY_ACQUIRE_RESULT_FAILED with %G_IO_ERROR_TIMED_OUT or
 *   %G_IO_ERROR_CANCELLED if it was not, or with %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
LokyAcquireResult
loky_lock_acquire (LokyLock *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_LOCK (self), LOKY_ACQUIRE_RESULT_FAILED);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable),
                        LOKY_ACQUIRE_RESULT_FAILED);

  sync = loky_synchronizer_get_sync (self, error);
  return sync != NULL ? loky_sync_acquire (sync, timeout, cancellable, error)
                      : LOKY_ACQUIRE_RESULT_FAILED;
}

/**
 * loky_lock_release:
 * @self: a lock
 * @error: return location for an error
 *
 * Releases a lock.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_NOT_HELD if nobody holds it, or if it is recursive and the calling thread
 *   does not; or with %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
gboolean
loky_lock_release (LokyLock *self, GError **error)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_LOCK (self), FALSE);

  sync = loky_synchronizer_get_sync (self, error);
  if (sync == NULL)
    return FALSE;
  return sync->kind == LOKY_SYNC_RECURSIVE_LOCK ? release_recursive (sync, error)
                                                : release_plain (sync, error);
}
