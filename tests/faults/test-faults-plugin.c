/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rows 11 to 16 and 21: the plugin file, arguments and results, the initializer. */

#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes this program be the process that uses a folder which it must not read. */
#define UNREADABLE_OPTION "--use-unreadable"

/* --- folders with plugins ------------------------------------------------------------------------- */

typedef struct
{
  char *path;
  LokyExecutor *executor;
} Folder;

static void
copy_plugin (const char *name, const char *folder, const char *new_name)
{
  g_autofree char *file_name = g_strconcat (name, ".so", NULL);
  g_autofree char *from = g_build_filename (loky_fixture_get_plugin_folder (), file_name, NULL);
  g_autofree char *to = g_build_filename (folder, new_name, NULL);
  g_autoptr (GFile) source = g_file_new_for_path (from);
  g_autoptr (GFile) target = g_file_new_for_path (to);
  g_autoptr (GError) error = NULL;

  g_file_copy (source, target, G_FILE_COPY_OVERWRITE, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
}

/* An executor whose only plugins are those in a folder of that name. */
static Folder
make_folder (const char *name)
{
  g_autofree char *base = g_dir_make_tmp ("loky-faults-XXXXXX", NULL);
  Folder folder = { .path = g_build_filename (base, name, NULL) };
  const char *const path[] = { folder.path, NULL };

  g_assert_cmpint (g_mkdir (folder.path, 0755), ==, 0);
  folder.executor = loky_fixture_make_executor ("max-workers", 1, "plugin-path", path, NULL);
  return folder;
}

static void
end_folder (Folder *folder)
{
  g_autofree char *base = g_path_get_dirname (folder->path);
  g_autoptr (GDir) dir = NULL;
  const char *name;

  loky_fixture_end_executor (folder->executor, LOKY_SHUTDOWN_DRAIN);
  g_chmod (folder->path, 0755);
  dir = g_dir_open (folder->path, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder->path, name, NULL);

      g_unlink (path);
    }
  g_rmdir (folder->path);
  g_rmdir (base);
  g_free (folder->path);
}

static void
assert_plugin_error (LokyExecutor *executor, const char *task, const char *text)
{
  g_autoptr (GError) error = loky_fixture_fail (executor, task, "x");

  g_test_message ("%s", error->message);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  g_assert_nonnull (strstr (error->message, text));
}

/* --- 11, 12 --------------------------------------------------------------------------------------- */

static void
unusable_files_are_told (LokyFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *name;
    const char *text;
  } cases[] = {
    { "notamodule", "notamodule.so" }, { "nosymbol", "loky_plugin_descriptor" },
    { "nulldescriptor", "nothing" },   { "badabi", "9999" },
    { "unresolved", "undefined" },     { "badsize", "sizes" },
    { "badtypes", "type" },            { "crashload", "SIGSEGV" },
    { "exitload", "status" },          { "initfails", "initfails.so" },
    { "initnoerror", "error" },        { "duplicatetask", "two tasks" },
    { "wrongname", "othername" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *task = g_strconcat (cases[i].name, ".trivial", NULL);

      assert_plugin_error (fixture->executor, task, cases[i].text);
    }
  faults_assert_serves (fixture->executor);
}

static void
missing_plugin_is_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = loky_fixture_fail (fixture->executor, "nowhere.task", "x");

  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
  g_assert_nonnull (strstr (error->message, "nowhere"));
  faults_assert_serves (fixture->executor);
}

/* Its ELF header says that it is for another machine. */
static void
other_architecture_is_told (LokyFixture *fixture, gconstpointer data)
{
  Folder folder = make_folder ("plugins");
  g_autofree char *path = g_build_filename (folder.path, "fault.so", NULL);
  const guint8 machine[2] = { 0x08, 0x00 }; /* EM_MIPS */
  int fd;

  copy_plugin ("fault", folder.path, "fault.so");
  fd = open (path, O_WRONLY);
  g_assert_cmpint (pwrite (fd, machine, sizeof machine, 18), ==, sizeof machine);
  close (fd);
  assert_plugin_error (folder.executor, "fault.obey", "another machine (ELF machine 8, ");
  end_folder (&folder);
}

/* Root may read everything: in a process of another user, and of its own, since GLib does not reap after a
 * fork() alone. */
static int
exec_unreadable (gconstpointer data)
{
  const Folder *folder = data;

  if (setresgid (65534, 65534, 65534) != 0 || setresuid (65534, 65534, 65534) != 0)
    return 2;
  execl ("/proc/self/exe", "test-faults-plugin", UNREADABLE_OPTION, folder->path, NULL);
  return 6;
}

