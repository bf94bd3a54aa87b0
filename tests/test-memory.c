/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "loky-memory-private.h"

static void
reads_what_is_available (void)
{
  g_assert_cmpuint (loky_memory_parse_meminfo ("MemTotal: 100 kB\nMemAvailable:   40 kB\nSwapFree: 2 kB\n"),
                    ==, 42 * 1024);
  g_assert_cmpuint (loky_memory_parse_meminfo ("MemAvailable: 7 kB\n"), ==, 7 * 1024);
}

static void
knows_no_limit_without_a_figure (void)
{
  g_assert_cmpuint (loky_memory_parse_meminfo (""), ==, G_MAXUINT64);
  g_assert_cmpuint (loky_memory_parse_meminfo ("MemTotal: 100 kB\n"), ==, G_MAXUINT64);
}

/* Nothing is allocated here: the answer comes before. */
static void
refuses_more_than_there_is (void)
{
  g_assert_true (loky_memory_is_available (1));
  errno = 0;
  g_assert_false (loky_memory_is_available (G_MAXINT64));
  g_assert_cmpint (errno, ==, ENOMEM);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/memory/reads-what-is-available", reads_what_is_available);
  g_test_add_func ("/loky/memory/knows-no-limit-without-a-figure", knows_no_limit_without_a_figure);
  g_test_add_func ("/loky/memory/refuses-more-than-there-is", refuses_more_than_there_is);
  return g_test_run ();
}
