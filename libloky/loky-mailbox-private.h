/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Brings news of futures to the GMainContext in which they were made: one mailbox, with one GSource,
 * for each context and pool. The context is woken only when the mailbox was empty, and held up for at
 * most a millisecond a turn.
 *
 * Posting: any thread, no lock of the caller's needed; the mailbox's lock is a leaf. Delivery: in the
 * thread that iterates the context, without any lock.
 *
 * The source owns what is in the mailbox: it goes when the context goes. */

#include <glib.h>

#include "loky-future.h"

G_BEGIN_DECLS

typedef struct _LokyMailbox LokyMailbox;

/* What the mailbox keeps of a future, while it is queued. */
typedef struct _LokyMailboxEntry LokyMailboxEntry;

LokyMailbox *loky_mailbox_new (GMainContext *context);
LokyMailbox *loky_mailbox_ref (LokyMailbox *self);
void loky_mailbox_unref (LokyMailbox *self);

/* Ends the mailbox: what was not delivered is dropped. */
void loky_mailbox_close (LokyMailbox *self);

/* The context is gone, or the mailbox was closed. */
gboolean loky_mailbox_is_dead (LokyMailbox *self);

/* Queues @future unless it is queued already. With @owned the mailbox holds a reference until it was
 * delivered; without, the future is forgotten when its last owner drops it (forget). */
void loky_mailbox_post (LokyMailbox *self, LokyFuture *future, gboolean owned);

/* From the future's dispose. */
void loky_mailbox_forget (LokyMailbox *self, LokyFuture *future);

G_END_DECLS
