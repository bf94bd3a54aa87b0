/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-channel-private.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "loky-attachment-private.h"
#include "loky-close-private.h"
#include "loky-error.h"
#include "loky-foreign-private.h"
#include "loky-fork-guard-private.h"
#include "loky-util-private.h"

#define READ_SIZE (16u << 10)

/* What the kernel lets pass with one message (SCM_MAX_FD). With room for fewer it would close the others
 * itself, in the reader's thread, where that may block. */
#define MAX_RECEIVED_FDS 253

/* Frames are gathered up to this size before the next ones get a buffer of their own, in bytes. */
#define BATCH_SIZE (256u << 10)

/* What is sent by one sendmsg(): bytes, and the descriptors that belong to their first frame. */
typedef struct
{
  GList link; /* in one queue or the other */
  GByteArray *bytes;
  gsize offset;
  guint32 segment; /* that the value is in, or 0 */
  int *fds;
  guint n_fds;
  guint n_owned_fds; /* how many of them, from the end, are closed after sending */
  GPtrArray *buffers;

  /* A value that has yet to be put into a segment; bytes is empty until then. */
  GVariant *value;
  LokyFrameHeader header;
  LokyValueMessage message;
} Item;

struct _LokyChannel
{
  int fd;
  LokySegmentPool segments;

  GMutex outbox_lock;
  GQueue outbox;      /* of Item; outbox_lock */
  Item *spare;        /* an empty one with bytes; outbox_lock */
  GQueue failures;    /* of LokySendFailure; outbox_lock */
  gboolean is_closed; /* outbox_lock */

  GMutex write_lock;
  GQueue sending; /* of Item, before those in the outbox; write_lock */
  gboolean wants_write; /* write_lock */
  guint64 n_sent;       /* bytes; atomic */
  guint8 substitute;    /* constant */
  LokyChannelWantWrite want_write;
  gpointer want_write_data;

  /* the reader's */
  gboolean is_untrusted;
  gboolean had_foreign;
  gboolean accepts_descriptors; /* of any kind that is safe to have */
  gboolean is_drained; /* the last read took all there was */
  guint64 n_received;  /* bytes */
  guint8 *input;
  gsize input_capacity;
  gsize input_start;
  gsize input_end;
  GArray *input_fds;
  gboolean has_lost_fds; /* some of the next frame that has any */
};

LokyChannel *
loky_channel_new (int fd)
{
  LokyChannel *self = g_new0 (LokyChannel, 1);

  self->fd = fd;
  loky_segment_pool_init (&self->segments);
  g_mutex_init (&self->outbox_lock);
  g_mutex_init (&self->write_lock);
  g_queue_init (&self->outbox);
  g_queue_init (&self->sending);
  g_queue_init (&self->failures);
  self->input_fds = g_array_new (FALSE, FALSE, sizeof (int));
  return self;
}

static void
item_free (Item *item)
{
  for (guint i = item->n_fds - item->n_owned_fds; i < item->n_fds; i++)
    loky_close_fd (&item->fds[i]);
  g_free (item->fds);
  if ((item->message.flags & LOKY_TASK_CAPTURES_OUTPUT) != 0)
    for (guint i = 0; i < LOKY_TASK_N_OUTPUTS; i++)
      loky_close_fd (&item->message.outputs[i]);
  g_clear_pointer (&item->bytes, g_byte_array_unref);
  g_clear_pointer (&item->buffers, g_ptr_array_unref);
  g_clear_pointer (&item->value, g_variant_unref);
  g_free (item);
}

static Item *
pop_item (GQueue *queue)
{
  GList *link = g_queue_pop_head_link (queue);

  return link != NULL ? link->data : NULL;
}

static void
clear_items (GQueue *queue)
{
  Item *item;

  while ((item = pop_item (queue)) != NULL)
    item_free (item);
}

/* What was sent and not read goes with the socket, and with it the descriptors that are on their way. */
static void
close_socket (LokyChannel *self)
{
  int unread = 0;

  /* Nothing more comes after the look. */
  shutdown (self->fd, SHUT_RDWR);
  if (self->is_untrusted && ioctl (self->fd, FIONREAD, &unread) == 0 && unread > 0)
    loky_close_untrusted (loky_steal_fd (&self->fd));
  else
    loky_close_fd (&self->fd);
}

