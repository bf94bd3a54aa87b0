/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "cli-arguments.h"

G_BEGIN_DECLS

typedef struct _CliTemplate CliTemplate;

CliTemplate *cli_template_new (const char *text, GError **error);

void cli_template_append (CliTemplate *self,
                          GString *output,
                          GVariant *result,
                          CliText input,
                          guint64 index);

void cli_value_append (GString *output, GVariant *value);

void cli_template_free (CliTemplate *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliTemplate, cli_template_free)

G_END_DECLS
