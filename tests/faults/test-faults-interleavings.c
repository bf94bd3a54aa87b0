/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rows 29 to 33: what happens at the same time, or very often, and what the clock does. */

#include "faults.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* How often a pair is started; LOKY_TEST_REPEAT multiplies it. */
#define N_ROUNDS 3

#define N_FUTURES 12

/* --- 29: every pair ------------------------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *executor; /* whose reference the operation last-unref drops; atomic */
  GPtrArray *futures;
  GMutex lock; /* futures */
  guint n_callbacks; /* atomic */
  guint n_expected;  /* atomic */
} Scene;

static LokyExecutor *
borrow (Scene *scene)
{
  LokyExecutor *executor = NULL;

  g_mutex_lock (&scene->lock);
  if (scene->executor != NULL)
    executor = g_object_ref (scene->executor);
  g_mutex_unlock (&scene->lock);
  return executor;
}

static void
submit_one (Scene *scene, LokyExecutor *executor, const char *order)
{
  LokyFuture *future
      = loky_executor_submit (executor, "fault.obey", g_variant_new_string (order), NULL, NULL);

  if (future == NULL)
    return;
  g_mutex_lock (&scene->lock);
  g_ptr_array_add (scene->futures, future);
  g_mutex_unlock (&scene->lock);
}

static void
do_submit (Scene *scene, LokyExecutor *executor)
{
  for (guint i = 0; i < N_FUTURES; i++)
    submit_one (scene, executor, "ok");
}

static void
do_cancel (Scene *scene, LokyExecutor *executor)
{
  for (guint i = 0; i < N_FUTURES; i++)
    {
      g_autoptr (LokyFuture) future = NULL;

      g_mutex_lock (&scene->lock);
      if (i < scene->futures->len)
        future = g_object_ref (g_ptr_array_index (scene->futures, i));
      g_mutex_unlock (&scene->lock);
      if (future != NULL)
        loky_future_cancel (future);
    }
}

static void
do_resize (Scene *scene, LokyExecutor *executor)
{
  for (guint i = 0; i < 6; i++)
    loky_executor_set_max_workers (executor, 1 + i % 3);
}

static void
do_drain (Scene *scene, LokyExecutor *executor)
{
  loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL);
}

static void
do_kill (Scene *scene, LokyExecutor *executor)
{
  loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_KILL, -1, NULL, NULL);
}

static void
do_crash (Scene *scene, LokyExecutor *executor)
{
  for (guint i = 0; i < 3; i++)
    submit_one (scene, executor, "kill");
}

static void
do_idle_timeout (Scene *scene, LokyExecutor *executor)
{
  for (guint i = 0; i < 6; i++)
    g_object_set (executor, "idle-timeout", (gint64) (i % 2 == 0 ? 0 : 1), NULL);
}

static void
do_last_unref (Scene *scene, LokyExecutor *executor)
{
  g_mutex_lock (&scene->lock);
  g_clear_object (&scene->executor);
  g_mutex_unlock (&scene->lock);
}

static void
called_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Scene *scene = user_data;
  g_autoptr (GVariant) value G_GNUC_UNUSED = loky_executor_call_finish (LOKY_EXECUTOR (source), result, NULL);

  g_atomic_int_inc (&scene->n_callbacks);
}

static gboolean
are_all_called (gpointer data)
{
  Scene *scene = data;

  return g_atomic_int_get (&scene->n_callbacks) == g_atomic_int_get (&scene->n_expected);
}

/* In a main context of the thread's own. */
static void
do_callback (Scene *scene, LokyExecutor *executor)
{
  GMainContext *context = g_main_context_new ();
  Scene own = { .executor = executor };

  g_main_context_push_thread_default (context);
  for (guint i = 0; i < 4; i++)
    {
      own.n_expected++;
      loky_executor_call_async (executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL, called_cb,
                                &own);
    }
  loky_fixture_wait_for (are_all_called, &own);
  g_main_context_pop_thread_default (context);
  g_main_context_unref (context);
}