static void
close_received (int *fd, gboolean is_untrusted)
{
  if (is_untrusted)
    loky_close_untrusted (loky_steal_fd (fd));
  else
    loky_close_fd (fd);
}

static void
drop_descriptors (LokyChannel *self)
{
  for (guint i = 0; i < self->input_fds->len; i++)
    close_received (&g_array_index (self->input_fds, int, i), self->is_untrusted);
  g_array_set_size (self->input_fds, 0);
}

void
loky_channel_free (LokyChannel *self)
{
  LokySendFailure failure;

  while (loky_channel_take_failure (self, &failure))
    g_error_free (failure.error);
  clear_items (&self->outbox);
  clear_items (&self->sending);
  g_clear_pointer (&self->spare, item_free);
  drop_descriptors (self);
  g_array_unref (self->input_fds);
  g_free (self->input);
  loky_segment_pool_clear (&self->segments);
  close_socket (self);
  g_mutex_clear (&self->outbox_lock);
  g_mutex_clear (&self->write_lock);
  g_free (self);
}

int
loky_channel_get_fd (LokyChannel *self)
{
  return self->fd;
}

void
loky_channel_set_want_write (LokyChannel *self, LokyChannelWantWrite func, gpointer user_data)
{
  self->want_write = func;
  self->want_write_data = user_data;
}

void
loky_channel_set_substitute (LokyChannel *self, guint8 type)
{
  self->substitute = type;
}

void
loky_channel_set_untrusted (LokyChannel *self, gboolean accepts_descriptors)
{
  self->is_untrusted = TRUE;
  self->accepts_descriptors = accepts_descriptors;
}

gboolean
loky_channel_had_foreign (LokyChannel *self)
{
  return self->had_foreign;
}

LokySegmentPool *
loky_channel_get_segments (LokyChannel *self)
{
  return &self->segments;
}

static Item *
item_new (gboolean has_bytes)
{
  Item *item = g_new0 (Item, 1);

  item->link.data = item;
  item->bytes = has_bytes ? g_byte_array_new () : NULL;
  return item;
}

/* An empty item at the end of the outbox; without @has_bytes those are made when it is sent. */
static Item *
push_item_locked (LokyChannel *self, gboolean has_bytes)
{
  Item *item = has_bytes ? g_steal_pointer (&self->spare) : NULL;

  if (item == NULL)
    item = item_new (has_bytes);
  g_queue_push_tail_link (&self->outbox, &item->link);
  return item;
}

/* An item at the end of the outbox that frames without descriptors can be added to. */
static GByteArray *
open_batch_locked (LokyChannel *self)
{
  Item *last = g_queue_peek_tail (&self->outbox);

  if (last == NULL || last->n_fds > 0 || last->value != NULL || last->bytes->len >= BATCH_SIZE)
    last = push_item_locked (self, TRUE);
  return last->bytes;
}

static void
append_header (GByteArray *bytes, const LokyFrameHeader *header)
{
  guint end = bytes->len;

  g_byte_array_set_size (bytes, end + LOKY_FRAME_HEADER_SIZE);
  loky_frame_encode_header (header, bytes->data + end);
}

static void
append_padded (GByteArray *bytes, gconstpointer data, gsize size)
{
  guint end = bytes->len;
  gsize padded = loky_round_up_8 (size);

  if (size == 0)
    return;
  g_byte_array_set_size (bytes, end + (guint) padded);
  memcpy (bytes->data + end, data, size);
  memset (bytes->data + end + size, 0, padded - size);
}

void
loky_channel_append (LokyChannel *self, guint8 type, guint32 slot, guint64 number)
{
  LokyFrameHeader header = { .type = type, .slot = slot, .number = number };

  g_mutex_lock (&self->outbox_lock);
  append_header (open_batch_locked (self), &header);
  g_mutex_unlock (&self->outbox_lock);
}

