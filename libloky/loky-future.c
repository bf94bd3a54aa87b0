/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-future-private.h"

#include "loky-attachment-private.h"
#include "loky-enum-types.h"
#include "loky-error.h"
#include "loky-pool-private.h"
#include "loky-reducer-private.h"
#include "loky-resource-private.h"
#include "loky-util-private.h"
#include "loky-tsan-private.h"

/**
 * LokyFuture:
 *
 * One task that was submitted, as its owner sees it.
 *
 * A future ends exactly once: with a result, with an error, or cancelled. To learn of it, wait for
 * it ([method@Loky.Future.wait], [method@Loky.Future.wait_async]) or connect to
 * [signal@Loky.Future::done]. Dropping the last reference does not cancel the task.
 *
 * All functions can be called from any thread. Signals and notifications are emitted in the
 * #GMainContext that was the thread-default one when the task was submitted.
 *
 * Since: 1.0
 */

G_DEFINE_FINAL_TYPE (LokyFuture, loky_future, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_STATE,
  PROP_TASK,
  PROP_PROGRESS,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];
static guint done_signal;

/* A GTask that waits. Whoever takes it out of the future's list returns it: its cancellation, under the pool's lock and
 * before the end, or who announces that. The list has a reference, and so has the source, whose callback may be running meanwhile. */
typedef struct
{
  LokyFutureWatch watch;
  gatomicrefcount ref_count;
  LokyFuture *future;
  GTask *task;
  LokyMailbox *mailbox; /* of the task's context */
  LokyMailboxItem item;
  GSource *cancellation;
  gboolean cancels;
} LokyAsyncWait;

void
loky_loss_free (LokyLoss *self)
{
  g_free (self->stderr_tail);
  g_free (self->backtrace);
  g_free (self);
}

/* A binding can make an object of the type that no submission made: it is of no use. */
static gboolean
is_submitted (LokyFuture *self)
{
  return LOKY_IS_FUTURE (self) && self->pool != NULL;
}

static void
loky_future_dispose (GObject *object)
{
  LokyFuture *self = LOKY_FUTURE (object);

  if (self->mailbox != NULL)
    loky_mailbox_forget (self->mailbox, &self->item);

  G_OBJECT_CLASS (loky_future_parent_class)->dispose (object);
}

