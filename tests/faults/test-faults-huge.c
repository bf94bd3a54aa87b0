/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Row 16 and 1: values of more than 4 GiB, where a number of 32 bits would show. Their pages are not there until
 * they are copied, so that an argument needs that much memory once, and a result twice. */

#include "faults.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define N_NUMBERS ((gsize) (1u << 29) + 3)
#define SIZE (N_NUMBERS * sizeof (gint64))

/* In seconds: libloky looks at each element of an array that a process sent. */
#define LONG_TIMEOUT 250

static gboolean
has_memory (gsize needed)
{
  g_autofree char *text = NULL;
  const char *line;

  if (LOKY_HAS_SANITIZER)
    {
      g_test_skip ("a sanitizer needs a multiple of the memory");
      return FALSE;
    }
  g_assert_true (g_file_get_contents ("/proc/meminfo", &text, NULL, NULL));
  line = strstr (text, "MemAvailable:");
  if (line != NULL && strtoull (line + strlen ("MemAvailable:"), NULL, 10) * 1024 >= needed)
    return TRUE;
  g_test_skip ("there is too little memory free");
  return FALSE;
}

static void
huge_argument_arrives (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  gpointer memory;

  if (!has_memory (SIZE + SIZE / 2))
    return;
  alarm (LONG_TIMEOUT);
  memory = mmap (NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  g_assert_true (memory != MAP_FAILED);
  {
    g_autoptr (GVariant) args = g_variant_ref_sink (
        g_variant_new_from_data (G_VARIANT_TYPE ("ax"), memory, SIZE, TRUE, NULL, NULL));

    future = faults_submit_task (fixture->executor, "fault.size", args, NULL);
    faults_watch (future);
    g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  }
  munmap (memory, SIZE);
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint64 (result), ==, SIZE);
  faults_assert_serves (fixture->executor);
}

static void
huge_result_arrives (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  if (!has_memory (2 * SIZE + SIZE / 2))
    return;
  alarm (LONG_TIMEOUT);
  future = faults_submit_task (fixture->executor, "fault.sparse-numbers", g_variant_new_uint64 (N_NUMBERS), NULL);
  faults_watch (future);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  {
    g_autoptr (GVariant) result = loky_future_dup_result (future, &error);

    g_assert_no_error (error);
    g_assert_cmpuint (g_variant_n_children (result), ==, N_NUMBERS);
  }
  g_clear_object (&future);
  faults_assert_serves (fixture->executor);
}

/* The process dies with it: nothing of it may stay, and the next must have room. */
static void
huge_result_of_a_dying_worker_is_let_go (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = NULL;

  if (!has_memory (2 * SIZE + SIZE / 2))
    return;
  alarm (LONG_TIMEOUT);
  executor = faults_make_single ();
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *pid = loky_fixture_call (executor, "fault.obey", "pid");
      g_autoptr (LokyFuture) future
          = faults_submit_task (executor, "fault.sparse-numbers", g_variant_new_uint64 (N_NUMBERS), NULL);
      g_autoptr (GError) error = NULL;

      faults_watch (future);
      loky_fixture_wait_running (future);
      g_assert_cmpint (kill (atoi (pid), SIGKILL), ==, 0);
      error = faults_end_of (future);
      /* It may have been through. */
      g_assert_true (error == NULL || g_error_matches (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED));
      faults_assert_serves (executor);
    }
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);
  FAULTS_ADD ("16/huge-argument-arrives", huge_argument_arrives);
  FAULTS_ADD ("16/huge-result-arrives", huge_result_arrives);
  FAULTS_ADD ("16/huge-result-of-a-dying-worker-is-let-go", huge_result_of_a_dying_worker_is_let_go);
  return g_test_run ();
}
