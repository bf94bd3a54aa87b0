/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `loky list`: the tasks of all plugins. Each plugin is opened in a worker: one that cannot be
 * opened is reported, and hides no other. */

#include "commands.h"

#include "cli-task.h"

#include <stdio.h>

#define N_COLUMNS 4

typedef struct
{
  char *cells[N_COLUMNS];
} Row;

static void
row_free (Row *row)
{
  for (gsize i = 0; i < N_COLUMNS; i++)
    g_free (row->cells[i]);
  g_free (row);
}

static Row *
row_new (char *name, const char *arguments, const char *result, const char *summary)
{
  Row *row = g_new0 (Row, 1);

  row->cells[0] = name;
  row->cells[1] = g_strdup (arguments);
  row->cells[2] = g_strdup (result);
  row->cells[3] = g_strdup (summary);
  return row;
}

static void
add_plugin (GPtrArray *rows, GVariant *description)
{
  const char *plugin;
  const char *name;
  const char *arguments;
  const char *result;
  const char *summary;
  g_autoptr (GVariantIter) tasks = NULL;

  g_variant_get (description, "(&ssssa(ssssss))", &plugin, NULL, NULL, NULL, &tasks);
  while (g_variant_iter_next (tasks,
                              "(&s&s&ss&ss)",
                              &name,
                              &arguments,
                              &result,
                              NULL,
                              &summary,
                              NULL))
    g_ptr_array_add (rows,
                     row_new (g_strdup_printf ("%s.%s", plugin, name),
                              arguments,
                              result,
                              summary));
}

static void
print_rows (GPtrArray *rows)
{
  glong widths[N_COLUMNS] = { 0 };

  for (guint i = 0; i < rows->len; i++)
    for (gsize j = 0; j < N_COLUMNS; j++)
      {
        Row *row = g_ptr_array_index (rows, i);

        widths[j] = MAX (widths[j], g_utf8_strlen (row->cells[j], -1));
      }
  for (guint i = 0; i < rows->len; i++)
    {
      Row *row = g_ptr_array_index (rows, i);

      for (gsize j = 0; j + 1 < N_COLUMNS; j++)
        printf ("%s%*s",
                row->cells[j],
                (int) (widths[j] - g_utf8_strlen (row->cells[j], -1) + 2),
                "");
      printf ("%s\n", row->cells[N_COLUMNS - 1]);
    }
}

/* All plugins at once, as each may take its time to load. */
static GPtrArray *
submit_descriptions (CliSession *session, GVariant *plugins, GError **error)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (LokyTaskOptions) options = cli_look_up_options_new ();
  GVariantIter iter;
  const char *path;

  g_variant_iter_init (&iter, plugins);
  while (g_variant_iter_next (&iter, "(&s&s)", NULL, &path))
    {
      LokyFuture *future = loky_executor_submit (session->executor,
                                                 "loky.describe-plugin",
                                                 g_variant_new_string (path),
                                                 options,
                                                 error);

      if (future == NULL)
        return NULL;
      g_ptr_array_add (futures, future);
    }
  return g_steal_pointer (&futures);
}

static int
list_plugins (CliSession *session)
{
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify) row_free);
  g_autoptr (GPtrArray) futures = NULL;
  g_autoptr (GVariant) plugins = NULL;
  g_autoptr (GError) error = NULL;
  int status = CLI_SUCCESS;

  plugins = cli_session_call (session, "loky.list-plugins", NULL, NULL, &error);
  if (plugins != NULL)
    futures = submit_descriptions (session, plugins, &error);
  if (futures == NULL)
    {
      if (!cli_session_is_interrupted (session))
        cli_error ("%s", error->message);
      return CLI_FAILURE;
    }
  g_ptr_array_add (rows, row_new (g_strdup ("TASK"), "ARGUMENTS", "RESULT", "SUMMARY"));
  for (guint i = 0; i < futures->len && !cli_session_is_interrupted (session); i++)
    {
      g_autoptr (GError) plugin_error = NULL;
      g_autoptr (GVariant) description =
          cli_session_wait (session, g_ptr_array_index (futures, i), &plugin_error);

      if (description != NULL)
        {
          add_plugin (rows, description);
          continue;
        }
      status = CLI_FAILURE;
      if (!cli_session_is_interrupted (session))
        cli_error ("%s", plugin_error->message);
    }
  if (!cli_session_is_interrupted (session))
    print_rows (rows);
  return status;
}

int
command_list (int argc, char **argv)
{
  g_auto (GStrv) plugin_path = NULL;
  const GOptionEntry entries[] = {
    { "plugin-path", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &plugin_path,
      "Look for plugins in DIR first; may be repeated", "DIR" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (CliSession) session = NULL;

  g_option_context_set_summary (context, "Lists the tasks of all plugins, each opened in a worker.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!cli_parse_options (context, "list", &argc, &argv))
    return CLI_USAGE;
  if (argc > 1)
    return cli_usage_error ("list ", "list takes no arguments");
  session = cli_session_new (plugin_path, 0);
  return cli_session_end (session, list_plugins (session));
}
