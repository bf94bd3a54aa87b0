/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Brings news to a GMainContext: of futures to the one in which they were made, and the ends of calls to the one
 * in which they were begun. There is one mailbox, with one GSource, for each context and pool. The context is
 * woken only when the mailbox was empty, and held up for at most a millisecond a turn.
 *
 * Posting: any thread, no lock of the caller's needed; the mailbox's lock is a leaf. The context must not go
 * meanwhile. Delivery: in the thread that iterates the context, without any lock.
 *
 * The source owns what is in the mailbox: it goes when the context goes. */

#include <glib.h>

#include "loky-future.h"

G_BEGIN_DECLS

typedef struct _LokyMailbox LokyMailbox;
typedef struct _LokyMailboxItem LokyMailboxItem;

/* In the context's thread, once for each time that it was posted, or elsewhere when the context is gone. */
typedef void (*LokyMailboxDeliver) (LokyMailboxItem *item);

/* Something that can be posted: a part of a larger structure, which stays until it was delivered. */
struct _LokyMailboxItem
{
  LokyMailboxDeliver deliver;

  /*< private; the mailbox's lock >*/
  GList link; /* its data is the future of which this is a part, or NULL */
  guint8 is_queued;
  guint8 is_owned; /* the mailbox has a reference to the future */
  gint n_taken;    /* atomic: it is about to be referenced */
};

/* Called in the context's thread before it sleeps, while something is expected: it may look whether that is
 * about to come, and post it. */
typedef void (*LokyMailboxHear) (gpointer user_data);

/* @hear and its data are used while anything is expected. */
LokyMailbox *loky_mailbox_new (GMainContext *context, LokyMailboxHear hear, gpointer user_data);
LokyMailbox *loky_mailbox_ref (LokyMailbox *self);
void loky_mailbox_unref (LokyMailbox *self);

/* Ends the mailbox: futures that were not delivered are dropped, all else is delivered at once. */
void loky_mailbox_close (LokyMailbox *self);

/* The context is gone, or the mailbox was closed. */
gboolean loky_mailbox_is_dead (LokyMailbox *self);

/* Something will be posted that the context waits for; and it was delivered, or will not be. The second one only
 * in the context's thread. */
void loky_mailbox_expect (LokyMailbox *self);
void loky_mailbox_expect_no_more (LokyMailbox *self);

/* Queues @item, which is not queued. */
void loky_mailbox_post (LokyMailbox *self, LokyMailboxItem *item);

/* Queues the item of @future unless it is queued already. With @owned the mailbox holds a reference until it was
 * delivered; without, the future is forgotten when its last owner drops it (forget). */
void loky_mailbox_post_future (LokyMailbox *self,
                               LokyFuture *future,
                               LokyMailboxItem *item,
                               gboolean owned);

/* From the future's dispose. */
void loky_mailbox_forget (LokyMailbox *self, LokyMailboxItem *item);

G_END_DECLS
