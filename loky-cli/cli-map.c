/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The work of `loky map`, all of it in the main thread:
 *
 *   inputs → feed() → LokyInput → workers → LokyResults → take_result() → output
 *
 * One result is waited for, and those that are there by then are taken with it. While they come faster than
 * PAUSE, nobody waits: they are looked for after that time, since to be woken for each of them would cost
 * more than all else that is done with it here.
 *
 * Nothing is pulled before it is wanted: a result is asked for when the output has room, and the map
 * asks for an input when its window has room. Of each input its text is kept until its result is out.
 *
 * An input that cannot be made into arguments never reaches the map. Its error is held, in ordered
 * mode, until as many results are out as inputs had been pushed before it: its place in the order. */

#include "cli-map.h"

#include "cli-output.h"
#include "cli-progress.h"
#include "cli-reader.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELD_MAX 1024 /* errors of inputs; then no input is read before some are out */

#define PAUSE 1              /* ms; in this time the workers do not empty the map's window */
#define RESULTS_PER_TURN 256 /* then signals, the reader and the progress have their turn */

typedef struct
{
  guint64 key;    /* the index in the map; for a held error, the index that it comes before */
  guint64 number; /* of the input, those that never reached the map included */
  GError *error;
  gsize length;
  char text[];
} Entry;

typedef struct
{
  CliSession *session;
  const CliMapSettings *settings;
  CliTask *task;
  CliReader *reader;
  char **next_word;
  LokyInput *input;
  LokyResults *results;
  GHashTable *entries;
  GQueue held;
  CliOutput *output;
  CliProgress *progress;
  CliCounts counts;
  gboolean ordered;
  guint64 n_pushed;
  guint64 n_taken;
  gboolean asking;
  guint pause; /* source */
  GCancellable *no_wait;
  gboolean results_ended;
  gboolean stopped;
} Map;

static void
entry_free (Entry *entry)
{
  g_clear_error (&entry->error);
  g_free (entry);
}

static Entry *
entry_new (Map *self, CliText text)
{
  Entry *entry = g_malloc (sizeof (Entry) + text.length);

  entry->key = self->n_pushed;
  entry->number = self->counts.n_inputs++;
  entry->error = NULL;
  entry->length = text.length;
  memcpy (entry->text, text.text, text.length);
  return entry;
}

/* Leaves the loop once everything that is to be printed has been. */
static void
quit_if_done (Map *self)
{
  if ((self->results_ended || self->stopped) && cli_output_is_empty (self->output))
    g_main_loop_quit (self->session->loop);
}

/* No input is read and no result taken any more; what was taken is still written. */
static void
stop (Map *self)
{
  self->stopped = TRUE;
  cli_output_flush (self->output);
  quit_if_done (self);
}

/* What every further task would end with, too. */
static gboolean
is_final (const GError *error)
{
  return g_error_matches (error, LOKY_ERROR, LOKY_ERROR_BROKEN) ||
         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_SHUT_DOWN) ||
         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_PLUGIN) ||
         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
}

static void
report (Map *self, const Entry *entry, const GError *error)
{
  g_autofree char *shown = cli_dup_for_display (entry->text, entry->length);

  self->counts.n_failed++;
  cli_progress_clear (self->progress);
  cli_error ("%s: %s", shown, error->message);
  if (self->settings->fail_fast || is_final (error))
    stop (self);
}

static void
report_held (Map *self)
{
  while (!self->stopped && !g_queue_is_empty (&self->held))
    {
      Entry *entry = g_queue_peek_head (&self->held);

      if (self->ordered && entry->key > self->n_taken)
        return;
      g_queue_pop_head (&self->held);
      report (self, entry, entry->error);
      entry_free (entry);
    }
}

static void
end_input (Map *self)
{
  if (self->counts.inputs_ended)
    return;
  self->counts.inputs_ended = TRUE;
  loky_input_end (self->input);
}

/* FALSE: nothing is at hand. It was seen to that this is called again, or the input has ended. */
static gboolean
next_text (Map *self, CliText *text)
{
  if (self->reader == NULL && *self->next_word != NULL)
    {
      text->text = *self->next_word++;
      text->length = strlen (text->text);
      return TRUE;
    }
  if (self->reader != NULL && cli_reader_next (self->reader, text))
    return TRUE;
  if (self->reader == NULL || cli_reader_is_at_end (self->reader))
    end_input (self);
  else
    cli_reader_read (self->reader);
  return FALSE;
}

