/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Closing what may block who closes it: a socket that lingers, a file of a file system that
 * somebody's program serves. Callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* A descriptor that a worker sent, or any other of somebody who is not trusted: memory at once, anything else in one
 * of a bounded number of threads. While all of these block it stays open and waits for its turn, which a warning tells,
 * once. Until it is closed no forked copy of the process keeps it. */
void loky_close_untrusted (int fd);

/* So many wait that no more should be taken from workers. */
gboolean loky_close_is_overrun (void);

/* Memory that can be sealed: closing it asks nobody. */
gboolean loky_close_is_memory (int fd);

/* An anonymous pipe, whose closing asks no file system anything. Looking does not, either. */
gboolean loky_close_is_pipe (int fd);

/* A descriptor of somebody who is trusted: at once if that cannot block, else in a thread of its
 * own. */
void loky_close_trusted (int fd);

G_END_DECLS
