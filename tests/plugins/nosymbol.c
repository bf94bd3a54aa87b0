/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A module, but no plugin. */

void nosymbol_function (void);

__attribute__ ((visibility ("default"))) void
nosymbol_function (void)
{
}
