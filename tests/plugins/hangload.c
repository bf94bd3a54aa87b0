/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Never finishes being opened. */

#include <unistd.h>

#include "trivial-task.h"

__attribute__ ((constructor)) static void
hang (void)
{
  for (;;)
    pause ();
}

LOKY_PLUGIN_DEFINE ("hangload", "1.0", "Hangs when it is opened", trivial_tasks)
