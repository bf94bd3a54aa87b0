/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A text with its length, as it may hold any byte. Not owned. */
typedef struct
{
  const char *text;
  gsize length;
} CliText;

char *cli_type_dup_description (const char *type);

GVariant *cli_arguments_parse (const char *task,
                               const char *type,
                               const CliText *texts,
                               gsize n_texts,
                               GError **error);

G_END_DECLS
