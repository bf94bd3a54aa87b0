/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `loky describe`: a task by `plugin.task`, or a whole plugin by its name. */

#include "commands.h"

#include "cli-arguments.h"
#include "cli-task.h"

#include <stdio.h>
#include <string.h>

static const char *
describe_kind (const char *kind)
{
  if (strcmp (kind, "batch") == 0)
    return "batch: an array in, an array of as many elements out";
  if (strcmp (kind, "item") == 0)
    return "item: an element of fixed size in, one out";
  return "call: one value in, one value out";
}

/* A value of the type as one would type it, for the example. */
static const char *
get_sample (const char *type)
{
  switch (type[0])
    {
    case 'b':
      return "true";
    case 'd':
      return "0.5";
    case 'y':
    case 'n':
    case 'q':
    case 'i':
    case 'u':
    case 'x':
    case 't':
      return "42";
    case 's':
    case '*':
    case '?':
      return "TEXT";
    default:
      return strcmp (type, "as") == 0 ? "\"['one', 'two']\"" : "VALUE";
    }
}

static char *
dup_example_arguments (const CliTask *task)
{
  const GVariantType *type;
  GString *samples;

  if (strcmp (task->arguments_type, "()") == 0)
    return g_strdup ("");
  if (task->arguments[0] != '\0')
    return g_strconcat (" ", task->arguments, NULL);
  samples = g_string_new (NULL);
  if (task->arguments_type[0] != '(')
    {
      g_string_append_printf (samples, " %s", get_sample (task->arguments_type));
      return g_string_free (samples, FALSE);
    }
  type = g_variant_type_first (G_VARIANT_TYPE (task->arguments_type));
  for (; type != NULL; type = g_variant_type_next (type))
    {
      g_autofree char *member = g_variant_type_dup_string (type);

      g_string_append_printf (samples, " %s", get_sample (member));
    }
  return g_string_free (samples, FALSE);
}

static void
print_task (const CliTask *task)
{
  g_autofree char *arguments = cli_type_dup_description (task->arguments_type);
  g_autofree char *result = cli_type_dup_description (task->result_type);
  g_autofree char *example = dup_example_arguments (task);
  const char *names = task->arguments[0] != '\0' ? ": " : "";

  printf ("%s\n  %s\n\n", task->name, task->summary);
  printf ("  Arguments  %s (%s)%s%s\n", task->arguments_type, arguments, names, task->arguments);
  printf ("  Result     %s (%s)\n", task->result_type, result);
  printf ("  Kind       %s\n", describe_kind (task->kind));
  printf ("  Example    loky run %s%s\n", task->name, example);
}

static void
print_plugin (GVariant *description)
{
  const char *name;
  const char *version;
  const char *summary;
  const char *path;
  GVariant *task_description;
  g_autoptr (GVariantIter) tasks = NULL;

  g_variant_get (description,
                 "(&s&s&s&sa(ssssss))",
                 &name,
                 &version,
                 &summary,
                 &path,
                 &tasks);
  printf ("%s %s\n  %s\n\n  File       %s\n", name, version, summary, path);
  while ((task_description = g_variant_iter_next_value (tasks)) != NULL)
    {
      g_autoptr (CliTask) task = cli_task_new (task_description);
      g_autofree char *short_name = g_steal_pointer (&task->name);

      task->name = g_strdup_printf ("%s.%s", name, short_name);
      putchar ('\n');
      print_task (task);
      g_variant_unref (task_description);
    }
}

/* A task has a dot in its name; a plugin may be named by its path. */
static gboolean
is_task_name (const char *name)
{
  return strchr (name, '.') != NULL && strchr (name, '/') == NULL;
}

static int
describe (CliSession *session, const char *name)
{
  g_autoptr (LokyTaskOptions) look_up_options = cli_look_up_options_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) plugin = NULL;

  if (is_task_name (name))
    {
      g_autoptr (CliTask) task = cli_task_look_up (session, name, &error);

      if (task != NULL)
        print_task (task);
    }
  else if (!g_utf8_validate (name, -1, NULL))
    {
      g_set_error_literal (&error, LOKY_ERROR, LOKY_ERROR_PLUGIN, "The name is not valid UTF-8");
    }
  else
    {
      plugin = cli_session_call (session,
                                 "loky.describe-plugin",
                                 g_variant_new_string (name),
                                 look_up_options,
                                 &error);
      if (plugin != NULL)
        print_plugin (plugin);
    }
  if (error == NULL)
    return CLI_SUCCESS;
  if (!cli_session_is_interrupted (session))
    cli_error ("%s", error->message);
  return CLI_FAILURE;
}

int
command_describe (int argc, char **argv)
{
  g_auto (GStrv) plugin_path = NULL;
  g_auto (GStrv) words = NULL;
  const GOptionEntry entries[] = {
    { "plugin-path", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &plugin_path,
      "Look for plugins in DIR first; may be repeated", "DIR" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("TASK|PLUGIN");
  g_autoptr (CliSession) session = NULL;

  g_option_context_set_summary (context, "Describes a task, or a plugin with all its tasks.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!cli_parse_options (context, "describe", &argc, &argv))
    return CLI_USAGE;
  if (words == NULL || words[1] != NULL)
    return cli_usage_error ("describe ", "describe takes one task or plugin");
  session = cli_session_new (plugin_path, 1);
  return cli_session_end (session, describe (session, words[0]));
}
