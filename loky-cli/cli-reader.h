/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "cli-arguments.h"

G_BEGIN_DECLS

typedef struct _CliReader CliReader;

/* Called in the main context after each read, whether or not a whole line has come. */
typedef void (*CliReaderFunc) (CliReader *reader, const GError *error, gpointer user_data);

CliReader *cli_reader_new (int fd, char separator, CliReaderFunc func, gpointer user_data);

gboolean cli_reader_next (CliReader *self, CliText *line);

gboolean cli_reader_is_at_end (CliReader *self);

void cli_reader_read (CliReader *self);

void cli_reader_free (CliReader *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliReader, cli_reader_free)

G_END_DECLS
