/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-plugin-loader-private.h"

#include <elf.h>
#include <errno.h>
#include <gmodule.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loky-error.h"
#include "loky-init-private.h"
#include "loky-paths-private.h"
#include "loky-serializer-private.h"
#include "loky-suggest-private.h"
#include "loky-upper-private.h"
#include "loky-util-private.h"

#define BUILTIN_NAME "loky"

/* What the first version of the structures holds: a plugin may have been built with a later one. */
#define MIN_DESCRIPTOR_SIZE G_STRUCT_OFFSET (LokyPluginDescriptor, reducers)
#define MIN_TASK_SIZE G_STRUCT_OFFSET (LokyTaskDescriptor, padding)
#define MIN_REDUCER_SIZE G_STRUCT_OFFSET (LokyReducerDescriptor, padding)

typedef struct
{
  guint64 device;
  guint64 inode;
  guint64 mtime;
  char *reason;
} Refusal;

struct _LokyPluginLoader
{
  char **plugin_path;
  LokyControl *control;
  GHashTable *plugins; /* name → LokyLoadedPlugin */
  GHashTable *tasks;   /* name → LokyLoadedTask, which its plugin owns */
  GPtrArray *refusals;
};

static void
loaded_task_free (LokyLoadedTask *task)
{
  g_free (task->name);
  g_free (task);
}

static void
loaded_plugin_free (LokyLoadedPlugin *plugin)
{
  g_free (plugin->path);
  g_ptr_array_unref (plugin->tasks);
  g_clear_object (&plugin->reducers);
  g_free (plugin);
}

static void
refusal_free (Refusal *refusal)
{
  g_free (refusal->reason);
  g_free (refusal);
}

static gboolean
fail (GError **error, const char *path, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
fail (GError **error, const char *path, const char *format, ...)
{
  g_autofree char *shown = g_filename_display_name (path);
  g_autofree char *reason = NULL;
  va_list arguments;

  va_start (arguments, format);
  reason = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN, "The plugin “%s” cannot be used: %s", shown,
               reason);
  return FALSE;
}

/* --- checks ----------------------------------------------------------------------------------- */

static gboolean
is_fixed_size (const char *type)
{
  /* Arrays, strings and their like have no fixed size; all other definite types do, if their members
   * do. */
  return g_variant_type_is_definite ((const GVariantType *) type) && strpbrk (type, "asogvm") == NULL;
}

static gboolean
check_task (const char *path, const LokyTaskDescriptor *task, GError **error)
{
  if (!loky_paths_is_name (task->name))
    return fail (error, path, "a task is called “%s”: names are made of letters, digits, “-” and “_”",
                 task->name != NULL ? task->name : "");
  if (task->arguments_type == NULL || !g_variant_type_string_is_valid (task->arguments_type))
    return fail (error, path, "the task “%s” takes “%s”, which is no GVariant type", task->name,
                 task->arguments_type != NULL ? task->arguments_type : "");
  if (task->result_type == NULL || !g_variant_type_string_is_valid (task->result_type))
    return fail (error, path, "the task “%s” returns “%s”, which is no GVariant type", task->name,
                 task->result_type != NULL ? task->result_type : "");
  switch (task->kind)
    {
    case LOKY_TASK_KIND_CALL:
      break;
    case LOKY_TASK_KIND_BATCH:
      if (task->arguments_type[0] != 'a' || task->result_type[0] != 'a')
        return fail (error, path, "the task “%s” is of kind batch, but its types are no arrays",
                     task->name);
      break;
    case LOKY_TASK_KIND_ITEM:
      if (!is_fixed_size (task->arguments_type) || !is_fixed_size (task->result_type))
        return fail (error, path, "the task “%s” is of kind item, but its types have no fixed size",
                     task->name);
      break;
    default:
      return fail (error, path, "the task “%s” is of the unknown kind %d", task->name, task->kind);
    }
  if (task->kind == LOKY_TASK_KIND_ITEM ? task->item_func == NULL : task->func == NULL)
    return fail (error, path, "the task “%s” has no function", task->name);
  return TRUE;
}

