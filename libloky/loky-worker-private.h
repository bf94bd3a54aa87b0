/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A worker process, from its first act to its last. Everything here runs in its main thread. */

#include "loky-channel-private.h"
#include "loky-control-private.h"

G_BEGIN_DECLS

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
} LokyWorkerSetup;

/* The first acts: makes the process its own (descriptors, session, signals), receives what the parent
 * sends it, starts the watchdog. FALSE: it cannot serve; the parent was told where possible. */
gboolean loky_worker_setup (LokyWorkerSetup *setup, GError **error);

/* Serves until it is told to leave; returns the exit status. */
int loky_worker_loop_run (LokyWorkerSetup *setup);

/* What the program loky-worker runs. */
LOKY_AVAILABLE_IN_ALL
int loky_worker_main (int argc, char **argv);

G_END_DECLS
