/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-sync-wait-private.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "loky-tsan-private.h"
#include "loky-util-private.h"

/* So often may a thread be woken without a pause. */
#define MAX_WOKEN 64

void
loky_sync_ring (guint32 *bell, int n)
{
  int saved_errno = errno;

  __atomic_add_fetch (bell, 1, __ATOMIC_SEQ_CST);
  syscall (SYS_futex, bell, FUTEX_WAKE, n, NULL, NULL, 0);
  errno = saved_errno;
}

void
loky_sync_ring_sleepers (guint32 *bell, guint32 *n_sleepers, int n)
{
  if (__atomic_load_n (n_sleepers, __ATOMIC_SEQ_CST) != 0)
    loky_sync_ring (bell, n);
}

gboolean
loky_sync_wait_begin (LokySyncWait *self,
                      guint32 *bell,
                      guint32 *n_sleepers,
                      gint64 timeout,
                      GCancellable *cancellable,
                      GError **error)
{
  gint64 usec = loky_usec_from_msec (timeout);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  *self = (LokySyncWait){
    .bell = bell,
    .n_sleepers = n_sleepers,
    .timeout = timeout,
    .end = usec > 0 ? g_get_monotonic_time () + usec : usec,
    .cancellable = cancellable,
  };
  return TRUE;
}

/* Others may be woken as well, by whose bell it is, and sleep again. */
static void
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  LokySyncWait *self = user_data;

  LOKY_TSAN_ACQUIRE (self);
  loky_sync_ring (self->bell, G_MAXINT);
  LOKY_TSAN_RELEASE (self);
}

static void
get_ready (LokySyncWait *self)
{
  if (self->n_sleepers != NULL)
    __atomic_add_fetch (self->n_sleepers, 1, __ATOMIC_SEQ_CST);
  if (self->cancellable == NULL)
    return;
  LOKY_TSAN_RELEASE (self);
  self->handler
      = g_cancellable_connect (self->cancellable, G_CALLBACK (cancelled_cb), self, NULL);
}

/* Woken without end by somebody who changes the bell and nothing else, the thread would spin. */
static void
calm_down (LokySyncWait *self)
{
  self->n_woken++;
  if (self->n_woken % MAX_WOKEN == 0)
    g_usleep (MIN (self->n_woken / MAX_WOKEN, 10) * 1000);
}

gboolean
loky_sync_wait_sleep (LokySyncWait *self, guint32 seen, gint64 slice, GError **error)
{
  gint64 left = slice;
  struct timespec time;

  if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
    return FALSE;
  if (self->end >= 0)
    left = self->end == 0 ? 0 : self->end - g_get_monotonic_time ();
  if (left <= 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                   "It was waited for %" G_GINT64_FORMAT " ms in vain", self->timeout);
      return FALSE;
    }
  if (!self->is_ready)
    {
      self->is_ready = TRUE;
      get_ready (self);
      return TRUE;
    }
  left = MIN (left, slice);
  time.tv_sec = left / G_USEC_PER_SEC;
  time.tv_nsec = left % G_USEC_PER_SEC * 1000;
  if (syscall (SYS_futex, self->bell, FUTEX_WAIT, seen, &time, NULL, 0) == 0 || errno != ETIMEDOUT)
    calm_down (self);
  return TRUE;
}

void
loky_sync_wait_end (LokySyncWait *self)
{
  if (!self->is_ready)
    return;
  /* Waits for the handler if it runs just now. */
  if (self->handler != 0)
    g_cancellable_disconnect (self->cancellable, self->handler);
  LOKY_TSAN_ACQUIRE (self);
  if (self->n_sleepers != NULL)
    __atomic_sub_fetch (self->n_sleepers, 1, __ATOMIC_SEQ_CST);
}