/* A plugin from before there were reducers has none. */
static gboolean
has_reducers (const LokyPluginDescriptor *descriptor)
{
  return descriptor->descriptor_size >= G_STRUCT_OFFSET (LokyPluginDescriptor, padding) &&
         descriptor->n_reducers > 0;
}

static gboolean
check_reducers (const char *path, const LokyPluginDescriptor *descriptor, GError **error)
{
  if (!has_reducers (descriptor))
    return TRUE;
  if (descriptor->reducers == NULL)
    return fail (error, path, "it has no table of reducers");
  if (descriptor->reducer_size < MIN_REDUCER_SIZE || descriptor->reducer_size > 65536)
    return fail (error, path, "its descriptor claims a size of %" G_GSIZE_FORMAT " bytes for a reducer",
                 descriptor->reducer_size);
  return TRUE;
}

static gboolean
check_descriptor (const char *path,
                  const char *name,
                  const LokyPluginDescriptor *descriptor,
                  GError **error)
{
  if (descriptor == NULL)
    return fail (error, path, "its function “%s” returned nothing", LOKY_PLUGIN_SYMBOL);
  if (descriptor->abi_version != LOKY_PLUGIN_ABI_VERSION)
    return fail (error, path, "it was built for version %u of the plugin interface, this is version %u",
                 descriptor->abi_version, LOKY_PLUGIN_ABI_VERSION);
  if (descriptor->descriptor_size < MIN_DESCRIPTOR_SIZE || descriptor->descriptor_size > 65536 ||
      descriptor->task_size < MIN_TASK_SIZE || descriptor->task_size > 65536)
    return fail (error, path, "its descriptor claims sizes of %u and %u bytes",
                 descriptor->descriptor_size, descriptor->task_size);
  if (g_strcmp0 (descriptor->name, name) != 0)
    return fail (error, path, "it calls itself “%s”, which is not the name of its file",
                 descriptor->name != NULL ? descriptor->name : "");
  if (descriptor->n_tasks > 0 && descriptor->tasks == NULL)
    return fail (error, path, "it has no table of tasks");
  return check_reducers (path, descriptor, error);
}

/* --- opening ---------------------------------------------------------------------------------- */

static gboolean
add_tasks (LokyPluginLoader *self, LokyLoadedPlugin *plugin, GError **error)
{
  const LokyPluginDescriptor *descriptor = plugin->descriptor;
  const char *position = (const char *) descriptor->tasks;

  for (gsize i = 0; i < descriptor->n_tasks; i++, position += descriptor->task_size)
    {
      const LokyTaskDescriptor *task = (const LokyTaskDescriptor *) (gconstpointer) position;
      LokyLoadedTask *loaded;

      if (!check_task (plugin->path, task, error))
        return FALSE;
      for (guint j = 0; j < plugin->tasks->len; j++)
        {
          LokyLoadedTask *other = g_ptr_array_index (plugin->tasks, j);

          if (strcmp (other->descriptor->name, task->name) == 0)
            return fail (error, plugin->path, "it has two tasks called “%s”", task->name);
        }
      loaded = g_new0 (LokyLoadedTask, 1);
      loaded->name = g_strdup_printf ("%s.%s", descriptor->name, task->name);
      loaded->descriptor = task;
      g_ptr_array_add (plugin->tasks, loaded);
    }
  return TRUE;
}

static gboolean
call_init (LokyLoadedPlugin *plugin, GError **error)
{
  g_autoptr (GError) init_error = NULL;

  if (plugin->descriptor->init == NULL || plugin->descriptor->init (&init_error))
    return TRUE;
  return fail (error, plugin->path, "%s",
               init_error != NULL ? init_error->message : "its init function failed without an error");
}

