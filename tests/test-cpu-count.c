/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* CPU limits, read from invented trees of control groups. */

#include "loky-cpu-count-private.h"
#include "loky-error.h"
#include "loky-nesting-private.h"

#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

typedef struct
{
  char *folder; /* a mount point of control groups */
  char *proc;   /* a file as /proc/self/cgroup */
  cpu_set_t allowed;
} Fixture;

static int
remove_one (const char *path, const struct stat *info, int type, struct FTW *where)
{
  return remove (path);
}

static void
set_up (Fixture *fixture, gconstpointer user_data)
{
  g_autoptr (GError) error = NULL;

  fixture->folder = g_dir_make_tmp ("loky-cgroup-XXXXXX", &error);
  g_assert_no_error (error);
  g_assert_cmpint (sched_getaffinity (0, sizeof fixture->allowed, &fixture->allowed), ==, 0);
  fixture->proc = g_build_filename (fixture->folder, "proc-self-cgroup", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer user_data)
{
  g_assert_cmpint (nftw (fixture->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), ==, 0);
  g_free (fixture->folder);
  g_free (fixture->proc);
}

static void
put (Fixture *fixture, const char *path, const char *text)
{
  g_autofree char *whole = g_build_filename (fixture->folder, path, NULL);
  g_autofree char *folder = g_path_get_dirname (whole);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_file_set_contents (whole, text, -1, &error);
  g_assert_no_error (error);
}

static void
check (Fixture *fixture, const char *proc, guint expected)
{
  put (fixture, "proc-self-cgroup", proc);
  g_assert_cmpuint (loky_cpu_count_cgroup (fixture->proc, fixture->folder), ==, expected);
}

static void
check_v2 (Fixture *fixture, const char *cpu_max, guint expected)
{
  put (fixture, "group/cpu.max", cpu_max);
  check (fixture, "0::/group\n", expected);
}

static void
test_v2 (Fixture *fixture, gconstpointer user_data)
{
  check_v2 (fixture, "200000 100000\n", 2);
  check_v2 (fixture, "150000 100000\n", 2);
  check_v2 (fixture, "100001 100000\n", 2);
  check_v2 (fixture, "100000 100000\n", 1);
  check_v2 (fixture, "1000 100000\n", 1);
  check_v2 (fixture, "300000\n", 3);
  check_v2 (fixture, "9223372036854775807 1\n", G_MAXINT);
}

static void
test_v2_without_limit (Fixture *fixture, gconstpointer user_data)
{
  check_v2 (fixture, "max 100000\n", G_MAXUINT);
  check_v2 (fixture, "", G_MAXUINT);
  check_v2 (fixture, "\n", G_MAXUINT);
  check_v2 (fixture, "garbage\n", G_MAXUINT);
  check_v2 (fixture, "-1 100000\n", G_MAXUINT);
  check_v2 (fixture, "0 100000\n", G_MAXUINT);
  check_v2 (fixture, "100000 -5\n", G_MAXUINT);
}

/* The least on the way to the root holds, wherever it stands. */
static void
test_v2_nested (Fixture *fixture, gconstpointer user_data)
{
  put (fixture, "a/b/c/cpu.max", "800000 100000\n");
  put (fixture, "a/b/cpu.max", "max 100000\n");
  put (fixture, "a/cpu.max", "300000 100000\n");
  check (fixture, "0::/a/b/c\n", 3);
  check (fixture, "0::/a/b\n", 3);
  put (fixture, "a/b/c/cpu.max", "200000 100000\n");
  check (fixture, "0::/a/b/c\n", 2);
  /* In a container the group is the root of what it sees. */
  put (fixture, "cpu.max", "100000 100000\n");
  check (fixture, "0::/\n", 1);
  check (fixture, "0::/a/b/c\n", 1);
}

/* Systems that use version 1 for controllers mount version 2 in a folder. */
static void
test_v2_unified (Fixture *fixture, gconstpointer user_data)
{
  put (fixture, "unified/group/cpu.max", "400000 100000\n");
  check (fixture, "0::/group\n", 4);
}

static void
check_v1 (Fixture *fixture, const char *quota, const char *period, guint expected)
{
  put (fixture, "cpu/group/cpu.cfs_quota_us", quota);
  put (fixture, "cpu/group/cpu.cfs_period_us", period);
  check (fixture, "5:cpuset:/other\n4:cpu,cpuacct:/group\n1:name=systemd:/other\n", expected);
}

static void
test_v1 (Fixture *fixture, gconstpointer user_data)
{
  check_v1 (fixture, "400000\n", "100000\n", 4);
  check_v1 (fixture, "50000\n", "100000\n", 1);
  check_v1 (fixture, "-1\n", "100000\n", G_MAXUINT);
  check_v1 (fixture, "100000\n", "0\n", G_MAXUINT);
  check_v1 (fixture, "many\n", "100000\n", G_MAXUINT);
  check_v1 (fixture, "100000\n", "", G_MAXUINT);
}

static void
test_v1_joint_mount (Fixture *fixture, gconstpointer user_data)
{
  put (fixture, "cpu,cpuacct/a/cpu.cfs_quota_us", "200000\n");
  put (fixture, "cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  put (fixture, "cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
  put (fixture, "cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
  check (fixture, "4:cpu,cpuacct:/a/b\n", 2);
}

static void
test_both_versions (Fixture *fixture, gconstpointer user_data)
{
  put (fixture, "group/cpu.max", "500000 100000\n");
  put (fixture, "cpu/group/cpu.cfs_quota_us", "300000\n");
  put (fixture, "cpu/group/cpu.cfs_period_us", "100000\n");
  check (fixture, "3:cpu:/group\n0::/group\n", 3);
}

static void
test_garbage (Fixture *fixture, gconstpointer user_data)
{
  put (fixture, "group/cpu.max", "100000 100000\n");
  g_assert_cmpuint (loky_cpu_count_cgroup ("/nonexistent", fixture->folder), ==, G_MAXUINT);
  check (fixture, "", G_MAXUINT);
  check (fixture, "\n\n", G_MAXUINT);
  check (fixture, "nonsense\n::\n:\n", G_MAXUINT);
  check (fixture, "0::", G_MAXUINT);
  check (fixture, "0::group", G_MAXUINT);
  check (fixture, "0::/missing", G_MAXUINT);
  check (fixture, "3:cpuset:/group\n", G_MAXUINT);
  check (fixture, "nonsense\n0::/group", 1);
}

static void
test_environment (void)
{
  g_assert_cmpuint (loky_cpu_count_environment (NULL), ==, G_MAXUINT);
  g_assert_cmpuint (loky_cpu_count_environment (""), ==, G_MAXUINT);
  g_assert_cmpuint (loky_cpu_count_environment ("1"), ==, 1);
  g_assert_cmpuint (loky_cpu_count_environment ("64"), ==, 64);
  g_assert_cmpuint (loky_cpu_count_environment ("99999999999999999999"), ==, G_MAXINT);
}

static void
test_environment_garbage (void)
{
  static const char *const values[] = { "0", "-3", "many", "4x", "0x4", "2.5", "4 ", " " };

  /* Once, though each of the values is wrong. */
  g_test_expect_message ("Loky", G_LOG_LEVEL_WARNING, "*LOKY_MAX_CPU_COUNT is “0”*");
  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    g_assert_cmpuint (loky_cpu_count_environment (values[i]), ==, G_MAXUINT);
  g_test_assert_expected_messages ();
}

static void
test_count (void)
{
  guint count;

  g_unsetenv ("LOKY_MAX_CPU_COUNT");
  count = loky_cpu_count ();
  g_assert_cmpuint (count, >=, 1);
  /* It is read anew at each call, and only lowers. */
  g_setenv ("LOKY_MAX_CPU_COUNT", "1", TRUE);
  g_assert_cmpuint (loky_cpu_count (), ==, 1);
  g_setenv ("LOKY_MAX_CPU_COUNT", "100000", TRUE);
  g_assert_cmpuint (loky_cpu_count (), ==, count);
}

/* The CPUs that we may use of an invented machine whose cores are so many CPUs each. */
static void
put_cores (Fixture *fixture, const char *file, guint cpus_per_core)
{
  for (guint cpu = 0; cpu < CPU_SETSIZE; cpu++)
    {
      g_autofree char *path = g_strdup_printf ("cpu%u/topology/%s", cpu, file);
      g_autofree char *text = g_strdup_printf ("core %u\n", cpu / cpus_per_core);

      if (CPU_ISSET (cpu, &fixture->allowed))
        put (fixture, path, text);
    }
}

static void
test_cores (Fixture *fixture, gconstpointer user_data)
{
  g_unsetenv ("LOKY_MAX_CPU_COUNT");
  put_cores (fixture, "thread_siblings_list", 1);
  g_assert_cmpuint (loky_cpu_count_cores (fixture->folder), ==, CPU_COUNT (&fixture->allowed));
  put_cores (fixture, "core_cpus_list", CPU_SETSIZE);
  g_assert_cmpuint (loky_cpu_count_cores (fixture->folder), ==, 1);
}

static void
test_unknown_cores (Fixture *fixture, gconstpointer user_data)
{
  g_assert_cmpuint (loky_cpu_count_cores (fixture->folder), ==, 0);
}

static void
test_physical (void)
{
  guint count;

  g_unsetenv ("LOKY_MAX_CPU_COUNT");
  count = loky_cpu_count_physical ();
  g_assert_cmpuint (count, >=, 1);
  g_assert_cmpuint (count, <=, loky_cpu_count ());
  /* The limits of the user hold for it, too. */
  g_setenv ("LOKY_MAX_CPU_COUNT", "1", TRUE);
  g_assert_cmpuint (loky_cpu_count_physical (), ==, 1);
  g_unsetenv ("LOKY_MAX_CPU_COUNT");
}

/* --- nesting ---------------------------------------------------------------------------------- */

static void
check_depth (guint depth, const char *max_depth, gboolean is_allowed)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (loky_nesting_check_depth (depth, max_depth, &error), ==, is_allowed);
  if (is_allowed)
    return;
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RECURSION);
  g_assert_nonnull (strstr (error->message, "LOKY_MAX_DEPTH"));
}

static void
test_depth (void)
{
  check_depth (0, NULL, TRUE);
  check_depth (9, NULL, TRUE);
  check_depth (10, NULL, FALSE);
  check_depth (10, "", FALSE);
  check_depth (10, "11", TRUE);
  check_depth (1, "1", FALSE);
  check_depth (1000, "0", TRUE);
  check_depth (1000, "-1", TRUE);
}

static void
test_depth_garbage (void)
{
  static const char *const values[] = { "many", "3x", " 3", "99999999999999999999" };

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (loky_nesting_check_depth (0, values[i], &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
      g_assert_nonnull (strstr (error->message, values[i]));
    }
}

/* A task can change the environment, but not where it is. */
static void
test_depth_is_not_forgotten (void)
{
  guint depth = loky_nesting_get_depth ();

  g_setenv ("LOKY_DEPTH", "77", TRUE);
  g_assert_cmpuint (loky_nesting_get_depth (), ==, depth);
  g_unsetenv ("LOKY_DEPTH");
  g_assert_cmpuint (loky_nesting_get_depth (), ==, depth);
}

static void
test_share (void)
{
  g_assert_cmpuint (loky_nesting_share (8, 2), ==, 4);
  g_assert_cmpuint (loky_nesting_share (8, 3), ==, 2);
  g_assert_cmpuint (loky_nesting_share (2, 8), ==, 1);
  g_assert_cmpuint (loky_nesting_share (2, 0), ==, 2);
}

static const char *
look_up (char **environment, const char *name)
{
  return g_environ_getenv (environment, name);
}

static void
test_nested_environment (void)
{
  static const char *const given[] = { "LOKY_MAX_CPU_COUNT=7", "MKL_NUM_THREADS=5", NULL };
  g_autofree char *share = g_strdup_printf ("%u", loky_nesting_share (loky_cpu_count_once (), 2));
  g_auto (GStrv) alone = NULL;
  g_auto (GStrv) beside = NULL;

  g_unsetenv ("MKL_NUM_THREADS");
  g_setenv ("OMP_NUM_THREADS", "3", TRUE);
  alone = loky_nesting_make_environment (2, 0, NULL);
  beside = loky_nesting_make_environment (2, 0, given);
  g_unsetenv ("OMP_NUM_THREADS");
  g_assert_cmpstr (look_up (alone, "LOKY_DEPTH"), ==, "1");
  g_assert_cmpstr (look_up (alone, "LOKY_MAX_CPU_COUNT"), ==, share);
  g_assert_cmpstr (look_up (alone, "MKL_NUM_THREADS"), ==, share);
  /* What this process was given, and what the user gives, stands. */
  g_assert_null (look_up (alone, "OMP_NUM_THREADS"));
  g_assert_null (look_up (beside, "LOKY_MAX_CPU_COUNT"));
  g_assert_null (look_up (beside, "MKL_NUM_THREADS"));
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/loky/cpu-count/v2", test_v2);
  ADD ("/loky/cpu-count/v2-without-limit", test_v2_without_limit);
  ADD ("/loky/cpu-count/v2-nested", test_v2_nested);
  ADD ("/loky/cpu-count/v2-unified", test_v2_unified);
  ADD ("/loky/cpu-count/v1", test_v1);
  ADD ("/loky/cpu-count/v1-joint-mount", test_v1_joint_mount);
  ADD ("/loky/cpu-count/both-versions", test_both_versions);
  ADD ("/loky/cpu-count/garbage", test_garbage);
  g_test_add_func ("/loky/cpu-count/environment", test_environment);
  g_test_add_func ("/loky/cpu-count/environment-garbage", test_environment_garbage);
  g_test_add_func ("/loky/cpu-count/count", test_count);
  ADD ("/loky/cpu-count/cores", test_cores);
  ADD ("/loky/cpu-count/unknown-cores", test_unknown_cores);
  g_test_add_func ("/loky/cpu-count/physical", test_physical);
  g_test_add_func ("/loky/nesting/depth", test_depth);
  g_test_add_func ("/loky/nesting/depth-garbage", test_depth_garbage);
  g_test_add_func ("/loky/nesting/depth-is-not-forgotten", test_depth_is_not_forgotten);
  g_test_add_func ("/loky/nesting/share", test_share);
  g_test_add_func ("/loky/nesting/environment", test_nested_environment);
  return g_test_run ();
}
