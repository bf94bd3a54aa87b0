/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-payload-private.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "loky-attachment-private.h"
#include "loky-close-private.h"
#include "loky-descriptor-private.h"
#include "loky-error.h"
#include "loky-memory-private.h"
#include "loky-util-private.h"
#include "loky-value-private.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* What a sender keeps mapped for its next large value, in segments and bytes. */
#define MAX_IDLE_SEGMENTS 2
#define MAX_IDLE_BYTES (128u << 20)
#define SEGMENT_STEP (64u << 10)

struct _LokyPayloadBlock
{
  LokyBlockCache *blocks;
  gpointer memory;
  gsize capacity;
};

gboolean
loky_payload_take_buffers (const LokyValueMessage *message,
                           int *fds,
                           GPtrArray **buffers,
                           GError **error)
{
  g_autoptr (GPtrArray) taken = NULL;
  guint first = message->place == LOKY_PLACE_SEGMENT ? 1 : 0;

  *buffers = NULL;
  if (message->n_buffers == 0)
    return TRUE;
  taken = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < message->n_buffers; i++)
    {
      const LokyBufferRecord *record = &message->buffers[i];
      GObject *attachment
          = loky_attachment_new_received (loky_steal_fd (&fds[first + i]), record, error);

      if (attachment == NULL)
        return FALSE;
      g_ptr_array_add (taken, attachment);
    }
  *buffers = g_steal_pointer (&taken);
  return TRUE;
}

/* By pread() and not by a mapping: a sender that shrinks the memory meanwhile makes a short read of
 * it, not a SIGBUS. What cannot shrink is viewed. */
static gboolean
read_fully (int fd, guint8 *out, gsize size, GError **error)
{
  gsize done = 0;

  while (done < size)
    {
      ssize_t got = pread (fd, out + done, MIN (size - done, 1u << 30), (off_t) done);

      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        {
          g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                               "A segment became shorter while it was read");
          return FALSE;
        }
      done += (gsize) got;
    }
  return TRUE;
}

static void
block_free (LokyPayloadBlock *self)
{
  loky_block_cache_release (self->blocks, self->memory, self->capacity);
  loky_block_cache_unref (self->blocks);
  g_free (self);
}

static LokyPayloadBlock *
read_segment (int fd, guint64 size, LokyBlockCache *blocks, LokySegmentView *view, GError **error)
{
  LokyPayloadBlock *block;
  struct stat info;
  gsize capacity;
  gpointer data;

  if (fstat (fd, &info) != 0 || !S_ISREG (info.st_mode) || info.st_size < 0 ||
      size > (guint64) info.st_size || size / 512 > (guint64) info.st_blocks)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                           "A segment is smaller than the value that it is said to hold");
      return NULL;
    }
  data = loky_block_cache_take (blocks, size, &capacity);
  if (data == NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                   "There is no memory for a value of %" G_GUINT64_FORMAT " bytes", size);
      return NULL;
    }
  block = g_new (LokyPayloadBlock, 1);
  *block = (LokyPayloadBlock){ loky_block_cache_ref (blocks), data, capacity };
  if ((view != NULL && loky_segment_view_copy (view, fd, data, size)) || read_fully (fd, data, size, error))
    return block;
  block_free (block);
  return NULL;
}

static gboolean
check_buffers (GPtrArray *buffers, gboolean accepts_descriptors, GError **error)
{
  for (guint i = 0; buffers != NULL && i < buffers->len; i++)
    if (!loky_attachment_check_whole (g_ptr_array_index (buffers, i), accepts_descriptors, error))
      return FALSE;
  return TRUE;
}

/* Half of what the process may have open is left to others. */
static gboolean
has_room_for_descriptors (guint n, GError **error)
{
  struct rlimit limit;

  if (n == 0 || getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      n + loky_descriptor_count_received () <= limit.rlim_cur / 2)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
               "The result cannot be received: %u descriptors of other results have not been taken",
               loky_descriptor_count_received ());
  return FALSE;
}

