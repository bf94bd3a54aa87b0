/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The life of a pool, its settings, and what the owners of tasks do. */

#include <gio/gio.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "loky-answer-private.h"
#include "loky-cpu-count-private.h"
#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-nesting-private.h"
#include "loky-paths-private.h"
#include "loky-pool-server-private.h"
#include "loky-probes-private.h"
#include "loky-spin-private.h"
#include "loky-tsan-private.h"
#include "loky-util-private.h"

/* How often the lock is tried before it is slept for. Most of what is done under it takes less than a µs, to sleep and
 * to be woken takes more than all of these. */
#define LOCK_TRIES 100

/* Somebody who waits for the pool to be warm or shut down, or for room for a task: a GTask, or, but for room, a
 * thread. */
typedef struct
{
  gatomicrefcount ref_count;
  LokyPool *pool;
  LokyPoolCondition condition;
  LokyFuture *future; /* that is to be submitted, with what follows; a reference */
  char *name;
  LokyTaskTraits traits;
  LokyMailboxItem submitted; /* tells that it was */
  GTask *task;
  GSource *cancellation;
  GCond cond;
  gboolean is_cancelled; /* pool lock */
  gboolean is_over;      /* pool lock */
  GError *error;         /* pool lock */
} LokyPoolWait;

/* Rises in each child of a fork(): there a pool has neither its thread nor its workers. */
static gint fork_generation;

static void
forked_child (void)
{
  g_atomic_int_inc (&fork_generation);
}

static void
watch_forks (void)
{
  static gsize once;

  if (g_once_init_enter (&once))
    {
      pthread_atfork (NULL, NULL, forked_child);
      g_once_init_leave (&once, 1);
    }
}

static guint
function_hash (gconstpointer data)
{
  const LokyFunction *function = data;

  return g_str_hash (function->name) ^ g_direct_hash (function->traits.serializer) ^
         g_int64_hash (&function->traits.memory_limit);
}

static gboolean
function_equal (gconstpointer a, gconstpointer b)
{
  const LokyFunction *left = a;
  const LokyFunction *right = b;

  return left->traits.serializer == right->traits.serializer &&
         left->traits.memory_limit == right->traits.memory_limit && g_str_equal (left->name, right->name);
}

static void
function_free (LokyFunction *function)
{
  loky_statistics_unref (function->statistics);
  g_free (function->name);
  g_free (function);
}

static void
mailbox_close_and_unref (LokyMailbox *mailbox)
{
  loky_mailbox_close (mailbox);
  loky_mailbox_unref (mailbox);
}

void
loky_refusal_free (LokyRefusal *refusal)
{
  g_free (refusal->path);
  g_free (refusal->reason);
  g_free (refusal);
}

GVariant *
loky_refusal_to_variant (const LokyRefusal *refusal)
{
  g_autofree char *path = g_filename_display_name (refusal->path);

  return g_variant_new (LOKY_MESSAGE_REFUSE_TYPE, refusal->device, refusal->inode, refusal->mtime,
                        path, refusal->reason);
}

LokyPool *
loky_pool_new (guint max_workers)
{
  LokyPool *self = g_new0 (LokyPool, 1);

  watch_forks ();
  g_atomic_ref_count_init (&self->ref_count);
  self->fork_generation = (guint) g_atomic_int_get (&fork_generation);
  g_mutex_init (&self->lock);
  self->scheduler = loky_scheduler_new (max_workers);
  loky_scheduler_set_n_cpus (self->scheduler, loky_cpu_count_once ());
  self->actions = g_array_new (FALSE, FALSE, sizeof (LokyAction));
  self->functions = g_hash_table_new_full (function_hash, function_equal, (GDestroyNotify) function_free, NULL);
  self->mailboxes = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) mailbox_close_and_unref);
  self->blocks = loky_block_cache_new ();
  self->refusals = g_ptr_array_new_with_free_func ((GDestroyNotify) loky_refusal_free);
  self->start_timeout = 30000;
  self->heartbeat = -1;
  self->growths = g_array_new (FALSE, FALSE, sizeof (LokyGrowth));
  for (guint i = 0; i < LOKY_POOL_N_SPARE; i++)
    self->spare[i] = -1;
  self->timer = -1;
  self->epoll_fd = -1;
  self->channels_fd = -1;
  g_mutex_init (&self->reader_lock);
  g_cond_init (&self->listener_left);
  self->bells = g_array_new (FALSE, FALSE, sizeof (int));
  self->tried_leases = G_MININT64 / 2;
  self->parent_pidfd = -1;
  g_queue_init (&self->room_waits);
  g_queue_init (&self->to_start);
  g_queue_init (&self->to_kill);
  g_queue_init (&self->to_read);
  return self;
}

