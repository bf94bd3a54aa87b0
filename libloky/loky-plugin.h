/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <gio/gio.h>

#include "loky-reducer-registry.h"
#include "loky-task-context.h"

G_BEGIN_DECLS

/**
 * LOKY_PLUGIN_ABI_VERSION:
 *
 * The version of the structures below. A plugin built for another one is refused.
 *
 * Since: 1.0
 */
#define LOKY_PLUGIN_ABI_VERSION 1

/**
 * LOKY_PLUGIN_SYMBOL:
 *
 * The name of the one function that a plugin exports, a `LokyPluginFunc`.
 *
 * Since: 1.0
 */
#define LOKY_PLUGIN_SYMBOL "loky_plugin_descriptor"

/**
 * LokyTaskKind:
 * @LOKY_TASK_KIND_CALL: a `LokyTaskFunc`: one value in, one value out
 * @LOKY_TASK_KIND_BATCH: a `LokyTaskFunc` that takes an array and returns an array of as many
 *   elements
 * @LOKY_TASK_KIND_ITEM: a `LokyItemFunc`: an element of fixed size in, one out, without a
 *   #GVariant for either
 *
 * How the function of a task is called.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_TASK_KIND_CALL,
  LOKY_TASK_KIND_BATCH,
  LOKY_TASK_KIND_ITEM,
} LokyTaskKind;

/**
 * LokyTaskFunc: (skip)
 * @context: what the task can see of its surroundings; valid during the call, and longer for who
 *   takes a reference
 * @args: the arguments, of the type that the task declares, in normal form
 * @user_data: the `user_data` of the task's descriptor
 * @error: return location for an error
 *
 * The function of a task.
 *
 * It runs in a worker process, in that process's main thread, one task at a time, with no
 * #GMainContext being iterated. It may block, crash or leak without harm to the application.
 *
 * Returns: (transfer full) (nullable): the result, of the type that the task declares; a floating
 *   reference is taken over; %NULL with @error set if the task failed
 *
 * Since: 1.0
 */
typedef GVariant *(*LokyTaskFunc) (LokyTaskContext *context,
                                   GVariant *args,
                                   gpointer user_data,
                                   GError **error);

/**
 * LokyItemFunc: (skip)
 * @context: as for `LokyTaskFunc`
 * @item: one element of the argument type
 * @result: where to write one element of the result type
 * @user_data: the `user_data` of the task's descriptor
 * @error: return location for an error
 *
 * The function of a task of kind %LOKY_TASK_KIND_ITEM, whose argument and result types are of fixed
 * size.
 *
 * Returns: %TRUE, or %FALSE with @error set
 *
 * Since: 1.0
 */
typedef gboolean (*LokyItemFunc) (LokyTaskContext *context,
                                  gconstpointer item,
                                  gpointer result,
                                  gpointer user_data,
                                  GError **error);

/**
 * LokyTaskDescriptor: (skip)
 * @name: the name of the task inside its plugin: ASCII letters, digits, `-` and `_`
 * @arguments_type: the #GVariant type string of the arguments; `()` for none, `*` for any
 * @result_type: the #GVariant type string of the result
 * @kind: how the function is called
 * @func: the function, for the kinds call and batch
 * @item_func: the function, for the kind item
 * @user_data: given to the function
 * @summary: one line for people
 * @arguments: (nullable): the names of the arguments for people, such as `FILE SIZE`
 *
 * One task of a plugin.
 *
 * Since: 1.0
 */
typedef struct
{
  const char *name;
  const char *arguments_type;
  const char *result_type;
  LokyTaskKind kind;
  LokyTaskFunc func;
  LokyItemFunc item_func;
  gpointer user_data;
  const char *summary;
  const char *arguments;
  /*< private >*/
  gpointer padding[4];
} LokyTaskDescriptor;

/**
 * LokyReducerDescriptor: (skip)
 * @get_type: gives the type, as the `get_type` function of a class does
 * @reduce: (nullable): reduces values that the plugin's tasks return
 * @rebuild: (nullable): makes values that the plugin's tasks are given
 * @user_data: given to both functions
 *
 * How values of one type come to the tasks of a plugin and leave them.
 *
 * With neither function the values are sent by what GObject knows of the type, as by
 * [method@Loky.ReducerRegistry.add_type].
 *
 * Since: 1.0
 */
typedef struct
{
  GType (*get_type) (void);
  LokyReduceFunc reduce;
  LokyRebuildFunc rebuild;
  gpointer user_data;
  /*< private >*/
  gpointer padding[4];
} LokyReducerDescriptor;

