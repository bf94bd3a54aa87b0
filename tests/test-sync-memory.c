/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The memory of synchronizers: what is refused, who is alive, who sits where, and that nobody depends on what
 * others write there. */


#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#include "loky-attachment-private.h"
#include "loky-sync-seat-private.h"
#include "loky-sync-wait-private.h"
#include "loky-synchronizer-private.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define N_ROUNDS 300

static int
dup_fd (LokySync *sync)
{
  int fd = fcntl (sync->fd, F_DUPFD_CLOEXEC, 3);

  g_assert_cmpint (fd, >=, 3);
  return fd;
}

/* --- what is received ------------------------------------------------------------------------- */

static void
check_refused (int fd, guint64 size, const char *text)
{
  g_autoptr (GError) error = NULL;
  LokySync *sync = loky_sync_new_received (fd, size, &error);

  g_assert_null (sync);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, text));
}

/* Of the contents of a true one, but @word. */
static int
make_memory (gsize size, int seals, guint word, guint32 value)
{
  g_autoptr (LokySync) sync = loky_sync_new (LOKY_SYNC_BARRIER, 3, NULL);
  int fd = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  guint32 words[16];

  memcpy (words, sync->memory, sizeof words);
  words[word] = value;
  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  g_assert_cmpint (posix_fallocate (fd, 0, (off_t) size), ==, 0);
  g_assert_cmpint (pwrite (fd, words, sizeof words, 0), ==, sizeof words);
  if (seals != 0)
    g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return fd;
}

static void
test_refused (void)
{
  guint n_fds = loky_fixture_count_fds ();
  LokySync *sync;
  int fd;

  sync = loky_sync_new_received (make_memory (LOKY_SYNC_SIZE, SEALS, 2, 3), LOKY_SYNC_SIZE, NULL);
  g_assert_nonnull (sync);
  g_assert_cmpuint (sync->limit, ==, 3);
  loky_sync_unref (sync);

  check_refused (make_memory (LOKY_SYNC_SIZE, 0, 2, 3), LOKY_SYNC_SIZE, "sealed");
  check_refused (make_memory (LOKY_SYNC_SIZE, F_SEAL_SHRINK | F_SEAL_GROW, 2, 3), LOKY_SYNC_SIZE, "sealed");
  check_refused (make_memory (LOKY_SYNC_SIZE, SEALS | F_SEAL_WRITE, 2, 3), LOKY_SYNC_SIZE, "sealed");
  check_refused (make_memory (LOKY_SYNC_SIZE + 4096, SEALS, 2, 3), LOKY_SYNC_SIZE, "size");
  check_refused (make_memory (LOKY_SYNC_SIZE - 4096, SEALS, 2, 3), LOKY_SYNC_SIZE, "size");
  check_refused (make_memory (LOKY_SYNC_SIZE, SEALS, 2, 3), LOKY_SYNC_SIZE - 1, "size");
  check_refused (make_memory (LOKY_SYNC_SIZE, SEALS, 0, 0), LOKY_SYNC_SIZE, "kind");
  check_refused (make_memory (LOKY_SYNC_SIZE, SEALS, 1, 6), LOKY_SYNC_SIZE, "kind");
  check_refused (make_memory (LOKY_SYNC_SIZE, SEALS, 2, 0), LOKY_SYNC_SIZE, "kind");
  check_refused (make_memory (LOKY_SYNC_SIZE, SEALS, 2, 1025), LOKY_SYNC_SIZE, "kind");

  fd = make_memory (LOKY_SYNC_SIZE, 0, 2, 3);
  g_assert_cmpint (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 4096), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, SEALS), ==, 0);
  check_refused (fd, LOKY_SYNC_SIZE, "holes");
  loky_fixture_assert_fds (n_fds);
}