LokyPool *
loky_pool_ref (LokyPool *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static gboolean
end_release (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

/* Their destroy functions may be those of a language that knows no other threads than its own. */
static void
release_reducers (LokyPool *self, LokyReducerRegistry **registry)
{
  GSource *source;

  if (*registry == NULL)
    return;
  if (!loky_pool_is_monitor ())
    {
      g_clear_object (registry);
      return;
    }
  source = g_idle_source_new ();
  g_source_set_static_name (source, "[loky] reducers let go of");
  g_source_set_callback (source, end_release, g_steal_pointer (registry), g_object_unref);
  g_source_attach (source, self->home);
  g_source_unref (source);
}

void
loky_pool_unref (LokyPool *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  /* In the child of a fork() nothing of it can be ended, or was ever here. */
  if (loky_pool_is_foreign (self))
    return;
  /* Nobody joined it; it held a reference itself until it was done. */
  if (self->thread != NULL)
    g_thread_unref (self->thread);
  loky_scheduler_free (self->scheduler);
  g_array_unref (self->actions);
  g_hash_table_unref (self->mailboxes);
  g_hash_table_unref (self->functions);
  g_ptr_array_unref (self->refusals);
  loky_block_cache_unref (self->blocks);
  g_clear_pointer (&self->server, loky_pool_server_destroy);
  g_clear_error (&self->broken);
  g_clear_error (&self->start_error);
  g_strfreev (self->preload);
  g_free (self->worker_path);
  g_strfreev (self->plugin_path);
  g_strfreev (self->environment);
  g_free (self->initializer);
  g_clear_pointer (&self->initializer_args, g_variant_unref);
  for (guint i = 0; i < LOKY_N_ALLOTMENTS; i++)
    g_clear_pointer (&self->allotments[i], g_variant_unref);
  release_reducers (self, &self->job_reducers);
  release_reducers (self, &self->result_reducers);
  g_clear_pointer (&self->home, g_main_context_unref);
  g_free (self->serializer_name);
  g_free (self->token);
  g_array_unref (self->bells);
  g_array_unref (self->growths);
  g_clear_pointer (&self->incoming, g_array_unref);
  g_cond_clear (&self->listener_left);
  g_mutex_clear (&self->reader_lock);
  g_mutex_clear (&self->lock);
  g_free (self);
}

gboolean
loky_pool_is_foreign (LokyPool *self)
{
  return self->fork_generation != (guint) g_atomic_int_get (&fork_generation);
}

/* In the child of a fork() the lock may be held by a thread that is not there; there is none to be
 * kept out either. */
void
loky_pool_lock (LokyPool *self)
{
  if (loky_pool_is_foreign (self))
    return;
  for (guint i = 0; i < LOCK_TRIES; i++)
    {
      if (g_mutex_trylock (&self->lock))
        return;
      loky_spin_relax ();
    }
  g_mutex_lock (&self->lock);
}

void
loky_pool_unlock (LokyPool *self)
{
  if (!loky_pool_is_foreign (self))
    g_mutex_unlock (&self->lock);
}

gboolean
loky_pool_wait_locked (LokyPool *self, GCond *cond, gint64 end)
{
  if (end < 0)
    {
      g_cond_wait (cond, &self->lock);
      return TRUE;
    }
  return g_cond_wait_until (cond, &self->lock, end);
}

LokyPoolWorker *
loky_pool_worker_ref (LokyPoolWorker *worker)
{
  g_atomic_ref_count_inc (&worker->ref_count);
  return worker;
}

void
loky_pool_worker_unref (LokyPoolWorker *worker)
{
  if (!g_atomic_ref_count_dec (&worker->ref_count))
    return;
  g_hash_table_unref (worker->names);
  if (worker->channel != NULL)
    loky_fork_guard_remove (loky_channel_get_fd (worker->channel));
  g_clear_pointer (&worker->channel, loky_channel_free);
  loky_control_clear (&worker->control);
  loky_segment_view_clear (&worker->view);
  g_clear_error (&worker->cause);
  g_clear_error (&worker->read_error);
  g_free (worker->stderr_tail);
  g_free (worker->reason);
  g_clear_pointer (&worker->crash, loky_crash_free);
  g_free (worker->backtrace);
  g_free (worker);
}

gboolean
loky_pool_check_process (LokyPool *self, GError **error)
{
  if (!loky_pool_is_foreign (self))
    return TRUE;
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_FORKED,
                       "The executor was made before this process was forked off: make a new one");
  return FALSE;
}

/* --- settings --------------------------------------------------------------------------------- */

void
loky_pool_set_changed_func (LokyPool *self, LokyPoolChanged func, gpointer user_data)
{
  loky_pool_lock (self);
  self->changed_func = func;
  self->changed_data = user_data;
  loky_pool_unlock (self);
}

void
loky_pool_set_max_workers (LokyPool *self, guint max_workers)
{
  LokyPoolTurn turn;

  if (loky_pool_is_foreign (self))
    return;
  loky_pool_turn_begin (self, &turn);
  loky_scheduler_set_max_workers (self->scheduler, max_workers, turn.now, self->actions);
  loky_pool_turn_end (&turn);
}

void
loky_pool_set_idle_timeout (LokyPool *self, gint64 idle_timeout)
{
  LokyPoolTurn turn;

  if (loky_pool_is_foreign (self))
    return;
  loky_pool_turn_begin (self, &turn);
  loky_scheduler_set_idle_timeout (self->scheduler, loky_usec_from_msec (idle_timeout), turn.now,
                                   self->actions);
  loky_pool_turn_end (&turn);
}

void
loky_pool_set_crash_policy (LokyPool *self, LokyCrashPolicy crash_policy)
{
  loky_pool_lock (self);
  loky_scheduler_set_crash_policy (self->scheduler, crash_policy);
  loky_pool_unlock (self);
}

void
loky_pool_set_worker_path (LokyPool *self, const char *worker_path)
{
  loky_pool_lock (self);
  g_free (self->worker_path);
  self->worker_path = g_strdup (worker_path);
  loky_pool_unlock (self);
}

static void
set_strv (LokyPool *self, char ***field, const char *const *value)
{
  char **copy = g_strdupv ((char **) value);

  loky_pool_lock (self);
  g_strfreev (*field);
  *field = copy;
  loky_pool_unlock (self);
}

void
loky_pool_set_plugin_path (LokyPool *self, const char *const *plugin_path)
{
  set_strv (self, &self->plugin_path, plugin_path);
}

void
loky_pool_set_environment (LokyPool *self, const char *const *environment)
{
  set_strv (self, &self->environment, environment);
}

void
loky_pool_set_preload (LokyPool *self, const char *const *preload)
{
  set_strv (self, &self->preload, preload);
}

void
loky_pool_set_start_method (LokyPool *self, const char *name)
{
  if (!loky_start_method_resolve (name, &self->start_method, &self->start_error) ||
      self->start_method != LOKY_START_METHOD_FORK)
    return;
  loky_pool_ensure_token (self);
  if (self->plugin_path == NULL)
    self->plugin_path = loky_paths_get_plugin_path ();
  loky_pool_server_fork (self, &self->start_error);
}

void
loky_pool_set_initializer (LokyPool *self, const char *initializer)
{
  loky_pool_lock (self);
  g_free (self->initializer);
  self->initializer = g_strdup (initializer);
  loky_pool_unlock (self);
}

void
loky_pool_set_initializer_args (LokyPool *self, GVariant *args)
{
  loky_pool_lock (self);
  g_clear_pointer (&self->initializer_args, g_variant_unref);
  self->initializer_args = args != NULL ? g_variant_ref_sink (args) : NULL;
  loky_pool_unlock (self);
}

void
loky_pool_set_allotments (LokyPool *self, GVariant *environments, GVariant *cpus)
{
  if (environments != NULL)
    self->allotments[LOKY_ALLOTMENT_ENVIRONMENT] = g_variant_ref (environments);
  if (cpus != NULL)
    self->allotments[LOKY_ALLOTMENT_CPUS] = g_variant_ref (cpus);
}

void
loky_pool_set_start_timeout (LokyPool *self, gint64 start_timeout)
{
  loky_pool_lock (self);
  self->start_timeout = start_timeout;
  loky_scheduler_set_start_timeout (self->scheduler, loky_usec_from_msec (start_timeout));
  loky_pool_unlock (self);
}

void
loky_pool_set_heartbeat (LokyPool *self, gint64 heartbeat)
{
  loky_pool_lock (self);
  self->heartbeat = heartbeat;
  loky_scheduler_set_heartbeat (self->scheduler, loky_usec_from_msec (heartbeat == 0 ? 1 : heartbeat));
  loky_pool_unlock (self);
}

void
loky_pool_set_memory_growth (LokyPool *self, guint64 limit, gint64 interval)
{
  loky_pool_lock (self);
  self->memory_growth_limit = limit;
  self->memory_check_interval = loky_usec_from_msec (interval);
  loky_pool_unlock (self);
}

void
loky_pool_set_accepts_descriptors (LokyPool *self, gboolean accepts_descriptors)
{
  loky_pool_lock (self);
  self->accepts_descriptors = accepts_descriptors;
  loky_pool_unlock (self);
}

void
loky_pool_set_max_tasks (LokyPool *self, guint max_tasks)
{
  loky_pool_lock (self);
  loky_scheduler_set_max_tasks (self->scheduler, max_tasks);
  loky_pool_unlock (self);
}

void
loky_pool_set_max_backlog (LokyPool *self, guint max_backlog)
{
  loky_pool_lock (self);
  self->max_backlog = max_backlog;
  loky_pool_unlock (self);
}

GArray *
loky_pool_take_growths (LokyPool *self)
{
  GArray *taken = NULL;

  loky_pool_lock (self);
  if (self->growths->len > 0)
    {
      taken = self->growths;
      self->growths = g_array_new (FALSE, FALSE, sizeof (LokyGrowth));
    }
  loky_pool_unlock (self);
  return taken;
}

void
loky_pool_set_spin_time (LokyPool *self, gint64 spin_time)
{
  loky_pool_lock (self);
  self->spin_time = spin_time * 1000;
  loky_pool_unlock (self);
}

void
loky_pool_set_reducers (LokyPool *self,
                        LokyReducerRegistry *jobs,
                        LokyReducerRegistry *results,
                        GMainContext *home)
{
  g_set_object (&self->job_reducers, jobs);
  if (results == NULL)
    results = jobs;
  g_set_object (&self->result_reducers, results);
  self->home = g_main_context_ref (home);
}

void
loky_pool_set_serializer (LokyPool *self, const char *name)
{
  self->has_serializer = name != NULL;
  self->serializer_name = loky_serializer_is_default (name) ? NULL : g_strdup (name);
}

gboolean
loky_pool_get_serializer (LokyPool *self, LokySerializer **serializer, GError **error)
{
  g_auto (GStrv) plugin_path = NULL;

  if (!self->has_serializer)
    return loky_serializer_get_chosen (serializer, error);
  *serializer = g_atomic_pointer_get (&self->serializer);
  if (*serializer != NULL || self->serializer_name == NULL)
    return TRUE;
  plugin_path = loky_pool_dup_plugin_path (self);
  if (!loky_serializer_find (self->serializer_name, (const char *const *) plugin_path, serializer, error))
    return FALSE;
  g_atomic_pointer_set (&self->serializer, (gpointer) *serializer);
  return TRUE;
}

static LokyReducerRegistry *
get_registry (LokyReducerRegistry *own)
{
  return own != NULL ? own : loky_reducer_registry_get_default ();
}

LokyReducerRegistry *
loky_pool_get_job_reducers (LokyPool *self)
{
  return get_registry (self->job_reducers);
}

LokyReducerRegistry *
loky_pool_get_result_reducers (LokyPool *self)
{
  return get_registry (self->result_reducers);
}

char **
loky_pool_dup_plugin_path (LokyPool *self)
{
  char **path;

  loky_pool_lock (self);
  path = g_strdupv (self->plugin_path);
  loky_pool_unlock (self);
  return path;
}

void
loky_pool_get_status (LokyPool *self, LokyPoolStatus *status)
{
  loky_pool_lock (self);
  status->state = loky_scheduler_get_state (self->scheduler);
  /* Shut down means that the monitor is gone too. */
  if (status->state == LOKY_EXECUTOR_STATE_SHUT_DOWN && !self->is_over)
    status->state = LOKY_EXECUTOR_STATE_SHUTTING_DOWN;
  status->n_workers = loky_scheduler_get_n_workers (self->scheduler);
  status->n_running = loky_scheduler_get_n_busy (self->scheduler);
  status->n_pending = loky_scheduler_get_n_tasks (self->scheduler) - status->n_running;
  loky_pool_unlock (self);
}

/* --- the monitor thread ----------------------------------------------------------------------- */

/* GLib aborts the process when a context cannot have its descriptor. */
static gboolean
check_descriptors (GError **error)
{
  loky_autofd int first = eventfd (0, EFD_CLOEXEC);
  loky_autofd int second = eventfd (0, EFD_CLOEXEC);

  if (first >= 0 && second >= 0)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The pool cannot be started: %s",
               g_strerror (errno));
  return FALSE;
}

