/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The yardstick `spawn-linked`: a program with the libraries of a worker, which ends at once. */

#define LOKY_COMPILATION

#include "loky-worker-private.h"

int
main (int argc, char **argv)
{
  /* What loky-worker refers to, so that the linker does not leave the libraries out. */
  return argc > 1 ? loky_worker_main (argc, argv) : 0;
}
