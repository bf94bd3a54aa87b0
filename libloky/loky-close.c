/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-close-private.h"

#include <pthread.h>
#include <sys/stat.h>

#include "loky-fork-guard-private.h"
#include "loky-util-private.h"

/* How many threads may be closing what workers sent: as many as one message can bring, and a few more. */
#define MAX_CLOSERS 256

/* How many descriptors may wait for one of them before nothing more is to be had from workers. */
#define MAX_WAITING 64

/* Held over fork(), so that a child finds the list whole. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static GArray *waiting; /* of int; lock */
static guint n_closers; /* lock */

/* --- of workers ------------------------------------------------------------------------------- */

static void
before_fork (void)
{
  pthread_mutex_lock (&lock);
}

static void
after_fork_in_parent (void)
{
  pthread_mutex_unlock (&lock);
}

/* It has none of the threads, and the fork guard closes what waited. */
static void
after_fork_in_child (void)
{
  n_closers = 0;
  if (waiting != NULL)
    g_array_set_size (waiting, 0);
  pthread_mutex_unlock (&lock);
}

static void
watch_forks (void)
{
  static gsize once;

  if (g_once_init_enter (&once))
    {
      pthread_atfork (before_fork, after_fork_in_parent, after_fork_in_child);
      g_once_init_leave (&once, 1);
    }
}

static void
add_waiting_locked (int fd)
{
  if (waiting == NULL)
    waiting = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_append_val (waiting, fd);
}

/* -1: there is none. */
static int
take_waiting_locked (void)
{
  int fd = -1;

  if (waiting != NULL && waiting->len > 0)
    {
      fd = g_array_index (waiting, int, 0);
      g_array_remove_index (waiting, 0);
    }
  return fd;
}

/* FALSE: no thread can be had. */
static gboolean
start_thread (GThreadFunc func, int fd)
{
  GThread *thread = g_thread_try_new ("loky-close", func, GINT_TO_POINTER (fd), NULL);

  if (thread != NULL)
    g_thread_unref (thread);
  return thread != NULL;
}

static gpointer
closer_cb (gpointer data)
{
  int fd = GPOINTER_TO_INT (data);

  do
    {
      /* Not the other way round: the number may be another's as soon as it is closed. */
      loky_fork_guard_remove (fd);
      close (fd);
      pthread_mutex_lock (&lock);
      fd = take_waiting_locked ();
      n_closers -= fd < 0;
      pthread_mutex_unlock (&lock);
    }
  while (fd >= 0);
  return NULL;
}

static void
warn_once (void)
{
  static gint is_told; /* atomic */

  if (g_atomic_int_compare_and_exchange (&is_told, FALSE, TRUE))
    g_warning ("Descriptors that workers sent cannot be closed, since that blocks, and stay open for now");
}

/* For as many as wait and may have one. FALSE: some wait on. */
static gboolean
start_closers (void)
{
  gboolean are_left;
  int fd;

  do
    {
      pthread_mutex_lock (&lock);
      fd = n_closers < MAX_CLOSERS ? take_waiting_locked () : -1;
      n_closers += fd >= 0;
      are_left = fd < 0 && waiting != NULL && waiting->len > 0;
      pthread_mutex_unlock (&lock);
      if (fd >= 0 && !start_thread (closer_cb, fd))
        {
          pthread_mutex_lock (&lock);
          n_closers--;
          add_waiting_locked (fd);
          pthread_mutex_unlock (&lock);
          return FALSE;
        }
    }
  while (fd >= 0);
  return !are_left;
}

void
loky_close_untrusted (int fd)
{
  if (fd < 0)
    return;
  if (loky_close_is_memory (fd))
    {
      loky_fork_guard_remove (fd);
      close (fd);
      return;
    }
  watch_forks ();
  loky_fork_guard_add (fd);
  pthread_mutex_lock (&lock);
  add_waiting_locked (fd);
  pthread_mutex_unlock (&lock);
  if (!start_closers ())
    warn_once ();
}

gboolean
loky_close_is_overrun (void)
{
  gboolean is_overrun;

  /* What no thread could be had for when it came. */
  start_closers ();
  pthread_mutex_lock (&lock);
  is_overrun = waiting != NULL && waiting->len > MAX_WAITING;
  pthread_mutex_unlock (&lock);
  return is_overrun;
}

/* --- what it is ------------------------------------------------------------------------------- */

gboolean
loky_close_is_memory (int fd)
{
  return fcntl (fd, F_GET_SEALS) >= 0;
}

/* What the kernel remembers is enough: a file system of somebody's own is not asked, and cannot
 * keep us waiting. 0: it cannot be told. */
static guint64
get_device (int fd)
{
  struct statx info;

  if (statx (fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &info) != 0)
    return 0;
  return 1 + ((guint64) info.stx_dev_major << 32 | info.stx_dev_minor);
}

/* That of all anonymous pipes; a FIFO with a name may be anywhere. */
static guint64
get_device_of_pipes (void)
{
  static guint64 device; /* atomic; 0 while it is not known */
  guint64 known = __atomic_load_n (&device, __ATOMIC_RELAXED);
  int ends[2];

  if (known != 0 || pipe2 (ends, O_CLOEXEC) != 0)
    return known;
  known = get_device (ends[0]);
  close (ends[0]);
  close (ends[1]);
  __atomic_store_n (&device, known, __ATOMIC_RELAXED);
  return known;
}

gboolean
loky_close_is_pipe (int fd)
{
  guint64 device = get_device_of_pipes ();

  return device != 0 && get_device (fd) == device;
}

/* --- of others -------------------------------------------------------------------------------- */

static gpointer
close_cb (gpointer data)
{
  close (GPOINTER_TO_INT (data));
  return NULL;
}

void
loky_close_trusted (int fd)
{
  if (loky_close_is_memory (fd) || fcntl (fd, F_GETPIPE_SZ) >= 0 || !start_thread (close_cb, fd))
    close (fd);
}
