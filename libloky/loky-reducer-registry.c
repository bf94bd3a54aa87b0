/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which function reduces and which rebuilds the values of a type. Registries are layered: one of the application's
 * own above the process-wide one, and that above the built-in one, which nobody else has. */

#include "loky-reducer-private.h"

#include "loky-error.h"
#include "loky-tsan-private.h"
#include "loky-upper-private.h"

/**
 * LokyReducerRegistry:
 *
 * Which function turns the values of a type into a #GVariant, and back.
 *
 * Tasks take and return #GVariant. For values of other types, [method@Loky.Executor.submit_values] and
 * [method@Loky.Future.dup_value] use the functions of a registry: to reduce each argument to a #GVariant and to
 * rebuild the result. In the worker the plugin of the task has functions of its own.
 *
 * The function for a type also serves types that are derived from it or implement it: the nearest one counts.
 * What a registry does not have is looked for in the process-wide one ([func@Loky.ReducerRegistry.get_default]),
 * and then among the built-in ones: numbers, strings, #GVariant, #GStrv, #GBytes, #GError, #GDateTime,
 * #GValueArray, #GFile, [class@Loky.Buffer], [class@Loky.Synchronizer] and [class@Loky.Wrapper].
 *
 * All functions can be called from any thread.
 *
 * Since: 1.0
 */
struct _LokyReducerRegistry
{
  GObject parent_instance;

  LokyReducerRegistry *base; /* the layer below, or NULL; constant */

  GMutex lock;
  GHashTable *reducers;   /* GType → LokyReducer; lock */
  GHashTable *rebuilders; /* name of a type → LokyReducer; lock */
};

/* Whether the built-in registry has the reducers of the upper library. */
static gint is_complete; /* atomic */

G_DEFINE_FINAL_TYPE (LokyReducerRegistry, loky_reducer_registry, G_TYPE_OBJECT)

static LokyReducer *
reducer_new (GType type, GCallback func, gpointer user_data, GDestroyNotify destroy)
{
  LokyReducer *self = g_new (LokyReducer, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->type = type;
  self->func = func;
  self->user_data = user_data;
  self->destroy = destroy;
  return self;
}

static LokyReducer *
reducer_ref (LokyReducer *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
loky_reducer_unref (LokyReducer *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  if (self->destroy != NULL)
    self->destroy (self->user_data);
  g_free (self);
}

/* --- the object ------------------------------------------------------------------------------- */

static void
loky_reducer_registry_finalize (GObject *object)
{
  LokyReducerRegistry *self = LOKY_REDUCER_REGISTRY (object);

  LOKY_TSAN_ACQUIRE (object);
  g_hash_table_unref (self->reducers);
  g_hash_table_unref (self->rebuilders);
  g_clear_object (&self->base);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (loky_reducer_registry_parent_class)->finalize (object);
}

static void
loky_reducer_registry_class_init (LokyReducerRegistryClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loky_reducer_registry_finalize;
}

static void
loky_reducer_registry_init (LokyReducerRegistry *self)
{
  g_mutex_init (&self->lock);
  self->reducers = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) loky_reducer_unref);
  self->rebuilders
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) loky_reducer_unref);
}

static LokyReducerRegistry *
registry_new (LokyReducerRegistry *base)
{
  LokyReducerRegistry *self = g_object_new (LOKY_TYPE_REDUCER_REGISTRY, NULL);

  self->base = base != NULL ? g_object_ref (base) : NULL;
  return self;
}

/* @upper: nullable. Threads may do so at the same time. */
static void
add_those_of_upper (LokyReducerRegistry *builtin, const LokyUpper *upper)
{
  if (upper == NULL)
    return;
  upper->add_reducers (builtin);
  g_atomic_int_set (&is_complete, TRUE);
}

/**
 * loky_reducer_registry_get_default:
 *
 * Gets the process-wide registry, which all others are layered above.
 *
 * What is set in it holds for every executor of the process. In a worker it is that of the worker.
 *
 * Returns: (transfer none): the registry
 *
 * Since: 1.0
 */
LokyReducerRegistry *
loky_reducer_registry_get_default (void)
{
  static LokyReducerRegistry *registry;

  if (g_once_init_enter (&registry))
    {
      g_autoptr (LokyReducerRegistry) builtin = registry_new (NULL);

      loky_reducers_add_builtin (builtin);
      add_those_of_upper (builtin, loky_upper_peek ());
      g_once_init_leave (&registry, registry_new (builtin));
    }
  return registry;
}

/* Has the built-in ones complete, when one that is not there yet is wanted. */
static gboolean
complete (GError **error)
{
  const LokyUpper *upper = loky_upper_open (error);

  add_those_of_upper (loky_reducer_registry_get_default ()->base, upper);
  return upper != NULL;
}

