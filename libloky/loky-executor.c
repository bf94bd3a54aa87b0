/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The executor as an object: properties, warm-up, shutdown. A handle on a pool, without I/O. */

#include "loky-enum-types.h"
#include "loky-error.h"
#include "loky-executor-config-private.h"
#include "loky-executor-private.h"
#include "loky-executor-settings-private.h"
#include "loky-cpu-count.h"
#include "loky-paths-private.h"
#include "loky-tsan-private.h"

/**
 * LokyExecutor:
 *
 * A pool of worker processes that run tasks from plugins.
 *
 * A task that crashes, leaks, spins or lies takes neither the application with it nor any other task.
 * Workers are started when there is work for them, up to [property@Loky.Executor:max-workers].
 *
 * [method@Loky.Executor.submit] gives a future; [method@Loky.Executor.call_async] and
 * [method@Loky.Executor.call_sync] run one task; [method@Loky.Executor.map] runs one task over any
 * number of items.
 *
 * All functions can be called from any thread. The executor needs no main loop; callbacks, signals and
 * notifications do. Notifications are emitted in the #GMainContext that was the thread-default one
 * when the executor was made.
 *
 * Dropping the last reference lets the tasks that were submitted end, without waiting for them. When
 * the process ends, however it does, its workers end too.
 *
 * Since: 1.0
 */
struct _LokyExecutor
{
  GObject parent_instance;

  LokyPool *pool;
  GMainContext *context;
  GSource *changes; /* ready when there may be something to notify */

  GMutex lock;
  GValue settings[LOKY_N_SETTINGS]; /* lock */

  /* of the context */
  LokyExecutorState told_state;
};

G_DEFINE_FINAL_TYPE (LokyExecutor, loky_executor, G_TYPE_OBJECT)

enum
{
  PROP_STATE = LOKY_N_SETTINGS,
  PROP_N_WORKERS,
  PROP_N_PENDING,
  PROP_N_RUNNING,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];
static guint worker_grown_signal;

LokyPool *
loky_executor_get_pool (LokyExecutor *self)
{
  return self->pool;
}

/* --- notifications ---------------------------------------------------------------------------- */

typedef struct
{
  GSource base;
  GWeakRef executor;
} ChangesSource;

static void
tell_growths (LokyExecutor *self)
{
  g_autoptr (GArray) growths = loky_pool_take_growths (self->pool);

  for (guint i = 0; growths != NULL && i < growths->len; i++)
    {
      const LokyGrowth *growth = &g_array_index (growths, LokyGrowth, i);

      g_signal_emit (self, worker_grown_signal, 0, growth->worker_id, growth->before, growth->after);
    }
}

static gboolean
changes_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_autoptr (LokyExecutor) self = g_weak_ref_get (&((ChangesSource *) source)->executor);
  LokyPoolStatus status;

  LOKY_TSAN_ACQUIRE (source);
  g_source_set_ready_time (source, -1);
  if (self == NULL)
    return G_SOURCE_REMOVE;
  loky_pool_get_status (self->pool, &status);
  g_object_freeze_notify (G_OBJECT (self));
  if (status.state != self->told_state)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
  /* Also where it is the same again: somebody may have read it in between, and wait for what has become of it. */
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_N_WORKERS]);
  self->told_state = status.state;
  g_object_thaw_notify (G_OBJECT (self));
  tell_growths (self);
  return G_SOURCE_CONTINUE;
}

static void
changes_finalize (GSource *source)
{
  g_weak_ref_clear (&((ChangesSource *) source)->executor);
}

static GSourceFuncs changes_funcs = { .dispatch = changes_dispatch, .finalize = changes_finalize };

/* With the pool's lock. */
static void
pool_changed (gpointer user_data)
{
  LOKY_TSAN_RELEASE (user_data);
  g_source_set_ready_time (user_data, 0);
}

/* --- the object ------------------------------------------------------------------------------- */

static guint
count_workers (guint max_workers)
{
  return max_workers > 0 ? max_workers : loky_cpu_count ();
}

