/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values that are sent by what GObject knows of their type, for the types that somebody has chosen: objects by their
 * properties, enumerations and flags by their numbers; and hash tables.
 *
 * What arrives may come from a worker that is not trusted. It is checked as g_object_new() does not: what is wrong
 * there is a warning, for a programmer. */

#include "loky-reducer-private.h"

#include "loky-error.h"
#include "loky-upper-private.h"

static gboolean
fail_property (GError **error, const char *name, const char *what)
{
  g_autofree char *shown = loky_reduce_shorten (name);

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "its property “%s” %s", shown, what);
  return FALSE;
}

static gboolean
is_sent (const GParamSpec *pspec)
{
  return (pspec->flags & G_PARAM_READWRITE) == G_PARAM_READWRITE;
}

/* A property of an enumeration knows its type, which need not be registered for that. */
static gboolean
is_number (const GParamSpec *pspec)
{
  return G_TYPE_IS_ENUM (pspec->value_type) || G_TYPE_IS_FLAGS (pspec->value_type);
}

/* --- reducing objects --------------------------------------------------------------------------- */

static gboolean
is_null (const GValue *value)
{
  return (G_VALUE_HOLDS_BOXED (value) && g_value_get_boxed (value) == NULL) ||
         ((G_VALUE_HOLDS_OBJECT (value) || G_TYPE_IS_INTERFACE (G_VALUE_TYPE (value))) &&
          g_value_get_object (value) == NULL);
}

static GVariant *
reduce_property (GObject *object, GParamSpec *pspec, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  GVariant *reduced;

  g_object_get_property (object, pspec->name, &value);
  if (is_number (pspec))
    return loky_reduce_number (&value, GSIZE_TO_POINTER (pspec->value_type), error);
  /* What is not set needs no reducer, and is not set there either. */
  if (is_null (&value))
    return g_variant_new_tuple (NULL, 0);
  reduced = loky_reduce_nested (&value, error);
  if (reduced == NULL)
    g_prefix_error (error, "its property “%s”: ", pspec->name);
  return reduced;
}

GVariant *
loky_reduce_object (const GValue *value, gpointer type, GError **error)
{
  GObject *object = g_value_get_object (value);
  g_autofree GParamSpec **pspecs = NULL;
  GVariantBuilder builder;
  guint n_pspecs;

  if (G_OBJECT_TYPE (object) != GPOINTER_TO_SIZE (type))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER,
                   "there is no reducer for it, and that of “%s” leaves out what it adds to that",
                   g_type_name (GPOINTER_TO_SIZE (type)));
      return NULL;
    }
  pspecs = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n_pspecs);
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{sv}"));
  for (guint i = 0; i < n_pspecs; i++)
    {
      g_autoptr (GVariant) reduced = NULL;

      if (!is_sent (pspecs[i]))
        continue;
      reduced = reduce_property (object, pspecs[i], error);
      if (reduced == NULL)
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
      reduced = g_variant_take_ref (g_steal_pointer (&reduced));
      if (!g_variant_is_of_type (reduced, G_VARIANT_TYPE_UNIT))
        g_variant_builder_add (&builder, "{sv}", pspecs[i]->name, reduced);
    }
  return g_variant_builder_end (&builder);
}

/* --- rebuilding objects ------------------------------------------------------------------------- */

typedef struct
{
  guint n;
  const char **names; /* those of the class */
  GValue *values;
} Properties;

static void
properties_clear (Properties *self)
{
  for (guint i = 0; i < self->n; i++)
    g_value_unset (&self->values[i]);
  g_free (self->names);
  g_free (self->values);
}

static gboolean
rebuild_number (GVariant *reduced, GType type, GValue *value, GError **error)
{
  loky_rebuild_number (reduced, value, GSIZE_TO_POINTER (type), error);
  return G_IS_VALUE (value);
}

