/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-error.h"

/**
 * loky_error_quark:
 *
 * Gets the error domain of libloky.
 *
 * Returns: the quark
 *
 * Since: 1.0
 */
G_DEFINE_QUARK (loky-error-quark, loky_error)
