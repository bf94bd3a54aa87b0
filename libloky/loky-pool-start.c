/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Starting workers, in the monitor thread: the process, its channel, and what it is sent first. */

#include <fcntl.h>
#include <gio/gio.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "loky-close-private.h"
#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-init-private.h"
#include "loky-memory-events-private.h"
#include "loky-nesting-private.h"
#include "loky-paths-private.h"
#include "loky-pool-server-private.h"
#include "loky-probes-private.h"
#include "loky-util-private.h"

static int
get_epoll (LokyPool *self, LokyWatchKind kind)
{
  return kind == LOKY_WATCH_CHANNEL ? self->channels_fd : self->epoll_fd;
}

gboolean
loky_pool_watch (LokyPool *self, LokyPoolWorker *worker, LokyWatchKind kind, int fd)
{
  LokyWatch *it = &worker->watches[kind];
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = it };

  it->kind = kind;
  it->worker = worker;
  return epoll_ctl (get_epoll (self, kind), EPOLL_CTL_ADD, fd, &event) == 0;
}

void
loky_pool_unwatch (LokyPool *self, LokyWatchKind kind, int fd)
{
  if (fd >= 0)
    epoll_ctl (get_epoll (self, kind), EPOLL_CTL_DEL, fd, NULL);
}

/* With the channel's write lock held. */
static void
want_write_cb (gpointer user_data, gboolean want_write)
{
  LokyPoolWorker *worker = user_data;
  struct epoll_event event = {
    .events = want_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
    .data.ptr = &worker->watches[LOKY_WATCH_CHANNEL],
  };

  epoll_ctl (worker->pool->channels_fd, EPOLL_CTL_MOD, loky_channel_get_fd (worker->channel), &event);
}

/* What is left for a worker whose descriptors could not all be had. None is started that would send more of what
 * cannot be closed, where workers send such. */
static gboolean
take_descriptors (LokyPool *self, GError **error)
{
  if (__atomic_load_n (&self->was_sent_foreign, __ATOMIC_RELAXED) && loky_close_is_overrun ())
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
                           "A worker cannot be started: too many descriptors that workers sent cannot be closed");
      return FALSE;
    }
  if (!loky_pool_fill_spare (self))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be started: %s",
                   g_strerror (errno));
      return FALSE;
    }
  loky_pool_release_spare (self);
  return TRUE;
}

static GVariant *
make_setup (LokyPool *self, LokyPoolWorker *worker)
{
  g_autoptr (GVariant) environment = loky_pool_get_allotment (self, worker, LOKY_ALLOTMENT_ENVIRONMENT);
  g_autoptr (GVariant) cpus = loky_pool_get_allotment (self, worker, LOKY_ALLOTMENT_CPUS);
  GVariantBuilder refusals;
  GVariant *setup;

  g_variant_builder_init (&refusals, G_VARIANT_TYPE ("a(tttss)"));
  loky_pool_lock (self);
  for (guint i = 0; i < self->refusals->len; i++)
    g_variant_builder_add_value (&refusals,
                                 loky_refusal_to_variant (g_ptr_array_index (self->refusals, i)));
  setup = g_variant_new ("(suu@aaya(tttss)smvtx@as@aub)", LOKY_VERSION, worker->id, LOKY_CONTROL_N_SLOTS,
                         g_variant_new_bytestring_array ((const char *const *) self->plugin_path, -1),
                         &refusals, self->initializer != NULL ? self->initializer : "",
                         self->initializer_args, self->memory_growth_limit,
                         self->memory_check_interval, environment, cpus, self->accepts_descriptors);
  loky_pool_unlock (self);
  return setup;
}

/* The descriptors that a worker gets besides its channel, which are closed once sent: its control area, and
 * what tells it of our end. */
static gboolean
make_setup_fds (LokyPool *self, LokyPoolWorker *worker, int fds[2], GError **error)
{
  int pidfd = fcntl (self->parent_pidfd, F_DUPFD_CLOEXEC, 3);

  if (pidfd < 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be set up: %s",
                   g_strerror (errno));
      return FALSE;
    }
  fds[0] = loky_steal_fd (&worker->control.fd);
  fds[1] = pidfd;
  return TRUE;
}

