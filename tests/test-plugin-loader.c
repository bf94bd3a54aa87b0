/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Finding, opening and refusing plugins, in this process: those that crash, hang or leave when they
 * are opened are for tests with a worker. */

#include "loky-plugin-loader-private.h"

#include <ftw.h>
#include <gmodule.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loky-error.h"

typedef struct
{
  const char *plugins; /* the folder of the faulty ones */
  char *folder;        /* an own folder, whose name has a space */
  LokyPluginLoader *loader;
  LokyControl control;
} Fixture;

static int
remove_one (const char *path, const struct stat *info, int type, struct FTW *where)
{
  return remove (path);
}

static void
set_up (Fixture *fixture, gconstpointer user_data)
{
  const char *path[3] = { NULL };
  g_autoptr (GError) error = NULL;

  fixture->plugins = g_getenv ("LOKY_TEST_PLUGINS");
  g_assert_nonnull (fixture->plugins);
  fixture->folder = g_dir_make_tmp ("loky plugins XXXXXX", &error);
  g_assert_no_error (error);
  path[0] = fixture->folder;
  path[1] = fixture->plugins;
  g_assert_true (loky_control_init (&fixture->control, &error));
  fixture->loader = loky_plugin_loader_new (path, &fixture->control);
}

static void
tear_down (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *loading = loky_control_dup_loading (&fixture->control);

  /* Whatever became of it, no plugin is being opened any more. */
  g_assert_null (loading);
  loky_plugin_loader_free (fixture->loader);
  loky_control_clear (&fixture->control);
  g_assert_cmpint (nftw (fixture->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), ==, 0);
  g_free (fixture->folder);
}

/* A copied plugin does not find libloky by a path that is relative to its folder; it does if that
 * is there already. */
static void
load_libloky (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("LOKY_TEST_PLUGINS"), "fault.so", NULL);
  GModule *module = g_module_open (path, G_MODULE_BIND_LOCAL);

  g_assert_nonnull (module);
  g_module_make_resident (module);
}

/* Copies a plugin into the fixture's folder, at a path inside it, and gives the whole path. */
static char *
copy_plugin (Fixture *fixture, const char *name, const char *to)
{
  g_autofree char *file = g_strdup_printf ("%s/%s.so", fixture->plugins, name);
  char *copy = g_build_filename (fixture->folder, to, NULL);
  g_autofree char *parent = g_path_get_dirname (copy);
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_assert_true (g_file_get_contents (file, &content, &size, &error));
  g_assert_true (g_file_set_contents (copy, content, (gssize) size, &error));
  g_assert_no_error (error);
  return copy;
}

