/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The executor as an object: properties, warm-up, shutdown. A handle on a pool, without I/O. */

#include "loky-enum-types.h"
#include "loky-error.h"
#include "loky-executor-private.h"
#include "loky-cpu-count.h"
#include "loky-paths-private.h"
#include "loky-tsan-private.h"

/* ms */
#define DEFAULT_START_TIMEOUT 30000

/* In µs: about what it takes to be woken twice. */
#define DEFAULT_SPIN_TIME 50

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
  guint max_workers;             /* lock; 0: as many as there are CPUs */
  gint64 idle_timeout;           /* lock */
  LokyCrashPolicy crash_policy;  /* lock */
  char *worker_path;             /* lock */
  char **plugin_path;            /* lock */
  char **environment;            /* lock */
  char *initializer;             /* lock */
  GVariant *initializer_args;    /* lock */
  gint64 start_timeout;          /* lock */
  gint64 heartbeat_timeout;      /* lock */
  guint spin_time;               /* lock */

  /* of the context */
  LokyExecutorState told_state;
  guint told_n_workers;
};

G_DEFINE_FINAL_TYPE (LokyExecutor, loky_executor, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_MAX_WORKERS,
  PROP_IDLE_TIMEOUT,
  PROP_CRASH_POLICY,
  PROP_WORKER_PATH,
  PROP_PLUGIN_PATH,
  PROP_ENVIRONMENT,
  PROP_INITIALIZER,
  PROP_INITIALIZER_ARGS,
  PROP_START_TIMEOUT,
  PROP_HEARTBEAT_TIMEOUT,
  PROP_SPIN_TIME,
  PROP_STATE,
  PROP_N_WORKERS,
  PROP_N_PENDING,
  PROP_N_RUNNING,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

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

static gboolean
changes_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_autoptr (LokyExecutor) self = g_weak_ref_get (&((ChangesSource *) source)->executor);
  LokyPoolStatus status;

  g_source_set_ready_time (source, -1);
  if (self == NULL)
    return G_SOURCE_REMOVE;
  loky_pool_get_status (self->pool, &status);
  g_object_freeze_notify (G_OBJECT (self));
  if (status.state != self->told_state)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
  if (status.n_workers != self->told_n_workers)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_N_WORKERS]);
  self->told_state = status.state;
  self->told_n_workers = status.n_workers;
  g_object_thaw_notify (G_OBJECT (self));
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

  G_OBJECT_CLASS (loky_executor_parent_class)->constructed (object);

  self->context = g_main_context_ref_thread_default ();
  self->changes = g_source_new (&changes_funcs, sizeof (ChangesSource));
  g_weak_ref_init (&((ChangesSource *) self->changes)->executor, self);
  g_source_set_static_name (self->changes, "[loky] executor state");
  g_source_set_can_recurse (self->changes, TRUE);
  g_source_attach (self->changes, self->context);

  loky_pool_set_max_workers (self->pool, count_workers (self->max_workers));
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
  g_free (self->worker_path);
  g_strfreev (self->plugin_path);
  g_strfreev (self->environment);
  g_free (self->initializer);
  g_clear_pointer (&self->initializer_args, g_variant_unref);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (loky_executor_parent_class)->finalize (object);
}

static void
loky_executor_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  LokyExecutor *self = LOKY_EXECUTOR (object);
  LokyPoolStatus status;

  loky_pool_get_status (self->pool, &status);
  g_mutex_lock (&self->lock);
  switch (prop_id)
    {
    case PROP_MAX_WORKERS:
      g_value_set_uint (value, self->max_workers);
      break;
    case PROP_IDLE_TIMEOUT:
      g_value_set_int64 (value, self->idle_timeout);
      break;
    case PROP_CRASH_POLICY:
      g_value_set_enum (value, self->crash_policy);
      break;
    case PROP_WORKER_PATH:
      g_value_set_string (value, self->worker_path);
      break;
    case PROP_PLUGIN_PATH:
      g_value_set_boxed (value, self->plugin_path);
      break;
    case PROP_ENVIRONMENT:
      g_value_set_boxed (value, self->environment);
      break;
    case PROP_INITIALIZER:
      g_value_set_string (value, self->initializer);
      break;
    case PROP_INITIALIZER_ARGS:
      g_value_set_variant (value, self->initializer_args);
      break;
    case PROP_START_TIMEOUT:
      g_value_set_int64 (value, self->start_timeout);
      break;
    case PROP_HEARTBEAT_TIMEOUT:
      g_value_set_int64 (value, self->heartbeat_timeout);
      break;
    case PROP_SPIN_TIME:
      g_value_set_uint (value, self->spin_time);
      break;
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
  g_mutex_unlock (&self->lock);
}

