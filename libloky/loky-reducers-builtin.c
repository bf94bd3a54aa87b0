/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The reducers that every process has; those of types of GIO are in the upper library. What they rebuild may come from
 * a worker that is not trusted: nothing here opens a file, runs a program or registers more than a bounded number of
 * names. */

#include "loky-reducer-private.h"

#include <string.h>

#include "loky-descriptor-private.h"
#include "loky-error.h"
#include "loky-failure-private.h"
#include "loky-synchronizer.h"
#include "loky-wrapper.h"

#define MAX_ZONE_NAME 64
#define DAY (24 * 60 * 60)

static gboolean
fail (GError **error, const char *what)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "%s", what);
  return FALSE;
}

GVariant *
loky_reduce_text (const char *text)
{
  return g_utf8_validate (text, -1, NULL) ? g_variant_new_string (text) : g_variant_new_bytestring (text);
}

/* --- fundamental types -------------------------------------------------------------------------- */

static GVariant *
reduce_fundamental (const GValue *value, gpointer type, GError **error)
{
  switch (GPOINTER_TO_SIZE (type))
    {
    case G_TYPE_BOOLEAN:
      return g_variant_new_boolean (g_value_get_boolean (value));
    case G_TYPE_CHAR:
      return g_variant_new_int16 (g_value_get_schar (value));
    case G_TYPE_UCHAR:
      return g_variant_new_byte (g_value_get_uchar (value));
    case G_TYPE_INT:
      return g_variant_new_int32 (g_value_get_int (value));
    case G_TYPE_UINT:
      return g_variant_new_uint32 (g_value_get_uint (value));
    case G_TYPE_LONG:
      return g_variant_new_int64 (g_value_get_long (value));
    case G_TYPE_ULONG:
      return g_variant_new_uint64 (g_value_get_ulong (value));
    case G_TYPE_INT64:
      return g_variant_new_int64 (g_value_get_int64 (value));
    case G_TYPE_UINT64:
      return g_variant_new_uint64 (g_value_get_uint64 (value));
    case G_TYPE_FLOAT:
      return g_variant_new_double ((gdouble) g_value_get_float (value));
    case G_TYPE_DOUBLE:
      return g_variant_new_double (g_value_get_double (value));
    case G_TYPE_STRING:
      return loky_reduce_text (g_value_get_string (value));
    default:
      return g_variant_new_variant (g_value_get_variant (value));
    }
}

/* The type of the form; a text that is not in UTF-8 has another one. */
static const char *
get_form_type (GType type)
{
  switch (type)
    {
    case G_TYPE_BOOLEAN:
      return "b";
    case G_TYPE_CHAR:
      return "n";
    case G_TYPE_UCHAR:
      return "y";
    case G_TYPE_INT:
      return "i";
    case G_TYPE_UINT:
      return "u";
    case G_TYPE_LONG:
    case G_TYPE_INT64:
      return "x";
    case G_TYPE_ULONG:
    case G_TYPE_UINT64:
      return "t";
    case G_TYPE_FLOAT:
    case G_TYPE_DOUBLE:
      return "d";
    case G_TYPE_STRING:
      return "s";
    default:
      return "v";
    }
}

static void
set_fundamental (GValue *value, GVariant *form)
{
  g_autoptr (GVariant) inner = NULL;

  switch (G_VALUE_TYPE (value))
    {
    case G_TYPE_BOOLEAN:
      g_value_set_boolean (value, g_variant_get_boolean (form));
      break;
    case G_TYPE_CHAR:
      g_value_set_schar (value, (gint8) g_variant_get_int16 (form));
      break;
    case G_TYPE_UCHAR:
      g_value_set_uchar (value, g_variant_get_byte (form));
      break;
    case G_TYPE_INT:
      g_value_set_int (value, g_variant_get_int32 (form));
      break;
    case G_TYPE_UINT:
      g_value_set_uint (value, g_variant_get_uint32 (form));
      break;
    case G_TYPE_LONG:
      g_value_set_long (value, (glong) g_variant_get_int64 (form));
      break;
    case G_TYPE_ULONG:
      g_value_set_ulong (value, (gulong) g_variant_get_uint64 (form));
      break;
    case G_TYPE_INT64:
      g_value_set_int64 (value, g_variant_get_int64 (form));
      break;
    case G_TYPE_UINT64:
      g_value_set_uint64 (value, g_variant_get_uint64 (form));
      break;
    case G_TYPE_FLOAT:
      g_value_set_float (value, (gfloat) g_variant_get_double (form));
      break;
    case G_TYPE_DOUBLE:
      g_value_set_double (value, g_variant_get_double (form));
      break;
    case G_TYPE_STRING:
      g_value_set_string (value, g_variant_get_string (form, NULL));
      break;
    default:
      inner = g_variant_get_variant (form);
      g_value_set_variant (value, inner);
    }
}

