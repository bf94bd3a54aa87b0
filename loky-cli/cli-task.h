/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli-session.h"

G_BEGIN_DECLS

/* What a worker says about a task. */
typedef struct
{
  char *name;
  char *arguments_type;
  char *result_type;
  char *kind;
  char *summary;
  char *arguments;
} CliTask;

CliTask *cli_task_new (GVariant *description);

CliTask *cli_task_look_up (CliSession *session, const char *name, GError **error);

void cli_task_free (CliTask *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliTask, cli_task_free)

G_END_DECLS
