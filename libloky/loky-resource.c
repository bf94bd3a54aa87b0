/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-resource-private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loky-attachment-private.h"
#include "loky-enum-types.h"
#include "loky-error.h"
#include "loky-tracker-private.h"
#include "loky-tsan-private.h"
#include "loky-util-private.h"

/**
 * LokyResource:
 *
 * A file or a folder that is removed when its last user is gone.
 *
 * Make one of a path, before or after the file itself is made, and refer to it in the arguments of
 * a task by [method@Loky.Resource.to_variant], or give it to [method@Loky.Executor.submit_values]
 * as it is. The task finds it with [method@Loky.TaskContext.lookup_resource]. A task returns one by
 * [method@Loky.TaskContext.add_resource], and the owner of its future finds it with
 * [method@Loky.Future.lookup_resource].
 *
 * Who has an object of it uses it: the application, a worker, a task that waits to be sent, a
 * result that was not looked at. When the last of them is gone the file is removed, a moment later:
 * it does not matter whether references were dropped, or processes ended, crashed or were killed,
 * the application too. [method@Loky.Resource.forget] leaves the file where it is.
 *
 * It goes by the path: what is there when the last user is gone is removed, even if it was replaced
 * meanwhile. A symbolic link is removed, not what it leads to, and nothing outside of a folder, or
 * on another file system that is mounted in it. What is no folder is not removed as one, nor the
 * other way round. What cannot be removed is told on standard error. Until the file is gone its
 * path belongs to libloky.
 *
 * A process does this, which is there while the process that made a resource has any, or any of
 * those is still used elsewhere, and at no other time.
 *
 * A copy of the application that was made by `fork()` does not use the resources of the
 * application.
 *
 * All functions can be called from any thread.
 *
 * Since: 1.0
 */
struct _LokyResource
{
  GObject parent_instance;

  GFile *file;
  char *path; /* that is sent */
  LokyResourceKind kind;
  LokyHold *hold;
  LokyTracked *tracked; /* NULL if another process made it */
};

