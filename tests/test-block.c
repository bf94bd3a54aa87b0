/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory that is used again. */

#include "loky-block-private.h"

#include <string.h>

#define MIB ((gsize) 1 << 20)

static gpointer
take (LokyBlockCache *cache, gsize size, gsize *capacity)
{
  gpointer block = loky_block_cache_take (cache, size, capacity);

  g_assert_nonnull (block);
  g_assert_cmpuint (*capacity, >=, size);
  g_assert_cmpuint ((guintptr) block % 16, ==, 0);
  memset (block, 1, MAX (size, 1));
  return block;
}

static void
test_used_again (void)
{
  g_autoptr (LokyBlockCache) cache = loky_block_cache_new ();
  gsize large, larger, again, small;
  gpointer first = take (cache, 4 * MIB, &large);
  gpointer second = take (cache, 9 * MIB, &larger);

  loky_block_cache_release (cache, first, large);
  loky_block_cache_release (cache, second, larger);
  /* The smallest that is large enough; none that is much too large. */
  g_assert_true (take (cache, 3 * MIB, &again) == first);
  g_assert_cmpuint (again, ==, large);
  first = take (cache, 2 * MIB, &small);
  g_assert_true (first != second);
  loky_block_cache_release (cache, first, small);
  g_assert_true (take (cache, 9 * MIB, &again) == second);
  loky_block_cache_release (cache, second, again);
}

static void
test_small_ones (void)
{
  g_autoptr (LokyBlockCache) cache = loky_block_cache_new ();
  static const gsize sizes[] = { 0, 1, 40000, 1048575 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      gsize capacity;
      gpointer block = take (cache, sizes[i], &capacity);

      g_assert_cmpuint (capacity, ==, sizes[i]);
      loky_block_cache_release (cache, block, capacity);
    }
}

/* Of this process, in KiB. */
static gsize
count_virtual_memory (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/status", &text, NULL, NULL));
  return g_ascii_strtoull (strstr (text, "VmSize:") + 7, NULL, 10);
}

/* Whole huge pages, of a block that takes no more than it says. */
static void
test_huge_pages (void)
{
  g_autoptr (LokyBlockCache) cache = loky_block_cache_new ();
  gsize before = count_virtual_memory ();
  gpointer blocks[3];
  gsize capacities[3];

  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    {
      blocks[i] = take (cache, 5 * MIB + i * 70000, &capacities[i]);
      g_assert_cmpuint ((guintptr) blocks[i] % (2 * MIB), ==, 0);
    }
  g_assert_cmpuint (count_virtual_memory () - before, <=, 17 * 1024);
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    loky_block_cache_release (cache, blocks[i], capacities[i]);
}

static void
test_keeps_few (void)
{
  g_autoptr (LokyBlockCache) cache = loky_block_cache_new ();
  gsize before, capacity;
  gpointer blocks[8];

  before = count_virtual_memory ();
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    blocks[i] = take (cache, 40 * MIB, &capacity);
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    loky_block_cache_release (cache, blocks[i], capacity);
  g_assert_cmpuint (count_virtual_memory () - before, <=, 130 * 1024);
  loky_block_cache_close (cache);
  g_assert_cmpuint (count_virtual_memory (), <=, before + 2 * 1024);
}

static void
test_closed_keeps_nothing (void)
{
  g_autoptr (LokyBlockCache) cache = loky_block_cache_new ();
  gsize before = count_virtual_memory ();
  gsize capacity;
  gpointer block = take (cache, 40 * MIB, &capacity);

  loky_block_cache_close (cache);
  loky_block_cache_release (cache, block, capacity);
  g_assert_cmpuint (count_virtual_memory (), <=, before + 2 * 1024);
}

static void
test_without_memory (void)
{
  g_autoptr (LokyBlockCache) cache = loky_block_cache_new ();
  gsize capacity;

  g_assert_null (loky_block_cache_take (cache, G_MAXSIZE, &capacity));
  g_assert_null (loky_block_cache_take (cache, G_MAXSIZE / 2, &capacity));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/block/used-again", test_used_again);
  g_test_add_func ("/loky/block/small-ones", test_small_ones);
  g_test_add_func ("/loky/block/huge-pages", test_huge_pages);
  g_test_add_func ("/loky/block/keeps-few", test_keeps_few);
  g_test_add_func ("/loky/block/closed-keeps-nothing", test_closed_keeps_nothing);
  g_test_add_func ("/loky/block/without-memory", test_without_memory);
  return g_test_run ();
}