static void
loky_future_finalize (GObject *object)
{
  LokyFuture *self = LOKY_FUTURE (object);

  LOKY_TSAN_ACQUIRE (object);
  g_clear_pointer (&self->args, g_variant_unref);
  g_clear_pointer (&self->buffers, g_ptr_array_unref);
  g_clear_pointer (&self->payload, loky_payload_unref);
  g_clear_error (&self->error);
  g_clear_pointer (&self->loss, loky_loss_free);
  if (self->has_feed)
    loky_feed_free (self->feed);
  g_clear_pointer (&self->mailbox, loky_mailbox_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_pointer (&self->pool, loky_pool_unref);

  G_OBJECT_CLASS (loky_future_parent_class)->finalize (object);
}

static void
loky_future_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  LokyFuture *self = LOKY_FUTURE (object);

  switch (prop_id)
    {
    case PROP_STATE:
      g_value_set_enum (value, loky_future_get_state (self));
      break;
    case PROP_TASK:
      g_value_set_string (value, loky_future_get_task (self));
      break;
    case PROP_PROGRESS:
      g_value_set_double (value, loky_future_get_progress (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
loky_future_class_init (LokyFutureClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loky_future_dispose;
  object_class->finalize = loky_future_finalize;
  object_class->get_property = loky_future_get_property;

  /**
   * LokyFuture:state:
   *
   * The state. Its end is notified; that a task was begun is not, since no message tells of it.
   *
   * Since: 1.0
   */
  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, LOKY_TYPE_FUTURE_STATE,
                                              LOKY_FUTURE_STATE_PENDING,
                                              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LokyFuture:task:
   *
   * The name of the task, such as `checksum.sha256`.
   *
   * Since: 1.0
   */
  properties[PROP_TASK]
      = g_param_spec_string ("task", NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LokyFuture:progress:
   *
   * How much of the task is done, from 0 to 1, as the task says. Notified at most ten times a second.
   *
   * Since: 1.0
   */
  properties[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, 0, 1, 0,
                                                   G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);

  /**
   * LokyFuture::done:
   * @self: the future
   *
   * Emitted once, when the future has ended, in the main context in which the task was submitted.
   *
   * It is never emitted before that context is next iterated: a handler that is connected right after
   * the submission, in the thread that iterates the context, misses nothing. While a handler is
   * connected libloky keeps the future alive until the signal was emitted.
   *
   * Since: 1.0
   */
  done_signal = g_signal_new ("done", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                              NULL, G_TYPE_NONE, 0);

  loky_future_class_add_feed (klass);
}

/* In the future's context: emits what there is to emit. */
static void
deliver_news (LokyMailboxItem *item)
{
  LokyFuture *self = item->link.data;
  guint news = g_atomic_int_and (&self->news, 0);
  gint64 start = self->has_feed ? g_get_monotonic_time () : 0;

  if ((news & LOKY_NEWS_PROGRESS) != 0)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PROGRESS]);
  /* All of it was there before the end was posted. */
  if (self->has_feed && !loky_future_deliver_feed (self, start))
    {
      loky_future_post (self, (news & LOKY_NEWS_END) | LOKY_NEWS_FEED);
      return;
    }
  if ((news & LOKY_NEWS_END) != 0)
    {
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
      g_signal_emit (self, done_signal, 0);
    }
}

static void
loky_future_init (LokyFuture *self)
{
  self->item.deliver = deliver_news;
  self->run_time = -1;
}

LokyFuture *
loky_future_new (void)
{
  return g_object_new (LOKY_TYPE_FUTURE, NULL);
}

static LokyLoss *
loss_copy (const LokyLoss *loss)
{
  LokyLoss *copy = g_memdup2 (loss, sizeof *loss);

  copy->stderr_tail = g_strdup (loss->stderr_tail);
  copy->backtrace = g_strdup (loss->backtrace);
  return copy;
}

LokyFuture *
loky_future_new_item (LokyFuture *chunk, GVariant *value, GError *error)
{
  LokyFuture *self = loky_future_new ();
  gboolean is_cancelled
      = chunk->end == LOKY_FUTURE_STATE_CANCELLED ||
        (chunk->task.stop == LOKY_STOP_CANCEL &&
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED));

  /* Nobody else has it yet, and what is read of the chunk is constant from its end on. */
  self->pool = loky_pool_ref (chunk->pool);
  self->function = chunk->function;
  self->task.state = LOKY_TASK_STATE_ENDED;
  self->task.attempts = chunk->task.attempts;
  self->end = error == NULL  ? LOKY_FUTURE_STATE_SUCCEEDED
              : is_cancelled ? LOKY_FUTURE_STATE_CANCELLED
                             : LOKY_FUTURE_STATE_FAILED;
  self->error = error;
  self->args = value != NULL ? g_variant_ref (value) : NULL;
  self->is_item = value != NULL;
  if (error == NULL && chunk->payload != NULL)
    self->payload = loky_payload_ref (chunk->payload);
  if (error != NULL && chunk->loss != NULL)
    self->loss = loss_copy (chunk->loss);
  return self;
}

void
loky_future_post (LokyFuture *self, LokyNews news)
{
  gboolean owned;

  if (self->mailbox == NULL)
    return;
  /* Somebody listens: the future is kept for them. Otherwise it is told to whoever comes to listen
   * before the context is next iterated, if its owner keeps it so long. */
  owned = g_signal_has_handler_pending (self, done_signal, 0, FALSE) ||
          (self->has_feed && loky_future_is_fed (self));
  g_atomic_int_or (&self->news, news);
  loky_mailbox_post_future (self->mailbox, self, &self->item, owned);
}

static void
async_wait_unref (LokyAsyncWait *wait)
{
  if (!g_atomic_ref_count_dec (&wait->ref_count))
    return;
  g_clear_object (&wait->task);
  if (wait->mailbox != NULL)
    loky_mailbox_unref (wait->mailbox);
  g_object_unref (wait->future);
  g_free (wait);
}

/* The list's reference, once it was taken out. */
static void
async_wait_release (LokyAsyncWait *wait)
{
  if (wait->mailbox != NULL)
    loky_mailbox_expect_no_more (wait->mailbox);
  if (wait->cancellation != NULL)
    {
      g_source_destroy (wait->cancellation);
      g_clear_pointer (&wait->cancellation, g_source_unref);
    }
  async_wait_unref (wait);
}

#define ASYNC_WAIT_FROM_ITEM(it)                                                                   \
  ((LokyAsyncWait *) ((char *) (it) - G_STRUCT_OFFSET (LokyAsyncWait, item)))

/* In the task's context, by a source of it: the callback is called at once. */
static void
deliver_end (LokyMailboxItem *item)
{
  LokyAsyncWait *wait = ASYNC_WAIT_FROM_ITEM (item);

  LOKY_TSAN_ACQUIRE (wait);
  g_task_return_pointer (wait->task, g_object_ref (wait->future), g_object_unref);
  async_wait_release (wait);
}

/* Whoever announces the end. */
static void
post_end (LokyFutureWatch *watch, LokyFuture *self)
{
  LokyAsyncWait *wait = (LokyAsyncWait *) watch;

  LOKY_TSAN_RELEASE (wait);
  loky_mailbox_post (wait->mailbox, &wait->item);
}

void
loky_future_end_locked (LokyFuture *self,
                        LokyFutureState end,
                        LokyPayload *payload,
                        GError *error)
{
  g_assert (self->end == LOKY_FUTURE_STATE_PENDING);
  self->payload = payload;
  self->error = error;
  __atomic_store_n (&self->end, end, __ATOMIC_RELEASE);
  for (LokyWaiter *waiter = self->waiters; waiter != NULL; waiter = waiter->next)
    loky_waiter_serve_locked (waiter);
}

void
loky_future_announce (LokyFuture *self)
{
  /* Nobody adds to them, or takes one out, after the end. */
  GSList *watches = g_slist_reverse (g_steal_pointer (&self->watches));

  g_clear_pointer (&self->args, g_variant_unref);
  g_clear_pointer (&self->buffers, g_ptr_array_unref);
  for (GSList *l = watches; l != NULL; l = l->next)
    {
      LokyFutureWatch *watch = l->data;

      watch->told (watch, self);
    }
  g_slist_free (watches);
  if (self->listener != NULL)
    self->listener (self, self->listener_data);
  loky_future_post (self, LOKY_NEWS_END);
  g_clear_pointer (&self->context, g_main_context_unref);
}

/**
 * loky_future_get_state:
 * @self: a future
 *
 * Gets the state of a future.
 *
 * Whether a task that was sent to a worker has been begun is read from the worker at the call.
 *
 * Returns: the state
 *
 * Since: 1.0
 */
LokyFutureState
loky_future_get_state (LokyFuture *self)
{
  LokyFutureState state;

  g_return_val_if_fail (is_submitted (self), LOKY_FUTURE_STATE_FAILED);

  loky_pool_lock (self->pool);
  state = self->end;
  if (state == LOKY_FUTURE_STATE_PENDING && self->task.state == LOKY_TASK_STATE_SENT)
    {
      if (self->task.stop != LOKY_STOP_NONE)
        state = LOKY_FUTURE_STATE_CANCELLING;
      else if (loky_pool_is_task_running_locked (self->pool, &self->task))
        state = LOKY_FUTURE_STATE_RUNNING;
    }
  loky_pool_unlock (self->pool);
  return state;
}

/* Once it is TRUE all that belongs to the end can be read, and stays. */
static gboolean
has_ended (LokyFuture *self)
{
  return __atomic_load_n (&self->end, __ATOMIC_ACQUIRE) != LOKY_FUTURE_STATE_PENDING;
}

/**
 * loky_future_is_done:
 * @self: a future
 *
 * Whether a future has ended.
 *
 * Returns: %TRUE if it has a result, an error or was cancelled
 *
 * Since: 1.0
 */
gboolean
loky_future_is_done (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), TRUE);

  return has_ended (self);
}

