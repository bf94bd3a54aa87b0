/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The output of tasks that are captured: two pipes for each, made when it is sent. The worker gets
 * the ends that are written to; ours are in the monitor's epoll set until the task has ended. What
 * is in the pipes when its end is read, or the death of its worker, is taken before the future
 * ends. To the end of the stream is not waited for: a child of the task may hold it open. */

#include <sys/epoll.h>

#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-pool-internal.h"
#include "loky-util-private.h"

/* How much one pipe is read in one turn, and at the end: more than fits into any, and bounded,
 * since a child may go on writing; in bytes. */
#define READ_PER_TURN (64u << 10)
#define READ_AT_END (2u << 20)

#define READ_SIZE (16u << 10)

typedef struct
{
  LokyWatch watch; /* first */
  LokyCapture *capture;
  LokyStream stream;
  int fd; /* reader lock; -1 after the end of the stream */
} CaptureEnd;

/* Made and ended with the pool's lock by any thread, read with the reader lock, and let go by the
 * monitor between two looks at its events. */
struct _LokyCapture
{
  LokyFuture *future;     /* a reference */
  LokyPoolWorker *worker; /* a reference */
  CaptureEnd ends[LOKY_N_STREAMS];
  gboolean is_over; /* pool lock */
};

static void
close_end (LokyPool *self, CaptureEnd *end)
{
  if (end->fd < 0)
    return;
  epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, end->fd, NULL);
  loky_fork_guard_close (&end->fd);
}

static void
capture_free (LokyPool *self, LokyCapture *capture)
{
  for (guint i = 0; i < LOKY_N_STREAMS; i++)
    close_end (self, &capture->ends[i]);
  g_object_unref (capture->future);
  loky_pool_worker_unref (capture->worker);
  g_free (capture);
}

static gboolean
open_end (LokyPool *self, LokyCapture *capture, LokyStream stream, int *write_end)
{
  CaptureEnd *end = &capture->ends[stream];
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = &end->watch };
  int fds[2];

  end->watch.kind = LOKY_WATCH_OUTPUT;
  end->capture = capture;
  end->stream = stream;
  if (pipe2 (fds, O_CLOEXEC) != 0)
    return FALSE;
  end->fd = loky_fd_above_standard (fds[0]);
  *write_end = loky_fd_above_standard (fds[1]);
  loky_fork_guard_add (end->fd);
  return end->fd >= 0 && *write_end >= 0 && fcntl (end->fd, F_SETFL, O_NONBLOCK) == 0 &&
         epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, end->fd, &event) == 0;
}

void
loky_pool_end_capture_locked (LokyPoolTurn *turn, LokyCapture *capture)
{
  if (capture == NULL)
    return;
  capture->is_over = TRUE;
  capture->future->feed->capture = NULL;
  __atomic_store_n (&capture->worker->capture, NULL, __ATOMIC_RELAXED);
  g_queue_push_tail (&turn->pool->to_close, capture);
  turn->wakes_monitor = TRUE;
}

gboolean
loky_pool_begin_capture_locked (LokyPoolTurn *turn,
                                LokyPoolWorker *worker,
                                LokyFuture *future,
                                int write_ends[LOKY_N_STREAMS],
                                GError **error)
{
  LokyPool *self = turn->pool;
  LokyCapture *capture = g_new0 (LokyCapture, 1);

  /* Of an attempt that was lost. */
  loky_pool_end_capture_locked (turn, future->feed->capture);
  loky_pool_end_capture_locked (turn, worker->capture);
  capture->future = g_object_ref (future);
  capture->worker = loky_pool_worker_ref (worker);
  for (guint i = 0; i < LOKY_N_STREAMS; i++)
    capture->ends[i].fd = write_ends[i] = -1;
  /* It is let go of by the monitor, which may have been told of it already. */
  future->feed->capture = capture;
  __atomic_store_n (&worker->capture, capture, __ATOMIC_RELAXED);
  for (guint i = 0; i < LOKY_N_STREAMS; i++)
    if (!open_end (self, capture, i, &write_ends[i]))
      {
        g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                     "The output of the task “%s” cannot be captured: %s", future->function->name,
                     g_strerror (errno));
        for (guint j = 0; j <= i; j++)
          loky_close_fd (&write_ends[j]);
        return FALSE;
      }
  return TRUE;
}

void
loky_pool_close_captures (LokyPool *self)
{
  GQueue to_close;
  LokyCapture *capture;

  loky_pool_lock (self);
  to_close = self->to_close;
  g_queue_init (&self->to_close);
  loky_pool_unlock (self);
  while ((capture = g_queue_pop_head (&to_close)) != NULL)
    capture_free (self, capture);
}

/* FALSE: it is over. Sets @context to that of the future, for which there is news now; a reference.
 */
static gboolean
note_output (
    LokyPool *self, CaptureEnd *end, const guint8 *data, gsize size, GMainContext **context)
{
  LokyFuture *future = end->capture->future;
  gboolean is_over;

  loky_pool_lock (self);
  is_over = end->capture->is_over;
  if (!is_over)
    loky_feed_add_output (future->feed, end->stream, data, size);
  if (!is_over && *context == NULL && future->context != NULL)
    *context = g_main_context_ref (future->context);
  loky_pool_unlock (self);
  return !is_over;
}

static void
read_end (LokyPool *self, CaptureEnd *end, gsize most)
{
  LokyPoolWorker *worker = end->capture->worker;
  GMainContext *context = NULL;
  guint8 buffer[READ_SIZE];
  gsize done = 0;

  while (end->fd >= 0 && done < most)
    {
      ssize_t got = read (end->fd, buffer, sizeof buffer);

      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        break;
      if (got <= 0)
        {
          close_end (self, end);
          break;
        }
      if (!note_output (self, end, buffer, (gsize) got, &context))
        break;
      /* For the error, should it be its last. */
      if (worker->process != NULL)
        loky_worker_process_note_output (worker->process, (const char *) buffer, (gsize) got);
      done += (gsize) got;
    }
  if (context == NULL)
    return;
  loky_future_post (end->capture->future, LOKY_NEWS_FEED);
  g_main_context_unref (context);
}

void
loky_pool_read_capture (LokyPool *self, LokyWatch *watch)
{
  read_end (self, (CaptureEnd *) watch, READ_PER_TURN);
}

void
loky_pool_drain_capture (LokyPool *self, LokyPoolWorker *worker)
{
  LokyCapture *capture;

  loky_pool_lock (self);
  capture = worker->capture;
  loky_pool_unlock (self);
  /* Only the monitor frees it, with the reader lock. */
  for (guint i = 0; capture != NULL && i < LOKY_N_STREAMS; i++)
    read_end (self, &capture->ends[i], READ_AT_END);
}
