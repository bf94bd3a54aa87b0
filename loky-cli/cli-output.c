/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Buffered output that never blocks the main loop: whoever reads it may be slow (a pager), and a
 * signal must still be heard. The descriptor stays in blocking mode, as it is shared with other
 * programs; so no more is written at once than poll() promises. */

#include "cli-output.h"

#include <errno.h>
#include <glib-unix.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLUSH_SIZE (64 * 1024)
#define FULL_SIZE (256 * 1024)
#define FLUSH_INTERVAL 10 /* ms: more often costs more than it shows */
#define FLUSH_DELAY 100   /* ms: never later, however busy the loop is */

struct _CliOutput
{
  int fd;
  CliOutputFunc func;
  gpointer user_data;
  GString *buffer;
  gsize written; /* the part of the buffer that has gone out */
  gsize chunk_size;
  gboolean terminal;
  int saved_errno;
  gint64 last_flush;
  guint writable_source;
  guint flush_source;
};

CliOutput *
cli_output_new (int fd, CliOutputFunc func, gpointer user_data)
{
  CliOutput *self = g_new0 (CliOutput, 1);
  struct stat status;

  self->fd = fd;
  self->func = func;
  self->user_data = user_data;
  self->buffer = g_string_sized_new (FULL_SIZE);
  self->terminal = isatty (fd);
  /* A writable pipe takes PIPE_BUF without blocking, a file whatever it is given. */
  self->chunk_size = fstat (fd, &status) == 0 && S_ISREG (status.st_mode) ? G_MAXINT : PIPE_BUF;
  return self;
}

void
cli_output_free (CliOutput *self)
{
  g_clear_handle_id (&self->writable_source, g_source_remove);
  g_clear_handle_id (&self->flush_source, g_source_remove);
  g_string_free (self->buffer, TRUE);
  g_free (self);
}

/* Where to append; then cli_output_commit(). */
GString *
cli_output_get_buffer (CliOutput *self)
{
  return self->buffer;
}

gboolean
cli_output_is_empty (CliOutput *self)
{
  return self->buffer->len == self->written;
}

/* The writer should wait for its callback before it appends more. */
gboolean
cli_output_is_full (CliOutput *self)
{
  return self->buffer->len - self->written >= FULL_SIZE;
}

gboolean
cli_output_is_terminal (CliOutput *self)
{
  return self->terminal;
}

/* 0, or why writing failed; nothing more is written then. */
int
cli_output_get_errno (CliOutput *self)
{
  return self->saved_errno;
}

static gboolean
writable_cb (gint fd, GIOCondition condition, gpointer user_data)
{
  CliOutput *self = user_data;

  self->writable_source = 0;
  cli_output_flush (self);
  if (self->saved_errno == 0 && cli_output_is_empty (self))
    self->func (self, self->user_data);
  return G_SOURCE_REMOVE;
}

static void
fail (CliOutput *self, int saved_errno)
{
  self->saved_errno = saved_errno;
  g_string_truncate (self->buffer, 0);
  self->written = 0;
  self->func (self, self->user_data);
}

/* Writes what goes out now; the rest goes when the descriptor can take it. */
void
cli_output_flush (CliOutput *self)
{
  g_clear_handle_id (&self->flush_source, g_source_remove);
  self->last_flush = g_get_monotonic_time ();
  while (!cli_output_is_empty (self) && self->writable_source == 0)
    {
      struct pollfd descriptor = { .fd = self->fd, .events = POLLOUT };
      gsize length = MIN (self->buffer->len - self->written, self->chunk_size);
      gssize result = -1;

      errno = EAGAIN;
      if (poll (&descriptor, 1, 0) > 0)
        result = write (self->fd, self->buffer->str + self->written, length);
      if (result >= 0)
        self->written += result;
      else if (errno == EAGAIN)
        self->writable_source = g_unix_fd_add (self->fd, G_IO_OUT, writable_cb, self);
      else if (errno != EINTR)
        {
          fail (self, errno);
          return;
        }
    }
  g_string_erase (self->buffer, 0, self->written);
  self->written = 0;
}

static gboolean
flush_cb (gpointer user_data)
{
  CliOutput *self = user_data;

  self->flush_source = 0;
  cli_output_flush (self);
  return G_SOURCE_REMOVE;
}

/* A line is complete. It goes out at once to a terminal, else when nothing else is to be done. */
void
cli_output_commit (CliOutput *self)
{
  gint64 elapsed;

  if (self->saved_errno != 0)
    {
      g_string_truncate (self->buffer, 0);
      return;
    }
  if (self->writable_source != 0)
    return;
  elapsed = (g_get_monotonic_time () - self->last_flush) / 1000;
  if (self->terminal || self->buffer->len >= FLUSH_SIZE ||
      (self->flush_source != 0 && elapsed >= FLUSH_DELAY))
    {
      cli_output_flush (self);
      return;
    }
  if (self->flush_source != 0)
    return;
  self->flush_source =
      elapsed >= FLUSH_INTERVAL
          ? g_idle_add_full (G_PRIORITY_LOW, flush_cb, self, NULL)
          : g_timeout_add (FLUSH_INTERVAL - elapsed, flush_cb, self);
}
