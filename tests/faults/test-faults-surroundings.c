/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rows 25 to 28: what surrounds the application, and how it treats its own objects. What would spoil this
 * process is done in one of its own: this program again, as `test-faults-surroundings scene NAME`. */

#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- scenes: each returns an exit status -------------------------------------------------------- */

#define REQUIRE(condition)                                                                         \
  G_STMT_START                                                                                     \
  {                                                                                                \
    if (!(condition))                                                                              \
      return __LINE__ % 200 + 10;                                                                  \
  }                                                                                                \
  G_STMT_END

static GError *
call (LokyExecutor *executor, const char *order)
{
  GError *error = NULL;
  g_autoptr (GVariant) result G_GNUC_UNUSED = loky_executor_call_sync (
      executor, "fault.obey", g_variant_new_string (order), NULL, NULL, &error);

  return error;
}

/* Tasks, a crash with its signal told, an end without anything left. */
static int
use_it_all (gboolean status_is_known)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 2, NULL);
  g_autoptr (GError) ok = call (executor, "ok");
  g_autoptr (GError) killed = call (executor, "kill");
  g_autoptr (GError) crashed = call (executor, "segv");
  g_autoptr (GError) exited = call (executor, "exit:3");
  g_autoptr (GError) output = call (executor, "print:2000");
  g_autoptr (GError) again = call (executor, "ok");

  REQUIRE (ok == NULL);
  REQUIRE (g_error_matches (killed, LOKY_ERROR, LOKY_ERROR_WORKER_DIED));
  REQUIRE (strstr (killed->message, "SIGKILL") != NULL || !status_is_known);
  /* Never what it was not. */
  REQUIRE (strstr (killed->message, "status 0") == NULL);
  REQUIRE (g_error_matches (crashed, LOKY_ERROR, LOKY_ERROR_WORKER_DIED));
  REQUIRE (strstr (crashed->message, "SIGSEGV") != NULL);
  REQUIRE (g_error_matches (exited, LOKY_ERROR, LOKY_ERROR_WORKER_DIED));
  REQUIRE (strstr (exited->message, "status 3") != NULL);
  REQUIRE (output == NULL);
  REQUIRE (again == NULL);
  REQUIRE (loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL));
  return 0;
}

static int
scene_closed_descriptors (void)
{
  close (0);
  close (1);
  close (2);
  return use_it_all (TRUE);
}

static int
scene_signals_ignored (void)
{
  signal (SIGPIPE, SIG_IGN);
  signal (SIGCHLD, SIG_IGN);
  return use_it_all (FALSE);
}

static int
scene_signals_default (void)
{
  signal (SIGPIPE, SIG_DFL);
  signal (SIGCHLD, SIG_DFL);
  return use_it_all (TRUE);
}

static int
scene_signals_blocked (void)
{
  sigset_t all;

  sigfillset (&all);
  sigprocmask (SIG_BLOCK, &all, NULL);
  return use_it_all (TRUE);
}

static gpointer
reap_all (gpointer unused)
{
  for (;;)
    {
      if (waitpid (-1, NULL, 0) < 0)
        g_usleep (100);
    }
  return NULL;
}

static int
scene_waitpid_by_the_application (void)
{
  g_thread_unref (g_thread_new ("reaper", reap_all, NULL));
  return use_it_all (FALSE);
}

/* A pipe that is full and that nobody reads. */
static int
scene_paused_pager (void)
{
  char block[4096] = { 0 };
  int ends[2];

  REQUIRE (pipe (ends) == 0);
  REQUIRE (fcntl (ends[1], F_SETFL, O_NONBLOCK) == 0);
  while (write (ends[1], block, sizeof block) > 0)
    ;
  REQUIRE (fcntl (ends[1], F_SETFL, 0) == 0);
  dup2 (ends[1], STDERR_FILENO);
  return use_it_all (TRUE);
}

