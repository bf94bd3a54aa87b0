/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-fork-server-private.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loky-descendants-private.h"
#include "loky-error.h"
#include "loky-plugin-loader-private.h"
#include "loky-start-method-private.h"
#include "loky-util-private.h"
#include "loky-worker-private.h"

typedef struct
{
  LokyChannel *channel;
  int parent_pidfd;
  int signal_fd;
  gboolean is_copy;    /* of the application */
  char **plugin_path;
  GHashTable *workers; /* pid → worker id */
} Server;

/* --- in the worker ------------------------------------------------------------------------------ */

/* In place, which is also where the kernel finds the environment that it shows of the process: unless the variable
 * was set after the program was started. */
static void
stamp_token (guint32 worker_id)
{
  char *value = getenv (LOKY_DESCENDANTS_VARIABLE);
  gsize length = strlen (LOKY_FORK_SERVER_ID);
  char digits[16];

  g_snprintf (digits, sizeof digits, "%0*u", (int) length, worker_id);
  if (value != NULL && strlen (value) >= length)
    memcpy (value + strlen (value) - length, digits, length);
}

/* Each worker would draw the same numbers. */
static void
seed_random (void)
{
  guint32 seed;

  if (getrandom (&seed, sizeof seed, GRND_NONBLOCK) == sizeof seed)
    g_random_set_seed (seed);
}

/* Takes over the descriptors. The others that the server has are those of plugins that were loaded, or of the
 * application: they are in use. */
static G_NORETURN void
be_worker (Server *self, guint32 worker_id, int channel_fd, int stderr_fd)
{
  g_autoptr (GError) error = NULL;
  LokyWorkerSetup setup;

  dup2 (stderr_fd, STDERR_FILENO);
  dup2 (stderr_fd, STDOUT_FILENO);
  close (stderr_fd);
  close (self->signal_fd);
  close (self->parent_pidfd);
  /* In the worker program this is the server's own channel. */
  if (!self->is_copy)
    {
      dup3 (channel_fd, LOKY_WORKER_CHANNEL_FD, O_CLOEXEC);
      close (channel_fd);
      channel_fd = LOKY_WORKER_CHANNEL_FD;
    }
  else
    close (loky_channel_get_fd (self->channel));
  stamp_token (worker_id);
  seed_random ();
  if (!loky_worker_setup_on (&setup, channel_fd, &error))
    {
      g_printerr ("loky-worker: %s\n", error->message);
      _exit (LOKY_WORKER_EXIT_RUINED);
    }
  _exit (loky_worker_loop_run (&setup));
}

/* --- in the server ------------------------------------------------------------------------------ */

static gboolean
is_not_of_server (guint worker_id, gpointer user_data)
{
  return worker_id != 0;
}

/* The application is gone: workers find that out by themselves, what plugins started here does not. */
static G_NORETURN void
end_everything (void)
{
  const char *token = g_getenv (LOKY_DESCENDANTS_VARIABLE);
  const char *dash = token != NULL ? strchr (token, '-') : NULL;

  if (dash != NULL)
    {
      g_autofree char *pool = g_strndup (token, (gsize) (dash - token));

      loky_descendants_kill (pool, is_not_of_server, NULL);
    }
  kill (0, SIGKILL);
  _exit (1);
}

static void
tell (Server *self, guint8 type, guint64 number, GVariant *body, int fd)
{
  loky_channel_append_variant (self->channel, type, 0, number, body, &fd, fd >= 0 ? 1 : 0);
  if (!loky_channel_flush_wait (self->channel))
    end_everything ();
}

static void
tell_failure (Server *self, guint64 worker_id, int number)
{
  g_autofree char *reason
      = g_strdup_printf ("A worker cannot be forked: %s", g_strerror (number));

  tell (self, LOKY_SERVER_FAILED, worker_id, g_variant_new (LOKY_SERVER_REASON_TYPE, reason), -1);
}

static void
fork_worker (Server *self, guint64 worker_id, int fds[2])
{
  pid_t pid = fork ();
  int pidfd, saved_errno;

  if (pid == 0)
    be_worker (self, (guint32) worker_id, loky_steal_fd (&fds[0]), loky_steal_fd (&fds[1]));
  if (pid < 0)
    {
      tell_failure (self, worker_id, errno);
      return;
    }
  pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  saved_errno = errno;
  if (pidfd < 0)
    {
      kill (pid, SIGKILL);
      waitpid (pid, NULL, 0);
      tell_failure (self, worker_id, saved_errno);
      return;
    }
  g_hash_table_insert (self->workers, GINT_TO_POINTER (pid), GUINT_TO_POINTER ((guint) worker_id));
  tell (self, LOKY_SERVER_FORKED, worker_id, g_variant_new (LOKY_SERVER_FORKED_TYPE, (guint32) pid), pidfd);
}

/* While it is a zombie its number is its own: so is the group of that number, which is killed for what the worker
 * left behind. */
