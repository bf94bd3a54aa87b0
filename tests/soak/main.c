/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* soak: an executor under load, whose workers are killed and stopped at random all the time, with an account
 * to the last task: what was submitted is what gave results, errors and cancellations; and in the end nothing
 * is left. Beside it, and on the same CPUs, its parts do all else that executors can (parts.h).
 *
 * Only workers that have answered a task are killed: a pool whose workers are all killed before they serve
 * is to break, by its rules. */

#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fixture.h"
#include "parts.h"

#define N_SUBMITTERS 4
#define WINDOW 48
#define N_SEEN 64
#define N_CODES 32

/* What may have come to be in the heap, in KiB: names, types, caches of GLib, what pools of threads keep. */
#define MAX_GROWTH 2048

static gint64 n_seconds = 10;
static gint kill_every_ms = 5;
static gint n_workers = 8;
static gint64 seed = -1;
static char *only;
static gboolean has_no_load;

static const GOptionEntry options[] = {
  { "seconds", 0, 0, G_OPTION_ARG_INT64, &n_seconds, "How long", "N" },
  { "kill-every-ms", 0, 0, G_OPTION_ARG_INT, &kill_every_ms, "How often a worker is killed", "N" },
  { "workers", 0, 0, G_OPTION_ARG_INT, &n_workers, "At most so many", "N" },
  { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "What is drawn", "N" },
  { "only", 0, 0, G_OPTION_ARG_STRING, &only, "No part but this, or `none`", "PART" },
  { "no-load", 0, 0, G_OPTION_ARG_NONE, &has_no_load, "The parts without the load of tasks", NULL },
  { NULL },
};

static LokyExecutor *executor;
static int is_over; /* atomic */

static SoakPart parts[] = {
  { .name = "synchronizers", .func = soak_run_synchronizers },
  { .name = "values", .func = soak_run_values },
  { .name = "reusable", .func = soak_run_reusable },
  { .name = "backlog", .func = soak_run_backlog },
  { .name = "nested", .func = soak_run_nested },
};

gboolean
soak_is_over (void)
{
  return g_atomic_int_get (&is_over);
}

/* All atomic. */
static struct
{
  guint submitted, refused, results, errors, cancelled, wrong;
  guint codes[N_CODES]; /* errors of LOKY_ERROR */
  guint other_errors;
  guint kills, stops, resizes, callbacks;
} counts;

/* Workers that have answered, the last ones. */
static int seen[N_SEEN]; /* atomic */
static guint next_seen;  /* atomic */

static void
count (guint *counter)
{
  g_atomic_int_inc (counter);
}

/* --- tasks ---------------------------------------------------------------------------------------- */

typedef enum
{
  KIND_PID,
  KIND_SQUARE,
  KIND_SUM,
  KIND_BUFFER,
  KIND_SLEEP,
  KIND_CRASH,
  N_KINDS,
} Kind;

typedef struct
{
  LokyFuture *future;
  Kind kind;
  guint64 expected;
} Item;

static GVariant *
make_bytes (gsize size, guint8 value)
{
  guint8 *bytes = g_malloc (size);

  memset (bytes, value, size);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes, size, TRUE, g_free, bytes);
}

/* The buffer must live until the value that names it was submitted. */
static GVariant *
make_buffer (gsize size, guint8 value, LokyBuffer **buffer)
{
  *buffer = loky_buffer_new (size, NULL);
  if (*buffer == NULL)
    return NULL;
  memset (loky_buffer_get_writable_data (*buffer), value, size);
  return loky_buffer_to_variant (*buffer, NULL);
}

static LokyTaskOptions *
draw_options (GRand *random)
{
  return g_object_new (LOKY_TYPE_TASK_OPTIONS, "timeout", (gint64) 2000, "cancel-grace", (gint64) 20,
                       "retries", g_rand_int_range (random, 0, 3), "priority",
                       g_rand_int_range (random, -1, 2), NULL);
}

