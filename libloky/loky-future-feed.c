/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a future tells before its end. */

#include "loky-enum-types.h"
#include "loky-error.h"
#include "loky-pool-private.h"
#include "loky-util-private.h"

#include <gio/gio.h>

/* How long one turn of the context may be held up, in µs; as the mailbox does. */
#define TURN_TIME 1000

static guint partial_signal;
static guint output_signal;

void
loky_future_class_add_feed (LokyFutureClass *klass)
{
  /**
   * LokyFuture::partial:
   * @self: the future
   * @value: what the task has sent
   *
   * Emitted for each value that the task sends before its end, if it was submitted with
   * [property@Loky.TaskOptions:partial-results]: in the order in which they were sent, all before
   * [signal@Loky.Future::done], in the main context in which the task was submitted. The callback
   * of a wait may come before them.
   *
   * What was sent while no handler is connected stays for [method@Loky.Future.next_partial], and
   * each value goes to one of them only. A value that is none, which only a broken worker sends, is
   * left out. If a task is run again since its worker died, what the lost attempt has sent stays:
   * such a task should say which attempt it is, if that matters.
   *
   * Since: 1.0
   */
  partial_signal = g_signal_new ("partial", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 1, G_TYPE_VARIANT);

  /**
   * LokyFuture::output:
   * @self: the future
   * @stream: where it was written to
   * @bytes: what was written; any bytes, which may end in the middle of a line or of a character
   * @n_dropped: how many bytes of that stream, right before these, are not told, since more than 1
   * MiB waited for the context to be iterated, or no handler was connected
   *
   * Emitted for what the task, and what it started, has written to standard output and error, if it
   * was submitted with [property@Loky.TaskOptions:capture-output]: all before
   * [signal@Loky.Future::done], in the main context in which the task was submitted.
   *
   * The order is that of each stream; between them it is not known. What a process that the task
   * has left behind writes after the end of the task is not told.
   *
   * Since: 1.0
   */
  output_signal =
      g_signal_new ("output", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                    G_TYPE_NONE, 3, LOKY_TYPE_STREAM, G_TYPE_BYTES, G_TYPE_UINT64);
}

static gboolean
has_handler (LokyFuture *self, guint signal)
{
  return g_signal_has_handler_pending (self, signal, 0, FALSE);
}

gboolean
loky_future_is_fed (LokyFuture *self)
{
  return has_handler (self, partial_signal) || has_handler (self, output_signal);
}

static GVariant *
read_partial (LokyFuture *self, LokyPartial *partial, GError **error)
{
  if (partial->error == NULL)
    return loky_future_read_payload (self, partial->payload, error);
  g_propagate_error (error, g_steal_pointer (&partial->error));
  return NULL;
}

/* FALSE: there is none, or nobody to be told. */
static gboolean
emit_partial (LokyFuture *self)
{
  g_autoptr (LokyPartial) partial = NULL;
  g_autoptr (GVariant) value = NULL;

  if (!has_handler (self, partial_signal))
    return FALSE;
  partial = loky_pool_take_partial (self->pool, self);
  if (partial == NULL)
    return FALSE;
  value = read_partial (self, partial, NULL);
  if (value != NULL)
    g_signal_emit (self, partial_signal, 0, value);
  return TRUE;
}

/* The same. */
static gboolean
emit_output (LokyFuture *self)
{
  g_autoptr (LokyOutputPiece) piece = NULL;
  gboolean is_heard = has_handler (self, output_signal);

  if (!self->feed->captures_output)
    return FALSE;
  loky_pool_lock (self->pool);
  if (is_heard)
    piece = loky_feed_take_piece (self->feed);
  else
    loky_feed_drop_pieces (self->feed);
  loky_pool_unlock (self->pool);
  if (piece == NULL)
    return FALSE;
  g_signal_emit (self, output_signal, 0, piece->stream, piece->bytes, piece->n_dropped);
  return TRUE;
}

gboolean
loky_future_deliver_feed (LokyFuture *self, gint64 start)
{
  while (emit_output (self) || emit_partial (self))
    if (g_get_monotonic_time () - start >= TURN_TIME)
      return FALSE;
  return TRUE;
}

/* FALSE: there is none and the wait is over, with an error unless the task has ended. */
static gboolean
wait_for_partial (LokyFuture *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  LokyWaiter waiter;
  gboolean is_there;

  if (!loky_pool_check_process (self->pool, error) || !loky_pool_check_thread (self->pool, error))
    return FALSE;
  loky_waiter_init (&waiter, self);
  waiter.wants_partial = TRUE;
  loky_pool_lock (self->pool);
  waiter.next = self->waiters;
  self->waiters = &waiter;
  loky_pool_unlock (self->pool);
  is_there = loky_future_await (self, &waiter, timeout, cancellable, error);
  loky_waiter_clear (&waiter);
  return is_there;
}

