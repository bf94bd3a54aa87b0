/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-map-private.h"

#include "loky-answer-private.h"
#include "loky-chunk-private.h"
#include "loky-error.h"
#include "loky-tsan-private.h"
#include "loky-util-private.h"

#define MIN_WINDOW 1024
#define WINDOW_PER_WORKER 128
#define CHUNKS_PER_WORKER 4
#define MEASURED_PER_WORKER 2
#define MAX_WORKERS 65536

/* How far the window may run empty before it is filled up again: not at all if it is small. */
#define MIN_SLACK_WINDOW 256
#define MAX_SLACK 256

/* How much work a chunk is that is sized by the time of its items, in ns. Two of them are within what the
 * scheduler sends ahead to a worker, which then never waits for the next one. When the end of the input is
 * near chunks become smaller, so that all workers end together, down to the least. */
#define CHUNK_TIME (400 * 1000.0)
#define LEAST_TIME (50 * 1000.0)
#define MAX_CHUNK_ITEMS (1 << 20)
#define MAX_CHUNK_SIZE (256u << 10)

/* How much larger than the last one that was measured the next chunk may be. */
#define MAX_GROWTH 32

gpointer
loky_map_ref (gpointer map)
{
  LokyMap *self = map;

  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
loky_map_unref (gpointer map)
{
  LokyMap *self = map;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  loky_pool_unref (self->pool);
  g_free (self->task);
  g_clear_object (&self->input);
  g_clear_object (&self->options);
  g_clear_error (&self->failure);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self);
}

