/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A serializer without functions. */

#include <loky.h>

static const LokySerializerDescriptor descriptor = { LOKY_SERIALIZER_INIT, .name = "lacking" };

LOKY_SERIALIZER_EXPORT (descriptor)
