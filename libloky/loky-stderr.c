/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-stderr-private.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "loky-util-private.h"

/* What may wait to be written, in bytes. */
#define QUEUE_SIZE (1u << 20)

/* After poll() said that there is room, a write of this size does not block (PIPE_BUF). */
#define WRITE_SIZE 4096

/* How long the last output may take, in ms. */
#define LAST_TIMEOUT 500

struct _LokyStderr
{
  gatomicrefcount ref_count; /* the owner's, and the thread's */
  GMutex lock;
  GCond cond;
  gboolean is_done; /* the thread is; lock */
  GByteArray *queue; /* lock */
  gsize n_dropped;   /* lock */
  gboolean is_stopping; /* lock */
  GThread *thread;
  int event_fd; /* rung for new output and for the end */
};

LokyStderr *
loky_stderr_new (void)
{
  LokyStderr *self = g_new0 (LokyStderr, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->queue = g_byte_array_new ();
  self->event_fd = -1;
  return self;
}

static void
ring (LokyStderr *self)
{
  guint64 one = 1;
  ssize_t written G_GNUC_UNUSED = write (self->event_fd, &one, sizeof one);
}

/* Takes up to WRITE_SIZE bytes. FALSE: there are none. */
static gboolean
take (LokyStderr *self, char *buffer, gsize *size, gboolean *is_stopping)
{
  g_mutex_lock (&self->lock);
  if (self->n_dropped > 0 && self->queue->len < QUEUE_SIZE / 2)
    {
      g_autofree char *note
          = g_strdup_printf ("\n[loky: %" G_GSIZE_FORMAT " bytes of output of workers were dropped]\n",
                             self->n_dropped);

      g_byte_array_append (self->queue, (const guint8 *) note, (guint) strlen (note));
      self->n_dropped = 0;
    }
  *size = MIN (self->queue->len, WRITE_SIZE);
  memcpy (buffer, self->queue->data, *size);
  if (*size > 0)
    g_byte_array_remove_range (self->queue, 0, (guint) *size);
  *is_stopping = self->is_stopping;
  g_mutex_unlock (&self->lock);
  return *size > 0;
}

/* FALSE: there is no room within the time, or nobody to write to. */
static gboolean
write_out (LokyStderr *self, const char *data, gsize size, gint64 *give_up)
{
  gsize done = 0;

  while (done < size)
    {
      struct pollfd fds[2] = {
        { .fd = STDERR_FILENO, .events = POLLOUT },
        { .fd = self->event_fd, .events = POLLIN },
      };
      gint64 left = *give_up < 0 ? -1 : (*give_up - g_get_monotonic_time ()) / 1000;
      guint64 count;
      ssize_t written;

      if (*give_up >= 0 && left <= 0)
        return FALSE;
      if (poll (fds, 2, (int) left) < 0 && errno != EINTR)
        return FALSE;
      if ((fds[0].revents & (POLLNVAL | POLLERR | POLLHUP)) != 0)
        return FALSE;
      if ((fds[1].revents & POLLIN) != 0 && read (self->event_fd, &count, sizeof count) > 0)
        {
          gboolean is_stopping;

          g_mutex_lock (&self->lock);
          is_stopping = self->is_stopping;
          g_mutex_unlock (&self->lock);
          if (is_stopping && *give_up < 0)
            *give_up = g_get_monotonic_time () + LAST_TIMEOUT * 1000;
        }
      if ((fds[0].revents & POLLOUT) == 0)
        continue;
      written = write (STDERR_FILENO, data + done, size - done);
      if (written < 0 && errno != EINTR && errno != EAGAIN)
        return FALSE;
      done += written > 0 ? (gsize) written : 0;
    }
  return TRUE;
}

static void
unref (LokyStderr *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  loky_close_fd (&self->event_fd);
  g_byte_array_unref (self->queue);
  g_cond_clear (&self->cond);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gpointer
run (gpointer user_data)
{
  LokyStderr *self = user_data;
  char buffer[WRITE_SIZE];
  gint64 give_up = -1;
  gboolean is_stopping = FALSE;
  sigset_t signals;
  gsize size;

  /* SIGPIPE too: nobody may be reading. */
  sigfillset (&signals);
  pthread_sigmask (SIG_BLOCK, &signals, NULL);

  for (;;)
    {
      struct pollfd event = { .fd = self->event_fd, .events = POLLIN };

      if (take (self, buffer, &size, &is_stopping))
        {
          if (is_stopping && give_up < 0)
            give_up = g_get_monotonic_time () + LAST_TIMEOUT * 1000;
          if (!write_out (self, buffer, size, &give_up) && give_up >= 0)
            break;
          continue;
        }
      if (is_stopping)
        break;
      if (poll (&event, 1, -1) > 0)
        {
          guint64 count;
          ssize_t got G_GNUC_UNUSED = read (self->event_fd, &count, sizeof count);
        }
    }
  g_mutex_lock (&self->lock);
  self->is_done = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
  unref (self);
  return NULL;
}

static gboolean
ensure_thread (LokyStderr *self)
{
  if (self->thread != NULL)
    return TRUE;
  if (self->event_fd < 0)
    self->event_fd = loky_fd_above_standard (eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (self->event_fd < 0)
    return FALSE;
  g_atomic_ref_count_inc (&self->ref_count);
  self->thread = g_thread_try_new ("loky-stderr", run, self, NULL);
  if (self->thread == NULL)
    unref (self);
  return self->thread != NULL;
}

void
loky_stderr_write (LokyStderr *self, const char *data, gsize size)
{
  gsize room;

  g_mutex_lock (&self->lock);
  room = MIN (size, QUEUE_SIZE - MIN (self->queue->len, QUEUE_SIZE));
  if (ensure_thread (self))
    g_byte_array_append (self->queue, (const guint8 *) data, (guint) room);
  else
    room = 0;
  self->n_dropped += size - room;
  g_mutex_unlock (&self->lock);
  if (self->event_fd >= 0)
    ring (self);
}

void
loky_stderr_free (LokyStderr *self)
{
  gint64 end = g_get_monotonic_time () + 2 * LAST_TIMEOUT * 1000;
  gboolean is_in_time = TRUE;
  gboolean is_done;

  g_mutex_lock (&self->lock);
  self->is_stopping = TRUE;
  if (self->thread != NULL)
    ring (self);
  while (self->thread != NULL && !self->is_done && is_in_time)
    is_in_time = g_cond_wait_until (&self->cond, &self->lock, end);
  is_done = self->is_done;
  g_mutex_unlock (&self->lock);
  /* Although there was room when it looked, it may hang in a write: somebody else filled the pipe. It
   * ends by itself when that is read, or with the process. */
  if (self->thread != NULL && is_done)
    g_thread_join (self->thread);
  else if (self->thread != NULL)
    g_thread_unref (self->thread);
  unref (self);
}
