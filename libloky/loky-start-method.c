/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-start-method-private.h"

#include <string.h>

#include "loky-error.h"
#include "loky-init-private.h"
#include "loky-paths-private.h"

static const char *const names[] = {
  [LOKY_START_METHOD_LOKY] = "loky",
  [LOKY_START_METHOD_FORKSERVER] = "forkserver",
  [LOKY_START_METHOD_INIT_MAIN] = "loky-init-main",
  [LOKY_START_METHOD_FORK] = "fork",
};

/* What others call the first one. */
#define OTHER_NAME "spawn"

static GMutex lock;
static gboolean is_chosen;     /* lock */
static LokyStartMethod chosen; /* lock */

static gint is_worker; /* atomic */

const char *
loky_start_method_to_string (LokyStartMethod method)
{
  return names[method];
}

static gboolean
find (const char *name, LokyStartMethod *method)
{
  if (strcmp (name, OTHER_NAME) == 0)
    name = names[LOKY_START_METHOD_LOKY];
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (name, names[i]) == 0)
      {
        *method = (LokyStartMethod) i;
        return TRUE;
      }
  return FALSE;
}

gboolean
loky_start_method_parse (const char *name, LokyStartMethod *method, GError **error)
{
  if (find (name, method))
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "There is no start method “%s”: there are “%s”, which is also called “" OTHER_NAME
               "”, “%s”, “%s” and “%s”",
               name, names[LOKY_START_METHOD_LOKY], names[LOKY_START_METHOD_FORKSERVER],
               names[LOKY_START_METHOD_INIT_MAIN], names[LOKY_START_METHOD_FORK]);
  return FALSE;
}

static LokyStartMethod
read_environment (void)
{
  const char *name = loky_paths_get_environment (LOKY_START_METHOD_VARIABLE);
  LokyStartMethod method = LOKY_START_METHOD_LOKY;

  if (name != NULL && name[0] != '\0' && !find (name, &method))
    g_warning (LOKY_START_METHOD_VARIABLE " is “%s”, which is no start method; “%s” is used", name,
               names[LOKY_START_METHOD_LOKY]);
  return method;
}

static LokyStartMethod
get_default (void)
{
  LokyStartMethod method;
  gboolean is_set;

  g_mutex_lock (&lock);
  is_set = is_chosen;
  method = chosen;
  g_mutex_unlock (&lock);
  if (!is_set)
    method = read_environment ();
  /* What the application chose for itself must not make every executor in its workers fail. */
  if (method == LOKY_START_METHOD_FORK && loky_start_method_is_worker ())
    return LOKY_START_METHOD_LOKY;
  return method;
}

gboolean
loky_start_method_resolve (const char *name, LokyStartMethod *method, GError **error)
{
  if (name == NULL)
    *method = get_default ();
  else if (!loky_start_method_parse (name, method, error))
    return FALSE;
  if (*method == LOKY_START_METHOD_INIT_MAIN)
    return loky_init_check (error);
  if (*method == LOKY_START_METHOD_FORK && loky_start_method_is_worker ())
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
                   "The start method “%s” cannot be used inside a worker, which has several threads",
                   names[*method]);
      return FALSE;
    }
  return TRUE;
}

gboolean
loky_start_method_check_reusable (const char *name, GError **error)
{
  LokyStartMethod method;

  if (!loky_start_method_resolve (name, &method, error))
    return FALSE;
  if (method != LOKY_START_METHOD_FORK)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
               "The executor of the process cannot have the start method “%s”: make one of your own",
               names[method]);
  return FALSE;
}

char *
loky_start_method_dup_variable (void)
{
  char *variable;

  g_mutex_lock (&lock);
  variable = is_chosen ? g_strconcat (LOKY_START_METHOD_VARIABLE "=", names[chosen], NULL) : NULL;
  g_mutex_unlock (&lock);
  return variable;
}

void
loky_start_method_note_worker (void)
{
  g_atomic_int_set (&is_worker, TRUE);
}

gboolean
loky_start_method_is_worker (void)
{
  return g_atomic_int_get (&is_worker);
}

guint
loky_count_threads (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  guint count = 0;

  while (folder != NULL && g_dir_read_name (folder) != NULL)
    count++;
  return count;
}

/**
 * loky_set_start_method:
 * @name: (nullable): the name of a start method; %NULL, with @force, for none
 * @force: whether a method that was set before may be replaced
 * @error: return location for an error
 *
 * Sets the start method of all executors of this process that are made from now on and do not have one set by
 * [property@Loky.Executor:start-method].
 *
 * It is meant to be called once, by the program and not by a library. Executors that the program's tasks make in
 * its workers use it, too, by way of the environment variable `LOKY_START_METHOD`; without a call it is read
 * from there, and is `loky` where that is not set either.
 *
 * The names are `loky`, which is also called `spawn`, `forkserver`, `loky-init-main` and `fork`.
 *
 * Returns: %TRUE, or %FALSE with %LOKY_ERROR_INVALID_ARGUMENT if there is no method of that name, or with
 *   %LOKY_ERROR_FAILED if one was set before
 *
 * Since: 1.0
 */
gboolean
loky_set_start_method (const char *name, gboolean force, GError **error)
{
  LokyStartMethod method = LOKY_START_METHOD_LOKY;
  gboolean is_allowed;
  LokyStartMethod before;

  if (name != NULL && !loky_start_method_parse (name, &method, error))
    return FALSE;
  g_mutex_lock (&lock);
  before = chosen;
  is_allowed = force || !is_chosen;
  if (is_allowed)
    {
      is_chosen = name != NULL;
      chosen = method;
    }
  g_mutex_unlock (&lock);
  if (!is_allowed)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_FAILED, "The start method was set before, to “%s”",
                 names[before]);
  return is_allowed;
}

/**
 * loky_get_start_method:
 *
 * Gets the start method of executors that do not have one set by [property@Loky.Executor:start-method]: that of
 * [func@Loky.set_start_method], or of the environment variable `LOKY_START_METHOD`, or `loky`.
 *
 * Returns: (transfer none): its name
 *
 * Since: 1.0
 */
const char *
loky_get_start_method (void)
{
  return names[get_default ()];
}
