/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Says that it is another plugin. */

#include "trivial-task.h"

LOKY_PLUGIN_DEFINE ("othername", "1.0", "Has another name than its file", trivial_tasks)
