/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "puppet.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "loky-crash-private.h"
#include "loky-descendants-private.h"
#include "loky-error.h"
#include "loky-pool-internal.h"
#include "loky-util-private.h"
#include "loky-worker-process-private.h"

struct _LokyWorkerProcess
{
  gatomicrefcount ref_count;
  int channel_fd;
  int pidfd;     /* an eventfd: readable when it has ended */
  int stderr_fd; /* an eventfd: never readable */
  GMutex lock;
  gboolean has_ended;
  LokyEnding ending;
};

struct _Puppet
{
  LokyWorkerProcess process;
};

static GMutex puppets_lock;
static GCond puppets_cond;
static GQueue puppets; /* of LokyWorkerProcess: references */

static void
unref (LokyWorkerProcess *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  loky_close_fd (&self->channel_fd);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
end (LokyWorkerProcess *self, LokyEnding ending)
{
  g_mutex_lock (&self->lock);
  if (!self->has_ended)
    {
      self->has_ended = TRUE;
      self->ending = ending;
      /* What it sent is still read, then comes the end of the stream. */
      shutdown (self->channel_fd, SHUT_RDWR);
      if (self->pidfd >= 0)
        eventfd_write (self->pidfd, 1);
    }
  g_mutex_unlock (&self->lock);
}

/* --- the strings ----------------------------------------------------------------------------------- */

Puppet *
puppet_take (gint64 timeout)
{
  gint64 until = g_get_monotonic_time () + timeout;
  LokyWorkerProcess *process;

  g_mutex_lock (&puppets_lock);
  while ((process = g_queue_pop_head (&puppets)) == NULL &&
         g_cond_wait_until (&puppets_cond, &puppets_lock, until))
    ;
  g_mutex_unlock (&puppets_lock);
  return (Puppet *) process;
}

void
puppet_release (Puppet *self)
{
  unref (&self->process);
}

int
puppet_get_channel (Puppet *self)
{
  return self->process.channel_fd;
}

gboolean
puppet_has_ended (Puppet *self)
{
  gboolean has_ended;

  g_mutex_lock (&self->process.lock);
  has_ended = self->process.has_ended;
  g_mutex_unlock (&self->process.lock);
  return has_ended;
}

gboolean
puppet_is_forgotten (Puppet *self)
{
  return g_atomic_ref_count_compare (&self->process.ref_count, 1);
}

void
puppet_end (Puppet *self, int signal, int status)
{
  LokyEnding ending = { signal != 0 ? LOKY_ENDING_SIGNALED : LOKY_ENDING_EXITED, signal != 0 ? signal : status };

  end (&self->process, ending);
}

/* --- what the pool calls ----------------------------------------------------------------------------- */

LokyWorkerProcess *
loky_worker_process_start (const char *program,
                           const char *argument,
                           const char *const *environment,
                           const char *token,
                           int channel_fd,
                           GError **error)
{
  LokyWorkerProcess *self = g_new0 (LokyWorkerProcess, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_atomic_ref_count_inc (&self->ref_count);
  g_mutex_init (&self->lock);
  self->channel_fd = channel_fd;
  self->pidfd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->stderr_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert (self->pidfd >= 0 && self->stderr_fd >= 0);

  g_mutex_lock (&puppets_lock);
  g_queue_push_tail (&puppets, self);
  g_cond_signal (&puppets_cond);
  g_mutex_unlock (&puppets_lock);
  return self;
}

void
loky_worker_process_free (LokyWorkerProcess *self)
{
  loky_worker_process_close (self);
  end (self, (LokyEnding){ LOKY_ENDING_SIGNALED, SIGKILL });
  unref (self);
}

void
loky_worker_process_close (LokyWorkerProcess *self)
{
  g_mutex_lock (&self->lock);
  loky_close_fd (&self->pidfd);
  g_mutex_unlock (&self->lock);
  loky_close_fd (&self->stderr_fd);
}

pid_t
loky_worker_process_get_pid (LokyWorkerProcess *self)
{
  return G_MAXINT32;
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
  end (self, (LokyEnding){ LOKY_ENDING_SIGNALED, SIGTERM });
}

gboolean
loky_worker_process_is_stopped (LokyWorkerProcess *self)
{
  return FALSE;
}

gboolean
loky_worker_process_is_exiting (LokyWorkerProcess *self)
{
  return FALSE;
}

void
loky_worker_process_kill (LokyWorkerProcess *self)
{
  end (self, (LokyEnding){ LOKY_ENDING_SIGNALED, SIGKILL });
}

gboolean
loky_worker_process_check_ended (LokyWorkerProcess *self, LokyEnding *ending)
{
  gboolean has_ended;

  g_mutex_lock (&self->lock);
  has_ended = self->has_ended;
  *ending = self->ending;
  g_mutex_unlock (&self->lock);
  return has_ended;
}

gboolean
loky_worker_process_wait_ended (LokyWorkerProcess *self,
                                LokyWorkerProcessEnded func,
                                gpointer user_data)
{
  return FALSE;
}

/* No puppet is forked by another process. */
LokyWorkerProcess *
loky_worker_process_new_awaited (int stderr_fd)
{
  g_assert_not_reached ();
}

gboolean
loky_worker_process_is_awaited (LokyWorkerProcess *self)
{
  return FALSE;
}

void
loky_worker_process_adopt (LokyWorkerProcess *self, pid_t pid, int pidfd)
{
  g_assert_not_reached ();
}

void
loky_worker_process_orphan (LokyWorkerProcess *self)
{
  g_assert_not_reached ();
}

void
loky_worker_process_take_status (LokyWorkerProcess *self, int status)
{
  g_assert_not_reached ();
}

void
loky_worker_process_set_environment (const char *const *environment, const char *token)
{
  g_assert_not_reached ();
}

gsize
loky_worker_process_read_stderr (LokyWorkerProcess *self, char *buffer, gsize most)
{
  return 0;
}

void
loky_worker_process_note_output (LokyWorkerProcess *self, const char *data, gsize size)
{
}

char *
loky_worker_process_dup_stderr_tail (LokyWorkerProcess *self)
{
  return NULL;
}

char *
loky_ending_to_string (const LokyEnding *ending)
{
  return g_strdup_printf ("ended (%d, %d)", ending->kind, ending->code);
}

/* --- what else looks at processes ------------------------------------------------------------------- */

/* In the words that are used where there is no debug information, without a process for it. */
gboolean
loky_pool_find_backtrace (LokyPool *self, LokyPoolWorker *worker)
{
  if (worker->crash != NULL && worker->crash->frames != NULL)
    worker->backtrace = loky_crash_frames_to_string (worker->crash->frames);
  return FALSE;
}

void
loky_pool_drop_backtraces (LokyPool *self)
{
}

guint
loky_descendants_kill (const char *pool, LokyDescendantsSpare spare, gpointer user_data)
{
  return 0;
}
