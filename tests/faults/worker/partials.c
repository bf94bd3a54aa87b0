/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders about what is sent before the end of a task. */

#include <string.h>

#include "hostile-worker.h"

static void
send_partial (guint32 slot, guint64 number, const char *type, gconstpointer data, gsize size)
{
  g_autoptr (GByteArray) body = make_value (type, data, size, NULL);

  send_frame (LOKY_MESSAGE_PARTIAL, slot, number, body->data, value_length (type, size));
}

/* One, and the result. */
static void
obey_partial (Task *task)
{
  send_partial (task->slot, task->number, "s", "early", 6);
  answer (task);
}

static void
obey_partial_and_hang (Task *task)
{
  send_partial (task->slot, task->number, "s", "early", 6);
  hang ();
}

/* Small ones without end, whatever may be sent. */
static void
obey_partial_flood (Task *task)
{
  for (;;)
    send_partial (task->slot, task->number, "s", "early", 6);
}

static void
obey_partial_number (Task *task)
{
  send_partial (task->slot, task->number + 1, "s", "early", 6);
  hang ();
}

static void
obey_partial_late (Task *task)
{
  answer (task);
  send_partial (task->slot, task->number, "s", "late", 5);
  hang ();
}

/* A string without its end, one that is, and the result. */
static void
obey_partial_not_normal (Task *task)
{
  send_partial (task->slot, task->number, "s", "early", 5);
  obey_partial (task);
}

const TaskOrder partial_orders[] = {
  { "partial", obey_partial },
  { "partial-and-hang", obey_partial_and_hang },
  { "partial-flood", obey_partial_flood },
  { "partial-number", obey_partial_number },
  { "partial-late", obey_partial_late },
  { "partial-not-normal", obey_partial_not_normal },
  { NULL, NULL },
};
