/* SPDX-License-Identifier: MIT-0 */

/* What workers remember is gone after a restart: another executor, and the workers of the old one
 * are killed. */

#include <loky.h>

/* How often the worker was asked; 0 if that could not be told. */
static guint
ask (LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) count =
      loky_executor_call_sync (executor, "hello.count", NULL, NULL, NULL, &error);

  if (count == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 0;
    }
  g_print ("Call %u of this worker\n", g_variant_get_uint32 (count));
  return g_variant_get_uint32 (count);
}

int
main (void)
{
  g_autoptr (LokyExecutorConfig) config =
      g_object_new (LOKY_TYPE_EXECUTOR_CONFIG, "max-workers", 1, NULL);
  g_autoptr (LokyExecutor) executor = NULL;
  g_autoptr (LokyExecutor) restarted = NULL;
  g_autoptr (GError) error = NULL;

  executor = loky_get_reusable_executor (config, LOKY_REUSE_AUTO, FALSE, &error);
  if (executor == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  for (guint i = 1; i <= 3; i++)
    if (ask (executor) != i)
      return 1;

  g_print ("Restart\n");
  restarted = loky_get_reusable_executor (config, LOKY_REUSE_NEVER, TRUE, &error);
  if (restarted == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  if (ask (restarted) != 1)
    return 1;

  /* The old one takes no more tasks. */
  return loky_executor_get_state (executor) != LOKY_EXECUTOR_STATE_OPEN ? 0 : 1;
}
