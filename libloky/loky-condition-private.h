/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "loky-condition.h"

/* How many are ever made of one lock. */
#define LOKY_CONDITION_MAX 65535
