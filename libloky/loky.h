/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#define LOKY_INSIDE

#include "loky-version.h"

#include "loky-buffer.h"
#include "loky-cpu-count.h"
#include "loky-enums.h"
#include "loky-error.h"
#include "loky-executor.h"
#include "loky-future.h"
#include "loky-input.h"
#include "loky-map-options.h"
#include "loky-plugin.h"
#include "loky-results.h"
#include "loky-task-context.h"
#include "loky-task-options.h"
#include "loky-enum-types.h"

#undef LOKY_INSIDE
