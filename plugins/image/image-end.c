/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Finds out whether a PNG or JPEG file is whole.
 *
 * GdkPixbufLoader of gdk-pixbuf 2.42 accepts either when it was cut off anywhere behind its header:
 * the rest of the picture is black or noise, without an error. So the chunks or segments are
 * followed to the one that ends the image. Searching for that at the end of the file would not do:
 * a file may have anything behind its image, and an embedded thumbnail has an end of its own.
 */

#include <string.h>

#include "image-private.h"

#define PNG_SIGNATURE "\x89PNG\r\n\x1a\n"
#define PNG_SIGNATURE_LENGTH 8
#define PNG_CHECKSUM_LENGTH 4

enum
{
  JPEG_STUFFED_ZERO = 0x00,
  JPEG_TEM = 0x01,
  JPEG_RST0 = 0xd0,
  JPEG_SOI = 0xd8,
  JPEG_EOI = 0xd9,
  JPEG_FILL = 0xff,
};

static void
skip (ImageEnd *self, guint64 length, ImageEndState next)
{
  self->skip = length;
  self->next = next;
  self->n_header = 0;
  if (length == 0)
    self->state = next;
}

static void
begin (ImageEnd *self)
{
  if (self->header[0] == JPEG_FILL && self->header[1] == JPEG_SOI)
    {
      self->n_header = 0;
      self->state = IMAGE_END_JPEG_SCAN;
    }
  else if (memcmp (self->header, PNG_SIGNATURE, 2) == 0)
    {
      skip (self, PNG_SIGNATURE_LENGTH - 2, IMAGE_END_PNG_CHUNK);
    }
  else
    {
      self->state = IMAGE_END_OTHER_FORMAT;
    }
}

static void
end_png_chunk_header (ImageEnd *self)
{
  guint32 length;
  gboolean is_end = memcmp (self->header + 4, "IEND", 4) == 0;

  memcpy (&length, self->header, sizeof length);
  skip (self, (guint64) GUINT32_FROM_BE (length) + PNG_CHECKSUM_LENGTH,
        is_end ? IMAGE_END_REACHED : IMAGE_END_PNG_CHUNK);
}

static void
end_jpeg_marker (ImageEnd *self, guint8 code)
{
  if (code == JPEG_FILL)
    return;

  if (code == JPEG_EOI)
    self->state = IMAGE_END_REACHED;
  else if (code == JPEG_STUFFED_ZERO || code == JPEG_TEM || (code >= JPEG_RST0 && code <= JPEG_SOI))
    self->state = IMAGE_END_JPEG_SCAN;
  else
    self->state = IMAGE_END_JPEG_LENGTH;
}

static void
end_jpeg_length (ImageEnd *self)
{
  guint length = self->header[0] << 8 | self->header[1];

  /* The length counts its own two bytes. */
  skip (self, length >= 2 ? length - 2 : 0, IMAGE_END_JPEG_SCAN);
}

/* Returns TRUE once @wanted bytes of a header are there, however the blocks divide them. */
static gboolean
collect (ImageEnd *self, guint8 byte, guint wanted)
{
  self->header[self->n_header++] = byte;
  return self->n_header == wanted;
}

static void
feed_byte (ImageEnd *self, guint8 byte)
{
  switch (self->state)
    {
    case IMAGE_END_START:
      if (collect (self, byte, 2))
        begin (self);
      break;

    case IMAGE_END_JPEG_SCAN:
      if (byte == JPEG_FILL)
        self->state = IMAGE_END_JPEG_MARKER;
      break;

    case IMAGE_END_JPEG_MARKER:
      end_jpeg_marker (self, byte);
      break;

    case IMAGE_END_JPEG_LENGTH:
      if (collect (self, byte, 2))
        end_jpeg_length (self);
      break;

    case IMAGE_END_PNG_CHUNK:
      if (collect (self, byte, 8))
        end_png_chunk_header (self);
      break;

    case IMAGE_END_OTHER_FORMAT:
    case IMAGE_END_REACHED:
    default:
      break;
    }
}

void
image_end_feed (ImageEnd *self, const guint8 *data, gsize length)
{
  const guint8 *end = data + length;

  while (data < end && self->state != IMAGE_END_REACHED && self->state != IMAGE_END_OTHER_FORMAT)
    {
      if (self->skip > 0)
        {
          gsize step = MIN (self->skip, (guint64) (end - data));

          data += step;
          self->skip -= step;
          if (self->skip == 0)
            self->state = self->next;
          continue;
        }

      if (self->state == IMAGE_END_JPEG_SCAN)
        {
          data = memchr (data, JPEG_FILL, end - data);
          if (data == NULL)
            return;
        }

      feed_byte (self, *data++);
    }
}

gboolean
image_end_is_missing (const ImageEnd *self)
{
  return self->state != IMAGE_END_REACHED && self->state != IMAGE_END_OTHER_FORMAT;
}
