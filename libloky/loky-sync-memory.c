/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-sync-memory-private.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "loky-error.h"
#include "loky-fork-guard-private.h"
#include "loky-util-private.h"

#define MAGIC 0x594b4f53 /* "SOKY" */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

#define PLACE_BITS 10
#define GENERATION_MASK (G_MAXUINT32 >> PLACE_BITS)

G_STATIC_ASSERT (LOKY_SYNC_N_PLACES == 1 << PLACE_BITS);

/* What this process has attached, so that it has each memory once: an owner is a process. */
static GMutex table_lock;
static GPtrArray *table; /* of LokySync, not referenced; table_lock */

static gboolean
fail_errno (GError **error, const char *what)
{
  int saved_errno = errno;

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "Cannot %s the memory of a synchronizer: %s",
               what, g_strerror (saved_errno));
  return FALSE;
}

static gboolean
fail_received (GError **error, const char *what)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL, "A synchronizer was received that %s", what);
  return FALSE;
}

/* --- places ----------------------------------------------------------------------------------- */

static struct flock
make_file_lock (guint place)
{
  return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t) place, .l_len = 1 };
}

/* Who takes a place has it for itself: the kernel gives the lock to one. */
static gboolean
take_place (LokySync *self, GError **error)
{
  guint first = (guint) getpid ();
  guint32 generation;

  for (guint i = 0; i < LOKY_SYNC_N_PLACES; i++)
    {
      guint place = (first + i) % LOKY_SYNC_N_PLACES;
      struct flock lock = make_file_lock (place);

      if (fcntl (self->own_fd, F_OFD_SETLK, &lock) != 0)
        {
          if (errno == EAGAIN || errno == EACCES)
            continue;
          return fail_errno (error, "lock");
        }
      do
        generation = __atomic_add_fetch (&self->memory->generations[place], 1, __ATOMIC_SEQ_CST) &
                     GENERATION_MASK;
      while (generation == 0);
      self->place = place;
      self->owner = generation << PLACE_BITS | place;
      return TRUE;
    }
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES,
               "%d processes have this synchronizer already", LOKY_SYNC_N_PLACES);
  return FALSE;
}

