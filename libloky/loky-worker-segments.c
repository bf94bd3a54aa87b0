/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-segments-private.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "loky-error.h"
#include "loky-util-private.h"

#define MAX_IDLE 2
#define MAX_IDLE_BYTES (128u << 20)

typedef struct
{
  GList link; /* among the idle ones */
  LokyWorkerSegments *owner;
  gpointer map;
  gsize size;
  guint32 number;
  ino_t inode; /* numbers are the sender's: this is what tells that it is the same memory */
} Segment;

struct _LokyWorkerSegments
{
  LokyChannel *channel;
  GMutex lock;
  GQueue idle; /* of Segment, the last one that was used first; lock */
};

LokyWorkerSegments *
loky_worker_segments_new (LokyChannel *channel)
{
  LokyWorkerSegments *self = g_new0 (LokyWorkerSegments, 1);

  self->channel = channel;
  g_mutex_init (&self->lock);
  return self;
}

static void
segment_free (Segment *segment)
{
  munmap (segment->map, segment->size);
  g_free (segment);
}

/* With the lock: takes out what is too much. */
static GSList *
trim_locked (LokyWorkerSegments *self)
{
  GSList *dropped = NULL;
  gsize kept = 0;
  guint n = 0;
  GList *next;

  for (GList *l = self->idle.head; l != NULL; l = next)
    {
      Segment *segment = l->data;

      next = l->next;
      if (n < MAX_IDLE && segment->size <= MAX_IDLE_BYTES - kept)
        {
          n++;
          kept += segment->size;
          continue;
        }
      g_queue_unlink (&self->idle, l);
      dropped = g_slist_prepend (dropped, segment);
    }
  return dropped;
}

static void
send_release (LokyWorkerSegments *self, guint32 number)
{
  loky_channel_append (self->channel, LOKY_MESSAGE_RELEASE, 0, number);
  loky_channel_flush_wait (self->channel);
}

static void
release (gpointer data)
{
  Segment *segment = data;
  LokyWorkerSegments *self = segment->owner;
  guint32 number = segment->number;
  GSList *dropped;

  g_mutex_lock (&self->lock);
  g_queue_push_head_link (&self->idle, &segment->link);
  dropped = trim_locked (self);
  g_mutex_unlock (&self->lock);
  /* Only now may it come again. */
  send_release (self, number);
  g_slist_free_full (dropped, (GDestroyNotify) segment_free);
}

static Segment *
find_idle (LokyWorkerSegments *self, guint32 number, const struct stat *info)
{
  Segment *found = NULL;

  g_mutex_lock (&self->lock);
  for (GList *l = self->idle.head; l != NULL && found == NULL; l = l->next)
    {
      Segment *segment = l->data;

      if (segment->number == number && segment->inode == info->st_ino &&
          segment->size == (gsize) info->st_size)
        found = segment;
    }
  if (found != NULL)
    g_queue_unlink (&self->idle, &found->link);
  g_mutex_unlock (&self->lock);
  return found;
}

/* All of it, for a larger value may come in it later. */
static Segment *
map_new (LokyWorkerSegments *self, int fd, const struct stat *info)
{
  gsize size = (gsize) info->st_size;
  void *map = mmap (NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  Segment *segment;

  if (map == MAP_FAILED)
    return NULL;
  segment = g_new0 (Segment, 1);
  segment->link.data = segment;
  segment->owner = self;
  segment->map = map;
  segment->size = size;
  segment->inode = info->st_ino;
  return segment;
}

GBytes *
loky_worker_segments_map (LokyWorkerSegments *self,
                          const LokyValueMessage *message,
                          int fd,
                          GError **error)
{
  Segment *segment = NULL;
  struct stat info;

  if (fstat (fd, &info) == 0 && info.st_size > 0 && (guint64) info.st_size >= message->size)
    {
      segment = find_idle (self, message->segment, &info);
      if (segment == NULL)
        segment = map_new (self, fd, &info);
    }
  if (segment == NULL)
    {
      int saved_errno = errno;

      send_release (self, message->segment);
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                   "The arguments of %" G_GUINT64_FORMAT " bytes cannot be mapped: %s", message->size,
                   g_strerror (saved_errno));
      return NULL;
    }
  segment->number = message->segment;
  return g_bytes_new_with_free_func (segment->map, message->size, release, segment);
}

void
loky_worker_segments_free (LokyWorkerSegments *self)
{
  for (GList *l = g_queue_pop_head_link (&self->idle); l != NULL;
       l = g_queue_pop_head_link (&self->idle))
    segment_free (l->data);
  g_mutex_clear (&self->lock);
  g_free (self);
}
