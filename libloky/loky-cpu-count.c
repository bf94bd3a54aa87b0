/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How many CPUs this process may use: the affinity mask, the CPU quota of each control group that
 * it is in (version 2 and version 1, walking up to the root), and LOKY_MAX_CPU_COUNT.
 *
 * g_get_num_processors() of GLib 2.74 knows none of the three. */

#include "loky-cpu-count-private.h"

#include <sched.h>
#include <string.h>

/* The CPUs of the calling thread's affinity mask, or NULL. A mask of 4096 is what distributions configure at the most
 * today; the loop goes further. */
static cpu_set_t *
get_affinity (gsize *size)
{
  for (gsize n_cpus = 4096; n_cpus <= (1 << 20); n_cpus *= 4)
    {
      cpu_set_t *set = CPU_ALLOC (n_cpus);

      *size = CPU_ALLOC_SIZE (n_cpus);
      if (sched_getaffinity (0, *size, set) == 0)
        return set;
      CPU_FREE (set);
      if (errno != EINVAL)
        break;
    }
  return NULL;
}

static guint
count_affinity (void)
{
  gsize size;
  cpu_set_t *set = get_affinity (&size);
  guint count;

  if (set == NULL)
    return MAX (g_get_num_processors (), 1);
  count = (guint) CPU_COUNT_S (size, set);
  CPU_FREE (set);
  return MAX (count, 1);
}

/* Which CPUs are one core, as a text, or NULL. Kernels before 5.3 have the second file only. */
static char *
read_core (const char *cpu_folder, gsize cpu)
{
  static const char *const files[] = { "core_cpus_list", "thread_siblings_list" };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path
          = g_strdup_printf ("%s/cpu%" G_GSIZE_FORMAT "/topology/%s", cpu_folder, cpu, files[i]);
      char *text;

      if (g_file_get_contents (path, &text, NULL, NULL))
        return text;
    }
  return NULL;
}

guint
loky_cpu_count_cores (const char *cpu_folder)
{
  g_autoptr (GHashTable) cores = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gboolean is_known = TRUE;
  gsize size;
  cpu_set_t *set = get_affinity (&size);

  if (set == NULL)
    return 0;
  for (gsize cpu = 0; cpu < size * 8 && is_known; cpu++)
    {
      char *core = CPU_ISSET_S (cpu, size, set) ? read_core (cpu_folder, cpu) : NULL;

      if (core != NULL)
        g_hash_table_add (cores, core);
      else
        is_known = !CPU_ISSET_S (cpu, size, set);
    }
  CPU_FREE (set);
  return is_known ? g_hash_table_size (cores) : 0;
}

/* Rounds up: half a CPU still runs one thing at a time. */
static guint
cpus_from_quota (gint64 quota, gint64 period)
{
  gint64 cpus;

  if (quota <= 0 || period <= 0)
    return G_MAXUINT;
  cpus = quota / period + (quota % period != 0);
  return (guint) CLAMP (cpus, 1, G_MAXINT);
}

static gboolean
read_integer (const char *folder, const char *file, gint64 *value)
{
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autofree char *text = NULL;
  char *end;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  *value = g_ascii_strtoll (text, &end, 10);
  return end != text;
}

/* cpu.max holds "QUOTA PERIOD" in microseconds, or "max PERIOD". */
static guint
quota_v2 (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "cpu.max", NULL);
  g_autofree char *text = NULL;
  gint64 quota, period;
  char *rest;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return G_MAXUINT;
  quota = g_ascii_strtoll (text, &rest, 10);
  if (rest == text)
    return G_MAXUINT;
  period = g_ascii_strtoll (rest, NULL, 10);
  return cpus_from_quota (quota, period == 0 ? 100000 : period);
}

static guint
quota_v1 (const char *folder)
{
  gint64 quota, period;

  if (!read_integer (folder, "cpu.cfs_quota_us", &quota) ||
      !read_integer (folder, "cpu.cfs_period_us", &period))
    return G_MAXUINT;
  return cpus_from_quota (quota, period);
}

