/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <loky.h>

typedef gboolean (*ChecksumBlockFunc) (gconstpointer block, gsize length, gpointer user_data);

gboolean checksum_file_foreach_block (LokyTaskContext *context,
                                      const char *file,
                                      ChecksumBlockFunc func,
                                      gpointer user_data,
                                      GError **error);
