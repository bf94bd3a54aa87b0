/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-attachment-private.h"

#include <string.h>
#include <sys/random.h>

#include "loky-buffer-private.h"
#include "loky-descriptor-private.h"
#include "loky-error.h"
#include "loky-frame-private.h"
#include "loky-hold-private.h"
#include "loky-synchronizer-private.h"
#include "loky-util-private.h"

/* The live ones of this process by handle, known by weak references, which are asked outside the
 * lock: a language binding may call into locks of its own then. */
typedef struct
{
  gatomicrefcount ref_count;
  gconstpointer object; /* to be compared only */
  GWeakRef weak;
} Live;

/* Where it goes. */
typedef enum
{
  DIRECTION_ARGUMENTS,
  DIRECTION_RESULT,
  DIRECTION_ACCEPTED, /* with a result, of which descriptors are accepted */
} Direction;

static GMutex live_lock;
static GHashTable *live_objects;

static void
live_unref (gpointer data)
{
  Live *live = data;

  if (!g_atomic_ref_count_dec (&live->ref_count))
    return;
  g_weak_ref_clear (&live->weak);
  g_free (live);
}

static Live *
live_new (GObject *object)
{
  Live *live = g_new0 (Live, 1);

  g_atomic_ref_count_init (&live->ref_count);
  g_weak_ref_init (&live->weak, object);
  live->object = object;
  return live;
}

static void
ensure_table_locked (void)
{
  if (live_objects == NULL)
    live_objects = g_hash_table_new_full (NULL, NULL, NULL, live_unref);
}

/* Drawn by chance, so that one of another process is not mistaken for one of ours, and so that a worker, which sees
 * some of them, cannot guess others, and have what they stand for sent elsewhere in its name. */
static gint32
draw_handle (void)
{
  guint32 number;

  if (getrandom (&number, sizeof number, GRND_NONBLOCK) != sizeof number)
    number = g_random_int ();
  return (gint32) (number & G_MAXINT32);
}

gint32
loky_attachment_list (GObject *object)
{
  Live *live = live_new (object);
  gint32 handle;

  g_mutex_lock (&live_lock);
  ensure_table_locked ();
  do
    handle = draw_handle ();
  while (g_hash_table_contains (live_objects, GINT_TO_POINTER (handle)));
  g_hash_table_insert (live_objects, GINT_TO_POINTER (handle), live);
  g_mutex_unlock (&live_lock);
  return handle;
}

gboolean
loky_attachment_list_received (GObject *object, gint32 handle)
{
  Live *live = live_new (object);
  gboolean is_listed;
  Live *other;

  g_mutex_lock (&live_lock);
  ensure_table_locked ();
  other = g_hash_table_lookup (live_objects, GINT_TO_POINTER (handle));
  is_listed = other == NULL || other->object == object;
  if (other == NULL)
    g_hash_table_insert (live_objects, GINT_TO_POINTER (handle), g_steal_pointer (&live));
  g_mutex_unlock (&live_lock);
  g_clear_pointer (&live, live_unref);
  return is_listed;
}

void
loky_attachment_unlist (gint32 handle)
{
  g_mutex_lock (&live_lock);
  g_hash_table_remove (live_objects, GINT_TO_POINTER (handle));
  g_mutex_unlock (&live_lock);
}

GObject *
loky_attachment_lookup (gint32 handle)
{
  GObject *found = NULL;
  Live *live = NULL;

  g_mutex_lock (&live_lock);
  if (live_objects != NULL)
    live = g_hash_table_lookup (live_objects, GINT_TO_POINTER (handle));
  if (live != NULL)
    g_atomic_ref_count_inc (&live->ref_count);
  g_mutex_unlock (&live_lock);
  if (live == NULL)
    return NULL;
  found = g_weak_ref_get (&live->weak);
  live_unref (live);
  return found;
}

