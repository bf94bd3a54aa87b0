/* SPDX-License-Identifier: MIT-0 */

/* One task in a worker process, and its result. */

#include <loky.h>

int
main (void)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (0);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) count = loky_executor_call_sync (
      executor, "demo.primes", g_variant_new ("(tt)", (guint64) 0, (guint64) 1000000), NULL, NULL,
      &error);

  if (count == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  g_print ("There are %" G_GUINT64_FORMAT " primes below one million.\n",
           g_variant_get_uint64 (count));
  return 0;
}
