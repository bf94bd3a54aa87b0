/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How resources are handed from one process to another. Callable from any thread. */

#include "loky-hold-private.h"
#include "loky-resource.h"

G_BEGIN_DECLS

/* Handle of the hold, path, whether it is a folder. */
#define LOKY_RESOURCE_TYPE "(hayb)"

/* What @value, which may come from anybody, refers to; the hold is in @attachments (nullable). */
LokyResource *loky_resource_new_received (GPtrArray *attachments, GVariant *value, GError **error);

LokyHold *loky_resource_get_hold (LokyResource *self);

G_END_DECLS
