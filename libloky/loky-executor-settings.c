/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-executor-settings-private.h"

#include "loky-enum-types.h"
#include "loky-reducer-registry.h"

/* ms */
#define DEFAULT_START_TIMEOUT 30000

/* As Python's loky has it: bytes, and ms. */
#define DEFAULT_MEMORY_GROWTH 300000000
#define DEFAULT_MEMORY_INTERVAL 1000

/* In µs: about what it takes to be woken twice. */
#define DEFAULT_SPIN_TIME 50

void
loky_executor_settings_make_specs (GParamSpec **specs, GParamFlags settable, GParamFlags constant)
{
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
  specs[LOKY_SETTING_MAX_WORKERS] = g_param_spec_uint ("max-workers", NULL, NULL, 0, G_MAXUINT16, 0,
                                                       settable | G_PARAM_CONSTRUCT);

  /**
   * LokyExecutor:idle-timeout:
   *
   * After how long without work a worker leaves, in milliseconds; -1 for never.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_IDLE_TIMEOUT]
      = g_param_spec_int64 ("idle-timeout", NULL, NULL, -1, G_MAXINT64, -1, settable);

  /**
   * LokyExecutor:crash-policy:
   *
   * What the death of a worker does to the executor.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_CRASH_POLICY]
      = g_param_spec_enum ("crash-policy", NULL, NULL, LOKY_TYPE_CRASH_POLICY,
                           LOKY_CRASH_POLICY_REPLACE, constant);

  /**
   * LokyExecutor:worker-path:
   *
   * The worker program; %NULL for the one of the environment variable `LOKY_WORKER`, or else the one
   * that was installed with the library. With the start method `loky-init-main` %NULL is the application's own
   * program, and with `fork` it is not used.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_WORKER_PATH] = g_param_spec_string ("worker-path", NULL, NULL, NULL, constant);

  /**
   * LokyExecutor:plugin-path:
   *
   * The folders in which plugins are looked for, first to last; %NULL for those of the environment
   * variable `LOKY_PLUGIN_PATH` and then the one that was installed with the library.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_PLUGIN_PATH]
      = g_param_spec_boxed ("plugin-path", NULL, NULL, G_TYPE_STRV, constant);

  /**
   * LokyExecutor:environment:
   *
   * Environment variables of the workers, `NAME=VALUE`, besides those that they inherit when they are
   * started.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_ENVIRONMENT]
      = g_param_spec_boxed ("environment", NULL, NULL, G_TYPE_STRV, constant);

  /**
   * LokyExecutor:worker-environments:
   *
   * Environment variables that each worker has besides [property@Loky.Executor:environment], as an array of arrays of
   * `NAME=VALUE`: of its elements a worker gets the one that the fewest others have, so that with as many
   * as workers each has its own, and one that is replaced leaves it to its successor. %NULL for none.
   *
   * So each worker can be given a device of its own. With the start methods `forkserver` and `fork` they are set
   * before a plugin is loaded for this worker only, but after what was loaded before it was forked.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_WORKER_ENVIRONMENTS]
      = g_param_spec_variant ("worker-environments", NULL, NULL, G_VARIANT_TYPE ("aas"), NULL, constant);

  /**
   * LokyExecutor:worker-cpus:
   *
   * The CPUs that each worker may run on, as an array of arrays of their numbers, which are shared out as
   * [property@Loky.Executor:worker-environments] are; an empty element stands for all. %NULL leaves it to the
   * system.
   *
   * All threads and processes that a task starts are bound by it, and [func@Loky.cpu_count] in the worker counts no more.
   * A worker none of whose CPUs is there does not start.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_WORKER_CPUS]
      = g_param_spec_variant ("worker-cpus", NULL, NULL, G_VARIANT_TYPE ("aau"), NULL, constant);

  /**
   * LokyExecutor:start-method:
   *
   * How the workers come to be; %NULL for [func@Loky.get_start_method].
   *
   * - `loky`, also called `spawn`: each is a new process that runs the worker program.
   * - `forkserver`: one such process is started, and forks the workers, which so are ready sooner. It loads the plugins
   *   of [property@Loky.Executor:preload] once for all. Environment, working directory and limits of all workers
   *   are those of the application when it was started.
   * - `loky-init-main`: each is a new process that runs the application's own program, which must call
   *   [func@Loky.init] at the beginning of its `main()`. Functions of the program can be tasks.
   * - `fork`: a process that is forked off the application when the executor is made forks the workers, which
   *   so share the application's memory as it was then. The application must have only one thread at
   *   that time, and must not be a worker itself.
   *
   * If the method is unknown, or cannot be used here, whoever submits a task or warms up is told:
   * %LOKY_ERROR_INVALID_ARGUMENT or %LOKY_ERROR_WORKER_START.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_START_METHOD] = g_param_spec_string ("start-method", NULL, NULL, NULL, constant);

  /**
   * LokyExecutor:preload:
   *
   * The names of plugins that the fork server loads before it forks the first worker, for the start method
   * `forkserver`; %NULL for none. Plugins whose tasks have run in a worker are loaded there anyway, before it forks
   * the next one.
   *
   * Their functions are not called there, that of their initialisation neither. If one starts threads, crashes or
   * hangs when it is loaded, all are left to the workers from then on. Workers do not notice that a file which is
   * loaded was replaced; another executor does.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_PRELOAD] = g_param_spec_boxed ("preload", NULL, NULL, G_TYPE_STRV, constant);

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
  specs[LOKY_SETTING_INITIALIZER] = g_param_spec_string ("initializer", NULL, NULL, NULL, constant);

  /**
   * LokyExecutor:initializer-args:
   *
   * The arguments of the initializer; %NULL stands for the empty tuple. At most 1 MiB, without handles of
   * buffers.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_INITIALIZER_ARGS] = g_param_spec_variant (
      "initializer-args", NULL, NULL, G_VARIANT_TYPE_ANY, NULL, constant);

  /**
   * LokyExecutor:job-reducers:
   *
   * What reduces the arguments that are given to [method@Loky.Executor.submit_values]; %NULL for
   * [func@Loky.ReducerRegistry.get_default].
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_JOB_REDUCERS]
      = g_param_spec_object ("job-reducers", NULL, NULL, LOKY_TYPE_REDUCER_REGISTRY, constant);

  /**
   * LokyExecutor:result-reducers:
   *
   * What rebuilds the results that [method@Loky.Future.dup_value] gives; %NULL for those of
   * [property@Loky.Executor:job-reducers].
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_RESULT_REDUCERS]
      = g_param_spec_object ("result-reducers", NULL, NULL, LOKY_TYPE_REDUCER_REGISTRY, constant);

  /**
   * LokyExecutor:serializer:
   *
   * How the arguments and results of tasks become bytes on their way: the name of a serializer of the plugin path;
   * %NULL for the one that [func@Loky.set_serializer] has chosen when the task is submitted.
   *
   * It is opened when the first task is submitted, which fails with %LOKY_ERROR_SERIALIZER if there is none of that
   * name. `gvariant` is the default, which no setting of the process changes.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_SERIALIZER] = g_param_spec_string ("serializer", NULL, NULL, NULL, constant);

  /**
   * LokyExecutor:start-timeout:
   *
   * How long a worker may take from its start until it serves, its initializer included, in milliseconds;
   * after that it is killed and counts as one that could not be started.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_START_TIMEOUT] = g_param_spec_int64 ("start-timeout", NULL, NULL, 1, G_MAXINT64,
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
  specs[LOKY_SETTING_HEARTBEAT_TIMEOUT]
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
  specs[LOKY_SETTING_SPIN_TIME] = g_param_spec_uint ("spin-time", NULL, NULL, 0, 1000 * 1000,
                                                  DEFAULT_SPIN_TIME, constant);

  /**
   * LokyExecutor:memory-growth-limit:
   *
   * By how much a worker may grow, in bytes: more than it held after its first task; 0 for any amount.
   *
   * One that has grown by so much is taken for one whose tasks leak. It ends what it runs, leaves, and is replaced by
   * a new one; no task is lost, and [signal@Loky.Executor::worker-grown] tells of it. It is looked at after a task,
   * every [property@Loky.Executor:memory-check-interval] at the most, and after what is free was given back to the
   * system. What counts is the memory that the worker holds alone.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_MEMORY_GROWTH_LIMIT] = g_param_spec_uint64 (
      "memory-growth-limit", NULL, NULL, 0, G_MAXUINT64, DEFAULT_MEMORY_GROWTH, constant);

  /**
   * LokyExecutor:memory-check-interval:
   *
   * How much time passes at least between two looks at the memory of a worker, in milliseconds; 0 to look after each
   * task, which takes some tens of microseconds.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_MEMORY_CHECK_INTERVAL] = g_param_spec_int64 (
      "memory-check-interval", NULL, NULL, 0, G_MAXINT64, DEFAULT_MEMORY_INTERVAL, constant);

  /**
   * LokyExecutor:max-tasks-per-worker:
   *
   * After how many tasks a worker leaves and is replaced by a new one; 0 for any number.
   *
   * The items of a map count each. Of those that are sent together as a chunk a worker does all: it may be more than
   * the number then.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_MAX_TASKS_PER_WORKER]
      = g_param_spec_uint ("max-tasks-per-worker", NULL, NULL, 0, G_MAXUINT, 0, constant);

  /**
   * LokyExecutor:max-backlog:
   *
   * How many tasks may wait; 0 for any number.
   *
   * What is submitted beyond that fails with %LOKY_ERROR_BACKLOG_FULL;
   * [method@Loky.Executor.submit_async] waits until there is room. Maps have a window of their own,
   * [property@Loky.MapOptions:window], and wait for none.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_MAX_BACKLOG]
      = g_param_spec_uint ("max-backlog", NULL, NULL, 0, G_MAXUINT, 0, constant);

  /**
   * LokyExecutor:accept-descriptors:
   *
   * Whether results may refer to file descriptors ([class@Loky.Descriptor]).
   *
   * Otherwise a task that returns one fails with %LOKY_ERROR_INVALID_RESULT, and a worker that sends one all the same
   * is killed. Sockets, pipes, memory, and files, folders and FIFOs are accepted, those of file systems only that are
   * mounted in the namespace of the application and not served by a program (FUSE), which could keep waiting whoever
   * closes the file.
   *
   * Turn it on only if the tasks can be trusted so far: what the application takes may block it later, by
   * `close()` at the latest, as a socket that lingers does. libloky itself does not wait for it: what nobody
   * takes is closed by threads of its own, of which there are 256 at the most. As with any descriptor of a file, its
   * closing gives up the locks that the process has on that file by `fcntl()`.
   *
   * Since: 1.0
   */
  specs[LOKY_SETTING_ACCEPT_DESCRIPTORS]
      = g_param_spec_boolean ("accept-descriptors", NULL, NULL, FALSE, constant);
}

void
loky_executor_settings_init (GValue *values, GParamSpec *const *specs)
{
  for (guint i = 1; i < LOKY_N_SETTINGS; i++)
    {
      g_value_init (&values[i], specs[i]->value_type);
      g_param_value_set_default (specs[i], &values[i]);
    }
}

void
loky_executor_settings_clear (GValue *values)
{
  for (guint i = 1; i < LOKY_N_SETTINGS; i++)
    g_value_unset (&values[i]);
}

gboolean
loky_executor_settings_are_equal (GParamSpec *spec, const GValue *a, const GValue *b)
{
  if (G_VALUE_HOLDS (a, G_TYPE_STRV))
    {
      const char *const *left = g_value_get_boxed (a);
      const char *const *right = g_value_get_boxed (b);

      return left == right || (left != NULL && right != NULL && g_strv_equal (left, right));
    }
  if (G_VALUE_HOLDS_VARIANT (a))
    {
      GVariant *left = g_value_get_variant (a);
      GVariant *right = g_value_get_variant (b);

      return left == right || (left != NULL && right != NULL && g_variant_equal (left, right));
    }
  return g_param_values_cmp (spec, a, b) == 0;
}
