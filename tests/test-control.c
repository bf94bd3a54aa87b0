/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The memory that the application and a worker share: both ends in one process here. */

#include "loky-control-private.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loky-error.h"

typedef struct
{
  LokyControl parent;
  LokyControl worker;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_control_init (&fixture->parent, &error));
  g_assert_no_error (error);
  g_assert_true (loky_control_map (&fixture->worker, dup (fixture->parent.fd), &error));
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer user_data)
{
  loky_control_clear (&fixture->parent);
  loky_control_clear (&fixture->worker);
}

static void
test_claim (Fixture *fixture, gconstpointer user_data)
{
  gint64 before = g_get_monotonic_time ();
  gint64 started = 0;

  g_assert_false (loky_control_claim (&fixture->worker, 3, 10));
  loky_control_queue (&fixture->parent, 3, 10);
  g_assert_false (loky_control_is_running (&fixture->parent, 3, 10, &started));
  g_assert_true (loky_control_claim (&fixture->worker, 3, 10));
  g_assert_true (loky_control_is_running (&fixture->parent, 3, 10, &started));
  g_assert_cmpint (started, >=, before);
  g_assert_cmpint (started, <=, g_get_monotonic_time ());
}

/* Exactly one of the two gets it, whoever comes first. */
static void
test_claim_and_recall_exclude_each_other (Fixture *fixture, gconstpointer user_data)
{
  loky_control_queue (&fixture->parent, 0, 1);
  g_assert_true (loky_control_claim (&fixture->worker, 0, 1));
  g_assert_false (loky_control_recall (&fixture->parent, 0, 1));
  g_assert_false (loky_control_claim (&fixture->worker, 0, 1));

  loky_control_queue (&fixture->parent, 0, 2);
  g_assert_true (loky_control_recall (&fixture->parent, 0, 2));
  g_assert_false (loky_control_claim (&fixture->worker, 0, 2));
  g_assert_false (loky_control_recall (&fixture->parent, 0, 2));
}

static void
test_stale_number (Fixture *fixture, gconstpointer user_data)
{
  gint64 started;

  loky_control_queue (&fixture->parent, 5, 7);
  loky_control_queue (&fixture->parent, 5, 8);
  g_assert_false (loky_control_claim (&fixture->worker, 5, 7));
  g_assert_false (loky_control_recall (&fixture->parent, 5, 7));
  g_assert_false (loky_control_claim (&fixture->worker, 5, 9));
  g_assert_true (loky_control_claim (&fixture->worker, 5, 8));
  g_assert_false (loky_control_is_running (&fixture->parent, 5, 7, &started));
  g_assert_true (loky_control_is_running (&fixture->parent, 5, 8, &started));
}

static void
test_slots_are_apart (Fixture *fixture, gconstpointer user_data)
{
  guint last = LOKY_CONTROL_N_SLOTS - 1;

  loky_control_queue (&fixture->parent, last, 1);
  loky_control_queue (&fixture->parent, last - 1, 2);
  g_assert_true (loky_control_recall (&fixture->parent, last, 1));
  g_assert_true (loky_control_claim (&fixture->worker, last - 1, 2));
}

static void
test_cancel (Fixture *fixture, gconstpointer user_data)
{
  loky_control_queue (&fixture->parent, 0, 11);
  g_assert_true (loky_control_claim (&fixture->worker, 0, 11));
  loky_control_cancel (&fixture->parent, 0, 10);
  g_assert_false (loky_control_is_cancelled (&fixture->worker, 0, 11));
  loky_control_cancel (&fixture->parent, 1, 11);
  g_assert_false (loky_control_is_cancelled (&fixture->worker, 0, 11));
  loky_control_cancel (&fixture->parent, 0, 11);
  g_assert_true (loky_control_is_cancelled (&fixture->worker, 0, 11));

  /* The next task in the slot is not cancelled by that. */
  loky_control_queue (&fixture->parent, 0, 12);
  g_assert_false (loky_control_is_cancelled (&fixture->worker, 0, 12));
}

static void
check_progress (Fixture *fixture, gdouble set, gdouble expected)
{
  loky_control_set_progress (&fixture->worker, 2, set);
  g_assert_cmpfloat (loky_control_get_progress (&fixture->parent, 2), ==, expected);
}

