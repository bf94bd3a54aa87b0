/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the worker program and the plugins are. Callable from any thread. */

#include <glib.h>

G_BEGIN_DECLS

/* A variable that names what this process is to load or run; NULL if it is not set, or for a program that runs with more
 * rights than its caller, who must not choose that. */
const char *loky_paths_get_environment (const char *name);

/* The worker program: @chosen if it is not NULL; else LOKY_WORKER; else beside our own library; else
 * where it was installed. Always an absolute path, which may not exist. */
char *loky_paths_find_worker (const char *chosen);

/* The program that puts backtraces into words, beside @worker or beside the installed one; NULL if there is
 * none. */
char *loky_paths_find_symbolizer (const char *worker);

/* The file of that name beside our own library; NULL if there is none. */
char *loky_paths_find_own_library (const char *name);

#define LOKY_MODULE_SUFFIX "." G_MODULE_SUFFIX

/* Letters, digits, “-” and “_”, at least one. NULL is no name. */
gboolean loky_paths_is_name (const char *name);

/* FOLDER/NAME.so, or FOLDER/NAME/NAME.so: a folder of modules that are each a folder; in the first folder that has
 * it. NULL: none has. */
char *loky_paths_find_module (const char *const *folders, const char *name);

/* The folders of LOKY_PLUGIN_PATH, then the one beside our own library or where it was installed. */
char **loky_paths_get_plugin_path (void);

/* This process's own program, by a path that finds it even if its file was replaced. */
char *loky_paths_find_own_program (void);

G_END_DECLS
