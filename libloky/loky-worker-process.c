/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-process-private.h"

#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loky-descendants-private.h"
#include "loky-environment-private.h"
#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-fork-server-private.h"
#include "loky-util-private.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1u << 2)
#endif
/* PF_EXITING of the kernel, among the flags that proc(5) tells. */
#define PROCESS_IS_EXITING 0x4u

/* How much of a worker's output is kept for the error message, in bytes. */
#define TAIL_SIZE 4096

/* How long to wait for GLib's thread to reap, which it does at once unless it is kept from it, in ms. */
#define STATUS_TIMEOUT 5000

/* How many times that long once it has reaped, and only has to tell: what it tells after the monitor has ended would stay
 * in the monitor's context for good, with its descriptor. On a busy machine it was kept from it for more than one. */
#define N_STATUS_TIMEOUTS 6

/* The same for a process that is not our child, whose parent reaps at once; in ms. */
#define PARENT_TIMEOUT 1000

struct _LokyWorkerProcess
{
  GSubprocess *subprocess; /* NULL: not our child */
  gboolean is_awaited;
  gboolean is_killed;  /* while it was awaited */
  gboolean is_orphan;  /* of one that is not our child: nobody tells its status */
  pid_t pid;
  int pidfd;
  GInputStream *stderr_pipe;
  int stderr_fd;

  char tail[TAIL_SIZE]; /* a ring */
  gsize tail_written;   /* in all */

  GCancellable *cancellable;
  GSource *status_timeout;
  guint n_status_timeouts;
  gboolean is_reaped; /* or will never be known to be */
  gboolean status_known;
  LokyEnding ending;
  LokyWorkerProcessEnded ended_func;
  gpointer ended_data;
};

void
loky_worker_process_set_environment (const char *const *environment, const char *token)
{
  loky_environment_apply (environment);
  for (gsize i = 0; loky_environment_not_inherited[i] != NULL; i++)
    g_unsetenv (loky_environment_not_inherited[i]);
  g_setenv (LOKY_DESCENDANTS_VARIABLE, token, TRUE);
}

static void
set_in_launcher (const char *name, const char *value, gpointer launcher)
{
  g_subprocess_launcher_setenv (launcher, name, value, TRUE);
}

static GSubprocess *
spawn (const char *program,
       const char *argument,
       const char *const *environment,
       const char *token,
       int channel_fd,
       GError **error)
{
  /* Only with INHERIT_FDS, an absolute path, no folder and no set-up function does GLib use
   * posix_spawn(): fork() takes 80 ms from a parent of 2 GiB. The worker closes what is not its
   * own. */
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_INHERIT_FDS | G_SUBPROCESS_FLAGS_STDERR_PIPE);

  if (g_strcmp0 (argument, LOKY_FORK_SERVER_ARGUMENT) == 0)
    g_subprocess_launcher_setenv (launcher, LOKY_FORK_SERVER_BIND_VARIABLE, LOKY_FORK_SERVER_BIND, FALSE);
  g_subprocess_launcher_take_stdin_fd (launcher, channel_fd);
  loky_environment_foreach (environment, set_in_launcher, launcher);
  for (gsize i = 0; loky_environment_not_inherited[i] != NULL; i++)
    g_subprocess_launcher_unsetenv (launcher, loky_environment_not_inherited[i]);
  g_subprocess_launcher_setenv (launcher, LOKY_DESCENDANTS_VARIABLE, token, TRUE);
  return g_subprocess_launcher_spawn (launcher, error, program, argument, NULL);
}

/* Takes over @stderr_pipe. */
static LokyWorkerProcess *
process_new (GInputStream *stderr_pipe)
{
  LokyWorkerProcess *self = g_new0 (LokyWorkerProcess, 1);

  self->cancellable = g_cancellable_new ();
  self->stderr_pipe = stderr_pipe;
  self->stderr_fd = g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (stderr_pipe));
  g_unix_set_fd_nonblocking (self->stderr_fd, TRUE, NULL);
  loky_fork_guard_add (self->stderr_fd);
  self->pidfd = -1;
  return self;
}

