/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A schedule: a list of steps, each an operation with numbers. It keeps its meaning, or does nothing where it
 * has none, when steps are left out: tasks and workers are named by numbers modulo those there are. */

#include "world.h"

#define SCHEDULE_MAX_STEPS 2000
#define STEP_N_ARGUMENTS 6

typedef struct
{
  guint8 operation;
  gint64 arguments[STEP_N_ARGUMENTS];
} Step;

typedef struct
{
  guint max_workers;
  gboolean is_mad;
  LokyShutdownMode end;
  guint n_steps;
  Step steps[SCHEDULE_MAX_STEPS];
} Schedule;

/* Always the same for the same @seed and @number. */
void schedule_generate (Schedule *self, guint64 seed, guint64 number);
void schedule_run (const Schedule *self, World *world);

/* One step a line. */
char *schedule_to_string (const Schedule *self);
gboolean schedule_parse (Schedule *self, const char *text, GError **error);
