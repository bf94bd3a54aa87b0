/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-results.h"

#include "loky-map-private.h"
#include "loky-tsan-private.h"

/**
 * LokyResults:
 *
 * The output of a map: futures that have ended, one for each item of the input, in the order of the
 * input or as they are completed.
 *
 * Items are taken from the input when results are asked for, as many as the window of the map's
 * options allows, so that inputs of any length need a bounded amount of memory. An item that fails
 * does not end the map: its future has the error.
 *
 * Dropping the last reference cancels what has not ended.
 *
 * One thread at a time may take results; everything else can be called from any thread.
 *
 * Since: 1.0
 */

struct _LokyResults
{
  GObject parent_instance;

  LokyMap *map;
  guint64 index;
};

G_DEFINE_FINAL_TYPE (LokyResults, loky_results, G_TYPE_OBJECT)

static void
loky_results_finalize (GObject *object)
{
  LokyResults *self = LOKY_RESULTS (object);

  LOKY_TSAN_ACQUIRE (object);
  if (self->map != NULL)
    {
      loky_map_abandon (self->map);
      loky_map_unref (self->map);
    }

  G_OBJECT_CLASS (loky_results_parent_class)->finalize (object);
}

static void
loky_results_class_init (LokyResultsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_results_finalize;
}

static void
loky_results_init (LokyResults *self)
{
}

LokyResults *
loky_results_new (LokyPool *pool,
                  const char *task,
                  LokyInput *input,
                  LokyMapOptions *options,
                  guint max_workers)
{
  LokyResults *self = g_object_new (LOKY_TYPE_RESULTS, NULL);

  self->map = loky_map_new (pool, task, input, options, max_workers);
  return self;
}

/* --- what was taken --------------------------------------------------------------------------- */

/* Both take over what is in @taken. */
static LokyFuture *
give_future (LokyResults *self, LokyTaken *taken)
{
  LokyFuture *future = loky_taken_make_future (taken);

  self->index = taken->piece->index + taken->first;
  loky_taken_clear (taken);
  return future;
}

/* An item that failed, and what is behind it, is left for who takes the next. */
static GVariant *
give_chunk (LokyResults *self, LokyTaken *taken, GError **error)
{
  guint n;
  GVariant *run = loky_taken_dup_run (taken, &n, error);

  self->index = taken->piece->index + taken->first;
  taken->first += n;
  if (taken->first < taken->piece->n_items)
    loky_map_put_back (self->map, taken);
  loky_taken_clear (taken);
  return run;
}

/* --- waiting for it --------------------------------------------------------------------------- */

static void
waiter_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  LokyMap *map = user_data;

  g_mutex_lock (&map->lock);
  g_cond_broadcast (&map->cond);
  g_mutex_unlock (&map->lock);
}

/* With the lock. FALSE: the wait is over without a result. */
static gboolean
wait_locked (LokyMap *map, LokyTakeMode mode, GCancellable *cancellable, LokyTaken *taken)
{
  while (!loky_map_take_locked (map, mode, taken))
    {
      if (loky_map_is_over_locked (map) || g_cancellable_is_cancelled (cancellable))
        return FALSE;
      if (map->ask_again && !map->is_filling)
        {
          g_mutex_unlock (&map->lock);
          loky_map_fill (map, TRUE);
          g_mutex_lock (&map->lock);
          continue;
        }
      if (loky_map_is_late_locked (map))
        {
          g_mutex_unlock (&map->lock);
          loky_map_expire (map);
          g_mutex_lock (&map->lock);
          continue;
        }
      map->n_waiting++;
      if (map->deadline >= 0 && !map->is_expired)
        g_cond_wait_until (&map->cond, &map->lock, map->deadline);
      else
        g_cond_wait (&map->cond, &map->lock);
      map->n_waiting--;
    }
  return TRUE;
}

/* Blocks until there is something. FALSE: an error, or without one the end. */
static gboolean
take (LokyResults *self,
      LokyTakeMode mode,
      GCancellable *cancellable,
      LokyTaken *taken,
      GError **error)
{
  LokyMap *map = self->map;
  gulong handler = 0;
  gboolean is_taken;

  if (!loky_pool_check_process (map->pool, error) || !loky_pool_check_thread (map->pool, error))
    return FALSE;
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (waiter_cancelled_cb), map, NULL);
  loky_map_fill (map, TRUE);
  g_mutex_lock (&map->lock);
  is_taken = wait_locked (map, mode, cancellable, taken);
  if (!is_taken && !loky_map_is_over_locked (map))
    g_cancellable_set_error_if_cancelled (cancellable, error);
  else if (!is_taken && map->failure != NULL)
    g_propagate_error (error, g_steal_pointer (&map->failure));
  g_mutex_unlock (&map->lock);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
  return is_taken;
}

