/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The half of loky-crash that runs in the application. Nothing in a record is believed: it may be what a
 * worker that went mad wrote. */

#include "loky-crash-private.h"

#include <string.h>

/* Frames in these explain nothing: something called them. */
static const char *const bystanders[] = {
  "[libc.so",      "[libc-",      "[libglib-2.0.", "[libgobject-2.0.", "[libgio-2.0.", "[libpthread",
  "[ld-linux",     "[libasan",    "[libubsan",     "[libtsan",         "[libstdc++",   "[libm.so",
  "[libgcc_s.so",  "[vdso",       "[?",
};

/* So do functions that clang's sanitizers put into the program itself. */
static const char *const bystanding_functions[] = { "__interceptor_", "__asan_", "__tsan_", "__ubsan_" };

/* The path of a frame's module, if it is one. */
static gboolean
copy_path (const LokyCrashRecord *record, guint module, char path[LOKY_CRASH_PATH_SIZE])
{
  path[0] = '\0';
  if (module >= LOKY_CRASH_N_MODULES)
    return FALSE;
  memcpy (path, record->modules[module].path, LOKY_CRASH_PATH_SIZE);
  path[LOKY_CRASH_PATH_SIZE - 1] = '\0';
  for (const char *c = path; *c != '\0'; c++)
    if (g_ascii_iscntrl (*c))
      return FALSE;
  return path[0] == '/';
}

/* One line for each frame: "PC BASE PATH", the numbers in hexadecimal; "PC 0 ?" where the module is not
 * known. */
static char *
write_frames (const LokyCrashRecord *record)
{
  guint n_frames = MIN (record->n_frames, LOKY_CRASH_N_FRAMES);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < n_frames; i++)
    {
      guint module = record->module_of[i];
      char path[LOKY_CRASH_PATH_SIZE];
      gboolean is_known = copy_path (record, module, path);

      g_string_append_printf (text, "%" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %s\n",
                              record->frames[i], is_known ? record->modules[module].base : 0,
                              is_known ? path : "?");
    }
  return text->len > 0 ? g_strdup (text->str) : NULL;
}

LokyCrash *
loky_crash_read (const LokyCrashRecord *record)
{
  LokyCrash *self;
  int signal = __atomic_load_n (&record->signal, __ATOMIC_ACQUIRE);

  if (signal <= 0 || signal > 64)
    return NULL;
  self = g_new0 (LokyCrash, 1);
  self->signal = signal;
  self->code = record->code;
  self->address = record->address;
  self->is_out_of_memory = record->is_out_of_memory != 0;
  self->is_memory_limited = record->is_memory_limited != 0;
  self->frames = write_frames (record);
  return self;
}

void
loky_crash_free (LokyCrash *self)
{
  g_free (self->frames);
  g_free (self);
}

char *
loky_crash_frames_to_string (const char *frames)
{
  g_auto (GStrv) lines = g_strsplit (frames, "\n", -1);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; lines[i] != NULL && lines[i][0] != '\0'; i++)
    {
      char *rest;
      guint64 counter = g_ascii_strtoull (lines[i], &rest, 16);
      guint64 base = g_ascii_strtoull (rest, &rest, 16);
      g_autofree char *name = g_path_get_basename (g_strchug (rest));
      g_autofree char *valid = g_utf8_make_valid (name, -1);

      g_string_append_printf (text, "%s#%u ?? [%s+0x%" G_GINT64_MODIFIER "x]", i > 0 ? "\n" : "", i,
                              valid, counter - base);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
is_bystander (const char *line)
{
  const char *module = strrchr (line, '[');
  const char *function = strchr (line, ' ');

  if (module == NULL || function == NULL)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (bystanding_functions); i++)
    if (g_str_has_prefix (function + 1, bystanding_functions[i]))
      return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (bystanders); i++)
    if (g_str_has_prefix (module, bystanders[i]))
      return TRUE;
  return FALSE;
}

char *
loky_crash_find_culprit (const char *backtrace)
{
  g_auto (GStrv) lines = g_strsplit (backtrace, "\n", -1);
  const char *culprit = lines[0];

  for (guint i = 0; lines[i] != NULL; i++)
    if (!is_bystander (lines[i]))
      {
        culprit = lines[i];
        break;
      }
  if (culprit == NULL)
    return NULL;
  culprit = strchr (culprit, ' ');
  return culprit != NULL ? g_strdup (culprit + 1) : NULL;
}
