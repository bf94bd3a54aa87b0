/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The resource tracker: a process that removes files and folders when their last user is gone.
 *
 * A resource is a pipe. Its users have the write end, a LokyHold; the tracker has the read end and
 * the path. At the end of file the last user is gone, however it went, and the tracker removes what
 * is there. A byte in the pipe says that it is to be left alone, to everybody who looks; nobody
 * takes it out.
 *
 * Each process that makes resources has one tracker of its own, a copy of loky-worker, and never
 * two that live: one of them would remove what is used by way of the other. It keeps the socket,
 * and says when it has none left of those that it made: the tracker is released. It ends when it is
 * released, or its socket is closed, and nothing is tracked any more; until then it can be asked
 * again. It is nobody's child, has a session of its own, and an environment without the token by
 * which the descendants of workers are found. Killed, it is started again at the next use and given
 * what is still there: the maker keeps the read ends for that.
 *
 * Callable from any thread. */

#include "loky-enums.h"
#include "loky-hold-private.h"

G_BEGIN_DECLS

#define LOKY_TRACKER_ARGUMENT "--track"

/* The longest path, in bytes, with its NUL. */
#define LOKY_TRACKER_MAX_PATH 4096

#define LOKY_TRACKER_MAGIC 0x324b5254 /* TRK2 */

/* Instead of a kind: the process has none of its own any more. Such a packet has neither a path nor
 * a descriptor, and no answer. */
#define LOKY_TRACKER_RELEASE 0xffffffff

/* What is sent for each resource, as one packet with the read end; the path follows, without a NUL.
 */
typedef struct
{
  guint32 magic;
  guint32 kind; /* LokyResourceKind */
  guint32 serial;
} LokyTrackerRequest;

/* What comes back. */
typedef struct
{
  guint32 serial; /* of what was asked */
  gint32 error;   /* 0, or an errno */
} LokyTrackerAnswer;

/* One resource that this process made, which others here may share. */
typedef struct
{
  guint ref_count; /* the lock of the table */
  char *path;
  LokyResourceKind kind;
  LokyHold *hold;
  int read_fd;   /* never read from */
  gint given_to; /* the id of the tracker that has it; atomic, set with the making lock */
} LokyTracked;

/* --- loky-tracked.c --- */

/* @path: absolute. Another reference if it is tracked already. Starts the tracker if there is none,
 * and waits for its answer. */
LokyTracked *loky_tracked_new (const char *path, LokyResourceKind kind, GError **error);
/* The one that @hold is of, if this process made it; a reference, or NULL. */
LokyTracked *loky_tracked_find (LokyHold *hold);
void loky_tracked_unref (LokyTracked *self);

/* Before what this process made is given to others: a tracker that was killed is started again. */
gboolean loky_tracked_check (LokyTracked *self, GError **error);

/* --- loky-tracker.c --- */

typedef struct _LokyTracker LokyTracker;

LokyTracker *loky_tracker_start (GError **error);
LokyTracker *loky_tracker_ref (LokyTracker *self);
/* Closes the socket. */
void loky_tracker_unref (LokyTracker *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokyTracker, loky_tracker_unref)

gboolean loky_tracker_is_alive (LokyTracker *self);

/* Nothing of this process is left with it. Does not wait. */
void loky_tracker_release (LokyTracker *self);

/* Differs among all of this process. Not 0. */
guint loky_tracker_get_id (LokyTracker *self);

/* Has it track @tracked: 0, or an errno. For one thread at a time. ETIMEDOUT: it may track it all
 * the same, now or later. It can be asked again, and is given nothing before it has answered. */
int loky_tracker_ask (LokyTracker *self, LokyTracked *tracked);

/* --- loky-tracker-process.c --- */

/* The program: the status to exit with. */
int loky_tracker_main (void);

G_END_DECLS
