/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Both ends of a channel in one process, or one end against raw bytes. */

#include "loky-attachment-private.h"
#include "loky-channel-private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "loky-error.h"

typedef struct
{
  LokyChannel *a;
  LokyChannel *b; /* NULL where the test wants the raw socket */
  int raw;
} Fixture;

static void
set_up_raw (Fixture *fixture, gconstpointer user_data)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  fixture->a = loky_channel_new (fds[0]);
  fixture->raw = fds[1];
}

static void
set_up (Fixture *fixture, gconstpointer user_data)
{
  set_up_raw (fixture, user_data);
  fixture->b = loky_channel_new (fixture->raw);
  fixture->raw = -1;
}

static void
tear_down (Fixture *fixture, gconstpointer user_data)
{
  loky_channel_free (fixture->a);
  g_clear_pointer (&fixture->b, loky_channel_free);
  if (fixture->raw >= 0)
    close (fixture->raw);
}

/* The next frame, waiting for it. */
static void
read_frame (LokyChannel *channel, LokyFrame *frame)
{
  g_autoptr (GError) error = NULL;
  LokyFrameStatus status;

  while ((status = loky_channel_next_frame (channel, frame, &error)) == LOKY_FRAME_NEED_MORE)
    {
      g_assert_cmpint (loky_channel_fill (channel, TRUE, &error), ==, LOKY_FILL_DATA);
      g_assert_no_error (error);
    }
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, LOKY_FRAME_COMPLETE);
}

static void
check_frame (LokyChannel *channel, guint8 type, guint32 slot, guint64 number)
{
  LokyFrame frame;

  read_frame (channel, &frame);
  g_assert_cmpuint (frame.header.type, ==, type);
  g_assert_cmpuint (frame.header.slot, ==, slot);
  g_assert_cmpuint (frame.header.number, ==, number);
  g_assert_cmpuint (frame.header.length, ==, 0);
}

static void
check_text_frame (LokyChannel *channel, guint64 number, const char *expected)
{
  g_autoptr (GVariant) body = NULL;
  g_autoptr (GError) error = NULL;
  LokyFrame frame;
  const char *text;

  read_frame (channel, &frame);
  g_assert_cmpuint (frame.header.number, ==, number);
  g_assert_cmpuint ((gsize) frame.body % 8, ==, 0);
  body = loky_message_parse_variant (&frame.header, frame.body, LOKY_MESSAGE_NAME_TYPE, &error);
  g_assert_no_error (error);
  g_variant_get (body, "(&s)", &text);
  g_assert_cmpstr (text, ==, expected);
}

static void
append_text (LokyChannel *channel, guint64 number, const char *text)
{
  loky_channel_append_variant (channel, LOKY_MESSAGE_TASK_NAME, 0, number,
                               g_variant_new (LOKY_MESSAGE_NAME_TYPE, text), NULL, 0);
}

static void
test_round_trip (Fixture *fixture, gconstpointer user_data)
{
  loky_channel_append (fixture->a, LOKY_MESSAGE_LEAVE, 7, G_MAXUINT64);
  append_text (fixture->a, 1, "checksum.sha256");
  append_text (fixture->a, 2, "");
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_EMPTY);
  check_frame (fixture->b, LOKY_MESSAGE_LEAVE, 7, G_MAXUINT64);
  check_text_frame (fixture->b, 1, "checksum.sha256");
  check_text_frame (fixture->b, 2, "");

  /* And the other way. */
  loky_channel_append (fixture->b, LOKY_MESSAGE_GOODBYE, 0, 0);
  g_assert_true (loky_channel_flush_wait (fixture->b));
  check_frame (fixture->a, LOKY_MESSAGE_GOODBYE, 0, 0);
  g_assert_cmpint (loky_channel_fill (fixture->a, FALSE, NULL), ==, LOKY_FILL_AGAIN);
}

/* Frames of many sizes, whose ends fall anywhere in what one read takes. */
static void
test_order (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *text = g_strnfill (1000, 'x');
  guint64 sent = 0;
  guint64 received = 0;

  while (received < 5000)
    {
      for (guint i = 0; i < 50; i++, sent++)
        append_text (fixture->a, sent, text + sent % 1000);
      g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_EMPTY);
      for (; received < sent; received++)
        check_text_frame (fixture->b, received, text + received % 1000);
    }
  g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_AGAIN);
}

static void
test_drained (Fixture *fixture, gconstpointer user_data)
{
  LokyFrame frame;

  loky_channel_append (fixture->a, LOKY_MESSAGE_PROGRESS, 0, 1);
  loky_channel_flush (fixture->a);
  g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_DATA);
  g_assert_true (loky_channel_is_drained (fixture->b));
  g_assert_cmpint (loky_channel_next_frame (fixture->b, &frame, NULL), ==, LOKY_FRAME_COMPLETE);

  for (guint i = 0; i < 5000; i++)
    loky_channel_append (fixture->a, LOKY_MESSAGE_PROGRESS, 0, 1);
  loky_channel_flush (fixture->a);
  g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_DATA);
  g_assert_false (loky_channel_is_drained (fixture->b));
}

