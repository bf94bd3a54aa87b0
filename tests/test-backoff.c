/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How often is left out what was tried in vain. */

#include <glib.h>

#include "loky-backoff-private.h"

/* How often it may not be tried before it may. */
static guint
count_skipped (LokyBackoff *backoff)
{
  guint n = 0;

  while (!loky_backoff_may_try (backoff))
    g_assert_cmpuint (++n, <=, 1023);
  return n;
}

static void
test_doubles (void)
{
  static const guint expected[] = { 0, 1, 3, 7, 15, 31, 31, 31 };
  LokyBackoff backoff = { 0 };

  g_assert_true (loky_backoff_may_try (&backoff));
  g_assert_true (loky_backoff_may_try (&backoff));
  for (gsize i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      loky_backoff_note (&backoff, FALSE);
      g_assert_cmpuint (count_skipped (&backoff), ==, expected[i]);
    }
}

static void
test_success_ends_it (void)
{
  LokyBackoff backoff = { 0 };

  for (guint i = 0; i < 5; i++)
    loky_backoff_note (&backoff, FALSE);
  loky_backoff_note (&backoff, TRUE);
  g_assert_cmpuint (count_skipped (&backoff), ==, 0);
  loky_backoff_note (&backoff, FALSE);
  g_assert_cmpuint (count_skipped (&backoff), ==, 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/backoff/doubles", test_doubles);
  g_test_add_func ("/loky/backoff/success-ends-it", test_success_ends_it);
  return g_test_run ();
}