static gboolean
add_reducer (LokyLoadedPlugin *plugin, const LokyReducerDescriptor *reducer, GError **error)
{
  GType type = reducer->get_type != NULL ? reducer->get_type () : G_TYPE_INVALID;
  g_autoptr (GError) type_error = NULL;

  if (g_type_name (type) == NULL)
    return fail (error, plugin->path, "it has a reducer for no type");
  if (reducer->reduce == NULL && reducer->rebuild == NULL)
    return loky_reducer_registry_add_type (plugin->reducers, type, &type_error) ||
           fail (error, plugin->path, "%s", type_error->message);
  loky_reducer_registry_set_reduce_func (plugin->reducers, type, reducer->reduce, reducer->user_data, NULL);
  loky_reducer_registry_set_rebuild_func (plugin->reducers, type, reducer->rebuild, reducer->user_data, NULL);
  return TRUE;
}

/* After init, which may register types. */
static gboolean
add_reducers (LokyLoadedPlugin *plugin, GError **error)
{
  const LokyPluginDescriptor *descriptor = plugin->descriptor;
  const char *position;

  if (!has_reducers (descriptor))
    return TRUE;
  plugin->reducers = loky_reducer_registry_new ();
  position = (const char *) descriptor->reducers;
  for (gsize i = 0; i < descriptor->n_reducers; i++, position += descriptor->reducer_size)
    if (!add_reducer (plugin, (const LokyReducerDescriptor *) (gconstpointer) position, error))
      return FALSE;
  return TRUE;
}

/* The machine that an ELF file is for; EM_NONE if it is no such file, or cannot be read. */
static guint
read_machine (const char *path)
{
  loky_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  /* Where the machine stands is the same for 32 and 64 bits. */
  guint8 header[G_STRUCT_OFFSET (Elf64_Ehdr, e_machine) + 2];
  const guint8 *machine = header + G_STRUCT_OFFSET (Elf64_Ehdr, e_machine);

  if (fd < 0 || read (fd, header, sizeof header) != sizeof header || memcmp (header, ELFMAG, SELFMAG) != 0)
    return EM_NONE;
  return header[EI_DATA] == ELFDATA2MSB ? machine[0] << 8 | machine[1] : machine[1] << 8 | machine[0];
}

static void
fail_to_open (const char *path, const GError *module_error, GError **error)
{
  guint machine = read_machine (path);
  guint own = read_machine ("/proc/self/exe");

  /* The C library says of such a file that it does not exist. */
  if (machine != EM_NONE && own != EM_NONE && machine != own)
    fail (error, path, "it was built for another machine (ELF machine %u, this is %u)", machine, own);
  else
    fail (error, path, "%s", module_error->message);
}

/* In a worker the linker finds the upper library for a plugin that needs it only if it is in one of the folders of the
 * system or of the plugin: else, or if that is one of another version, it is the one beside our own that serves. */
static GModule *
open_file (const char *path, GError **error)
{
  g_autoptr (GError) module_error = NULL;
  GModule *module = g_module_open_full (path, G_MODULE_BIND_LOCAL, &module_error);

  if (module != NULL)
    return module;
  if (loky_upper_peek () == NULL && strstr (module_error->message, LOKY_UPPER_FILE) != NULL &&
      loky_upper_open (NULL) != NULL)
    return g_module_open_full (path, G_MODULE_BIND_LOCAL, error);
  g_propagate_error (error, g_steal_pointer (&module_error));
  return NULL;
}

static const LokyPluginDescriptor *
open_module (const char *path, const char *name, GError **error)
{
  g_autoptr (GError) module_error = NULL;
  const LokyPluginDescriptor *descriptor;
  LokyPluginFunc func = NULL;
  GModule *module = open_file (path, &module_error);

  if (module == NULL)
    {
      fail_to_open (path, module_error, error);
      return NULL;
    }
  if (!g_module_symbol (module, LOKY_PLUGIN_SYMBOL, (gpointer *) &func) || func == NULL)
    {
      fail (error, path, "it has no function “%s”", LOKY_PLUGIN_SYMBOL);
      g_module_close (module);
      return NULL;
    }
  descriptor = func ();
  if (!check_descriptor (path, name, descriptor, error))
    {
      g_module_close (module);
      return NULL;
    }
  /* What an embedded interpreter loads needs the symbols of the plugin's own libraries. */
  if ((descriptor->flags & LOKY_PLUGIN_FLAGS_GLOBAL_SYMBOLS) != 0)
    g_module_open_full (path, 0, NULL);
  g_module_make_resident (module);
  return descriptor;
}