gboolean
loky_pool_ensure_thread_locked (LokyPool *self, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (self->has_thread)
    return TRUE;
  if (!loky_nesting_check (error) || !check_descriptors (error) || !loky_pool_monitor_init (self, error))
    return FALSE;
  loky_pool_ref (self);
  self->thread = g_thread_try_new ("loky-monitor", loky_pool_run_monitor, self, &local_error);
  if (self->thread == NULL)
    {
      loky_pool_monitor_clear (self);
      /* Not the last one: the caller has one. */
      loky_pool_unref (self);
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "The pool cannot be started: %s",
                   local_error->message);
      return FALSE;
    }
  self->has_thread = TRUE;
  return TRUE;
}

void
loky_pool_join (LokyPool *self)
{
  GThread *thread = NULL;

  loky_pool_lock (self);
  if (self->is_over && self->thread != NULL && self->thread != g_thread_self ())
    thread = g_steal_pointer (&self->thread);
  loky_pool_unlock (self);
  if (thread != NULL)
    g_thread_join (thread);
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* What goes by another serializer, or with another limit, is learnt about, and told to workers, for itself. */
static LokyFunction *
ensure_function_locked (LokyPool *self, const char *name, const LokyTaskTraits *traits)
{
  const LokyFunction key = { .name = (char *) name, .traits = *traits };
  LokyFunction *function;

  if (self->latest_function != NULL && function_equal (&key, self->latest_function))
    return self->latest_function;
  function = g_hash_table_lookup (self->functions, &key);
  if (function == NULL)
    {
      function = g_new0 (LokyFunction, 1);
      function->name = g_strdup (name);
      function->number = ++self->last_function;
      function->traits = *traits;
      function->scheduling.run_time = -1;
      function->statistics = loky_statistics_new ();
      g_hash_table_add (self->functions, function);
    }
  self->latest_function = function;
  return function;
}

gboolean
loky_pool_check_thread (LokyPool *self, GError **error)
{
  gboolean is_own;

  loky_pool_lock (self);
  is_own = self->has_thread && self->thread == g_thread_self ();
  loky_pool_unlock (self);
  if (is_own)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                         "The thread that serves the executor cannot wait for it");
  return !is_own;
}

