/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders about what the task returns: results, errors, progress. */

#include <string.h>

#include "fault-private.h"

#define HUGE_ERROR_SIZE (1024 * 1024)
#define CANCELLABLE_SECONDS 60

static GVariant *
obey_ok (LokyTaskContext *context, const char *argument, GError **error)
{
  return fault_ok ();
}

static GVariant *
obey_null (LokyTaskContext *context, const char *argument, GError **error)
{
  return NULL;
}

static GVariant *
obey_wrong_type (LokyTaskContext *context, const char *argument, GError **error)
{
  return g_variant_new_int32 (7);
}

static GVariant *
obey_floating (LokyTaskContext *context, const char *argument, GError **error)
{
  return g_variant_new_string ("floating");
}

static GVariant *
obey_full (LokyTaskContext *context, const char *argument, GError **error)
{
  return g_variant_ref_sink (g_variant_new_string ("full"));
}

static GVariant *
obey_huge_error (LokyTaskContext *context, const char *argument, GError **error)
{
  g_autofree char *message = g_strnfill (HUGE_ERROR_SIZE, 'x');

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, message);
  return NULL;
}

static GVariant *
obey_bad_utf8_error (LokyTaskContext *context, const char *argument, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "bad \xff\xfe message");
  return NULL;
}

/* GLib refuses to make an error without a domain, but not to carry one. */
static GVariant *
obey_error (LokyTaskContext *context, const char *argument, GError **error)
{
  GError *made = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, argument);

  made->domain = 0;
  g_propagate_error (error, made);
  return NULL;
}

static GVariant *
obey_io_error (LokyTaskContext *context, const char *argument, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, argument);
  return NULL;
}

/* A result and an error at once. */
static GVariant *
obey_both (LokyTaskContext *context, const char *argument, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "both");
  return g_variant_new_string ("both");
}

static GVariant *
obey_progress (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 n_times;

  if (!fault_parse_number (argument, &n_times, error))
    return NULL;

  for (guint64 i = 1; i <= n_times; i++)
    loky_task_context_set_progress (context, (gdouble) i / n_times);

  return fault_ok ();
}

typedef struct
{
  GMutex mutex;
  GCond changed;
  gboolean cancelled; /* under mutex */
} CancellationWait;

/* In whichever thread cancels: the relay thread of the worker. */
static void
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  CancellationWait *wait = user_data;

  g_mutex_lock (&wait->mutex);
  wait->cancelled = TRUE;
  g_cond_signal (&wait->changed);
  g_mutex_unlock (&wait->mutex);
}

static GVariant *
obey_cancellable (LokyTaskContext *context, const char *argument, GError **error)
{
  GCancellable *cancellable = loky_task_context_get_cancellable (context);
  gint64 deadline = g_get_monotonic_time () + CANCELLABLE_SECONDS * G_TIME_SPAN_SECOND;
  CancellationWait wait = { .cancelled = FALSE };
  gboolean in_time = TRUE;
  gulong handler;

  g_mutex_init (&wait.mutex);
  g_cond_init (&wait.changed);
  handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), &wait, NULL);

  g_mutex_lock (&wait.mutex);
  while (!wait.cancelled && in_time)
    in_time = g_cond_wait_until (&wait.changed, &wait.mutex, deadline);
  g_mutex_unlock (&wait.mutex);

  g_cancellable_disconnect (cancellable, handler);
  g_cond_clear (&wait.changed);
  g_mutex_clear (&wait.mutex);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;

  return g_variant_new_string ("never cancelled");
}

/* A string without its end. */
static GVariant *
obey_not_normal (LokyTaskContext *context, const char *argument, GError **error)
{
  return g_variant_new_from_data (G_VARIANT_TYPE_STRING, "abc", 3, FALSE, NULL, NULL);
}

const FaultOrder fault_value_orders[] = {
  { "ok", obey_ok },
  { "null", obey_null },
  { "wrong-type", obey_wrong_type },
  { "floating", obey_floating },
  { "full", obey_full },
  { "not-normal", obey_not_normal },
  { "huge-error", obey_huge_error },
  { "bad-utf8-error", obey_bad_utf8_error },
  { "error", obey_error },
  { "io-error", obey_io_error },
  { "both", obey_both },
  { "progress", obey_progress },
  { "cancellable", obey_cancellable },
  { NULL },
};
