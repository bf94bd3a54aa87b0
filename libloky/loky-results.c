/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-results.h"

#include "loky-error.h"
#include "loky-executor-private.h"
#include "loky-input-private.h"
#include "loky-tsan-private.h"

#define MIN_WINDOW 1024
#define WINDOW_PER_WORKER 128

/* How far the window may run empty before it is filled up again: not at all if it is small. */
#define MIN_SLACK_WINDOW 256
#define MAX_SLACK 256

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

/* What outlives the object: items in flight and the input refer to it. */
typedef struct
{
  gatomicrefcount ref_count;
  LokyPool *pool;
  char *task;
  LokyInput *input; /* NULL once the object is gone; lock */
  LokyMapOptions *options;
  gboolean ordered;
  guint window;

  GMutex lock;
  GCond cond;
  guint n_waiting;       /* threads on cond */
  GQueue items;          /* of Item: not yet taken; in the order of the input */
  GQueue done;           /* of Item: ended, not yet taken, in the order of their ends */
  guint64 next_index;    /* of the next item of the input */
  gboolean is_topping_up; /* until the window is full */
  gboolean is_filling;   /* a thread is taking items from the input */
  gboolean fill_again;   /* there was more to take meanwhile */
  gboolean ask_again;    /* by who may ask the user's function, while another thread was filling */
  gboolean input_is_over;
  gboolean is_cancelled;
  gboolean is_abandoned; /* nobody takes results any more */
  GError *failure;       /* why the input is over, to be told last */
  GTask *pending;        /* somebody waits */
  GSource *cancellation;
} Core;

typedef struct
{
  GList link;      /* in items */
  GList done_link; /* in done */
  Core *core;
  LokyFuture *future;
  guint64 index;
  gboolean is_done;
} Item;

struct _LokyResults
{
  GObject parent_instance;

  Core *core;
  guint64 index;
};

G_DEFINE_FINAL_TYPE (LokyResults, loky_results, G_TYPE_OBJECT)

/* What next_async returns inside its task. */
typedef struct
{
  LokyFuture *future;
  guint64 index;
} Taken;

static void
taken_free (Taken *taken)
{
  g_clear_object (&taken->future);
  g_free (taken);
}

static gpointer
core_ref (gpointer data)
{
  Core *core = data;

  g_atomic_ref_count_inc (&core->ref_count);
  return core;
}

static void
core_unref (gpointer data)
{
  Core *core = data;

  if (!g_atomic_ref_count_dec (&core->ref_count))
    return;
  loky_pool_unref (core->pool);
  g_free (core->task);
  g_clear_object (&core->input);
  g_clear_object (&core->options);
  g_clear_error (&core->failure);
  g_mutex_clear (&core->lock);
  g_cond_clear (&core->cond);
  g_free (core);
}

static void
item_free (Item *item)
{
  g_clear_object (&item->future);
  core_unref (item->core);
  g_free (item);
}

/* With the lock. The next result that may be taken, or NULL. */
static Item *
pop_locked (Core *core)
{
  Item *item = core->ordered ? g_queue_peek_head (&core->items) : g_queue_peek_head (&core->done);

  if (item == NULL || !item->is_done || item->future == NULL)
    return NULL;
  g_queue_unlink (&core->items, &item->link);
  g_queue_unlink (&core->done, &item->done_link);
  return item;
}

static gboolean
is_over_locked (Core *core)
{
  return core->input_is_over && core->items.length == 0;
}

/* With the lock: takes out the waiting task if it can be answered now. */
static GTask *
take_pending_locked (Core *core, Item **item, GError **failure, GSource **cancellation)
{
  if (core->pending == NULL)
    return NULL;
  *item = pop_locked (core);
  if (*item == NULL && !is_over_locked (core))
    return NULL;
  if (*item == NULL)
    *failure = g_steal_pointer (&core->failure);
  *cancellation = g_steal_pointer (&core->cancellation);
  return g_steal_pointer (&core->pending);
}

/* Takes over what is given. */
static void
answer (GTask *task, Item *item, GError *failure)
{
  Taken *taken;

  if (task == NULL)
    return;
  if (failure != NULL)
    g_task_return_error (task, failure);
  else
    {
      taken = g_new0 (Taken, 1);
      if (item != NULL)
        {
          taken->future = g_steal_pointer (&item->future);
          taken->index = item->index;
          item_free (item);
        }
      LOKY_TSAN_RELEASE (taken);
      g_task_return_pointer (task, taken, (GDestroyNotify) taken_free);
    }
  g_object_unref (task);
}

