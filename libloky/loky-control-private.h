/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The control area: one piece of memory shared by the application and one worker.
 *
 * It holds what must be seen at once by the other side, without a message: which task a slot holds
 * and whether it was begun, when, how far it is, whether it is to stop; and what a worker that dies
 * leaves behind.
 *
 * Who writes: the parent the states QUEUED and RECALLED, the cancel numbers, what it asked, the doorbell, its own
 * pages and, when it takes answers, which are there; the worker all else.
 * The parent keeps its own record of what it sent: the area is evidence, never an index, since a
 * worker that went mad can write anything into it.
 *
 * A slot's word is (task number << 2) | state. Task numbers never repeat on one worker, so that a
 * slot is free again as soon as its result is in, and a frame that comes late claims nothing.
 *
 * While the parent listens a worker may leave a small answer here instead of sending it, which saves both some
 * system calls. It listens when it says that it is attentive: then it looks once more after it has said that it is
 * not any longer, and before it sleeps. And it listens when it has not read what the worker sent last: then it looks
 * here after it has. The worker checks that once more after it has left an answer, and otherwise takes it back, to
 * send it, unless the parent has taken it. tests/model/answers.pml shows that none is overlooked.
 *
 * In the same way the parent may leave small tasks, in a ring. The worker looks there until it sleeps, and once
 * more after it has said that it does; the parent looks after it has left one whether it sleeps, and wakes it by a
 * message unless there is one already that it has not handled. Tasks stay in their order: with each is written how
 * many messages had been put into the outbox before it. tests/model/tasks.pml shows it.
 *
 * Every access to a slot is atomic: callable from any thread of either process. */

#include "loky-crash-private.h"

G_BEGIN_DECLS

#define LOKY_CONTROL_MAGIC 0x4b4f4c43u
#define LOKY_CONTROL_N_SLOTS 256
#define LOKY_CONTROL_REASON_SIZE 256
#define LOKY_CONTROL_PATH_SIZE 1024
#define LOKY_CONTROL_MAX_SPIN_TIME (1000 * 1000 * 1000) /* ns */
#define LOKY_CONTROL_MAX_NOTE 104 /* bytes */
#define LOKY_CONTROL_N_WORDS (LOKY_CONTROL_N_SLOTS / 64)
#define LOKY_CONTROL_N_NOTES LOKY_CONTROL_N_SLOTS /* tasks; a power of two */
#define LOKY_CONTROL_PAGE_SIZE 4096

typedef enum
{
  LOKY_SLOT_FREE,
  LOKY_SLOT_QUEUED,
  LOKY_SLOT_RUNNING,
  LOKY_SLOT_RECALLED,
} LokySlotState;

typedef struct
{
  guint64 word;
  gint64 started;    /* CLOCK_MONOTONIC, in µs */
  guint64 cancelled; /* the number of the task that is to stop */
  guint64 progress;  /* the bits of a double, from 0 to 1 */
  gint64 credit;     /* of partial results, in all: see loky-feed-private.h */
  guint64 reserved[3];
} LokyControlSlot;

/* What a message would hold. */
typedef struct
{
  guint64 n_before; /* of a task: how many messages are to be handled before it */
  guint64 number;
  guint32 slot;
  guint16 type;
  guint16 length; /* of the body */
  guint8 body[LOKY_CONTROL_MAX_NOTE] __attribute__ ((aligned (8)));
} LokyControlNote;

/* How far a worker is. */
typedef enum
{
  LOKY_PHASE_STARTING,
  LOKY_PHASE_INITIALIZING, /* runs the initializer */
  LOKY_PHASE_SERVING,
} LokyPhase;

