/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Has no descriptor to return. */

#include <loky.h>

__attribute__ ((visibility ("default"))) const LokyPluginDescriptor *loky_plugin_descriptor (void);

const LokyPluginDescriptor *
loky_plugin_descriptor (void)
{
  return NULL;
}
