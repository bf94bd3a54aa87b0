/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The invariants. Each ends by world_fail() when it does not hold. */

#include "world.h"

/* Before @task is sent: no other should have been. */
void world_check_order (World *self, const WorldTask *task);
/* When @task ends: this end is one that it may have. */
void world_check_end (World *self, const WorldTask *task, LokyOutcome outcome);
void world_check_kill (World *self, const WorldWorker *worker, LokyKillReason reason);
/* After each step. */
void world_check_all (World *self);
/* When no task is left: nothing is going on. */
void world_check_rest (World *self);
/* After the shutdown. */
void world_check_nothing_is_left (World *self);