typedef struct
{
  guint32 magic;
  guint32 n_slots;
  guint32 phase;
  gint32 exit_status; /* 1 + the status given to exit(); 0: it was not called */
  guint64 asked;      /* how often the parent asked for a sign of life */
  guint64 answered;   /* the last of these that the ringer saw */
  guint32 doorbell;   /* changes when the worker is to look at what it was asked; a futex */
  guint32 reserved[7];
  char reason[LOKY_CONTROL_REASON_SIZE]; /* why the worker ended itself */
  char loading[LOKY_CONTROL_PATH_SIZE];  /* the plugin that is being opened, while it is */
  LokyCrashRecord crash;

  /* What is looked at while spinning, on lines of its own. sent_to_worker and sent_from_worker are raised after
   * something was sent that way: a hint to look at the socket, no more. */

  /* Pages that only the parent can write. */
  guint64 sent_to_worker __attribute__ ((aligned (LOKY_CONTROL_PAGE_SIZE)));
  guint64 spin_time;    /* how long the worker may spin, in ns */
  guint64 heard;        /* "sending" after something was read */
  guint64 readings;     /* odd while something is being read */
  guint64 n_received;   /* bytes, in all */
  guint32 is_attentive; /* answers that are left here are seen */
  guint64 attentive_by; /* until then they may be about to be, CLOCK_MONOTONIC in ns */
  guint64 n_left __attribute__ ((aligned (64))); /* tasks, in all */
  LokyControlNote tasks[LOKY_CONTROL_N_NOTES] __attribute__ ((aligned (64)));

  guint64 sent_from_worker __attribute__ ((aligned (LOKY_CONTROL_PAGE_SIZE)));
  guint32 is_asleep; /* the worker, until it is sent something */
  guint32 reserved_too;
  guint64 sending; /* how many messages it has sent, or is about to */
  guint64 handled; /* how many messages of the pool's it has */
  guint64 n_taken; /* tasks of those that were left */
  guint64 has_answer[LOKY_CONTROL_N_WORDS]; /* a bit for each slot */
  LokyControlSlot slots[LOKY_CONTROL_N_SLOTS] __attribute__ ((aligned (64)));
  LokyControlNote answers[LOKY_CONTROL_N_SLOTS] __attribute__ ((aligned (64)));
} LokyControlArea;

typedef struct
{
  LokyControlArea *area;
  int fd; /* -1 once it was sent */
} LokyControl;

/* In the parent: makes, seals against resizing and maps an area. */
gboolean loky_control_init (LokyControl *self, GError **error);

/* In the worker: maps what the parent sent. Takes over @fd. */
gboolean loky_control_map (LokyControl *self, int fd, GError **error);

void loky_control_clear (LokyControl *self);

/* Parent. The word must be written before the frame that names it is sent. */
void loky_control_queue (LokyControl *self, guint slot, guint64 number);
/* Parent. TRUE: the worker will not run it. FALSE: it was begun. */
gboolean loky_control_recall (LokyControl *self, guint slot, guint64 number);
/* Parent. Whether the slot holds what it may hold while the worker has the task. */
gboolean loky_control_is_sound (LokyControl *self, guint slot, guint64 number);
/* Parent. TRUE: it can be had back. */
gboolean loky_control_is_queued (LokyControl *self, guint slot, guint64 number);
/* Parent. TRUE: the worker has begun it, at @started (as it says). */
gboolean loky_control_is_running (LokyControl *self, guint slot, guint64 number, gint64 *started);
void loky_control_cancel (LokyControl *self, guint slot, guint64 number);
gdouble loky_control_get_progress (LokyControl *self, guint slot);
/* Parent: before the task is sent, and while the worker has it. */
void loky_control_set_credit (LokyControl *self, guint slot, gint64 credit);
/* Parent: wakes the worker's ringer. It never blocks, and keeps no descriptor. */
void loky_control_ring (LokyControl *self);
/* Parent: asks for a sign of life; the doorbell is to be rung after it. */
void loky_control_ask (LokyControl *self, guint64 number);
guint64 loky_control_get_answered (LokyControl *self);
/* Parent: after a flush. */
void loky_control_tell_worker (LokyControl *self);
/* Parent: changes when the worker has sent something. It may change at any time. */
guint64 loky_control_get_sent_from_worker (LokyControl *self);
void loky_control_set_spin_time (LokyControl *self, gint64 spin_time);
/* Parent. Whether it would be woken by something that is sent now, on the CPU of who sends it perhaps. */
gboolean loky_control_is_asleep (LokyControl *self);
LokyPhase loky_control_get_phase (LokyControl *self);
/* Parent: around reading from the channel, and before it takes answers. @n_received: bytes, in all. */
void loky_control_begin_reading (LokyControl *self);
void loky_control_end_reading (LokyControl *self, guint64 n_received);
/* Parent. Whoever said that it is looks for answers after it has said that it is not. */
void loky_control_set_attentive (LokyControl *self, gboolean is_attentive);
/* The parent is about to be attentive: by @time, CLOCK_MONOTONIC in ns, if at all. A worker that has nothing else to do may
 * wait for it. */
