/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders that leave a worker's process other than they found it, for the tasks that come after. */

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault-private.h"

#define N_THREADS 8

static GVariant *
obey_cwd (LokyTaskContext *context, const char *argument, GError **error)
{
  return g_variant_new_take_string (g_get_current_dir ());
}

static void
nothing (int number)
{
}

/* All at once: what is not undone after the task must at least not be in the way. */
static GVariant *
obey_spoil (LokyTaskContext *context, const char *argument, GError **error)
{
  struct rlimit none = { 0, 0 };
  sigset_t all;

  umask (0777);
  setlocale (LC_ALL, "C");
  sigfillset (&all);
  sigprocmask (SIG_BLOCK, &all, NULL);
  setrlimit (RLIMIT_FSIZE, &none);
  setrlimit (RLIMIT_CORE, &none);
  setpriority (PRIO_PROCESS, 0, 5);
  clearenv ();
  signal (SIGCHLD, SIG_IGN);
  signal (SIGSEGV, nothing);
  signal (SIGTERM, SIG_IGN);
  signal (SIGPIPE, SIG_DFL);
  if (chdir ("/") != 0)
    return NULL;
  return fault_ok ();
}

/* Whether signals are blocked, and which main context is the default one. */
static GVariant *
obey_look (LokyTaskContext *context, const char *argument, GError **error)
{
  sigset_t mask;

  sigprocmask (SIG_BLOCK, NULL, &mask);
  return g_variant_new_take_string (
      g_strdup_printf ("term=%d context=%d", sigismember (&mask, SIGTERM),
                       g_main_context_get_thread_default () != NULL));
}

static GVariant *
obey_push_context (LokyTaskContext *context, const char *argument, GError **error)
{
  g_autoptr (GMainContext) own = g_main_context_new ();

  g_main_context_push_thread_default (own);
  g_main_context_push_thread_default (own);
  return fault_ok ();
}

static gboolean
again_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

static GVariant *
obey_leave_source (LokyTaskContext *context, const char *argument, GError **error)
{
  g_idle_add (again_cb, NULL);
  return fault_ok ();
}

static GVariant *
obey_no_files (LokyTaskContext *context, const char *argument, GError **error)
{
  struct rlimit none = { 0, 0 };

  setrlimit (RLIMIT_NOFILE, &none);
  return fault_ok ();
}

static void *
run_thread (void *unused)
{
  for (;;)
    pause ();
  return NULL;
}

static GVariant *
obey_threads (LokyTaskContext *context, const char *argument, GError **error)
{
  for (guint i = 0; i < N_THREADS; i++)
    {
      pthread_t thread;

      if (pthread_create (&thread, NULL, run_thread, NULL) != 0)
        return NULL;
      pthread_detach (thread);
    }
  return fault_ok ();
}

/* The ways of a daemon: two forks, a session, no descriptors. Returns its pid. */
static GVariant *
obey_daemonize (LokyTaskContext *context, const char *argument, GError **error)
{
  int ends[2];
  int pid = 0;

  if (pipe (ends) != 0)
    return NULL;
  if (fork () == 0)
    {
      setsid ();
      if (fork () != 0)
        _exit (0);
      pid = getpid ();
      if (write (ends[1], &pid, sizeof pid) != sizeof pid)
        _exit (1);
      for (int fd = 0; fd < 1024; fd++)
        close (fd);
      for (;;)
        pause ();
    }
  if (read (ends[0], &pid, sizeof pid) != sizeof pid)
    pid = 0;
  close (ends[0]);
  close (ends[1]);
  return g_variant_new_take_string (g_strdup_printf ("%d", pid));
}

/* Something else over each descriptor, the channel's too. */
static GVariant *
obey_dup_fds (LokyTaskContext *context, const char *argument, GError **error)
{
  int null_fd = open ("/dev/null", O_RDWR);

  for (int fd = 0; fd < 64; fd++)
    if (fd != null_fd)
      dup2 (null_fd, fd);
  return fault_ok ();
}

/* By sockets that nobody else has, as the channel is one. */
static GVariant *
obey_socket_fds (LokyTaskContext *context, const char *argument, GError **error)
{
  int ends[2];

  if (socketpair (AF_UNIX, SOCK_STREAM, 0, ends) == 0)
    for (int fd = 3; fd < 64; fd++)
      if (fd != ends[0] && fd != ends[1])
        dup2 (ends[0], fd);
  return fault_ok ();
}

/* A grandchild of the application, then nothing but noise, deaf to all that can be ignored. */
static GVariant *
obey_fork_spin (LokyTaskContext *context, const char *argument, GError **error)
{
  volatile guint64 counter = 0;
  pid_t child = fork ();
  sigset_t all;

  sigfillset (&all);
  sigprocmask (SIG_BLOCK, &all, NULL);
  if (child != 0)
    loky_task_context_set_progress (context, 1);
  for (;;)
    counter++;
  return NULL;
}

static void
kill_at_exit (void *unused)
{
  abort ();
}

/* Ends the process when its result is freed: after that was sent. */
static GVariant *
obey_late_crash (LokyTaskContext *context, const char *argument, GError **error)
{
  return g_variant_new_from_data (G_VARIANT_TYPE_STRING, "ok", 3, TRUE, kill_at_exit, NULL);
}

static void
free_and_abort (void *data)
{
  abort ();
}

/* The same with that many KiB, which travel another way. */
static GVariant *
obey_late_crash_large (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 size;
  char *text;

  if (!fault_parse_number (argument, &size, error))
    return NULL;
  text = g_strnfill (size * 1024, 'x');
  return g_variant_new_from_data (G_VARIANT_TYPE_STRING, text, size * 1024 + 1, TRUE, free_and_abort, text);
}

/* Ends the process when it exits in order. */
static GVariant *
obey_crash_at_exit (LokyTaskContext *context, const char *argument, GError **error)
{
  atexit (abort);
  return fault_ok ();
}

G_NORETURN static void
pause_for_ever (void)
{
  for (;;)
    pause ();
}

static GVariant *
obey_hang_at_exit (LokyTaskContext *context, const char *argument, GError **error)
{
  atexit (pause_for_ever);
  return fault_ok ();
}

/* Kills another process: a worker, mostly. */
static GVariant *
obey_kill_pid (LokyTaskContext *context, const char *argument, GError **error)
{
  guint64 pid;

  if (!fault_parse_number (argument, &pid, error))
    return NULL;
  kill ((pid_t) pid, SIGKILL);
  return fault_ok ();
}

const FaultOrder fault_surroundings_orders[] = {
  { "cwd", obey_cwd },
  { "spoil", obey_spoil },
  { "look", obey_look },
  { "push-context", obey_push_context },
  { "leave-source", obey_leave_source },
  { "no-files", obey_no_files },
  { "threads", obey_threads },
  { "daemonize", obey_daemonize },
  { "dup-fds", obey_dup_fds },
  { "socket-fds", obey_socket_fds },
  { "late-crash", obey_late_crash },
  { "late-crash-large", obey_late_crash_large },
  { "crash-at-exit", obey_crash_at_exit },
  { "hang-at-exit", obey_hang_at_exit },
  { "fork-spin", obey_fork_spin },
  { "kill-pid", obey_kill_pid },
  { NULL },
};
