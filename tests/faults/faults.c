/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "faults.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

LokyFuture *
faults_submit (LokyExecutor *executor, const char *order, LokyTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  LokyFuture *future
      = loky_executor_submit (executor, "fault.obey", g_variant_new_string (order), options, &error);

  g_assert_no_error (error);
  return future;
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
      _exit (func (data));
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
