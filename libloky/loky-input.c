/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-input-private.h"

#include <string.h>

#include "loky-attachment-private.h"
#include "loky-chunk-private.h"
#include "loky-tsan-private.h"
#include "loky-value-private.h"

/* How long items are gathered for one chunk from a function that may be slow, in µs. */
#define GATHER_TIME 1000

/**
 * LokyInput:
 *
 * The items of a map, of any number, taken one after the other as results leave.
 *
 * It wraps an array, a list model, a function that is asked for the next items, or several other inputs.
 *
 * An input serves one map. [method@Loky.Input.push], [method@Loky.Input.end] and
 * [method@Loky.Input.fail] can be called from any thread.
 *
 * Since: 1.0
 */
struct _LokyInput
{
  GObject parent_instance;

  LokyInputFunc func;
  LokyInputItemFunc item_func;
  gpointer user_data;
  GDestroyNotify destroy;
  const LokyInputSource *source;
  gpointer source_data;
  GVariant *array;
  GListModel *model;
  gsize position; /* of the next item of array or model */
  gsize n_elements; /* of array */
  GBytes *bytes;    /* of an array that is cut into chunks */

  GMutex lock;
  GQueue items;          /* of GVariant; lock */
  gboolean has_ended;    /* lock */
  gboolean is_asked;     /* the function said "nothing now"; lock */
  GError *failure;       /* lock */
  gboolean is_attached;  /* lock */
  GThread *taker;        /* who is inside take; lock */
  LokyInputListener listener; /* lock */
  gpointer listener_data;
  GBoxedCopyFunc listener_ref;
  GDestroyNotify listener_unref;
};

G_DEFINE_FINAL_TYPE (LokyInput, loky_input, G_TYPE_OBJECT)

static void
loky_input_finalize (GObject *object)
{
  LokyInput *self = LOKY_INPUT (object);

  LOKY_TSAN_ACQUIRE (object);
  loky_input_detach (self);
  if (self->destroy != NULL)
    self->destroy (self->user_data);
  if (self->source != NULL)
    self->source->free (self->source_data);
  g_clear_pointer (&self->array, g_variant_unref);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_object (&self->model);
  g_queue_clear_full (&self->items, (GDestroyNotify) g_variant_unref);
  g_clear_error (&self->failure);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (loky_input_parent_class)->finalize (object);
}

static void
loky_input_class_init (LokyInputClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_input_finalize;
}

static void
loky_input_init (LokyInput *self)
{
  g_mutex_init (&self->lock);
  g_queue_init (&self->items);
}

/**
 * loky_input_new:
 * @func: (scope notified) (closure user_data) (destroy destroy): asked for the next items
 * @user_data: given to @func
 * @destroy: (nullable): frees @user_data
 *
 * Makes an input that asks a function for its items.
 *
 * @func runs in the thread that takes the results. When it calls [method@Loky.Input.push] it gives
 * items, when it calls [method@Loky.Input.end] there are no more; when it does neither, nothing is at
 * hand now, and it is asked again only after somebody pushed.
 *
 * Returns: (transfer full): a new input
 *
 * Since: 1.0
 */
LokyInput *
loky_input_new (LokyInputFunc func, gpointer user_data, GDestroyNotify destroy)
{
  LokyInput *self;

  g_return_val_if_fail (func != NULL, NULL);

  self = g_object_new (LOKY_TYPE_INPUT, NULL);
  self->func = func;
  self->user_data = user_data;
  self->destroy = destroy;
  return self;
}

/**
 * loky_input_new_for_array:
 * @array: an array of any type; a floating reference is taken over
 *
 * Makes an input of the elements of an array. An element of type `v` stands for what is in it.
 *
 * Returns: (transfer full): a new input
 *
 * Since: 1.0
 */
LokyInput *
loky_input_new_for_array (GVariant *array)
{
  LokyInput *self;

  g_return_val_if_fail (array != NULL, NULL);
  g_return_val_if_fail (g_variant_is_of_type (array, G_VARIANT_TYPE_ARRAY), NULL);

  self = g_object_new (LOKY_TYPE_INPUT, NULL);
  self->array = g_variant_ref_sink (array);
  self->n_elements = g_variant_n_children (array);
  return self;
}

/**
 * loky_input_new_for_strv:
 * @strv: (array zero-terminated=1): strings in UTF-8
 *
 * Makes an input of strings.
 *
 * Returns: (transfer full): a new input
 *
 * Since: 1.0
 */
