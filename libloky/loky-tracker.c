/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-tracker-private.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loky-environment-private.h"
#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-paths-private.h"
#include "loky-util-private.h"

/* How long the tracker may take to start, or to answer while it removes a large folder, in ms. */
#define TIMEOUT 30000

/* The socket to a tracker. */
typedef struct
{
  gatomicrefcount ref_count;
  int fd;
  guint fork_generation;
} Tracker;

/* Held while one resource is made: the tracker is asked for one at a time. */
static GMutex making_lock;
static gboolean has_died; /* somebody is to be told; making_lock */

static GMutex table_lock;
static GPtrArray *table; /* of LokyTracked, not referenced; table_lock */
static Tracker *tracker; /* NULL while the table is empty; table_lock */
static guint table_generation; /* of what is above; table_lock */

static gboolean
fail_errno (GError **error, gint code, const char *what)
{
  int saved_errno = errno;

  g_set_error (error, LOKY_ERROR, code, "%s: %s", what, g_strerror (saved_errno));
  return FALSE;
}

/* --- the process ------------------------------------------------------------------------------ */

static void
tracker_unref (Tracker *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  /* A child has lost it, and its number may be somebody else's. */
  if (self->fork_generation == loky_fork_guard_get_generation ())
    loky_fork_guard_close (&self->fd);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Tracker, tracker_unref)

/* Takes over @fd. */
static Tracker *
tracker_new (int fd)
{
  Tracker *self = g_new0 (Tracker, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->fd = fd;
  loky_fork_guard_add (fd);
  self->fork_generation = loky_fork_guard_get_generation ();
  return self;
}

/* What was started has only to make a copy of itself, which is nobody's child, and to end. */
static gboolean
await_copy (pid_t pid, GError **error)
{
  loky_autofd int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };
  gint64 end = g_get_monotonic_time () + TIMEOUT * 1000;
  int result = -1;
  int status = 0;

  /* Somebody else in the application may have reaped it. */
  if (pidfd < 0 && errno == ESRCH)
    return TRUE;
  if (pidfd >= 0)
    do
      result = poll (&poll_fd, 1, (int) MAX ((end - g_get_monotonic_time ()) / 1000, 0));
    while (result < 0 && errno == EINTR);
  if (result <= 0)
    kill (pid, SIGKILL);
  if (waitpid (pid, &status, 0) != pid)
    status = 0;
  if (result > 0 && status == 0)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START, "The resource tracker does not start (status %d)",
               status);
  return FALSE;
}

/* With @fd as its standard input. */
static gboolean
spawn (int fd, GError **error)
{
  g_autofree char *program = loky_paths_find_worker (NULL);
  g_auto (GStrv) environment = loky_environment_make_clean ();
  char *arguments[] = { program, (char *) LOKY_TRACKER_ARGUMENT, NULL };
  posix_spawn_file_actions_t actions;
  pid_t pid = 0;
  int result;

  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, fd, STDIN_FILENO);
  result = posix_spawn (&pid, program, &actions, NULL, arguments, environment);
  posix_spawn_file_actions_destroy (&actions);
  if (result == 0)
    return await_copy (pid, error);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START, "The resource tracker “%s” cannot be started: %s",
               program, g_strerror (result));
  return FALSE;
}

static Tracker *
start (GError **error)
{
  int pair[2];
  loky_autofd int ours = -1;
  loky_autofd int theirs = -1;

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    {
      fail_errno (error, LOKY_ERROR_RESOURCES, "There is no socket for the resource tracker");
      return NULL;
    }
  ours = loky_fd_above_standard (pair[0]);
  theirs = loky_fd_above_standard (pair[1]);
  if (ours < 0 || theirs < 0)
    {
      fail_errno (error, LOKY_ERROR_RESOURCES, "There is no socket for the resource tracker");
      return NULL;
    }
  return spawn (theirs, error) ? tracker_new (loky_steal_fd (&ours)) : NULL;
}

