/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Descriptors that are no memory, and memory that is not what it is said to be. */

#include "hostile-worker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* A pipe whose name is gone. */
static int
make_fifo (int flags)
{
  g_autofree char *path = g_strdup_printf ("/dev/shm/loky-hostile-%d", (int) getpid ());
  int fd = -1;

  if (mkfifo (path, 0600) == 0)
    {
      int both = open (path, O_RDWR | O_CLOEXEC);

      fd = open (path, flags | O_CLOEXEC);
      close (both);
      unlink (path);
    }
  return fd;
}

static int
make_descriptor (const char *kind)
{
  struct linger linger = { 1, 600 };
  int ends[2];

  if (g_str_equal (kind, "pipe"))
    return pipe2 (ends, O_CLOEXEC) == 0 ? ends[0] : -1;
  if (g_str_equal (kind, "fifo"))
    return make_fifo (O_RDWR);
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
  if (g_str_equal (how, "pipe"))
    {
      close (fd);
      fd = make_descriptor ("pipe");
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

/* "resource:HOW": a descriptor of that kind, or one that is said to be of that part, instead of the end of a pipe that is
 * written. */
static void
obey_resource (Task *task)
{
  const char *how = task->argument;
  LokyBufferRecord record = { .handle = 1, .part = LOKY_PART_HOLD };
  LokyValueMessage value = { .size = 4, .run_time = 1000, .buffers = &record, .n_buffers = 1 };
  g_autoptr (GByteArray) body = NULL;
  g_autoptr (GByteArray) frame = NULL;
  gint32 handle = 1;
  int ends[2];
  int fd;

  if (pipe2 (ends, O_CLOEXEC) != 0)
    _exit (12);
  fd = ends[1];
  if (g_str_equal (how, "read-end"))
    fd = ends[0];
  else if (g_str_equal (how, "size"))
    record.size = 1;
  else if (g_str_equal (how, "buffer"))
    record.part = LOKY_PART_BUFFER;
  else if (g_str_equal (how, "synchronizer"))
    record.part = LOKY_PART_WHOLE;
  else if (g_str_equal (how, "descriptor"))
    record.part = LOKY_PART_DESCRIPTOR;
  else if (!g_str_equal (how, "good"))
    fd = make_descriptor (how);
  body = make_value ("h", &handle, sizeof handle, &value);
  value.type = "h";
  frame = make_frame (LOKY_MESSAGE_RESULT, task->slot, task->number, body->data,
                      loky_message_value_overhead (&value) + sizeof handle, 1);
  put (frame->data, frame->len, &fd, 1);
  close (ends[0]);
  close (ends[1]);
  if (!g_str_equal (how, "good"))
    hang ();
}

/* A frame whose value refers to descriptors: of @part, of that kind. */
static GByteArray *
make_frame_with (const Task *task, LokyBufferRecord *records, guint n, guint32 part)
{
  gint32 handle = 5;
  LokyValueMessage value = { .type = "h", .size = 4, .run_time = 1000, .buffers = records, .n_buffers = n };
  g_autoptr (GByteArray) body = NULL;

  for (guint i = 0; i < n; i++)
    records[i] = (LokyBufferRecord){ .handle = handle + (gint32) i, .part = part };
  body = make_value ("h", &handle, sizeof handle, &value);
  return make_frame (LOKY_MESSAGE_RESULT, task->slot, task->number, body->data,
                     loky_message_value_overhead (&value) + sizeof handle, (guint8) n);
}

/* "descriptor:KIND": what is well-formed where descriptors are accepted. */
static void
obey_descriptor (Task *task)
{
  LokyBufferRecord record;
  g_autoptr (GByteArray) frame = make_frame_with (task, &record, 1, LOKY_PART_DESCRIPTOR);
  int fd = make_descriptor (task->argument);

  put (frame->data, frame->len, &fd, 1);
  close (fd);
}

/* The same, where it is not. */
static void
obey_undue_descriptor (Task *task)
{
  obey_descriptor (task);
  hang ();
}

/* As many of them as a value may refer to. */
static void
obey_descriptors (Task *task)
{
  LokyBufferRecord records[LOKY_FRAME_MAX_FDS - 1];
  int fds[G_N_ELEMENTS (records)];
  g_autoptr (GByteArray) frame
      = make_frame_with (task, records, G_N_ELEMENTS (records), LOKY_PART_DESCRIPTOR);

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = make_descriptor (task->argument);
  put (frame->data, frame->len, fds, G_N_ELEMENTS (fds));
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
}

/* It is said to be memory. */
static void
obey_misplaced (Task *task)
{
  LokyBufferRecord record;
  g_autoptr (GByteArray) frame = make_frame_with (task, &record, 1, LOKY_PART_BUFFER);
  int fd = make_descriptor (task->argument);

  put (frame->data, frame->len, &fd, 1);
  close (fd);
  hang ();
}

/* The same, of a value that is said to be in it. */
static void
obey_misplaced_segment (Task *task)
{
  int fd = make_descriptor (task->argument);

  send_segment (task, fd, 65536);
  close (fd);
  hang ();
}

/* It dies when it has sent the descriptor, and half of the frame that it belongs to. */
static void
obey_half (Task *task)
{
  LokyBufferRecord record;
  g_autoptr (GByteArray) frame = make_frame_with (task, &record, 1, LOKY_PART_DESCRIPTOR);
  int fd = make_descriptor (task->argument);

  put_once (frame->data, frame->len / 2, &fd, 1, &(gsize){ 0 });
  die ();
}

const TaskOrder memory_orders[] = {
  { "descriptor", obey_descriptor },
  { "undue-descriptor", obey_undue_descriptor },
  { "descriptors", obey_descriptors },
  { "misplaced", obey_misplaced },
  { "misplaced-segment", obey_misplaced_segment },
  { "half", obey_half },
  { "fd", obey_fd },
  { "fds", obey_fds },
  { "fd-flood", obey_fd_flood },
  { "unread-linger", obey_unread_linger },
  { "segment", obey_segment },
  { "shrink", obey_shrink },
  { "rewrite", obey_rewrite },
  { "buffer", obey_buffer },
  { "resource", obey_resource },
  { NULL, NULL },
};