static gboolean
is_dead (gpointer key, gpointer value, gpointer user_data)
{
  return loky_mailbox_is_dead (value);
}

LokyMailbox *
loky_pool_ensure_mailbox_locked (LokyPool *self, GMainContext *context)
{
  LokyMailbox *mailbox = g_hash_table_lookup (self->mailboxes, context);

  if (mailbox != NULL && loky_mailbox_is_dead (mailbox))
    mailbox = NULL;
  if (mailbox == NULL)
    {
      g_hash_table_foreach_remove (self->mailboxes, is_dead, NULL);
      mailbox = loky_mailbox_new (context, loky_pool_hear, self);
      g_hash_table_replace (self->mailboxes, context, mailbox);
    }
  return loky_mailbox_ref (mailbox);
}

static gboolean
check_open_locked (LokyPool *self, const char *what, GError **error)
{
  if (self->start_error != NULL)
    {
      g_propagate_prefixed_error (error, g_error_copy (self->start_error), "%s: ", what);
      return FALSE;
    }
  switch (loky_scheduler_get_state (self->scheduler))
    {
    case LOKY_EXECUTOR_STATE_OPEN:
      return TRUE;
    case LOKY_EXECUTOR_STATE_BROKEN:
      g_set_error (error, LOKY_ERROR, loky_pool_get_broken_code_locked (self), "%s: %s", what,
                   self->broken != NULL ? self->broken->message : "the executor is broken");
      return FALSE;
    case LOKY_EXECUTOR_STATE_SHUTTING_DOWN:
    case LOKY_EXECUTOR_STATE_SHUT_DOWN:
    default:
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN, "%s: the executor was shut down", what);
      return FALSE;
    }
}

