/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <loky.h>

/*
 * TextBlockFunc:
 * @block: some bytes of a file
 * @length: how many; 0 once, after the last block
 *
 * Returns: how many of the bytes were used: the others, at most some of a character, come again at
 *   the beginning of the next block. What is not used of the last block is lost.
 */
typedef gsize (*TextBlockFunc) (const guint8 *block, gsize length, gpointer user_data);

gboolean text_file_foreach_block (LokyTaskContext *context,
                                  const char *file,
                                  TextBlockFunc func,
                                  gpointer user_data,
                                  GError **error);

GVariant *
text_frequencies (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error);
