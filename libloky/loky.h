/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#define LOKY_INSIDE

#include "loky-version.h"

#include "loky-barrier.h"
#include "loky-buffer.h"
#include "loky-completions.h"
#include "loky-condition.h"
#include "loky-cpu-count.h"
#include "loky-descriptor.h"
#include "loky-enums.h"
#include "loky-error.h"
#include "loky-event.h"
#include "loky-executor-config.h"
#include "loky-executor.h"
#include "loky-future.h"
#include "loky-init.h"
#include "loky-input.h"
#include "loky-lock.h"
#include "loky-map-options.h"
#include "loky-plugin.h"
#include "loky-reducer-registry.h"
#include "loky-resource.h"
#include "loky-results.h"
#include "loky-reusable.h"
#include "loky-statistics.h"
#include "loky-start-method.h"
#include "loky-semaphore.h"
#include "loky-synchronizer.h"
#include "loky-serializer.h"
#include "loky-task-context.h"
#include "loky-task-options.h"
#include "loky-wait.h"
#include "loky-wrapper.h"
#include "loky-enum-types.h"

#undef LOKY_INSIDE
