/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A buffer is a memfd. While it is open for writing it is mapped writable, here only. Sealing unmaps
 * it, adds all seals, F_SEAL_WRITE too, and maps it again for reading: from then on no process can
 * change it, so that both ends may look at the same pages without trusting each other. */

#include "loky-buffer-private.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "loky-attachment-private.h"
#include "loky-error.h"
#include "loky-memory-private.h"
#include "loky-util-private.h"
#include "loky-tsan-private.h"

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/**
 * LokyBuffer:
 *
 * Bytes in shared memory, which are handed to another process without a copy.
 *
 * Make one, write into it, and refer to it in the arguments of a task by
 * [method@Loky.Buffer.to_variant], which seals it: from then on nobody can change it. The task finds
 * it with [method@Loky.TaskContext.lookup_buffer]. A task returns one by
 * [method@Loky.TaskContext.add_buffer], and the owner of its future finds it with
 * [method@Loky.Future.lookup_buffer].
 *
 * A buffer must be alive when the task that refers to it is submitted; libloky keeps it from there.
 *
 * Writing and sealing is for one thread at a time; a sealed buffer can be used from any thread.
 *
 * Since: 1.0
 */
struct _LokyBuffer
{
  GObject parent_instance;

  int fd;
  gsize size;
  gpointer map; /* NULL for an empty buffer */
  gint32 handle;
  gboolean is_listed; /* among the live ones */
  gint sealed; /* atomic */
};

G_DEFINE_FINAL_TYPE (LokyBuffer, loky_buffer, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_SIZE,
  PROP_SEALED,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

static gboolean
fail_errno (GError **error, const char *what, gsize size)
{
  int saved_errno = errno;

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
               "Cannot %s a buffer of %" G_GSIZE_FORMAT " bytes: %s", what, size,
               g_strerror (saved_errno));
  return FALSE;
}

static gboolean
map_buffer (LokyBuffer *self, int protection, int flags, GError **error)
{
  void *address;

  if (self->size == 0)
    return TRUE;
  address = mmap (NULL, self->size, protection, flags, self->fd, 0);
  if (address == MAP_FAILED)
    return fail_errno (error, "map", self->size);
  self->map = address;
  return TRUE;
}

static void
loky_buffer_finalize (GObject *object)
{
  LokyBuffer *self = LOKY_BUFFER (object);

  LOKY_TSAN_ACQUIRE (object);
  if (self->is_listed)
    loky_attachment_unlist (self->handle);
  if (self->map != NULL)
    munmap (self->map, self->size);
  loky_close_fd (&self->fd);

  G_OBJECT_CLASS (loky_buffer_parent_class)->finalize (object);
}

