/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Removing what is in the file system. No symbolic link is followed, not even on the way, and below
 * a folder no other file system is entered. What is not there is removed. */

#include <glib.h>

G_BEGIN_DECLS

/* Anything but a folder. */
gboolean loky_remove_file (const char *path, GError **error);

/* A folder and all that is in it; nothing else. As much as can be. What is a thousand levels deep
 * stays. */
gboolean loky_remove_folder (const char *path, GError **error);

/* The same, but of @n_max files and folders at the most. @is_interrupted: FALSE is returned without
 * an error, and there is more to be done. */
gboolean loky_remove_some (const char *path, guint n_max, gboolean *is_interrupted, GError **error);

G_END_DECLS