/* The largest frame there is. */
static void
test_largest_body (Fixture *fixture, gconstpointer user_data)
{
  /* The text, its NUL; a tuple of one string has no further bytes. */
  g_autofree char *text = g_strnfill (LOKY_FRAME_MAX_BODY - 1, 'y');

  append_text (fixture->a, 1, text);
  append_text (fixture->a, 2, "after");
  while (loky_channel_flush (fixture->a) == LOKY_FLUSH_BLOCKED)
    g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_DATA);
  check_text_frame (fixture->b, 1, text);
  check_text_frame (fixture->b, 2, "after");
}

/* --- a raw peer ------------------------------------------------------------------------------- */

static void
test_byte_by_byte (Fixture *fixture, gconstpointer user_data)
{
  LokyFrameHeader header = { .type = LOKY_MESSAGE_HELLO, .length = 5, .slot = 1, .number = 2 };
  guint8 wire[LOKY_FRAME_HEADER_SIZE + 8] = { 0 };
  g_autoptr (GError) error = NULL;
  LokyFrame frame;

  loky_frame_encode_header (&header, wire);
  memcpy (wire + LOKY_FRAME_HEADER_SIZE, "12345", 5);
  for (guint round = 0; round < 3; round++)
    for (gsize i = 0; i < sizeof wire; i++)
      {
        gboolean is_last = i == sizeof wire - 1;

        g_assert_cmpint (write (fixture->raw, wire + i, 1), ==, 1);
        g_assert_cmpint (loky_channel_fill (fixture->a, FALSE, &error), ==, LOKY_FILL_DATA);
        g_assert_cmpint (loky_channel_next_frame (fixture->a, &frame, &error), ==,
                         is_last ? LOKY_FRAME_COMPLETE : LOKY_FRAME_NEED_MORE);
        g_assert_no_error (error);
        if (is_last)
          g_assert_cmpmem (frame.body, frame.header.length, "12345", 5);
      }
}