static void
test_finds (Fixture *fixture, gconstpointer user_data)
{
  g_autoptr (GError) error = NULL;
  LokyLoadedTask *task = loky_plugin_loader_find_task (fixture->loader, "fault.square", &error);
  LokyLoadedPlugin *plugin;
  g_autofree char *path = g_build_filename (fixture->plugins, "fault.so", NULL);

  g_assert_no_error (error);
  g_assert_cmpstr (task->name, ==, "fault.square");
  g_assert_cmpstr (task->descriptor->name, ==, "square");
  g_assert_cmpint (task->descriptor->kind, ==, LOKY_TASK_KIND_ITEM);
  /* The same ones again. */
  g_assert_true (loky_plugin_loader_find_task (fixture->loader, "fault.square", NULL) == task);
  plugin = loky_plugin_loader_open (fixture->loader, "fault", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (plugin->path, ==, path);
  g_assert_cmpuint (plugin->tasks->len, ==, plugin->descriptor->n_tasks);
  g_assert_true (loky_plugin_loader_open (fixture->loader, path, NULL) == plugin);
  loky_plugin_loader_finish (fixture->loader);
}

static void
test_builtin (Fixture *fixture, gconstpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (loky_plugin_loader_find_task (fixture->loader, "loky.ping", &error));
  g_assert_no_error (error);
  g_assert_nonnull (loky_plugin_loader_find_task (fixture->loader, "loky.list-plugins", NULL));
  g_assert_null (loky_plugin_loader_find_task (fixture->loader, "loky.pong", &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
  g_assert_nonnull (strstr (error->message, "“loky.ping”"));
}

/* Twice: the second time must not find what the first one left. */
static void
check_faulty (Fixture *fixture, const char *name, const char *reason)
{
  g_autofree char *path = g_strdup_printf ("%s/%s.so", fixture->plugins, name);
  g_autofree char *task = g_strdup_printf ("%s.trivial", name);

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (loky_plugin_loader_find_task (fixture->loader, task, &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
      g_assert_nonnull (strstr (error->message, path));
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, reason));
    }
}

static void
test_faulty (Fixture *fixture, gconstpointer user_data)
{
  check_faulty (fixture, "badabi", "version 9999 of the plugin interface, this is version 1");
  check_faulty (fixture, "badsize", "sizes of 3 and");
  check_faulty (fixture, "badtypes", "“trivial” takes “a{”, which is no GVariant type");
  check_faulty (fixture, "duplicatetask", "two tasks called “trivial”");
  check_faulty (fixture, "badreducer", "“GBytes” is no class with instances");
  check_faulty (fixture, "initfails", "initfails never initialises");
  check_faulty (fixture, "initnoerror", "init function failed without an error");
  check_faulty (fixture, "nosymbol", "no function “loky_plugin_descriptor”");
  check_faulty (fixture, "notamodule", "notamodule.so");
  check_faulty (fixture, "nulldescriptor", "“loky_plugin_descriptor” returned nothing");
  check_faulty (fixture, "unresolved", "loky_tests_function_that_is_nowhere");
  check_faulty (fixture, "wrongname", "calls itself “othername”");
  /* The others can still be used. */
  g_assert_nonnull (loky_plugin_loader_find_task (fixture->loader, "fault.obey", NULL));
}

static void
check_no_such_task (Fixture *fixture, const char *name, const char *expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_plugin_loader_find_task (fixture->loader, name, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, expected));
}

static void
test_suggestions (Fixture *fixture, gconstpointer user_data)
{
  check_no_such_task (fixture, "fautl.obey", "Did you mean “fault”?");
  check_no_such_task (fixture, "fault.obbey", "Did you mean “fault.obey”?");
  check_no_such_task (fixture, "fault.something-else", "fault.obey, fault.obey-any");
  check_no_such_task (fixture, "somethingelse.task", "There is no plugin “somethingelse” in");
  check_no_such_task (fixture, "somethingelse.task", fixture->folder);
  check_no_such_task (fixture, "somethingelse.task", fixture->plugins);
}

static void
test_names_that_are_none (Fixture *fixture, gconstpointer user_data)
{
  check_no_such_task (fixture, "", "written PLUGIN.TASK");
  check_no_such_task (fixture, "fault", "written PLUGIN.TASK");
  check_no_such_task (fixture, ".obey", "There is no plugin “”");
  check_no_such_task (fixture, "fault.", "There is no task “fault.”");
  check_no_such_task (fixture, "fault.obey.more", "There is no task “fault.obey.more”");
  check_no_such_task (fixture, "naïve.task", "There is no plugin “naïve”");
}

static void
check_list (Fixture *fixture, const char *name, const char *expected_path)
{
  g_autoptr (GVariant) list = loky_plugin_loader_list (fixture->loader);
  const char *previous = "";
  const char *found = NULL;
  GVariantIter iter;
  const char *entry, *path;

  g_assert_cmpstr (g_variant_get_type_string (list), ==, "a(ss)");
  g_variant_iter_init (&iter, list);
  while (g_variant_iter_next (&iter, "(&s&s)", &entry, &path))
    {
      g_assert_cmpint (strcmp (previous, entry), <, 0);
      previous = entry;
      if (g_str_equal (entry, name))
        found = path;
    }
  g_assert_cmpstr (found, ==, expected_path);
}

/* No module is opened for it: that would end this process. */
static void
test_list (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *crashload = g_build_filename (fixture->plugins, "crashload.so", NULL);
  g_autofree char *nested = copy_plugin (fixture, "badabi", "nested/nested.so");
  g_autofree char *own = copy_plugin (fixture, "badabi", "fault.so");
  g_autofree char *hidden G_GNUC_UNUSED = copy_plugin (fixture, "badabi", "not.a.name.so");
  g_autofree char *other G_GNUC_UNUSED = copy_plugin (fixture, "badabi", "folder/other.so");

  check_list (fixture, "crashload", crashload);
  check_list (fixture, "nested", nested);
  /* The first folder of the path wins. */
  check_list (fixture, "fault", own);
  check_list (fixture, "not.a.name", NULL);
  check_list (fixture, "folder", NULL);
  check_list (fixture, "README", NULL);
}

static void
check_refused (Fixture *fixture, const char *name_or_path, const char *reason)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_plugin_loader_open (fixture->loader, name_or_path, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  g_assert_nonnull (strstr (error->message, reason));
}

static void
refuse (Fixture *fixture, const struct stat *info, guint64 mtime_offset, const char *reason)
{
  guint64 mtime = (guint64) info->st_mtim.tv_sec * G_GUINT64_CONSTANT (1000000000) +
                  (guint64) info->st_mtim.tv_nsec + mtime_offset;

  loky_plugin_loader_refuse (fixture->loader, info->st_dev, info->st_ino, mtime, "a path", reason);
}

/* The file is refused, by whatever name; it is not opened. */
static void
test_refused_by_identity (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *path = copy_plugin (fixture, "crashload", "crashload.so");
  g_autofree char *nested = g_build_filename (fixture->folder, "linked", NULL);
  g_autofree char *linked = g_build_filename (nested, "crashload.so", NULL);
  struct stat info;

  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (nested, 0700), ==, 0);
  g_assert_cmpint (symlink (path, linked), ==, 0);
  refuse (fixture, &info, 0, "it killed a worker before");
  check_refused (fixture, "crashload", "it killed a worker before");
  check_refused (fixture, path, "it killed a worker before");
  check_refused (fixture, linked, "it killed a worker before");
}