static LokyPiece *
piece_new (LokyMap *map, const LokyInputChunk *chunk)
{
  LokyPiece *self = g_new0 (LokyPiece, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->map = loky_map_ref (map);
  self->is_chunk = chunk->is_chunk;
  self->n_items = chunk->n_items;
  self->link.data = self;
  self->done_link.data = self;
  return self;
}

static void
piece_unref (gpointer data)
{
  LokyPiece *self = data;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_clear_object (&self->future);
  g_clear_pointer (&self->results, g_variant_unref);
  g_clear_error (&self->failure);
  g_mutex_clear (&self->lock);
  loky_map_unref (self->map);
  g_free (self);
}

/* --- what was taken --------------------------------------------------------------------------- */

void
loky_taken_clear (LokyTaken *taken)
{
  g_clear_pointer (&taken->piece, piece_unref);
}

void
loky_taken_free (LokyTaken *taken)
{
  loky_taken_clear (taken);
  g_free (taken);
}

/* With the piece's lock. FALSE: nobody has looked into it. */
static gboolean
get_results_locked (LokyPiece *piece, GVariant **results, GError **error)
{
  if (piece->results != NULL)
    *results = g_variant_ref (piece->results);
  else if (piece->failure != NULL)
    g_propagate_error (error, g_error_copy (piece->failure));
  return piece->results != NULL || piece->failure != NULL;
}

/* What came for a chunk, which is looked into once; NULL with an error if that is none of its results. */
static GVariant *
dup_results (LokyPiece *piece, GError **error)
{
  g_autoptr (GVariant) found = NULL;
  g_autoptr (GError) failure = NULL;
  GVariant *results = NULL;
  gboolean is_known;

  g_mutex_lock (&piece->lock);
  is_known = get_results_locked (piece, &results, error);
  g_mutex_unlock (&piece->lock);
  if (is_known)
    return results;

  found = loky_future_dup_result (piece->future, &failure);
  if (found != NULL && !loky_chunk_check (found, piece->future->is_mixed, piece->n_items, &failure))
    g_clear_pointer (&found, g_variant_unref);
  g_mutex_lock (&piece->lock);
  if (piece->results == NULL && piece->failure == NULL)
    {
      piece->results = g_steal_pointer (&found);
      piece->failure = g_steal_pointer (&failure);
    }
  get_results_locked (piece, &results, error);
  g_mutex_unlock (&piece->lock);
  return results;
}

LokyFuture *
loky_taken_make_future (const LokyTaken *taken)
{
  LokyPiece *piece = taken->piece;
  g_autoptr (GVariant) results = NULL;
  g_autoptr (GVariant) result = NULL;
  GError *error = NULL;

  if (!piece->is_chunk)
    return g_object_ref (piece->future);
  results = dup_results (piece, &error);
  if (results != NULL)
    result = loky_chunk_dup_result (results, piece->future->is_mixed, taken->first, &error);
  return loky_future_new_item (piece->future, result, error);
}

GVariant *
loky_taken_dup_run (const LokyTaken *taken, guint *n, GError **error)
{
  LokyPiece *piece = taken->piece;
  g_autoptr (GVariant) results = NULL;
  GVariant *run = NULL;

  if (piece->is_chunk)
    {
      results = dup_results (piece, error);
      if (results != NULL)
        run = loky_chunk_dup_run (results, piece->future->is_mixed, taken->first, error);
    }
  else
    {
      results = loky_future_dup_result (piece->future, error);
      if (results != NULL)
        run = loky_chunk_wrap (results);
    }
  *n = run != NULL ? (guint) g_variant_n_children (run) : 0;
  return run;
}

gboolean
loky_map_take_locked (LokyMap *self, LokyTakeMode mode, LokyTaken *taken)
{
  LokyPiece *piece = self->ordered ? g_queue_peek_head (&self->pieces) : g_queue_peek_head (&self->done);
  guint n;

  /* Until its submission has returned a piece has no future to be taken. */
  if (piece == NULL || !piece->is_done || piece->future == NULL)
    return FALSE;
  n = mode == LOKY_TAKE_ITEM ? 1 : piece->n_items - piece->n_taken;
  g_atomic_ref_count_inc (&piece->ref_count);
  taken->piece = piece;
  taken->first = piece->n_taken;
  piece->n_taken += n;
  self->n_items -= n;
  if (piece->n_taken == piece->n_items)
    {
      g_queue_unlink (&self->pieces, &piece->link);
      g_queue_unlink (&self->done, &piece->done_link);
      piece_unref (piece);
    }
  return TRUE;
}

void
loky_map_put_back (LokyMap *self, const LokyTaken *taken)
{
  LokyPiece *piece = taken->piece;

  g_mutex_lock (&self->lock);
  if (piece->n_taken == piece->n_items)
    {
      g_atomic_ref_count_inc (&piece->ref_count);
      g_queue_push_head_link (&self->pieces, &piece->link);
      g_queue_push_head_link (&self->done, &piece->done_link);
    }
  self->n_items += piece->n_taken - taken->first;
  piece->n_taken = taken->first;
  g_mutex_unlock (&self->lock);
}

gboolean
loky_map_is_over_locked (LokyMap *self)
{
  return self->input_is_over && self->pieces.length == 0;
}

/* --- answering -------------------------------------------------------------------------------- */

void
loky_map_steal_wake_ups_locked (LokyMap *self, GSource *wake_ups[LOKY_N_WAKE_UPS])
{
  for (guint i = 0; i < LOKY_N_WAKE_UPS; i++)
    wake_ups[i] = g_steal_pointer (&self->wake_ups[i]);
}

void
loky_map_end_wake_ups (GSource *wake_ups[LOKY_N_WAKE_UPS])
{
  for (guint i = 0; i < LOKY_N_WAKE_UPS; i++)
    if (wake_ups[i] != NULL)
      {
        g_source_destroy (wake_ups[i]);
        g_source_unref (wake_ups[i]);
      }
}

/* With the lock: takes out the waiting task if it can be answered now. */
static GTask *
take_pending_locked (LokyMap *self, LokyTaken *taken, GError **failure, GSource *wake_ups[LOKY_N_WAKE_UPS])
{
  LokyTakeMode mode;

  if (self->pending == NULL)
    return NULL;
  mode = GPOINTER_TO_INT (g_task_get_task_data (self->pending));
  if (!loky_map_take_locked (self, mode, taken))
    {
      if (!loky_map_is_over_locked (self))
        return NULL;
      *failure = g_steal_pointer (&self->failure);
    }
  loky_map_steal_wake_ups_locked (self, wake_ups);
  return g_steal_pointer (&self->pending);
}

/* Takes over what is given. What is in a chunk is looked at by who finishes the task, in its own thread. Never at
 * once: whoever announces the end of a piece has others to announce. */
static void
answer (GTask *task, const LokyTaken *taken, GError *failure)
{
  LokyTaken *copy;

  if (task == NULL)
    return;
  if (failure != NULL)
    loky_answer_error (task, failure);
  else if (taken->piece == NULL)
    loky_answer_pointer (task, NULL, NULL);
  else
    {
      copy = g_memdup2 (taken, sizeof *taken);
      LOKY_TSAN_RELEASE (copy);
      loky_answer_pointer (task, copy, (GDestroyNotify) loky_taken_free);
    }
}

void
loky_map_look_for_answer (LokyMap *self)
{
  LokyTaken taken = { NULL };
  GSource *wake_ups[LOKY_N_WAKE_UPS] = { NULL };
  GError *failure = NULL;
  GTask *task;

  g_mutex_lock (&self->lock);
  task = take_pending_locked (self, &taken, &failure, wake_ups);
  /* Without anybody who waits it would still be a system call. */
  if (self->n_waiting > 0)
    g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
  loky_map_end_wake_ups (wake_ups);
  answer (task, &taken, failure);
}

static gboolean
fill_cb (gpointer user_data)
{
  loky_map_fill (user_data, TRUE);
  return G_SOURCE_REMOVE;
}

/* With the lock. Items are to be taken by who takes the results, since it wanted the user's function to be
 * asked, which only its own thread may, while another one was filling, or since it is known now how many: it is
 * told to come again. */
static void
let_ask_locked (LokyMap *self)
{
  GSource *source;

  if (!self->ask_again)
    return;
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->cond);
  if (self->pending == NULL)
    return;
  self->ask_again = FALSE;
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (source, "[loky] map input");
  g_source_set_callback (source, fill_cb, loky_map_ref (self), loky_map_unref);
  g_source_attach (source, g_task_get_context (self->pending));
  g_source_unref (source);
}

