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
  guint chunk_size;
  gint64 total_timeout;
};

G_DEFINE_FINAL_TYPE (LokyMapOptions, loky_map_options, LOKY_TYPE_TASK_OPTIONS)

enum
{
  PROP_0,
  PROP_ORDERED,
  PROP_WINDOW,
  PROP_CHUNK_SIZE,
  PROP_TOTAL_TIMEOUT,
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
    case PROP_CHUNK_SIZE:
      g_value_set_uint (value, self->chunk_size);
      break;
    case PROP_TOTAL_TIMEOUT:
      g_value_set_int64 (value, self->total_timeout);
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
    case PROP_CHUNK_SIZE:
      loky_map_options_set_chunk_size (self, g_value_get_uint (value));
      break;
    case PROP_TOTAL_TIMEOUT:
      loky_map_options_set_total_timeout (self, g_value_get_int64 (value));
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
   * choose (1024, or 128 for each worker if that is more; and at least four chunks for each worker).
   *
   * It bounds the memory that a map of any length needs.
   *
   * Since: 1.0
   */
  properties[PROP_WINDOW] = g_param_spec_uint ("window", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * LokyMapOptions:chunk-size:
   *
   * How many items are submitted together, at most; 1 for each alone, 0 to let libloky choose.
   *
   * What one submission costs, some microseconds in each process, is shared by the items of a chunk: for
   * items that take less than a millisecond this is most of what a map costs. Results, errors and their
   * order are the same as without chunks, with these differences:
   *
   * - A chunk that is lost with its worker, or whose time is over, fails as a whole: all its items end with
   *   that error, also those that had been done. [property@Loky.TaskOptions:retries] runs all of them again.
   * - [property@Loky.TaskOptions:timeout] is still that of an item: a chunk may run for as many times as long
   *   as it has items.
   * - A task of kind batch may be mapped over what its arrays hold: it then gets each chunk whole, and when it
   *   fails all items of the chunk do.
   * - The results of the items of a chunk may hold 63 buffers together; those beyond fail with
   *   %LOKY_ERROR_TOO_LARGE.
   *
   * With 0 the first items are submitted alone; as soon as it is known how long they take, chunks are made as
   * large as workers need to be busy without a pause, of about 0.4 ms of work and at most 256 KiB of
   * arguments, and smaller towards the end of an input whose length is known. Items that take longer than that
   * stay alone.
   *
   * A chunk holds items of one type. It is never waited for: what the input has at hand is submitted. An item
   * that holds buffers has a chunk of its own. A chunk is at most half the window.
   *
   * Since: 1.0
   */
  properties[PROP_CHUNK_SIZE] = g_param_spec_uint ("chunk-size", NULL, NULL, 0, G_MAXUINT, 1, flags);

  /**
   * LokyMapOptions:total-timeout:
   *
   * How long the map may take, in milliseconds from [method@Loky.Executor.map] on; -1 for no limit.
   *
   * Who waits for a result when the time is over has the map cancelled, as by [method@Loky.Results.cancel]: nothing
   * more is taken from the input, items that have not ended end as cancelled ones, and behind the last of
   * them the map ends with %LOKY_ERROR_TIMED_OUT. Results that are there are still taken.
   *
   * Since: 1.0
   */
  properties[PROP_TOTAL_TIMEOUT]
      = g_param_spec_int64 ("total-timeout", NULL, NULL, -1, G_MAXINT64, -1, flags);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loky_map_options_init (LokyMapOptions *self)
{
  self->ordered = TRUE;
  self->chunk_size = 1;
  self->total_timeout = -1;
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

/**
 * loky_map_options_get_chunk_size:
 * @self: options
 *
 * Gets [property@Loky.MapOptions:chunk-size].
 *
 * Returns: the number of items, or 0
 *
 * Since: 1.0
 */
guint
loky_map_options_get_chunk_size (LokyMapOptions *self)
{
  g_return_val_if_fail (LOKY_IS_MAP_OPTIONS (self), 1);

  return self->chunk_size;
}

/**
 * loky_map_options_set_chunk_size:
 * @self: options
 * @chunk_size: the new value
 *
 * Sets [property@Loky.MapOptions:chunk-size].
 *
 * Since: 1.0
 */
void
loky_map_options_set_chunk_size (LokyMapOptions *self, guint chunk_size)
{
  g_return_if_fail (LOKY_IS_MAP_OPTIONS (self));

  if (self->chunk_size == chunk_size)
    return;
  self->chunk_size = chunk_size;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_CHUNK_SIZE]);
}

/**
 * loky_map_options_get_total_timeout:
 * @self: options
 *
 * Gets [property@Loky.MapOptions:total-timeout].
 *
 * Returns: milliseconds, or -1
 *
 * Since: 1.0
 */
gint64
loky_map_options_get_total_timeout (LokyMapOptions *self)
{
  g_return_val_if_fail (LOKY_IS_MAP_OPTIONS (self), -1);

  return self->total_timeout;
}

/**
 * loky_map_options_set_total_timeout:
 * @self: options
 * @total_timeout: the new value; any negative one is -1
 *
 * Sets [property@Loky.MapOptions:total-timeout].
 *
 * Since: 1.0
 */
void
loky_map_options_set_total_timeout (LokyMapOptions *self, gint64 total_timeout)
{
  g_return_if_fail (LOKY_IS_MAP_OPTIONS (self));

  total_timeout = MAX (total_timeout, -1);
  if (self->total_timeout == total_timeout)
    return;
  self->total_timeout = total_timeout;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TOTAL_TIMEOUT]);
}
