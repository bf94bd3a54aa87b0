/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The executor of the process: when it is reused, resized or replaced.
 *
 * It is a reference among others. One that is replaced goes on serving who still holds it, with the settings that it
 * was made with, and is drained when the last of them drops it; so nobody is waited for here, and a submission that
 * races with a replacement is served.
 *
 * The lock is held for moments, over no code of the user's and no wait: who is told of a resize, or ends with the
 * last reference, is so without it. Order: this lock, then a pool's. */

#include "loky-reusable.h"

#include <pthread.h>

#include "loky-executor-config-private.h"
#include "loky-executor-private.h"
#include "loky-pool-private.h"
#include "loky-start-method-private.h"

/* How long the workers of an executor that was asked for without a configuration stay without work, in ms. */
#define DEFAULT_IDLE_TIMEOUT 10000

static GMutex lock;
static LokyExecutor *current;              /* lock; a reference, or NULL */
static LokyExecutorConfig *current_config; /* lock; what it was asked for with */

/* What another thread was about to do when this one forked would never be done. */
static void
before_fork (void)
{
  g_mutex_lock (&lock);
}

static void
after_fork (void)
{
  g_mutex_unlock (&lock);
}

static void
watch_forks (void)
{
  static gsize once;

  if (g_once_init_enter (&once))
    {
      pthread_atfork (before_fork, after_fork, after_fork);
      g_once_init_leave (&once, 1);
    }
}

static LokyExecutorConfig *
make_config (LokyExecutorConfig *config)
{
  if (config != NULL)
    return loky_executor_config_copy (config);
  return g_object_new (LOKY_TYPE_EXECUTOR_CONFIG, "idle-timeout", (gint64) DEFAULT_IDLE_TIMEOUT, NULL);
}

/* It takes tasks, and does so in this process. */
static gboolean
is_usable (LokyExecutor *executor)
{
  return !loky_pool_is_foreign (loky_executor_get_pool (executor)) &&
         loky_executor_get_state (executor) == LOKY_EXECUTOR_STATE_OPEN;
}

static gboolean
can_reuse_locked (LokyExecutorConfig *config, LokyReuse reuse)
{
  if (current == NULL || reuse == LOKY_REUSE_NEVER || !is_usable (current))
    return FALSE;
  return reuse == LOKY_REUSE_ALWAYS || loky_executor_config_has_same_workers (config, current_config);
}

/* Not any more the executor of the process; a reference. */
static void
retire (LokyExecutor *old, gboolean kills)
{
  /* In the child of a fork() nothing of it can be ended, and its context may be locked for ever. */
  if (old == NULL || loky_pool_is_foreign (loky_executor_get_pool (old)))
    return;
  if (kills)
    loky_pool_shutdown (loky_executor_get_pool (old), LOKY_SHUTDOWN_KILL, -1);
  else
    loky_pool_set_idle_timeout (loky_executor_get_pool (old), 0);
  g_object_unref (old);
}

/**
 * loky_get_reusable_executor:
 * @config: (nullable): the settings, which are read at the call; %NULL for the default ones, with an idle timeout of
 *   ten seconds
 * @reuse: when the executor that there is already is good enough
 * @kill_workers: whether one that is replaced is killed
 * @error: return location for an error
 *
 * Gets the executor of this process, and makes it if there is none: so that the parts of a program that do not know
 * of each other share workers.
 *
 * It is made anew when the one that there is was shut down, is broken or was made before a fork(), and otherwise as
 * @reuse says. Where it is reused with another number of workers it is resized, as by
 * [method@Loky.Executor.set_max_workers]: workers that stay keep their state, nothing is waited for, and no task is
 * lost. With %LOKY_REUSE_ALWAYS a number of 0, and no configuration, leave it as it is.
 *
 * An executor that is replaced goes on serving who holds it, with the settings it was made with; its idle
 * workers leave at once, and it ends with its last reference. With @kill_workers it is shut down instead, as by
 * %LOKY_SHUTDOWN_KILL: its tasks fail with %LOKY_ERROR_SHUT_DOWN, and the next ones run in new processes, with
 * the plugins as they are then.
 *
 * The library holds a reference; the workers end with the process without a call. Notifications are emitted in the
 * thread-default main context of the call that made the executor. Callable from any thread.
 *
 * Returns: (transfer full): the executor; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if its start method cannot be
 *   shared
 *
 * Since: 1.0
 */
LokyExecutor *
loky_get_reusable_executor (LokyExecutorConfig *config,
                            LokyReuse reuse,
                            gboolean kill_workers,
                            GError **error)
{
  g_autoptr (LokyExecutorConfig) wanted = NULL;
  LokyExecutor *replaced = NULL;
  LokyExecutor *executor;
  gboolean is_resized = FALSE;

  g_return_val_if_fail (config == NULL || LOKY_IS_EXECUTOR_CONFIG (config), NULL);

  watch_forks ();
  wanted = make_config (config);
  if (!loky_start_method_check_reusable (loky_executor_config_get_start_method (wanted), error))
    return NULL;
  g_mutex_lock (&lock);
  if (can_reuse_locked (wanted, reuse))
    is_resized = reuse == LOKY_REUSE_AUTO || loky_executor_config_get_max_workers (wanted) > 0;
  else
    {
      replaced = g_steal_pointer (&current);
      current = loky_executor_config_make (wanted);
      g_set_object (&current_config, wanted);
    }
  executor = g_object_ref (current);
  g_mutex_unlock (&lock);

  if (is_resized)
    loky_executor_set_max_workers (executor, loky_executor_config_get_max_workers (wanted));
  retire (replaced, kill_workers);
  return executor;
}
