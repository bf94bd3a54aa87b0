/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A sound plugin of one task, for the modules whose fault lies elsewhere. */

#include <loky.h>

static GVariant *
trivial_task (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_ref (args);
}

#define TRIVIAL_TASK                                                                               \
  {                                                                                                \
    .name = "trivial", .arguments_type = "s", .result_type = "s", .func = trivial_task,            \
    .summary = "Returns its argument"                                                              \
  }

G_GNUC_UNUSED static const LokyTaskDescriptor trivial_tasks[] = { TRIVIAL_TASK };