static void
test_garbage (Fixture *fixture, gconstpointer user_data)
{
  guint8 garbage[64];
  g_autoptr (GError) error = NULL;
  LokyFrame frame;

  memset (garbage, 0xa5, sizeof garbage);
  g_assert_cmpint (write (fixture->raw, garbage, sizeof garbage), ==, sizeof garbage);
  g_assert_cmpint (loky_channel_fill (fixture->a, FALSE, NULL), ==, LOKY_FILL_DATA);
  g_assert_cmpint (loky_channel_next_frame (fixture->a, &frame, &error), ==, LOKY_FRAME_INVALID);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

/* A frame that was sound is delivered before the garbage behind it is found. */
static void
test_garbage_behind_a_frame (Fixture *fixture, gconstpointer user_data)
{
  LokyFrameHeader header = { .type = LOKY_MESSAGE_GOODBYE };
  guint8 wire[2 * LOKY_FRAME_HEADER_SIZE] = { 0 };
  LokyFrame frame;

  loky_frame_encode_header (&header, wire);
  g_assert_cmpint (write (fixture->raw, wire, sizeof wire), ==, sizeof wire);
  g_assert_cmpint (loky_channel_fill (fixture->a, FALSE, NULL), ==, LOKY_FILL_DATA);
  g_assert_cmpint (loky_channel_next_frame (fixture->a, &frame, NULL), ==, LOKY_FRAME_COMPLETE);
  g_assert_cmpint (loky_channel_next_frame (fixture->a, &frame, NULL), ==, LOKY_FRAME_INVALID);
}

static void
test_end_of_stream (Fixture *fixture, gconstpointer user_data)
{
  LokyFrame frame;

  /* Half a frame: it is never delivered. */
  g_assert_cmpint (write (fixture->raw, "LOKY", 4), ==, 4);
  close (fixture->raw);
  fixture->raw = -1;
  g_assert_cmpint (loky_channel_fill (fixture->a, TRUE, NULL), ==, LOKY_FILL_DATA);
  g_assert_cmpint (loky_channel_next_frame (fixture->a, &frame, NULL), ==, LOKY_FRAME_NEED_MORE);
  g_assert_cmpint (loky_channel_fill (fixture->a, TRUE, NULL), ==, LOKY_FILL_EOF);
  g_assert_cmpint (loky_channel_fill (fixture->a, FALSE, NULL), ==, LOKY_FILL_EOF);
}

static void
test_not_a_socket (void)
{
  LokyChannel *channel = loky_channel_new (open ("/dev/null", O_RDWR | O_CLOEXEC));
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (loky_channel_fill (channel, FALSE, &error), ==, LOKY_FILL_ERROR);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  loky_channel_append (channel, 1, 0, 0);
  g_assert_cmpint (loky_channel_flush (channel), ==, LOKY_FLUSH_CLOSED);
  loky_channel_free (channel);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static int
make_numbered (guint32 number)
{
  int fd = memfd_create ("test-channel", MFD_CLOEXEC);

  g_assert_cmpint (pwrite (fd, &number, sizeof number, 0), ==, sizeof number);
  return fd;
}

static guint32
read_number (int fd)
{
  guint32 number;

  g_assert_cmpint (fd, >, STDERR_FILENO);
  g_assert_cmpint (pread (fd, &number, sizeof number, 0), ==, sizeof number);
  return number;
}

static void
append_numbered (LokyChannel *channel, guint64 number, guint n_fds)
{
  int fds[LOKY_FRAME_MAX_FDS];

  for (guint i = 0; i < n_fds; i++)
    fds[i] = make_numbered ((guint32) (number * 1000 + i));
  loky_channel_append_variant (channel, LOKY_MESSAGE_SETUP, 0, number, g_variant_new ("()"), fds,
                               n_fds);
}

static void
check_numbered (LokyChannel *channel, guint64 number, guint n_fds)
{
  LokyFrame frame;

  read_frame (channel, &frame);
  g_assert_cmpuint (frame.header.number, ==, number);
  g_assert_cmpuint (frame.header.n_fds, ==, n_fds);
  for (guint i = 0; i < n_fds; i++)
    {
      g_assert_cmpuint (read_number (frame.fds[i]), ==, number * 1000 + i);
      g_assert_cmpint (fcntl (frame.fds[i], F_GETFD) & FD_CLOEXEC, !=, 0);
    }
  loky_frame_close_fds (&frame);
  for (guint i = 0; i < n_fds; i++)
    g_assert_cmpint (frame.fds[i], ==, -1);
}

static void
test_descriptors (Fixture *fixture, gconstpointer user_data)
{
  guint n_open = loky_fixture_count_fds ();

  for (guint round = 0; round < 3; round++)
    {
      append_text (fixture->a, 1, "before");
      append_numbered (fixture->a, 2, 3);
      append_text (fixture->a, 3, "between");
      append_numbered (fixture->a, 4, LOKY_FRAME_MAX_FDS);
      append_numbered (fixture->a, 5, 1);
      append_text (fixture->a, 6, "after");
      g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_EMPTY);
      check_text_frame (fixture->b, 1, "before");
      check_numbered (fixture->b, 2, 3);
      check_text_frame (fixture->b, 3, "between");
      check_numbered (fixture->b, 4, LOKY_FRAME_MAX_FDS);
      check_numbered (fixture->b, 5, 1);
      check_text_frame (fixture->b, 6, "after");
    }
  g_assert_cmpuint (loky_fixture_count_fds (), ==, n_open);
}

/* Frames with descriptors that were never sent, and those that were never taken, leave nothing. */
static void
test_descriptors_are_not_left_behind (void)
{
  guint n_open = loky_fixture_count_fds ();
  Fixture fixture = { 0 };

  set_up (&fixture, NULL);
  append_numbered (fixture.a, 1, 5);
  append_numbered (fixture.a, 2, 5);
  loky_channel_flush (fixture.a);
  append_numbered (fixture.a, 3, 5);
  g_assert_cmpint (loky_channel_fill (fixture.b, FALSE, NULL), ==, LOKY_FILL_DATA);
  tear_down (&fixture, NULL);
  g_assert_cmpuint (loky_fixture_count_fds (), ==, n_open);
}

static void
send_raw (int socket_fd, gconstpointer data, gsize size, guint n_fds)
{
  char control[CMSG_SPACE (sizeof (int) * 253)]
      __attribute__ ((aligned (__alignof__(struct cmsghdr)))) = { 0 };
  struct iovec vector = { (gpointer) data, size };
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = control,
    .msg_controllen = CMSG_SPACE (sizeof (int) * n_fds),
  };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
  for (guint i = 0; i < n_fds; i++)
    memcpy (CMSG_DATA (header) + i * sizeof (int), &socket_fd, sizeof (int));
  g_assert_cmpint (sendmsg (socket_fd, &message, 0), ==, (gssize) size);
}

