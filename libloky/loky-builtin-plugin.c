/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin "loky", which every worker has: it tells what tasks there are. Plugins are opened here,
 * in a worker, and never in the application. */

#include <unistd.h>

#include "loky-plugin-loader-private.h"
#include "loky-task-context-private.h"

static GVariant *
list_plugins (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return loky_plugin_loader_list (loky_task_context_get_loader (context));
}

static const char *
kind_to_string (LokyTaskKind kind)
{
  switch (kind)
    {
    case LOKY_TASK_KIND_BATCH:
      return "batch";
    case LOKY_TASK_KIND_ITEM:
      return "item";
    case LOKY_TASK_KIND_CALL:
    default:
      return "call";
    }
}

/* What a plugin says of itself need not be UTF-8. */
static char *
make_text (const char *text)
{
  return g_utf8_make_valid (text != NULL ? text : "", -1);
}

static GVariant *
describe (const LokyTaskDescriptor *task, const char *name)
{
  g_autofree char *summary = make_text (task->summary);
  g_autofree char *arguments = make_text (task->arguments);

  return g_variant_new ("(ssssss)", name, task->arguments_type, task->result_type,
                        kind_to_string (task->kind), summary, arguments);
}

static GVariant *
describe_plugin (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  LokyLoadedPlugin *plugin = loky_plugin_loader_open (loky_task_context_get_loader (context),
                                                      g_variant_get_string (args, NULL), error);
  g_autofree char *version = NULL;
  g_autofree char *summary = NULL;
  g_autofree char *path = NULL;
  GVariantBuilder tasks;

  if (plugin == NULL)
    return NULL;
  version = make_text (plugin->descriptor->version);
  summary = make_text (plugin->descriptor->summary);
  path = g_filename_display_name (plugin->path);
  g_variant_builder_init (&tasks, G_VARIANT_TYPE ("a(ssssss)"));
  for (guint i = 0; i < plugin->tasks->len; i++)
    {
      LokyLoadedTask *task = g_ptr_array_index (plugin->tasks, i);

      g_variant_builder_add_value (&tasks, describe (task->descriptor, task->descriptor->name));
    }
  return g_variant_new ("(ssssa(ssssss))", plugin->descriptor->name, version, summary, path, &tasks);
}

static GVariant *
describe_task (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  LokyLoadedTask *task = loky_plugin_loader_find_task (loky_task_context_get_loader (context),
                                                       g_variant_get_string (args, NULL), error);

  return task != NULL ? describe (task->descriptor, task->name) : NULL;
}

static GVariant *
ping (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new ("(su)", LOKY_VERSION, (guint32) getpid ());
}

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "list-plugins",
      .arguments_type = "()",
      .result_type = "a(ss)",
      .func = list_plugins,
      .summary = "The name and the path of each plugin file, without opening it",
  },
  {
      .name = "describe-plugin",
      .arguments_type = "s",
      .result_type = "(ssssa(ssssss))",
      .func = describe_plugin,
      .summary = "The name, version, summary, path and tasks of a plugin",
      .arguments = "NAME-OR-PATH",
  },
  {
      .name = "describe-task",
      .arguments_type = "s",
      .result_type = "(ssssss)",
      .func = describe_task,
      .summary = "The name, types, kind, summary and argument names of a task",
      .arguments = "TASK",
  },
  {
      .name = "ping",
      .arguments_type = "()",
      .result_type = "(su)",
      .func = ping,
      .summary = "The version and the process id of a worker",
  },
};

static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "loky",
  .version = LOKY_VERSION,
  .summary = "What every worker can tell",
  .tasks = tasks,
  .n_tasks = G_N_ELEMENTS (tasks),
};

const LokyPluginDescriptor *
loky_builtin_plugin_get (void)
{
  return &descriptor;
}
