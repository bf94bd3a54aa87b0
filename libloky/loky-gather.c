/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-gather-private.h"

#include <unistd.h>

#include "loky-answer-private.h"
#include "loky-pool-private.h"
#include "loky-tsan-private.h"
#include "loky-util-private.h"

/* One future. Whoever takes it out of the future, or is told, drops the reference that this holds. */
typedef struct
{
  LokyFutureWatch watch;
  LokyGather *gather;
  LokyFuture *future; /* a reference, until it was taken */
  GList link;         /* lock */
} Entry;

struct _LokyGather
{
  gatomicrefcount ref_count;
  Entry *entries;
  gsize n_entries;  /* constant */
  GPtrArray *pools; /* constant: of LokyPool, references, each once */
  pid_t pid;        /* constant: of who made it */

  GMutex lock;
  GCond cond;
  GQueue ended;     /* lock; of Entry, that were not taken */
  gsize n_left;     /* lock */
  gsize n_failed;   /* lock */
  GTask *pending;   /* lock */
  LokyGatherCondition condition; /* lock; of the pending task */
  gboolean takes;                /* lock; of the same */
  GSource *cancellation;         /* lock; of the same */
};

static void
gather_unref (LokyGather *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  LOKY_TSAN_ACQUIRE (self);
  for (gsize i = 0; i < self->n_entries; i++)
    g_clear_object (&self->entries[i].future);
  g_free (self->entries);
  g_ptr_array_unref (self->pools);
  g_cond_clear (&self->cond);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* --- what has ended --------------------------------------------------------------------------- */

static gboolean
holds_locked (LokyGather *self, LokyGatherCondition condition)
{
  if (self->n_left == 0)
    return TRUE;
  switch (condition)
    {
    case LOKY_GATHER_ANY:
      return self->ended.length > 0;
    case LOKY_GATHER_ERROR:
      return self->n_failed > 0;
    case LOKY_GATHER_ALL:
    default:
      return FALSE;
    }
}

/* The first that has ended, which nobody has taken; a reference, or NULL. */
static LokyFuture *
pop_locked (LokyGather *self)
{
  GList *link = g_queue_pop_head_link (&self->ended);

  return link != NULL ? g_steal_pointer (&((Entry *) link->data)->future) : NULL;
}

/* Takes over what it is given. Never at once: whoever announces an end has others to announce. */
static void
end_task (GTask *task, gboolean takes, LokyFuture *taken)
{
  if (task == NULL)
    return;
  if (takes)
    loky_answer_pointer (task, taken, g_object_unref);
  else
    loky_answer_boolean (task);
}

/* The task that waits, if it need not any more; a reference. */
static GTask *
take_pending_locked (LokyGather *self, GSource **cancellation)
{
  *cancellation = g_steal_pointer (&self->cancellation);
  return g_steal_pointer (&self->pending);
}

static void
drop_cancellation (GSource *cancellation)
{
  if (cancellation == NULL)
    return;
  g_source_destroy (cancellation);
  g_source_unref (cancellation);
}

static void
note_ended_locked (LokyGather *self, Entry *entry)
{
  self->n_left--;
  self->n_failed += entry->future->end == LOKY_FUTURE_STATE_FAILED;
  g_queue_push_tail_link (&self->ended, &entry->link);
}

/* By who announces the end. */
static void
entry_told (LokyFutureWatch *watch, LokyFuture *future)
{
  Entry *entry = (Entry *) watch;
  LokyGather *self = entry->gather;
  GSource *cancellation = NULL;
  LokyFuture *taken = NULL;
  GTask *task = NULL;
  gboolean takes;

  LOKY_TSAN_ACQUIRE (self);
  g_mutex_lock (&self->lock);
  note_ended_locked (self, entry);
  takes = self->takes;
  if (self->pending != NULL && holds_locked (self, self->condition))
    {
      task = take_pending_locked (self, &cancellation);
      taken = takes ? pop_locked (self) : NULL;
    }
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  drop_cancellation (cancellation);
  end_task (task, takes, taken);
  gather_unref (self);
}

/* --- life ------------------------------------------------------------------------------------- */

gboolean
loky_gather_are_futures (LokyFuture *const *futures, gsize n_futures)
{
  for (gsize i = 0; i < n_futures; i++)
    if (!LOKY_IS_FUTURE (futures[i]) || futures[i]->pool == NULL)
      return FALSE;
  return TRUE;
}

LokyGather *
loky_gather_new (LokyFuture *const *futures, gsize n_futures)
{
  LokyGather *self = g_new0 (LokyGather, 1);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  g_autoptr (GHashTable) seen_pools = g_hash_table_new (NULL, NULL);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  g_queue_init (&self->ended);
  self->entries = g_new0 (Entry, n_futures);
  self->pools = g_ptr_array_new_with_free_func ((GDestroyNotify) loky_pool_unref);
  self->pid = getpid ();
  for (gsize i = 0; i < n_futures; i++)
    {
      Entry *entry = &self->entries[self->n_entries];

      if (!g_hash_table_add (seen, futures[i]))
        continue;
      entry->watch.told = entry_told;
      entry->gather = self;
      entry->future = g_object_ref (futures[i]);
      entry->link.data = entry;
      self->n_entries++;
      if (g_hash_table_add (seen_pools, futures[i]->pool))
        g_ptr_array_add (self->pools, loky_pool_ref (futures[i]->pool));
    }
  self->n_left = self->n_entries;
  LOKY_TSAN_RELEASE (self);

  for (gsize i = 0; i < self->n_entries; i++)
    {
      Entry *entry = &self->entries[i];

      g_atomic_ref_count_inc (&self->ref_count);
      if (loky_future_watch (entry->future, &entry->watch))
        continue;
      g_mutex_lock (&self->lock);
      note_ended_locked (self, entry);
      g_mutex_unlock (&self->lock);
      gather_unref (self);
    }
  return self;
}

void
loky_gather_close (LokyGather *self)
{
  /* Nothing of it can be told from what it was in the parent. */
  if (self->pid != getpid ())
    return;
  for (gsize i = 0; i < self->n_entries; i++)
    {
      Entry *entry = &self->entries[i];
      LokyFuture *future;

      g_mutex_lock (&self->lock);
      future = entry->future != NULL ? g_object_ref (entry->future) : NULL;
      g_mutex_unlock (&self->lock);
      if (future != NULL && loky_future_unwatch (future, &entry->watch))
        gather_unref (self);
      g_clear_object (&future);
    }
  gather_unref (self);
}

/* Without the lock: in the child of a fork() a thread that is not there may hold it. */
static gboolean
check (LokyGather *self, gboolean is_to_block, GError **error)
{
  for (guint i = 0; i < self->pools->len; i++)
    {
      LokyPool *pool = g_ptr_array_index (self->pools, i);

      if (!loky_pool_check_process (pool, error) ||
          (is_to_block && !loky_pool_check_thread (pool, error)))
        return FALSE;
    }
  return TRUE;
}

gboolean
loky_gather_check_process (LokyGather *self, GError **error)
{
  return check (self, FALSE, error);
}

gboolean
loky_gather_check (LokyGather *self, GError **error)
{
  return check (self, TRUE, error);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void
waiter_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  LokyGather *self = user_data;

  g_mutex_lock (&self->lock);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* FALSE: the time is over. */
static gboolean
sleep_locked (LokyGather *self, gint64 end)
{
  if (end >= 0)
    return g_cond_wait_until (&self->cond, &self->lock, end);
  g_cond_wait (&self->cond, &self->lock);
  return TRUE;
}

/* With @taken: takes what has ended. */
static gboolean
wait_and_take (LokyGather *self,
               LokyGatherCondition condition,
               gint64 timeout,
               LokyFuture **taken,
               GCancellable *cancellable,
               GError **error)
{
  gint64 usec = loky_usec_from_msec (timeout);
  gint64 end = usec < 0 ? -1 : g_get_monotonic_time () + usec;
  gboolean in_time = TRUE;
  gboolean holds;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (waiter_cancelled_cb), self, NULL);
  g_mutex_lock (&self->lock);
  while (!(holds = holds_locked (self, condition)) && in_time &&
         !g_cancellable_is_cancelled (cancellable))
    in_time = sleep_locked (self, end);
  if (taken != NULL)
    *taken = holds ? pop_locked (self) : NULL;
  g_mutex_unlock (&self->lock);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
  if (holds)
    return TRUE;
  if (!g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                 "The tasks have not ended within %" G_GINT64_FORMAT " ms", timeout);
  return FALSE;
}

gboolean
loky_gather_wait (LokyGather *self,
                  LokyGatherCondition condition,
                  gint64 timeout,
                  GCancellable *cancellable,
                  GError **error)
{
  return wait_and_take (self, condition, timeout, NULL, cancellable, error);
}

LokyFuture *
loky_gather_take (LokyGather *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokyFuture *taken;

  wait_and_take (self, LOKY_GATHER_ANY, timeout, &taken, cancellable, error);
  return taken;
}

typedef struct
{
  LokyGather *gather;
  GTask *task;
} Cancellation;

static void
cancellation_free (gpointer data)
{
  Cancellation *it = data;

  gather_unref (it->gather);
  g_object_unref (it->task);
  g_free (it);
}

static gboolean
pending_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  Cancellation *it = user_data;
  LokyGather *self = it->gather;
  GSource *cancellation = NULL;
  GTask *task = NULL;

  g_mutex_lock (&self->lock);
  if (self->pending == it->task)
    task = take_pending_locked (self, &cancellation);
  g_mutex_unlock (&self->lock);
  if (task == NULL)
    return G_SOURCE_REMOVE;
  g_source_unref (cancellation);
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The wait was cancelled");
  g_object_unref (task);
  return G_SOURCE_REMOVE;
}

