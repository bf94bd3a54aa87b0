/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <loky.h>

G_BEGIN_DECLS

/* The exit statuses of the command, besides 128 + N after signal N. */
typedef enum
{
  CLI_SUCCESS = 0,
  CLI_FAILURE = 1,
  CLI_USAGE = 2,
} CliStatus;

void cli_error (const char *format, ...) G_GNUC_PRINTF (1, 2);

int cli_usage_error (const char *command, const char *format, ...) G_GNUC_PRINTF (2, 3);

gboolean
cli_parse_options (GOptionContext *context, const char *command, int *argc, char ***argv);

int cli_close_stdout (int status);

void cli_report_output_error (int saved_errno);

char *cli_dup_for_display (const char *text, gsize length);

const char *cli_find_nearest (const char *word, const char *const *candidates);

/* How a task is run, as the user wrote it. */
typedef struct
{
  double timeout; /* s; 0: none */
  int retries;
  char *memory_limit; /* NULL: none */
} CliTaskSettings;

/* The options of commands that run tasks; @settings is filled in when they are parsed. */
void cli_add_task_options (GOptionContext *context, CliTaskSettings *settings);

/* Frees what is in @settings. NULL after a message if an option is out of range. */
LokyTaskOptions *
cli_task_options_new (GType type, const char *command, CliTaskSettings *settings);

/* A number of bytes with a suffix of K, M, G or T, or none; FALSE: it is none, or 0, or too large. */
gboolean cli_parse_size (const char *text, guint64 *size);

LokyTaskOptions *cli_look_up_options_new (void);

G_END_DECLS