/**
 * loky_reducer_registry_new:
 *
 * Makes a registry, layered above the process-wide one.
 *
 * Returns: (transfer full): a new registry
 *
 * Since: 1.0
 */
LokyReducerRegistry *
loky_reducer_registry_new (void)
{
  return registry_new (loky_reducer_registry_get_default ());
}

/* --- setting ---------------------------------------------------------------------------------- */

/* What is replaced is let go of without the lock: its destroy function is user code. */
static void
set_func (LokyReducerRegistry *self, GHashTable *table, gpointer key, LokyReducer *reducer)
{
  gpointer old = NULL;

  g_mutex_lock (&self->lock);
  g_hash_table_steal_extended (table, key, NULL, &old);
  if (reducer != NULL)
    g_hash_table_insert (table, key, reducer);
  g_mutex_unlock (&self->lock);
  if (old != NULL)
    loky_reducer_unref (old);
}

/**
 * loky_reducer_registry_set_reduce_func:
 * @self: a registry
 * @type: a type whose values can be in a #GValue, or an interface
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): reduces a value; %NULL for that of the
 *   registry below
 * @user_data: given to @func
 * @destroy: (nullable): frees @user_data
 *
 * Sets how values of a type, and of types derived from it, are sent.
 *
 * Values that are being reduced meanwhile may still use the function that was there before.
 *
 * Since: 1.0
 */
void
loky_reducer_registry_set_reduce_func (LokyReducerRegistry *self,
                                       GType type,
                                       LokyReduceFunc func,
                                       gpointer user_data,
                                       GDestroyNotify destroy)
{
  g_return_if_fail (LOKY_IS_REDUCER_REGISTRY (self));
  g_return_if_fail (g_type_name (type) != NULL);

  set_func (self, self->reducers, GSIZE_TO_POINTER (type),
            func != NULL ? reducer_new (type, G_CALLBACK (func), user_data, destroy) : NULL);
}

/**
 * loky_reducer_registry_set_rebuild_func:
 * @self: a registry
 * @type: a type whose values can be in a #GValue, or an interface
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): makes a value of its reduced form; %NULL
 *   for that of the registry below
 * @user_data: given to @func
 * @destroy: (nullable): frees @user_data
 *
 * Sets how values of a type are made again when they arrive.
 *
 * Only types for which there is such a function can arrive: a worker cannot have the application make anything else.
 *
 * Since: 1.0
 */
void
loky_reducer_registry_set_rebuild_func (LokyReducerRegistry *self,
                                        GType type,
                                        LokyRebuildFunc func,
                                        gpointer user_data,
                                        GDestroyNotify destroy)
{
  g_return_if_fail (LOKY_IS_REDUCER_REGISTRY (self));
  g_return_if_fail (g_type_name (type) != NULL);

  /* The name of a type stays. */
  set_func (self, self->rebuilders, (gpointer) g_type_name (type),
            func != NULL ? reducer_new (type, G_CALLBACK (func), user_data, destroy) : NULL);
}

/**
 * loky_reducer_registry_add_type:
 * @self: a registry
 * @type: a class that can be instantiated, an enumeration, or flags
 * @error: return location for an error
 *
 * Sends the values of a type by what GObject knows of them: an object by its properties that can be read and written,
 * an enumeration or flags by its number.
 *
 * In the other process an object is constructed with these properties, and initialised if it is a #GInitable. The
 * type has to be there, too: a plugin declares it in its descriptor. Types derived from @type are not sent as
 * @type, they have to be added themselves. An object that keeps anything outside such properties needs functions of
 * its own.
 *
 * Returns: %TRUE, or %FALSE with %LOKY_ERROR_INVALID_ARGUMENT if @type is none of these
 *
 * Since: 1.0
 */
gboolean
loky_reducer_registry_add_type (LokyReducerRegistry *self, GType type, GError **error)
{
  gboolean is_number = G_TYPE_IS_ENUM (type) || G_TYPE_IS_FLAGS (type);
  gboolean is_object = G_TYPE_IS_OBJECT (type) && !G_TYPE_IS_ABSTRACT (type);

  g_return_val_if_fail (LOKY_IS_REDUCER_REGISTRY (self), FALSE);

  if (!is_number && !is_object)
    {
      const char *name = g_type_name (type);

      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "The type “%s” is no class with instances, no enumeration and no flags",
                   name != NULL ? name : "?");
      return FALSE;
    }
  loky_reducer_registry_set_reduce_func (self, type, is_object ? loky_reduce_object : loky_reduce_number,
                                         GSIZE_TO_POINTER (type), NULL);
  loky_reducer_registry_set_rebuild_func (self, type,
                                          is_object ? loky_rebuild_object : loky_rebuild_number,
                                          GSIZE_TO_POINTER (type), NULL);
  return TRUE;
}

