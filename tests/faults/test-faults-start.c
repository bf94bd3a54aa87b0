/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Worker programs that do not come to serve: row 17 of docs/faults.md. */

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostile.h"

/* How many starts in a row may fail before an executor gives up. */
#define MAX_FAILED_STARTS 5

typedef struct
{
  char *folder;
  char *program;
} Program;

/* A program with this content, or a copy of another. */
static void
program_init (Program *self, const char *contents, gssize size, int mode)
{
  self->folder = g_dir_make_tmp ("loky-faults-XXXXXX", NULL);
  g_assert_nonnull (self->folder);
  g_assert_cmpint (chmod (self->folder, 0755), ==, 0);
  self->program = g_build_filename (self->folder, "program", NULL);
  g_assert_true (g_file_set_contents_full (self->program, contents, size, G_FILE_SET_CONTENTS_NONE, mode,
                                           NULL));
  g_assert_cmpint (chmod (self->program, (mode_t) mode), ==, 0);
}

static void
program_clear (Program *self)
{
  g_unlink (self->program);
  g_rmdir (self->folder);
  g_free (self->program);
  g_free (self->folder);
}

/* All that was submitted ends with the cause, nothing is accepted any more, and that says why too. */
static void
assert_broken (HostileFixture *fixture, LokyExecutor *executor, const char *text)
{
  LokyFuture *first = hostile_submit (fixture, executor, "good", NULL);
  LokyFuture *second = hostile_submit (fixture, executor, "good", NULL);
  g_autoptr (LokyFuture) refused = NULL;
  g_autoptr (GError) error = NULL;

  hostile_assert_error (first, LOKY_ERROR, LOKY_ERROR_BROKEN, text);
  hostile_assert_error (second, LOKY_ERROR, LOKY_ERROR_BROKEN, text);
  g_assert_cmpuint (loky_future_get_attempts (first), ==, 0);
  g_assert_cmpint (loky_executor_get_state (executor), ==, LOKY_EXECUTOR_STATE_BROKEN);
  refused = loky_executor_submit (executor, "hostile.obey", g_variant_new_string ("good"), NULL, &error);
  g_assert_null (refused);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BROKEN);
  g_assert_nonnull (strstr (error->message, text));
  g_assert_null (strstr (error->message, "unknown"));
  /* What a worker says is bounded: 64 KiB, and what the others say of it. */
  g_assert_cmpuint (strlen (error->message), <, 70 * 1024);
  /* One more start may be on its way. */
  while (loky_executor_get_n_workers (executor) > 0)
    g_usleep (100);
  hostile_settle (fixture);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
assert_program_breaks (HostileFixture *fixture,
                       const char *program,
                       const char *const *environment,
                       const char *text)
{
  assert_broken (fixture,
                 loky_fixture_make_executor ("max-workers", 2, "worker-path", program, "environment",
                                             environment, NULL),
                 text);
}

/* --- the file --------------------------------------------------------------------------------- */

static void
missing (HostileFixture *fixture, gconstpointer data)
{
  assert_program_breaks (fixture, "/nonexistent/worker", NULL, g_strerror (ENOENT));
  assert_program_breaks (fixture, "/nonexistent/worker", NULL, "/nonexistent/worker");
}

