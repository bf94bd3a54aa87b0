/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The task `text.frequencies`: how often each word occurs.
 *
 * A word is a run of letters, digits and the marks that belong to them, in any script, with single
 * apostrophes inside; upper and lower case are the same. The typographic apostrophe counts as the
 * plain one. Bytes that are not UTF-8 stand between words.
 */

#include <string.h>

#include "text-private.h"

#define TYPOGRAPHIC_APOSTROPHE 0x2019

typedef struct
{
  guint64 count;
  char word[];
} WordCount;

typedef struct
{
  GHashTable *counts; /* char * in the value → (owned) WordCount */
  GString *word;      /* the word being read */
  gboolean is_ascii;
  gboolean apostrophe; /* one was read, which is part of the word if the word goes on */
} Words;

static void
end_word (Words *self)
{
  g_autofree char *folded = NULL;
  const char *key = self->word->str;
  WordCount *entry;

  self->apostrophe = FALSE;
  if (self->word->len == 0)
    return;

  if (!self->is_ascii)
    key = folded = g_utf8_casefold (self->word->str, self->word->len);

  entry = g_hash_table_lookup (self->counts, key);
  if (entry == NULL)
    {
      gsize size = strlen (key) + 1;

      entry = g_malloc (sizeof *entry + size);
      entry->count = 0;
      memcpy (entry->word, key, size);
      g_hash_table_insert (self->counts, entry->word, entry);
    }

  entry->count++;
  g_string_truncate (self->word, 0);
  self->is_ascii = TRUE;
}

static void
add_character (Words *self, gunichar character)
{
  gboolean inside = self->word->len > 0;

  if (inside && !self->apostrophe && (character == '\'' || character == TYPOGRAPHIC_APOSTROPHE))
    {
      self->apostrophe = TRUE;
      return;
    }

  if (!g_unichar_isalnum (character) && !(inside && g_unichar_ismark (character)))
    {
      end_word (self);
      return;
    }

  if (self->apostrophe)
    g_string_append_c (self->word, '\'');
  self->apostrophe = FALSE;

  if (character < 0x80)
    {
      g_string_append_c (self->word, g_ascii_tolower ((char) character));
    }
  else
    {
      g_string_append_unichar (self->word, character);
      self->is_ascii = FALSE;
    }
}

static gsize
add_block (const guint8 *block, gsize length, gpointer user_data)
{
  Words *self = user_data;
  gsize i = 0;

  while (i < length)
    {
      gunichar character = block[i];

      if (character < 0x80)
        {
          add_character (self, character);
          i++;
          continue;
        }

      character = g_utf8_get_char_validated ((const char *) block + i, length - i);
      if (character == (gunichar) -2)
        return i;

      if (character == (gunichar) -1)
        {
          end_word (self);
          i++;
          continue;
        }

      add_character (self, character);
      i += g_utf8_skip[block[i]];
    }

  if (length == 0)
    end_word (self);

  return length;
}

static int
compare_counts (gconstpointer a, gconstpointer b)
{
  const WordCount *first = *(WordCount *const *) a;
  const WordCount *second = *(WordCount *const *) b;

  if (first->count != second->count)
    return first->count > second->count ? -1 : 1;

  return strcmp (first->word, second->word);
}

static GVariant *
most_frequent (GHashTable *counts, guint maximum)
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_sized_new (g_hash_table_size (counts));
  GVariantBuilder builder;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, counts);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (sorted, value);

  g_ptr_array_sort (sorted, compare_counts);
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(st)"));
  for (guint i = 0; i < MIN (sorted->len, maximum); i++)
    {
      const WordCount *entry = g_ptr_array_index (sorted, i);

      g_variant_builder_add (&builder, "(st)", entry->word, entry->count);
    }

  return g_variant_builder_end (&builder);
}

GVariant *
text_frequencies (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (GHashTable) counts = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GString) word = g_string_new (NULL);
  Words words = { .counts = counts, .word = word, .is_ascii = TRUE };
  const char *file;
  guint maximum;

  g_variant_get (args, "(&su)", &file, &maximum);
  if (!text_file_foreach_block (context, file, add_block, &words, error))
    return NULL;

  return most_frequent (counts, maximum);
}
