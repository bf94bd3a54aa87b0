/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Three threads of a worker besides the one that runs tasks.
 *
 * The watchdog sees to it that nothing outlives the application: it polls the channel and the parent's pidfd,
 * and runs only poll, kill and atomics, so that it works while a task holds any lock or has ruined the heap. When
 * the parent is gone it kills what left the worker's session, then the worker's process group, itself included.
 *
 * The ringer waits for the doorbell, a futex in the control area: it gives the sign of life that the parent asks
 * for, and rings the relay. It runs only the futex call, poll, write and atomics.
 *
 * The relay, started on demand, calls g_cancellable_cancel(), whose handlers are foreign code, which
 * must not hold up the others. */

#include "loky-task-context-private.h"

G_BEGIN_DECLS

/* The descriptors and @control stay the caller's and must stay. */
void loky_watchdog_init (int channel_fd, int parent_pidfd, LokyControl *control);

/* Starts the watchdog, which is needed before any code of a plugin runs. */
gboolean loky_watchdog_start (GError **error);

/* Starts the ringer, which is needed from the first task on only. */
gboolean loky_watchdog_start_ringer (GError **error);

/* Ends this process and all that it started. */
G_NORETURN void loky_watchdog_end_everything (void);

/* Which task runs now; NULL for none. */
void loky_watchdog_set_task (LokyTaskContext *context);

/* Starts the relay, or rings it. */
void loky_watchdog_start_relay (void);

G_END_DECLS
