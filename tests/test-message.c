/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What stands in the bodies of frames, as written and as read from a peer that may be hostile. */

#include "loky-message-private.h"

#include <string.h>

#include "loky-error.h"

/* Where the fixed part of a value's body has what the tests spoil. */
enum
{
  OFFSET_SIZE = 0,
  OFFSET_TYPE_LENGTH = 28,
  OFFSET_PLACE = 30,
  OFFSET_N_BUFFERS = 31,
  OFFSET_END = 32,
};

static const LokyBufferRecord records[] = {
  { .handle = 7, .size = 4096 },
  { .handle = G_MAXINT32, .size = G_MAXUINT64 },
};

/* The body of a value, with the data of an inline one behind it. */
static GByteArray *
make_body (const LokyValueMessage *value)
{
  GByteArray *body = g_byte_array_new ();

  loky_message_append_value (body, value);
  g_assert_cmpuint (body->len, ==, loky_message_value_overhead (value));
  g_assert_cmpuint (body->len % 8, ==, 0);
  if (value->place == LOKY_PLACE_INLINE && value->size > 0)
    g_byte_array_append (body, value->data, (guint) value->size);
  return body;
}

/* From a block of exactly that size, so that a sanitizer sees a read beyond it; the block stays
 * with the caller, since @value points into it. */
static gboolean
parse (const GByteArray *body,
       gsize length,
       guint n_fds,
       LokyValueMessage *value,
       guint8 **block,
       GError **error)
{
  LokyFrameHeader header = {
    .type = LOKY_MESSAGE_RESULT,
    .n_fds = (guint8) n_fds,
    .length = (guint32) length,
  };

  *block = g_memdup2 (body->data, length);
  return loky_message_parse_value (&header, *block, value, error);
}

static void
check_same (const LokyValueMessage *a, const LokyValueMessage *b)
{
  g_assert_cmpstr (a->type, ==, b->type);
  g_assert_cmpuint (a->size, ==, b->size);
  g_assert_cmpint (a->place, ==, b->place);
  g_assert_cmpuint (a->segment, ==, b->segment);
  g_assert_cmpuint (a->name, ==, b->name);
  g_assert_cmpuint (a->attempt, ==, b->attempt);
  g_assert_cmpint (a->run_time, ==, b->run_time);
  g_assert_cmpuint (a->n_buffers, ==, b->n_buffers);
  for (guint i = 0; i < a->n_buffers; i++)
    {
      g_assert_cmpint (a->buffers[i].handle, ==, b->buffers[i].handle);
      g_assert_cmpuint (a->buffers[i].size, ==, b->buffers[i].size);
    }
  if (a->place == LOKY_PLACE_INLINE)
    g_assert_cmpmem (a->data, a->size, b->data, b->size);
  else
    g_assert_null (b->data);
}

static guint
count_fds (const LokyValueMessage *value)
{
  return value->n_buffers + (value->place == LOKY_PLACE_SEGMENT ? 1 : 0);
}

static void
check_round_trip (const LokyValueMessage *value)
{
  g_autoptr (GByteArray) body = make_body (value);
  g_autofree guint8 *block = NULL;
  g_autoptr (GError) error = NULL;
  LokyValueMessage parsed;

  g_assert_true (parse (body, body->len, count_fds (value), &parsed, &block, &error));
  g_assert_no_error (error);
  check_same (value, &parsed);
}

