/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One end of the socket pair between the application and one worker.
 *
 * Writing, from any thread: append (never blocks, takes the outbox lock for as long as a copy of a
 * small frame lasts), then flush. Whoever flushes sends for all: a second one that comes meanwhile
 * returns at once (BUSY), and the first looks again before it leaves. Frames leave in the order in
 * which they were appended. flush never blocks; when the socket is full it returns BLOCKED and asks
 * by want_write for a call when there is room.
 *
 * Reading: one thread at a time, the reader.
 *
 * Lock order: the write lock before the outbox lock. want_write is called with the write lock held;
 * it may only call epoll_ctl(). */

#include "loky-buffer-private.h"
#include "loky-frame-private.h"
#include "loky-message-private.h"
#include "loky-payload-private.h"

G_BEGIN_DECLS

typedef struct _LokyChannel LokyChannel;

typedef void (*LokyChannelWantWrite) (gpointer user_data, gboolean want_write);

typedef enum
{
  LOKY_FLUSH_EMPTY,   /* all was sent */
  LOKY_FLUSH_BUSY,    /* another thread is at it and will send it */
  LOKY_FLUSH_BLOCKED, /* the socket is full */
  LOKY_FLUSH_CLOSED,  /* the other end is gone, or the socket failed; all was dropped */
} LokyFlushResult;

typedef enum
{
  LOKY_FILL_DATA,
  LOKY_FILL_AGAIN, /* nothing to read now */
  LOKY_FILL_EOF,
  LOKY_FILL_ERROR,
} LokyFillResult;

/* A frame in the reader's buffer: valid until the next call of fill. The descriptors in @fds are the
 * caller's, who sets those that it takes to -1 and has the others closed by loky_frame_close_fds(). */
typedef struct
{
  LokyFrameHeader header;
  const guint8 *body;
  int fds[LOKY_FRAME_MAX_FDS];
  gboolean has_lost_fds; /* this process had no room for them: all of @fds are -1 */
  gboolean is_untrusted; /* as its channel: @fds may be such whose closing blocks */
} LokyFrame;

/* A value that could not be put into shared memory, and so was not sent. */
typedef struct
{
  guint8 type; /* of the message */
  guint32 slot;
  guint64 number;
  GError *error;
} LokySendFailure;

/* Takes over @fd, a stream socket. */
LokyChannel *loky_channel_new (int fd);
void loky_channel_free (LokyChannel *self);
int loky_channel_get_fd (LokyChannel *self);
void loky_channel_set_want_write (LokyChannel *self,
                                  LokyChannelWantWrite func,
                                  gpointer user_data);

/* What is sent, empty, in the place of a value that cannot be; 0, as it is at first: nothing. */
void loky_channel_set_substitute (LokyChannel *self, guint8 type);

/* The other end is not trusted: of descriptors only memory that can be sealed, and pipes, are taken, and with
 * @accepts_descriptors what loky_foreign_check() passes. Any other is an error of the read. None is closed here that
 * could block. */
void loky_channel_set_untrusted (LokyChannel *self, gboolean accepts_descriptors);
/* Whether it sent any but memory and pipes, accepted or not. For the thread that reads. */
gboolean loky_channel_had_foreign (LokyChannel *self);

LokySegmentPool *loky_channel_get_segments (LokyChannel *self);

/* A frame with an empty body. */
void loky_channel_append (LokyChannel *self, guint8 type, guint32 slot, guint64 number);

/* A frame whose body is a GVariant (a floating one is taken over). Takes over @fds. */
void loky_channel_append_variant (LokyChannel *self,
                                  guint8 type,
                                  guint32 slot,
                                  guint64 number,
                                  GVariant *body,
                                  const int *fds,
                                  guint n_fds);

/* A frame with a value. Of @message the fields name, attempt, flags and run_time are used, and outputs taken over. A large @value
 * is put into a segment when it is flushed, which for a partial result is not used again. @buffers may be NULL. */
void loky_channel_append_value (LokyChannel *self,
                                guint8 type,
                                guint32 slot,
                                guint64 number,
                                const LokyValueMessage *message,
                                GVariant *value,
                                GPtrArray *buffers);

LokyFlushResult loky_channel_flush (LokyChannel *self);

/* Like flush, but waits for room; for the worker's end. FALSE: the other end is gone. */
gboolean loky_channel_flush_wait (LokyChannel *self);
/* Until nothing is left to be sent, by whichever thread. */
gboolean loky_channel_flush_all (LokyChannel *self);

/* As if a value had been appended that cannot be sent. Takes over @error. */
void loky_channel_fail (LokyChannel *self, guint8 type, guint32 slot, guint64 number, GError *error);

/* Takes out one value that could not be sent; FALSE if there is none. The caller owns the error. The second one looks
 * for one of that type and number, whoever sent others. */
gboolean loky_channel_take_failure (LokyChannel *self, LokySendFailure *failure);
gboolean loky_channel_take_failure_of (LokyChannel *self, guint8 type, guint64 number, LokySendFailure *failure);

/* Nothing more is sent, and the other end sees the end of the stream. */
void loky_channel_shutdown (LokyChannel *self);

/* One recvmsg(); with @wait it blocks until there is something. */
LokyFillResult loky_channel_fill (LokyChannel *self, gboolean wait, GError **error);

/* Whether the last fill took all that there was: another one would probably find nothing. A hint: who
 * must know calls fill until AGAIN. */
gboolean loky_channel_is_drained (LokyChannel *self);
/* The reader: how many bytes it has read. */
guint64 loky_channel_get_n_received (LokyChannel *self);

/* Any thread: how many bytes were sent, each after it was. */
guint64 loky_channel_get_n_sent (LokyChannel *self);

/* The next whole frame, if there is one. */
LokyFrameStatus loky_channel_next_frame (LokyChannel *self, LokyFrame *frame, GError **error);

/* Closes what is left in @frame. */
void loky_frame_close_fds (LokyFrame *frame);

G_END_DECLS