static gboolean
submit_one (GRand *random, Item *item)
{
  static const char *const tasks[N_KINDS] = {
    "fault.obey", "fault.square", "fault.sum", "fault.buffer-sum", "fault.obey", "fault.obey",
  };
  g_autoptr (LokyTaskOptions) task_options = draw_options (random);
  g_autoptr (LokyBuffer) buffer = NULL;
  g_autoptr (GVariant) args = NULL;
  g_autoptr (GError) error = NULL;
  guint8 value = (guint8) g_rand_int_range (random, 1, 100);
  gsize size = (gsize) g_rand_int_range (random, 1, 200000);
  int dice = g_rand_int_range (random, 0, 100);

  item->kind = dice < 30 ? KIND_PID : dice < 60 ? KIND_SQUARE : dice < 75 ? KIND_SUM
               : dice < 85 ? KIND_BUFFER : dice < 97 ? KIND_SLEEP : KIND_CRASH;
  item->expected = item->kind == KIND_SQUARE ? (guint64) value * value : (guint64) value * size;
  if (item->kind == KIND_SQUARE)
    args = g_variant_new_int64 (value);
  else if (item->kind == KIND_SUM)
    args = make_bytes (size, value);
  else if (item->kind == KIND_BUFFER)
    args = make_buffer (size, value, &buffer);
  else
    args = g_variant_new_string (item->kind == KIND_PID ? "pid" : item->kind == KIND_SLEEP ? "sleep:1" : "_exit:1");
  if (args == NULL)
    return FALSE;
  g_variant_take_ref (args);
  item->future = loky_executor_submit (executor, tasks[item->kind], args, task_options, &error);
  if (error != NULL)
    fprintf (stderr, "soak: a task was refused: %s\n", error->message);
  count (item->future != NULL ? &counts.submitted : &counts.refused);
  return item->future != NULL;
}

static void
note_worker (const char *pid)
{
  guint place = (guint) g_atomic_int_add (&next_seen, 1) % N_SEEN;

  g_atomic_int_set (&seen[place], atoi (pid));
}

static void
count_error (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      count (&counts.cancelled);
      return;
    }
  count (&counts.errors);
  if (error->domain == LOKY_ERROR && error->code < N_CODES)
    count (&counts.codes[error->code]);
  else
    count (&counts.other_errors);
}

static void
count_result (const Item *item, GVariant *result)
{
  gboolean is_right = TRUE;

  if (item->kind == KIND_SQUARE)
    is_right = (guint64) g_variant_get_int64 (result) == item->expected;
  else if (item->kind == KIND_SUM || item->kind == KIND_BUFFER)
    is_right = g_variant_get_uint64 (result) == item->expected;
  else if (item->kind == KIND_PID)
    note_worker (g_variant_get_string (result, NULL));
  count (&counts.results);
  if (!is_right)
    count (&counts.wrong);
}

static void
settle (Item *item)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  loky_future_wait (item->future, -1, NULL, NULL);
  result = loky_future_dup_result (item->future, &error);
  if (result != NULL)
    count_result (item, result);
  else
    count_error (error);
  g_clear_object (&item->future);
}

/* --- threads -------------------------------------------------------------------------------------- */

/* Waits for what is there in one way or another, for a moment at most; whatever comes of it is settled later. */
static void
wait_for_some (GRand *random, Item *items)
{
  LokyFuture *futures[WINDOW];
  g_autoptr (LokyCompletions) completions = NULL;
  gsize n_futures = 0;

  for (guint i = 0; i < WINDOW; i++)
    if (items[i].future != NULL)
      futures[n_futures++] = items[i].future;
  loky_wait (futures, n_futures, (LokyWaitMode) g_rand_int_range (random, 0, 3),
             g_rand_int_range (random, 0, 5), NULL, NULL);
  completions = loky_as_completed (futures, n_futures);
  for (int i = g_rand_int_range (random, 0, WINDOW); i > 0; i--)
    {
      g_autoptr (LokyFuture) future = loky_completions_next (completions, 1, NULL, NULL);

      if (future == NULL)
        break;
      if (!loky_future_is_done (future))
        count (&counts.wrong);
    }
}

