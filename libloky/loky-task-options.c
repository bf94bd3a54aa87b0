/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-task-options.h"

/**
 * LokyTaskOptions:
 *
 * How a task is run: timeouts, priority, retries, what is to be had of it before its end.
 *
 * One object can be given to any number of submissions, each of which reads it at the call. It is not
 * thread-safe: change it while no other thread uses it.
 *
 * Since: 1.0
 */

typedef struct
{
  gint64 timeout;
  gint64 queue_timeout;
  gint64 cancel_grace;
  gint priority;
  guint retries;
  guint64 memory_limit;
  gboolean partial_results;
  gboolean capture_output;
} LokyTaskOptionsPrivate;

G_DEFINE_TYPE_WITH_PRIVATE (LokyTaskOptions, loky_task_options, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_TIMEOUT,
  PROP_QUEUE_TIMEOUT,
  PROP_CANCEL_GRACE,
  PROP_PRIORITY,
  PROP_RETRIES,
  PROP_MEMORY_LIMIT,
  PROP_PARTIAL_RESULTS,
  PROP_CAPTURE_OUTPUT,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

static void
loky_task_options_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  LokyTaskOptions *self = LOKY_TASK_OPTIONS (object);

  switch (prop_id)
    {
    case PROP_TIMEOUT:
      g_value_set_int64 (value, loky_task_options_get_timeout (self));
      break;
    case PROP_QUEUE_TIMEOUT:
      g_value_set_int64 (value, loky_task_options_get_queue_timeout (self));
      break;
    case PROP_CANCEL_GRACE:
      g_value_set_int64 (value, loky_task_options_get_cancel_grace (self));
      break;
    case PROP_PRIORITY:
      g_value_set_int (value, loky_task_options_get_priority (self));
      break;
    case PROP_RETRIES:
      g_value_set_uint (value, loky_task_options_get_retries (self));
      break;
    case PROP_MEMORY_LIMIT:
      g_value_set_uint64 (value, loky_task_options_get_memory_limit (self));
      break;
    case PROP_PARTIAL_RESULTS:
      g_value_set_boolean (value, loky_task_options_get_partial_results (self));
      break;
    case PROP_CAPTURE_OUTPUT:
      g_value_set_boolean (value, loky_task_options_get_capture_output (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
loky_task_options_set_property (GObject *object,
                                guint prop_id,
                                const GValue *value,
                                GParamSpec *pspec)
{
  LokyTaskOptions *self = LOKY_TASK_OPTIONS (object);

  switch (prop_id)
    {
    case PROP_TIMEOUT:
      loky_task_options_set_timeout (self, g_value_get_int64 (value));
      break;
    case PROP_QUEUE_TIMEOUT:
      loky_task_options_set_queue_timeout (self, g_value_get_int64 (value));
      break;
    case PROP_CANCEL_GRACE:
      loky_task_options_set_cancel_grace (self, g_value_get_int64 (value));
      break;
    case PROP_PRIORITY:
      loky_task_options_set_priority (self, g_value_get_int (value));
      break;
    case PROP_RETRIES:
      loky_task_options_set_retries (self, g_value_get_uint (value));
      break;
    case PROP_MEMORY_LIMIT:
      loky_task_options_set_memory_limit (self, g_value_get_uint64 (value));
      break;
    case PROP_PARTIAL_RESULTS:
      loky_task_options_set_partial_results (self, g_value_get_boolean (value));
      break;
    case PROP_CAPTURE_OUTPUT:
      loky_task_options_set_capture_output (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
loky_task_options_class_init (LokyTaskOptionsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->get_property = loky_task_options_get_property;
  object_class->set_property = loky_task_options_set_property;

  /**
   * LokyTaskOptions:timeout:
   *
   * How long the task may run, in milliseconds, from the moment a worker begins it; -1 for no
   * limit.
   *
   * A task over its timeout is asked to stop, as a cancelled one is, and fails with
   * %LOKY_ERROR_TIMED_OUT when it has.
   *
   * A result that comes later than the timeout does not count.
   *
   * Since: 1.0
   */
  properties[PROP_TIMEOUT]
      = g_param_spec_int64 ("timeout", NULL, NULL, -1, G_MAXINT64, -1, flags);

  /**
   * LokyTaskOptions:queue-timeout:
   *
   * How long the task may wait for a worker, in milliseconds; -1 for no limit.
   *
   * A task over it fails with %LOKY_ERROR_QUEUE_TIMED_OUT and never runs.
   *
   * Since: 1.0
   */
  properties[PROP_QUEUE_TIMEOUT]
      = g_param_spec_int64 ("queue-timeout", NULL, NULL, -1, G_MAXINT64, -1, flags);

  /**
   * LokyTaskOptions:cancel-grace:
   *
   * How long a task that was asked to stop may go on before its worker is killed, in milliseconds;
   * -1 never to kill it.
   *
   * All descendants of the worker in its process group are killed with it. Other tasks are not
   * touched.
   *
   * Since: 1.0
   */
  properties[PROP_CANCEL_GRACE]
      = g_param_spec_int64 ("cancel-grace", NULL, NULL, -1, G_MAXINT64, 5000, flags);

  /**
   * LokyTaskOptions:priority:
   *
   * Which of the waiting tasks runs first: the one with the lower number, as for sources of a main
   * loop; within a number the one that was submitted first.
   *
   * Only tasks that wait are ordered; none is interrupted.
   *
   * Since: 1.0
   */
  properties[PROP_PRIORITY]
      = g_param_spec_int ("priority", NULL, NULL, G_MININT, G_MAXINT, 0, flags);

  /**
   * LokyTaskOptions:retries:
   *
   * How often the task is run again when its worker dies of it; only for tasks that may run more
   * than once.
   *
   * An error that the task returns is not a death: it is not retried.
   *
   * Since: 1.0
   */
  properties[PROP_RETRIES]
      = g_param_spec_uint ("retries", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * LokyTaskOptions:memory-limit:
   *
   * How much memory the task may allocate, in bytes, beyond what its worker holds when it begins; 0 for no limit.
   *
   * An allocation beyond it fails, as it does when there is no memory. If that ends the worker, as it does where
   * `g_malloc()` fails, the task fails with %LOKY_ERROR_MEMORY_LIMIT, and the worker is replaced; a task that looks
   * may return an error of its own. What counts is private memory that can be written, touched or not: RLIMIT_DATA of
   * setrlimit(2). Memory that is shared with other processes does not, nor do arguments and results that travel in it.
   * Each process that the task starts may allocate as much. Tasks that are sent together as a chunk share one limit.
   *
   * What is known of the tasks of one name is known for each limit by itself: use few different ones.
   *
   * Since: 1.0
   */
  properties[PROP_MEMORY_LIMIT]
      = g_param_spec_uint64 ("memory-limit", NULL, NULL, 0, G_MAXUINT64, 0, flags);

  /**
   * LokyTaskOptions:partial-results:
   *
   * Whether the values that the task sends before its end are to be had, by [signal@Loky.Future::partial] or
   * [method@Loky.Future.next_partial]; otherwise they are not sent.
   *
   * Who asks for them is to take them: of one task at most 16 MiB are kept, or one larger value, and the task cannot
   * send more meanwhile. Only for tasks that are submitted: calls and maps fail with %LOKY_ERROR_INVALID_ARGUMENT.
   *
   * Since: 1.0
   */
  properties[PROP_PARTIAL_RESULTS]
      = g_param_spec_boolean ("partial-results", NULL, NULL, FALSE, flags);

  /**
   * LokyTaskOptions:capture-output:
   *
   * Whether what the task, and what it starts, writes to standard output and error while it runs comes to its future,
   * by [signal@Loky.Future::output] and [method@Loky.Future.dup_output], instead of to the standard error of the application.
   *
   * Such a task is sent to a worker only when that has nothing else to do. Each that runs takes two descriptors of the
   * application; without any it fails with %LOKY_ERROR_RESOURCES. Its arguments can refer to at most 61 buffers.
   * Only for tasks that are submitted: calls and maps fail with %LOKY_ERROR_INVALID_ARGUMENT.
   *
   * Since: 1.0
   */
  properties[PROP_CAPTURE_OUTPUT]
      = g_param_spec_boolean ("capture-output", NULL, NULL, FALSE, flags);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loky_task_options_init (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  priv->timeout = -1;
  priv->queue_timeout = -1;
  priv->cancel_grace = 5000;
}

/**
 * loky_task_options_new:
 *
 * Makes the default options.
 *
 * Returns: (transfer full): new options
 *
 * Since: 1.0
 */
LokyTaskOptions *
loky_task_options_new (void)
{
  return g_object_new (LOKY_TYPE_TASK_OPTIONS, NULL);
}

/**
 * loky_task_options_get_timeout:
 * @self: options
 *
 * Gets [property@Loky.TaskOptions:timeout].
 *
 * Returns: milliseconds, or -1
 *
 * Since: 1.0
 */
gint64
loky_task_options_get_timeout (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_val_if_fail (LOKY_IS_TASK_OPTIONS (self), 0);

  return priv->timeout;
}

/**
 * loky_task_options_set_timeout:
 * @self: options
 * @timeout: the new value; any negative one is -1
 *
 * Sets [property@Loky.TaskOptions:timeout].
 *
 * Since: 1.0
 */
void
loky_task_options_set_timeout (LokyTaskOptions *self, gint64 timeout)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_if_fail (LOKY_IS_TASK_OPTIONS (self));

  timeout = MAX (timeout, -1);
  if (priv->timeout == timeout)
    return;
  priv->timeout = timeout;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TIMEOUT]);
}

/**
 * loky_task_options_get_queue_timeout:
 * @self: options
 *
 * Gets [property@Loky.TaskOptions:queue-timeout].
 *
 * Returns: milliseconds, or -1
 *
 * Since: 1.0
 */
gint64
loky_task_options_get_queue_timeout (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_val_if_fail (LOKY_IS_TASK_OPTIONS (self), 0);

  return priv->queue_timeout;
}

/**
 * loky_task_options_set_queue_timeout:
 * @self: options
 * @queue_timeout: the new value; any negative one is -1
 *
 * Sets [property@Loky.TaskOptions:queue-timeout].
 *
 * Since: 1.0
 */
void
loky_task_options_set_queue_timeout (LokyTaskOptions *self, gint64 queue_timeout)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_if_fail (LOKY_IS_TASK_OPTIONS (self));

  queue_timeout = MAX (queue_timeout, -1);
  if (priv->queue_timeout == queue_timeout)
    return;
  priv->queue_timeout = queue_timeout;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_QUEUE_TIMEOUT]);
}

/**
 * loky_task_options_get_cancel_grace:
 * @self: options
 *
 * Gets [property@Loky.TaskOptions:cancel-grace].
 *
 * Returns: milliseconds, or -1
 *
 * Since: 1.0
 */
gint64
loky_task_options_get_cancel_grace (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_val_if_fail (LOKY_IS_TASK_OPTIONS (self), 0);

  return priv->cancel_grace;
}

/**
 * loky_task_options_set_cancel_grace:
 * @self: options
 * @cancel_grace: the new value; any negative one is -1
 *
 * Sets [property@Loky.TaskOptions:cancel-grace].
 *
 * Since: 1.0
 */
void
loky_task_options_set_cancel_grace (LokyTaskOptions *self, gint64 cancel_grace)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_if_fail (LOKY_IS_TASK_OPTIONS (self));

  cancel_grace = MAX (cancel_grace, -1);
  if (priv->cancel_grace == cancel_grace)
    return;
  priv->cancel_grace = cancel_grace;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_CANCEL_GRACE]);
}