/**
 * LokyPluginFlags: (skip)
 * @LOKY_PLUGIN_FLAGS_NONE: nothing
 * @LOKY_PLUGIN_FLAGS_GLOBAL_SYMBOLS: the plugin's symbols are to be visible to what it loads itself;
 *   needed by a plugin that embeds an interpreter
 *
 * What a plugin asks of its loader.
 *
 * Since: 1.0
 */
typedef enum /*< flags,skip >*/
{
  LOKY_PLUGIN_FLAGS_NONE = 0,
  LOKY_PLUGIN_FLAGS_GLOBAL_SYMBOLS = 1 << 0,
} LokyPluginFlags;

/**
 * LokyPluginDescriptor: (skip)
 * @abi_version: %LOKY_PLUGIN_ABI_VERSION
 * @descriptor_size: the size of this structure, in bytes
 * @task_size: the size of a #LokyTaskDescriptor, in bytes
 * @flags: what the plugin asks of its loader
 * @name: the name of the plugin, which is also that of its file without the suffix
 * @version: the version of the plugin, for people
 * @summary: one line for people
 * @tasks: (array length=n_tasks): the tasks
 * @n_tasks: how many tasks there are
 * @init: (nullable): called in each worker before the plugin's first task; called again only if it
 *   failed
 * @finish: (nullable): called when a worker leaves in an orderly way
 * @reducers: (nullable) (array length=n_reducers): how values of types of its own come to its tasks and leave them
 * @n_reducers: how many reducers there are
 * @reducer_size: the size of a #LokyReducerDescriptor, in bytes
 *
 * What a plugin is. Constant and valid for as long as the process lives.
 *
 * Since: 1.0
 */
typedef struct
{
  guint32 abi_version;
  guint32 descriptor_size;
  guint32 task_size;
  guint32 flags;
  const char *name;
  const char *version;
  const char *summary;
  const LokyTaskDescriptor *tasks;
  gsize n_tasks;
  gboolean (*init) (GError **error);
  void (*finish) (void);
  const LokyReducerDescriptor *reducers;
  gsize n_reducers;
  gsize reducer_size;
  /*< private >*/
  gpointer padding[5];
} LokyPluginDescriptor;

/**
 * LokyPluginFunc: (skip)
 *
 * The one function that a plugin exports.
 *
 * Returns: (transfer none): the plugin's descriptor
 *
 * Since: 1.0
 */
typedef const LokyPluginDescriptor *(*LokyPluginFunc) (void);

/**
 * LOKY_PLUGIN_INIT: (skip)
 *
 * The first members of a #LokyPluginDescriptor, for an initializer.
 *
 * Since: 1.0
 */
#define LOKY_PLUGIN_INIT                                                                           \
  .abi_version = LOKY_PLUGIN_ABI_VERSION, .descriptor_size = sizeof (LokyPluginDescriptor),        \
  .task_size = sizeof (LokyTaskDescriptor), .reducer_size = sizeof (LokyReducerDescriptor)

/**
 * LOKY_PLUGIN_EXPORT: (skip)
 * @descriptor: the name of a static constant #LokyPluginDescriptor
 *
 * Defines the one function that a plugin exports.
 *
 * Since: 1.0
 */
#define LOKY_PLUGIN_EXPORT(descriptor)                                                             \
  __attribute__ ((visibility ("default")))                                                         \
  const LokyPluginDescriptor *loky_plugin_descriptor (void);                                       \
  const LokyPluginDescriptor *loky_plugin_descriptor (void)                                        \
  {                                                                                                \
    return &(descriptor);                                                                          \
  }

/**
 * LOKY_PLUGIN_DEFINE: (skip)
 * @plugin_name: the name of the plugin, a string
 * @plugin_version: its version, a string
 * @plugin_summary: one line for people, a string
 * @plugin_tasks: a static constant array of #LokyTaskDescriptor
 *
 * Defines a plugin that needs no initialisation.
 *
 * Since: 1.0
 */
#define LOKY_PLUGIN_DEFINE(plugin_name, plugin_version, plugin_summary, plugin_tasks)              \
  static const LokyPluginDescriptor loky_plugin_descriptor_data = {                                \
    LOKY_PLUGIN_INIT,                                                                              \
    .name = (plugin_name),                                                                         \
    .version = (plugin_version),                                                                   \
    .summary = (plugin_summary),                                                                   \
    .tasks = (plugin_tasks),                                                                       \
    .n_tasks = G_N_ELEMENTS (plugin_tasks),                                                        \
  };                                                                                               \
  LOKY_PLUGIN_EXPORT (loky_plugin_descriptor_data)

G_END_DECLS