static gpointer
run_submitter (gpointer data)
{
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) (seed + GPOINTER_TO_INT (data)));
  Item items[WINDOW] = { { NULL } };

  while (!g_atomic_int_get (&is_over))
    {
      Item *item = &items[g_rand_int_range (random, 0, WINDOW)];

      if (item->future != NULL && g_rand_int_range (random, 0, 10) == 0)
        loky_future_cancel (item->future);
      if (item->future != NULL)
        settle (item);
      submit_one (random, item);
      if (g_rand_int_range (random, 0, 50) == 0)
        wait_for_some (random, items);
    }
  for (guint i = 0; i < WINDOW; i++)
    if (items[i].future != NULL)
      settle (&items[i]);
  return NULL;
}

static gpointer
run_killer (gpointer unused)
{
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) seed + 1000);
  int stopped = 0;

  while (!g_atomic_int_get (&is_over))
    {
      guint place = (guint) g_rand_int_range (random, 0, N_SEEN);
      int pid = g_atomic_int_get (&seen[place]);

      g_usleep ((gulong) kill_every_ms * 1000);
      for (guint i = 0; i < N_SEEN && !soak_is_ours (pid); i++)
        pid = g_atomic_int_get (&seen[(place + i) % N_SEEN]);
      if (!soak_is_ours (pid))
        continue;
      if (stopped > 0 && soak_is_ours (stopped))
        kill (stopped, SIGCONT);
      stopped = 0;
      if (g_rand_int_range (random, 0, 20) == 0)
        {
          kill (pid, SIGSTOP);
          count (&counts.stops);
          /* Every other one goes on at the next turn; the others stay until their task's time is over. */
          stopped = g_rand_boolean (random) ? pid : 0;
        }
      else if (kill (pid, SIGKILL) == 0)
        count (&counts.kills);
    }
  return NULL;
}

/* --- the main thread: callbacks, resizing --------------------------------------------------------- */

static guint n_called; /* calls that were made and not answered */

static void
called_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GCancellable) cancellable G_GNUC_UNUSED = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = loky_executor_call_finish (LOKY_EXECUTOR (source), result, &error);

  n_called--;
  count (&counts.callbacks);
  if (value != NULL)
    count (&counts.results);
  else
    count_error (error);
}

static void
call_one (GRand *random)
{
  GCancellable *cancellable = g_cancellable_new ();
  g_autoptr (LokyTaskOptions) task_options = draw_options (random);

  n_called++;
  count (&counts.submitted);
  loky_executor_call_async (executor, "fault.obey", g_variant_new_string ("sleep:1"), task_options,
                            cancellable, called_cb, cancellable);
  if (g_rand_int_range (random, 0, 4) == 0)
    g_cancellable_cancel (cancellable);
}

/* One that has not ended a round for long never will: the core tells why. */
static void
watch_parts (void)
{
  static guint n_before[G_N_ELEMENTS (parts)];
  static gint64 changed_at[G_N_ELEMENTS (parts)];
  gint64 now = g_get_monotonic_time ();

  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      guint n_rounds = (guint) g_atomic_int_get (&parts[i].n_rounds);

      if (n_rounds != n_before[i] || changed_at[i] == 0)
        changed_at[i] = now;
      n_before[i] = n_rounds;
      if (parts[i].seed == 0 || now - changed_at[i] < 3 * soak_get_patience () * 1000)
        continue;
      fprintf (stderr, "soak: the part %s stands still after %u rounds\n", parts[i].name, n_rounds);
      abort ();
    }
}

static void
run_main (gint64 end)
{
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) seed + 2000);
  gint64 next_resize = 0;

  while (g_get_monotonic_time () < end && !g_atomic_int_get (&is_over))
    {
      for (guint i = 0; i < 4 && n_called < 16 && !has_no_load; i++)
        call_one (random);
      for (guint i = 0; i < 100 && g_main_context_iteration (NULL, FALSE); i++)
        ;
      if (g_get_monotonic_time () >= next_resize)
        {
          /* Mostly all of them. */
          loky_executor_set_max_workers (executor, (guint) (g_rand_int_range (random, 0, 3) > 0
                                                                ? n_workers
                                                                : g_rand_int_range (random, 1, n_workers + 1)));
          count (&counts.resizes);
          next_resize = g_get_monotonic_time () + 100000;
          watch_parts ();
        }
      g_usleep (1000);
    }
  g_atomic_int_set (&is_over, TRUE);
  while (n_called > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
interrupted (int number)
{
  __atomic_store_n (&is_over, TRUE, __ATOMIC_RELAXED);
}

/* --- the account ---------------------------------------------------------------------------------- */

static guint
count_threads (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  guint n_threads = 0;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "comm", NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL) && g_str_has_prefix (text, "loky-"))
        n_threads++;
    }
  return n_threads;
}

