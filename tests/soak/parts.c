/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the parts share. */

#include "parts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fixture.h"

static guint n_wrong; /* atomic */

gboolean
soak_expect (gboolean holds, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  if (holds)
    return TRUE;
  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  fprintf (stderr, "soak: %s\n", text);
  g_atomic_int_inc (&n_wrong);
  return FALSE;
}

guint
soak_get_n_wrong (void)
{
  return (guint) g_atomic_int_get (&n_wrong);
}

gint64
soak_get_patience (void)
{
  const char *multiplier = g_getenv ("LOKY_TEST_TIMEOUT_MULTIPLIER");
  gint64 factor = multiplier != NULL ? g_ascii_strtoll (multiplier, NULL, 10) : 1;

  return 30000 * CLAMP (factor, 1, 100);
}

const char *
soak_draw_start_method (GRand *random)
{
  static const char *const methods[] = { "loky", "forkserver", "loky-init-main" };

  /* There the program that runs is another. */
  if (loky_fixture_has_valgrind ())
    return "loky";
  return methods[g_rand_int_range (random, 0, G_N_ELEMENTS (methods))];
}

#define TOKEN "SOAK_EXECUTOR="

LokyExecutor *
soak_draw_executor (GRand *random, guint max_workers, const char *first_property, ...)
{
  static guint n_executors; /* atomic */
  char *token = g_strdup_printf (TOKEN "%d-%d", getpid (), g_atomic_int_add (&n_executors, 1));
  g_autoptr (LokyExecutorConfig) config = loky_executor_config_new ();
  const char *environment[] = { token, NULL };
  LokyExecutor *executor;
  va_list arguments;

  g_object_set (config, "max-workers", max_workers, "start-method", soak_draw_start_method (random),
                "environment", environment, NULL);
  va_start (arguments, first_property);
  g_object_set_valist (G_OBJECT (config), first_property, arguments);
  va_end (arguments);
  executor = loky_executor_new_with_config (config);
  g_object_set_data_full (G_OBJECT (executor), TOKEN, token, g_free);
  return executor;
}

void
soak_end_executor (GRand *random, LokyExecutor *executor)
{
  g_autoptr (GError) error = NULL;
  int dice = g_rand_int_range (random, 0, 3);

  /* Also without a word: then it is drained in the background. */
  if (dice < 2)
    soak_expect (loky_executor_shutdown_sync (executor,
                                              dice == 0 ? LOKY_SHUTDOWN_DRAIN : LOKY_SHUTDOWN_KILL,
                                              soak_get_patience (), NULL, &error),
                 "a shutdown failed: %s", error != NULL ? error->message : "");
  g_object_unref (executor);
}

/* 0: there is no such process, or it has ended. */
static int
get_parent (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  const char *state;
  int parent = 0;

  if (pid <= 1 || !g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  state = strrchr (text, ')');
  return state != NULL && state[1] != '\0' && state[2] != 'Z' &&
                 sscanf (state, ") %*c %d", &parent) == 1
             ? parent
             : 0;
}

gboolean
soak_is_ours (int pid)
{
  int parent = get_parent (pid);

  return parent == getpid () || (parent > 1 && get_parent (parent) == getpid ());
}

/* @text with its NUL if @is_whole. */
static gboolean
has_text (int pid, const char *file, const char *text, gboolean is_whole)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, file);
  g_autofree char *contents = NULL;
  gsize size = 0;

  return g_file_get_contents (path, &contents, &size, NULL) &&
         memmem (contents, size, text, strlen (text) + (is_whole ? 1 : 0)) != NULL;
}

static void
add_children (int pid, GArray *children)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *list = g_build_filename (path, name, "children", NULL);
      g_autofree char *text = NULL;
      char *next;

      if (!g_file_get_contents (list, &text, NULL, NULL))
        continue;
      next = text;
      for (int child = (int) strtol (next, &next, 10); child > 0;
           child = (int) strtol (next, &next, 10))
        g_array_append_val (children, child);
    }
}

gboolean
soak_kill (SoakPart *part, GRand *random, LokyExecutor *executor)
{
  const char *token = g_object_get_data (G_OBJECT (executor), TOKEN);
  g_autoptr (GArray) children = g_array_new (FALSE, FALSE, sizeof (int));
  gboolean is_server;
  guint first;

  add_children (getpid (), children);
  /* Those of fork servers come behind them. */
  for (guint i = 0; i < children->len; i++)
    if (has_text (g_array_index (children, int, i), "cmdline", "--fork-server", TRUE))
      {
        int pid = g_array_index (children, int, i);

        if (get_parent (pid) == getpid () && has_text (pid, "environ", token, TRUE))
          add_children (pid, children);
      }
  first = (guint) g_rand_int (random);
  for (guint i = 0; i < children->len; i++)
    {
      int pid = g_array_index (children, int, (first + i) % children->len);

      if (!has_text (pid, "environ", token, TRUE) || !soak_is_ours (pid))
        continue;
      is_server = get_parent (pid) == getpid () && has_text (pid, "cmdline", "--fork-server", TRUE);
      if (is_server ? g_rand_int_range (random, 0, 10) > 0
                    : !has_text (pid, "maps", loky_fixture_get_plugin_folder (), FALSE))
        continue;
      if (kill (pid, SIGKILL) != 0)
        continue;
      g_atomic_int_inc (is_server ? &part->n_servers : &part->n_kills);
      return !is_server;
    }
  return FALSE;
}

GError *
soak_end_of (LokyFuture *future)
{
  g_autoptr (GError) error = NULL;

  if (!soak_expect (loky_future_wait (future, soak_get_patience (), NULL, &error), "%s never ended",
                    loky_future_get_task (future)))
    return g_steal_pointer (&error);
  return loky_future_dup_error (future);
}

gboolean
soak_is_death (SoakPart *part, const GError *error)
{
  /* It has mapped the plugin, but may not be through with it. */
  part->is_spent |= g_error_matches (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  return part->is_spent || g_error_matches (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
}

void
soak_expect_end (SoakPart *part, LokyFuture *future, gboolean may_die)
{
  g_autoptr (GError) error = soak_end_of (future);

  if (error != NULL && !(may_die && soak_is_death (part, error)))
    soak_expect (FALSE, "%s: %s", loky_future_get_task (future), error->message);
}
