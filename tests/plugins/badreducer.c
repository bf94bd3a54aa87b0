/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Says of a boxed type that it is sent by its properties. */

#include "trivial-task.h"

static const LokyReducerDescriptor reducers[] = { { .get_type = g_bytes_get_type } };

static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "badreducer",
  .version = "1.0",
  .summary = "Has a reducer that cannot be",
  .tasks = trivial_tasks,
  .n_tasks = G_N_ELEMENTS (trivial_tasks),
  .reducers = reducers,
  .n_reducers = G_N_ELEMENTS (reducers),
};

LOKY_PLUGIN_EXPORT (descriptor)
