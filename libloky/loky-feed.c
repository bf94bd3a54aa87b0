/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-feed-private.h"

#include <string.h>

gint64
loky_partial_get_cost (const char *type, gsize size)
{
  return (gint64) MIN (size, G_MAXINT64 / 4) + (gint64) strlen (type) + LOKY_PARTIAL_COST;
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

void
loky_output_piece_free (LokyOutputPiece *self)
{
  g_bytes_unref (self->bytes);
  g_free (self);
}

LokyFeed *
loky_feed_new (gboolean wants_partials, gboolean captures_output)
{
  LokyFeed *self = g_new0 (LokyFeed, 1);

  self->wants_partials = wants_partials;
  self->captures_output = captures_output;
  return self;
}

void
loky_feed_free (LokyFeed *self)
{
  LokyPartial *partial;

  while ((partial = loky_feed_take_partial (self)) != NULL)
    loky_partial_free (partial);
  loky_feed_drop_pieces (self);
  for (guint i = 0; i < LOKY_N_STREAMS; i++)
    g_clear_pointer (&self->records[i], g_byte_array_unref);
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
loky_feed_add_partial (LokyFeed *self, LokyPayload *payload, gint64 cost, GError *error)
{
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

/* --- output ----------------------------------------------------------------------------------- */

static gsize
get_piece_cost (LokyOutputPiece *piece)
{
  return g_bytes_get_size (piece->bytes) + LOKY_OUTPUT_COST;
}

static LokyOutputPiece *
pop_piece (LokyFeed *self)
{
  GList *link = g_queue_pop_head_link (&self->pieces);
  LokyOutputPiece *piece = link != NULL ? link->data : NULL;

  if (piece != NULL)
    self->pieces_cost -= get_piece_cost (piece);
  return piece;
}

/* FALSE: there is none. */
static gboolean
drop_piece (LokyFeed *self)
{
  g_autoptr (LokyOutputPiece) piece = pop_piece (self);

  if (piece != NULL)
    self->n_dropped[piece->stream] += g_bytes_get_size (piece->bytes);
  return piece != NULL;
}

/* The front is cut off now and then, not each time. */
static void
record (LokyFeed *self, LokyStream stream, const guint8 *data, gsize size)
{
  GByteArray *it = self->records[stream];

  if (it == NULL)
    it = self->records[stream] = g_byte_array_new ();
  g_byte_array_append (it, data, (guint) size);
  if (it->len >= 2 * LOKY_OUTPUT_RECORD)
    g_byte_array_remove_range (it, 0, it->len - LOKY_OUTPUT_RECORD);
}

void
loky_feed_add_output (LokyFeed *self, LokyStream stream, const guint8 *data, gsize size)
{
  LokyOutputPiece *piece = g_new0 (LokyOutputPiece, 1);

  piece->link.data = piece;
  piece->stream = stream;
  piece->bytes = g_bytes_new (data, size);
  g_queue_push_tail_link (&self->pieces, &piece->link);
  self->pieces_cost += get_piece_cost (piece);
  self->n_written[stream] += size;
  record (self, stream, data, size);
  while (self->pieces_cost > LOKY_OUTPUT_LIMIT && drop_piece (self))
    ;
}

LokyOutputPiece *
loky_feed_take_piece (LokyFeed *self)
{
  LokyOutputPiece *piece = pop_piece (self);

  if (piece == NULL)
    return NULL;
  piece->n_dropped = self->n_dropped[piece->stream];
  self->n_dropped[piece->stream] = 0;
  return piece;
}

void
loky_feed_drop_pieces (LokyFeed *self)
{
  while (drop_piece (self))
    ;
}

GBytes *
loky_feed_dup_record (LokyFeed *self, LokyStream stream)
{
  GByteArray *it = self->records[stream];
  gsize size = it != NULL ? MIN (it->len, LOKY_OUTPUT_RECORD) : 0;

  return g_bytes_new (size > 0 ? it->data + it->len - size : NULL, size);
}