/* Whether one more task may wait. */
static gboolean
has_room_locked (LokyPool *self)
{
  guint64 n_pending
      = loky_scheduler_get_n_tasks (self->scheduler) - loky_scheduler_get_n_busy (self->scheduler);

  return self->max_backlog == 0 || n_pending < self->max_backlog;
}

/* The items of a map have a listener. */
static gboolean
check_room_locked (LokyPool *self, LokyFuture *future, GError **error)
{
  if (future->listener != NULL || has_room_locked (self))
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL,
               "The task cannot be submitted: %u tasks wait already", self->max_backlog);
  return FALSE;
}

/* @context: where its news go; NULL for nowhere. */
static void
submit_locked (LokyPool *self,
               LokyFuture *future,
               const char *task,
               const LokyTaskTraits *traits,
               GMainContext *context,
               gint64 now)
{
  future->pool = loky_pool_ref (self);
  future->function = ensure_function_locked (self, task, traits);
  future->task.function = &future->function->scheduling;
  if (context != NULL)
    {
      future->mailbox = loky_pool_ensure_mailbox_locked (self, context);
      /* Until it was posted: a context must not go while it is woken. */
      future->context = g_main_context_ref (context);
    }
  g_object_ref (future);
  future->function->statistics->n_submitted += MAX (future->task.n_items, 1);
  if (future->waiters != NULL)
    loky_pool_listen_locked (self, future->waiters);
  LOKY_PROBE_TASK_QUEUED (future, future->function->name);
  loky_scheduler_submit (self->scheduler, &future->task, now, self->actions);
}

