/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders about what a task sends before its end. */

#include <signal.h>
#include <string.h>

#include "fault-private.h"

#define N_THREADS 4

static gboolean
send_numbers (LokyTaskContext *context, guint64 n, GError **error)
{
  for (guint64 i = 1; i <= n; i++)
    if (!loky_task_context_send_partial (context, g_variant_new_uint32 ((guint32) i), error))
      return FALSE;
  return TRUE;
}

static GVariant *
obey_partial (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 n;

  return fault_parse_number (argument, &n, error) && send_numbers (context, n, error) ? fault_ok ()
                                                                                      : NULL;
}

static GVariant *
make_bytes (guint64 size)
{
  guint8 *data = g_malloc (size);

  for (guint64 i = 0; i < size; i++)
    data[i] = (guint8) (7 * i + 3);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
}

/* Three values of that size. */
static GVariant *
obey_partial_bytes (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 size;

  if (!fault_parse_number (argument, &size, error))
    return NULL;
  for (guint i = 0; i < 3; i++)
    if (!loky_task_context_send_partial (context, make_bytes (size), error))
      return NULL;
  return fault_ok ();
}

/* Values of that size until one is refused. How many went is the message of an error of another
 * kind. */
static GVariant *
obey_partial_flood (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 n_sent = 0;
  guint64 size;

  if (!fault_parse_number (argument, &size, error))
    return NULL;
  while (loky_task_context_send_partial (context, make_bytes (size), error))
    n_sent++;
  g_prefix_error (error, "%" G_GUINT64_FORMAT ": ", n_sent);
  return NULL;
}

/* As many as are taken in the meantime. */
static GVariant *
obey_partial_patient (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 n;

  if (!fault_parse_number (argument, &n, error))
    return NULL;
  for (guint64 i = 0; i < n;)
    {
      g_autoptr (GError) local_error = NULL;

      if (loky_task_context_send_partial (context, make_bytes (1 << 20), &local_error))
        i++;
      else if (!g_error_matches (local_error, LOKY_ERROR, LOKY_ERROR_BACKLOG_FULL) ||
               loky_task_context_is_cancelled (context))
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return NULL;
        }
      else
        g_usleep (100);
    }
  return fault_ok ();
}

static GVariant *
obey_partial_die (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 n;

  if (!fault_parse_number (argument, &n, error) || !send_numbers (context, n, error))
    return NULL;
  raise (SIGKILL);
  return NULL;
}

/* Only the first attempt dies. */
static GVariant *
obey_partial_die_once (LokyTaskContext *context, const char *argument, GError **error)
{
  if (loky_task_context_get_attempt (context) == 1)
    return obey_partial_die (context, argument, error);
  return obey_partial (context, argument, error);
}

/* And then until it is told to stop. */
static GVariant *
obey_partial_wait (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 n;

  if (!fault_parse_number (argument, &n, error) || !send_numbers (context, n, error))
    return NULL;
  while (!loky_task_context_set_error_if_cancelled (context, error))
    g_usleep (100);
  return NULL;
}

static GVariant *
obey_partial_handle (LokyTaskContext *context, const char *argument, GError **error)
{
  GVariant *value = g_variant_new ("(v)", g_variant_new_handle (0));

  return loky_task_context_send_partial (context, value, error) ? fault_ok () : NULL;
}

static GVariant *
obey_partial_nested (LokyTaskContext *context, const char *argument, GError **error)
{
  GVariant *value = g_variant_new_uint32 (1);

  for (guint i = 0; i < 200; i++)
    value = g_variant_new_variant (value);
  return loky_task_context_send_partial (context, value, error) ? fault_ok () : NULL;
}

typedef struct
{
  LokyTaskContext *context;
  guint64 n;
} Sender;

static gpointer
sender_thread (gpointer data)
{
  Sender *sender = data;

  return GINT_TO_POINTER (send_numbers (sender->context, sender->n, NULL));
}

static GVariant *
obey_partial_threads (LokyTaskContext *context, const char *argument, GError **error)
{
  Sender sender = { context };
  GThread *threads[N_THREADS];
  gboolean all_sent = TRUE;

  if (!fault_parse_number (argument, &sender.n, error))
    return NULL;
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("sender", sender_thread, &sender);
  for (guint i = 0; i < N_THREADS; i++)
    all_sent &= GPOINTER_TO_INT (g_thread_join (threads[i]));
  if (all_sent)
    return fault_ok ();
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "not all were sent");
  return NULL;
}

static LokyTaskContext *kept_context;

static GVariant *
obey_partial_keep (LokyTaskContext *context, const char *argument, GError **error)
{
  g_set_object (&kept_context, context);
  return fault_ok ();
}

/* In the name of the one that kept its context. */
static GVariant *
obey_partial_late (LokyTaskContext *context, const char *argument, GError **error)
{
  return send_numbers (kept_context, 1, error) ? fault_ok () : NULL;
}

const FaultOrder fault_partial_orders[] = {
  { "partial", obey_partial },
  { "partial-bytes", obey_partial_bytes },
  { "partial-flood", obey_partial_flood },
  { "partial-patient", obey_partial_patient },
  { "partial-die", obey_partial_die },
  { "partial-die-once", obey_partial_die_once },
  { "partial-wait", obey_partial_wait },
  { "partial-handle", obey_partial_handle },
  { "partial-nested", obey_partial_nested },
  { "partial-threads", obey_partial_threads },
  { "partial-keep", obey_partial_keep },
  { "partial-late", obey_partial_late },
  { NULL },
};
