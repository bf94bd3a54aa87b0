/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How often the kernel has killed a process of this one's control group for want of memory. */

#include <glib.h>

G_BEGIN_DECLS

/* Reads memory.events (version 2) or memory.oom_control (version 1) of the group that @proc_cgroup
 * (/proc/self/cgroup) names below @cgroup_root (/sys/fs/cgroup), or in a container, which does not see the
 * groups above it, of the root there. FALSE: neither is there. */
gboolean loky_memory_events_count_kills (const char *proc_cgroup,
                                         const char *cgroup_root,
                                         guint64 *n_kills);

G_END_DECLS
