/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include <glib-object.h>

#include "loky-version.h"

G_BEGIN_DECLS

#define LOKY_TYPE_TASK_OPTIONS (loky_task_options_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_DERIVABLE_TYPE (LokyTaskOptions, loky_task_options, LOKY, TASK_OPTIONS, GObject)

struct _LokyTaskOptionsClass
{
  GObjectClass parent_class;

  /*< private >*/
  gpointer padding[8];
};

LOKY_AVAILABLE_IN_1_0
LokyTaskOptions *loky_task_options_new (void);

LOKY_AVAILABLE_IN_1_0
gint64 loky_task_options_get_timeout (LokyTaskOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_options_set_timeout (LokyTaskOptions *self, gint64 timeout);

LOKY_AVAILABLE_IN_1_0
gint64 loky_task_options_get_queue_timeout (LokyTaskOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_options_set_queue_timeout (LokyTaskOptions *self, gint64 queue_timeout);

LOKY_AVAILABLE_IN_1_0
gint64 loky_task_options_get_cancel_grace (LokyTaskOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_options_set_cancel_grace (LokyTaskOptions *self, gint64 cancel_grace);

LOKY_AVAILABLE_IN_1_0
gint loky_task_options_get_priority (LokyTaskOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_options_set_priority (LokyTaskOptions *self, gint priority);

LOKY_AVAILABLE_IN_1_0
guint loky_task_options_get_retries (LokyTaskOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_options_set_retries (LokyTaskOptions *self, guint retries);

LOKY_AVAILABLE_IN_1_0
guint64 loky_task_options_get_memory_limit (LokyTaskOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_options_set_memory_limit (LokyTaskOptions *self, guint64 memory_limit);

LOKY_AVAILABLE_IN_1_0
gboolean loky_task_options_get_partial_results (LokyTaskOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_options_set_partial_results (LokyTaskOptions *self, gboolean partial_results);

LOKY_AVAILABLE_IN_1_0
gboolean loky_task_options_get_capture_output (LokyTaskOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_task_options_set_capture_output (LokyTaskOptions *self, gboolean capture_output);

G_END_DECLS
