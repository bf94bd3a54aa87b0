/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How a GdkPixbuf travels between processes. For the plugin, and for applications that take pictures from it: they
 * build image-pixbuf.c into themselves. */

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <loky.h>

GVariant *image_pixbuf_reduce (const GValue *value, gpointer user_data, GError **error);
void image_pixbuf_rebuild (GVariant *form, GValue *value, gpointer user_data, GError **error);
