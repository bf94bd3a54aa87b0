/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values on their way: kept as bytes until somebody asks for the GVariant, and larger ones moved by
 * shared memory ("segments") instead of through the socket.
 *
 * A segment is a memfd that its sender fills and its receiver reads. It is used again only after it was
 * sent and its receiver released it; it goes with the channel. */

#include "loky-block-private.h"
#include "loky-buffer-private.h"
#include "loky-message-private.h"
#include "loky-segment-view-private.h"

G_BEGIN_DECLS

/* The memory of a value that came in a segment. */
typedef struct _LokyPayloadBlock LokyPayloadBlock;

/* A value that was received: its bytes are private to this process, so that nobody can change them
 * while they are looked at. Immutable; reference-counted; callable from any thread. */
typedef struct
{
  gatomicrefcount ref_count;
  const char *type;
  gconstpointer data;
  gsize size;
  LokyPayloadBlock *block; /* that @data is in, or NULL */
  GPtrArray *buffers; /* of attachments, or NULL */
} LokyPayload;

/* In the parent: takes what a checked message holds. @fds are those of its frame: those of buffers are
 * stolen, that is set to -1. Copies out of the segment, which the caller then closes and releases, into
 * memory of @blocks, through @view, which is that of the sender (nullable). With @accepts_descriptors those of a
 * LokyDescriptor may be anything, and are not looked at; so many that the process would run out of them are
 * LOKY_ERROR_RESOURCES. */
LokyPayload *loky_payload_new_received (const LokyValueMessage *message,
                                        int *fds,
                                        LokyBlockCache *blocks,
                                        LokySegmentView *view,
                                        gboolean accepts_descriptors,
                                        GError **error);
LokyPayload *loky_payload_ref (LokyPayload *self);
void loky_payload_unref (LokyPayload *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokyPayload, loky_payload_unref)

/* The value. LOKY_ERROR_PROTOCOL if it is not in normal form. */
GVariant *loky_payload_dup_variant (LokyPayload *self, GError **error);

/* The buffers of a message, taken out of @fds (which begin with the segment if there is one). */
gboolean loky_payload_take_buffers (const LokyValueMessage *message,
                                    int *fds,
                                    GPtrArray **buffers,
                                    GError **error);

/* The segments of one sender for one receiver. Callable from any thread. */
typedef struct
{
  GMutex lock;
  GPtrArray *segments;
  guint32 last_number;
} LokySegmentPool;

typedef struct
{
  guint32 number;
  int fd;
  guint8 *map;
  gsize capacity;
  gboolean in_use;      /* from take until it was both sent and released */
  gboolean is_sent;
  gboolean is_released; /* a hostile receiver may say so before it was sent */
} LokySegment;

void loky_segment_pool_init (LokySegmentPool *self);
void loky_segment_pool_clear (LokySegmentPool *self);

/* A segment of at least @size bytes, for the caller to fill and send; NULL with
 * LOKY_ERROR_RESOURCES. */
LokySegment *loky_segment_pool_take (LokySegmentPool *self, gsize size, GError **error);

/* The sender does not need it any more: its descriptor is on the way, or will never be. */
void loky_segment_pool_sent (LokySegmentPool *self, guint32 number);

/* It is on the way, and its receiver does not release it: it is not used again. */
void loky_segment_pool_drop (LokySegmentPool *self, guint32 number);

/* The receiver does not need it any more. A number that is not in use is ignored: a hostile one may
 * send any, at any time. */
void loky_segment_pool_release (LokySegmentPool *self, guint64 number);

G_END_DECLS
