/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `text`: counts in texts. */

#include "text-private.h"

typedef struct
{
  guint64 lines;
  guint64 words;
  guint64 bytes;
  gboolean after_space;
} Count;

/* The white space of the C locale: blank, and \t \n \v \f \r. */
static inline gboolean
is_space (guint8 byte)
{
  return (byte == ' ') | ((guint8) (byte - '\t') <= '\r' - '\t');
}

/* Without branches: words and lines are too short for a processor to guess where they end. */
static gsize
count_block (const guint8 *block, gsize length, gpointer user_data)
{
  Count *count = user_data;
  gboolean after_space = count->after_space;
  gsize lines = 0;
  gsize words = 0;

  for (gsize i = 0; i < length; i++)
    {
      gboolean space = is_space (block[i]);

      lines += block[i] == '\n';
      words += after_space & !space;
      after_space = space;
    }

  count->lines += lines;
  count->words += words;
  count->bytes += length;
  count->after_space = after_space;

  return length;
}

static GVariant *
text_count (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  Count count = { .after_space = TRUE };

  if (!text_file_foreach_block (context, g_variant_get_string (args, NULL), count_block, &count,
                                error))
    return NULL;

  return g_variant_new ("(ttt)", count.lines, count.words, count.bytes);
}

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "count",
      .arguments_type = "s",
      .result_type = "(ttt)",
      .func = text_count,
      .summary = "The lines, words and bytes of a file, as wc counts them",
      .arguments = "FILE",
  },
  {
      .name = "frequencies",
      .arguments_type = "(su)",
      .result_type = "a(st)",
      .func = text_frequencies,
      .summary = "The most frequent words of a file, and how often each occurs",
      .arguments = "FILE MAXIMUM",
  },
};

LOKY_PLUGIN_DEFINE ("text", "1.0", "Counts in texts", tasks)