static int
scene_closed_pager (void)
{
  int ends[2];

  REQUIRE (pipe (ends) == 0);
  dup2 (ends[1], STDERR_FILENO);
  close (ends[0]);
  close (ends[1]);
  return use_it_all (TRUE);
}

static int
scene_ctrl_c (void)
{
  g_autoptr (LokyExecutor) executor = NULL;
  g_autoptr (LokyFuture) running = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  setpgid (0, 0);
  signal (SIGINT, SIG_IGN);
  executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  before = loky_fixture_call (executor, "fault.obey", "pid");
  running = faults_submit (executor, "sleep:200", NULL);
  loky_fixture_wait_running (running);
  kill (0, SIGINT);
  error = faults_end_of (running);
  REQUIRE (error == NULL);
  kill (0, SIGINT);
  after = loky_fixture_call (executor, "fault.obey", "pid");
  REQUIRE (g_str_equal (before, after));
  REQUIRE (loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL));
  return 0;
}

/* --- what the system refuses ---------------------------------------------------------------------- */

/* The system call @number is refused with @code from now on, in all threads that are started. */
static gboolean
refuse (int number, int code)
{
  struct sock_filter filter[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (unsigned int) number, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int) code),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { G_N_ELEMENTS (filter), filter };

  prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall (SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

/* Every future ends by an error of ours, the executor can be shut down, and what was refused does not run
 * later. */
static int
expect_refusal (LokyExecutor *executor)
{
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LokyFuture) future = loky_executor_submit (
          executor, "fault.obey", g_variant_new_string ("ok"), NULL, &error);

      if (future != NULL)
        error = faults_end_of (future);
      REQUIRE (error != NULL && error->domain == LOKY_ERROR);
      if (i == 0)
        g_printerr ("# %s\n", error->message);
      REQUIRE (error->code == LOKY_ERROR_RESOURCES || error->code == LOKY_ERROR_WORKER_START ||
               error->code == LOKY_ERROR_BROKEN);
    }
  REQUIRE (loky_executor_get_n_pending (executor) == 0);
  REQUIRE (loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL));
  return 0;
}

static int
refuse_from_the_start (int number, int code)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 2, NULL);

  REQUIRE (refuse (number, code));
  return expect_refusal (executor);
}

/* With the pool's thread there and a worker that was lost. */
static int
refuse_later (int number, int code)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (GError) ok = call (executor, "ok");
  g_autoptr (GError) death = NULL;

  REQUIRE (ok == NULL);
  REQUIRE (refuse (number, code));
  death = call (executor, "kill");
  REQUIRE (g_error_matches (death, LOKY_ERROR, LOKY_ERROR_WORKER_DIED));
  return expect_refusal (executor);
}

static int
scene_no_threads (void)
{
  REQUIRE (refuse (SYS_clone3, ENOSYS));
  return refuse_from_the_start (SYS_clone, EAGAIN);
}

static int
scene_no_processes_later (void)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (GError) ok = call (executor, "ok");
  g_autoptr (GError) death = NULL;

  REQUIRE (ok == NULL);
  REQUIRE (refuse (SYS_clone3, ENOSYS));
  REQUIRE (refuse (SYS_clone, EAGAIN));
  REQUIRE (refuse (SYS_vfork, EAGAIN));
  REQUIRE (refuse (SYS_fork, EAGAIN));
  death = call (executor, "kill");
  REQUIRE (g_error_matches (death, LOKY_ERROR, LOKY_ERROR_WORKER_DIED));
  /* There is one that may fork. */
  if (g_str_equal (loky_get_start_method (), "forkserver"))
    {
      g_autoptr (GError) served = call (executor, "ok");

      REQUIRE (served == NULL);
      REQUIRE (loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL));
      return 0;
    }
  return expect_refusal (executor);
}

static int
scene_no_epoll (void)
{
  return refuse_from_the_start (SYS_epoll_create1, EMFILE);
}

