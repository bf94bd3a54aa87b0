/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which descriptors an application may have from a worker that it need not trust further than that. Looking never
 * waits. Callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* Those that stay in the table of the application without harm: each fork() and exec() of it, of a worker's start for
 * one, closes copies of them, which must not block. That is so for memory, pipes and sockets, and for files, folders and
 * FIFOs of a file system that is mounted here and that no program serves. Only the last close() of one may block, as
 * that of a socket that lingers does.
 *
 * @mounts: (inout): what was read for this, to be used for the next one; NULL at first, freed by the caller.
 * @code: of the error, in LOKY_ERROR; LOKY_ERROR_RESOURCES if it cannot be told for want of descriptors. */
gboolean loky_foreign_check (int fd, char **mounts, int code, GError **error);

/* --- pure: for tests --- */

/* The type of the file system that is mounted as @id, in the text of /proc/self/mountinfo; NULL if there is none. */
char *loky_foreign_find_mount (const char *mounts, guint64 id);

G_END_DECLS
