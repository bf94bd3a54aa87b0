/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Environments as arrays of NAME=VALUE. What is without a name or a value is left out. */

#include <glib.h>

G_BEGIN_DECLS

/* Called for each. */
typedef void (*LokyEnvironmentFunc) (const char *name, const char *value, gpointer user_data);

/* @environment may be NULL. Callable from any thread. */
void loky_environment_foreach (const char *const *environment, LokyEnvironmentFunc func, gpointer user_data);

/* Sets them in this process, while it has one thread; but for the variable by which descendants are known. */
void loky_environment_apply (const char *const *environment);

G_END_DECLS