void loky_control_set_attentive_by (LokyControl *self, gint64 time);
gint64 loky_control_get_attentive_by (LokyControl *self);
gboolean loky_control_has_answers (LokyControl *self);
/* Parent: of which slots there is an answer; they are the caller's now. What is there may be anything. */
void loky_control_take_answers (LokyControl *self, guint64 *words);
void loky_control_read_answer (LokyControl *self, guint slot, LokyControlNote *answer);
/* Parent, who has left @n_left tasks, which is raised. @note: all but the rest of its body; "n_before" is how many
 * messages were put into the outbox. FALSE: it is to be sent. @has_to_wake: the worker may sleep, and nothing is on
 * its way that wakes it. */
gboolean loky_control_leave_task (LokyControl *self,
                                  guint64 *n_left,
                                  const LokyControlNote *note,
                                  gboolean *has_to_wake);
/* Parent. Whether the worker has handled the first @n_put messages, as it says. */
gboolean loky_control_has_handled (LokyControl *self, guint64 n_put);
/* Parent, who has put @n_put messages into the outbox. Whether the worker sleeps until something is sent that is not
 * among them: what it had handled was written before it said that it sleeps. */
gboolean loky_control_has_to_be_woken (LokyControl *self, guint64 n_put);
/* The status that exit() was called with, or -1. */
int loky_control_get_exit_status (LokyControl *self);
/* What the worker recorded when a signal ended it, or NULL. */
LokyCrash *loky_control_dup_crash (LokyControl *self);

/* Worker. FALSE: it was recalled. */
gboolean loky_control_claim (LokyControl *self, guint slot, guint64 number);
gboolean loky_control_is_cancelled (LokyControl *self, guint slot, guint64 number);
void loky_control_set_progress (LokyControl *self, guint slot, gdouble progress);
gint64 loky_control_get_credit (LokyControl *self, guint slot);

/* Worker, which has handled @n_handled messages and taken @n_taken tasks: the next one if it was left and it is its
 * turn, until note_taken(); or NULL. */
const LokyControlNote *loky_control_peek_task (LokyControl *self, guint64 n_handled, guint64 n_taken);
void loky_control_note_taken (LokyControl *self, guint64 n_taken);
/* Worker: after it has handled so many messages, and before it says that it sleeps. */
void loky_control_note_handled (LokyControl *self, guint64 n_handled);

/* Worker: what was received from it, and an odd or another number if that changes. */
guint64 loky_control_get_readings (LokyControl *self, guint64 *n_received);
/* Worker, before it sends its @n-th message. */
void loky_control_note_sending (LokyControl *self, guint64 n);
/* Worker, which has sent @n_sent. Whether leave_answer() is worth trying. */
gboolean loky_control_is_listened_to (LokyControl *self, guint64 n_sent);
/* Worker, of a slot whose task it has claimed and not answered. FALSE: the parent does not see it; it is to be
 * sent. */
gboolean loky_control_leave_answer (LokyControl *self,
                                    guint64 n_sent,
                                    const LokyControlNote *note);
/* Worker: who writes over the pages of the parent by mistake ends at once. */
void loky_control_protect (LokyControl *self);

/* Worker: the same, the other way. */
void loky_control_tell_parent (LokyControl *self);
guint64 loky_control_get_sent_to_worker (LokyControl *self);
gint64 loky_control_get_spin_time (LokyControl *self);
void loky_control_set_asleep (LokyControl *self, gboolean is_asleep);

/* Worker: waits until the doorbell was rung since @seen, which is 0 at first, was. */
void loky_control_wait_for_ring (LokyControl *self, guint32 *seen);

/* Worker, in any thread: gives the sign of life that it was asked for. */
void loky_control_answer (LokyControl *self);
void loky_control_set_phase (LokyControl *self, LokyPhase phase);
void loky_control_set_exit_status (LokyControl *self, int status);

/* Worker: leaves a text for the parent to find. */
void loky_control_set_reason (LokyControl *self, const char *reason);
void loky_control_set_loading (LokyControl *self, const char *path);

/* Parent: copies a text of the area, bounded; NULL if it is empty. The reason is made valid UTF-8, the
 * path is in the encoding of file names. */
char *loky_control_dup_reason (LokyControl *self);
char *loky_control_dup_loading (LokyControl *self);

G_END_DECLS
