/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is written to the control area, floods, errors, and ways to end. */

#include "hostile-worker.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- orders: the control area ----------------------------------------------------------------- */

void
scribble (const char *how)
{
  guint8 *area = (guint8 *) me.control.area;

  if (g_str_equal (how, "ones"))
    memset (area, 0xff, sizeof (LokyControlArea));
  else if (g_str_equal (how, "zeros"))
    memset (area, 0, sizeof (LokyControlArea));
  else
    for (gsize i = 0; i < sizeof (LokyControlArea); i++)
      area[i] = (guint8) g_random_int ();
  have_tasks_sent ();
}

static void
obey_scribble (Task *task)
{
  scribble (task->argument);
  answer (task);
}

static void
obey_scribble_and_die (Task *task)
{
  scribble (task->argument);
  die ();
}

static void
obey_scribble_and_hang (Task *task)
{
  scribble (task->argument);
  hang ();
}

/* It began just now, at any time. */
static void
obey_young (Task *task)
{
  LokyControlSlot *slot = &me.control.area->slots[task->slot];

  for (;;)
    {
      __atomic_store_n (&slot->started, g_get_monotonic_time (), __ATOMIC_RELAXED);
      __atomic_store_n (&slot->word, task->number << 2 | LOKY_SLOT_RUNNING, __ATOMIC_RELEASE);
      g_usleep (500);
    }
}

/* It has not begun, at any time. */
static void
obey_pending (Task *task)
{
  LokyControlSlot *slot = &me.control.area->slots[task->slot];

  for (;;)
    {
      __atomic_store_n (&slot->word, task->number << 2 | LOKY_SLOT_QUEUED, __ATOMIC_RELEASE);
      g_usleep (500);
    }
}

static void
obey_progress (Task *task)
{
  static const gdouble values[] = { -1, 2, 1e308, -0.0 };
  gdouble value = g_random_int_range (0, 2) ? values[g_random_int_range (0, 4)] : (gdouble) NAN;
  guint64 bits;

  memcpy (&bits, &value, sizeof bits);
  __atomic_store_n (&me.control.area->slots[task->slot].progress, bits, __ATOMIC_RELAXED);
  for (guint i = 0; i < 20; i++)
    {
      send_frame (LOKY_MESSAGE_PROGRESS, task->slot, task->number, NULL, 0);
      g_usleep (10000);
    }
  answer (task);
}

/* --- orders: floods --------------------------------------------------------------------------- */

static void
flood (const Task *task, guint8 type, guint64 number, guint n)
{
  g_autoptr (GByteArray) frame = make_frame (type, task->slot, number, NULL, 0, 0);
  g_autoptr (GByteArray) many = g_byte_array_new ();

  for (guint i = 0; i < 1000; i++)
    g_byte_array_append (many, frame->data, frame->len);
  for (guint i = 0; n == 0 || i < n / 1000; i++)
    put (many->data, many->len, NULL, 0);
}

/* "flood:TYPE": a million of its own frames; then the result. */
static void
obey_flood (Task *task)
{
  guint8 type = (guint8) g_ascii_strtoull (task->argument, NULL, 10);

  flood (task, type, type == LOKY_MESSAGE_RELEASE ? G_MAXUINT64 : task->number, 1000000);
  answer (task);
}

static void
obey_flood_for_ever (Task *task)
{
  flood (task, LOKY_MESSAGE_PROGRESS, task->number, 0);
}

static void
obey_release (Task *task)
{
  for (guint64 number = 0; number < 1000; number++)
    send_frame (LOKY_MESSAGE_RELEASE, 0, number, NULL, 0);
  send_frame (LOKY_MESSAGE_RELEASE, G_MAXUINT32, G_MAXUINT64, NULL, 0);
  answer (task);
}

/* --- orders: errors --------------------------------------------------------------------------- */

static void
obey_fail (Task *task)
{
  send_failure (task, "g-io-error-quark", G_IO_ERROR_NOT_FOUND, "as ordered");
}

static void
obey_domain (Task *task)
{
  g_autofree char *domain = NULL;

  if (g_str_equal (task->argument, "long"))
    domain = g_strnfill (1 << 19, 'd');
  else if (g_str_equal (task->argument, "odd"))
    domain = g_strdup ("odd\n\033[31m“domain”%s%n");
  else
    domain = g_strdup (task->argument);
  send_failure (task, domain, G_MININT32, "of a made-up domain");
}

static void
obey_message (Task *task)
{
  g_autofree char *message = g_strnfill (1000 * 1000, 'e');

  send_failure (task, "g-io-error-quark", G_IO_ERROR_FAILED, message);
}

/* --- orders: life and death ------------------------------------------------------------------- */

static void
obey_die (Task *task)
{
  die ();
}

/* The system has begun to take the process down when its channel ends, as for a worker with much memory. */
static gpointer
exit_slowly (gpointer data)
{
  gboolean stays = GPOINTER_TO_INT (data);
  gboolean is_exiting = FALSE;

  while (!is_exiting)
    {
      g_autofree char *stat = NULL;

      is_exiting = g_file_get_contents ("/proc/self/stat", &stat, NULL, NULL) && strstr (stat, ") Z ") != NULL;
    }
  close (CHANNEL_FD);
  if (stays)
    hang ();
  g_usleep (3 * 100 * 1000);
  die ();
}

