/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cannot be initialised, and says why. */

#include "trivial-task.h"

static gboolean
init (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "initfails never initialises");
  return FALSE;
}

/* clang-format off */
static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "initfails",
  .version = "1.0",
  .summary = "Cannot be initialised",
  .tasks = trivial_tasks,
  .n_tasks = G_N_ELEMENTS (trivial_tasks),
  .init = init,
};
/* clang-format on */

LOKY_PLUGIN_EXPORT (descriptor)
