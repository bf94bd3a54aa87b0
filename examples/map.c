/* SPDX-License-Identifier: MIT-0 */

/* One task over many items, in a main loop: results as they are completed, with progress. */

#include <loky.h>

#define N_RANGES 64
#define RANGE_LENGTH 250000

typedef struct
{
  GMainLoop *loop;
  guint64 n_primes;
  guint n_done;
  guint n_failed;
} Application;

/* Called when the map has room for another item: inputs of any length take little memory. */
static gboolean
supply (LokyInput *input, gpointer data, GError **error)
{
  guint64 *next = data;

  if (*next == N_RANGES)
    {
      loky_input_end (input);
      return TRUE;
    }

  loky_input_push (input,
                   g_variant_new ("(tt)", *next * RANGE_LENGTH, (*next + 1) * RANGE_LENGTH));
  (*next)++;
  return TRUE;
}

static void
next_cb (GObject *object, GAsyncResult *result, gpointer data)
{
  LokyResults *results = LOKY_RESULTS (object);
  Application *application = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = loky_results_next_finish (results, result, &error);
  g_autoptr (GVariant) count = NULL;

  if (future == NULL)
    {
      if (error != NULL)
        g_printerr ("The map ended: %s\n", error->message);
      g_main_loop_quit (application->loop);
      return;
    }

  /* An item that fails does not end the map. */
  count = loky_future_dup_result (future, &error);
  if (count != NULL)
    application->n_primes += g_variant_get_uint64 (count);
  else
    {
      application->n_failed++;
      g_printerr ("Range %" G_GUINT64_FORMAT ": %s\n", loky_results_get_index (results),
                  error->message);
    }

  if (++application->n_done % 16 == 0)
    g_print ("%u of %d ranges are done\n", application->n_done, N_RANGES);
  loky_results_next_async (results, NULL, next_cb, application);
}

int
main (void)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (0);
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Application application = { .loop = loop };
  guint64 next = 0;
  g_autoptr (LokyInput) input = loky_input_new (supply, &next, NULL);
  g_autoptr (LokyResults) results = NULL;

  loky_map_options_set_ordered (options, FALSE);
  results = loky_executor_map (executor, "demo.primes", input, options);
  loky_results_next_async (results, NULL, next_cb, &application);
  g_main_loop_run (loop);

  g_print ("%" G_GUINT64_FORMAT " primes\n", application.n_primes);
  return application.n_done == N_RANGES && application.n_failed == 0 ? 0 : 1;
}
