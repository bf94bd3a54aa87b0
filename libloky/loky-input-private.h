/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An input as the results of its map see it. */

#include "loky-input.h"

G_BEGIN_DECLS

typedef enum
{
  LOKY_INPUT_ITEM,
  LOKY_INPUT_NOTHING, /* now; the listener is told when that changes */
  LOKY_INPUT_ENDED,
  LOKY_INPUT_FAILED,
} LokyInputStatus;

/* Called after a push or an end, in the thread of its caller, without any lock, but not from inside
 * loky_input_take(). */
typedef void (*LokyInputListener) (gpointer user_data);

/* FALSE: another map has it already. The input holds a reference of @user_data until it is
 * detached, and one more during each call. */
gboolean loky_input_attach (LokyInput *self,
                            LokyInputListener listener,
                            gpointer user_data,
                            GBoxedCopyFunc ref,
                            GDestroyNotify unref);
void loky_input_detach (LokyInput *self);

/* Where items come from that no array, model or function of the user's has. */
typedef struct
{
  /* As loky_input_take(): pushes the next item, ends or fails, or does none of these. */
  void (*supply) (LokyInput *self, gpointer data, gboolean may_ask);
  guint64 (*get_n_left) (gpointer data, gboolean may_ask); /* as loky_input_get_n_left() */
  gboolean (*attach) (LokyInput *self, gpointer data);     /* FALSE: it serves another map */
  void (*detach) (gpointer data);
  GDestroyNotify free;
} LokyInputSource;

/* Takes over @data. */
LokyInput *loky_input_new_with_source (const LokyInputSource *source, gpointer data);

/* The source has something now: the listener is told. Any thread. */
void loky_input_tell (LokyInput *self);

/* Arguments that are submitted together. */
typedef struct
{
  GVariant *args; /* of a chunk an array of them */
  guint n_items;
  gboolean is_chunk; /* FALSE: an item that no chunk can hold */
} LokyInputChunk;

/* The next items, as many as are there now, of the same type, and at most @max_items; of those of variable
 * size, and unless it is one, about @max_size bytes. With @may_ask the user's function is called for more, for
 * a moment: it may be slow. One thread at a time. */
LokyInputStatus loky_input_take_chunk (LokyInput *self,
                                       gboolean may_ask,
                                       guint max_items,
                                       gsize max_size,
                                       LokyInputChunk *chunk,
                                       GError **error);

/* How many items are left, G_MAXUINT64 if nobody knows. With @may_ask a list model is asked. By the thread
 * that takes. */
guint64 loky_input_get_n_left (LokyInput *self, gboolean may_ask);

/* The next item. With @may_ask the user's function is called if nothing is at hand. One thread at a
 * time. */
LokyInputStatus loky_input_take (LokyInput *self, gboolean may_ask, GVariant **item, GError **error);

G_END_DECLS
