/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A worker program that speaks the protocol of the library until it is told to do otherwise: at its start
 * by the board (hostile-board.h), in a task by the task's argument, a string "ORDER" or "ORDER:ARGUMENT".
 * What is no order is returned as the result. The name of the task does not matter.
 *
 * It is written without the channel of the library, which would not let it misbehave. One idea a function;
 * the tables at the end name them. */

#include <fcntl.h>
#include <gio/gio.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "hostile-board.h"
#include "loky-control-private.h"
#include "loky-message-private.h"
#include "loky-version.h"

#define CHANNEL_FD STDIN_FILENO

/* As many as the kernel takes in one message. */
#define MAX_FDS 253

#define VALUE_HEADER_SIZE 32

typedef struct
{
  guint32 slot;
  guint64 number;
  char *text; /* the argument */
  const char *argument; /* what follows the colon, or "" */
} Task;

static struct
{
  HostileBoard *board;
  LokyControl control;
  int doorbell;
  gint64 n_sent;
  gint64 n_read;
  gint64 kill_sent;
  gint64 kill_read;
  gboolean obeys;
  char start_order[64];
} me = { .doorbell = -1, .kill_sent = -1, .kill_read = -1 };

static void G_GNUC_NORETURN
die (void)
{
  for (;;)
    {
      kill (getpid (), SIGKILL);
      pause ();
    }
}

static void G_GNUC_NORETURN
hang (void)
{
  for (;;)
    pause ();
}

/* --- sending ---------------------------------------------------------------------------------- */

static void
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
static void
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
static GByteArray *
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

static void
send_frame (guint8 type, guint32 slot, guint64 number, gconstpointer body, gsize length)
{
  g_autoptr (GByteArray) frame = make_frame (type, slot, number, body, length, 0);

  put (frame->data, frame->len, NULL, 0);
}

static void
send_variant (guint8 type, guint32 slot, guint64 number, GVariant *body)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (body);

  send_frame (type, slot, number, g_variant_get_data (owned), g_variant_get_size (owned));
}

static void
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
static GByteArray *
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

static gsize
value_length (const char *type, gsize data_size)
{
  LokyValueMessage value = { .type = type };

  return loky_message_value_overhead (&value) + data_size;
}

static GByteArray *
make_result (guint32 slot, guint64 number, const char *text)
{
  g_autoptr (GByteArray) body = make_value ("s", text, strlen (text) + 1, NULL);

  return make_frame (LOKY_MESSAGE_RESULT, slot, number, body->data,
                     value_length ("s", strlen (text) + 1), 0);
}

static void
send_result (guint32 slot, guint64 number, const char *text)
{
  g_autoptr (GByteArray) frame = make_result (slot, number, text);

  put (frame->data, frame->len, NULL, 0);
}

static void
send_failure (const Task *task, const char *domain, gint32 code, const char *message)
{
  send_variant (LOKY_MESSAGE_FAILURE, task->slot, task->number,
                g_variant_new (LOKY_MESSAGE_FAILURE_TYPE, domain, code, message, (gint64) 1000));
}

static void
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

typedef struct
{
  LokyFrameHeader header;
  guint8 *body; /* with 8 bytes more */
  int fds[2 * LOKY_FRAME_MAX_FDS];
  guint n_fds;
} Frame;

static void
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

static void
frame_clear (Frame *frame)
{
  for (guint i = 0; i < frame->n_fds; i++)
    close (frame->fds[i]);
  g_free (frame->body);
}

/* The argument is a string, in the frame or in a segment. */
static void
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

/* --- orders: frames that are none ------------------------------------------------------------- */

/* A result whose header was changed at @offset. It does not begin another task before it is killed. */
static void
send_spoilt (const Task *task, guint offset, gconstpointer bytes, guint size)
{
  g_autoptr (GByteArray) frame = make_result (task->slot, task->number, "spoilt");

  memcpy (frame->data + offset, bytes, size);
  put (frame->data, frame->len, NULL, 0);
  hang ();
}

static void
obey_magic (Task *task)
{
  send_spoilt (task, 0, "EVIL", 4);
}

static void
obey_version (Task *task)
{
  send_spoilt (task, 4, "\x63", 1);
}

static void
obey_n_fds (Task *task)
{
  send_spoilt (task, 6, "\xff", 1);
}

static void
obey_missing_fds (Task *task)
{
  send_spoilt (task, 6, "\x01", 1);
}

static void
obey_reserved (Task *task)
{
  send_spoilt (task, 7, "\x01", 1);
}

