/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* loky-bench: each row of rows.c, ours and its yardsticks in turn; all rows in turn, several times, so that what
 * else the machine does for some seconds does not make up most of what one row is; medians; a table, and JSON. */

#include "bench.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PEERS G_N_ELEMENTS (((BenchRow *) NULL)->peers)
#define QUICK_FACTOR 0.02

/* How often a row is measured. One of which a round is short gets more than the least, as long as that takes no
 * more than @enough: a median of few flips where a goal is near. */
typedef struct
{
  guint least;
  guint most;
  guint others; /* of peers that nothing is compared with: they are for information, and slow */
  double enough; /* µs */
} Rounds;

static const Rounds full_rounds = { 5, 15, 3, 12e6 };
static const Rounds quick_rounds = { 3, 9, 1, 0.5e6 };
static const Rounds smoke_rounds = { 1, 1, 1, 0 };

static char *json_path;
static char *curves_path;
static char **wanted;
static gboolean is_quick;
static double seconds = -1;
static int backlog_cost;
static int backlog_memory;
static int submit_threads;
static char *next_worker;
static char *next_memory;

static const GOptionEntry options[] = {
  { "json", 0, 0, G_OPTION_ARG_FILENAME, &json_path, "Write the table to FILE, too", "FILE" },
  { "curves", 0, 0, G_OPTION_ARG_FILENAME, &curves_path,
    "Write throughput over task length and the distribution of round trips to FILE, instead of the table", "FILE" },
  { "quick", 0, 0, G_OPTION_ARG_NONE, &is_quick, "Little of each, within a minute", NULL },
  { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "About so long; 0: each once, to see whether it works", "N" },
  { "backlog-cost", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_INT, &backlog_cost, NULL, NULL },
  { "backlog-memory", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_INT, &backlog_memory, NULL, NULL },
  { "submit-threads", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_INT, &submit_threads, NULL, NULL },
  { "next-worker", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &next_worker, NULL, NULL },
  { "next-memory", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &next_memory, NULL, NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &wanted, NULL, "[ROW…]" },
  { NULL }
};

typedef struct
{
  const BenchRow *row;
  GArray *our_values;
  GArray *pairs; /* of BenchPair: of those rounds that have both */
  GArray *peer_values[MAX_PEERS];
  double time; /* that its rounds took, in µs */

  /* at the end */
  double ours;
  double peers[MAX_PEERS];
  double ratio; /* NAN: what it is compared with is not here */
} Outcome;

/* The system's own, for which the packages of the peers are. */
static const char *
find_python (void)
{
  return g_file_test ("/usr/bin/python3", G_FILE_TEST_IS_EXECUTABLE) ? "/usr/bin/python3" : "python3";
}

/* The number that a process prints, run without a shell, and one that comes after it (nullable); NAN if it fails. */
static double
ask_process (const char *const *argv, double *other)
{
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *text = NULL;
  char *end;
  double number;

  if (other != NULL)
    *other = NAN;
  process = g_subprocess_newv (argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL);
  if (process == NULL || !g_subprocess_communicate_utf8 (process, NULL, NULL, &text, NULL, NULL) ||
      !g_subprocess_get_successful (process))
    return NAN;
  number = g_ascii_strtod (text, &end);
  if (end == text)
    return NAN;
  if (other != NULL)
    {
      char *last;
      double second = g_ascii_strtod (end, &last);

      if (last != end)
        *other = second;
    }
  return number;
}

double
bench_ask_fresh (double *other, const char *format, ...)
{
  g_autofree char *option = NULL;
  const char *argv[] = { "/proc/self/exe", NULL, NULL };
  va_list arguments;

  va_start (arguments, format);
  argv[1] = option = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  return ask_process (argv, other);
}

