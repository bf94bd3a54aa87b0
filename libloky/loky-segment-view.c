/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-segment-view-private.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Mapping less than this anew takes longer than reading it: 0.17 ms against 0.12 for 1 MiB, 15 against 19 for 64 MiB. */
#define MIN_SIZE (4u << 20)

/* What is kept in all: as much as a sender keeps. */
#define MAX_KEPT (128u << 20)

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE)

static void
drop (LokySegmentView *self, guint i)
{
  if (self->kept[i].map != NULL)
    munmap (self->kept[i].map, self->kept[i].size);
  memset (&self->kept[i], 0, sizeof self->kept[i]);
}

void
loky_segment_view_clear (LokySegmentView *self)
{
  for (guint i = 0; i < LOKY_SEGMENT_VIEW_N; i++)
    drop (self, i);
}

/* Whether no access to it can fail or wait, whatever its sender does: its length stays, and so does each of its pages, which
 * nobody can take out of what is sealed against writing. (The sender writes by the mapping that it made before.) What has
 * huge pages of its own is left alone. */
static gboolean
is_sound (int fd, gsize size, struct stat *info)
{
  int seals = fcntl (fd, F_GET_SEALS);
  struct statfs system;

  /* The length and the pages are asked for when they cannot become less any more. */
  return seals >= 0 && (seals & SEALS) == SEALS && fstatfs (fd, &system) == 0 && system.f_type == TMPFS_MAGIC &&
         fstat (fd, info) == 0 && info->st_size >= 0 && (guint64) info->st_size >= size &&
         (guint64) info->st_blocks >= (guint64) info->st_size / 512;
}

static void
put_first (LokySegmentView *self, guint i)
{
  typeof (self->kept[0]) first = self->kept[i];

  memmove (&self->kept[1], &self->kept[0], i * sizeof self->kept[0]);
  self->kept[0] = first;
}

static gboolean
find (LokySegmentView *self, const struct stat *info, gsize size)
{
  for (guint i = 0; i < LOKY_SEGMENT_VIEW_N; i++)
    if (self->kept[i].map != NULL && self->kept[i].device == info->st_dev &&
        self->kept[i].inode == info->st_ino && self->kept[i].size >= size)
      {
        put_first (self, i);
        return TRUE;
      }
  return FALSE;
}

/* All of it, for a larger value may come in it later. */
static gboolean
map_new (LokySegmentView *self, int fd, gsize size)
{
  struct stat info;
  gpointer map;

  if (!is_sound (fd, size, &info))
    return FALSE;
  map = mmap (NULL, (gsize) info.st_size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return FALSE;
  madvise (map, (gsize) info.st_size, MADV_DONTFORK);
  /* Faster than fault by fault. */
  madvise (map, size, MADV_POPULATE_READ);
  drop (self, LOKY_SEGMENT_VIEW_N - 1);
  put_first (self, LOKY_SEGMENT_VIEW_N - 1);
  self->kept[0].map = map;
  self->kept[0].size = (gsize) info.st_size;
  self->kept[0].device = info.st_dev;
  self->kept[0].inode = info.st_ino;
  return TRUE;
}

static void
trim (LokySegmentView *self)
{
  gsize kept = 0;

  for (guint i = 0; i < LOKY_SEGMENT_VIEW_N; i++)
    if (self->kept[i].size > MAX_KEPT - kept)
      drop (self, i);
    else
      kept += self->kept[i].size;
}

gboolean
loky_segment_view_copy (LokySegmentView *self, int fd, gpointer to, gsize size)
{
  struct stat info;

  if (fstat (fd, &info) != 0)
    return FALSE;
  if (!find (self, &info, size) && (size < MIN_SIZE || !map_new (self, fd, size)))
    {
      /* What is not used any more goes, in the end. */
      drop (self, LOKY_SEGMENT_VIEW_N - 1);
      return FALSE;
    }
  memcpy (to, self->kept[0].map, size);
  trim (self);
  return TRUE;
}
