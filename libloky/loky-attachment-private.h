/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a value refers to by values of type “h” and takes with it: buffers, synchronizers, descriptors and holds on
 * resources, of which this tells no more than their kinds apart. Each has one descriptor: of memory, of a pipe for a hold,
 * of anything for a descriptor. Callable from any thread. */

#include <glib-object.h>

#include "loky-message-private.h"

G_BEGIN_DECLS

/* Gives a handle to an object that was made here; it is found by it until it is unlisted, in its finalize. */
gint32 loky_attachment_list (GObject *object);
void loky_attachment_unlist (gint32 handle);

/* The same for one that was received, with the handle that it has; FALSE if another live one has that. It may be
 * called again. */
gboolean loky_attachment_list_received (GObject *object, gint32 handle);

/* The live one of this process with that handle, or NULL. */
GObject *loky_attachment_lookup (gint32 handle);

/* Over what a peer sent, after checking it. Takes over @fd. */
GObject *loky_attachment_new_received (int fd, const LokyBufferRecord *record, GError **error);

/* For one that came from a peer that is not trusted: no descriptor unless they are accepted, and
 * loky_buffer_check_whole(). */
gboolean loky_attachment_check_whole (GObject *object, gboolean accepts_descriptors, GError **error);

gint32 loky_attachment_get_handle (GObject *object);

/* What is said about it on its way, and the descriptor that goes along, which stays its own. */
void loky_attachment_describe (GObject *object, LokyBufferRecord *record);
int loky_attachment_get_fd (GObject *object);

/* Makes it ready to be sent. */
gboolean loky_attachment_seal (GObject *object, GError **error);

/* The one in @attachments (nullable) with that handle, if it is a @type; a reference. */
gpointer loky_attachment_find (GPtrArray *attachments, gint32 handle, GType type, GError **error);

/* Whether @value refers to anything. */
gboolean loky_attachment_is_in (GVariant *value);

/* Finds what @value refers to: in @received (nullable) first, then among those of this process. Sets @attachments to
 * NULL if there are none. */
gboolean loky_attachment_collect (GVariant *value,
                                  GPtrArray *received,
                                  GPtrArray **attachments,
                                  GError **error);

/* The same for a result, which must refer to no descriptor, or to none of a kind that is not accepted:
 * LOKY_ERROR_INVALID_RESULT. */
gboolean loky_attachment_collect_result (GVariant *value,
                                         GPtrArray *received,
                                         gboolean accepts_descriptors,
                                         GPtrArray **attachments,
                                         GError **error);
/* Makes one ready to be sent with a result. */
gboolean loky_attachment_prepare_result (GObject *object, gboolean accepts_descriptors, GError **error);

G_END_DECLS
