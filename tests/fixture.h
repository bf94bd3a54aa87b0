/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What every test of the executor starts from and ends with: a main context of its own, an executor
 * that finds the plugins of the tests, a watchdog, and at the end the assertion that nothing is left:
 * no child, no descriptor, no thread of the library. */

#include <loky.h>

G_BEGIN_DECLS

typedef struct
{
  GMainContext *context;
  LokyExecutor *executor;
  guint n_fds;
} LokyFixture;

/* Instead of g_test_init(). */
void loky_fixture_init (int *argc, char ***argv);

void loky_fixture_set_up (LokyFixture *fixture, gconstpointer data);
void loky_fixture_tear_down (LokyFixture *fixture, gconstpointer data);

/* An executor with other properties, as by g_object_new(); its plugin path is that of the tests. */
LokyExecutor *loky_fixture_make_executor (const char *first_property, ...) G_GNUC_NULL_TERMINATED;

/* Shuts an executor down, asserts that this succeeds, and drops it. */
void loky_fixture_end_executor (LokyExecutor *executor, LokyShutdownMode mode);

#define LOKY_FIXTURE_ADD(path, func)                                                               \
  g_test_add (path, LokyFixture, NULL, loky_fixture_set_up, func, loky_fixture_tear_down)

typedef gboolean (*LokyFixtureCondition) (gpointer data);

/* Iterates the thread-default context until @condition holds. The watchdog ends what never does. */
void loky_fixture_wait_for (LokyFixtureCondition condition, gpointer data);

/* call_sync of a task with one string, which must succeed; its result must be a string. */
char *loky_fixture_call (LokyExecutor *executor, const char *task, const char *argument);

/* call_sync of a task with one string, which must fail. */
GError *loky_fixture_fail (LokyExecutor *executor, const char *task, const char *argument);

LokyFuture *loky_fixture_submit (LokyExecutor *executor, const char *task, GVariant *args);

/* Blocks until a worker runs the task. */
void loky_fixture_wait_running (LokyFuture *future);

/* Blocks until the executor has no task; runs no main context. */
void loky_fixture_wait_idle (LokyExecutor *executor);

/* Blocks until the future has ended, which must be with this error. */
void loky_fixture_assert_fails (LokyFuture *future, GQuark domain, int code);

guint loky_fixture_count_fds (void);
guint loky_fixture_count_children (void);

/* Asserts that no more descriptors are open, or will be in a moment, than @n_fds. */
void loky_fixture_assert_fds (guint n_fds);

/* What takes long is shortened then, and what cannot be seen is skipped. */
gboolean loky_fixture_has_valgrind (void);

/* Where the plugins of the tests are. */
const char *loky_fixture_get_plugin_folder (void);

G_END_DECLS
