/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the executor share. Callable from any thread. */

#include "loky-executor.h"
#include "loky-pool-private.h"

G_BEGIN_DECLS

LokyPool *loky_executor_get_pool (LokyExecutor *self);

/* Makes a future for a task and submits it. A floating @args is taken over in any case; NULL stands
 * for "()". @listener is told of the end, also before this returns. With @has_mailbox the future's
 * news go to the thread-default main context. */
LokyFuture *loky_pool_submit_task (LokyPool *pool,
                                   const char *task,
                                   GVariant *args,
                                   LokyTaskOptions *options,
                                   LokyFutureListener listener,
                                   gpointer listener_data,
                                   gboolean has_mailbox,
                                   GError **error);

/* A future that is ready to be submitted, by loky_pool_submit(); @traits are for that. */
LokyFuture *loky_pool_make_future (LokyPool *pool,
                                   const char *task,
                                   GVariant *args,
                                   LokyTaskOptions *options,
                                   LokyTaskTraits *traits,
                                   GError **error);

/* The same for the @n_items elements of an array, as one submission whose result is that of all: see
 * loky-chunk-private.h. The timeout of @options is that of an item. */
LokyFuture *loky_pool_submit_chunk (LokyPool *pool,
                                    const char *task,
                                    GVariant *items,
                                    guint n_items,
                                    LokyTaskOptions *options,
                                    LokyFutureListener listener,
                                    gpointer listener_data,
                                    GError **error);

LokyResults *loky_results_new (LokyPool *pool,
                               const char *task,
                               LokyInput *input,
                               LokyMapOptions *options,
                               guint max_workers);

G_END_DECLS