static void
loky_executor_constructed (GObject *object)
{
  LokyExecutor *self = LOKY_EXECUTOR (object);
  const GValue *settings = self->settings; /* nobody else has it yet */

  G_OBJECT_CLASS (loky_executor_parent_class)->constructed (object);

  self->context = g_main_context_ref_thread_default ();
  self->changes = g_source_new (&changes_funcs, sizeof (ChangesSource));
  g_weak_ref_init (&((ChangesSource *) self->changes)->executor, self);
  g_source_set_static_name (self->changes, "[loky] executor state");
  g_source_set_can_recurse (self->changes, TRUE);
  g_source_attach (self->changes, self->context);

  loky_pool_set_max_workers (self->pool, count_workers (g_value_get_uint (&settings[LOKY_SETTING_MAX_WORKERS])));
  loky_pool_set_reducers (self->pool, g_value_get_object (&settings[LOKY_SETTING_JOB_REDUCERS]),
                          g_value_get_object (&settings[LOKY_SETTING_RESULT_REDUCERS]), self->context);
  loky_pool_set_memory_growth (self->pool, g_value_get_uint64 (&settings[LOKY_SETTING_MEMORY_GROWTH_LIMIT]),
                               g_value_get_int64 (&settings[LOKY_SETTING_MEMORY_CHECK_INTERVAL]));
  loky_pool_set_allotments (self->pool, g_value_get_variant (&settings[LOKY_SETTING_WORKER_ENVIRONMENTS]),
                            g_value_get_variant (&settings[LOKY_SETTING_WORKER_CPUS]));
  loky_pool_set_start_method (self->pool, g_value_get_string (&settings[LOKY_SETTING_START_METHOD]));
  loky_pool_set_changed_func (self->pool, pool_changed, self->changes);
}

static void
loky_executor_dispose (GObject *object)
{
  LokyExecutor *self = LOKY_EXECUTOR (object);

  if (self->changes != NULL)
    {
      loky_pool_set_changed_func (self->pool, NULL, NULL);
      loky_pool_shutdown (self->pool, LOKY_SHUTDOWN_DRAIN, -1);
      g_source_destroy (self->changes);
      g_clear_pointer (&self->changes, g_source_unref);
    }

  G_OBJECT_CLASS (loky_executor_parent_class)->dispose (object);
}

static void
loky_executor_finalize (GObject *object)
{
  LokyExecutor *self = LOKY_EXECUTOR (object);

  LOKY_TSAN_ACQUIRE (object);
  loky_pool_unref (self->pool);
  g_clear_pointer (&self->context, g_main_context_unref);
  loky_executor_settings_clear (self->settings);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (loky_executor_parent_class)->finalize (object);
}

