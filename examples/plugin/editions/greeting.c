/* SPDX-License-Identifier: MIT-0 */

/* The plugin `greeting`, which is built twice, with another greeting each time: its editions one
 * and two. */

#include <loky.h>

static GVariant *
greet (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_printf ("%s, %s", GREETING, g_variant_get_string (args, NULL));
}

static const LokyTaskDescriptor tasks[] = {
  { .name = "greet",
    .arguments_type = "s",
    .result_type = "s",
    .func = greet,
    .summary = "Greets as its edition does",
    .arguments = "NAME" },
};

LOKY_PLUGIN_DEFINE ("greeting", "1.0", "Has editions", tasks)
