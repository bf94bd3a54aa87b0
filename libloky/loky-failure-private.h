/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Errors of tasks, as workers tell them: a domain by its name, a code and a text. */

#include <glib.h>

G_BEGIN_DECLS

/* In the application, in any thread. @message must be UTF-8. */
GError *loky_failure_new (const char *domain, gint32 code, const char *message);

G_END_DECLS
