/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Frames that are none, and answers that are not due. */

#include "hostile-worker.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loky-version.h"

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

/* --- orders: answers to chunks that are none -------------------------------------------------- */

static void
send_chunk_result (const Task *task, guint8 type, GVariant *value)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  gsize size = g_variant_get_size (owned);
  const char *type_string = g_variant_get_type_string (owned);
  g_autoptr (GByteArray) body = make_value (type_string, g_variant_get_data (owned), size, NULL);

  send_frame (type, task->slot, task->number, body->data, value_length (type_string, size));
}

static void
obey_chunk_few (Task *task)
{
  send_chunk_result (task, LOKY_MESSAGE_RESULT, g_variant_new_strv (&task->argument, 1));
}

static void
obey_chunk_many (Task *task)
{
  send_chunk_result (task, LOKY_MESSAGE_RESULT, g_variant_new_bytestring ("many more bytes than there were items"));
}

static void
obey_chunk_mixed_few (Task *task)
{
  send_chunk_result (task, LOKY_MESSAGE_CHUNK_RESULT, g_variant_new_array (G_VARIANT_TYPE ("(mv(sis))"), NULL, 0));
}

static void
obey_chunk_mixed_type (Task *task)
{
  send_chunk_result (task, LOKY_MESSAGE_CHUNK_RESULT, g_variant_new_parsed ("['a', 'b', 'c', 'd']"));
}

/* For a task that is no chunk. */
static void
obey_chunk_undue (Task *task)
{
  obey_chunk_mixed_few (task);
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
obey_grown (Task *task)
{
  for (guint i = 0; i < 100; i++)
    send_variant (LOKY_MESSAGE_GROWN, 0, i, g_variant_new ("(tt)", G_MAXUINT64, (guint64) i));
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

const TaskOrder frame_orders[] = {
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
  { "chunk-few", obey_chunk_few },
  { "chunk-many", obey_chunk_many },
  { "chunk-mixed-few", obey_chunk_mixed_few },
  { "chunk-mixed-type", obey_chunk_mixed_type },
  { "chunk-undue", obey_chunk_undue },
  { "silence", obey_silence },
  { "again", obey_again },
  { "again-later", obey_again_later },
  { "failure-then-result", obey_failure_then_result },
  { "steal", obey_steal },
  { "other", obey_other },
  { "hello-again", obey_hello_again },
  { "goodbye", obey_goodbye },
  { "start-failed", obey_start_failed },
  { "grown", obey_grown },
  { "shut", obey_shut },
  { "close", obey_close },
  { NULL, NULL },
};