static void
test_descriptors_that_did_not_come (Fixture *fixture, gconstpointer user_data)
{
  LokyFrameHeader header = { .type = LOKY_MESSAGE_RESULT, .n_fds = 2 };
  guint8 wire[LOKY_FRAME_HEADER_SIZE];
  g_autoptr (GError) error = NULL;
  LokyFrame frame;

  loky_frame_encode_header (&header, wire);
  send_raw (fixture->raw, wire, sizeof wire, 1);
  g_assert_cmpint (loky_channel_fill (fixture->a, FALSE, NULL), ==, LOKY_FILL_DATA);
  g_assert_cmpint (loky_channel_next_frame (fixture->a, &frame, &error), ==, LOKY_FRAME_INVALID);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

/* A peer that floods the reader with descriptors that no frame claims. */
static void
test_descriptors_without_frames (Fixture *fixture, gconstpointer user_data)
{
  LokyFrameHeader header = { .type = LOKY_MESSAGE_PROGRESS };
  guint8 wire[LOKY_FRAME_HEADER_SIZE];
  LokyFillResult result = LOKY_FILL_DATA;
  g_autoptr (GError) error = NULL;
  LokyFrame frame;
  guint n_sent = 0;

  loky_frame_encode_header (&header, wire);
  while (result == LOKY_FILL_DATA)
    {
      g_assert_cmpuint (n_sent, <=, 2 * LOKY_FRAME_MAX_FDS);
      send_raw (fixture->raw, wire, sizeof wire, 16);
      n_sent += 16;
      result = loky_channel_fill (fixture->a, FALSE, &error);
      if (result == LOKY_FILL_DATA)
        g_assert_cmpint (loky_channel_next_frame (fixture->a, &frame, NULL), ==,
                         LOKY_FRAME_COMPLETE);
    }
  g_assert_cmpint (result, ==, LOKY_FILL_ERROR);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

/* More at once than there is room for: the kernel says that it dropped some. */
static void
test_descriptors_too_many_at_once (Fixture *fixture, gconstpointer user_data)
{
  guint8 wire[LOKY_FRAME_HEADER_SIZE] = { 0 };
  g_autoptr (GError) error = NULL;

  send_raw (fixture->raw, wire, sizeof wire, LOKY_FRAME_MAX_FDS + 10);
  g_assert_cmpint (loky_channel_fill (fixture->a, FALSE, &error), ==, LOKY_FILL_ERROR);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

/* Where the reader has no room for descriptors, their frame comes without any and the next ones whole. */
static void
test_descriptors_without_room (Fixture *fixture, gconstpointer user_data)
{
  struct rlimit before, little;
  LokyFrame frame;

  if (loky_fixture_has_valgrind ())
    {
      g_test_skip ("valgrind only plays that there is a limit: the kernel knows another one");
      return;
    }
  append_text (fixture->a, 1, "before");
  append_numbered (fixture->a, 2, 3);
  append_text (fixture->a, 3, "between");
  append_numbered (fixture->a, 4, 2);
  loky_channel_flush (fixture->a);

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  little = before;
  little.rlim_cur = (rlim_t) dup (0);
  close ((int) little.rlim_cur);
  /* One read may take the first frame and the second. */
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &little), ==, 0);
  check_text_frame (fixture->b, 1, "before");
  read_frame (fixture->b, &frame);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpuint (frame.header.number, ==, 2);
  g_assert_true (frame.has_lost_fds);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (frame.fds[i], ==, -1);
  check_text_frame (fixture->b, 3, "between");
  check_numbered (fixture->b, 4, 2);
}

/* From an untrusted end nothing but memory is taken; a socket, say, could block who closes it. */
static void
test_descriptors_of_memory_only (Fixture *fixture, gconstpointer user_data)
{
  guint8 wire[LOKY_FRAME_HEADER_SIZE] = { 0 };
  g_autoptr (GError) error = NULL;

  loky_channel_set_untrusted (fixture->b, FALSE);
  append_numbered (fixture->a, 1, 3);
  loky_channel_flush (fixture->a);
  check_numbered (fixture->b, 1, 3);
  send_raw (loky_channel_get_fd (fixture->a), wire, sizeof wire, 1);
  g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, &error), ==, LOKY_FILL_ERROR);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

/* --- a full socket, and one that is closed ---------------------------------------------------- */

typedef struct
{
  gboolean wants;
  guint n_calls;
} Wish;

static void
want_write_cb (gpointer user_data, gboolean want_write)
{
  Wish *wish = user_data;

  g_assert_cmpint (wish->wants, !=, want_write);
  wish->wants = want_write;
  wish->n_calls++;
}

static void
test_blocked (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *text = g_strnfill (30000, 'z');
  Wish wish = { 0 };
  guint64 n_frames = 100;
  guint64 received = 0;

  loky_channel_set_want_write (fixture->a, want_write_cb, &wish);
  for (guint64 i = 0; i < n_frames; i++)
    append_text (fixture->a, i, text + i);
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_BLOCKED);
  g_assert_true (wish.wants);
  /* Asked again it does not ask again. */
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_BLOCKED);
  g_assert_cmpuint (wish.n_calls, ==, 1);
  /* What comes later waits behind what is blocked. */
  append_text (fixture->a, n_frames, text + n_frames);

  for (; received <= n_frames; received++)
    {
      loky_channel_flush (fixture->a);
      check_text_frame (fixture->b, received, text + received);
    }
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_EMPTY);
  g_assert_false (wish.wants);
  g_assert_cmpuint (wish.n_calls % 2, ==, 0);
}

