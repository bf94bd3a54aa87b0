/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A control area into which a worker wrote anything, as the application reads it. The input is laid over an
 * area piece by piece: offset and length in two bytes each, then the bytes; what is over follows. */

#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "loky-control-private.h"
#include "loky-error.h"

static void
lay (LokyControlArea *area, FuzzInput *input)
{
  while (input->left > 4)
    {
      gsize offset = fuzz_take_byte (input);
      gsize most, size;
      const guint8 *data;

      offset = (offset | (gsize) fuzz_take_byte (input) << 8) % sizeof *area;
      most = fuzz_take_byte (input);
      most |= (gsize) fuzz_take_byte (input) << 8;
      data = fuzz_take (input, MIN (most, sizeof *area - offset), &size);
      memcpy ((guint8 *) area + offset, data, size);
    }
}

static void
check_slot (LokyControl *control, guint slot, guint64 number)
{
  gboolean is_sound = loky_control_is_sound (control, slot, number);
  gint64 started = 0;
  gboolean is_running = loky_control_is_running (control, slot, number, &started);
  gdouble progress = loky_control_get_progress (control, slot);
  gboolean is_recalled = loky_control_recall (control, slot, number);

  g_assert (progress >= 0 && progress <= 1);
  g_assert (!is_running || is_sound);
  g_assert (!(is_running && is_recalled));
  /* What was recalled cannot be claimed, and is not recalled again. */
  if (is_recalled)
    g_assert (!loky_control_claim (control, slot, number) && !loky_control_recall (control, slot, number));
  loky_control_cancel (control, slot, number);
  g_assert (loky_control_is_cancelled (control, slot, number));
  loky_control_queue (control, slot, number);
  g_assert (loky_control_is_sound (control, slot, number) && loky_control_recall (control, slot, number));
}

static void
check_crash (LokyControl *control)
{
  LokyCrash *crash = loky_control_dup_crash (control);

  if (crash == NULL)
    return;
  g_assert (crash->signal > 0 && crash->signal <= 64);
  if (crash->frames != NULL)
    {
      g_autofree char *text = loky_crash_frames_to_string (crash->frames);
      g_autofree char *culprit = loky_crash_find_culprit (text);

      g_assert (g_utf8_validate (text, -1, NULL));
      g_assert (culprit == NULL || g_utf8_validate (culprit, -1, NULL));
    }
  loky_crash_free (crash);
}

static void
check_texts (LokyControl *control)
{
  g_autofree char *reason = loky_control_dup_reason (control);
  g_autofree char *loading = loky_control_dup_loading (control);

  g_assert (reason == NULL || (reason[0] != '\0' && g_utf8_validate (reason, -1, NULL)));
  g_assert (loading == NULL || (loading[0] != '\0' && strlen (loading) < LOKY_CONTROL_PATH_SIZE));
}

static void
check_notes (LokyControl *control, guint64 number)
{
  LokyControlNote note = { .number = number, .slot = 9, .type = 3 };
  guint64 words[LOKY_CONTROL_N_WORDS];
  guint64 n_left = number;
  gboolean has_to_wake;

  loky_control_take_answers (control, words);
  g_assert (!loky_control_has_answers (control));
  loky_control_read_answer (control, (guint) number, &note);
  note.length %= sizeof note.body + 1;
  note.slot = 9;
  note.n_before = number;
  loky_control_begin_reading (control);
  loky_control_end_reading (control, number);
  if (loky_control_leave_task (control, &n_left, &note, &has_to_wake))
    g_assert (n_left == number + 1 && loky_control_peek_task (control, number, number) != NULL);
  if (loky_control_leave_answer (control, number, &note))
    g_assert (loky_control_has_answers (control));
  else
    g_assert (!loky_control_has_answers (control));
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  FuzzInput input = { data, size };
  guint64 number = fuzz_take_byte (&input);
  g_autoptr (GError) error = NULL;
  LokyControl control;

  if (!loky_control_init (&control, &error))
    g_error ("%s", error->message);
  lay (control.area, &input);
  check_texts (&control);
  check_crash (&control);
  loky_control_get_phase (&control);
  loky_control_get_answered (&control);
  loky_control_ask (&control, number);
  g_assert (loky_control_get_exit_status (&control) >= -1);
  for (guint slot = 0; slot < LOKY_CONTROL_N_SLOTS; slot += 17)
    check_slot (&control, slot, number);
  check_notes (&control, number);
  loky_control_clear (&control);
  return 0;
}