static void
missing_for_a_warm_up (HostileFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyExecutor) executor
      = loky_fixture_make_executor ("max-workers", 2, "worker-path", "/nonexistent/worker", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (loky_executor_warm_up_sync (executor, 2, NULL, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BROKEN);
  g_assert_nonnull (strstr (error->message, "/nonexistent/worker"));
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
}

static void
not_executable (HostileFixture *fixture, gconstpointer data)
{
  Program program;

  program_init (&program, "#!/bin/sh\n", -1, 0644);
  assert_program_breaks (fixture, program.program, NULL, g_strerror (EACCES));
  assert_program_breaks (fixture, program.program, NULL, program.program);
  program_clear (&program);
}

/* Under valgrind a posix_spawn() has done well though its execve() fails. */
static const char *
text_of_exec (const char *text)
{
  return loky_fixture_has_valgrind () ? "Workers end before they serve" : text;
}

/* GLib gives to a shell what the kernel does not know. */
static void
no_program (HostileFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *contents;
    gssize size;
    const char *text;
  } cases[] = {
    { "no-interpreter-no-program\n", -1, "no-interpreter-no-program" },
    /* A status of 0 may be one that was lost. */
    { "", 0, "Workers end before they serve" },
    { "\x7f" "ELF\x02\x01\x01 and nothing behind it", -1, "Workers end before they serve" },
    { "#!/nonexistent/interpreter\n", -1, "No such file" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Program program;

      program_init (&program, cases[i].contents, cases[i].size, 0755);
      assert_program_breaks (fixture, program.program, NULL, text_of_exec (cases[i].text));
      program_clear (&program);
    }
}

static void
a_folder (HostileFixture *fixture, gconstpointer data)
{
  assert_program_breaks (fixture, "/tmp", NULL, text_of_exec (g_strerror (EACCES)));
}

/* Appears when it was missed once. */
static void
missing_at_first (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor;
  LokyFuture *future;
  Program program;

  program_init (&program, "", 0, 0755);
  g_assert_cmpint (g_unlink (program.program), ==, 0);
  executor = loky_fixture_make_executor ("max-workers", 1, "worker-path", program.program, "environment",
                                         fixture->environment, NULL);
  future = hostile_submit (fixture, executor, "good", NULL);
  /* Four pauses of 10 ms and more come before the executor is broken. */
  g_assert_cmpint (symlink (hostile_get_program (), program.program), ==, 0);
  hostile_assert_result (future, "good");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  program_clear (&program);
}

/* --- its end before it serves ------------------------------------------------------------------ */

static void
replace_all (char *bytes, gsize size, const char *old, const char *new)
{
  gsize length = strlen (old);
  guint n = 0;
  char *found;

  g_assert_cmpuint (length, ==, strlen (new));
  for (char *at = bytes; (found = memmem (at, size - (gsize) (at - bytes), old, length)) != NULL;
       at = found + length, n++)
    memcpy (found, new, length);
  g_assert_cmpuint (n, >, 0);
}

/* A worker program, with one name changed that the dynamic linker looks for. */
static void
assert_unlinkable (HostileFixture *fixture, const char *old, const char *new, const char *variable)
{
  const char *const environment[] = { "LD_BIND_NOW=1", fixture->environment[0], NULL };
  g_autofree char *bytes = NULL;
  Program program;
  gsize size;

  g_assert_true (g_file_get_contents (hostile_get_program (), &bytes, &size, NULL));
  replace_all (bytes, size, old, new);
  program_init (&program, bytes, (gssize) size, 0755);
  assert_program_breaks (fixture, program.program, environment, "exited with status 127");
  assert_program_breaks (fixture, program.program, environment, new);
  program_clear (&program);
}

static void
library_missing (HostileFixture *fixture, gconstpointer data)
{
  assert_unlinkable (fixture, "libglib-2.0.so", "libgone-2.0.so", NULL);
}

static void
symbol_missing (HostileFixture *fixture, gconstpointer data)
{
  assert_unlinkable (fixture, "g_compute_checksum_for_string", "g_compute_checksum_for_nobody", NULL);
}

static void
other_program (HostileFixture *fixture, gconstpointer data)
{
  assert_program_breaks (fixture, "/bin/true", NULL, "Workers end before they serve");
  assert_program_breaks (fixture, "/bin/true", NULL, "/bin/true");
  assert_program_breaks (fixture, "/bin/false", NULL, "exited with status 1");
}

/* A start order, and what the error says. */
static void
assert_order_breaks (HostileFixture *fixture, const char *order, const char *text)
{
  hostile_order (fixture, G_MAXINT, order);
  assert_broken (fixture, hostile_make_executor (fixture, "max-workers", 2), text);
}

static void
exits (HostileFixture *fixture, gconstpointer data)
{
  assert_order_breaks (fixture, "exit:42", "exited with status 42");
  assert_order_breaks (fixture, "exit:42", "the last words of a worker");
}

static void
killed (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2);

  hostile_order_kill (fixture, G_MAXINT, 0, -1);
  assert_broken (fixture, executor, "SIGKILL");
}

/* --- another version --------------------------------------------------------------------------- */

static void
wrong_version (HostileFixture *fixture, gconstpointer data)
{
  assert_order_breaks (fixture, "version", "is of version 0.0.1, the library of version " LOKY_VERSION_S);
}

static void
other_protocol (HostileFixture *fixture, gconstpointer data)
{
  assert_order_breaks (fixture, "frame-version", "protocol version");
  assert_order_breaks (fixture, "junk", "A frame begins with");
}

/* --- what is no hello -------------------------------------------------------------------------- */

static void
wrong_first_words (HostileFixture *fixture, gconstpointer data)
{
  assert_order_breaks (fixture, "result", "a task that it does not have");
  assert_order_breaks (fixture, "goodbye", "left untold");
}

/* It was ready between the two: no task was begun, none is lost. */
static void
hello_twice_at_once (HostileFixture *fixture, gconstpointer data)
{
  hostile_order (fixture, 5, "hello-twice");
  hostile_assert_serves (fixture, fixture->base.executor, 3);
}

/* Every worker, when it is ready and before it begins a task. */
static void
ends_after_hello (HostileFixture *fixture, gconstpointer data)
{
  assert_order_breaks (fixture, "hello-twice", "hello twice");
}

