/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The word of an event is how often it was set << 1, and whether it is set: who waits sees that it was set,
 * though it was cleared again at once. Nobody owns any of it, so that a death changes nothing. */

#include "loky-event.h"

#include "loky-error.h"
#include "loky-sync-wait-private.h"
#include "loky-synchronizer-private.h"

/* So often is a change tried that others prevent; only in memory that somebody spoils is that not enough. */
#define MAX_TRIES 10000

/**
 * LokyEvent:
 *
 * A flag that threads and processes wait for.
 *
 * Since: 1.0
 */
struct _LokyEvent
{
  LokySynchronizer parent_instance;
};

G_DEFINE_FINAL_TYPE (LokyEvent, loky_event, LOKY_TYPE_SYNCHRONIZER)

static void
loky_event_class_init (LokyEventClass *klass)
{
}

static void
loky_event_init (LokyEvent *self)
{
}

static guint64
load (LokySync *sync)
{
  return __atomic_load_n (&sync->memory->word, __ATOMIC_SEQ_CST);
}

static void
change (LokySync *sync, gboolean is_set)
{
  guint64 word = load (sync);

  for (guint i = 0; i < MAX_TRIES && (gboolean) (word & 1) != is_set; i++)
    {
      guint64 next = is_set ? (word + 2) | 1 : word & ~(guint64) 1;

      if (__atomic_compare_exchange_n (&sync->memory->word, &word, next, FALSE, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST))
        return;
    }
}

/**
 * loky_event_new:
 * @error: return location for an error
 *
 * Makes an event that is not set.
 *
 * Returns: (transfer full): a new event, or %NULL with %LOKY_ERROR_RESOURCES
 *
 * Since: 1.0
 */
LokyEvent *
loky_event_new (GError **error)
{
  return loky_synchronizer_make (LOKY_TYPE_EVENT, loky_sync_new (LOKY_SYNC_EVENT, 0, error),
                                 LOKY_PART_WHOLE);
}

/**
 * loky_event_set:
 * @self: an event
 *
 * Sets an event: all who wait for it go on.
 *
 * Since: 1.0
 */
void
loky_event_set (LokyEvent *self)
{
  LokySync *sync;

  g_return_if_fail (LOKY_IS_EVENT (self));

  sync = LOKY_SYNCHRONIZER (self)->sync;
  g_return_if_fail (sync != NULL);
  change (sync, TRUE);
  loky_sync_ring_sleepers (&sync->memory->bell, &sync->memory->n_sleepers, G_MAXINT);
}

/**
 * loky_event_clear:
 * @self: an event
 *
 * Clears an event: who waits for it from now on waits until it is set again.
 *
 * Since: 1.0
 */
void
loky_event_clear (LokyEvent *self)
{
  LokySync *sync;

  g_return_if_fail (LOKY_IS_EVENT (self));

  sync = LOKY_SYNCHRONIZER (self)->sync;
  g_return_if_fail (sync != NULL);
  change (sync, FALSE);
}

/**
 * loky_event_is_set:
 * @self: an event
 *
 * Whether an event is set.
 *
 * Returns: %TRUE if the event is set
 *
 * Since: 1.0
 */
gboolean
loky_event_is_set (LokyEvent *self)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_EVENT (self), FALSE);

  sync = LOKY_SYNCHRONIZER (self)->sync;
  return sync != NULL && (load (sync) & 1) != 0;
}

static gboolean
wait_for (LokySync *sync, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokySyncMemory *memory = sync->memory;
  guint64 before = load (sync);
  gboolean was_set;
  LokySyncWait wait;
  guint32 seen;

  if (!loky_sync_wait_begin (&wait, &memory->bell, &memory->n_sleepers, timeout, cancellable, error))
    return FALSE;
  do
    {
      guint64 now;

      seen = __atomic_load_n (&memory->bell, __ATOMIC_SEQ_CST);
      now = load (sync);
      was_set = (now & 1) != 0 || now >> 1 != before >> 1;
    }
  while (!was_set && loky_sync_wait_sleep (&wait, seen, LOKY_SYNC_LONG_SLICE, error));
  loky_sync_wait_end (&wait);
  return was_set;
}

/**
 * loky_event_wait:
 * @self: an event
 * @timeout: how long to wait, in milliseconds; -1 to wait without a limit
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Waits until an event is set, or was since the call.
 *
 * Returns: %TRUE if it was set; %FALSE with %G_IO_ERROR_TIMED_OUT or %G_IO_ERROR_CANCELLED, or with
 *   %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
gboolean
loky_event_wait (LokyEvent *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokySync *sync;

  g_return_val_if_fail (LOKY_IS_EVENT (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);

  sync = loky_synchronizer_get_sync (self, error);
  return sync != NULL && wait_for (sync, timeout, cancellable, error);
}
