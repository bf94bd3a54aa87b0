/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Row 34: deaths, crossed with what is going on when they come: a synchronizer that is held or
 * waited for, waits and submissions that are pending, a worker that leaves, a value that is
 * rebuilt, a serializer that is not there. */

#include "faults.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- deaths
 * --------------------------------------------------------------------------------------- */

typedef struct
{
  int worker;
  int server; /* that forked it; 0 if none did */
} Victim;

static void
be_killed (const Victim *victim)
{
  kill (victim->worker, SIGKILL);
}

static void
be_killed_while_stopped (const Victim *victim)
{
  kill (victim->worker, SIGSTOP);
  kill (victim->worker, SIGKILL);
}

/* How it ended is not known then. */
static void
be_killed_after_server (const Victim *victim)
{
  g_assert_cmpint (victim->server, >, 1);
  kill (victim->server, SIGKILL);
  kill (victim->worker, SIGKILL);
}

static void
be_killed_with_server_stopped (const Victim *victim)
{
  g_assert_cmpint (victim->server, >, 1);
  kill (victim->server, SIGSTOP);
  kill (victim->worker, SIGKILL);
}

static const struct
{
  const char *name;
  const char *method; /* NULL: that of the process */
  void (*func) (const Victim *victim);
} deaths[] = {
  { "killed", NULL, be_killed },
  { "killed-while-stopped", NULL, be_killed_while_stopped },
  { "killed-after-server", "forkserver", be_killed_after_server },
  { "killed-with-server-stopped", "forkserver", be_killed_with_server_stopped },
};

static int
get_parent (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  /* "PID (NAME) S PARENT"; the name may have anything in it. */
  return atoi (strrchr (text, ')') + strlen (") S "));
}

/* Of the one worker that it has, and that is idle. */
static Victim
find_victim (LokyExecutor *executor)
{
  g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");
  Victim victim = { .worker = atoi (pid) };
  int parent = get_parent (victim.worker);

  victim.server = parent == getpid () ? 0 : parent;
  return victim;
}

/* A server that is stopped is replaced when a worker did not start in time. */
static LokyExecutor *
make_victims (gsize death, guint max_backlog)
{
  return loky_fixture_make_executor ("max-workers", 1, "start-method", deaths[death].method,
                                     "start-timeout", (gint64) 2000, "max-backlog", max_backlog,
                                     NULL);
}

/* --- synchronizers
 * -------------------------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *victims;
  LokyExecutor *others; /* whose worker stays */
  LokySemaphore *ready;
  Victim victim;
} Scene;

static void
scene_begin (Scene *scene, gsize death)
{
  *scene = (Scene){ .victims = make_victims (death, 0),
                    .others = faults_make_single (),
                    .ready = loky_semaphore_new (0, NULL) };
  scene->victim = find_victim (scene->victims);
}

static void
scene_end (Scene *scene)
{
  loky_fixture_end_executor (scene->victims, LOKY_SHUTDOWN_KILL);
  loky_fixture_end_executor (scene->others, LOKY_SHUTDOWN_DRAIN);
  g_object_unref (scene->ready);
}

static void
await_ready (Scene *scene, guint n)
{
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (loky_semaphore_acquire (scene->ready, -1, NULL, NULL), !=,
                     LOKY_ACQUIRE_RESULT_FAILED);
}

static gint32
handle_of (gpointer synchronizer)
{
  return loky_synchronizer_get_handle (LOKY_SYNCHRONIZER (synchronizer));
}

static LokySynchronizer *
make_held (guint kind)
{
  return kind == 0   ? LOKY_SYNCHRONIZER (loky_lock_new (NULL))
         : kind == 1 ? LOKY_SYNCHRONIZER (loky_lock_new_recursive (NULL))
         : kind == 2 ? LOKY_SYNCHRONIZER (loky_semaphore_new (1, NULL))
                     : LOKY_SYNCHRONIZER (loky_semaphore_new_bounded (1, NULL));
}

static LokyAcquireResult
acquire (LokySynchronizer *object)
{
  return LOKY_IS_LOCK (object) ? loky_lock_acquire (LOKY_LOCK (object), -1, NULL, NULL)
                               : loky_semaphore_acquire (LOKY_SEMAPHORE (object), -1, NULL, NULL);
}

static void
assert_died (LokyFuture *future)
{
  g_autoptr (GError) error = faults_end_of (future);

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
}