/* In a process of its own. */
double
bench_ask_peer (const char *peer, const char *work, const BenchScale *scale)
{
  g_autofree char *factor = g_strdup_printf ("%g", scale->smoke ? 0 : scale->factor);
  const char *script = g_getenv ("LOKY_BENCH_PEERS");
  const char *const argv[] = { find_python (), script, peer, work, factor, NULL };

  return script != NULL ? ask_process (argv, NULL) : NAN;
}

static double
measure_peer (const BenchPeer *peer, const BenchScale *scale)
{
  return peer->measure != NULL ? peer->measure (scale) : bench_ask_peer (peer->name, peer->peer_work, scale);
}

/* @name: the row at hand; NULL: none, at the end. */
static void
show_progress (guint round, const char *name, double share)
{
  enum { WIDTH = 30 };
  char bar[WIDTH + 1];
  guint filled = (guint) (WIDTH * MIN (share, 1));

  if (!isatty (STDERR_FILENO))
    return;
  memset (bar, ' ', WIDTH);
  memset (bar, '#', filled);
  bar[WIDTH] = '\0';
  fputs ("\r\033[K", stderr);
  if (name != NULL)
    fprintf (stderr, "[%s] round %u, %s", bar, round + 1, name);
  fflush (stderr);
}

static void
outcome_init (Outcome *outcome, const BenchRow *row)
{
  outcome->row = row;
  outcome->our_values = g_array_new (FALSE, FALSE, sizeof (double));
  outcome->pairs = g_array_new (FALSE, FALSE, sizeof (BenchPair));
  for (guint i = 0; i < MAX_PEERS; i++)
    outcome->peer_values[i] = g_array_new (FALSE, FALSE, sizeof (double));
}

static void
outcome_clear (Outcome *outcome)
{
  g_array_unref (outcome->our_values);
  g_array_unref (outcome->pairs);
  for (guint i = 0; i < MAX_PEERS; i++)
    g_array_unref (outcome->peer_values[i]);
}

static void
add_value (GArray *values, double value)
{
  if (!isnan (value))
    g_array_append_val (values, value);
}

static void
measure_once (Outcome *outcome, guint round, const Rounds *rounds, const BenchScale *scale)
{
  const BenchRow *row = outcome->row;
  double start = bench_now ();
  BenchPair pair = { row->ours (scale), NAN };

  add_value (outcome->our_values, pair.ours);
  for (guint i = 0; i < MAX_PEERS && row->peers[i].name != NULL; i++)
    {
      gboolean is_against = g_strcmp0 (row->against, row->peers[i].name) == 0;
      double value;

      if (round >= rounds->others && !is_against)
        continue;
      value = measure_peer (&row->peers[i], scale);
      add_value (outcome->peer_values[i], value);
      if (is_against)
        pair.against = value;
    }
  if (!isnan (pair.ours) && !isnan (pair.against))
    g_array_append_val (outcome->pairs, pair);
  outcome->time += bench_now () - start;
}

static void
measure_all (Outcome *outcomes, guint n, const Rounds *rounds, const BenchScale *scale)
{
  for (guint round = 0; round < rounds->most; round++)
    for (guint i = 0; i < n; i++)
      if (round < rounds->least || outcomes[i].time < rounds->enough)
        {
          show_progress (round, outcomes[i].row->name, (round + (double) i / n) / rounds->least);
          measure_once (&outcomes[i], round, rounds, scale);
        }
  show_progress (0, NULL, 1);
}

/* Of a row that is compared the round in the middle. */
static void
find_medians (Outcome *outcome)
{
  const BenchRow *row = outcome->row;
  const BenchPair *middle = bench_middle_pair (outcome->pairs);

  outcome->ours = middle != NULL ? middle->ours : bench_median (outcome->our_values);
  outcome->ratio = row->against == NULL ? outcome->ours : NAN;
  for (guint i = 0; i < MAX_PEERS && row->peers[i].name != NULL; i++)
    if (middle != NULL && g_strcmp0 (row->against, row->peers[i].name) == 0)
      {
        outcome->peers[i] = middle->against;
        outcome->ratio = middle->ours / middle->against;
      }
    else
      outcome->peers[i] = bench_median (outcome->peer_values[i]);
}

