/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One value that goes by a serializer of its own, whatever the others do. */

#include "loky-wrapper.h"

#include "loky-error.h"
#include "loky-reducer-private.h"
#include "loky-serializer-private.h"
#include "loky-tsan-private.h"
#include "loky-value-private.h"

/**
 * LokyWrapper:
 *
 * A value that is sent by another serializer than those around it.
 *
 * It stands for the value: who gets it in the other process gets the value itself, without the wrapper. It can be an
 * argument of [method@Loky.Executor.submit_values] and be inside one, and what a task reduces.
 *
 * A wrapper is constant, and can be used from any thread if the value in it can.
 *
 * Since: 1.0
 */
struct _LokyWrapper
{
  GObject parent_instance;

  GValue value;
  LokySerializer *serializer; /* NULL: the default */
};

G_DEFINE_FINAL_TYPE (LokyWrapper, loky_wrapper, G_TYPE_OBJECT)

static void
loky_wrapper_finalize (GObject *object)
{
  LokyWrapper *self = LOKY_WRAPPER (object);

  LOKY_TSAN_ACQUIRE (object);
  if (G_IS_VALUE (&self->value))
    g_value_unset (&self->value);

  G_OBJECT_CLASS (loky_wrapper_parent_class)->finalize (object);
}

static void
loky_wrapper_class_init (LokyWrapperClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_wrapper_finalize;
}

static void
loky_wrapper_init (LokyWrapper *self)
{
}

/**
 * loky_wrapper_new:
 * @value: a value
 * @serializer: (nullable): the name of a serializer, as in [func@Loky.set_serializer]
 * @error: return location for an error
 *
 * Wraps a value, so that it is sent by a serializer of its own.
 *
 * Returns: (transfer full): a wrapper, with a copy of @value; %NULL with %LOKY_ERROR_SERIALIZER if there is none of that
 *   name
 *
 * Since: 1.0
 */
LokyWrapper *
loky_wrapper_new (const GValue *value, const char *serializer, GError **error)
{
  LokySerializer *found;
  LokyWrapper *self;

  g_return_val_if_fail (G_IS_VALUE (value), NULL);

  if (!loky_serializer_find (serializer, NULL, &found, error))
    return NULL;
  self = g_object_new (LOKY_TYPE_WRAPPER, NULL);
  g_value_init (&self->value, G_VALUE_TYPE (value));
  g_value_copy (value, &self->value);
  self->serializer = found;
  return self;
}

/**
 * loky_wrap_object:
 * @object: an object
 * @serializer: (nullable): the name of a serializer, as in [func@Loky.set_serializer]
 * @error: return location for an error
 *
 * Wraps an object, as [ctor@Loky.Wrapper.new] does a value.
 *
 * Returns: (transfer full): a wrapper; %NULL with %LOKY_ERROR_SERIALIZER if there is no serializer of that name
 *
 * Since: 1.0
 */
LokyWrapper *
loky_wrap_object (GObject *object, const char *serializer, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_return_val_if_fail (G_IS_OBJECT (object), NULL);

  g_value_init (&value, G_OBJECT_TYPE (object));
  g_value_set_object (&value, object);
  return loky_wrapper_new (&value, serializer, error);
}

/**
 * loky_wrapper_get_serializer:
 * @self: a wrapper
 *
 * Gets the serializer by which the value is sent.
 *
 * Returns: (transfer none): its name
 *
 * Since: 1.0
 */
const char *
loky_wrapper_get_serializer (LokyWrapper *self)
{
  g_return_val_if_fail (LOKY_IS_WRAPPER (self), NULL);

  return loky_serializer_get_name (self->serializer);
}

/**
 * loky_wrapper_dup_value:
 * @self: a wrapper that [ctor@Loky.Wrapper.new] has made
 * @value: (out caller-allocates): a #GValue without a type, which is set
 *
 * Gets the value in a wrapper.
 *
 * Since: 1.0
 */
void
loky_wrapper_dup_value (LokyWrapper *self, GValue *value)
{
  g_return_if_fail (LOKY_IS_WRAPPER (self) && G_IS_VALUE (&self->value));
  g_return_if_fail (value != NULL && !G_IS_VALUE (value));

  g_value_init (value, G_VALUE_TYPE (&self->value));
  g_value_copy (&self->value, value);
}

/* --- its reducer -------------------------------------------------------------------------------- */

/* The name of the serializer, and the value as it is sent by that. */
GVariant *
loky_reduce_wrapper (const GValue *value, gpointer user_data, GError **error)
{
  LokyWrapper *self = g_value_get_object (value);
  g_autoptr (GVariant) reduced = NULL;
  g_autoptr (GVariant) normal = NULL;
  g_autoptr (GVariant) wire = NULL;

  if (!G_IS_VALUE (&self->value))
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_REDUCER, "there is no value in it");
      return NULL;
    }
  reduced = loky_reduce_nested (&self->value, error);
  if (reduced == NULL)
    return NULL;
  if (self->serializer == NULL)
    return g_variant_new ("(sv)", "", reduced);
  normal = loky_value_ref_normal (reduced);
  wire = loky_serialize (self->serializer, normal, error);
  return wire != NULL ? g_variant_new ("(sv)", self->serializer->name, wire) : NULL;
}

/* In the application a worker has named the serializer: it does not have another one opened. In a worker it is found
 * in the plugin path. */
void
loky_rebuild_wrapper (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_autoptr (GVariant) reduced = NULL;
  g_autoptr (GVariant) wire = NULL;
  LokySerializer *serializer;
  const char *name;

  if (!loky_reduce_check_form (form, "(sv)", error))
    return;
  g_variant_get (form, "(&sv)", &name, &wire);
  if (!loky_serializer_find_for_peer (name, &serializer, error))
    return;
  reduced = serializer != NULL ? loky_deserialize (serializer, wire, error) : g_variant_ref (wire);
  if (reduced != NULL)
    loky_rebuild_nested (reduced, value, error);
}
