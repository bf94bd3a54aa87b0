/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A stream of bytes as frames: each header that is accepted is what was read, and within its bounds. */

#include <string.h>

#include "fuzz.h"
#include "loky-error.h"
#include "loky-frame-private.h"

static void
check_header (const LokyFrameHeader *header, const guint8 *bytes, gsize size)
{
  guint8 again[LOKY_FRAME_HEADER_SIZE];

  g_assert (header->length <= LOKY_FRAME_MAX_BODY);
  g_assert (header->n_fds <= LOKY_FRAME_MAX_FDS);
  g_assert (size >= LOKY_FRAME_HEADER_SIZE + (gsize) header->length && size % 8 == 0);
  g_assert (size < LOKY_FRAME_HEADER_SIZE + (gsize) header->length + 8);
  loky_frame_encode_header (header, again);
  g_assert (memcmp (again, bytes, sizeof again) == 0);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  gsize at = 0;

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      gsize available = size - at;
      LokyFrameHeader header;
      gsize frame_size = 0;

      switch (loky_frame_decode (data + at, available, &header, &frame_size, &error))
        {
        case LOKY_FRAME_COMPLETE:
          g_assert (error == NULL && frame_size <= available);
          check_header (&header, data + at, frame_size);
          at += frame_size;
          break;
        case LOKY_FRAME_NEED_MORE:
          g_assert (error == NULL && frame_size > available);
          if (available >= LOKY_FRAME_HEADER_SIZE)
            check_header (&header, data + at, frame_size);
          return 0;
        case LOKY_FRAME_INVALID:
        default:
          g_assert (g_error_matches (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL));
          return 0;
        }
    }
}
