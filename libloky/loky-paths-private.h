/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the worker program and the plugins are. Callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* The worker program: @chosen if it is not NULL; else LOKY_WORKER; else beside our own library; else
 * where it was installed. Always an absolute path, which may not exist. */
char *loky_paths_find_worker (const char *chosen);

/* The program that puts backtraces into words, beside @worker or beside the installed one; NULL if there is
 * none. */
char *loky_paths_find_symbolizer (const char *worker);

/* The folders of LOKY_PLUGIN_PATH, then the one beside our own library or where it was installed. */
char **loky_paths_get_plugin_path (void);

G_END_DECLS