/**
 * loky_future_get_task:
 * @self: a future
 *
 * Gets the name of the task.
 *
 * Returns: (transfer none): the name, such as `checksum.sha256`
 *
 * Since: 1.0
 */
const char *
loky_future_get_task (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), NULL);

  return self->function->name;
}

/**
 * loky_future_get_progress:
 * @self: a future
 *
 * Gets how much of the task is done, as the task says.
 *
 * Returns: from 0 to 1; 1 for a task that succeeded
 *
 * Since: 1.0
 */
gdouble
loky_future_get_progress (LokyFuture *self)
{
  gdouble progress = 0;

  g_return_val_if_fail (is_submitted (self), 0);

  loky_pool_lock (self->pool);
  if (self->end == LOKY_FUTURE_STATE_SUCCEEDED)
    progress = 1;
  else if (self->task.state == LOKY_TASK_STATE_SENT)
    progress = loky_pool_get_task_progress_locked (self->pool, &self->task);
  loky_pool_unlock (self->pool);
  return progress;
}

/**
 * loky_future_cancel:
 * @self: a future
 *
 * Cancels a task.
 *
 * A task that no worker has begun never runs; its future has ended when this returns. A task that
 * runs is asked to stop (its cancellable is cancelled), and when it does not within its cancel grace
 * its worker is killed; its future ends when the task is known to have stopped. A result that comes
 * before stands.
 *
 * Returns: %TRUE if the future is cancelled or will end soon; %FALSE if it had ended otherwise
 *
 * Since: 1.0
 */
