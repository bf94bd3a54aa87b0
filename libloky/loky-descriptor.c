/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-descriptor-private.h"

#include "loky-attachment-private.h"
#include "loky-close-private.h"
#include "loky-error.h"
#include "loky-foreign-private.h"
#include "loky-fork-guard-private.h"
#include "loky-tsan-private.h"
#include "loky-util-private.h"

typedef enum
{
  STATE_RECEIVED, /* to be taken by the task, or to be sent on */
  STATE_SENDABLE, /* among the live ones: stays open as long as the object lives */
  STATE_TAKEN,    /* the descriptor is somebody else's */
} State;

/**
 * LokyDescriptor:
 *
 * A file descriptor that goes to a task, or comes with its result: a socket, a pipe, an open file.
 *
 * Make one, which has a copy (`dup()`) of the descriptor, and refer to it in the arguments of a
 * task by [method@Loky.Descriptor.to_variant]. The task finds it with
 * [method@Loky.TaskContext.lookup_descriptor], as a descriptor of its own process that means the
 * same open file, and takes it with [method@Loky.Descriptor.steal_fd]. What no task has taken is
 * closed after it. A #GSocket, a #GSocketConnection or a #GUnixFDList can be given to
 * [method@Loky.Executor.submit_values] as it is.
 *
 * A result can refer to descriptors if the executor was made with
 * [property@Loky.Executor:accept-descriptors]. It is off by default, as the application does not
 * trust what comes from a worker: closing what it was given could block it. The task refers to one
 * that it has made, or was given, by [method@Loky.TaskContext.add_descriptor] or as a value by
 * [method@Loky.TaskContext.reduce_value]; the application finds it with
 * [method@Loky.Future.lookup_descriptor] and takes it. What is not taken is closed some time after
 * the future is gone, by a thread of libloky's own.
 *
 * The object must be alive when the task that refers to it is submitted; libloky keeps it from
 * there until the task has ended, since it may have to be sent again. What is last in an open file
 * may block who closes it, as a socket that lingers does: libloky closes such a descriptor in a
 * thread of its own.
 *
 * A copy of the application that was made by `fork()` does not have the descriptor.
 *
 * One that was made, or that was referred to by [method@Loky.Descriptor.to_variant], can be used
 * from any thread; one that was received by one thread at a time.
 *
 * Since: 1.0
 */
struct _LokyDescriptor
{
  GObject parent_instance;

  int fd;
  gint32 handle;
  gint state;           /* atomic */
  gboolean is_received; /* counted until it is taken */
  gboolean is_listed; /* among the live ones */
  guint fork_generation;
};

static gint n_received; /* atomic; of those that were received and not taken */

G_DEFINE_FINAL_TYPE (LokyDescriptor, loky_descriptor, G_TYPE_OBJECT)

static gboolean
is_of_this_process (LokyDescriptor *self)
{
  return self->fork_generation == loky_fork_guard_get_generation ();
}

static void
loky_descriptor_finalize (GObject *object)
{
  LokyDescriptor *self = LOKY_DESCRIPTOR (object);

  LOKY_TSAN_ACQUIRE (object);
  if (self->is_listed)
    loky_attachment_unlist (self->handle);
  /* A child has lost it, and its number may be somebody else's. */
  if (self->fd >= 0 && self->state != STATE_TAKEN && is_of_this_process (self))
    {
      if (self->is_received)
        loky_close_untrusted (self->fd);
      else
        {
          loky_fork_guard_remove (self->fd);
          loky_close_trusted (self->fd);
        }
    }
  if (self->is_received && self->state != STATE_TAKEN)
    g_atomic_int_add (&n_received, -1);

  G_OBJECT_CLASS (loky_descriptor_parent_class)->finalize (object);
}

static void
loky_descriptor_class_init (LokyDescriptorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_descriptor_finalize;
}

static void
loky_descriptor_init (LokyDescriptor *self)
{
  self->fd = -1;
  self->handle = -1;
}

static void
take_over (LokyDescriptor *self, int fd)
{
  self->fd = fd;
  loky_fork_guard_add (fd);
  self->fork_generation = loky_fork_guard_get_generation ();
}

static int
copy_fd (int fd, GError **error)
{
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

  if (copy < 0)
    {
      int saved_errno = errno;

      g_set_error (error, LOKY_ERROR,
                   saved_errno == EBADF ? LOKY_ERROR_INVALID_ARGUMENT : LOKY_ERROR_RESOURCES,
                   "The descriptor %d cannot be copied: %s", fd, g_strerror (saved_errno));
    }
  return copy;
}

/**
 * loky_descriptor_new:
 * @fd: an open file descriptor, which stays the caller's
 * @error: return location for an error
 *
 * Makes an object that has a copy of a file descriptor, to be sent to tasks.
 *
 * Returns: (transfer full): a new object; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if @fd is not
 * open, or with %LOKY_ERROR_RESOURCES if too many are
 *
 * Since: 1.0
 */
LokyDescriptor *
loky_descriptor_new (int fd, GError **error)
{
  LokyDescriptor *self;
  int copy = copy_fd (fd, error);

  if (copy < 0)
    return NULL;
  self = g_object_new (LOKY_TYPE_DESCRIPTOR, NULL);
  take_over (self, copy);
  self->state = STATE_SENDABLE;
  self->handle = loky_attachment_list (G_OBJECT (self));
  self->is_listed = TRUE;
  return self;
}

