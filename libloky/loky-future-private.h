/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A future as the pool sees it.
 *
 * The pool holds a reference from submit until the future has ended. What is below "pool lock" is
 * read and written with the pool's lock held; from the end on it is constant. Who ends a future under
 * the lock is the one who announces it, unlocked. */

#include "loky-feed-private.h"
#include "loky-future.h"
#include "loky-mailbox-private.h"
#include "loky-payload-private.h"
#include "loky-scheduler-private.h"
#include "loky-statistics-private.h"
#include "loky-serializer-private.h"

G_BEGIN_DECLS

typedef struct _LokyPool LokyPool;
typedef struct _LokyWaiter LokyWaiter;

/* In what tasks of one name may differ so that a worker has to know. */
typedef struct
{
  LokySerializer *serializer; /* of arguments and results; NULL: the default */
  guint64 memory_limit;       /* bytes; 0: none */
} LokyTaskTraits;

/* What the tasks of one name and the same traits share; it lives as long as the pool. */
typedef struct
{
  LokySchedulerFunction scheduling;
  char *name;
  LokyTaskTraits traits;
  guint32 number;
  LokyStatistics *statistics; /* pool lock */
} LokyFunction;

/* What is known of the worker that a task was lost with. */
typedef struct
{
  int pid;
  int term_signal; /* 0: none */
  int exit_status; /* -1: none */
  char *stderr_tail;
  char *backtrace;
  guint worker_id;
} LokyLoss;

/* Told in whatever thread ends a future, without any lock held, once. */
typedef void (*LokyFutureListener) (LokyFuture *future, gpointer user_data);

/* Somebody else who wants to know of the end: a part of a larger structure, which stays until it was told or taken
 * out. Any number of them. */
typedef struct _LokyFutureWatch LokyFutureWatch;

struct _LokyFutureWatch
{
  /* As a listener is. */
  void (*told) (LokyFutureWatch *self, LokyFuture *future);
};

struct _LokyFuture
{
  GObject parent_instance;

  LokyPool *pool;
  LokyFunction *function;
  LokyMailbox *mailbox;
  LokyMailboxItem item; /* the mailbox's lock */
  GMainContext *context;   /* until the end was posted */

  /* set at submit, cleared at the end */
  GVariant *args; /* of an item of a chunk its result; constant then */
  GPtrArray *buffers;
  LokyFutureListener listener;
  union
  {
    gpointer listener_data;
    LokyFeed *feed; /* if it has one: then it has no listener; constant, its contents by the pool's lock */
  };

  /* pool lock */
  LokySchedulerTask task;
  LokyPayload *payload;
  GError *error;
  gint64 run_time; /* in ns, as the worker says; -1: none has returned it */
  LokyLoss *loss;
  LokyWaiter *waiters;  /* threads; the first may be there from before the submission */
  GSList *watches;      /* of LokyFutureWatch; after the end of who announces it */
  LokyFuture *next_ended;
  gint64 progress_told_at;
  LokyFutureState end;  /* PENDING until it has ended; written last, atomically, to be read without the lock */
  guint8 is_mixed;     /* the payload is that of a chunk whose results came with errors, or of several types */

  /* constant from the submission on */
  guint8 is_chunk; /* args are an array of those of items; nobody outside sees such a future */
  guint8 is_item;  /* of a chunk, that has succeeded */

  /* atomic */
  guint news;

  /* constant from the submission on */
  guint8 has_feed;
};

/* Of those that wait there may be a million: eleven of them fit into a page. */
G_STATIC_ASSERT (sizeof (gpointer) != 8 || sizeof (LokyFuture) <= 368);

#define LOKY_FUTURE_FROM_TASK(it)                                                                  \
  ((LokyFuture *) ((char *) (it) - G_STRUCT_OFFSET (LokyFuture, task)))

typedef enum
{
  LOKY_NEWS_END = 1 << 0,
  LOKY_NEWS_PROGRESS = 1 << 1,
  LOKY_NEWS_FEED = 1 << 2,
} LokyNews;

LokyFuture *loky_future_new (void);

/* The future of one item of @chunk, which has ended; of its result or error. Takes over @error. */
LokyFuture *loky_future_new_item (LokyFuture *chunk, GVariant *value, GError *error);

/* Posts news to the future's context. Any thread, no lock. */
void loky_future_post (LokyFuture *self, LokyNews news);

/* With the pool's lock: takes over @payload or @error, and wakes the waiting threads. */
void loky_future_end_locked (LokyFuture *self,
                             LokyFutureState end,
                             LokyPayload *payload,
                             GError *error);

/* After that, unlocked, by the same thread. */
void loky_future_announce (LokyFuture *self);

/* Waits as loky_future_wait() does, or until there is what the waiter wants, with a waiter that is among @waiters; it
 * is not any more then. */
gboolean loky_future_await (LokyFuture *self,
                            LokyWaiter *waiter,
                            gint64 timeout,
                            GCancellable *cancellable,
                            GError **error);

/* FALSE: it has ended; nothing will be told. */
gboolean loky_future_watch (LokyFuture *self, LokyFutureWatch *watch);
/* TRUE: it is not told any more; FALSE: it was told, or is about to be, or was not added. */
gboolean loky_future_unwatch (LokyFuture *self, LokyFutureWatch *watch);

/* @task ends when the future does, or at once with G_IO_ERROR_CANCELLED when its cancellable is
 * cancelled; with @cancels the future is then cancelled too. A pointer to the future, with a
 * reference, is returned by it. Takes over @task. */
void loky_future_add_task (LokyFuture *self, GTask *task, gboolean cancels);

void loky_loss_free (LokyLoss *self);

/* What it reads as a value of its task. */
GVariant *loky_future_read_payload (LokyFuture *self, LokyPayload *payload, GError **error);

/* --- loky-future-feed.c: what comes before the end --- */

void loky_future_class_add_feed (LokyFutureClass *klass);

static inline LokyFeed *
loky_future_get_feed (LokyFuture *self)
{
  return self->has_feed ? self->feed : NULL;
}

/* Somebody listens. */
gboolean loky_future_is_fed (LokyFuture *self);
/* In its context, which has been held up since @start, in µs. FALSE: there is more, for another turn. */
gboolean loky_future_deliver_feed (LokyFuture *self, gint64 start);

G_END_DECLS
