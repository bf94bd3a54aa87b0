/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tasks of loky-bench: as little work as there can be. */

#include <loky.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static GVariant *
nop (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_ref (args);
}

/* Computes for so many µs. */
static GVariant *
spin (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  gint64 end = g_get_monotonic_time () + g_variant_get_uint32 (args);

  while (g_get_monotonic_time () < end)
    ;
  return g_variant_ref (args);
}

static GVariant *
touch_nothing (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_boolean (TRUE);
}

static gint64
get_computed (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return (gint64) time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* The same, by the time that the processor gave it. */
static GVariant *
compute (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  gint64 end = get_computed () + g_variant_get_uint32 (args);

  while (get_computed () < end)
    ;
  return g_variant_ref (args);
}

/* Waits until it is killed. */
static GVariant *
wait (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  while (!loky_task_context_is_cancelled (context))
    g_usleep (1000);
  return g_variant_ref (args);
}

static GVariant *
die (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  raise (SIGKILL);
  return NULL;
}

static GVariant *
get_pid (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_uint32 ((guint32) getpid ());
}

static gboolean
increment (LokyTaskContext *context, gconstpointer args, gpointer result, gpointer user_data, GError **error)
{
  *(gint64 *) result = *(const gint64 *) args + 1;
  return TRUE;
}

static GVariant *
increment_all (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  gsize n;
  const gint64 *numbers = g_variant_get_fixed_array (args, &n, sizeof (gint64));
  gint64 *sums = g_new (gint64, n);

  for (gsize i = 0; i < n; i++)
    sums[i] = numbers[i] + 1;
  return g_variant_new_from_data (G_VARIANT_TYPE ("ax"), sums, n * sizeof (gint64), TRUE, g_free, sums);
}

static const LokyTaskDescriptor tasks[] = {
  { .name = "nop", .arguments_type = "*", .result_type = "*", .func = nop,
    .summary = "Returns its argument" },
  { .name = "spin", .arguments_type = "u", .result_type = "u", .func = spin,
    .summary = "Computes for so many µs" },
  { .name = "compute", .arguments_type = "u", .result_type = "u", .func = compute,
    .summary = "Computes for so many µs of processor time" },
  { .name = "touch-nothing", .arguments_type = "*", .result_type = "b", .func = touch_nothing,
    .summary = "Leaves its argument alone" },
  { .name = "wait", .arguments_type = "u", .result_type = "u", .func = wait,
    .summary = "Waits until it is cancelled" },
  { .name = "die", .arguments_type = "u", .result_type = "u", .func = die,
    .summary = "Kills its worker" },
  { .name = "pid", .arguments_type = "u", .result_type = "u", .func = get_pid,
    .summary = "The process id of its worker" },
  { .name = "increment", .arguments_type = "x", .result_type = "x", .kind = LOKY_TASK_KIND_ITEM,
    .item_func = increment, .summary = "Adds 1" },
  { .name = "increment-all", .arguments_type = "ax", .result_type = "ax", .kind = LOKY_TASK_KIND_BATCH,
    .func = increment_all, .summary = "Adds 1 to each" },
};

LOKY_PLUGIN_DEFINE ("bench", "1.0", "Tasks to measure a process pool with", tasks)
