/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Executors inside workers: how deep they are nested, and what share of the CPUs each has. Both travel in the
 * environment, so that they also reach programs that a task starts. Any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* How many workers this process is inside of. Read once: a task may clear the environment afterwards. */
guint loky_nesting_get_depth (void);

/* For a worker that was forked off a process which had read it, and has an environment of its own since; while there
 * is one thread. */
void loky_nesting_read_again (void);

/* LOKY_ERROR_RECURSION if an executor here would be nested too deep. */
gboolean loky_nesting_check (GError **error);

/* NAME=VALUE for a worker, one of @max_workers, which may run on @most_cpus (0: all): its depth; its share of the CPUs, as LOKY_MAX_CPU_COUNT and as the
 * number of threads that numeric libraries start, each unless it is in @environment (or NULL), the threads also
 * unless this process has a number of its own. */
char **loky_nesting_make_environment (guint max_workers, guint most_cpus, const char *const *environment);

/* Both pure. */
gboolean loky_nesting_check_depth (guint depth, const char *max_depth, GError **error);
guint loky_nesting_share (guint n_cpus, guint max_workers);

G_END_DECLS
