/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Putting the backtrace of a worker that crashed into words, in the monitor thread: by loky-symbolize, which
 * has a moment for it. Tasks that crash do so in the same place mostly, so that what was found is kept. */

#include <gio/gio.h>
#include <string.h>

#include "loky-paths-private.h"
#include "loky-pool-internal.h"

/* How long it may take, in ms; after that there are numbers instead of names. And how long it may take to end when
 * it was killed, before a shutdown ends without it. */
#define TIME_LIMIT 3000
#define END_LIMIT 1000

#define MAX_KEPT 64

typedef struct
{
  LokyPool *pool;
  LokyPoolWorker *worker; /* a reference */
  GSubprocess *process;
  GCancellable *cancellable;
  GSource *timeout;
} Symbolizing;

static void
set_backtrace (LokyPoolWorker *worker, const char *words)
{
  worker->backtrace = words != NULL && words[0] != '\0'
                          ? g_strchomp (g_utf8_make_valid (words, -1))
                          : loky_crash_frames_to_string (worker->crash->frames);
}

static void
clear_limit (Symbolizing *self)
{
  if (self->timeout != NULL)
    g_source_destroy (self->timeout);
  g_clear_pointer (&self->timeout, g_source_unref);
  g_clear_object (&self->cancellable);
}

static void
symbolizing_free (Symbolizing *self)
{
  clear_limit (self);
  g_clear_object (&self->process);
  loky_pool_worker_unref (self->worker);
  g_free (self);
}

static gboolean
give_up_cb (gpointer user_data)
{
  Symbolizing *self = user_data;

  g_cancellable_cancel (self->cancellable);
  return G_SOURCE_REMOVE;
}

/* From now on what is waited for is given up after @limit. */
static void
set_limit (Symbolizing *self, guint limit)
{
  clear_limit (self);
  self->cancellable = g_cancellable_new ();
  self->timeout = g_timeout_source_new (limit);
  g_source_set_static_name (self->timeout, "[loky] backtrace");
  g_source_set_callback (self->timeout, give_up_cb, self, NULL);
  g_source_attach (self->timeout, self->pool->context);
}

static void
reaped_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Symbolizing *self = user_data;
  LokyPool *pool = self->pool;

  g_subprocess_wait_finish (G_SUBPROCESS (source), result, NULL);
  pool->n_reaping--;
  /* The monitor may have waited for this. */
  g_source_set_ready_time (pool->source, 0);
  symbolizing_free (self);
}

/* It did not come to its end: a shutdown must not be over before it is gone. */
static void
end_symbolizer (Symbolizing *self)
{
  self->pool->n_reaping++;
  g_subprocess_force_exit (self->process);
  set_limit (self, END_LIMIT);
  g_subprocess_wait_async (self->process, self->cancellable, reaped_cb, self);
}

static void
symbolized_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Symbolizing *self = user_data;
  LokyPool *pool = self->pool;
  LokyPoolWorker *worker = self->worker;
  g_autoptr (GBytes) output = NULL;
  g_autofree char *words = NULL;
  gboolean has_ended
      = g_subprocess_communicate_finish (G_SUBPROCESS (source), result, &output, NULL, NULL);

  if (has_ended)
    words = g_strndup (g_bytes_get_data (output, NULL), g_bytes_get_size (output));
  set_backtrace (worker, words);
  if (words != NULL && words[0] != '\0')
    {
      if (g_hash_table_size (pool->backtraces) >= MAX_KEPT)
        g_hash_table_remove_all (pool->backtraces);
      g_hash_table_replace (pool->backtraces, g_strdup (worker->crash->frames),
                            g_strdup (worker->backtrace));
    }
  g_clear_object (&worker->symbolizing);
  pool->n_symbolizing--;
  loky_pool_finish_burial (pool, worker);
  /* The monitor may have waited for this. */
  g_source_set_ready_time (pool->source, 0);
  if (has_ended)
    symbolizing_free (self);
  else
    end_symbolizer (self);
}

/* NULL: it cannot be started. */
static GSubprocess *
start_symbolizer (LokyPool *self)
{
  /* As a worker: only so is it started by posix_spawn(). It closes what is not its own. */
  const GSubprocessFlags flags = G_SUBPROCESS_FLAGS_INHERIT_FDS | G_SUBPROCESS_FLAGS_STDIN_PIPE |
                                 G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE;
  g_autofree char *worker = NULL;
  g_autofree char *program = NULL;
  GSubprocess *process = NULL;

  loky_pool_lock (self);
  worker = loky_paths_find_worker (self->worker_path);
  loky_pool_unlock (self);
  program = loky_paths_find_symbolizer (worker);
  if (program == NULL || !loky_pool_fill_spare (self))
    return NULL;
  loky_pool_release_spare (self);
  process = g_subprocess_new (flags, NULL, program, NULL);
  loky_pool_fill_spare (self);
  return process;
}

/* Whether anybody will read it: the owner of a task that ends with this worker, or of the executor. */
static gboolean
is_of_interest (LokyPool *self, LokyPoolWorker *worker)
{
  gboolean is_of_interest;

  loky_pool_lock (self);
  is_of_interest = worker->scheduling.tasks.length > 0 ||
                   (!worker->has_said_hello && !worker->is_killed);
  loky_pool_unlock (self);
  return is_of_interest;
}

gboolean
loky_pool_find_backtrace (LokyPool *self, LokyPoolWorker *worker)
{
  Symbolizing *symbolizing;
  g_autoptr (GBytes) input = NULL;
  GSubprocess *process;
  const char *known;

  if (worker->crash == NULL || worker->crash->frames == NULL || !is_of_interest (self, worker))
    return FALSE;
  known = g_hash_table_lookup (self->backtraces, worker->crash->frames);
  process = known == NULL ? start_symbolizer (self) : NULL;
  if (process == NULL)
    {
      set_backtrace (worker, known);
      return FALSE;
    }

  symbolizing = g_new0 (Symbolizing, 1);
  symbolizing->pool = self;
  symbolizing->worker = loky_pool_worker_ref (worker);
  symbolizing->process = process;
  set_limit (symbolizing, TIME_LIMIT);
  worker->symbolizing = g_object_ref (symbolizing->cancellable);
  self->n_symbolizing++;
  input = g_bytes_new (worker->crash->frames, strlen (worker->crash->frames));
  g_subprocess_communicate_async (process, input, symbolizing->cancellable, symbolized_cb, symbolizing);
  return TRUE;
}

void
loky_pool_drop_backtraces (LokyPool *self)
{
  for (guint i = 0; i < self->workers->len; i++)
    {
      LokyPoolWorker *worker = g_ptr_array_index (self->workers, i);

      if (worker->symbolizing != NULL && !is_of_interest (self, worker))
        g_cancellable_cancel (worker->symbolizing);
    }
}
