/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-init-private.h"

#include <string.h>
#include <unistd.h>

#include "loky-error.h"
#include "loky-paths-private.h"
#include "loky-start-method-private.h"
#include "loky-worker-private.h"

static gint is_done; /* atomic */

static GMutex lock;
static GPtrArray *plugins; /* of LokyPluginDescriptor; only grows; lock */

/* Whether the command line is that of a worker: then this process, which is none, was started as one, and its
 * program does not call loky_init() when it should. */
static gboolean
was_started_as_worker (void)
{
  g_autofree char *text = NULL;
  gsize length, first;

  if (!g_file_get_contents ("/proc/self/cmdline", &text, &length, NULL))
    return FALSE;
  first = strlen (text) + 1;
  return first < length && strcmp (text + first, LOKY_INIT_ARGUMENT) == 0;
}

gboolean
loky_init_check (GError **error)
{
  gboolean has_served = g_atomic_int_get (&is_done);

  if (has_served && !was_started_as_worker ())
    return TRUE;
  /* In a worker it was called, or this would not be one. */
  if (has_served && loky_start_method_is_worker ())
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START,
               "The start method “%s” needs a program that calls loky_init() at the beginning of its main(): "
               "workers run that program again",
               loky_start_method_to_string (LOKY_START_METHOD_INIT_MAIN));
  return FALSE;
}

void
loky_init_note_program (void)
{
  g_atomic_int_set (&is_done, TRUE);
}

guint
loky_init_get_n_plugins (void)
{
  guint n_plugins;

  g_mutex_lock (&lock);
  n_plugins = plugins != NULL ? plugins->len : 0;
  g_mutex_unlock (&lock);
  return n_plugins;
}

const LokyPluginDescriptor *
loky_init_get_plugin (guint i)
{
  const LokyPluginDescriptor *plugin;

  g_mutex_lock (&lock);
  plugin = g_ptr_array_index (plugins, i);
  g_mutex_unlock (&lock);
  return plugin;
}

const LokyPluginDescriptor *
loky_init_find_plugin (const char *name)
{
  for (guint i = 0; i < loky_init_get_n_plugins (); i++)
    {
      const LokyPluginDescriptor *plugin = loky_init_get_plugin (i);

      if (strcmp (plugin->name, name) == 0)
        return plugin;
    }
  return NULL;
}

/**
 * loky_init:
 * @argc: (inout) (optional): the number of arguments of `main()`
 * @argv: (inout) (optional) (array length=argc): the arguments of `main()`
 *
 * Lets this program be its own worker, for the start method `loky-init-main` of
 * [property@Loky.Executor:start-method].
 *
 * It is to be called first in `main()`, after [func@Loky.register_plugin]: what comes before is done in each worker,
 * too. In a process that libloky has started as a worker of this program it does not return: the tasks run in
 * it, and the process ends in it. In any other it returns at once and changes neither @argc nor @argv.
 *
 * A program that is run by an interpreter cannot use this.
 *
 * Since: 1.0
 */
void
loky_init (int *argc, char ***argv)
{
  g_autofree char *path G_GNUC_UNUSED = loky_paths_find_own_program ();

  loky_init_note_program ();
  if (argc != NULL && argv != NULL && *argc == 2 && strcmp ((*argv)[1], LOKY_INIT_ARGUMENT) == 0)
    _exit (loky_worker_main (*argc, *argv));
}

/**
 * loky_register_plugin: (skip)
 * @plugin: a plugin that is part of the program; it stays valid
 *
 * Makes functions of this program tasks, in workers that have its code: those of the start methods
 * `loky-init-main` and `fork`.
 *
 * It is to be called before [func@Loky.init], or, for `fork`, before the executor is made. A plugin of the program is
 * preferred to a file of the same name. It is checked in the worker, when its first task comes.
 *
 * Since: 1.0
 */
void
loky_register_plugin (const LokyPluginDescriptor *plugin)
{
  g_return_if_fail (plugin != NULL);
  g_return_if_fail (plugin->name != NULL);

  g_mutex_lock (&lock);
  if (plugins == NULL)
    plugins = g_ptr_array_new ();
  g_ptr_array_add (plugins, (gpointer) plugin);
  g_mutex_unlock (&lock);
}
