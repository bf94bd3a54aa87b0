/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rooms of hostile-worker, a worker program that speaks the protocol of the library until it is told to do
 * otherwise: at its start by the board (hostile-board.h), in a task by the task's argument, a string "ORDER" or
 * "ORDER:ARGUMENT". What is no order is returned as the result. The name of the task does not matter.
 *
 * One idea a function; the tables at the end of the files name them. */

#include <gio/gio.h>

#include "hostile-board.h"
#include "loky-control-private.h"
#include "loky-message-private.h"

/* As many as the kernel takes in one message. */
#define MAX_FDS 253

#define CHANNEL_FD STDIN_FILENO
#define VALUE_HEADER_SIZE 32

typedef struct
{
  LokyFrameHeader header;
  guint8 *body; /* with 8 bytes more */
  int fds[2 * LOKY_FRAME_MAX_FDS];
  guint n_fds;
} Frame;

typedef struct
{
  guint32 slot;
  guint64 number;
  char *text; /* the argument */
  const char *argument; /* what follows the colon, or "" */
} Task;

typedef struct
{
  const char *name;
  void (*func) (Task *task);
} TaskOrder;

typedef struct
{
  const char *name;
  void (*func) (const char *argument);
} StartOrder;

/* Each ends with one without a name. */
extern const TaskOrder frame_orders[];
extern const TaskOrder memory_orders[];
extern const TaskOrder life_orders[];
extern const TaskOrder note_orders[];
extern const TaskOrder partial_orders[];
extern const StartOrder start_orders[];

typedef struct
{
  HostileBoard *board;
  LokyControl control;
  gint64 n_sent;
  gint64 n_read;
  gint64 kill_sent;
  gint64 kill_read;
  gboolean obeys;
  char start_order[64];
} Me;

extern Me me;

/* --- wire.c ---------------------------------------------------------------------------------- */

void die (void) G_GNUC_NORETURN;
void hang (void) G_GNUC_NORETURN;
void put_once (const guint8 *bytes, gsize size, const int *fds, guint n_fds, gsize *done);
void put (gconstpointer bytes, gsize size, const int *fds, guint n_fds);
GByteArray *make_frame (guint8 type,
                        guint32 slot,
                        guint64 number,
                        gconstpointer body,
                        gsize length,
                        guint n_fds);
void send_frame (guint8 type, guint32 slot, guint64 number, gconstpointer body, gsize length);
void send_variant (guint8 type, guint32 slot, guint64 number, GVariant *body);
void mark_sent (void);
GByteArray *make_value (const char *type,
                        gconstpointer data,
                        gsize data_size,
                        const LokyValueMessage *extra);
gsize value_length (const char *type, gsize data_size);
GByteArray *make_result (guint32 slot, guint64 number, const char *text);
void send_result (guint32 slot, guint64 number, const char *text);
void send_failure (const Task *task, const char *domain, gint32 code, const char *message);
void answer (const Task *task);
void have_tasks_sent (void);
void read_frame (Frame *frame);
void frame_clear (Frame *frame);
void parse_task (Frame *frame, Task *task);
void say_hello (const char *version);

/* --- life.c ---------------------------------------------------------------------------------- */

void scribble (const char *how);