static void
reap (Server *self)
{
  for (;;)
    {
      siginfo_t info = { 0 };
      gpointer worker_id;
      int status;

      if (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return;
      if (getpgid (info.si_pid) == info.si_pid)
        kill (-info.si_pid, SIGKILL);
      if (waitpid (info.si_pid, &status, WNOHANG) != info.si_pid)
        return;
      /* Else it is a child that a plugin has started. */
      if (g_hash_table_steal_extended (self->workers, GINT_TO_POINTER (info.si_pid), NULL, &worker_id))
        tell (self, LOKY_SERVER_ENDED, GPOINTER_TO_UINT (worker_id),
              g_variant_new (LOKY_SERVER_ENDED_TYPE, status), -1);
    }
}

/* Threads of a library that is loaded would be missing in the workers, with whatever locks they hold: the next server
 * loads none. */
static gboolean
load_plugins (Server *self, const LokyFrame *frame)
{
  g_autoptr (GVariant) body
      = loky_message_parse_variant (&frame->header, frame->body, LOKY_SERVER_LOAD_TYPE, NULL);
  g_autofree const char **plugins = NULL;
  guint n_threads;

  if (body == NULL)
    return FALSE;
  g_variant_get (body, "(^a&s)", &plugins);
  if (plugins[0] == NULL)
    return TRUE;
  loky_plugin_loader_preload ((const char *const *) self->plugin_path, (const char *const *) plugins);
  n_threads = loky_count_threads ();
  if (n_threads > 1)
    g_printerr ("loky-worker: the fork server has %u threads: a plugin that it loaded has started some\n",
                n_threads);
  return n_threads <= 1;
}

static gboolean
handle_frames (Server *self)
{
  g_autoptr (GError) error = NULL;
  LokyFrameStatus status;
  LokyFrame frame;

  while ((status = loky_channel_next_frame (self->channel, &frame, &error)) == LOKY_FRAME_COMPLETE)
    {
      if (frame.header.type != LOKY_SERVER_FORK || !load_plugins (self, &frame))
        return FALSE;
      if (frame.has_lost_fds)
        tell_failure (self, frame.header.number, EMFILE);
      else if (frame.header.n_fds == 2)
        fork_worker (self, frame.header.number, frame.fds);
      loky_frame_close_fds (&frame);
    }
  return status != LOKY_FRAME_INVALID;
}

static int
serve (Server *self)
{
  struct pollfd fds[] = {
    { .fd = loky_channel_get_fd (self->channel), .events = POLLIN },
    { .fd = self->parent_pidfd, .events = POLLIN },
    { .fd = self->signal_fd, .events = POLLIN },
  };

  for (;;)
    {
      struct signalfd_siginfo info;

      if (!handle_frames (self))
        return LOKY_WORKER_EXIT_RUINED;
      if (poll (fds, G_N_ELEMENTS (fds), -1) < 0)
        continue;
      if (fds[2].revents != 0 && read (self->signal_fd, &info, sizeof info) == sizeof info)
        reap (self);
      if (fds[1].revents != 0)
        end_everything ();
      if (fds[0].revents == 0)
        continue;
      switch (loky_channel_fill (self->channel, FALSE, NULL))
        {
        case LOKY_FILL_EOF:
        case LOKY_FILL_ERROR:
          end_everything ();
        case LOKY_FILL_DATA:
        case LOKY_FILL_AGAIN:
        default:
          break;
        }
    }
}

static gboolean
apply_setup (Server *self, LokyFrame *frame, GError **error)
{
  g_autoptr (GVariant) body = NULL;
  const char *version;

  if (frame->header.type != LOKY_SERVER_SETUP || frame->header.n_fds != 1 || frame->has_lost_fds)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                           "the application speaks another protocol");
      return FALSE;
    }
  body = loky_message_parse_variant (&frame->header, frame->body, LOKY_SERVER_SETUP_TYPE, error);
  if (body == NULL)
    return FALSE;
  g_variant_get (body, "(&s^aay)", &version, &self->plugin_path);
  if (strcmp (version, LOKY_VERSION) != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                   "the worker program is of version %s, the library of version %s", LOKY_VERSION, version);
      return FALSE;
    }
  self->parent_pidfd = loky_steal_fd (&frame->fds[0]);
  return TRUE;
}

/* Blocked, since it is read from a descriptor; a worker blocks none. */
static int
open_signal_fd (void)
{
  sigset_t child;

  sigemptyset (&child);
  sigaddset (&child, SIGCHLD);
  sigprocmask (SIG_BLOCK, &child, NULL);
  return loky_fd_above_standard (signalfd (-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
}

static int
run (int channel_fd, gboolean is_copy)
{
  g_autoptr (GError) error = NULL;
  Server self = {
    .channel = loky_channel_new (channel_fd),
    .parent_pidfd = -1,
    .is_copy = is_copy,
    .workers = g_hash_table_new (NULL, NULL),
  };
  LokyFrame frame;
  gboolean is_applied;

  /* What each worker would make otherwise, to seed it again. */
  g_random_int ();
  loky_worker_claim_process ();
  self.signal_fd = open_signal_fd ();
  is_applied = self.signal_fd >= 0 && loky_worker_receive (self.channel, &frame, &error);
  if (is_applied)
    {
      is_applied = apply_setup (&self, &frame, &error);
      loky_frame_close_fds (&frame);
    }
  if (!is_applied)
    {
      g_printerr ("loky-worker: %s\n", error != NULL ? error->message : g_strerror (errno));
      return LOKY_WORKER_EXIT_RUINED;
    }
  return serve (&self);
}

int
loky_fork_server_main (void)
{
  g_autoptr (GError) error = NULL;

  if (g_strcmp0 (g_getenv (LOKY_FORK_SERVER_BIND_VARIABLE), LOKY_FORK_SERVER_BIND) == 0)
    g_unsetenv (LOKY_FORK_SERVER_BIND_VARIABLE);
  if (loky_worker_claim_descriptors (&error))
    return run (LOKY_WORKER_CHANNEL_FD, FALSE);
  g_printerr ("loky-worker: %s\n", error->message);
  return LOKY_WORKER_EXIT_RUINED;
}

int
loky_fork_server_run_copy (int channel_fd)
{
  g_autoptr (GError) error = NULL;

  if (loky_worker_claim_standard_descriptors (&error))
    return run (channel_fd, TRUE);
  g_printerr ("loky-worker: %s\n", error->message);
  return LOKY_WORKER_EXIT_RUINED;
}
