/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli-common.h"

G_BEGIN_DECLS

/* An executor for the length of one command, with the main loop that is left at a signal. */
typedef struct
{
  LokyExecutor *executor;
  GMainLoop *loop;
  GCancellable *cancellable;
  GAsyncResult *result;
  guint interrupt_source;
  guint terminate_source;
  int caught_signal;
} CliSession;

CliSession *cli_session_new (char **plugin_path, guint max_workers);

GVariant *cli_session_call (CliSession *self,
                            const char *task,
                            GVariant *args,
                            LokyTaskOptions *options,
                            GError **error);

LokyFuture *cli_session_submit (CliSession *self,
                                const char *task,
                                GVariant *args,
                                LokyTaskOptions *options,
                                GError **error);

GVariant *cli_session_wait (CliSession *self, LokyFuture *future, GError **error);

gboolean cli_session_is_interrupted (CliSession *self);

int cli_session_end (CliSession *self, int status);

void cli_session_free (CliSession *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliSession, cli_session_free)

G_END_DECLS