/* The quota of each group on the way to the root holds. */
static guint
least_quota (const char *mount_point, const char *group, guint (*read_quota) (const char *))
{
  g_autofree char *inner = g_strdup (group);
  guint least = read_quota (mount_point);

  while (inner[0] == '/' && inner[1] != '\0')
    {
      g_autofree char *folder = g_build_filename (mount_point, inner, NULL);

      least = MIN (least, read_quota (folder));
      *strrchr (inner, '/') = '\0';
    }
  return least;
}

static gboolean
has_controller (const char *controllers, const char *wanted)
{
  g_auto (GStrv) names = g_strsplit (controllers, ",", -1);

  return g_strv_contains ((const char *const *) names, wanted);
}

guint
loky_cpu_count_cgroup (const char *proc_cgroup, const char *cgroup_root)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  guint least = G_MAXUINT;

  if (!g_file_get_contents (proc_cgroup, &text, NULL, NULL))
    return G_MAXUINT;
  lines = g_strsplit (text, "\n", -1);

  /* Each line is "ID:CONTROLLERS:GROUP"; version 2 is the one without controllers. */
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) fields = g_strsplit (lines[i], ":", 3);

      if (g_strv_length (fields) != 3)
        continue;
      if (fields[1][0] == '\0')
        {
          g_autofree char *unified = g_build_filename (cgroup_root, "unified", NULL);

          least = MIN (least, least_quota (cgroup_root, fields[2], quota_v2));
          least = MIN (least, least_quota (unified, fields[2], quota_v2));
        }
      else if (has_controller (fields[1], "cpu"))
        {
          g_autofree char *alone = g_build_filename (cgroup_root, "cpu", NULL);
          g_autofree char *joint = g_build_filename (cgroup_root, fields[1], NULL);

          least = MIN (least, least_quota (alone, fields[2], quota_v1));
          least = MIN (least, least_quota (joint, fields[2], quota_v1));
        }
    }
  return least;
}

guint
loky_cpu_count_environment (const char *value)
{
  gint64 count;
  char *end;

  if (value == NULL || value[0] == '\0')
    return G_MAXUINT;
  count = g_ascii_strtoll (value, &end, 10);
  if (*end != '\0' || count < 1)
    {
      g_warning_once ("LOKY_MAX_CPU_COUNT is “%s”, not a number of at least 1: ignored", value);
      return G_MAXUINT;
    }
  return (guint) MIN (count, G_MAXINT);
}

/**
 * loky_cpu_count:
 *
 * Counts the CPUs that this process may use.
 *
 * It is the least of: the CPUs in the affinity mask of the calling thread; the CPU quota of each
 * control group that the process is in, rounded up; the value of the environment variable
 * `LOKY_MAX_CPU_COUNT`. It is read anew at each call. Callable from any thread.
 *
 * Returns: the number of CPUs, at least 1
 *
 * Since: 1.0
 */
guint
loky_cpu_count (void)
{
  guint count = count_affinity ();

  count = MIN (count, loky_cpu_count_cgroup ("/proc/self/cgroup", "/sys/fs/cgroup"));
  count = MIN (count, loky_cpu_count_environment (g_getenv ("LOKY_MAX_CPU_COUNT")));
  return count;
}

/**
 * loky_cpu_count_physical:
 *
 * Counts the physical cores that this process may use: those threads of one core count as one that the hardware
 * runs at the same time.
 *
 * What limits [func@Loky.cpu_count] limits this, too. Where the kernel does not tell which CPUs are one core, it is
 * the same, with a warning the first time. Callable from any thread.
 *
 * Returns: the number of cores, at least 1
 *
 * Since: 1.0
 */
guint
loky_cpu_count_physical (void)
{
  guint cores = loky_cpu_count_cores ("/sys/devices/system/cpu");
  guint count = loky_cpu_count ();

  if (cores == 0)
    g_warning_once ("Physical cores cannot be told apart here: all CPUs are counted");
  return cores > 0 ? MIN (cores, count) : count;
}

guint
loky_cpu_count_once (void)
{
  static gsize count;

  if (g_once_init_enter (&count))
    g_once_init_leave (&count, loky_cpu_count ());
  return (guint) count;
}
