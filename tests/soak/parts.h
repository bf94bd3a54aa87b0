/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of the soak besides its load of tasks. Each is a thread that plays one round after the
 * other until soak_is_over(); a round makes its own executors and ends them, and nothing of it is
 * left behind. */

#include <loky.h>

G_BEGIN_DECLS

typedef struct
{
  const char *name;
  GThreadFunc func; /* its argument is the part */
  guint32 seed;
  guint n_rounds;    /* atomic; a part whose number stands still for long has a deadlock */
  guint n_kills;     /* atomic; of workers */
  guint n_servers;   /* atomic; fork servers that were killed */
  guint n_threads;   /* atomic; of its own */
  gboolean is_spent; /* its executor opens a plugin no more: a worker was killed while it did */
} SoakPart;

gpointer soak_run_synchronizers (gpointer part);
gpointer soak_run_values (gpointer part);
gpointer soak_run_reusable (gpointer part);
gpointer soak_run_backlog (gpointer part);
gpointer soak_run_nested (gpointer part);

gboolean soak_is_over (void);

/* Counts what is wrong, and prints it. Returns @holds. */
gboolean soak_expect (gboolean holds, const char *format, ...) G_GNUC_PRINTF (2, 3);
guint soak_get_n_wrong (void);

/* Longer than anything here takes, in ms. */
gint64 soak_get_patience (void);

/* Workers of any start method but fork: the soak has threads. */
const char *soak_draw_start_method (GRand *random);

/* With these properties besides. Its processes are known by their environment. */
LokyExecutor *soak_draw_executor (GRand *random, guint max_workers, const char *first_property, ...)
    G_GNUC_NULL_TERMINATED;

/* Shuts it down, in one way or another. */
void soak_end_executor (GRand *random, LokyExecutor *executor);

/* Kills one of its workers that has opened a plugin, if there is one; now and then its fork server, which costs no task.
 * Whether it was a worker. */
gboolean soak_kill (SoakPart *part, GRand *random, LokyExecutor *executor);

/* Whether it is a child of ours, or a child of one, still: its number may have been given to
 * somebody else. */
gboolean soak_is_ours (int pid);

/* Waits for the end, for as long as the patience lasts; the error, or NULL. */
GError *soak_end_of (LokyFuture *future);

/* What may come of a kill. */
gboolean soak_is_death (SoakPart *part, const GError *error);

/* It ended with a result or by a kill. */
void soak_expect_end (SoakPart *part, LokyFuture *future, gboolean may_die);

G_END_DECLS
