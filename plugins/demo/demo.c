/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `demo`: tasks with which to try a process pool out. */

#include <math.h>

#include "demo-private.h"

/* How soon a sleeper sees that it was cancelled, in seconds. */
#define SLEEP_SLICE 0.02

static GVariant *
demo_echo (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_ref (args);
}

static GVariant *
demo_sleep (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  gint64 start = g_get_monotonic_time ();
  gdouble seconds = g_variant_get_double (args);
  gdouble remaining = seconds;

  if (!isfinite (seconds) || seconds < 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "Cannot sleep for %g seconds: give a number that is finite and not negative",
                   seconds);
      return NULL;
    }

  while (remaining > 0)
    {
      if (loky_task_context_set_error_if_cancelled (context, error))
        return NULL;

      /* Rounded up, so that the last slice is never one of no time at all. */
      g_usleep ((gulong) ceil (MIN (remaining, SLEEP_SLICE) * G_USEC_PER_SEC));
      remaining = seconds - (g_get_monotonic_time () - start) / (gdouble) G_USEC_PER_SEC;
      loky_task_context_set_progress (context, CLAMP (1 - remaining / seconds, 0, 1));
    }

  return g_variant_new_double (seconds);
}

static GVariant *
demo_fail (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, g_variant_get_string (args, NULL));
  return NULL;
}

static GVariant *
demo_count (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  guint32 n = g_variant_get_uint32 (args);

  for (guint32 i = 1; i <= n; i++)
    {
      if (loky_task_context_set_error_if_cancelled (context, error) ||
          !loky_task_context_send_partial (context, g_variant_new_uint32 (i), error))
        return NULL;
      loky_task_context_set_progress (context, (gdouble) i / n);
    }
  return g_variant_new_uint32 (n);
}

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "echo",
      .arguments_type = "*",
      .result_type = "*",
      .func = demo_echo,
      .summary = "Returns its argument",
      .arguments = "VALUE",
  },
  {
      .name = "sleep",
      .arguments_type = "d",
      .result_type = "d",
      .func = demo_sleep,
      .summary = "Sleeps, and returns for how long",
      .arguments = "SECONDS",
  },
  {
      .name = "primes",
      .arguments_type = "(tt)",
      .result_type = "t",
      .func = demo_primes,
      .summary = "Counts the primes from the first number up to, and without, the second",
      .arguments = "FROM TO",
  },
  {
      .name = "count",
      .arguments_type = "u",
      .result_type = "u",
      .func = demo_count,
      .summary = "Counts from 1 to a number; each is a partial result",
      .arguments = "NUMBER",
  },
  {
      .name = "fail",
      .arguments_type = "s",
      .result_type = "s",
      .func = demo_fail,
      .summary = "Always fails, with the message given",
      .arguments = "MESSAGE",
  },
  {
      .name = "crash",
      .arguments_type = "s",
      .result_type = "s",
      .func = demo_crash,
      .summary = "Kills its worker: segv, abort, exit:N, kill, fpe or stack",
      .arguments = "HOW",
  },
};

LOKY_PLUGIN_DEFINE ("demo", "1.0", "Tasks with which to try a process pool out", tasks)
