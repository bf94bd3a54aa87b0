/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-executor-config-private.h"

#include "loky-executor-settings-private.h"

/**
 * LokyExecutorConfig:
 *
 * The settings of an executor, as a value: to make several alike, or to ask for the executor of the process by
 * [func@Loky.get_reusable_executor].
 *
 * Its properties are those of [class@Loky.Executor] that can be set, with the same defaults.
 *
 * A configuration is read where it is given, and can be changed afterwards. It is not thread-safe: change it while
 * no other thread uses it.
 *
 * Since: 1.0
 */
struct _LokyExecutorConfig
{
  GObject parent_instance;

  GValue values[LOKY_N_SETTINGS];
};

G_DEFINE_FINAL_TYPE (LokyExecutorConfig, loky_executor_config, G_TYPE_OBJECT)

static GParamSpec *properties[LOKY_N_SETTINGS];

static void
loky_executor_config_finalize (GObject *object)
{
  LokyExecutorConfig *self = LOKY_EXECUTOR_CONFIG (object);

  loky_executor_settings_clear (self->values);

  G_OBJECT_CLASS (loky_executor_config_parent_class)->finalize (object);
}

static void
loky_executor_config_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  LokyExecutorConfig *self = LOKY_EXECUTOR_CONFIG (object);

  if (prop_id > 0 && prop_id < LOKY_N_SETTINGS)
    g_value_copy (&self->values[prop_id], value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
}

static void
loky_executor_config_set_property (GObject *object,
                                   guint prop_id,
                                   const GValue *value,
                                   GParamSpec *pspec)
{
  LokyExecutorConfig *self = LOKY_EXECUTOR_CONFIG (object);

  if (prop_id == 0 || prop_id >= LOKY_N_SETTINGS)
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      return;
    }
  if (loky_executor_settings_are_equal (pspec, &self->values[prop_id], value))
    return;
  g_value_copy (value, &self->values[prop_id]);
  g_object_notify_by_pspec (object, pspec);
}

static void
loky_executor_config_class_init (LokyExecutorConfigClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = loky_executor_config_finalize;
  object_class->get_property = loky_executor_config_get_property;
  object_class->set_property = loky_executor_config_set_property;

  /**
   * LokyExecutorConfig:max-workers:
   *
   * As [property@Loky.Executor:max-workers].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:idle-timeout:
   *
   * As [property@Loky.Executor:idle-timeout].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:crash-policy:
   *
   * As [property@Loky.Executor:crash-policy].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:worker-path:
   *
   * As [property@Loky.Executor:worker-path].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:plugin-path:
   *
   * As [property@Loky.Executor:plugin-path].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:environment:
   *
   * As [property@Loky.Executor:environment].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:worker-environments:
   *
   * As [property@Loky.Executor:worker-environments].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:worker-cpus:
   *
   * As [property@Loky.Executor:worker-cpus].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:start-method:
   *
   * As [property@Loky.Executor:start-method].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:preload:
   *
   * As [property@Loky.Executor:preload].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:initializer:
   *
   * As [property@Loky.Executor:initializer].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:initializer-args:
   *
   * As [property@Loky.Executor:initializer-args].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:job-reducers:
   *
   * As [property@Loky.Executor:job-reducers].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:result-reducers:
   *
   * As [property@Loky.Executor:result-reducers].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:start-timeout:
   *
   * As [property@Loky.Executor:start-timeout].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:heartbeat-timeout:
   *
   * As [property@Loky.Executor:heartbeat-timeout].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:spin-time:
   *
   * As [property@Loky.Executor:spin-time].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:memory-growth-limit:
   *
   * As [property@Loky.Executor:memory-growth-limit].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:memory-check-interval:
   *
   * As [property@Loky.Executor:memory-check-interval].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:max-tasks-per-worker:
   *
   * As [property@Loky.Executor:max-tasks-per-worker].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:max-backlog:
   *
   * As [property@Loky.Executor:max-backlog].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:accept-descriptors:
   *
   * As [property@Loky.Executor:accept-descriptors].
   *
   * Since: 1.0
   */

  /**
   * LokyExecutorConfig:serializer:
   *
   * As [property@Loky.Executor:serializer].
   *
   * Since: 1.0
   */
  loky_executor_settings_make_specs (properties, flags, flags);
  g_object_class_install_properties (object_class, LOKY_N_SETTINGS, properties);
}