G_DEFINE_FINAL_TYPE (LokyResource, loky_resource, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_FILE,
  PROP_KIND,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

static void
loky_resource_finalize (GObject *object)
{
  LokyResource *self = LOKY_RESOURCE (object);

  LOKY_TSAN_ACQUIRE (object);
  g_clear_object (&self->hold);
  g_clear_pointer (&self->tracked, loky_tracked_unref);
  g_clear_object (&self->file);
  g_free (self->path);

  G_OBJECT_CLASS (loky_resource_parent_class)->finalize (object);
}

static void
loky_resource_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  LokyResource *self = LOKY_RESOURCE (object);

  switch (prop_id)
    {
    case PROP_FILE:
      g_value_set_object (value, self->file);
      break;
    case PROP_KIND:
      g_value_set_enum (value, (gint) self->kind);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
loky_resource_class_init (LokyResourceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = loky_resource_finalize;
  object_class->get_property = loky_resource_get_property;

  /**
   * LokyResource:file:
   *
   * Where it is.
   *
   * Since: 1.0
   */
  properties[PROP_FILE] = g_param_spec_object ("file", NULL, NULL, G_TYPE_FILE,
                                               G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LokyResource:kind:
   *
   * What it is.
   *
   * Since: 1.0
   */
  properties[PROP_KIND] =
      g_param_spec_enum ("kind", NULL, NULL, LOKY_TYPE_RESOURCE_KIND, LOKY_RESOURCE_KIND_FILE,
                         G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loky_resource_init (LokyResource *self)
{
}

/* --- making ----------------------------------------------------------------------------------- */

static gboolean
refuse (GError **error, const char *path, const char *why)
{
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT, "“%s” cannot be tracked: %s", path,
               why);
  return FALSE;
}

static gboolean
check_kind (const char *path, LokyResourceKind kind, GError **error)
{
  struct stat info;

  if (lstat (path, &info) != 0)
    {
      /* A file may be made later. */
      if (errno == ENOENT && kind == LOKY_RESOURCE_KIND_FILE)
        return TRUE;
      return refuse (error, path, g_strerror (errno));
    }
  if (kind == LOKY_RESOURCE_KIND_FOLDER)
    return S_ISDIR (info.st_mode) || refuse (error, path, "it is no folder");
  return !S_ISDIR (info.st_mode) || refuse (error, path, "it is a folder");
}

/* Symbolic links on the way to the folder that it is in are followed now, and not when it is
 * removed. */
static char *
resolve (GFile *file, LokyResourceKind kind, GError **error)
{
  g_autofree char *given = g_file_get_path (file);
  g_autofree char *uri = NULL;
  g_autofree char *folder = NULL;
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;
  char *resolved;

  if (given == NULL)
    {
      uri = g_file_get_uri (file);
      refuse (error, uri, "it has no path on this machine");
      return NULL;
    }
  folder = g_path_get_dirname (given);
  name = g_path_get_basename (given);
  if (!g_path_is_absolute (given) || strcmp (name, G_DIR_SEPARATOR_S) == 0 ||
      strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    {
      refuse (error, given, "it is no file or folder in a folder");
      return NULL;
    }
  resolved = realpath (folder, NULL);
  if (resolved == NULL)
    {
      refuse (error, given, g_strerror (errno));
      return NULL;
    }
  path = g_build_filename (resolved, name, NULL);
  free (resolved);
  if (strlen (path) >= LOKY_TRACKER_MAX_PATH)
    {
      refuse (error, given, g_strerror (ENAMETOOLONG));
      return NULL;
    }
  return check_kind (path, kind, error) ? g_steal_pointer (&path) : NULL;
}

/* Takes over @hold and @tracked. */
static LokyResource *
make (const char *path, LokyResourceKind kind, LokyHold *hold, LokyTracked *tracked)
{
  LokyResource *self = g_object_new (LOKY_TYPE_RESOURCE, NULL);

  self->path = g_strdup (path);
  self->file = g_file_new_for_path (path);
  self->kind = kind;
  self->hold = hold;
  self->tracked = tracked;
  return self;
}

/* Takes over @tracked. */
static LokyResource *
make_own (LokyTracked *tracked)
{
  return make (tracked->path, tracked->kind, g_object_ref (tracked->hold), tracked);
}

/**
 * loky_resource_new:
 * @file: a file or folder of this machine
 * @kind: what it is; a file need not be there yet, a folder must be
 * @error: return location for an error
 *
 * Has a file or a folder removed when its last user is gone.
 *
 * A path that this process has made a resource of already becomes another object of that, which
 * counts as a user.
 *
 * It may have to start a process, and waits for that: some milliseconds for the first resource,
 * after that some microseconds; 30 seconds at the most.
 *
 * Returns: (transfer full): a new resource; %NULL with %LOKY_ERROR_INVALID_ARGUMENT if the file has
 * no path, is the root folder, is not of that kind or in no folder, or is tracked as another kind;
 * with %LOKY_ERROR_WORKER_START if the process cannot be started, or with %LOKY_ERROR_RESOURCES if
 * the system refuses a pipe or a socket
 *
 * Since: 1.0
 */
LokyResource *
loky_resource_new (GFile *file, LokyResourceKind kind, GError **error)
{
  g_autofree char *path = NULL;
  LokyTracked *tracked;

  g_return_val_if_fail (G_IS_FILE (file), NULL);
  g_return_val_if_fail (kind == LOKY_RESOURCE_KIND_FILE || kind == LOKY_RESOURCE_KIND_FOLDER, NULL);

  path = resolve (file, kind, error);
  if (path == NULL)
    return NULL;
  tracked = loky_tracked_new (path, kind, error);
  return tracked != NULL ? make_own (tracked) : NULL;
}

LokyResource *
loky_resource_new_received (GPtrArray *attachments, GVariant *value, GError **error)
{
  g_autoptr (GVariant) bytes = NULL;
  g_autoptr (LokyHold) hold = NULL;
  LokyTracked *tracked;
  const char *path;
  gboolean is_folder;
  gint32 handle;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (LOKY_RESOURCE_TYPE)))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   "What refers to a resource is of type " LOKY_RESOURCE_TYPE ", not %s",
                   g_variant_get_type_string (value));
      return NULL;
    }
  g_variant_get (value, "(h@ayb)", &handle, &bytes, &is_folder);
  path = g_variant_get_bytestring (bytes);
  if (path[0] != '/' || strlen (path) >= LOKY_TRACKER_MAX_PATH)
    {
      g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                           "What refers to a resource has no absolute path");
      return NULL;
    }
  hold = loky_attachment_find (attachments, handle, LOKY_TYPE_HOLD, error);
  if (hold == NULL)
    return NULL;
  tracked = loky_tracked_find (hold);
  if (tracked != NULL)
    return make_own (tracked);
  return make (path, is_folder ? LOKY_RESOURCE_KIND_FOLDER : LOKY_RESOURCE_KIND_FILE,
               g_steal_pointer (&hold), NULL);
}

