/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a fuzz target is: libFuzzer's function, which is also called by replay.c. */

#include <glib.h>

G_BEGIN_DECLS

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* An input that is taken from its beginning; where it is used up there are zeros. */
typedef struct
{
  const guint8 *data;
  gsize left;
} FuzzInput;

static inline guint8
fuzz_take_byte (FuzzInput *self)
{
  if (self->left == 0)
    return 0;
  self->left--;
  return *self->data++;
}

/* At most @most bytes, of which there are @size. */
static inline const guint8 *
fuzz_take (FuzzInput *self, gsize most, gsize *size)
{
  const guint8 *data = self->data;

  *size = MIN (most, self->left);
  self->data += *size;
  self->left -= *size;
  return data;
}

G_END_DECLS