/* A frame that is cut in two by a full socket does not send its descriptors twice. */
static void
test_blocked_with_descriptors (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *text = g_strnfill (LOKY_FRAME_MAX_BODY / 2, 'z');
  guint n_open = loky_fixture_count_fds ();
  LokyFrame frame;

  for (guint i = 1; i <= 3; i++)
    {
      int fd = make_numbered (i);

      loky_channel_append_variant (fixture->a, LOKY_MESSAGE_SETUP, 0, i,
                                   g_variant_new ("(s)", text), &fd, 1);
    }
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_BLOCKED);
  for (guint i = 1; i <= 3; i++)
    {
      LokyFrameStatus status;

      while ((status = loky_channel_next_frame (fixture->b, &frame, NULL)) == LOKY_FRAME_NEED_MORE)
        {
          g_assert_cmpint (loky_channel_flush (fixture->a), !=, LOKY_FLUSH_CLOSED);
          g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_DATA);
        }
      g_assert_cmpint (status, ==, LOKY_FRAME_COMPLETE);
      g_assert_cmpuint (frame.header.number, ==, i);
      g_assert_cmpuint (read_number (frame.fds[0]), ==, i);
      loky_frame_close_fds (&frame);
    }
  g_assert_cmpuint (loky_fixture_count_fds (), ==, n_open);
}

static gpointer
read_all (gpointer user_data)
{
  LokyChannel *channel = user_data;

  while (loky_channel_fill (channel, TRUE, NULL) == LOKY_FILL_DATA)
    {
      LokyFrame frame;

      while (loky_channel_next_frame (channel, &frame, NULL) == LOKY_FRAME_COMPLETE)
        if (frame.header.type == LOKY_MESSAGE_GOODBYE)
          return GUINT_TO_POINTER (TRUE);
    }
  return GUINT_TO_POINTER (FALSE);
}

static void
test_flush_wait (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *text = g_strnfill (30000, 'z');
  GThread *thread = g_thread_new ("reader", read_all, fixture->b);

  for (guint i = 0; i < 200; i++)
    append_text (fixture->a, i, text);
  loky_channel_append (fixture->a, LOKY_MESSAGE_GOODBYE, 0, 0);
  g_assert_true (loky_channel_flush_wait (fixture->a));
  g_assert_true (GPOINTER_TO_UINT (g_thread_join (thread)));
}

static void
test_closed (Fixture *fixture, gconstpointer user_data)
{
  guint n_open;

  g_clear_pointer (&fixture->b, loky_channel_free);
  n_open = loky_fixture_count_fds ();
  append_text (fixture->a, 1, "text");
  append_numbered (fixture->a, 2, 3);
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_CLOSED);
  /* All was dropped, with its descriptors. */
  g_assert_cmpuint (loky_fixture_count_fds (), ==, n_open);
  append_text (fixture->a, 3, "text");
  g_assert_false (loky_channel_flush_wait (fixture->a));
  g_assert_cmpint (loky_channel_fill (fixture->a, FALSE, NULL), ==, LOKY_FILL_EOF);
}

/* What was sent before arrives, then the end. */
static void
test_shutdown (Fixture *fixture, gconstpointer user_data)
{
  loky_channel_append (fixture->a, LOKY_MESSAGE_LEAVE, 0, 0);
  loky_channel_flush (fixture->a);
  loky_channel_shutdown (fixture->a);
  check_frame (fixture->b, LOKY_MESSAGE_LEAVE, 0, 0);
  g_assert_cmpint (loky_channel_fill (fixture->b, TRUE, NULL), ==, LOKY_FILL_EOF);
  loky_channel_append (fixture->a, LOKY_MESSAGE_LEAVE, 0, 0);
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_CLOSED);
}

/* --- values ----------------------------------------------------------------------------------- */

static GVariant *
make_bytes (gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 7);
  return g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data));
}

/* Sends @value from one end, and gives what came out at the other. */
static LokyPayload *
send_value (
    Fixture *fixture, GVariant *value, GPtrArray *buffers, LokyPlace place, guint32 *segment)
{
  LokyValueMessage described = { .name = 3, .attempt = 2, .run_time = 99 };
  g_autoptr (LokyBlockCache) blocks = loky_block_cache_new ();
  LokyValueMessage message;
  g_autoptr (GError) error = NULL;
  LokyPayload *payload;
  LokyFrame frame;

  loky_channel_append_value (fixture->a, LOKY_MESSAGE_TASK, 5, 6, &described, value, buffers);
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_EMPTY);
  read_frame (fixture->b, &frame);
  g_assert_cmpuint (frame.header.slot, ==, 5);
  g_assert_cmpuint (frame.header.number, ==, 6);
  g_assert_true (loky_message_parse_value (&frame.header, frame.body, &message, &error));
  g_assert_no_error (error);
  g_assert_cmpint (message.place, ==, place);
  g_assert_cmpuint (message.name, ==, 3);
  g_assert_cmpuint (message.attempt, ==, 2);
  g_assert_cmpint (message.run_time, ==, 99);
  *segment = message.segment;
  payload = loky_payload_new_received (&message, frame.fds, blocks, NULL, FALSE, &error);
  g_assert_no_error (error);
  loky_frame_close_fds (&frame);
  return payload;
}

