/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What a map has done so far. */
typedef struct
{
  guint64 n_inputs;
  gboolean inputs_ended;
  guint64 n_done;
  guint64 n_failed;
  guint64 n_attempts;
  guint max_workers_seen;
  gint64 start_time;
} CliCounts;

typedef struct _CliProgress CliProgress;

gboolean cli_progress_parse_when (const char *when, gboolean *show);

CliProgress *cli_progress_new (const CliCounts *counts);

void cli_progress_clear (CliProgress *self);

void cli_progress_free (CliProgress *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliProgress, cli_progress_free)

char *cli_progress_dup_line (const CliCounts *counts, gint64 now, gboolean colour);

void cli_counts_print (const CliCounts *counts);

G_END_DECLS
