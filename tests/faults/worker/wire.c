/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The channel, written without that of the library, which would not let it misbehave; and quick ends. */

#include "hostile-worker.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

Me me = { .kill_sent = -1, .kill_read = -1 };

void G_GNUC_NORETURN
die (void)
{
  for (;;)
    {
      kill (getpid (), SIGKILL);
      pause ();
    }
}

void G_GNUC_NORETURN
hang (void)
{
  for (;;)
    pause ();
}

/* --- sending ---------------------------------------------------------------------------------- */

void
put_once (const guint8 *bytes, gsize size, const int *fds, guint n_fds, gsize *done)
{
  char control[CMSG_SPACE (sizeof (int) * MAX_FDS)]
      __attribute__ ((aligned (__alignof__ (struct cmsghdr))));
  struct iovec vector = { (void *) bytes, size };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
  ssize_t sent;

  if (n_fds > 0)
    {
      struct cmsghdr *header;

      memset (control, 0, sizeof control);
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE (sizeof (int) * n_fds);
      header = CMSG_FIRSTHDR (&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
      memcpy (CMSG_DATA (header), fds, sizeof (int) * n_fds);
    }
  sent = sendmsg (CHANNEL_FD, &message, MSG_NOSIGNAL);
  /* The application has closed the channel and is about to kill this process. */
  if (sent < 0)
    hang ();
  *done += (gsize) sent;
  me.n_sent += sent;
}

/* Sends all of it, unless the end comes first. */
void
put (gconstpointer bytes, gsize size, const int *fds, guint n_fds)
{
  gsize done = 0;

  while (done < size)
    {
      gsize now = size - done;

      if (me.kill_sent >= 0)
        now = MIN (now, (gsize) (me.kill_sent - me.n_sent));
      if (now == 0)
        die ();
      put_once ((const guint8 *) bytes + done, now, fds, done == 0 ? n_fds : 0, &done);
    }
  if (me.kill_sent >= 0 && me.n_sent == me.kill_sent)
    die ();
}

/* A whole frame, to be spoilt before it is sent. */
GByteArray *
make_frame (guint8 type, guint32 slot, guint64 number, gconstpointer body, gsize length, guint n_fds)
{
  static const guint8 zeros[8];
  GByteArray *frame = g_byte_array_new ();
  LokyFrameHeader header = { .type = type, .n_fds = (guint8) n_fds, .length = (guint32) length,
                             .slot = slot, .number = number };
  guint8 wire[LOKY_FRAME_HEADER_SIZE];

  loky_frame_encode_header (&header, wire);
  g_byte_array_append (frame, wire, sizeof wire);
  if (length > 0)
    g_byte_array_append (frame, body, (guint) length);
  g_byte_array_append (frame, zeros, (guint) (loky_frame_size ((guint32) length) - frame->len));
  return frame;
}

void
send_frame (guint8 type, guint32 slot, guint64 number, gconstpointer body, gsize length)
{
  g_autoptr (GByteArray) frame = make_frame (type, slot, number, body, length, 0);

  put (frame->data, frame->len, NULL, 0);
}

void
send_variant (guint8 type, guint32 slot, guint64 number, GVariant *body)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (body);

  send_frame (type, slot, number, g_variant_get_data (owned), g_variant_get_size (owned));
}

void
mark_sent (void)
{
  gint n = g_atomic_int_get (&me.board->n_sent_marks);

  if (me.obeys || n >= HOSTILE_MAX_MARKS)
    return;
  g_atomic_int_set (&me.board->sent_marks[n], (gint) me.n_sent);
  g_atomic_int_set (&me.board->n_sent_marks, n + 1);
}

static void
mark_read (void)
{
  gint n = g_atomic_int_get (&me.board->n_read_marks);

  if (me.obeys || n >= HOSTILE_MAX_MARKS)
    return;
  g_atomic_int_set (&me.board->read_marks[n], (gint) me.n_read);
  g_atomic_int_set (&me.board->n_read_marks, n + 1);
}

/* The body of a RESULT; with a @size of its own the data is left out. */
GByteArray *
make_value (const char *type, gconstpointer data, gsize data_size, const LokyValueMessage *extra)
{
  static const guint8 zeros[8];
  GByteArray *body = g_byte_array_new ();
  LokyValueMessage value = { .type = type, .size = data_size, .run_time = 1000 };

  if (extra != NULL)
    value = *extra;
  value.type = type;
  loky_message_append_value (body, &value);
  if (data_size > 0)
    g_byte_array_append (body, data, (guint) data_size);
  if (body->len % 8 != 0)
    g_byte_array_append (body, zeros, 8 - body->len % 8);
  return body;
}

