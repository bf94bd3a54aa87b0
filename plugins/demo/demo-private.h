/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <loky.h>

GVariant *demo_crash (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error);

GVariant *
demo_primes (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error);
