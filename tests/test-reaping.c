/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GLib's thread, which reaps children, is kept from telling of one that it has reaped, for longer than a child is waited
 * for that nobody reaps. It is found by the functions that it calls before and between, which are this program's. */

#include "fixture.h"

#include <dlfcn.h>
#include <gmodule.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* In s: until the end is waited for, and longer than that is done. */
#define BEFORE 1
#define BETWEEN 6

typedef enum
{
  STAGE_NONE,
  STAGE_ARMED,
  STAGE_BEFORE,  /* it is about to reap */
  STAGE_BETWEEN, /* it has, and is about to tell */
} Stage;

static int stage;

static gboolean
is_reaper (void)
{
  char name[16] = "";

  return prctl (PR_GET_NAME, name) == 0 && strcmp (name, "gmain") == 0;
}

static gboolean
is_of_gio (gconstpointer caller)
{
  Dl_info info;

  return dladdr (caller, &info) != 0 && info.dli_fname != NULL && strstr (info.dli_fname, "libgio-") != NULL;
}

G_MODULE_EXPORT int
waitid (idtype_t type, id_t id, siginfo_t *info, int options)
{
  static int (*original) (idtype_t, id_t, siginfo_t *, int);

  if (g_atomic_pointer_get (&original) == NULL)
    g_atomic_pointer_set (&original, dlsym (RTLD_NEXT, "waitid"));
  if (g_atomic_int_get (&stage) == STAGE_ARMED && is_reaper () &&
      g_atomic_int_compare_and_exchange (&stage, STAGE_ARMED, STAGE_BEFORE))
    g_usleep (BEFORE * G_USEC_PER_SEC);
  return original (type, id, info, options);
}

G_MODULE_EXPORT void
(g_mutex_unlock) (GMutex *mutex)
{
  static void (*original) (GMutex *);
  gconstpointer caller = __builtin_return_address (0);

  if (g_atomic_pointer_get (&original) == NULL)
    g_atomic_pointer_set (&original, dlsym (RTLD_NEXT, "g_mutex_unlock"));
  original (mutex);
  if (g_atomic_int_get (&stage) == STAGE_BEFORE && is_reaper () && is_of_gio (caller) &&
      g_atomic_int_compare_and_exchange (&stage, STAGE_BEFORE, STAGE_BETWEEN))
    g_usleep (BETWEEN * G_USEC_PER_SEC);
}

/* What it would hold for good is found by the fixture. */
static void
what_is_told_late_is_waited_for (LokyFixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autoptr (GError) error = NULL;

  loky_executor_warm_up_sync (executor, 1, NULL, &error);
  g_assert_no_error (error);
  g_atomic_int_set (&stage, STAGE_ARMED);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
  if (g_atomic_int_get (&stage) != STAGE_BETWEEN)
    g_test_skip ("this GLib calls other functions when it reaps a child");
}

int
main (int argc, char *argv[])
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/reaping/what-is-told-late-is-waited-for", what_is_told_late_is_waited_for);
  return g_test_run ();
}
