/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sleeping on a word of shared memory ("bell") until somebody changes what is waited for, a time is over, or a
 * cancellable is cancelled. Who changes it raises the bell after that, and wakes.
 *
 * The waker may be killed before it wakes, and another process may spoil the bell: nobody sleeps for longer
 * than a slice without another look. Callable from any thread. */

#include <gio/gio.h>

G_BEGIN_DECLS

/* In µs. The short one while somebody is waited for who may die. */
#define LOKY_SYNC_SLICE (50 * 1000)
#define LOKY_SYNC_LONG_SLICE G_USEC_PER_SEC

typedef struct
{
  guint32 *bell;
  guint32 *n_sleepers; /* nullable */
  gint64 timeout;      /* in ms */
  gint64 end;          /* monotonic, in µs; -1: none */
  GCancellable *cancellable;
  gboolean is_ready; /* counted and connected, since it sleeps first */
  gulong handler;
  guint n_woken; /* before its time */
} LokySyncWait;

/* FALSE with G_IO_ERROR_CANCELLED if it was cancelled before; then there is nothing to end. @n_sleepers, or NULL, is
 * counted up from the first sleep to the end. */
gboolean loky_sync_wait_begin (LokySyncWait *self,
                               guint32 *bell,
                               guint32 *n_sleepers,
                               gint64 timeout,
                               GCancellable *cancellable,
                               GError **error);

/* Sleeps, for @slice at most, unless the bell is not @seen any more, which was read before the caller looked.
 * The first call does not sleep, since the caller has to look again once it is counted. FALSE with
 * G_IO_ERROR_TIMED_OUT or G_IO_ERROR_CANCELLED. */
gboolean loky_sync_wait_sleep (LokySyncWait *self, guint32 seen, gint64 slice, GError **error);

void loky_sync_wait_end (LokySyncWait *self);

/* After the change. @n: how many to wake at most. */
void loky_sync_ring (guint32 *bell, int n);
/* The same if anybody sleeps. */
void loky_sync_ring_sleepers (guint32 *bell, guint32 *n_sleepers, int n);

G_END_DECLS