static int
use_unreadable (const char *folder)
{
  const char *const path[] = { folder, NULL };
  g_autoptr (LokyExecutor) executor = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  executor = loky_fixture_make_executor ("max-workers", 1, "plugin-path", path, NULL);
  result = loky_executor_call_sync (executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL, &error);
  if (result != NULL || error == NULL || error->domain != LOKY_ERROR)
    return 3;
  g_printerr ("# %s\n", error->message);
  if (!loky_executor_shutdown_sync (executor, LOKY_SHUTDOWN_DRAIN, -1, NULL, NULL))
    return 5;
  return error->code == LOKY_ERROR_PLUGIN && strstr (error->message, folder) != NULL &&
                 strstr (error->message, g_strerror (EACCES)) != NULL
             ? 0
             : 4;
}

static void
unreadable_is_told (LokyFixture *fixture, gconstpointer data)
{
  Folder folder = make_folder ("plugins");
  g_autofree char *base = g_path_get_dirname (folder.path);
  g_autofree char *path = g_build_filename (folder.path, "fault.so", NULL);

  if (getuid () != 0)
    {
      g_test_skip ("only root can become another user");
      end_folder (&folder);
      return;
    }
  if (loky_fixture_has_valgrind ())
    {
      g_test_skip ("it is in a process that valgrind does not follow");
      end_folder (&folder);
      return;
    }
  copy_plugin ("fault", folder.path, "fault.so");
  g_chmod (base, 0755);
  g_chmod (path, 0);
  faults_run_in_child (exec_unreadable, &folder);
  g_chmod (path, 0644);
  g_chmod (folder.path, 0);
  faults_run_in_child (exec_unreadable, &folder);
  end_folder (&folder);
}

static void
plugin_that_hangs_is_refused (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyTaskOptions) options = faults_stopping (200);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result
      = loky_executor_call_sync (fixture->executor, "hangload.trivial", g_variant_new_string ("x"), options,
                                 NULL, &error);

  g_assert_null (result);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  g_assert_nonnull (strstr (error->message, "hangload.so"));
  /* At once now: it is not opened again. */
  assert_plugin_error (fixture->executor, "hangload.trivial", "hangload.so");
  faults_assert_serves (fixture->executor);
}

static void
first_of_two_plugins_of_a_name_wins (LokyFixture *fixture, gconstpointer data)
{
  Folder first = make_folder ("first");
  Folder second = make_folder ("second");
  const char *const path[] = { first.path, second.path, NULL };
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, "plugin-path", path, NULL);
  g_autofree char *result = NULL;

  copy_plugin ("fault", first.path, "fault.so");
  copy_plugin ("notamodule", second.path, "fault.so");
  result = loky_fixture_call (executor, "fault.obey", "ok");
  g_assert_cmpstr (result, ==, "ok");
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  end_folder (&first);
  end_folder (&second);
}

/* One file calls itself as another one does, which is there too: the file's name decides. */
static void
borrowed_name_is_told (LokyFixture *fixture, gconstpointer data)
{
  Folder folder = make_folder ("plugins");
  g_autofree char *result = NULL;

  copy_plugin ("edition", folder.path, "edition.so");
  copy_plugin ("edition", folder.path, "other.so");
  result = loky_fixture_call (folder.executor, "edition.trivial", "x");
  g_assert_cmpstr (result, ==, "edition-one");
  assert_plugin_error (folder.executor, "other.trivial", "edition");
  end_folder (&folder);
}

/* A plugin that kills is refused from then on: no second worker dies of it, and the others are unharmed. */
static void
plugin_that_kills_is_opened_once (LokyFixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "crashload.trivial", "exitload.trivial" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (LokyFuture) first
          = faults_submit_task (fixture->executor, names[i], g_variant_new_string ("x"), NULL);
      g_autoptr (LokyFuture) second = NULL;
      g_autoptr (GError) error = NULL;

      faults_watch (first);
      faults_assert_ends (first, LOKY_ERROR_PLUGIN, ".so");
      faults_assert_serves (fixture->executor);
      second = faults_submit_task (fixture->executor, names[i], g_variant_new_string ("x"), NULL);
      faults_watch (second);
      error = faults_end_of (second);
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
      g_test_message ("%s", error->message);
      /* Nobody died. */
      g_assert_cmpint (loky_future_get_worker_pid (second), ==, 0);
      faults_assert_serves (fixture->executor);
    }
}

/* --- 13 ------------------------------------------------------------------------------------------- */