void
loky_channel_append_variant (LokyChannel *self,
                             guint8 type,
                             guint32 slot,
                             guint64 number,
                             GVariant *body,
                             const int *fds,
                             guint n_fds)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (body);
  gsize size = g_variant_get_size (owned);
  LokyFrameHeader header = {
    .type = type, .n_fds = (guint8) n_fds, .slot = slot, .number = number, .length = (guint32) size
  };
  GByteArray *bytes;

  g_assert (size <= LOKY_FRAME_MAX_BODY && n_fds <= LOKY_FRAME_MAX_FDS);
  g_mutex_lock (&self->outbox_lock);
  if (n_fds > 0)
    {
      Item *item = push_item_locked (self, TRUE);

      item->fds = g_memdup2 (fds, n_fds * sizeof (int));
      item->n_fds = item->n_owned_fds = n_fds;
      bytes = item->bytes;
    }
  else
    bytes = open_batch_locked (self);
  append_header (bytes, &header);
  append_padded (bytes, g_variant_get_data (owned), size);
  g_mutex_unlock (&self->outbox_lock);
}

static void
describe_buffers (GPtrArray *buffers, LokyBufferRecord *records, LokyValueMessage *message)
{
  for (guint i = 0; buffers != NULL && i < buffers->len; i++)
    loky_attachment_describe (g_ptr_array_index (buffers, i), &records[i]);
  message->buffers = records;
  message->n_buffers = buffers != NULL ? buffers->len : 0;
}

/* Writes the whole frame; the data of a value in a segment is not part of it. */
static void
append_value_frame (GByteArray *bytes,
                    LokyFrameHeader *header,
                    const LokyValueMessage *message,
                    gconstpointer data)
{
  gsize inline_size = message->place == LOKY_PLACE_INLINE ? message->size : 0;

  header->n_fds = (guint8) (message->n_buffers + (message->place == LOKY_PLACE_SEGMENT ? 1 : 0) +
                            loky_message_count_outputs (message->flags));
  header->length = (guint32) (loky_message_value_overhead (message) + inline_size);
  append_header (bytes, header);
  loky_message_append_value (bytes, message);
  append_padded (bytes, data, inline_size);
}

static void
item_set_fds (Item *item, int segment_fd)
{
  guint n_buffers = item->buffers != NULL ? item->buffers->len : 0;

  item->fds = g_new (int, n_buffers + 1 + LOKY_TASK_N_OUTPUTS);
  item->n_fds = 0;
  if (segment_fd >= 0)
    item->fds[item->n_fds++] = segment_fd;
  for (guint i = 0; i < n_buffers; i++)
    item->fds[item->n_fds++] = loky_attachment_get_fd (g_ptr_array_index (item->buffers, i));
  item->n_owned_fds = loky_message_count_outputs (item->message.flags);
  for (guint i = 0; i < item->n_owned_fds; i++)
    item->fds[item->n_fds++] = loky_steal_fd (&item->message.outputs[i]);
}

void
loky_channel_append_value (LokyChannel *self,
                           guint8 type,
                           guint32 slot,
                           guint64 number,
                           const LokyValueMessage *message,
                           GVariant *value,
                           GPtrArray *buffers)
{
  gsize size = g_variant_get_size (value);
  LokyFrameHeader header = { .type = type, .slot = slot, .number = number };
  LokyBufferRecord records[LOKY_FRAME_MAX_FDS];
  LokyValueMessage whole = {
    .type = g_variant_get_type_string (value),
    .size = size,
    .place = LOKY_PLACE_INLINE,
    .name = message->name,
    .attempt = message->attempt,
    .flags = message->flags,
    .outputs = { message->outputs[0], message->outputs[1] },
    .run_time = message->run_time,
  };

  g_mutex_lock (&self->outbox_lock);
  if (size > LOKY_MESSAGE_MAX_INLINE)
    {
      Item *item = push_item_locked (self, FALSE);

      item->value = g_variant_ref (value);
      item->header = header;
      item->message = whole;
      item->buffers = buffers != NULL ? g_ptr_array_ref (buffers) : NULL;
    }
  else
    {
      GByteArray *bytes;

      describe_buffers (buffers, records, &whole);
      if (buffers != NULL || loky_message_count_outputs (whole.flags) > 0)
        {
          Item *item = push_item_locked (self, TRUE);

          item->buffers = buffers != NULL ? g_ptr_array_ref (buffers) : NULL;
          item->header = header;
          item->message = whole;
          item_set_fds (item, -1);
          bytes = item->bytes;
        }
      else
        bytes = open_batch_locked (self);
      append_value_frame (bytes, &header, &whole, g_variant_get_data (value));
    }
  g_mutex_unlock (&self->outbox_lock);
}

