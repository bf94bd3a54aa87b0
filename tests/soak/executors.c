/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Executors in other ways: the one of the process, asked for by several threads that want different
 * ones; executors whose backlog is small; executors in workers that are killed. */

#include "parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fixture.h"

/* --- the executor of the process
 * ------------------------------------------------------------------ */

#define N_THREADS 3

/* Which is shut down by one of the others may happen at any time; nothing else. */
static gboolean
is_end_of_reusable (const GError *error)
{
  return g_error_matches (error, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN);
}

static void
use_reusable (GRand *random)
{
  g_autoptr (LokyExecutorConfig) config = loky_executor_config_new ();
  g_autofree char *variable = g_strdup_printf ("SOAK=%d", g_rand_int_range (random, 0, 3));
  const char *environment[] = { variable, NULL };
  g_autoptr (LokyExecutor) executor = NULL;
  g_autoptr (GError) error = NULL;

  g_object_set (config, "max-workers", (guint) g_rand_int_range (random, 1, 4), "environment",
                environment, "start-method", soak_draw_start_method (random), NULL);
  executor = loky_get_reusable_executor (g_rand_int_range (random, 0, 4) > 0 ? config : NULL,
                                         (LokyReuse) g_rand_int_range (random, 0, 3),
                                         g_rand_int_range (random, 0, 6) == 0, &error);
  if (!soak_expect (executor != NULL, "there is no reusable executor: %s",
                    error != NULL ? error->message : ""))
    return;
  for (int i = g_rand_int_range (random, 0, 8); i > 0; i--)
    {
      g_autoptr (GVariant) result =
          loky_executor_call_sync (executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL,
                                   &error);

      if (result == NULL)
        {
          soak_expect (is_end_of_reusable (error), "a call of the reusable executor: %s",
                       error->message);
          return;
        }
    }
}

static gpointer
run_thread (gpointer data)
{
  SoakPart *part = data;
  g_autoptr (GRand) random =
      g_rand_new_with_seed (part->seed + (guint) g_atomic_int_add (&part->n_threads, 1));

  while (!soak_is_over ())
    {
      use_reusable (random);
      g_atomic_int_inc (&part->n_rounds);
    }
  return NULL;
}

gpointer
soak_run_reusable (gpointer data)
{
  GThread *threads[N_THREADS];
  LokyExecutor *last;

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("reusable", run_thread, data);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  last = loky_get_reusable_executor (NULL, LOKY_REUSE_ALWAYS, FALSE, NULL);
  loky_fixture_end_executor (last, LOKY_SHUTDOWN_KILL);
  /* One that was never started is left, which has nothing. */
  g_object_unref (loky_get_reusable_executor (NULL, LOKY_REUSE_NEVER, FALSE, NULL));
  return NULL;
}

/* --- a small backlog
 * ------------------------------------------------------------------------------ */

typedef struct
{
  SoakPart *part;
  LokyExecutor *executor;
  GPtrArray *futures;
  guint n_submitted, n_called;
  gboolean is_shut_down;
  gboolean is_awaited; /* the end of that */
} Backlog;

static void
submitted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Backlog *backlog = user_data;
  g_autoptr (GError) error = NULL;
  LokyFuture *future = loky_executor_submit_finish (LOKY_EXECUTOR (source), result, &error);

  backlog->n_called++;
  if (future != NULL)
    g_ptr_array_add (backlog->futures, future);
  else
    soak_expect (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
                     (backlog->is_shut_down &&
                      g_error_matches (error, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN)),
                 "a submission failed: %s", error->message);
}

static void
shut_down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Backlog *backlog = user_data;
  g_autoptr (GError) error = NULL;

  backlog->is_awaited = FALSE;
  soak_expect (loky_executor_shutdown_finish (LOKY_EXECUTOR (source), result, &error),
               "a shutdown failed: %s", error != NULL ? error->message : "");
}