/* The class is what the memory says, or a condition of a lock. */
static void
check_part (LokySyncKind kind, guint32 part, GType type)
{
  g_autoptr (LokySync) sync = loky_sync_new (kind, 1, NULL);
  LokyBufferRecord record = { .handle = 5, .part = part, .size = LOKY_SYNC_SIZE };
  g_autoptr (GError) error = NULL;
  g_autoptr (GObject) object = loky_attachment_new_received (dup_fd (sync), &record, &error);

  if (type == G_TYPE_INVALID)
    {
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
      g_assert_null (object);
      return;
    }
  g_assert_no_error (error);
  g_assert_true (G_OBJECT_TYPE (object) == type);
  g_assert_cmpint (loky_attachment_get_handle (object), ==, 5);
  g_assert_true (LOKY_SYNCHRONIZER (object)->sync == sync);
  loky_attachment_describe (object, &record);
  g_assert_cmpuint (record.part, ==, part);
}

static void
test_parts (void)
{
  check_part (LOKY_SYNC_LOCK, LOKY_PART_WHOLE, LOKY_TYPE_LOCK);
  check_part (LOKY_SYNC_RECURSIVE_LOCK, LOKY_PART_WHOLE, LOKY_TYPE_LOCK);
  check_part (LOKY_SYNC_LOCK, LOKY_PART_CONDITION + 7, LOKY_TYPE_CONDITION);
  check_part (LOKY_SYNC_SEMAPHORE, LOKY_PART_WHOLE, LOKY_TYPE_SEMAPHORE);
  check_part (LOKY_SYNC_BOUNDED_SEMAPHORE, LOKY_PART_WHOLE, LOKY_TYPE_SEMAPHORE);
  check_part (LOKY_SYNC_EVENT, LOKY_PART_WHOLE, LOKY_TYPE_EVENT);
  check_part (LOKY_SYNC_BARRIER, LOKY_PART_WHOLE, LOKY_TYPE_BARRIER);
  check_part (LOKY_SYNC_EVENT, LOKY_PART_CONDITION, G_TYPE_INVALID);
  check_part (LOKY_SYNC_LOCK, G_MAXUINT32, G_TYPE_INVALID);
}

/* Whoever sends back what it was sent: an owner is a process. */
static void
test_attached_once (void)
{
  g_autoptr (LokySync) sync = loky_sync_new (LOKY_SYNC_LOCK, 0, NULL);
  guint n_fds = loky_fixture_count_fds ();
  g_autoptr (LokySync) same = loky_sync_new_received (dup_fd (sync), LOKY_SYNC_SIZE, NULL);

  g_assert_true (sync == same);
  loky_fixture_assert_fds (n_fds);
}