LokyDescriptor *
loky_descriptor_new_received (int fd, const LokyBufferRecord *record, GError **error)
{
  LokyDescriptor *self;

  if (record->size != 0)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                           "A descriptor was received that is not what it is said to be");
      loky_close_untrusted (fd);
      return NULL;
    }
  self = g_object_new (LOKY_TYPE_DESCRIPTOR, NULL);
  take_over (self, fd);
  self->is_received = TRUE;
  g_atomic_int_inc (&n_received);
  self->handle = record->handle;
  return self;
}

int
loky_descriptor_get_fd (LokyDescriptor *self)
{
  return self->fd;
}

static gboolean
check_open (LokyDescriptor *self, GError **error)
{
  if (self->fd < 0)
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                         "A LokyDescriptor is made by its constructor only");
  else if (!is_of_this_process (self))
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_FORKED,
                         "A descriptor cannot be used in a child of the process that has it");
  else if (g_atomic_int_get (&self->state) == STATE_TAKEN)
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                         "The descriptor was taken already, which is possible once");
  else
    return TRUE;
  return FALSE;
}

gboolean
loky_descriptor_check_sendable (LokyDescriptor *self, GError **error)
{
  if (!check_open (self, error))
    return FALSE;
  if (g_atomic_int_get (&self->state) == STATE_SENDABLE)
    return TRUE;
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                       "A descriptor is sent on by what loky_descriptor_to_variant() makes of it");
  return FALSE;
}

gboolean
loky_descriptor_prepare_result (LokyDescriptor *self, GError **error)
{
  g_autofree char *mounts = NULL;

  if (!check_open (self, error) ||
      !loky_foreign_check (self->fd, &mounts, LOKY_ERROR_INVALID_RESULT, error))
    return FALSE;
  g_atomic_int_compare_and_exchange (&self->state, STATE_RECEIVED, STATE_SENDABLE);
  return loky_descriptor_check_sendable (self, error);
}

guint
loky_descriptor_count_received (void)
{
  return (guint) g_atomic_int_get (&n_received);
}

/**
 * loky_descriptor_dup_fd:
 * @self: a descriptor
 * @error: return location for an error
 *
 * Gets another copy of a descriptor, which means the same open file.
 *
 * Returns: a file descriptor that is the caller's to close, with close-on-exec; -1 with
 * %LOKY_ERROR_INVALID_ARGUMENT if it was taken, with %LOKY_ERROR_RESOURCES if too many are open, or
 * with %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
int
loky_descriptor_dup_fd (LokyDescriptor *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_DESCRIPTOR (self), -1);

  return check_open (self, error) ? copy_fd (self->fd, error) : -1;
}

/**
 * loky_descriptor_steal_fd:
 * @self: a descriptor that a task was given, or that came with a result
 * @error: return location for an error
 *
 * Takes a descriptor out of its object: from then on it is the caller's to close.
 *
 * It can be taken once. One that was made in this process, or that is sent on, stays its object's;
 * use [method@Loky.Descriptor.dup_fd] there. To close one that came with a result may block.
 *
 * Returns: a file descriptor, with close-on-exec; -1 with %LOKY_ERROR_INVALID_ARGUMENT if it was
 * taken already or cannot be, or with %LOKY_ERROR_FORKED in a child of the process that has the
 * object
 *
 * Since: 1.0
 */
int
loky_descriptor_steal_fd (LokyDescriptor *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_DESCRIPTOR (self), -1);

  if (!check_open (self, error))
    return -1;
  if (!g_atomic_int_compare_and_exchange (&self->state, STATE_RECEIVED, STATE_TAKEN))
    {
      g_set_error_literal (
          error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
          "A descriptor that can be sent stays that of its object: it can be copied");
      return -1;
    }
  g_atomic_int_add (&n_received, -1);
  loky_fork_guard_remove (self->fd);
  return self->fd;
}

/**
 * loky_descriptor_get_handle:
 * @self: a descriptor
 *
 * Gets what values of type `h` refer to it by.
 *
 * Returns: the handle; not negative, and of no other live object made in this process
 *
 * Since: 1.0
 */
gint32
loky_descriptor_get_handle (LokyDescriptor *self)
{
  g_return_val_if_fail (LOKY_IS_DESCRIPTOR (self), -1);

  return self->handle;
}

/* One that was received has the handle of its sender. */
static gboolean
list_received (LokyDescriptor *self, GError **error)
{
  if (!loky_attachment_list_received (G_OBJECT (self), self->handle))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "The handle %d is that of something else in this process", self->handle);
      return FALSE;
    }
  self->is_listed = TRUE;
  g_atomic_int_set (&self->state, STATE_SENDABLE);
  return TRUE;
}

/**
 * loky_descriptor_to_variant:
 * @self: a descriptor
 * @error: return location for an error
 *
 * Makes a value of type `h` that refers to a descriptor.
 *
 * The value can stand anywhere in the arguments of a task, or in a result that may refer to descriptors.
 * It does not keep the descriptor alive; submitting the task does. A task that has an executor of its own may pass on one of its arguments
 * by this; it cannot be taken then.
 *
 * Returns: (transfer full): a value, not floating; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the
 * descriptor was taken, or was received with a handle that something else has here, or with
 * %LOKY_ERROR_FORKED in a child of the process that has the object
 *
 * Since: 1.0
 */
GVariant *
loky_descriptor_to_variant (LokyDescriptor *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_DESCRIPTOR (self), NULL);

  /* One that was added to a result can be sent, and is not listed. */
  if (!check_open (self, error) || (!self->is_listed && !list_received (self, error)))
    return NULL;
  return g_variant_ref_sink (g_variant_new_handle (self->handle));
}
