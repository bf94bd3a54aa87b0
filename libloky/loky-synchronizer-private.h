/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What LokyLock, LokySemaphore, LokyCondition, LokyEvent and LokyBarrier have in common. */

#include "loky-message-private.h"
#include "loky-sync-memory-private.h"
#include "loky-synchronizer.h"

G_BEGIN_DECLS

struct _LokySynchronizer
{
  GObject parent_instance;

  LokySync *sync; /* NULL if it was not made by a constructor of its class */
  guint32 part;   /* LOKY_PART_ */
  gint32 handle;
  gint is_listed; /* atomic; among the live ones */
};

/* An object over @sync, which it takes over. NULL is passed on. */
gpointer loky_synchronizer_make (GType type, LokySync *sync, guint32 part);

/* Of the class that its memory says; takes over @fd. */
LokySynchronizer *loky_synchronizer_new_received (int fd,
                                                  const LokyBufferRecord *record,
                                                  GError **error);

/* The memory, for a call that may fail in a child of the process; NULL with LOKY_ERROR_FORKED or
 * LOKY_ERROR_INVALID_ARGUMENT. @self is a LokySynchronizer. */
LokySync *loky_synchronizer_get_sync (gpointer self, GError **error);

G_END_DECLS