static int
scene_no_pidfd (void)
{
  return refuse_from_the_start (SYS_pidfd_open, ENFILE);
}

static int
scene_no_memfd (void)
{
  return refuse_from_the_start (SYS_memfd_create, ENFILE);
}

static int
scene_no_memfd_later (void)
{
  return refuse_later (SYS_memfd_create, ENOMEM);
}

/* Arguments that need shared memory cannot be sent; those that were submitted before and behind them can. */
static int
scene_no_memfd_for_arguments (void)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (GError) ok = call (executor, "ok");
  g_autofree char *large = g_strnfill (100000, 'x');

  REQUIRE (ok == NULL);
  REQUIRE (refuse (SYS_memfd_create, ENFILE));
  for (guint round = 0; round < 100; round++)
    {
      LokyFuture *futures[5];

      for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
        futures[i] = faults_submit (executor, i == 2 ? large : "ok", NULL);
      for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
        {
          g_autoptr (GError) error = faults_end_of (futures[i]);

          REQUIRE (i == 2 ? g_error_matches (error, LOKY_ERROR, LOKY_ERROR_RESOURCES) : error == NULL);
          g_object_unref (futures[i]);
        }
    }
  REQUIRE (loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL));
  return 0;
}

static int
scene_no_socketpair (void)
{
  return refuse_from_the_start (SYS_socketpair, ENFILE);
}

static int
scene_no_socketpair_later (void)
{
  return refuse_later (SYS_socketpair, EMFILE);
}

static int
scene_no_eventfd (void)
{
  return refuse_from_the_start (SYS_eventfd2, EMFILE);
}

static void
limit_files (rlim_t n_files)
{
  struct rlimit limit = { n_files, n_files };

  setrlimit (RLIMIT_NOFILE, &limit);
}

static int
scene_no_descriptors (void)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 2, NULL);

  limit_files (16);
  return expect_refusal (executor);
}

/* Those that are held in reserve do for one worker after the other. */
static int
scene_no_descriptors_later (void)
{
  g_autoptr (LokyExecutor) executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (GError) before = call (executor, "ok");
  g_autoptr (GError) death = NULL;
  g_autoptr (GError) after = NULL;
  int fd;

  REQUIRE (before == NULL);
  limit_files (200);
  while ((fd = dup (0)) >= 0)
    ;
  death = call (executor, "kill");
  REQUIRE (g_error_matches (death, LOKY_ERROR, LOKY_ERROR_WORKER_DIED));
  after = call (executor, "ok");
  REQUIRE (after == NULL || after->domain == LOKY_ERROR);
  REQUIRE (loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL));
  return 0;
}

/* Root is not limited in its processes. */
static int
scene_no_processes (void)
{
  struct rlimit limit = { 1, 1 };
  g_autoptr (LokyExecutor) executor = NULL;

  REQUIRE (setresgid (65534, 65534, 65534) == 0 && setresuid (65534, 65534, 65534) == 0);
  REQUIRE (setrlimit (RLIMIT_NPROC, &limit) == 0);
  executor = loky_fixture_make_executor ("max-workers", 2, NULL);
  return expect_refusal (executor);
}

static int
mount_over (const char *folder, unsigned long flags)
{
  if (unshare (CLONE_NEWNS) != 0 || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount ("none", folder, "tmpfs", flags, "size=4k") != 0)
    return 77;
  return 0;
}

static int
scene_no_proc (void)
{
  int status = mount_over ("/proc", 0);

  return status != 0 ? status : use_it_all (TRUE);
}

static int
scene_no_shm (void)
{
  int status = mount_over ("/dev/shm", MS_RDONLY);

  return status != 0 ? status : use_it_all (TRUE);
}