/* Another file, or the same one built anew, is not the one that is refused. */
static void
test_other_identities_are_not_refused (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *path = copy_plugin (fixture, "fault", "fault.so");
  g_autoptr (GError) error = NULL;
  struct stat info;

  g_assert_cmpint (stat (path, &info), ==, 0);
  refuse (fixture, &info, 1, "it was older");
  info.st_ino++;
  refuse (fixture, &info, 0, "it was another file");
  g_assert_nonnull (loky_plugin_loader_open (fixture->loader, path, &error));
  g_assert_no_error (error);
}

/* The folder's name has spaces, and the plugin a folder of its own. */
static void
test_nested_folder_with_spaces (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *path = copy_plugin (fixture, "fault", "fault/fault.so");
  g_autoptr (GError) error = NULL;
  LokyLoadedPlugin *plugin;

  g_assert_nonnull (strchr (path, ' '));
  g_assert_nonnull (loky_plugin_loader_find_task (fixture->loader, "fault.obey", &error));
  g_assert_no_error (error);
  plugin = loky_plugin_loader_open (fixture->loader, "fault", NULL);
  g_assert_cmpstr (plugin->path, ==, path);
}

static void
test_open_by_path (Fixture *fixture, gconstpointer user_data)
{
  g_autofree char *path = copy_plugin (fixture, "fault", "some where/fault.so");
  g_autofree char *winding =
      g_strdup_printf ("%s/./some where/../some where//fault.so", fixture->folder);
  g_autofree char *other = g_build_filename (fixture->plugins, "fault.so", NULL);
  g_autofree char *text = g_build_filename (fixture->folder, "fault.txt", NULL);
  g_autoptr (GError) error = NULL;
  LokyLoadedPlugin *plugin = loky_plugin_loader_open (fixture->loader, path, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (plugin->path, ==, path);
  g_assert_true (loky_plugin_loader_open (fixture->loader, winding, NULL) == plugin);
  g_assert_nonnull (loky_plugin_loader_find_task (fixture->loader, "fault.obey", NULL));
  check_refused (fixture, other, "another plugin of that name");
  check_refused (fixture, text, "does not end in “.so”");
  check_refused (fixture, "/nonexistent/fine.so", "No such file");
}

/* A loader without a control area, and one without folders. */
static void
test_bare (void)
{
  const char *path[] = { "/nonexistent", NULL };
  LokyPluginLoader *loader = loky_plugin_loader_new (path, NULL);
  g_autofree char *file = g_build_filename (g_getenv ("LOKY_TEST_PLUGINS"), "fault.so", NULL);
  g_autoptr (GVariant) list = loky_plugin_loader_list (loader);
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (g_variant_n_children (list), ==, 0);
  g_assert_nonnull (loky_plugin_loader_find_task (loader, "loky.ping", NULL));
  g_assert_nonnull (loky_plugin_loader_open (loader, file, &error));
  g_assert_no_error (error);
  loky_plugin_loader_free (loader);
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  load_libloky ();
  ADD ("/loky/plugin-loader/finds", test_finds);
  ADD ("/loky/plugin-loader/builtin", test_builtin);
  ADD ("/loky/plugin-loader/faulty", test_faulty);
  ADD ("/loky/plugin-loader/suggestions", test_suggestions);
  ADD ("/loky/plugin-loader/names-that-are-none", test_names_that_are_none);
  ADD ("/loky/plugin-loader/list", test_list);
  ADD ("/loky/plugin-loader/refused-by-identity", test_refused_by_identity);
  ADD ("/loky/plugin-loader/other-identities-are-not-refused",
       test_other_identities_are_not_refused);
  ADD ("/loky/plugin-loader/nested-folder-with-spaces", test_nested_folder_with_spaces);
  ADD ("/loky/plugin-loader/open-by-path", test_open_by_path);
  g_test_add_func ("/loky/plugin-loader/bare", test_bare);
  return g_test_run ();
}
