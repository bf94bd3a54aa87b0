/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How worker processes come to be: the names, the default of this process, and whether a method can be used here.
 * Callable from any thread. */

#include "loky-start-method.h"

G_BEGIN_DECLS

typedef enum
{
  LOKY_START_METHOD_LOKY,       /* a new process runs the worker program */
  LOKY_START_METHOD_FORKSERVER, /* the same, once; that one forks ready workers */
  LOKY_START_METHOD_INIT_MAIN,  /* a new process runs the application's own program */
  LOKY_START_METHOD_FORK,       /* one that was forked off the application early forks workers */
} LokyStartMethod;

/* The variable that has the default of a process handed down to its workers. */
#define LOKY_START_METHOD_VARIABLE "LOKY_START_METHOD"

const char *loky_start_method_to_string (LokyStartMethod method);

/* LOKY_ERROR_INVALID_ARGUMENT, with all names, if @name is none of them. */
gboolean loky_start_method_parse (const char *name, LokyStartMethod *method, GError **error);

/* The method of an executor: @name, or the default if it is NULL. LOKY_ERROR_WORKER_START if it cannot be used in
 * this process, whatever its threads do. */
gboolean loky_start_method_resolve (const char *name, LokyStartMethod *method, GError **error);

/* The same for the executor of the process: LOKY_ERROR_INVALID_ARGUMENT for "fork", too. That one is made whenever
 * somebody asks for it, and its workers would be copies of whatever the application was just then. */
gboolean loky_start_method_check_reusable (const char *name, GError **error);

/* "NAME=VALUE" for the environment of workers, or NULL if they inherit the right one anyway. */
char *loky_start_method_dup_variable (void);

/* From now on this process is a worker. */
void loky_start_method_note_worker (void);
gboolean loky_start_method_is_worker (void);

/* How many threads this process has; 0: the system does not tell. */
guint loky_count_threads (void);

G_END_DECLS
