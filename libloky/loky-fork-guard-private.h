/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Descriptors that must not live on in a forked copy of the application: it would hold channels open that
 * belong to the workers of another process. They are closed there before fork() returns. A program that is
 * executed does not get them anyway: all are close-on-exec.
 *
 * Callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* Negative ones are not descriptors. */
void loky_fork_guard_add (int fd);
/* open() and add, with no fork between. */
int loky_fork_guard_open (const char *path, int flags);
/* Before it is closed: the number may belong to somebody else after that. */
void loky_fork_guard_remove (int fd);
/* Both, and sets it to -1. Keeps errno. */
void loky_fork_guard_close (int *fd);

/* Differs in a forked copy of this process, if something was guarded before. */
guint loky_fork_guard_get_generation (void);

G_END_DECLS