static gboolean
check_refusals (LokyPluginLoader *self, const char *path, GError **error)
{
  struct stat info;
  guint64 mtime;

  if (stat (path, &info) != 0)
    return fail (error, path, "%s", g_strerror (errno));
  mtime = (guint64) info.st_mtim.tv_sec * G_GUINT64_CONSTANT (1000000000) +
          (guint64) info.st_mtim.tv_nsec;
  for (guint i = 0; i < self->refusals->len; i++)
    {
      const Refusal *refusal = g_ptr_array_index (self->refusals, i);

      if (refusal->device == info.st_dev && refusal->inode == info.st_ino && refusal->mtime == mtime)
        return fail (error, path, "%s", refusal->reason);
    }
  return TRUE;
}

static LokyLoadedPlugin *
register_plugin (LokyPluginLoader *self,
                 const char *path,
                 const LokyPluginDescriptor *descriptor,
                 GError **error)
{
  LokyLoadedPlugin *plugin = g_new0 (LokyLoadedPlugin, 1);

  plugin->path = g_strdup (path);
  plugin->descriptor = descriptor;
  plugin->tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) loaded_task_free);
  if (!add_tasks (self, plugin, error) || !call_init (plugin, error) || !add_reducers (plugin, error))
    {
      loaded_plugin_free (plugin);
      return NULL;
    }
  g_hash_table_insert (self->plugins, (gpointer) descriptor->name, plugin);
  for (guint i = 0; i < plugin->tasks->len; i++)
    {
      LokyLoadedTask *task = g_ptr_array_index (plugin->tasks, i);

      g_hash_table_insert (self->tasks, task->name, task);
    }
  return plugin;
}

static LokyLoadedPlugin *
open_path (LokyPluginLoader *self, const char *path, GError **error)
{
  g_autofree char *base = g_path_get_basename (path);
  const LokyPluginDescriptor *descriptor;
  LokyLoadedPlugin *plugin = NULL;

  if (!g_str_has_suffix (base, LOKY_MODULE_SUFFIX))
    {
      fail (error, path, "its name does not end in “%s”", LOKY_MODULE_SUFFIX);
      return NULL;
    }
  base[strlen (base) - strlen (LOKY_MODULE_SUFFIX)] = '\0';
  plugin = g_hash_table_lookup (self->plugins, base);
  if (plugin != NULL && g_strcmp0 (plugin->path, path) == 0)
    return plugin;
  if (plugin != NULL)
    {
      fail (error, path, "another plugin of that name is “%s”", plugin->path);
      return NULL;
    }
  if (!check_refusals (self, path, error))
    return NULL;

  if (self->control != NULL)
    loky_control_set_loading (self->control, path);
  descriptor = open_module (path, base, error);
  if (descriptor != NULL)
    plugin = register_plugin (self, path, descriptor, error);
  if (self->control != NULL)
    loky_control_set_loading (self->control, NULL);
  return plugin;
}

/* One that is part of the program that this process runs. */
static LokyLoadedPlugin *
open_registered (LokyPluginLoader *self, const LokyPluginDescriptor *descriptor, GError **error)
{
  g_autofree char *path = loky_paths_find_own_program ();

  if (!check_descriptor (path, descriptor->name, descriptor, error))
    return NULL;
  return register_plugin (self, path, descriptor, error);
}

/* --- finding ---------------------------------------------------------------------------------- */

static char *
find_file (LokyPluginLoader *self, const char *name)
{
  return loky_paths_find_module ((const char *const *) self->plugin_path, name);
}