/* Pushes one input; those that cannot be pushed are set aside on the way. */
static void
feed (Map *self)
{
  CliText text;

  while (!self->stopped && self->held.length < HELD_MAX && next_text (self, &text))
    {
      Entry *entry = entry_new (self, text);
      g_autoptr (GVariant) args = cli_arguments_parse (self->task->name,
                                                       self->task->arguments_type,
                                                       &text,
                                                       1,
                                                       &entry->error);

      if (args != NULL)
        {
          self->n_pushed++;
          g_hash_table_insert (self->entries, &entry->key, entry);
          loky_input_push (self->input, args);
          return;
        }
      g_queue_push_tail (&self->held, entry);
      report_held (self);
    }
}

static gboolean
feed_cb (LokyInput *input, gpointer user_data, GError **error)
{
  feed (user_data);
  return TRUE;
}

static void
read_cb (CliReader *reader, const GError *error, gpointer user_data)
{
  Map *self = user_data;

  if (self->stopped)
    return;
  if (error == NULL)
    {
      feed (self);
      return;
    }
  self->counts.inputs_ended = TRUE;
  loky_input_fail (self->input, error);
}

static void
emit (Map *self, const Entry *entry, LokyFuture *future)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_future_dup_result (future, &error);
  GString *line = cli_output_get_buffer (self->output);
  CliText text = { entry->text, entry->length };

  self->counts.n_attempts += loky_future_get_attempts (future);
  if (result == NULL)
    {
      report (self, entry, error);
      return;
    }
  self->counts.n_done++;
  if (cli_output_is_terminal (self->output))
    cli_progress_clear (self->progress);
  cli_template_append (self->settings->template, line, result, text, entry->number);
  g_string_append_c (line, self->settings->terminator);
  cli_output_commit (self->output);
}

static void ask (Map *self);

static void
end_results (Map *self, const GError *error)
{
  self->results_ended = TRUE;
  self->n_taken = G_MAXUINT64;
  report_held (self);
  if (error != NULL)
    {
      cli_progress_clear (self->progress);
      cli_error ("%s", error->message);
      stop (self);
      return;
    }
  cli_output_flush (self->output);
  quit_if_done (self);
}

static gboolean
may_take (Map *self)
{
  return !self->stopped && !self->results_ended && !cli_session_is_interrupted (self->session);
}

static void
take_result (Map *self, LokyFuture *future)
{
  gboolean was_full = self->held.length >= HELD_MAX;
  guint64 index = loky_results_get_index (self->results);

  emit (self, g_hash_table_lookup (self->entries, &index), future);
  g_hash_table_remove (self->entries, &index);
  self->n_taken++;
  report_held (self);
  if (was_full)
    feed (self);
}

/* Those that are there already. Returns how many they were. */
static guint
take_ready (Map *self)
{
  guint n_taken = 0;

  while (n_taken < RESULTS_PER_TURN && may_take (self) && !cli_output_is_full (self->output))
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LokyFuture) future = loky_results_next (self->results, self->no_wait, &error);

      if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        break;
      if (future == NULL)
        end_results (self, error);
      else
        take_result (self, future);
      n_taken++;
    }
  return n_taken;
}

static gboolean
pause_cb (gpointer user_data)
{
  Map *self = user_data;
  guint n_workers = loky_executor_get_n_workers (self->session->executor);

  self->counts.max_workers_seen = MAX (self->counts.max_workers_seen, n_workers);
  if (take_ready (self) > 0)
    return G_SOURCE_CONTINUE;
  self->pause = 0;
  ask (self);
  return G_SOURCE_REMOVE;
}

static void
take_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Map *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyFuture) future = loky_results_next_finish (self->results, result, &error);
  guint n_workers = loky_executor_get_n_workers (self->session->executor);

  self->asking = FALSE;
  self->counts.max_workers_seen = MAX (self->counts.max_workers_seen, n_workers);
  if (!may_take (self))
    return;
  if (future == NULL)
    {
      end_results (self, error);
      return;
    }
  take_result (self, future);
  if (take_ready (self) > 0 && may_take (self))
    self->pause = g_timeout_add (PAUSE, pause_cb, self);
  else
    ask (self);
}