static void
rebuild_fundamental (GVariant *form, GValue *value, gpointer type, GError **error)
{
  GType value_type = GPOINTER_TO_SIZE (type);

  if (value_type == G_TYPE_STRING && g_variant_is_of_type (form, G_VARIANT_TYPE_BYTESTRING))
    {
      g_value_init (value, G_TYPE_STRING);
      g_value_set_string (value, g_variant_get_bytestring (form));
      return;
    }
  if (!loky_reduce_check_form (form, get_form_type (value_type), error))
    return;
  g_value_init (value, value_type);
  set_fundamental (value, form);
}

/* --- boxed types -------------------------------------------------------------------------------- */

static GVariant *
reduce_strv (const GValue *value, gpointer user_data, GError **error)
{
  const char *const *strv = g_value_get_boxed (value);

  for (gsize i = 0; strv[i] != NULL; i++)
    if (!g_utf8_validate (strv[i], -1, NULL))
      return g_variant_new_bytestring_array (strv, -1);
  return g_variant_new_strv (strv, -1);
}

static void
rebuild_strv (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  gboolean is_text = g_variant_is_of_type (form, G_VARIANT_TYPE_STRING_ARRAY);

  if (!is_text && !loky_reduce_check_form (form, "aay", error))
    return;
  g_value_init (value, G_TYPE_STRV);
  g_value_take_boxed (value, is_text ? g_variant_dup_strv (form, NULL)
                                     : g_variant_dup_bytestring_array (form, NULL));
}

static GVariant *
reduce_bytes (const GValue *value, gpointer user_data, GError **error)
{
  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, g_value_get_boxed (value), TRUE);
}

static void
rebuild_bytes (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  if (!loky_reduce_check_form (form, "ay", error))
    return;
  g_value_init (value, G_TYPE_BYTES);
  g_value_take_boxed (value, g_variant_get_data_as_bytes (form));
}

static GVariant *
reduce_error (const GValue *value, gpointer user_data, GError **error)
{
  const GError *own = g_value_get_boxed (value);
  const char *domain = g_quark_to_string (own->domain);
  g_autofree char *message = g_utf8_make_valid (own->message != NULL ? own->message : "", -1);

  return g_variant_new ("(sis)", domain != NULL ? domain : "", own->code, message);
}

static void
rebuild_error (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  const char *domain, *message;
  gint32 code;

  if (!loky_reduce_check_form (form, "(sis)", error))
    return;
  g_variant_get (form, "(&si&s)", &domain, &code, &message);
  g_value_init (value, G_TYPE_ERROR);
  g_value_take_boxed (value, loky_failure_new (domain, code, message));
}

/* --- times -------------------------------------------------------------------------------------- */

/* Microseconds since 1970, seconds east of Greenwich, the name of the time zone. */
static GVariant *
reduce_date_time (const GValue *value, gpointer user_data, GError **error)
{
  GDateTime *time = g_value_get_boxed (value);

  return g_variant_new ("(xis)", g_date_time_to_unix (time) * G_USEC_PER_SEC + g_date_time_get_microsecond (time),
                        (gint32) (g_date_time_get_utc_offset (time) / G_USEC_PER_SEC),
                        g_time_zone_get_identifier (g_date_time_get_timezone (time)));
}

/* The name of a zone is that of a file in a folder: it must not lead out of there. */
static gboolean
is_zone_name (const char *name)
{
  if (!g_ascii_isalpha (name[0]) || strlen (name) > MAX_ZONE_NAME)
    return FALSE;
  for (const char *c = name; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c) && strchr ("_+-/", *c) == NULL)
      return FALSE;
  return TRUE;
}

static GTimeZone *
make_zone (const char *name, gint32 offset)
{
  GTimeZone *zone = is_zone_name (name) ? g_time_zone_new_identifier (name) : NULL;

  return zone != NULL ? zone : g_time_zone_new_offset (offset);
}

static void
rebuild_date_time (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_autoptr (GDateTime) second = NULL;
  g_autoptr (GDateTime) moment = NULL;
  g_autoptr (GTimeZone) zone = NULL;
  GDateTime *time = NULL;
  gint64 microseconds;
  const char *name;
  gint32 offset;

  if (!loky_reduce_check_form (form, "(xis)", error))
    return;
  g_variant_get (form, "(xi&s)", &microseconds, &offset, &name);
  if (offset > -DAY && offset < DAY)
    second = g_date_time_new_from_unix_utc (microseconds / G_USEC_PER_SEC);
  if (second != NULL)
    moment = g_date_time_add (second, microseconds % G_USEC_PER_SEC);
  if (moment != NULL)
    {
      zone = make_zone (name, offset);
      time = g_date_time_to_timezone (moment, zone);
    }
  if (time == NULL)
    {
      fail (error, "there is no such time");
      return;
    }
  g_value_init (value, G_TYPE_DATE_TIME);
  g_value_take_boxed (value, time);
}