static gboolean
is_taken (LokySync *self, guint place, LokySyncCensus *census)
{
  struct flock lock = make_file_lock (place);

  if (place == self->place)
    return TRUE;
  if (census != NULL && (census->is_taken[place / 8] & (1 << place % 8)) != 0)
    return TRUE;
  /* By the description that all share, whose own locks do not count: who does wrong could set one there that outlives
   * it. Without an answer nobody is taken for dead. */
  if (fcntl (self->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK)
    return FALSE;
  if (census != NULL)
    census->is_taken[place / 8] |= (guint8) (1 << place % 8);
  return TRUE;
}

gboolean
loky_sync_is_alive (LokySync *self, LokySyncOwner owner, LokySyncCensus *census)
{
  guint place = owner % LOKY_SYNC_N_PLACES;
  guint32 generation;

  if (owner == self->owner)
    return TRUE;
  if (!is_taken (self, place, census))
    return FALSE;
  generation = __atomic_load_n (&self->memory->generations[place], __ATOMIC_SEQ_CST);
  return (generation & GENERATION_MASK) == owner >> PLACE_BITS;
}

guint32
loky_sync_get_thread (void)
{
  static guint32 n_threads;
  static __thread guint32 number;

  while (number == 0)
    number = __atomic_add_fetch (&n_threads, 1, __ATOMIC_RELAXED);
  return number;
}

/* --- attaching -------------------------------------------------------------------------------- */

static void
sync_free (LokySync *self)
{
  if (self->memory != NULL)
    munmap (self->memory, LOKY_SYNC_SIZE);
  /* A child has lost the description, and its number may be somebody else's. */
  if (self->own_fd >= 0 && self->fork_generation == loky_fork_guard_get_generation ())
    loky_fork_guard_close (&self->own_fd);
  loky_close_fd (&self->fd);
  g_free (self);
}

static LokySync *
find_locked (guint64 device, guint64 inode)
{
  guint generation = loky_fork_guard_get_generation ();

  for (guint i = 0; table != NULL && i < table->len; i++)
    {
      LokySync *sync = g_ptr_array_index (table, i);

      if (sync->inode == inode && sync->device == device && sync->fork_generation == generation)
        return sync;
    }
  return NULL;
}

/* A description of its own: that of @fd is shared with whoever it was sent to or came from. */
static gboolean
open_own (LokySync *self, GError **error)
{
  char path[32];

  g_snprintf (path, sizeof path, "/proc/self/fd/%d", self->fd);
  self->fork_generation = loky_fork_guard_get_generation ();
  self->own_fd = loky_fork_guard_open (path, O_RDWR | O_CLOEXEC);
  return self->own_fd >= 0 || fail_errno (error, "open");
}

static gboolean
map_memory (LokySync *self, GError **error)
{
  void *address = mmap (NULL, LOKY_SYNC_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);

  if (address == MAP_FAILED)
    return fail_errno (error, "map");
  self->memory = address;
  return TRUE;
}

static gboolean
identify (LokySync *self, GError **error)
{
  struct stat info;

  if (fstat (self->fd, &info) != 0)
    return fail_errno (error, "look at");
  self->device = info.st_dev;
  self->inode = info.st_ino;
  return TRUE;
}

static LokySync *
sync_alloc (int fd)
{
  LokySync *self = g_new0 (LokySync, 1);

  self->ref_count = 1;
  self->fd = fd;
  self->own_fd = -1;
  self->fork_generation = loky_fork_guard_get_generation ();
  return self;
}

static void
enlist_locked (LokySync *self)
{
  if (table == NULL)
    table = g_ptr_array_new ();
  g_ptr_array_add (table, self);
}

static gboolean
make_memory (LokySync *self, LokySyncKind kind, guint limit, GError **error)
{
  self->fd = loky_fd_above_standard (
      memfd_create ("loky-synchronizer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (self->fd < 0)
    return fail_errno (error, "make");
  /* Reserved before it is mapped: a full memory would otherwise be a SIGBUS later. */
  errno = posix_fallocate (self->fd, 0, LOKY_SYNC_SIZE);
  if (errno != 0)
    return fail_errno (error, "allocate");
  if (fcntl (self->fd, F_ADD_SEALS, SEALS) != 0)
    return fail_errno (error, "seal");
  if (!map_memory (self, error))
    return FALSE;
  self->kind = kind;
  self->limit = limit;
  self->memory->magic = MAGIC;
  self->memory->kind = kind;
  self->memory->limit = limit;
  return TRUE;
}

LokySync *
loky_sync_new (LokySyncKind kind, guint limit, GError **error)
{
  LokySync *self = sync_alloc (-1);

  if (!make_memory (self, kind, limit, error) || !identify (self, error) || !open_own (self, error) ||
      !take_place (self, error))
    {
      sync_free (self);
      return NULL;
    }
  g_mutex_lock (&table_lock);
  enlist_locked (self);
  g_mutex_unlock (&table_lock);
  return self;
}

static gboolean
check_received (int fd, guint64 size, GError **error)
{
  int seals = fcntl (fd, F_GET_SEALS);
  struct stat info;

  if (seals < 0 || (seals & SEALS) != SEALS || (seals & F_SEAL_WRITE) != 0)
    return fail_received (error, "is not sealed against resizing only");
  if (fstat (fd, &info) != 0 || info.st_size != LOKY_SYNC_SIZE || size != LOKY_SYNC_SIZE)
    return fail_received (error, "is not of the size that it must be");
  /* A hole would have to be filled on first access, which fails with SIGBUS on a full memory. */
  if (info.st_blocks < LOKY_SYNC_SIZE / 512)
    return fail_received (error, "has holes");
  return TRUE;
}

static gboolean
read_constants (LokySync *self, GError **error)
{
  guint32 kind = __atomic_load_n (&self->memory->kind, __ATOMIC_RELAXED);
  guint32 limit = __atomic_load_n (&self->memory->limit, __ATOMIC_RELAXED);

  if (__atomic_load_n (&self->memory->magic, __ATOMIC_RELAXED) != MAGIC || kind > LOKY_SYNC_BARRIER ||
      (kind == LOKY_SYNC_BARRIER && (limit < 1 || limit > LOKY_SYNC_N_SEATS)))
    return fail_received (error, "is of no known kind");
  self->kind = kind;
  self->limit = limit;
  return TRUE;
}

LokySync *
loky_sync_new_received (int fd, guint64 size, GError **error)
{
  LokySync *self = sync_alloc (fd);
  LokySync *found;
  gboolean is_done;

  if (!check_received (fd, size, error) || !identify (self, error))
    {
      sync_free (self);
      return NULL;
    }
  /* Under the lock, so that two threads which receive the same have it once. */
  g_mutex_lock (&table_lock);
  found = find_locked (self->device, self->inode);
  is_done = found != NULL || (map_memory (self, error) && read_constants (self, error) &&
                              open_own (self, error) && take_place (self, error));
  if (found != NULL)
    found->ref_count++;
  else if (is_done)
    enlist_locked (self);
  g_mutex_unlock (&table_lock);
  if (found != NULL || !is_done)
    sync_free (self);
  return is_done ? (found != NULL ? found : self) : NULL;
}

LokySync *
loky_sync_ref (LokySync *self)
{
  g_mutex_lock (&table_lock);
  self->ref_count++;
  g_mutex_unlock (&table_lock);
  return self;
}

void
loky_sync_unref (LokySync *self)
{
  gboolean is_last;

  g_mutex_lock (&table_lock);
  is_last = --self->ref_count == 0;
  if (is_last)
    g_ptr_array_remove_fast (table, self);
  if (table != NULL && table->len == 0)
    g_clear_pointer (&table, g_ptr_array_unref);
  g_mutex_unlock (&table_lock);
  if (is_last)
    sync_free (self);
}

gboolean
loky_sync_check_process (LokySync *self, GError **error)
{
  if (self->fork_generation == loky_fork_guard_get_generation ())
    return TRUE;
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_FORKED,
                       "A synchronizer cannot be used in a child of the process that has it");
  return FALSE;
}