static gboolean
rebuild_property (GObjectClass *class, const char *name, GVariant *reduced, Properties *properties, GError **error)
{
  GParamSpec *pspec = g_object_class_find_property (class, name);
  GValue *value = &properties->values[properties->n];

  if (pspec == NULL || !is_sent (pspec))
    return fail_property (error, name, "cannot be set");
  for (guint i = 0; i < properties->n; i++)
    if (properties->names[i] == pspec->name)
      return fail_property (error, name, "is there twice");
  if (is_number (pspec) ? !rebuild_number (reduced, pspec->value_type, value, error)
                        : !loky_rebuild_nested (reduced, value, error))
    {
      g_prefix_error (error, "its property “%s”: ", pspec->name);
      return FALSE;
    }
  properties->names[properties->n++] = pspec->name;
  if (!g_value_type_compatible (G_VALUE_TYPE (value), pspec->value_type))
    return fail_property (error, name, "is of another type");
  /* TRUE: it had to be changed. */
  return !g_param_value_validate (pspec, value) || fail_property (error, name, "is out of its range");
}

static gboolean
rebuild_properties (GObjectClass *class, GVariant *form, Properties *properties, GError **error)
{
  gsize n = g_variant_n_children (form);
  g_autofree GParamSpec **pspecs = NULL;
  guint n_pspecs;

  pspecs = g_object_class_list_properties (class, &n_pspecs);
  if (n > n_pspecs)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "it does not have %" G_GSIZE_FORMAT " properties", n);
      return FALSE;
    }
  properties->names = g_new0 (const char *, n);
  properties->values = g_new0 (GValue, n);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) reduced = NULL;
      g_autoptr (GVariant) entry = g_variant_get_child_value (form, i);
      const char *name;

      g_variant_get (entry, "{&sv}", &name, &reduced);
      if (!rebuild_property (class, name, reduced, properties, error))
        return FALSE;
    }
  return TRUE;
}

/* Where GIO is not loaded there is no GInitable. */
static gboolean
init_object (GObject *object, GError **error)
{
  GType initable = g_type_from_name ("GInitable");
  const LokyUpper *upper;

  if (initable == G_TYPE_INVALID || !g_type_is_a (G_OBJECT_TYPE (object), initable))
    return TRUE;
  upper = loky_upper_open (error);
  return upper != NULL && upper->init_object (object, error);
}

static GObject *
make_object (GType type, Properties *properties, GError **error)
{
  GObject *object = g_object_new_with_properties (type, properties->n, properties->names, properties->values);

  if (g_object_is_floating (object))
    g_object_ref_sink (object);
  if (!init_object (object, error))
    g_clear_object (&object);
  return object;
}

void
loky_rebuild_object (GVariant *form, GValue *value, gpointer type, GError **error)
{
  Properties properties = { 0 };
  GObject *object = NULL;
  GObjectClass *class;

  if (!loky_reduce_check_form (form, "a{sv}", error))
    return;
  class = g_type_class_ref (GPOINTER_TO_SIZE (type));
  if (rebuild_properties (class, form, &properties, error))
    object = make_object (GPOINTER_TO_SIZE (type), &properties, error);
  properties_clear (&properties);
  g_type_class_unref (class);
  if (object == NULL)
    return;
  g_value_init (value, GPOINTER_TO_SIZE (type));
  g_value_take_object (value, object);
}

/* --- enumerations and flags --------------------------------------------------------------------- */

GVariant *
loky_reduce_number (const GValue *value, gpointer type, GError **error)
{
  return G_VALUE_HOLDS_ENUM (value) ? g_variant_new_int32 (g_value_get_enum (value))
                                    : g_variant_new_uint32 (g_value_get_flags (value));
}

static gboolean
is_member (GType type, GVariant *form)
{
  gpointer class = g_type_class_ref (type);
  gboolean is_known;

  if (G_TYPE_IS_ENUM (type))
    is_known = g_enum_get_value (class, g_variant_get_int32 (form)) != NULL;
  else
    is_known = (g_variant_get_uint32 (form) & ~((GFlagsClass *) class)->mask) == 0;
  g_type_class_unref (class);
  return is_known;
}

