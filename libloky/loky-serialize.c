/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A value by way of a serializer. Both ends keep the same bound on how much larger a value may become than what was
 * sent of it, so that a few bytes from a worker cannot fill the memory of the application; what would be beyond it is
 * sent as it is. */

#include "loky-serializer-private.h"

#include <string.h>

#include "loky-error.h"
#include "loky-memory-private.h"
#include "loky-message-private.h"
#include "loky-value-private.h"

#define MAX_FREE_GROWTH (1u << 20)
#define MAX_GROWTH 1024

static gboolean
is_ambiguous (GVariant *value)
{
  const char *type = g_variant_get_type_string (value);

  return strcmp (type, LOKY_SERIALIZED_TYPE) == 0 || strcmp (type, "v") == 0;
}

static gboolean
is_bounded (gsize sent, guint64 size)
{
  return size <= MAX_FREE_GROWTH || (size - MAX_FREE_GROWTH) / MAX_GROWTH <= sent;
}

static gboolean
fail (GError **error, LokySerializer *serializer, const char *what)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER, "The serializer “%s”: %s", serializer->name, what);
  return FALSE;
}

/* --- serializing -------------------------------------------------------------------------------- */

static GBytes *
call_serialize (LokySerializer *serializer, GVariant *value, GError **error)
{
  GError *own_error = NULL;
  GBytes *bytes = serializer->serialize (value, serializer->user_data, &own_error);

  if (bytes != NULL && own_error == NULL)
    return bytes;
  g_clear_pointer (&bytes, g_bytes_unref);
  if (own_error != NULL)
    g_propagate_prefixed_error (error, own_error, "The serializer “%s”: ", serializer->name);
  else
    fail (error, serializer, "it returned nothing and set no error");
  return NULL;
}

GVariant *
loky_serialize (LokySerializer *serializer, GVariant *value, GError **error)
{
  g_autoptr (GBytes) bytes = call_serialize (serializer, value, error);
  guint64 size = g_variant_get_size (value);
  gsize sent;
  GVariant *wire;

  if (bytes == NULL)
    return NULL;
  sent = g_bytes_get_size (bytes);
  if (sent < size && is_bounded (sent, size))
    wire = g_variant_new ("(st@ay)", g_variant_get_type_string (value), size,
                          g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
  else if (is_ambiguous (value))
    wire = g_variant_new_variant (value);
  else
    return g_variant_ref (value);
  g_variant_ref_sink (wire);
  g_variant_get_data (wire);
  return wire;
}

/* --- deserializing ------------------------------------------------------------------------------ */

static gboolean
check_type (LokySerializer *serializer, const char *type, GError **error)
{
  return (strlen (type) <= LOKY_MESSAGE_MAX_TYPE && g_variant_type_string_is_valid (type) &&
          g_variant_type_is_definite (G_VARIANT_TYPE (type))) ||
         fail (error, serializer, "what came is of no type");
}

static gboolean
check_size (LokySerializer *serializer, gsize sent, guint64 size, GError **error)
{
  if (!is_bounded (sent, size))
    return fail (error, serializer, "what came is said to become larger than anything that is sent");
  if (!loky_memory_is_available (size))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                   "There is no memory for a value of %" G_GUINT64_FORMAT " bytes", size);
      return FALSE;
    }
  return TRUE;
}

/* Whether what a serializer has made is what was announced. It may have been led to make anything. */
static GVariant *
check_made (LokySerializer *serializer, GVariant *made, const char *type, guint64 size, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  GVariant *value = NULL;

  if (g_variant_is_of_type (made, G_VARIANT_TYPE (type)) && g_variant_get_size (made) == size)
    {
      bytes = g_variant_get_data_as_bytes (made);
      value = loky_value_new_received (type, bytes);
    }
  if (value == NULL)
    fail (error, serializer, "what came became another value than was announced");
  return value;
}

static GVariant *
call_deserialize (LokySerializer *serializer, const char *type, guint64 size, GBytes *bytes, GError **error)
{
  GError *own_error = NULL;
  g_autoptr (GVariant) made
      = serializer->deserialize (G_VARIANT_TYPE (type), bytes, size, serializer->user_data, &own_error);

  if (made != NULL)
    made = g_variant_take_ref (g_steal_pointer (&made));
  if (own_error != NULL)
    g_propagate_prefixed_error (error, own_error, "The serializer “%s”: ", serializer->name);
  else if (made == NULL)
    fail (error, serializer, "it returned nothing and set no error");
  else
    return check_made (serializer, made, type, size, error);
  return NULL;
}

GVariant *
loky_deserialize (LokySerializer *serializer, GVariant *wire, GError **error)
{
  g_autoptr (GVariant) array = NULL;
  g_autoptr (GBytes) bytes = NULL;
  const char *type;
  guint64 size;

  if (g_variant_is_of_type (wire, G_VARIANT_TYPE_VARIANT))
    return g_variant_get_variant (wire);
  if (!g_variant_is_of_type (wire, G_VARIANT_TYPE (LOKY_SERIALIZED_TYPE)))
    return g_variant_ref (wire);
  g_variant_get (wire, "(&st@ay)", &type, &size, &array);
  bytes = g_variant_get_data_as_bytes (array);
  if (!check_type (serializer, type, error) || !check_size (serializer, g_bytes_get_size (bytes), size, error))
    return NULL;
  return call_deserialize (serializer, type, size, bytes, error);
}
