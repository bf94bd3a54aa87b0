/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A worker process, from its first act to its last. Everything here runs in its main thread. */

#include "loky-channel-private.h"
#include "loky-control-private.h"

G_BEGIN_DECLS

/* How a worker exits that cannot go on: EX_SOFTWARE of sysexits.h. */
#define LOKY_WORKER_EXIT_RUINED 70

/* What a worker has after its set-up. */
typedef struct
{
  LokyChannel *channel;
  LokyControl control;
  guint worker_id;
  char **plugin_path;
  GVariant *refusals; /* "a(tttss)" */
  char *initializer;  /* the name of a task; empty: none */
  GVariant *initializer_args; /* nullable */
  guint64 memory_growth_limit; /* bytes; 0: none */
  gint64 memory_check_interval; /* µs */
  gboolean accepts_descriptors; /* the application, with results */
} LokyWorkerSetup;

/* The first acts: makes the process its own (descriptors, session, signals), receives what the parent
 * sends it, starts the watchdog. FALSE: it cannot serve; the parent was told where possible. */
gboolean loky_worker_setup (LokyWorkerSetup *setup, GError **error);

/* The parts of it, for who becomes a worker in another way. The channel came as standard input: it becomes
 * LOKY_WORKER_CHANNEL_FD, and all other descriptors but the standard ones are closed. */
#define LOKY_WORKER_CHANNEL_FD 3
gboolean loky_worker_claim_descriptors (GError **error);
/* Standard input is nothing, output goes where errors go. */
gboolean loky_worker_claim_standard_descriptors (GError **error);
/* A session and signals of its own. */
void loky_worker_claim_process (void);
/* All that comes after the descriptors. */
gboolean loky_worker_setup_on (LokyWorkerSetup *setup, int channel_fd, GError **error);

/* The next frame that is sent before anything can be done; waits for it, and ends the process at the end of the
 * stream. */
gboolean loky_worker_receive (LokyChannel *channel, LokyFrame *frame, GError **error);

/* Serves until it is told to leave; returns the exit status. */
int loky_worker_loop_run (LokyWorkerSetup *setup);

/* What the program loky-worker runs. */
LOKY_AVAILABLE_IN_ALL
int loky_worker_main (int argc, char **argv);

G_END_DECLS