gboolean
loky_pool_submit (LokyPool *self,
                  LokyFuture *future,
                  const char *task,
                  const LokyTaskTraits *traits,
                  gboolean has_mailbox,
                  GError **error)
{
  GMainContext *context = has_mailbox ? g_main_context_ref_thread_default () : NULL;
  LokyPoolTurn turn;
  gboolean is_accepted;

  if (!loky_pool_check_process (self, error))
    {
      g_clear_pointer (&context, g_main_context_unref);
      return FALSE;
    }
  loky_pool_turn_begin (self, &turn);
  is_accepted = check_open_locked (self, "The task cannot be submitted", error) &&
                check_room_locked (self, future, error) &&
                loky_pool_ensure_thread_locked (self, error);
  /* An asynchronous call, by which the context expects a news itself; not a chunk of a map, which has a listener. */
  turn.comes_back = !has_mailbox && future->waiters == NULL && future->listener == NULL && g_main_depth () > 0;
  if (is_accepted)
    submit_locked (self, future, task, traits, context, turn.now);
  loky_pool_turn_end (&turn);
  g_clear_pointer (&context, g_main_context_unref);
  return is_accepted;
}

LokyStatistics *
loky_pool_dup_statistics (LokyPool *self, const char *task)
{
  LokyStatistics *statistics = loky_statistics_new ();
  LokyFunction *function;
  GHashTableIter iter;

  loky_pool_lock (self);
  g_hash_table_iter_init (&iter, self->functions);
  while (g_hash_table_iter_next (&iter, (gpointer *) &function, NULL))
    if (task == NULL || g_str_equal (function->name, task))
      loky_statistics_merge (statistics, function->statistics);
  loky_pool_unlock (self);
  return statistics;
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

char **
loky_pool_dup_task_names (LokyPool *self)
{
  GPtrArray *names = g_ptr_array_new ();
  LokyFunction *function;
  GHashTableIter iter;

  loky_pool_lock (self);
  g_hash_table_iter_init (&iter, self->functions);
  while (g_hash_table_iter_next (&iter, (gpointer *) &function, NULL))
    if (!g_ptr_array_find_with_equal_func (names, function->name, g_str_equal, NULL))
      g_ptr_array_add (names, g_strdup (function->name));
  loky_pool_unlock (self);
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (names, FALSE);
}

LokyFuture *
loky_pool_make_failed (LokyPool *self, const char *task, const GError *error)
{
  const LokyTaskTraits none = { 0 };
  LokyFuture *future = loky_future_new ();

  loky_pool_lock (self);
  future->pool = loky_pool_ref (self);
  future->function = ensure_function_locked (self, task, &none);
  future->task.state = LOKY_TASK_STATE_ENDED;
  loky_future_end_locked (future, LOKY_FUTURE_STATE_FAILED, NULL, g_error_copy (error));
  loky_pool_unlock (self);
  return future;
}

gboolean
loky_pool_cancel (LokyPool *self, LokyFuture *future)
{
  LokyPoolTurn turn;
  gboolean is_accepted;

  if (!loky_pool_check_process (self, NULL))
    return FALSE;
  loky_pool_turn_begin (self, &turn);
  is_accepted = loky_scheduler_cancel (self->scheduler, &future->task, turn.now, self->actions) ||
                future->end == LOKY_FUTURE_STATE_CANCELLED;
  loky_pool_turn_end (&turn);
  return is_accepted;
}

gboolean
loky_pool_is_task_running_locked (LokyPool *self, LokySchedulerTask *task)
{
  LokyPoolWorker *worker = (LokyPoolWorker *) task->worker;
  gint64 started;

  /* The control area is not mapped in the child of a fork(). */
  if (loky_pool_is_foreign (self))
    return FALSE;
  return loky_control_is_running (&worker->control, task->slot, task->number, &started);
}

gdouble
loky_pool_get_task_progress_locked (LokyPool *self, LokySchedulerTask *task)
{
  LokyPoolWorker *worker = (LokyPoolWorker *) task->worker;

  if (!loky_pool_is_task_running_locked (self, task))
    return 0;
  return loky_control_get_progress (&worker->control, task->slot);
}

LokyPartial *
loky_pool_take_partial (LokyPool *self, LokyFuture *future)
{
  LokyFeed *feed = loky_future_get_feed (future);
  LokySchedulerTask *task = &future->task;
  LokyPartial *partial;

  loky_pool_lock (self);
  partial = loky_feed_take_partial (feed);
  if (partial != NULL && task->state == LOKY_TASK_STATE_SENT && !loky_pool_is_foreign (self))
    loky_control_set_credit (&((LokyPoolWorker *) task->worker)->control, task->slot, feed->credit);
  loky_pool_unlock (self);
  return partial;
}

/* --- waiting for the pool --------------------------------------------------------------------- */

static void
pool_wait_unref (LokyPoolWait *wait)
{
  if (!g_atomic_ref_count_dec (&wait->ref_count))
    return;
  g_clear_object (&wait->task);
  g_clear_object (&wait->future);
  g_free (wait->name);
  g_clear_error (&wait->error);
  g_clear_pointer (&wait->cancellation, g_source_unref);
  g_cond_clear (&wait->cond);
  loky_pool_unref (wait->pool);
  g_free (wait);
}

static LokyPoolWait *
pool_wait_new (LokyPool *self, LokyPoolCondition condition)
{
  LokyPoolWait *wait = g_new0 (LokyPoolWait, 1);

  g_atomic_ref_count_init (&wait->ref_count);
  g_cond_init (&wait->cond);
  wait->pool = loky_pool_ref (self);
  wait->condition = condition;
  return wait;
}

/* Whether the wait is over, and whether because of an error. */
static gboolean
check_wait_locked (LokyPool *self, LokyPoolWait *wait)
{
  if (wait->condition == LOKY_POOL_SHUT_DOWN)
    {
      if (!self->is_over)
        return FALSE;
      if (self->n_abandoned > 0)
        g_set_error (&wait->error, LOKY_ERROR, LOKY_ERROR_FAILED,
                     "%u workers did not end although they were killed", self->n_abandoned);
      return TRUE;
    }
  if (!check_open_locked (self, "The workers cannot be started", &wait->error))
    return TRUE;
  return loky_scheduler_is_warm (self->scheduler);
}

/* In the task's context, by a source of it: the callback is called at once, and before any news of the future, which
 * come by the same mailbox. */
static void
tell_submitted (LokyMailboxItem *item)
{
  LokyPoolWait *wait = (LokyPoolWait *) ((char *) item - G_STRUCT_OFFSET (LokyPoolWait, submitted));

  if (wait->cancellation != NULL)
    g_source_destroy (wait->cancellation);
  g_task_return_pointer (wait->task, g_steal_pointer (&wait->future), g_object_unref);
  pool_wait_unref (wait);
}

gboolean
loky_pool_submit_waiting_locked (LokyPool *self, gint64 now, GSList **over)
{
  gboolean is_open = loky_scheduler_get_state (self->scheduler) == LOKY_EXECUTOR_STATE_OPEN;
  gboolean is_submitted = FALSE;
  GSList *ended = NULL;

  while (self->room_waits.length > 0 && (!is_open || has_room_locked (self)))
    {
      LokyPoolWait *wait = g_queue_pop_head (&self->room_waits);

      if (!check_open_locked (self, "The task cannot be submitted", &wait->error) ||
          !loky_pool_ensure_thread_locked (self, &wait->error))
        {
          ended = g_slist_prepend (ended, wait);
          continue;
        }
      submit_locked (self, wait->future, wait->name, &wait->traits, g_task_get_context (wait->task), now);
      is_submitted = TRUE;
      /* The task holds the context, so that this only arms its source. */
      wait->submitted.deliver = tell_submitted;
      loky_mailbox_post (wait->future->mailbox, &wait->submitted);
    }
  *over = g_slist_concat (*over, g_slist_reverse (ended));
  return is_submitted;
}

void
loky_pool_check_waits_locked (LokyPool *self, GSList **over)
{
  GSList *next;

  for (GSList *l = self->waits; l != NULL; l = next)
    {
      LokyPoolWait *wait = l->data;

      next = l->next;
      if (!check_wait_locked (self, wait))
        continue;
      wait->is_over = TRUE;
      self->waits = g_slist_remove_link (self->waits, l);
      *over = g_slist_concat (l, *over);
      g_cond_signal (&wait->cond);
    }
}

void
loky_pool_end_waits (GSList *over)
{
  for (GSList *l = over; l != NULL; l = l->next)
    {
      LokyPoolWait *wait = l->data;

      if (wait->task != NULL)
        {
          if (wait->cancellation != NULL)
            g_source_destroy (wait->cancellation);
          /* Not at once: this may be in the middle of anything. */
          if (wait->error != NULL)
            loky_answer_error (g_steal_pointer (&wait->task), g_steal_pointer (&wait->error));
          else
            loky_answer_boolean (g_steal_pointer (&wait->task));
        }
      pool_wait_unref (wait);
    }
  g_slist_free (over);
}

static gboolean
pool_wait_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  LokyPoolWait *wait = user_data;
  LokyPool *self = wait->pool;
  gboolean was_waiting;

  loky_pool_lock (self);
  was_waiting = g_slist_find (self->waits, wait) != NULL || g_queue_find (&self->room_waits, wait) != NULL;
  self->waits = g_slist_remove (self->waits, wait);
  g_queue_remove (&self->room_waits, wait);
  loky_pool_unlock (self);
  if (was_waiting)
    {
      g_task_return_new_error (wait->task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The wait was cancelled");
      pool_wait_unref (wait);
    }
  return G_SOURCE_REMOVE;
}

/* Takes over both. */
static void
begin_wait (LokyPool *self, LokyPoolWait *wait, GTask *task)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  LokyPoolTurn turn;

  wait->task = task;
  g_task_set_check_cancellable (task, FALSE);
  if (cancellable != NULL)
    {
      wait->cancellation = g_cancellable_source_new (cancellable);
      g_source_set_static_name (wait->cancellation, "[loky] cancelled wait");
      g_atomic_ref_count_inc (&wait->ref_count);
      g_source_set_callback (wait->cancellation, G_SOURCE_FUNC (pool_wait_cancelled_cb), wait,
                             (GDestroyNotify) pool_wait_unref);
    }
  loky_pool_turn_begin (self, &turn);
  if (wait->future != NULL)
    g_queue_push_tail (&self->room_waits, wait);
  else
    self->waits = g_slist_prepend (self->waits, wait);
  if (wait->cancellation != NULL)
    g_source_attach (wait->cancellation, g_task_get_context (task));
  loky_pool_turn_end (&turn);
}