/**
 * loky_task_options_get_priority:
 * @self: options
 *
 * Gets [property@Loky.TaskOptions:priority].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
gint
loky_task_options_get_priority (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_val_if_fail (LOKY_IS_TASK_OPTIONS (self), 0);

  return priv->priority;
}

/**
 * loky_task_options_set_priority:
 * @self: options
 * @priority: the new value
 *
 * Sets [property@Loky.TaskOptions:priority].
 *
 * Since: 1.0
 */
void
loky_task_options_set_priority (LokyTaskOptions *self, gint priority)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_if_fail (LOKY_IS_TASK_OPTIONS (self));

  if (priv->priority == priority)
    return;
  priv->priority = priority;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PRIORITY]);
}

/**
 * loky_task_options_get_retries:
 * @self: options
 *
 * Gets [property@Loky.TaskOptions:retries].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
guint
loky_task_options_get_retries (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_val_if_fail (LOKY_IS_TASK_OPTIONS (self), 0);

  return priv->retries;
}

/**
 * loky_task_options_set_retries:
 * @self: options
 * @retries: the new value
 *
 * Sets [property@Loky.TaskOptions:retries].
 *
 * Since: 1.0
 */
void
loky_task_options_set_retries (LokyTaskOptions *self, guint retries)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_if_fail (LOKY_IS_TASK_OPTIONS (self));

  if (priv->retries == retries)
    return;
  priv->retries = retries;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_RETRIES]);
}