static void
obey_length (Task *task)
{
  guint32 length = (guint32) g_ascii_strtoull (task->argument, NULL, 10);

  send_spoilt (task, 8, &length, sizeof length);
}

static void
obey_slot (Task *task)
{
  guint32 slot = (guint32) g_ascii_strtoull (task->argument, NULL, 10);

  send_spoilt (task, 12, &slot, sizeof slot);
}

static void
obey_number (Task *task)
{
  guint64 number = g_ascii_strtoull (task->argument, NULL, 10);

  send_spoilt (task, 16, &number, sizeof number);
}

/* The size that the value says to have: in the frame, or in a segment. */
static void
obey_value_size (Task *task)
{
  guint64 size = g_ascii_strtoull (task->argument, NULL, 10);

  send_spoilt (task, LOKY_FRAME_HEADER_SIZE, &size, sizeof size);
}

static void
obey_type_length (Task *task)
{
  send_spoilt (task, LOKY_FRAME_HEADER_SIZE + 28, "\xff\xff", 2);
}

static void
obey_place (Task *task)
{
  send_spoilt (task, LOKY_FRAME_HEADER_SIZE + 30, "\x07", 1);
}

static void
obey_type_string (Task *task)
{
  send_spoilt (task, LOKY_FRAME_HEADER_SIZE + VALUE_HEADER_SIZE, "*", 1);
}

/* A string without its end. */
static void
obey_not_normal (Task *task)
{
  g_autoptr (GByteArray) body = make_value ("s", "abc", 3, NULL);

  send_frame (LOKY_MESSAGE_RESULT, task->slot, task->number, body->data, value_length ("s", 3));
}

static void
obey_type (Task *task)
{
  guint8 type = (guint8) g_ascii_strtoull (task->argument, NULL, 10);

  send_frame (type, task->slot, task->number, NULL, 0);
  hang ();
}

static void
obey_bad_failure (Task *task)
{
  send_frame (LOKY_MESSAGE_FAILURE, task->slot, task->number, "\xff\xfe\xfd\xfc nonsense", 13);
  hang ();
}

static void
obey_bad_text (Task *task)
{
  g_autoptr (GVariant) good = g_variant_ref_sink (
      g_variant_new (LOKY_MESSAGE_FAILURE_TYPE, "a", 1, "MARK", (gint64) 1));
  g_autofree guint8 *bytes = g_memdup2 (g_variant_get_data (good), g_variant_get_size (good));
  guint8 *mark = memmem (bytes, g_variant_get_size (good), "MARK", 4);

  memcpy (mark, "\xff\xfe\xc0\x81", 4);
  send_frame (LOKY_MESSAGE_FAILURE, task->slot, task->number, bytes, g_variant_get_size (good));
  hang ();
}

/* So many bytes of a frame, then nothing. */
static void
obey_silence (Task *task)
{
  g_autoptr (GByteArray) frame = make_result (task->slot, task->number, "silence");
  guint size = (guint) g_ascii_strtoull (task->argument, NULL, 10);

  put (frame->data, MIN (size, frame->len), NULL, 0);
  hang ();
}

/* --- orders: answers that are not due --------------------------------------------------------- */

static void
obey_again (Task *task)
{
  g_autoptr (GByteArray) frame = make_result (task->slot, task->number, task->text);
  g_autoptr (GByteArray) other = make_result (task->slot, task->number, "second");

  /* In one piece: both are read before the first one is told. */
  g_byte_array_append (frame, other->data, other->len);
  put (frame->data, frame->len, NULL, 0);
  hang ();
}

static void
obey_again_later (Task *task)
{
  answer (task);
  g_usleep (20000);
  send_result (task->slot, task->number, "second");
  hang ();
}

static void
obey_failure_then_result (Task *task)
{
  send_failure (task, "g-io-error-quark", G_IO_ERROR_NOT_FOUND, "first");
  send_result (task->slot, task->number, "second");
  hang ();
}

/* Reads on, and answers for the first task that was taken back. */
static void
obey_steal (Task *task)
{
  for (;;)
    {
      LokyControlSlot *slot;
      Frame frame;
      guint64 word;

      read_frame (&frame);
      if (frame.header.type != LOKY_MESSAGE_TASK)
        continue;
      slot = &me.control.area->slots[frame.header.slot];
      g_atomic_int_inc (&me.board->n_holding);
      do
        {
          g_usleep (100);
          word = __atomic_load_n (&slot->word, __ATOMIC_ACQUIRE);
        }
      while (word == (frame.header.number << 2 | LOKY_SLOT_QUEUED));
      send_result (frame.header.slot, frame.header.number, "stolen");
      hang ();
    }
}