static void
loky_executor_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  LokyExecutor *self = LOKY_EXECUTOR (object);
  LokyPoolStatus status;

  if (prop_id < LOKY_N_SETTINGS)
    {
      g_mutex_lock (&self->lock);
      g_value_copy (&self->settings[prop_id], value);
      g_mutex_unlock (&self->lock);
      return;
    }
  loky_pool_get_status (self->pool, &status);
  switch (prop_id)
    {
    case PROP_STATE:
      g_value_set_enum (value, status.state);
      break;
    case PROP_N_WORKERS:
      g_value_set_uint (value, status.n_workers);
      break;
    case PROP_N_PENDING:
      g_value_set_uint64 (value, status.n_pending);
      break;
    case PROP_N_RUNNING:
      g_value_set_uint (value, status.n_running);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

/* Has the pool do as a setting says; what is not here it is told when all are there. */
static void
apply_setting (LokyExecutor *self, LokySetting setting, const GValue *value)
{
  switch (setting)
    {
    case LOKY_SETTING_IDLE_TIMEOUT:
      loky_pool_set_idle_timeout (self->pool, g_value_get_int64 (value));
      break;
    case LOKY_SETTING_CRASH_POLICY:
      loky_pool_set_crash_policy (self->pool, g_value_get_enum (value));
      break;
    case LOKY_SETTING_WORKER_PATH:
      loky_pool_set_worker_path (self->pool, g_value_get_string (value));
      break;
    case LOKY_SETTING_PLUGIN_PATH:
      loky_pool_set_plugin_path (self->pool, g_value_get_boxed (value));
      break;
    case LOKY_SETTING_ENVIRONMENT:
      loky_pool_set_environment (self->pool, g_value_get_boxed (value));
      break;
    case LOKY_SETTING_PRELOAD:
      loky_pool_set_preload (self->pool, g_value_get_boxed (value));
      break;
    case LOKY_SETTING_INITIALIZER:
      loky_pool_set_initializer (self->pool, g_value_get_string (value));
      break;
    case LOKY_SETTING_INITIALIZER_ARGS:
      loky_pool_set_initializer_args (self->pool, g_value_get_variant (value));
      break;
    case LOKY_SETTING_SERIALIZER:
      loky_pool_set_serializer (self->pool, g_value_get_string (value));
      break;
    case LOKY_SETTING_START_TIMEOUT:
      loky_pool_set_start_timeout (self->pool, g_value_get_int64 (value));
      break;
    case LOKY_SETTING_HEARTBEAT_TIMEOUT:
      loky_pool_set_heartbeat (self->pool, g_value_get_int64 (value));
      break;
    case LOKY_SETTING_SPIN_TIME:
      loky_pool_set_spin_time (self->pool, g_value_get_uint (value));
      break;
    case LOKY_SETTING_MAX_TASKS_PER_WORKER:
      loky_pool_set_max_tasks (self->pool, g_value_get_uint (value));
      break;
    case LOKY_SETTING_MAX_BACKLOG:
      loky_pool_set_max_backlog (self->pool, g_value_get_uint (value));
      break;
    case LOKY_SETTING_ACCEPT_DESCRIPTORS:
      loky_pool_set_accepts_descriptors (self->pool, g_value_get_boolean (value));
      break;
    case LOKY_SETTING_MAX_WORKERS:
      loky_pool_set_max_workers (self->pool, count_workers (g_value_get_uint (value)));
      break;
    case LOKY_SETTING_WORKER_ENVIRONMENTS:
    case LOKY_SETTING_WORKER_CPUS:
    case LOKY_SETTING_START_METHOD:
    case LOKY_SETTING_JOB_REDUCERS:
    case LOKY_SETTING_RESULT_REDUCERS:
    case LOKY_SETTING_MEMORY_GROWTH_LIMIT:
    case LOKY_SETTING_MEMORY_CHECK_INTERVAL:
    case LOKY_N_SETTINGS:
    default:
      break;
    }
}

/* FALSE: it was so already. */
static gboolean
store_setting (LokyExecutor *self, LokySetting setting, const GValue *value)
{
  g_auto (GValue) stored = G_VALUE_INIT;
  gboolean has_changed;

  g_value_init (&stored, properties[setting]->value_type);
  g_value_copy (value, &stored);
  g_mutex_lock (&self->lock);
  has_changed = !loky_executor_settings_are_equal (properties[setting], &self->settings[setting], &stored);
  if (has_changed)
    {
      const GValue old = self->settings[setting];

      self->settings[setting] = stored;
      stored = old;
    }
  g_mutex_unlock (&self->lock);
  return has_changed;
}

static void
loky_executor_set_property (GObject *object, guint prop_id, const GValue *value, GParamSpec *pspec)
{
  LokyExecutor *self = LOKY_EXECUTOR (object);

  if (prop_id >= LOKY_N_SETTINGS)
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      return;
    }
  /* The pool knows no defaults: those that are set once are told in any case. */
  if (!store_setting (self, prop_id, value) && (pspec->flags & G_PARAM_CONSTRUCT_ONLY) == 0)
    return;
  apply_setting (self, prop_id, value);
  if ((pspec->flags & G_PARAM_CONSTRUCT_ONLY) == 0)
    g_object_notify_by_pspec (object, pspec);
}

