/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of faults share. Each injects one fault for real, asserts what its owner is told, and that
 * the executor serves after it; the fixture asserts that nothing is left. */

#include "fixture.h"

/* Submits fault.obey with @order; @options may be NULL. */
LokyFuture *faults_submit (LokyExecutor *executor, const char *order, LokyTaskOptions *options);

/* The same for any task and its arguments. */
LokyFuture *faults_submit_task (LokyExecutor *executor,
                                const char *task,
                                GVariant *args,
                                LokyTaskOptions *options);

/* Asserts, when the test is torn down, that the future ended and said so once. Before it is waited for, in the
 * thread of the fixture's main context. */
void faults_watch (LokyFuture *future);

/* Waits for the end; the error, or NULL. */
GError *faults_end_of (LokyFuture *future);

/* Options by which a task that does not stop is killed soon; @timeout in ms. */
LokyTaskOptions *faults_stopping (gint64 timeout);

/* A task on each of its workers still works. */
void faults_assert_serves (LokyExecutor *executor);

/* An executor of one worker: what comes after a fault meets the same process. */
LokyExecutor *faults_make_single (void);

/* The task ends with that code, told by its name, the worker's pid and @reason. */
void faults_assert_ends (LokyFuture *future, LokyError code, const char *reason);

/* The error names the task, a worker's pid and @reason. */
void faults_assert_tells (const GError *error, LokyFuture *future, const char *reason);

/* No shared memory of the library is mapped. */
void faults_assert_no_mappings (void);

/* fixture_tear_down, and no mapping is left. */
void faults_tear_down (LokyFixture *fixture, gconstpointer data);

#define FAULTS_ADD(path, func)                                                                     \
  g_test_add ("/loky/faults/" path, LokyFixture, NULL, loky_fixture_set_up, func, faults_tear_down)

/* Runs @func in a child process that exits with what it returns; asserts that this is 0. */
void faults_run_in_child (int (*func) (gconstpointer data), gconstpointer data);

/* Blocks until no process has that pid, or only a zombie. */
void faults_wait_gone (const char *pid);
