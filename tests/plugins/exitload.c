/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Leaves the process while it is being opened. */

#include <stdlib.h>

#include "trivial-task.h"

__attribute__ ((constructor)) static void
leave (void)
{
  exit (3);
}

LOKY_PLUGIN_DEFINE ("exitload", "1.0", "Leaves when it is opened", trivial_tasks)
