/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a task gives before its end, for a future whose owner asked for it.
 *
 * Partial results are kept until somebody takes them, none is dropped: what may be kept is bounded by a credit, which
 * the worker finds in the control area. It is how much may be sent of the attempt at hand in all, and rises when
 * something is taken. Who sends more than that lies.
 *
 * With the pool's lock, but for what says otherwise. Pure: no I/O. */

#include "loky-payload-private.h"

G_BEGIN_DECLS

/* What may be kept of one task, in bytes, unless it is one value alone; and what each value costs beside its own. */
#define LOKY_PARTIAL_LIMIT (G_GINT64_CONSTANT (16) << 20)
#define LOKY_PARTIAL_COST 256

/* Without a lock. */
gint64 loky_partial_get_cost (gsize size);

/* Without a lock, by both ends: whether somebody who has sent @sent may send what costs @cost. A value that is larger
 * than all that may be kept goes when nothing else is kept. */
gboolean loky_partial_fits (gint64 sent, gint64 credit, gint64 cost);

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
  gboolean wants_partials; /* constant */

  GQueue partials;  /* of LokyPartial: that nobody has taken */
  gint64 kept;      /* what these cost */
  gint64 received;  /* what those of the attempt at hand cost */
  gint64 credit;    /* of the attempt at hand */
} LokyFeed;

/* Without a lock: nobody else has it. */
LokyFeed *loky_feed_new (gboolean wants_partials);
void loky_feed_free (LokyFeed *self);

/* Before each attempt: its credit. */
gint64 loky_feed_begin (LokyFeed *self);

/* Takes over one of @payload, of @size bytes, and @error. FALSE: nobody asked for it, or it is more than there was
 * credit for. */
gboolean loky_feed_add_partial (LokyFeed *self, LokyPayload *payload, gsize size, GError *error);

gboolean loky_feed_has_partial (LokyFeed *self);

/* The next one, or NULL; the credit has risen then. */
LokyPartial *loky_feed_take_partial (LokyFeed *self);

G_END_DECLS
