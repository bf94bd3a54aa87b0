/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-upper-private.h"

#include <dlfcn.h>
#include <string.h>

#include "loky-error.h"
#include "loky-paths-private.h"

/* The types of GIO and of the upper library that can be sent. */
static const char *const reducer_types[] = {
  "GFile", "GSocket", "GSocketConnection", "GUnixFDList", "LokyResource",
};

static const LokyUpper *installed; /* atomic; set once */

static GMutex opening_lock;

void
loky_upper_install (const LokyUpper *upper)
{
  g_atomic_pointer_set (&installed, upper);
}

const LokyUpper *
loky_upper_peek (void)
{
  return g_atomic_pointer_get (&installed);
}

/* The one beside this library, where nothing tells the dynamic linker to look if the folder is none of the system's;
 * or else where it does look. One of another version cannot be loaded: its private symbols have that, too. */
static gboolean
open_file (GError **error)
{
  g_autofree char *beside = loky_paths_find_own_library (LOKY_UPPER_FILE);
  const char *reason;

  if (dlopen (beside != NULL ? beside : LOKY_UPPER_FILE, RTLD_NOW | RTLD_NODELETE) != NULL)
    return TRUE;
  reason = dlerror ();
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_FAILED, "%s cannot be loaded: %s", LOKY_UPPER_FILE,
               reason != NULL ? reason : "?");
  return FALSE;
}

const LokyUpper *
loky_upper_open (GError **error)
{
  const LokyUpper *upper = loky_upper_peek ();
  gboolean is_open;

  if (upper != NULL)
    return upper;
  g_mutex_lock (&opening_lock);
  is_open = loky_upper_peek () != NULL || open_file (error);
  g_mutex_unlock (&opening_lock);
  if (!is_open)
    return NULL;
  upper = loky_upper_peek ();
  if (upper == NULL)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_FAILED, "%s is one of another copy of libloky", LOKY_UPPER_FILE);
  return upper;
}

gboolean
loky_upper_has_reducer_of (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (reducer_types); i++)
    if (strcmp (reducer_types[i], name) == 0)
      return TRUE;
  return FALSE;
}

/* A type that nobody has registered has no values. */
gboolean
loky_upper_has_reducer_for (GType type)
{
  if (!g_type_is_a (type, G_TYPE_OBJECT) && !G_TYPE_IS_INTERFACE (type))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (reducer_types); i++)
    {
      GType known = g_type_from_name (reducer_types[i]);

      if (known != G_TYPE_INVALID && g_type_is_a (type, known))
        return TRUE;
    }
  return FALSE;
}
