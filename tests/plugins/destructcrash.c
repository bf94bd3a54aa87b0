/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Crashes when the process ends by exit(). */

#include "trivial-task.h"

__attribute__ ((destructor)) static void
crash (void)
{
  /* Volatile twice: else the compiler may leave the write out, or trap instead of writing. */
  volatile int *volatile nowhere = NULL;

  *nowhere = 1;
}

LOKY_PLUGIN_DEFINE ("destructcrash", "1.0", "Crashes when the process exits", trivial_tasks)
