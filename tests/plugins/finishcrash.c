/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Crashes when its worker says goodbye. */

#include "trivial-task.h"

static void
finish (void)
{
  /* Volatile twice: else the compiler may leave the write out, or trap instead of writing. */
  volatile int *volatile nowhere = NULL;

  *nowhere = 1;
}

/* clang-format off */
static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "finishcrash",
  .version = "1.0",
  .summary = "Crashes when it finishes",
  .tasks = trivial_tasks,
  .n_tasks = G_N_ELEMENTS (trivial_tasks),
  .finish = finish,
};
/* clang-format on */

LOKY_PLUGIN_EXPORT (descriptor)
