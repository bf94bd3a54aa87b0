/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A serializer for a version of the interface that is not there. */

#include <loky.h>

static const LokySerializerDescriptor descriptor = {
  .descriptor_size = sizeof (LokySerializerDescriptor),
  .abi_version = 9999,
  .name = "badabi",
};

LOKY_SERIALIZER_EXPORT (descriptor)
