/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The memory that the processes share which synchronise by a LokySynchronizer, and who they are.
 *
 * The memory is a memfd of one fixed size. Every process that has it may write whatever it likes there: what
 * is read is read once, atomically, and bounded; no index, length or pointer out of it is used unchecked, no
 * loop runs on because of it, and what must not change is read when the memory is attached and kept outside.
 *
 * A process has the memory once, however many objects of it refer to it. It has a place there: a byte of the memory
 * that it holds a write lock on (F_OFD_SETLK), by an open file description that nobody else has. The kernel drops it
 * when the process is gone, however it went, and when its last reference is: whatever has an owner then has a dead
 * one. A place may be used again: its generation tells its owners apart. Both make a LokySyncOwner.
 *
 * Callable from any thread. */

#include <gio/gio.h>

G_BEGIN_DECLS

#define LOKY_SYNC_N_PLACES 1024
#define LOKY_SYNC_N_UNITS 4096
#define LOKY_SYNC_N_SEATS 1024
#define LOKY_SYNC_SIZE 24576

typedef enum
{
  LOKY_SYNC_LOCK,
  LOKY_SYNC_RECURSIVE_LOCK,
  LOKY_SYNC_SEMAPHORE,
  LOKY_SYNC_BOUNDED_SEMAPHORE,
  LOKY_SYNC_EVENT,
  LOKY_SYNC_BARRIER,
} LokySyncKind;

/* The place in the lower 10 bits, its generation above; 0 is nobody. */
typedef guint32 LokySyncOwner;

/* One thread that waits. */
typedef struct
{
  guint64 word;   /* see loky-sync-seat.c */
  guint32 bell;   /* a futex; changes before the thread is woken */
  guint32 ticket; /* tells who came first */
} LokySyncSeat;

/* All fields are atomic. */
typedef struct
{
  /* Written before anybody else has the memory. */
  guint32 magic;
  guint32 kind;
  guint32 limit; /* of a barrier: its parties */

  guint32 bell;         /* a futex; changes before those who sleep are woken */
  guint32 n_sleepers;   /* at least as many as sleep; who died asleep stays counted */
  guint32 n_units;      /* of a semaphore: those that are free or held */
  guint32 n_conditions; /* of a lock: that were ever made */
  guint32 next_ticket;
  guint64 word; /* what the kind makes of it: the owner of a lock, the state of an event or a barrier */
  guint8 reserved[4096 - 40];

  guint32 generations[LOKY_SYNC_N_PLACES];
  union
  {
    LokySyncOwner units[LOKY_SYNC_N_UNITS]; /* of a semaphore: who holds each */
    LokySyncSeat seats[LOKY_SYNC_N_SEATS];
  };
} LokySyncMemory;

G_STATIC_ASSERT (sizeof (LokySyncMemory) == LOKY_SYNC_SIZE);

/* The memory as this process has it. What is not said to be atomic never changes. */
typedef struct
{
  guint ref_count; /* the lock of the table */
  guint64 device, inode;
  int fd;          /* to be sent: others may have its open file description, too */
  int own_fd;      /* holds the lock on the place */
  LokySyncMemory *memory;
  LokySyncKind kind;
  guint limit;
  guint place;
  LokySyncOwner owner;
  guint fork_generation;
  gint depth; /* atomic; of a recursive lock: how often its owner, a thread of this process, has it */
} LokySync;

LokySync *loky_sync_new (LokySyncKind kind, guint limit, GError **error);

/* After checking what was received; takes over @fd. */
LokySync *loky_sync_new_received (int fd, guint64 size, GError **error);

LokySync *loky_sync_ref (LokySync *self);
void loky_sync_unref (LokySync *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokySync, loky_sync_unref)

/* FALSE with LOKY_ERROR_FORKED in a child of the process that attached the memory: it has no place there. */
gboolean loky_sync_check_process (LokySync *self, GError **error);

/* What is known of places for the time of one search, so that the kernel is asked once for each. All zeros at
 * first. */
typedef struct
{
  guint8 is_taken[LOKY_SYNC_N_PLACES / 8];
} LokySyncCensus;

/* Whether the process that became @owner still has the memory. @census may be NULL. */
gboolean loky_sync_is_alive (LokySync *self, LokySyncOwner owner, LokySyncCensus *census);

/* A number of the calling thread, unique within the process, never 0. */
guint32 loky_sync_get_thread (void);

G_END_DECLS
