/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <glib-object.h>

#include "loky-version.h"

G_BEGIN_DECLS

/**
 * LokyCrashPolicy:
 * @LOKY_CRASH_POLICY_REPLACE: a worker that dies fails only the task that it was running, or has it
 *   run again where the task allows retries; the worker is replaced and all other tasks go on
 * @LOKY_CRASH_POLICY_BREAK: a worker that dies breaks the executor: the task that it was running fails
 *   with %LOKY_ERROR_WORKER_DIED, every other one that has not ended with %LOKY_ERROR_BROKEN and the
 *   same cause, all workers are killed, and no further task is accepted
 *
 * What the death of a worker does to its executor.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_CRASH_POLICY_REPLACE,
  LOKY_CRASH_POLICY_BREAK,
} LokyCrashPolicy;

/**
 * LokyShutdownMode:
 * @LOKY_SHUTDOWN_DRAIN: run all tasks that were submitted, then end the workers
 * @LOKY_SHUTDOWN_CANCEL_PENDING: cancel what no worker has begun, wait for what runs
 * @LOKY_SHUTDOWN_KILL: kill all workers at once; every task that has not ended fails with
 *   %LOKY_ERROR_SHUT_DOWN
 *
 * What happens at a shutdown to the tasks that have not ended.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_SHUTDOWN_DRAIN,
  LOKY_SHUTDOWN_CANCEL_PENDING,
  LOKY_SHUTDOWN_KILL,
} LokyShutdownMode;

/**
 * LokyWaitMode:
 * @LOKY_WAIT_ALL_COMPLETED: until all futures have ended, however
 * @LOKY_WAIT_FIRST_COMPLETED: until one future has ended, however
 * @LOKY_WAIT_FIRST_ERROR: until one future has failed, or all have ended; one that was cancelled has not failed
 *
 * What a wait for several futures is for.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_WAIT_ALL_COMPLETED,
  LOKY_WAIT_FIRST_COMPLETED,
  LOKY_WAIT_FIRST_ERROR,
} LokyWaitMode;

/**
 * LokyReuse:
 * @LOKY_REUSE_AUTO: if it has the same settings but for the number of workers
 * @LOKY_REUSE_ALWAYS: whatever settings it has
 * @LOKY_REUSE_NEVER: not at all
 *
 * When the executor of the process is reused that there is already.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_REUSE_AUTO,
  LOKY_REUSE_ALWAYS,
  LOKY_REUSE_NEVER,
} LokyReuse;

/**
 * LokyExecutorState:
 * @LOKY_EXECUTOR_STATE_OPEN: tasks are accepted
 * @LOKY_EXECUTOR_STATE_SHUTTING_DOWN: no further task is accepted; those accepted are being ended
 * @LOKY_EXECUTOR_STATE_SHUT_DOWN: all tasks have ended and all workers are gone
 * @LOKY_EXECUTOR_STATE_BROKEN: the executor cannot run tasks any more; each of its tasks has ended
 *   with the cause
 *
 * The states of an executor.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_EXECUTOR_STATE_OPEN,
  LOKY_EXECUTOR_STATE_SHUTTING_DOWN,
  LOKY_EXECUTOR_STATE_SHUT_DOWN,
  LOKY_EXECUTOR_STATE_BROKEN,
} LokyExecutorState;

/**
 * LokyFutureState:
 * @LOKY_FUTURE_STATE_PENDING: no worker is known to have begun the task
 * @LOKY_FUTURE_STATE_RUNNING: a worker runs the task
 * @LOKY_FUTURE_STATE_CANCELLING: a worker runs the task and was asked to stop it
 * @LOKY_FUTURE_STATE_SUCCEEDED: the task returned a result
 * @LOKY_FUTURE_STATE_FAILED: the task ended with an error
 * @LOKY_FUTURE_STATE_CANCELLED: the task was cancelled
 *
 * The states of a future. The last three are final: a future reaches exactly one of them, once.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_FUTURE_STATE_PENDING,
  LOKY_FUTURE_STATE_RUNNING,
  LOKY_FUTURE_STATE_CANCELLING,
  LOKY_FUTURE_STATE_SUCCEEDED,
  LOKY_FUTURE_STATE_FAILED,
  LOKY_FUTURE_STATE_CANCELLED,
} LokyFutureState;

/**
 * LokyStream:
 * @LOKY_STREAM_STDOUT: standard output, descriptor 1
 * @LOKY_STREAM_STDERR: standard error, descriptor 2
 *
 * Where a task has written to.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_STREAM_STDOUT,
  LOKY_STREAM_STDERR,
} LokyStream;

/**
 * LokyAcquireResult:
 * @LOKY_ACQUIRE_RESULT_FAILED: nothing was acquired; the error says why
 * @LOKY_ACQUIRE_RESULT_ACQUIRED: it was acquired
 * @LOKY_ACQUIRE_RESULT_OWNER_DIED: it was acquired, from a process that died with it, or dropped it without a
 *   release: what it protects may be half changed, and is for the caller to put in order. Nobody else is told,
 *   unless the caller dies with it, too
 *
 * How a lock, or a unit of a semaphore, was acquired.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_ACQUIRE_RESULT_FAILED,
  LOKY_ACQUIRE_RESULT_ACQUIRED,
  LOKY_ACQUIRE_RESULT_OWNER_DIED,
} LokyAcquireResult;

/**
 * LokyResourceKind:
 * @LOKY_RESOURCE_KIND_FILE: a file, or a symbolic link, which is not followed
 * @LOKY_RESOURCE_KIND_FOLDER: a folder, with all that is in it
 *
 * What a [class@Loky.Resource] is.
 *
 * Since: 1.0
 */
typedef enum
{
  LOKY_RESOURCE_KIND_FILE,
  LOKY_RESOURCE_KIND_FOLDER,
} LokyResourceKind;

G_END_DECLS