LokyWorkerProcess *
loky_worker_process_new_awaited (int stderr_fd)
{
  LokyWorkerProcess *self = process_new (g_unix_input_stream_new (stderr_fd, TRUE));

  self->is_awaited = TRUE;
  return self;
}

gboolean
loky_worker_process_is_awaited (LokyWorkerProcess *self)
{
  return self->is_awaited;
}

void
loky_worker_process_adopt (LokyWorkerProcess *self, pid_t pid, int pidfd)
{
  self->is_awaited = FALSE;
  self->pid = pid;
  self->pidfd = pidfd;
  loky_fork_guard_add (pidfd);
  if (self->is_killed)
    loky_worker_process_kill (self);
}

LokyWorkerProcess *
loky_worker_process_start (const char *program,
                           const char *argument,
                           const char *const *environment,
                           const char *token,
                           int channel_fd,
                           GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GSubprocess) subprocess = NULL;
  LokyWorkerProcess *self;
  const char *identifier;

  if (access (program, X_OK) != 0)
    {
      int saved_errno = errno;

      close (channel_fd);
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                   "The worker program “%s” cannot be run: %s", program, g_strerror (saved_errno));
      return NULL;
    }
  subprocess = spawn (program, argument, environment, token, channel_fd, &local_error);
  if (subprocess == NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                   "The worker program “%s” cannot be started: %s", program, local_error->message);
      return NULL;
    }

  self = process_new (g_object_ref (g_subprocess_get_stderr_pipe (subprocess)));
  self->subprocess = g_steal_pointer (&subprocess);
  identifier = g_subprocess_get_identifier (self->subprocess);
  if (identifier != NULL)
    {
      self->pid = (pid_t) g_ascii_strtoll (identifier, NULL, 10);
      self->pidfd = loky_fd_above_standard ((int) syscall (SYS_pidfd_open, self->pid, 0));
      loky_fork_guard_add (self->pidfd);
    }
  /* It may have ended, and been reaped by GLib's thread, already. */
  if (self->pidfd < 0 && self->pid > 0 && errno != ESRCH)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                   "The worker program “%s” cannot be watched: %s", program, g_strerror (errno));
      g_subprocess_force_exit (self->subprocess);
      loky_worker_process_free (self);
      return NULL;
    }
  return self;
}

void
loky_worker_process_free (LokyWorkerProcess *self)
{
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  if (self->status_timeout != NULL)
    {
      g_source_destroy (self->status_timeout);
      g_source_unref (self->status_timeout);
    }
  loky_worker_process_close (self);
  g_clear_object (&self->stderr_pipe);
  g_clear_object (&self->subprocess);
  g_free (self);
}

void
loky_worker_process_close (LokyWorkerProcess *self)
{
  if (g_input_stream_is_closed (self->stderr_pipe))
    return;
  loky_fork_guard_remove (g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (self->stderr_pipe)));
  g_input_stream_close (self->stderr_pipe, NULL, NULL);
  self->stderr_fd = -1;
  loky_fork_guard_close (&self->pidfd);
}

pid_t
loky_worker_process_get_pid (LokyWorkerProcess *self)
{
  return self->pid;
}

int
loky_worker_process_get_pidfd (LokyWorkerProcess *self)
{
  return self->pidfd;
}

int
loky_worker_process_get_stderr_fd (LokyWorkerProcess *self)
{
  return self->stderr_fd;
}

void
loky_worker_process_terminate (LokyWorkerProcess *self)
{
  if (self->is_awaited)
    self->is_killed = TRUE;
  if (self->pidfd >= 0)
    syscall (SYS_pidfd_send_signal, self->pidfd, SIGTERM, NULL, 0);
}

/* Two words of /proc/PID/stat: the third and the ninth, behind the name, which may hold anything. */
static gboolean
read_stat (LokyWorkerProcess *self, char *state, guint *flags)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) self->pid);
  g_autofree char *text = NULL;
  const char *words;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  words = strrchr (text, ')');
  return words != NULL && sscanf (words, ") %c %*d %*d %*d %*d %*d %u", state, flags) == 2;
}

gboolean
loky_worker_process_is_stopped (LokyWorkerProcess *self)
{
  char state;
  guint flags;

  return read_stat (self, &state, &flags) && (state == 'T' || state == 't');
}

