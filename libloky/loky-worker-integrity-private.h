/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a task may have done to its worker: forked and returned twice, closed or replaced the descriptor of the
 * channel, written to it. Asked after each task; in the worker's main thread. */

#include "loky-channel-private.h"
#include "loky-control-private.h"

#include <sys/types.h>

G_BEGIN_DECLS

typedef struct
{
  pid_t pid;
  const volatile guint8 *original; /* 1, in a fork()ed copy 0; or NULL */
  int fd;
  gboolean is_marked; /* the descriptor is */
  dev_t device;
  ino_t inode;
  LokyChannel *channel;
  LokyControl *control;
  int n_unread;       /* of what was sent, after the last message, as the kernel counts it; -1: not known */
  guint64 n_received; /* by the parent, then */
} LokyWorkerIntegrity;

/* FALSE: the channel has no descriptor. */
gboolean loky_worker_integrity_init (LokyWorkerIntegrity *self, LokyChannel *channel, LokyControl *control);

/* Whether this process was fork()ed from the worker. */
gboolean loky_worker_integrity_is_copy (const LokyWorkerIntegrity *self);

/* Whether the descriptor is that of the channel still. */
gboolean loky_worker_integrity_has_channel (const LokyWorkerIntegrity *self);

/* After each message. */
void loky_worker_integrity_note_sent (LokyWorkerIntegrity *self);

/* Whether nobody has written to the channel but the library. FALSE: perhaps. */
gboolean loky_worker_integrity_is_undisturbed (const LokyWorkerIntegrity *self);

G_END_DECLS
