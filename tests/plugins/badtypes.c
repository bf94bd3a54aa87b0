/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Its task has types that are none. */

#include "trivial-task.h"

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "trivial",
      .arguments_type = "a{",
      .result_type = "not a type",
      .func = trivial_task,
      .summary = "Has bad types",
  },
};

LOKY_PLUGIN_DEFINE ("badtypes", "1.0", "Has a task of bad types", tasks)