/* Only where a descriptor of any kind is due there may be one: of others more is asked, which may block. */
static gboolean
check_kinds (const LokyValueMessage *message, const int *fds, GError **error)
{
  guint first = message->place == LOKY_PLACE_SEGMENT ? 1 : 0;
  gboolean is_sound = first == 0 || loky_close_is_memory (fds[0]);
  guint n_descriptors = 0;

  for (guint i = 0; i < message->n_buffers && is_sound; i++)
    if (message->buffers[i].part == LOKY_PART_DESCRIPTOR)
      n_descriptors++;
    else
      is_sound = loky_close_is_memory (fds[first + i]) || loky_close_is_pipe (fds[first + i]);
  if (is_sound)
    return has_room_for_descriptors (n_descriptors, error);
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A descriptor was sent in place of memory");
  return FALSE;
}

/* One allocation holds the structure, the data of a small value (aligned to 16 bytes) and the
 * type. */
LokyPayload *
loky_payload_new_received (const LokyValueMessage *message,
                           int *fds,
                           LokyBlockCache *blocks,
                           LokySegmentView *view,
                           gboolean accepts_descriptors,
                           GError **error)
{
  gsize type_size = strlen (message->type) + 1;
  gsize data_offset = (sizeof (LokyPayload) + 15) & ~(gsize) 15;
  gsize inline_size = message->place == LOKY_PLACE_INLINE ? message->size : 0;
  g_autoptr (GPtrArray) buffers = NULL;
  LokyPayloadBlock *block = NULL;
  LokyPayload *self;

  if ((accepts_descriptors && !check_kinds (message, fds, error)) ||
      !loky_payload_take_buffers (message, fds, &buffers, error) ||
      !check_buffers (buffers, accepts_descriptors, error))
    return NULL;
  if (message->place == LOKY_PLACE_SEGMENT)
    {
      block = read_segment (fds[0], message->size, blocks, view, error);
      if (block == NULL)
        return NULL;
    }

  self = g_malloc (data_offset + inline_size + type_size);
  g_atomic_ref_count_init (&self->ref_count);
  self->block = block;
  self->buffers = g_steal_pointer (&buffers);
  self->size = message->size;
  self->data = block != NULL ? block->memory : (guint8 *) self + data_offset;
  self->type = (char *) self + data_offset + inline_size;
  if (inline_size > 0)
    memcpy ((guint8 *) self + data_offset, message->data, inline_size);
  memcpy ((char *) self + data_offset + inline_size, message->type, type_size);
  return self;
}

LokyPayload *
loky_payload_ref (LokyPayload *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
loky_payload_unref (LokyPayload *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_clear_pointer (&self->buffers, g_ptr_array_unref);
  g_clear_pointer (&self->block, block_free);
  g_free (self);
}

GVariant *
loky_payload_dup_variant (LokyPayload *self, GError **error)
{
  g_autoptr (GBytes) bytes
      = g_bytes_new_with_free_func (self->data, self->size, (GDestroyNotify) loky_payload_unref,
                                    loky_payload_ref (self));
  GVariant *value = loky_value_new_received (self->type, bytes);

  if (value == NULL)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                 "The bytes that a worker sent are not a value of type %s", self->type);
  return value;
}

static void
segment_free (LokySegment *segment)
{
  munmap (segment->map, segment->capacity);
  loky_close_fd (&segment->fd);
  g_free (segment);
}

void
loky_segment_pool_init (LokySegmentPool *self)
{
  g_mutex_init (&self->lock);
  self->segments = g_ptr_array_new_with_free_func ((GDestroyNotify) segment_free);
  self->last_number = 0;
}

void
loky_segment_pool_clear (LokySegmentPool *self)
{
  g_ptr_array_unref (self->segments);
  g_mutex_clear (&self->lock);
}