static void
look_for_answer (Core *core)
{
  GSource *cancellation = NULL;
  GError *failure = NULL;
  Item *item = NULL;
  GTask *task;

  g_mutex_lock (&core->lock);
  task = take_pending_locked (core, &item, &failure, &cancellation);
  /* Without anybody who waits it would still be a system call. */
  if (core->n_waiting > 0)
    g_cond_signal (&core->cond);
  g_mutex_unlock (&core->lock);
  if (cancellation != NULL)
    {
      g_source_destroy (cancellation);
      g_source_unref (cancellation);
    }
  answer (task, item, failure);
}

/* With the lock: the item, if it has ended and there is nobody to take it. */
static Item *
pop_abandoned_locked (Core *core, Item *item)
{
  if (!core->is_abandoned || !item->is_done || item->future == NULL)
    return NULL;
  g_queue_unlink (&core->items, &item->link);
  g_queue_unlink (&core->done, &item->done_link);
  return item;
}

/* In whatever thread ends the future. */
static void
item_ended (LokyFuture *future, gpointer user_data)
{
  Item *item = user_data;
  Core *core = core_ref (item->core);
  Item *abandoned;

  g_mutex_lock (&core->lock);
  item->is_done = TRUE;
  item->done_link.data = item;
  g_queue_push_tail_link (&core->done, &item->done_link);
  /* Until its submission has returned, the item has no future to be taken. */
  abandoned = pop_abandoned_locked (core, item);
  g_mutex_unlock (&core->lock);
  if (abandoned != NULL)
    item_free (abandoned);
  look_for_answer (core);
  core_unref (core);
}

static void fill (Core *core, gboolean may_ask);

/* --- taking from the input -------------------------------------------------------------------- */

/* Errors of one item, which do not concern the others. */
static gboolean
is_item_error (const GError *error)
{
  return g_error_matches (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT) ||
         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
}

static void
end_input (Core *core, GError *failure)
{
  g_mutex_lock (&core->lock);
  core->input_is_over = TRUE;
  if (core->failure == NULL)
    core->failure = failure;
  else
    g_clear_error (&failure);
  g_mutex_unlock (&core->lock);
}

/* FALSE: the executor takes no more. */
static gboolean
submit_item (Core *core, GVariant *args)
{
  Item *item = g_new0 (Item, 1);
  GError *error = NULL;
  LokyFuture *future;
  gboolean is_cancelled, has_ended;

  item->core = core_ref (core);
  item->link.data = item;
  g_mutex_lock (&core->lock);
  item->index = core->next_index++;
  g_queue_push_tail_link (&core->items, &item->link);
  g_mutex_unlock (&core->lock);

  future = loky_pool_submit_task (core->pool, core->task, args, LOKY_TASK_OPTIONS (core->options),
                                  item_ended, item, FALSE, &error);
  if (future == NULL && is_item_error (error))
    {
      future = loky_pool_make_failed (core->pool, core->task, error);
      item_ended (future, item);
      g_clear_error (&error);
    }

  if (future == NULL)
    {
      g_mutex_lock (&core->lock);
      g_queue_unlink (&core->items, &item->link);
      g_mutex_unlock (&core->lock);
      item_free (item);
      end_input (core, error);
      return FALSE;
    }

  g_mutex_lock (&core->lock);
  item->future = g_object_ref (future);
  is_cancelled = core->is_cancelled;
  has_ended = item->is_done;
  item = pop_abandoned_locked (core, item);
  g_mutex_unlock (&core->lock);
  if (item != NULL)
    item_free (item);
  if (is_cancelled)
    loky_future_cancel (future);
  if (has_ended)
    look_for_answer (core);
  g_object_unref (future);
  return TRUE;
}

static gboolean
has_room (Core *core)
{
  gboolean has;

  g_mutex_lock (&core->lock);
  /* A large window is filled up by many at a time: one by one, each would wake a worker. */
  if (core->items.length >= core->window)
    core->is_topping_up = FALSE;
  else if (core->items.length < core->window - MIN (core->window / 4, MAX_SLACK) ||
           core->window < MIN_SLACK_WINDOW)
    core->is_topping_up = TRUE;
  has = !core->input_is_over && !core->is_cancelled && core->is_topping_up;
  g_mutex_unlock (&core->lock);
  return has;
}

static void
fill_once (Core *core, LokyInput *input, gboolean may_ask)
{
  while (has_room (core))
    {
      g_autoptr (GVariant) args = NULL;
      GError *error = NULL;

      switch (loky_input_take (input, may_ask, &args, &error))
        {
        case LOKY_INPUT_ITEM:
          if (!submit_item (core, args))
            return;
          break;
        case LOKY_INPUT_NOTHING:
          return;
        case LOKY_INPUT_ENDED:
        case LOKY_INPUT_FAILED:
        default:
          end_input (core, error);
          return;
        }
    }
}

static gboolean
fill_cb (gpointer user_data)
{
  fill (user_data, TRUE);
  return G_SOURCE_REMOVE;
}

