/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The items of one chunk in a worker, in its main thread. */

#include "loky-plugin-loader-private.h"

G_BEGIN_DECLS

typedef struct _LokyWorker LokyWorker;

/* --- loky-worker-chunk.c --- */

/* What the task must be able to take: that of the whole chunk, if it is a batch task and takes arrays of
 * such items, else that of an item. */
const GVariantType *loky_worker_get_chunk_type (const LokyLoadedTask *task, GVariant *chunk);

/* Calls the task for all items, until it is to stop; the results as loky-chunk-private.h has them. NULL: none
 * has one. The type of @chunk was checked. */
GVariant *loky_worker_call_chunk (LokyWorker *worker,
                                  const LokyLoadedTask *task,
                                  LokyTaskContext *context,
                                  GVariant *chunk,
                                  gboolean *is_mixed,
                                  GError **error);

/* --- loky-worker-loop.c --- */

/* After a task's function has returned: it must not have spoilt the process for what comes next. @before is
 * the thread-default context of before. Does not return if it has. */
void loky_worker_settle (LokyWorker *self, GMainContext *before);

G_END_DECLS
