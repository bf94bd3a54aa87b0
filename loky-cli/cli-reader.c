/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lines from a descriptor, read only when somebody asks for more. Of a file of any length one
 * buffer is in memory, which grows only for a line that does not fit. */

#include "cli-reader.h"

#include <gio/gunixinputstream.h>
#include <string.h>

#define READ_SIZE (64 * 1024)

struct _CliReader
{
  GInputStream *stream;
  GCancellable *cancellable;
  CliReaderFunc func;
  gpointer user_data;
  char separator;
  gboolean reading;
  gboolean at_end;
  /* What was read and not yet taken is from start to end; up to scanned there is no separator. */
  char *data;
  gsize size;
  gsize start;
  gsize scanned;
  gsize end;
};

CliReader *
cli_reader_new (int fd, char separator, CliReaderFunc func, gpointer user_data)
{
  CliReader *self = g_new0 (CliReader, 1);

  self->stream = g_unix_input_stream_new (fd, FALSE);
  self->cancellable = g_cancellable_new ();
  self->separator = separator;
  self->func = func;
  self->user_data = user_data;
  return self;
}

/* A read under way still owns the buffer; the main context is not run again to end it, so the
 * buffer is left to the end of the process. */
void
cli_reader_free (CliReader *self)
{
  if (self->reading)
    {
      g_cancellable_cancel (self->cancellable);
      return;
    }
  g_object_unref (self->stream);
  g_object_unref (self->cancellable);
  g_free (self->data);
  g_free (self);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  CliReader *self = user_data;
  g_autoptr (GError) error = NULL;
  gssize length = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  self->reading = FALSE;
  if (length <= 0)
    self->at_end = TRUE;
  else
    self->end += length;
  self->func (self, error, self->user_data);
}

/* Asks for more; what cli_reader_next() returned is no longer valid then. */
void
cli_reader_read (CliReader *self)
{
  if (self->reading || self->at_end)
    return;
  if (self->start > 0)
    {
      memmove (self->data, self->data + self->start, self->end - self->start);
      self->scanned -= self->start;
      self->end -= self->start;
      self->start = 0;
    }
  if (self->size - self->end < READ_SIZE)
    {
      self->size = MAX (self->size * 2, self->end + READ_SIZE);
      self->data = g_realloc (self->data, self->size);
    }
  self->reading = TRUE;
  g_input_stream_read_async (self->stream,
                             self->data + self->end,
                             self->size - self->end,
                             G_PRIORITY_DEFAULT,
                             self->cancellable,
                             read_cb,
                             self);
}

gboolean
cli_reader_is_at_end (CliReader *self)
{
  return self->at_end && self->start == self->end;
}

/* The next line without its separator; the last one may lack it. @line is valid until more is read.
 * FALSE: none is at hand. */
gboolean
cli_reader_next (CliReader *self, CliText *line)
{
  const char *found = NULL;

  if (self->reading)
    return FALSE;
  if (self->scanned < self->end)
    found = memchr (self->data + self->scanned, self->separator, self->end - self->scanned);
  self->scanned = self->end;
  if (found == NULL && (!self->at_end || self->start == self->end))
    return FALSE;
  line->text = self->data + self->start;
  line->length = found != NULL ? (gsize) (found - line->text) : self->end - self->start;
  self->start += line->length + (found != NULL ? 1 : 0);
  self->scanned = self->start;
  return TRUE;
}