static gboolean
check_process_of (LokyPool *self, GTask *task)
{
  GError *error = NULL;

  if (loky_pool_check_process (self, &error))
    return TRUE;
  g_task_return_error (task, error);
  g_object_unref (task);
  return FALSE;
}

void
loky_pool_wait_async (LokyPool *self, LokyPoolCondition condition, GTask *task)
{
  if (check_process_of (self, task))
    begin_wait (self, pool_wait_new (self, condition), task);
}

void
loky_pool_submit_async (LokyPool *self,
                        LokyFuture *future,
                        const char *name,
                        const LokyTaskTraits *traits,
                        GTask *task)
{
  LokyPoolWait *wait;

  if (!check_process_of (self, task))
    {
      g_object_unref (future);
      return;
    }
  wait = pool_wait_new (self, LOKY_POOL_HAS_ROOM);
  wait->future = future;
  wait->name = g_strdup (name);
  wait->traits = *traits;
  begin_wait (self, wait, task);
}

static void
thread_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  LokyPoolWait *wait = user_data;

  LOKY_TSAN_ACQUIRE (wait);
  loky_pool_lock (wait->pool);
  wait->is_cancelled = TRUE;
  g_cond_signal (&wait->cond);
  loky_pool_unlock (wait->pool);
}

gboolean
loky_pool_wait_sync (LokyPool *self,
                     LokyPoolCondition condition,
                     GCancellable *cancellable,
                     GError **error)
{
  LokyPoolWait *wait;
  g_autoptr (GError) wait_error = NULL;
  gulong handler = 0;
  gboolean is_over;
  LokyPoolTurn turn;

  if (!loky_pool_check_process (self, error) || !loky_pool_check_thread (self, error))
    return FALSE;
  wait = pool_wait_new (self, condition);
  LOKY_TSAN_RELEASE (wait);
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (thread_cancelled_cb), wait, NULL);

  g_atomic_ref_count_inc (&wait->ref_count);
  loky_pool_turn_begin (self, &turn);
  self->waits = g_slist_prepend (self->waits, wait);
  loky_pool_turn_end (&turn);

  loky_pool_lock (self);
  while (!wait->is_over && !wait->is_cancelled)
    loky_pool_wait_locked (self, &wait->cond, -1);
  is_over = wait->is_over;
  if (!is_over)
    {
      self->waits = g_slist_remove (self->waits, wait);
      pool_wait_unref (wait);
    }
  wait_error = g_steal_pointer (&wait->error);
  loky_pool_unlock (self);

  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
  pool_wait_unref (wait);
  if (!is_over)
    return !g_cancellable_set_error_if_cancelled (cancellable, error);
  if (wait_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&wait_error));
      return FALSE;
    }
  return TRUE;
}