/**
 * loky_task_options_get_partial_results:
 * @self: options
 *
 * Gets [property@Loky.TaskOptions:partial-results].
 *
 * Returns: whether they are to be had
 *
 * Since: 1.0
 */
gboolean
loky_task_options_get_partial_results (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_val_if_fail (LOKY_IS_TASK_OPTIONS (self), FALSE);

  return priv->partial_results;
}

/**
 * loky_task_options_set_partial_results:
 * @self: options
 * @partial_results: the new value
 *
 * Sets [property@Loky.TaskOptions:partial-results].
 *
 * Since: 1.0
 */
void
loky_task_options_set_partial_results (LokyTaskOptions *self, gboolean partial_results)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_if_fail (LOKY_IS_TASK_OPTIONS (self));

  partial_results = !!partial_results;
  if (priv->partial_results == partial_results)
    return;
  priv->partial_results = partial_results;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PARTIAL_RESULTS]);
}

/**
 * loky_task_options_get_capture_output:
 * @self: options
 *
 * Gets [property@Loky.TaskOptions:capture-output].
 *
 * Returns: whether it is captured
 *
 * Since: 1.0
 */
gboolean
loky_task_options_get_capture_output (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_val_if_fail (LOKY_IS_TASK_OPTIONS (self), FALSE);

  return priv->capture_output;
}

