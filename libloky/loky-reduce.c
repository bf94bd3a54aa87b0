/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From a GValue to what is sent of it, and back. */

#include "loky-reducer-private.h"

#include <string.h>

#include "loky-attachment-private.h"
#include "loky-error.h"
#include "loky-wrapper.h"

/* How many values may be inside each other. Each is four levels of a GVariant, of which 128 can be read. */
#define MAX_DEPTH 24

/* How much of a name that a worker sent is repeated in a message, in bytes. */
#define MAX_SHOWN 100

/* One call that is going on in a thread. */
typedef struct _Reduction Reduction;

struct _Reduction
{
  Reduction *outer;
  LokyReducerRegistry *registry;
  const char *place;
  GPtrArray *buffers; /* nullable; to be found */
  GPtrArray *kept; /* nullable; of what was made on the way */
  guint depth;
};

static __thread Reduction *current;

/* Types that stand for themselves, and the names of what they are values of. */
static const char *
get_plain_name (const char *type)
{
  static const char *const types[] = {
    ['b'] = "gboolean", ['y'] = "guchar", ['i'] = "gint",      ['u'] = "guint",    ['x'] = "gint64",
    ['t'] = "guint64",  ['d'] = "gdouble", ['s'] = "gchararray", ['v'] = "GVariant",
  };
  guchar letter = (guchar) type[0];

  return letter != '\0' && type[1] == '\0' && letter < G_N_ELEMENTS (types) ? types[letter] : NULL;
}

/* @why: nullable; why one that there is cannot be used. */
static void
fail_unknown (GError **error, const char *name, const char *place, const GError *why)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "There is no reducer for the type “%s” in %s%s%s", name, place,
               why != NULL ? ": " : "", why != NULL ? why->message : "");
}

/* --- calls inside calls ------------------------------------------------------------------------- */

static gboolean
enter (Reduction *self, GError **error)
{
  self->outer = current;
  self->depth = current != NULL ? current->depth + 1 : 1;
  if (self->depth > MAX_DEPTH)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE,
                   "More than %d values are inside each other in %s, or one refers to itself", MAX_DEPTH,
                   self->place);
      return FALSE;
    }
  current = self;
  return TRUE;
}

static void
leave (Reduction *self)
{
  current = self->outer;
}

/* --- reducing ----------------------------------------------------------------------------------- */

/* The type that counts: for an object that of the object, which may be derived from that of the value. */
static GType
get_type (const GValue *value, gboolean *is_null)
{
  GType type = G_VALUE_TYPE (value);
  gpointer instance;

  *is_null = FALSE;
  switch (G_TYPE_FUNDAMENTAL (type))
    {
    case G_TYPE_OBJECT:
    case G_TYPE_INTERFACE:
      instance = g_value_get_object (value);
      *is_null = instance == NULL;
      return instance != NULL ? G_OBJECT_TYPE (instance) : type;
    case G_TYPE_BOXED:
      *is_null = g_value_get_boxed (value) == NULL;
      return type;
    case G_TYPE_STRING:
      *is_null = g_value_get_string (value) == NULL;
      return type;
    case G_TYPE_VARIANT:
      *is_null = g_value_get_variant (value) == NULL;
      return type;
    default:
      return type;
    }
}

static GVariant *
call_reduce (LokyReducer *reducer, const GValue *value, GType type, const char *place, GError **error)
{
  GVariant *form;
  GError *own_error = NULL;

  form = ((LokyReduceFunc) reducer->func) (value, reducer->user_data, &own_error);
  if (form != NULL)
    form = g_variant_take_ref (form);
  if (form != NULL && own_error == NULL)
    return form;
  g_clear_pointer (&form, g_variant_unref);
  if (own_error == NULL)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER,
                 "The reduce function of the type “%s” returned no value and set no error in %s",
                 g_type_name (type), place);
  else
    g_propagate_prefixed_error (error, own_error, "A value of the type “%s” cannot be reduced in %s: ",
                                g_type_name (type), place);
  return NULL;
}

static GVariant *
reduce (Reduction *self, const GValue *value, GError **error)
{
  gboolean is_null;
  GType type = get_type (value, &is_null);
  g_autoptr (GError) why = NULL;
  g_autoptr (LokyReducer) reducer = loky_reducer_registry_find_reduce (self->registry, type, &why);
  g_autoptr (GVariant) form = NULL;
  const char *name;

  if (reducer == NULL)
    {
      fail_unknown (error, g_type_name (type), self->place, why);
      return NULL;
    }
  name = g_type_name (reducer->type);
  if (!is_null)
    {
      const char *plain_name;

      form = call_reduce (reducer, value, type, self->place, error);
      if (form == NULL)
        return NULL;
      plain_name = get_plain_name (g_variant_get_type_string (form));
      if (plain_name != NULL && strcmp (plain_name, name) == 0)
        return g_steal_pointer (&form);
    }
  return g_variant_ref_sink (g_variant_new (LOKY_REDUCED_TYPE, name, form));
}

