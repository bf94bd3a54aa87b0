/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls a function that is nowhere. */

#include "trivial-task.h"

void loky_tests_function_that_is_nowhere (void);

static GVariant *
unresolved_task (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  loky_tests_function_that_is_nowhere ();
  return trivial_task (context, args, user_data, error);
}

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "trivial",
      .arguments_type = "s",
      .result_type = "s",
      .func = unresolved_task,
      .summary = "Calls a function that is nowhere",
  },
};

LOKY_PLUGIN_DEFINE ("unresolved", "1.0", "Needs a function that is nowhere", tasks)