gboolean
loky_pool_fill_spare (LokyPool *self)
{
  for (guint i = 0; i < LOKY_POOL_N_SPARE; i++)
    {
      if (self->spare[i] < 0)
        {
          self->spare[i] = fcntl (self->epoll_fd, F_DUPFD_CLOEXEC, 3);
          loky_fork_guard_add (self->spare[i]);
        }
      if (self->spare[i] < 0)
        return FALSE;
    }
  return TRUE;
}

void
loky_pool_release_spare (LokyPool *self)
{
  for (guint i = 0; i < LOKY_POOL_N_SPARE; i++)
    loky_fork_guard_close (&self->spare[i]);
}

char *
loky_pool_dup_program (LokyPool *self)
{
  char *program;

  if (self->start_method == LOKY_START_METHOD_FORK)
    return loky_paths_find_own_program ();
  loky_pool_lock (self);
  if (self->start_method == LOKY_START_METHOD_INIT_MAIN && self->worker_path == NULL)
    program = loky_paths_find_own_program ();
  else
    program = loky_paths_find_worker (self->worker_path);
  loky_pool_unlock (self);
  return program;
}

/* Ours, and then the user's, who may know better. */
char **
loky_pool_make_environment (LokyPool *self, LokyPoolWorker *worker)
{
  g_autoptr (GVariant) own = loky_pool_get_allotment (self, worker, LOKY_ALLOTMENT_ENVIRONMENT);
  g_autoptr (GVariant) cpus = loky_pool_get_allotment (self, worker, LOKY_ALLOTMENT_CPUS);
  g_autofree const char **own_variables = g_variant_get_strv (own, NULL);
  g_autoptr (GStrvBuilder) given_builder = g_strv_builder_new ();
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_autofree char *method = loky_start_method_dup_variable ();
  g_auto (GStrv) nesting = NULL;
  g_auto (GStrv) given = NULL;
  guint max_workers;

  loky_pool_lock (self);
  max_workers = loky_scheduler_get_max_workers (self->scheduler);
  if (self->environment != NULL)
    g_strv_builder_addv (given_builder, (const char **) self->environment);
  loky_pool_unlock (self);
  g_strv_builder_addv (given_builder, own_variables);
  given = g_strv_builder_end (given_builder);
  nesting = loky_nesting_make_environment (max_workers, (guint) g_variant_n_children (cpus),
                                           (const char *const *) given);
  g_strv_builder_addv (builder, (const char **) nesting);
  if (method != NULL)
    g_strv_builder_add (builder, method);
  g_strv_builder_addv (builder, (const char **) given);
  return g_strv_builder_end (builder);
}

LokyWorkerProcess *
loky_pool_spawn (LokyPool *self,
                 LokyPoolWorker *worker,
                 const char *argument,
                 const char *token,
                 int channel_fd,
                 GError **error)
{
  g_autofree char *program = loky_pool_dup_program (self);
  g_auto (GStrv) environment = loky_pool_make_environment (self, worker);

  return loky_worker_process_start (program, argument, (const char *const *) environment, token, channel_fd,
                                    error);
}

/* Takes over @channel_fd. */
static LokyWorkerProcess *
make_process (LokyPool *self, LokyPoolWorker *worker, int channel_fd, GError **error)
{
  g_autofree char *token = g_strdup_printf ("%s-%u", self->token, worker->id);

  switch (self->start_method)
    {
    case LOKY_START_METHOD_FORKSERVER:
    case LOKY_START_METHOD_FORK:
      return loky_pool_server_start_worker (self, worker, channel_fd, error);
    case LOKY_START_METHOD_INIT_MAIN:
      return loky_pool_spawn (self, worker, LOKY_INIT_ARGUMENT, token, channel_fd, error);
    case LOKY_START_METHOD_LOKY:
    default:
      return loky_pool_spawn (self, worker, NULL, token, channel_fd, error);
    }
}

