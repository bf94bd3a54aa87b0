/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A program that serves as its own worker, and the plugins that are part of it. Callable from any thread. */

#include "loky-init.h"

G_BEGIN_DECLS

/* The only argument of a worker that is the application's own program. */
#define LOKY_INIT_ARGUMENT "--loky-worker"

/* Whether this program can be run as a worker: LOKY_ERROR_WORKER_START, since it would otherwise run as the
 * application once more, and start workers in turn. */
gboolean loky_init_check (GError **error);

/* The program that this process runs can be one. */
void loky_init_note_program (void);

/* How many plugins were registered, and each; or of a name, or NULL. */
guint loky_init_get_n_plugins (void);
const LokyPluginDescriptor *loky_init_get_plugin (guint i);
const LokyPluginDescriptor *loky_init_find_plugin (const char *name);

G_END_DECLS
