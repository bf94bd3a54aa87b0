/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The byte layout of what travels between the application and a worker.
 *
 * A frame is a header of 24 bytes, a body, and zero bytes up to a multiple of eight, so that the
 * body of each frame is aligned for the GVariant that it may hold. Numbers are in native byte order:
 * both ends run on one machine. docs/protocol.md has the table.
 *
 * Pure: no I/O, no allocation, no shared state; callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

#define LOKY_FRAME_MAGIC 0x594b4f4cu /* "LOKY" */
#define LOKY_FRAME_VERSION 9
#define LOKY_FRAME_HEADER_SIZE 24

/* Larger values travel in shared memory, so that a length from a hostile peer cannot make the
 * reader allocate more than this. */
#define LOKY_FRAME_MAX_BODY (1u << 20)

/* A frame never carries more descriptors than one SCM_RIGHTS message can (SCM_MAX_FD is 253). */
#define LOKY_FRAME_MAX_FDS 64

typedef struct
{
  guint8 type;
  guint8 n_fds;
  guint32 length;
  guint32 slot;
  guint64 number;
} LokyFrameHeader;

typedef enum
{
  LOKY_FRAME_COMPLETE,
  LOKY_FRAME_NEED_MORE,
  LOKY_FRAME_INVALID,
} LokyFrameStatus;

void loky_frame_encode_header (const LokyFrameHeader *header, guint8 *out);

/* Looks at the first @available bytes of @data. COMPLETE: @header and @size are set, @size being the
 * whole frame with its padding. NEED_MORE: @size is how many bytes are needed at the least.
 * INVALID: @error says why (LOKY_ERROR_PROTOCOL). */
LokyFrameStatus loky_frame_decode (const guint8 *data,
                                   gsize available,
                                   LokyFrameHeader *header,
                                   gsize *size,
                                   GError **error);

static inline gsize
loky_frame_size (guint32 body_length)
{
  return LOKY_FRAME_HEADER_SIZE + (((gsize) body_length + 7) & ~(gsize) 7);
}

G_END_DECLS
