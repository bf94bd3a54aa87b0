/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-memory-events-private.h"

#include <gio/gio.h>

typedef struct
{
  char *root;
  char *cgroup;
} Fixture;

static void
write_file (Fixture *fixture, const char *folder, const char *file, const char *text)
{
  g_autofree char *path = g_build_filename (fixture->root, folder, NULL);
  g_autofree char *name = g_build_filename (path, file, NULL);

  g_assert_cmpint (g_mkdir_with_parents (path, 0755), ==, 0);
  g_assert_true (g_file_set_contents (name, text, -1, NULL));
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->root = g_dir_make_tmp ("loky-memory-XXXXXX", NULL);
  fixture->cgroup = g_build_filename (fixture->root, "cgroup", NULL);
  g_assert_true (g_file_set_contents (fixture->cgroup, data, -1, NULL));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  const char *const arguments[] = { "rm", "-rf", fixture->root, NULL };

  g_assert_true (g_spawn_sync (NULL, (char **) arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                               NULL, NULL));
  g_free (fixture->root);
  g_free (fixture->cgroup);
}

static void
assert_kills (Fixture *fixture, gint64 expected)
{
  guint64 n_kills = 0;

  g_assert_cmpint (loky_memory_events_count_kills (fixture->cgroup, fixture->root, &n_kills), ==,
                   expected >= 0);
  if (expected >= 0)
    g_assert_cmpuint (n_kills, ==, (guint64) expected);
}

static void
test_version_2 (Fixture *fixture, gconstpointer data)
{
  write_file (fixture, "a/b", "memory.events", "low 0\noom 5\noom_kill 3\noom_group_kill 1\n");
  assert_kills (fixture, 3);
}

/* As a container sees it. */
static void
test_version_2_at_the_root (Fixture *fixture, gconstpointer data)
{
  write_file (fixture, ".", "memory.events", "oom_kill 7\n");
  assert_kills (fixture, 7);
}

static void
test_version_1 (Fixture *fixture, gconstpointer data)
{
  write_file (fixture, "memory/docker/x", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 12\n");
  assert_kills (fixture, 12);
}

static void
test_nothing_there (Fixture *fixture, gconstpointer data)
{
  assert_kills (fixture, -1);
  write_file (fixture, "a/b", "memory.events", "oom_kill many\n");
  assert_kills (fixture, -1);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/loky/memory-events/version-2", Fixture, "0::/a/b\n", set_up, test_version_2, tear_down);
  g_test_add ("/loky/memory-events/version-2-at-the-root", Fixture, "0::/a/b\n", set_up,
              test_version_2_at_the_root, tear_down);
  g_test_add ("/loky/memory-events/version-1", Fixture, "4:cpu,cpuacct:/\n3:memory:/docker/x\n0::/\n", set_up,
              test_version_1, tear_down);
  g_test_add ("/loky/memory-events/nothing-there", Fixture, "0::/a/b\n", set_up, test_nothing_there,
              tear_down);
  return g_test_run ();
}