static gboolean
is_met (const Outcome *outcome)
{
  return outcome->row->bound == BENCH_AT_MOST ? outcome->ratio <= outcome->row->goal
                                              : outcome->ratio >= outcome->row->goal;
}

/* --- the table ----------------------------------------------------------------------------------- */

static void
print_row (const Outcome *outcome)
{
  const BenchRow *row = outcome->row;

  printf ("%-26s %12.4g %-11s %s %-6.4g", row->name, outcome->ours, row->unit,
          row->bound == BENCH_AT_MOST ? "≤" : "≥", row->goal);
  if (isnan (outcome->ratio))
    printf (" %-7s %-8s", "-", "unknown");
  else
    printf (" %-7.3g %-8s", outcome->ratio, is_met (outcome) ? "met" : "missed");
  for (guint i = 0; i < MAX_PEERS && row->peers[i].name != NULL; i++)
    if (!isnan (outcome->peers[i]))
      printf (" %s %.4g%s", row->peers[i].name, outcome->peers[i],
              g_strcmp0 (row->peers[i].name, row->against) == 0 ? "*" : "");
  printf ("\n");
  fflush (stdout);
}

/* --- JSON ---------------------------------------------------------------------------------------- */

static void
append_number (GString *text, double value)
{
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append (text, isfinite (value) ? g_ascii_formatd (buffer, sizeof buffer, "%.6g", value) : "null");
}

/* The names are our own: nothing in them must be escaped. */
static void
append_row (GString *text, const Outcome *outcome)
{
  const BenchRow *row = outcome->row;

  g_string_append_printf (text, "  {\"name\": \"%s\", \"unit\": \"%s\", \"ours\": ", row->name, row->unit);
  append_number (text, outcome->ours);
  g_string_append (text, ", \"peers\": {");
  for (guint i = 0; i < MAX_PEERS && row->peers[i].name != NULL; i++)
    {
      g_string_append_printf (text, "%s\"%s\": ", i > 0 ? ", " : "", row->peers[i].name);
      append_number (text, outcome->peers[i]);
    }
  g_string_append_printf (text, "}, \"bound\": \"%s\", \"goal\": ",
                          row->bound == BENCH_AT_MOST ? "max" : "min");
  append_number (text, row->goal);
  if (row->against != NULL)
    g_string_append_printf (text, ", \"against\": \"%s\", \"ratio\": ", row->against);
  else
    g_string_append (text, ", \"against\": null, \"ratio\": ");
  append_number (text, outcome->ratio);
  g_string_append_c (text, '}');
}

static gboolean
write_file (const char *path, const char *text)
{
  g_autoptr (GError) error = NULL;

  if (g_file_set_contents (path, text, -1, &error))
    return TRUE;
  fprintf (stderr, "loky-bench: %s\n", error->message);
  return FALSE;
}

static gboolean
write_json (const Outcome *outcomes, guint n)
{
  g_autoptr (GString) text = g_string_new ("[\n");

  for (guint i = 0; i < n; i++)
    {
      append_row (text, &outcomes[i]);
      g_string_append (text, i + 1 < n ? ",\n" : "\n");
    }
  g_string_append (text, "]\n");
  return write_file (json_path, text->str);
}

/* --- main ---------------------------------------------------------------------------------------- */

/* Started by hand it finds all beside itself, in the folder where it was built. */
static void
set_surroundings (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program != NULL ? g_path_get_dirname (program) : g_strdup (".");
  g_autofree char *command = g_build_filename (folder, "..", "loky-cli", "loky", NULL);

  g_setenv ("LOKY_PLUGIN_PATH", folder, FALSE);
  g_setenv ("LOKY_BENCH_COMMAND", command, FALSE);
  g_setenv ("LOKY_BENCH_PEERS", LOKY_BENCH_PEERS_SCRIPT, FALSE);
}