gsize
value_length (const char *type, gsize data_size)
{
  LokyValueMessage value = { .type = type };

  return loky_message_value_overhead (&value) + data_size;
}

GByteArray *
make_result (guint32 slot, guint64 number, const char *text)
{
  g_autoptr (GByteArray) body = make_value ("s", text, strlen (text) + 1, NULL);

  return make_frame (LOKY_MESSAGE_RESULT, slot, number, body->data,
                     value_length ("s", strlen (text) + 1), 0);
}

void
send_result (guint32 slot, guint64 number, const char *text)
{
  g_autoptr (GByteArray) frame = make_result (slot, number, text);

  put (frame->data, frame->len, NULL, 0);
}

void
send_failure (const Task *task, const char *domain, gint32 code, const char *message)
{
  send_variant (LOKY_MESSAGE_FAILURE, task->slot, task->number,
                g_variant_new (LOKY_MESSAGE_FAILURE_TYPE, domain, code, message, (gint64) 1000));
}

void
answer (const Task *task)
{
  send_result (task->slot, task->number, task->text);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void
get (gpointer out, gsize size, int *fds, guint *n_fds)
{
  gsize done = 0;

  while (done < size)
    {
      char control[CMSG_SPACE (sizeof (int) * LOKY_FRAME_MAX_FDS)]
          __attribute__ ((aligned (__alignof__ (struct cmsghdr))));
      gsize now = size - done;
      struct iovec vector;
      struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
                                .msg_controllen = sizeof control };
      ssize_t got;

      if (me.kill_read >= 0)
        now = MIN (now, (gsize) (me.kill_read - me.n_read));
      if (now == 0)
        die ();
      vector = (struct iovec){ (guint8 *) out + done, now };
      got = recvmsg (CHANNEL_FD, &message, MSG_CMSG_CLOEXEC);
      if (got <= 0)
        _exit (1);
      for (struct cmsghdr *header = CMSG_FIRSTHDR (&message); header != NULL;
           header = CMSG_NXTHDR (&message, header))
        {
          gsize n = (header->cmsg_len - CMSG_LEN (0)) / sizeof (int);

          if (header->cmsg_type != SCM_RIGHTS)
            continue;
          memcpy (fds + *n_fds, CMSG_DATA (header), n * sizeof (int));
          *n_fds += (guint) n;
        }
      done += (gsize) got;
      me.n_read += got;
      if (me.kill_read >= 0 && me.n_read == me.kill_read)
        die ();
    }
}

/* It does not look at the ring: by saying that it sleeps, with nothing on its way, it has all tasks sent. */
void
have_tasks_sent (void)
{
  loky_control_note_handled (&me.control, G_MAXUINT64);
  loky_control_set_asleep (&me.control, TRUE);
}

void
read_frame (Frame *frame)
{
  guint8 wire[LOKY_FRAME_HEADER_SIZE];
  gsize size;

  frame->n_fds = 0;
  get (wire, sizeof wire, frame->fds, &frame->n_fds);
  if (loky_frame_decode (wire, sizeof wire, &frame->header, &size, NULL) == LOKY_FRAME_INVALID)
    _exit (2);
  frame->body = g_malloc (size - sizeof wire + 8);
  get (frame->body, size - sizeof wire, frame->fds, &frame->n_fds);
  mark_read ();
}

void
frame_clear (Frame *frame)
{
  for (guint i = 0; i < frame->n_fds; i++)
    close (frame->fds[i]);
  g_free (frame->body);
}

/* The argument is a string, in the frame or in a segment; of a chunk of strings the first one. */
void
parse_task (Frame *frame, Task *task)
{
  LokyValueMessage value;
  char *colon;

  if (!loky_message_parse_value (&frame->header, frame->body, &value, NULL))
    _exit (3);
  task->slot = frame->header.slot;
  task->number = frame->header.number;
  task->text = g_malloc0 (value.size + 1);
  if (value.place == LOKY_PLACE_INLINE)
    memcpy (task->text, value.data, value.size);
  else if (pread (frame->fds[0], task->text, value.size, 0) != (ssize_t) value.size)
    _exit (4);
  if (value.place == LOKY_PLACE_SEGMENT)
    send_frame (LOKY_MESSAGE_RELEASE, 0, value.segment, NULL, 0);
  colon = strchr (task->text, ':');
  task->argument = colon != NULL ? colon + 1 : "";
}

void
say_hello (const char *version)
{
  send_variant (LOKY_MESSAGE_HELLO, 0, 0,
                g_variant_new (LOKY_MESSAGE_HELLO_TYPE, version, (guint32) getpid ()));
}