static void
check_value (Fixture *fixture, GVariant *value, LokyPlace place, guint32 *segment)
{
  g_autoptr (LokyPayload) payload = send_value (fixture, value, NULL, place, segment);
  g_autoptr (GVariant) received = loky_payload_dup_variant (payload, NULL);

  g_assert_cmpvariant (received, value);
}

static void
test_values (Fixture *fixture, gconstpointer user_data)
{
  static const struct
  {
    gsize size;
    LokyPlace place;
  } cases[] = {
    { 1, LOKY_PLACE_INLINE },
    { 1000, LOKY_PLACE_INLINE },
    { LOKY_MESSAGE_MAX_INLINE, LOKY_PLACE_INLINE },
    { LOKY_MESSAGE_MAX_INLINE + 1, LOKY_PLACE_SEGMENT },
    { 3 << 20, LOKY_PLACE_SEGMENT },
  };
  guint32 segment;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GVariant) value = make_bytes (cases[i].size);

      check_value (fixture, value, cases[i].place, &segment);
    }
}

/* The memory is used again only after its receiver has released it. */
static void
test_segment_is_reused (Fixture *fixture, gconstpointer user_data)
{
  LokySegmentPool *segments = loky_channel_get_segments (fixture->a);
  g_autoptr (GVariant) value = make_bytes (1 << 20);
  guint32 first, second, third;

  check_value (fixture, value, LOKY_PLACE_SEGMENT, &first);
  check_value (fixture, value, LOKY_PLACE_SEGMENT, &second);
  g_assert_cmpuint (first, !=, second);
  g_assert_cmpuint (segments->segments->len, ==, 2);
  loky_segment_pool_release (segments, first);
  check_value (fixture, value, LOKY_PLACE_SEGMENT, &third);
  g_assert_cmpuint (third, ==, first);
  g_assert_cmpuint (segments->segments->len, ==, 2);
}

static void
check_buffers (Fixture *fixture, gsize size, LokyPlace place)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("shared", 6);
  g_autoptr (LokyBuffer) buffer = loky_buffer_new_from_bytes (bytes, NULL);
  g_autoptr (GPtrArray) buffers = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GVariant) value = make_bytes (size);
  g_autoptr (LokyPayload) payload = NULL;
  g_autoptr (LokyBuffer) found = NULL;
  g_autoptr (GBytes) content = NULL;
  guint32 segment;

  g_ptr_array_add (buffers, g_object_ref (buffer));
  payload = send_value (fixture, value, buffers, place, &segment);
  found = loky_attachment_find (payload->buffers, loky_buffer_get_handle (buffer), LOKY_TYPE_BUFFER, NULL);
  g_assert_true (found != buffer);
  content = loky_buffer_dup_bytes (found, NULL);
  g_assert_true (g_bytes_equal (content, bytes));
}

static void
test_values_with_buffers (Fixture *fixture, gconstpointer user_data)
{
  check_buffers (fixture, 10, LOKY_PLACE_INLINE);
  check_buffers (fixture, 100000, LOKY_PLACE_SEGMENT);
}

/* The kernel does not take the descriptor of a buffer, which is closed here: that value fails, and
 * all others are sent. */
static void
check_unsendable (Fixture *fixture, gsize size, gboolean has_substitute)
{
  LokyValueMessage described = { 0 };
  g_autoptr (GVariant) value = make_bytes (size);
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (8, NULL);
  g_autoptr (GPtrArray) buffers = g_ptr_array_new ();
  int fd = loky_buffer_get_fd (buffer);
  int kept = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  LokySendFailure failure;

  g_ptr_array_add (buffers, buffer);
  close (fd);
  loky_channel_append (fixture->a, LOKY_MESSAGE_PROGRESS, 0, 1);
  loky_channel_append_value (fixture->a, LOKY_MESSAGE_TASK, 5, 6, &described, value, buffers);
  loky_channel_append (fixture->a, LOKY_MESSAGE_PROGRESS, 0, 2);
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_EMPTY);
  g_assert_cmpint (dup3 (kept, fd, O_CLOEXEC), ==, fd);
  close (kept);

  g_assert_true (loky_channel_take_failure (fixture->a, &failure));
  g_assert_cmpuint (failure.slot, ==, 5);
  g_assert_cmpuint (failure.number, ==, 6);
  g_assert_error (failure.error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  g_clear_error (&failure.error);
  g_assert_false (loky_channel_take_failure (fixture->a, &failure));
  check_frame (fixture->b, LOKY_MESSAGE_PROGRESS, 0, 1);
  if (has_substitute)
    check_frame (fixture->b, LOKY_MESSAGE_LOOK, 0, 0);
  check_frame (fixture->b, LOKY_MESSAGE_PROGRESS, 0, 2);
}

