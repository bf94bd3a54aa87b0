/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Has two tasks of one name. */

#include "trivial-task.h"

static const LokyTaskDescriptor tasks[] = { TRIVIAL_TASK, TRIVIAL_TASK };

LOKY_PLUGIN_DEFINE ("duplicatetask", "1.0", "Has two tasks of one name", tasks)