static gboolean
is_alive (Tracker *self)
{
  struct pollfd poll_fd = { .fd = self->fd };

  return poll (&poll_fd, 1, 0) == 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static ssize_t
send_request (Tracker *self, LokyTracked *tracked)
{
  char control[CMSG_SPACE (sizeof (int))] __attribute__ ((aligned (__alignof__ (struct cmsghdr)))) = { 0 };
  LokyTrackerRequest request = { .magic = LOKY_TRACKER_MAGIC, .kind = (guint32) tracked->kind };
  struct iovec parts[] = {
    { &request, sizeof request },
    { tracked->path, strlen (tracked->path) },
  };
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = G_N_ELEMENTS (parts), .msg_control = control,
                            .msg_controllen = sizeof control };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof (int));
  memcpy (CMSG_DATA (header), &tracked->read_fd, sizeof (int));
  return sendmsg (self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* 0, or why it is not tracked. There is room for the request: all before it were answered. */
static int
ask (Tracker *self, LokyTracked *tracked)
{
  gint64 end = g_get_monotonic_time () + TIMEOUT * 1000;
  gint32 answer;

  if (send_request (self, tracked) < 0)
    return errno;
  for (;;)
    {
      struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
      gint64 left = MAX (end - g_get_monotonic_time (), 0);
      ssize_t got = recv (self->fd, &answer, sizeof answer, MSG_DONTWAIT);

      if (got == sizeof answer)
        return answer;
      if (got >= 0)
        return EPIPE;
      if (errno != EAGAIN && errno != EINTR)
        return errno;
      if (left == 0)
        return ETIMEDOUT;
      poll (&poll_fd, 1, (int) ((left + 999) / 1000));
    }
}

static gboolean
is_of_a_dead_one (int error_number)
{
  return error_number == EPIPE || error_number == ECONNRESET || error_number == ENOTCONN;
}

/* --- the table -------------------------------------------------------------------------------- */

/* What a child of the process finds here is its parent's. */
static void
check_generation_locked (void)
{
  guint generation = loky_fork_guard_get_generation ();

  if (generation == table_generation)
    return;
  table_generation = generation;
  table = NULL;
  tracker = NULL;
}

static LokyTracked *
find_locked (const char *path)
{
  check_generation_locked ();
  for (guint i = 0; table != NULL && i < table->len; i++)
    {
      LokyTracked *tracked = g_ptr_array_index (table, i);

      if (tracked->is_listed && strcmp (tracked->path, path) == 0)
        return tracked;
    }
  return NULL;
}

static void
tracked_free (LokyTracked *self)
{
  /* Before the read end, so that the tracker finds out first. */
  g_clear_object (&self->hold);
  loky_fork_guard_close (&self->read_fd);
  g_free (self->path);
  g_free (self);
}

void
loky_tracked_unref (LokyTracked *self)
{
  Tracker *unused = NULL;
  gboolean is_last;

  /* What a child of the process has was closed, and stays in memory. */
  if (!loky_hold_check_process (self->hold, NULL))
    return;
  g_mutex_lock (&table_lock);
  is_last = --self->ref_count == 0;
  if (is_last)
    {
      g_ptr_array_remove_fast (table, self);
      if (table->len == 0)
        {
          g_clear_pointer (&table, g_ptr_array_unref);
          unused = g_steal_pointer (&tracker);
        }
    }
  g_mutex_unlock (&table_lock);
  if (is_last)
    tracked_free (self);
  g_clear_pointer (&unused, tracker_unref);
}

void
loky_tracked_unlist (LokyTracked *self)
{
  g_mutex_lock (&table_lock);
  self->is_listed = FALSE;
  g_mutex_unlock (&table_lock);
}

LokyTracked *
loky_tracked_find (LokyHold *hold)
{
  LokyTracked *found = NULL;

  g_mutex_lock (&table_lock);
  check_generation_locked ();
  for (guint i = 0; table != NULL && i < table->len && found == NULL; i++)
    {
      LokyTracked *tracked = g_ptr_array_index (table, i);

      if (loky_hold_get_handle (tracked->hold) == loky_hold_get_handle (hold) &&
          loky_hold_is_same (tracked->hold, hold))
        found = tracked;
    }
  if (found != NULL)
    found->ref_count++;
  g_mutex_unlock (&table_lock);
  return found;
}

/* The one in use, if it lives; a reference. */
static Tracker *
ref_tracker (gboolean *is_dead)
{
  Tracker *found = NULL;

  *is_dead = FALSE;
  g_mutex_lock (&table_lock);
  check_generation_locked ();
  if (tracker != NULL)
    {
      *is_dead = !is_alive (tracker);
      if (!*is_dead)
        {
          found = tracker;
          g_atomic_ref_count_inc (&found->ref_count);
        }
    }
  g_mutex_unlock (&table_lock);
  return found;
}

/* References to all that are tracked. */
static GPtrArray *
ref_all (void)
{
  GPtrArray *all = g_ptr_array_new_with_free_func ((GDestroyNotify) loky_tracked_unref);

  g_mutex_lock (&table_lock);
  for (guint i = 0; table != NULL && i < table->len; i++)
    {
      LokyTracked *tracked = g_ptr_array_index (table, i);

      tracked->ref_count++;
      g_ptr_array_add (all, tracked);
    }
  g_mutex_unlock (&table_lock);
  return all;
}

static void
replace_tracker (Tracker *next)
{
  Tracker *before = NULL;

  g_mutex_lock (&table_lock);
  /* While nothing is there it is kept by who makes the first. */
  if (table != NULL)
    {
      before = tracker;
      tracker = next;
      g_atomic_ref_count_inc (&next->ref_count);
    }
  g_mutex_unlock (&table_lock);
  g_clear_pointer (&before, tracker_unref);
}

/* Starts one, and has it track what the last one did. */
static Tracker *
start_again (GError **error)
{
  g_autoptr (GPtrArray) all = ref_all ();
  g_autoptr (Tracker) next = start (error);

  if (next == NULL)
    return NULL;
  for (guint i = 0; i < all->len; i++)
    {
      LokyTracked *tracked = g_ptr_array_index (all, i);

      errno = ask (next, tracked);
      if (errno != 0)
        {
          fail_errno (error, LOKY_ERROR_RESOURCES, "The resource tracker cannot be given what is tracked");
          return NULL;
        }
    }
  replace_tracker (next);
  return g_steal_pointer (&next);
}

/* A reference to one that lives; by who has the making lock. */
static Tracker *
ensure_tracker (GError **error)
{
  gboolean is_dead;
  Tracker *found = ref_tracker (&is_dead);

  if (found == NULL)
    found = start_again (error);
  has_died |= is_dead && found != NULL;
  return found;
}

/* A handler of what is logged is not ours: no lock is held. */
static void
end_making (void)
{
  gboolean is_to_be_told = has_died;

  has_died = FALSE;
  g_mutex_unlock (&making_lock);
  if (is_to_be_told)
    g_warning ("The resource tracker has died and was started again; what only workers use by now may stay");
}

gboolean
loky_tracked_check (LokyTracked *self, GError **error)
{
  g_autoptr (Tracker) living = NULL;
  gboolean is_dead;

  living = ref_tracker (&is_dead);
  if (living != NULL)
    return TRUE;
  g_mutex_lock (&making_lock);
  living = ensure_tracker (error);
  end_making ();
  return living != NULL;
}

/* --- making ----------------------------------------------------------------------------------- */

static LokyTracked *
make_tracked (const char *path, LokyResourceKind kind, GError **error)
{
  LokyTracked *self;
  int ends[2];

  if (pipe2 (ends, O_CLOEXEC | O_NONBLOCK) == 0)
    {
      ends[0] = loky_fd_above_standard (ends[0]);
      ends[1] = loky_fd_above_standard (ends[1]);
    }
  else
    ends[0] = ends[1] = -1;
  if (ends[0] < 0 || ends[1] < 0)
    {
      fail_errno (error, LOKY_ERROR_RESOURCES, "There is no pipe for a resource");
      loky_close_fd (&ends[0]);
      loky_close_fd (&ends[1]);
      return NULL;
    }
  self = g_new0 (LokyTracked, 1);
  self->ref_count = 1;
  self->path = g_strdup (path);
  self->kind = kind;
  self->read_fd = ends[0];
  loky_fork_guard_add (self->read_fd);
  self->hold = loky_hold_new (ends[1]);
  return self;
}

/* With the tracker that has it. */
static void
enlist (LokyTracked *self, Tracker *its_tracker)
{
  Tracker *before = NULL;

  g_mutex_lock (&table_lock);
  if (table == NULL)
    table = g_ptr_array_new ();
  self->is_listed = TRUE;
  g_ptr_array_add (table, self);
  /* The last one may have been dropped meanwhile, and the tracker with it. */
  if (tracker != its_tracker)
    {
      before = tracker;
      tracker = its_tracker;
      g_atomic_ref_count_inc (&its_tracker->ref_count);
    }
  g_mutex_unlock (&table_lock);
  g_clear_pointer (&before, tracker_unref);
}

/* The next one is another. */
static void
abandon (Tracker *its_tracker)
{
  Tracker *before = NULL;

  g_mutex_lock (&table_lock);
  if (tracker == its_tracker)
    before = g_steal_pointer (&tracker);
  g_mutex_unlock (&table_lock);
  g_clear_pointer (&before, tracker_unref);
}

/* One that dies meanwhile is started again, once. */
static gboolean
track (LokyTracked *self, GError **error)
{
  int error_number = 0;

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (Tracker) its_tracker = ensure_tracker (error);

      if (its_tracker == NULL)
        return FALSE;
      error_number = ask (its_tracker, self);
      if (error_number == 0)
        {
          enlist (self, its_tracker);
          return TRUE;
        }
      if (!is_of_a_dead_one (error_number))
        {
          /* Its answer may still come. */
          if (error_number == ETIMEDOUT)
            abandon (its_tracker);
          break;
        }
    }
  errno = error_number;
  return fail_errno (error, LOKY_ERROR_RESOURCES, "The resource tracker does not take a resource");
}

