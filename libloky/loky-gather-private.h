/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watches many futures, of any executors, and knows which have ended, in the order of their ends.
 *
 * All functions can be called from any thread, without any lock. The gather's lock is a leaf; it is taken by who
 * announces an end, too. */

#include "loky-future-private.h"

G_BEGIN_DECLS

typedef struct _LokyGather LokyGather;

typedef enum
{
  LOKY_GATHER_ANY,   /* one that was not taken has ended, or none is left */
  LOKY_GATHER_ERROR, /* one has failed, or all have ended */
  LOKY_GATHER_ALL,
} LokyGatherCondition;

/* For who checks what the user has given: whether all are futures that a submission has made. */
gboolean loky_gather_are_futures (LokyFuture *const *futures, gsize n_futures);

/* Of each future once, however often it is given; those that have ended already come first, in the order given. */
LokyGather *loky_gather_new (LokyFuture *const *futures, gsize n_futures);
/* Watches them no more, and drops the reference. No task waits. */
void loky_gather_close (LokyGather *self);

/* Whether the futures can end in this process: LOKY_ERROR_FORKED if not. */
gboolean loky_gather_check_process (LokyGather *self, GError **error);
/* Besides, whether this thread may wait for it: G_IO_ERROR_WOULD_BLOCK if not. */
gboolean loky_gather_check (LokyGather *self, GError **error);

/* Blocks until @condition holds. FALSE: G_IO_ERROR_TIMED_OUT or G_IO_ERROR_CANCELLED. @timeout in ms, -1: none. */
gboolean loky_gather_wait (LokyGather *self,
                           LokyGatherCondition condition,
                           gint64 timeout,
                           GCancellable *cancellable,
                           GError **error);

/* Blocks until ANY holds, and takes what has ended; a reference. NULL without an error: all were taken. */
LokyFuture *loky_gather_take (LokyGather *self,
                              gint64 timeout,
                              GCancellable *cancellable,
                              GError **error);

/* @task returns TRUE when @condition holds, with @takes a pointer to what is taken then, or an error:
 * G_IO_ERROR_CANCELLED, or G_IO_ERROR_PENDING if another task waits. Takes over @task. */
void loky_gather_add_task (LokyGather *self,
                           LokyGatherCondition condition,
                           gboolean takes,
                           GTask *task);

G_END_DECLS