GVariant *
loky_reduce_value (LokyReducerRegistry *registry,
                   const GValue *value,
                   const char *place,
                   GPtrArray *kept,
                   GError **error)
{
  Reduction self = { .registry = registry, .place = place, .kept = kept };
  GVariant *reduced;

  if (!G_IS_VALUE (value))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "A value without a type cannot be sent from %s",
                   place);
      return NULL;
    }
  if (!enter (&self, error))
    return NULL;
  reduced = reduce (&self, value, error);
  leave (&self);
  return reduced;
}

GVariant *
loky_reduce_nested (const GValue *value, GError **error)
{
  return loky_reduce_value (current->registry, value, current->place, current->kept, error);
}

gboolean
loky_reduce_check_keeps (GError **error)
{
  if (current->kept != NULL)
    return TRUE;
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_REDUCER,
                       strcmp (current->place, LOKY_PLACE_WORKER) == 0
                           ? "descriptors can be sent with a result only if the executor accepts them "
                             "(accept-descriptors)"
                           : "it is reduced as an argument of a task only, while that is submitted; elsewhere "
                             "make a LokyDescriptor");
  return FALSE;
}

void
loky_reduce_keep (GObject *attachment)
{
  g_ptr_array_add (current->kept, g_object_ref (attachment));
}

/* --- rebuilding --------------------------------------------------------------------------------- */

/* Moves what a function has made into @value, if it is what it should be. */
static gboolean
take_rebuilt (GValue *made, GType type, GValue *value, GError **error)
{
  /* A wrapper becomes what was in it. */
  if (g_value_type_compatible (G_VALUE_TYPE (made), type) || type == LOKY_TYPE_WRAPPER)
    {
      *value = *made;
      memset (made, 0, sizeof *made);
      return TRUE;
    }
  /* A language without types of integers has chosen another one. */
  if (!G_TYPE_IS_OBJECT (type) && g_value_type_transformable (G_VALUE_TYPE (made), type))
    {
      g_value_init (value, type);
      if (g_value_transform (made, value))
        return TRUE;
      g_value_unset (value);
    }
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "it became a value of the type “%s”",
               G_VALUE_TYPE_NAME (made));
  return FALSE;
}

static gboolean
call_rebuild (LokyReducer *reducer, GVariant *form, GValue *value, GError **error)
{
  g_auto (GValue) made = G_VALUE_INIT;
  GError *own_error = NULL;

  ((LokyRebuildFunc) reducer->func) (form, &made, reducer->user_data, &own_error);
  if (own_error != NULL)
    {
      g_propagate_error (error, own_error);
      return FALSE;
    }
  if (G_IS_VALUE (&made))
    return take_rebuilt (&made, reducer->type, value, error);
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_REDUCER,
                       "its rebuild function returned no value and set no error");
  return FALSE;
}

/* A value of nothing but its type. */
static gboolean
make_null (GType type, GValue *value, GError **error)
{
  switch (G_TYPE_FUNDAMENTAL (type))
    {
    case G_TYPE_OBJECT:
    case G_TYPE_INTERFACE:
    case G_TYPE_BOXED:
    case G_TYPE_STRING:
    case G_TYPE_VARIANT:
      g_value_init (value, type);
      return TRUE;
    default:
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "it has no value");
      return FALSE;
    }
}

/* @name: inside @reduced, or constant. @form: NULL for a NULL. */
static GVariant *
take_apart (GVariant *reduced, const char **name, gboolean *is_null)
{
  const char *type = g_variant_get_type_string (reduced);
  GVariant *form = NULL;

  *is_null = FALSE;
  if (strcmp (type, LOKY_REDUCED_TYPE) == 0)
    {
      g_variant_get (reduced, "(&smv)", name, &form);
      *is_null = form == NULL;
      return form;
    }
  *name = get_plain_name (type);
  if (*name != NULL)
    return g_variant_ref (reduced);
  *name = "GVariant";
  return g_variant_ref_sink (g_variant_new_variant (reduced));
}

