/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-chunk-private.h"

#include <string.h>

#include "loky-error.h"
#include "loky-failure-private.h"
#include "loky-message-private.h"

/* A type whose string is no longer, and that holds no "v", is not nested so deeply that it matters. */
#define SHALLOW_TYPE 64

/* What the messages of the errors of one chunk may take together, in bytes, and each in any case. */
#define MAX_MESSAGES (16u << 20)
#define MIN_MESSAGE 256

gboolean
loky_chunk_is_plain_type (const GVariantType *type)
{
  const char *text = g_variant_type_peek_string (type);

  for (gsize i = 0; i < g_variant_type_get_string_length (type); i++)
    if (strchr ("asogvmh", text[i]) != NULL)
      return FALSE;
  return TRUE;
}

static GVariant *
make_element (GVariant *result, const GError *item_error, gsize max_message)
{
  const char *domain = item_error != NULL ? g_quark_to_string (item_error->domain) : NULL;
  g_autofree char *message = NULL;

  if (item_error != NULL && item_error->message != NULL)
    message = g_utf8_make_valid (item_error->message,
                                 (gssize) strnlen (item_error->message, max_message));
  return g_variant_new ("(mv(sis))", result, domain != NULL ? domain : "",
                        item_error != NULL ? item_error->code : 0, message != NULL ? message : "");
}

gboolean
loky_chunk_can_hold (GVariant *value)
{
  const char *type = g_variant_get_type_string (value);
  g_autoptr (GVariant) array = NULL;
  g_autoptr (GVariant) read = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GVariant *element;

  if (strlen (type) <= SHALLOW_TYPE && strchr (type, 'v') == NULL)
    return TRUE;
  if (strlen (type) >= LOKY_MESSAGE_MAX_TYPE)
    return FALSE;
  element = make_element (value, NULL, 0);
  array = g_variant_ref_sink (g_variant_new_array (NULL, &element, 1));
  bytes = g_variant_get_data_as_bytes (array);
  read = g_variant_ref_sink (g_variant_new_from_bytes (g_variant_get_type (array), bytes, FALSE));
  return g_variant_is_normal_form (read);
}

/* Of @n values an array of their type, or NULL if they have different ones. */
static GVariant *
make_array (GVariant *const *values, gsize n)
{
  for (gsize i = 1; i < n; i++)
    if (!g_variant_type_equal (g_variant_get_type (values[i]), g_variant_get_type (values[0])))
      return NULL;
  return g_variant_ref_sink (g_variant_new_array (NULL, values, n));
}

GVariant *
loky_chunk_wrap (GVariant *result)
{
  return make_array (&result, 1);
}

GVariant *
loky_chunk_join (GPtrArray *results, GPtrArray *errors, gboolean *is_mixed)
{
  GVariant *array = NULL;
  GVariantBuilder builder;
  guint n_errors = 0;

  for (guint i = 0; i < errors->len; i++)
    n_errors += errors->pdata[i] != NULL;
  if (n_errors == 0)
    array = make_array ((GVariant *const *) results->pdata, results->len);
  *is_mixed = array == NULL;
  if (array != NULL)
    return array;
  g_variant_builder_init (&builder, G_VARIANT_TYPE (LOKY_MESSAGE_MIXED_TYPE));
  for (guint i = 0; i < results->len; i++)
    g_variant_builder_add_value (
        &builder, make_element (results->pdata[i], errors->pdata[i],
                                CLAMP (MAX_MESSAGES / MAX (n_errors, 1), MIN_MESSAGE, LOKY_MESSAGE_MAX_ERROR)));
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

gboolean
loky_chunk_check (GVariant *results, gboolean is_mixed, gsize n_items, GError **error)
{
  const GVariantType *type
      = is_mixed ? G_VARIANT_TYPE (LOKY_MESSAGE_MIXED_TYPE) : G_VARIANT_TYPE_ARRAY;

  if (!g_variant_is_of_type (results, type))
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                 "A worker answered for a chunk with a value of type %s",
                 g_variant_get_type_string (results));
  else if (g_variant_n_children (results) != n_items)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                 "A worker answered for a chunk of %" G_GSIZE_FORMAT " items with %" G_GSIZE_FORMAT,
                 n_items, g_variant_n_children (results));
  else
    return TRUE;
  return FALSE;
}

/* The result of an item, or NULL; then @error is set, if it is not NULL. */
static GVariant *
read_element (GVariant *mixed, gsize position, GError **error)
{
  const char *domain, *message;
  GVariant *result;
  gint32 code;

  g_variant_get_child (mixed, position, "(mv(&si&s))", &result, &domain, &code, &message);
  if (result == NULL && error != NULL)
    *error = loky_failure_new (domain, code, message);
  return result;
}

GVariant *
loky_chunk_dup_result (GVariant *results, gboolean is_mixed, gsize position, GError **error)
{
  return is_mixed ? read_element (results, position, error)
                  : g_variant_get_child_value (results, position);
}

GVariant *
loky_chunk_slice (const GVariantType *array_type,
                  GBytes *bytes,
                  gsize element_size,
                  gsize first,
                  gsize n)
{
  g_autoptr (GBytes) part = g_bytes_new_from_bytes (bytes, first * element_size, n * element_size);

  return g_variant_ref_sink (g_variant_new_from_bytes (array_type, part, TRUE));
}

GVariant *
loky_chunk_dup_run (GVariant *results, gboolean is_mixed, gsize first, GError **error)
{
  gsize n = g_variant_n_children (results);
  g_autoptr (GPtrArray) run = NULL;
  GVariant *array;

  if (!is_mixed && first == 0)
    return g_variant_ref (results);
  if (!is_mixed && loky_chunk_is_plain_type (g_variant_type_element (g_variant_get_type (results))))
    {
      g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (results);

      return loky_chunk_slice (g_variant_get_type (results), bytes, g_bytes_get_size (bytes) / n, first,
                               n - first);
    }
  run = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  for (gsize i = first; i < n; i++)
    {
      GVariant *result
          = loky_chunk_dup_result (results, is_mixed, i, run->len == 0 ? error : NULL);

      if (result == NULL)
        break;
      g_ptr_array_add (run, result);
    }
  if (run->len == 0)
    return NULL;
  array = make_array ((GVariant *const *) run->pdata, run->len);
  if (array != NULL)
    return array;
  for (guint i = 0; i < run->len; i++)
    {
      g_autoptr (GVariant) result = run->pdata[i];

      run->pdata[i] = g_variant_ref_sink (g_variant_new_variant (result));
    }
  return g_variant_ref_sink (
      g_variant_new_array (G_VARIANT_TYPE_VARIANT, (GVariant *const *) run->pdata, run->len));
}