/* Puts the value into a segment. It is one memcpy() of what may be a gigabyte: with the write lock
 * of this one worker held, and no other. */
static gboolean
item_fill_segment (LokyChannel *self, Item *item, GError **error)
{
  LokyBufferRecord records[LOKY_FRAME_MAX_FDS];
  LokySegment *segment = loky_segment_pool_take (&self->segments, item->message.size, error);

  if (segment == NULL)
    return FALSE;
  memcpy (segment->map, g_variant_get_data (item->value), item->message.size);
  item->message.place = LOKY_PLACE_SEGMENT;
  item->message.segment = segment->number;
  item->message.type = g_variant_get_type_string (item->value);
  describe_buffers (item->buffers, records, &item->message);
  item->bytes = g_byte_array_new ();
  append_value_frame (item->bytes, &item->header, &item->message, NULL);
  item_set_fds (item, segment->fd);
  item->segment = segment->number;
  g_clear_pointer (&item->value, g_variant_unref);
  return TRUE;
}

/* Of what is first to be sent. */
static void
give_up_item (LokyChannel *self, Item *item, GError *error)
{
  loky_channel_fail (self, item->header.type, item->header.slot, item->header.number, error);
  item_free (pop_item (&self->sending));
  if (self->substitute == 0)
    return;
  item = item_new (TRUE);
  append_header (item->bytes, &(LokyFrameHeader){ .type = self->substitute });
  g_queue_push_head_link (&self->sending, &item->link);
}

void
loky_channel_fail (LokyChannel *self, guint8 type, guint32 slot, guint64 number, GError *error)
{
  LokySendFailure *failure = g_new0 (LokySendFailure, 1);

  *failure = (LokySendFailure){ .type = type, .slot = slot, .number = number, .error = error };
  g_mutex_lock (&self->outbox_lock);
  g_queue_push_tail (&self->failures, failure);
  g_mutex_unlock (&self->outbox_lock);
}

gboolean
loky_channel_take_failure (LokyChannel *self, LokySendFailure *failure)
{
  g_autofree LokySendFailure *first = NULL;

  g_mutex_lock (&self->outbox_lock);
  first = g_queue_pop_head (&self->failures);
  g_mutex_unlock (&self->outbox_lock);
  if (first == NULL)
    return FALSE;
  *failure = *first;
  return TRUE;
}

static gboolean
is_failure_of (const LokySendFailure *failure, guint8 type, guint64 number)
{
  return failure->type == type && failure->number == number;
}

gboolean
loky_channel_take_failure_of (LokyChannel *self, guint8 type, guint64 number, LokySendFailure *failure)
{
  GList *link;

  g_mutex_lock (&self->outbox_lock);
  link = self->failures.head;
  while (link != NULL && !is_failure_of (link->data, type, number))
    link = link->next;
  if (link != NULL)
    g_queue_unlink (&self->failures, link);
  g_mutex_unlock (&self->outbox_lock);
  if (link == NULL)
    return FALSE;
  *failure = *(LokySendFailure *) link->data;
  g_free (link->data);
  g_list_free_1 (link);
  return TRUE;
}

