/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Crashes while it is being opened. */

#include "trivial-task.h"

__attribute__ ((constructor)) static void
crash (void)
{
  /* Volatile twice: else the compiler may leave the write out, or trap instead of writing. */
  volatile int *volatile nowhere = NULL;

  *nowhere = 1;
}

LOKY_PLUGIN_DEFINE ("crashload", "1.0", "Crashes when it is opened", trivial_tasks)