static void
test_progress (Fixture *fixture, gconstpointer user_data)
{
  g_assert_cmpfloat (loky_control_get_progress (&fixture->parent, 2), ==, 0);
  check_progress (fixture, 0.25, 0.25);
  check_progress (fixture, 1, 1);
  check_progress (fixture, 1.5, 1);
  check_progress (fixture, -0.5, 0);
  check_progress (fixture, (gdouble) NAN, 0);
  check_progress (fixture, (gdouble) -NAN, 0);
  check_progress (fixture, (gdouble) INFINITY, 1);
  check_progress (fixture, (gdouble) -INFINITY, 0);
  check_progress (fixture, 0.5, 0.5);
  loky_control_queue (&fixture->parent, 2, 1);
  g_assert_cmpfloat (loky_control_get_progress (&fixture->parent, 2), ==, 0);
}

static void
test_reason (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *none = loky_control_dup_reason (&fixture->parent);
  g_autofree char *some = NULL;
  g_autofree char *cleared = NULL;

  g_assert_null (none);
  loky_control_set_reason (&fixture->worker, "The memory is “full”");
  some = loky_control_dup_reason (&fixture->parent);
  g_assert_cmpstr (some, ==, "The memory is “full”");
  loky_control_set_reason (&fixture->worker, NULL);
  cleared = loky_control_dup_reason (&fixture->parent);
  g_assert_null (cleared);
}

static void
test_reason_is_cut (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *text = g_strnfill (3 * LOKY_CONTROL_REASON_SIZE, 'x');
  g_autofree char *reason = NULL;
  g_autofree char *loading = NULL;

  loky_control_set_reason (&fixture->worker, text);
  reason = loky_control_dup_reason (&fixture->parent);
  text[LOKY_CONTROL_REASON_SIZE - 1] = '\0';
  g_assert_cmpstr (reason, ==, text);
  /* It did not run over into its neighbour. */
  loading = loky_control_dup_loading (&fixture->parent);
  g_assert_null (loading);
}

/* A worker that went mad wrote all over it: no NUL anywhere, and nothing that is UTF-8. */
static void
test_texts_of_a_mad_worker (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *reason = NULL;
  g_autofree char *loading = NULL;

  memset (fixture->worker.area->reason, 0xff, sizeof fixture->worker.area->reason);
  memset (fixture->worker.area->loading, 0xfe, sizeof fixture->worker.area->loading);
  reason = loky_control_dup_reason (&fixture->parent);
  loading = loky_control_dup_loading (&fixture->parent);
  g_assert_true (g_utf8_validate (reason, -1, NULL));
  g_assert_cmpint (g_utf8_strlen (reason, -1), <, LOKY_CONTROL_REASON_SIZE);
  g_assert_cmpuint (strlen (loading), ==, LOKY_CONTROL_PATH_SIZE - 1);
}

/* A path is bytes. */
static void
test_loading (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *some = NULL;
  g_autofree char *none = NULL;

  loky_control_set_loading (&fixture->worker, "/tmp/\xe9t\xe9.so");
  some = loky_control_dup_loading (&fixture->parent);
  g_assert_cmpstr (some, ==, "/tmp/\xe9t\xe9.so");
  loky_control_set_loading (&fixture->worker, NULL);
  none = loky_control_dup_loading (&fixture->parent);
  g_assert_null (none);
}

static void
test_cannot_be_resized (Fixture *fixture, gconstpointer user_data)
{
  g_assert_cmpint (ftruncate (fixture->parent.fd, 0), ==, -1);
  g_assert_cmpint (ftruncate (fixture->parent.fd, 2 * sizeof (LokyControlArea)), ==, -1);
}

