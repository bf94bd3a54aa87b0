/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How values of any GType become GVariants and values again. docs/reducers.md has the forms.
 *
 * Everything can be called from any thread. Reduce and rebuild functions are user code: they are called without a
 * lock, may be replaced meanwhile, and may call in here again for what is inside a value; the call that they are
 * part of is known by the thread. */

#include "loky-buffer-private.h"
#include "loky-reducer-registry.h"

G_BEGIN_DECLS

/* What a reduced value is unless it stands for itself: the name of a type, and the form; nothing for NULL. */
#define LOKY_REDUCED_TYPE "(smv)"

/* For messages: where something went wrong. */
#define LOKY_PLACE_APPLICATION "the application"
#define LOKY_PLACE_WORKER "the worker"

/* One function of one type, in one registry. Immutable; reference-counted. */
typedef struct
{
  gatomicrefcount ref_count;
  GType type;
  GCallback func; /* a LokyReduceFunc or LokyRebuildFunc */
  gpointer user_data;
  GDestroyNotify destroy;
} LokyReducer;

void loky_reducer_unref (LokyReducer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LokyReducer, loky_reducer_unref)

/* --- loky-reducer-registry.c --- */

/* The function of the nearest ancestor or interface, in this registry or one below it; a reference, or NULL: with an
 * error if the library could not be loaded that has one. */
LokyReducer *loky_reducer_registry_find_reduce (LokyReducerRegistry *self, GType type, GError **error);

/* By the very name, which may be any text. No type is looked up by it. */
LokyReducer *loky_reducer_registry_find_rebuild (LokyReducerRegistry *self, const char *name, GError **error);

/* --- loky-reduce.c --- */

/* The reduced value, not floating. LOKY_ERROR_REDUCER names type and @place where nothing else says what is wrong. What
 * a reduce function makes for the value to refer to is put into @kept; NULL: nobody keeps that. */
GVariant *loky_reduce_value (LokyReducerRegistry *registry,
                             const GValue *value,
                             const char *place,
                             GPtrArray *kept,
                             GError **error);

/* @value is zeroed before, and stays so on an error. @buffers (nullable) are those that @reduced may refer to. */
gboolean loky_rebuild_value (LokyReducerRegistry *registry,
                             GVariant *reduced,
                             GPtrArray *buffers,
                             const char *place,
                             GValue *value,
                             GError **error);

/* Inside a reduce or rebuild function: with what the whole call uses. */
GVariant *loky_reduce_nested (const GValue *value, GError **error);
gboolean loky_rebuild_nested (GVariant *reduced, GValue *value, GError **error);
/* For what the value will refer to, and nobody else has: whether somebody keeps it until it is submitted, and that. */
gboolean loky_reduce_check_keeps (GError **error);
void loky_reduce_keep (GObject *attachment);
/* What came along, or NULL. */
GPtrArray *loky_rebuild_get_attachments (void);
/* One of it; a reference. */
gpointer loky_rebuild_find_attachment (gint32 handle, GType type, GError **error);

/* As much of a name that came from elsewhere as a message may repeat; valid UTF-8. */
char *loky_reduce_shorten (const char *name);

/* Whether @form is of that type; LOKY_ERROR_REDUCER if not. */
gboolean loky_reduce_check_form (GVariant *form, const char *type, GError **error);

/* --- loky-reducers-builtin.c --- */

/* Those that are always there. */
void loky_reducers_add_builtin (LokyReducerRegistry *registry);

/* The form of a text: a text, or the bytes of one that is not in UTF-8. */
GVariant *loky_reduce_text (const char *text);

/* --- loky-reducers-file.c and loky-reducers-descriptor.c, in the upper library --- */

void loky_reducers_add_files (LokyReducerRegistry *registry);
void loky_reducers_add_sockets (LokyReducerRegistry *registry);

/* --- loky-reducers-object.c --- */

/* Functions whose user_data is the GType. */
GVariant *loky_reduce_object (const GValue *value, gpointer type, GError **error);
void loky_rebuild_object (GVariant *form, GValue *value, gpointer type, GError **error);
GVariant *loky_reduce_number (const GValue *value, gpointer type, GError **error);
void loky_rebuild_number (GVariant *form, GValue *value, gpointer type, GError **error);

/* Whose user_data is the GType of what is in it. */
GVariant *loky_reduce_hash_table (const GValue *value, gpointer value_type, GError **error);
void loky_rebuild_hash_table (GVariant *form, GValue *value, gpointer value_type, GError **error);

/* --- loky-wrapper.c --- */

GVariant *loky_reduce_wrapper (const GValue *value, gpointer type, GError **error);
/* What comes of it is of any type. */
void loky_rebuild_wrapper (GVariant *form, GValue *value, gpointer type, GError **error);

G_END_DECLS
