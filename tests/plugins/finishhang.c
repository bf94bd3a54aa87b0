/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Keeps its worker from leaving. */

#include <unistd.h>

#include "trivial-task.h"

static void
finish (void)
{
  for (;;)
    pause ();
}

/* clang-format off */
static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "finishhang",
  .version = "1.0",
  .summary = "Hangs when it finishes",
  .tasks = trivial_tasks,
  .n_tasks = G_N_ELEMENTS (trivial_tasks),
  .finish = finish,
};
/* clang-format on */

LOKY_PLUGIN_EXPORT (descriptor)
