/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `sync`: the worker's side of the tests of synchronizers. A task that is to be in the middle of
 * something, for the test to go on, raises a semaphore ("ready") then. */

#include <loky.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static gpointer
lookup (LokyTaskContext *context, GVariant *args, guint i, GType type, GError **error)
{
  gint32 handle;

  g_variant_get_child (args, i, "h", &handle);
  return loky_task_context_lookup_synchronizer (context, handle, type, error);
}

static LokyAcquireResult
acquire (gpointer object, gint64 timeout, GCancellable *cancellable, GError **error)
{
  return LOKY_IS_LOCK (object) ? loky_lock_acquire (object, timeout, cancellable, error)
                               : loky_semaphore_acquire (object, timeout, cancellable, error);
}

static gboolean
release (gpointer object, GError **error)
{
  return LOKY_IS_LOCK (object) ? loky_lock_release (object, error) : loky_semaphore_release (object, error);
}

static gboolean
tell_ready (LokyTaskContext *context, GVariant *args, guint i, GError **error)
{
  g_autoptr (LokySemaphore) ready = lookup (context, args, i, LOKY_TYPE_SEMAPHORE, error);

  return ready != NULL && loky_semaphore_release (ready, error);
}

/* As one who has no lock would: what it read is long past when it writes. */
static gboolean
count_up (const char *path, GError **error)
{
  g_autofree char *text = NULL;
  g_autofree char *next = NULL;

  if (!g_file_get_contents (path, &text, NULL, error))
    return FALSE;
  next = g_strdup_printf ("%d", atoi (text) + 1);
  g_thread_yield ();
  return g_file_set_contents_full (path, next, -1, G_FILE_SET_CONTENTS_NONE, 0600, error);
}

static GVariant *
count (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (GObject) object = lookup (context, args, 0, LOKY_TYPE_SYNCHRONIZER, error);
  const char *path;
  guint n;

  if (object == NULL)
    return NULL;
  g_variant_get_child (args, 1, "&s", &path);
  g_variant_get_child (args, 2, "u", &n);
  for (guint i = 0; i < n; i++)
    if (acquire (object, -1, NULL, error) == LOKY_ACQUIRE_RESULT_FAILED || !count_up (path, error) ||
        !release (object, error))
      return NULL;
  return g_variant_new_boolean (TRUE);
}

static GVariant *
acquire_once (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (GObject) object = lookup (context, args, 0, LOKY_TYPE_SYNCHRONIZER, error);
  LokyAcquireResult result;
  gint64 timeout;

  g_variant_get_child (args, 1, "x", &timeout);
  if (object == NULL)
    return NULL;
  result = acquire (object, timeout, loky_task_context_get_cancellable (context), error);
  if (result == LOKY_ACQUIRE_RESULT_FAILED || !release (object, error))
    return NULL;
  return g_variant_new_uint32 (result);
}

static GVariant *
release_once (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (GObject) object = lookup (context, args, 0, LOKY_TYPE_SYNCHRONIZER, error);

  return object != NULL && release (object, error) ? g_variant_new_boolean (TRUE) : NULL;
}

/* Forgets it has a child, which has all that the worker has until it is killed with it. */
static void
fork_away (void)
{
  pid_t pid = fork ();

  if (pid == 0)
    {
      pause ();
      _exit (0);
    }
}

static GVariant *
hold (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (GObject) object = lookup (context, args, 0, LOKY_TYPE_SYNCHRONIZER, error);
  const char *end;
  guint n;

  g_variant_get_child (args, 2, "u", &n);
  g_variant_get_child (args, 3, "&s", &end);
  for (guint i = 0; i < n && object != NULL; i++)
    if (acquire (object, -1, NULL, error) == LOKY_ACQUIRE_RESULT_FAILED)
      return NULL;
  if (object == NULL || !tell_ready (context, args, 1, error))
    return NULL;
  if (g_str_equal (end, "fork"))
    fork_away ();
  if (g_str_equal (end, "kill") || g_str_equal (end, "fork"))
    raise (SIGKILL);
  while (g_str_equal (end, "wait") && !loky_task_context_is_cancelled (context))
    g_usleep (1000);
  if (g_str_equal (end, "wait") && !release (object, error))
    return NULL;
  return g_variant_new_boolean (TRUE);
}

static GVariant *
wait_condition (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyCondition) condition = lookup (context, args, 0, LOKY_TYPE_CONDITION, error);
  LokyAcquireResult result = LOKY_ACQUIRE_RESULT_FAILED;
  LokyLock *lock;
  gint64 timeout;

  g_variant_get_child (args, 2, "x", &timeout);
  if (condition == NULL)
    return NULL;
  lock = loky_condition_get_lock (condition);
  if (loky_lock_acquire (lock, -1, NULL, error) == LOKY_ACQUIRE_RESULT_FAILED)
    return NULL;
  if (tell_ready (context, args, 1, error))
    result = loky_condition_wait (condition, timeout, loky_task_context_get_cancellable (context), error);
  if (!loky_lock_release (lock, result != LOKY_ACQUIRE_RESULT_FAILED ? error : NULL))
    return NULL;
  return result != LOKY_ACQUIRE_RESULT_FAILED ? g_variant_new_uint32 (result) : NULL;
}

