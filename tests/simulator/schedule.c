/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "schedule.h"

#include <gio/gio.h>
#include <string.h>

typedef enum
{
  OPERATION_SUBMIT,
  OPERATION_CANCEL,
  OPERATION_RESIZE,
  OPERATION_IDLE_TIMEOUT,
  OPERATION_POLICY,
  OPERATION_HEARTBEAT,
  OPERATION_MAX_TASKS,
  OPERATION_START_TIMEOUT,
  OPERATION_WARM_UP,
  OPERATION_SHUT_DOWN,
  OPERATION_READY,
  OPERATION_BEGIN,
  OPERATION_FINISH,
  OPERATION_RETURN,
  OPERATION_UNSENDABLE,
  OPERATION_LEAVE,
  OPERATION_CRASH,
  OPERATION_CONDEMN,
  OPERATION_RETIRE,
  OPERATION_STOP,
  OPERATION_CONTINUE,
  OPERATION_TIME,
  OPERATION_DEADLINE,
  N_OPERATIONS,
} Operation;

static const struct
{
  const char *name;
  guint n_arguments;
  guint weight; /* how often it is drawn */
} operations[N_OPERATIONS] = {
  [OPERATION_SUBMIT] = { "submit", 6, 240 },
  [OPERATION_CANCEL] = { "cancel", 1, 40 },
  [OPERATION_RESIZE] = { "resize", 1, 12 },
  [OPERATION_IDLE_TIMEOUT] = { "idle-timeout", 1, 8 },
  [OPERATION_POLICY] = { "policy", 1, 3 },
  [OPERATION_HEARTBEAT] = { "heartbeat", 1, 4 },
  [OPERATION_MAX_TASKS] = { "max-tasks", 1, 4 },
  [OPERATION_START_TIMEOUT] = { "start-timeout", 1, 0 },
  [OPERATION_WARM_UP] = { "warm-up", 1, 8 },
  [OPERATION_SHUT_DOWN] = { "shut-down", 2, 3 },
  [OPERATION_READY] = { "ready", 1, 90 },
  [OPERATION_BEGIN] = { "begin", 1, 180 },
  [OPERATION_FINISH] = { "finish", 3, 180 },
  [OPERATION_RETURN] = { "return", 1, 150 },
  [OPERATION_UNSENDABLE] = { "unsendable", 1, 6 },
  [OPERATION_LEAVE] = { "leave", 1, 50 },
  [OPERATION_CRASH] = { "crash", 1, 25 },
  [OPERATION_CONDEMN] = { "condemn", 1, 8 },
  [OPERATION_RETIRE] = { "retire", 1, 8 },
  [OPERATION_STOP] = { "stop", 1, 20 },
  [OPERATION_CONTINUE] = { "continue", 1, 6 },
  [OPERATION_TIME] = { "time", 1, 60 },
  [OPERATION_DEADLINE] = { "deadline", 0, 70 },
};

/* --- chance ------------------------------------------------------------------------------------- */

typedef guint64 Chance;

/* SplitMix64, by Steele, Lea and Flood (2014). */
static guint64
draw (Chance *chance)
{
  guint64 mixed = *chance += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  mixed = (mixed ^ mixed >> 30) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  mixed = (mixed ^ mixed >> 27) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return mixed ^ mixed >> 31;
}

static guint
draw_below (Chance *chance, guint limit)
{
  return (guint) ((draw (chance) >> 32) * limit >> 32);
}

static gint64
draw_duration (Chance *chance)
{
  static const gint64 durations[] = {
    -1, -1, -1, -1, 0, 1, MSEC, 7 * MSEC, 100 * MSEC, SECOND, 60 * SECOND, G_MAXINT64 / 4,
  };

  return durations[draw_below (chance, G_N_ELEMENTS (durations))];
}

static gint64
draw_run_time (Chance *chance)
{
  static const gint64 run_times[] = {
    0, 1000, 20 * 1000, 100 * 1000, 400 * 1000, 5 * 1000 * 1000, SECOND * 1000, G_MAXINT64, -1,
  };

  return run_times[draw_below (chance, G_N_ELEMENTS (run_times))];
}

/* How much time passes: not what nobody lives to see. */
static gint64
draw_time (Chance *chance)
{
  static const gint64 times[] = { 0, 1, 10, MSEC, 4 * MSEC, 6 * MSEC, 100 * MSEC, SECOND, 40 * SECOND };

  return times[draw_below (chance, G_N_ELEMENTS (times))];
}

