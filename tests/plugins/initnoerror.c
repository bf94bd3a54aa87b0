/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cannot be initialised, and does not say why. */

#include "trivial-task.h"

static gboolean
init (GError **error)
{
  return FALSE;
}

/* clang-format off */
static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "initnoerror",
  .version = "1.0",
  .summary = "Cannot be initialised, without a reason",
  .tasks = trivial_tasks,
  .n_tasks = G_N_ELEMENTS (trivial_tasks),
  .init = init,
};
/* clang-format on */

LOKY_PLUGIN_EXPORT (descriptor)