static void
test_unsendable_values (Fixture *fixture, gconstpointer user_data)
{
  LokySegmentPool *segments = loky_channel_get_segments (fixture->a);
  LokySegment *segment = loky_segment_pool_take (segments, 100000, NULL);

  /* A segment is at hand: a new one would get the number of the closed descriptor. */
  loky_segment_pool_sent (segments, segment->number);
  loky_segment_pool_release (segments, segment->number);
  check_unsendable (fixture, 10, FALSE);
  check_unsendable (fixture, 100000, FALSE);
  check_unsendable (fixture, 100000, FALSE);
  loky_channel_set_substitute (fixture->a, LOKY_MESSAGE_LOOK);
  check_unsendable (fixture, 10, TRUE);
  check_unsendable (fixture, 100000, TRUE);
  /* The segment was given back. */
  g_assert_cmpuint (segments->segments->len, ==, 1);
}

/* Values and frames leave in the order in which they were appended, whichever way they take. */
static void
test_values_in_order (Fixture *fixture, gconstpointer user_data)
{
  LokyValueMessage described = { 0 };
  g_autoptr (GVariant) small = make_bytes (10);
  g_autoptr (GVariant) large = make_bytes (100000);
  guint64 n = 0;

  for (guint i = 0; i < 10; i++)
    {
      loky_channel_append (fixture->a, LOKY_MESSAGE_PROGRESS, 0, n++);
      loky_channel_append_value (fixture->a, LOKY_MESSAGE_TASK, 0, n++, &described, large, NULL);
      loky_channel_append_value (fixture->a, LOKY_MESSAGE_TASK, 0, n++, &described, small, NULL);
    }
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_EMPTY);
  for (guint64 i = 0; i < n; i++)
    {
      LokyFrame frame;

      read_frame (fixture->b, &frame);
      g_assert_cmpuint (frame.header.number, ==, i);
      loky_frame_close_fds (&frame);
    }
}

/* --- threads ---------------------------------------------------------------------------------- */

#define N_WRITERS 2
#define N_FRAMES 20000

typedef struct
{
  LokyChannel *channel;
  guint32 slot;
  guint64 n_frames;
} Writer;

static gpointer
write_frames (gpointer user_data)
{
  Writer *writer = user_data;

  for (guint64 i = 0; i < writer->n_frames; i++)
    {
      loky_channel_append_variant (writer->channel, LOKY_MESSAGE_TASK_NAME, writer->slot, i,
                                   g_variant_new ("(tt)", i, (guint64) writer->slot), NULL, 0);
      loky_channel_flush (writer->channel);
    }
  return NULL;
}

/* Nobody polls for room here: the reader flushes what was blocked. */
static void
test_two_writers (Fixture *fixture, gconstpointer user_data)
{
  Writer writers[N_WRITERS];
  GThread *threads[N_WRITERS];
  guint64 next[N_WRITERS] = { 0 };

  for (guint i = 0; i < N_WRITERS; i++)
    {
      writers[i] = (Writer){ fixture->a, i, N_FRAMES };
      threads[i] = g_thread_new ("writer", write_frames, &writers[i]);
    }
  for (guint n = 0; n < N_WRITERS * N_FRAMES; n++)
    {
      g_autoptr (GVariant) body = NULL;
      LokyFrameStatus status;
      LokyFrame frame;
      guint64 number, slot;

      while ((status = loky_channel_next_frame (fixture->b, &frame, NULL)) == LOKY_FRAME_NEED_MORE)
        if (loky_channel_fill (fixture->b, FALSE, NULL) == LOKY_FILL_AGAIN)
          {
            loky_channel_flush (fixture->a);
            g_thread_yield ();
          }
      g_assert_cmpint (status, ==, LOKY_FRAME_COMPLETE);
      body = loky_message_parse_variant (&frame.header, frame.body, "(tt)", NULL);
      g_variant_get (body, "(tt)", &number, &slot);
      g_assert_cmpuint (slot, ==, frame.header.slot);
      g_assert_cmpuint (number, ==, next[slot]++);
    }
  for (guint i = 0; i < N_WRITERS; i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_EMPTY);
  g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_AGAIN);
}

static gpointer
append_and_find_busy (gpointer user_data)
{
  loky_channel_append (user_data, LOKY_MESSAGE_GOODBYE, 0, 1);
  g_assert_cmpint (loky_channel_flush (user_data), ==, LOKY_FLUSH_BUSY);
  return NULL;
}

/* Called between the last look at the outbox and the release of the lock: the worst moment for
 * another thread to come. */
static void
come_at_the_worst_moment_cb (gpointer user_data, gboolean want_write)
{
  if (!want_write)
    g_thread_join (g_thread_new ("late", append_and_find_busy, user_data));
}