/* Every shorter body is refused, and each is read from a block that ends where it ends. */
static void
check_truncations (const LokyValueMessage *value)
{
  g_autoptr (GByteArray) body = make_body (value);

  for (gsize length = 0; length < body->len; length++)
    {
      g_autofree guint8 *block = NULL;
      g_autoptr (GError) error = NULL;
      LokyValueMessage parsed;

      g_assert_false (parse (body, length, count_fds (value), &parsed, &block, &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
    }
}

static const LokyValueMessage plain = {
  .type = "(sx)",
  .data = (const guint8 *) "0123456789abc",
  .size = 13,
  .place = LOKY_PLACE_INLINE,
  .name = 3,
  .attempt = 2,
  .run_time = G_MAXINT64,
};

static const LokyValueMessage with_buffers = {
  .type = "ah",
  .data = (const guint8 *) "01234567",
  .size = 8,
  .place = LOKY_PLACE_INLINE,
  .attempt = 1,
  .buffers = records,
  .n_buffers = G_N_ELEMENTS (records),
};

static const LokyValueMessage in_segment = {
  .type = "ay",
  .size = G_GUINT64_CONSTANT (1) << 40,
  .place = LOKY_PLACE_SEGMENT,
  .segment = G_MAXUINT32,
  .run_time = -1,
  .buffers = records,
  .n_buffers = 1,
};

static const LokyValueMessage empty = {
  .type = "()",
  .data = (const guint8 *) "",
  .place = LOKY_PLACE_INLINE,
};

static void
test_value_round_trip (void)
{
  check_round_trip (&plain);
  check_round_trip (&with_buffers);
  check_round_trip (&in_segment);
  check_round_trip (&empty);
}

static void
test_value_truncated (void)
{
  check_truncations (&plain);
  check_truncations (&with_buffers);
  check_truncations (&in_segment);
  check_truncations (&empty);
}

/* The longest type there may be, and the most buffers. */
static void
test_value_at_its_limits (void)
{
  g_autofree char *members = g_strnfill (LOKY_MESSAGE_MAX_TYPE - 2, 'y');
  g_autofree char *type = g_strdup_printf ("(%s)", members);
  LokyBufferRecord many[LOKY_FRAME_MAX_FDS - 1] = { { 0 } };
  LokyValueMessage value = plain;

  value.type = type;
  value.buffers = many;
  value.n_buffers = G_N_ELEMENTS (many);
  check_round_trip (&value);
}

static void
check_spoiled (const LokyValueMessage *value, gsize offset, guint8 byte, const char *expected)
{
  g_autoptr (GByteArray) body = make_body (value);
  g_autofree guint8 *block = NULL;
  g_autoptr (GError) error = NULL;
  LokyValueMessage parsed;

  g_assert_cmpuint (body->data[offset], !=, byte);
  body->data[offset] = byte;
  g_assert_false (parse (body, body->len, count_fds (value), &parsed, &block, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, "result"));
  g_assert_nonnull (strstr (error->message, expected));
}

static void
test_value_wrong_numbers (void)
{
  gsize low = G_BYTE_ORDER == G_LITTLE_ENDIAN ? 0 : 1;

  check_spoiled (&plain, OFFSET_PLACE, LOKY_PLACE_SEGMENT + 1, "no known place");
  check_spoiled (&plain, OFFSET_PLACE, 255, "no known place");
  check_spoiled (&plain, OFFSET_PLACE, LOKY_PLACE_SEGMENT, "descriptors");
  check_spoiled (&in_segment, OFFSET_PLACE, LOKY_PLACE_INLINE, "descriptors");
  check_spoiled (&plain, OFFSET_N_BUFFERS, 255, "descriptors");
  check_spoiled (&with_buffers, OFFSET_N_BUFFERS, 1, "descriptors");
  check_spoiled (&plain, OFFSET_SIZE, 12, "not as long");
  check_spoiled (&plain, OFFSET_SIZE, 14, "not as long");
  check_spoiled (&plain, OFFSET_SIZE + 7, 0xff, "not as long");
  check_spoiled (&plain, OFFSET_TYPE_LENGTH + low, 5, "type string");
  check_spoiled (&plain, OFFSET_TYPE_LENGTH + low, 3, "type string");
  check_spoiled (&plain, OFFSET_TYPE_LENGTH + 1 - low, 0xff, "too short for its type");
}

static void
test_value_wrong_n_fds (void)
{
  static const LokyValueMessage *const values[] = { &plain, &with_buffers, &in_segment };

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    for (guint n_fds = 0; n_fds <= LOKY_FRAME_MAX_FDS; n_fds++)
      {
        g_autoptr (GByteArray) body = make_body (values[i]);
        g_autofree guint8 *block = NULL;
        g_autoptr (GError) error = NULL;
        LokyValueMessage parsed;

        if (n_fds == count_fds (values[i]))
          continue;
        g_assert_false (parse (body, body->len, n_fds, &parsed, &block, &error));
        g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
      }
}

/* Records that do not fit, though the frame has as many descriptors as they claim. */
static void
test_value_buffers_beyond_its_end (void)
{
  g_autoptr (GByteArray) body = make_body (&plain);
  g_autofree guint8 *block = NULL;
  g_autoptr (GError) error = NULL;
  LokyValueMessage parsed;

  body->data[OFFSET_N_BUFFERS] = LOKY_FRAME_MAX_FDS;
  g_assert_false (parse (body, body->len, LOKY_FRAME_MAX_FDS, &parsed, &block, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, "too short for its buffers"));
}

static void
test_value_wrong_types (void)
{
  static const char *const types[] = {
    "", "*", "?", "r", "a*", "(i?)", "m", "a", "(", "ii", "z", "{vi}", "a{vi}", "(s", "\xff",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      LokyValueMessage value = plain;
      g_autoptr (GByteArray) body = NULL;
      g_autofree guint8 *block = NULL;
      g_autoptr (GError) error = NULL;

      value.type = types[i];
      body = make_body (&value);
      g_assert_false (parse (body, body->len, 0, &value, &block, &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
      g_assert_nonnull (strstr (error->message, "type string"));
    }
}

/* A NUL inside the type: what is checked must be all that is used. */
static void
test_value_type_with_nul (void)
{
  g_autoptr (GByteArray) body = make_body (&plain);
  g_autofree guint8 *block = NULL;
  g_autoptr (GError) error = NULL;
  LokyValueMessage parsed;

  body->data[OFFSET_END] = 's';
  body->data[OFFSET_END + 1] = '\0';
  g_assert_false (parse (body, body->len, 0, &parsed, &block, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

/* Whatever the fixed part holds: refused, or all that is said lies inside the body. */
static void
test_value_random (void)
{
  for (guint round = 0; round < 20000; round++)
    {
      g_autoptr (GByteArray) body = make_body (round % 2 != 0 ? &with_buffers : &plain);
      guint n_fds = (guint) g_test_rand_int_range (0, 4);
      g_autofree guint8 *block = NULL;
      g_autoptr (GError) error = NULL;
      LokyValueMessage parsed;

      for (guint i = 0; i < 3; i++)
        body->data[g_test_rand_int_range (0, (gint32) body->len)] =
            (guint8) g_test_rand_int_range (0, 256);
      if (!parse (body, body->len, n_fds, &parsed, &block, &error))
        {
          g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
          continue;
        }
      g_assert_cmpuint (count_fds (&parsed), ==, n_fds);
      g_assert_true (g_variant_type_string_is_valid (parsed.type));
      if (parsed.place == LOKY_PLACE_INLINE)
        g_assert_true (parsed.data + parsed.size == block + body->len);
    }
}

static GVariant *
parse_variant (gconstpointer data, gsize size, const char *type, GError **error)
{
  LokyFrameHeader header = { .type = LOKY_MESSAGE_HELLO, .length = (guint32) size };
  g_autofree guint8 *block = g_memdup2 (data, size);

  return loky_message_parse_variant (&header, block, type, error);
}

static void
test_variant_round_trip (void)
{
  g_autoptr (GVariant) value =
      g_variant_ref_sink (g_variant_new (LOKY_MESSAGE_HELLO_TYPE, "1.0.0", 4711));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) parsed =
      parse_variant (g_variant_get_data (value), g_variant_get_size (value),
                     LOKY_MESSAGE_HELLO_TYPE, &error);

  g_assert_no_error (error);
  g_assert_cmpvariant (parsed, value);
  g_assert_false (g_variant_is_floating (parsed));
}

static void
test_variant_not_normal (void)
{
  g_autoptr (GVariant) value =
      g_variant_ref_sink (g_variant_new (LOKY_MESSAGE_FAILURE_TYPE, "domain", 3, "why", 9));
  gsize size = g_variant_get_size (value);
  g_autofree guint8 *spoiled = g_memdup2 (g_variant_get_data (value), size);

  for (gsize length = 0; length < size; length++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (parse_variant (spoiled, length, LOKY_MESSAGE_FAILURE_TYPE, &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
      g_assert_nonnull (strstr (error->message, "hello"));
    }
  /* A text that is not UTF-8. */
  spoiled[0] = 0xff;
  g_assert_null (parse_variant (spoiled, size, LOKY_MESSAGE_FAILURE_TYPE, NULL));
}

static void
test_type_names (void)
{
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_SETUP), ==, "setup");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_TASK_NAME), ==, "task-name");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_TASK), ==, "task");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_LEAVE), ==, "leave");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_REFUSE), ==, "refuse");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_RELEASE), ==, "release");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_HELLO), ==, "hello");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_START_FAILED), ==, "start-failed");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_RESULT), ==, "result");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_FAILURE), ==, "failure");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_PROGRESS), ==, "progress");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_GOODBYE), ==, "goodbye");
  g_assert_cmpstr (loky_message_type_to_string (LOKY_MESSAGE_GROWN), ==, "grown");
  g_assert_cmpstr (loky_message_type_to_string (0), ==, "unknown");
  g_assert_cmpstr (loky_message_type_to_string (G_MAXUINT), ==, "unknown");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/message/value-round-trip", test_value_round_trip);
  g_test_add_func ("/loky/message/value-truncated", test_value_truncated);
  g_test_add_func ("/loky/message/value-at-its-limits", test_value_at_its_limits);
  g_test_add_func ("/loky/message/value-wrong-numbers", test_value_wrong_numbers);
  g_test_add_func ("/loky/message/value-wrong-n-fds", test_value_wrong_n_fds);
  g_test_add_func ("/loky/message/value-buffers-beyond-its-end", test_value_buffers_beyond_its_end);
  g_test_add_func ("/loky/message/value-wrong-types", test_value_wrong_types);
  g_test_add_func ("/loky/message/value-type-with-nul", test_value_type_with_nul);
  g_test_add_func ("/loky/message/value-random", test_value_random);
  g_test_add_func ("/loky/message/variant-round-trip", test_variant_round_trip);
  g_test_add_func ("/loky/message/variant-not-normal", test_variant_not_normal);
  g_test_add_func ("/loky/message/type-names", test_type_names);
  return g_test_run ();
}