/* All names of modules in the plugin path, to their paths; the first in the path wins. */
static GHashTable *
list_files (LokyPluginLoader *self)
{
  GHashTable *files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  for (guint i = 0; i < loky_init_get_n_plugins (); i++)
    g_hash_table_insert (files, g_strdup (loky_init_get_plugin (i)->name), loky_paths_find_own_program ());
  for (gsize i = 0; self->plugin_path[i] != NULL; i++)
    {
      g_autoptr (GDir) folder = g_dir_open (self->plugin_path[i], 0, NULL);
      const char *entry;

      while (folder != NULL && (entry = g_dir_read_name (folder)) != NULL)
        {
          g_autofree char *name = g_str_has_suffix (entry, LOKY_MODULE_SUFFIX)
                                      ? g_strndup (entry, strlen (entry) - strlen (LOKY_MODULE_SUFFIX))
                                      : g_strdup (entry);
          char *path;

          if (!loky_paths_is_name (name) || loky_serializer_is_file (name) || g_hash_table_contains (files, name))
            continue;
          path = find_file (self, name);
          if (path != NULL)
            g_hash_table_insert (files, g_steal_pointer (&name), path);
        }
    }
  return files;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GVariant *
loky_plugin_loader_list (LokyPluginLoader *self)
{
  g_autoptr (GHashTable) files = list_files (self);
  guint n_names;
  g_autofree const char **names = (const char **) g_hash_table_get_keys_as_array (files, &n_names);
  GVariantBuilder builder;

  qsort (names, n_names, sizeof *names, compare_names);
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(ss)"));
  for (guint i = 0; i < n_names; i++)
    {
      g_autofree char *path = g_filename_display_name (g_hash_table_lookup (files, names[i]));

      g_variant_builder_add (&builder, "(ss)", names[i], path);
    }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* The first folder of the plugin path that is there and must not be searched, with the cause. */
static const char *
find_closed_folder (LokyPluginLoader *self, const char **cause)
{
  for (gsize i = 0; self->plugin_path[i] != NULL; i++)
    {
      g_autofree char *inside = g_build_filename (self->plugin_path[i], ".", NULL);

      if (access (inside, F_OK) == 0 || errno == ENOENT || errno == ENOTDIR)
        continue;
      *cause = g_strerror (errno);
      return self->plugin_path[i];
    }
  return NULL;
}

static void
fail_no_plugin (LokyPluginLoader *self, const char *name, GError **error)
{
  g_autoptr (GHashTable) files = list_files (self);
  g_autofree const char **names = (const char **) g_hash_table_get_keys_as_array (files, NULL);
  g_autofree char *folders = g_strjoinv (", ", self->plugin_path);
  g_autofree char *shown = g_filename_display_name (folders);
  const char *nearest = loky_suggest_nearest (name, names);
  const char *cause = NULL;
  const char *closed = find_closed_folder (self, &cause);

  if (closed != NULL)
    {
      g_autofree char *shown_folder = g_filename_display_name (closed);

      g_set_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN,
                   "The plugin “%s” cannot be looked for: the folder “%s” cannot be searched: %s", name,
                   shown_folder, cause);
    }
  else if (nearest != NULL)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK,
                 "There is no plugin “%s” in %s. Did you mean “%s”?", name, shown, nearest);
  else
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK, "There is no plugin “%s” in %s", name,
                 shown);
}

static void
fail_no_task (LokyLoadedPlugin *plugin, const char *name, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  const char *nearest;

  for (guint i = 0; i < plugin->tasks->len; i++)
    g_ptr_array_add (names, ((LokyLoadedTask *) g_ptr_array_index (plugin->tasks, i))->name);
  g_ptr_array_add (names, NULL);
  nearest = loky_suggest_nearest (name, (const char *const *) names->pdata);
  if (nearest != NULL)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK,
                 "There is no task “%s”. Did you mean “%s”?", name, nearest);
  else
    {
      g_autofree char *all = g_strjoinv (", ", (char **) names->pdata);

      g_set_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK,
                   "There is no task “%s”. The tasks of that plugin are: %s", name, all);
    }
}

