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
GQuark
loky_error_quark (void)
{
  /* G_DEFINE_QUARK() would have threads write the same number at the same time. */
  static gsize quark;

  if (g_once_init_enter (&quark))
    g_once_init_leave (&quark, g_quark_from_static_string ("loky-error-quark"));
  return (GQuark) quark;
}
