/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The `loky` command: finds the command that was asked for. */

#include "commands.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct
{
  const char *name;
  int (*func) (int argc, char **argv);
  const char *summary;
} commands[] = {
  { "list", command_list, "List the tasks of all plugins" },
  { "describe", command_describe, "Describe a task or a plugin" },
  { "run", command_run, "Run a task once, in a worker" },
  { "map", command_map, "Run a task for each input, in parallel" },
  { "new-plugin", command_new_plugin, "Write the beginnings of a plugin" },
  { "version", command_version, "Print the version" },
};

static void
print_help (FILE *stream)
{
  fputs ("Usage:\n  loky COMMAND [OPTION…] [ARGUMENT…]\n\n"
         "Runs tasks of plugins in worker processes.\n\nCommands:\n",
         stream);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (stream, "  %-12s%s\n", commands[i].name, commands[i].summary);
  fputs ("\nOptions:\n"
         "  -h, --help  Show this help; “loky COMMAND --help” that of a command\n"
         "  --version   Print the version\n",
         stream);
}

int
command_version (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_set_summary (context, "Prints the version of the command.");
  if (!cli_parse_options (context, "version", &argc, &argv))
    return CLI_USAGE;
  if (argc > 1)
    return cli_usage_error ("version ", "version takes no arguments");
  puts ("loky " LOKY_VERSION_S);
  return CLI_SUCCESS;
}

static int
report_unknown (const char *name)
{
  const char *names[G_N_ELEMENTS (commands) + 1] = { NULL };
  g_autofree char *shown = cli_dup_for_display (name, strlen (name));

  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    names[i] = commands[i].name;
  return cli_usage_error ("",
                          "there is no command “%s”; did you mean “%s”?",
                          shown,
                          cli_find_nearest (name, names));
}

static int
dispatch (int argc, char **argv)
{
  if (argc < 2)
    {
      print_help (stderr);
      return CLI_USAGE;
    }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0 ||
      strcmp (argv[1], "help") == 0)
    {
      print_help (stdout);
      return CLI_SUCCESS;
    }
  if (strcmp (argv[1], "--version") == 0)
    return command_version (1, argv);
  if (argv[1][0] == '-')
    return cli_usage_error ("", "there is no option “%s” before a command", argv[1]);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (argv[1], commands[i].name) == 0)
      return commands[i].func (argc - 1, argv + 1);
  return report_unknown (argv[1]);
}

/* A standard descriptor that was closed must not become something else that the program opens:
 * in its place is one that cannot be used in its direction, so that using it is an error. */
static void
occupy_standard_descriptors (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl (fd, F_GETFD) < 0 && open ("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
      _exit (CLI_FAILURE);
}

int
main (int argc, char **argv)
{
  occupy_standard_descriptors ();
  setlocale (LC_ALL, "");
  signal (SIGPIPE, SIG_IGN);
  return cli_close_stdout (dispatch (argc, argv));
}
