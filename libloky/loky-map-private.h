/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is behind LokyResults: the items of a map that were taken from the input and whose results were not
 * yet taken. It outlives the object: what is in flight and the input refer to it.
 *
 * Items are submitted in pieces: alone, or as a chunk. Who takes results asks for them in the order of the
 * pieces, or of their ends; a piece leaves when the result of its last item was taken.
 *
 * One thread at a time takes results; all else happens in any thread. */

#include "loky-executor-private.h"
#include "loky-input-private.h"

G_BEGIN_DECLS

typedef struct _LokyMap LokyMap;

/* One submission. */
typedef struct
{
  gatomicrefcount ref_count; /* one of the map, while it is in pieces; and of each LokyTaken */
  GList link;      /* in pieces */
  GList done_link; /* in done */
  LokyMap *map;
  gboolean is_chunk;
  guint64 index; /* of its first item */
  guint n_items;

  /* the map's lock */
  LokyFuture *future; /* NULL until it was submitted; constant then */
  gboolean is_done;
  guint n_taken; /* the results of so many of its items were taken */

  GMutex lock;
  GVariant *results; /* what the future of a chunk holds, once it was looked at; lock */
  GError *failure;   /* of all items; lock */
} LokyPiece;

/* Some items of a piece that has ended. */
typedef struct
{
  LokyPiece *piece;
  guint first; /* within the piece */
} LokyTaken;

/* What the thread that takes results wants. */
typedef enum
{
  LOKY_TAKE_ITEM,
  LOKY_TAKE_CHUNK, /* all that are left of a piece */
} LokyTakeMode;

/* What may end a wait besides a result. */
typedef enum
{
  LOKY_WAKE_UP_CANCELLED,
  LOKY_WAKE_UP_EXPIRED,
  LOKY_N_WAKE_UPS,
} LokyWakeUp;

struct _LokyMap
{
  gatomicrefcount ref_count;
  LokyPool *pool;
  char *task;
  LokyMapOptions *options;
  gboolean ordered;
  guint max_workers;
  guint window;     /* 0: as large as the chunks need */
  guint chunk_size; /* 0: by the time that an item takes */
  gint64 deadline;  /* monotonic, in µs; -1: none */

  GMutex lock;
  GCond cond;
  LokyInput *input;        /* NULL once the object is gone; lock, and what follows */
  guint n_waiting;         /* threads on cond */
  GQueue pieces;           /* of LokyPiece: not yet taken; in the order of the input */
  GQueue done;             /* of LokyPiece: ended, not yet taken, in the order of their ends */
  guint64 n_items;         /* of pieces, without those that were taken */
  guint n_running;         /* pieces that have not ended */
  guint64 next_index;      /* of the next item of the input */
  gboolean is_topping_up;  /* until the window is full */
  gboolean is_filling;     /* a thread is taking items from the input */
  gboolean fill_again;     /* there was more to take meanwhile */
  gboolean ask_again;      /* by who may ask the user's function, while another thread was filling */
  gboolean is_measuring;   /* nothing more is taken until it is known how long an item takes */
  double measured_time;    /* ns, of measured_items; what is old counts less and less */
  double measured_items;
  guint last_size;         /* of the last chunk */
  gboolean input_is_over;
  gboolean is_cancelled;
  gboolean is_expired;     /* its deadline has passed while somebody waited */
  gboolean is_abandoned;   /* nobody takes results any more */
  GError *failure;         /* why the input is over, to be told last */
  GTask *pending;          /* somebody waits; its task data is the mode */
  GSource *wake_ups[LOKY_N_WAKE_UPS]; /* of that one; or NULL */
};

LokyMap *loky_map_new (LokyPool *pool,
                       const char *task,
                       LokyInput *input,
                       LokyMapOptions *options,
                       guint max_workers);
gpointer loky_map_ref (gpointer map);
void loky_map_unref (gpointer map);

/* Takes items from the input and submits them, as many as the window has room for. With @may_ask the user's
 * function is called, in this thread. */
void loky_map_fill (LokyMap *self, gboolean may_ask);

/* Nothing more is taken from the input; @failure (nullable) is taken over. */
void loky_map_end_input (LokyMap *self, GError *failure);

/* What is taken out, with the lock, is ended without it. */
void loky_map_steal_wake_ups_locked (LokyMap *self, GSource *wake_ups[LOKY_N_WAKE_UPS]);
void loky_map_end_wake_ups (GSource *wake_ups[LOKY_N_WAKE_UPS]);

/* With the lock: whether the deadline has passed, and loky_map_expire() was not called; it cancels the map, which is to
 * end with LOKY_ERROR_TIMED_OUT. */
gboolean loky_map_is_late_locked (LokyMap *self);
void loky_map_expire (LokyMap *self);

/* With the lock. Takes the next results that can be taken: a reference to their piece. */
gboolean loky_map_take_locked (LokyMap *self, LokyTakeMode mode, LokyTaken *taken);
gboolean loky_map_is_over_locked (LokyMap *self);

/* What was taken, from the first of it on, is to be taken again. */
void loky_map_put_back (LokyMap *self, const LokyTaken *taken);

void loky_taken_clear (LokyTaken *taken);
/* Of one in memory of its own. */
void loky_taken_free (LokyTaken *taken);

/* The future of the first item; it has ended. */
LokyFuture *loky_taken_make_future (const LokyTaken *taken);

/* The results from the first on until one that failed, as an array; sets @n to how many they are. NULL with
 * the error of the first. */
GVariant *loky_taken_dup_run (const LokyTaken *taken, guint *n, GError **error);

/* Answers who waits if it can be answered now. */
void loky_map_look_for_answer (LokyMap *self);

/* Cancels what has not ended. */
void loky_map_cancel (LokyMap *self);

/* Nobody takes results any more. */
void loky_map_abandon (LokyMap *self);

G_END_DECLS
