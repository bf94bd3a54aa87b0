/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Private memory for large values that were received, used again: fresh pages cost three times what copying
 * into them does.
 *
 * What is idle is bounded, and the kernel may take its pages when memory is short. Callable from any
 * thread. */

#include <glib.h>

G_BEGIN_DECLS

typedef struct _LokyBlockCache LokyBlockCache;

LokyBlockCache *loky_block_cache_new (void);
LokyBlockCache *loky_block_cache_ref (LokyBlockCache *self);
void loky_block_cache_unref (LokyBlockCache *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokyBlockCache, loky_block_cache_unref)

/* Frees what is idle; from now on nothing is kept. */
void loky_block_cache_close (LokyBlockCache *self);

/* Memory of at least @size bytes, with any contents, aligned to 16 bytes; sets its @capacity. NULL: there is
 * none. */
gpointer loky_block_cache_take (LokyBlockCache *self, gsize size, gsize *capacity);
void loky_block_cache_release (LokyBlockCache *self, gpointer block, gsize capacity);

G_END_DECLS