gboolean
loky_pool_warm_up (LokyPool *self, guint n_workers, GError **error)
{
  LokyPoolTurn turn;
  gboolean is_possible;

  if (!loky_pool_check_process (self, error))
    return FALSE;
  loky_pool_turn_begin (self, &turn);
  is_possible = check_open_locked (self, "The workers cannot be started", error) &&
                loky_pool_ensure_thread_locked (self, error);
  if (is_possible)
    loky_scheduler_warm_up (self->scheduler, n_workers == 0 ? G_MAXUINT : n_workers, turn.now,
                            self->actions);
  loky_pool_turn_end (&turn);
  return is_possible;
}

void
loky_pool_shutdown (LokyPool *self, LokyShutdownMode mode, gint64 timeout)
{
  LokyPoolServer *server = NULL;
  LokyPoolTurn turn;

  if (!loky_pool_check_process (self, NULL))
    return;
  loky_pool_turn_begin (self, &turn);
  loky_scheduler_shutdown (self->scheduler, mode,
                           timeout < 0 ? -1 : turn.now + loky_usec_from_msec (timeout), turn.now,
                           self->actions);
  /* No monitor thread will ever be there to do it. */
  if (!self->has_thread)
    server = g_steal_pointer (&self->server);
  loky_pool_turn_end (&turn);
  if (server != NULL)
    loky_pool_server_destroy (server);
}
