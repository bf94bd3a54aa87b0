/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The segments in which a worker receives large values.
 *
 * One stays mapped after its value was released, since the application will use it again: to map and unmap
 * 64 MiB takes as long as to copy them. Two are kept at the most, of 128 MiB together.
 *
 * Received by the worker's loop; values are released in whatever thread drops them last. */

#include "loky-channel-private.h"

G_BEGIN_DECLS

typedef struct _LokyWorkerSegments LokyWorkerSegments;

/* @channel: on which releases are sent. It is never freed: the process ends. */
LokyWorkerSegments *loky_worker_segments_new (LokyChannel *channel);

/* The bytes of a value that is in the segment @fd, which stays the caller's. The segment is released when the
 * bytes are, also if this fails, with LOKY_ERROR_RESOURCES. */
GBytes *loky_worker_segments_map (LokyWorkerSegments *self,
                                  const LokyValueMessage *message,
                                  int fd,
                                  GError **error);

/* For tests. */
void loky_worker_segments_free (LokyWorkerSegments *self);

G_END_DECLS
