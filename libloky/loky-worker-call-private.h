/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calling a task's function in a worker, in its main thread: what it is given and what it returns is checked against what
 * the plugin declares. */

#include "loky-plugin-loader-private.h"

G_BEGIN_DECLS

/* Whether the task takes arguments of the type @given. */
gboolean loky_worker_check_arguments (const LokyLoadedTask *task, const GVariantType *given, GError **error);

/* The result, owned and in normal form, or NULL with an error. */
GVariant *loky_worker_call_task (const LokyLoadedTask *task,
                                 LokyTaskContext *context,
                                 GVariant *args,
                                 GError **error);

/* Of a value of a fixed-size type, in bytes. */
gsize loky_worker_get_fixed_size (const GVariantType *type);

G_END_DECLS