static void
start_failed_texts (HostileFixture *fixture, gconstpointer data)
{
  assert_order_breaks (fixture, "failed:for a reason", "for a reason");
  assert_order_breaks (fixture, "failed:odd", "odd\n\t\033[31m“text”%s%n");
  assert_order_breaks (fixture, "failed:long", "ffffffffffff");
  assert_order_breaks (fixture, "failed:", "did not say why");
  assert_order_breaks (fixture, "failed:not-utf8", "is not what its type says");
}

static void
never_says_hello (HostileFixture *fixture, gconstpointer data)
{
  hostile_order (fixture, G_MAXINT, "silent");
  assert_broken (fixture,
                 hostile_make_executor (fixture, "max-workers", 2, "start-timeout", G_GINT64_CONSTANT (100)),
                 "said nothing within 0.1 s");
}

/* The start timeout is not waited for at a shutdown. */
static void
never_says_hello_at_a_shutdown (HostileFixture *fixture, gconstpointer data)
{
  static const LokyShutdownMode modes[] = { LOKY_SHUTDOWN_KILL, LOKY_SHUTDOWN_CANCEL_PENDING };

  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2);
      LokyFuture *future;

      g_atomic_int_set (&fixture->board->n_started, 0);
      hostile_order (fixture, G_MAXINT, "silent");
      future = hostile_submit (fixture, executor, "good", NULL);
      while (g_atomic_int_get (&fixture->board->n_started) == 0)
        g_usleep (100);
      loky_fixture_end_executor (executor, modes[i]);
      g_assert_true (loky_future_is_done (future));
      g_assert_cmpuint (loky_future_get_attempts (future), ==, 0);
    }
}

/* --- some of them ------------------------------------------------------------------------------ */

/* Fewer in a row than break an executor: the tasks wait for the one that serves. */
static void
some_failures_are_survived (HostileFixture *fixture, gconstpointer data)
{
  static const char *const orders[] = { "exit:1", "version", "junk", "failed:x", "goodbye" };

  for (gsize i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 1);

      hostile_order (fixture, MAX_FAILED_STARTS - 1, orders[i]);
      hostile_assert_serves (fixture, executor, 3);
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
      hostile_settle (fixture);
    }
}

/* No other worker can be started; the one that serves goes on. */
static void
one_that_serves_is_enough (HostileFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = hostile_make_executor (fixture, "max-workers", 2);
  LokyFuture *held;

  hostile_assert_serves (fixture, executor, 1);
  hostile_order (fixture, G_MAXINT, "exit:1");
  g_atomic_int_set (&fixture->board->n_started, 0);
  held = hostile_submit (fixture, executor, "hold", NULL);
  hostile_submit (fixture, executor, "good", NULL);
  while (g_atomic_int_get (&fixture->board->n_started) < MAX_FAILED_STARTS + 1)
    g_usleep (1000);
  g_assert_cmpint (loky_executor_get_state (executor), ==, LOKY_EXECUTOR_STATE_OPEN);
  g_atomic_int_set (&fixture->board->go_on, TRUE);
  hostile_assert_result (held, "hold");
  hostile_assert_serves (fixture, executor, 10);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);
  HOSTILE_ADD ("/loky/faults/17/missing", missing);
  HOSTILE_ADD ("/loky/faults/17/missing-for-a-warm-up", missing_for_a_warm_up);
  HOSTILE_ADD ("/loky/faults/17/missing-at-first", missing_at_first);
  HOSTILE_ADD ("/loky/faults/17/not-executable", not_executable);
  HOSTILE_ADD ("/loky/faults/17/no-program", no_program);
  HOSTILE_ADD ("/loky/faults/17/a-folder", a_folder);
  HOSTILE_ADD ("/loky/faults/17/library-missing", library_missing);
  HOSTILE_ADD ("/loky/faults/17/symbol-missing", symbol_missing);
  HOSTILE_ADD ("/loky/faults/17/other-program", other_program);
  HOSTILE_ADD ("/loky/faults/17/exits", exits);
  HOSTILE_ADD ("/loky/faults/17/killed", killed);
  HOSTILE_ADD ("/loky/faults/17/wrong-version", wrong_version);
  HOSTILE_ADD ("/loky/faults/17/other-protocol", other_protocol);
  HOSTILE_ADD ("/loky/faults/17/wrong-first-words", wrong_first_words);
  HOSTILE_ADD ("/loky/faults/17/hello-twice-at-once", hello_twice_at_once);
  HOSTILE_ADD ("/loky/faults/17/ends-after-hello", ends_after_hello);
  HOSTILE_ADD ("/loky/faults/17/start-failed-texts", start_failed_texts);
  HOSTILE_ADD ("/loky/faults/17/never-says-hello", never_says_hello);
  HOSTILE_ADD ("/loky/faults/17/never-says-hello-at-a-shutdown", never_says_hello_at_a_shutdown);
  HOSTILE_ADD ("/loky/faults/17/some-failures-are-survived", some_failures_are_survived);
  HOSTILE_ADD ("/loky/faults/17/one-that-serves-is-enough", one_that_serves_is_enough);
  return g_test_run ();
}