/* With the lock. Who takes the results wanted the user's function to be asked, which only its own
 * thread may, while this one was filling: it is told to come again. */
static void
let_ask_locked (Core *core)
{
  GSource *source;

  if (!core->ask_again)
    return;
  if (core->n_waiting > 0)
    g_cond_broadcast (&core->cond);
  if (core->pending == NULL)
    return;
  core->ask_again = FALSE;
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (source, "[loky] map input");
  g_source_set_callback (source, fill_cb, core_ref (core), core_unref);
  g_source_attach (source, g_task_get_context (core->pending));
  g_source_unref (source);
}

/* One thread at a time, so that items keep their order; who comes meanwhile leaves the work to it. */
static void
fill (Core *core, gboolean may_ask)
{
  g_autoptr (LokyInput) input = NULL;

  g_mutex_lock (&core->lock);
  core->fill_again = TRUE;
  if (core->is_filling || core->input == NULL)
    {
      core->ask_again |= may_ask;
      g_mutex_unlock (&core->lock);
      return;
    }
  input = g_object_ref (core->input);
  core->is_filling = TRUE;
  while (core->fill_again)
    {
      core->fill_again = FALSE;
      g_mutex_unlock (&core->lock);
      fill_once (core, input, may_ask);
      g_mutex_lock (&core->lock);
    }
  core->is_filling = FALSE;
  if (may_ask)
    core->ask_again = FALSE;
  let_ask_locked (core);
  g_mutex_unlock (&core->lock);
  look_for_answer (core);
}

/* Somebody pushed or ended, in any thread. */
static void
input_changed (gpointer user_data)
{
  fill (user_data, FALSE);
}

/* --- the object ------------------------------------------------------------------------------- */

static void
cancel_items (Core *core)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_mutex_lock (&core->lock);
  core->is_cancelled = TRUE;
  core->input_is_over = TRUE;
  for (GList *l = core->items.head; l != NULL; l = l->next)
    {
      Item *item = l->data;

      if (item->future != NULL)
        g_ptr_array_add (futures, g_object_ref (item->future));
    }
  g_mutex_unlock (&core->lock);
  /* From the last to the first: otherwise each that is cancelled lets the next one begin. */
  for (guint i = futures->len; i > 0; i--)
    loky_future_cancel (g_ptr_array_index (futures, i - 1));
  g_ptr_array_unref (futures);
}

/* Those that have not ended are freed by their end. */
static void
drop_items (Core *core)
{
  GQueue dropped = G_QUEUE_INIT;
  Item *item;

  g_mutex_lock (&core->lock);
  core->is_abandoned = TRUE;
  for (GList *l = core->done.head, *next; l != NULL; l = next)
    {
      next = l->next;
      item = pop_abandoned_locked (core, l->data);
      if (item != NULL)
        g_queue_push_tail (&dropped, item);
    }
  g_mutex_unlock (&core->lock);
  g_queue_clear_full (&dropped, (GDestroyNotify) item_free);
}

static void
loky_results_finalize (GObject *object)
{
  LokyResults *self = LOKY_RESULTS (object);
  LokyInput *input;

  LOKY_TSAN_ACQUIRE (object);
  if (self->core != NULL)
    {
      /* Here, and not in the thread that ends the last item: what it frees is the user's. */
      g_mutex_lock (&self->core->lock);
      input = g_steal_pointer (&self->core->input);
      g_mutex_unlock (&self->core->lock);
      loky_input_detach (input);
      g_object_unref (input);
      cancel_items (self->core);
      drop_items (self->core);
      core_unref (self->core);
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

static guint
choose_window (LokyPool *pool, LokyMapOptions *options, guint max_workers)
{
  guint window = options != NULL ? loky_map_options_get_window (options) : 0;

  if (window > 0)
    return window;
  return MAX (MIN_WINDOW, WINDOW_PER_WORKER * MIN (max_workers, 65536));
}

LokyResults *
loky_results_new (LokyPool *pool,
                  const char *task,
                  LokyInput *input,
                  LokyMapOptions *options,
                  guint max_workers)
{
  LokyResults *self = g_object_new (LOKY_TYPE_RESULTS, NULL);
  Core *core = g_new0 (Core, 1);

  g_atomic_ref_count_init (&core->ref_count);
  g_mutex_init (&core->lock);
  g_cond_init (&core->cond);
  g_queue_init (&core->items);
  g_queue_init (&core->done);
  core->pool = loky_pool_ref (pool);
  core->task = g_strdup (task);
  core->input = g_object_ref (input);
  core->options = options != NULL ? g_object_ref (options) : NULL;
  core->ordered = options == NULL || loky_map_options_get_ordered (options);
  core->window = choose_window (pool, options, max_workers);
  self->core = core;
  if (!loky_input_attach (input, input_changed, core, core_ref, core_unref))
    end_input (core, g_error_new_literal (LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                                          "The input was given to another map already"));
  return self;
}

static void
waiter_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  Core *core = user_data;

  g_mutex_lock (&core->lock);
  g_cond_broadcast (&core->cond);
  g_mutex_unlock (&core->lock);
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
  LokyFuture *future = NULL;
  Item *item = NULL;
  gulong handler = 0;
  Core *core;

  g_return_val_if_fail (LOKY_IS_RESULTS (self) && self->core != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  core = self->core;
  if (!loky_pool_check_process (core->pool, error) || !loky_pool_check_thread (core->pool, error))
    return NULL;
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (waiter_cancelled_cb), core, NULL);
  fill (core, TRUE);
  g_mutex_lock (&core->lock);
  while ((item = pop_locked (core)) == NULL && !is_over_locked (core) &&
         !g_cancellable_is_cancelled (cancellable))
    {
      if (core->ask_again && !core->is_filling)
        {
          g_mutex_unlock (&core->lock);
          fill (core, TRUE);
          g_mutex_lock (&core->lock);
          continue;
        }
      core->n_waiting++;
      g_cond_wait (&core->cond, &core->lock);
      core->n_waiting--;
    }
  if (item == NULL && is_over_locked (core) && core->failure != NULL)
    g_propagate_error (error, g_steal_pointer (&core->failure));
  else if (item == NULL && !is_over_locked (core))
    g_cancellable_set_error_if_cancelled (cancellable, error);
  g_mutex_unlock (&core->lock);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);

  if (item != NULL)
    {
      self->index = item->index;
      future = g_steal_pointer (&item->future);
      item_free (item);
    }
  return future;
}