static guint
count_mappings (void)
{
  g_autofree char *maps = NULL;
  guint n_mappings = 0;

  g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL);
  for (const char *c = maps; (c = strstr (c, "/memfd:loky")) != NULL; c++)
    n_mappings++;
  return n_mappings;
}

/* In KiB; of an allocator that does not say, 0. */
static guint
count_memory (void)
{
  struct mallinfo2 info = mallinfo2 ();

  return (guint) ((info.uordblks + info.hblkhd) / 1024);
}

/* For who has to find out why. */
static void
print_what_is_left (void)
{
  g_autofree char *command = g_strdup_printf ("ps --ppid %d -o pid,ppid,stat,etimes,args; ls -l /proc/%d/fd; "
                                              "for t in /proc/%d/task/*; do cat $t/comm $t/wchan; echo; done",
                                              getpid (), getpid (), getpid ());

  fflush (stdout);
  if (system (command) != 0)
    puts ("?");
}

/* FALSE: it is more than there may be, and stays so. */
static gboolean
check_left (const char *what, guint (*how_many) (void), guint most)
{
  guint left = how_many ();

  for (guint i = 0; i < 5000 && left > most; i++)
    {
      g_usleep (1000);
      left = how_many ();
    }
  printf ("%-12s %u\n", what, left > most ? left - most : 0);
  return left <= most;
}

/* Whether the executor has counted as many ends as tasks, and no fewer tasks than we have. */
static gboolean
are_statistics_right (void)
{
  g_autoptr (LokyStatistics) statistics = loky_executor_dup_statistics (executor, NULL);
  guint64 ended = loky_statistics_get_n_succeeded (statistics) + loky_statistics_get_n_failed (statistics) +
                  loky_statistics_get_n_cancelled (statistics);

  printf ("median       %.3f ms waiting, %.3f ms running\n", loky_statistics_get_queue_time (statistics, 50),
          loky_statistics_get_run_time (statistics, 50));
  return ended == loky_statistics_get_n_submitted (statistics) &&
         ended >= (guint64) counts.submitted;
}

static gboolean
print_account (double seconds, guint n_fds, guint n_kib)
{
  guint ended = counts.results + counts.errors + counts.cancelled;
  gboolean is_right = ended == counts.submitted && counts.wrong == 0 && counts.refused == 0 && soak_get_n_wrong () == 0;
  g_autoptr (GEnumClass) codes = g_type_class_ref (LOKY_TYPE_ERROR);

  printf ("seconds      %.1f\ntasks        %u\nresults      %u\nwrong        %u\nerrors       %u\n", seconds,
          counts.submitted, counts.results, counts.wrong, counts.errors);
  for (int i = 0; i < N_CODES; i++)
    if (counts.codes[i] > 0)
      printf ("  %-24s %u\n", g_enum_get_value (codes, i)->value_nick, counts.codes[i]);
  if (counts.other_errors > 0)
    printf ("  %-24s %u\n", "other", counts.other_errors);
  printf ("cancelled    %u\ncallbacks    %u\nrefused      %u\nkills        %u\nstops        %u\nresizes      %u\n",
          counts.cancelled, counts.callbacks, counts.refused, counts.kills, counts.stops, counts.resizes);
  printf ("tasks/s      %.0f\n", (double) counts.submitted / seconds);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    printf ("%-14s %u rounds, %u workers and %u fork servers killed\n", parts[i].name, parts[i].n_rounds,
            parts[i].n_kills, parts[i].n_servers);
  printf ("wrong there  %u\n\nleft:\n", soak_get_n_wrong ());
  printf ("%-12s %d\n", "tasks", (int) (counts.submitted - ended));
  is_right &= check_left ("children", loky_fixture_count_children, 0);
  if (!is_right)
    print_what_is_left ();
  is_right &= check_left ("descriptors", loky_fixture_count_fds, n_fds);
  is_right &= check_left ("mappings", count_mappings, 0);
  is_right &= check_left ("threads", count_threads, 0);
  is_right &= check_left ("KiB", count_memory, n_kib + MAX_GROWTH);
  return is_right;
}