static void
ask (Map *self)
{
  if (self->asking || self->pause != 0 || self->stopped || self->results_ended ||
      cli_output_is_full (self->output))
    return;
  self->asking = TRUE;
  loky_results_next_async (self->results, self->session->cancellable, take_result_cb, self);
}

static void
output_cb (CliOutput *output, gpointer user_data)
{
  Map *self = user_data;

  if (cli_output_get_errno (output) != 0)
    {
      stop (self);
      return;
    }
  quit_if_done (self);
  ask (self);
}

static void
map_init (Map *self)
{
  const CliMapSettings *settings = self->settings;

  self->ordered = loky_map_options_get_ordered (settings->options);
  self->entries =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) entry_free);
  g_queue_init (&self->held);
  self->next_word = settings->inputs;
  if (settings->inputs == NULL)
    self->reader = cli_reader_new (STDIN_FILENO, settings->separator, read_cb, self);
  self->output = cli_output_new (STDOUT_FILENO, output_cb, self);
  self->counts.start_time = g_get_monotonic_time ();
  if (settings->show_progress)
    self->progress = cli_progress_new (&self->counts);
  self->input = loky_input_new (feed_cb, self, NULL);
  self->no_wait = g_cancellable_new ();
  g_cancellable_cancel (self->no_wait);
}

static void
map_clear (Map *self)
{
  g_clear_handle_id (&self->pause, g_source_remove);
  g_clear_object (&self->results);
  g_clear_object (&self->input);
  g_clear_object (&self->no_wait);
  g_clear_pointer (&self->progress, cli_progress_free);
  g_clear_pointer (&self->output, cli_output_free);
  g_clear_pointer (&self->reader, cli_reader_free);
  g_clear_pointer (&self->entries, g_hash_table_unref);
  g_queue_clear_full (&self->held, (GDestroyNotify) entry_free);
  cli_task_free (self->task);
}

static void
print_times (const char *name, LokyStatistics *statistics, gdouble (*get) (LokyStatistics *, gdouble))
{
  fprintf (stderr, "%-10smedian %.3g, 90 %% %.3g, 99 %% %.3g\n", name, get (statistics, 50), get (statistics, 90),
           get (statistics, 99));
}

static void
print_stats (Map *self)
{
  g_autoptr (LokyStatistics) statistics
      = loky_executor_dup_statistics (self->session->executor, self->task->name);

  cli_counts_print (&self->counts);
  /* Else no task has returned. */
  if (loky_statistics_get_run_time (statistics, 50) < 0)
    return;
  print_times ("ms queued", statistics, loky_statistics_get_queue_time);
  print_times ("ms run", statistics, loky_statistics_get_run_time);
}

/* After the loop. After a signal, as much is written as goes out without waiting. */
static int
finish (Map *self)
{
  gboolean failed = self->counts.n_failed > 0 || !self->results_ended;
  int saved_errno;

  if (!self->results_ended)
    loky_results_cancel (self->results);
  if (cli_output_get_errno (self->output) == 0)
    cli_output_flush (self->output);
  saved_errno = cli_output_get_errno (self->output);
  g_clear_pointer (&self->progress, cli_progress_free);
  if (saved_errno != 0)
    cli_report_output_error (saved_errno);
  if (self->settings->show_stats)
    print_stats (self);
  return failed || saved_errno != 0 || self->stopped ? CLI_FAILURE : CLI_SUCCESS;
}

int
cli_map_run (CliSession *session, const CliMapSettings *settings)
{
  g_autoptr (GError) error = NULL;
  Map self = { .session = session, .settings = settings };
  int status;

  self.task = cli_task_look_up (session, settings->task, &error);
  if (self.task == NULL)
    {
      if (!cli_session_is_interrupted (session))
        cli_error ("%s", error->message);
      return CLI_FAILURE;
    }
  map_init (&self);
  self.results =
      loky_executor_map (session->executor, self.task->name, self.input, settings->options);
  ask (&self);
  if (!cli_session_is_interrupted (session) && !(self.stopped && cli_output_is_empty (self.output)))
    g_main_loop_run (session->loop);
  status = finish (&self);
  map_clear (&self);
  return status;
}
