/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-control-private.h"

#include <gio/gio.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "loky-error.h"
#include "loky-util-private.h"

/* In ms. */
#define RING_INTERVAL 100

G_STATIC_ASSERT (sizeof (LokyControlSlot) == 64);
G_STATIC_ASSERT (G_STRUCT_OFFSET (LokyControlArea, slots) % 64 == 0);
G_STATIC_ASSERT (sizeof (LokyControlNote) == 128);

/* What only the parent can write. */
#define PARENTS_SIZE                                   \
  (G_STRUCT_OFFSET (LokyControlArea, sent_from_worker) - \
   G_STRUCT_OFFSET (LokyControlArea, sent_to_worker))
G_STATIC_ASSERT (PARENTS_SIZE % LOKY_CONTROL_PAGE_SIZE == 0);

static gboolean
fail_errno (GError **error, const char *what)
{
  int saved_errno = errno;

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES, "Cannot %s the control area: %s", what,
               g_strerror (saved_errno));
  return FALSE;
}

static gboolean
map_area (LokyControl *self, int fd, GError **error)
{
  void *address
      = mmap (NULL, sizeof (LokyControlArea), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  if (address == MAP_FAILED)
    return fail_errno (error, "map");
  self->area = address;
  /* A fork()ed copy of the process must not hold slots or claim tasks. */
  madvise (address, sizeof (LokyControlArea), MADV_DONTFORK);
  return TRUE;
}

gboolean
loky_control_init (LokyControl *self, GError **error)
{
  self->area = NULL;
  self->fd = loky_fd_above_standard (memfd_create ("loky-control", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (self->fd < 0)
    return fail_errno (error, "make");

  /* Allocated before it is mapped: a full memory would otherwise be a SIGBUS later. */
  errno = posix_fallocate (self->fd, 0, sizeof (LokyControlArea));
  if (errno != 0 ||
      fcntl (self->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    fail_errno (error, "allocate");
  else if (map_area (self, self->fd, error))
    {
      self->area->magic = LOKY_CONTROL_MAGIC;
      self->area->n_slots = LOKY_CONTROL_N_SLOTS;
      return TRUE;
    }
  loky_close_fd (&self->fd);
  return FALSE;
}

gboolean
loky_control_map (LokyControl *self, int fd, GError **error)
{
  loky_autofd int owned = fd;
  struct stat info;

  self->area = NULL;
  self->fd = -1;
  if (fstat (owned, &info) != 0 || info.st_size != sizeof (LokyControlArea))
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                           "The control area is not of the expected size");
      return FALSE;
    }
  if (!map_area (self, owned, error))
    return FALSE;
  if (self->area->magic != LOKY_CONTROL_MAGIC || self->area->n_slots != LOKY_CONTROL_N_SLOTS)
    {
      loky_control_clear (self);
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL,
                           "The control area does not begin as one");
      return FALSE;
    }
  return TRUE;
}

void
loky_control_clear (LokyControl *self)
{
  if (self->area != NULL)
    munmap (self->area, sizeof (LokyControlArea));
  self->area = NULL;
  loky_close_fd (&self->fd);
}

static guint64
make_word (guint64 number, LokySlotState state)
{
  return number << 2 | state;
}

static gboolean
exchange (LokyControl *self, guint slot, guint64 number, LokySlotState from, LokySlotState to)
{
  guint64 expected = make_word (number, from);

  return __atomic_compare_exchange_n (&self->area->slots[slot].word, &expected,
                                      make_word (number, to), FALSE, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE);
}

void
loky_control_queue (LokyControl *self, guint slot, guint64 number)
{
  LokyControlSlot *it = &self->area->slots[slot];

  __atomic_store_n (&it->progress, 0, __ATOMIC_RELAXED);
  __atomic_store_n (&it->word, make_word (number, LOKY_SLOT_QUEUED), __ATOMIC_RELEASE);
}

gboolean
loky_control_recall (LokyControl *self, guint slot, guint64 number)
{
  return exchange (self, slot, number, LOKY_SLOT_QUEUED, LOKY_SLOT_RECALLED);
}

gboolean
loky_control_is_sound (LokyControl *self, guint slot, guint64 number)
{
  guint64 word = __atomic_load_n (&self->area->slots[slot].word, __ATOMIC_ACQUIRE);

  return word == make_word (number, LOKY_SLOT_QUEUED) || word == make_word (number, LOKY_SLOT_RUNNING);
}

gboolean
loky_control_is_queued (LokyControl *self, guint slot, guint64 number)
{
  return __atomic_load_n (&self->area->slots[slot].word, __ATOMIC_ACQUIRE) ==
         make_word (number, LOKY_SLOT_QUEUED);
}

gboolean
loky_control_is_running (LokyControl *self, guint slot, guint64 number, gint64 *started)
{
  LokyControlSlot *it = &self->area->slots[slot];

  if (__atomic_load_n (&it->word, __ATOMIC_ACQUIRE) != make_word (number, LOKY_SLOT_RUNNING))
    return FALSE;
  *started = __atomic_load_n (&it->started, __ATOMIC_RELAXED);
  return TRUE;
}

void
loky_control_cancel (LokyControl *self, guint slot, guint64 number)
{
  __atomic_store_n (&self->area->slots[slot].cancelled, number, __ATOMIC_RELEASE);
}

gdouble
loky_control_get_progress (LokyControl *self, guint slot)
{
  guint64 bits = __atomic_load_n (&self->area->slots[slot].progress, __ATOMIC_RELAXED);
  gdouble progress;

  memcpy (&progress, &bits, sizeof progress);
  /* Also turns a NaN into 0. */
  return progress > 0 ? MIN (progress, 1.0) : 0;
}

gboolean
loky_control_claim (LokyControl *self, guint slot, guint64 number)
{
  __atomic_store_n (&self->area->slots[slot].started, g_get_monotonic_time (), __ATOMIC_RELAXED);
  return exchange (self, slot, number, LOKY_SLOT_QUEUED, LOKY_SLOT_RUNNING);
}

gboolean
loky_control_is_cancelled (LokyControl *self, guint slot, guint64 number)
{
  return __atomic_load_n (&self->area->slots[slot].cancelled, __ATOMIC_ACQUIRE) == number;
}

void
loky_control_set_progress (LokyControl *self, guint slot, gdouble progress)
{
  guint64 bits;

  memcpy (&bits, &progress, sizeof bits);
  __atomic_store_n (&self->area->slots[slot].progress, bits, __ATOMIC_RELAXED);
}

void
loky_control_set_credit (LokyControl *self, guint slot, gint64 credit)
{
  __atomic_store_n (&self->area->slots[slot].credit, credit, __ATOMIC_RELEASE);
}

gint64
loky_control_get_credit (LokyControl *self, guint slot)
{
  return __atomic_load_n (&self->area->slots[slot].credit, __ATOMIC_ACQUIRE);
}

/* Not a private futex: both have the memory mapped. */
void
loky_control_ring (LokyControl *self)
{
  __atomic_add_fetch (&self->area->doorbell, 1, __ATOMIC_RELEASE);
  syscall (SYS_futex, &self->area->doorbell, FUTEX_WAKE, G_MAXINT, NULL, NULL, 0);
}

void
loky_control_wait_for_ring (LokyControl *self, guint32 *seen)
{
  for (;;)
    {
      guint32 now = __atomic_load_n (&self->area->doorbell, __ATOMIC_ACQUIRE);

      if (now != *seen)
        {
          *seen = now;
          return;
        }
      /* Where a task has forbidden the call it is looked at now and then. */
      if (syscall (SYS_futex, &self->area->doorbell, FUTEX_WAIT, *seen, NULL, NULL, 0) != 0 &&
          errno != EAGAIN && errno != EINTR)
        poll (NULL, 0, RING_INTERVAL);
    }
}

void
loky_control_ask (LokyControl *self, guint64 number)
{
  __atomic_store_n (&self->area->asked, number, __ATOMIC_RELEASE);
}

guint64
loky_control_get_answered (LokyControl *self)
{
  return __atomic_load_n (&self->area->answered, __ATOMIC_ACQUIRE);
}

void
loky_control_answer (LokyControl *self)
{
  guint64 asked = __atomic_load_n (&self->area->asked, __ATOMIC_ACQUIRE);

  __atomic_store_n (&self->area->answered, asked, __ATOMIC_RELEASE);
}

void
loky_control_tell_worker (LokyControl *self)
{
  __atomic_add_fetch (&self->area->sent_to_worker, 1, __ATOMIC_RELEASE);
}

guint64
loky_control_get_sent_to_worker (LokyControl *self)
{
  return __atomic_load_n (&self->area->sent_to_worker, __ATOMIC_ACQUIRE);
}

void
loky_control_tell_parent (LokyControl *self)
{
  __atomic_add_fetch (&self->area->sent_from_worker, 1, __ATOMIC_RELEASE);
}

guint64
loky_control_get_sent_from_worker (LokyControl *self)
{
  return __atomic_load_n (&self->area->sent_from_worker, __ATOMIC_ACQUIRE);
}

void
loky_control_set_spin_time (LokyControl *self, gint64 spin_time)
{
  __atomic_store_n (&self->area->spin_time, (guint64) spin_time, __ATOMIC_RELAXED);
}

gint64
loky_control_get_spin_time (LokyControl *self)
{
  gint64 spin_time = (gint64) __atomic_load_n (&self->area->spin_time, __ATOMIC_RELAXED);

  /* A task may have written over it. */
  return CLAMP (spin_time, 0, LOKY_CONTROL_MAX_SPIN_TIME);
}

void
loky_control_set_asleep (LokyControl *self, gboolean is_asleep)
{
  __atomic_store_n (&self->area->is_asleep, (guint32) is_asleep, __ATOMIC_SEQ_CST);
}

gboolean
loky_control_is_asleep (LokyControl *self)
{
  return __atomic_load_n (&self->area->is_asleep, __ATOMIC_SEQ_CST) != 0;
}

/* --- answers -------------------------------------------------------------------------------------- */

void
loky_control_set_attentive (LokyControl *self, gboolean is_attentive)
{
  __atomic_store_n (&self->area->is_attentive, (guint32) is_attentive, __ATOMIC_SEQ_CST);
}

void
loky_control_set_attentive_by (LokyControl *self, gint64 time)
{
  __atomic_store_n (&self->area->attentive_by, (guint64) time, __ATOMIC_RELAXED);
}

gint64
loky_control_get_attentive_by (LokyControl *self)
{
  return (gint64) __atomic_load_n (&self->area->attentive_by, __ATOMIC_RELAXED);
}

void
loky_control_begin_reading (LokyControl *self)
{
  __atomic_add_fetch (&self->area->readings, 1, __ATOMIC_SEQ_CST);
}

void
loky_control_end_reading (LokyControl *self, guint64 n_received)
{
  __atomic_store_n (&self->area->n_received, n_received, __ATOMIC_SEQ_CST);
  __atomic_add_fetch (&self->area->readings, 1, __ATOMIC_SEQ_CST);
  __atomic_store_n (&self->area->heard, __atomic_load_n (&self->area->sending, __ATOMIC_SEQ_CST),
                    __ATOMIC_SEQ_CST);
}

guint64
loky_control_get_readings (LokyControl *self, guint64 *n_received)
{
  *n_received = __atomic_load_n (&self->area->n_received, __ATOMIC_SEQ_CST);
  return __atomic_load_n (&self->area->readings, __ATOMIC_SEQ_CST);
}

void
loky_control_note_sending (LokyControl *self, guint64 n)
{
  __atomic_store_n (&self->area->sending, n, __ATOMIC_SEQ_CST);
}

gboolean
loky_control_is_listened_to (LokyControl *self, guint64 n_sent)
{
  if (__atomic_load_n (&self->area->is_attentive, __ATOMIC_SEQ_CST) != 0)
    return TRUE;
  /* A task may have written over what the parent goes by. */
  return __atomic_load_n (&self->area->heard, __ATOMIC_SEQ_CST) != n_sent &&
         __atomic_load_n (&self->area->sending, __ATOMIC_SEQ_CST) == n_sent;
}

static void
write_note (LokyControlNote *to, const LokyControlNote *note)
{
  memcpy (to, note, G_STRUCT_OFFSET (LokyControlNote, body) + note->length);
}

gboolean
loky_control_leave_answer (LokyControl *self, guint64 n_sent, const LokyControlNote *note)
{
  guint64 *word = &self->area->has_answer[note->slot / 64];
  guint64 bit = G_GUINT64_CONSTANT (1) << (note->slot % 64);

  write_note (&self->area->answers[note->slot], note);
  __atomic_fetch_or (word, bit, __ATOMIC_SEQ_CST);
  if (loky_control_is_listened_to (self, n_sent))
    return TRUE;
  /* It may have been taken in the last look. */
  return (__atomic_fetch_and (word, ~bit, __ATOMIC_SEQ_CST) & bit) == 0;
}

gboolean
loky_control_has_answers (LokyControl *self)
{
  for (guint i = 0; i < LOKY_CONTROL_N_WORDS; i++)
    if (__atomic_load_n (&self->area->has_answer[i], __ATOMIC_SEQ_CST) != 0)
      return TRUE;
  return FALSE;
}

void
loky_control_take_answers (LokyControl *self, guint64 *words)
{
  for (guint i = 0; i < LOKY_CONTROL_N_WORDS; i++)
    words[i] = __atomic_load_n (&self->area->has_answer[i], __ATOMIC_SEQ_CST) != 0
                   ? __atomic_exchange_n (&self->area->has_answer[i], 0, __ATOMIC_SEQ_CST)
                   : 0;
}

void
loky_control_read_answer (LokyControl *self, guint slot, LokyControlNote *answer)
{
  *answer = self->area->answers[slot];
}

void
loky_control_protect (LokyControl *self)
{
  mprotect (&self->area->sent_to_worker, PARENTS_SIZE, PROT_READ);
}

/* --- tasks that are left --------------------------------------------------------------------------- */

gboolean
loky_control_has_handled (LokyControl *self, guint64 n_put)
{
  return __atomic_load_n (&self->area->handled, __ATOMIC_ACQUIRE) >= n_put;
}

gboolean
loky_control_has_to_be_woken (LokyControl *self, guint64 n_put)
{
  return loky_control_is_asleep (self) && loky_control_has_handled (self, n_put);
}

gboolean
loky_control_leave_task (LokyControl *self,
                         guint64 *n_left,
                         const LokyControlNote *note,
                         gboolean *has_to_wake)
{
  LokyControlArea *area = self->area;

  /* What the worker says costs its own tasks if it is wrong. */
  if (loky_control_has_to_be_woken (self, note->n_before) ||
      *n_left - __atomic_load_n (&area->n_taken, __ATOMIC_ACQUIRE) >= LOKY_CONTROL_N_NOTES)
    return FALSE;
  write_note (&area->tasks[*n_left % LOKY_CONTROL_N_NOTES], note);
  __atomic_store_n (&area->n_left, ++*n_left, __ATOMIC_SEQ_CST);
  *has_to_wake = loky_control_has_to_be_woken (self, note->n_before);
  return TRUE;
}

const LokyControlNote *
loky_control_peek_task (LokyControl *self, guint64 n_handled, guint64 n_taken)
{
  const LokyControlNote *note = &self->area->tasks[n_taken % LOKY_CONTROL_N_NOTES];

  if (__atomic_load_n (&self->area->n_left, __ATOMIC_SEQ_CST) == n_taken || note->n_before > n_handled)
    return NULL;
  return note;
}

void
loky_control_note_taken (LokyControl *self, guint64 n_taken)
{
  __atomic_store_n (&self->area->n_taken, n_taken, __ATOMIC_RELEASE);
}

void
loky_control_note_handled (LokyControl *self, guint64 n_handled)
{
  __atomic_store_n (&self->area->handled, n_handled, __ATOMIC_RELEASE);
}

/* --- how far the worker is ------------------------------------------------------------------------- */

LokyPhase
loky_control_get_phase (LokyControl *self)
{
  if (self->area == NULL)
    return LOKY_PHASE_STARTING;
  return (LokyPhase) __atomic_load_n (&self->area->phase, __ATOMIC_ACQUIRE);
}

void
loky_control_set_phase (LokyControl *self, LokyPhase phase)
{
  __atomic_store_n (&self->area->phase, (guint32) phase, __ATOMIC_RELEASE);
}

int
loky_control_get_exit_status (LokyControl *self)
{
  gint32 status = self->area != NULL ? __atomic_load_n (&self->area->exit_status, __ATOMIC_ACQUIRE) : 0;

  return status > 0 && status <= 256 ? status - 1 : -1;
}

void
loky_control_set_exit_status (LokyControl *self, int status)
{
  __atomic_store_n (&self->area->exit_status, (status & 0xff) + 1, __ATOMIC_RELEASE);
}

LokyCrash *
loky_control_dup_crash (LokyControl *self)
{
  return self->area != NULL ? loky_crash_read (&self->area->crash) : NULL;
}

/* The first byte is written last, and cleared first, so that a reader sees no half of a text that
 * was complete; what it copies is bounded and checked anyway. */
static void
write_text (char *field, gsize size, const char *text)
{
  __atomic_store_n (field, '\0', __ATOMIC_RELEASE);
  if (text == NULL || text[0] == '\0')
    return;
  g_strlcpy (field + 1, text + 1, size - 1);
  __atomic_store_n (field, text[0], __ATOMIC_RELEASE);
}

static char *
read_text (const char *field, gsize size)
{
  g_autofree char *copy = g_malloc (size);

  if (__atomic_load_n (field, __ATOMIC_ACQUIRE) == '\0')
    return NULL;
  memcpy (copy, field, size);
  copy[size - 1] = '\0';
  /* It may have been cleared meanwhile. */
  if (copy[0] == '\0')
    return NULL;
  return g_steal_pointer (&copy);
}

void
loky_control_set_reason (LokyControl *self, const char *reason)
{
  write_text (self->area->reason, sizeof self->area->reason, reason);
}

void
loky_control_set_loading (LokyControl *self, const char *path)
{
  write_text (self->area->loading, sizeof self->area->loading, path);
}

char *
loky_control_dup_reason (LokyControl *self)
{
  g_autofree char *raw
      = self->area != NULL ? read_text (self->area->reason, sizeof self->area->reason) : NULL;

  return raw != NULL ? g_utf8_make_valid (raw, -1) : NULL;
}

char *
loky_control_dup_loading (LokyControl *self)
{
  return self->area != NULL ? read_text (self->area->loading, sizeof self->area->loading) : NULL;
}
