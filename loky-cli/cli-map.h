/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli-task.h"
#include "cli-template.h"

G_BEGIN_DECLS

/* What the command line of `loky map` asks for. */
typedef struct
{
  const char *task;
  char **inputs;  /* NULL: they come from stdin */
  char separator; /* between inputs on stdin */
  char terminator; /* after each line of output */
  CliTemplate *template;
  LokyMapOptions *options;
  gboolean fail_fast;
  gboolean show_progress;
  gboolean show_stats;
} CliMapSettings;

int cli_map_run (CliSession *session, const CliMapSettings *settings);

G_END_DECLS
