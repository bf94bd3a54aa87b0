/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the processes that are started here find in their environment. Environments are arrays of NAME=VALUE; what is
 * without a name or a value is left out. Callable from any thread, but for apply. */

#include <glib.h>

G_BEGIN_DECLS

/* Called for each. */
typedef void (*LokyEnvironmentFunc) (const char *name, const char *value, gpointer user_data);

/* @environment may be NULL. */
void loky_environment_foreach (const char *const *environment, LokyEnvironmentFunc func, gpointer user_data);

/* Sets them in this process, while it has one thread; but for the variable by which descendants are known. */
void loky_environment_apply (const char *const *environment);

/* Variables that mean the application itself, and would make a worker write into descriptors that
 * are something else there, or speak in the application's name. NULL-terminated. */
extern const char *const loky_environment_not_inherited[];

/* What this process has without these, and without the token by which the descendants of a worker
 * are found: for a program that is to outlive it. */
char **loky_environment_make_clean (void);

G_END_DECLS
