/* SPDX-License-Identifier: MIT-0 */
#include <loky.h>

/* Runs in a worker process. It may block or crash without harm to the application. */
static GVariant *
greet (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *whom = g_variant_get_string (args, NULL);

  if (whom[0] == '\0')
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There is nobody to greet");
      return NULL;
    }
  return g_variant_new_take_string (g_strdup_printf ("Hello, %s!", whom));
}

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "greet",
      .arguments_type = "s",
      .result_type = "s",
      .func = greet,
      .summary = "Greets somebody",
      .arguments = "WHOM",
  },
};

LOKY_PLUGIN_DEFINE ("@NAME@", "0.1", "Greetings", tasks)
