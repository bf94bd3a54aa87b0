/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <glib-object.h>

#include "loky-version.h"

G_BEGIN_DECLS

/**
 * LOKY_ERROR:
 *
 * The error domain of libloky. Its codes are those of [error@Loky.Error].
 *
 * Since: 1.0
 */
#define LOKY_ERROR (loky_error_quark ())

/**
 * LokyError:
 * @LOKY_ERROR_FAILED: the task failed without saying how; its message is all that is known
 * @LOKY_ERROR_SHUT_DOWN: the executor was shut down before the task could end, or before it was
 *   submitted: make a new executor
 * @LOKY_ERROR_BROKEN: the executor cannot run tasks any more; the message says why: mend the cause,
 *   then make a new executor
 * @LOKY_ERROR_WORKER_DIED: the worker that ran the task died: look at the task; submit it again only
 *   if it may run twice
 * @LOKY_ERROR_TIMED_OUT: the task ran for longer than its timeout allows
 * @LOKY_ERROR_QUEUE_TIMED_OUT: no worker was free for the task within its queue timeout; it never ran
 * @LOKY_ERROR_PLUGIN: the plugin of the task cannot be used: mend or rebuild the plugin
 * @LOKY_ERROR_NO_SUCH_TASK: there is no plugin, or no task in the plugin, of that name
 * @LOKY_ERROR_INVALID_ARGUMENT: the arguments are not of the type that the task takes, or an option
 *   is out of its range
 * @LOKY_ERROR_INVALID_RESULT: the task returned no value, or one of another type than it declares:
 *   mend the plugin
 * @LOKY_ERROR_WORKER_START: no worker could be started: mend the installation or the limits that the
 *   message names
 * @LOKY_ERROR_PROTOCOL: a worker sent what no worker sends; it was killed
 * @LOKY_ERROR_TOO_LARGE: a value is larger than what can be sent
 * @LOKY_ERROR_RESOURCES: the system refused memory or descriptors for this task; try again later
 * @LOKY_ERROR_FORKED: the executor was made before a fork() and used in the child: make a new one
 *   there
 * @LOKY_ERROR_OUT_OF_MEMORY: the worker that ran the task was ended for want of memory: give it more, or less
 *   to do
 * @LOKY_ERROR_INITIALIZER: the initializer of the workers does not succeed; the message says why
 * @LOKY_ERROR_BACKLOG_FULL: as many tasks wait as may; try again when some have ended, or wait for that by
 *   [method@Loky.Executor.submit_async]. In a task: its owner has not taken the partial results that it has sent
 * @LOKY_ERROR_RECURSION: the executor is nested too deep, in workers of executors in workers: make it elsewhere, or
 *   allow more by the environment variable `LOKY_MAX_DEPTH`
 * @LOKY_ERROR_NOT_HELD: a lock or a semaphore was released by who may not, or more often than it was acquired
 * @LOKY_ERROR_BARRIER_BROKEN: somebody who is waited for at a barrier does not come any more: reset it
 * @LOKY_ERROR_REDUCER: a value cannot be sent, or what arrived cannot be made a value again; the message names the
 *   type and the process: add a reducer there
 * @LOKY_ERROR_SERIALIZER: a serializer cannot be found or opened, or what arrived is not what it makes
 * @LOKY_ERROR_MEMORY_LIMIT: the task needed more memory than it may allocate: allow it more, or give it less to do
 *
 * What went wrong, by what the caller can do about it.
 *
 * An error that a task sets keeps its own domain and code. A cancelled task ends with
 * %G_IO_ERROR_CANCELLED.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_ERROR_FAILED,
  LOKY_ERROR_SHUT_DOWN,
  LOKY_ERROR_BROKEN,
  LOKY_ERROR_WORKER_DIED,
  LOKY_ERROR_TIMED_OUT,
  LOKY_ERROR_QUEUE_TIMED_OUT,
  LOKY_ERROR_PLUGIN,
  LOKY_ERROR_NO_SUCH_TASK,
  LOKY_ERROR_INVALID_ARGUMENT,
  LOKY_ERROR_INVALID_RESULT,
  LOKY_ERROR_WORKER_START,
  LOKY_ERROR_PROTOCOL,
  LOKY_ERROR_TOO_LARGE,
  LOKY_ERROR_RESOURCES,
  LOKY_ERROR_FORKED,
  LOKY_ERROR_OUT_OF_MEMORY,
  LOKY_ERROR_INITIALIZER,
  LOKY_ERROR_RECURSION,
  LOKY_ERROR_BACKLOG_FULL,
  LOKY_ERROR_NOT_HELD,
  LOKY_ERROR_BARRIER_BROKEN,
  LOKY_ERROR_REDUCER,
  LOKY_ERROR_SERIALIZER,
  LOKY_ERROR_MEMORY_LIMIT,
} LokyError;

LOKY_AVAILABLE_IN_1_0
GQuark loky_error_quark (void);

G_END_DECLS
