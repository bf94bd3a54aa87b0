/* SPDX-License-Identifier: MIT-0 */

/* A task that kills its worker: what its owner learns of it, what retries do, and how little it is
 * to the other tasks. */

#include <loky.h>

static void
report (LokyFuture *future)
{
  g_autoptr (GError) error = loky_future_dup_error (future);
  g_autofree char *tail = loky_future_dup_stderr_tail (future);

  g_print ("%s after %u attempt(s): %s\n", loky_future_get_task (future),
           loky_future_get_attempts (future), error->message);
  g_print ("  pid %d, signal %d, exit status %d\n", loky_future_get_worker_pid (future),
           loky_future_get_term_signal (future), loky_future_get_exit_status (future));
  g_print ("  its last words: %s\n", tail != NULL ? tail : "none");
}

/* Returns how often the task was tried, or 0 if it did not end as a crash should. */
static guint
crash (LokyExecutor *executor, const char *how, guint retries)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) cause = NULL;
  g_autoptr (LokyFuture) future = NULL;

  /* A task that may run twice says so; without this it is never begun again. */
  loky_task_options_set_retries (options, retries);
  future = loky_executor_submit (executor, "demo.crash", g_variant_new_string (how), options,
                                 &error);
  if (future == NULL || !loky_future_wait (future, -1, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return 0;
    }

  cause = loky_future_dup_error (future);
  if (!g_error_matches (cause, LOKY_ERROR, LOKY_ERROR_WORKER_DIED))
    return 0;
  report (future);
  return loky_future_get_attempts (future);
}

int
main (void)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (2);
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) bystander = loky_executor_submit (
      executor, "demo.sleep", g_variant_new_double (0.3), NULL, &error);
  g_autoptr (GVariant) result = NULL;

  if (bystander == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  if (crash (executor, "segv", 0) != 1 || crash (executor, "exit:7", 2) != 3)
    return 1;

  /* The worker next door goes on as if nothing had happened. */
  loky_future_wait (bystander, -1, NULL, NULL);
  result = loky_future_dup_result (bystander, &error);
  if (result == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  g_print ("The other task slept well, for %g s\n", g_variant_get_double (result));
  return 0;
}