/**
 * loky_results_next:
 * @self: results
 * @cancellable: (nullable): ends the wait, not the map
 * @error: return location for an error
 *
 * Takes the next result, and blocks until there is one. It needs no main loop, unless the input does.
 *
 * Returns: (transfer full) (nullable): a future that has ended; %NULL without an error at the end; %NULL
 *   with the error of the input, with %LOKY_ERROR_SHUT_DOWN or %LOKY_ERROR_BROKEN if the executor takes no
 *   more items, with %LOKY_ERROR_FORKED in a child of the process that made the executor, or with
 *   %G_IO_ERROR_CANCELLED
 *
 * Since: 1.0
 */
LokyFuture *
loky_results_next (LokyResults *self, GCancellable *cancellable, GError **error)
{
  LokyTaken taken;

  g_return_val_if_fail (LOKY_IS_RESULTS (self) && self->map != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  if (!take (self, LOKY_TAKE_ITEM, cancellable, &taken, error))
    return NULL;
  return give_future (self, &taken);
}

/**
 * loky_results_next_chunk:
 * @self: results
 * @cancellable: (nullable): ends the wait, not the map
 * @error: return location for an error
 *
 * Takes the results of the next items at once, as many as came together, and blocks until there are some.
 *
 * How many these are depends on [property@Loky.MapOptions:chunk-size]; there is at least one. They belong to
 * items that follow each other in the input, the first of which [method@Loky.Results.get_index] tells.
 *
 * An item that failed ends a chunk. When it is the next one its error is returned, and it is not taken: take
 * it by [method@Loky.Results.next], which returns its future and all that is known of it, and go on. If
 * that fails too, the error is one of the map.
 *
 * Returns: (transfer full) (nullable): an array of the results, in normal form, with elements of their type if
 *   all have the same, else of type `v`; %NULL without an error at the end; %NULL with the error of the next
 *   item, or with one of those of [method@Loky.Results.next]
 *
 * Since: 1.0
 */
GVariant *
loky_results_next_chunk (LokyResults *self, GCancellable *cancellable, GError **error)
{
  LokyTaken taken;

  g_return_val_if_fail (LOKY_IS_RESULTS (self) && self->map != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  if (!take (self, LOKY_TAKE_CHUNK, cancellable, &taken, error))
    return NULL;
  return give_chunk (self, &taken, error);
}

static gboolean
pending_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  GTask *task = user_data;
  LokyResults *self = g_task_get_source_object (task);
  GSource *wake_ups[LOKY_N_WAKE_UPS] = { NULL };
  gboolean is_pending;

  g_mutex_lock (&self->map->lock);
  is_pending = self->map->pending == task;
  if (is_pending)
    {
      self->map->pending = NULL;
      loky_map_steal_wake_ups_locked (self->map, wake_ups);
    }
  g_mutex_unlock (&self->map->lock);
  loky_map_end_wake_ups (wake_ups);
  if (is_pending)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The wait was cancelled");
      g_object_unref (task);
    }
  return G_SOURCE_REMOVE;
}

static gboolean
pending_expired_cb (gpointer user_data)
{
  LokyMap *map = user_data;
  gboolean is_late;

  g_mutex_lock (&map->lock);
  is_late = loky_map_is_late_locked (map);
  g_mutex_unlock (&map->lock);
  /* It is further away than a timer can be set. */
  if (!is_late)
    return G_SOURCE_CONTINUE;
  loky_map_expire (map);
  return G_SOURCE_REMOVE;
}

/* With the lock: what wakes the one that waits by @task besides a result. */
static void
add_wake_ups_locked (LokyMap *map, GTask *task, GCancellable *cancellable)
{
  GSource *source;

  if (cancellable != NULL)
    {
      source = g_cancellable_source_new (cancellable);
      g_source_set_static_name (source, "[loky] cancelled wait");
      g_source_set_callback (source, G_SOURCE_FUNC (pending_cancelled_cb), g_object_ref (task), g_object_unref);
      g_source_attach (source, g_task_get_context (task));
      map->wake_ups[LOKY_WAKE_UP_CANCELLED] = source;
    }
  if (map->deadline >= 0 && !map->is_expired)
    {
      gint64 left = (map->deadline - g_get_monotonic_time ()) / 1000 + 1;

      source = g_timeout_source_new ((guint) CLAMP (left, 0, G_MAXUINT));
      g_source_set_static_name (source, "[loky] map timed out");
      g_source_set_callback (source, pending_expired_cb, loky_map_ref (map), loky_map_unref);
      g_source_attach (source, g_task_get_context (task));
      map->wake_ups[LOKY_WAKE_UP_EXPIRED] = source;
    }
}