static gboolean
is_wanted (const BenchRow *row)
{
  return wanted == NULL || g_strv_contains ((const char *const *) wanted, row->name);
}

/* Every name must be a row's. */
static gboolean
check_names (void)
{
  for (char **name = wanted; name != NULL && *name != NULL; name++)
    {
      gboolean is_known = FALSE;

      for (guint i = 0; i < bench_n_rows; i++)
        is_known |= g_str_equal (bench_rows[i].name, *name);
      if (!is_known)
        {
          fprintf (stderr, "loky-bench: there is no row “%s”; the rows are:", *name);
          for (guint i = 0; i < bench_n_rows; i++)
            fprintf (stderr, " %s", bench_rows[i].name);
          fprintf (stderr, "\n");
          return FALSE;
        }
    }
  return TRUE;
}

/* What another loky-bench wants to know of this one, and what it is to be compared with, if that is measured with it; the
 * text is METHOD:N. */
static double
measure_one (double *other)
{
  g_auto (GStrv) words = g_strsplit (next_worker != NULL ? next_worker : next_memory != NULL ? next_memory : ":", ":", 2);

  if (backlog_cost > 0)
    return bench_measure_backlog_costs ((guint) backlog_cost, other);
  if (submit_threads > 0)
    return bench_measure_submit_threads ((guint) submit_threads, other);
  if (backlog_memory > 0)
    return bench_measure_backlog_memory ((guint) backlog_memory);
  if (next_memory != NULL)
    return bench_measure_next_memory (words[0]);
  return bench_measure_next_worker (words[0], (guint) g_ascii_strtoull (words[1] != NULL ? words[1] : "1", NULL, 10));
}

int
main (int argc, char *argv[])
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autofree Outcome *outcomes = g_new0 (Outcome, bench_n_rows);
  g_autoptr (GError) error = NULL;
  BenchScale scale = { 1, FALSE };
  const Rounds *rounds;
  gboolean is_written;
  guint n = 0;

  /* As a worker it does not return. */
  loky_init (&argc, &argv);
  setlocale (LC_CTYPE, "");
  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "loky-bench: %s\n", error->message);
      return 2;
    }
  if (!check_names ())
    return 2;
  set_surroundings ();
  if (backlog_cost > 0 || submit_threads > 0 || backlog_memory > 0 || next_worker != NULL || next_memory != NULL)
    {
      double other = NAN;
      double number = measure_one (&other);

      printf ("%.17g %.17g\n", number, other);
      return 0;
    }
  if (seconds == 0)
    scale = (BenchScale){ 0, TRUE };
  else if (is_quick)
    scale.factor = QUICK_FACTOR;
  else if (seconds > 0)
    scale.factor = MIN (1, seconds / 600);
  if (curves_path != NULL)
    {
      g_autofree char *curves = bench_make_curves (&scale);

      return write_file (curves_path, curves) ? 0 : 1;
    }
  rounds = scale.smoke ? &smoke_rounds : scale.factor < 1 ? &quick_rounds : &full_rounds;
  for (guint i = 0; i < bench_n_rows; i++)
    if (is_wanted (&bench_rows[i]))
      outcome_init (&outcomes[n++], &bench_rows[i]);
  measure_all (outcomes, n, rounds, &scale);

  printf ("%-26s %12s %-11s %-8s %-7s %-8s yardsticks (* compared with)\n", "row", "ours", "unit", "goal", "ratio",
          "goal is");
  for (guint i = 0; i < n; i++)
    {
      find_medians (&outcomes[i]);
      print_row (&outcomes[i]);
    }
  is_written = json_path == NULL || write_json (outcomes, n);
  for (guint i = 0; i < n; i++)
    outcome_clear (&outcomes[i]);
  return is_written ? 0 : 1;
}
