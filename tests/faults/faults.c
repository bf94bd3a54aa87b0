/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "faults.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static guint n_watched;
static guint n_ended;

LokyFuture *
faults_submit_task (LokyExecutor *executor,
                    const char *task,
                    GVariant *args,
                    LokyTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  LokyFuture *future = loky_executor_submit (executor, task, args, options, &error);

  g_assert_no_error (error);
  return future;
}

LokyFuture *
faults_submit (LokyExecutor *executor, const char *order, LokyTaskOptions *options)
{
  return faults_submit_task (executor, "fault.obey", g_variant_new_string (order), options);
}

static void
ended_cb (LokyFuture *future, gpointer user_data)
{
  gboolean *has_ended = user_data;

  g_assert_true (loky_future_is_done (future));
  g_assert_false (*has_ended);
  *has_ended = TRUE;
  n_ended++;
  g_object_unref (future);
}

void
faults_watch (LokyFuture *future)
{
  gboolean *has_ended = g_new0 (gboolean, 1);

  /* Until then, since one that ended before there was a handler says it to who still has it only. */
  g_object_ref (future);
  g_signal_connect_data (future, "done", G_CALLBACK (ended_cb), has_ended,
                         (GClosureNotify) (void (*) (void)) g_free, 0);
  n_watched++;
}

LokyExecutor *
faults_make_single (void)
{
  return loky_fixture_make_executor ("max-workers", 1, NULL);
}

void
faults_assert_ends (LokyFuture *future, LokyError code, const char *reason)
{
  g_autoptr (GError) error = faults_end_of (future);
  g_autofree char *pid = g_strdup_printf ("(pid %d)", loky_future_get_worker_pid (future));

  g_assert_error (error, LOKY_ERROR, (int) code);
  g_test_message ("%s", error->message);
  g_assert_cmpint (loky_future_get_worker_pid (future), >, 1);
  g_assert_nonnull (strstr (error->message, loky_future_get_task (future)));
  g_assert_nonnull (strstr (error->message, pid));
  g_assert_nonnull (strstr (error->message, reason));
}

GError *
faults_end_of (LokyFuture *future)
{
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  return loky_future_dup_error (future);
}

LokyTaskOptions *
faults_stopping (gint64 timeout)
{
  return g_object_new (LOKY_TYPE_TASK_OPTIONS, "timeout", timeout, "cancel-grace", (gint64) 20, NULL);
}

void
faults_assert_serves (LokyExecutor *executor)
{
  LokyFuture *futures[8];

  for (gsize i = 0; i < G_N_ELEMENTS (futures); i++)
    futures[i] = faults_submit (executor, "ok", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      g_autoptr (GError) error = faults_end_of (futures[i]);

      g_assert_no_error (error);
      g_object_unref (futures[i]);
    }
}

void
faults_assert_tells (const GError *error, LokyFuture *future, const char *reason)
{
  g_autofree char *pid = g_strdup_printf ("(pid %d)", loky_future_get_worker_pid (future));

  g_test_message ("%s", error->message);
  g_assert_cmpint (loky_future_get_worker_pid (future), >, 1);
  g_assert_nonnull (strstr (error->message, "fault.obey"));
  g_assert_nonnull (strstr (error->message, pid));
  g_assert_nonnull (strstr (error->message, reason));
}

void
faults_assert_no_mappings (void)
{
  g_autofree char *maps = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  g_assert_null (strstr (maps, "/memfd:loky"));
}

void
faults_tear_down (LokyFixture *fixture, gconstpointer data)
{
  loky_fixture_tear_down (fixture, data);
  g_assert_cmpuint (n_ended, ==, n_watched);
  faults_assert_no_mappings ();
}

void
faults_run_in_child (int (*func) (gconstpointer data), gconstpointer data)
{
  int status = 0;
  pid_t pid = fork ();

  if (pid == 0)
    {
      alarm (60);
      status = func (data);
      /* At an exit valgrind looks for leaks, and takes for one what the threads had that did not come along. */
      if (loky_fixture_has_valgrind ())
        execl ("/bin/sh", "sh", "-c", status == 0 ? "exit 0" : "exit 1", NULL);
      _exit (status);
    }
  g_assert_cmpint (pid, >, 0);
  while (waitpid (pid, &status, 0) < 0)
    ;
  g_assert_cmpint (status, ==, 0);
}

void
faults_wait_gone (const char *pid)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "stat", NULL);

  for (;;)
    {
      g_autofree char *text = NULL;

      if (!g_file_get_contents (path, &text, NULL, NULL) || strstr (text, ") Z ") != NULL)
        return;
      g_usleep (1000);
    }
}