gboolean
loky_worker_process_is_exiting (LokyWorkerProcess *self)
{
  char state;
  guint flags;

  return self->is_awaited || !read_stat (self, &state, &flags) || (flags & PROCESS_IS_EXITING) != 0;
}

void
loky_worker_process_kill (LokyWorkerProcess *self)
{
  if (self->is_awaited)
    self->is_killed = TRUE;
  if (self->pidfd < 0)
    return;
  /* By pidfd: the number may belong to somebody else by now. The worker leads its own session, so
   * that its group is what it started, except in its first moments. */
  if (syscall (SYS_pidfd_send_signal, self->pidfd, SIGKILL, NULL, PIDFD_SIGNAL_PROCESS_GROUP) != 0 &&
      errno == EINVAL)
    {
      /* Kernels before 6.9. Only while the process is there, if as a zombie: after that the number may
       * be that of another group. */
      if (syscall (SYS_pidfd_send_signal, self->pidfd, 0, NULL, 0) == 0 &&
          getpgid (self->pid) == self->pid)
        kill (-self->pid, SIGKILL);
    }
  syscall (SYS_pidfd_send_signal, self->pidfd, SIGKILL, NULL, 0);
}

/* The status is read without taking it away from GSubprocess, whose thread reaps. */
static gboolean
peek_status (LokyWorkerProcess *self)
{
  siginfo_t info = { 0 };

  if (self->pidfd < 0)
    return FALSE;
  if (waitid (P_PIDFD, (id_t) self->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid == 0)
    return FALSE;
  self->status_known = TRUE;
  self->ending.kind = info.si_code == CLD_EXITED ? LOKY_ENDING_EXITED : LOKY_ENDING_SIGNALED;
  self->ending.code = info.si_status;
  return TRUE;
}

/* What can still be seen of one whose parent is gone. */
static gboolean
has_ended (LokyWorkerProcess *self)
{
  struct pollfd poll_fd = { .fd = self->pidfd, .events = POLLIN };

  if (self->pidfd < 0 || poll (&poll_fd, 1, 0) <= 0)
    return FALSE;
  self->status_known = TRUE;
  self->ending = (LokyEnding){ LOKY_ENDING_UNKNOWN, 0 };
  return TRUE;
}

gboolean
loky_worker_process_check_ended (LokyWorkerProcess *self, LokyEnding *ending)
{
  if (!self->status_known && !peek_status (self) && !(self->is_orphan && has_ended (self)))
    return FALSE;
  *ending = self->ending;
  return TRUE;
}

static void
tell_ended (LokyWorkerProcess *self, LokyEndingKind kind, int code)
{
  LokyWorkerProcessEnded func = self->ended_func;

  if (!self->status_known)
    {
      self->status_known = TRUE;
      self->ending.kind = kind;
      self->ending.code = code;
    }
  self->ended_func = NULL;
  self->is_reaped = TRUE;
  if (func != NULL)
    func (self->ended_data);
}

static void
status_arrived_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GSubprocess *subprocess = G_SUBPROCESS (source);
  LokyWorkerProcess *self = user_data;
  g_autoptr (GError) error = NULL;
  int status;

  /* After a cancellation the structure is gone. */
  if (!g_subprocess_wait_finish (subprocess, result, &error))
    return;
  status = g_subprocess_get_status (subprocess);
  if (WIFSIGNALED (status))
    tell_ended (self, LOKY_ENDING_SIGNALED, WTERMSIG (status));
  else if (WEXITSTATUS (status) == 0)
    /* What GLib also says when SIGCHLD is ignored, so that the kernel keeps no status, or when somebody
     * else took it. */
    tell_ended (self, LOKY_ENDING_UNKNOWN, 0);
  else
    tell_ended (self, LOKY_ENDING_EXITED, WEXITSTATUS (status));
}