static void
replaced_plugin_is_of_no_harm (LokyFixture *fixture, gconstpointer data)
{
  Folder folder = make_folder ("plugins");
  g_autofree char *path = g_build_filename (folder.path, "fault.so", NULL);
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autoptr (GError) death = NULL;

  copy_plugin ("fault", folder.path, "fault.so");
  before = loky_fixture_call (folder.executor, "fault.obey", "ok");
  /* As installers do it: another file under the name. */
  copy_plugin ("fault", folder.path, "new");
  {
    g_autofree char *replacement = g_build_filename (folder.path, "new", NULL);

    g_assert_cmpint (g_rename (replacement, path), ==, 0);
  }
  after = loky_fixture_call (folder.executor, "fault.obey", "ok");
  g_assert_cmpstr (before, ==, after);
  /* The crash of what is not there any more is told all the same. */
  death = loky_fixture_fail (folder.executor, "fault.obey", "segv");
  g_assert_error (death, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  faults_assert_serves (folder.executor);
  end_folder (&folder);
}

/* Makes the plugin edition.so in a folder say that it is @text, by a new file under its name or in the one
 * that is there. */
static void
write_edition (const char *folder, const char *text, gboolean in_place)
{
  static const char before[] = "edition-one";
  g_autofree char *original = g_build_filename (loky_fixture_get_plugin_folder (), "edition.so", NULL);
  g_autofree char *path = g_build_filename (folder, "edition.so", NULL);
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;
  char *place;
  int fd;

  g_assert_true (g_file_get_contents (original, &content, &length, &error));
  place = memmem (content, length, before, sizeof before);
  g_assert_nonnull (place);
  g_assert_cmpuint (strlen (text), ==, strlen (before));
  memcpy (place, text, strlen (text));
  if (!in_place)
    {
      /* It renames a new file over the old one. */
      g_assert_true (g_file_set_contents (path, content, (gssize) length, &error));
      return;
    }
  fd = open (path, O_WRONLY);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, content, length), ==, (gssize) length);
  close (fd);
}

