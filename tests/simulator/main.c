/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* sim: the scheduler, run for any number of random schedules.
 *
 * Schedules are run in processes of their own, since one that fails ends its process. One that fails is made
 * as short as it can be while it still fails, and printed. */

#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedule.h"

/* A schedule that takes longer than this, in seconds, is one that does not end. */
#define TIME_LIMIT 20

#define MAX_JOBS 64

typedef struct
{
  WorldCounts counts;
  gint64 current; /* the schedule at hand */
  char failure[WORLD_FAILURE_SIZE];
} Job;

static gint64 n_schedules = 10000;
static gint64 seed = -1;
static gint n_jobs = 0;
static gint defect = 0;
static char *replay = NULL;

static const GOptionEntry options[] = {
  { "schedules", 0, 0, G_OPTION_ARG_INT64, &n_schedules, "How many schedules to run", "N" },
  { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Run those of this seed", "N" },
  { "jobs", 0, 0, G_OPTION_ARG_INT, &n_jobs, "In so many processes", "N" },
  { "replay", 0, 0, G_OPTION_ARG_FILENAME, &replay, "Run the one schedule in FILE", "FILE" },
  { "defect", 0, 0, G_OPTION_ARG_INT, &defect,
    "Break the simulated world: 1 tells an end twice, 2 begins what was recalled", "N" },
  { NULL },
};

static void *
share (gsize size)
{
  void *memory = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  g_assert (memory != MAP_FAILED);
  return memory;
}

/* --- one schedule ------------------------------------------------------------------------------- */

static void
silence (void)
{
  int fd = open ("/dev/null", O_WRONLY);

  dup2 (fd, STDERR_FILENO);
  dup2 (fd, STDOUT_FILENO);
  signal (SIGABRT, SIG_DFL);
}

/* TRUE: it fails, and why is in @job. */
static gboolean
fails (const Schedule *schedule, Job *job)
{
  int status = 0;
  pid_t pid;

  memset (job->failure, 0, sizeof job->failure);
  fflush (stdout);
  pid = fork ();
  if (pid == 0)
    {
      World world;

      silence ();
      alarm (TIME_LIMIT);
      world_failure = job->failure;
      world_init (&world, &job->counts, (WorldDefect) defect);
      schedule_run (schedule, &world);
      _exit (0);
    }
  while (waitpid (pid, &status, 0) < 0)
    ;
  if (status == 0)
    return FALSE;
  if (job->failure[0] == '\0')
    g_snprintf (job->failure, sizeof job->failure, "%s",
                WIFSIGNALED (status) && WTERMSIG (status) == SIGALRM ? "it does not end"
                                                                     : "an assertion of the scheduler failed");
  return TRUE;
}

/* The words of a failure without its numbers: whether two are of one kind. */
static char *
kind_of (const char *failure)
{
  g_autoptr (GString) kind = g_string_new (NULL);

  for (const char *c = failure; *c != '\0'; c++)
    if (!g_ascii_isdigit (*c))
      g_string_append_c (kind, *c);
  return g_strdup (kind->str);
}

static gboolean
fails_alike (const Schedule *schedule, Job *job, const char *kind)
{
  g_autofree char *found = NULL;

  if (!fails (schedule, job))
    return FALSE;
  found = kind_of (job->failure);
  return g_str_equal (found, kind);
}

/* Leaves out as much as it can: first halves, then quarters, down to single steps, again and again. */
static void
shrink (Schedule *schedule, Job *job)
{
  g_autofree char *kind = kind_of (job->failure);
  g_autofree Schedule *shorter = g_new (Schedule, 1);

  for (guint size = MAX (schedule->n_steps / 2, 1); size > 0;)
    {
      gboolean is_shorter = FALSE;

      for (guint start = 0; start < schedule->n_steps;)
        {
          guint n_left_out = MIN (size, schedule->n_steps - start);

          *shorter = *schedule;
          shorter->n_steps -= n_left_out;
          memmove (&shorter->steps[start], &shorter->steps[start + n_left_out],
                   (shorter->n_steps - start) * sizeof (Step));
          if (fails_alike (shorter, job, kind))
            {
              *schedule = *shorter;
              is_shorter = TRUE;
            }
          else
            start += n_left_out;
        }
      if (!is_shorter || size > 1)
        size /= 2;
    }
  /* The failure of what is left. */
  fails (schedule, job);
}

static int
report (Schedule *schedule, Job *job)
{
  g_autofree char *script = NULL;
  guint n_before = schedule->n_steps;

  if (!fails (schedule, job))
    {
      printf ("It does not fail when it is run alone\n");
      return 1;
    }
  printf ("It fails: %s\n", job->failure);
  shrink (schedule, job);
  script = schedule_to_string (schedule);
  printf ("%u of %u steps are enough: %s\n"
          "To see it again give this to sim --replay%s:\n\n%s\n",
          schedule->n_steps, n_before, job->failure,
          defect != WORLD_SOUND ? " with the same --defect" : "", script);
  return 1;
}

static int
run_file (Job *job)
{
  g_autofree Schedule *schedule = g_new (Schedule, 1);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_file_get_contents (replay, &text, NULL, &error) || !schedule_parse (schedule, text, &error))
    {
      fprintf (stderr, "sim: %s\n", error->message);
      return 2;
    }
  if (!fails (schedule, job))
    {
      printf ("It passes\n");
      return 0;
    }
  printf ("It fails: %s\n", job->failure);
  return 1;
}

