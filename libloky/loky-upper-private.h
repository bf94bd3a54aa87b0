/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The two libraries, seen from the lower one. libloky-task-1 (lower) is all that a worker needs, and does not use GIO,
 * which takes a process longer to load than all the rest. libloky-1 (upper) is what the application needs, and what
 * needs GIO; it is linked with the lower one. docs/architecture.md tells what is where.
 *
 * The upper one is there in an application, and in a worker that has opened a plugin which is linked with it. In any
 * other worker it is opened when a value comes that only it knows. It is never closed again.
 *
 * All functions can be called from any thread. */

#include <glib-object.h>

#include "loky-reducer-registry.h"
#include "loky-sync-memory-private.h"

G_BEGIN_DECLS

/* What the upper library does for the lower one. */
typedef struct
{
  /* Sets the reducers of all types that loky_upper_has_reducer_of() knows. */
  void (*add_reducers) (LokyReducerRegistry *registry);
  /* The class that stands for such memory; @is_condition: for a condition of that lock. G_TYPE_INVALID: none. */
  GType (*get_synchronizer_type) (guint32 kind, gboolean is_condition);
  /* Initialises @object, which is a GInitable. */
  gboolean (*init_object) (GObject *object, GError **error);
} LokyUpper;

/* Called when the upper library is loaded, before anybody can use it. */
void loky_upper_install (const LokyUpper *upper);

/* NULL: it is not there. */
const LokyUpper *loky_upper_peek (void);

/* Opens it if it is not there; NULL with LOKY_ERROR_FAILED if it cannot be. */
const LokyUpper *loky_upper_open (GError **error);

/* What the dynamic linker calls it. */
#define LOKY_UPPER_FILE LOKY_UPPER_NAME ".so." LOKY_SOVERSION

/* Whether it has a reducer of the type with that name, or of an ancestor or interface of @type. */
gboolean loky_upper_has_reducer_of (const char *name);
gboolean loky_upper_has_reducer_for (GType type);

G_END_DECLS