GObject *
loky_attachment_new_received (int fd, const LokyBufferRecord *record, GError **error)
{
  loky_autofd int owned = fd;

  if (record->part == LOKY_PART_BUFFER)
    return (GObject *) loky_buffer_new_received (loky_steal_fd (&owned), record->handle, record->size,
                                                 error);
  if (record->part == LOKY_PART_DESCRIPTOR)
    return (GObject *) loky_descriptor_new_received (loky_steal_fd (&owned), record, error);
  if (record->part == LOKY_PART_HOLD)
    return (GObject *) loky_hold_new_received (loky_steal_fd (&owned), record, error);
  return (GObject *) loky_synchronizer_new_received (loky_steal_fd (&owned), record, error);
}

gboolean
loky_attachment_check_whole (GObject *object, gboolean accepts_descriptors, GError **error)
{
  if (LOKY_IS_DESCRIPTOR (object))
    {
      /* What it is the channel has looked at. */
      if (accepts_descriptors)
        return TRUE;
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A descriptor came with a result");
      return FALSE;
    }
  /* The memory of a synchronizer was looked at already, and is written anyway. */
  return !LOKY_IS_BUFFER (object) || loky_buffer_check_whole (LOKY_BUFFER (object), error);
}

gint32
loky_attachment_get_handle (GObject *object)
{
  if (LOKY_IS_BUFFER (object))
    return loky_buffer_get_handle (LOKY_BUFFER (object));
  if (LOKY_IS_DESCRIPTOR (object))
    return loky_descriptor_get_handle (LOKY_DESCRIPTOR (object));
  if (LOKY_IS_HOLD (object))
    return loky_hold_get_handle (LOKY_HOLD (object));
  return loky_synchronizer_get_handle (LOKY_SYNCHRONIZER (object));
}

void
loky_attachment_describe (GObject *object, LokyBufferRecord *record)
{
  *record = (LokyBufferRecord){ .handle = loky_attachment_get_handle (object) };
  if (LOKY_IS_BUFFER (object))
    {
      record->part = LOKY_PART_BUFFER;
      record->size = loky_buffer_get_size (LOKY_BUFFER (object));
    }
  else if (LOKY_IS_DESCRIPTOR (object))
    record->part = LOKY_PART_DESCRIPTOR;
  else if (LOKY_IS_HOLD (object))
    record->part = LOKY_PART_HOLD;
  else
    {
      record->part = LOKY_SYNCHRONIZER (object)->part;
      record->size = LOKY_SYNC_SIZE;
    }
}

int
loky_attachment_get_fd (GObject *object)
{
  if (LOKY_IS_BUFFER (object))
    return loky_buffer_get_fd (LOKY_BUFFER (object));
  if (LOKY_IS_DESCRIPTOR (object))
    return loky_descriptor_get_fd (LOKY_DESCRIPTOR (object));
  if (LOKY_IS_HOLD (object))
    return loky_hold_get_fd (LOKY_HOLD (object));
  return LOKY_SYNCHRONIZER (object)->sync->fd;
}

gboolean
loky_attachment_seal (GObject *object, GError **error)
{
  if (LOKY_IS_DESCRIPTOR (object))
    return loky_descriptor_check_sendable (LOKY_DESCRIPTOR (object), error);
  return !LOKY_IS_BUFFER (object) || loky_buffer_seal (LOKY_BUFFER (object), error);
}

/* Whatever type it has. */
static GObject *
find (GPtrArray *attachments, gint32 handle)
{
  for (guint i = 0; attachments != NULL && i < attachments->len; i++)
    {
      GObject *object = g_ptr_array_index (attachments, i);

      if (loky_attachment_get_handle (object) == handle)
        return g_object_ref (object);
    }
  return NULL;
}

static gboolean
fail_unknown (GError **error, gint32 handle, const char *what)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT, "No %s has the handle %d here", what,
               handle);
  return FALSE;
}