static int
nothing (gconstpointer data)
{
  return 0;
}

static void
do_fork (Scene *scene, LokyExecutor *executor)
{
  faults_run_in_child (nothing, NULL);
}

static const struct
{
  const char *name;
  void (*func) (Scene *scene, LokyExecutor *executor);
} operations[] = {
  { "submit", do_submit }, { "cancel", do_cancel },
  { "resize", do_resize }, { "drain", do_drain },
  { "kill", do_kill },     { "crash", do_crash },
  { "idle", do_idle_timeout }, { "unref", do_last_unref },
  { "callback", do_callback }, { "fork", do_fork },
};

typedef struct
{
  Scene *scene;
  gsize operation;
  guint *n_waiting; /* atomic */
} Actor;

static gpointer
act (gpointer user_data)
{
  Actor *actor = user_data;
  LokyExecutor *executor = borrow (actor->scene);

  g_atomic_int_add (actor->n_waiting, -1);
  while (g_atomic_int_get (actor->n_waiting) > 0)
    ;
  if (executor != NULL)
    operations[actor->operation].func (actor->scene, executor);
  g_clear_object (&executor);
  return NULL;
}

static void
play (gsize first, gsize second)
{
  Scene scene = { .executor = loky_fixture_make_executor ("max-workers", 2, NULL) };
  guint n_waiting = 2;
  Actor actors[2] = { { &scene, first, &n_waiting }, { &scene, second, &n_waiting } };
  LokyExecutor *executor;
  GThread *thread;

  g_mutex_init (&scene.lock);
  scene.futures = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < N_FUTURES; i++)
    submit_one (&scene, scene.executor, i % 4 == 3 ? "sleep:1" : "ok");

  thread = g_thread_new ("actor", act, &actors[0]);
  act (&actors[1]);
  g_thread_join (thread);

  /* Whatever became of the executor, each of its futures ends. */
  for (guint i = 0; i < scene.futures->len; i++)
    {
      LokyFuture *future = g_ptr_array_index (scene.futures, i);

      g_assert_true (loky_future_wait (future, -1, NULL, NULL));
      g_assert_true (loky_future_is_done (future));
    }
  executor = g_steal_pointer (&scene.executor);
  if (executor != NULL)
    loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  g_ptr_array_unref (scene.futures);
  g_mutex_clear (&scene.lock);
}

static void
pairs_end_well (LokyFixture *fixture, gconstpointer data)
{
  const char *repeat = g_getenv ("LOKY_TEST_REPEAT");
  gint64 n_repeats = repeat != NULL ? MAX (g_ascii_strtoll (repeat, NULL, 10), 1) : 1;
  gint64 n_rounds = loky_fixture_has_valgrind () ? 1 : N_ROUNDS * n_repeats;
  gsize first = GPOINTER_TO_SIZE (data);

  for (gsize second = first; second < G_N_ELEMENTS (operations); second++)
    for (gint64 i = 0; i < n_rounds; i++)
      play (first, second);
}

/* --- 30: what a callback may do ------------------------------------------------------------------- */

typedef struct
{
  LokyExecutor *executor;
  guint what;
  guint n_done;
  LokyFuture *submitted;
} Caller;

static void
misbehave (Caller *caller)
{
  switch (caller->what)
    {
    case 0:
      caller->submitted = faults_submit (caller->executor, "ok", NULL);
      break;
    case 1:
      caller->submitted = faults_submit (caller->executor, "hang", NULL);
      loky_future_cancel (caller->submitted);
      break;
    case 2:
      loky_executor_set_max_workers (caller->executor, 1);
      loky_executor_set_max_workers (caller->executor, 3);
      break;
    case 3:
      loky_executor_shutdown_async (caller->executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL, NULL);
      break;
    case 4:
      g_assert_true (loky_executor_shutdown_sync (caller->executor, LOKY_SHUTDOWN_KILL, -1, NULL, NULL));
      break;
    case 5:
      g_clear_object (&caller->executor);
      break;
    default:
      /* It blocks, while the pool serves all others. */
      for (guint i = 0; i < 5; i++)
        faults_assert_serves (caller->executor);
    }
  caller->n_done++;
}

