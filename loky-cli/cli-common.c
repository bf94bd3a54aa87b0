/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What all commands share: messages, the end of stdout, options with a range. */

#include "cli-common.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loky-suggest-private.h"

#define DISPLAY_MAX 200
#define CANCEL_GRACE 1000

/* How long a plugin may take to be opened, in milliseconds. */
#define LOOK_UP_TIMEOUT 10000

void
cli_error (const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  fprintf (stderr, "loky: %s\n", message);
}

int
cli_usage_error (const char *command, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  fprintf (stderr, "loky: %s\nTry “loky %s--help”.\n", message, command);
  return CLI_USAGE;
}

/* Reports what is wrong itself. `--help` does not return. */
gboolean
cli_parse_options (GOptionContext *context, const char *command, int *argc, char ***argv)
{
  g_autofree char *program = g_strconcat ("loky ", command, NULL);
  g_autofree char *prefix = g_strconcat (command, " ", NULL);
  g_autoptr (GError) error = NULL;

  g_set_prgname (program);
  if (g_option_context_parse (context, argc, argv, &error))
    return TRUE;
  cli_usage_error (prefix, "%s", error->message);
  return FALSE;
}

/* A reader that went away wants to hear no more, and so nothing is said. */
void
cli_report_output_error (int saved_errno)
{
  if (saved_errno != EPIPE)
    cli_error ("cannot write the output: %s", g_strerror (saved_errno));
}

/* Returns the status to exit with: what could not be written makes it a failure. */
int
cli_close_stdout (int status)
{
  gboolean failed_before = ferror (stdout) != 0;

  errno = 0;
  if (fclose (stdout) == 0 && !failed_before)
    return status;
  cli_report_output_error (errno != 0 ? errno : EIO);
  return status == CLI_SUCCESS ? CLI_FAILURE : status;
}

/* An input as it can stand in a message: on one line, without control characters, not too long. */
char *
cli_dup_for_display (const char *text, gsize length)
{
  gboolean cut = length > DISPLAY_MAX;
  gsize shown = cut ? DISPLAY_MAX : length;
  g_autoptr (GString) display = g_string_sized_new (shown + 8);
  const char *end = text + shown;

  while (text < end)
    {
      gunichar character = g_utf8_get_char_validated (text, end - text);

      if (character == (gunichar) -1 || character == (gunichar) -2 || character == 0 ||
          !g_unichar_isprint (character))
        {
          g_string_append_printf (display, "\\x%02x", (guchar) *text);
          text++;
          continue;
        }
      g_string_append_unichar (display, character);
      text = g_utf8_next_char (text);
    }
  if (cut)
    g_string_append (display, "…");
  return g_string_free (g_steal_pointer (&display), FALSE);
}

const char *
cli_find_nearest (const char *word, const char *const *candidates)
{
  const char *nearest = candidates[0];
  guint least = G_MAXUINT;

  for (gsize i = 0; candidates[i] != NULL; i++)
    {
      guint distance = loky_suggest_distance (word, candidates[i]);

      if (distance < least)
        {
          least = distance;
          nearest = candidates[i];
        }
    }
  return nearest;
}

/* For asking a worker what a plugin has: one that hangs when it is opened is not waited for. */
LokyTaskOptions *
cli_look_up_options_new (void)
{
  return g_object_new (LOKY_TYPE_TASK_OPTIONS,
                       "timeout", (gint64) LOOK_UP_TIMEOUT,
                       "cancel-grace", (gint64) 0,
                       "retries", 0,
                       NULL);
}

void
cli_add_task_options (GOptionContext *context, CliTaskSettings *settings)
{
  const GOptionEntry entries[] = {
    { "timeout", 0, 0, G_OPTION_ARG_DOUBLE, &settings->timeout,
      "Fail each task that runs for longer than this", "SECONDS" },
    { "retries", 0, 0, G_OPTION_ARG_INT, &settings->retries,
      "Run a task again, up to N times, if its worker dies", "N" },
    { "memory-limit", 0, 0, G_OPTION_ARG_STRING, &settings->memory_limit,
      "Fail each task that allocates more than this: bytes, or with K, M, G, T", "SIZE" },
    G_OPTION_ENTRY_NULL,
  };

  g_option_context_add_main_entries (context, entries, NULL);
}

gboolean
cli_parse_size (const char *text, guint64 *size)
{
  static const char suffixes[] = "KMGT";
  g_autofree char *number = g_strdup (text);
  gsize length = strlen (number);
  const char *suffix = length > 0 ? strchr (suffixes, g_ascii_toupper (number[length - 1])) : NULL;
  guint shift = suffix != NULL ? 10 * (guint) (suffix - suffixes + 1) : 0;

  if (suffix != NULL)
    number[length - 1] = '\0';
  if (!g_ascii_string_to_unsigned (number, 10, 1, G_MAXINT64 >> shift, size, NULL))
    return FALSE;
  *size <<= shift;
  return TRUE;
}

LokyTaskOptions *
cli_task_options_new (GType type, const char *command, CliTaskSettings *settings)
{
  g_autofree char *memory_limit = g_steal_pointer (&settings->memory_limit);
  guint64 size = 0;
  LokyTaskOptions *options;

  if (!isfinite (settings->timeout) || settings->timeout < 0 || settings->timeout > 1e9)
    {
      cli_usage_error (command, "--timeout takes a number of seconds above 0");
      return NULL;
    }
  if (settings->retries < 0)
    {
      cli_usage_error (command, "--retries takes a number from 0");
      return NULL;
    }
  if (memory_limit != NULL && !cli_parse_size (memory_limit, &size))
    {
      cli_usage_error (command, "--memory-limit takes a number of bytes above 0, like 500M, not “%s”", memory_limit);
      return NULL;
    }
  options = g_object_new (type, NULL);
  if (settings->timeout > 0)
    loky_task_options_set_timeout (options, MAX ((gint64) ceil (settings->timeout * 1000), 1));
  loky_task_options_set_cancel_grace (options, CANCEL_GRACE);
  loky_task_options_set_retries (options, settings->retries);
  loky_task_options_set_memory_limit (options, size);
  return options;
}
