/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The program that a worker process runs. All of it is in the library, so that both ends of the
 * protocol are of one version. */

#define LOKY_COMPILATION

#include <stdio.h>
#include <string.h>

#include "loky-version.h"
#include "loky-worker-private.h"

int
main (int argc, char **argv)
{
  if (argc == 2 && strcmp (argv[1], "--version") == 0)
    {
      printf ("loky-worker %s\n", LOKY_VERSION_S);
      return 0;
    }
  return loky_worker_main (argc, argv);
}