static void
misbehaving_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GVariant) value G_GNUC_UNUSED = loky_executor_call_finish (LOKY_EXECUTOR (source), result, NULL);

  misbehave (user_data);
}

static void
misbehaving_done_cb (LokyFuture *future, gpointer user_data)
{
  misbehave (user_data);
}

static gboolean
is_done_twice (gpointer data)
{
  return ((Caller *) data)->n_done == 2;
}

static void
callbacks_may_do_anything (LokyFixture *fixture, gconstpointer data)
{
  for (guint what = 0; what < 7; what++)
    {
      Caller caller = { loky_fixture_make_executor ("max-workers", 2, NULL), what, 0, NULL };
      g_autoptr (LokyFuture) future = faults_submit (caller.executor, "ok", NULL);
      g_autoptr (LokyExecutor) kept G_GNUC_UNUSED = what == 5 ? NULL : g_object_ref (caller.executor);

      g_signal_connect (future, "done", G_CALLBACK (misbehaving_done_cb), &caller);
      loky_executor_call_async (caller.executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL,
                                misbehaving_cb, &caller);
      if (what < 2)
        {
          /* Twice would lose the first. */
          g_signal_handlers_disconnect_by_func (future, misbehaving_done_cb, &caller);
          caller.n_done = 1;
        }
      loky_fixture_wait_for (is_done_twice, &caller);
      if (caller.submitted != NULL && what == 0)
        {
          g_autoptr (GError) error = faults_end_of (caller.submitted);

          g_assert_no_error (error);
        }
      g_clear_object (&caller.submitted);
      if (caller.executor != NULL)
        loky_fixture_end_executor (caller.executor, LOKY_SHUTDOWN_KILL);
    }
}

/* --- 31: many ------------------------------------------------------------------------------------- */

#define N_SUBMITTERS 16

typedef struct
{
  LokyExecutor *executor;
  guint n_tasks;
  guint n_results;
} Submitter;

static gpointer
submit_many (gpointer user_data)
{
  Submitter *submitter = user_data;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < submitter->n_tasks; i++)
    g_ptr_array_add (futures, loky_executor_submit (submitter->executor, "fault.obey",
                                                    g_variant_new_string ("ok"), NULL, NULL));
  for (guint i = 0; i < futures->len; i++)
    {
      g_autoptr (GError) error = faults_end_of (g_ptr_array_index (futures, i));

      submitter->n_results += error == NULL;
    }
  return NULL;
}

static void
many_threads_and_one_worker (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  guint n_tasks = LOKY_HAS_SANITIZER ? 500 : 6250;
  Submitter submitters[N_SUBMITTERS];
  GThread *threads[N_SUBMITTERS];

  for (guint i = 0; i < N_SUBMITTERS; i++)
    {
      submitters[i] = (Submitter){ executor, n_tasks, 0 };
      threads[i] = g_thread_new ("submitter", submit_many, &submitters[i]);
    }
  for (guint i = 0; i < N_SUBMITTERS; i++)
    {
      g_thread_join (threads[i]);
      g_assert_cmpuint (submitters[i].n_results, ==, n_tasks);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
million_pending_tasks_are_cancelled (LokyFixture *fixture, gconstpointer data)
{
  gboolean is_slow = LOKY_HAS_SANITIZER || loky_fixture_has_valgrind ();
  guint n_tasks = is_slow ? 20000 : 1000000;
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyFuture) running = faults_submit (executor, "hang", NULL);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GVariant) args = g_variant_ref_sink (g_variant_new_string ("ok"));

  loky_fixture_wait_running (running);
  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, loky_executor_submit (executor, "fault.obey", args, NULL, NULL));
  g_assert_cmpuint (loky_executor_get_n_pending (executor), ==, n_tasks);
  /* Half by their owners, half by the shutdown. */
  for (guint i = 0; i < n_tasks; i += 2)
    loky_future_cancel (g_ptr_array_index (futures, i));
  g_assert_cmpuint (loky_executor_get_n_pending (executor), ==, n_tasks / 2);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
  for (guint i = 0; i < n_tasks; i++)
    g_assert_cmpint (loky_future_get_state (g_ptr_array_index (futures, i)), ==,
                     i % 2 == 0 ? LOKY_FUTURE_STATE_CANCELLED : LOKY_FUTURE_STATE_FAILED);
}