static void
obey_exit_slowly (Task *task)
{
  g_thread_unref (g_thread_new ("exit", exit_slowly, GINT_TO_POINTER (g_strcmp0 (task->argument, "never") == 0)));
  syscall (SYS_exit, 0);
}

static void
obey_answer_and_die (Task *task)
{
  answer (task);
  die ();
}

/* A child of its own lets the application go on when this worker is dead. */
static void
stop_application (void)
{
  g_autofree char *script
      = g_strdup_printf ("while ! grep -q '^State:.Z' /proc/%d/status; do sleep 0.01; done; kill -CONT %d",
                         (int) getpid (), (int) getppid ());
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) getppid ());
  const char *const argv[] = { "/bin/sh", "-c", script, NULL };
  gboolean is_stopped = FALSE;

  if (!g_spawn_async (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL))
    _exit (14);
  kill (getppid (), SIGSTOP);
  while (!is_stopped)
    {
      g_autofree char *stat = NULL;

      is_stopped = g_file_get_contents (path, &stat, NULL, NULL) && strstr (stat, ") T ") != NULL;
    }
}

/* The application, which sees nothing meanwhile, finds its end and more to be read than it reads at once. */
static void
obey_flood_and_die (Task *task)
{
  g_autoptr (GByteArray) release = make_frame (LOKY_MESSAGE_RELEASE, 0, G_MAXUINT64, NULL, 0, 0);
  g_autoptr (GByteArray) result = make_result (task->slot, task->number, task->text);
  g_autoptr (GByteArray) many = g_byte_array_new ();

  while (many->len < 150 * 1000)
    g_byte_array_append (many, release->data, release->len);
  g_byte_array_append (many, result->data, result->len);
  stop_application ();
  put (many->data, many->len, NULL, 0);
  die ();
}

static void
obey_hang (Task *task)
{
  hang ();
}

static void
obey_stop (Task *task)
{
  raise (SIGSTOP);
  answer (task);
}

static void
obey_hold (Task *task)
{
  g_atomic_int_set (&me.board->held_slot, (gint) task->slot);
  g_atomic_int_set (&me.board->held_number, (gint) task->number);
  g_atomic_int_set (&me.board->held_pid, (gint) getpid ());
  g_atomic_int_inc (&me.board->n_holding);
  while (!g_atomic_int_get (&me.board->go_on))
    g_usleep (200);
  answer (task);
}

/* Until it is cancelled, which it sees in the control area: it never looks at the doorbell. */
static void
obey_until_cancelled (Task *task)
{
  while (!loky_control_is_cancelled (&me.control, task->slot, task->number))
    g_usleep (100);
  send_failure (task, "g-io-error-quark", G_IO_ERROR_CANCELLED, "cancelled");
}

/* Rings its own doorbell, backwards. */
static void
obey_ring (Task *task)
{
  for (guint i = 0; i < 100000; i++)
    __atomic_sub_fetch (&me.control.area->doorbell, 1, __ATOMIC_RELEASE);
  answer (task);
}

/* Only a worker of ours: the number may be somebody else's by now. */
static gboolean
is_worker (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/comm", (int) pid);
  g_autofree char *name = NULL;

  return g_file_get_contents (path, &name, NULL, NULL) && g_str_has_prefix (name, "hostile-worker") &&
         getpgid (pid) == pid;
}

/* "massacre:N": when N are at it, each kills all others; "massacre:0" does not wait. */
static void
obey_massacre (Task *task)
{
  gint n = (gint) g_ascii_strtoll (task->argument, NULL, 10);
  gint n_started;

  g_atomic_int_inc (&me.board->n_holding);
  while (g_atomic_int_get (&me.board->n_holding) < n)
    g_usleep (100);
  n_started = g_atomic_int_get (&me.board->n_started);
  for (gint i = 0; i < MIN (n_started, HOSTILE_MAX_WORKERS); i++)
    {
      pid_t pid = g_atomic_int_get (&me.board->pids[i]);

      if (pid > 1 && pid != getpid () && is_worker (pid))
        kill (pid, SIGKILL);
    }
  answer (task);
}

static void
obey_sum (Task *task)
{
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA1, task->argument, -1);

  send_result (task->slot, task->number, sum);
}

const TaskOrder life_orders[] = {
  { "scribble", obey_scribble },
  { "scribble-and-die", obey_scribble_and_die },
  { "scribble-and-hang", obey_scribble_and_hang },
  { "young", obey_young },
  { "pending", obey_pending },
  { "progress", obey_progress },
  { "flood", obey_flood },
  { "flood-for-ever", obey_flood_for_ever },
  { "release", obey_release },
  { "fail", obey_fail },
  { "domain", obey_domain },
  { "message", obey_message },
  { "die", obey_die },
  { "exit-slowly", obey_exit_slowly },
  { "answer-and-die", obey_answer_and_die },
  { "flood-and-die", obey_flood_and_die },
  { "hang", obey_hang },
  { "stop", obey_stop },
  { "hold", obey_hold },
  { "until-cancelled", obey_until_cancelled },
  { "ring", obey_ring },
  { "massacre", obey_massacre },
  { "sum", obey_sum },
  { NULL, NULL },
};
