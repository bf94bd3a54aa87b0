/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The application's side of a pool's fork server: see loky-fork-server-private.h. It is started with the first
 * worker, or, for the start method "fork", forked off when the executor is made; again with the next worker when it
 * has ended; and ended by the monitor thread when that has no worker any more.
 *
 * For the monitor thread, unless it says otherwise, without the pool's lock. */

#include "loky-pool-internal.h"

G_BEGIN_DECLS

/* Asks for a worker. Takes over @channel_fd, the worker's end of its channel. What is returned is awaited: it
 * becomes a process, or is lost, in a later turn. */
LokyWorkerProcess *loky_pool_server_start_worker (LokyPool *self,
                                                  LokyPoolWorker *worker,
                                                  int channel_fd,
                                                  GError **error);

/* There is something to read, or room to write. */
void loky_pool_server_handle_event (LokyPool *self);

/* A worker that is awaited is not wanted any more: soon it is one that has ended. */
void loky_pool_server_give_up (LokyPoolWorker *worker);

gboolean loky_pool_server_is_there (LokyPool *self);

/* Watches one that there is already, as the monitor begins. FALSE: it cannot be, and errno says why. */
gboolean loky_pool_server_watch (LokyPool *self);

/* Ends it, if there is one; it is reaped as workers are. */
void loky_pool_server_end (LokyPool *self);

/* Forks it off this process, which must have one thread. In the thread that makes the executor. */
gboolean loky_pool_server_fork (LokyPool *self, GError **error);

/* When there is no monitor thread, or not any more. It was taken from its pool. */
void loky_pool_server_destroy (LokyPoolServer *server);

G_END_DECLS