static void
loky_executor_config_init (LokyExecutorConfig *self)
{
  loky_executor_settings_init (self->values, properties);
}

/* --- between executors ------------------------------------------------------------------------ */

LokyExecutor *
loky_executor_config_make (LokyExecutorConfig *self)
{
  const char *names[LOKY_N_SETTINGS - 1];

  for (guint i = 1; i < LOKY_N_SETTINGS; i++)
    names[i - 1] = properties[i]->name;
  return LOKY_EXECUTOR (g_object_new_with_properties (LOKY_TYPE_EXECUTOR, LOKY_N_SETTINGS - 1, names,
                                                      self->values + 1));
}

LokyExecutorConfig *
loky_executor_config_new_from (GObject *executor)
{
  LokyExecutorConfig *self = loky_executor_config_new ();

  for (guint i = 1; i < LOKY_N_SETTINGS; i++)
    g_object_get_property (executor, properties[i]->name, &self->values[i]);
  return self;
}

static gboolean
are_equal_from (LokyExecutorConfig *self, LokyExecutorConfig *other, guint first)
{
  for (guint i = first; i < LOKY_N_SETTINGS; i++)
    if (!loky_executor_settings_are_equal (properties[i], &self->values[i], &other->values[i]))
      return FALSE;
  return TRUE;
}

gboolean
loky_executor_config_has_same_workers (LokyExecutorConfig *self, LokyExecutorConfig *other)
{
  G_STATIC_ASSERT (LOKY_SETTING_MAX_WORKERS == 1);
  return are_equal_from (self, other, LOKY_SETTING_MAX_WORKERS + 1);
}

const char *
loky_executor_config_get_start_method (LokyExecutorConfig *self)
{
  return g_value_get_string (&self->values[LOKY_SETTING_START_METHOD]);
}

guint
loky_executor_config_get_max_workers (LokyExecutorConfig *self)
{
  return g_value_get_uint (&self->values[LOKY_SETTING_MAX_WORKERS]);
}

/* --- public ----------------------------------------------------------------------------------- */

/**
 * loky_executor_config_new:
 *
 * Makes a configuration with the default settings.
 *
 * Returns: (transfer full): a new configuration
 *
 * Since: 1.0
 */
LokyExecutorConfig *
loky_executor_config_new (void)
{
  return g_object_new (LOKY_TYPE_EXECUTOR_CONFIG, NULL);
}

/**
 * loky_executor_config_copy:
 * @self: a configuration
 *
 * Copies a configuration.
 *
 * Returns: (transfer full): a new configuration with the same settings
 *
 * Since: 1.0
 */
LokyExecutorConfig *
loky_executor_config_copy (LokyExecutorConfig *self)
{
  LokyExecutorConfig *copy;

  g_return_val_if_fail (LOKY_IS_EXECUTOR_CONFIG (self), NULL);

  copy = loky_executor_config_new ();
  for (guint i = 1; i < LOKY_N_SETTINGS; i++)
    g_value_copy (&self->values[i], &copy->values[i]);
  return copy;
}

/**
 * loky_executor_config_equal:
 * @self: a configuration
 * @other: another one
 *
 * Compares two configurations by what they hold: texts, arrays and values by their content, objects by their
 * identity.
 *
 * Returns: %TRUE if all settings are the same
 *
 * Since: 1.0
 */
gboolean
loky_executor_config_equal (LokyExecutorConfig *self, LokyExecutorConfig *other)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR_CONFIG (self), FALSE);
  g_return_val_if_fail (LOKY_IS_EXECUTOR_CONFIG (other), FALSE);

  return are_equal_from (self, other, 1);
}