/* Who found the lock taken went away: the one that held it looks again. */
static void
test_busy_one_looks_again (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *text = g_strnfill (LOKY_FRAME_MAX_BODY - 1, 'z');
  LokyFrame frame;

  append_text (fixture->a, 0, text);
  loky_channel_set_want_write (fixture->a, come_at_the_worst_moment_cb, fixture->a);
  g_assert_cmpint (loky_channel_flush (fixture->a), ==, LOKY_FLUSH_BLOCKED);
  while (loky_channel_flush (fixture->a) == LOKY_FLUSH_BLOCKED)
    g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_DATA);
  check_text_frame (fixture->b, 0, text);
  /* Without another flush. */
  if (loky_channel_next_frame (fixture->b, &frame, NULL) == LOKY_FRAME_NEED_MORE)
    {
      g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_DATA);
      g_assert_cmpint (loky_channel_next_frame (fixture->b, &frame, NULL), ==, LOKY_FRAME_COMPLETE);
    }
  g_assert_cmpint (frame.header.type, ==, LOKY_MESSAGE_GOODBYE);
}

/* Few frames: the socket is never full. */
static void
write_few (Fixture *fixture, guint64 n_frames)
{
  Writer writers[N_WRITERS];
  GThread *threads[N_WRITERS];

  for (guint i = 0; i < N_WRITERS; i++)
    {
      writers[i] = (Writer){ fixture->a, i, n_frames };
      threads[i] = g_thread_new ("writer", write_frames, &writers[i]);
    }
  for (guint i = 0; i < N_WRITERS; i++)
    g_thread_join (threads[i]);
}

/* Who flushes and finds another one at it trusts that one to send all: nobody flushes here after
 * the writers, and a frame that stayed behind would be missing. */
static void
test_two_writers_leave_nothing_behind (Fixture *fixture, gconstpointer user_data)
{
  for (guint round = 0; round < 200; round++)
    {
      guint n_read = 0;

      write_few (fixture, 40);
      while (n_read < N_WRITERS * 40)
        {
          LokyFrame frame;

          if (loky_channel_next_frame (fixture->b, &frame, NULL) == LOKY_FRAME_COMPLETE)
            n_read++;
          else
            g_assert_cmpint (loky_channel_fill (fixture->b, FALSE, NULL), ==, LOKY_FILL_DATA);
        }
    }
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
#define ADD_RAW(path, function) g_test_add (path, Fixture, NULL, set_up_raw, function, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/loky/channel/round-trip", test_round_trip);
  ADD ("/loky/channel/order", test_order);
  ADD ("/loky/channel/drained", test_drained);
  ADD ("/loky/channel/largest-body", test_largest_body);
  ADD_RAW ("/loky/channel/byte-by-byte", test_byte_by_byte);
  ADD_RAW ("/loky/channel/garbage", test_garbage);
  ADD_RAW ("/loky/channel/garbage-behind-a-frame", test_garbage_behind_a_frame);
  ADD_RAW ("/loky/channel/end-of-stream", test_end_of_stream);
  g_test_add_func ("/loky/channel/not-a-socket", test_not_a_socket);
  ADD ("/loky/channel/descriptors", test_descriptors);
  g_test_add_func ("/loky/channel/descriptors-are-not-left-behind",
                   test_descriptors_are_not_left_behind);
  ADD_RAW ("/loky/channel/descriptors-that-did-not-come", test_descriptors_that_did_not_come);
  ADD_RAW ("/loky/channel/descriptors-without-frames", test_descriptors_without_frames);
  ADD_RAW ("/loky/channel/descriptors-too-many-at-once", test_descriptors_too_many_at_once);
  ADD ("/loky/channel/descriptors-without-room", test_descriptors_without_room);
  ADD ("/loky/channel/descriptors-of-memory-only", test_descriptors_of_memory_only);
  ADD ("/loky/channel/blocked", test_blocked);
  ADD ("/loky/channel/blocked-with-descriptors", test_blocked_with_descriptors);
  ADD ("/loky/channel/flush-wait", test_flush_wait);
  ADD ("/loky/channel/closed", test_closed);
  ADD ("/loky/channel/shutdown", test_shutdown);
  ADD ("/loky/channel/values", test_values);
  ADD ("/loky/channel/segment-is-reused", test_segment_is_reused);
  ADD ("/loky/channel/values-with-buffers", test_values_with_buffers);
  ADD ("/loky/channel/unsendable-values", test_unsendable_values);
  ADD ("/loky/channel/values-in-order", test_values_in_order);
  ADD ("/loky/channel/two-writers", test_two_writers);
  ADD ("/loky/channel/busy-one-looks-again", test_busy_one_looks_again);
  ADD ("/loky/channel/two-writers-leave-nothing-behind", test_two_writers_leave_nothing_behind);
  return g_test_run ();
}
