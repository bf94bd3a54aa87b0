/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An input of tuples, of which each has the next item of several other inputs. */

#include "loky-input-private.h"

typedef struct
{
  guint n_inputs;
  LokyInput **inputs;
  GVariant **items; /* of the next tuple, those that are there; the taker's */
} Zip;

static void
zip_free (gpointer data)
{
  Zip *self = data;

  for (guint i = 0; i < self->n_inputs; i++)
    {
      g_clear_pointer (&self->items[i], g_variant_unref);
      g_object_unref (self->inputs[i]);
    }
  g_free (self->items);
  g_free (self->inputs);
  g_free (self);
}

/* All are looked at: one may have ended while another one has nothing. */
static LokyInputStatus
look_at_all (Zip *self, gboolean may_ask, gboolean *has_gained, GError **error)
{
  LokyInputStatus found = LOKY_INPUT_ITEM;

  for (guint i = 0; i < self->n_inputs; i++)
    {
      LokyInputStatus status = LOKY_INPUT_ITEM;

      if (self->items[i] == NULL)
        {
          status = loky_input_take (self->inputs[i], may_ask, &self->items[i], error);
          *has_gained |= status == LOKY_INPUT_ITEM;
        }
      if (status == LOKY_INPUT_ENDED || status == LOKY_INPUT_FAILED)
        return status;
      if (status == LOKY_INPUT_NOTHING)
        found = LOKY_INPUT_NOTHING;
    }
  return found;
}

/* The function of one input may have pushed to another one that had been looked at. */
static LokyInputStatus
complete_tuple (Zip *self, gboolean may_ask, GError **error)
{
  gboolean has_gained;
  LokyInputStatus status;

  do
    {
      has_gained = FALSE;
      status = look_at_all (self, may_ask, &has_gained, error);
    }
  while (status == LOKY_INPUT_NOTHING && has_gained);
  return status;
}

static void
zip_supply (LokyInput *input, gpointer data, gboolean may_ask)
{
  Zip *self = data;
  g_autoptr (GError) error = NULL;

  switch (complete_tuple (self, may_ask, &error))
    {
    case LOKY_INPUT_ITEM:
      loky_input_push (input, g_variant_new_tuple (self->items, self->n_inputs));
      for (guint i = 0; i < self->n_inputs; i++)
        g_clear_pointer (&self->items[i], g_variant_unref);
      break;
    case LOKY_INPUT_ENDED:
      loky_input_end (input);
      break;
    case LOKY_INPUT_FAILED:
      loky_input_fail (input, error);
      break;
    case LOKY_INPUT_NOTHING:
    default:
      break;
    }
}

static guint64
zip_get_n_left (gpointer data, gboolean may_ask)
{
  Zip *self = data;
  guint64 n_left = G_MAXUINT64;

  for (guint i = 0; i < self->n_inputs; i++)
    n_left = MIN (n_left, loky_input_get_n_left (self->inputs[i], may_ask));
  return n_left;
}

static void
input_changed (gpointer user_data)
{
  loky_input_tell (user_data);
}

static void
detach (Zip *self, guint n_inputs)
{
  for (guint i = 0; i < n_inputs; i++)
    loky_input_detach (self->inputs[i]);
}

/* From then on the inputs and their zip keep each other. */
static gboolean
zip_attach (LokyInput *input, gpointer data)
{
  Zip *self = data;

  for (guint i = 0; i < self->n_inputs; i++)
    if (!loky_input_attach (self->inputs[i], input_changed, input, (GBoxedCopyFunc) g_object_ref, g_object_unref))
      {
        detach (self, i);
        return FALSE;
      }
  return TRUE;
}

static void
zip_detach (gpointer data)
{
  Zip *self = data;

  detach (self, self->n_inputs);
}

/**
 * loky_input_new_zip:
 * @inputs: (array length=n_inputs): inputs that serve no map, all different
 * @n_inputs: how many there are, from 1
 *
 * Makes an input of tuples: the first one of the first items of all inputs, and so on, until one of them ends.
 *
 * It fails when one of them does. What the others have then is not used. The inputs serve no other map.
 *
 * Returns: (transfer full): a new input
 *
 * Since: 1.0
 */
LokyInput *
loky_input_new_zip (LokyInput **inputs, guint n_inputs)
{
  static const LokyInputSource source = {
    .supply = zip_supply,
    .get_n_left = zip_get_n_left,
    .attach = zip_attach,
    .detach = zip_detach,
    .free = zip_free,
  };
  Zip *zip;

  g_return_val_if_fail (inputs != NULL && n_inputs > 0, NULL);
  for (guint i = 0; i < n_inputs; i++)
    g_return_val_if_fail (LOKY_IS_INPUT (inputs[i]), NULL);

  zip = g_new0 (Zip, 1);
  zip->n_inputs = n_inputs;
  zip->inputs = g_new (LokyInput *, n_inputs);
  zip->items = g_new0 (GVariant *, n_inputs);
  for (guint i = 0; i < n_inputs; i++)
    zip->inputs[i] = g_object_ref (inputs[i]);
  return loky_input_new_with_source (&source, zip);
}