static void
install_state (void)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * LokyExecutor:state:
   *
   * The state.
   *
   * Since: 1.0
   */
  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, LOKY_TYPE_EXECUTOR_STATE,
                                              LOKY_EXECUTOR_STATE_OPEN, readable);

  /**
   * LokyExecutor:n-workers:
   *
   * How many workers there are, with those that are being started. It is notified after each change, of several at
   * once together.
   *
   * Since: 1.0
   */
  properties[PROP_N_WORKERS]
      = g_param_spec_uint ("n-workers", NULL, NULL, 0, G_MAXUINT, 0, readable);

  /**
   * LokyExecutor:n-pending:
   *
   * How many tasks wait. It changes with every task and is therefore not notified.
   *
   * Since: 1.0
   */
  properties[PROP_N_PENDING]
      = g_param_spec_uint64 ("n-pending", NULL, NULL, 0, G_MAXUINT64, 0, readable);

  /**
   * LokyExecutor:n-running:
   *
   * How many tasks run, one for each worker that has any. It changes with every task and is therefore
   * not notified.
   *
   * Since: 1.0
   */
  properties[PROP_N_RUNNING]
      = g_param_spec_uint ("n-running", NULL, NULL, 0, G_MAXUINT, 0, readable);
}

static void
loky_executor_class_init (LokyExecutorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  /* Not in the middle of the first submission, which several threads may be at. It stays. */
  g_type_class_ref (LOKY_TYPE_FUTURE);
  object_class->constructed = loky_executor_constructed;
  object_class->dispose = loky_executor_dispose;
  object_class->finalize = loky_executor_finalize;
  object_class->get_property = loky_executor_get_property;
  object_class->set_property = loky_executor_set_property;

  loky_executor_settings_make_specs (
      properties, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS,
      G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  install_state ();
  g_object_class_install_properties (object_class, N_PROPS, properties);

  /**
   * LokyExecutor::worker-grown:
   * @self: an executor
   * @worker_id: the number of the worker
   * @before: what it held after its first task, in bytes
   * @after: what it holds now, in bytes
   *
   * A worker has grown by more than [property@Loky.Executor:memory-growth-limit]; it leaves, and is replaced.
   *
   * Emitted in the #GMainContext that was the thread-default one when the executor was made.
   *
   * Since: 1.0
   */
  worker_grown_signal
      = g_signal_new ("worker-grown", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                      G_TYPE_NONE, 3, G_TYPE_UINT, G_TYPE_UINT64, G_TYPE_UINT64);
}

static void
loky_executor_init (LokyExecutor *self)
{
  g_mutex_init (&self->lock);
  self->pool = loky_pool_new (1);
  loky_executor_settings_init (self->settings, properties);
}

/**
 * loky_executor_new:
 * @max_workers: how many workers there may be; 0 for [func@Loky.cpu_count]
 *
 * Makes an executor. No process and no thread is started before there is work.
 *
 * Other settings are properties: use g_object_new() to set them.
 *
 * Returns: (transfer full): a new executor
 *
 * Since: 1.0
 */
LokyExecutor *
loky_executor_new (guint max_workers)
{
  return g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", MIN (max_workers, G_MAXUINT16), NULL);
}

/**
 * loky_executor_new_with_config:
 * @config: settings, which are read at the call
 *
 * Makes an executor with the settings of a configuration.
 *
 * Returns: (transfer full): a new executor
 *
 * Since: 1.0
 */
LokyExecutor *
loky_executor_new_with_config (LokyExecutorConfig *config)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR_CONFIG (config), NULL);

  return loky_executor_config_make (config);
}

/**
 * loky_executor_dup_config:
 * @self: an executor
 *
 * Gets the settings of an executor.
 *
 * Returns: (transfer full): a new configuration, with which another one like it can be made
 *
 * Since: 1.0
 */
LokyExecutorConfig *
loky_executor_dup_config (LokyExecutor *self)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);

  return loky_executor_config_new_from (G_OBJECT (self));
}

/**
 * loky_executor_get_state:
 * @self: an executor
 *
 * Gets [property@Loky.Executor:state].
 *
 * Returns: the state
 *
 * Since: 1.0
 */