static void
take_async (LokyResults *self,
            LokyTakeMode mode,
            gpointer source_tag,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  LokyMap *map = self->map;
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (GError) error = NULL;
  gboolean is_pending;

  g_task_set_source_tag (task, source_tag);
  g_task_set_task_data (task, GINT_TO_POINTER (mode), NULL);
  g_task_set_check_cancellable (task, FALSE);
  if (g_task_return_error_if_cancelled (task))
    {
      g_object_unref (task);
      return;
    }
  if (!loky_pool_check_process (map->pool, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      g_object_unref (task);
      return;
    }

  g_mutex_lock (&map->lock);
  is_pending = map->pending != NULL;
  if (!is_pending)
    {
      map->pending = task;
      add_wake_ups_locked (map, task, cancellable);
    }
  g_mutex_unlock (&map->lock);

  if (!is_pending)
    {
      loky_map_fill (map, TRUE);
      return;
    }
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_PENDING,
                           "Another result is being waited for already");
  g_object_unref (task);
}

static gboolean
take_finish (GAsyncResult *result, LokyTaken *taken, GError **error)
{
  LokyTaken *given = g_task_propagate_pointer (G_TASK (result), error);

  if (given == NULL)
    return FALSE;
  LOKY_TSAN_ACQUIRE (given);
  *taken = *given;
  g_free (given);
  return TRUE;
}

/**
 * loky_results_next_async:
 * @self: results
 * @cancellable: (nullable): ends the wait, not the map
 * @callback: called when there is a result
 * @user_data: given to @callback
 *
 * Takes the next result, without blocking. Only one call can be under way, of this or of
 * [method@Loky.Results.next_chunk_async].
 *
 * @callback runs in the thread-default main context of the caller.
 *
 * Since: 1.0
 */
void
loky_results_next_async (LokyResults *self,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_return_if_fail (LOKY_IS_RESULTS (self) && self->map != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  take_async (self, LOKY_TAKE_ITEM, loky_results_next_async, cancellable, callback, user_data);
}

/**
 * loky_results_next_finish:
 * @self: results
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [method@Loky.Results.next_async].
 *
 * Returns: (transfer full) (nullable): as [method@Loky.Results.next]; also %NULL with
 *   %G_IO_ERROR_PENDING if another call was under way
 *
 * Since: 1.0
 */
LokyFuture *
loky_results_next_finish (LokyResults *self, GAsyncResult *result, GError **error)
{
  LokyTaken taken;

  g_return_val_if_fail (LOKY_IS_RESULTS (self) && self->map != NULL, NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, loky_results_next_async), NULL);

  return take_finish (result, &taken, error) ? give_future (self, &taken) : NULL;
}

/**
 * loky_results_next_chunk_async:
 * @self: results
 * @cancellable: (nullable): ends the wait, not the map
 * @callback: called when there are results
 * @user_data: given to @callback
 *
 * Takes the results of the next items at once, as [method@Loky.Results.next_chunk] does, without blocking. Only
 * one call can be under way, of this or of [method@Loky.Results.next_async].
 *
 * @callback runs in the thread-default main context of the caller.
 *
 * Since: 1.0
 */
void
loky_results_next_chunk_async (LokyResults *self,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_return_if_fail (LOKY_IS_RESULTS (self) && self->map != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  take_async (self, LOKY_TAKE_CHUNK, loky_results_next_chunk_async, cancellable, callback, user_data);
}

/**
 * loky_results_next_chunk_finish:
 * @self: results
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [method@Loky.Results.next_chunk_async].
 *
 * Returns: (transfer full) (nullable): as [method@Loky.Results.next_chunk]; also %NULL with
 *   %G_IO_ERROR_PENDING if another call was under way
 *
 * Since: 1.0
 */
GVariant *
loky_results_next_chunk_finish (LokyResults *self, GAsyncResult *result, GError **error)
{
  LokyTaken taken;

  g_return_val_if_fail (LOKY_IS_RESULTS (self) && self->map != NULL, NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, loky_results_next_chunk_async), NULL);

  return take_finish (result, &taken, error) ? give_chunk (self, &taken, error) : NULL;
}

/**
 * loky_results_get_index:
 * @self: results
 *
 * Gets the place in the input of the item whose result was taken last; after
 * [method@Loky.Results.next_chunk] that of the first one, or of the one that failed.
 *
 * Returns: the index, from 0
 *
 * Since: 1.0
 */
guint64
loky_results_get_index (LokyResults *self)
{
  g_return_val_if_fail (LOKY_IS_RESULTS (self) && self->map != NULL, 0);

  return self->index;
}

/**
 * loky_results_cancel:
 * @self: results
 *
 * Takes no more items from the input and cancels all that have not ended. Their futures still come as
 * results.
 *
 * Since: 1.0
 */
void
loky_results_cancel (LokyResults *self)
{
  g_return_if_fail (LOKY_IS_RESULTS (self) && self->map != NULL);

  loky_map_cancel (self->map);
  loky_map_look_for_answer (self->map);
}
