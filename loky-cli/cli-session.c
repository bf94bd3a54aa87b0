/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The executor of one command. Everything happens in the main thread's default context. The first
 * SIGINT or SIGTERM leaves the loop in an orderly way; the second one ends the program as usual. */

#include "cli-session.h"

#include <glib-unix.h>
#include <signal.h>

#define SHUTDOWN_TIMEOUT 5000

static gboolean
stop_at_signal (CliSession *self, int number)
{
  self->caught_signal = number;
  g_cancellable_cancel (self->cancellable);
  g_main_loop_quit (self->loop);
  return G_SOURCE_REMOVE;
}

static gboolean
interrupt_cb (gpointer user_data)
{
  CliSession *self = user_data;

  self->interrupt_source = 0;
  return stop_at_signal (self, SIGINT);
}

static gboolean
terminate_cb (gpointer user_data)
{
  CliSession *self = user_data;

  self->terminate_source = 0;
  return stop_at_signal (self, SIGTERM);
}

/* The folders of the command line come before those where plugins are looked for anyway. */
static char **
dup_plugin_path (char **first)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (1);
  g_auto (GStrv) rest = loky_executor_dup_plugin_path (executor);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (gsize i = 0; first[i] != NULL; i++)
    {
      g_autofree char *absolute = g_canonicalize_filename (first[i], NULL);

      g_strv_builder_add (builder, absolute);
    }
  if (rest != NULL)
    g_strv_builder_addv (builder, (const char **) rest);
  return g_strv_builder_end (builder);
}

/* @max_workers: 0 for as many as there are CPUs */
CliSession *
cli_session_new (char **plugin_path, guint max_workers)
{
  CliSession *self = g_new0 (CliSession, 1);

  self->loop = g_main_loop_new (NULL, FALSE);
  self->cancellable = g_cancellable_new ();
  self->interrupt_source = g_unix_signal_add (SIGINT, interrupt_cb, self);
  self->terminate_source = g_unix_signal_add (SIGTERM, terminate_cb, self);
  self->executor = loky_executor_new (max_workers);
  if (plugin_path != NULL)
    {
      g_auto (GStrv) folders = dup_plugin_path (plugin_path);

      g_clear_object (&self->executor);
      self->executor = g_object_new (LOKY_TYPE_EXECUTOR,
                                     "max-workers",
                                     max_workers,
                                     "plugin-path",
                                     folders,
                                     NULL);
    }
  return self;
}

void
cli_session_free (CliSession *self)
{
  g_clear_handle_id (&self->interrupt_source, g_source_remove);
  g_clear_handle_id (&self->terminate_source, g_source_remove);
  g_clear_object (&self->result);
  g_clear_object (&self->executor);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->loop, g_main_loop_unref);
  g_free (self);
}

gboolean
cli_session_is_interrupted (CliSession *self)
{
  return self->caught_signal != 0;
}

static void
take_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  CliSession *self = user_data;

  g_set_object (&self->result, result);
  g_main_loop_quit (self->loop);
}

/* FALSE: a signal came first. */
static gboolean
run_until_result (CliSession *self, GError **error)
{
  if (!cli_session_is_interrupted (self))
    g_main_loop_run (self->loop);
  if (self->result != NULL && !cli_session_is_interrupted (self))
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Interrupted");
  return FALSE;
}

GVariant *
cli_session_call (CliSession *self,
                  const char *task,
                  GVariant *args,
                  LokyTaskOptions *options,
                  GError **error)
{
  g_clear_object (&self->result);
  loky_executor_call_async (self->executor,
                            task,
                            args,
                            options,
                            self->cancellable,
                            take_result_cb,
                            self);
  if (!run_until_result (self, error))
    return NULL;
  return loky_executor_call_finish (self->executor, self->result, error);
}

LokyFuture *
cli_session_submit (CliSession *self,
                    const char *task,
                    GVariant *args,
                    LokyTaskOptions *options,
                    GError **error)
{
  return loky_executor_submit (self->executor, task, args, options, error);
}

GVariant *
cli_session_wait (CliSession *self, LokyFuture *future, GError **error)
{
  g_clear_object (&self->result);
  loky_future_wait_async (future, self->cancellable, take_result_cb, self);
  if (!run_until_result (self, error))
    return NULL;
  if (!loky_future_wait_finish (future, self->result, error))
    return NULL;
  return loky_future_dup_result (future, error);
}

/* Ends the workers. Returns the status to exit with. */
int
cli_session_end (CliSession *self, int status)
{
  gboolean orderly = status == CLI_SUCCESS && !cli_session_is_interrupted (self);
  g_autoptr (GError) error = NULL;

  if (!loky_executor_shutdown_sync (self->executor,
                                    orderly ? LOKY_SHUTDOWN_DRAIN : LOKY_SHUTDOWN_KILL,
                                    SHUTDOWN_TIMEOUT,
                                    NULL,
                                    &error))
    cli_error ("%s", error->message);
  return cli_session_is_interrupted (self) ? 128 + self->caught_signal : status;
}
