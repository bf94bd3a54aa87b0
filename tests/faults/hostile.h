/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The fixture of the tests with hostile workers: the one of all tests, with a board that the workers read
 * their orders from, and an account of all futures. Its end asserts that each future has ended and was
 * announced exactly once, and that no memory of the library is mapped any more. */

#include "../fixture.h"
#include "hostile-board.h"

G_BEGIN_DECLS

typedef struct
{
  LokyFixture base; /* its executor has two hostile workers at the most */
  HostileBoard *board;
  int board_fd;
  int listener;
  char *environment[2];
  GPtrArray *accounts;
} HostileFixture;

const char *hostile_get_program (void);

void hostile_set_up (HostileFixture *fixture, gconstpointer data);
void hostile_tear_down (HostileFixture *fixture, gconstpointer data);

#define HOSTILE_ADD(path, func)                                                                    \
  g_test_add (path, HostileFixture, NULL, hostile_set_up, func, hostile_tear_down)

/* An executor of hostile workers; "name", value, … follow. */
#define hostile_make_executor(fixture, ...)                                                        \
  loky_fixture_make_executor ("worker-path", hostile_get_program (), "environment",                \
                              (fixture)->environment, __VA_ARGS__, NULL)

/* The next @n workers obey. */
void hostile_order (HostileFixture *fixture, guint n, const char *start_order);
void hostile_order_kill (HostileFixture *fixture, guint n, int kill_sent, int kill_read);

/* The future is kept, and its end accounted for; it is borrowed. */
LokyFuture *hostile_submit (HostileFixture *fixture,
                            LokyExecutor *executor,
                            const char *order,
                            LokyTaskOptions *options);

/* Waits for all futures, asserts that each ended and was announced once, and forgets them. */
void hostile_settle (HostileFixture *fixture);

/* Blocks until so many tasks hold. */
void hostile_wait_holding (HostileFixture *fixture, gint n);

void hostile_assert_result (LokyFuture *future, const char *text);

/* It ended with this error, whose message holds @text. */
void hostile_assert_error (LokyFuture *future, GQuark domain, int code, const char *text);

/* The executor serves, with so many workers. */
void hostile_assert_serves (HostileFixture *fixture, LokyExecutor *executor, guint n_tasks);

G_END_DECLS