gboolean
loky_future_cancel (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), FALSE);

  return loky_pool_cancel (self->pool, self);
}

static void
waiter_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  LokyWaiter *waiter = user_data;

  LOKY_TSAN_ACQUIRE (waiter);
  loky_pool_lock (waiter->future->pool);
  waiter->is_cancelled = TRUE;
  loky_waiter_wake_locked (waiter);
  loky_pool_unlock (waiter->future->pool);
}

static void
drop_waiter_locked (LokyFuture *self, LokyWaiter *waiter)
{
  LokyWaiter **place = &self->waiters;

  while (*place != waiter)
    place = &(*place)->next;
  *place = waiter->next;
}

/* What it waits for is there. */
static gboolean
is_served_locked (LokyFuture *self, LokyWaiter *waiter)
{
  return has_ended (self) || (waiter->wants_partial && loky_feed_has_partial (self->feed));
}

gboolean
loky_future_await (LokyFuture *self,
                   LokyWaiter *waiter,
                   gint64 timeout,
                   GCancellable *cancellable,
                   GError **error)
{
  gint64 usec = loky_usec_from_msec (timeout);
  gint64 end = usec < 0 ? -1 : g_get_monotonic_time () + usec;
  gboolean in_time = TRUE;
  gboolean is_done;
  gulong handler = 0;

  LOKY_TSAN_RELEASE (waiter);
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (waiter_cancelled_cb), waiter, NULL);

  loky_pool_lock (self->pool);
  while (waiter->listens || (!is_served_locked (self, waiter) && !waiter->is_cancelled && in_time))
    in_time = loky_pool_await_locked (self->pool, waiter, end);
  drop_waiter_locked (self, waiter);
  is_done = is_served_locked (self, waiter);
  loky_pool_unlock (self->pool);

  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
  if (is_done)
    return TRUE;
  if (!g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                 "The task “%s” has not ended within %" G_GINT64_FORMAT " ms", self->function->name,
                 timeout);
  return FALSE;
}