/**
 * loky_task_options_set_capture_output:
 * @self: options
 * @capture_output: the new value
 *
 * Sets [property@Loky.TaskOptions:capture-output].
 *
 * Since: 1.0
 */
void
loky_task_options_set_capture_output (LokyTaskOptions *self, gboolean capture_output)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_if_fail (LOKY_IS_TASK_OPTIONS (self));

  capture_output = !!capture_output;
  if (priv->capture_output == capture_output)
    return;
  priv->capture_output = capture_output;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_CAPTURE_OUTPUT]);
}

/**
 * loky_task_options_get_memory_limit:
 * @self: options
 *
 * Gets [property@Loky.TaskOptions:memory-limit].
 *
 * Returns: bytes, or 0
 *
 * Since: 1.0
 */
guint64
loky_task_options_get_memory_limit (LokyTaskOptions *self)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_val_if_fail (LOKY_IS_TASK_OPTIONS (self), 0);

  return priv->memory_limit;
}

/**
 * loky_task_options_set_memory_limit:
 * @self: options
 * @memory_limit: the new value
 *
 * Sets [property@Loky.TaskOptions:memory-limit].
 *
 * Since: 1.0
 */
void
loky_task_options_set_memory_limit (LokyTaskOptions *self, guint64 memory_limit)
{
  LokyTaskOptionsPrivate *priv = loky_task_options_get_instance_private (self);

  g_return_if_fail (LOKY_IS_TASK_OPTIONS (self));

  if (priv->memory_limit == memory_limit)
    return;
  priv->memory_limit = memory_limit;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MEMORY_LIMIT]);
}
