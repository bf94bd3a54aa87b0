/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An executor without work costs no CPU: for ten seconds neither a thread of the library nor any
 * thread of a worker wakes up once. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fixture.h"

#define IDLE_SECONDS 10
#define SETTLE_SECONDS 40

static char *
dup_field (const char *status, const char *field)
{
  const char *value = strstr (status, field);

  g_assert_nonnull (value);
  value += strlen (field);
  return g_strndup (value, strcspn (value, "\n"));
}

/* Adds to @counts how often each thread of the process went to sleep; of those only whose name begins
 * with @prefix. */
static void
count_switches (GHashTable *counts, const char *process, const char *prefix)
{
  g_autofree char *folder_path = g_build_filename ("/proc", process, "task", NULL);
  g_autoptr (GDir) folder = g_dir_open (folder_path, 0, NULL);
  const char *thread;

  g_assert_nonnull (folder);
  while ((thread = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder_path, thread, "status", NULL);
      g_autofree char *status = NULL;
      g_autofree char *name = NULL;
      g_autofree char *count = NULL;

      /* A thread may have ended meanwhile. */
      if (!g_file_get_contents (path, &status, NULL, NULL))
        continue;
      name = dup_field (status, "Name:\t");
      count = dup_field (status, "\nvoluntary_ctxt_switches:\t");
      if (g_str_has_prefix (name, prefix))
        g_hash_table_insert (counts, g_strdup_printf ("%s/%s (%s)", process, thread, name),
                             g_steal_pointer (&count));
    }
}

static guint
count_workers (GHashTable *counts)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  const char *thread;
  guint n_workers = 0;

  while ((thread = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", thread, "children", NULL);
      g_autofree char *text = NULL;
      g_auto (GStrv) children = NULL;

      if (!g_file_get_contents (path, &text, NULL, NULL))
        continue;
      children = g_strsplit (text, " ", -1);
      for (guint i = 0; children[i] != NULL; i++)
        if (children[i][0] != '\0')
          {
            count_switches (counts, children[i], "");
            n_workers++;
          }
    }
  return n_workers;
}

static GHashTable *
take_counts (void)
{
  GHashTable *counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  count_switches (counts, "self", "loky-");
  g_assert_cmpuint (g_hash_table_size (counts), >, 0);
  g_assert_cmpuint (count_workers (counts), ==, 2);
  return counts;
}

static gboolean
are_equal (GHashTable *before, GHashTable *after, gboolean tell)
{
  GHashTableIter iter;
  gpointer thread;
  gpointer count;
  gboolean equal = g_hash_table_size (before) == g_hash_table_size (after);

  g_hash_table_iter_init (&iter, after);
  while (g_hash_table_iter_next (&iter, &thread, &count))
    {
      const char *old = g_hash_table_lookup (before, thread);

      if (tell)
        g_print ("%s: %s, then %s\n", (char *) thread, old != NULL ? old : "none", (char *) count);
      equal = equal && g_strcmp0 (old, count) == 0;
    }
  return equal;
}

static void
work (LokyExecutor *executor)
{
  g_autoptr (LokyFuture) sleeper
      = loky_fixture_submit (executor, "demo.sleep", g_variant_new_double (0.2));

  for (guint i = 0; i < 100; i++)
    g_free (loky_fixture_call (executor, "demo.echo", "hello"));
  g_assert_true (loky_future_wait (sleeper, -1, NULL, NULL));
}

/* Until two seconds pass in which nothing moved: the last one-shot timer is behind us. */
static void
settle (void)
{
  g_autoptr (GHashTable) before = take_counts ();

  for (guint i = 0; i < SETTLE_SECONDS / 2; i++)
    {
      g_autoptr (GHashTable) after = NULL;

      g_usleep (2 * G_USEC_PER_SEC);
      after = take_counts ();
      if (are_equal (before, after, FALSE))
        {
          g_print ("It was quiet after %u s at most\n", 2 * i);
          return;
        }
      g_hash_table_unref (before);
      before = g_steal_pointer (&after);
    }
  g_print ("It did not become quiet within %d s\n", SETTLE_SECONDS);
}

int
main (int argc, char **argv)
{
  g_autoptr (LokyExecutor) executor = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) before = NULL;
  g_autoptr (GHashTable) after = NULL;
  gboolean idle;

  loky_fixture_init (&argc, &argv);
  alarm (100);
  executor = loky_executor_new (2);
  loky_executor_warm_up_sync (executor, 2, NULL, &error);
  g_assert_no_error (error);
  work (executor);

  settle ();
  before = take_counts ();
  g_usleep (IDLE_SECONDS * G_USEC_PER_SEC);
  after = take_counts ();

  idle = are_equal (before, after, TRUE);
  g_print ("%s in %d s\n", idle ? "No thread woke up" : "Some thread woke up", IDLE_SECONDS);
  loky_fixture_end_executor (g_steal_pointer (&executor), LOKY_SHUTDOWN_DRAIN);
  return idle ? 0 : 1;
}
