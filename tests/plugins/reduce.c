/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `reduce`: tasks that take and return values of types of its own, and reducers that do what they are
 * told to by what they are given. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "reduce-point.h"

/* --- the reducers of TestWord --------------------------------------------------------------------- */

/* What is wrong, by the text. */
static gboolean
misbehave (const char *text, const char *where, GError **error)
{
  g_autofree char *order = g_strconcat (where, "-", NULL);

  if (!g_str_has_prefix (text, order))
    return FALSE;
  text += strlen (order);
  if (strcmp (text, "fail") == 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "no %s", where);
  else if (strcmp (text, "exit") == 0)
    exit (0);
  else if (strcmp (text, "segv") == 0)
    raise (SIGSEGV);
  else if (strcmp (text, "hang") == 0)
    for (;;)
      g_usleep (G_USEC_PER_SEC);
  else
    return strcmp (text, "null") == 0;
  return TRUE;
}

static GVariant *
reduce_word (const GValue *value, gpointer user_data, GError **error)
{
  const TestWord *word = g_value_get_boxed (value);

  if (misbehave (word->text, "reduce", error))
    return NULL;
  return g_variant_new_string (word->text);
}

static void
rebuild_word (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  const char *text = g_variant_get_string (form, NULL);

  if (misbehave (text, "rebuild", error))
    return;
  g_value_init (value, strcmp (text, "rebuild-wrong") == 0 ? G_TYPE_STRV : TEST_TYPE_WORD);
  if (G_VALUE_HOLDS (value, TEST_TYPE_WORD))
    g_value_take_boxed (value, test_word_new (text));
}

/* --- tasks ---------------------------------------------------------------------------------------- */

/* Returns its argument. */
static GVariant *
echo (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loky_task_context_dup_value (context, args, 0, &value, error))
    return NULL;
  return loky_task_context_reduce_value (context, &value, error);
}

/* The name of the type that its argument has in the worker. */
static GVariant *
type_name (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loky_task_context_dup_value (context, args, 0, &value, error))
    return NULL;
  return g_variant_new_string (G_VALUE_TYPE_NAME (&value));
}

/* A point beside the one that it is given, as far as the second argument says. */
static GVariant *
move (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) by = G_VALUE_INIT;
  double x;

  if (!loky_task_context_dup_value (context, args, 0, &value, error) ||
      !loky_task_context_dup_value (context, args, 1, &by, error))
    return NULL;
  g_object_get (g_value_get_object (&value), "x", &x, NULL);
  g_object_set (g_value_get_object (&value), "x", x + g_value_get_double (&by), NULL);
  return loky_task_context_reduce_value (context, &value, error);
}

/* A word of that text. */
static GVariant *
say (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, TEST_TYPE_WORD);
  g_value_take_boxed (&value, test_word_new (g_variant_get_string (args, NULL)));
  return loky_task_context_reduce_value (context, &value, error);
}

/* A buffer of so many bytes, each 7. */
static GVariant *
make_buffer (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  LokyBuffer *buffer = loky_buffer_new (g_variant_get_uint64 (args), error);

  if (buffer == NULL)
    return NULL;
  memset (loky_buffer_get_writable_data (buffer), 7, loky_buffer_get_size (buffer));
  g_value_init (&value, LOKY_TYPE_BUFFER);
  g_value_take_object (&value, buffer);
  return loky_task_context_reduce_value (context, &value, error);
}

static GVariant *
make_file (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_FILE);
  g_value_take_object (&value, g_file_new_for_path (g_variant_get_string (args, NULL)));
  return loky_task_context_reduce_value (context, &value, error);
}

/* A value of a type that has no reducer. */
static GVariant *
unknown (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_CANCELLABLE);
  g_value_take_object (&value, g_cancellable_new ());
  return loky_task_context_reduce_value (context, &value, error);
}

/* The number in a tuple, without any reducer. */
static GVariant *
plain (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_get_child_value (args, 0);
}

static const LokyTaskDescriptor tasks[] = {
  { .name = "echo", .arguments_type = "*", .result_type = "*", .func = echo },
  { .name = "type-name", .arguments_type = "*", .result_type = "s", .func = type_name },
  { .name = "move", .arguments_type = "r", .result_type = "*", .func = move },
  { .name = "say", .arguments_type = "s", .result_type = "*", .func = say },
  { .name = "make-buffer", .arguments_type = "t", .result_type = "*", .func = make_buffer },
  { .name = "make-file", .arguments_type = "s", .result_type = "*", .func = make_file },
  { .name = "unknown", .arguments_type = "()", .result_type = "*", .func = unknown },
  { .name = "plain", .arguments_type = "(i)", .result_type = "i", .func = plain },
};

static const LokyReducerDescriptor reducers[] = {
  { .get_type = test_point_get_type },
  { .get_type = test_colour_get_type },
  { .get_type = g_charset_converter_get_type },
  { .get_type = test_word_get_type, .reduce = reduce_word, .rebuild = rebuild_word },
};

static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "reduce",
  .version = "1.0",
  .summary = "Takes and returns values of types of its own",
  .tasks = tasks,
  .n_tasks = G_N_ELEMENTS (tasks),
  .reducers = reducers,
  .n_reducers = G_N_ELEMENTS (reducers),
};

LOKY_PLUGIN_EXPORT (descriptor)
