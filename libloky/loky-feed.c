/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-feed-private.h"

gint64
loky_partial_get_cost (gsize size)
{
  return (gint64) MIN (size, G_MAXINT64 / 4) + LOKY_PARTIAL_COST;
}

gboolean
loky_partial_fits (gint64 sent, gint64 credit, gint64 cost)
{
  return credit - sent >= cost || credit - sent >= LOKY_PARTIAL_LIMIT;
}

void
loky_partial_free (LokyPartial *self)
{
  g_clear_pointer (&self->payload, loky_payload_unref);
  g_clear_error (&self->error);
  g_free (self);
}

LokyFeed *
loky_feed_new (gboolean wants_partials)
{
  LokyFeed *self = g_new0 (LokyFeed, 1);

  self->wants_partials = wants_partials;
  return self;
}

void
loky_feed_free (LokyFeed *self)
{
  LokyPartial *partial;

  while ((partial = loky_feed_take_partial (self)) != NULL)
    loky_partial_free (partial);
  g_free (self);
}

gint64
loky_feed_begin (LokyFeed *self)
{
  self->received = 0;
  self->credit = LOKY_PARTIAL_LIMIT - self->kept;
  return self->credit;
}

gboolean
loky_feed_add_partial (LokyFeed *self, LokyPayload *payload, gsize size, GError *error)
{
  gint64 cost = loky_partial_get_cost (size);
  LokyPartial *partial = g_new0 (LokyPartial, 1);

  partial->link.data = partial;
  partial->payload = payload;
  partial->error = error;
  partial->cost = cost;
  if (!self->wants_partials || !loky_partial_fits (self->received, self->credit, cost))
    {
      loky_partial_free (partial);
      return FALSE;
    }
  self->received += cost;
  self->kept += cost;
  g_queue_push_tail_link (&self->partials, &partial->link);
  return TRUE;
}

gboolean
loky_feed_has_partial (LokyFeed *self)
{
  return !g_queue_is_empty (&self->partials);
}

LokyPartial *
loky_feed_take_partial (LokyFeed *self)
{
  GList *link = g_queue_pop_head_link (&self->partials);
  LokyPartial *partial = link != NULL ? link->data : NULL;

  if (partial == NULL)
    return NULL;
  self->kept -= partial->cost;
  self->credit += partial->cost;
  return partial;
}