void
loky_rebuild_number (GVariant *form, GValue *value, gpointer type, GError **error)
{
  GType value_type = GPOINTER_TO_SIZE (type);

  if (!loky_reduce_check_form (form, G_TYPE_IS_ENUM (value_type) ? "i" : "u", error))
    return;
  if (!is_member (value_type, form))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "“%s” has no such value", g_type_name (value_type));
      return;
    }
  g_value_init (value, value_type);
  if (G_TYPE_IS_ENUM (value_type))
    g_value_set_enum (value, g_variant_get_int32 (form));
  else
    g_value_set_flags (value, g_variant_get_uint32 (form));
}

/* --- hash tables -------------------------------------------------------------------------------- */

static GVariant *
reduce_entry (GType type, gpointer data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (type == G_TYPE_VALUE)
    return loky_reduce_nested (data, error);
  g_value_init (&value, type);
  if (type == G_TYPE_STRING)
    g_value_set_static_string (&value, data);
  else if (type == G_TYPE_VARIANT)
    g_value_set_variant (&value, data);
  else
    g_value_set_object (&value, data);
  return loky_reduce_nested (&value, error);
}

GVariant *
loky_reduce_hash_table (const GValue *value, gpointer value_type, GError **error)
{
  gpointer key, data;
  GVariantBuilder builder;
  GHashTableIter iter;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{sv}"));
  g_hash_table_iter_init (&iter, g_value_get_boxed (value));
  while (g_hash_table_iter_next (&iter, &key, &data))
    {
      g_autoptr (GVariant) reduced = NULL;

      if (key == NULL || data == NULL || !g_utf8_validate (key, -1, NULL))
        g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "it has a key that is no text, or no value for one");
      else
        reduced = reduce_entry (GPOINTER_TO_SIZE (value_type), data, error);
      if (reduced == NULL)
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
      g_variant_builder_add (&builder, "{sv}", key, reduced);
    }
  return g_variant_builder_end (&builder);
}

static void
free_value (gpointer value)
{
  g_boxed_free (G_TYPE_VALUE, value);
}

static GDestroyNotify
get_free_func (GType type)
{
  if (type == G_TYPE_STRING)
    return g_free;
  if (type == G_TYPE_VALUE)
    return free_value;
  return type == G_TYPE_VARIANT ? (GDestroyNotify) g_variant_unref : g_object_unref;
}

/* What goes into the table, or NULL. */
static gpointer
rebuild_entry (GType type, GVariant *reduced, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  gpointer data = NULL;

  if (!loky_rebuild_nested (reduced, &value, error))
    return NULL;
  if (type == G_TYPE_VALUE)
    return g_boxed_copy (G_TYPE_VALUE, &value);
  if (g_value_type_compatible (G_VALUE_TYPE (&value), type))
    data = type == G_TYPE_STRING    ? (gpointer) g_value_dup_string (&value)
           : type == G_TYPE_VARIANT ? (gpointer) g_value_dup_variant (&value)
                                    : g_value_dup_object (&value);
  if (data == NULL)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "it holds what is no “%s”", g_type_name (type));
  return data;
}

void
loky_rebuild_hash_table (GVariant *form, GValue *value, gpointer value_type, GError **error)
{
  GType type = GPOINTER_TO_SIZE (value_type);
  g_autoptr (GHashTable) table = NULL;
  GVariantIter iter;
  GVariant *reduced;
  const char *key;

  if (!loky_reduce_check_form (form, "a{sv}", error))
    return;
  table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, get_free_func (type));
  g_variant_iter_init (&iter, form);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &reduced))
    {
      gpointer data = rebuild_entry (type, reduced, error);

      g_variant_unref (reduced);
      if (data == NULL)
        return;
      g_hash_table_replace (table, g_strdup (key), data);
    }
  g_value_init (value, G_TYPE_HASH_TABLE);
  g_value_take_boxed (value, g_steal_pointer (&table));
}
