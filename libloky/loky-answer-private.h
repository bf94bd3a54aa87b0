/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ends a GTask by a source of its context, always: g_task_return_boolean() and its kin may call back at once, in the
 * middle of what their caller does. Any thread, no lock needed. */

#include <gio/gio.h>

G_BEGIN_DECLS

/* Each takes over all that it is given. What is never delivered, since the context goes, is freed. */
void loky_answer_boolean (GTask *task);
void loky_answer_pointer (GTask *task, gpointer pointer, GDestroyNotify free_func);
void loky_answer_error (GTask *task, GError *error);

G_END_DECLS
