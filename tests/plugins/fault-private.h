/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <loky.h>

/*
 * FaultFunc:
 * @argument: what is behind the colon of the order; empty if there is no colon
 *
 * Obeys one order, as a `LokyTaskFunc` would.
 */
typedef GVariant *(*FaultFunc) (LokyTaskContext *context, const char *argument, GError **error);

typedef struct
{
  const char *name;
  FaultFunc func;
} FaultOrder;

/* Each ends with an element without a name. */
extern const FaultOrder fault_death_orders[];
extern const FaultOrder fault_limits_orders[];
extern const FaultOrder fault_memory_orders[];
extern const FaultOrder fault_nesting_orders[];
extern const FaultOrder fault_output_orders[];
extern const FaultOrder fault_partial_orders[];
extern const FaultOrder fault_process_orders[];
extern const FaultOrder fault_surroundings_orders[];
extern const FaultOrder fault_value_orders[];

GVariant *fault_ok (void);
gboolean fault_parse_number (const char *argument, guint64 *number, GError **error);
