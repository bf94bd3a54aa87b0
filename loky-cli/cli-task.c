/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-task.h"

#include <string.h>

/* @description: `(ssssss)`, in the order of the struct */
CliTask *
cli_task_new (GVariant *description)
{
  CliTask *self = g_new0 (CliTask, 1);

  g_variant_get (description,
                 "(ssssss)",
                 &self->name,
                 &self->arguments_type,
                 &self->result_type,
                 &self->kind,
                 &self->summary,
                 &self->arguments);
  return self;
}

CliTask *
cli_task_look_up (CliSession *session, const char *name, GError **error)
{
  g_autoptr (LokyTaskOptions) options = cli_look_up_options_new ();
  g_autoptr (GVariant) description = NULL;

  if (!g_utf8_validate (name, -1, NULL))
    {
      g_autofree char *shown = cli_dup_for_display (name, strlen (name));

      g_set_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK, "There is no task “%s”", shown);
      return NULL;
    }
  description =
      cli_session_call (session, "loky.describe-task", g_variant_new_string (name), options, error);
  return description == NULL ? NULL : cli_task_new (description);
}

void
cli_task_free (CliTask *self)
{
  g_free (self->name);
  g_free (self->arguments_type);
  g_free (self->result_type);
  g_free (self->kind);
  g_free (self->summary);
  g_free (self->arguments);
  g_free (self);
}
