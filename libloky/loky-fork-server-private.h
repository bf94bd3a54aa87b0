/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The fork server: a process of one thread that forks workers, which so need not load a program and its
 * libraries again. Either the worker program (start method "forkserver"), or forked off the application itself
 * ("fork").
 *
 * It is the workers' parent. The application is told the pid and given a pidfd of each, and when it has ended the
 * status. Apart from that nobody needs it: when it ends, its workers go on.
 *
 * Everything here runs in the fork server, in its only thread; the application's side is loky-pool-server.c. They
 * talk by frames over a socket pair, as the application and a worker do. */

#include <glib.h>

G_BEGIN_DECLS

/* The only argument of a worker program that is to be one. */
#define LOKY_FORK_SERVER_ARGUMENT "--fork-server"

/* In the environment of the program, where the application has no other value: functions of libraries are looked up when
 * these are loaded, and not by each worker when it calls them. No task sees it. */
#define LOKY_FORK_SERVER_BIND_VARIABLE "LD_BIND_NOW"
#define LOKY_FORK_SERVER_BIND "loky"

/* In the environment of a fork server, and for as long as it may have workers, this is its worker id; in a worker it
 * is overwritten in place. */
#define LOKY_FORK_SERVER_ID "0000000000"

typedef enum
{
  /* to the fork server */
  LOKY_SERVER_SETUP = 64, /* SETUP_TYPE; descriptor: pidfd of the application */
  LOKY_SERVER_FORK,       /* LOAD_TYPE; number: worker id; descriptors: the worker's channel, its standard error */

  /* from it */
  LOKY_SERVER_FORKED = 96, /* FORKED_TYPE; number: worker id; descriptor: its pidfd */
  LOKY_SERVER_FAILED,     /* REASON_TYPE; number: of the worker that there will not be */
  LOKY_SERVER_ENDED,      /* ENDED_TYPE; number: worker id */
} LokyServerMessage;

#define LOKY_SERVER_SETUP_TYPE "(saay)" /* version, plugin path */
#define LOKY_SERVER_LOAD_TYPE "(as)"    /* names of plugins to be loaded before */
#define LOKY_SERVER_FORKED_TYPE "(u)"     /* pid */
#define LOKY_SERVER_REASON_TYPE "(s)"
#define LOKY_SERVER_ENDED_TYPE "(i)" /* as from wait() */

/* What the worker program runs then; returns the exit status. */
int loky_fork_server_main (void);

/* The same in a process that was forked off the application, with its environment set and the pipe of its output as
 * standard error. The descriptors of the application stay open. */
int loky_fork_server_run_copy (int channel_fd);

G_END_DECLS
