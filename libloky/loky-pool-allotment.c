/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What one worker has and another one has not: variables of its environment, and CPUs. Each is a list that belongs to
 * the pool; a worker gets the element that the fewest of those have who stay, so that one that is replaced
 * leaves its own to its successor. In the monitor thread. */

#include "loky-pool-internal.h"

static gsize
count_elements (GVariant *list)
{
  return list != NULL ? g_variant_n_children (list) : 0;
}

static guint
choose (LokyPool *self, LokyAllotmentKind kind)
{
  gsize n = count_elements (self->allotments[kind]);
  g_autofree guint *n_users = g_new0 (guint, MAX (n, 1));
  gsize best = 0;

  loky_pool_lock (self);
  for (guint i = 0; i < self->workers->len; i++)
    {
      LokyPoolWorker *other = g_ptr_array_index (self->workers, i);

      if (!other->is_buried && other->scheduling.state < LOKY_WORKER_STATE_RETIRING)
        n_users[other->allotments[kind]]++;
    }
  loky_pool_unlock (self);
  for (gsize i = 1; i < n; i++)
    if (n_users[i] < n_users[best])
      best = i;
  return (guint) best;
}

void
loky_pool_allot (LokyPool *self, LokyPoolWorker *worker)
{
  for (guint kind = 0; kind < LOKY_N_ALLOTMENTS; kind++)
    if (self->allotments[kind] != NULL)
      worker->allotments[kind] = choose (self, kind);
}

GVariant *
loky_pool_get_allotment (LokyPool *self, LokyPoolWorker *worker, LokyAllotmentKind kind)
{
  static const char *const element_types[] = { "s", "u" };
  GVariant *list = self->allotments[kind];

  if (worker == NULL || count_elements (list) == 0)
    return g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE (element_types[kind]), NULL, 0));
  return g_variant_get_child_value (list, worker->allotments[kind]);
}
