/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A module that is no serializer: a plugin under the name of one. */

#include "trivial-task.h"

LOKY_PLUGIN_DEFINE ("serializer-nosymbol", "1.0", "Is no serializer", trivial_tasks)