/* Room is not given back twice, and not lost. */
static void
submit_all (Backlog *backlog, GRand *random, GMainContext *context)
{
  static const char *const orders[] = { "ok", "sleep:1", "ok", "ok", "_exit:1", "ok" };
  g_autoptr (GPtrArray) cancellables = g_ptr_array_new_with_free_func (g_object_unref);
  gint64 end = g_get_monotonic_time () + soak_get_patience () * 1000;
  guint n = (guint) g_rand_int_range (random, 1, 40);

  while (backlog->n_submitted < n)
    {
      const char *order = orders[g_rand_int_range (random, 0, G_N_ELEMENTS (orders))];
      GCancellable *cancellable = g_cancellable_new ();

      g_ptr_array_add (cancellables, cancellable);
      loky_executor_submit_async (backlog->executor, "fault.obey", g_variant_new_string (order),
                                  NULL, cancellable, submitted_cb, backlog);
      backlog->n_submitted++;
      if (g_rand_int_range (random, 0, 3) == 0)
        {
          LokyFuture *future = loky_executor_submit (backlog->executor, "fault.obey",
                                                     g_variant_new_string ("ok"), NULL, NULL);

          if (future != NULL)
            g_ptr_array_add (backlog->futures, future);
        }
      if (g_rand_int_range (random, 0, 3) == 0)
        g_cancellable_cancel (
            g_ptr_array_index (cancellables,
                               (guint) g_rand_int_range (random, 0, (gint32) cancellables->len)));
      if (g_rand_boolean (random))
        g_main_context_iteration (context, FALSE);
      if (g_rand_int_range (random, 0, 40) == 0)
        soak_kill (backlog->part, random, backlog->executor);
    }
  if (g_rand_int_range (random, 0, 8) == 0)
    {
      backlog->is_shut_down = TRUE;
      backlog->is_awaited = TRUE;
      loky_executor_shutdown_async (backlog->executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, shut_down_cb,
                                    backlog);
    }
  while (backlog->n_called < backlog->n_submitted && g_get_monotonic_time () < end)
    if (!g_main_context_iteration (context, FALSE))
      g_usleep (200);
  soak_expect (backlog->n_called == backlog->n_submitted, "%u of %u submissions were answered",
               backlog->n_called, backlog->n_submitted);
}

static void
taken_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  LokyFuture **future = user_data;

  *future = loky_completions_next_finish (LOKY_COMPLETIONS (source), result, &error);
  soak_expect (*future != NULL, "no completion came: %s", error != NULL ? error->message : "");
}

static LokyFuture *
take_one (LokyCompletions *completions, GRand *random, GMainContext *context)
{
  gint64 end = g_get_monotonic_time () + soak_get_patience () * 1000;
  LokyFuture *future = NULL;

  if (g_rand_boolean (random))
    return loky_completions_next (completions, soak_get_patience (), NULL, NULL);
  loky_completions_next_async (completions, NULL, taken_cb, &future);
  while (future == NULL && g_get_monotonic_time () < end)
    if (!g_main_context_iteration (context, FALSE))
      g_usleep (200);
  return future;
}

static void
take_all (Backlog *backlog, GRand *random, GMainContext *context)
{
  g_autoptr (LokyCompletions) completions =
      loky_as_completed ((LokyFuture *const *) backlog->futures->pdata, backlog->futures->len);

  for (guint i = 0; i < backlog->futures->len; i++)
    {
      g_autoptr (LokyFuture) future = take_one (completions, random, context);

      if (!soak_expect (future != NULL && loky_future_is_done (future), "a completion is missing"))
        abort ();
      soak_expect_end (backlog->part, future, TRUE);
    }
}

/* What is not taken out of the context would keep it, and the executor. */
static void
await_shutdown (Backlog *backlog, GMainContext *context)
{
  gint64 end = g_get_monotonic_time () + soak_get_patience () * 1000;

  while ((g_main_context_iteration (context, FALSE) || backlog->is_awaited) &&
         g_get_monotonic_time () < end)
    if (backlog->is_awaited)
      g_usleep (200);
  soak_expect (!backlog->is_awaited, "a shutdown did not end");
}

