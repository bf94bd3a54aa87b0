/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The body of a message, from either end: what is accepted stays within the body, is a value in normal form,
 * and is written again as it was read. */

#include <string.h>

#include "fuzz.h"
#include "loky-chunk-private.h"
#include "loky-error.h"
#include "loky-message-private.h"
#include "loky-payload-private.h"

/* Printing takes a nested value apart once more for each container around it. */
#define MAX_PRINTED 4096

static const char *const types[] = {
  NULL, /* a value */
  LOKY_MESSAGE_SETUP_TYPE,
  LOKY_MESSAGE_NAME_TYPE,
  LOKY_MESSAGE_REFUSE_TYPE,
  LOKY_MESSAGE_HELLO_TYPE,
  LOKY_MESSAGE_FAILURE_TYPE,
  LOKY_MESSAGE_TASK_NAME_TYPE,
};

static void
look_at (GVariant *value)
{
  g_autofree char *text = NULL;

  g_assert (g_variant_is_normal_form (value));
  if (g_variant_get_size (value) <= MAX_PRINTED)
    text = g_variant_print (value, TRUE);
}

static void
check_within (gconstpointer data, gsize data_size, const guint8 *body, gsize size)
{
  const guint8 *begin = data;

  g_assert (begin >= body && begin <= body + size && data_size <= (gsize) (body + size - begin));
}

static void
check_written_again (const LokyValueMessage *value, const LokyFrameHeader *header, const guint8 *body)
{
  g_autoptr (GByteArray) again = g_byte_array_new ();
  LokyFrameHeader header_again = *header;
  LokyValueMessage read;
  g_autoptr (GError) error = NULL;

  loky_message_append_value (again, value);
  g_assert (again->len == loky_message_value_overhead (value) && again->len <= header->length);
  if (value->place == LOKY_PLACE_INLINE && value->size > 0)
    g_byte_array_append (again, value->data, (guint) value->size);
  g_assert (again->len == header->length);
  header_again.length = again->len;
  g_assert (loky_message_parse_value (&header_again, again->data, &read, &error));
  g_assert (strcmp (read.type, value->type) == 0 && read.size == value->size &&
            read.place == value->place && read.segment == value->segment && read.name == value->name &&
            read.attempt == value->attempt && read.run_time == value->run_time &&
            read.n_buffers == value->n_buffers);
}

/* As the results of a chunk of as many items as it has elements. */
static void
look_into_chunk (GVariant *value, gboolean is_mixed)
{
  gsize n = g_variant_is_container (value) ? g_variant_n_children (value) : 0;

  if (!loky_chunk_check (value, is_mixed, n, NULL))
    return;
  for (gsize i = 0; i < MIN (n, 100); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) run_error = NULL;
      g_autoptr (GVariant) result = loky_chunk_dup_result (value, is_mixed, i, &error);
      g_autoptr (GVariant) run = loky_chunk_dup_run (value, is_mixed, i, &run_error);

      g_assert ((result == NULL) == (error != NULL));
      g_assert ((run == NULL) == (run_error != NULL) && (run == NULL) == (result == NULL));
      g_assert (run == NULL || g_variant_n_children (run) <= n - i);
    }
}

static void
fuzz_value (const LokyFrameHeader *header, const guint8 *body)
{
  int fds[LOKY_FRAME_MAX_FDS];
  g_autoptr (LokyBlockCache) blocks = loky_block_cache_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyPayload) payload = NULL;
  g_autoptr (GVariant) variant = NULL;
  LokyValueMessage value;

  memset (fds, -1, sizeof fds);
  if (!loky_message_parse_value (header, body, &value, &error))
    {
      g_assert (g_error_matches (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL));
      return;
    }
  g_assert (g_variant_type_string_is_valid (value.type) && strlen (value.type) <= LOKY_MESSAGE_MAX_TYPE);
  check_within (value.type, strlen (value.type) + 1, body, header->length);
  check_within (value.buffers, value.n_buffers * sizeof *value.buffers, body, header->length);
  if (value.place == LOKY_PLACE_INLINE)
    check_within (value.data, value.size, body, header->length);
  check_written_again (&value, header, body);

  /* Its descriptors are missing: with any it is refused. */
  payload = loky_payload_new_received (&value, fds, blocks, NULL, FALSE, &error);
  g_assert ((payload == NULL) == (error != NULL));
  if (payload == NULL)
    return;
  variant = loky_payload_dup_variant (payload, &error);
  g_assert ((variant == NULL) == (error != NULL));
  if (variant == NULL)
    return;
  look_at (variant);
  look_into_chunk (variant, FALSE);
  look_into_chunk (variant, TRUE);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  FuzzInput input = { data, size };
  const char *type = types[fuzz_take_byte (&input) % G_N_ELEMENTS (types)];
  LokyFrameHeader header = { .type = LOKY_MESSAGE_RESULT, .n_fds = fuzz_take_byte (&input) };
  g_autoptr (GVariant) variant = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *body = NULL;

  header.length = (guint32) MIN (input.left, LOKY_FRAME_MAX_BODY);
  body = g_memdup2 (input.data, header.length);
  if (header.length == 0)
    body = g_malloc (1);
  if (type == NULL)
    {
      fuzz_value (&header, body);
      return 0;
    }
  variant = loky_message_parse_variant (&header, body, type, &error);
  g_assert ((variant == NULL) == (error != NULL));
  if (variant != NULL)
    {
      g_assert (g_variant_is_of_type (variant, G_VARIANT_TYPE (type)));
      look_at (variant);
    }
  return 0;
}