/* --- the ends of pieces ----------------------------------------------------------------------- */

/* With the lock: TRUE if the piece has ended and there is nobody to take it, who unrefs it then. */
static gboolean
drop_abandoned_locked (LokyMap *self, LokyPiece *piece)
{
  if (!self->is_abandoned || !piece->is_done || piece->future == NULL)
    return FALSE;
  g_queue_unlink (&self->pieces, &piece->link);
  g_queue_unlink (&self->done, &piece->done_link);
  return TRUE;
}

/* With the lock. */
static void
measure_locked (LokyMap *self, LokyPiece *piece, gint64 run_time)
{
  if (run_time >= 0)
    {
      self->measured_time = self->measured_time / 2 + (double) MAX (run_time, 1000);
      self->measured_items = self->measured_items / 2 + piece->n_items;
      self->last_size = piece->n_items;
    }
  if (!self->is_measuring)
    return;
  self->is_measuring = FALSE;
  self->fill_again = TRUE;
  self->ask_again = TRUE;
  if (!self->is_filling)
    let_ask_locked (self);
}

/* In whatever thread ends the future. */
static void
piece_ended (LokyFuture *future, gpointer user_data)
{
  LokyPiece *piece = user_data;
  LokyMap *self = loky_map_ref (piece->map);
  gboolean is_dropped;

  g_mutex_lock (&self->lock);
  piece->is_done = TRUE;
  self->n_running--;
  g_queue_push_tail_link (&self->done, &piece->done_link);
  measure_locked (self, piece, future->run_time);
  is_dropped = drop_abandoned_locked (self, piece);
  g_mutex_unlock (&self->lock);
  if (is_dropped)
    piece_unref (piece);
  loky_map_look_for_answer (self);
  loky_map_unref (self);
}

