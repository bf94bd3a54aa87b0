/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Closing what may block who closes it: a socket that lingers, a file of a file system that
 * somebody's program serves. Callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* In a thread of its own. FALSE if there is none: @fd is still open. */
gboolean loky_close_apart (int fd);

/* An anonymous pipe, whose closing asks no file system anything. Looking does not, either. */
gboolean loky_close_is_pipe (int fd);

/* A descriptor of somebody who is trusted: at once if that cannot block, else in a thread of its
 * own. */
void loky_close_trusted (int fd);

G_END_DECLS
