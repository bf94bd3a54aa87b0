/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _CliOutput CliOutput;

/* Called in the main context when all was written, or when writing failed. */
typedef void (*CliOutputFunc) (CliOutput *output, gpointer user_data);

CliOutput *cli_output_new (int fd, CliOutputFunc func, gpointer user_data);

GString *cli_output_get_buffer (CliOutput *self);

void cli_output_commit (CliOutput *self);

void cli_output_flush (CliOutput *self);

gboolean cli_output_is_full (CliOutput *self);

gboolean cli_output_is_empty (CliOutput *self);

gboolean cli_output_is_terminal (CliOutput *self);

int cli_output_get_errno (CliOutput *self);

void cli_output_free (CliOutput *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliOutput, cli_output_free)

G_END_DECLS
