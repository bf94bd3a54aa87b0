/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Built for another version of libloky. */

#include "trivial-task.h"

static const LokyPluginDescriptor descriptor = {
  .descriptor_size = sizeof (LokyPluginDescriptor),
  .task_size = sizeof (LokyTaskDescriptor),
  .abi_version = 9999,
  .name = "badabi",
  .version = "1.0",
  .summary = "Has an ABI version from the future",
  .tasks = trivial_tasks,
  .n_tasks = G_N_ELEMENTS (trivial_tasks),
};

LOKY_PLUGIN_EXPORT (descriptor)
