/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-value-private.h"

#include <string.h>

/* The size of numbers whose every pattern of bits is a value, in bytes; 0 for all else. */
static gsize
get_number_size (char type)
{
  switch (type)
    {
    case 'y':
      return 1;
    case 'n':
    case 'q':
      return 2;
    case 'i':
    case 'u':
    case 'h':
      return 4;
    case 'x':
    case 't':
    case 'd':
      return 8;
    default:
      return 0;
    }
}

/* Whether any @size bytes are a value of @type in normal form. */
static gboolean
is_always_normal (const char *type, gsize size)
{
  gboolean is_array = type[0] == 'a';
  gsize each = get_number_size (is_array ? type[1] : type[0]);

  if (each == 0)
    return FALSE;
  return is_array ? size % each == 0 : size == each;
}

/* GVariant takes bytes of the wrong length for a value of a fixed size to be its default, which it calls normal
 * and has no bytes of. Zeros are the default of all fixed sizes. */
static GVariant *
make_default (const GVariantType *type, gsize size)
{
  gpointer zeros = g_malloc0 (size);

  return g_variant_ref_sink (g_variant_new_from_data (type, zeros, size, TRUE, g_free, zeros));
}

GVariant *
loky_value_ref_normal (GVariant *value)
{
  gsize size = g_variant_get_size (value);
  g_autoptr (GVariant) normal = NULL;

  if (is_always_normal (g_variant_get_type_string (value), size))
    normal = g_variant_ref (value);
  else
    {
      normal = g_variant_get_normal_form (value);
      size = g_variant_get_size (normal);
    }
  if (size > 0 && g_variant_get_data (normal) == NULL)
    return make_default (g_variant_get_type (value), size);
  return g_steal_pointer (&normal);
}

gboolean
loky_value_is_readable (GVariant *value)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) read = NULL;

  if (strchr (g_variant_get_type_string (value), 'v') == NULL)
    return TRUE;
  bytes = g_variant_get_data_as_bytes (value);
  read = g_variant_ref_sink (g_variant_new_from_bytes (g_variant_get_type (value), bytes, FALSE));
  return g_variant_is_normal_form (read);
}

GVariant *
loky_value_new_received (const char *type, GBytes *bytes)
{
  gboolean is_normal = is_always_normal (type, g_bytes_get_size (bytes));
  g_autoptr (GVariant) value
      = g_variant_ref_sink (g_variant_new_from_bytes ((const GVariantType *) type, bytes, is_normal));

  return is_normal || g_variant_is_normal_form (value) ? g_steal_pointer (&value) : NULL;
}
