/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which serializers there are, and which one is used. */

#include "loky-serializer-private.h"

#include <gmodule.h>
#include <string.h>

#include "loky-error.h"
#include "loky-paths-private.h"

#define DEFAULT_NAME "gvariant"
#define FILE_PREFIX "serializer-"
#define MAX_NAME 64

/* What the first version of the structure holds. */
#define MIN_SIZE G_STRUCT_OFFSET (LokySerializerDescriptor, padding)

/* Instead of a serializer: the environment has not been asked yet. */
static char unread;

static gpointer chosen = &unread; /* atomic; LokySerializer or NULL */

static GMutex lock;
static GHashTable *serializers; /* name → LokySerializer; lock */

/* Constant after the set-up of a worker. */
static char **served_path;
static LokySerializerOpening opening_func;
static gpointer opening_data;

gboolean
loky_serializer_is_default (const char *name)
{
  return name == NULL || name[0] == '\0' || strcmp (name, DEFAULT_NAME) == 0;
}

static gboolean
is_name (const char *name)
{
  return loky_paths_is_name (name) && strlen (name) <= MAX_NAME;
}

static gboolean
fail (GError **error, const char *name, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
fail (GError **error, const char *name, const char *format, ...)
{
  g_autofree char *shown = g_utf8_make_valid (name, (gssize) MIN (strlen (name), MAX_NAME));
  g_autofree char *reason = NULL;
  va_list arguments;

  va_start (arguments, format);
  reason = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_SERIALIZER, "The serializer “%s” cannot be used: %s", shown, reason);
  return FALSE;
}

/* --- opening ------------------------------------------------------------------------------------ */

static gboolean
check_descriptor (LokySerializer *serializer, const char *name, const char *path, GError **error)
{
  if (serializer == NULL)
    return fail (error, name, "its function “%s” in “%s” returned nothing", LOKY_SERIALIZER_SYMBOL, path);
  if (serializer->abi_version != LOKY_SERIALIZER_ABI_VERSION)
    return fail (error, name, "“%s” was built for version %u of the interface, this is version %d", path,
                 serializer->abi_version, LOKY_SERIALIZER_ABI_VERSION);
  if (serializer->descriptor_size < MIN_SIZE || serializer->descriptor_size > 65536)
    return fail (error, name, "the descriptor of “%s” claims a size of %u bytes", path,
                 serializer->descriptor_size);
  if (g_strcmp0 (serializer->name, name) != 0)
    return fail (error, name, "“%s” calls itself “%s”", path,
                 serializer->name != NULL ? serializer->name : "");
  if (serializer->serialize == NULL || serializer->deserialize == NULL)
    return fail (error, name, "“%s” lacks a function", path);
  return TRUE;
}

static LokySerializer *
open_module (const char *name, const char *path, GError **error)
{
  g_autofree char *shown = g_filename_display_name (path);
  g_autoptr (GError) module_error = NULL;
  GModule *module = g_module_open_full (path, G_MODULE_BIND_LOCAL, &module_error);
  LokySerializerFunc func = NULL;
  LokySerializer *serializer;

  if (module == NULL)
    {
      fail (error, name, "%s", module_error->message);
      return NULL;
    }
  if (!g_module_symbol (module, LOKY_SERIALIZER_SYMBOL, (gpointer *) &func) || func == NULL)
    {
      fail (error, name, "“%s” has no function “%s”", shown, LOKY_SERIALIZER_SYMBOL);
      g_module_close (module);
      return NULL;
    }
  serializer = func ();
  if (!check_descriptor (serializer, name, shown, error))
    {
      g_module_close (module);
      return NULL;
    }
  g_module_make_resident (module);
  return serializer;
}

static LokySerializer *
lookup (const char *name)
{
  LokySerializer *serializer = NULL;

  g_mutex_lock (&lock);
  if (serializers != NULL)
    serializer = g_hash_table_lookup (serializers, name);
  g_mutex_unlock (&lock);
  return serializer;
}

static void
keep (LokySerializer *serializer)
{
  g_mutex_lock (&lock);
  if (serializers == NULL)
    serializers = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_insert (serializers, (gpointer) serializer->name, (gpointer) serializer);
  g_mutex_unlock (&lock);
}

/* Two threads that open the same one get the same module. */
static LokySerializer *
open_by_name (const char *name, const char *const *plugin_path, GError **error)
{
  g_autofree char *stem = g_strconcat (FILE_PREFIX, name, NULL);
  g_autofree char *path = loky_paths_find_module (plugin_path, stem);
  LokySerializer *serializer;

  if (path == NULL)
    {
      g_autofree char *folders = g_strjoinv (", ", (char **) plugin_path);
      g_autofree char *shown = g_filename_display_name (folders);

      fail (error, name, "there is no “" FILE_PREFIX "%s" LOKY_MODULE_SUFFIX "” in %s", name, shown);
      return NULL;
    }
  if (opening_func != NULL)
    opening_func (path, opening_data);
  serializer = open_module (name, path, error);
  if (opening_func != NULL)
    opening_func (NULL, opening_data);
  if (serializer != NULL)
    keep (serializer);
  return serializer;
}