static gboolean
rebuild (Reduction *self, GVariant *reduced, GValue *value, GError **error)
{
  const char *name;
  gboolean is_null;
  g_autoptr (GVariant) form = take_apart (reduced, &name, &is_null);
  g_autoptr (GError) why = NULL;
  g_autoptr (LokyReducer) reducer = loky_reducer_registry_find_rebuild (self->registry, name, &why);

  if (reducer == NULL)
    {
      g_autofree char *shown = loky_reduce_shorten (name);

      fail_unknown (error, shown, self->place, why);
      return FALSE;
    }
  if (is_null ? make_null (reducer->type, value, error) : call_rebuild (reducer, form, value, error))
    return TRUE;
  g_prefix_error (error, "A value of the type “%s” cannot be rebuilt in %s: ", g_type_name (reducer->type),
                  self->place);
  return FALSE;
}

gboolean
loky_rebuild_value (LokyReducerRegistry *registry,
                    GVariant *reduced,
                    GPtrArray *buffers,
                    const char *place,
                    GValue *value,
                    GError **error)
{
  Reduction self = { .registry = registry, .place = place, .buffers = buffers };
  gboolean is_done;

  if (!enter (&self, error))
    return FALSE;
  is_done = rebuild (&self, reduced, value, error);
  leave (&self);
  return is_done;
}

gboolean
loky_rebuild_nested (GVariant *reduced, GValue *value, GError **error)
{
  return loky_rebuild_value (current->registry, reduced, current->buffers, current->place, value, error);
}

GPtrArray *
loky_rebuild_get_attachments (void)
{
  return current->buffers;
}

gpointer
loky_rebuild_find_attachment (gint32 handle, GType type, GError **error)
{
  return loky_attachment_find (current->buffers, handle, type, error);
}

char *
loky_reduce_shorten (const char *name)
{
  return g_utf8_make_valid (name, (gssize) MIN (strlen (name), MAX_SHOWN));
}

gboolean
loky_reduce_check_form (GVariant *form, const char *type, GError **error)
{
  if (g_variant_is_of_type (form, G_VARIANT_TYPE (type)))
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "its form is of type %s, not %s",
               g_variant_get_type_string (form), type);
  return FALSE;
}

/* --- public ------------------------------------------------------------------------------------- */

/**
 * loky_reducer_registry_reduce:
 * @self: a registry
 * @value: a value
 * @error: return location for an error
 *
 * Reduces a value to a #GVariant that can be sent to another process.
 *
 * A value of %G_TYPE_BOOLEAN, %G_TYPE_UCHAR, %G_TYPE_INT, %G_TYPE_UINT, %G_TYPE_INT64, %G_TYPE_UINT64,
 * %G_TYPE_DOUBLE or %G_TYPE_STRING is a #GVariant of that type, and one of %G_TYPE_VARIANT is of type `v`. All
 * others are of type `(smv)`: the name of the type, and its reduced form, or nothing for %NULL.
 *
 * A [class@Loky.Buffer] in @value has to live until the result is submitted.
 *
 * Returns: (transfer full): the reduced value, not floating; %NULL with %LOKY_ERROR_REDUCER if there is no function for
 *   its type, with %LOKY_ERROR_TOO_LARGE if it refers to itself, or with the error of the function
 *
 * Since: 1.0
 */
GVariant *
loky_reducer_registry_reduce (LokyReducerRegistry *self, const GValue *value, GError **error)
{
  g_return_val_if_fail (LOKY_IS_REDUCER_REGISTRY (self), NULL);
  g_return_val_if_fail (value != NULL, NULL);

  return loky_reduce_value (self, value, current != NULL ? current->place : "this process",
                            current != NULL ? current->kept : NULL, error);
}

/**
 * loky_reducer_registry_rebuild:
 * @self: a registry
 * @reduced: what [method@Loky.ReducerRegistry.reduce] has made
 * @value: (out caller-allocates): a #GValue without a type, which is set; on an error it stays as it is
 * @error: return location for an error
 *
 * Makes a value of its reduced form.
 *
 * A #GVariant of a type that nothing is reduced to becomes a value of %G_TYPE_VARIANT.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_REDUCER if there is no function for the type or its form is none, or with
 *   the error of the function
 *
 * Since: 1.0
 */
gboolean
loky_reducer_registry_rebuild (LokyReducerRegistry *self,
                               GVariant *reduced,
                               GValue *value,
                               GError **error)
{
  g_return_val_if_fail (LOKY_IS_REDUCER_REGISTRY (self), FALSE);
  g_return_val_if_fail (reduced != NULL, FALSE);
  g_return_val_if_fail (value != NULL && !G_IS_VALUE (value), FALSE);

  return loky_rebuild_value (self, reduced, current != NULL ? current->buffers : NULL,
                             current != NULL ? current->place : "this process", value, error);
}
