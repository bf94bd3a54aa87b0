/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared memory has no limit of its own: allocating more than there is does not fail, it has the kernel
 * end some process. Callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* What a file of the form of /proc/meminfo or /proc/PID/status says of @name, with the colon behind it, in bytes; 0 if
 * it does not say. */
guint64 loky_memory_find_field (const char *text, const char *name);

/* Whether there is memory for so many bytes. Errno is set to ENOMEM if not. A small amount is not looked
 * up. */
gboolean loky_memory_is_available (guint64 size);

/* What a file of the form of /proc/meminfo says is available, with swap, in bytes; G_MAXUINT64 if it
 * does not say. */
guint64 loky_memory_parse_meminfo (const char *text);

G_END_DECLS
