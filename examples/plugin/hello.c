/* SPDX-License-Identifier: MIT-0 */

/* The plugin `hello` of the examples: its tasks tell which worker runs them, and what that one
 * remembers. */

#include <loky.h>
#include <unistd.h>

typedef struct
{
  const char *name;
  const char *greeting;
} Language;

static const Language languages[] = { { "en", "Hello" },
                                      { "fr", "Bonjour" },
                                      { "de", "Guten Tag" } };

/* Variables of a worker: each has its own, and no two tasks run in it at the same time. */
static const Language *language = &languages[0];
static guint n_calls;

static GVariant *
greet (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_usleep (GPOINTER_TO_UINT (user_data) * 1000);
  return g_variant_new_printf ("%s %s from worker %u (process %d)", language->greeting,
                               g_variant_get_string (args, NULL),
                               loky_task_context_get_worker_id (context), (int) getpid ());
}

static GVariant *
count (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_uint32 (++n_calls);
}

/* The initializer of some of the examples. */
static GVariant *
set_language (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *name = g_variant_get_string (args, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (languages); i++)
    if (g_str_equal (languages[i].name, name))
      {
        language = &languages[i];
        return g_variant_new ("()");
      }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "No greeting in “%s” is known", name);
  return NULL;
}

static GVariant *
get_language (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_string (language->name);
}

static GVariant *
variable (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *name = g_variant_get_string (args, NULL);
  const char *value = g_getenv (name);

  if (value != NULL)
    return g_variant_new_take_string (g_utf8_make_valid (value, -1));
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "“%s” is not set", name);
  return NULL;
}

static const LokyTaskDescriptor tasks[] = {
  { .name = "greet",
    .arguments_type = "s",
    .result_type = "s",
    .func = greet,
    .summary = "Greets, and tells the worker",
    .arguments = "NAME" },
  { .name = "greet-slowly",
    .arguments_type = "s",
    .result_type = "s",
    .func = greet,
    .user_data = GUINT_TO_POINTER (20),
    .summary = "Greets after 20 ms, and tells the worker",
    .arguments = "NAME" },
  { .name = "count",
    .arguments_type = "()",
    .result_type = "u",
    .func = count,
    .summary = "Counts how often it was called in this worker" },
  { .name = "set-language",
    .arguments_type = "s",
    .result_type = "()",
    .func = set_language,
    .summary = "Sets the language of this worker",
    .arguments = "LANGUAGE" },
  { .name = "language",
    .arguments_type = "()",
    .result_type = "s",
    .func = get_language,
    .summary = "Tells the language of this worker" },
  { .name = "variable",
    .arguments_type = "s",
    .result_type = "s",
    .func = variable,
    .summary = "Tells an environment variable",
    .arguments = "NAME" },
};

LOKY_PLUGIN_DEFINE ("hello", "1.0", "Greetings, for the examples", tasks)
