/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The typed messages inside the frames: what each body holds. docs/protocol.md has the table.
 *
 * Pure: no I/O and no shared state; callable from any thread. What is parsed here may come from a
 * hostile peer: every length, type and text is checked before it is used. */

#include <glib.h>

#include "loky-frame-private.h"

G_BEGIN_DECLS

typedef enum
{
  /* to the worker */
  LOKY_MESSAGE_SETUP = 1, /* SETUP_TYPE; descriptors: control area, pidfd of the parent */
  LOKY_MESSAGE_TASK_NAME, /* TASK_NAME_TYPE; number: what TASK will call it */
  LOKY_MESSAGE_TASK,      /* a value; slot and number of the task */
  LOKY_MESSAGE_LEAVE,     /* empty: say goodbye and exit */
  LOKY_MESSAGE_REFUSE,    /* REFUSE_TYPE: a plugin file that must not be opened */
  LOKY_MESSAGE_CHUNK,     /* a value, an array; slot and number: as TASK for each of its elements */
  LOKY_MESSAGE_LOOK,      /* empty: in place of nothing, to wake the worker, or of a value that cannot be sent */

  /* both ways */
  LOKY_MESSAGE_RELEASE = 16, /* empty; number: the segment that may be reused */

  /* from the worker */
  LOKY_MESSAGE_HELLO = 32,   /* HELLO_TYPE: ready for tasks */
  LOKY_MESSAGE_START_FAILED, /* NAME_TYPE: why the worker cannot serve; number: 1 when its initializer failed */
  LOKY_MESSAGE_RESULT,       /* a value; slot and number of the task */
  LOKY_MESSAGE_FAILURE,      /* FAILURE_TYPE; slot and number of the task */
  LOKY_MESSAGE_PROGRESS,     /* empty; slot and number: there is news in the control area */
  LOKY_MESSAGE_GOODBYE,      /* empty: the last frame of a worker that leaves in order */
  LOKY_MESSAGE_CHUNK_RESULT, /* a value of MIXED_TYPE; slot and number of the chunk */
  LOKY_MESSAGE_GROWN,        /* GROWN_TYPE: it holds more memory than it may, and is to be told to leave */
  LOKY_MESSAGE_PARTIAL,      /* a value without buffers; slot and number of the task that goes on */
} LokyMessageType;

/* version, worker id, slots, plugin path, refused, initializer, its arguments, memory growth limit, check interval,
 * environment, CPUs, whether descriptors are accepted with results */
#define LOKY_MESSAGE_SETUP_TYPE "(suuaaya(tttss)smvtxasaub)"
#define LOKY_MESSAGE_NAME_TYPE "(s)"
#define LOKY_MESSAGE_TASK_NAME_TYPE "(sst)" /* task, serializer (empty: the default), memory limit (0: none) */
#define LOKY_MESSAGE_NAME_TYPE_BORROWED "(&s)"
#define LOKY_MESSAGE_REFUSE_TYPE "(tttss)" /* device, inode, mtime in ns, path, reason */
#define LOKY_MESSAGE_HELLO_TYPE "(su)"     /* version, pid */
#define LOKY_MESSAGE_FAILURE_TYPE "(sisx)" /* domain, code, message, run time in ns */
#define LOKY_MESSAGE_GROWN_TYPE "(tt)"       /* bytes after the first task, and now */
#define LOKY_MESSAGE_MIXED_TYPE "a(mv(sis))" /* of each item its result, or else domain, code, message */

/* Values whose type string is longer are refused, longer error messages are cut, in bytes. */
#define LOKY_MESSAGE_MAX_TYPE 4096
#define LOKY_MESSAGE_MAX_ERROR (64 * 1024)

/* Values of up to this size travel in the frame, larger ones in shared memory, in bytes. */
#define LOKY_MESSAGE_MAX_INLINE (32 * 1024)

typedef enum
{
  LOKY_PLACE_INLINE,
  LOKY_PLACE_SEGMENT, /* in the first descriptor of the frame */
} LokyPlace;

/* How a task is to be run; in the byte of the place. */
#define LOKY_TASK_WANTS_PARTIALS 0x10
#define LOKY_TASK_CAPTURES_OUTPUT 0x20 /* the last two descriptors are what to write it to */
#define LOKY_TASK_FLAGS (LOKY_TASK_WANTS_PARTIALS | LOKY_TASK_CAPTURES_OUTPUT)
#define LOKY_TASK_N_OUTPUTS 2

/* What a record is of: a buffer, a synchronizer, the condition with the number part - LOKY_PART_CONDITION of a lock, a
 * descriptor, which comes from a worker only where that was told so, or a hold on a resource. */
#define LOKY_PART_BUFFER 0
#define LOKY_PART_WHOLE 1
#define LOKY_PART_CONDITION 2
#define LOKY_PART_DESCRIPTOR G_MAXUINT32
#define LOKY_PART_HOLD (G_MAXUINT32 - 1)

/* What a value refers to by its handle; its descriptor is in the frame. */
typedef struct
{
  gint32 handle;
  guint32 part; /* LOKY_PART_ */
  guint64 size;
} LokyBufferRecord;

/* A GVariant on its way, with what is said about it. */
typedef struct
{
  const char *type;   /* NUL-terminated, a definite type */
  const guint8 *data; /* INLINE: the serialised value; SEGMENT: NULL */
  guint64 size;       /* of the serialised value, in bytes */
  LokyPlace place;
  guint8 flags;       /* TASK: LOKY_TASK_ */
  guint32 segment;    /* SEGMENT: its number, to be released; of a partial result it goes when it was read */
  guint32 name;       /* TASK: what TASK_NAME called the task */
  guint32 attempt;    /* TASK: from 1 */
  gint64 run_time;    /* RESULT: in ns */
  const LokyBufferRecord *buffers;
  guint n_buffers;
  int outputs[LOKY_TASK_N_OUTPUTS]; /* CAPTURES_OUTPUT: the sender's; not parsed */
} LokyValueMessage;

/* How many descriptors there are of them in a frame. */
static inline guint
loky_message_count_outputs (guint8 flags)
{
  return (flags & LOKY_TASK_CAPTURES_OUTPUT) != 0 ? LOKY_TASK_N_OUTPUTS : 0;
}

/* Appends all but the data of @value to @out, which must be empty or hold a multiple of eight. */
void loky_message_append_value (GByteArray *out, const LokyValueMessage *value);

/* How many bytes that is. */
gsize loky_message_value_overhead (const LokyValueMessage *value);

/* The whole body of @value, which must be inline and without buffers, with its data: its length, or 0 if it is longer
 * than @most. */
gsize loky_message_write_value (guint8 *out, gsize most, const LokyValueMessage *value);

/* Parses a body. What @value points to is inside @body, which must be aligned to 8 bytes. */
gboolean loky_message_parse_value (const LokyFrameHeader *header,
                                   const guint8 *body,
                                   LokyValueMessage *value,
                                   GError **error);

/* Parses a body that is a GVariant of the given type; checks that it is in normal form. */
GVariant *loky_message_parse_variant (const LokyFrameHeader *header,
                                      const guint8 *body,
                                      const char *type,
                                      GError **error);

const char *loky_message_type_to_string (guint type);

G_END_DECLS