static guint
take_uint32 (LokyFuture *future)
{
  g_autoptr (GError) error = faults_end_of (future);
  g_autoptr (GVariant) result = NULL;

  g_assert_no_error (error);
  result = loky_future_dup_result (future, NULL);
  return g_variant_get_uint32 (result);
}

/* It dies while it holds, and a worker and this process wait. */
static void
holder (LokyFixture *fixture, gconstpointer data)
{
  for (guint kind = 0; kind < 4; kind++)
    {
      g_autoptr (LokySynchronizer) object = make_held (kind);
      g_autoptr (LokyFuture) held = NULL;
      g_autoptr (LokyFuture) waiting = NULL;
      guint n_told;
      Scene scene;

      scene_begin (&scene, GPOINTER_TO_SIZE (data));
      held = faults_submit_task (scene.victims, "sync.hold",
                                 g_variant_new ("(hhus)", handle_of (object),
                                                handle_of (scene.ready), 1u, "wait"),
                                 NULL);
      await_ready (&scene, 1);
      waiting = faults_submit_task (scene.others, "sync.acquire",
                                    g_variant_new ("(hx)", handle_of (object), (gint64) -1), NULL);
      loky_fixture_wait_running (waiting);
      deaths[GPOINTER_TO_SIZE (data)].func (&scene.victim);
      n_told = acquire (object) == LOKY_ACQUIRE_RESULT_OWNER_DIED;
      if (LOKY_IS_LOCK (object))
        g_assert_true (loky_lock_release (LOKY_LOCK (object), NULL));
      else
        g_assert_true (loky_semaphore_release (LOKY_SEMAPHORE (object), NULL));
      n_told += take_uint32 (waiting) == LOKY_ACQUIRE_RESULT_OWNER_DIED;
      g_assert_cmpuint (n_told, ==, 1);
      assert_died (held);
      scene_end (&scene);
    }
}

/* It dies while it waits, before another one: that is woken by the first call. */
static void
condition_waiter (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyCondition) condition = loky_condition_new (NULL, NULL);
  LokyLock *lock = loky_condition_get_lock (condition);
  g_autoptr (LokyFuture) dead = NULL;
  g_autoptr (LokyFuture) alive = NULL;
  GVariant *args;
  Scene scene;

  scene_begin (&scene, GPOINTER_TO_SIZE (data));
  args = g_variant_ref_sink (
      g_variant_new ("(hhx)", handle_of (condition), handle_of (scene.ready), (gint64) -1));
  dead = faults_submit_task (scene.victims, "sync.wait-condition", args, NULL);
  await_ready (&scene, 1);
  alive = faults_submit_task (scene.others, "sync.wait-condition", args, NULL);
  g_variant_unref (args);
  await_ready (&scene, 1);
  deaths[GPOINTER_TO_SIZE (data)].func (&scene.victim);
  assert_died (dead);
  g_assert_cmpint (acquire (LOKY_SYNCHRONIZER (lock)), ==, LOKY_ACQUIRE_RESULT_ACQUIRED);
  g_assert_true (loky_condition_wake_one (condition, NULL));
  g_assert_true (loky_lock_release (lock, NULL));
  g_assert_cmpuint (take_uint32 (alive), ==, LOKY_ACQUIRE_RESULT_ACQUIRED);
  scene_end (&scene);
}

static void
event_waiter (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyEvent) event = loky_event_new (NULL);
  g_autoptr (LokyFuture) dead = NULL;
  g_autoptr (LokyFuture) alive = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *args;
  Scene scene;

  scene_begin (&scene, GPOINTER_TO_SIZE (data));
  args = g_variant_ref_sink (
      g_variant_new ("(hhx)", handle_of (event), handle_of (scene.ready), (gint64) -1));
  dead = faults_submit_task (scene.victims, "sync.wait-event", args, NULL);
  alive = faults_submit_task (scene.others, "sync.wait-event", args, NULL);
  g_variant_unref (args);
  await_ready (&scene, 2);
  deaths[GPOINTER_TO_SIZE (data)].func (&scene.victim);
  assert_died (dead);
  loky_event_set (event);
  error = faults_end_of (alive);
  g_assert_no_error (error);
  scene_end (&scene);
}

