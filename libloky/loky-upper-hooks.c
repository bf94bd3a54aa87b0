/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the upper library does for the lower one, and how that comes to know it. */

#include "loky-upper-hooks-private.h"

#include <gio/gio.h>

#include "loky-barrier.h"
#include "loky-condition-private.h"
#include "loky-event.h"
#include "loky-lock.h"
#include "loky-reducer-private.h"
#include "loky-semaphore.h"

static void
add_reducers (LokyReducerRegistry *registry)
{
  loky_reducers_add_files (registry);
  loky_reducers_add_sockets (registry);
}

static GType
get_synchronizer_type (guint32 kind, gboolean is_condition)
{
  gboolean is_lock = kind == LOKY_SYNC_LOCK || kind == LOKY_SYNC_RECURSIVE_LOCK;

  if (is_condition)
    return is_lock ? LOKY_TYPE_CONDITION : G_TYPE_INVALID;
  switch (kind)
    {
    case LOKY_SYNC_LOCK:
    case LOKY_SYNC_RECURSIVE_LOCK:
      return LOKY_TYPE_LOCK;
    case LOKY_SYNC_SEMAPHORE:
    case LOKY_SYNC_BOUNDED_SEMAPHORE:
      return LOKY_TYPE_SEMAPHORE;
    case LOKY_SYNC_EVENT:
      return LOKY_TYPE_EVENT;
    case LOKY_SYNC_BARRIER:
      return LOKY_TYPE_BARRIER;
    default:
      return G_TYPE_INVALID;
    }
}

static gboolean
init_object (GObject *object, GError **error)
{
  return g_initable_init (G_INITABLE (object), NULL, error);
}

const LokyUpper loky_upper_hooks = {
  .add_reducers = add_reducers,
  .get_synchronizer_type = get_synchronizer_type,
  .init_object = init_object,
};

/* While the library is loaded: it registers no type here, and calls nothing that may wait. */
static void __attribute__ ((constructor))
install (void)
{
  loky_upper_install (&loky_upper_hooks);
}