static gboolean
send_item (LokyChannel *self, Item *item)
{
  char control[CMSG_SPACE (sizeof (int) * LOKY_FRAME_MAX_FDS)]
      __attribute__ ((aligned (__alignof__ (struct cmsghdr))));
  struct iovec vector = { item->bytes->data + item->offset, item->bytes->len - item->offset };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
  ssize_t sent;

  /* The descriptors go with the first byte. */
  if (item->n_fds > 0 && item->offset == 0)
    {
      struct cmsghdr *header;

      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE (sizeof (int) * item->n_fds);
      memset (control, 0, message.msg_controllen);
      header = CMSG_FIRSTHDR (&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN (sizeof (int) * item->n_fds);
      memcpy (CMSG_DATA (header), item->fds, sizeof (int) * item->n_fds);
    }

  do
    sent = sendmsg (self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return FALSE;
  item->offset += (gsize) sent;
  __atomic_add_fetch (&self->n_sent, (guint64) sent, __ATOMIC_RELEASE);
  return TRUE;
}

/* Moves the outbox behind what is being sent. FALSE: there is nothing to send. */
static gboolean
take_outbox (LokyChannel *self)
{
  g_mutex_lock (&self->outbox_lock);
  while (!g_queue_is_empty (&self->outbox))
    g_queue_push_tail_link (&self->sending, g_queue_pop_head_link (&self->outbox));
  g_mutex_unlock (&self->outbox_lock);
  return !g_queue_is_empty (&self->sending);
}

static void
finish_item (LokyChannel *self, Item *item)
{
  /* While a task runs nobody reads that a segment was released. */
  if (item->segment > 0 && item->header.type == LOKY_MESSAGE_PARTIAL)
    loky_segment_pool_drop (&self->segments, item->segment);
  else if (item->segment > 0)
    loky_segment_pool_sent (&self->segments, item->segment);
  /* One is kept for the next batch, unless it grew. */
  if (item->bytes != NULL && item->n_fds == 0 && item->bytes->len <= BATCH_SIZE)
    {
      g_byte_array_set_size (item->bytes, 0);
      item->offset = 0;
      g_mutex_lock (&self->outbox_lock);
      if (self->spare == NULL)
        self->spare = g_steal_pointer (&item);
      g_mutex_unlock (&self->outbox_lock);
    }
  if (item != NULL)
    item_free (item);
}

/* The kernel does not take the descriptors of a value (too many are on their way): that one is not
 * sent, all others are. FALSE: it is another error. */
static gboolean
refuse_item (LokyChannel *self, Item *item, int error_number)
{
  if (item->n_fds == 0 || item->offset > 0 || item->header.number == 0 || error_number == EPIPE ||
      error_number == ECONNRESET || error_number == ENOTCONN)
    return FALSE;
  if (item->segment > 0)
    {
      loky_segment_pool_sent (&self->segments, item->segment);
      loky_segment_pool_release (&self->segments, item->segment);
    }
  give_up_item (self, item,
                g_error_new (LOKY_ERROR, LOKY_ERROR_RESOURCES,
                             "The descriptors of a value cannot be sent: %s", g_strerror (error_number)));
  return TRUE;
}

static LokyFlushResult
send_all_locked (LokyChannel *self)
{
  while (take_outbox (self))
    {
      Item *item = g_queue_peek_head (&self->sending);
      GError *error = NULL;

      if (item->value != NULL && !item_fill_segment (self, item, &error))
        {
          give_up_item (self, item, error);
          continue;
        }
      if (!send_item (self, item))
        {
          if (errno == EAGAIN || errno == EWOULDBLOCK)
            return LOKY_FLUSH_BLOCKED;
          if (refuse_item (self, item, errno))
            continue;
          /* Nothing may follow a frame of which a part is missing. The other end, and whoever reads
           * here, find the end of the stream. */
          loky_channel_shutdown (self);
          clear_items (&self->sending);
          return LOKY_FLUSH_CLOSED;
        }
      if (item->offset == item->bytes->len)
        finish_item (self, pop_item (&self->sending));
    }
  return LOKY_FLUSH_EMPTY;
}

static gboolean
has_outbox (LokyChannel *self)
{
  gboolean has;

  g_mutex_lock (&self->outbox_lock);
  has = !g_queue_is_empty (&self->outbox);
  g_mutex_unlock (&self->outbox_lock);
  return has;
}

LokyFlushResult
loky_channel_flush (LokyChannel *self)
{
  LokyFlushResult result;

  do
    {
      gboolean want;

      if (!g_mutex_trylock (&self->write_lock))
        return LOKY_FLUSH_BUSY;
      result = send_all_locked (self);
      want = result == LOKY_FLUSH_BLOCKED;
      if (want != self->wants_write && self->want_write != NULL)
        {
          self->wants_write = want;
          self->want_write (self->want_write_data, want);
        }
      g_mutex_unlock (&self->write_lock);
      /* Who found the lock taken went away trusting in this second look. */
    }
  while (result == LOKY_FLUSH_EMPTY && has_outbox (self));
  return result;
}

gboolean
loky_channel_flush_all (LokyChannel *self)
{
  gboolean is_empty = FALSE;

  while (!is_empty)
    {
      if (!loky_channel_flush_wait (self))
        return FALSE;
      /* Who has the lock may be about to send the rest. */
      g_mutex_lock (&self->write_lock);
      is_empty = g_queue_is_empty (&self->sending) && !has_outbox (self);
      g_mutex_unlock (&self->write_lock);
    }
  return TRUE;
}

gboolean
loky_channel_flush_wait (LokyChannel *self)
{
  for (;;)
    {
      struct pollfd poll_fd = { .fd = self->fd, .events = POLLOUT };

      switch (loky_channel_flush (self))
        {
        case LOKY_FLUSH_EMPTY:
          return TRUE;
        case LOKY_FLUSH_CLOSED:
          return FALSE;
        case LOKY_FLUSH_BUSY:
          /* Another thread of this worker releases a segment: it sends for us. */
          return TRUE;
        case LOKY_FLUSH_BLOCKED:
          if (poll (&poll_fd, 1, -1) < 0 && errno != EINTR)
            return FALSE;
          break;
        default:
          g_assert_not_reached ();
        }
    }
}

void
loky_channel_shutdown (LokyChannel *self)
{
  shutdown (self->fd, SHUT_RDWR);
}

/* Makes room for another read, by moving what is left of a frame to the front and, for a frame that
 * is larger than the buffer, by a larger buffer. What a hostile peer can make this grow to is bounded
 * by LOKY_FRAME_MAX_BODY. */
static void
make_room (LokyChannel *self)
{
  gsize used = self->input_end - self->input_start;

  if (used == 0)
    self->input_start = self->input_end = 0;
  if (self->input_capacity - self->input_end >= READ_SIZE / 2)
    return;
  if (used > 0 && self->input_start > 0)
    {
      memmove (self->input, self->input + self->input_start, used);
      self->input_start = 0;
      self->input_end = used;
    }
  if (self->input_capacity - used < READ_SIZE / 2)
    {
      self->input_capacity = MAX (READ_SIZE, self->input_capacity * 2);
      self->input = g_realloc (self->input, self->input_capacity);
    }
}

static gboolean
may_be_kept (LokyChannel *self, int fd, char **mounts, GError **error)
{
  if (!self->is_untrusted || loky_close_is_memory (fd) || loky_close_is_pipe (fd))
    return TRUE;
  self->had_foreign = TRUE;
  if (!self->accepts_descriptors)
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                         "A descriptor was sent that is no memory that can be sealed, and no pipe");
  else if (loky_close_is_overrun ())
    g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                         "A descriptor was sent while too many that were sent before cannot be closed");
  else
    return loky_foreign_check (fd, mounts, LOKY_ERROR_PROTOCOL, error);
  return FALSE;
}

