/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "faults.h"
int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);
  return g_test_run ();
}
