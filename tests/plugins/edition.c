/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Says which edition of the file it is of. Tests copy the file and overwrite the text, of which there must be
 * one only. */

#include <loky.h>

static const char text[] = "edition-one";

static GVariant *
edition_task (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_string (text);
}

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "trivial",
      .arguments_type = "s",
      .result_type = "s",
      .func = edition_task,
      .summary = "The edition of its file",
  },
};

LOKY_PLUGIN_DEFINE ("edition", "1.0", "Says which edition it is of", tasks)
