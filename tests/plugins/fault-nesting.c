/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders about executors in workers. */

#include "fault-private.h"

/* An executor in a worker, with a worker that spins; returns the pid of that one. */
static GVariant *
obey_nest (LokyTaskContext *context, const char *argument, GError **error)
{
  static LokyExecutor *executor;
  g_autoptr (GVariant) pid = NULL;
  g_autoptr (LokyFuture) future = NULL;

  if (executor == NULL)
    executor = loky_executor_new (1);
  pid = loky_executor_call_sync (executor, "fault.obey", g_variant_new_string ("pid"), NULL, NULL, error);
  if (pid == NULL)
    return NULL;
  future = loky_executor_submit (executor, "fault.obey", g_variant_new_string ("spin"), NULL, error);
  return future != NULL ? g_steal_pointer (&pid) : NULL;
}

/* What the same order with one less returns, in a worker of an executor in this one; "bottom" for 0. */
static GVariant *
obey_nest_deep (LokyTaskContext *context, const char *argument, GError **error)
{
  g_autoptr (LokyExecutor) executor = NULL;
  g_autofree char *order = NULL;
  guint64 depth;

  if (!fault_parse_number (argument, &depth, error))
    return NULL;
  if (depth == 0)
    return g_variant_new_string ("bottom");
  order = g_strdup_printf ("nest-deep:%" G_GUINT64_FORMAT, depth - 1);
  executor = loky_executor_new (1);
  return loky_executor_call_sync (executor, "fault.obey", g_variant_new_string (order), NULL, NULL, error);
}

/* What an order returns in a worker of the executor of this process. */
static GVariant *
obey_nest_reusable (LokyTaskContext *context, const char *argument, GError **error)
{
  g_autoptr (LokyExecutor) executor = loky_get_reusable_executor (NULL, LOKY_REUSE_AUTO, FALSE, error);

  if (executor == NULL)
    return NULL;
  return loky_executor_call_sync (executor, "fault.obey", g_variant_new_string (argument), NULL, NULL,
                                  error);
}

/* How many CPUs there are for it. */
static GVariant *
obey_cpus (LokyTaskContext *context, const char *argument, GError **error)
{
  return g_variant_new_take_string (g_strdup_printf ("%u", loky_cpu_count ()));
}

const FaultOrder fault_nesting_orders[] = {
  { "nest", obey_nest },
  { "nest-deep", obey_nest_deep },
  { "nest-reusable", obey_nest_reusable },
  { "cpus", obey_cpus },
  { NULL },
};
