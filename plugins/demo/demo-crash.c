/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The task `demo.crash`: each way to die is the real thing, not a raised signal, so that what is
 * reported of it can be seen as it would be.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "demo-private.h"

static void
crash_segv (void)
{
  /* Volatile twice: else the compiler may leave the write out, or trap instead of writing. */
  volatile int *volatile nowhere = NULL;

  *nowhere = 1;
}

static void
crash_abort (void)
{
  abort ();
}

static void
crash_kill (void)
{
  kill (getpid (), SIGKILL);
}

static void
crash_fpe (void)
{
  volatile int zero = 0;
  volatile int quotient = 1 / zero;

  (void) quotient;

  /* Not every processor traps a division by zero. */
  raise (SIGFPE);
}

static volatile gboolean stack_goes_on = TRUE;

static G_GNUC_NO_INLINE int
use_stack (int depth)
{
  volatile char frame[4096];

  frame[depth % sizeof frame] = (char) depth;
  if (!stack_goes_on)
    return frame[0];

  return use_stack (depth + 1) + frame[depth % sizeof frame];
}

static void
crash_stack (void)
{
  use_stack (0);
}

static const struct
{
  const char *name;
  const char *what;
  void (*func) (void);
} ways[] = {
  { "segv", "write to address 0", crash_segv },
  { "abort", "abort", crash_abort },
  { "kill", "kill itself with SIGKILL", crash_kill },
  { "fpe", "divide by zero", crash_fpe },
  { "stack", "overflow the stack", crash_stack },
};

static void
announce (const char *what)
{
  fprintf (stderr, "demo.crash: about to %s\n", what);
  fflush (stderr);
}

static gboolean
parse_exit (const char *how, guint64 *status)
{
  return g_str_has_prefix (how, "exit:") &&
         g_ascii_string_to_unsigned (how + strlen ("exit:"), 10, 0, 255, status, NULL);
}

GVariant *
demo_crash (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *how = g_variant_get_string (args, NULL);
  guint64 status;

  if (parse_exit (how, &status))
    {
      g_autofree char *what = g_strdup_printf ("exit with status %d", (int) status);

      announce (what);
      g_clear_pointer (&what, g_free);
      exit ((int) status);
    }

  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      if (g_str_equal (how, ways[i].name))
        {
          announce (ways[i].what);
          ways[i].func ();
          g_set_error (error, LOKY_ERROR, LOKY_ERROR_FAILED, "Survived “%s”", how);
          return NULL;
        }
    }

  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "Cannot crash by “%s”: the ways are segv, abort, exit:N with N from 0 to 255, kill, "
               "fpe and stack",
               how);
  return NULL;
}