/**
 * loky_future_wait:
 * @self: a future
 * @timeout: how long to wait, in milliseconds; -1 to wait without a limit
 * @cancellable: (nullable): ends the wait, not the task
 * @error: return location for an error
 *
 * Blocks until a future has ended. It needs no main loop.
 *
 * Returns: %TRUE when the future has ended, however; %FALSE with %G_IO_ERROR_TIMED_OUT or
 *   %G_IO_ERROR_CANCELLED if the wait ended before, with %LOKY_ERROR_FORKED in a child of the process
 *   that made the executor, or with %G_IO_ERROR_WOULD_BLOCK in the thread that serves the executor
 *
 * Since: 1.0
 */
gboolean
loky_future_wait (LokyFuture *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokyWaiter waiter;
  gboolean is_done;

  g_return_val_if_fail (is_submitted (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);

  if (loky_future_is_done (self))
    return TRUE;
  if (!loky_pool_check_process (self->pool, error) || !loky_pool_check_thread (self->pool, error))
    return FALSE;
  loky_waiter_init (&waiter, self);
  loky_pool_lock (self->pool);
  waiter.next = self->waiters;
  self->waiters = &waiter;
  loky_pool_unlock (self->pool);
  is_done = loky_future_await (self, &waiter, timeout, cancellable, error);
  loky_waiter_clear (&waiter);
  return is_done;
}

gboolean
loky_future_watch (LokyFuture *self, LokyFutureWatch *watch)
{
  gboolean is_done;

  loky_pool_lock (self->pool);
  is_done = has_ended (self);
  if (!is_done)
    self->watches = g_slist_prepend (self->watches, watch);
  loky_pool_unlock (self->pool);
  return !is_done;
}

gboolean
loky_future_unwatch (LokyFuture *self, LokyFutureWatch *watch)
{
  GSList *link;

  loky_pool_lock (self->pool);
  link = has_ended (self) ? NULL : g_slist_find (self->watches, watch);
  if (link != NULL)
    self->watches = g_slist_delete_link (self->watches, link);
  loky_pool_unlock (self->pool);
  return link != NULL;
}

static gboolean
wait_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  LokyAsyncWait *wait = user_data;
  LokyFuture *self = wait->future;

  if (!loky_future_unwatch (self, &wait->watch))
    return G_SOURCE_REMOVE;

  if (wait->cancels)
    loky_future_cancel (self);
  g_task_return_new_error (wait->task, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                           "The wait for the task “%s” was cancelled", self->function->name);
  async_wait_release (wait);
  return G_SOURCE_REMOVE;
}

void
loky_future_add_task (LokyFuture *self, GTask *task, gboolean cancels)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  g_autoptr (GError) error = NULL;
  gboolean is_done;
  LokyAsyncWait *wait;

  if (!loky_pool_check_process (self->pool, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      g_object_unref (task);
      return;
    }
  wait = g_new0 (LokyAsyncWait, 1);
  g_atomic_ref_count_init (&wait->ref_count);
  wait->future = g_object_ref (self);
  wait->task = task;
  wait->cancels = cancels;
  wait->watch.told = post_end;
  wait->item.deliver = deliver_end;
  /* The error of a cancelled wait is given by the source below, at once. */
  g_task_set_check_cancellable (task, FALSE);
  if (cancellable != NULL)
    {
      wait->cancellation = g_cancellable_source_new (cancellable);
      g_source_set_static_name (wait->cancellation, "[loky] cancelled wait");
      g_atomic_ref_count_inc (&wait->ref_count);
      g_source_set_callback (wait->cancellation, G_SOURCE_FUNC (wait_cancelled_cb), wait,
                             (GDestroyNotify) async_wait_unref);
    }

  loky_pool_lock (self->pool);
  is_done = has_ended (self);
  if (!is_done)
    {
      self->watches = g_slist_prepend (self->watches, &wait->watch);
      wait->mailbox = loky_pool_ensure_mailbox_locked (self->pool, g_task_get_context (task));
      loky_mailbox_expect (wait->mailbox);
      /* Under the lock: the end, which frees the wait, may come at once. */
      if (wait->cancellation != NULL)
        g_source_attach (wait->cancellation, g_task_get_context (task));
    }
  loky_pool_unlock (self->pool);

  if (is_done)
    {
      g_task_return_pointer (task, g_object_ref (self), g_object_unref);
      async_wait_release (wait);
    }
}