/* It dies when it has arrived: nobody can pass any more. */
static void
barrier_waiter (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBarrier) barrier = loky_barrier_new (3, NULL);
  g_autoptr (LokyFuture) dead = NULL;
  g_autoptr (LokyFuture) alive = NULL;
  Scene scene;

  scene_begin (&scene, GPOINTER_TO_SIZE (data));
  dead = faults_submit_task (scene.victims, "sync.meet",
                             g_variant_new ("(hu)", handle_of (barrier), 1u), NULL);
  alive = faults_submit_task (scene.others, "sync.meet",
                              g_variant_new ("(hu)", handle_of (barrier), 1u), NULL);
  while (loky_barrier_get_n_waiting (barrier) < 2)
    g_usleep (100);
  deaths[GPOINTER_TO_SIZE (data)].func (&scene.victim);
  loky_fixture_assert_fails (alive, LOKY_ERROR, LOKY_ERROR_BARRIER_BROKEN);
  assert_died (dead);
  g_assert_true (loky_barrier_is_broken (barrier));
  scene_end (&scene);
}

/* --- what is pending
 * ------------------------------------------------------------------------------ */

#define N_SUBMITTED 4

typedef struct
{
  LokyFuture *futures[2]; /* the one that hangs, and one behind it */
  LokyFuture *submitted[N_SUBMITTED];
  guint n_submitted;
} Pending;

static gpointer
wait_for_all (gpointer data)
{
  Pending *pending = data;

  g_assert_true (loky_wait (pending->futures, 2, LOKY_WAIT_ALL_COMPLETED, -1, NULL, NULL));
  return NULL;
}

static gpointer
wait_for_error (gpointer data)
{
  Pending *pending = data;

  g_assert_true (loky_wait (pending->futures, 2, LOKY_WAIT_FIRST_ERROR, -1, NULL, NULL));
  g_assert_true (loky_future_is_done (pending->futures[0]));
  return NULL;
}

static gpointer
take_completions (gpointer data)
{
  Pending *pending = data;
  g_autoptr (LokyCompletions) completions = loky_as_completed (pending->futures, 2);

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (LokyFuture) future = loky_completions_next (completions, -1, NULL, NULL);

      g_assert_nonnull (future);
      g_assert_true (future == pending->futures[i]);
    }
  return NULL;
}

static void
submitted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Pending *pending = user_data;
  g_autoptr (GError) error = NULL;

  pending->submitted[pending->n_submitted++] =
      loky_executor_submit_finish (LOKY_EXECUTOR (source), result, &error);
  g_assert_no_error (error);
}

static gboolean
are_all_submitted (gpointer data)
{
  return ((Pending *) data)->n_submitted == N_SUBMITTED;
}

/* A task that hangs itself, or whose argument hangs while it is rebuilt. */
static LokyFuture *
submit_hanging (LokyExecutor *executor, gboolean in_reducer)
{
  if (in_reducer)
    return faults_submit_task (executor, "reduce.echo",
                               g_variant_new ("((smv))", "TestWord",
                                              g_variant_new_string ("rebuild-hang")),
                               NULL);
  return faults_submit (executor, "hang", NULL);
}

