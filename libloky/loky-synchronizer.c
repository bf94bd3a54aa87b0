/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-synchronizer-private.h"

#include "loky-attachment-private.h"
#include "loky-condition-private.h"
#include "loky-error.h"
#include "loky-tsan-private.h"
#include "loky-upper-private.h"
#include "loky-util-private.h"

/**
 * LokySynchronizer:
 *
 * What an application and its workers, and threads of each, synchronise by:
 * [class@Loky.Lock], [class@Loky.Semaphore], [class@Loky.Condition], [class@Loky.Event] and
 * [class@Loky.Barrier].
 *
 * Make one, and refer to it in the arguments of a task by [method@Loky.Synchronizer.to_variant]. The task
 * finds it with [method@Loky.TaskContext.lookup_synchronizer]: another object, which stands for the same. A
 * task may also return one, by [method@Loky.TaskContext.add_synchronizer]; the owner of its future finds it
 * with [method@Loky.Future.lookup_synchronizer].
 *
 * It has no name and no file. It is there as long as anybody has an object of it. A process that is gone,
 * or that has dropped its last object of it, holds nothing any more: what it held is had by the next one, who is
 * told of it.
 *
 * It is in shared memory, which each process can write that has it. A worker that does wrong can break what
 * it is for, but nothing else.
 *
 * All functions can be called from any thread. Those that block need no main loop.
 *
 * Since: 1.0
 */

G_DEFINE_ABSTRACT_TYPE (LokySynchronizer, loky_synchronizer, G_TYPE_OBJECT)

static void
loky_synchronizer_finalize (GObject *object)
{
  LokySynchronizer *self = LOKY_SYNCHRONIZER (object);

  LOKY_TSAN_ACQUIRE (object);
  if (g_atomic_int_get (&self->is_listed))
    loky_attachment_unlist (self->handle);
  g_clear_pointer (&self->sync, loky_sync_unref);

  G_OBJECT_CLASS (loky_synchronizer_parent_class)->finalize (object);
}

static void
loky_synchronizer_class_init (LokySynchronizerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_synchronizer_finalize;
}

static void
loky_synchronizer_init (LokySynchronizer *self)
{
  self->handle = -1;
}

static LokySynchronizer *
make_unlisted (GType type, LokySync *sync, guint32 part)
{
  LokySynchronizer *self = g_object_new (type, NULL);

  self->sync = sync;
  self->part = part;
  return self;
}

gpointer
loky_synchronizer_make (GType type, LokySync *sync, guint32 part)
{
  LokySynchronizer *self;

  if (sync == NULL)
    return NULL;
  self = make_unlisted (type, sync, part);
  self->handle = loky_attachment_list (G_OBJECT (self));
  self->is_listed = TRUE;
  return self;
}

/* G_TYPE_INVALID: there is no such class, or with an error: it cannot be loaded. */
static GType
get_type_of (LokySync *sync, guint32 part, GError **error)
{
  const LokyUpper *upper;

  if (part > LOKY_PART_CONDITION + LOKY_CONDITION_MAX)
    return G_TYPE_INVALID;
  upper = loky_upper_open (error);
  return upper != NULL ? upper->get_synchronizer_type (sync->kind, part >= LOKY_PART_CONDITION) : G_TYPE_INVALID;
}

LokySynchronizer *
loky_synchronizer_new_received (int fd, const LokyBufferRecord *record, GError **error)
{
  g_autoptr (LokySync) sync = loky_sync_new_received (fd, record->size, error);
  g_autoptr (GError) local_error = NULL;
  LokySynchronizer *self;
  GType type;

  if (sync == NULL)
    return NULL;
  type = get_type_of (sync, record->part, &local_error);
  if (local_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return NULL;
    }
  if (type == G_TYPE_INVALID)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                   "What has the handle %d is not what it is said to be", record->handle);
      return NULL;
    }
  self = make_unlisted (type, g_steal_pointer (&sync), record->part);
  self->handle = record->handle;
  return self;
}

LokySync *
loky_synchronizer_get_sync (gpointer object, GError **error)
{
  LokySynchronizer *self = object;

  if (self->sync == NULL)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                 "A %s is made by its constructors only", G_OBJECT_TYPE_NAME (self));
  else if (loky_sync_check_process (self->sync, error))
    return self->sync;
  return NULL;
}

/**
 * loky_synchronizer_get_handle:
 * @self: a synchronizer
 *
 * Gets what values of type `h` refer to it by.
 *
 * Returns: the handle; not negative, and of no other live object made in this process
 *
 * Since: 1.0
 */
gint32
loky_synchronizer_get_handle (LokySynchronizer *self)
{
  g_return_val_if_fail (LOKY_IS_SYNCHRONIZER (self), -1);

  return self->handle;
}

/* One that was received has the handle of its sender; another object may have that here, mostly for the same. */
static gboolean
list_received (LokySynchronizer *self, GError **error)
{
  g_autoptr (GObject) other = NULL;

  if (loky_attachment_list_received (G_OBJECT (self), self->handle))
    {
      g_atomic_int_set (&self->is_listed, TRUE);
      return TRUE;
    }
  other = loky_attachment_lookup (self->handle);
  if (other != NULL && LOKY_IS_SYNCHRONIZER (other) && LOKY_SYNCHRONIZER (other)->sync == self->sync &&
      LOKY_SYNCHRONIZER (other)->part == self->part)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "The handle %d is that of something else in this process", self->handle);
  return FALSE;
}

/**
 * loky_synchronizer_to_variant:
 * @self: a synchronizer
 * @error: return location for an error
 *
 * Makes a value of type `h` that refers to a synchronizer.
 *
 * The value can stand anywhere in the arguments of a task. It does not keep the synchronizer alive;
 * submitting the task does. A task that returns one that it made uses
 * [method@Loky.TaskContext.add_synchronizer] instead, which keeps it until the result was sent. A task that
 * has an executor of its own may pass on one of its arguments by this.
 *
 * Returns: (transfer full): a value, not floating; %NULL with %LOKY_ERROR_FORKED in a child of the process that has
 *   the object, or with %LOKY_ERROR_INVALID_ARGUMENT if it was received with a handle that something else has here
 *
 * Since: 1.0
 */
GVariant *
loky_synchronizer_to_variant (LokySynchronizer *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_SYNCHRONIZER (self), NULL);

  if (loky_synchronizer_get_sync (self, error) == NULL ||
      (!g_atomic_int_get (&self->is_listed) && !list_received (self, error)))
    return NULL;
  return g_variant_ref_sink (g_variant_new_handle (self->handle));
}
