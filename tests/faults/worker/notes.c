/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Answers that are left in the control area, as the real worker leaves them and otherwise. */

#include "hostile-worker.h"

#include <string.h>

/* The note of @task in its place, but not yet shown. */
static LokyControlNote *
write_note (const Task *task)
{
  LokyControlNote *note = &me.control.area->answers[task->slot];
  g_autoptr (GByteArray) frame = make_result (task->slot, task->number, task->text);
  const guint8 *body = frame->data + LOKY_FRAME_HEADER_SIZE;

  *note = (LokyControlNote){ .number = task->number, .slot = task->slot, .type = LOKY_MESSAGE_RESULT };
  note->length = (guint16) value_length ("s", (gsize) strlen (task->text) + 1);
  memcpy (note->body, body, note->length);
  return note;
}

static void
show (guint32 slot)
{
  __atomic_fetch_or (&me.control.area->has_answer[slot / 64], G_GUINT64_CONSTANT (1) << (slot % 64),
                     __ATOMIC_SEQ_CST);
}

/* So that somebody looks. */
static void
nudge (const Task *task)
{
  send_frame (LOKY_MESSAGE_RELEASE, 0, G_MAXUINT64, NULL, 0);
}

/* As it should be. */
static void
obey_note (Task *task)
{
  write_note (task);
  show (task->slot);
  nudge (task);
}

/* What is wrong with it is said by the argument; the answer follows by a message. */
static void
obey_odd_note (Task *task)
{
  LokyControlNote *note = write_note (task);

  if (g_str_equal (task->argument, "number"))
    note->number += 1000;
  else if (g_str_equal (task->argument, "slot"))
    note->slot ^= 1;
  else if (g_str_equal (task->argument, "type"))
    note->type = LOKY_MESSAGE_HELLO;
  else if (g_str_equal (task->argument, "length"))
    note->length = G_MAXUINT16;
  else if (g_str_equal (task->argument, "elsewhere"))
    {
      me.control.area->answers[task->slot ^ 1] = *note;
      show (task->slot ^ 1);
      note->number = 0;
    }
  show (task->slot);
  nudge (task);
  answer (task);
}

/* Of a task that it has. */
static void
obey_broken_note (Task *task)
{
  LokyControlNote *note = write_note (task);

  if (g_str_equal (task->argument, "short"))
    note->length = 8;
  else if (g_str_equal (task->argument, "segment"))
    note->body[30] = LOKY_PLACE_SEGMENT;
  else if (g_str_equal (task->argument, "buffer"))
    note->body[31] = 1;
  else if (g_str_equal (task->argument, "chunk"))
    note->type = LOKY_MESSAGE_CHUNK_RESULT;
  else
    note->body[32] = '!';
  show (task->slot);
  nudge (task);
  hang ();
}

static void
obey_note_and_die (Task *task)
{
  write_note (task);
  show (task->slot);
  die ();
}

static void
obey_note_and_message (Task *task)
{
  obey_note (task);
  /* Until it was taken. */
  while (__atomic_load_n (&me.control.area->has_answer[task->slot / 64], __ATOMIC_SEQ_CST) != 0)
    g_usleep (100);
  g_usleep (1000);
  answer (task);
  hang ();
}

/* All bits, as often as somebody takes them. */
static void
obey_note_flood (Task *task)
{
  for (guint i = 0; i < 1000; i++)
    {
      memset (me.control.area->has_answer, 0xff, sizeof me.control.area->has_answer);
      nudge (task);
    }
  answer (task);
}

/* It was left, and somebody writes over it: the one after it is answered. */
static void
obey_forget (Task *task)
{
}

const TaskOrder note_orders[] = {
  { "note", obey_note },
  { "odd-note", obey_odd_note },
  { "broken-note", obey_broken_note },
  { "note-and-die", obey_note_and_die },
  { "note-and-message", obey_note_and_message },
  { "note-flood", obey_note_flood },
  { "forget", obey_forget },
  { NULL, NULL },
};