static void
loky_buffer_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  LokyBuffer *self = LOKY_BUFFER (object);

  switch (prop_id)
    {
    case PROP_SIZE:
      g_value_set_uint64 (value, self->size);
      break;
    case PROP_SEALED:
      g_value_set_boolean (value, loky_buffer_is_sealed (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
loky_buffer_class_init (LokyBufferClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = loky_buffer_finalize;
  object_class->get_property = loky_buffer_get_property;

  /**
   * LokyBuffer:size:
   *
   * The size, in bytes.
   *
   * Since: 1.0
   */
  properties[PROP_SIZE] = g_param_spec_uint64 ("size", NULL, NULL, 0, G_MAXUINT64, 0,
                                               G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LokyBuffer:sealed:
   *
   * Whether the content can no longer change.
   *
   * Since: 1.0
   */
  properties[PROP_SEALED] = g_param_spec_boolean ("sealed", NULL, NULL, FALSE,
                                                  G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loky_buffer_init (LokyBuffer *self)
{
  self->fd = -1;
}

/**
 * loky_buffer_new:
 * @size: the size, in bytes; 0 is allowed
 * @error: return location for an error
 *
 * Makes a buffer of zero bytes, to be written through [method@Loky.Buffer.get_writable_data].
 *
 * The memory is reserved at once: writing into it cannot fail later. More than the system has available
 * is refused.
 *
 * Returns: (transfer full): a new buffer, or %NULL with %LOKY_ERROR_RESOURCES
 *
 * Since: 1.0
 */
LokyBuffer *
loky_buffer_new (gsize size, GError **error)
{
  g_autoptr (LokyBuffer) self = g_object_new (LOKY_TYPE_BUFFER, NULL);

  self->size = size;
  self->fd = loky_fd_above_standard (memfd_create ("loky-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (self->fd < 0)
    {
      fail_errno (error, "make", size);
      return NULL;
    }
  /* Reserved before it is mapped: a full memory would otherwise be a SIGBUS later. */
  if (size > 0)
    {
      if (size > G_MAXINT64)
        errno = EFBIG;
      else if (loky_memory_is_available (size))
        errno = posix_fallocate (self->fd, 0, (off_t) size);
      if (errno != 0)
        {
          fail_errno (error, "allocate", size);
          return NULL;
        }
    }
  if (!map_buffer (self, PROT_READ | PROT_WRITE, MAP_SHARED, error))
    return NULL;
  self->handle = loky_attachment_list (G_OBJECT (self));
  self->is_listed = TRUE;
  return g_steal_pointer (&self);
}

/**
 * loky_buffer_new_from_bytes:
 * @bytes: what to copy
 * @error: return location for an error
 *
 * Makes a sealed buffer that holds a copy of @bytes.
 *
 * Returns: (transfer full): a new buffer, or %NULL with %LOKY_ERROR_RESOURCES
 *
 * Since: 1.0
 */
LokyBuffer *
loky_buffer_new_from_bytes (GBytes *bytes, GError **error)
{
  g_autoptr (LokyBuffer) self = NULL;
  gsize size;
  gconstpointer data;

  g_return_val_if_fail (bytes != NULL, NULL);

  data = g_bytes_get_data (bytes, &size);
  self = loky_buffer_new (size, error);
  if (self == NULL)
    return NULL;
  if (size > 0)
    memcpy (self->map, data, size);
  if (!loky_buffer_seal (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

static gboolean
fail_received (GError **error, const char *what)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A buffer was received that %s", what);
  return FALSE;
}

/* What is a hole for lseek() may also be memory that was allocated and never written: filling it shows, since
 * only a hole takes memory then. Nobody else can do so meanwhile, for it is sealed and complete. */
gboolean
loky_buffer_check_whole (LokyBuffer *self, GError **error)
{
  off_t size = (off_t) self->size;
  struct stat info, filled;

  if (size == 0 || lseek (self->fd, 0, SEEK_HOLE) >= size)
    return TRUE;
  if (fstat (self->fd, &info) == 0 && fallocate (self->fd, 0, 0, size) == 0 &&
      fstat (self->fd, &filled) == 0 && filled.st_blocks <= info.st_blocks)
    return TRUE;
  return fail_received (error, "has holes");
}

static gboolean
check_received (int fd, guint64 size, GError **error)
{
  int seals = fcntl (fd, F_GET_SEALS);
  struct stat info;

  if (seals < 0 || (seals & ALL_SEALS) != ALL_SEALS)
    return fail_received (error, "is not sealed");
  if (fstat (fd, &info) != 0 || info.st_size < 0 || (guint64) info.st_size != size)
    return fail_received (error, "is not of the size that was said");
  /* A hole would have to be filled on first access, which fails with SIGBUS on a full memory. */
  if ((guint64) info.st_blocks < size / 512)
    return fail_received (error, "has holes");
  return TRUE;
}

LokyBuffer *
loky_buffer_new_received (int fd, gint32 handle, guint64 size, GError **error)
{
  g_autoptr (LokyBuffer) self = g_object_new (LOKY_TYPE_BUFFER, NULL);

  self->fd = fd;
  self->size = size;
  self->handle = handle;
  if (!check_received (fd, size, error) || !map_buffer (self, PROT_READ, MAP_SHARED, error))
    return NULL;
  g_atomic_int_set (&self->sealed, TRUE);
  return g_steal_pointer (&self);
}

/**
 * loky_buffer_get_size:
 * @self: a buffer
 *
 * Gets the size of a buffer.
 *
 * Returns: the size, in bytes
 *
 * Since: 1.0
 */
gsize
loky_buffer_get_size (LokyBuffer *self)
{
  g_return_val_if_fail (LOKY_IS_BUFFER (self), 0);

  return self->size;
}

/**
 * loky_buffer_get_writable_data: (skip)
 * @self: a buffer that is not sealed
 *
 * Gets the memory of a buffer, to be written.
 *
 * The pointer is valid until the buffer is sealed or gone.
 *
 * Returns: (transfer none) (nullable): the memory; %NULL if the buffer is empty or sealed
 *
 * Since: 1.0
 */
gpointer
loky_buffer_get_writable_data (LokyBuffer *self)
{
  g_return_val_if_fail (LOKY_IS_BUFFER (self), NULL);

  return loky_buffer_is_sealed (self) ? NULL : self->map;
}

/**
 * loky_buffer_write:
 * @self: a buffer that is not sealed
 * @offset: where to write, in bytes from the start
 * @bytes: what to write
 * @error: return location for an error
 *
 * Copies bytes into a buffer; for languages that cannot write through
 * [method@Loky.Buffer.get_writable_data].
 *
 * Returns: %TRUE, or %FALSE with %LOKY_ERROR_INVALID_ARGUMENT if the buffer is sealed or @bytes do not
 *   fit into it
 *
 * Since: 1.0
 */
gboolean
loky_buffer_write (LokyBuffer *self, gsize offset, GBytes *bytes, GError **error)
{
  gconstpointer data;
  gsize size;

  g_return_val_if_fail (LOKY_IS_BUFFER (self), FALSE);
  g_return_val_if_fail (bytes != NULL, FALSE);

  data = g_bytes_get_data (bytes, &size);
  if (loky_buffer_is_sealed (self) || offset > self->size || size > self->size - offset)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "%" G_GSIZE_FORMAT " bytes cannot be written at %" G_GSIZE_FORMAT
                   " into a buffer of %" G_GSIZE_FORMAT " that is %s",
                   size, offset, self->size, loky_buffer_is_sealed (self) ? "sealed" : "open");
      return FALSE;
    }
  if (size > 0)
    memcpy ((guint8 *) self->map + offset, data, size);
  return TRUE;
}

/**
 * loky_buffer_seal:
 * @self: a buffer
 * @error: return location for an error
 *
 * Makes the content of a buffer constant, for every process.
 *
 * A buffer that is sealed already stays as it is.
 *
 * Returns: %TRUE, or %FALSE with %LOKY_ERROR_RESOURCES
 *
 * Since: 1.0
 */
gboolean
loky_buffer_seal (LokyBuffer *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_BUFFER (self), FALSE);

  if (loky_buffer_is_sealed (self))
    return TRUE;

  /* F_SEAL_WRITE is refused while a writable mapping exists. */
  if (self->map != NULL)
    munmap (g_steal_pointer (&self->map), self->size);
  if (fcntl (self->fd, F_ADD_SEALS, ALL_SEALS) != 0)
    {
      int saved_errno = errno;

      if (map_buffer (self, PROT_READ | PROT_WRITE, MAP_SHARED, error))
        {
          errno = saved_errno;
          fail_errno (error, "seal", self->size);
        }
      return FALSE;
    }
  if (!map_buffer (self, PROT_READ, MAP_SHARED, error))
    return FALSE;

  g_atomic_int_set (&self->sealed, TRUE);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SEALED]);
  return TRUE;
}

/**
 * loky_buffer_is_sealed:
 * @self: a buffer
 *
 * Whether the content can no longer change.
 *
 * Returns: %TRUE if the buffer is sealed
 *
 * Since: 1.0
 */
gboolean
loky_buffer_is_sealed (LokyBuffer *self)
{
  g_return_val_if_fail (LOKY_IS_BUFFER (self), FALSE);

  return g_atomic_int_get (&self->sealed);
}

/**
 * loky_buffer_dup_bytes:
 * @self: a buffer
 * @error: return location for an error
 *
 * Gets the content of a buffer without copying it, and seals the buffer.
 *
 * Returns: (transfer full): the content, which keeps the buffer alive; or %NULL with
 *   %LOKY_ERROR_RESOURCES
 *
 * Since: 1.0
 */
GBytes *
loky_buffer_dup_bytes (LokyBuffer *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_BUFFER (self), NULL);

  if (!loky_buffer_seal (self, error))
    return NULL;
  if (self->size == 0)
    return g_bytes_new (NULL, 0);
  return g_bytes_new_with_free_func (self->map, self->size, g_object_unref, g_object_ref (self));
}

/**
 * loky_buffer_get_handle:
 * @self: a buffer
 *
 * Gets the number by which a buffer is referred to in a #GVariant.
 *
 * Returns: the handle, at least 0
 *
 * Since: 1.0
 */
gint32
loky_buffer_get_handle (LokyBuffer *self)
{
  g_return_val_if_fail (LOKY_IS_BUFFER (self), -1);

  return self->handle;
}

/**
 * loky_buffer_to_variant:
 * @self: a buffer
 * @error: return location for an error
 *
 * Makes a value of type `h` that refers to a buffer, and seals the buffer.
 *
 * The value can stand anywhere in the arguments of a task. It does not keep the buffer alive;
 * submitting the task does. A task that returns a buffer uses
 * [method@Loky.TaskContext.add_buffer] instead, which keeps it until the result was sent.
 *
 * Returns: (transfer full): a value, not floating; or %NULL with %LOKY_ERROR_RESOURCES
 *
 * Since: 1.0
 */
GVariant *
loky_buffer_to_variant (LokyBuffer *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_BUFFER (self), NULL);

  if (!loky_buffer_seal (self, error))
    return NULL;
  return g_variant_ref_sink (g_variant_new_handle (self->handle));
}

int
loky_buffer_get_fd (LokyBuffer *self)
{
  return self->fd;
}