gpointer
loky_attachment_find (GPtrArray *attachments, gint32 handle, GType type, GError **error)
{
  g_autoptr (GObject) object = find (attachments, handle);

  if (object != NULL && g_type_is_a (G_OBJECT_TYPE (object), type))
    return g_steal_pointer (&object);
  fail_unknown (error, handle, type == LOKY_TYPE_BUFFER ? "buffer" : g_type_name (type));
  return NULL;
}

gboolean
loky_attachment_prepare_result (GObject *object, gboolean accepts_descriptors, GError **error)
{
  if (!LOKY_IS_DESCRIPTOR (object))
    return loky_attachment_seal (object, error);
  if (accepts_descriptors)
    return loky_descriptor_prepare_result (LOKY_DESCRIPTOR (object), error);
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_RESULT,
                       "A descriptor can be sent with a result only if the executor accepts them (accept-descriptors)");
  return FALSE;
}

static gboolean
prepare (Direction direction, GObject *object, GError **error)
{
  return direction == DIRECTION_ARGUMENTS
             ? loky_attachment_seal (object, error)
             : loky_attachment_prepare_result (object, direction == DIRECTION_ACCEPTED, error);
}

static gboolean
collect_one (gint32 handle,
             GPtrArray *received,
             Direction direction,
             GPtrArray **attachments,
             GError **error)
{
  g_autoptr (GObject) found = find (*attachments, handle);

  if (found != NULL)
    return TRUE;
  found = find (received, handle);
  if (found == NULL)
    found = loky_attachment_lookup (handle);
  if (found == NULL)
    return fail_unknown (error, handle, "object");
  if (!prepare (direction, found, error))
    return FALSE;

  if (*attachments == NULL)
    *attachments = g_ptr_array_new_with_free_func (g_object_unref);
  if ((*attachments)->len >= LOKY_FRAME_MAX_FDS - 1)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE,
                   "A value can refer to at most %u buffers, synchronizers, descriptors and resources", LOKY_FRAME_MAX_FDS - 1);
      return FALSE;
    }
  g_ptr_array_add (*attachments, g_steal_pointer (&found));
  return TRUE;
}

static gboolean
may_hold_handles (const char *type)
{
  return strpbrk (type, "hv") != NULL;
}

gboolean
loky_attachment_is_in (GVariant *value)
{
  gboolean is_in = FALSE;

  if (!may_hold_handles (g_variant_get_type_string (value)))
    return FALSE;
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_HANDLE))
    return TRUE;
  for (gsize i = 0; i < g_variant_n_children (value) && !is_in; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

      is_in = loky_attachment_is_in (child);
    }
  return is_in;
}

static gboolean
collect (GVariant *value,
         GPtrArray *received,
         Direction direction,
         GPtrArray **attachments,
         GError **error)
{
  if (!may_hold_handles (g_variant_get_type_string (value)))
    return TRUE;
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_HANDLE))
    return collect_one (g_variant_get_handle (value), received, direction, attachments, error);

  for (gsize i = 0; i < g_variant_n_children (value); i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

      if (!collect (child, received, direction, attachments, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
collect_all (GVariant *value,
             GPtrArray *received,
             Direction direction,
             GPtrArray **attachments,
             GError **error)
{
  g_autoptr (GPtrArray) found = NULL;

  *attachments = NULL;
  if (!collect (value, received, direction, &found, error))
    return FALSE;
  *attachments = g_steal_pointer (&found);
  return TRUE;
}

gboolean
loky_attachment_collect (GVariant *value,
                         GPtrArray *received,
                         GPtrArray **attachments,
                         GError **error)
{
  return collect_all (value, received, DIRECTION_ARGUMENTS, attachments, error);
}

gboolean
loky_attachment_collect_result (GVariant *value,
                                GPtrArray *received,
                                gboolean accepts_descriptors,
                                GPtrArray **attachments,
                                GError **error)
{
  return collect_all (value, received, accepts_descriptors ? DIRECTION_ACCEPTED : DIRECTION_RESULT, attachments,
                      error);
}
