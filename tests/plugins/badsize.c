/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Says that its descriptor is 3 bytes long. */

#include "trivial-task.h"

static const LokyPluginDescriptor descriptor = {
  .abi_version = LOKY_PLUGIN_ABI_VERSION,
  .task_size = sizeof (LokyTaskDescriptor),
  .descriptor_size = 3,
  .name = "badsize",
  .version = "1.0",
  .summary = "Has a descriptor of an impossible size",
  .tasks = trivial_tasks,
  .n_tasks = G_N_ELEMENTS (trivial_tasks),
};

LOKY_PLUGIN_EXPORT (descriptor)