/**
 * loky_future_wait_async:
 * @self: a future
 * @cancellable: (nullable): ends the wait, not the task
 * @callback: called when the future has ended
 * @user_data: given to @callback
 *
 * Waits until a future has ended, without blocking.
 *
 * @callback runs in the thread-default main context of the caller.
 *
 * Since: 1.0
 */
void
loky_future_wait_async (LokyFuture *self,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  GTask *task;

  g_return_if_fail (is_submitted (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, loky_future_wait_async);
  loky_future_add_task (self, task, FALSE);
}

/**
 * loky_future_wait_finish:
 * @self: a future
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [method@Loky.Future.wait_async].
 *
 * Returns: %TRUE when the future has ended, however; %FALSE with %G_IO_ERROR_CANCELLED if the wait
 *   was cancelled before, or with %LOKY_ERROR_FORKED in a child of the process that made the executor
 *
 * Since: 1.0
 */
gboolean
loky_future_wait_finish (LokyFuture *self, GAsyncResult *result, GError **error)
{
  g_autoptr (LokyFuture) future = NULL;

  g_return_val_if_fail (is_submitted (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  future = g_task_propagate_pointer (G_TASK (result), error);
  return future != NULL;
}

static LokyPayload *
ref_payload (LokyFuture *self)
{
  LokyPayload *payload = NULL;

  loky_pool_lock (self->pool);
  if (self->payload != NULL)
    payload = loky_payload_ref (self->payload);
  loky_pool_unlock (self->pool);
  return payload;
}

GVariant *
loky_future_read_payload (LokyFuture *self, LokyPayload *payload, GError **error)
{
  LokySerializer *serializer = self->function->traits.serializer;
  g_autoptr (GVariant) wire = NULL;

  if (G_LIKELY (serializer == NULL))
    return loky_payload_dup_variant (payload, error);
  wire = loky_payload_dup_variant (payload, error);
  return wire != NULL ? loky_deserialize (serializer, wire, error) : NULL;
}

/**
 * loky_future_dup_result:
 * @self: a future
 * @error: return location for an error
 *
 * Gets the result of a task, or throws its error.
 *
 * Returns: (transfer full): the result; %NULL with the error of the task, %G_IO_ERROR_CANCELLED if it
 *   was cancelled, %G_IO_ERROR_PENDING if it has not ended, or %LOKY_ERROR_SERIALIZER if the worker returned what the
 *   serializer of the task cannot read
 *
 * Since: 1.0
 */
GVariant *
loky_future_dup_result (LokyFuture *self, GError **error)
{
  g_autoptr (LokyPayload) payload = NULL;
  g_autoptr (GError) own_error = NULL;

  g_return_val_if_fail (is_submitted (self), NULL);

  if (self->is_item)
    return g_variant_ref (self->args);
  loky_pool_lock (self->pool);
  if (self->payload != NULL)
    payload = loky_payload_ref (self->payload);
  else if (self->error != NULL)
    own_error = g_error_copy (self->error);
  loky_pool_unlock (self->pool);

  if (payload != NULL)
    return loky_future_read_payload (self, payload, error);
  if (own_error != NULL)
    g_propagate_error (error, g_steal_pointer (&own_error));
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_PENDING, "The task “%s” has not ended",
                 self->function->name);
  return NULL;
}

/**
 * loky_future_dup_value:
 * @self: a future
 * @value: (out caller-allocates): a #GValue without a type, which is set; on an error it stays as it is
 * @error: return location for an error
 *
 * Gets the result of a task as a value, or throws its error.
 *
 * The task made it by [method@Loky.TaskContext.reduce_value]; it is rebuilt by
 * [property@Loky.Executor:result-reducers], in the thread of the caller, each time anew. A number or a string is one
 * also as the result of any other task, and a result of another type becomes a value of %G_TYPE_VARIANT.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_REDUCER if there is no reducer in the application for what the worker
 *   returned, with the error of a reducer, or with one of those of [method@Loky.Future.dup_result]
 *
 * Since: 1.0
 */
gboolean
loky_future_dup_value (LokyFuture *self, GValue *value, GError **error)
{
  g_autoptr (LokyPayload) payload = NULL;
  g_autoptr (GVariant) result = NULL;

  g_return_val_if_fail (is_submitted (self), FALSE);
  g_return_val_if_fail (value != NULL && !G_IS_VALUE (value), FALSE);

  result = loky_future_dup_result (self, error);
  if (result == NULL)
    return FALSE;
  payload = ref_payload (self);
  return loky_rebuild_value (loky_pool_get_result_reducers (self->pool), result,
                             payload != NULL ? payload->buffers : NULL, LOKY_PLACE_APPLICATION, value, error);
}

/**
 * loky_future_dup_error:
 * @self: a future
 *
 * Gets the error of a task.
 *
 * Returns: (transfer full) (nullable): the error; %NULL if the task succeeded or has not ended
 *
 * Since: 1.0
 */
GError *
loky_future_dup_error (LokyFuture *self)
{
  GError *error = NULL;

  g_return_val_if_fail (is_submitted (self), NULL);

  loky_pool_lock (self->pool);
  if (self->error != NULL)
    error = g_error_copy (self->error);
  loky_pool_unlock (self->pool);
  return error;
}

static gpointer
lookup (LokyFuture *self, gint32 handle, GType type, GError **error)
{
  g_autoptr (LokyPayload) payload = ref_payload (self);

  return loky_attachment_find (payload != NULL ? payload->buffers : NULL, handle, type, error);
}

/**
 * loky_future_lookup_buffer:
 * @self: a future that succeeded
 * @handle: a handle in its result
 * @error: return location for an error
 *
 * Finds a buffer that the result refers to by a value of type `h`.
 *
 * Returns: (transfer full): the buffer, sealed; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the
 *   result holds no such handle
 *
 * Since: 1.0
 */
LokyBuffer *
loky_future_lookup_buffer (LokyFuture *self, gint32 handle, GError **error)
{
  g_return_val_if_fail (is_submitted (self), NULL);

  return lookup (self, handle, LOKY_TYPE_BUFFER, error);
}

/**
 * loky_future_lookup_synchronizer:
 * @self: a future that succeeded
 * @handle: a handle in its result
 * @type: what it must be, such as %LOKY_TYPE_LOCK; %LOKY_TYPE_SYNCHRONIZER for any
 * @error: return location for an error
 *
 * Finds a synchronizer that the result refers to by a value of type `h`.
 *
 * Returns: (transfer full) (type Loky.Synchronizer): the synchronizer; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the
 *   result holds no such handle of a @type
 *
 * Since: 1.0
 */
gpointer
loky_future_lookup_synchronizer (LokyFuture *self, gint32 handle, GType type, GError **error)
{
  g_return_val_if_fail (is_submitted (self), NULL);
  g_return_val_if_fail (g_type_is_a (type, LOKY_TYPE_SYNCHRONIZER), NULL);

  return lookup (self, handle, type, error);
}

/**
 * loky_future_lookup_descriptor:
 * @self: a future that succeeded
 * @handle: a handle in its result
 * @error: return location for an error
 *
 * Finds a descriptor that the result refers to by a value of type `h`, which it can if the executor was made with
 * [property@Loky.Executor:accept-descriptors].
 *
 * It is open as long as the future or the object lives, unless [method@Loky.Descriptor.steal_fd] has taken it.
 *
 * Returns: (transfer full): the descriptor; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the result holds no such
 *   handle of a descriptor
 *
 * Since: 1.0
 */
LokyDescriptor *
loky_future_lookup_descriptor (LokyFuture *self, gint32 handle, GError **error)
{
  g_return_val_if_fail (is_submitted (self), NULL);

  return lookup (self, handle, LOKY_TYPE_DESCRIPTOR, error);
}

/**
 * loky_future_lookup_resource:
 * @self: a future that succeeded
 * @value: a value in its result that [method@Loky.TaskContext.add_resource] has made
 * @error: return location for an error
 *
 * Finds a resource that the result refers to.
 *
 * Returns: (transfer full): the resource; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the result holds no such one
 *
 * Since: 1.0
 */
LokyResource *
loky_future_lookup_resource (LokyFuture *self, GVariant *value, GError **error)
{
  g_autoptr (LokyPayload) payload = NULL;

  g_return_val_if_fail (is_submitted (self), NULL);
  g_return_val_if_fail (value != NULL, NULL);

  payload = ref_payload (self);
  return loky_resource_new_received (payload != NULL ? payload->buffers : NULL, value, error);
}

/**
 * loky_future_get_attempts:
 * @self: a future
 *
 * Gets how often the task was given to a worker that began it, or may have.
 *
 * Returns: 0 if it never was; more than 1 only with retries
 *
 * Since: 1.0
 */
guint
loky_future_get_attempts (LokyFuture *self)
{
  guint attempts;

  g_return_val_if_fail (is_submitted (self), 0);

  loky_pool_lock (self->pool);
  attempts = self->task.attempts;
  loky_pool_unlock (self->pool);
  return attempts;
}

static LokyLoss
get_loss (LokyFuture *self)
{
  LokyLoss loss = { .exit_status = -1 };

  loky_pool_lock (self->pool);
  if (self->loss != NULL)
    loss = *self->loss;
  loky_pool_unlock (self->pool);
  return loss;
}

/**
 * loky_future_get_worker_pid:
 * @self: a future
 *
 * Gets the process that the task was lost with.
 *
 * Returns: the process id; 0 if the task was not lost with a worker
 *
 * Since: 1.0
 */
gint
loky_future_get_worker_pid (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), 0);

  return get_loss (self).pid;
}