static LokySegment *
segment_new (gsize size, GError **error)
{
  gsize capacity = size > G_MAXSIZE - SEGMENT_STEP ? size : (size + SEGMENT_STEP - 1) / SEGMENT_STEP * SEGMENT_STEP;
  loky_autofd int fd
      = loky_fd_above_standard (memfd_create ("loky-segment", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const char *what = "make";
  void *map = MAP_FAILED;
  LokySegment *segment;

  if (fd >= 0)
    {
      what = "allocate";
      if (loky_memory_is_available (capacity))
        errno = posix_fallocate (fd, 0, (off_t) capacity);
      if (errno == 0)
        {
          what = "map";
          map = mmap (NULL, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        }
    }
  if (map == MAP_FAILED)
    {
      int saved_errno = errno;

      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                   "Cannot %s a segment of %" G_GSIZE_FORMAT " bytes: %s", what, capacity,
                   g_strerror (saved_errno));
      return NULL;
    }
  /* Nobody but who holds the mapping above can write any more. Kernels before 5.1 do not know
   * FUTURE_WRITE: there the receiver could spoil its own copy of the value, nothing else. */
  if (fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0)
    fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);

  segment = g_new0 (LokySegment, 1);
  segment->fd = loky_steal_fd (&fd);
  segment->map = map;
  segment->capacity = capacity;
  return segment;
}

/* The smallest idle one that is large enough, unless it is much too large. */
static LokySegment *
find_idle (LokySegmentPool *self, gsize size)
{
  LokySegment *best = NULL;

  for (guint i = 0; i < self->segments->len; i++)
    {
      LokySegment *segment = g_ptr_array_index (self->segments, i);

      if (!segment->in_use && segment->capacity >= size && segment->capacity / 4 <= size &&
          (best == NULL || segment->capacity < best->capacity))
        best = segment;
    }
  return best;
}

LokySegment *
loky_segment_pool_take (LokySegmentPool *self, gsize size, GError **error)
{
  LokySegment *segment;

  g_mutex_lock (&self->lock);
  segment = find_idle (self, size);
  if (segment != NULL)
    {
      segment->in_use = TRUE;
      segment->is_sent = FALSE;
      segment->is_released = FALSE;
    }
  g_mutex_unlock (&self->lock);
  if (segment != NULL)
    return segment;

  segment = segment_new (size, error);
  if (segment == NULL)
    return NULL;
  segment->in_use = TRUE;
  g_mutex_lock (&self->lock);
  segment->number = ++self->last_number;
  g_ptr_array_add (self->segments, segment);
  g_mutex_unlock (&self->lock);
  return segment;
}

static void
trim (LokySegmentPool *self)
{
  gsize idle_bytes = 0;
  guint n_idle = 0;

  for (guint i = self->segments->len; i > 0; i--)
    {
      LokySegment *segment = g_ptr_array_index (self->segments, i - 1);

      if (segment->in_use)
        continue;
      if (n_idle == MAX_IDLE_SEGMENTS || segment->capacity > MAX_IDLE_BYTES - idle_bytes)
        {
          g_ptr_array_remove_index (self->segments, i - 1);
          continue;
        }
      n_idle++;
      idle_bytes += segment->capacity;
    }
}

static void
let_go (LokySegmentPool *self, guint64 number, gboolean is_sent, gboolean is_released)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->segments->len; i++)
    {
      LokySegment *segment = g_ptr_array_index (self->segments, i);

      if (segment->number != number || !segment->in_use)
        continue;
      segment->is_sent |= is_sent;
      segment->is_released |= is_released;
      segment->in_use = !segment->is_sent || !segment->is_released;
    }
  trim (self);
  g_mutex_unlock (&self->lock);
}

void
loky_segment_pool_sent (LokySegmentPool *self, guint32 number)
{
  let_go (self, number, TRUE, FALSE);
}

void
loky_segment_pool_drop (LokySegmentPool *self, guint32 number)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->segments->len; i++)
    {
      LokySegment *segment = g_ptr_array_index (self->segments, i);

      if (segment->number != number || !segment->in_use)
        continue;
      g_ptr_array_remove_index (self->segments, i);
      break;
    }
  g_mutex_unlock (&self->lock);
}

void
loky_segment_pool_release (LokySegmentPool *self, guint64 number)
{
  let_go (self, number, FALSE, TRUE);
}