static GVariant *
wake (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyCondition) condition = lookup (context, args, 0, LOKY_TYPE_CONDITION, error);
  LokyLock *lock = condition != NULL ? loky_condition_get_lock (condition) : NULL;

  if (lock == NULL || loky_lock_acquire (lock, -1, NULL, error) == LOKY_ACQUIRE_RESULT_FAILED)
    return NULL;
  return loky_condition_wake_all (condition, error) && loky_lock_release (lock, error)
             ? g_variant_new_boolean (TRUE)
             : NULL;
}

static GVariant *
wait_event (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyEvent) event = lookup (context, args, 0, LOKY_TYPE_EVENT, error);
  gint64 timeout;

  g_variant_get_child (args, 2, "x", &timeout);
  if (event == NULL || !tell_ready (context, args, 1, error))
    return NULL;
  return loky_event_wait (event, timeout, loky_task_context_get_cancellable (context), error)
             ? g_variant_new_boolean (TRUE)
             : NULL;
}

static GVariant *
set_event (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyEvent) event = lookup (context, args, 0, LOKY_TYPE_EVENT, error);

  if (event == NULL)
    return NULL;
  loky_event_set (event);
  return g_variant_new_boolean (TRUE);
}

static GVariant *
meet (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyBarrier) barrier = lookup (context, args, 0, LOKY_TYPE_BARRIER, error);
  guint n;

  g_variant_get_child (args, 1, "u", &n);
  for (guint i = 0; i < n && barrier != NULL; i++)
    if (loky_barrier_wait (barrier, -1, loky_task_context_get_cancellable (context), error) < 0)
      return NULL;
  return barrier != NULL ? g_variant_new_boolean (TRUE) : NULL;
}

/* In a worker of a worker. */
static GVariant *
count_below (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokySynchronizer) object = lookup (context, args, 0, LOKY_TYPE_SYNCHRONIZER, error);
  g_autoptr (GVariant) handle = object != NULL ? loky_synchronizer_to_variant (object, error) : NULL;
  g_autoptr (LokyExecutor) executor = loky_executor_new (1);
  g_autoptr (GVariant) path = g_variant_get_child_value (args, 1);
  g_autoptr (GVariant) n = g_variant_get_child_value (args, 2);
  g_autoptr (GVariant) result = NULL;

  if (handle != NULL)
    result = loky_executor_call_sync (executor, "sync.count", g_variant_new ("(@h@s@u)", handle, path, n),
                                      NULL, NULL, error);
  if (!loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_KILL, -1, NULL, result != NULL ? error : NULL))
    return NULL;
  return g_steal_pointer (&result);
}

static GVariant *
make_lock (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyLock) lock = loky_lock_new (error);

  return lock != NULL ? loky_task_context_add_synchronizer (context, LOKY_SYNCHRONIZER (lock), error) : NULL;
}

/* All that this worker has of synchronizers. */
static guint32 *
map_memory (gsize *n_words)
{
  for (int fd = 3; fd < 1024; fd++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
      char target[64] = "";
      off_t size;

      if (readlink (path, target, sizeof target - 1) <= 0 || strstr (target, "loky-synchronizer") == NULL)
        continue;
      size = lseek (fd, 0, SEEK_END);
      *n_words = (gsize) size / sizeof (guint32);
      return mmap (NULL, (gsize) size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
  return NULL;
}

/* Writes anything anywhere until it is stopped, and never wakes anybody. */
static GVariant *
scribble (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (GObject) object = lookup (context, args, 0, LOKY_TYPE_SYNCHRONIZER, error);
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  gsize n_words = 0;
  guint32 *words = map_memory (&n_words);

  if (object == NULL || words == NULL || !tell_ready (context, args, 1, error))
    return NULL;
  while (!loky_task_context_is_cancelled (context))
    {
      /* Mostly where it matters. */
      guint32 most = g_rand_boolean (random) ? 16 : (guint32) n_words;
      guint32 i = (guint32) g_rand_int_range (random, 0, (gint32) most);

      __atomic_store_n (&words[i], g_rand_boolean (random) ? g_rand_int (random) : words[i ^ 1],
                        __ATOMIC_RELAXED);
    }
  return g_variant_new_boolean (TRUE);
}

#define TASK(task, types, result, function, text)                                                    \
  {                                                                                                \
    .name = task, .arguments_type = types, .result_type = result, .func = function, .summary = text \
  }

static const LokyTaskDescriptor tasks[] = {
  TASK ("count", "(hsu)", "b", count, "Adds to the number in a file, that often, under a lock"),
  TASK ("count-below", "(hsu)", "b", count_below, "The same, in a worker of its own"),
  TASK ("acquire", "(hx)", "u", acquire_once, "Acquires and releases; how it was acquired"),
  TASK ("release", "(h)", "b", release_once, "Releases"),
  TASK ("hold", "(hhus)", "b", hold, "Acquires that often, and ends by kill, fork, wait or return"),
  TASK ("wait-condition", "(hhx)", "u", wait_condition, "Waits for a condition"),
  TASK ("wake", "(h)", "b", wake, "Wakes all who wait for a condition"),
  TASK ("wait-event", "(hhx)", "b", wait_event, "Waits for an event"),
  TASK ("set-event", "(h)", "b", set_event, "Sets an event"),
  TASK ("meet", "(hu)", "b", meet, "Waits at a barrier, that often"),
  TASK ("make-lock", "()", "h", make_lock, "A lock of the worker's"),
  TASK ("scribble", "(hh)", "b", scribble, "Spoils the memory of a synchronizer"),
};

LOKY_PLUGIN_DEFINE ("sync", "1.0", "Synchronizes, for the tests", tasks)
