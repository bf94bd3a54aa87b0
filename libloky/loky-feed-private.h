/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a task gives before its end, for a future whose owner asked for it.
 *
 * Partial results are kept until somebody takes them, none is dropped: what may be kept is bounded
 * by a credit, which the worker finds in the control area. It is how much may be sent of the
 * attempt at hand in all, and rises when something is taken. Who sends more than that lies.
 *
 * Output is told in the future's context, and the last of each stream is kept besides. Both are
 * bounded, and the oldest goes first: who prints never waits for who listens.
 *
 * With the pool's lock, but for what says otherwise. Pure: no I/O. */

#include "loky-enums.h"
#include "loky-payload-private.h"

G_BEGIN_DECLS

/* What may be kept of one task, in bytes, unless it is one value alone; and what each value costs
 * beside its own. */
#define LOKY_PARTIAL_LIMIT (G_GINT64_CONSTANT (16) << 20)
#define LOKY_PARTIAL_COST 256

/* Without a lock. */
gint64 loky_partial_get_cost (const char *type, gsize size);

/* Without a lock, by both ends: whether somebody who has sent @sent may send what costs @cost. A
 * value that is larger than all that may be kept goes when nothing else is kept. */
gboolean loky_partial_fits (gint64 sent, gint64 credit, gint64 cost);

/* The last of each stream that is kept, and how much may wait to be told, where each piece costs as
 * much as it is large and some more; in bytes. */
#define LOKY_OUTPUT_RECORD (64u << 10)
#define LOKY_OUTPUT_LIMIT (1u << 20)
#define LOKY_OUTPUT_COST 128

#define LOKY_N_STREAMS 2

typedef struct _LokyCapture LokyCapture;

typedef struct
{
  GList link;
  LokyPayload *payload;
  GError *error; /* instead: it came, and cannot be had */
  gint64 cost;
} LokyPartial;

void loky_partial_free (LokyPartial *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokyPartial, loky_partial_free)

typedef struct
{
  GList link;
  LokyStream stream;
  GBytes *bytes;
  guint64 n_dropped; /* of the stream, right before them */
} LokyOutputPiece;

void loky_output_piece_free (LokyOutputPiece *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokyOutputPiece, loky_output_piece_free)

typedef struct
{
  gboolean wants_partials;  /* constant */
  gboolean captures_output; /* constant */

  GQueue partials; /* of LokyPartial: that nobody has taken */
  gint64 kept;     /* what these cost */
  gint64 received; /* what those of the attempt at hand cost */
  gint64 credit;   /* of the attempt at hand */

  GQueue pieces; /* of LokyOutputPiece: that were not told */
  gsize pieces_cost;
  guint64 n_dropped[LOKY_N_STREAMS];   /* bytes, since the last piece that was told */
  guint64 n_written[LOKY_N_STREAMS];   /* bytes, in all */
  GByteArray *records[LOKY_N_STREAMS]; /* at least what is to be kept; or NULL */
  LokyCapture *capture;                /* the pool's, while a worker has the task; or NULL */
} LokyFeed;

/* Without a lock: nobody else has it. */
LokyFeed *loky_feed_new (gboolean wants_partials, gboolean captures_output);
void loky_feed_free (LokyFeed *self);

/* Before each attempt: its credit. */
gint64 loky_feed_begin (LokyFeed *self);

/* Takes over one of @payload, which costs so much, and @error. FALSE: nobody asked for it, or it is more
 * than there was credit for. */
gboolean loky_feed_add_partial (LokyFeed *self, LokyPayload *payload, gint64 cost, GError *error);

gboolean loky_feed_has_partial (LokyFeed *self);

/* The next one, or NULL; the credit has risen then. */
LokyPartial *loky_feed_take_partial (LokyFeed *self);

void loky_feed_add_output (LokyFeed *self, LokyStream stream, const guint8 *data, gsize size);

/* The next one, or NULL. */
LokyOutputPiece *loky_feed_take_piece (LokyFeed *self);

/* Nobody listens: what was to be told is not. */
void loky_feed_drop_pieces (LokyFeed *self);

/* The last of it; a new one. */
GBytes *loky_feed_dup_record (LokyFeed *self, LokyStream stream);

G_END_DECLS