/**
 * loky_future_next_partial:
 * @self: a future
 * @timeout: how long to wait, in milliseconds; 0 not to wait, -1 to wait without a limit
 * @cancellable: (nullable): ends the wait, not the task
 * @error: return location for an error
 *
 * Takes the next value that the task has sent before its end, and blocks until there is one. It
 * needs no main loop.
 *
 * For a task that was submitted with [property@Loky.TaskOptions:partial-results]. Values that were
 * emitted by [signal@Loky.Future::partial] are not among them; those that were not taken stay after
 * the end.
 *
 * Returns: (transfer full) (nullable): the value; %NULL without an error when the task has ended
 * and no more is left; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the task was submitted without
 * that option, with %LOKY_ERROR_PROTOCOL, %LOKY_ERROR_RESOURCES or %LOKY_ERROR_SERIALIZER for a
 * value that cannot be read, after which the next one can be taken, with %G_IO_ERROR_TIMED_OUT or
 * %G_IO_ERROR_CANCELLED if the wait ended before, with %LOKY_ERROR_FORKED in a child of the process
 * that made the executor, or with %G_IO_ERROR_WOULD_BLOCK in the thread that serves the executor
 *
 * Since: 1.0
 */
GVariant *
loky_future_next_partial (LokyFuture *self,
                          gint64 timeout,
                          GCancellable *cancellable,
                          GError **error)
{
  gint64 usec = loky_usec_from_msec (timeout);
  gint64 end = usec < 0 ? -1 : g_get_monotonic_time () + usec;

  g_return_val_if_fail (LOKY_IS_FUTURE (self) && self->pool != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  if (!self->has_feed || !self->feed->wants_partials)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "The task “%s” was not submitted for its partial results", self->function->name);
      return NULL;
    }
  for (;;)
    {
      gboolean is_done = loky_future_is_done (self);
      g_autoptr (LokyPartial) partial = loky_pool_take_partial (self->pool, self);
      gint64 left = end < 0 ? -1 : MAX (end - g_get_monotonic_time (), 0) / 1000;

      if (partial != NULL)
        return read_partial (self, partial, error);
      /* None comes after the end. */
      if (is_done || !wait_for_partial (self, left, cancellable, error))
        return NULL;
    }
}

static gboolean
is_captured (LokyFuture *self)
{
  return self->has_feed && self->feed->captures_output;
}

/**
 * loky_future_dup_output:
 * @self: a future
 * @stream: which stream
 *
 * Gets the last of what the task has written to a stream, if it was submitted with
 * [property@Loky.TaskOptions:capture-output]: at most 64 KiB, of all its attempts, so far or, after
 * the end, all in all.
 *
 * It needs no main loop, and does not depend on [signal@Loky.Future::output].
 *
 * Returns: (transfer full) (nullable): any bytes; %NULL if the output is not captured
 *
 * Since: 1.0
 */
GBytes *
loky_future_dup_output (LokyFuture *self, LokyStream stream)
{
  GBytes *bytes;

  g_return_val_if_fail (LOKY_IS_FUTURE (self) && self->pool != NULL, NULL);
  g_return_val_if_fail (stream < LOKY_N_STREAMS, NULL);

  if (!is_captured (self))
    return NULL;
  loky_pool_lock (self->pool);
  bytes = loky_feed_dup_record (self->feed, stream);
  loky_pool_unlock (self->pool);
  return bytes;
}

/**
 * loky_future_get_output_size:
 * @self: a future
 * @stream: which stream
 *
 * Gets how much the task has written to a stream, of which [method@Loky.Future.dup_output] has the
 * last.
 *
 * Returns: a number of bytes; 0 if the output is not captured
 *
 * Since: 1.0
 */
guint64
loky_future_get_output_size (LokyFuture *self, LokyStream stream)
{
  guint64 size;

  g_return_val_if_fail (LOKY_IS_FUTURE (self) && self->pool != NULL, 0);
  g_return_val_if_fail (stream < LOKY_N_STREAMS, 0);

  if (!is_captured (self))
    return 0;
  loky_pool_lock (self->pool);
  size = self->feed->n_written[stream];
  loky_pool_unlock (self->pool);
  return size;
}
