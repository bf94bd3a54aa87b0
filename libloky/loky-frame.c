/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-frame-private.h"

#include <string.h>

#include "loky-error.h"

typedef struct
{
  guint32 magic;
  guint8 version;
  guint8 type;
  guint8 n_fds;
  guint8 reserved;
  guint32 length;
  guint32 slot;
  guint64 number;
} WireHeader;

G_STATIC_ASSERT (sizeof (WireHeader) == LOKY_FRAME_HEADER_SIZE);
G_STATIC_ASSERT (G_STRUCT_OFFSET (WireHeader, length) == 8);
G_STATIC_ASSERT (G_STRUCT_OFFSET (WireHeader, number) == 16);

void
loky_frame_encode_header (const LokyFrameHeader *header, guint8 *out)
{
  WireHeader wire = {
    .magic = LOKY_FRAME_MAGIC,
    .version = LOKY_FRAME_VERSION,
    .type = header->type,
    .n_fds = header->n_fds,
    .length = header->length,
    .slot = header->slot,
    .number = header->number,
  };

  memcpy (out, &wire, sizeof wire);
}

LokyFrameStatus
loky_frame_decode (const guint8 *data,
                   gsize available,
                   LokyFrameHeader *header,
                   gsize *size,
                   GError **error)
{
  WireHeader wire;

  *size = LOKY_FRAME_HEADER_SIZE;
  if (available < LOKY_FRAME_HEADER_SIZE)
    return LOKY_FRAME_NEED_MORE;
  memcpy (&wire, data, sizeof wire);

  if (wire.magic != LOKY_FRAME_MAGIC)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A frame begins with %08x instead of %08x",
                   wire.magic, LOKY_FRAME_MAGIC);
      return LOKY_FRAME_INVALID;
    }
  if (wire.version != LOKY_FRAME_VERSION)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                   "A frame is of protocol version %u instead of %u", wire.version,
                   LOKY_FRAME_VERSION);
      return LOKY_FRAME_INVALID;
    }
  if (wire.length > LOKY_FRAME_MAX_BODY)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                   "A frame claims a body of %u bytes, more than %u", wire.length,
                   LOKY_FRAME_MAX_BODY);
      return LOKY_FRAME_INVALID;
    }
  if (wire.n_fds > LOKY_FRAME_MAX_FDS || wire.reserved != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                   "A frame claims %u descriptors and holds %u where zero is due", wire.n_fds,
                   wire.reserved);
      return LOKY_FRAME_INVALID;
    }

  *header = (LokyFrameHeader){
    .type = wire.type,
    .n_fds = wire.n_fds,
    .length = wire.length,
    .slot = wire.slot,
    .number = wire.number,
  };
  *size = loky_frame_size (wire.length);
  return available < *size ? LOKY_FRAME_NEED_MORE : LOKY_FRAME_COMPLETE;
}