/* --- arrays of values --------------------------------------------------------------------------- */

G_GNUC_BEGIN_IGNORE_DEPRECATIONS

static GVariant *
reduce_value_array (const GValue *value, gpointer user_data, GError **error)
{
  const GValueArray *array = g_value_get_boxed (value);
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (guint i = 0; i < array->n_values; i++)
    {
      g_autoptr (GVariant) reduced = loky_reduce_nested (&array->values[i], error);

      if (reduced == NULL)
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
      g_variant_builder_add (&builder, "v", reduced);
    }
  return g_variant_builder_end (&builder);
}

static void
rebuild_value_array (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  GValueArray *array;
  GVariantIter iter;
  GVariant *child;
  gboolean is_done = TRUE;

  if (!loky_reduce_check_form (form, "av", error))
    return;
  array = g_value_array_new (0);
  g_variant_iter_init (&iter, form);
  while (is_done && g_variant_iter_next (&iter, "v", &child))
    {
      g_auto (GValue) element = G_VALUE_INIT;

      is_done = loky_rebuild_nested (child, &element, error);
      if (is_done)
        g_value_array_append (array, &element);
      g_variant_unref (child);
    }
  if (!is_done)
    {
      g_value_array_free (array);
      return;
    }
  g_value_init (value, g_value_array_get_type ());
  g_value_take_boxed (value, array);
}

static GType
get_value_array_type (void)
{
  return g_value_array_get_type ();
}

G_GNUC_END_IGNORE_DEPRECATIONS

/* --- objects ------------------------------------------------------------------------------------ */

static GVariant *
reduce_buffer (const GValue *value, gpointer user_data, GError **error)
{
  return loky_buffer_to_variant (g_value_get_object (value), error);
}

static GVariant *
reduce_descriptor (const GValue *value, gpointer user_data, GError **error)
{
  return loky_descriptor_to_variant (g_value_get_object (value), error);
}

static GVariant *
reduce_synchronizer (const GValue *value, gpointer user_data, GError **error)
{
  return loky_synchronizer_to_variant (g_value_get_object (value), error);
}

static void
rebuild_attachment (GVariant *form, GValue *value, gpointer type, GError **error)
{
  gpointer found;

  if (!loky_reduce_check_form (form, "h", error))
    return;
  found = loky_rebuild_find_attachment (g_variant_get_handle (form), GPOINTER_TO_SIZE (type), error);
  if (found == NULL)
    return;
  g_value_init (value, G_OBJECT_TYPE (found));
  g_value_take_object (value, found);
}

/* --- all ---------------------------------------------------------------------------------------- */

static void
add (LokyReducerRegistry *registry, GType type, LokyReduceFunc reduce, LokyRebuildFunc rebuild)
{
  loky_reducer_registry_set_reduce_func (registry, type, reduce, GSIZE_TO_POINTER (type), NULL);
  loky_reducer_registry_set_rebuild_func (registry, type, rebuild, GSIZE_TO_POINTER (type), NULL);
}

void
loky_reducers_add_builtin (LokyReducerRegistry *registry)
{
  static const GType fundamentals[] = {
    G_TYPE_BOOLEAN, G_TYPE_CHAR,   G_TYPE_UCHAR, G_TYPE_INT,    G_TYPE_UINT,   G_TYPE_LONG,    G_TYPE_ULONG,
    G_TYPE_INT64,   G_TYPE_UINT64, G_TYPE_FLOAT, G_TYPE_DOUBLE, G_TYPE_STRING, G_TYPE_VARIANT,
  };

  for (gsize i = 0; i < G_N_ELEMENTS (fundamentals); i++)
    add (registry, fundamentals[i], reduce_fundamental, rebuild_fundamental);
  add (registry, G_TYPE_STRV, reduce_strv, rebuild_strv);
  add (registry, G_TYPE_BYTES, reduce_bytes, rebuild_bytes);
  add (registry, G_TYPE_ERROR, reduce_error, rebuild_error);
  add (registry, G_TYPE_DATE_TIME, reduce_date_time, rebuild_date_time);
  add (registry, get_value_array_type (), reduce_value_array, rebuild_value_array);
  add (registry, LOKY_TYPE_BUFFER, reduce_buffer, rebuild_attachment);
  add (registry, LOKY_TYPE_SYNCHRONIZER, reduce_synchronizer, rebuild_attachment);
  add (registry, LOKY_TYPE_DESCRIPTOR, reduce_descriptor, rebuild_attachment);
  add (registry, LOKY_TYPE_WRAPPER, loky_reduce_wrapper, loky_rebuild_wrapper);
}