/* --- many --------------------------------------------------------------------------------------- */

static pid_t
start_job (Job *job, int number)
{
  g_autofree Schedule *schedule = NULL;
  World world;
  pid_t pid = fork ();

  if (pid != 0)
    return pid;
  silence ();
  schedule = g_new (Schedule, 1);
  world_failure = job->failure;
  world_init (&world, &job->counts, (WorldDefect) defect);
  for (gint64 i = number; i < n_schedules; i += n_jobs)
    {
      if ((i / n_jobs) % 1024 == 0)
        alarm (10 * TIME_LIMIT);
      job->current = i;
      schedule_generate (schedule, (guint64) seed, (guint64) i);
      schedule_run (schedule, &world);
    }
  _exit (0);
}

static void
print_counts (const Job *jobs, double seconds)
{
  WorldCounts sum = { 0 };
  guint64 *total = (guint64 *) &sum;

  for (int i = 0; i < n_jobs; i++)
    for (gsize j = 0; j < sizeof sum / sizeof *total; j++)
      total[j] += ((const guint64 *) &jobs[i].counts)[j];
  printf ("schedules  %" G_GUINT64_FORMAT "\nsteps      %" G_GUINT64_FORMAT "\ntasks      %" G_GUINT64_FORMAT
          "\nresults    %" G_GUINT64_FORMAT "\ncrashes    %" G_GUINT64_FORMAT "\nkills      %" G_GUINT64_FORMAT
          "\nsilent     %" G_GUINT64_FORMAT "\ncancels    %" G_GUINT64_FORMAT "\ntimeouts   %" G_GUINT64_FORMAT
          "\nresizes    %" G_GUINT64_FORMAT "\nshutdowns  %" G_GUINT64_FORMAT "\nbroken     %" G_GUINT64_FORMAT
          "\nseconds    %.1f\n",
          sum.n_schedules, sum.n_steps, sum.n_tasks, sum.n_results, sum.n_crashes, sum.n_kills, sum.n_silent,
          sum.n_cancels, sum.n_timeouts, sum.n_resizes, sum.n_shutdowns, sum.n_broken, seconds);
}

static int
run_many (Job *jobs)
{
  gint64 start = g_get_monotonic_time ();
  gint64 failed = -1;
  int n_running = n_jobs;
  pid_t pids[MAX_JOBS];

  for (int i = 0; i < n_jobs; i++)
    pids[i] = start_job (&jobs[i], i);
  while (n_running > 0)
    {
      int status;
      pid_t pid = waitpid (-1, &status, 0);

      for (int i = 0; i < n_jobs; i++)
        if (pids[i] == pid)
          {
            n_running--;
            pids[i] = 0;
            if (status != 0 && failed < 0)
              failed = jobs[i].current;
          }
      for (int i = 0; failed >= 0 && i < n_jobs; i++)
        if (pids[i] > 0)
          kill (pids[i], SIGKILL);
    }
  if (failed >= 0)
    {
      g_autofree Schedule *schedule = g_new (Schedule, 1);

      schedule_generate (schedule, (guint64) seed, (guint64) failed);
      printf ("Schedule %" G_GINT64_FORMAT " of seed %" G_GINT64_FORMAT "\n", failed, seed);
      return report (schedule, &jobs[0]);
    }
  print_counts (jobs, (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  return 0;
}

int
main (int argc, char *argv[])
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  Job *jobs = share (MAX_JOBS * sizeof (Job));

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "sim: %s\n", error->message);
      return 2;
    }
  if (replay != NULL)
    return run_file (&jobs[0]);
  if (seed < 0)
    seed = (gint64) (g_random_int () & G_MAXINT32);
  if (n_jobs < 1)
    n_jobs = (gint) g_get_num_processors ();
  n_jobs = MIN (n_jobs, MAX_JOBS);
  printf ("seed       %" G_GINT64_FORMAT "\n", seed);
  fflush (stdout);
  return run_many (jobs);
}