static LokyTracked *
ref_by_path (const char *path)
{
  LokyTracked *found;

  g_mutex_lock (&table_lock);
  found = find_locked (path);
  if (found != NULL)
    found->ref_count++;
  g_mutex_unlock (&table_lock);
  return found;
}

static LokyTracked *
find_or_make (const char *path, LokyResourceKind kind, GError **error)
{
  LokyTracked *self = ref_by_path (path);

  if (self != NULL && self->kind == kind)
    {
      g_autoptr (Tracker) living = ensure_tracker (error);

      if (living == NULL)
        g_clear_pointer (&self, loky_tracked_unref);
      return self;
    }
  if (self != NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT, "“%s” is tracked as a %s already", path,
                   self->kind == LOKY_RESOURCE_KIND_FILE ? "file" : "folder");
      loky_tracked_unref (self);
      return NULL;
    }
  self = make_tracked (path, kind, error);
  if (self == NULL || track (self, error))
    return self;
  /* A tracker that did not answer may have it all the same: nobody was promised that this is removed. */
  loky_hold_forget (self->hold, NULL);
  tracked_free (self);
  return NULL;
}

LokyTracked *
loky_tracked_new (const char *path, LokyResourceKind kind, GError **error)
{
  LokyTracked *self;

  g_mutex_lock (&making_lock);
  self = find_or_make (path, kind, error);
  end_making ();
  return self;
}