static void
many_workers_serve (LokyFixture *fixture, gconstpointer data)
{
  guint n_workers = LOKY_HAS_SANITIZER ? 20 : 200;
  guint n_before = loky_fixture_count_fds ();
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", n_workers, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_executor_warm_up_sync (executor, n_workers, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (loky_executor_get_n_workers (executor), ==, n_workers);
  for (guint i = 0; i < n_workers / 8; i++)
    faults_assert_serves (executor);
  /* Four for each worker, and the pool's own. */
  g_assert_cmpuint (loky_fixture_count_fds () - n_before, <=, 5 * n_workers + 40);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

/* --- 33: clocks ----------------------------------------------------------------------------------- */

static void
odd_timeouts_do_what_they_say (LokyFixture *fixture, gconstpointer data)
{
  static const gint64 endless[] = { -1, G_MININT64, G_MAXINT64, G_MAXINT64 / 2 };

  for (gsize i = 0; i < G_N_ELEMENTS (endless); i++)
    {
      g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
      g_autoptr (LokyFuture) future = NULL;
      g_autoptr (GError) error = NULL;

      loky_task_options_set_timeout (options, MAX (endless[i], -1));
      loky_task_options_set_queue_timeout (options, MAX (endless[i], -1));
      future = faults_submit (fixture->executor, "sleep:5", options);
      error = faults_end_of (future);
      g_assert_no_error (error);
    }
  {
    g_autoptr (LokyTaskOptions) options = faults_stopping (0);
    g_autoptr (LokyFuture) future = faults_submit (fixture->executor, "hang", options);
    g_autoptr (GError) error = faults_end_of (future);

    g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT);
  }
  faults_assert_serves (fixture->executor);
}

/* A child stops us for a while and lets us go on: as a suspend does. What a worker did meanwhile counts. */
static void
suspended_application_goes_on (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor
      = loky_fixture_make_executor ("max-workers", 1, "heartbeat-timeout", (gint64) 200, NULL);
  g_autoptr (LokyFuture) future = faults_submit (executor, "sleep:300", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *script
      = g_strdup_printf ("kill -STOP %d; sleep 0.7; kill -CONT %d", (int) getpid (), (int) getpid ());
  g_autoptr (GSubprocess) stopper = NULL;

  loky_fixture_wait_running (future);
  stopper = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, "/bin/sh", "-c", script, NULL);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_wait (stopper, NULL, NULL));
  error = faults_end_of (future);
  g_assert_no_error (error);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);
  for (gsize i = 0; i < G_N_ELEMENTS (operations); i++)
    {
      g_autofree char *path = g_strdup_printf ("/loky/faults/29/%s-with-each", operations[i].name);

      g_test_add (path, LokyFixture, GSIZE_TO_POINTER (i), loky_fixture_set_up, pairs_end_well,
                  faults_tear_down);
    }
  FAULTS_ADD ("30/callbacks-may-do-anything", callbacks_may_do_anything);
  FAULTS_ADD ("31/many-threads-and-one-worker", many_threads_and_one_worker);
  FAULTS_ADD ("31/million-pending-tasks-are-cancelled", million_pending_tasks_are_cancelled);
  FAULTS_ADD ("31/many-workers-serve", many_workers_serve);
  FAULTS_ADD ("33/odd-timeouts-do-what-they-say", odd_timeouts_do_what_they_say);
  FAULTS_ADD ("33/suspended-application-goes-on", suspended_application_goes_on);
  return g_test_run ();
}
