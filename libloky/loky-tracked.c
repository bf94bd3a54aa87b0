/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The resources that this process has made, and the tracker that has them. */

#include "loky-tracker-private.h"

#include <poll.h>
#include <string.h>

#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-util-private.h"

/* Held while one resource is made: the tracker is asked for one at a time. */
static GMutex making_lock;
static gboolean has_died;   /* somebody is to be told; making_lock */
static gboolean is_lacking; /* the tracker has not everything yet; making_lock */

static GMutex table_lock;
static GPtrArray *table;       /* of LokyTracked, not referenced; table_lock */
static LokyTracker *tracker;   /* the last one that was started; table_lock */
static gboolean may_end;       /* it: it has nothing yet, or was released; table_lock */
static gboolean is_making;     /* somebody has the making lock; table_lock */
static guint table_generation; /* of what is above; table_lock */

static gboolean
fail_errno (GError **error, const char *what)
{
  int saved_errno = errno;

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "%s: %s", what, g_strerror (saved_errno));
  return FALSE;
}

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
  may_end = FALSE;
  is_making = FALSE;
}

/* Its socket stays: while workers use something of it, the tracker lives, and is the one to ask. */
static void
release_if_unused_locked (void)
{
  if (table != NULL || is_making || tracker == NULL || may_end)
    return;
  may_end = TRUE;
  loky_tracker_release (tracker);
}

/* By anybody who has it. */
static gboolean
is_forgotten (LokyTracked *self)
{
  struct pollfd poll_fd = { .fd = self->read_fd, .events = POLLIN };

  return poll (&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN) != 0;
}

