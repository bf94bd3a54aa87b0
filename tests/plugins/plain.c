/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `plain`: it uses nothing of GIO, nor of the library that needs it. */

#include <loky.h>

#include <string.h>

/* Whether those two are loaded. */
static GVariant *
libraries (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autofree char *maps = NULL;

  if (!g_file_get_contents ("/proc/self/maps", &maps, NULL, error))
    return NULL;
  return g_variant_new ("(bb)", strstr (maps, "/libgio-2.0.so") != NULL, strstr (maps, "/libloky-1.so") != NULL);
}

/* Its argument, made a value and reduced again. */
static GVariant *
echo_value (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loky_task_context_dup_value (context, args, 0, &value, error))
    return NULL;
  return loky_task_context_reduce_value (context, &value, error);
}

/* Its argument, a synchronizer. */
static GVariant *
echo_synchronizer (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokySynchronizer) synchronizer
      = loky_task_context_lookup_synchronizer (context, g_variant_get_handle (args), LOKY_TYPE_SYNCHRONIZER, error);

  return synchronizer != NULL ? loky_task_context_add_synchronizer (context, synchronizer, error) : NULL;
}

static const LokyTaskDescriptor tasks[] = {
  { .name = "libraries", .arguments_type = "()", .result_type = "(bb)", .func = libraries },
  { .name = "echo-value", .arguments_type = "*", .result_type = "*", .func = echo_value },
  { .name = "echo-synchronizer", .arguments_type = "h", .result_type = "h", .func = echo_synchronizer },
};

LOKY_PLUGIN_DEFINE ("plain", "1.0", "Needs little", tasks)