static void
check_map_refused (gsize size, guint32 magic, guint32 n_slots)
{
  int fd = memfd_create ("test-control", MFD_CLOEXEC);
  g_autoptr (GError) error = NULL;
  guint32 head[2] = { magic, n_slots };
  LokyControl control;

  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  if (size > sizeof head)
    g_assert_cmpint (pwrite (fd, head, sizeof head, 0), ==, sizeof head);
  g_assert_false (loky_control_map (&control, fd, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_assert_null (control.area);
  g_assert_cmpint (control.fd, ==, -1);
}

static void
test_map_refuses_what_is_none (void)
{
  g_autoptr (GError) error = NULL;
  LokyControl control;

  check_map_refused (0, 0, 0);
  check_map_refused (sizeof (LokyControlArea) - 1, LOKY_CONTROL_MAGIC, LOKY_CONTROL_N_SLOTS);
  check_map_refused (sizeof (LokyControlArea) + 1, LOKY_CONTROL_MAGIC, LOKY_CONTROL_N_SLOTS);
  check_map_refused (sizeof (LokyControlArea), LOKY_CONTROL_MAGIC + 1, LOKY_CONTROL_N_SLOTS);
  check_map_refused (sizeof (LokyControlArea), LOKY_CONTROL_MAGIC, LOKY_CONTROL_N_SLOTS + 1);
  g_assert_false (loky_control_map (&control, -1, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
}

#define N_RACES 20000

typedef struct
{
  LokyControl *worker;
  guint current; /* atomic: the number that was queued last; G_MAXUINT at the end */
  guint n_claimed;
} Race;

static gpointer
claim_all (gpointer user_data)
{
  Race *race = user_data;
  guint number;

  while ((number = g_atomic_int_get (&race->current)) != G_MAXUINT)
    if (loky_control_claim (race->worker, number % LOKY_CONTROL_N_SLOTS, number))
      race->n_claimed++;
  return NULL;
}

/* Two threads, as two processes would: what one got the other did not. */
static void
test_race (Fixture *fixture, gconstpointer user_data)
{
  Race race = { .worker = &fixture->worker };
  GThread *thread = g_thread_new ("claimer", claim_all, &race);
  guint n_kept = 0;
  gint64 started;

  for (guint number = 1; number <= N_RACES; number++)
    {
      guint slot = number % LOKY_CONTROL_N_SLOTS;

      loky_control_queue (&fixture->parent, slot, number);
      g_atomic_int_set (&race.current, number);
      if (number % 64 == 0)
        g_thread_yield ();
      if (!loky_control_recall (&fixture->parent, slot, number))
        {
          g_assert_true (loky_control_is_running (&fixture->parent, slot, number, &started));
          n_kept++;
        }
    }
  g_atomic_int_set (&race.current, G_MAXUINT);
  g_thread_join (thread);
  g_assert_cmpuint (race.n_claimed, ==, n_kept);
}

/* --- what is left instead of being sent --------------------------------------------------------- */

static gboolean
leave_answer (Fixture *fixture, guint64 n_sent, guint slot, guint64 number)
{
  LokyControlNote note = { .number = number, .slot = slot, .type = 34, .length = 3, .body = "yes" };

  return loky_control_leave_answer (&fixture->worker, n_sent, &note);
}

/* The numbers of what is taken, and no more. */
static void
assert_answers (Fixture *fixture, const guint64 *numbers, gsize n)
{
  guint64 words[LOKY_CONTROL_N_WORDS];
  gsize n_taken = 0;

  g_assert_cmpint (loky_control_has_answers (&fixture->parent), ==, n > 0);
  loky_control_take_answers (&fixture->parent, words);
  for (guint slot = 0; slot < LOKY_CONTROL_N_SLOTS; slot++)
    {
      LokyControlNote note;

      if ((words[slot / 64] >> (slot % 64) & 1) == 0)
        continue;
      loky_control_read_answer (&fixture->parent, slot, &note);
      g_assert_cmpuint (n_taken, <, n);
      g_assert_cmpuint (note.number, ==, numbers[n_taken++]);
      g_assert_cmpuint (note.slot, ==, slot);
      g_assert_cmpuint (note.type, ==, 34);
      g_assert_cmpmem (note.body, note.length, "yes", 3);
    }
  g_assert_cmpuint (n_taken, ==, n);
  g_assert_false (loky_control_has_answers (&fixture->parent));
}

static void
test_answers (Fixture *fixture, gconstpointer user_data)
{
  static const guint64 numbers[] = { 7, 9, 8 };

  loky_control_set_attentive (&fixture->parent, TRUE);
  g_assert_true (leave_answer (fixture, 0, 0, 7));
  g_assert_true (leave_answer (fixture, 0, 255, 8));
  g_assert_true (leave_answer (fixture, 0, 64, 9));
  assert_answers (fixture, numbers, G_N_ELEMENTS (numbers));
  loky_control_set_attentive (&fixture->parent, FALSE);
  assert_answers (fixture, NULL, 0);
}

static void
test_attention_is_announced (Fixture *fixture, gconstpointer user_data)
{
  gint64 time = G_GINT64_CONSTANT (1) << 40;

  g_assert_cmpint (loky_control_get_attentive_by (&fixture->worker), ==, 0);
  loky_control_set_attentive_by (&fixture->parent, time);
  g_assert_cmpint (loky_control_get_attentive_by (&fixture->worker), ==, time);
  /* It is not there yet. */
  g_assert_false (loky_control_is_listened_to (&fixture->worker, 0));
}

/* It has it back, to send it. */
static void
test_answer_nobody_looks_for (Fixture *fixture, gconstpointer user_data)
{
  g_assert_false (loky_control_is_listened_to (&fixture->worker, 0));
  g_assert_false (leave_answer (fixture, 0, 3, 7));
  assert_answers (fixture, NULL, 0);
}

/* Until the parent has read what was sent, it will look after it. */
static void
test_answer_behind_a_message (Fixture *fixture, gconstpointer user_data)
{
  static const guint64 numbers[] = { 7 };

  loky_control_note_sending (&fixture->worker, 1);
  g_assert_true (loky_control_is_listened_to (&fixture->worker, 1));
  g_assert_true (leave_answer (fixture, 1, 3, 7));
  loky_control_begin_reading (&fixture->parent);
  loky_control_end_reading (&fixture->parent, 0);
  assert_answers (fixture, numbers, 1);
  g_assert_false (loky_control_is_listened_to (&fixture->worker, 1));
  g_assert_false (leave_answer (fixture, 1, 3, 8));

  /* Somebody has written over the number. */
  loky_control_note_sending (&fixture->worker, 5);
  g_assert_false (loky_control_is_listened_to (&fixture->worker, 1));
  loky_control_begin_reading (&fixture->parent);
  loky_control_end_reading (&fixture->parent, 0);
  g_assert_false (loky_control_is_listened_to (&fixture->worker, 1));
}

typedef struct
{
  Fixture *fixture;
  guint n_left;
  guint n_kept;
  gint has_ended;
} Answering;

static gpointer
answer_all (gpointer user_data)
{
  Answering *it = user_data;

  for (guint number = 1; number <= N_RACES; number++)
    {
      guint slot = number % LOKY_CONTROL_N_SLOTS;

      /* The one before it was taken. */
      while ((__atomic_load_n (&it->fixture->worker.area->has_answer[slot / 64], __ATOMIC_SEQ_CST) >> (slot % 64) & 1) != 0)
        g_thread_yield ();
      if (leave_answer (it->fixture, 0, slot, number))
        it->n_left++;
      else
        it->n_kept++;
    }
  g_atomic_int_set (&it->has_ended, TRUE);
  return NULL;
}

/* Each is either taken or had back, however often who looks goes away. */
static void
test_race_for_answers (Fixture *fixture, gconstpointer user_data)
{
  Answering it = { .fixture = fixture };
  GThread *thread = g_thread_new ("answerer", answer_all, &it);
  guint n_taken = 0;
  gboolean is_last;

  do
    {
      is_last = g_atomic_int_get (&it.has_ended);
      loky_control_set_attentive (&fixture->parent, TRUE);
      g_thread_yield ();
      loky_control_set_attentive (&fixture->parent, FALSE);
      {
        guint64 words[LOKY_CONTROL_N_WORDS];

        loky_control_take_answers (&fixture->parent, words);
        for (guint i = 0; i < LOKY_CONTROL_N_WORDS; i++)
          n_taken += (guint) __builtin_popcountll (words[i]);
      }
    }
  while (!is_last);
  g_thread_join (thread);
  g_test_message ("%u taken, %u had back", n_taken, it.n_kept);
  g_assert_cmpuint (it.n_left, ==, n_taken);
  g_assert_cmpuint (it.n_left + it.n_kept, ==, N_RACES);
}

static gboolean
leave_task (Fixture *fixture, guint64 n_put, guint64 *n_left, guint64 number)
{
  LokyControlNote note = {
    .n_before = n_put, .number = number, .slot = 5, .type = 3, .length = 2, .body = "do"
  };
  gboolean has_to_wake = TRUE;
  gboolean is_left = loky_control_leave_task (&fixture->parent, n_left, &note, &has_to_wake);

  g_assert_true (!is_left || !has_to_wake);
  return is_left;
}

static void
test_tasks (Fixture *fixture, gconstpointer user_data)
{
  guint64 n_left = 0;
  guint64 n_taken = 0;
  const LokyControlNote *note;

  g_assert_null (loky_control_peek_task (&fixture->worker, 0, 0));
  for (guint round = 0; round < 3; round++)
    {
      for (guint i = 0; i < LOKY_CONTROL_N_NOTES; i++)
        g_assert_true (leave_task (fixture, 0, &n_left, n_left + 1));
      /* There is no more room. */
      g_assert_false (leave_task (fixture, 0, &n_left, 1000));
      while ((note = loky_control_peek_task (&fixture->worker, 0, n_taken)) != NULL)
        {
          g_assert_cmpuint (note->number, ==, n_taken + 1);
          g_assert_cmpmem (note->body, note->length, "do", 2);
          loky_control_note_taken (&fixture->worker, ++n_taken);
        }
      g_assert_cmpuint (n_taken, ==, n_left);
    }
}

/* After the messages before them, and before those after them. */
static void
test_order_of_tasks (Fixture *fixture, gconstpointer user_data)
{
  LokyControl *worker = &fixture->worker;
  guint64 n_left = 0;

  g_assert_true (leave_task (fixture, 1, &n_left, 2));
  g_assert_true (leave_task (fixture, 1, &n_left, 3));
  g_assert_true (leave_task (fixture, 2, &n_left, 5));
  g_assert_null (loky_control_peek_task (worker, 0, 0));
  g_assert_cmpuint (loky_control_peek_task (worker, 1, 0)->number, ==, 2);
  g_assert_cmpuint (loky_control_peek_task (worker, 1, 1)->number, ==, 3);
  g_assert_null (loky_control_peek_task (worker, 1, 2));
  g_assert_cmpuint (loky_control_peek_task (worker, 2, 2)->number, ==, 5);
  g_assert_null (loky_control_peek_task (worker, 2, 3));
}

/* By a message to who sleeps, unless one is on its way. */
static void
test_tasks_to_be_sent (Fixture *fixture, gconstpointer user_data)
{
  guint64 n_left = 0;

  loky_control_note_handled (&fixture->worker, 1);
  loky_control_set_asleep (&fixture->worker, TRUE);
  g_assert_false (leave_task (fixture, 1, &n_left, 1));
  g_assert_true (leave_task (fixture, 2, &n_left, 1));
  /* Nonsense. */
  loky_control_note_handled (&fixture->worker, 77);
  g_assert_false (leave_task (fixture, 2, &n_left, 2));
  loky_control_set_asleep (&fixture->worker, FALSE);
  g_assert_true (leave_task (fixture, 2, &n_left, 2));
  loky_control_note_taken (&fixture->worker, 77);
  g_assert_false (leave_task (fixture, 2, &n_left, 3));
  g_assert_cmpuint (n_left, ==, 2);
}

static void
test_pages_of_the_parent (Fixture *fixture, gconstpointer user_data)
{
  if (g_test_subprocess ())
    {
      loky_control_protect (&fixture->worker);
      /* Its own part is as it was. */
      loky_control_note_handled (&fixture->worker, 1);
      loky_control_set_asleep (&fixture->worker, FALSE);
      signal (SIGSEGV, SIG_DFL);
      fixture->worker.area->n_left = 1;
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_assert_false (g_test_trap_has_passed ());
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/loky/control/claim", test_claim);
  ADD ("/loky/control/claim-and-recall-exclude-each-other",
       test_claim_and_recall_exclude_each_other);
  ADD ("/loky/control/stale-number", test_stale_number);
  ADD ("/loky/control/slots-are-apart", test_slots_are_apart);
  ADD ("/loky/control/cancel", test_cancel);
  ADD ("/loky/control/progress", test_progress);
  ADD ("/loky/control/reason", test_reason);
  ADD ("/loky/control/reason-is-cut", test_reason_is_cut);
  ADD ("/loky/control/texts-of-a-mad-worker", test_texts_of_a_mad_worker);
  ADD ("/loky/control/loading", test_loading);
  ADD ("/loky/control/cannot-be-resized", test_cannot_be_resized);
  ADD ("/loky/control/race", test_race);
  ADD ("/loky/control/answers", test_answers);
  ADD ("/loky/control/attention-is-announced", test_attention_is_announced);
  ADD ("/loky/control/answer-nobody-looks-for", test_answer_nobody_looks_for);
  ADD ("/loky/control/answer-behind-a-message", test_answer_behind_a_message);
  ADD ("/loky/control/race-for-answers", test_race_for_answers);
  ADD ("/loky/control/tasks", test_tasks);
  ADD ("/loky/control/tasks-to-be-sent", test_tasks_to_be_sent);
  ADD ("/loky/control/order-of-tasks", test_order_of_tasks);
  ADD ("/loky/control/pages-of-the-parent", test_pages_of_the_parent);
  g_test_add_func ("/loky/control/map-refuses-what-is-none", test_map_refuses_what_is_none);
  return g_test_run ();
}
