/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Built with a later version of libloky of the same plugin interface: its structures have more at their ends,
 * which this version does not know. */

#include "trivial-task.h"

typedef struct
{
  LokyTaskDescriptor task;
  gpointer later[7];
} LaterTask;

static const LaterTask tasks[] = {
  { .task = TRIVIAL_TASK },
  { .task = { .name = "second", .arguments_type = "s", .result_type = "s", .func = trivial_task } },
};

static const struct
{
  LokyPluginDescriptor plugin;
  gpointer later[9];
} descriptor = {
  .plugin = {
    .abi_version = LOKY_PLUGIN_ABI_VERSION,
    .descriptor_size = sizeof descriptor,
    .task_size = sizeof (LaterTask),
    .name = "latersize",
    .version = "2.0",
    .summary = "Has larger structures",
    .tasks = (const LokyTaskDescriptor *) (gconstpointer) tasks,
    .n_tasks = G_N_ELEMENTS (tasks),
  },
};

LOKY_PLUGIN_EXPORT (descriptor.plugin)
