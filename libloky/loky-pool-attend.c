/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers that may leave their answers in the control area. Whoever reads what they sent attends to them until it
 * has nothing more to do: what they answer meanwhile needs no message. */

#include <gio/gio.h>

#include "loky-pool-internal.h"

/* More of them are not looked at each time; what they send is read as ever. */
#define MAX_ATTENDED 16

void
loky_pool_attend (LokyPool *self, LokyPoolWorker *worker)
{
  if (worker->is_attended || self->attended->len == MAX_ATTENDED)
    return;
  worker->is_attended = TRUE;
  g_ptr_array_add (self->attended, loky_pool_worker_ref (worker));
  loky_control_set_attentive (&worker->control, TRUE);
}

gboolean
loky_pool_look_at_attended (LokyPool *self, LokyPoolDeferred *deferred)
{
  gboolean has_answers = FALSE;

  for (guint i = 0; i < self->attended->len; i++)
    has_answers |= loky_pool_read_answers (self, g_ptr_array_index (self->attended, i), deferred);
  return has_answers;
}

void
loky_pool_unattend (LokyPool *self, LokyPoolDeferred *deferred)
{
  for (guint i = 0; i < self->attended->len; i++)
    {
      LokyPoolWorker *worker = g_ptr_array_index (self->attended, i);

      worker->is_attended = FALSE;
      loky_control_set_attentive (&worker->control, FALSE);
    }
  /* What was left before that. */
  loky_pool_look_at_attended (self, deferred);
  g_ptr_array_set_size (self->attended, 0);
}
