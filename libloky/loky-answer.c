/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-answer-private.h"

#include "loky-tsan-private.h"

typedef struct
{
  GTask *task;
  gboolean is_pointer;
  gpointer pointer;
  GDestroyNotify free_func;
  GError *error;
} Answer;

static gboolean
deliver_cb (gpointer data)
{
  Answer *self = data;

  LOKY_TSAN_ACQUIRE (self);
  if (self->error != NULL)
    g_task_return_error (self->task, g_steal_pointer (&self->error));
  else if (self->is_pointer)
    g_task_return_pointer (self->task, g_steal_pointer (&self->pointer), self->free_func);
  else
    g_task_return_boolean (self->task, TRUE);
  return G_SOURCE_REMOVE;
}

static void
answer_free (gpointer data)
{
  Answer *self = data;

  LOKY_TSAN_ACQUIRE (self);
  if (self->pointer != NULL && self->free_func != NULL)
    self->free_func (self->pointer);
  g_clear_error (&self->error);
  g_object_unref (self->task);
  g_free (self);
}

static void
deliver (Answer answer)
{
  Answer *self = g_memdup2 (&answer, sizeof answer);
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, g_task_get_priority (answer.task));
  g_source_set_static_name (source, "[loky] answer");
  LOKY_TSAN_RELEASE (self);
  g_source_set_callback (source, deliver_cb, self, answer_free);
  g_source_attach (source, g_task_get_context (answer.task));
  g_source_unref (source);
}

void
loky_answer_boolean (GTask *task)
{
  deliver ((Answer){ .task = task });
}

void
loky_answer_pointer (GTask *task, gpointer pointer, GDestroyNotify free_func)
{
  deliver ((Answer){ .task = task, .is_pointer = TRUE, .pointer = pointer, .free_func = free_func });
}

void
loky_answer_error (GTask *task, GError *error)
{
  deliver ((Answer){ .task = task, .error = error });
}