LokyExecutorState
loky_executor_get_state (LokyExecutor *self)
{
  LokyPoolStatus status;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), LOKY_EXECUTOR_STATE_SHUT_DOWN);

  loky_pool_get_status (self->pool, &status);
  return status.state;
}

/**
 * loky_executor_get_max_workers:
 * @self: an executor
 *
 * Gets [property@Loky.Executor:max-workers].
 *
 * Returns: the number of workers; the number of CPUs if the property is 0
 *
 * Since: 1.0
 */
guint
loky_executor_get_max_workers (LokyExecutor *self)
{
  guint max_workers;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), 0);

  g_mutex_lock (&self->lock);
  max_workers = g_value_get_uint (&self->settings[LOKY_SETTING_MAX_WORKERS]);
  g_mutex_unlock (&self->lock);
  return count_workers (max_workers);
}

/**
 * loky_executor_set_max_workers:
 * @self: an executor
 * @max_workers: how many workers there may be; 0 for [func@Loky.cpu_count]
 *
 * Sets [property@Loky.Executor:max-workers]. This does not wait for the workers that leave.
 *
 * Since: 1.0
 */
void
loky_executor_set_max_workers (LokyExecutor *self, guint max_workers)
{
  g_return_if_fail (LOKY_IS_EXECUTOR (self));
  g_return_if_fail (max_workers <= G_MAXUINT16);

  g_object_set (self, "max-workers", max_workers, NULL);
}

/**
 * loky_executor_get_n_workers:
 * @self: an executor
 *
 * Gets [property@Loky.Executor:n-workers].
 *
 * Returns: the number of workers
 *
 * Since: 1.0
 */
guint
loky_executor_get_n_workers (LokyExecutor *self)
{
  LokyPoolStatus status;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), 0);

  loky_pool_get_status (self->pool, &status);
  return status.n_workers;
}

/**
 * loky_executor_get_n_pending:
 * @self: an executor
 *
 * Gets [property@Loky.Executor:n-pending].
 *
 * Returns: the number of tasks that wait
 *
 * Since: 1.0
 */
guint64
loky_executor_get_n_pending (LokyExecutor *self)
{
  LokyPoolStatus status;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), 0);

  loky_pool_get_status (self->pool, &status);
  return status.n_pending;
}

/**
 * loky_executor_get_n_running:
 * @self: an executor
 *
 * Gets [property@Loky.Executor:n-running].
 *
 * Returns: the number of tasks that run
 *
 * Since: 1.0
 */
guint
loky_executor_get_n_running (LokyExecutor *self)
{
  LokyPoolStatus status;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), 0);

  loky_pool_get_status (self->pool, &status);
  return status.n_running;
}

/**
 * loky_executor_dup_plugin_path:
 * @self: an executor
 *
 * Gets the folders in which plugins are looked for: those of [property@Loky.Executor:plugin-path], or the
 * default ones.
 *
 * Returns: (transfer full) (array zero-terminated=1): the folders
 *
 * Since: 1.0
 */
char **
loky_executor_dup_plugin_path (LokyExecutor *self)
{
  char **path;

  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), NULL);

  path = loky_pool_dup_plugin_path (self->pool);
  return path != NULL ? path : loky_paths_get_plugin_path ();
}

/* --- warm-up and shutdown --------------------------------------------------------------------- */

/**
 * loky_executor_warm_up_async:
 * @self: an executor
 * @n_workers: how many workers are to be ready; 0 for as many as there may be
 * @cancellable: (nullable): ends the wait; the workers are started all the same
 * @callback: called when they are ready
 * @user_data: given to @callback
 *
 * Starts workers before there is work for them.
 *
 * @callback runs in the thread-default main context of the caller.
 *
 * Since: 1.0
 */
