/* SPDX-License-Identifier: MIT-0 */

/* Tasks and a main loop: one task ends by itself, another is cancelled while it runs. */

#include <loky.h>

typedef struct
{
  GMainLoop *loop;
  guint n_running;
  gboolean counted;
  gboolean cancelled;
} Application;

static void
leave_one (Application *application)
{
  if (--application->n_running == 0)
    g_main_loop_quit (application->loop);
}

static void
counted_cb (GObject *object, GAsyncResult *result, gpointer data)
{
  Application *application = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) count = loky_executor_call_finish (LOKY_EXECUTOR (object), result, &error);

  if (count != NULL)
    g_print ("Primes: %" G_GUINT64_FORMAT "\n", g_variant_get_uint64 (count));
  else
    g_printerr ("%s\n", error->message);
  application->counted = count != NULL;
  leave_one (application);
}

static void
slept_cb (GObject *object, GAsyncResult *result, gpointer data)
{
  Application *application = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) slept = loky_executor_call_finish (LOKY_EXECUTOR (object), result, &error);

  application->cancelled = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  if (slept != NULL)
    g_print ("The long sleep ended after %g s\n", g_variant_get_double (slept));
  else
    g_print ("The long sleep %s\n", application->cancelled ? "was cancelled" : error->message);
  leave_one (application);
}

static gboolean
cancel_cb (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

int
main (void)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (2);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Application application = { loop, 2, FALSE, FALSE };

  loky_executor_call_async (executor, "demo.primes",
                            g_variant_new ("(tt)", (guint64) 0, (guint64) 10000000), NULL, NULL,
                            counted_cb, &application);
  loky_executor_call_async (executor, "demo.sleep", g_variant_new_double (3600), NULL, cancellable,
                            slept_cb, &application);
  g_timeout_add (200, cancel_cb, cancellable);

  /* The application stays responsive: nothing here blocks. */
  g_main_loop_run (loop);
  return application.counted && application.cancelled ? 0 : 1;
}
