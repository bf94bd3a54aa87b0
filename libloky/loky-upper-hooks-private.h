/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Installed when the upper library is loaded. A program that is linked with the static libraries, of which only what
 * is used is taken, asks the linker for this. */

#include "loky-upper-private.h"

G_BEGIN_DECLS

extern const LokyUpper loky_upper_hooks;

G_END_DECLS