static Operation
draw_operation (Chance *chance)
{
  guint total = 0;
  guint drawn;

  for (guint i = 0; i < N_OPERATIONS; i++)
    total += operations[i].weight;
  drawn = draw_below (chance, total);
  for (guint i = 0; i < N_OPERATIONS; i++)
    {
      if (drawn < operations[i].weight)
        return (Operation) i;
      drawn -= operations[i].weight;
    }
  return OPERATION_TIME;
}

static void
draw_step (Step *step, Chance *chance)
{
  gint64 *arguments = step->arguments;

  memset (step, 0, sizeof *step);
  step->operation = (guint8) draw_operation (chance);
  switch ((Operation) step->operation)
    {
    case OPERATION_SUBMIT:
      arguments[0] = draw_below (chance, WORLD_N_FUNCTIONS);
      arguments[1] = draw_duration (chance);
      arguments[2] = draw_duration (chance);
      arguments[3] = draw_duration (chance);
      arguments[4] = (gint64) draw_below (chance, 3) - 1;
      arguments[5] = draw_below (chance, 3);
      break;
    case OPERATION_RESIZE:
      arguments[0] = 1 + draw_below (chance, 5);
      break;
    case OPERATION_IDLE_TIMEOUT:
    case OPERATION_HEARTBEAT:
      arguments[0] = draw_duration (chance);
      break;
    case OPERATION_POLICY:
      arguments[0] = draw_below (chance, 2);
      break;
    case OPERATION_WARM_UP:
    case OPERATION_MAX_TASKS:
      arguments[0] = draw_below (chance, 6);
      break;
    case OPERATION_SHUT_DOWN:
      arguments[0] = draw_below (chance, LOKY_SHUTDOWN_KILL + 1);
      arguments[1] = draw_duration (chance);
      break;
    case OPERATION_FINISH:
      arguments[0] = draw_below (chance, 100);
      arguments[1] = draw_below (chance, 3) > 0;
      arguments[2] = draw_run_time (chance);
      break;
    case OPERATION_TIME:
      arguments[0] = draw_time (chance);
      break;
    case OPERATION_DEADLINE:
      break;
    default:
      arguments[0] = draw_below (chance, 100);
    }
}

void
schedule_generate (Schedule *self, guint64 seed, guint64 number)
{
  Chance chance = seed ^ (number * G_GUINT64_CONSTANT (0xd1342543de82ef95));
  guint dice;

  draw (&chance);
  dice = draw_below (&chance, 100);
  self->max_workers = 1 + draw_below (&chance, 4);
  self->is_mad = draw_below (&chance, 8) == 0;
  self->end = (LokyShutdownMode) draw_below (&chance, LOKY_SHUTDOWN_KILL + 1);
  /* Short ones mostly: they find as much in less time. A few are long. */
  self->n_steps = 1 + draw_below (&chance, dice < 60 ? 80 : dice < 97 ? 250 : 1500);
  for (guint i = 0; i < self->n_steps; i++)
    draw_step (&self->steps[i], &chance);
  /* These can be set in the beginning only. */
  if (draw_below (&chance, 5) == 0)
    self->steps[self->n_steps > 1 ? 1 : 0] = (Step){ OPERATION_MAX_TASKS, { 1 + draw_below (&chance, 7) } };
  if (draw_below (&chance, 3) == 0)
    self->steps[0] = (Step){ OPERATION_HEARTBEAT, { draw_below (&chance, 2) == 0 ? MSEC : SECOND } };
  if (draw_below (&chance, 5) == 0 && self->n_steps > 2)
    self->steps[2] = (Step){ OPERATION_START_TIMEOUT, { draw_below (&chance, 2) == 0 ? 5 * MSEC : SECOND } };
}

/* --- running ------------------------------------------------------------------------------------ */

