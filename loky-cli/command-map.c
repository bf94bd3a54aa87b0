/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `loky map`: its command line. */

#include "commands.h"

#include "cli-map.h"
#include "cli-progress.h"

#include <string.h>

static const char summary[] =
    "Runs a task for each input, in as many workers as there are CPUs, and prints the results in\n"
    "the order of the inputs. If the only input is “-”, they are read from stdin, one a line.\n"
    "What follows “--” is an input whatever it looks like.\n\n"
    "The template may hold {result}, {input} and {index}; {{ and }} are braces, and \\n, \\t, \\0\n"
    "and \\\\ are as in C.";

typedef struct
{
  char **plugin_path;
  char **words;
  char *template;
  char *progress;
  int jobs;
  CliTaskSettings task;
  gboolean null;
  gboolean print0;
  gboolean unordered;
  gboolean ordered;
  gboolean keep_going;
  gboolean fail_fast;
  gboolean stats;
} Options;

static void
options_clear (Options *self)
{
  g_strfreev (self->plugin_path);
  g_strfreev (self->words);
  g_free (self->template);
  g_free (self->progress);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static GOptionContext *
create_context (Options *options)
{
  const GOptionEntry entries[] = {
    { "plugin-path", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->plugin_path,
      "Look for plugins in DIR first; may be repeated", "DIR" },
    { "jobs", 'j', 0, G_OPTION_ARG_INT, &options->jobs,
      "Use N workers; 0, the default, for one a CPU", "N" },
    { "null", '0', 0, G_OPTION_ARG_NONE, &options->null,
      "Inputs on stdin end in NUL, not in newline", NULL },
    { "print0", 'z', 0, G_OPTION_ARG_NONE, &options->print0,
      "Results end in NUL, not in newline", NULL },
    { "ordered", 0, 0, G_OPTION_ARG_NONE, &options->ordered,
      "Print results in the order of the inputs (the default)", NULL },
    { "unordered", 0, 0, G_OPTION_ARG_NONE, &options->unordered,
      "Print results as they come", NULL },
    { "template", 0, 0, G_OPTION_ARG_FILENAME, &options->template,
      "The form of a result, by default {result}", "TEMPLATE" },
    { "keep-going", 0, 0, G_OPTION_ARG_NONE, &options->keep_going,
      "Go on after a failure (the default)", NULL },
    { "fail-fast", 0, 0, G_OPTION_ARG_NONE, &options->fail_fast,
      "Stop at the first failure", NULL },
    { "progress", 0, 0, G_OPTION_ARG_STRING, &options->progress,
      "Show progress: auto (the default), always or never", "WHEN" },
    { "stats", 0, 0, G_OPTION_ARG_NONE, &options->stats,
      "Print numbers to stderr at the end", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->words, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  GOptionContext *context = g_option_context_new ("TASK [INPUT… | -]");

  g_option_context_set_summary (context, summary);
  g_option_context_add_main_entries (context, entries, NULL);
  cli_add_task_options (context, &options->task);
  return context;
}

/* After “--” even “-” is an input; the parser does not tell, so it is asked for before. */
static gboolean
ends_in_literal_dash (int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    if (strcmp (argv[i], "--") == 0)
      return i + 1 < argc && strcmp (argv[argc - 1], "-") == 0;
  return FALSE;
}

/* `-j4`, as other commands take it, is `--jobs=4` to the parser. What is made is freed by @made. */
static GPtrArray *
expand_jobs (int argc, char **argv)
{
  GPtrArray *made = g_ptr_array_new_with_free_func (g_free);

  for (int i = 1; i < argc && strcmp (argv[i], "--") != 0; i++)
    if (g_str_has_prefix (argv[i], "-j") && argv[i][2] != '\0')
      {
        argv[i] = g_strconcat ("--jobs=", argv[i] + 2, NULL);
        g_ptr_array_add (made, argv[i]);
      }
  return made;
}

/* Returns CLI_SUCCESS, or what a message was printed about. */
static int
check_options (const Options *options)
{
  if (options->words == NULL)
    return cli_usage_error ("map ", "map takes a task");
  if (options->words[1] == NULL)
    return cli_usage_error ("map ", "there are no inputs; “-” reads them from stdin");
  if (options->jobs < 0)
    return cli_usage_error ("map ", "--jobs takes a number from 0");
  if (options->ordered && options->unordered)
    return cli_usage_error ("map ", "--ordered and --unordered exclude each other");
  if (options->keep_going && options->fail_fast)
    return cli_usage_error ("map ", "--keep-going and --fail-fast exclude each other");
  return CLI_SUCCESS;
}

int
command_map (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  gboolean literal_dash = ends_in_literal_dash (argc, argv);
  g_autoptr (GPtrArray) made G_GNUC_UNUSED = expand_jobs (argc, argv);
  g_autoptr (GOptionContext) context = create_context (&options);
  g_autoptr (LokyTaskOptions) task_options = NULL;
  g_autoptr (CliTemplate) template = NULL;
  g_autoptr (CliSession) session = NULL;
  g_autoptr (GError) error = NULL;
  CliMapSettings settings = { 0 };

  if (!cli_parse_options (context, "map", &argc, &argv))
    return CLI_USAGE;
  if (check_options (&options) != CLI_SUCCESS)
    return CLI_USAGE;
  if (!cli_progress_parse_when (options.progress, &settings.show_progress))
    return cli_usage_error ("map ", "--progress takes auto, always or never");
  template = cli_template_new (options.template != NULL ? options.template : "{result}", &error);
  if (template == NULL)
    return cli_usage_error ("map ", "--template: %s", error->message);
  task_options = cli_task_options_new (LOKY_TYPE_MAP_OPTIONS,
                                       "map ",
                                       &options.task);
  if (task_options == NULL)
    return CLI_USAGE;

  settings.task = options.words[0];
  settings.inputs = options.words + 1;
  if (strcmp (settings.inputs[0], "-") == 0 && settings.inputs[1] == NULL && !literal_dash)
    settings.inputs = NULL;
  settings.separator = options.null ? '\0' : '\n';
  settings.terminator = options.print0 ? '\0' : '\n';
  settings.template = template;
  settings.options = LOKY_MAP_OPTIONS (task_options);
  settings.fail_fast = options.fail_fast;
  settings.show_stats = options.stats;
  loky_map_options_set_ordered (settings.options, !options.unordered);
  session = cli_session_new (options.plugin_path, options.jobs);
  return cli_session_end (session, cli_map_run (session, &settings));
}