/* Started by hand it finds its plugins beside itself. */
static void
set_surroundings (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program != NULL ? g_path_get_dirname (program) : g_strdup (".");
  g_autofree char *plugins = g_build_filename (folder, "plugins", NULL);
  g_autofree char *path = g_strdup_printf ("%s:%s/../plugins", plugins, folder);

  g_setenv ("LOKY_TEST_PLUGINS", plugins, FALSE);
  g_setenv ("LOKY_PLUGIN_PATH", path, FALSE);
}

static gboolean
parse (int *argc, char ***argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, argc, argv, &error) || n_workers < 1 || kill_every_ms < 1)
    {
      fprintf (stderr, "soak: %s\n", error != NULL ? error->message : "there must be a worker and a pause");
      return FALSE;
    }
  if (seed < 0)
    seed = (gint64) (g_random_int () & G_MAXINT16);
  printf ("seed         %d\n", (int) seed);
  fflush (stdout);
  return TRUE;
}

static void
run (gint64 end)
{
  GThread *load[N_SUBMITTERS + 1];
  GThread *threads[G_N_ELEMENTS (parts)] = { NULL };

  for (int i = 0; i < N_SUBMITTERS && !has_no_load; i++)
    load[i] = g_thread_new ("submitter", run_submitter, GINT_TO_POINTER (i));
  if (!has_no_load)
    load[N_SUBMITTERS] = g_thread_new ("killer", run_killer, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    if (only == NULL || g_str_equal (only, parts[i].name))
      {
        parts[i].seed = (guint32) seed + 3000 + (guint32) i * 100;
        threads[i] = g_thread_new (parts[i].name, parts[i].func, &parts[i]);
      }
  run_main (end);
  for (gsize i = 0; i < G_N_ELEMENTS (load) && !has_no_load; i++)
    g_thread_join (load[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    if (threads[i] != NULL)
      g_thread_join (threads[i]);
}

static LokyExecutor *
make_executor (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) seed + 4000);
  const char *method = soak_draw_start_method (random);

  printf ("method       %s\n", method);
  return loky_fixture_make_executor ("max-workers", (guint) n_workers, "max-tasks-per-worker", 1000,
                                     "memory-growth-limit", (guint64) 64 * 1024, "memory-check-interval",
                                     (gint64) 50, "start-method", method, NULL);
}

int
main (int argc, char *argv[])
{
  g_autoptr (GError) error = NULL;
  gint64 start;
  gboolean is_shut_down, is_right;
  guint n_fds, n_kib;

  setlocale (LC_ALL, "");
  /* As a worker it does not return. */
  loky_init (&argc, &argv);
  if (!parse (&argc, &argv))
    return 2;
  signal (SIGINT, interrupted);
  set_surroundings ();
  loky_fixture_init (&argc, &argv);
  /* The thread sanitizer does not see GLib's lock of types, which its parts would make the class under. */
  g_type_class_unref (g_type_class_ref (LOKY_TYPE_EXECUTOR_CONFIG));
  n_fds = loky_fixture_count_fds ();
  n_kib = count_memory ();

  start = g_get_monotonic_time ();
  executor = make_executor ();
  run (start + n_seconds * G_USEC_PER_SEC);
  is_shut_down = loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, 60000, NULL, &error);
  if (!is_shut_down)
    printf ("The shutdown failed: %s\n", error->message);
  is_right = are_statistics_right ();
  g_object_unref (executor);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  is_right &= print_account ((double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC, n_fds, n_kib);
  puts (is_right && is_shut_down ? "ok" : "NOT OK");
  return is_right && is_shut_down ? 0 : 1;
}
