/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Finds, opens and checks plugins, in the worker.
 *
 * A plugin is opened when the first task that names it arrives. While it is, its path stands in the
 * control area: if the worker does not survive that, the parent knows which file it was, and has it
 * refused from then on.
 *
 * For the worker's main thread. */

#include "loky-control-private.h"
#include "loky-plugin.h"
#include "loky-reducer-registry.h"

G_BEGIN_DECLS

typedef struct _LokyPluginLoader LokyPluginLoader;

/* A task, ready to be called. It stays valid as long as the loader. */
typedef struct
{
  char *name; /* PLUGIN.TASK */
  const LokyTaskDescriptor *descriptor;
} LokyLoadedTask;

typedef struct
{
  char *path;
  const LokyPluginDescriptor *descriptor;
  GPtrArray *tasks; /* of LokyLoadedTask */
  LokyReducerRegistry *reducers; /* NULL: it has none of its own */
} LokyLoadedPlugin;

/* @control may be NULL. */
LokyPluginLoader *loky_plugin_loader_new (const char *const *plugin_path, LokyControl *control);

/* Opens the files of plugins, so that opening them again, in a process that is forked off this one, takes no time.
 * Nothing of them is called but what opening a library calls; what cannot be opened is passed over. */
void loky_plugin_loader_preload (const char *const *plugin_path, const char *const *names);

/* Calls the finish functions of the plugins that were opened. */
void loky_plugin_loader_finish (LokyPluginLoader *self);
void loky_plugin_loader_free (LokyPluginLoader *self);

/* A file that must not be opened, by its identity; @path is for people. */
void loky_plugin_loader_refuse (LokyPluginLoader *self,
                                guint64 device,
                                guint64 inode,
                                guint64 mtime,
                                const char *path,
                                const char *reason);

/* LOKY_ERROR_NO_SUCH_TASK, with the nearest name, or LOKY_ERROR_PLUGIN, with path and reason. */
LokyLoadedTask *loky_plugin_loader_find_task (LokyPluginLoader *self,
                                              const char *name,
                                              GError **error);

/* By name or by path. */
LokyLoadedPlugin *loky_plugin_loader_open (LokyPluginLoader *self,
                                           const char *name_or_path,
                                           GError **error);

/* The reducers of the plugin of a task that was found; borrowed. */
LokyReducerRegistry *loky_plugin_loader_get_reducers (LokyPluginLoader *self, const char *task);

/* The name and the path of each module file in the plugin path, "a(ss)"; no module is opened. */
GVariant *loky_plugin_loader_list (LokyPluginLoader *self);

/* The plugin that is part of the library. */
const LokyPluginDescriptor *loky_builtin_plugin_get (void);

G_END_DECLS
