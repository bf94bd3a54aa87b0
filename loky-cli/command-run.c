/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `loky run`: one task, once. */

#include "commands.h"

#include "cli-arguments.h"
#include "cli-task.h"
#include "cli-template.h"

#include <stdio.h>
#include <string.h>

static GVariant *
parse_words (const CliTask *task, char **words, GError **error)
{
  gsize n_words = g_strv_length (words);
  g_autofree CliText *texts = g_new0 (CliText, n_words + 1);

  for (gsize i = 0; i < n_words; i++)
    texts[i] = (CliText){ words[i], strlen (words[i]) };
  return cli_arguments_parse (task->name, task->arguments_type, texts, n_words, error);
}

static void
print_value (GVariant *value)
{
  g_autoptr (GString) text = g_string_new (NULL);

  cli_value_append (text, value);
  g_string_append_c (text, '\n');
  fwrite (text->str, 1, text->len, stdout);
}

/* At once, for who reads them as they come. */
static void
print_partial (LokyFuture *future, GVariant *value)
{
  print_value (value);
  fflush (stdout);
}

static GVariant *
run_with_partials (CliSession *session,
                   const char *task,
                   GVariant *args,
                   LokyTaskOptions *options,
                   GError **error)
{
  g_autoptr (LokyFuture) future = cli_session_submit (session, task, args, options, error);
  g_autoptr (GVariant) result = NULL;
  GVariant *value;

  if (future == NULL)
    return NULL;
  g_signal_connect (future, "partial", G_CALLBACK (print_partial), NULL);
  result = cli_session_wait (session, future, error);
  /* The context need not have told all of them yet. */
  while ((value = loky_future_next_partial (future, 0, NULL, NULL)) != NULL)
    {
      print_partial (future, value);
      g_variant_unref (value);
    }
  return g_steal_pointer (&result);
}

static int
run (CliSession *session, char **words, LokyTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CliTask) task = cli_task_look_up (session, words[0], &error);
  g_autoptr (GVariant) args = NULL;
  g_autoptr (GVariant) result = NULL;

  if (task != NULL)
    {
      args = parse_words (task, words + 1, &error);
      if (args == NULL)
        return cli_usage_error ("run ", "%s", error->message);
      result = loky_task_options_get_partial_results (options)
                   ? run_with_partials (session, task->name, args, options, &error)
                   : cli_session_call (session, task->name, args, options, &error);
    }
  if (result == NULL)
    {
      if (!cli_session_is_interrupted (session))
        cli_error ("%s", error->message);
      return CLI_FAILURE;
    }
  print_value (result);
  return CLI_SUCCESS;
}

int
command_run (int argc, char **argv)
{
  g_auto (GStrv) plugin_path = NULL;
  g_auto (GStrv) words = NULL;
  CliTaskSettings settings = { 0 };
  gboolean partial = FALSE;
  const GOptionEntry entries[] = {
    { "plugin-path", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &plugin_path,
      "Look for plugins in DIR first; may be repeated", "DIR" },
    { "partial", 0, 0, G_OPTION_ARG_NONE, &partial,
      "Print the partial results of the task, too, as they come", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("TASK [ARGUMENT…]");
  g_autoptr (LokyTaskOptions) options = NULL;
  g_autoptr (CliSession) session = NULL;

  g_option_context_set_summary (context,
                                "Runs a task in a worker and prints its result.\n\n"
                                "A string is given as it is, any other argument in GVariant's text "
                                "format.\nWhat follows “--” is not an option.");
  g_option_context_add_main_entries (context, entries, NULL);
  cli_add_task_options (context, &settings);
  if (!cli_parse_options (context, "run", &argc, &argv))
    return CLI_USAGE;
  if (words == NULL)
    return cli_usage_error ("run ", "run takes a task");
  options = cli_task_options_new (LOKY_TYPE_TASK_OPTIONS, "run ", &settings);
  if (options == NULL)
    return CLI_USAGE;
  loky_task_options_set_partial_results (options, partial);
  session = cli_session_new (plugin_path, 1);
  return cli_session_end (session, run (session, words, options));
}
