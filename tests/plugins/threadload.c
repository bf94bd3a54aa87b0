/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Starts a thread when it is opened. */

#include <unistd.h>

#include "trivial-task.h"

static gpointer
wait_for_ever (gpointer unused)
{
  for (;;)
    pause ();
  return NULL;
}

__attribute__ ((constructor)) static void
start_thread (void)
{
  g_thread_unref (g_thread_new ("threadload", wait_for_ever, NULL));
}

LOKY_PLUGIN_DEFINE ("threadload", "1.0", "Starts a thread when it is opened", trivial_tasks)
