/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The board, the tables of orders, and the loop. */

#include "hostile-worker.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loky-version.h"

/* --- the loop --------------------------------------------------------------------------------- */

static gboolean
is_order (const char *text, const char *name)
{
  gsize length = strcspn (text, ":");

  return strlen (name) == length && strncmp (name, text, length) == 0;
}

static const TaskOrder *
find_order (const char *text)
{
  static const TaskOrder *const tables[] = { frame_orders, memory_orders, life_orders, note_orders, partial_orders };

  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++)
    for (const TaskOrder *order = tables[i]; order->name != NULL; order++)
      if (is_order (text, order->name))
        return order;
  return NULL;
}

static void
run_task (Frame *frame)
{
  Task task;

  parse_task (frame, &task);
  if (loky_control_claim (&me.control, task.slot, task.number))
    {
      const TaskOrder *order = find_order (task.text);

      g_atomic_int_inc (&me.board->n_begun);
      if (order != NULL)
        order->func (&task);
      else
        answer (&task);
      mark_sent ();
    }
  g_free (task.text);
}

static void
obey_start_order (void)
{
  const char *colon = strchr (me.start_order, ':');

  for (const StartOrder *order = start_orders; order->name != NULL; order++)
    if (is_order (me.start_order, order->name))
      order->func (colon != NULL ? colon + 1 : "");
}

/* The orders are for the workers that come first. */
static void
read_board (void)
{
  const char *path = g_getenv (HOSTILE_BOARD_VARIABLE);
  int fd = path != NULL ? open (path, O_RDWR | O_CLOEXEC) : -1;
  gint n;

  me.board = mmap (NULL, sizeof (HostileBoard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || me.board == MAP_FAILED)
    {
      g_printerr ("hostile-worker: there is no board at %s\n", path);
      _exit (12);
    }
  close (fd);
  n = g_atomic_int_add (&me.board->n_started, 1);
  g_atomic_int_set (&me.board->pids[n % HOSTILE_MAX_WORKERS], (gint) getpid ());
  if (g_atomic_int_add (&me.board->n_orders, -1) <= 0)
    {
      g_atomic_int_inc (&me.board->n_orders);
      return;
    }
  me.obeys = TRUE;
  me.kill_sent = g_atomic_int_get (&me.board->kill_sent);
  me.kill_read = g_atomic_int_get (&me.board->kill_read);
  g_strlcpy (me.start_order, me.board->start_order, sizeof me.start_order);
}

int
main (int argc, char **argv)
{
  Frame frame;
  sigset_t none;

  /* As the real one: a session of its own, whose group is killed with it. */
  setsid ();
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  syscall (SYS_close_range, 3, ~0u, 0);
  read_board ();
  if (me.kill_sent == 0 || me.kill_read == 0)
    die ();

  read_frame (&frame);
  if (frame.header.type != LOKY_MESSAGE_SETUP || frame.n_fds != 2 ||
      !loky_control_map (&me.control, frame.fds[0], NULL))
    _exit (13);
  g_free (frame.body);
  have_tasks_sent ();
  obey_start_order ();
  say_hello (LOKY_VERSION_S);
  mark_sent ();

  for (;;)
    {
      read_frame (&frame);
      if (frame.header.type == LOKY_MESSAGE_TASK || frame.header.type == LOKY_MESSAGE_CHUNK)
        run_task (&frame);
      if (frame.header.type == LOKY_MESSAGE_LEAVE)
        break;
      frame_clear (&frame);
    }
  send_frame (LOKY_MESSAGE_GOODBYE, 0, 0, NULL, 0);
  mark_sent ();
  _exit (0);
}