LokyLoadedPlugin *
loky_plugin_loader_open (LokyPluginLoader *self, const char *name_or_path, GError **error)
{
  LokyLoadedPlugin *plugin = g_hash_table_lookup (self->plugins, name_or_path);
  const LokyPluginDescriptor *registered;
  g_autofree char *path = NULL;

  if (plugin != NULL)
    return plugin;
  registered = loky_init_find_plugin (name_or_path);
  if (registered != NULL)
    return open_registered (self, registered, error);
  if (strchr (name_or_path, G_DIR_SEPARATOR) != NULL)
    path = g_canonicalize_filename (name_or_path, NULL);
  else if (loky_paths_is_name (name_or_path))
    path = find_file (self, name_or_path);
  if (path == NULL)
    {
      fail_no_plugin (self, name_or_path, error);
      return NULL;
    }
  return open_path (self, path, error);
}

LokyLoadedTask *
loky_plugin_loader_find_task (LokyPluginLoader *self, const char *name, GError **error)
{
  LokyLoadedTask *task = g_hash_table_lookup (self->tasks, name);
  const char *dot = strchr (name, '.');
  g_autofree char *plugin_name = NULL;
  LokyLoadedPlugin *plugin;

  if (task != NULL)
    return task;
  if (dot == NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK,
                   "“%s” is no name of a task: they are written PLUGIN.TASK, such as checksum.sha256",
                   name);
      return NULL;
    }
  plugin_name = g_strndup (name, (gsize) (dot - name));
  plugin = loky_plugin_loader_open (self, plugin_name, error);
  if (plugin == NULL)
    return NULL;
  task = g_hash_table_lookup (self->tasks, name);
  if (task == NULL)
    fail_no_task (plugin, name, error);
  return task;
}

LokyReducerRegistry *
loky_plugin_loader_get_reducers (LokyPluginLoader *self, const char *task)
{
  g_autofree char *name = g_strndup (task, strcspn (task, "."));
  LokyLoadedPlugin *plugin = g_hash_table_lookup (self->plugins, name);

  return plugin->reducers != NULL ? plugin->reducers : loky_reducer_registry_get_default ();
}

/* --- life ------------------------------------------------------------------------------------- */

LokyPluginLoader *
loky_plugin_loader_new (const char *const *plugin_path, LokyControl *control)
{
  LokyPluginLoader *self = g_new0 (LokyPluginLoader, 1);

  self->plugin_path = g_strdupv ((char **) plugin_path);
  self->control = control;
  self->plugins
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) loaded_plugin_free);
  self->tasks = g_hash_table_new (g_str_hash, g_str_equal);
  self->refusals = g_ptr_array_new_with_free_func ((GDestroyNotify) refusal_free);
  register_plugin (self, BUILTIN_NAME, loky_builtin_plugin_get (), NULL);
  return self;
}

void
loky_plugin_loader_preload (const char *const *plugin_path, const char *const *names)
{
  LokyPluginLoader *self = loky_plugin_loader_new (plugin_path, NULL);

  for (gsize i = 0; names[i] != NULL; i++)
    {
      g_autofree char *path = loky_paths_is_name (names[i]) ? find_file (self, names[i]) : NULL;
      GModule *module = path != NULL ? g_module_open_full (path, G_MODULE_BIND_LOCAL, NULL) : NULL;

      if (module != NULL)
        g_module_make_resident (module);
    }
  loky_plugin_loader_free (self);
}

void
loky_plugin_loader_finish (LokyPluginLoader *self)
{
  LokyLoadedPlugin *plugin;
  GHashTableIter iter;

  g_hash_table_iter_init (&iter, self->plugins);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &plugin))
    if (plugin->descriptor->finish != NULL)
      plugin->descriptor->finish ();
}

void
loky_plugin_loader_free (LokyPluginLoader *self)
{
  g_hash_table_unref (self->tasks);
  g_hash_table_unref (self->plugins);
  g_ptr_array_unref (self->refusals);
  g_strfreev (self->plugin_path);
  g_free (self);
}

void
loky_plugin_loader_refuse (LokyPluginLoader *self,
                           guint64 device,
                           guint64 inode,
                           guint64 mtime,
                           const char *path,
                           const char *reason)
{
  Refusal *refusal = g_new0 (Refusal, 1);

  refusal->device = device;
  refusal->inode = inode;
  refusal->mtime = mtime;
  refusal->reason = g_strdup (reason);
  g_ptr_array_add (self->refusals, refusal);
}
