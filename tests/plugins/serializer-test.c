/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The serializer `test`: each byte turned round. It does what a text says that begins with `worker-` or
 * `application-`, `serialize-` or `deserialize-`, and `fail`, `null`, `exit`, `segv`, `hang`, `other`, in that
 * process. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <loky.h>

static gboolean
is_told (const char *text, const char *what, const char *how)
{
  const char *place = g_getenv ("LOKY_WORKER_TOKEN") != NULL ? "worker" : "application";
  g_autofree char *order = g_strdup_printf ("%s-%s-%s", place, what, how);

  return g_str_has_prefix (text, order);
}

static gboolean
misbehave (GVariant *value, const char *what, GError **error)
{
  const char *text = g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) ? g_variant_get_string (value, NULL) : "";

  if (is_told (text, what, "fail"))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "no %s", what);
  else if (is_told (text, what, "exit"))
    exit (0);
  else if (is_told (text, what, "segv"))
    raise (SIGSEGV);
  else if (is_told (text, what, "hang"))
    for (;;)
      g_usleep (G_USEC_PER_SEC);
  else
    return is_told (text, what, "null");
  return TRUE;
}

static GBytes *
turn_round (GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  guint8 *turned = g_malloc (size + 1);

  for (gsize i = 0; i < size; i++)
    turned[i] = data[i] ^ 0xff;
  return g_bytes_new_take (turned, size);
}

/* The last byte of a text goes without saying, so that what is sent is smaller. */
static GBytes *
serialize (GVariant *value, gpointer user_data, GError **error)
{
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (value);
  g_autoptr (GBytes) most = NULL;

  if (misbehave (value, "serialize", error))
    return NULL;
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return g_bytes_ref (bytes);
  most = g_bytes_new_from_bytes (bytes, 0, g_bytes_get_size (bytes) - 1);
  return turn_round (most);
}

static GVariant *
deserialize (const GVariantType *type, GBytes *bytes, gsize size, gpointer user_data, GError **error)
{
  g_autoptr (GBytes) turned = turn_round (bytes);
  gsize length;
  const char *data = g_bytes_get_data (turned, &length);
  g_autofree char *text = g_strndup (data, length);
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string (text));

  if (misbehave (value, "deserialize", error))
    return NULL;
  return is_told (text, "deserialize", "other") ? g_variant_new_int32 (1) : g_steal_pointer (&value);
}

static const LokySerializerDescriptor descriptor = {
  LOKY_SERIALIZER_INIT,
  .name = "test",
  .version = "1.0",
  .summary = "Turns bytes round",
  .serialize = serialize,
  .deserialize = deserialize,
};

LOKY_SERIALIZER_EXPORT (descriptor)
