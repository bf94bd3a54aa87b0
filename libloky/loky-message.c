/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-message-private.h"

#include <string.h>

#include "loky-error.h"
#include "loky-util-private.h"

typedef struct
{
  guint64 size;
  gint64 run_time;
  guint32 name;
  guint32 attempt;
  guint32 segment;
  guint16 type_length;
  guint8 place;
  guint8 n_buffers;
} WireValue;

G_STATIC_ASSERT (sizeof (WireValue) == 32);
G_STATIC_ASSERT (sizeof (LokyBufferRecord) == 16);
G_STATIC_ASSERT (LOKY_MESSAGE_MAX_TYPE <= G_MAXUINT16);

gsize
loky_message_value_overhead (const LokyValueMessage *value)
{
  return sizeof (WireValue) + value->n_buffers * sizeof (LokyBufferRecord) +
         loky_round_up_8 (strlen (value->type) + 1);
}

/* All but the data. Returns its end. */
static guint8 *
write_head (guint8 *at, const LokyValueMessage *value)
{
  gsize type_length = strlen (value->type);
  WireValue wire = {
    .size = value->size,
    .run_time = value->run_time,
    .name = value->name,
    .attempt = value->attempt,
    .segment = value->segment,
    .type_length = (guint16) type_length,
    .place = (guint8) ((guint) value->place | value->flags),
    .n_buffers = (guint8) value->n_buffers,
  };

  g_assert (type_length <= LOKY_MESSAGE_MAX_TYPE && value->n_buffers < LOKY_FRAME_MAX_FDS);
  memcpy (at, &wire, sizeof wire);
  at += sizeof wire;
  if (value->n_buffers > 0)
    memcpy (at, value->buffers, value->n_buffers * sizeof (LokyBufferRecord));
  at += value->n_buffers * sizeof (LokyBufferRecord);
  memcpy (at, value->type, type_length);
  memset (at + type_length, 0, loky_round_up_8 (type_length + 1) - type_length);
  return at + loky_round_up_8 (type_length + 1);
}

void
loky_message_append_value (GByteArray *out, const LokyValueMessage *value)
{
  guint start = out->len;

  g_byte_array_set_size (out, start + (guint) loky_message_value_overhead (value));
  write_head (out->data + start, value);
}

gsize
loky_message_write_value (guint8 *out, gsize most, const LokyValueMessage *value)
{
  gsize length;

  if (value->size > most)
    return 0;
  length = loky_message_value_overhead (value) + value->size;
  if (length > most)
    return 0;
  out = write_head (out, value);
  /* An empty one may have no data. */
  if (value->size > 0)
    memcpy (out, value->data, value->size);
  return length;
}

static gboolean
fail (GError **error, const LokyFrameHeader *header, const char *what)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A message %s of %u bytes %s",
               loky_message_type_to_string (header->type), header->length, what);
  return FALSE;
}

static gboolean
check_type (const char *type, gsize length)
{
  /* Most often it is a number or a text. */
  if (length == 1 && type[1] == '\0' && type[0] != '\0' && strchr ("bynqiuxtdsoghv", type[0]) != NULL)
    return TRUE;
  return type[length] == '\0' && strlen (type) == length && g_variant_type_string_is_valid (type) &&
         g_variant_type_is_definite ((const GVariantType *) type);
}

gboolean
loky_message_parse_value (const LokyFrameHeader *header,
                          const guint8 *body,
                          LokyValueMessage *value,
                          GError **error)
{
  gsize left = header->length;
  gsize type_size;
  WireValue wire;

  if (left < sizeof wire)
    return fail (error, header, "is too short for a value");
  memcpy (&wire, body, sizeof wire);
  body += sizeof wire;
  left -= sizeof wire;

  value->flags = header->type == LOKY_MESSAGE_TASK ? wire.place & LOKY_TASK_FLAGS : 0;
  wire.place &= (guint8) ~value->flags;
  if (wire.place > LOKY_PLACE_SEGMENT)
    return fail (error, header, "has its value in no known place");
  if (header->n_fds != wire.n_buffers + (wire.place == LOKY_PLACE_SEGMENT ? 1 : 0) +
                           loky_message_count_outputs (value->flags))
    return fail (error, header, "does not carry the descriptors that it names");
  if (left < wire.n_buffers * sizeof (LokyBufferRecord))
    return fail (error, header, "is too short for its buffers");
  value->buffers = (const LokyBufferRecord *) (gconstpointer) body;
  body += wire.n_buffers * sizeof (LokyBufferRecord);
  left -= wire.n_buffers * sizeof (LokyBufferRecord);

  type_size = loky_round_up_8 ((gsize) wire.type_length + 1);
  if (wire.type_length > LOKY_MESSAGE_MAX_TYPE || left < type_size)
    return fail (error, header, "is too short for its type");
  if (!check_type ((const char *) body, wire.type_length))
    return fail (error, header, "holds no valid type string");
  value->type = (const char *) body;
  body += type_size;
  left -= type_size;

  if (left != (wire.place == LOKY_PLACE_INLINE ? wire.size : 0))
    return fail (error, header, "is not as long as its value");
  value->data = wire.place == LOKY_PLACE_INLINE ? body : NULL;
  value->size = wire.size;
  value->place = wire.place;
  value->segment = wire.segment;
  value->name = wire.name;
  value->attempt = wire.attempt;
  value->run_time = wire.run_time;
  value->n_buffers = wire.n_buffers;
  return TRUE;
}

GVariant *
loky_message_parse_variant (const LokyFrameHeader *header,
                            const guint8 *body,
                            const char *type,
                            GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new (body, header->length);
  g_autoptr (GVariant) variant
      = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (type), bytes, FALSE));

  if (!g_variant_is_normal_form (variant))
    {
      fail (error, header, "is not what its type says");
      return NULL;
    }
  return g_steal_pointer (&variant);
}

const char *
loky_message_type_to_string (guint type)
{
  switch (type)
    {
    case LOKY_MESSAGE_SETUP:
      return "setup";
    case LOKY_MESSAGE_TASK_NAME:
      return "task-name";
    case LOKY_MESSAGE_TASK:
      return "task";
    case LOKY_MESSAGE_LEAVE:
      return "leave";
    case LOKY_MESSAGE_REFUSE:
      return "refuse";
    case LOKY_MESSAGE_CHUNK:
      return "chunk";
    case LOKY_MESSAGE_LOOK:
      return "look";
    case LOKY_MESSAGE_RELEASE:
      return "release";
    case LOKY_MESSAGE_HELLO:
      return "hello";
    case LOKY_MESSAGE_START_FAILED:
      return "start-failed";
    case LOKY_MESSAGE_RESULT:
      return "result";
    case LOKY_MESSAGE_FAILURE:
      return "failure";
    case LOKY_MESSAGE_PROGRESS:
      return "progress";
    case LOKY_MESSAGE_GOODBYE:
      return "goodbye";
    case LOKY_MESSAGE_CHUNK_RESULT:
      return "chunk-result";
    case LOKY_MESSAGE_GROWN:
      return "grown";
    case LOKY_MESSAGE_PARTIAL:
      return "partial";
    default:
      return "unknown";
    }
}
