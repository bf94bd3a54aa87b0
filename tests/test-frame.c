/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The byte layout of a frame, and what is refused before a byte of a body is looked at. */

#include "loky-frame-private.h"

#include <string.h>

#include "loky-error.h"

/* A change of these bytes is a change of the protocol: it bumps LOKY_FRAME_VERSION. */
static const guint8 golden[LOKY_FRAME_HEADER_SIZE] = {
  0x4c, 0x4f, 0x4b, 0x59,                         /* magic, "LOKY" */
  0x09,                                           /* version */
  0x22,                                           /* type */
  0x03,                                           /* descriptors */
  0x00,                                           /* reserved */
  0x04, 0x03, 0x02, 0x00,                         /* length of the body */
  0x14, 0x13, 0x12, 0x11,                         /* slot */
  0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, /* number */
};

static const LokyFrameHeader golden_header = {
  .type = 0x22,
  .n_fds = 3,
  .length = 0x020304,
  .slot = 0x11121314,
  .number = G_GUINT64_CONSTANT (0x2122232425262728),
};

enum
{
  OFFSET_MAGIC = 0,
  OFFSET_VERSION = 4,
  OFFSET_N_FDS = 6,
  OFFSET_RESERVED = 7,
  OFFSET_LENGTH = 8,
};

/* From a block of exactly that size, so that a sanitizer sees a read beyond it. */
static LokyFrameStatus
decode (const guint8 *data, gsize available, LokyFrameHeader *header, gsize *size, GError **error)
{
  g_autofree guint8 *exact = g_memdup2 (data, available);

  return loky_frame_decode (exact, available, header, size, error);
}

static void
test_golden_bytes (void)
{
  guint8 wire[LOKY_FRAME_HEADER_SIZE];

  if (G_BYTE_ORDER != G_LITTLE_ENDIAN)
    {
      g_test_skip ("The golden bytes are those of a little-endian machine");
      return;
    }
  loky_frame_encode_header (&golden_header, wire);
  g_assert_cmpmem (wire, sizeof wire, golden, sizeof golden);
}

static void
test_round_trip (void)
{
  static const guint lengths[] = { 0, 1, 7, 8, 9, LOKY_FRAME_MAX_BODY - 1, LOKY_FRAME_MAX_BODY };

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      LokyFrameHeader header = golden_header;
      gsize whole = LOKY_FRAME_HEADER_SIZE + (lengths[i] + 7) / 8 * 8;
      g_autofree guint8 *wire = g_malloc0 (whole);
      g_autoptr (GError) error = NULL;
      LokyFrameHeader decoded;
      gsize size;

      header.length = lengths[i];
      loky_frame_encode_header (&header, wire);
      g_assert_cmpint (loky_frame_decode (wire, whole, &decoded, &size, &error), ==,
                       LOKY_FRAME_COMPLETE);
      g_assert_no_error (error);
      g_assert_cmpuint (size, ==, whole);
      g_assert_cmpuint (loky_frame_size (lengths[i]), ==, whole);
      g_assert_cmpuint (decoded.type, ==, header.type);
      g_assert_cmpuint (decoded.n_fds, ==, header.n_fds);
      g_assert_cmpuint (decoded.length, ==, header.length);
      g_assert_cmpuint (decoded.slot, ==, header.slot);
      g_assert_cmpuint (decoded.number, ==, header.number);
    }
}

static void
test_needs_more_at_each_length (void)
{
  LokyFrameHeader header = { .type = 1, .length = 13 };
  guint8 wire[LOKY_FRAME_HEADER_SIZE + 16] = { 0 };

  loky_frame_encode_header (&header, wire);
  for (gsize available = 0; available < sizeof wire; available++)
    {
      g_autoptr (GError) error = NULL;
      gsize size = 0;

      g_assert_cmpint (decode (wire, available, &header, &size, &error), ==, LOKY_FRAME_NEED_MORE);
      g_assert_no_error (error);
      g_assert_cmpuint (size, ==,
                        available < LOKY_FRAME_HEADER_SIZE ? LOKY_FRAME_HEADER_SIZE : sizeof wire);
    }
}

/* What follows a frame is not looked at. */
static void
test_stops_at_its_end (void)
{
  LokyFrameHeader header = { .type = 1, .length = 8 };
  guint8 wire[LOKY_FRAME_HEADER_SIZE + 8 + 5];
  gsize size;

  memset (wire, 0xff, sizeof wire);
  loky_frame_encode_header (&header, wire);
  g_assert_cmpint (decode (wire, sizeof wire, &header, &size, NULL), ==, LOKY_FRAME_COMPLETE);
  g_assert_cmpuint (size, ==, LOKY_FRAME_HEADER_SIZE + 8);
}

static void
check_invalid (gsize offset, gsize n_bytes, guint64 value, const char *expected)
{
  guint8 wire[LOKY_FRAME_HEADER_SIZE] = { 0 };
  LokyFrameHeader header = { .type = 1 };
  g_autoptr (GError) error = NULL;
  gsize size;

  loky_frame_encode_header (&header, wire);
  for (gsize i = 0; i < n_bytes; i++)
    {
      gsize shift = G_BYTE_ORDER == G_LITTLE_ENDIAN ? i : n_bytes - 1 - i;

      wire[offset + i] = (guint8) (value >> (8 * shift));
    }
  g_assert_cmpint (decode (wire, sizeof wire, &header, &size, &error), ==, LOKY_FRAME_INVALID);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, expected));
}

static void
test_invalid_magic (void)
{
  check_invalid (OFFSET_MAGIC, 4, 0, "00000000");
  check_invalid (OFFSET_MAGIC, 4, LOKY_FRAME_MAGIC ^ 1, "594b4f4c");
  check_invalid (OFFSET_MAGIC, 4, LOKY_FRAME_MAGIC ^ (1u << 31), "594b4f4c");
}

static void
test_invalid_version (void)
{
  check_invalid (OFFSET_VERSION, 1, 0, "version 0");
  check_invalid (OFFSET_VERSION, 1, LOKY_FRAME_VERSION + 1, "version 10");
  check_invalid (OFFSET_VERSION, 1, 255, "version 255");
}

static void
test_invalid_length (void)
{
  check_invalid (OFFSET_LENGTH, 4, LOKY_FRAME_MAX_BODY + 1, "1048577");
  check_invalid (OFFSET_LENGTH, 4, G_MAXUINT32, "4294967295");
}

static void
test_invalid_descriptors (void)
{
  check_invalid (OFFSET_N_FDS, 1, LOKY_FRAME_MAX_FDS + 1, "65 descriptors");
  check_invalid (OFFSET_N_FDS, 1, 255, "255 descriptors");
  check_invalid (OFFSET_RESERVED, 1, 1, "holds 1 where zero");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/frame/golden-bytes", test_golden_bytes);
  g_test_add_func ("/loky/frame/round-trip", test_round_trip);
  g_test_add_func ("/loky/frame/needs-more-at-each-length", test_needs_more_at_each_length);
  g_test_add_func ("/loky/frame/stops-at-its-end", test_stops_at_its_end);
  g_test_add_func ("/loky/frame/invalid-magic", test_invalid_magic);
  g_test_add_func ("/loky/frame/invalid-version", test_invalid_version);
  g_test_add_func ("/loky/frame/invalid-length", test_invalid_length);
  g_test_add_func ("/loky/frame/invalid-descriptors", test_invalid_descriptors);
  return g_test_run ();
}
