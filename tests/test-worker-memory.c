/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a worker holds, and whether it has grown. */

#include "loky-worker-memory-private.h"

#include <stdlib.h>
#include <string.h>

#define MEBIBYTE (1024 * 1024)
#define N_SMALL 400000

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OTHER_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_OTHER_ALLOCATOR 1
#endif
#endif
#ifndef HAS_OTHER_ALLOCATOR
#define HAS_OTHER_ALLOCATOR 0
#endif
#define SMALL 100

static void
test_parse (void)
{
  g_assert_cmpuint (loky_worker_memory_parse ("Name:\tRssAnon: 7 kB\nVmRSS:\t  4696 kB\nRssAnon:\t     200 kB\n"
                                              "RssFile:\t    4608 kB\nVmSwap:\t       3 kB\nThreads:\t1\n"),
                    ==, 203 * 1024);
  g_assert_cmpuint (loky_worker_memory_parse ("\nRssAnon:\t     200 kB\n"), ==, 200 * 1024);
  g_assert_cmpuint (loky_worker_memory_parse (""), ==, 0);
  g_assert_cmpuint (loky_worker_memory_parse ("garbage"), ==, 0);
}

static gpointer
hold (gsize size)
{
  gpointer memory = malloc (size);

  g_assert_nonnull (memory);
  memset (memory, 1, size);
  return memory;
}

static void
test_grown (void)
{
  g_autofree gpointer more = NULL;
  LokyWorkerMemory memory;
  guint64 size = 0;

  loky_worker_memory_init (&memory, 16 * MEBIBYTE, 0);
  /* The first look is what all others are compared with. */
  g_assert_false (loky_worker_memory_has_grown (&memory, 1, &size));
  g_assert_false (loky_worker_memory_has_grown (&memory, 2, &size));
  more = hold (20 * MEBIBYTE);
  g_assert_true (loky_worker_memory_has_grown (&memory, 3, &size));
  g_assert_cmpuint (size, >=, memory.reference + 16 * MEBIBYTE);
  /* Once. */
  g_assert_false (loky_worker_memory_has_grown (&memory, 4, &size));
}

static void
test_interval (void)
{
  g_autofree gpointer more = NULL;
  LokyWorkerMemory memory;
  guint64 size;

  loky_worker_memory_init (&memory, 16 * MEBIBYTE, 1000);
  g_assert_false (loky_worker_memory_has_grown (&memory, 5000, &size));
  more = hold (20 * MEBIBYTE);
  g_assert_false (loky_worker_memory_has_grown (&memory, 5999, &size));
  g_assert_true (loky_worker_memory_has_grown (&memory, 6000, &size));
}

static void
test_no_limit (void)
{
  g_autofree gpointer more = NULL;
  LokyWorkerMemory memory;
  guint64 size;

  loky_worker_memory_init (&memory, 0, 0);
  g_assert_false (loky_worker_memory_has_grown (&memory, 1, &size));
  more = hold (20 * MEBIBYTE);
  g_assert_false (loky_worker_memory_has_grown (&memory, 2, &size));
}

/* What was freed in small pieces stays with the allocator, above which a last one lies, until it is told to give it
 * back. */
static void
test_free_memory_is_given_back (void)
{
  gpointer *pieces;
  LokyWorkerMemory memory;
  gpointer last;
  guint64 size;

  if (HAS_OTHER_ALLOCATOR || g_getenv ("LOKY_TEST_VALGRIND") != NULL)
    {
      g_test_skip ("sanitizers and valgrind have an allocator of their own, which gives nothing back");
      return;
    }
  pieces = g_new (gpointer, N_SMALL);

  loky_worker_memory_init (&memory, 16 * MEBIBYTE, 0);
  g_assert_false (loky_worker_memory_has_grown (&memory, 1, &size));
  for (guint i = 0; i < N_SMALL; i++)
    pieces[i] = hold (SMALL);
  last = hold (SMALL);
  for (guint i = 0; i < N_SMALL; i++)
    free (pieces[i]);
  g_assert_false (loky_worker_memory_has_grown (&memory, 2, &size));
  free (last);
  g_free (pieces);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/loky/worker-memory/parse", test_parse);
  g_test_add_func ("/loky/worker-memory/grown", test_grown);
  g_test_add_func ("/loky/worker-memory/interval", test_interval);
  g_test_add_func ("/loky/worker-memory/no-limit", test_no_limit);
  g_test_add_func ("/loky/worker-memory/free-is-given-back", test_free_memory_is_given_back);

  return g_test_run ();
}
