/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values that were received, and the segments in which large ones travel. */

#include "loky-attachment-private.h"
#include "loky-descriptor.h"
#include "loky-payload-private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loky-error.h"

static LokyBlockCache *blocks;

static int
make_memory (gconstpointer data, gsize length, off_t size)
{
  int fd = memfd_create ("test-payload", MFD_CLOEXEC);

  g_assert_cmpint (pwrite (fd, data, length, 0), ==, (gssize) length);
  g_assert_cmpint (ftruncate (fd, size), ==, 0);
  return fd;
}

static void
check_value (LokyPayload *payload, GVariant *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) first = loky_payload_dup_variant (payload, &error);
  g_autoptr (GVariant) second = loky_payload_dup_variant (payload, &error);

  g_assert_no_error (error);
  g_assert_false (g_variant_is_floating (first));
  g_assert_cmpvariant (first, expected);
  g_assert_cmpvariant (second, expected);
}

/* The bytes and the type are taken from blocks that are gone when the value is looked at. */
static LokyPayload *
receive_inline (GVariant *value, int *fds, const LokyBufferRecord *records, guint n_buffers)
{
  gsize size = g_variant_get_size (value);
  g_autofree guint8 *data = g_memdup2 (g_variant_get_data (value), size);
  g_autofree char *type = g_strdup (g_variant_get_type_string (value));
  LokyValueMessage message = {
    .type = type,
    .data = data,
    .size = size,
    .place = LOKY_PLACE_INLINE,
    .buffers = records,
    .n_buffers = n_buffers,
  };
  g_autoptr (GError) error = NULL;
  LokyPayload *payload = loky_payload_new_received (&message, fds, blocks, NULL, FALSE, &error);

  g_assert_no_error (error);
  return payload;
}

static void
test_inline (void)
{
  static const char *const texts[] = {
    "()",     "''", "'text'", "uint64 18446744073709551615", "[1.5, 2.5]", "{'a': <(1, true)>}",
    "@as []",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GVariant) value = g_variant_parse (NULL, texts[i], NULL, NULL, NULL);
      g_autoptr (LokyPayload) payload = receive_inline (value, NULL, NULL, 0);

      g_assert_null (payload->buffers);
      check_value (payload, value);
    }
}

static void
test_value_outlives_it (void)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("kept"));
  LokyPayload *payload = receive_inline (value, NULL, NULL, 0);
  LokyPayload *second = loky_payload_ref (payload);
  g_autoptr (GVariant) taken = NULL;

  loky_payload_unref (payload);
  taken = loky_payload_dup_variant (second, NULL);
  loky_payload_unref (second);
  g_assert_cmpstr (g_variant_get_string (taken, NULL), ==, "kept");
}

static LokyPayload *
receive_segment (int fd, guint64 size, const char *type, GError **error)
{
  LokyValueMessage message = { .type = type, .size = size, .place = LOKY_PLACE_SEGMENT };
  int fds[1] = { fd };
  LokyPayload *payload = loky_payload_new_received (&message, fds, blocks, NULL, FALSE, error);

  if (fds[0] >= 0)
    close (fds[0]);
  return payload;
}

/* A private copy: what the sender does to the segment afterwards changes nothing. */
static void
test_segment (void)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("in a segment"));
  gsize size = g_variant_get_size (value);
  int fd = make_memory (g_variant_get_data (value), size, 4096);
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyPayload) payload = receive_segment (dup (fd), size, "s", &error);

  g_assert_no_error (error);
  g_assert_cmpint (pwrite (fd, "XXXX", 4, 0), ==, 4);
  g_assert_cmpint (ftruncate (fd, 0), ==, 0);
  close (fd);
  check_value (payload, value);
}