/* --- taking from the input -------------------------------------------------------------------- */

/* Errors of one item, or chunk, which do not concern the others. */
static gboolean
is_item_error (const GError *error)
{
  return g_error_matches (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT) ||
         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
}

void
loky_map_end_input (LokyMap *self, GError *failure)
{
  g_mutex_lock (&self->lock);
  self->input_is_over = TRUE;
  if (self->failure == NULL)
    self->failure = failure;
  else
    g_clear_error (&failure);
  g_mutex_unlock (&self->lock);
}

static LokyFuture *
submit (LokyMap *self, LokyPiece *piece, GVariant *args, GError **error)
{
  LokyTaskOptions *options = LOKY_TASK_OPTIONS (self->options);

  if (piece->is_chunk)
    return loky_pool_submit_chunk (self->pool, self->task, args, piece->n_items, options, piece_ended,
                                   piece, error);
  return loky_pool_submit_task (self->pool, self->task, args, options, piece_ended, piece, FALSE, error);
}

/* FALSE: the executor takes no more. */
static gboolean
submit_piece (LokyMap *self, const LokyInputChunk *chunk)
{
  LokyPiece *piece = piece_new (self, chunk);
  GError *error = NULL;
  LokyFuture *future;
  gboolean is_cancelled, is_done, is_dropped;

  g_mutex_lock (&self->lock);
  piece->index = self->next_index;
  self->next_index += piece->n_items;
  self->n_items += piece->n_items;
  self->n_running++;
  g_queue_push_tail_link (&self->pieces, &piece->link);
  g_mutex_unlock (&self->lock);

  future = submit (self, piece, chunk->args, &error);
  if (future == NULL && is_item_error (error))
    {
      future = loky_pool_make_failed (self->pool, self->task, error);
      piece_ended (future, piece);
      g_clear_error (&error);
    }

  if (future == NULL)
    {
      g_mutex_lock (&self->lock);
      g_queue_unlink (&self->pieces, &piece->link);
      self->n_items -= piece->n_items;
      self->n_running--;
      g_mutex_unlock (&self->lock);
      piece_unref (piece);
      loky_map_end_input (self, error);
      return FALSE;
    }

  g_mutex_lock (&self->lock);
  piece->future = g_object_ref (future);
  is_cancelled = self->is_cancelled;
  is_done = piece->is_done;
  is_dropped = drop_abandoned_locked (self, piece);
  g_mutex_unlock (&self->lock);
  if (is_dropped)
    piece_unref (piece);
  if (is_cancelled)
    loky_future_cancel (future);
  if (is_done)
    loky_map_look_for_answer (self);
  g_object_unref (future);
  return TRUE;
}

static guint
get_default_window (LokyMap *self)
{
  return MAX (MIN_WINDOW, WINDOW_PER_WORKER * self->max_workers);
}

/* With the lock. */
static gboolean
has_room_for_item_locked (LokyMap *self)
{
  guint window = self->window > 0 ? self->window : get_default_window (self);

  /* A large window is filled up by many at a time: one by one, each would wake a worker. */
  if (self->n_items >= window)
    self->is_topping_up = FALSE;
  else if (self->n_items < window - MIN (window / 4, MAX_SLACK) || window < MIN_SLACK_WINDOW)
    self->is_topping_up = TRUE;
  return self->is_topping_up;
}

/* With the lock. So that a chunk is about CHUNK_TIME of work, as far as that is known: a few small ones are
 * measured before the next ones are made larger. */