/* By GLib's thread, most likely. In a process that was forked off there is none, and nobody does. */
static gboolean
was_reaped (LokyWorkerProcess *self)
{
  siginfo_t info = { 0 };

  /* By its number, as the pidfd may be closed: as long as nobody reaps the child no other has it. */
  return self->subprocess != NULL && self->pid > 0 &&
         waitid (P_PID, (id_t) self->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

static gboolean
status_timeout_cb (gpointer user_data)
{
  LokyWorkerProcess *self = user_data;

  if (++self->n_status_timeouts < N_STATUS_TIMEOUTS && was_reaped (self))
    return G_SOURCE_CONTINUE;
  tell_ended (self, LOKY_ENDING_UNKNOWN, 0);
  return G_SOURCE_REMOVE;
}

void
loky_worker_process_take_status (LokyWorkerProcess *self, int status)
{
  if (WIFSIGNALED (status))
    tell_ended (self, LOKY_ENDING_SIGNALED, WTERMSIG (status));
  else
    tell_ended (self, LOKY_ENDING_EXITED, WEXITSTATUS (status));
}

void
loky_worker_process_orphan (LokyWorkerProcess *self)
{
  self->is_orphan = TRUE;
  /* It never was, or its status was being waited for. */
  if (self->is_awaited || self->ended_func != NULL)
    {
      self->is_awaited = FALSE;
      tell_ended (self, LOKY_ENDING_UNKNOWN, 0);
    }
}

gboolean
loky_worker_process_wait_ended (LokyWorkerProcess *self,
                                LokyWorkerProcessEnded func,
                                gpointer user_data)
{
  if (self->is_reaped || self->is_orphan)
    return FALSE;
  self->ended_func = func;
  self->ended_data = user_data;
  if (self->status_timeout != NULL)
    return TRUE;
  if (self->subprocess != NULL)
    g_subprocess_wait_async (self->subprocess, self->cancellable, status_arrived_cb, self);
  self->status_timeout = g_timeout_source_new (self->subprocess != NULL ? STATUS_TIMEOUT : PARENT_TIMEOUT);
  g_source_set_static_name (self->status_timeout, "[loky] exit status");
  g_source_set_callback (self->status_timeout, status_timeout_cb, self, NULL);
  g_source_attach (self->status_timeout, g_main_context_get_thread_default ());
  return TRUE;
}

gsize
loky_worker_process_read_stderr (LokyWorkerProcess *self, char *buffer, gsize most)
{
  ssize_t got;

  if (self->stderr_fd < 0)
    return 0;
  do
    got = read (self->stderr_fd, buffer, most);
  while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return 0;
  if (got <= 0)
    {
      self->stderr_fd = -1;
      return 0;
    }
  loky_worker_process_note_output (self, buffer, (gsize) got);
  return (gsize) got;
}

void
loky_worker_process_note_output (LokyWorkerProcess *self, const char *data, gsize size)
{
  for (gsize i = 0; i < size; i++)
    self->tail[self->tail_written++ % TAIL_SIZE] = data[i];
}

char *
loky_worker_process_dup_stderr_tail (LokyWorkerProcess *self)
{
  gsize size = MIN (self->tail_written, TAIL_SIZE);
  g_autofree char *raw = g_malloc (size + 1);
  char *start = raw;

  for (gsize i = 0; i < size; i++)
    raw[i] = self->tail[(self->tail_written - size + i) % TAIL_SIZE];
  raw[size] = '\0';
  while (size > 0 && (raw[size - 1] == '\n' || raw[size - 1] == '\r'))
    raw[--size] = '\0';
  /* The first line is cut off if it was overwritten in part. */
  if (self->tail_written > TAIL_SIZE)
    {
      char *newline = memchr (raw, '\n', size);

      if (newline != NULL && newline[1] != '\0')
        start = newline + 1;
    }
  if (start[0] == '\0')
    return NULL;
  return g_utf8_make_valid (start, (gssize) (size - (gsize) (start - raw)));
}

char *
loky_ending_to_string (const LokyEnding *ending)
{
  const char *name;

  switch (ending->kind)
    {
    case LOKY_ENDING_EXITED:
      return g_strdup_printf ("exited with status %d", ending->code);
    case LOKY_ENDING_SIGNALED:
      name = sigabbrev_np (ending->code);
      return g_strdup_printf ("was killed by signal %d (SIG%s)", ending->code,
                              name != NULL ? name : "?");
    case LOKY_ENDING_UNKNOWN:
    default:
      return g_strdup ("ended; its exit status was 0, or is not known since the application ignores "
                       "SIGCHLD or waits for all children, or the process that forked it is gone");
    }
}