static LokyTracked *
find_locked (const char *path)
{
  check_generation_locked ();
  for (guint i = 0; table != NULL && i < table->len; i++)
    {
      LokyTracked *tracked = g_ptr_array_index (table, i);

      if (strcmp (tracked->path, path) == 0 && !is_forgotten (tracked))
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
        g_clear_pointer (&table, g_ptr_array_unref);
      release_if_unused_locked ();
    }
  g_mutex_unlock (&table_lock);
  if (is_last)
    tracked_free (self);
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

/* The one in use, if it lives; a reference. Released, it may have ended by itself. */
static LokyTracker *
ref_tracker (gboolean *is_dead)
{
  LokyTracker *found = NULL;

  *is_dead = FALSE;
  g_mutex_lock (&table_lock);
  check_generation_locked ();
  if (tracker != NULL)
    {
      if (loky_tracker_is_alive (tracker))
        found = loky_tracker_ref (tracker);
      else
        *is_dead = !may_end;
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
replace_tracker (LokyTracker *next)
{
  LokyTracker *before;

  g_mutex_lock (&table_lock);
  before = tracker;
  tracker = loky_tracker_ref (next);
  may_end = table == NULL;
  g_mutex_unlock (&table_lock);
  g_clear_pointer (&before, loky_tracker_unref);
}

static gboolean
is_given (LokyTracker *its_tracker, LokyTracked *self)
{
  return (guint) g_atomic_int_get (&self->given_to) == loky_tracker_get_id (its_tracker);
}

/* 0, or an errno. */
static int
give (LokyTracker *its_tracker, LokyTracked *tracked)
{
  int error_number = is_given (its_tracker, tracked) ? 0 : loky_tracker_ask (its_tracker, tracked);

  if (error_number == 0)
    g_atomic_int_set (&tracked->given_to, (gint) loky_tracker_get_id (its_tracker));
  return error_number;
}

/* Has it track what the last one did, as far as it does not yet. If it fails the tracker stays the
 * one in use, since it watches what it was given already: the next call goes on. */
static gboolean
give_all (LokyTracker *its_tracker, GError **error)
{
  g_autoptr (GPtrArray) all = ref_all ();

  for (guint i = 0; i < all->len; i++)
    {
      errno = give (its_tracker, g_ptr_array_index (all, i));
      if (errno != 0)
        return fail_errno (error, "The resource tracker cannot be given what is tracked");
    }
  is_lacking = FALSE;
  return TRUE;
}

/* A reference to one that lives; by who has the making lock. */
static LokyTracker *
ensure_tracker (GError **error)
{
  gboolean is_dead;
  g_autoptr (LokyTracker) found = ref_tracker (&is_dead);

  if (found == NULL)
    {
      found = loky_tracker_start (error);
      if (found == NULL)
        return NULL;
      replace_tracker (found);
      has_died |= is_dead;
      is_lacking = TRUE;
    }
  if (is_lacking && !give_all (found, error))
    return NULL;
  return g_steal_pointer (&found);
}

/* Nothing is released while the tracker is asked. */
static void
begin_making (void)
{
  g_mutex_lock (&making_lock);
  g_mutex_lock (&table_lock);
  check_generation_locked ();
  is_making = TRUE;
  g_mutex_unlock (&table_lock);
}

/* A handler of what is logged is not ours: no lock is held. */
static void
end_making (void)
{
  gboolean is_to_be_told = has_died;

  has_died = FALSE;
  g_mutex_lock (&table_lock);
  is_making = FALSE;
  release_if_unused_locked ();
  g_mutex_unlock (&table_lock);
  g_mutex_unlock (&making_lock);
  if (is_to_be_told)
    g_warning ("The resource tracker has died and was started again; what only workers use by now "
               "may stay");
}

gboolean
loky_tracked_check (LokyTracked *self, GError **error)
{
  g_autoptr (LokyTracker) living = NULL;
  gboolean is_dead;

  living = ref_tracker (&is_dead);
  if (living != NULL && is_given (living, self))
    return TRUE;
  g_clear_pointer (&living, loky_tracker_unref);
  begin_making ();
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
      fail_errno (error, "There is no pipe for a resource");
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

static void
enlist (LokyTracked *self)
{
  g_mutex_lock (&table_lock);
  if (table == NULL)
    table = g_ptr_array_new ();
  g_ptr_array_add (table, self);
  g_mutex_unlock (&table_lock);
}

/* It was asked, and lives. */
static void
set_asked (void)
{
  g_mutex_lock (&table_lock);
  may_end = FALSE;
  g_mutex_unlock (&table_lock);
}

static gboolean
is_of_a_dead_one (int error_number)
{
  return error_number == EPIPE || error_number == ECONNRESET || error_number == ENOTCONN;
}

/* One that dies meanwhile is started again, once. */
static gboolean
track (LokyTracked *self, GError **error)
{
  int error_number = 0;

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (LokyTracker) its_tracker = ensure_tracker (error);

      if (its_tracker == NULL)
        return FALSE;
      error_number = give (its_tracker, self);
      if (is_of_a_dead_one (error_number))
        continue;
      set_asked ();
      if (error_number == 0)
        {
          enlist (self);
          return TRUE;
        }
      break;
    }
  errno = error_number;
  return fail_errno (error, "The resource tracker does not take a resource");
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
      g_autoptr (LokyTracker) living = ensure_tracker (error);

      if (living == NULL)
        g_clear_pointer (&self, loky_tracked_unref);
      return self;
    }
  if (self != NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "“%s” is tracked as a %s already", path,
                   self->kind == LOKY_RESOURCE_KIND_FILE ? "file" : "folder");
      loky_tracked_unref (self);
      return NULL;
    }
  self = make_tracked (path, kind, error);
  if (self == NULL || track (self, error))
    return self;
  /* A tracker that did not answer may have it all the same: nobody was promised that this is
   * removed. */
  loky_hold_forget (self->hold, NULL);
  tracked_free (self);
  return NULL;
}

LokyTracked *
loky_tracked_new (const char *path, LokyResourceKind kind, GError **error)
{
  LokyTracked *self;

  begin_making ();
  self = find_or_make (path, kind, error);
  end_making ();
  return self;
}