/**
 * loky_future_get_term_signal:
 * @self: a future
 *
 * Gets the signal that killed the worker of the task.
 *
 * Returns: the number of the signal; 0 if no signal killed it
 *
 * Since: 1.0
 */
gint
loky_future_get_term_signal (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), 0);

  return get_loss (self).term_signal;
}

/**
 * loky_future_get_exit_status:
 * @self: a future
 *
 * Gets the status with which the worker of the task exited.
 *
 * Returns: the exit status; -1 if it did not exit
 *
 * Since: 1.0
 */
gint
loky_future_get_exit_status (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), -1);

  return get_loss (self).exit_status;
}

/**
 * loky_future_dup_stderr_tail:
 * @self: a future
 *
 * Gets the last lines that the worker of a lost task printed to its standard error.
 *
 * Returns: (transfer full) (nullable): at most 4 KiB of valid UTF-8; %NULL if there are none
 *
 * Since: 1.0
 */
char *
loky_future_dup_stderr_tail (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), NULL);

  /* Constant from the end on. */
  return g_strdup (get_loss (self).stderr_tail);
}

/**
 * loky_future_dup_backtrace:
 * @self: a future
 *
 * Gets where the worker of a lost task was when a signal ended it: by a crash, or since the task did not stop
 * when it was asked to.
 *
 * One line for each frame, the innermost first: "#0 function (file:line) [module+0xoffset]", as much of it as
 * is known. Function, file and line are there where the module has its symbols and its debug information.
 *
 * Returns: (transfer full) (nullable): the backtrace, in valid UTF-8, at most 64 lines; %NULL if there is
 *   none
 *
 * Since: 1.0
 */
char *
loky_future_dup_backtrace (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), NULL);

  /* Constant from the end on. */
  return g_strdup (get_loss (self).backtrace);
}

/**
 * loky_future_get_worker_id:
 * @self: a future
 *
 * Gets the number of the worker with which the task was lost, as its error names it.
 *
 * Returns: the number, from 1; 0 if the task was not lost
 *
 * Since: 1.0
 */
guint
loky_future_get_worker_id (LokyFuture *self)
{
  g_return_val_if_fail (is_submitted (self), 0);

  return get_loss (self).worker_id;
}
