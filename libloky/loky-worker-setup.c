/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-worker-private.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "loky-environment-private.h"
#include "loky-error.h"
#include "loky-nesting-private.h"
#include "loky-start-method-private.h"
#include "loky-util-private.h"
#include "loky-watchdog-private.h"

/* How long a worker waits to be set up, in ms: the parent sends it before the program is loaded. */
#define SETUP_TIMEOUT 30000

/* More than Linux can have. */
#define MAX_CPUS (1u << 16)

static gboolean
fail_errno (GError **error, const char *what)
{
  int saved_errno = errno;

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START, "%s: %s", what, g_strerror (saved_errno));
  return FALSE;
}

static void
close_from (unsigned int first)
{
  if (syscall (SYS_close_range, first, ~0u, 0) == 0)
    return;
  /* Kernels before 5.9. */
  for (int fd = (int) first; fd < (int) sysconf (_SC_OPEN_MAX); fd++)
    close (fd);
}

/* What is printed to standard output goes where errors go: the application's own output is not the worker's to
 * write to. */
gboolean
loky_worker_claim_standard_descriptors (GError **error)
{
  int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (null_fd < 0 || dup2 (null_fd, STDIN_FILENO) < 0)
    return fail_errno (error, "/dev/null cannot be opened");
  if (fcntl (STDERR_FILENO, F_GETFD) < 0)
    dup2 (null_fd, STDERR_FILENO);
  dup2 (STDERR_FILENO, STDOUT_FILENO);
  close (null_fd);
  return TRUE;
}

/* The channel came as standard input. It is moved out of the way of whoever reads that, and all that
 * was inherited besides the three standard descriptors is closed. */
gboolean
loky_worker_claim_descriptors (GError **error)
{
  struct stat info;

  if (fstat (STDIN_FILENO, &info) != 0 || !S_ISSOCK (info.st_mode))
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                           "loky-worker is started by libloky, with a socket as its standard input; "
                           "to run tasks from a shell use the command loky");
      return FALSE;
    }
  if (dup3 (STDIN_FILENO, LOKY_WORKER_CHANNEL_FD, O_CLOEXEC) < 0)
    return fail_errno (error, "The channel cannot be moved");
  close_from (LOKY_WORKER_CHANNEL_FD + 1);
  return loky_worker_claim_standard_descriptors (error);
}

/* The parent started us with all signals blocked and may have set any of them to be ignored. Ctrl-C
 * in a terminal is for the application, which ends us as it sees fit. */
static void
claim_signals (void)
{
  sigset_t none;

  for (int signal_number = 1; signal_number < NSIG; signal_number++)
    {
      struct sigaction action = { .sa_handler = SIG_DFL };

      if (signal_number == SIGKILL || signal_number == SIGSTOP)
        continue;
      if (signal_number == SIGINT)
        action.sa_handler = SIG_IGN;
      /* Fails for the two that belong to the C library. */
      sigaction (signal_number, &action, NULL);
    }
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

void
loky_worker_claim_process (void)
{
  /* A session of its own: what it starts dies with it, and no terminal sends it signals. */
  setsid ();
  /* Wakes a stopped worker when the parent is gone, so that the watchdog can act. It follows the
   * parent's thread, not its process, and is harmless then. */
  prctl (PR_SET_PDEATHSIG, SIGCONT);
  claim_signals ();
}

gboolean
loky_worker_receive (LokyChannel *channel, LokyFrame *frame, GError **error)
{
  for (;;)
    {
      struct pollfd poll_fd = { .fd = loky_channel_get_fd (channel), .events = POLLIN };
      LokyFillResult result;

      switch (loky_channel_next_frame (channel, frame, error))
        {
        case LOKY_FRAME_COMPLETE:
          return TRUE;
        case LOKY_FRAME_INVALID:
          return FALSE;
        case LOKY_FRAME_NEED_MORE:
        default:
          break;
        }
      if (poll (&poll_fd, 1, SETUP_TIMEOUT) == 0)
        {
          g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                               "The application does not set the worker up");
          return FALSE;
        }
      result = loky_channel_fill (channel, FALSE, error);
      if (result == LOKY_FILL_ERROR)
        return FALSE;
      /* Nobody is left to be told. */
      if (result == LOKY_FILL_EOF)
        _exit (1);
    }
}

/* --- what the parent finds when this process ended ---------------------------------------------- */

static struct
{
  LokyControl *control;
  pid_t pid;
} traces;

/* The area is not mapped in a child of a task. */
static void
note_exit (int status, void *unused)
{
  if (getpid () == traces.pid)
    loky_control_set_exit_status (traces.control, status);
}

