/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-error.h"

G_DEFINE_QUARK (loky-error-quark, loky_error)
