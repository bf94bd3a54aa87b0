/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What can be set on an executor, as properties: of LokyExecutor itself and of LokyExecutorConfig. */

#include <glib-object.h>

G_BEGIN_DECLS

/* The numbers of the properties, in both. */
typedef enum
{
  LOKY_SETTING_MAX_WORKERS = 1,
  LOKY_SETTING_IDLE_TIMEOUT,
  LOKY_SETTING_CRASH_POLICY,
  LOKY_SETTING_WORKER_PATH,
  LOKY_SETTING_PLUGIN_PATH,
  LOKY_SETTING_ENVIRONMENT,
  LOKY_SETTING_WORKER_ENVIRONMENTS,
  LOKY_SETTING_WORKER_CPUS,
  LOKY_SETTING_START_METHOD,
  LOKY_SETTING_PRELOAD,
  LOKY_SETTING_INITIALIZER,
  LOKY_SETTING_INITIALIZER_ARGS,
  LOKY_SETTING_JOB_REDUCERS,
  LOKY_SETTING_RESULT_REDUCERS,
  LOKY_SETTING_SERIALIZER,
  LOKY_SETTING_START_TIMEOUT,
  LOKY_SETTING_HEARTBEAT_TIMEOUT,
  LOKY_SETTING_SPIN_TIME,
  LOKY_SETTING_MEMORY_GROWTH_LIMIT,
  LOKY_SETTING_MEMORY_CHECK_INTERVAL,
  LOKY_SETTING_MAX_TASKS_PER_WORKER,
  LOKY_SETTING_MAX_BACKLOG,
  LOKY_SETTING_ACCEPT_DESCRIPTORS,
  LOKY_N_SETTINGS,
} LokySetting;

/* Fills @specs from 1 to LOKY_N_SETTINGS - 1. @settable: flags of those that can change while an executor works;
 * @constant: of the others. */
void loky_executor_settings_make_specs (GParamSpec **specs, GParamFlags settable, GParamFlags constant);

/* Values of all settings, at first the defaults of @specs: LOKY_N_SETTINGS of them, of which the first is not used. */
void loky_executor_settings_init (GValue *values, GParamSpec *const *specs);
void loky_executor_settings_clear (GValue *values);

/* Whether they are the same, looking into arrays and values. */
gboolean loky_executor_settings_are_equal (GParamSpec *spec, const GValue *a, const GValue *b);

G_END_DECLS