gpointer
soak_run_backlog (gpointer data)
{
  SoakPart *part = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (part->seed);
  GMainContext *context = g_main_context_new ();

  g_main_context_push_thread_default (context);
  while (!soak_is_over ())
    {
      LokyExecutor *executor =
          soak_draw_executor (random, (guint) g_rand_int_range (random, 1, 4), "max-backlog",
                              (guint) g_rand_int_range (random, 1, 6), "max-tasks-per-worker", 20,
                              NULL);
      Backlog backlog = { .part = part, .executor = executor };

      part->is_spent = FALSE;
      for (guint i = 0; i < 8 && !backlog.is_shut_down && !part->is_spent && !soak_is_over (); i++)
        {
          backlog.futures = g_ptr_array_new_with_free_func (g_object_unref);
          backlog.n_submitted = backlog.n_called = 0;
          submit_all (&backlog, random, context);
          take_all (&backlog, random, context);
          g_ptr_array_unref (backlog.futures);
          g_atomic_int_inc (&part->n_rounds);
        }
      soak_end_executor (random, executor);
      await_shutdown (&backlog, context);
    }
  g_main_context_pop_thread_default (context);
  g_main_context_unref (context);
  return NULL;
}

/* --- executors in workers
 * ------------------------------------------------------------------------- */

#define N_COUNTS 3

static LokyFuture *
submit_nested (GRand *random, LokyExecutor *executor, LokyLock *lock, const char *path)
{
  switch (g_rand_int_range (random, 0, 3))
    {
    case 0:
      return loky_executor_submit (executor, "sync.count-below",
                                   g_variant_new ("(hsu)",
                                                  loky_synchronizer_get_handle (
                                                      LOKY_SYNCHRONIZER (lock)),
                                                  path, N_COUNTS),
                                   NULL, NULL);
    case 1:
      return loky_executor_submit (executor, "fault.obey", g_variant_new_string ("nest-deep:2"),
                                   NULL, NULL);
    default:
      return loky_executor_submit (executor, "fault.obey",
                                   g_variant_new_string ("nest-reusable:ok"), NULL, NULL);
    }
}

static gint64
read_count (const char *path)
{
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? g_ascii_strtoll (text, NULL, 10) : -1;
}

static void
play_nested (SoakPart *part, GRand *random, const char *path)
{
  LokyExecutor *executor =
      soak_draw_executor (random, 2, "crash-policy", LOKY_CRASH_POLICY_REPLACE, NULL);
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  LokyFuture *futures[4];
  gboolean is_killed = FALSE;
  gint64 n_counted = 0;

  soak_expect (g_file_set_contents (path, "0", 1, NULL), "%s cannot be written", path);
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    futures[i] = submit_nested (random, executor, lock, path);
  if (g_rand_boolean (random))
    {
      g_usleep ((gulong) g_rand_int_range (random, 0, 30000));
      is_killed = soak_kill (part, random, executor);
    }
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      soak_expect_end (part, futures[i], is_killed);
      if (loky_future_get_state (futures[i]) == LOKY_FUTURE_STATE_SUCCEEDED &&
          strcmp (loky_future_get_task (futures[i]), "sync.count-below") == 0)
        n_counted += N_COUNTS;
      g_object_unref (futures[i]);
    }
  soak_expect (loky_lock_acquire (lock, soak_get_patience (), NULL, NULL) !=
                   LOKY_ACQUIRE_RESULT_FAILED,
               "the lock of workers of workers cannot be had");
  /* Who was killed may have counted before, or spoilt the file. */
  soak_expect (is_killed || read_count (path) == n_counted,
               "%" G_GINT64_FORMAT " were counted as %" G_GINT64_FORMAT, n_counted,
               read_count (path));
  soak_end_executor (random, executor);
  g_atomic_int_inc (&part->n_rounds);
}

gpointer
soak_run_nested (gpointer data)
{
  SoakPart *part = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (part->seed);
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp ("loky-soak-XXXXXX", &path, NULL);

  if (!soak_expect (fd >= 0, "there is no temporary file"))
    return NULL;
  close (fd);
  while (!soak_is_over ())
    play_nested (part, random, path);
  unlink (path);
  return NULL;
}