LokyHold *
loky_resource_get_hold (LokyResource *self)
{
  return self->hold;
}

/* --- using ------------------------------------------------------------------------------------ */

/**
 * loky_resource_get_file:
 * @self: a resource
 *
 * Gets where a resource is.
 *
 * Symbolic links on the way to the folder that it is in have been followed. That of a result is
 * what the worker says.
 *
 * Returns: (transfer none): the file
 *
 * Since: 1.0
 */
GFile *
loky_resource_get_file (LokyResource *self)
{
  g_return_val_if_fail (LOKY_IS_RESOURCE (self), NULL);

  return self->file;
}

/**
 * loky_resource_get_kind:
 * @self: a resource
 *
 * Gets what a resource is.
 *
 * Returns: the kind
 *
 * Since: 1.0
 */
LokyResourceKind
loky_resource_get_kind (LokyResource *self)
{
  g_return_val_if_fail (LOKY_IS_RESOURCE (self), LOKY_RESOURCE_KIND_FILE);

  return self->kind;
}

static gboolean
check_made (LokyResource *self, GError **error)
{
  if (self->hold != NULL)
    return TRUE;
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                       "A LokyResource is made by its constructor only");
  return FALSE;
}

/**
 * loky_resource_forget:
 * @self: a resource
 * @error: return location for an error
 *
 * Leaves a file where it is: nobody removes it any more, whoever else uses it.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_FORKED in a child of the process that has the object, or
 * with %LOKY_ERROR_RESOURCES if the system refuses
 *
 * Since: 1.0
 */
gboolean
loky_resource_forget (LokyResource *self, GError **error)
{
  g_return_val_if_fail (LOKY_IS_RESOURCE (self), FALSE);

  return check_made (self, error) && loky_hold_forget (self->hold, error);
}

/**
 * loky_resource_to_variant:
 * @self: a resource
 * @error: return location for an error
 *
 * Makes a value of type `(hayb)` that refers to a resource: a handle, the path, and whether it is a
 * folder.
 *
 * The value can stand anywhere in the arguments of a task. It does not keep the resource;
 * submitting the task does. A task that returns one that it made uses
 * [method@Loky.TaskContext.add_resource] instead, which keeps it until the result was sent.
 *
 * Returns: (transfer full): a value, not floating; %NULL with %LOKY_ERROR_FORKED in a child of the
 * process that has the object, with %LOKY_ERROR_INVALID_ARGUMENT if it was received with a handle
 * that something else has here, or with the errors of [ctor@Loky.Resource.new] if the process that
 * removes files was killed and cannot be started again
 *
 * Since: 1.0
 */
GVariant *
loky_resource_to_variant (LokyResource *self, GError **error)
{
  gint32 handle;

  g_return_val_if_fail (LOKY_IS_RESOURCE (self), NULL);

  if (!check_made (self, error) || !loky_hold_make_sendable (self->hold, error) ||
      (self->tracked != NULL && !loky_tracked_check (self->tracked, error)))
    return NULL;
  handle = loky_hold_get_handle (self->hold);
  return g_variant_ref_sink (
      g_variant_new ("(h^ayb)", handle, self->path, self->kind == LOKY_RESOURCE_KIND_FOLDER));
}
