/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The segments that a worker sent its last large values in, kept mapped for its next ones: copying out of a mapping
 * takes half of the time of pread().
 *
 * A sender cannot do harm by it: what can shrink, or lose a page, is not mapped. To be used by one thread at a time. */

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

#define LOKY_SEGMENT_VIEW_N 2

typedef struct
{
  struct
  {
    gpointer map; /* NULL: there is none */
    gsize size;
    dev_t device;
    ino_t inode;
  } kept[LOKY_SEGMENT_VIEW_N]; /* the last one that was used first */
} LokySegmentView;

/* Copies the first @size bytes of what @fd means, which is at least as long. FALSE: it has to be read. */
gboolean loky_segment_view_copy (LokySegmentView *self, int fd, gpointer to, gsize size);

void loky_segment_view_clear (LokySegmentView *self);

G_END_DECLS
