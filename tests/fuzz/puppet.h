/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Worker processes that are none: the reader's fuzz target links puppet.c instead of loky-worker-process.c and of
 * what looks at real processes, and so has both ends of each channel in one process. The pool and its monitor
 * thread are the real ones. */

#include <glib.h>

G_BEGIN_DECLS

typedef struct _Puppet Puppet;

/* The oldest one that was started and not taken yet; waits for it at most @timeout µs. NULL: there is none. */
Puppet *puppet_take (gint64 timeout);
void puppet_release (Puppet *self);

/* The worker's end of the channel, which lives as long as the puppet. */
int puppet_get_channel (Puppet *self);
gboolean puppet_has_ended (Puppet *self);
/* Whether the pool has let go of it. */
gboolean puppet_is_forgotten (Puppet *self);

/* It ends: with a signal, or with a status where @signal is 0. */
void puppet_end (Puppet *self, int signal, int status);

G_END_DECLS