LokyInput *
loky_input_new_for_strv (const char *const *strv)
{
  g_return_val_if_fail (strv != NULL, NULL);

  return loky_input_new_for_array (g_variant_new_strv (strv, -1));
}

/**
 * loky_input_new_for_model:
 * @model: a list model, which should not change while it is mapped
 * @func: (scope notified) (closure user_data) (destroy destroy): makes the arguments of a task from an
 *   item
 * @user_data: given to @func
 * @destroy: (nullable): frees @user_data
 *
 * Makes an input of the items of a list model.
 *
 * @func runs in the thread that takes the results.
 *
 * Returns: (transfer full): a new input
 *
 * Since: 1.0
 */
LokyInput *
loky_input_new_for_model (GListModel *model,
                          LokyInputItemFunc func,
                          gpointer user_data,
                          GDestroyNotify destroy)
{
  LokyInput *self;

  g_return_val_if_fail (G_IS_LIST_MODEL (model), NULL);
  g_return_val_if_fail (func != NULL, NULL);

  self = g_object_new (LOKY_TYPE_INPUT, NULL);
  self->model = g_object_ref (model);
  self->item_func = func;
  self->user_data = user_data;
  self->destroy = destroy;
  return self;
}

LokyInput *
loky_input_new_with_source (const LokyInputSource *source, gpointer data)
{
  LokyInput *self = g_object_new (LOKY_TYPE_INPUT, NULL);

  self->source = source;
  self->source_data = data;
  return self;
}

/* Releases the lock, and tells the listener unless its own thread is inside take. */
static void
unlock_and_tell (LokyInput *self)
{
  LokyInputListener listener = self->taker == g_thread_self () ? NULL : self->listener;
  gpointer data = listener != NULL ? self->listener_ref (self->listener_data) : NULL;

  g_mutex_unlock (&self->lock);
  if (listener != NULL)
    {
      listener (data);
      self->listener_unref (data);
    }
}

/**
 * loky_input_push:
 * @self: an input
 * @args: the arguments of the next item; a floating reference is taken over
 *
 * Adds an item.
 *
 * When the map has room the item is submitted at once, in the calling thread. In the thread that waits by
 * [method@Loky.Results.next_async] a result that is at hand may be delivered before this returns.
 *
 * Since: 1.0
 */
void
loky_input_push (LokyInput *self, GVariant *args)
{
  g_return_if_fail (LOKY_IS_INPUT (self));
  g_return_if_fail (args != NULL);

  g_variant_ref_sink (args);
  g_mutex_lock (&self->lock);
  if (self->has_ended)
    {
      g_mutex_unlock (&self->lock);
      g_variant_unref (args);
      g_critical ("loky_input_push: the input has ended");
      return;
    }
  g_queue_push_tail (&self->items, args);
  self->is_asked = FALSE;
  unlock_and_tell (self);
}

/**
 * loky_input_end:
 * @self: an input
 *
 * Tells that there are no more items. Calling it again does nothing.
 *
 * Since: 1.0
 */
void
loky_input_end (LokyInput *self)
{
  g_return_if_fail (LOKY_IS_INPUT (self));

  g_mutex_lock (&self->lock);
  self->has_ended = TRUE;
  unlock_and_tell (self);
}

/**
 * loky_input_fail:
 * @self: an input
 * @error: why there are no more items
 *
 * Ends the input with an error: the map ends with it, after the results of the items before it.
 *
 * Since: 1.0
 */
void
loky_input_fail (LokyInput *self, const GError *error)
{
  g_return_if_fail (LOKY_IS_INPUT (self));
  g_return_if_fail (error != NULL);

  g_mutex_lock (&self->lock);
  if (!self->has_ended)
    {
      self->has_ended = TRUE;
      self->failure = g_error_copy (error);
    }
  unlock_and_tell (self);
}

void
loky_input_tell (LokyInput *self)
{
  g_mutex_lock (&self->lock);
  unlock_and_tell (self);
}

/* FALSE: there was none. */
static gboolean
drop_listener (LokyInput *self)
{
  gpointer data;

  g_mutex_lock (&self->lock);
  data = self->listener != NULL ? self->listener_data : NULL;
  self->listener = NULL;
  g_mutex_unlock (&self->lock);
  if (data != NULL)
    self->listener_unref (data);
  return data != NULL;
}