/* The last words before g_error() ends the process. */
static void
note_log (const char *domain, GLogLevelFlags level, const char *message, gpointer unused)
{
  if ((level & G_LOG_FLAG_FATAL) != 0 && getpid () == traces.pid)
    {
      char reason[LOKY_CONTROL_REASON_SIZE];

      g_snprintf (reason, sizeof reason, "%s: %s", domain != NULL ? domain : "**",
                  message != NULL ? message : "");
      loky_control_set_reason (traces.control, reason);
      /* In the words of g_malloc(). */
      if (g_strcmp0 (domain, "GLib") == 0 && message != NULL &&
          strstr (message, "failed to allocate") != NULL)
        loky_crash_note_out_of_memory ();
    }
  g_log_default_handler (domain, level, message, NULL);
}

static void
leave_traces (LokyWorkerSetup *setup)
{
  traces.control = &setup->control;
  traces.pid = getpid ();
  on_exit (note_exit, NULL);
  g_log_set_default_handler (note_log, NULL);
  loky_crash_watch (&setup->control.area->crash);
}

/* While there is one thread: the others will have what it has. */
static gboolean
bind_to_cpus (GVariant *cpus, GError **error)
{
  gsize n;
  const guint32 *numbers = g_variant_get_fixed_array (cpus, &n, sizeof *numbers);
  cpu_set_t *set;
  guint32 last = 0;
  int result;

  if (n == 0)
    return TRUE;
  for (gsize i = 0; i < n; i++)
    last = MAX (last, numbers[i]);
  if (last >= MAX_CPUS)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START, "The worker cannot be bound to CPU %u", last);
      return FALSE;
    }
  set = CPU_ALLOC (MAX_CPUS);
  CPU_ZERO_S (CPU_ALLOC_SIZE (MAX_CPUS), set);
  for (gsize i = 0; i < n; i++)
    CPU_SET_S (numbers[i], CPU_ALLOC_SIZE (MAX_CPUS), set);
  result = sched_setaffinity (0, CPU_ALLOC_SIZE (MAX_CPUS), set);
  CPU_FREE (set);
  return result == 0 || fail_errno (error, "The worker cannot be bound to its CPUs");
}

static gboolean
apply_setup (LokyWorkerSetup *setup, LokyFrame *frame, GError **error)
{
  g_autoptr (GVariant) body = NULL;
  g_autofree const char **environment = NULL;
  g_autoptr (GVariant) cpus = NULL;
  const char *version;
  guint32 n_slots;

  if (frame->header.type != LOKY_MESSAGE_SETUP || frame->header.n_fds != 2)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                           "The application speaks another protocol");
      return FALSE;
    }
  body = loky_message_parse_variant (&frame->header, frame->body, LOKY_MESSAGE_SETUP_TYPE, error);
  if (body == NULL)
    return FALSE;
  g_variant_get (body, "(&suu^aay@a(tttss)smvtx^a&s@aub)", &version, &setup->worker_id, &n_slots,
                 &setup->plugin_path, &setup->refusals, &setup->initializer,
                 &setup->initializer_args, &setup->memory_growth_limit, &setup->memory_check_interval,
                 &environment, &cpus, &setup->accepts_descriptors);
  if (g_strcmp0 (version, LOKY_VERSION) != 0 || n_slots != LOKY_CONTROL_N_SLOTS)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                   "The worker program is of version %s, the library of version %s", LOKY_VERSION,
                   version);
      return FALSE;
    }
  /* What was given to a new program is given again, to no effect, and to a copy of another one only here. */
  loky_environment_apply (environment);
  if (!bind_to_cpus (cpus, error))
    return FALSE;
  if (!loky_control_map (&setup->control, loky_steal_fd (&frame->fds[0]), error))
    return FALSE;
  loky_control_protect (&setup->control);
  /* The other one lives as long as the process. */
  loky_watchdog_init (loky_channel_get_fd (setup->channel), loky_steal_fd (&frame->fds[1]), &setup->control);
  if (setup->initializer[0] != '\0' && !loky_watchdog_start (error))
    return FALSE;
  leave_traces (setup);
  return TRUE;
}

gboolean
loky_worker_setup_on (LokyWorkerSetup *setup, int channel_fd, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  LokyFrame frame;
  gboolean is_applied;

  *setup = (LokyWorkerSetup){ .control.fd = -1 };
  /* Before a task can change the environment. */
  loky_nesting_read_again ();
  loky_start_method_note_worker ();
  loky_worker_claim_process ();

  setup->channel = loky_channel_new (channel_fd);
  is_applied = loky_worker_receive (setup->channel, &frame, &local_error);
  if (is_applied)
    {
      is_applied = apply_setup (setup, &frame, &local_error);
      loky_frame_close_fds (&frame);
    }
  if (is_applied)
    return TRUE;
  loky_channel_append_variant (setup->channel, LOKY_MESSAGE_START_FAILED, 0, 0,
                               g_variant_new (LOKY_MESSAGE_NAME_TYPE, local_error->message), NULL, 0);
  loky_channel_flush_wait (setup->channel);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

gboolean
loky_worker_setup (LokyWorkerSetup *setup, GError **error)
{
  return loky_worker_claim_descriptors (error) &&
         loky_worker_setup_on (setup, LOKY_WORKER_CHANNEL_FD, error);
}
