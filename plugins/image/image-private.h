/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <loky.h>

/* ImageEnd: where the end of an image should be (image-end.c). Zeroed at first. */
typedef enum
{
  IMAGE_END_START,
  IMAGE_END_OTHER_FORMAT,
  IMAGE_END_JPEG_SCAN,
  IMAGE_END_JPEG_MARKER,
  IMAGE_END_JPEG_LENGTH,
  IMAGE_END_PNG_CHUNK,
  IMAGE_END_REACHED,
} ImageEndState;

typedef struct
{
  ImageEndState state;
  ImageEndState next; /* after what is skipped */
  guint64 skip;
  guint8 header[8];
  guint n_header;
} ImageEnd;

void image_end_feed (ImageEnd *self, const guint8 *data, gsize length);
gboolean image_end_is_missing (const ImageEnd *self);

/* Reading (image-load.c) */
typedef struct
{
  char *format;
  int width;
  int height;
} ImageInfo;

char *image_dup_path (const char *file, GError **error);
gboolean
image_read_info (LokyTaskContext *context, const char *path, ImageInfo *info, GError **error);
GdkPixbuf *image_load (LokyTaskContext *context, const char *path, int size, GError **error);