gboolean
loky_input_attach (LokyInput *self,
                   LokyInputListener listener,
                   gpointer user_data,
                   GBoxedCopyFunc ref,
                   GDestroyNotify unref)
{
  gboolean is_free;

  g_mutex_lock (&self->lock);
  is_free = !self->is_attached;
  if (is_free)
    {
      self->is_attached = TRUE;
      self->listener = listener;
      self->listener_data = ref (user_data);
      self->listener_ref = ref;
      self->listener_unref = unref;
    }
  g_mutex_unlock (&self->lock);
  if (is_free && self->source != NULL && !self->source->attach (self, self->source_data))
    {
      drop_listener (self);
      return FALSE;
    }
  return is_free;
}

void
loky_input_detach (LokyInput *self)
{
  if (drop_listener (self) && self->source != NULL)
    self->source->detach (self->source_data);
}

/* Elements and items go through the same queue. */
static gboolean
ask_array (LokyInput *self)
{
  g_autoptr (GVariant) element = NULL;

  if (self->position >= self->n_elements)
    {
      loky_input_end (self);
      return TRUE;
    }
  element = g_variant_get_child_value (self->array, self->position++);
  if (g_variant_is_of_type (element, G_VARIANT_TYPE_VARIANT))
    {
      g_autoptr (GVariant) inner = g_variant_get_variant (element);

      loky_input_push (self, inner);
    }
  else
    loky_input_push (self, element);
  return TRUE;
}

static gboolean
ask_model (LokyInput *self, GError **error)
{
  g_autoptr (GObject) item = g_list_model_get_item (self->model, (guint) self->position);
  GVariant *args;

  if (item == NULL)
    {
      loky_input_end (self);
      return TRUE;
    }
  self->position++;
  args = self->item_func (item, self->user_data, error);
  if (args == NULL)
    return FALSE;
  args = g_variant_take_ref (args);
  loky_input_push (self, args);
  g_variant_unref (args);
  return TRUE;
}