/* Whoever has it open goes on with what it opened; who opens it later has the new one. */
static void
new_edition_is_for_new_workers (LokyFixture *fixture, gconstpointer data)
{
  Folder folder = make_folder ("plugins");
  g_autofree char *before = NULL;
  g_autofree char *between = NULL;
  g_autofree char *after = NULL;
  g_autoptr (GError) death = NULL;

  copy_plugin ("fault", folder.path, "fault.so");
  write_edition (folder.path, "edition-one", FALSE);
  before = loky_fixture_call (folder.executor, "edition.trivial", "x");
  write_edition (folder.path, "edition-two", FALSE);
  between = loky_fixture_call (folder.executor, "edition.trivial", "x");
  death = loky_fixture_fail (folder.executor, "fault.obey", "kill");
  after = loky_fixture_call (folder.executor, "edition.trivial", "x");
  g_assert_cmpstr (before, ==, "edition-one");
  g_assert_cmpstr (between, ==, "edition-one");
  g_assert_cmpstr (after, ==, "edition-two");
  g_assert_error (death, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  end_folder (&folder);
}

/* The file itself: what was not read yet is the new one's then. */
static void
edition_written_in_place_is_of_no_harm (LokyFixture *fixture, gconstpointer data)
{
  Folder folder = make_folder ("plugins");
  g_autofree char *before = NULL;
  g_autofree char *between = NULL;
  g_autofree char *after = NULL;
  g_autoptr (GError) death = NULL;

  copy_plugin ("fault", folder.path, "fault.so");
  write_edition (folder.path, "edition-one", FALSE);
  before = loky_fixture_call (folder.executor, "edition.trivial", "x");
  write_edition (folder.path, "edition-two", TRUE);
  between = loky_fixture_call (folder.executor, "edition.trivial", "x");
  death = loky_fixture_fail (folder.executor, "fault.obey", "kill");
  after = loky_fixture_call (folder.executor, "edition.trivial", "x");
  g_assert_cmpstr (before, ==, "edition-one");
  g_assert_true (g_str_has_prefix (between, "edition-"));
  g_assert_cmpstr (after, ==, "edition-two");
  g_assert_error (death, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  end_folder (&folder);
}

/* Gone while workers run that have it open. */
static void
removed_plugin_is_told_to_new_workers (LokyFixture *fixture, gconstpointer data)
{
  Folder folder = make_folder ("plugins");
  g_autofree char *path = g_build_filename (folder.path, "edition.so", NULL);
  g_autofree char *before = NULL;
  g_autofree char *between = NULL;
  g_autoptr (GError) death = NULL;
  g_autoptr (GError) missing = NULL;

  copy_plugin ("fault", folder.path, "fault.so");
  write_edition (folder.path, "edition-one", FALSE);
  before = loky_fixture_call (folder.executor, "edition.trivial", "x");
  g_assert_cmpint (g_unlink (path), ==, 0);
  between = loky_fixture_call (folder.executor, "edition.trivial", "x");
  g_assert_cmpstr (before, ==, between);
  death = loky_fixture_fail (folder.executor, "fault.obey", "kill");
  g_assert_error (death, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  missing = loky_fixture_fail (folder.executor, "edition.trivial", "x");
  g_assert_error (missing, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
  g_assert_nonnull (strstr (missing->message, folder.path));
  faults_assert_serves (folder.executor);
  end_folder (&folder);
}

/* Under the feet of the worker that runs it: SIGBUS there, and a plugin that cannot be opened after it. */
static void
truncated_plugin_costs_its_worker (LokyFixture *fixture, gconstpointer data)
{
  Folder folder = make_folder ("plugins");
  g_autofree char *path = g_build_filename (folder.path, "fault.so", NULL);
  g_autofree char *before = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *again = NULL;

  copy_plugin ("fault", folder.path, "fault.so");
  before = loky_fixture_call (folder.executor, "fault.obey", "ok");
  g_assert_cmpint (truncate (path, 4096), ==, 0);
  error = loky_fixture_fail (folder.executor, "fault.obey", "overflow");
  g_assert_true (error->domain == LOKY_ERROR);
  g_test_message ("%s", error->message);
  g_clear_error (&error);
  error = loky_fixture_fail (folder.executor, "fault.obey", "ok");
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
  copy_plugin ("fault", folder.path, "mended");
  {
    g_autofree char *mended = g_build_filename (folder.path, "mended", NULL);

    g_assert_cmpint (g_rename (mended, path), ==, 0);
  }
  again = loky_fixture_call (folder.executor, "fault.obey", "ok");
  g_assert_cmpstr (again, ==, "ok");
  end_folder (&folder);
}

static void
odd_paths_work (LokyFixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "with space", "with\nnewline", "\xff\xfe not UTF-8", "%s“”" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      Folder folder = make_folder (names[i]);
      g_autofree char *result = NULL;
      g_autoptr (GError) error = NULL;

      copy_plugin ("fault", folder.path, "fault.so");
      copy_plugin ("crashload", folder.path, "crashload.so");
      result = loky_fixture_call (folder.executor, "fault.obey", "ok");
      error = loky_fixture_fail (folder.executor, "crashload.trivial", "x");
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PLUGIN);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      g_clear_error (&error);
      error = loky_fixture_fail (folder.executor, "fault.obey", "segv");
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
      end_folder (&folder);
    }
}

/* --- 14 to 16: values ----------------------------------------------------------------------------- */

static void
wrong_arguments_are_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) type_error = NULL;
  g_autoptr (GError) name_error = loky_fixture_fail (fixture->executor, "fault.obay", "ok");
  g_autoptr (GVariant) result = loky_executor_call_sync (
      fixture->executor, "fault.obey", g_variant_new_int32 (1), NULL, NULL, &type_error);

  g_assert_null (result);
  g_assert_error (type_error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (type_error->message, "s, not i"));
  g_assert_error (name_error, LOKY_ERROR, LOKY_ERROR_NO_SUCH_TASK);
  g_assert_nonnull (strstr (name_error->message, "fault.obey"));
  faults_assert_serves (fixture->executor);
}

/* Bytes that are no value of their type, or nested deeper than GVariant reads. */
static void
damaged_arguments_are_told (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("abc\xff", 4);
  g_autoptr (GVariant) deep = g_variant_ref_sink (g_variant_new_boolean (TRUE));
  g_autoptr (GVariant) damaged
      = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_STRING, bytes, FALSE));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = loky_executor_call_sync (fixture->executor, "fault.obey-any", damaged, NULL,
                                                         NULL, &error);

  /* Its normal form is what GVariant reads from it. */
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "");
  g_clear_pointer (&result, g_variant_unref);
  for (guint i = 0; i < 300; i++)
    {
      GVariant *outer = g_variant_new_variant (deep);

      g_variant_unref (deep);
      deep = g_variant_ref_sink (outer);
    }
  result = loky_executor_call_sync (fixture->executor, "fault.obey-any", deep, NULL, NULL, &error);
  g_assert_null (result);
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  faults_assert_serves (fixture->executor);
}

