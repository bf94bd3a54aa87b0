/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One line on the terminal, drawn over itself ten times a second at most. */

#include "cli-progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL 100 /* ms */

struct _CliProgress
{
  const CliCounts *counts;
  gboolean drawn;
  gboolean colour;
  guint source;
};

/* FALSE if @when is none of the words. */
gboolean
cli_progress_parse_when (const char *when, gboolean *show)
{
  const char *terminal = g_getenv ("TERM");

  if (when == NULL || strcmp (when, "auto") == 0)
    *show = isatty (STDERR_FILENO) && g_strcmp0 (terminal, "dumb") != 0;
  else if (strcmp (when, "always") == 0)
    *show = TRUE;
  else if (strcmp (when, "never") == 0)
    *show = FALSE;
  else
    return FALSE;
  return TRUE;
}

static double
get_seconds (const CliCounts *counts, gint64 now)
{
  return MAX (now - counts->start_time, 1) / (double) G_USEC_PER_SEC;
}

static void
append_time_left (GString *line, double seconds)
{
  guint64 whole = (guint64) (seconds + 0.5);

  if (whole >= 3600)
    g_string_append_printf (line,
                            ", %" G_GUINT64_FORMAT ":%02u:%02u left",
                            whole / 3600,
                            (guint) (whole / 60 % 60),
                            (guint) (whole % 60));
  else
    g_string_append_printf (line, ", %u:%02u left", (guint) (whole / 60), (guint) (whole % 60));
}

char *
cli_progress_dup_line (const CliCounts *counts, gint64 now, gboolean colour)
{
  GString *line = g_string_new (NULL);
  guint64 ended = counts->n_done + counts->n_failed;
  double rate = ended / get_seconds (counts, now);

  if (counts->inputs_ended && counts->n_inputs > 0)
    g_string_append_printf (line, "%3u%%  ", (guint) (100.0 * ended / counts->n_inputs));
  g_string_append_printf (line, "%" G_GUINT64_FORMAT " done", counts->n_done);
  if (counts->n_failed > 0)
    g_string_append_printf (line,
                            ", %s%" G_GUINT64_FORMAT " failed%s",
                            colour ? "\033[31m" : "",
                            counts->n_failed,
                            colour ? "\033[0m" : "");
  g_string_append_printf (line, rate < 10 ? ", %.1f/s" : ", %.0f/s", rate);
  if (counts->inputs_ended && ended > 0 && counts->n_inputs > ended)
    append_time_left (line, (counts->n_inputs - ended) / rate);
  return g_string_free (line, FALSE);
}

static gboolean
draw_cb (gpointer user_data)
{
  CliProgress *self = user_data;
  g_autofree char *line = cli_progress_dup_line (self->counts, g_get_monotonic_time (), self->colour);

  fprintf (stderr, "\r%s\033[K", line);
  fflush (stderr);
  self->drawn = TRUE;
  return G_SOURCE_CONTINUE;
}

/* @counts must live as long as this. */
CliProgress *
cli_progress_new (const CliCounts *counts)
{
  CliProgress *self = g_new0 (CliProgress, 1);
  const char *no_colour = g_getenv ("NO_COLOR");

  self->counts = counts;
  self->colour = no_colour == NULL || no_colour[0] == '\0';
  self->source = g_timeout_add (INTERVAL, draw_cb, self);
  return self;
}

/* Makes room for another line on the terminal; the next turn draws again. */
void
cli_progress_clear (CliProgress *self)
{
  if (self == NULL || !self->drawn)
    return;
  fputs ("\r\033[K", stderr);
  fflush (stderr);
  self->drawn = FALSE;
}

void
cli_progress_free (CliProgress *self)
{
  cli_progress_clear (self);
  g_source_remove (self->source);
  g_free (self);
}

void
cli_counts_print (const CliCounts *counts)
{
  double seconds = get_seconds (counts, g_get_monotonic_time ());
  guint64 ended = counts->n_done + counts->n_failed;

  fprintf (stderr,
           "inputs    %" G_GUINT64_FORMAT "\n"
           "done      %" G_GUINT64_FORMAT "\n"
           "failed    %" G_GUINT64_FORMAT "\n"
           "seconds   %.3f\n"
           "tasks/s   %.1f\n"
           "workers   %u\n"
           "attempts  %" G_GUINT64_FORMAT "\n",
           counts->n_inputs,
           counts->n_done,
           counts->n_failed,
           seconds,
           ended / seconds,
           counts->max_workers_seen,
           counts->n_attempts);
}