gboolean
loky_serializer_find_open (const char *name, LokySerializer **serializer, GError **error)
{
  *serializer = loky_serializer_is_default (name) ? NULL : lookup (name);
  return *serializer != NULL || loky_serializer_is_default (name) || fail (error, name, "it was not opened here");
}

gboolean
loky_serializer_find (const char *name,
                      const char *const *plugin_path,
                      LokySerializer **serializer,
                      GError **error)
{
  g_auto (GStrv) default_path = NULL;

  if (loky_serializer_find_open (name, serializer, NULL))
    return TRUE;
  if (!is_name (name))
    return fail (error, name, "names are made of at most %d letters, digits, “-” and “_”", MAX_NAME);
  if (plugin_path == NULL)
    plugin_path = (const char *const *) served_path;
  if (plugin_path == NULL)
    plugin_path = (const char *const *) (default_path = loky_paths_get_plugin_path ());
  *serializer = open_by_name (name, plugin_path, error);
  return *serializer != NULL;
}

gboolean
loky_serializer_find_for_peer (const char *name, LokySerializer **serializer, GError **error)
{
  return served_path != NULL ? loky_serializer_find (name, NULL, serializer, error)
                             : loky_serializer_find_open (name, serializer, error);
}

const char *
loky_serializer_get_name (LokySerializer *serializer)
{
  return serializer != NULL ? serializer->name : DEFAULT_NAME;
}

void
loky_serializer_serve (const char *const *plugin_path, LokySerializerOpening opening, gpointer user_data)
{
  g_strfreev (served_path);
  served_path = g_strdupv ((char **) plugin_path);
  opening_func = opening;
  opening_data = user_data;
}

gboolean
loky_serializer_is_file (const char *name)
{
  return g_str_has_prefix (name, FILE_PREFIX);
}

/* --- the choice --------------------------------------------------------------------------------- */

static gboolean
read_environment (LokySerializer **serializer, GError **error)
{
  const char *name = loky_paths_get_environment ("LOKY_SERIALIZER");

  if (!loky_serializer_find (name, NULL, serializer, error))
    {
      g_prefix_error (error, "LOKY_SERIALIZER: ");
      return FALSE;
    }
  /* Unless another thread has chosen meanwhile. */
  if (!g_atomic_pointer_compare_and_exchange (&chosen, &unread, (gpointer) *serializer))
    *serializer = g_atomic_pointer_get (&chosen);
  return TRUE;
}

gboolean
loky_serializer_get_chosen (LokySerializer **serializer, GError **error)
{
  gpointer found = g_atomic_pointer_get (&chosen);

  if (G_UNLIKELY (found == &unread))
    return read_environment (serializer, error);
  *serializer = found;
  return TRUE;
}

/**
 * loky_set_serializer:
 * @name: (nullable): the name of a serializer; %NULL, an empty text or `gvariant` for the default
 * @error: return location for an error
 *
 * Chooses how the arguments and results of tasks become bytes on their way, for all executors of the process that have
 * none of their own ([property@Loky.Executor:serializer]) and all tasks that are submitted from now on.
 *
 * The default leaves that to #GVariant and costs nothing. Another one is a module `serializer-NAME.so` in a folder of
 * `LOKY_PLUGIN_PATH` or in that of the installed plugins, such as `zstd`, which compresses. It is opened here and in
 * the workers. Without a call of this function it is the one that the environment variable `LOKY_SERIALIZER` names.
 *
 * The setting travels with each task: its worker uses the same one, for the result, too.
 *
 * Returns: %TRUE; %FALSE with %LOKY_ERROR_SERIALIZER if there is none of that name or it cannot be opened: then all
 *   stays as it was
 *
 * Since: 1.0
 */
gboolean
loky_set_serializer (const char *name, GError **error)
{
  LokySerializer *serializer;

  if (!loky_serializer_find (name, NULL, &serializer, error))
    return FALSE;
  g_atomic_pointer_set (&chosen, (gpointer) serializer);
  return TRUE;
}

/**
 * loky_get_serializer:
 *
 * Gets the name of the serializer that was chosen for the process.
 *
 * Returns: (transfer none): the name, `gvariant` for the default, also if the environment names one that cannot be
 *   used
 *
 * Since: 1.0
 */
const char *
loky_get_serializer (void)
{
  LokySerializer *serializer = NULL;

  loky_serializer_get_chosen (&serializer, NULL);
  return loky_serializer_get_name (serializer);
}