/* As loky_fd_above_standard(), but closing may block. */
static int
move_above_standard (LokyChannel *self, int fd)
{
  int moved = fd;

  if (!self->accepts_descriptors || loky_close_is_memory (fd) || loky_close_is_pipe (fd))
    return loky_fd_above_standard (fd);
  if (fd <= STDERR_FILENO)
    {
      moved = fcntl (fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
      loky_close_untrusted (fd);
    }
  /* Who takes it over keeps it there: a forked copy of this process does not have it. */
  loky_fork_guard_add (moved);
  return moved;
}

/* The descriptors that came are queued: a frame takes as many as its header says, in order. */
static gboolean
take_descriptors (LokyChannel *self, struct msghdr *message, GError **error)
{
  g_autoptr (GError) refusal = NULL;
  g_autofree char *mounts = NULL;
  gsize n_received = 0;
  gboolean is_lost = (message->msg_flags & MSG_CTRUNC) != 0;

  for (struct cmsghdr *header = CMSG_FIRSTHDR (message); header != NULL;
       header = CMSG_NXTHDR (message, header))
    {
      gsize n_fds = (header->cmsg_len - CMSG_LEN (0)) / sizeof (int);

      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        continue;
      n_received += n_fds;
      for (gsize i = 0; i < n_fds; i++)
        {
          int fd;

          memcpy (&fd, CMSG_DATA (header) + i * sizeof (int), sizeof (int));
          if (refusal != NULL || !may_be_kept (self, fd, &mounts, &refusal))
            {
              /* Closing one that a hostile peer made may block, by SO_LINGER for one. */
              loky_close_untrusted (fd);
              continue;
            }
          fd = move_above_standard (self, fd);
          is_lost |= fd < 0;
          g_array_append_val (self->input_fds, fd);
        }
    }
  /* Which is not its sender's fault. */
  if (g_error_matches (refusal, LOKY_ERROR, LOKY_ERROR_RESOURCES))
    {
      is_lost = TRUE;
      g_clear_error (&refusal);
    }
  if (refusal != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&refusal));
      return FALSE;
    }
  if (n_received > LOKY_FRAME_MAX_FDS)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                           "More descriptors were sent at once than a frame may have");
      return FALSE;
    }
  if (is_lost)
    {
      /* One read takes the descriptors of one frame, which are of no use without those that are lost. */
      self->has_lost_fds = TRUE;
      drop_descriptors (self);
    }
  /* The end of one frame and the start of the next may come in one read. */
  if (self->input_fds->len > 2 * LOKY_FRAME_MAX_FDS)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                           "More descriptors were sent than frames claim");
      return FALSE;
    }
  return TRUE;
}