static int
scene_read_only_tmp (void)
{
  /* What is in it stays visible: the programs of this very test may be there. */
  if (unshare (CLONE_NEWNS) != 0 || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount ("/tmp", "/tmp", NULL, MS_BIND | MS_REC, NULL) != 0 ||
      mount (NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
    return 77;
  REQUIRE (open ("/tmp/loky-faults-file", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
  return use_it_all (TRUE);
}

static const struct
{
  const char *name;
  int (*func) (void);
} scenes[] = {
  { "25/closed-descriptors", scene_closed_descriptors },
  { "25/signals-ignored", scene_signals_ignored },
  { "25/signals-default", scene_signals_default },
  { "25/signals-blocked", scene_signals_blocked },
  { "25/waitpid-by-the-application", scene_waitpid_by_the_application },
  { "25/paused-pager", scene_paused_pager },
  { "25/closed-pager", scene_closed_pager },
  { "25/ctrl-c", scene_ctrl_c },
  { "26/no-threads", scene_no_threads },
  { "26/no-processes-later", scene_no_processes_later },
  { "26/no-epoll", scene_no_epoll },
  { "26/no-pidfd", scene_no_pidfd },
  { "26/no-memfd", scene_no_memfd },
  { "26/no-memfd-later", scene_no_memfd_later },
  { "26/no-memfd-for-arguments", scene_no_memfd_for_arguments },
  { "26/no-socketpair", scene_no_socketpair },
  { "26/no-socketpair-later", scene_no_socketpair_later },
  { "26/no-eventfd", scene_no_eventfd },
  { "26/no-descriptors", scene_no_descriptors },
  { "26/no-descriptors-later", scene_no_descriptors_later },
  { "26/no-processes", scene_no_processes },
  { "26/no-proc", scene_no_proc },
  { "26/no-shm", scene_no_shm },
  { "26/read-only-tmp", scene_read_only_tmp },
};

static int
play (const char *name)
{
  alarm (120);
  for (gsize i = 0; i < G_N_ELEMENTS (scenes); i++)
    if (g_str_equal (scenes[i].name, name))
      return scenes[i].func ();
  return 2;
}

static char *program;

static void
run_scene (gconstpointer data)
{
  const char *name = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) process = NULL;

  if (getuid () != 0 && g_str_has_prefix (name, "26/"))
    {
      g_test_skip ("only root can take away what this takes away");
      return;
    }
  if (LOKY_HAS_SANITIZER && (g_str_has_suffix (name, "no-proc") || strstr (name, "no-processes") != NULL ||
                             g_str_has_suffix (name, "no-threads")))
    {
      g_test_skip ("a sanitizer needs /proc and threads of its own");
      return;
    }
  process = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, program, "scene", name, NULL);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_wait (process, NULL, &error));
  if (g_subprocess_get_if_exited (process) && g_subprocess_get_exit_status (process) == 77)
    {
      g_test_skip ("this container does not allow to mount");
      return;
    }
  g_test_message ("status %d", g_subprocess_get_status (process));
  g_assert_cmpint (g_subprocess_get_status (process), ==, 0);
}

/* --- 27: the last reference ----------------------------------------------------------------------- */

static void
dropped_with_work_it_ends_that (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (LokyFuture) running = faults_submit (executor, "sleep:50", NULL);
  g_autoptr (LokyFuture) queued = faults_submit (executor, "ok", NULL);
  g_autoptr (GError) first = NULL;
  g_autoptr (GError) second = NULL;

  loky_fixture_wait_running (running);
  g_object_unref (executor);
  first = faults_end_of (running);
  second = faults_end_of (queued);
  g_assert_no_error (first);
  g_assert_no_error (second);
}

typedef struct
{
  LokyExecutor *executor;
  gboolean is_done;
} Owner;

static void
drop_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Owner *owner = user_data;

  g_clear_object (&owner->executor);
  owner->is_done = TRUE;
}

static void
drop_done_cb (LokyFuture *future, gpointer user_data)
{
  drop_cb (NULL, NULL, user_data);
}

static gboolean
is_done (gpointer data)
{
  return ((Owner *) data)->is_done;
}

