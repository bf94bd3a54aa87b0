/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The task `demo.primes`: work for a processor that needs no input, by a segmented sieve. */

#include <math.h>
#include <string.h>

#include "demo-private.h"

/* The primes up to the square root of this, some 664,000, are kept from one call to the next. */
#define LARGEST_TO G_GUINT64_CONSTANT (100000000000000)

/* One byte for each odd number: a segment stays in the second-level cache. */
#define SEGMENT_SIZE (256 * 1024)

static GArray *base_primes;
static guint32 base_limit;

static void
ensure_base_primes (guint32 limit)
{
  g_autofree guint8 *composite = NULL;

  if (base_primes != NULL && limit <= base_limit)
    return;

  composite = g_malloc0 (limit + 1);
  g_clear_pointer (&base_primes, g_array_unref);
  base_primes = g_array_new (FALSE, FALSE, sizeof (guint32));
  base_limit = limit;

  for (guint32 i = 3; i <= limit; i += 2)
    {
      if (composite[i])
        continue;

      g_array_append_val (base_primes, i);
      for (guint64 j = (guint64) i * i; j <= limit; j += 2 * (guint64) i)
        composite[j] = TRUE;
    }
}

/* @from is odd; segment[i] stands for from + 2 i. */
static guint64
count_segment (guint8 *segment, guint64 from, guint64 to)
{
  gsize length = (gsize) ((to - from + 1) / 2);
  guint64 count = length;

  memset (segment, 1, length);
  for (guint i = 0; i < base_primes->len; i++)
    {
      guint64 prime = g_array_index (base_primes, guint32, i);
      guint64 multiple = MAX (prime * prime, (from + prime - 1) / prime * prime);

      if (prime * prime >= to)
        break;

      if (multiple % 2 == 0)
        multiple += prime;

      for (guint64 j = (multiple - from) / 2; j < length; j += prime)
        {
          count -= segment[j];
          segment[j] = 0;
        }
    }

  return count;
}

/* The smallest number whose square is not below @number. */
static guint32
square_root (guint64 number)
{
  guint64 root = (guint64) sqrt ((gdouble) number);

  while (root * root < number)
    root++;

  return (guint32) root;
}

GVariant *
demo_primes (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autofree guint8 *segment = NULL;
  guint64 count = 0;
  guint64 from;
  guint64 to;
  guint64 next;

  g_variant_get (args, "(tt)", &from, &to);
  if (to > LARGEST_TO)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "Cannot count primes up to %" G_GUINT64_FORMAT
                   ": the most is %" G_GUINT64_FORMAT,
                   to, LARGEST_TO);
      return NULL;
    }

  if (from <= 2 && to > 2)
    count = 1;

  ensure_base_primes (square_root (to));
  segment = g_malloc (SEGMENT_SIZE);
  next = MAX (from, 3) | 1;
  while (next < to)
    {
      guint64 end = MIN (to, next + 2 * SEGMENT_SIZE);

      if (loky_task_context_set_error_if_cancelled (context, error))
        return NULL;

      count += count_segment (segment, next, end);
      next += 2 * SEGMENT_SIZE;
      loky_task_context_set_progress (context, (gdouble) (end - from) / (to - from));
    }

  return g_variant_new_uint64 (count);
}