LokyFillResult
loky_channel_fill (LokyChannel *self, gboolean wait, GError **error)
{
  char control[CMSG_SPACE (sizeof (int) * MAX_RECEIVED_FDS)]
      __attribute__ ((aligned (__alignof__ (struct cmsghdr))));
  struct iovec vector;
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
                            .msg_controllen = sizeof control };
  ssize_t got;

  make_room (self);
  vector.iov_base = self->input + self->input_end;
  vector.iov_len = self->input_capacity - self->input_end;
  do
    got = recvmsg (self->fd, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  while (got < 0 && errno == EINTR);

  if (got < 0)
    {
      int saved_errno = errno;

      if (saved_errno == EAGAIN || saved_errno == EWOULDBLOCK)
        return LOKY_FILL_AGAIN;
      if (saved_errno == ECONNRESET)
        return LOKY_FILL_EOF;
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "Cannot read from the socket: %s",
                   g_strerror (saved_errno));
      return LOKY_FILL_ERROR;
    }
  if (!take_descriptors (self, &message, error))
    return LOKY_FILL_ERROR;
  if (got == 0)
    return LOKY_FILL_EOF;
  self->input_end += (gsize) got;
  self->n_received += (guint64) got;
  self->is_drained = (gsize) got < vector.iov_len;
  return LOKY_FILL_DATA;
}

guint64
loky_channel_get_n_sent (LokyChannel *self)
{
  return __atomic_load_n (&self->n_sent, __ATOMIC_ACQUIRE);
}

guint64
loky_channel_get_n_received (LokyChannel *self)
{
  return self->n_received;
}

gboolean
loky_channel_is_drained (LokyChannel *self)
{
  return self->is_drained;
}

LokyFrameStatus
loky_channel_next_frame (LokyChannel *self, LokyFrame *frame, GError **error)
{
  gsize available = self->input_end - self->input_start;
  gsize size;
  LokyFrameStatus status;

  if (available == 0)
    return LOKY_FRAME_NEED_MORE;
  status = loky_frame_decode (self->input + self->input_start, available, &frame->header, &size,
                              error);
  if (status != LOKY_FRAME_COMPLETE)
    return status;
  frame->is_untrusted = self->is_untrusted;
  frame->has_lost_fds = self->has_lost_fds && frame->header.n_fds > 0;
  if (frame->has_lost_fds)
    {
      self->has_lost_fds = FALSE;
      for (guint i = 0; i < frame->header.n_fds; i++)
        frame->fds[i] = -1;
    }
  else if (frame->header.n_fds > self->input_fds->len)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                           "A frame came without its descriptors");
      return LOKY_FRAME_INVALID;
    }

  frame->body = self->input + self->input_start + LOKY_FRAME_HEADER_SIZE;
  if (frame->header.n_fds > 0 && !frame->has_lost_fds)
    {
      memcpy (frame->fds, self->input_fds->data, frame->header.n_fds * sizeof (int));
      g_array_remove_range (self->input_fds, 0, frame->header.n_fds);
    }
  self->input_start += size;
  return LOKY_FRAME_COMPLETE;
}

void
loky_frame_close_fds (LokyFrame *frame)
{
  for (guint i = 0; i < frame->header.n_fds; i++)
    close_received (&frame->fds[i], frame->is_untrusted);
}