static gboolean
pending_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  GTask *task = user_data;
  LokyResults *self = g_task_get_source_object (task);
  GSource *cancellation = NULL;
  gboolean is_pending;

  g_mutex_lock (&self->core->lock);
  is_pending = self->core->pending == task;
  if (is_pending)
    {
      self->core->pending = NULL;
      cancellation = g_steal_pointer (&self->core->cancellation);
    }
  g_mutex_unlock (&self->core->lock);
  if (cancellation != NULL)
    g_source_unref (cancellation);
  if (is_pending)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The wait was cancelled");
      g_object_unref (task);
    }
  return G_SOURCE_REMOVE;
}

/**
 * loky_results_next_async:
 * @self: results
 * @cancellable: (nullable): ends the wait, not the map
 * @callback: called when there is a result
 * @user_data: given to @callback
 *
 * Takes the next result, without blocking. Only one call can be under way.
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
  g_autoptr (GError) error = NULL;
  gboolean is_pending;
  GTask *task;
  Core *core;

  g_return_if_fail (LOKY_IS_RESULTS (self) && self->core != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  core = self->core;
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, loky_results_next_async);
  g_task_set_check_cancellable (task, FALSE);
  if (g_task_return_error_if_cancelled (task))
    {
      g_object_unref (task);
      return;
    }
  if (!loky_pool_check_process (core->pool, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      g_object_unref (task);
      return;
    }

  g_mutex_lock (&core->lock);
  is_pending = core->pending != NULL;
  if (!is_pending)
    {
      core->pending = task;
      if (cancellable != NULL)
        {
          core->cancellation = g_cancellable_source_new (cancellable);
          g_source_set_static_name (core->cancellation, "[loky] cancelled wait");
          g_source_set_callback (core->cancellation, G_SOURCE_FUNC (pending_cancelled_cb),
                                 g_object_ref (task), g_object_unref);
          g_source_attach (core->cancellation, g_task_get_context (task));
        }
    }
  g_mutex_unlock (&core->lock);

  if (!is_pending)
    {
      fill (core, TRUE);
      return;
    }
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_PENDING,
                           "Another result is being waited for already");
  g_object_unref (task);
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
  LokyFuture *future;
  Taken *taken;

  g_return_val_if_fail (LOKY_IS_RESULTS (self) && self->core != NULL, NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  taken = g_task_propagate_pointer (G_TASK (result), error);
  if (taken == NULL)
    return NULL;
  LOKY_TSAN_ACQUIRE (taken);
  future = g_steal_pointer (&taken->future);
  if (future != NULL)
    self->index = taken->index;
  taken_free (taken);
  return future;
}

/**
 * loky_results_get_index:
 * @self: results
 *
 * Gets the place in the input of the item whose result was taken last.
 *
 * Returns: the index, from 0
 *
 * Since: 1.0
 */
guint64
loky_results_get_index (LokyResults *self)
{
  g_return_val_if_fail (LOKY_IS_RESULTS (self) && self->core != NULL, 0);

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
  g_return_if_fail (LOKY_IS_RESULTS (self) && self->core != NULL);

  cancel_items (self->core);
  look_for_answer (self->core);
}