static void
watch_cancellation_locked (LokyGather *self, GTask *task)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  Cancellation *data;

  if (cancellable == NULL)
    return;
  data = g_new0 (Cancellation, 1);
  g_atomic_ref_count_inc (&self->ref_count);
  data->gather = self;
  data->task = g_object_ref (task);
  self->cancellation = g_cancellable_source_new (cancellable);
  g_source_set_static_name (self->cancellation, "[loky] cancelled wait");
  g_source_set_callback (self->cancellation, G_SOURCE_FUNC (pending_cancelled_cb), data, cancellation_free);
  g_source_attach (self->cancellation, g_task_get_context (task));
}

void
loky_gather_add_task (LokyGather *self,
                      LokyGatherCondition condition,
                      gboolean takes,
                      GTask *task)
{
  LokyFuture *taken = NULL;
  gboolean is_busy, holds;

  g_task_set_check_cancellable (task, FALSE);
  if (g_task_return_error_if_cancelled (task))
    {
      g_object_unref (task);
      return;
    }
  g_mutex_lock (&self->lock);
  is_busy = self->pending != NULL;
  holds = !is_busy && holds_locked (self, condition);
  if (holds && takes)
    taken = pop_locked (self);
  else if (!is_busy && !holds)
    {
      self->pending = task;
      self->condition = condition;
      self->takes = takes;
      watch_cancellation_locked (self, task);
    }
  g_mutex_unlock (&self->lock);
  if (holds)
    end_task (task, takes, taken);
  if (!is_busy)
    return;
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_PENDING, "Another one is being waited for already");
  g_object_unref (task);
}