static gpointer
drop_in_thread (gpointer user_data)
{
  drop_cb (NULL, NULL, user_data);
  return NULL;
}

static void
dropped_from_anywhere_it_is_sound (LokyFixture *fixture, gconstpointer data)
{
  for (guint way = 0; way < 3; way++)
    {
      Owner owner = { loky_fixture_make_executor ("max-workers", 1, NULL), FALSE };
      g_autoptr (LokyFuture) future = NULL;
      g_autoptr (LokyFuture) behind = NULL;
      g_autoptr (GError) error = NULL;

      if (way == 0)
        loky_executor_call_async (owner.executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL,
                                  drop_cb, &owner);
      else
        future = faults_submit (owner.executor, "sleep:20", NULL);
      behind = faults_submit (owner.executor, "ok", NULL);
      if (way == 1)
        g_signal_connect (future, "done", G_CALLBACK (drop_done_cb), &owner);
      if (way == 2)
        g_thread_join (g_thread_new ("dropper", drop_in_thread, &owner));
      loky_fixture_wait_for (is_done, &owner);
      error = faults_end_of (behind);
      g_assert_no_error (error);
    }
}

/* --- 28: the main context ------------------------------------------------------------------------- */

static void
context_that_is_never_iterated_is_of_no_harm (LokyFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 50; i++)
    {
      GMainContext *context = g_main_context_new ();
      LokyExecutor *executor;
      g_autoptr (LokyFuture) early = NULL;
      g_autoptr (LokyFuture) late = NULL;

      g_main_context_push_thread_default (context);
      executor = loky_fixture_make_executor ("max-workers", 1, NULL);
      early = faults_submit (executor, "ok", NULL);
      if (i % 2 == 0)
        g_assert_true (loky_future_wait (early, -1, NULL, NULL));
      late = faults_submit (executor, "ok", NULL);
      g_main_context_pop_thread_default (context);
      /* Freed before the future ends. */
      g_main_context_unref (context);
      g_assert_true (loky_future_wait (late, -1, NULL, NULL));
      loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
    }
}

static void
count_cb (LokyFuture *future, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static gboolean
has_counted (gpointer data)
{
  return *(guint *) data == 20;
}

static void
context_that_is_iterated_late_misses_nothing (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  guint count = 0;

  for (guint i = 0; i < 20; i++)
    {
      LokyFuture *future = faults_submit (fixture->executor, "ok", NULL);

      g_signal_connect (future, "done", G_CALLBACK (count_cb), &count);
      g_ptr_array_add (futures, future);
    }
  for (guint i = 0; i < 20; i++)
    g_assert_true (loky_future_wait (g_ptr_array_index (futures, i), -1, NULL, NULL));
  g_assert_cmpuint (count, ==, 0);
  loky_fixture_wait_for (has_counted, &count);
}

int
main (int argc, char *argv[])
{
  loky_init (&argc, &argv);
  if (argc == 3 && strcmp (argv[1], "scene") == 0)
    return play (argv[2]);
  program = g_file_read_link ("/proc/self/exe", NULL);
  loky_fixture_init (&argc, &argv);
  for (gsize i = 0; i < G_N_ELEMENTS (scenes); i++)
    {
      g_autofree char *path = g_strconcat ("/loky/faults/", scenes[i].name, NULL);

      g_test_add_data_func (path, scenes[i].name, run_scene);
    }
  FAULTS_ADD ("27/dropped-with-work-it-ends-that", dropped_with_work_it_ends_that);
  FAULTS_ADD ("27/dropped-from-anywhere-it-is-sound", dropped_from_anywhere_it_is_sound);
  FAULTS_ADD ("28/context-that-is-never-iterated-is-of-no-harm",
              context_that_is_never_iterated_is_of_no_harm);
  FAULTS_ADD ("28/context-that-is-iterated-late-misses-nothing",
              context_that_is_iterated_late_misses_nothing);
  return g_test_run ();
}