static void
test_made_by_no_constructor (void)
{
  g_autoptr (LokyLock) lock = g_object_new (LOKY_TYPE_LOCK, NULL);
  g_autoptr (LokyCondition) condition = g_object_new (LOKY_TYPE_CONDITION, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (loky_lock_release (lock, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_null (loky_condition_get_lock (condition));
  g_assert_null (loky_synchronizer_to_variant (LOKY_SYNCHRONIZER (lock), NULL));
}

/* --- places ----------------------------------------------------------------------------------- */

static int
lock_places (int memory, guint first, guint n)
{
  struct flock lock = { .l_type = F_WRLCK, .l_start = (off_t) first, .l_len = (off_t) n };
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", memory);
  int fd = open (path, O_RDWR | O_CLOEXEC);

  g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &lock), ==, 0);
  return fd;
}

static void
test_places_all_taken (void)
{
  LokySync *sync = loky_sync_new (LOKY_SYNC_LOCK, 0, NULL);
  guint place = sync->place;
  g_autoptr (GError) error = NULL;
  int fd = dup_fd (sync);
  int others;

  loky_sync_unref (sync);
  others = lock_places (fd, place, 1);
  sync = loky_sync_new_received (dup (fd), LOKY_SYNC_SIZE, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (sync->place, ==, (place + 1) % LOKY_SYNC_N_PLACES);
  loky_sync_unref (sync);
  close (others);

  others = lock_places (fd, 0, LOKY_SYNC_N_PLACES);
  g_assert_null (loky_sync_new_received (fd, LOKY_SYNC_SIZE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  close (others);
}

/* Attaches the memory in a child, which then only lives. */
static LokySyncOwner
start_other (LokySync *sync, pid_t *pid)
{
  LokySyncOwner owner = 0;
  int ends[2];

  g_assert_cmpint (pipe (ends), ==, 0);
  *pid = fork ();
  if (*pid == 0)
    {
      LokySync *own = loky_sync_new_received (sync->fd, LOKY_SYNC_SIZE, NULL);

      if (own != NULL && write (ends[1], &own->owner, sizeof owner) == sizeof owner)
        pause ();
      _exit (1);
    }
  g_assert_cmpint (read (ends[0], &owner, sizeof owner), ==, sizeof owner);
  close (ends[0]);
  close (ends[1]);
  return owner;
}

static void
kill_other (pid_t pid)
{
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

static void
test_alive_until_killed (void)
{
  g_autoptr (LokySync) sync = loky_sync_new (LOKY_SYNC_LOCK, 0, NULL);
  LokySyncCensus census = { 0 };
  pid_t pid;
  LokySyncOwner owner = start_other (sync, &pid);
  guint place = owner % LOKY_SYNC_N_PLACES;
  struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
  int fd;

  g_assert_cmpuint (owner, !=, sync->owner);
  g_assert_true (loky_sync_is_alive (sync, sync->owner, &census));
  g_assert_true (loky_sync_is_alive (sync, owner, &census));
  g_assert_true (loky_sync_is_alive (sync, owner, &census));
  g_assert_false (loky_sync_is_alive (sync, 0, &census));
  /* Another one of the same place. */
  g_assert_false (loky_sync_is_alive (sync, owner + LOKY_SYNC_N_PLACES, &census));
  g_assert_false (loky_sync_is_alive (sync, sync->owner + LOKY_SYNC_N_PLACES, &census));
  kill_other (pid);
  g_assert_false (loky_sync_is_alive (sync, owner, NULL));

  /* By what all share nobody is kept alive. */
  lock.l_start = (off_t) place;
  g_assert_cmpint (fcntl (sync->fd, F_OFD_SETLK, &lock), ==, 0);
  g_assert_false (loky_sync_is_alive (sync, owner, NULL));
  lock.l_type = F_UNLCK;
  g_assert_cmpint (fcntl (sync->fd, F_OFD_SETLK, &lock), ==, 0);

  /* The place is had by another one, who is not taken for the dead. */
  fd = lock_places (sync->fd, place, 1);
  sync->memory->generations[place]++;
  g_assert_false (loky_sync_is_alive (sync, owner, NULL));
  g_assert_true (loky_sync_is_alive (sync, owner + LOKY_SYNC_N_PLACES, NULL));
  close (fd);
}

/* A copy of the holder lives on, and has all its descriptors but one. */
static void
test_copies_do_not_count (void)
{
  g_autoptr (LokySync) sync = loky_sync_new (LOKY_SYNC_LOCK, 0, NULL);
  struct
  {
    LokySyncOwner owner;
    pid_t copy;
  } other = { 0 };
  int ends[2];
  pid_t pid;

  g_assert_cmpint (pipe (ends), ==, 0);
  pid = fork ();
  if (pid == 0)
    {
      LokySync *own = loky_sync_new_received (sync->fd, LOKY_SYNC_SIZE, NULL);

      other.owner = own != NULL ? own->owner : 0;
      /* The copy tells, since it is at work in fork() for a moment after the other has left it. */
      if (fork () == 0)
        {
          other.copy = getpid ();
          if (write (ends[1], &other, sizeof other) != sizeof other)
            _exit (1);
        }
      pause ();
      _exit (1);
    }
  g_assert_cmpint (read (ends[0], &other, sizeof other), ==, sizeof other);
  g_assert_true (loky_sync_is_alive (sync, other.owner, NULL));
  kill_other (pid);
  g_assert_false (loky_sync_is_alive (sync, other.owner, NULL));
  g_assert_cmpint (kill (other.copy, 0), ==, 0);
  kill (other.copy, SIGKILL);
  close (ends[0]);
  close (ends[1]);
}

/* --- seats ------------------------------------------------------------------------------------ */

static guint64
seat_word (LokySyncOwner owner, guint queue, LokySeatState state)
{
  return (guint64) owner << 32 | (guint64) queue << 2 | state;
}

static void
test_seats_of_the_dead (void)
{
  g_autoptr (LokySync) sync = loky_sync_new (LOKY_SYNC_LOCK, 0, NULL);
  LokySyncOwner dead = (7 << 10) | ((sync->place + 1) % LOKY_SYNC_N_PLACES);
  g_autoptr (GError) error = NULL;
  LokySyncSeat *seat;

  for (guint i = 0; i < LOKY_SYNC_N_SEATS; i++)
    sync->memory->seats[i].word = seat_word (i == 77 ? dead : sync->owner, 0, LOKY_SEAT_WAITING);
  g_assert_true (loky_sync_has_dead (sync, 0));
  g_assert_cmpuint (sync->memory->seats[77].word, !=, 0);
  seat = loky_sync_take_seat (sync, 5, &error);
  g_assert_no_error (error);
  g_assert_true (seat == &sync->memory->seats[77]);
  g_assert_cmphex (seat->word, ==, seat_word (sync->owner, 5, LOKY_SEAT_TAKEN));
  g_assert_null (loky_sync_take_seat (sync, 5, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  g_assert_cmpint (loky_sync_leave_seat (sync, seat), ==, LOKY_SEAT_TAKEN);
  g_assert_cmpuint (seat->word, ==, 0);
  seat->word = seat_word (dead, 5, LOKY_SEAT_WAITING);
  g_assert_true (loky_sync_has_dead (sync, 5));
  g_assert_false (loky_sync_has_dead (sync, 6));
  g_assert_cmpuint (seat->word, ==, 0);
}

/* Who has not left the last round yet does not forget who died in the next one, or that would pass without him. */
static void
test_late_ones_forget_nobody (void)
{
  static const guint rounds[] = { 1, 7, LOKY_SEAT_ROUND_MASK, 0 };
  g_autoptr (LokySync) sync = loky_sync_new (LOKY_SYNC_BARRIER, 3, NULL);
  LokySyncOwner dead = (7 << 10) | ((sync->place + 1) % LOKY_SYNC_N_PLACES);
  LokySyncSeat *seat = &sync->memory->seats[3];

  for (gsize i = 0; i < G_N_ELEMENTS (rounds); i++)
    {
      seat->word = seat_word (dead, rounds[i], LOKY_SEAT_WAITING);
      g_assert_false (loky_sync_has_dead (sync, (rounds[i] - 1) & LOKY_SEAT_ROUND_MASK));
      g_assert_true (loky_sync_has_dead (sync, rounds[i]));
      g_assert_false (loky_sync_has_dead (sync, (rounds[i] + 1) & LOKY_SEAT_ROUND_MASK));
      g_assert_cmpuint (seat->word, ==, 0);
    }
}

/* First come, first woken; the dead, other queues, and who does not wait yet, are passed over. */
static void
test_wakes_in_order (void)
{
  g_autoptr (LokySync) sync = loky_sync_new (LOKY_SYNC_LOCK, 0, NULL);
  LokySyncOwner dead = (7 << 10) | ((sync->place + 1) % LOKY_SYNC_N_PLACES);
  LokySyncSeat *seats = sync->memory->seats;

  seats[0] = (LokySyncSeat){ .word = seat_word (sync->owner, 3, LOKY_SEAT_WAITING), .ticket = 2 };
  seats[1] = (LokySyncSeat){ .word = seat_word (sync->owner, 3, LOKY_SEAT_WAITING), .ticket = G_MAXUINT32 };
  seats[2] = (LokySyncSeat){ .word = seat_word (dead, 3, LOKY_SEAT_WAITING), .ticket = G_MAXUINT32 - 1 };
  seats[3] = (LokySyncSeat){ .word = seat_word (sync->owner, 4, LOKY_SEAT_WAITING), .ticket = 0 };
  seats[4] = (LokySyncSeat){ .word = seat_word (sync->owner, 3, LOKY_SEAT_TAKEN), .ticket = 1 };

  g_assert_cmpuint (loky_sync_wake_first (sync, 3, 1), ==, 1);
  g_assert_cmphex (seats[1].word, ==, seat_word (sync->owner, 3, LOKY_SEAT_WOKEN));
  g_assert_cmpuint (seats[1].bell, ==, 1);
  g_assert_cmphex (seats[0].word, ==, seat_word (sync->owner, 3, LOKY_SEAT_WAITING));
  g_assert_cmpuint (loky_sync_wake_first (sync, 3, 1), ==, 1);
  g_assert_cmphex (seats[0].word, ==, seat_word (sync->owner, 3, LOKY_SEAT_WOKEN));
  g_assert_cmpuint (loky_sync_wake_first (sync, 3, 5), ==, 0);
  g_assert_cmpuint (seats[2].word, ==, 0);
  g_assert_cmphex (seats[3].word, ==, seat_word (sync->owner, 4, LOKY_SEAT_WAITING));
  g_assert_cmphex (seats[4].word, ==, seat_word (sync->owner, 3, LOKY_SEAT_TAKEN));
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void
await_sleeper (LokySync *sync)
{
  while (__atomic_load_n (&sync->memory->n_sleepers, __ATOMIC_SEQ_CST) == 0)
    g_usleep (100);
}

static gpointer
wait_event_cb (gpointer data)
{
  return GINT_TO_POINTER (loky_event_wait (data, -1, NULL, NULL));
}

/* Who waited when it was set goes on, though it is cleared at once. */
static void
test_event_not_missed (void)
{
  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (LokyEvent) event = loky_event_new (NULL);
      GThread *thread = g_thread_new ("test", wait_event_cb, event);

      await_sleeper (LOKY_SYNCHRONIZER (event)->sync);
      loky_event_set (event);
      loky_event_clear (event);
      g_assert_true (GPOINTER_TO_INT (g_thread_join (thread)));
    }
}

static gpointer
acquire_cb (gpointer data)
{
  return GINT_TO_POINTER (loky_lock_acquire (data, -1, NULL, NULL));
}

/* As if who released it had been killed before it could wake anybody. */
static void
test_nobody_woke (void)
{
  g_autoptr (LokyLock) lock = loky_lock_new (NULL);
  LokySync *sync = LOKY_SYNCHRONIZER (lock)->sync;
  GThread *thread;

  g_assert_cmpint (loky_lock_acquire (lock, 0, NULL, NULL), ==, LOKY_ACQUIRE_RESULT_ACQUIRED);
  thread = g_thread_new ("test", acquire_cb, lock);
  await_sleeper (sync);
  __atomic_store_n (&sync->memory->word, 0, __ATOMIC_SEQ_CST);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, LOKY_ACQUIRE_RESULT_ACQUIRED);
  g_assert_cmpuint (sync->memory->n_sleepers, ==, 0);
}

static gpointer
ring_cb (gpointer data)
{
  LokySync *sync = data;

  while (__atomic_load_n (&sync->memory->reserved[0], __ATOMIC_RELAXED) == 0)
    loky_sync_ring (&sync->memory->bell, 1);
  return NULL;
}

/* Who is rung for ever does not spin. */
static void
test_rung_for_ever (void)
{
  g_autoptr (LokySync) sync = loky_sync_new (LOKY_SYNC_EVENT, 0, NULL);
  GThread *thread = g_thread_new ("test", ring_cb, sync);
  guint32 *bell = &sync->memory->bell;
  LokySyncWait wait;
  guint n_looks = 0;

  g_assert_true (loky_sync_wait_begin (&wait, bell, NULL, 300, NULL, NULL));
  while (loky_sync_wait_sleep (&wait, __atomic_load_n (bell, __ATOMIC_RELAXED), LOKY_SYNC_LONG_SLICE, NULL))
    n_looks++;
  loky_sync_wait_end (&wait);
  g_assert_cmpuint (n_looks, <, 5000);
  __atomic_store_n (&sync->memory->reserved[0], 1, __ATOMIC_RELAXED);
  g_thread_join (thread);
}

static gpointer
meet_cb (gpointer data)
{
  return GINT_TO_POINTER (loky_barrier_wait (data, -1, NULL, NULL));
}

/* Whose round was reset knows that, however many rounds were passed since. */
static void
test_barrier_remembers (void)
{
  for (guint n = 0; n < 20; n++)
    {
      g_autoptr (LokyBarrier) barrier = loky_barrier_new (2, NULL);
      LokySync *sync = LOKY_SYNCHRONIZER (barrier)->sync;
      GThread *thread = g_thread_new ("test", meet_cb, barrier);
      guint64 rounds = 1 + n;

      await_sleeper (sync);
      /* One round that was reset, and n that were passed; nobody was woken. */
      __atomic_store_n (&sync->memory->word, rounds | (guint64) 1 << n << 24, __ATOMIC_SEQ_CST);
      g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, -1);
    }
}

/* More than ever arrive. */
static void
test_barrier_overcrowded (void)
{
  for (guint64 n = 2; n <= 4095; n += 4093)
    {
      g_autoptr (LokyBarrier) barrier = loky_barrier_new (2, NULL);
      g_autoptr (GError) error = NULL;

      LOKY_SYNCHRONIZER (barrier)->sync->memory->word = n << 48;
      g_assert_cmpuint (loky_barrier_get_n_waiting (barrier), ==, 1);
      g_assert_cmpint (loky_barrier_wait (barrier, 1, NULL, &error), ==, -1);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_BARRIER_BROKEN);
    }
}

/* --- any bytes -------------------------------------------------------------------------------- */

static LokySynchronizer *
make_any (guint i)
{
  switch (i)
    {
    case 0:
      return LOKY_SYNCHRONIZER (loky_lock_new (NULL));
    case 1:
      return LOKY_SYNCHRONIZER (loky_lock_new_recursive (NULL));
    case 2:
      return LOKY_SYNCHRONIZER (loky_condition_new (NULL, NULL));
    case 3:
      return LOKY_SYNCHRONIZER (loky_semaphore_new (2, NULL));
    case 4:
      return LOKY_SYNCHRONIZER (loky_semaphore_new_bounded (2, NULL));
    case 5:
      return LOKY_SYNCHRONIZER (loky_event_new (NULL));
    default:
      return LOKY_SYNCHRONIZER (loky_barrier_new (2, NULL));
    }
}

/* Bytes at random; some words such as mean something. */
static void
spoil (LokySync *sync)
{
  guint32 *words = (guint32 *) sync->memory;
  const guint32 telling[] = { 0, 1, G_MAXUINT32, sync->owner, sync->owner + LOKY_SYNC_N_PLACES,
                              loky_sync_get_thread (), 3, 1u << 31 };
  gsize n = g_test_rand_bit () ? 16 : LOKY_SYNC_SIZE / sizeof *words;
  guint how = (guint) g_test_rand_int_range (0, 3);

  for (gsize i = 0; i < n; i++)
    if (how == 0 || g_test_rand_bit ())
      words[i] = g_test_rand_bit () ? telling[g_test_rand_int_range (0, G_N_ELEMENTS (telling))]
                                    : (guint32) g_test_rand_int ();
}

static void
use_any (LokySynchronizer *any, gint64 timeout)
{
  if (LOKY_IS_CONDITION (any))
    {
      LokyCondition *condition = LOKY_CONDITION (any);
      LokySync *sync = any->sync;

      /* As if it had the lock, which then can be had again. */
      sync->memory->word = (guint64) loky_sync_get_thread () << 32 | sync->owner;
      loky_condition_wake_one (condition, NULL);
      loky_condition_wake_all (condition, NULL);
      (void) !loky_condition_wait (condition, timeout, NULL, NULL);
    }
  else if (LOKY_IS_LOCK (any))
    {
      (void) !loky_lock_acquire (LOKY_LOCK (any), timeout, NULL, NULL);
      loky_lock_release (LOKY_LOCK (any), NULL);
    }
  else if (LOKY_IS_SEMAPHORE (any))
    {
      g_assert_cmpuint (loky_semaphore_get_value (LOKY_SEMAPHORE (any)), <=, LOKY_SYNC_N_UNITS);
      (void) !loky_semaphore_acquire (LOKY_SEMAPHORE (any), timeout, NULL, NULL);
      loky_semaphore_release (LOKY_SEMAPHORE (any), NULL);
    }
  else if (LOKY_IS_EVENT (any))
    {
      (void) !loky_event_wait (LOKY_EVENT (any), timeout, NULL, NULL);
      loky_event_set (LOKY_EVENT (any));
      loky_event_clear (LOKY_EVENT (any));
    }
  else
    {
      LokyBarrier *barrier = LOKY_BARRIER (any);

      g_assert_cmpint (loky_barrier_wait (barrier, timeout, NULL, NULL), <, 2);
      g_assert_cmpuint (loky_barrier_get_n_waiting (barrier), <, 2);
      g_assert_cmpuint (loky_barrier_get_n_parties (barrier), ==, 2);
      loky_barrier_abort (barrier);
      loky_barrier_reset (barrier);
    }
}

static void
test_any_bytes (void)
{
  guint n_rounds = loky_fixture_has_valgrind () ? N_ROUNDS / 10 : N_ROUNDS;

  for (guint kind = 0; kind < 7; kind++)
    {
      g_autoptr (LokySynchronizer) any = make_any (kind);

      for (guint i = 0; i < n_rounds; i++)
        {
          spoil (any->sync);
          use_any (any, i % 16 == 0 ? 1 : 0);
        }
    }
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  g_test_add_func ("/loky/sync-memory/refused", test_refused);
  g_test_add_func ("/loky/sync-memory/parts", test_parts);
  g_test_add_func ("/loky/sync-memory/attached-once", test_attached_once);
  g_test_add_func ("/loky/sync-memory/made-by-no-constructor", test_made_by_no_constructor);
  g_test_add_func ("/loky/sync-memory/places-all-taken", test_places_all_taken);
  g_test_add_func ("/loky/sync-memory/alive-until-killed", test_alive_until_killed);
  g_test_add_func ("/loky/sync-memory/copies-do-not-count", test_copies_do_not_count);
  g_test_add_func ("/loky/sync-memory/seats-of-the-dead", test_seats_of_the_dead);
  g_test_add_func ("/loky/sync-memory/late-ones-forget-nobody", test_late_ones_forget_nobody);
  g_test_add_func ("/loky/sync-memory/wakes-in-order", test_wakes_in_order);
  g_test_add_func ("/loky/sync-memory/event-not-missed", test_event_not_missed);
  g_test_add_func ("/loky/sync-memory/nobody-woke", test_nobody_woke);
  g_test_add_func ("/loky/sync-memory/rung-for-ever", test_rung_for_ever);
  g_test_add_func ("/loky/sync-memory/barrier-remembers", test_barrier_remembers);
  g_test_add_func ("/loky/sync-memory/barrier-overcrowded", test_barrier_overcrowded);
  g_test_add_func ("/loky/sync-memory/any-bytes", test_any_bytes);

  return g_test_run ();
}
