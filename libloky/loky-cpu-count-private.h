/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of loky_cpu_count() that can be tested on fixture trees. Each returns G_MAXUINT where
 * it knows no limit. Callable from any thread. */

#include <errno.h>

#include "loky-cpu-count.h"

G_BEGIN_DECLS

/* loky_cpu_count() as it was at the first call: it reads several files, and waiting is tuned by it only. */
guint loky_cpu_count_once (void);

/* The least quota over the groups that the file @proc_cgroup names (as /proc/self/cgroup does),
 * below the mount point @cgroup_root. */
guint loky_cpu_count_cgroup (const char *proc_cgroup, const char *cgroup_root);

/* How many cores the CPUs of the affinity mask are, as @cpu_folder tells (as /sys/devices/system/cpu does); 0: it
 * does not. */
guint loky_cpu_count_cores (const char *cpu_folder);

/* What LOKY_MAX_CPU_COUNT=@value allows; warns once about a value that is no number. */
guint loky_cpu_count_environment (const char *value);

G_END_DECLS