static void
set_strv (LokyExecutor *self, char ***field, const GValue *value)
{
  char **copy = g_value_dup_boxed (value);

  g_mutex_lock (&self->lock);
  g_strfreev (*field);
  *field = copy;
  g_mutex_unlock (&self->lock);
}

static void
set_idle_timeout (LokyExecutor *self, gint64 idle_timeout, GParamSpec *pspec)
{
  gboolean has_changed;

  g_mutex_lock (&self->lock);
  has_changed = self->idle_timeout != idle_timeout;
  self->idle_timeout = idle_timeout;
  g_mutex_unlock (&self->lock);
  if (!has_changed)
    return;
  loky_pool_set_idle_timeout (self->pool, idle_timeout);
  g_object_notify_by_pspec (G_OBJECT (self), pspec);
}

static void
loky_executor_set_property (GObject *object, guint prop_id, const GValue *value, GParamSpec *pspec)
{
  LokyExecutor *self = LOKY_EXECUTOR (object);

  switch (prop_id)
    {
    case PROP_MAX_WORKERS:
      loky_executor_set_max_workers (self, g_value_get_uint (value));
      break;
    case PROP_IDLE_TIMEOUT:
      set_idle_timeout (self, g_value_get_int64 (value), pspec);
      break;
    case PROP_CRASH_POLICY:
      self->crash_policy = g_value_get_enum (value);
      loky_pool_set_crash_policy (self->pool, self->crash_policy);
      break;
    case PROP_WORKER_PATH:
      self->worker_path = g_value_dup_string (value);
      loky_pool_set_worker_path (self->pool, self->worker_path);
      break;
    case PROP_PLUGIN_PATH:
      set_strv (self, &self->plugin_path, value);
      loky_pool_set_plugin_path (self->pool, (const char *const *) self->plugin_path);
      break;
    case PROP_ENVIRONMENT:
      set_strv (self, &self->environment, value);
      loky_pool_set_environment (self->pool, (const char *const *) self->environment);
      break;
    case PROP_INITIALIZER:
      self->initializer = g_value_dup_string (value);
      loky_pool_set_initializer (self->pool, self->initializer);
      break;
    case PROP_INITIALIZER_ARGS:
      self->initializer_args = g_value_dup_variant (value);
      loky_pool_set_initializer_args (self->pool, self->initializer_args);
      break;
    case PROP_START_TIMEOUT:
      self->start_timeout = g_value_get_int64 (value);
      loky_pool_set_start_timeout (self->pool, self->start_timeout);
      break;
    case PROP_HEARTBEAT_TIMEOUT:
      self->heartbeat_timeout = g_value_get_int64 (value);
      loky_pool_set_heartbeat (self->pool, self->heartbeat_timeout);
      break;
    case PROP_SPIN_TIME:
      self->spin_time = g_value_get_uint (value);
      loky_pool_set_spin_time (self->pool, self->spin_time);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
install_settings (void)
{
  const GParamFlags settable = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;
  const GParamFlags constant = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  /**
   * LokyExecutor:max-workers:
   *
   * How many workers there may be at the same time; 0 stands for [func@Loky.cpu_count].
   *
   * When it is lowered, idle workers leave at once and busy ones when they have ended what they run;
   * no task is lost.
   *
   * Since: 1.0
   */
  /* Set before constructed(), which otherwise counts the CPUs, and reads files for it. */
  properties[PROP_MAX_WORKERS] = g_param_spec_uint ("max-workers", NULL, NULL, 0, G_MAXUINT16, 0,
                                                    settable | G_PARAM_CONSTRUCT);

  /**
   * LokyExecutor:idle-timeout:
   *
   * After how long without work a worker leaves, in milliseconds; -1 for never.
   *
   * Since: 1.0
   */
  properties[PROP_IDLE_TIMEOUT]
      = g_param_spec_int64 ("idle-timeout", NULL, NULL, -1, G_MAXINT64, -1, settable);

  /**
   * LokyExecutor:crash-policy:
   *
   * What the death of a worker does to the executor.
   *
   * Since: 1.0
   */
  properties[PROP_CRASH_POLICY]
      = g_param_spec_enum ("crash-policy", NULL, NULL, LOKY_TYPE_CRASH_POLICY,
                           LOKY_CRASH_POLICY_REPLACE, constant);

  /**
   * LokyExecutor:worker-path:
   *
   * The worker program; %NULL for the one of the environment variable `LOKY_WORKER`, or else the one
   * that was installed with the library.
   *
   * Since: 1.0
   */
  properties[PROP_WORKER_PATH] = g_param_spec_string ("worker-path", NULL, NULL, NULL, constant);

  /**
   * LokyExecutor:plugin-path:
   *
   * The folders in which plugins are looked for, first to last; %NULL for those of the environment
   * variable `LOKY_PLUGIN_PATH` and then the one that was installed with the library.
   *
   * Since: 1.0
   */
  properties[PROP_PLUGIN_PATH]
      = g_param_spec_boxed ("plugin-path", NULL, NULL, G_TYPE_STRV, constant);

  /**
   * LokyExecutor:environment:
   *
   * Environment variables of the workers, `NAME=VALUE`, besides those that they inherit when they are
   * started.
   *
   * Since: 1.0
   */
  properties[PROP_ENVIRONMENT]
      = g_param_spec_boxed ("environment", NULL, NULL, G_TYPE_STRV, constant);

  /**
   * LokyExecutor:initializer:
   *
   * The name of a task that each worker runs before it serves; %NULL for none. Its result is dropped.
   *
   * A worker whose initializer fails, crashes or does not return within
   * [property@Loky.Executor:start-timeout] does not serve. When that happens five times in a row and no
   * worker serves, the executor is broken, and its tasks end with %LOKY_ERROR_INITIALIZER and the message of
   * the last failure.
   *
   * Since: 1.0
   */
  properties[PROP_INITIALIZER] = g_param_spec_string ("initializer", NULL, NULL, NULL, constant);

  /**
   * LokyExecutor:initializer-args:
   *
   * The arguments of the initializer; %NULL stands for the empty tuple. At most 1 MiB, without handles of
   * buffers.
   *
   * Since: 1.0
   */
  properties[PROP_INITIALIZER_ARGS] = g_param_spec_variant (
      "initializer-args", NULL, NULL, G_VARIANT_TYPE_ANY, NULL, constant);

  /**
   * LokyExecutor:start-timeout:
   *
   * How long a worker may take from its start until it serves, its initializer included, in milliseconds;
   * after that it is killed and counts as one that could not be started.
   *
   * Since: 1.0
   */
  properties[PROP_START_TIMEOUT] = g_param_spec_int64 ("start-timeout", NULL, NULL, 1, G_MAXINT64,
                                                       DEFAULT_START_TIMEOUT, constant);

  /**
   * LokyExecutor:heartbeat-timeout:
   *
   * How long a worker that runs a task may take to give a sign of life, in milliseconds; -1 for ever.
   *
   * It is asked so often, and killed when it does not answer until it would be asked again: its task ends
   * with %LOKY_ERROR_WORKER_DIED, or is tried again as after a crash. A worker answers while its task computes,
   * sleeps or waits, but not when it was stopped (SIGSTOP). Workers without a task are not asked.
   *
   * Since: 1.0
   */
  properties[PROP_HEARTBEAT_TIMEOUT]
      = g_param_spec_int64 ("heartbeat-timeout", NULL, NULL, -1, G_MAXINT64, -1, constant);

  /**
   * LokyExecutor:spin-time:
   *
   * How long a thread that waits for a task, and a worker that waits for one, may look whether it has come before
   * they sleep, in microseconds; 0 for not at all.
   *
   * To be woken takes longer than many tasks do. It is done only while tasks follow each other so closely that it
   * is worth it, by one waiting thread and for each two CPUs one worker at the most, and not while others need
   * the CPU; never by who is idle.
   *
   * Since: 1.0
   */
  properties[PROP_SPIN_TIME] = g_param_spec_uint ("spin-time", NULL, NULL, 0, 1000 * 1000,
                                                  DEFAULT_SPIN_TIME, constant);
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
   * How many workers there are, with those that are being started.
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

  install_settings ();
  install_state ();
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loky_executor_init (LokyExecutor *self)
{
  g_mutex_init (&self->lock);
  self->pool = loky_pool_new (1);
  self->idle_timeout = -1;
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
  max_workers = self->max_workers;
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
  gboolean has_changed;

  g_return_if_fail (LOKY_IS_EXECUTOR (self));
  g_return_if_fail (max_workers <= G_MAXUINT16);

  g_mutex_lock (&self->lock);
  has_changed = self->max_workers != max_workers;
  self->max_workers = max_workers;
  g_mutex_unlock (&self->lock);
  if (!has_changed)
    return;
  loky_pool_set_max_workers (self->pool, count_workers (max_workers));
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MAX_WORKERS]);
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