static gboolean
ask (LokyInput *self, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gboolean is_sound;

  if (self->array != NULL)
    return ask_array (self);
  if (self->model != NULL)
    is_sound = ask_model (self, &local_error);
  else
    is_sound = self->func (self, self->user_data, &local_error);
  if (is_sound && local_error == NULL)
    return TRUE;
  /* What an exception of a binding's language becomes. */
  if (local_error == NULL)
    g_set_error (&local_error, G_IO_ERROR, G_IO_ERROR_FAILED,
                 "The function that supplies the input failed without saying why");
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* With the lock. What the queue and the end say; NOTHING: somebody has to be asked. */
static LokyInputStatus
look_locked (LokyInput *self, GVariant **item, GError **error)
{
  *item = g_queue_pop_head (&self->items);
  if (*item != NULL)
    return LOKY_INPUT_ITEM;
  if (!self->has_ended)
    return LOKY_INPUT_NOTHING;
  if (self->failure == NULL)
    return LOKY_INPUT_ENDED;
  g_propagate_error (error, g_error_copy (self->failure));
  return LOKY_INPUT_FAILED;
}

/* Whether the next item is to be had from a function, an array, a model, or another source, which knows itself when
 * it was asked. */
static gboolean
can_supply_locked (LokyInput *self, gboolean may_ask)
{
  return self->source != NULL || (may_ask && !self->is_asked);
}

LokyInputStatus
loky_input_take (LokyInput *self, gboolean may_ask, GVariant **item, GError **error)
{
  g_autoptr (GError) ask_error = NULL;
  LokyInputStatus status;

  g_mutex_lock (&self->lock);
  status = look_locked (self, item, error);
  if (status == LOKY_INPUT_NOTHING && can_supply_locked (self, may_ask))
    {
      self->is_asked = TRUE;
      self->taker = g_thread_self ();
      g_mutex_unlock (&self->lock);
      if (self->source != NULL)
        self->source->supply (self, self->source_data, may_ask);
      else if (!ask (self, &ask_error))
        loky_input_fail (self, ask_error);
      g_mutex_lock (&self->lock);
      self->taker = NULL;
      status = look_locked (self, item, error);
    }
  g_mutex_unlock (&self->lock);
  return status;
}

/* --- chunks ----------------------------------------------------------------------------------- */

guint64
loky_input_get_n_left (LokyInput *self, gboolean may_ask)
{
  guint64 n_items = self->n_elements;

  if (self->source != NULL)
    return self->source->get_n_left (self->source_data, may_ask);
  if (self->array == NULL && (self->model == NULL || !may_ask))
    return G_MAXUINT64;
  if (self->model != NULL)
    n_items = g_list_model_get_n_items (self->model);
  return n_items - MIN (self->position, n_items);
}

/* Part of an array whose elements have one size, without a look at any of them. */
static gboolean
take_slice (LokyInput *self, guint max_items, gsize max_size, LokyInputChunk *chunk)
{
  const GVariantType *type = g_variant_get_type (self->array);
  gsize element_size;

  if (self->position >= self->n_elements || !loky_chunk_is_plain_type (g_variant_type_element (type)))
    return FALSE;
  if (self->bytes == NULL)
    {
      g_autoptr (GVariant) normal = loky_value_ref_normal (self->array);

      self->bytes = g_variant_get_data_as_bytes (normal);
    }
  element_size = g_bytes_get_size (self->bytes) / self->n_elements;
  chunk->is_chunk = TRUE;
  chunk->n_items
      = (guint) MIN (MIN (max_items, MAX (max_size / element_size, 1)), self->n_elements - self->position);
  chunk->args = loky_chunk_slice (type, self->bytes, element_size, self->position, chunk->n_items);
  self->position += chunk->n_items;
  return TRUE;
}

/* Whether handles are in it: the buffers of one value are few, so that it goes alone. What is wrong with one is
 * found again when it is submitted. */
static gboolean
has_handles (GVariant *item)
{
  g_autoptr (GPtrArray) buffers = NULL;

  if (strpbrk (g_variant_get_type_string (item), "hv") == NULL)
    return FALSE;
  return !loky_attachment_collect (item, NULL, &buffers, NULL) || buffers != NULL;
}

static void
put_back (LokyInput *self, GVariant *item)
{
  g_mutex_lock (&self->lock);
  g_queue_push_head (&self->items, item);
  g_mutex_unlock (&self->lock);
}

/* Adds what is there now to the first item, as long as it fits. */
static void
gather (LokyInput *self, gboolean may_ask, guint max_items, gsize max_size, GPtrArray *items)
{
  const GVariantType *type = g_variant_get_type (items->pdata[0]);
  gsize size = g_variant_get_size (items->pdata[0]);
  gint64 end = g_get_monotonic_time () + GATHER_TIME;

  while (items->len < max_items && size < max_size)
    {
      GVariant *item = NULL;

      if (loky_input_take (self, may_ask && g_get_monotonic_time () < end, &item, NULL) != LOKY_INPUT_ITEM)
        return;
      if (!g_variant_type_equal (g_variant_get_type (item), type) || !loky_chunk_can_hold (item) ||
          has_handles (item))
        {
          put_back (self, item);
          return;
        }
      size += g_variant_get_size (item);
      g_ptr_array_add (items, item);
    }
}

LokyInputStatus
loky_input_take_chunk (LokyInput *self,
                       gboolean may_ask,
                       guint max_items,
                       gsize max_size,
                       LokyInputChunk *chunk,
                       GError **error)
{
  g_autoptr (GPtrArray) items = NULL;
  LokyInputStatus status;
  GVariant *item = NULL;
  gboolean is_next;

  g_mutex_lock (&self->lock);
  is_next = self->array != NULL && may_ask && g_queue_is_empty (&self->items) && !self->has_ended;
  g_mutex_unlock (&self->lock);
  if (is_next && take_slice (self, max_items, max_size, chunk))
    return LOKY_INPUT_ITEM;

  status = loky_input_take (self, may_ask, &item, error);
  if (status != LOKY_INPUT_ITEM)
    return status;
  *chunk = (LokyInputChunk){ .args = item, .n_items = 1, .is_chunk = loky_chunk_can_hold (item) };
  if (!chunk->is_chunk)
    return LOKY_INPUT_ITEM;
  items = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_ptr_array_add (items, item);
  if (!has_handles (item))
    gather (self, may_ask, max_items, max_size, items);
  chunk->n_items = items->len;
  chunk->args = g_variant_ref_sink (
      g_variant_new_array (NULL, (GVariant *const *) items->pdata, items->len));
  return LOKY_INPUT_ITEM;
}