static gboolean
start_process (LokyPool *self, LokyPoolWorker *worker, GError **error)
{
  g_autoptr (GVariant) setup = NULL;
  int ends[2];
  int fds[2];

  if (!take_descriptors (self, error) || !loky_control_init (&worker->control, error))
    return FALSE;
  if (!make_setup_fds (self, worker, fds, error))
    return FALSE;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be connected: %s",
                   g_strerror (errno));
      for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
        loky_close_fd (&fds[i]);
      return FALSE;
    }
  setup = g_variant_ref_sink (make_setup (self, worker));
  if (g_variant_get_size (setup) > LOKY_FRAME_MAX_BODY)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE,
                   "The plugin path, the initializer's arguments and the worker's environment are longer than %u bytes",
                   LOKY_FRAME_MAX_BODY);
      for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
        loky_close_fd (&fds[i]);
      close (ends[0]);
      close (ends[1]);
      return FALSE;
    }
  worker->channel = loky_channel_new (loky_fd_above_standard (ends[0]));
  loky_fork_guard_add (loky_channel_get_fd (worker->channel));
  loky_channel_set_untrusted (worker->channel, self->accepts_descriptors);
  loky_channel_set_substitute (worker->channel, LOKY_MESSAGE_LOOK);
  loky_channel_append_variant (worker->channel, LOKY_MESSAGE_SETUP, 0, 0,
                               setup, fds, G_N_ELEMENTS (fds));
  worker->process = make_process (self, worker, loky_fd_above_standard (ends[1]), error);
  return worker->process != NULL;
}

/* How often the kernel has killed for want of memory before it kills one of ours: while the first worker is
 * being loaded there is time to read files, but not if it waits for this CPU. */
static void
look_at_memory_kills (LokyPool *self)
{
  if (self->knows_memory_kills)
    return;
  self->knows_memory_kills = TRUE;
  sched_yield ();
  loky_memory_events_count_kills ("/proc/self/cgroup", "/sys/fs/cgroup", &self->n_memory_kills);
}

void
loky_pool_start_worker (LokyPool *self, LokyPoolWorker *worker)
{
  gboolean is_started, is_awaited;

  worker->id = ++self->last_worker;
  loky_pool_allot (self, worker);
  is_started = start_process (self, worker, &worker->cause);
  loky_pool_fill_spare (self);
  if (!is_started)
    {
      loky_pool_tell_gone (self, worker);
      return;
    }
  is_awaited = loky_worker_process_is_awaited (worker->process);
  loky_pool_lock (self);
  worker->is_awaited = is_awaited;
  loky_pool_unlock (self);
  /* Of one that is awaited its server tells. */
  if (!is_awaited)
    LOKY_PROBE_WORKER_SPAWNED (worker->id, loky_worker_process_get_pid (worker->process));
  g_ptr_array_add (self->workers, loky_pool_worker_ref (worker));
  loky_channel_set_want_write (worker->channel, want_write_cb, worker);
  if (!is_awaited && loky_worker_process_get_pidfd (worker->process) < 0)
    {
      loky_pool_process_ended (self, worker);
      return;
    }
  if ((is_awaited ||
       loky_pool_watch (self, worker, LOKY_WATCH_PIDFD, loky_worker_process_get_pidfd (worker->process))) &&
      loky_pool_watch (self, worker, LOKY_WATCH_CHANNEL, loky_channel_get_fd (worker->channel)) &&
      loky_pool_watch (self, worker, LOKY_WATCH_STDERR, loky_worker_process_get_stderr_fd (worker->process)))
    {
      loky_pool_flush_worker (self, worker, NULL);
      look_at_memory_kills (self);
      return;
    }
  loky_pool_condemn (self, worker,
           g_error_new (LOKY_ERROR, LOKY_ERROR_RESOURCES, "A worker cannot be watched: %s",
                        g_strerror (errno)));
  /* Whatever is not watched: its end is waited for. */
  if (!is_awaited)
    loky_pool_process_ended (self, worker);
}
