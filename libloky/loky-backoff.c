/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-backoff-private.h"

#define MAX_FAILURES 6

gboolean
loky_backoff_may_try (LokyBackoff *self)
{
  if (self->n_to_skip == 0)
    return TRUE;
  self->n_to_skip--;
  return FALSE;
}

void
loky_backoff_note (LokyBackoff *self, gboolean has_succeeded)
{
  self->n_failures = has_succeeded ? 0 : MIN (self->n_failures + 1, MAX_FAILURES);
  self->n_to_skip = has_succeeded ? 0 : (1u << (self->n_failures - 1)) - 1;
}