void
loky_executor_warm_up_async (LokyExecutor *self,
                             guint n_workers,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (LOKY_IS_EXECUTOR (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, loky_executor_warm_up_async);
  if (loky_pool_warm_up (self->pool, n_workers, &error))
    {
      loky_pool_wait_async (self->pool, LOKY_POOL_WARM, task);
      return;
    }
  g_task_return_error (task, error);
  g_object_unref (task);
}

/**
 * loky_executor_warm_up_finish:
 * @self: an executor
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [method@Loky.Executor.warm_up_async].
 *
 * Returns: %TRUE if the workers are ready; %FALSE with %LOKY_ERROR_BROKEN if they cannot be started,
 *   %LOKY_ERROR_SHUT_DOWN, %LOKY_ERROR_FORKED, %LOKY_ERROR_RESOURCES or %G_IO_ERROR_CANCELLED
 *
 * Since: 1.0
 */
gboolean
loky_executor_warm_up_finish (LokyExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * loky_executor_warm_up_sync:
 * @self: an executor
 * @n_workers: how many workers are to be ready; 0 for as many as there may be
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Starts workers before there is work for them, and blocks until they are ready.
 *
 * Returns: as [method@Loky.Executor.warm_up_finish]
 *
 * Since: 1.0
 */
gboolean
loky_executor_warm_up_sync (LokyExecutor *self,
                            guint n_workers,
                            GCancellable *cancellable,
                            GError **error)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);

  return loky_pool_warm_up (self->pool, n_workers, error) &&
         loky_pool_wait_sync (self->pool, LOKY_POOL_WARM, cancellable, error);
}

/**
 * loky_executor_shutdown_async:
 * @self: an executor
 * @mode: what happens to the tasks that have not ended
 * @timeout: after how long what is left is killed, in milliseconds; -1 for never
 * @cancellable: (nullable): ends the wait; the shutdown goes on
 * @callback: called when all is gone
 * @user_data: given to @callback
 *
 * Shuts an executor down.
 *
 * From the call on no task is accepted. It can be called again, with another mode: what is stronger
 * holds.
 *
 * @callback runs in the thread-default main context of the caller.
 *
 * Since: 1.0
 */
void
loky_executor_shutdown_async (LokyExecutor *self,
                              LokyShutdownMode mode,
                              gint64 timeout,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  GTask *task;

  g_return_if_fail (LOKY_IS_EXECUTOR (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, loky_executor_shutdown_async);
  loky_pool_shutdown (self->pool, mode, timeout);
  loky_pool_wait_async (self->pool, LOKY_POOL_SHUT_DOWN, task);
}

/**
 * loky_executor_shutdown_finish:
 * @self: an executor
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends a [method@Loky.Executor.shutdown_async].
 *
 * Returns: %TRUE if all tasks have ended and all workers, descriptors and threads are gone; %FALSE with
 *   %LOKY_ERROR_FAILED if the kernel does not end a worker, with %LOKY_ERROR_FORKED in a child of the
 *   process that made the executor, or with %G_IO_ERROR_CANCELLED
 *
 * Since: 1.0
 */
gboolean
loky_executor_shutdown_finish (LokyExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  loky_pool_join (self->pool);
  return TRUE;
}

/**
 * loky_executor_shutdown_sync:
 * @self: an executor
 * @mode: what happens to the tasks that have not ended
 * @timeout: after how long what is left is killed, in milliseconds; -1 for never
 * @cancellable: (nullable): ends the wait; the shutdown goes on
 * @error: return location for an error
 *
 * Shuts an executor down and blocks until all is gone. It needs no main loop.
 *
 * Returns: as [method@Loky.Executor.shutdown_finish]
 *
 * Since: 1.0
 */
gboolean
loky_executor_shutdown_sync (LokyExecutor *self,
                             LokyShutdownMode mode,
                             gint64 timeout,
                             GCancellable *cancellable,
                             GError **error)
{
  g_return_val_if_fail (LOKY_IS_EXECUTOR (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);

  loky_pool_shutdown (self->pool, mode, timeout);
  if (!loky_pool_wait_sync (self->pool, LOKY_POOL_SHUT_DOWN, cancellable, error))
    return FALSE;
  loky_pool_join (self->pool);
  return TRUE;
}