static void
run_step (const Step *step, World *world)
{
  const gint64 *arguments = step->arguments;
  guint first = (guint) arguments[0];

  switch ((Operation) step->operation)
    {
    case OPERATION_SUBMIT:
      world_submit (world, first, arguments[1], arguments[2], arguments[3], (gint) arguments[4],
                    (guint) arguments[5]);
      break;
    case OPERATION_CANCEL:
      world_cancel (world, first);
      break;
    case OPERATION_RESIZE:
      world_resize (world, MAX (first, 1));
      break;
    case OPERATION_IDLE_TIMEOUT:
      world_set_idle_timeout (world, arguments[0]);
      break;
    case OPERATION_POLICY:
      world_set_policy (world, (LokyCrashPolicy) arguments[0]);
      break;
    case OPERATION_HEARTBEAT:
      /* The pool never sets one of 0. */
      world_set_heartbeat (world, arguments[0] == 0 ? 1 : arguments[0]);
      break;
    case OPERATION_MAX_TASKS:
      world_set_max_tasks (world, first);
      break;
    case OPERATION_START_TIMEOUT:
      world_set_start_timeout (world, MAX (arguments[0], 1));
      break;
    case OPERATION_WARM_UP:
      world_warm_up (world, first);
      break;
    case OPERATION_SHUT_DOWN:
      world_shut_down (world, (LokyShutdownMode) arguments[0], arguments[1]);
      break;
    case OPERATION_READY:
      world_ready (world, first);
      break;
    case OPERATION_BEGIN:
      world_begin_task (world, first);
      break;
    case OPERATION_FINISH:
      world_finish (world, first, arguments[1] != 0, arguments[2]);
      break;
    case OPERATION_RETURN:
      world_return (world, first);
      break;
    case OPERATION_UNSENDABLE:
      world_unsendable (world, first);
      break;
    case OPERATION_LEAVE:
      world_leave (world, first);
      break;
    case OPERATION_CRASH:
      world_crash (world, first);
      break;
    case OPERATION_CONDEMN:
      world_condemn (world, first);
      break;
    case OPERATION_RETIRE:
      world_retire (world, first);
      break;
    case OPERATION_STOP:
      world_stop (world, first);
      break;
    case OPERATION_CONTINUE:
      world_continue (world, first);
      break;
    case OPERATION_TIME:
      world_pass_time (world, arguments[0]);
      break;
    case OPERATION_DEADLINE:
      world_pass_to_deadline (world);
      break;
    case N_OPERATIONS:
    default:
      g_assert_not_reached ();
    }
}

void
schedule_run (const Schedule *self, World *world)
{
  world_begin (world, self->max_workers, self->is_mad);
  for (guint i = 0; i < self->n_steps; i++)
    run_step (&self->steps[i], world);
  world_end (world, self->end);
}

/* --- as a text ---------------------------------------------------------------------------------- */

char *
schedule_to_string (const Schedule *self)
{
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text, "workers %u\nmad %d\nend %d\n", self->max_workers, self->is_mad,
                          self->end);
  for (guint i = 0; i < self->n_steps; i++)
    {
      const Step *step = &self->steps[i];

      g_string_append (text, operations[step->operation].name);
      for (guint j = 0; j < operations[step->operation].n_arguments; j++)
        g_string_append_printf (text, " %" G_GINT64_FORMAT, step->arguments[j]);
      g_string_append_c (text, '\n');
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
parse_step (Schedule *self, char **words)
{
  Step *step = &self->steps[self->n_steps];
  guint n_words = g_strv_length (words);

  if (g_str_equal (words[0], "workers") && n_words == 2)
    self->max_workers = MAX ((guint) g_ascii_strtoull (words[1], NULL, 10), 1);
  else if (g_str_equal (words[0], "mad") && n_words == 2)
    self->is_mad = words[1][0] == '1';
  else if (g_str_equal (words[0], "end") && n_words == 2)
    self->end = (LokyShutdownMode) MIN (g_ascii_strtoull (words[1], NULL, 10), LOKY_SHUTDOWN_KILL);
  else
    {
      for (guint i = 0; i < N_OPERATIONS; i++)
        {
          if (!g_str_equal (words[0], operations[i].name) || n_words != operations[i].n_arguments + 1 ||
              self->n_steps == SCHEDULE_MAX_STEPS)
            continue;
          step->operation = (guint8) i;
          for (guint j = 0; j < operations[i].n_arguments; j++)
            step->arguments[j] = g_ascii_strtoll (words[j + 1], NULL, 10);
          self->n_steps++;
          return TRUE;
        }
      return FALSE;
    }
  return TRUE;
}

gboolean
schedule_parse (Schedule *self, const char *text, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  *self = (Schedule){ .max_workers = 1 };
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) words = g_strsplit (g_strstrip (lines[i]), " ", -1);

      if (words[0] == NULL || words[0][0] == '\0' || words[0][0] == '#')
        continue;
      if (!parse_step (self, words))
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "Line %u is no step: %s", i + 1,
                       lines[i]);
          return FALSE;
        }
    }
  return TRUE;
}