static void
empty_and_large_values_arrive (LokyFixture *fixture, gconstpointer data)
{
  static const gsize sizes[] = { 0, 1, 32 * 1024, 32 * 1024 + 1, 20 << 20 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) bytes = g_bytes_new_take (g_malloc0 (MAX (sizes[i], 1)), sizes[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = loky_executor_call_sync (
          fixture->executor, "fault.obey-any",
          g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE), NULL, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_size (result), ==, sizes[i]);
    }
}

/* Its mapping is never touched; there is no memory for a copy. */
static void
argument_beyond_memory_is_refused (LokyFixture *fixture, gconstpointer data)
{
  const gsize size = (gsize) 1 << 42;
  gpointer memory = mmap (NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  g_autoptr (GError) error = NULL;

  if (memory == MAP_FAILED)
    {
      g_test_skip ("the address space is limited here");
      return;
    }
  {
    g_autoptr (GVariant) args = g_variant_ref_sink (
        g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, memory, size, TRUE, NULL, NULL));
    g_autoptr (GVariant) result
        = loky_executor_call_sync (fixture->executor, "fault.sum", args, NULL, NULL, &error);

    g_assert_null (result);
  }
  g_test_message ("%s", error->message);
  g_assert_true (g_error_matches (error, LOKY_ERROR, LOKY_ERROR_RESOURCES) ||
                 g_error_matches (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE));
  faults_assert_serves (fixture->executor);
  munmap (memory, size);
}

/* The receiver of a buffer's descriptor dies with it; the buffer stays ours. */
static void
buffer_whose_receiver_dies_stays (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (1 << 20, NULL);
  g_autoptr (GVariant) args = NULL;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  memset (loky_buffer_get_writable_data (buffer), 1, 1 << 20);
  args = loky_buffer_to_variant (buffer, NULL);
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (LokyFuture) killer = faults_submit (fixture->executor, "kill", NULL);

      g_clear_object (&future);
      future = loky_fixture_submit (fixture->executor, "fault.buffer-sum", args);
      loky_future_wait (killer, -1, NULL, NULL);
      loky_future_wait (future, -1, NULL, NULL);
    }
  result = loky_executor_call_sync (fixture->executor, "fault.buffer-sum", args, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint64 (result), ==, 1 << 20);
}

int
main (int argc, char *argv[])
{
  loky_init (&argc, &argv);
  if (argc == 3 && g_str_equal (argv[1], UNREADABLE_OPTION))
    return use_unreadable (argv[2]);
  loky_fixture_init (&argc, &argv);
  FAULTS_ADD ("11-12/unusable-files-are-told", unusable_files_are_told);
  FAULTS_ADD ("11/missing-plugin-is-told", missing_plugin_is_told);
  FAULTS_ADD ("11/other-architecture-is-told", other_architecture_is_told);
  FAULTS_ADD ("11-13/unreadable-is-told", unreadable_is_told);
  FAULTS_ADD ("12/plugin-that-hangs-is-refused", plugin_that_hangs_is_refused);
  FAULTS_ADD ("12/first-of-two-plugins-of-a-name-wins", first_of_two_plugins_of_a_name_wins);
  FAULTS_ADD ("13/replaced-plugin-is-of-no-harm", replaced_plugin_is_of_no_harm);
  FAULTS_ADD ("12/borrowed-name-is-told", borrowed_name_is_told);
  FAULTS_ADD ("12/plugin-that-kills-is-opened-once", plugin_that_kills_is_opened_once);
  FAULTS_ADD ("13/new-edition-is-for-new-workers", new_edition_is_for_new_workers);
  FAULTS_ADD ("13/edition-written-in-place-is-of-no-harm", edition_written_in_place_is_of_no_harm);
  FAULTS_ADD ("13/removed-plugin-is-told-to-new-workers", removed_plugin_is_told_to_new_workers);
  FAULTS_ADD ("13/truncated-plugin-costs-its-worker", truncated_plugin_costs_its_worker);
  FAULTS_ADD ("13/odd-paths-work", odd_paths_work);
  FAULTS_ADD ("15/wrong-arguments-are-told", wrong_arguments_are_told);
  FAULTS_ADD ("15/damaged-arguments-are-told", damaged_arguments_are_told);
  FAULTS_ADD ("16/empty-and-large-values-arrive", empty_and_large_values_arrive);
  FAULTS_ADD ("16/argument-beyond-memory-is-refused", argument_beyond_memory_is_refused);
  FAULTS_ADD ("16/buffer-whose-receiver-dies-stays", buffer_whose_receiver_dies_stays);
  return g_test_run ();
}
