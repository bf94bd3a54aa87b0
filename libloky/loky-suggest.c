/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-suggest-private.h"

#include <string.h>

/* Longer names are not compared: the work is the product of the lengths. */
#define MAX_LENGTH 256

guint
loky_suggest_distance (const char *a, const char *b)
{
  gsize a_length = strlen (a);
  gsize b_length = strlen (b);
  gsize width = b_length + 1;
  g_autofree guint *table = NULL;

  if (a_length > MAX_LENGTH || b_length > MAX_LENGTH)
    return G_MAXUINT;
  table = g_new (guint, (a_length + 1) * width);
  for (gsize i = 0; i <= a_length; i++)
    table[i * width] = (guint) i;
  for (gsize j = 0; j <= b_length; j++)
    table[j] = (guint) j;

  for (gsize i = 1; i <= a_length; i++)
    for (gsize j = 1; j <= b_length; j++)
      {
        guint changed = table[(i - 1) * width + j - 1] + (a[i - 1] != b[j - 1]);
        guint best = MIN (table[(i - 1) * width + j] + 1, table[i * width + j - 1] + 1);

        best = MIN (best, changed);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
          best = MIN (best, table[(i - 2) * width + j - 2] + 1);
        table[i * width + j] = best;
      }
  return table[a_length * width + b_length];
}

const char *
loky_suggest_nearest (const char *word, const char *const *candidates)
{
  guint limit = (guint) MAX (2, strlen (word) / 3);
  const char *nearest = NULL;

  for (gsize i = 0; candidates != NULL && candidates[i] != NULL; i++)
    {
      guint distance = loky_suggest_distance (word, candidates[i]);

      /* One that shares no letter with the word is not what was meant. */
      if (distance <= limit && distance < strlen (candidates[i]))
        {
          nearest = candidates[i];
          limit = distance - MIN (distance, 1);
          if (distance == 0)
            break;
        }
    }
  return nearest;
}