static void
check_segment_refused (int fd, guint64 size)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (receive_segment (fd, size, "ay", &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

static void
test_segment_too_small (void)
{
  int pipe_fds[2];

  check_segment_refused (make_memory ("hello", 5, 5), 6);
  check_segment_refused (make_memory ("", 0, 0), 1);
  check_segment_refused (make_memory ("hello", 5, 5), G_MAXUINT64);
  /* A file of any size, but without its memory: copying it would take as much as is said. */
  check_segment_refused (make_memory ("hello", 5, (off_t) 1 << 40), G_GUINT64_CONSTANT (1) << 40);
  check_segment_refused (make_memory ("hello", 5, 1 << 20), 1 << 20);
  g_assert_cmpint (pipe (pipe_fds), ==, 0);
  check_segment_refused (pipe_fds[0], 1);
  close (pipe_fds[1]);
  check_segment_refused (open ("/dev/zero", O_RDONLY | O_CLOEXEC), 1);
}

static void
check_not_normal (const char *type, gconstpointer data, gsize size)
{
  LokyValueMessage message = { .type = type, .data = data, .size = size };
  g_autoptr (LokyPayload) payload = loky_payload_new_received (&message, NULL, blocks, NULL, FALSE, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_payload_dup_variant (payload, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, type));
}

static void
test_not_normal (void)
{
  check_not_normal ("s", "no end", 6);
  check_not_normal ("s", "", 0);
  check_not_normal ("s", "\xff", 2);
  check_not_normal ("b", "\2", 1);
  check_not_normal ("u", "abc", 3);
  check_not_normal ("as", "a\0\xff", 3);
  check_not_normal ("v", "abc", 3);
  check_not_normal ("()", "", 0);
}

static void
test_buffers (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("hello", 5);
  g_autoptr (LokyBuffer) sent = loky_buffer_new_from_bytes (bytes, NULL);
  LokyBufferRecord record = { .handle = 5, .size = 5 };
  int fds[] = { dup (loky_buffer_get_fd (sent)) };
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_handle (5));
  g_autoptr (LokyPayload) payload = receive_inline (value, fds, &record, 1);
  g_autoptr (LokyBuffer) found = NULL;
  g_autoptr (GBytes) content = NULL;

  g_assert_cmpint (fds[0], ==, -1);
  g_assert_cmpuint (payload->buffers->len, ==, 1);
  found = loky_attachment_find (payload->buffers, 5, LOKY_TYPE_BUFFER, NULL);
  content = loky_buffer_dup_bytes (found, NULL);
  g_assert_true (g_bytes_equal (content, bytes));
}

/* A worker's is not believed to be harmless, even if it is memory. */
static void
test_descriptors (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("hello", 5);
  g_autoptr (LokyBuffer) sent = loky_buffer_new_from_bytes (bytes, NULL);
  LokyBufferRecord record = { .handle = 5, .part = LOKY_PART_DESCRIPTOR };
  LokyValueMessage message = {
    .type = "s", .data = (const guint8 *) "abc", .size = 4, .buffers = &record, .n_buffers = 1
  };
  int fds[] = { dup (loky_buffer_get_fd (sent)) };
  int number = fds[0];
  g_autoptr (GPtrArray) received = NULL;
  g_autoptr (LokyDescriptor) descriptor = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_payload_new_received (&message, fds, blocks, NULL, FALSE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_assert_cmpint (fds[0], ==, -1);
  g_assert_cmpint (fcntl (number, F_GETFD), ==, -1);
  g_clear_error (&error);

  /* The worker believes its application. */
  fds[0] = dup (loky_buffer_get_fd (sent));
  g_assert_true (loky_payload_take_buffers (&message, fds, &received, NULL));
  descriptor = loky_attachment_find (received, 5, LOKY_TYPE_DESCRIPTOR, NULL);
  g_assert_nonnull (descriptor);
  g_clear_pointer (&received, g_ptr_array_unref);

  record.size = 1;
  fds[0] = dup (loky_buffer_get_fd (sent));
  g_assert_false (loky_payload_take_buffers (&message, fds, &received, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

/* The descriptors of the buffers stand behind that of the segment. */
static void
test_buffers_behind_segment (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("hello", 5);
  g_autoptr (LokyBuffer) sent = loky_buffer_new_from_bytes (bytes, NULL);
  LokyBufferRecord record = { .handle = 5, .size = 5 };
  LokyValueMessage message = {
    .type = "s",
    .size = 4,
    .place = LOKY_PLACE_SEGMENT,
    .buffers = &record,
    .n_buffers = 1,
  };
  int segment = make_memory ("abc", 4, 4);
  int fds[] = { segment, dup (loky_buffer_get_fd (sent)) };
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyPayload) payload = loky_payload_new_received (&message, fds, blocks, NULL, FALSE, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (payload->buffers->len, ==, 1);
  g_assert_cmpuint (loky_buffer_get_size (g_ptr_array_index (payload->buffers, 0)), ==, 5);
  close (segment);
}

/* The second is not sound: nothing is taken, and no descriptor is left behind. */
static void
test_buffers_refused (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("hello", 5);
  g_autoptr (LokyBuffer) sent = loky_buffer_new_from_bytes (bytes, NULL);
  LokyBufferRecord records[] = { { .handle = 5, .size = 5 }, { .handle = 6, .size = 5 } };
  int fds[] = { dup (loky_buffer_get_fd (sent)), make_memory ("hello", 5, 5) };
  int copies[] = { fds[0], fds[1] };
  LokyValueMessage message = {
    .type = "s",
    .data = (const guint8 *) "abc",
    .size = 4,
    .buffers = records,
    .n_buffers = 2,
  };
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_payload_new_received (&message, fds, blocks, NULL, FALSE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  for (gsize i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      g_assert_cmpint (fds[i], ==, -1);
      g_assert_cmpint (fcntl (copies[i], F_GETFD), ==, -1);
    }
}

/* --- segments --------------------------------------------------------------------------------- */

static LokySegment *
take (LokySegmentPool *pool, gsize size)
{
  g_autoptr (GError) error = NULL;
  LokySegment *segment = loky_segment_pool_take (pool, size, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (segment->capacity, >=, size);
  segment->map[size - 1] = 1;
  return segment;
}

/* Sent by the one end and released by the other. */
static void
let_go (LokySegmentPool *pool, guint32 number)
{
  loky_segment_pool_sent (pool, number);
  loky_segment_pool_release (pool, number);
}

static void
test_pool_reuses (void)
{
  LokySegmentPool pool;
  LokySegment *first, *second, *third;

  loky_segment_pool_init (&pool);
  first = take (&pool, 100000);
  second = take (&pool, 100000);
  g_assert_true (first != second);
  g_assert_cmpuint (first->number, !=, second->number);
  let_go (&pool, first->number);
  third = take (&pool, 90000);
  g_assert_true (third == first);
  loky_segment_pool_clear (&pool);
}

/* A small value does not occupy a huge segment, and takes the smallest that is large enough. */
static void
test_pool_chooses (void)
{
  LokySegmentPool pool;
  LokySegment *large, *small;

  loky_segment_pool_init (&pool);
  large = take (&pool, 4 << 20);
  small = take (&pool, 1 << 20);
  let_go (&pool, large->number);
  let_go (&pool, small->number);
  g_assert_true (take (&pool, 1 << 20) == small);
  g_assert_true (take (&pool, 100000) != large);
  g_assert_true (take (&pool, 2 << 20) == large);
  loky_segment_pool_clear (&pool);
}

/* A peer may release anything, any number of times. */
static void
test_pool_ignores_unknown_numbers (void)
{
  LokySegmentPool pool;
  LokySegment *first;

  loky_segment_pool_init (&pool);
  loky_segment_pool_release (&pool, 0);
  loky_segment_pool_release (&pool, 1);
  first = take (&pool, 100000);
  loky_segment_pool_sent (&pool, first->number);
  loky_segment_pool_release (&pool, first->number + 1);
  loky_segment_pool_release (&pool, first->number + (G_GUINT64_CONSTANT (1) << 32));
  loky_segment_pool_release (&pool, G_MAXUINT64);
  g_assert_true (first->in_use);
  g_assert_true (take (&pool, 100000) != first);
  loky_segment_pool_release (&pool, first->number);
  loky_segment_pool_release (&pool, first->number);
  g_assert_true (take (&pool, 100000) == first);
  g_assert_true (take (&pool, 100000) != first);
  loky_segment_pool_clear (&pool);
}

/* A hostile receiver releases what was not sent yet: it would be overwritten on its way. */
static void
test_pool_needs_both_ends (void)
{
  LokySegmentPool pool;
  LokySegment *first, *second;

  loky_segment_pool_init (&pool);
  first = take (&pool, 100000);
  loky_segment_pool_release (&pool, first->number);
  second = take (&pool, 100000);
  g_assert_true (second != first);
  loky_segment_pool_sent (&pool, second->number);
  g_assert_true (second->in_use);
  loky_segment_pool_sent (&pool, first->number);
  g_assert_true (take (&pool, 100000) == first);
  /* What was said of its last use does not count for the next. */
  loky_segment_pool_release (&pool, first->number);
  g_assert_true (first->in_use);
  g_assert_true (take (&pool, 100000) != first);
  loky_segment_pool_clear (&pool);
}

static void
test_pool_keeps_few (void)
{
  LokySegmentPool pool;
  LokySegment *segments[5];
  guint32 numbers[5];

  loky_segment_pool_init (&pool);
  for (gsize i = 0; i < G_N_ELEMENTS (segments); i++)
    {
      segments[i] = take (&pool, 100000);
      numbers[i] = segments[i]->number;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (segments); i++)
    let_go (&pool, numbers[i]);
  g_assert_cmpuint (pool.segments->len, ==, 2);
  loky_segment_pool_clear (&pool);
}

/* The receiver reads it; only who holds the first mapping writes. */
static void
test_pool_seals (void)
{
  LokySegmentPool pool;
  LokySegment *segment;

  loky_segment_pool_init (&pool);
  segment = take (&pool, 100000);
  g_assert_cmpint (ftruncate (segment->fd, 0), ==, -1);
  g_assert_cmpint (ftruncate (segment->fd, 1 << 30), ==, -1);
  g_assert_cmpint (fcntl (segment->fd, F_ADD_SEALS, F_SEAL_WRITE), ==, -1);
  segment->map[0] = 42;
  g_assert_cmpuint (segment->map[0], ==, 42);
  loky_segment_pool_clear (&pool);
}

/* Sizes that no file can have: one that a file can have would really be allocated. */
static void
test_pool_without_memory (void)
{
  g_autoptr (GError) error = NULL;
  LokySegmentPool pool;

  loky_segment_pool_init (&pool);
  g_assert_null (loky_segment_pool_take (&pool, G_MAXSIZE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  g_clear_error (&error);
  g_assert_null (loky_segment_pool_take (&pool, (gsize) G_MAXINT64 + 1, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  loky_segment_pool_clear (&pool);
}

int
main (int argc, char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  blocks = loky_block_cache_new ();
  g_test_add_func ("/loky/payload/inline", test_inline);
  g_test_add_func ("/loky/payload/value-outlives-it", test_value_outlives_it);
  g_test_add_func ("/loky/payload/segment", test_segment);
  g_test_add_func ("/loky/payload/descriptors", test_descriptors);
  g_test_add_func ("/loky/payload/segment-too-small", test_segment_too_small);
  g_test_add_func ("/loky/payload/not-normal", test_not_normal);
  g_test_add_func ("/loky/payload/buffers", test_buffers);
  g_test_add_func ("/loky/payload/buffers-behind-segment", test_buffers_behind_segment);
  g_test_add_func ("/loky/payload/buffers-refused", test_buffers_refused);
  g_test_add_func ("/loky/payload/pool-reuses", test_pool_reuses);
  g_test_add_func ("/loky/payload/pool-chooses", test_pool_chooses);
  g_test_add_func ("/loky/payload/pool-ignores-unknown-numbers", test_pool_ignores_unknown_numbers);
  g_test_add_func ("/loky/payload/pool-needs-both-ends", test_pool_needs_both_ends);
  g_test_add_func ("/loky/payload/pool-keeps-few", test_pool_keeps_few);
  g_test_add_func ("/loky/payload/pool-seals", test_pool_seals);
  g_test_add_func ("/loky/payload/pool-without-memory", test_pool_without_memory);
  status = g_test_run ();
  loky_block_cache_unref (blocks);
  return status;
}