/* Answers for the task that another worker holds. */
static void
obey_other (Task *task)
{
  send_result ((guint32) g_atomic_int_get (&me.board->held_slot),
               (guint64) g_atomic_int_get (&me.board->held_number), "stolen");
  hang ();
}

static void
obey_hello_again (Task *task)
{
  send_variant (LOKY_MESSAGE_HELLO, 0, 0,
                g_variant_new (LOKY_MESSAGE_HELLO_TYPE, LOKY_VERSION_S, (guint32) getpid ()));
  hang ();
}

static void
obey_goodbye (Task *task)
{
  send_frame (LOKY_MESSAGE_GOODBYE, 0, 0, NULL, 0);
  hang ();
}

static void
obey_start_failed (Task *task)
{
  for (guint i = 0; i < 100; i++)
    send_variant (LOKY_MESSAGE_START_FAILED, 0, i, g_variant_new ("(s)", "too late"));
  answer (task);
}

static void
obey_shut (Task *task)
{
  shutdown (CHANNEL_FD, (int) g_ascii_strtoll (task->argument, NULL, 10));
  hang ();
}

static void
obey_close (Task *task)
{
  close (CHANNEL_FD);
  hang ();
}

/* --- orders: descriptors ---------------------------------------------------------------------- */

static int
make_memory (gsize size, gboolean is_written)
{
  int fd = memfd_create ("loky-hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (ftruncate (fd, (off_t) size) != 0)
    _exit (5);
  if (is_written)
    {
      g_autofree char *text = g_malloc (size);

      memset (text, 'm', size);
      text[size - 1] = '\0';
      if (pwrite (fd, text, size, 0) != (ssize_t) size)
        _exit (6);
    }
  return fd;
}

/* A TCP socket with so much unsent that closing it lingers, for as long as the test listens. */
static int
make_lingering (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr = { htonl (INADDR_LOOPBACK) },
                                 .sin_port = htons ((guint16) me.board->port) };
  struct linger linger = { 1, 600 };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  static char junk[65536];

  if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0)
    _exit (7);
  while (send (fd, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
    ;
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  return fd;
}

static int
make_descriptor (const char *kind)
{
  struct linger linger = { 1, 600 };
  int ends[2];

  if (g_str_equal (kind, "pipe"))
    return pipe2 (ends, O_CLOEXEC) == 0 ? ends[0] : -1;
  if (g_str_equal (kind, "socket"))
    {
      if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
      setsockopt (ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
      return ends[0];
    }
  if (g_str_equal (kind, "linger"))
    return make_lingering ();
  if (g_str_equal (kind, "eventfd"))
    return eventfd (0, EFD_CLOEXEC);
  if (g_str_equal (kind, "epoll"))
    return epoll_create1 (EPOLL_CLOEXEC);
  if (g_str_equal (kind, "folder"))
    return open ("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (g_str_equal (kind, "path"))
    return open ("/proc/self/exe", O_PATH | O_CLOEXEC);
  if (g_str_equal (kind, "file"))
    return open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (g_str_equal (kind, "channel"))
    return dup (CHANNEL_FD);
  return make_memory (4096, TRUE);
}

/* One descriptor of that kind, with a frame that asks for one. */
static void
obey_fd (Task *task)
{
  int fd = make_descriptor (task->argument);
  g_autoptr (GByteArray) frame = make_result (task->slot, task->number, "fd");

  if (fd < 0)
    _exit (8);
  frame->data[6] = 1;
  put_once (frame->data, frame->len, &fd, 1, &(gsize){ 0 });
  close (fd);
  hang ();
}

/* As many as one message takes, in a frame that asks for none. */
static void
obey_fds (Task *task)
{
  g_autoptr (GByteArray) frame = make_result (task->slot, task->number, "fds");
  int fds[MAX_FDS];

  for (guint i = 0; i < MAX_FDS; i++)
    fds[i] = make_descriptor (task->argument);
  put_once (frame->data, frame->len, fds, MAX_FDS, &(gsize){ 0 });
  for (guint i = 0; i < MAX_FDS; i++)
    close (fds[i]);
  hang ();
}

/* Sixty-four with each of very many frames that ask for none. */
static void
obey_fd_flood (Task *task)
{
  g_autoptr (GByteArray) frame
      = make_frame (LOKY_MESSAGE_PROGRESS, task->slot, task->number, NULL, 0, 0);
  int fds[LOKY_FRAME_MAX_FDS];

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = make_memory (4096, FALSE);
  for (;;)
    put_once (frame->data, frame->len, fds, G_N_ELEMENTS (fds), &(gsize){ 0 });
}

/* What nobody reads any more holds a descriptor whose closing lingers. */
static void
obey_unread_linger (Task *task)
{
  g_autoptr (GByteArray) frame = make_result (task->slot, task->number, "unread");
  int memory = make_memory (4096, TRUE);
  int fd = make_lingering ();

  /* A read ends behind bytes that descriptors came with: the next ones stay in the socket. */
  frame->data[0] = 'X';
  put_once (frame->data, frame->len, &memory, 1, &(gsize){ 0 });
  put_once (frame->data, 1, &fd, 1, &(gsize){ 0 });
  close (fd);
  hang ();
}

/* By the doorbell, which the parent never reads. */
static void
obey_ring_linger (Task *task)
{
  char control[CMSG_SPACE (sizeof (int))] __attribute__ ((aligned (__alignof__ (struct cmsghdr))));
  struct msghdr message = { .msg_control = control, .msg_controllen = sizeof control };
  struct cmsghdr *header;
  int fd = make_lingering ();

  memset (control, 0, sizeof control);
  header = CMSG_FIRSTHDR (&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof (int));
  memcpy (CMSG_DATA (header), &fd, sizeof fd);
  if (sendmsg (me.doorbell, &message, MSG_NOSIGNAL) == 0)
    close (fd);
  send_frame (99, 0, 0, NULL, 0);
  hang ();
}

/* --- orders: values in shared memory ---------------------------------------------------------- */

static void
send_segment (const Task *task, int fd, guint64 size)
{
  LokyValueMessage value = { .size = size, .run_time = 1000, .place = LOKY_PLACE_SEGMENT,
                             .segment = 1 };
  g_autoptr (GByteArray) body = make_value ("s", NULL, 0, &value);
  g_autoptr (GByteArray) frame = make_frame (LOKY_MESSAGE_RESULT, task->slot, task->number,
                                             body->data, body->len, 1);

  put (frame->data, frame->len, &fd, 1);
}

/* "segment:HOW" */
static void
obey_segment (Task *task)
{
  const char *how = task->argument;
  gsize size = 1 << 16;
  int fd = make_memory (size, !g_str_equal (how, "hole"));
  int other;

  if (g_str_equal (how, "shrunk") && ftruncate (fd, 100) != 0)
    _exit (9);
  if (g_str_equal (how, "empty") && ftruncate (fd, 0) != 0)
    _exit (9);
  if (g_str_equal (how, "write-only"))
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

      other = open (path, O_WRONLY | O_CLOEXEC);
      close (fd);
      fd = other;
    }
  if (g_str_equal (how, "tmpfs"))
    {
      g_autofree char *path = g_strdup_printf ("/dev/shm/loky-hostile-%d", (int) getpid ());

      other = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      unlink (path);
      if (other < 0 || pwrite (other, "abc", 4, (off_t) size - 4) != 4)
        _exit (9);
      close (fd);
      fd = other;
    }
  if (g_str_equal (how, "huge"))
    size = G_GUINT64_CONSTANT (1) << 63;
  if (g_str_equal (how, "small"))
    {
      close (fd);
      fd = make_memory (8, TRUE);
      size = 8;
    }
  send_segment (task, fd, size);
  close (fd);
  /* What was good is enough. */
  if (!g_str_equal (how, "good") && !g_str_equal (how, "small"))
    hang ();
}

typedef struct
{
  int fd;
  gsize size;
  gboolean rewrites;
  gint stops;
} Spoiler;

static gpointer
spoil (gpointer data)
{
  Spoiler *self = data;
  guint8 *map = mmap (NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);

  for (guint8 i = 1; !g_atomic_int_get (&self->stops); i++)
    {
      if (self->rewrites)
        memset (map, i % 8 == 0 ? 0 : 'a' + i % 8, self->size - 1);
      else if (i % 2 != 0)
        {
          g_usleep (200);
          if (ftruncate (self->fd, 4096) != 0)
            _exit (10);
        }
      else if (fallocate (self->fd, 0, 0, (off_t) self->size) != 0)
        _exit (10);
    }
  munmap (map, self->size);
  return NULL;
}

/* Changed by another thread from before it is sent until long after. */
static void
spoil_segment (Task *task, gboolean rewrites)
{
  Spoiler spoiler = { .size = 1 << 20, .rewrites = rewrites };
  GThread *thread;

  spoiler.fd = make_memory (spoiler.size, TRUE);
  thread = g_thread_new ("spoiler", spoil, &spoiler);
  send_segment (task, spoiler.fd, spoiler.size);
  g_usleep (5000);
  g_atomic_int_set (&spoiler.stops, TRUE);
  g_thread_join (thread);
  close (spoiler.fd);
}

static void
obey_shrink (Task *task)
{
  spoil_segment (task, FALSE);
}

static void
obey_rewrite (Task *task)
{
  spoil_segment (task, TRUE);
}

static int
make_buffer (const char *how, gsize size)
{
  const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  int fd = make_memory (size, !g_str_equal (how, "hole") && !g_str_equal (how, "beyond"));

  if (g_str_equal (how, "unsealed"))
    return fd;
  if (g_str_equal (how, "no-write-seal"))
    fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  else if (g_str_equal (how, "future-write"))
    fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | 0x0010 | F_SEAL_SEAL);
  else if (g_str_equal (how, "no-shrink-seal"))
    fcntl (fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  else
    {
      /* Blocks behind the end are counted like those of the content. */
      if (g_str_equal (how, "beyond") &&
          fallocate (fd, FALLOC_FL_KEEP_SIZE, (off_t) size, (off_t) size) != 0)
        _exit (11);
      fcntl (fd, F_ADD_SEALS, all);
    }
  if (g_str_equal (how, "write-only"))
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
      int other = open (path, O_WRONLY | O_CLOEXEC);

      close (fd);
      fd = other;
    }
  if (g_str_equal (how, "huge-pages"))
    {
      close (fd);
      fd = memfd_create ("loky-hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
      /* Not every kernel has them. */
      if (fd < 0)
        return make_memory (size, TRUE);
      if (ftruncate (fd, 2 << 20) != 0)
        _exit (11);
      fcntl (fd, F_ADD_SEALS, all);
    }
  return fd;
}

/* "buffer:HOW": a handle, and a buffer behind it. */
static void
obey_buffer (Task *task)
{
  const char *how = task->argument;
  gsize size = 1 << 16;
  LokyBufferRecord record = { .handle = 1, .size = g_str_equal (how, "longer") ? size + 1 : size };
  LokyValueMessage value = { .size = 4, .run_time = 1000, .buffers = &record, .n_buffers = 1 };
  g_autoptr (GByteArray) body = NULL;
  g_autoptr (GByteArray) frame = NULL;
  gint32 handle = 1;
  int fd = make_buffer (how, size);

  if (g_str_equal (how, "huge-pages"))
    record.size = 2 << 20;
  body = make_value ("h", &handle, sizeof handle, &value);
  value.type = "h";
  frame = make_frame (LOKY_MESSAGE_RESULT, task->slot, task->number, body->data,
                      loky_message_value_overhead (&value) + sizeof handle, 1);
  put (frame->data, frame->len, &fd, 1);
  close (fd);
  if (!g_str_equal (how, "huge-pages") && !g_str_equal (how, "write-only"))
    hang ();
}

/* --- orders: the control area ----------------------------------------------------------------- */

static void
scribble (const char *how)
{
  guint8 *area = (guint8 *) me.control.area;

  if (g_str_equal (how, "ones"))
    memset (area, 0xff, sizeof (LokyControlArea));
  else if (g_str_equal (how, "zeros"))
    memset (area, 0, sizeof (LokyControlArea));
  else
    for (gsize i = 0; i < sizeof (LokyControlArea); i++)
      area[i] = (guint8) g_random_int ();
}

static void
obey_scribble (Task *task)
{
  scribble (task->argument);
  answer (task);
}

static void
obey_scribble_and_die (Task *task)
{
  scribble (task->argument);
  die ();
}

static void
obey_scribble_and_hang (Task *task)
{
  scribble (task->argument);
  hang ();
}

/* It began just now, at any time. */
static void
obey_young (Task *task)
{
  LokyControlSlot *slot = &me.control.area->slots[task->slot];

  for (;;)
    {
      __atomic_store_n (&slot->started, g_get_monotonic_time (), __ATOMIC_RELAXED);
      __atomic_store_n (&slot->word, task->number << 2 | LOKY_SLOT_RUNNING, __ATOMIC_RELEASE);
      g_usleep (500);
    }
}

/* It has not begun, at any time. */
static void
obey_pending (Task *task)
{
  LokyControlSlot *slot = &me.control.area->slots[task->slot];

  for (;;)
    {
      __atomic_store_n (&slot->word, task->number << 2 | LOKY_SLOT_QUEUED, __ATOMIC_RELEASE);
      g_usleep (500);
    }
}

static void
obey_progress (Task *task)
{
  static const gdouble values[] = { -1, 2, 1e308, -0.0 };
  gdouble value = g_random_int_range (0, 2) ? values[g_random_int_range (0, 4)] : (gdouble) NAN;
  guint64 bits;

  memcpy (&bits, &value, sizeof bits);
  __atomic_store_n (&me.control.area->slots[task->slot].progress, bits, __ATOMIC_RELAXED);
  for (guint i = 0; i < 20; i++)
    {
      send_frame (LOKY_MESSAGE_PROGRESS, task->slot, task->number, NULL, 0);
      g_usleep (10000);
    }
  answer (task);
}

/* --- orders: floods --------------------------------------------------------------------------- */

static void
flood (const Task *task, guint8 type, guint64 number, guint n)
{
  g_autoptr (GByteArray) frame = make_frame (type, task->slot, number, NULL, 0, 0);
  g_autoptr (GByteArray) many = g_byte_array_new ();

  for (guint i = 0; i < 1000; i++)
    g_byte_array_append (many, frame->data, frame->len);
  for (guint i = 0; n == 0 || i < n / 1000; i++)
    put (many->data, many->len, NULL, 0);
}

/* "flood:TYPE": a million of its own frames; then the result. */
static void
obey_flood (Task *task)
{
  guint8 type = (guint8) g_ascii_strtoull (task->argument, NULL, 10);

  flood (task, type, type == LOKY_MESSAGE_RELEASE ? G_MAXUINT64 : task->number, 1000000);
  answer (task);
}

static void
obey_flood_for_ever (Task *task)
{
  flood (task, LOKY_MESSAGE_PROGRESS, task->number, 0);
}

static void
obey_release (Task *task)
{
  for (guint64 number = 0; number < 1000; number++)
    send_frame (LOKY_MESSAGE_RELEASE, 0, number, NULL, 0);
  send_frame (LOKY_MESSAGE_RELEASE, G_MAXUINT32, G_MAXUINT64, NULL, 0);
  answer (task);
}

/* --- orders: errors --------------------------------------------------------------------------- */

static void
obey_fail (Task *task)
{
  send_failure (task, "g-io-error-quark", G_IO_ERROR_NOT_FOUND, "as ordered");
}

static void
obey_domain (Task *task)
{
  g_autofree char *domain = NULL;

  if (g_str_equal (task->argument, "long"))
    domain = g_strnfill (1 << 19, 'd');
  else if (g_str_equal (task->argument, "odd"))
    domain = g_strdup ("odd\n\033[31m“domain”%s%n");
  else
    domain = g_strdup (task->argument);
  send_failure (task, domain, G_MININT32, "of a made-up domain");
}

static void
obey_message (Task *task)
{
  g_autofree char *message = g_strnfill (1000 * 1000, 'e');

  send_failure (task, "g-io-error-quark", G_IO_ERROR_FAILED, message);
}

/* --- orders: life and death ------------------------------------------------------------------- */

static void
obey_die (Task *task)
{
  die ();
}

static void
obey_answer_and_die (Task *task)
{
  answer (task);
  die ();
}

static void
obey_hang (Task *task)
{
  hang ();
}

static void
obey_stop (Task *task)
{
  raise (SIGSTOP);
  answer (task);
}

static void
obey_hold (Task *task)
{
  g_atomic_int_set (&me.board->held_slot, (gint) task->slot);
  g_atomic_int_set (&me.board->held_number, (gint) task->number);
  g_atomic_int_set (&me.board->held_pid, (gint) getpid ());
  g_atomic_int_inc (&me.board->n_holding);
  while (!g_atomic_int_get (&me.board->go_on))
    g_usleep (200);
  answer (task);
}

/* Until it is cancelled, which it sees in the control area: it never reads the doorbell. */
static void
obey_until_cancelled (Task *task)
{
  while (!loky_control_is_cancelled (&me.control, task->slot, task->number))
    g_usleep (100);
  send_failure (task, "g-io-error-quark", G_IO_ERROR_CANCELLED, "cancelled");
}

/* Rings back until there is no more room. */
static void
obey_ring (Task *task)
{
  while (send (me.doorbell, "ring", 4, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
    ;
  answer (task);
}

/* Only a worker of ours: the number may be somebody else's by now. */
static gboolean
is_worker (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/comm", (int) pid);
  g_autofree char *name = NULL;

  return g_file_get_contents (path, &name, NULL, NULL) && g_str_has_prefix (name, "hostile-worker") &&
         getpgid (pid) == pid;
}

/* "massacre:N": when N are at it, each kills all others; "massacre:0" does not wait. */
static void
obey_massacre (Task *task)
{
  gint n = (gint) g_ascii_strtoll (task->argument, NULL, 10);
  gint n_started;

  g_atomic_int_inc (&me.board->n_holding);
  while (g_atomic_int_get (&me.board->n_holding) < n)
    g_usleep (100);
  n_started = g_atomic_int_get (&me.board->n_started);
  for (gint i = 0; i < MIN (n_started, HOSTILE_MAX_WORKERS); i++)
    {
      pid_t pid = g_atomic_int_get (&me.board->pids[i]);

      if (pid > 1 && pid != getpid () && is_worker (pid))
        kill (pid, SIGKILL);
    }
  answer (task);
}

static void
obey_sum (Task *task)
{
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA1, task->argument, -1);

  send_result (task->slot, task->number, sum);
}

/* --- the orders of a start -------------------------------------------------------------------- */

static void
say_hello (const char *version)
{
  send_variant (LOKY_MESSAGE_HELLO, 0, 0,
                g_variant_new (LOKY_MESSAGE_HELLO_TYPE, version, (guint32) getpid ()));
}

static void
start_version (const char *argument)
{
  say_hello ("0.0.1");
  hang ();
}

static void
start_frame_version (const char *argument)
{
  g_autoptr (GByteArray) frame = make_frame (LOKY_MESSAGE_HELLO, 0, 0, "", 0, 0);

  frame->data[4] = LOKY_FRAME_VERSION + 1;
  put (frame->data, frame->len, NULL, 0);
  hang ();
}

static void
start_junk (const char *argument)
{
  g_autofree char *junk = g_strnfill (1 << 16, '?');

  put (junk, 1 << 16, NULL, 0);
  hang ();
}

static void
start_silent (const char *argument)
{
  hang ();
}

static void
start_exit (const char *argument)
{
  g_printerr ("the last words of a worker\n");
  _exit ((int) g_ascii_strtoll (argument, NULL, 10));
}

static void
start_hello_twice (const char *argument)
{
  say_hello (LOKY_VERSION_S);
  say_hello (LOKY_VERSION_S);
  hang ();
}

static void
start_result (const char *argument)
{
  send_result (0, 1, "before hello");
  hang ();
}

static void
start_goodbye (const char *argument)
{
  send_frame (LOKY_MESSAGE_GOODBYE, 0, 0, NULL, 0);
  hang ();
}

static void
start_failed (const char *argument)
{
  g_autofree char *text = NULL;

  if (g_str_equal (argument, "long"))
    text = g_strnfill (1000 * 1000, 'f');
  else if (g_str_equal (argument, "odd"))
    text = g_strdup ("odd\n\t\033[31m“text”%s%n");
  else
    text = g_strdup (argument);
  if (g_str_equal (argument, "not-utf8"))
    send_frame (LOKY_MESSAGE_START_FAILED, 0, 0, "\xff\xfe\xfd", 4);
  else
    send_variant (LOKY_MESSAGE_START_FAILED, 0, 0, g_variant_new ("(s)", text));
  _exit (70);
}

/* These then serve. */
static void
start_scribble (const char *argument)
{
  scribble (argument);
}

static void
start_release (const char *argument)
{
  for (guint64 number = 0; number < 1000; number++)
    send_frame (LOKY_MESSAGE_RELEASE, 0, number, NULL, 0);
}

static const struct
{
  const char *name;
  void (*func) (const char *argument);
} start_orders[] = {
  { "version", start_version },
  { "frame-version", start_frame_version },
  { "junk", start_junk },
  { "silent", start_silent },
  { "exit", start_exit },
  { "hello-twice", start_hello_twice },
  { "result", start_result },
  { "goodbye", start_goodbye },
  { "failed", start_failed },
  { "scribble", start_scribble },
  { "release", start_release },
};

static const struct
{
  const char *name;
  void (*func) (Task *task);
} task_orders[] = {
  { "magic", obey_magic },
  { "version", obey_version },
  { "n-fds", obey_n_fds },
  { "missing-fds", obey_missing_fds },
  { "reserved", obey_reserved },
  { "length", obey_length },
  { "slot", obey_slot },
  { "number", obey_number },
  { "value-size", obey_value_size },
  { "type-length", obey_type_length },
  { "place", obey_place },
  { "type-string", obey_type_string },
  { "not-normal", obey_not_normal },
  { "type", obey_type },
  { "bad-failure", obey_bad_failure },
  { "bad-text", obey_bad_text },
  { "silence", obey_silence },
  { "again", obey_again },
  { "again-later", obey_again_later },
  { "failure-then-result", obey_failure_then_result },
  { "steal", obey_steal },
  { "other", obey_other },
  { "hello-again", obey_hello_again },
  { "goodbye", obey_goodbye },
  { "start-failed", obey_start_failed },
  { "shut", obey_shut },
  { "close", obey_close },
  { "fd", obey_fd },
  { "fds", obey_fds },
  { "fd-flood", obey_fd_flood },
  { "unread-linger", obey_unread_linger },
  { "ring-linger", obey_ring_linger },
  { "segment", obey_segment },
  { "shrink", obey_shrink },
  { "rewrite", obey_rewrite },
  { "buffer", obey_buffer },
  { "scribble", obey_scribble },
  { "scribble-and-die", obey_scribble_and_die },
  { "scribble-and-hang", obey_scribble_and_hang },
  { "young", obey_young },
  { "pending", obey_pending },
  { "progress", obey_progress },
  { "flood", obey_flood },
  { "flood-for-ever", obey_flood_for_ever },
  { "release", obey_release },
  { "fail", obey_fail },
  { "domain", obey_domain },
  { "message", obey_message },
  { "die", obey_die },
  { "answer-and-die", obey_answer_and_die },
  { "hang", obey_hang },
  { "stop", obey_stop },
  { "hold", obey_hold },
  { "until-cancelled", obey_until_cancelled },
  { "ring", obey_ring },
  { "massacre", obey_massacre },
  { "sum", obey_sum },
};

/* --- the loop --------------------------------------------------------------------------------- */

static void
run_task (Frame *frame)
{
  Task task;
  gsize length;
  gsize i = 0;

  parse_task (frame, &task);
  length = strcspn (task.text, ":");
  if (loky_control_claim (&me.control, task.slot, task.number))
    {
      g_atomic_int_inc (&me.board->n_begun);
      while (i < G_N_ELEMENTS (task_orders) &&
             (strlen (task_orders[i].name) != length ||
              strncmp (task_orders[i].name, task.text, length) != 0))
        i++;
      if (i < G_N_ELEMENTS (task_orders))
        task_orders[i].func (&task);
      else
        answer (&task);
      mark_sent ();
    }
  g_free (task.text);
}

static void
obey_start_order (void)
{
  gsize length = strcspn (me.start_order, ":");
  const char *colon = strchr (me.start_order, ':');

  for (gsize i = 0; i < G_N_ELEMENTS (start_orders); i++)
    if (strlen (start_orders[i].name) == length &&
        strncmp (start_orders[i].name, me.start_order, length) == 0)
      start_orders[i].func (colon != NULL ? colon + 1 : "");
}

/* The orders are for the workers that come first. */
static void
read_board (void)
{
  const char *path = g_getenv (HOSTILE_BOARD_VARIABLE);
  int fd = path != NULL ? open (path, O_RDWR | O_CLOEXEC) : -1;
  gint n;

  me.board = mmap (NULL, sizeof (HostileBoard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || me.board == MAP_FAILED)
    {
      g_printerr ("hostile-worker: there is no board at %s\n", path);
      _exit (12);
    }
  close (fd);
  n = g_atomic_int_add (&me.board->n_started, 1);
  g_atomic_int_set (&me.board->pids[n % HOSTILE_MAX_WORKERS], (gint) getpid ());
  if (g_atomic_int_add (&me.board->n_orders, -1) <= 0)
    {
      g_atomic_int_inc (&me.board->n_orders);
      return;
    }
  me.obeys = TRUE;
  me.kill_sent = g_atomic_int_get (&me.board->kill_sent);
  me.kill_read = g_atomic_int_get (&me.board->kill_read);
  g_strlcpy (me.start_order, me.board->start_order, sizeof me.start_order);
}

int
main (int argc, char **argv)
{
  Frame frame;
  sigset_t none;

  /* As the real one: a session of its own, whose group is killed with it. */
  setsid ();
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  syscall (SYS_close_range, 3, ~0u, 0);
  read_board ();
  if (me.kill_sent == 0 || me.kill_read == 0)
    die ();

  read_frame (&frame);
  if (frame.header.type != LOKY_MESSAGE_SETUP || frame.n_fds != 3 ||
      !loky_control_map (&me.control, frame.fds[0], NULL))
    _exit (13);
  me.doorbell = frame.fds[1];
  g_free (frame.body);
  obey_start_order ();
  say_hello (LOKY_VERSION_S);
  mark_sent ();

  for (;;)
    {
      read_frame (&frame);
      if (frame.header.type == LOKY_MESSAGE_TASK)
        run_task (&frame);
      if (frame.header.type == LOKY_MESSAGE_LEAVE)
        break;
      frame_clear (&frame);
    }
  send_frame (LOKY_MESSAGE_GOODBYE, 0, 0, NULL, 0);
  mark_sent ();
  _exit (0);
}
