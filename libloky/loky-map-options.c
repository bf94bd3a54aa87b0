/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-map-options.h"

/**
 * LokyMapOptions:
 *
 * How a map is run. What it has from [class@Loky.TaskOptions] goes for the task of each item.
 *
 * Since: 1.0
 */
struct _LokyMapOptions
{
  LokyTaskOptions parent_instance;

  gboolean ordered;
  guint window;
};

G_DEFINE_FINAL_TYPE (LokyMapOptions, loky_map_options, LOKY_TYPE_TASK_OPTIONS)

enum
{
  PROP_0,
  PROP_ORDERED,
  PROP_WINDOW,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

static void
loky_map_options_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  LokyMapOptions *self = LOKY_MAP_OPTIONS (object);

  switch (prop_id)
    {
    case PROP_ORDERED:
      g_value_set_boolean (value, self->ordered);
      break;
    case PROP_WINDOW:
      g_value_set_uint (value, self->window);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
loky_map_options_set_property (GObject *object,
                               guint prop_id,
                               const GValue *value,
                               GParamSpec *pspec)
{
  LokyMapOptions *self = LOKY_MAP_OPTIONS (object);

  switch (prop_id)
    {
    case PROP_ORDERED:
      loky_map_options_set_ordered (self, g_value_get_boolean (value));
      break;
    case PROP_WINDOW:
      loky_map_options_set_window (self, g_value_get_uint (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
loky_map_options_class_init (LokyMapOptionsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->get_property = loky_map_options_get_property;
  object_class->set_property = loky_map_options_set_property;

  /**
   * LokyMapOptions:ordered:
   *
   * Whether results come in the order of the input, or else as they are completed.
   *
   * Since: 1.0
   */
  properties[PROP_ORDERED] = g_param_spec_boolean ("ordered", NULL, NULL, TRUE, flags);

  /**
   * LokyMapOptions:window:
   *
   * How many items may have been taken from the input whose results were not yet taken; 0 lets libloky
   * choose (1024, or 128 for each worker if that is more).
   *
   * It bounds the memory that a map of any length needs.
   *
   * Since: 1.0
   */
  properties[PROP_WINDOW] = g_param_spec_uint ("window", NULL, NULL, 0, G_MAXUINT, 0, flags);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loky_map_options_init (LokyMapOptions *self)
{
  self->ordered = TRUE;
}

/**
 * loky_map_options_new:
 *
 * Makes the default options.
 *
 * Returns: (transfer full): new options
 *
 * Since: 1.0
 */
LokyMapOptions *
loky_map_options_new (void)
{
  return g_object_new (LOKY_TYPE_MAP_OPTIONS, NULL);
}

/**
 * loky_map_options_get_ordered:
 * @self: options
 *
 * Gets [property@Loky.MapOptions:ordered].
 *
 * Returns: whether results come in the order of the input
 *
 * Since: 1.0
 */
gboolean
loky_map_options_get_ordered (LokyMapOptions *self)
{
  g_return_val_if_fail (LOKY_IS_MAP_OPTIONS (self), TRUE);

  return self->ordered;
}

/**
 * loky_map_options_set_ordered:
 * @self: options
 * @ordered: the new value
 *
 * Sets [property@Loky.MapOptions:ordered].
 *
 * Since: 1.0
 */
void
loky_map_options_set_ordered (LokyMapOptions *self, gboolean ordered)
{
  g_return_if_fail (LOKY_IS_MAP_OPTIONS (self));

  ordered = !!ordered;
  if (self->ordered == ordered)
    return;
  self->ordered = ordered;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ORDERED]);
}

/**
 * loky_map_options_get_window:
 * @self: options
 *
 * Gets [property@Loky.MapOptions:window].
 *
 * Returns: the number of items, or 0
 *
 * Since: 1.0
 */
guint
loky_map_options_get_window (LokyMapOptions *self)
{
  g_return_val_if_fail (LOKY_IS_MAP_OPTIONS (self), 0);

  return self->window;
}

/**
 * loky_map_options_set_window:
 * @self: options
 * @window: the new value
 *
 * Sets [property@Loky.MapOptions:window].
 *
 * Since: 1.0
 */
void
loky_map_options_set_window (LokyMapOptions *self, guint window)
{
  g_return_if_fail (LOKY_IS_MAP_OPTIONS (self));

  if (self->window == window)
    return;
  self->window = window;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_WINDOW]);
}
