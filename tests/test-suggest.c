/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Distances between words, and which of some words was meant. */

#include "loky-suggest-private.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
check_distance (const char *a, const char *b, guint expected)
{
  g_assert_cmpuint (loky_suggest_distance (a, b), ==, expected);
  g_assert_cmpuint (loky_suggest_distance (b, a), ==, expected);
}

static void
test_distance (void)
{
  check_distance ("", "", 0);
  check_distance ("", "abc", 3);
  check_distance ("checksum", "checksum", 0);
  check_distance ("checksum", "checksums", 1);
  check_distance ("checksum", "chacksum", 1);
  check_distance ("checksum", "hecksum", 1);
  check_distance ("checksum", "chekcsum", 1);
  check_distance ("kitten", "sitting", 3);
  check_distance ("abc", "xyz", 3);
  /* Of the optimal string alignment: what was swapped is not edited again. */
  check_distance ("ca", "abc", 3);
}

static void
test_distance_of_long_words (void)
{
  g_autofree char *longest = g_strnfill (256, 'a');
  g_autofree char *longer = g_strnfill (257, 'a');

  check_distance (longest, "", 256);
  check_distance (longest, longest, 0);
  check_distance (longest, longer, G_MAXUINT);
  g_assert_null (loky_suggest_nearest (longer, WORDS (longest)));
}

static void
test_nearest (void)
{
  g_assert_cmpstr (loky_suggest_nearest ("tetx", WORDS ("demo", "text", "image")), ==, "text");
  g_assert_cmpstr (loky_suggest_nearest ("text", WORDS ("texts", "text")), ==, "text");
  g_assert_cmpstr (loky_suggest_nearest ("checksum.sah256", WORDS ("checksum.sha256")), ==,
                   "checksum.sha256");
  /* The nearer one, wherever it stands; of equals the first. */
  g_assert_cmpstr (loky_suggest_nearest ("abcd", WORDS ("abxx", "abcx")), ==, "abcx");
  g_assert_cmpstr (loky_suggest_nearest ("abcd", WORDS ("abcx", "abxx")), ==, "abcx");
  g_assert_cmpstr (loky_suggest_nearest ("abcd", WORDS ("abcx", "abcy")), ==, "abcx");
}

static void
test_nothing_is_near (void)
{
  g_assert_null (loky_suggest_nearest ("text", NULL));
  g_assert_null (loky_suggest_nearest ("text", (const char *const[]){ NULL }));
  g_assert_null (loky_suggest_nearest ("text", WORDS ("checksum", "image")));
  /* Each letter was changed. */
  g_assert_null (loky_suggest_nearest ("ab", WORDS ("cd")));
  g_assert_null (loky_suggest_nearest ("", WORDS ("a", "ab")));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/suggest/distance", test_distance);
  g_test_add_func ("/loky/suggest/distance-of-long-words", test_distance_of_long_words);
  g_test_add_func ("/loky/suggest/nearest", test_nearest);
  g_test_add_func ("/loky/suggest/nothing-is-near", test_nothing_is_near);
  return g_test_run ();
}
