/* SPDX-License-Identifier: MIT-0 */

/* A plugin from outside of the project's tree. */

#include <loky.h>

static GVariant *
reverse (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *text = g_variant_get_string (args, NULL);

  return g_variant_new_take_string (g_utf8_strreverse (text, -1));
}

static const LokyTaskDescriptor tasks[] = {
  { .name = "reverse", .arguments_type = "s", .result_type = "s", .func = reverse },
};

LOKY_PLUGIN_DEFINE ("outside", "1.0", "Turns strings round", tasks)
