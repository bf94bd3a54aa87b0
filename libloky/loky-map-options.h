/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(LOKY_INSIDE) && !defined(LOKY_COMPILATION)
#error "Only <loky.h> can be included directly."
#endif

#include "loky-task-options.h"

G_BEGIN_DECLS

#define LOKY_TYPE_MAP_OPTIONS (loky_map_options_get_type ())

LOKY_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LokyMapOptions, loky_map_options, LOKY, MAP_OPTIONS, LokyTaskOptions)

LOKY_AVAILABLE_IN_1_0
LokyMapOptions *loky_map_options_new (void);

LOKY_AVAILABLE_IN_1_0
gboolean loky_map_options_get_ordered (LokyMapOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_map_options_set_ordered (LokyMapOptions *self, gboolean ordered);

LOKY_AVAILABLE_IN_1_0
guint loky_map_options_get_window (LokyMapOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_map_options_set_window (LokyMapOptions *self, guint window);

LOKY_AVAILABLE_IN_1_0
guint loky_map_options_get_chunk_size (LokyMapOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_map_options_set_chunk_size (LokyMapOptions *self, guint chunk_size);

LOKY_AVAILABLE_IN_1_0
gint64 loky_map_options_get_total_timeout (LokyMapOptions *self);

LOKY_AVAILABLE_IN_1_0
void loky_map_options_set_total_timeout (LokyMapOptions *self, gint64 total_timeout);

G_END_DECLS
