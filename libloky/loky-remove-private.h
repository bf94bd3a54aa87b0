/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Removing what is in the file system. No symbolic link is followed below the folder that a path is
 * in, and no other file system is entered. What is not there is removed. */

#include <glib.h>

G_BEGIN_DECLS

/* Anything but a folder. */
gboolean loky_remove_file (const char *path, GError **error);

/* A folder and all that is in it; nothing else. As much as can be. */
gboolean loky_remove_folder (const char *path, GError **error);

G_END_DECLS
