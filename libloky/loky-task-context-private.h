/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The context of a task as the worker loop sees it. */

#include "loky-channel-private.h"
#include "loky-control-private.h"
#include "loky-feed-private.h"
#include "loky-plugin-loader-private.h"
#include "loky-serializer-private.h"
#include "loky-task-context.h"

G_BEGIN_DECLS

/* What all tasks of a worker share; owned by the worker loop, which outlives them. */
typedef struct
{
  guint worker_id;
  LokyChannel *channel;
  LokyControl *control;
  LokyPluginLoader *loader;
  gboolean accepts_descriptors; /* the application, with results */
} LokyTaskSurroundings;

/* Of what is no task of the parent's: it has no progress and is never cancelled. */
#define LOKY_TASK_CONTEXT_NO_SLOT G_MAXUINT

/* @kept: NULL, or where one may be that was recycled. */
LokyTaskContext *loky_task_context_new (LokyTaskContext **kept,
                                        const LokyTaskSurroundings *surroundings,
                                        const char *task,
                                        guint attempt,
                                        guint slot,
                                        guint64 number,
                                        GPtrArray *buffers);

/* The task has returned: nothing is sent in its name any more. */
void loky_task_context_end (LokyTaskContext *self);

/* Takes over the caller's reference. @kept: where the next _new() finds it, if nobody else has it and nothing was
 * attached to it; to make an object and to end it takes longer than many tasks do. */
void loky_task_context_recycle (LokyTaskContext *self, LokyTaskContext **kept);

/* Of a task that has ended: whether a message was sent in its name. */
gboolean loky_task_context_has_sent (LokyTaskContext *self);

/* What becomes of partial results. */
typedef enum
{
  LOKY_PARTIAL_REFUSED,
  LOKY_PARTIAL_DROPPED, /* nobody wants them */
  LOKY_PARTIAL_SENT,
} LokyPartialMode;

/* Before the task begins; @serializer is that of its values. At first they are refused. */
void loky_task_context_set_partial_mode (LokyTaskContext *self, LokyPartialMode mode, LokySerializer *serializer);

/* Any thread. */
LokyPartialMode loky_task_context_get_partial_mode (LokyTaskContext *self);
LokySerializer *loky_task_context_get_serializer (LokyTaskContext *self);
/* @value: in normal form, there as bytes; NULL if they are refused. Sends it. */
gboolean loky_task_context_send_prepared (LokyTaskContext *self, GVariant *value, GError **error);

/* Whether the result may refer to descriptors. */
gboolean loky_task_context_accepts_descriptors (LokyTaskContext *self);

/* Those that were received and those that were added. */
GPtrArray *loky_task_context_get_buffers (LokyTaskContext *self);

/* Makes a value that refers to @attachment, and keeps it until the result was sent. For the thread of the task. */
GVariant *loky_task_context_keep (LokyTaskContext *self, GObject *attachment, GError **error);

LokyPluginLoader *loky_task_context_get_loader (LokyTaskContext *self);

/* The object that says when the task is to stop: the context's; the first call makes it, under a lock. @stop has it say
 * so, in the relay thread, at most for as long as the task runs. */
GObject *loky_task_context_ensure_stopper (LokyTaskContext *self,
                                           GObject *(*make) (void),
                                           void (*stop) (GObject *stopper));

/* Has it say so if the task is to stop. Called by the relay thread. */
void loky_task_context_relay (LokyTaskContext *self);

G_END_DECLS