static guint
choose_size_locked (LokyMap *self, guint64 n_left)
{
  double most = self->last_size * (double) MAX_GROWTH;
  double size = 1;

  if (self->measured_items > 0)
    {
      double item_time = self->measured_time / self->measured_items;
      double share = (double) n_left / (2.0 * self->max_workers);

      size = MIN (CHUNK_TIME / item_time, MAX (share, LEAST_TIME / item_time));
      size = CLAMP (size, 1, MAX_CHUNK_ITEMS);
    }
  self->is_measuring = size > most && self->n_running >= MEASURED_PER_WORKER * self->max_workers;
  return self->is_measuring ? 0 : (guint) CLAMP (most, 1, size);
}

/* With the lock. How many items are to be submitted as the next chunk; 0: none now. */
static guint
plan_chunk_locked (LokyMap *self, guint64 n_left)
{
  guint64 window = self->window;
  guint size = self->chunk_size;

  if (size == 0)
    size = choose_size_locked (self, n_left);
  if (size == 0)
    return 0;
  if (window == 0)
    window = MAX (get_default_window (self), (guint64) CHUNKS_PER_WORKER * self->max_workers * size);
  /* Two at the least, or workers would wait for each other. */
  size = (guint) MIN (size, MAX (window / 2, 1));
  return self->n_items + size <= window ? size : 0;
}

/* How many items are to be submitted next as one piece; 0: none now. */
static guint
plan (LokyMap *self, guint64 n_left)
{
  guint size = 0;

  g_mutex_lock (&self->lock);
  if (self->input_is_over || self->is_cancelled || loky_map_is_late_locked (self))
    size = 0;
  else if (self->chunk_size == 1)
    size = has_room_for_item_locked (self) ? 1 : 0;
  else
    size = plan_chunk_locked (self, n_left);
  g_mutex_unlock (&self->lock);
  return size;
}

static LokyInputStatus
take_piece (LokyMap *self,
            LokyInput *input,
            gboolean may_ask,
            guint size,
            LokyInputChunk *chunk,
            GError **error)
{
  *chunk = (LokyInputChunk){ .n_items = 1 };
  if (self->chunk_size == 1)
    return loky_input_take (input, may_ask, &chunk->args, error);
  return loky_input_take_chunk (input, may_ask, size, self->chunk_size == 0 ? MAX_CHUNK_SIZE : G_MAXSIZE,
                                chunk, error);
}

static void
fill_once (LokyMap *self, LokyInput *input, gboolean may_ask)
{
  guint size;

  while ((size = plan (self, loky_input_get_n_left (input, may_ask))) > 0)
    {
      GError *error = NULL;
      LokyInputChunk chunk;
      gboolean is_taken;

      switch (take_piece (self, input, may_ask, size, &chunk, &error))
        {
        case LOKY_INPUT_ITEM:
          is_taken = submit_piece (self, &chunk);
          g_variant_unref (chunk.args);
          if (!is_taken)
            return;
          break;
        case LOKY_INPUT_NOTHING:
          return;
        case LOKY_INPUT_ENDED:
        case LOKY_INPUT_FAILED:
        default:
          loky_map_end_input (self, error);
          return;
        }
    }
}

/* One thread at a time, so that items keep their order; who comes meanwhile leaves the work to it. */
void
loky_map_fill (LokyMap *self, gboolean may_ask)
{
  g_autoptr (LokyInput) input = NULL;

  g_mutex_lock (&self->lock);
  self->fill_again = TRUE;
  if (self->is_filling || self->input == NULL)
    {
      self->ask_again |= may_ask;
      g_mutex_unlock (&self->lock);
      return;
    }
  input = g_object_ref (self->input);
  self->is_filling = TRUE;
  while (self->fill_again)
    {
      self->fill_again = FALSE;
      g_mutex_unlock (&self->lock);
      fill_once (self, input, may_ask);
      g_mutex_lock (&self->lock);
    }
  self->is_filling = FALSE;
  if (may_ask)
    self->ask_again = FALSE;
  let_ask_locked (self);
  g_mutex_unlock (&self->lock);
  loky_map_look_for_answer (self);
}