static void
play_pending (gsize death, gboolean in_reducer)
{
  static const GThreadFunc funcs[] = { wait_for_all, wait_for_error, take_completions };
  LokyExecutor *executor = make_victims (death, 1);
  Victim victim = find_victim (executor);
  /* A plugin that a worker was killed in while it was opened is not opened again. */
  g_autoptr (LokyFuture) opened =
      faults_submit_task (executor, "reduce.plain", g_variant_new ("(i)", 1), NULL);
  g_autoptr (GError) error = faults_end_of (opened);
  Pending pending = { { submit_hanging (executor, in_reducer) } };
  GThread *threads[G_N_ELEMENTS (funcs)];

  g_assert_no_error (error);
  loky_fixture_wait_running (pending.futures[0]);
  pending.futures[1] = faults_submit (executor, "ok", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (funcs); i++)
    threads[i] = g_thread_new ("waiter", funcs[i], &pending);
  for (guint i = 0; i < N_SUBMITTED; i++)
    loky_executor_submit_async (executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL,
                                submitted_cb, &pending);
  deaths[death].func (&victim);
  assert_died (pending.futures[0]);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  loky_fixture_wait_for (are_all_submitted, &pending);
  for (guint i = 0; i < N_SUBMITTED; i++)
    {
      g_autoptr (LokyFuture) future = pending.submitted[i];

      g_assert_null (faults_end_of (future));
    }
  g_object_unref (pending.futures[0]);
  g_object_unref (pending.futures[1]);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
pending_ones (LokyFixture *fixture, gconstpointer data)
{
  play_pending (GPOINTER_TO_SIZE (data), FALSE);
  play_pending (GPOINTER_TO_SIZE (data), TRUE);
}

/* --- workers that leave
 * --------------------------------------------------------------------------- */

#define N_LEAVING 20

/* Each after its first task; the next task does not notice. */
static void
killed_while_it_leaves (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor =
      loky_fixture_make_executor ("max-workers", 1, "max-tasks-per-worker", 1, "crash-policy",
                                  GPOINTER_TO_INT (data), NULL);

  for (guint i = 0; i < N_LEAVING; i++)
    {
      g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");

      /* Until it has ended, and been reaped, its number is nobody else's; it may have been just
       * now. */
      g_usleep (i * 100);
      kill (atoi (pid), SIGKILL);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- a serializer
 * --------------------------------------------------------------------------------- */

static void
copy (const char *folder, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) from =
      g_file_new_build_filename (loky_fixture_get_plugin_folder (), name, NULL);
  g_autoptr (GFile) to = g_file_new_build_filename (folder, name, NULL);

  g_file_copy (from, to, G_FILE_COPY_NONE, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
erase (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_cmpint (g_unlink (path), ==, 0);
}

/* The application has opened it; when the worker looks for it, it is gone. */
static void
serializer_missing_in_the_worker (LokyFixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("loky-faults-XXXXXX", NULL);
  const char *path[] = { folder, NULL };
  LokyExecutor *first;
  LokyExecutor *second;
  g_autofree char *said = NULL;
  g_autofree char *again = NULL;

  copy (folder, "fault.so");
  copy (folder, "serializer-test.so");
  first = loky_fixture_make_executor ("max-workers", 1, "plugin-path", path, "serializer", "test",
                                      NULL);
  second = loky_fixture_make_executor ("max-workers", 1, "plugin-path", path, "serializer", "test",
                                       NULL);
  said = loky_fixture_call (first, "fault.obey", "ok");
  erase (folder, "serializer-test.so");
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = loky_fixture_fail (second, "fault.obey", "ok");

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER);
      g_assert_nonnull (strstr (error->message, "“test”"));
      g_assert_nonnull (strstr (error->message, folder));
    }
  /* As soon as it is back it is found. */
  copy (folder, "serializer-test.so");
  again = loky_fixture_call (second, "fault.obey", "ok");
  g_assert_cmpstr (again, ==, "ok");
  loky_fixture_end_executor (first, LOKY_SHUTDOWN_DRAIN);
  loky_fixture_end_executor (second, LOKY_SHUTDOWN_DRAIN);
  erase (folder, "serializer-test.so");
  erase (folder, "fault.so");
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

/* --------------------------------------------------------------------------------------------------
 */

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*func) (LokyFixture *, gconstpointer);
  } operations[] = {
    { "holder", holder },
    { "waiter-for-condition", condition_waiter },
    { "waiter-for-event", event_waiter },
    { "waiter-at-barrier", barrier_waiter },
    { "pending", pending_ones },
  };

  loky_fixture_init (&argc, &argv);

  for (gsize i = 0; i < G_N_ELEMENTS (operations); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (deaths); j++)
      {
        g_autofree char *path =
            g_strdup_printf ("/loky/faults/34/%s-%s", operations[i].name, deaths[j].name);

        g_test_add (path, LokyFixture, GSIZE_TO_POINTER (j), loky_fixture_set_up,
                    operations[i].func, faults_tear_down);
      }
  g_test_add ("/loky/faults/34/leaving-killed", LokyFixture,
              GINT_TO_POINTER (LOKY_CRASH_POLICY_REPLACE), loky_fixture_set_up,
              killed_while_it_leaves, faults_tear_down);
  g_test_add ("/loky/faults/34/leaving-killed-policy-break", LokyFixture,
              GINT_TO_POINTER (LOKY_CRASH_POLICY_BREAK), loky_fixture_set_up,
              killed_while_it_leaves, faults_tear_down);
  FAULTS_ADD ("34/serializer-missing-in-the-worker", serializer_missing_in_the_worker);

  return g_test_run ();
}
