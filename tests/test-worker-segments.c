/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Segments in which a worker receives: used again, and released when their value is. */

#include "loky-worker-segments-private.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loky-error.h"

typedef struct
{
  LokyChannel *worker;
  LokyChannel *parent;
  LokyWorkerSegments *segments;
} Fixture;

static void
set_up (Fixture *self, gconstpointer user_data)
{
  int ends[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  self->worker = loky_channel_new (ends[0]);
  self->parent = loky_channel_new (ends[1]);
  self->segments = loky_worker_segments_new (self->worker);
}

static void
tear_down (Fixture *self, gconstpointer user_data)
{
  loky_worker_segments_free (self->segments);
  loky_channel_free (self->worker);
  loky_channel_free (self->parent);
}

static int
make_memory (const char *text, off_t size)
{
  int fd = memfd_create ("test-segment", MFD_CLOEXEC);

  g_assert_cmpint (ftruncate (fd, size), ==, 0);
  g_assert_cmpint (pwrite (fd, text, strlen (text), 0), ==, (gssize) strlen (text));
  return fd;
}

static GBytes *
map (Fixture *self, guint32 number, int fd, guint64 size)
{
  LokyValueMessage message = { .place = LOKY_PLACE_SEGMENT, .size = size, .segment = number };
  g_autoptr (GError) error = NULL;
  GBytes *bytes = loky_worker_segments_map (self->segments, &message, fd, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, size);
  return bytes;
}

/* The next message at the other end is the release of @number; 0: there is none. */
static void
check_released (Fixture *self, guint32 number)
{
  g_autoptr (GError) error = NULL;
  LokyFrame frame;

  if (number == 0)
    {
      g_assert_cmpint (loky_channel_fill (self->parent, FALSE, &error), ==, LOKY_FILL_AGAIN);
      return;
    }
  g_assert_cmpint (loky_channel_fill (self->parent, FALSE, &error), ==, LOKY_FILL_DATA);
  g_assert_cmpint (loky_channel_next_frame (self->parent, &frame, &error), ==, LOKY_FRAME_COMPLETE);
  g_assert_cmpint (frame.header.type, ==, LOKY_MESSAGE_RELEASE);
  g_assert_cmpuint (frame.header.number, ==, number);
}

static void
test_used_again (Fixture *self, gconstpointer user_data)
{
  int fd = make_memory ("first", 8192);
  GBytes *bytes = map (self, 3, fd, 5);
  gconstpointer place = g_bytes_get_data (bytes, NULL);

  g_assert_cmpmem (place, 5, "first", 5);
  check_released (self, 0);
  g_bytes_unref (bytes);
  check_released (self, 3);

  /* What was written meanwhile is seen, more of it too. */
  g_assert_cmpint (pwrite (fd, "second", 6, 0), ==, 6);
  bytes = map (self, 3, fd, 8000);
  g_assert_true (g_bytes_get_data (bytes, NULL) == place);
  g_assert_cmpmem (place, 6, "second", 6);
  g_bytes_unref (bytes);
  check_released (self, 3);
  close (fd);
}

/* Who sends may have let go of one and use its number again. */
static void
test_same_number_other_memory (Fixture *self, gconstpointer user_data)
{
  int first = make_memory ("first", 8192);
  int second = make_memory ("second", 8192);

  g_bytes_unref (map (self, 3, first, 5));
  check_released (self, 3);
  {
    g_autoptr (GBytes) bytes = map (self, 3, second, 6);

    g_assert_cmpmem (g_bytes_get_data (bytes, NULL), 6, "second", 6);
  }
  check_released (self, 3);
  close (first);
  close (second);
}

static void
test_two_at_once (Fixture *self, gconstpointer user_data)
{
  int fd = make_memory ("text", 8192);
  GBytes *first = map (self, 1, fd, 4);
  GBytes *second = map (self, 1, fd, 4);

  g_assert_true (g_bytes_get_data (first, NULL) != g_bytes_get_data (second, NULL));
  g_bytes_unref (first);
  g_bytes_unref (second);
  close (fd);
}

static guint
count_mappings (void)
{
  g_autofree char *text = NULL;
  guint n = 0;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &text, NULL, NULL));
  for (const char *at = text; (at = strstr (at, "test-segment")) != NULL; at++)
    n++;
  return n;
}

static void
test_keeps_few (Fixture *self, gconstpointer user_data)
{
  GBytes *bytes[5];
  int large;

  for (guint i = 0; i < G_N_ELEMENTS (bytes); i++)
    {
      int fd = make_memory ("text", 8192);

      bytes[i] = map (self, i + 1, fd, 4);
      close (fd);
    }
  g_assert_cmpuint (count_mappings (), ==, 5);
  for (guint i = 0; i < G_N_ELEMENTS (bytes); i++)
    g_bytes_unref (bytes[i]);
  g_assert_cmpuint (count_mappings (), ==, 2);
  large = make_memory ("large", 200 << 20);
  g_bytes_unref (map (self, 9, large, 4));
  close (large);
  g_assert_cmpuint (count_mappings (), ==, 2);
}

/* It is released at once: its sender has it back. */
static void
test_too_small (Fixture *self, gconstpointer user_data)
{
  LokyValueMessage message = { .place = LOKY_PLACE_SEGMENT, .size = 8193, .segment = 7 };
  g_autoptr (GError) error = NULL;
  int fd = make_memory ("text", 8192);

  g_assert_null (loky_worker_segments_map (self->segments, &message, fd, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  check_released (self, 7);
  close (fd);
}

static void
add (const char *path, void (*func) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, set_up, func, tear_down);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  add ("/loky/worker-segments/used-again", test_used_again);
  add ("/loky/worker-segments/same-number-other-memory", test_same_number_other_memory);
  add ("/loky/worker-segments/two-at-once", test_two_at_once);
  add ("/loky/worker-segments/keeps-few", test_keeps_few);
  add ("/loky/worker-segments/too-small", test_too_small);
  return g_test_run ();
}