/* Somebody pushed or ended, in any thread. */
static void
input_changed (gpointer user_data)
{
  loky_map_fill (user_data, FALSE);
}

/* --- life ------------------------------------------------------------------------------------- */

static gint64
find_deadline (gint64 timeout)
{
  return timeout >= 0 ? g_get_monotonic_time () + loky_usec_from_msec (timeout) : -1;
}

LokyMap *
loky_map_new (LokyPool *pool,
              const char *task,
              LokyInput *input,
              LokyMapOptions *options,
              guint max_workers)
{
  LokyMap *self = g_new0 (LokyMap, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  g_queue_init (&self->pieces);
  g_queue_init (&self->done);
  self->pool = loky_pool_ref (pool);
  self->task = g_strdup (task);
  self->input = g_object_ref (input);
  self->options = options != NULL ? g_object_ref (options) : NULL;
  self->ordered = options == NULL || loky_map_options_get_ordered (options);
  self->window = options != NULL ? loky_map_options_get_window (options) : 0;
  self->chunk_size = options != NULL ? loky_map_options_get_chunk_size (options) : 1;
  self->deadline = options != NULL ? find_deadline (loky_map_options_get_total_timeout (options)) : -1;
  self->max_workers = CLAMP (max_workers, 1, MAX_WORKERS);
  if (!loky_input_attach (input, input_changed, self, loky_map_ref, loky_map_unref))
    loky_map_end_input (self, g_error_new_literal (LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                                                   "The input was given to another map already"));
  return self;
}

void
loky_map_cancel (LokyMap *self)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_mutex_lock (&self->lock);
  self->is_cancelled = TRUE;
  self->input_is_over = TRUE;
  for (GList *l = self->pieces.head; l != NULL; l = l->next)
    {
      LokyPiece *piece = l->data;

      if (piece->future != NULL)
        g_ptr_array_add (futures, g_object_ref (piece->future));
    }
  g_mutex_unlock (&self->lock);
  /* From the last to the first: otherwise each that is cancelled lets the next one begin. */
  for (guint i = futures->len; i > 0; i--)
    loky_future_cancel (g_ptr_array_index (futures, i - 1));
  g_ptr_array_unref (futures);
}

gboolean
loky_map_is_late_locked (LokyMap *self)
{
  return self->deadline >= 0 && !self->is_expired && g_get_monotonic_time () >= self->deadline;
}

void
loky_map_expire (LokyMap *self)
{
  gboolean is_first;

  g_mutex_lock (&self->lock);
  is_first = !self->is_expired;
  self->is_expired = TRUE;
  g_mutex_unlock (&self->lock);
  if (!is_first)
    return;
  loky_map_end_input (self, g_error_new (LOKY_ERROR, LOKY_ERROR_TIMED_OUT,
                                         "The map of the task “%s” has not ended within its total timeout",
                                         self->task));
  loky_map_cancel (self);
  loky_map_look_for_answer (self);
}

/* Those that have not ended are dropped by their end. */
static void
drop_pieces (LokyMap *self)
{
  GPtrArray *dropped = g_ptr_array_new_with_free_func (piece_unref);

  g_mutex_lock (&self->lock);
  self->is_abandoned = TRUE;
  for (GList *l = self->done.head, *next; l != NULL; l = next)
    {
      next = l->next;
      if (drop_abandoned_locked (self, l->data))
        g_ptr_array_add (dropped, l->data);
    }
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (dropped);
}

void
loky_map_abandon (LokyMap *self)
{
  LokyInput *input;

  /* Here, and not in the thread that ends the last item: what it frees is the user's. */
  g_mutex_lock (&self->lock);
  input = g_steal_pointer (&self->input);
  g_mutex_unlock (&self->lock);
  loky_input_detach (input);
  g_object_unref (input);
  loky_map_cancel (self);
  drop_pieces (self);
}