/**
 * loky_reducer_registry_add_hash_table:
 * @self: a registry
 * @value_type: what the values are: %G_TYPE_STRING, %G_TYPE_VARIANT, %G_TYPE_VALUE, or a class or interface of objects
 * @error: return location for an error
 *
 * Says what is in the #GHashTable that are sent with this registry: strings as keys, and values of @value_type.
 *
 * A #GHashTable does not know what is in it, so that there is no built-in function for it.
 *
 * Returns: %TRUE, or %FALSE with %LOKY_ERROR_INVALID_ARGUMENT if @value_type is none of these
 *
 * Since: 1.0
 */
gboolean
loky_reducer_registry_add_hash_table (LokyReducerRegistry *self, GType value_type, GError **error)
{
  g_return_val_if_fail (LOKY_IS_REDUCER_REGISTRY (self), FALSE);

  if (value_type != G_TYPE_STRING && value_type != G_TYPE_VARIANT && value_type != G_TYPE_VALUE &&
      !g_type_is_a (value_type, G_TYPE_OBJECT))
    {
      const char *name = g_type_name (value_type);

      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "A hash table cannot be sent with values of the type “%s”", name != NULL ? name : "?");
      return FALSE;
    }
  loky_reducer_registry_set_reduce_func (self, G_TYPE_HASH_TABLE, loky_reduce_hash_table,
                                         GSIZE_TO_POINTER (value_type), NULL);
  loky_reducer_registry_set_rebuild_func (self, G_TYPE_HASH_TABLE, loky_rebuild_hash_table,
                                          GSIZE_TO_POINTER (value_type), NULL);
  return TRUE;
}

/* --- finding ---------------------------------------------------------------------------------- */

static LokyReducer *
find_in_layers (LokyReducerRegistry *self, GType type)
{
  LokyReducer *found = NULL;

  for (; self != NULL && found == NULL; self = self->base)
    {
      g_mutex_lock (&self->lock);
      found = g_hash_table_lookup (self->reducers, GSIZE_TO_POINTER (type));
      if (found != NULL)
        reducer_ref (found);
      g_mutex_unlock (&self->lock);
    }
  return found;
}

/* Among the interfaces that @type implements and its parent does not; one that requires another one is nearer than
 * that. */
static LokyReducer *
find_by_interface (LokyReducerRegistry *self, GType type)
{
  GType parent = g_type_parent (type);
  g_autofree GType *interfaces = g_type_interfaces (type, NULL);
  LokyReducer *best = NULL;

  for (gsize i = 0; interfaces != NULL && interfaces[i] != G_TYPE_INVALID; i++)
    {
      LokyReducer *found;

      if (parent != G_TYPE_INVALID && g_type_is_a (parent, interfaces[i]))
        continue;
      found = find_in_layers (self, interfaces[i]);
      if (found == NULL)
        continue;
      if (best != NULL && !g_type_is_a (interfaces[i], best->type))
        {
          loky_reducer_unref (found);
          continue;
        }
      g_clear_pointer (&best, loky_reducer_unref);
      best = found;
    }
  return best;
}

LokyReducer *
loky_reducer_registry_find_reduce (LokyReducerRegistry *self, GType type, GError **error)
{
  LokyReducer *found = NULL;

  /* Before, as one for an ancestor might be there. */
  if (!g_atomic_int_get (&is_complete) && loky_upper_has_reducer_for (type) && !complete (error))
    return NULL;
  for (; type != G_TYPE_INVALID && found == NULL; type = g_type_parent (type))
    {
      found = find_in_layers (self, type);
      if (found == NULL && G_TYPE_IS_CLASSED (type))
        found = find_by_interface (self, type);
    }
  return found;
}

static LokyReducer *
find_by_name (LokyReducerRegistry *self, const char *name)
{
  LokyReducer *found = NULL;

  for (; self != NULL && found == NULL; self = self->base)
    {
      g_mutex_lock (&self->lock);
      found = g_hash_table_lookup (self->rebuilders, name);
      if (found != NULL)
        reducer_ref (found);
      g_mutex_unlock (&self->lock);
    }
  return found;
}

LokyReducer *
loky_reducer_registry_find_rebuild (LokyReducerRegistry *self, const char *name, GError **error)
{
  LokyReducer *found = find_by_name (self, name);

  if (found != NULL || g_atomic_int_get (&is_complete) || !loky_upper_has_reducer_of (name) ||
      !complete (error))
    return found;
  return find_by_name (self, name);
}
