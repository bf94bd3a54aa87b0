/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Removing files and folders. */

#include "fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loky-remove-private.h"

#define DEPTH 200
#define N_FILES 3000

/* A child that cannot mount anything. */
#define CANNOT_MOUNT 77

static char *
make_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("loky-remove-XXXXXX", &error);

  g_assert_no_error (error);
  return folder;
}

static void
make_file_at (int folder, const char *name)
{
  int fd = openat (folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
}

static gboolean
exists (const char *path)
{
  struct stat info;

  return lstat (path, &info) == 0;
}

static void
test_file (void)
{
  g_autofree char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "file", NULL);
  g_autofree char *link = g_build_filename (folder, "link", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (symlink (folder, link), ==, 0);
  make_file_at (AT_FDCWD, path);
  g_assert_true (loky_remove_file (path, &error));
  g_assert_true (loky_remove_file (path, &error));
  g_assert_true (loky_remove_file (link, &error));
  g_assert_no_error (error);
  g_assert_false (loky_remove_file (folder, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
  g_assert_nonnull (strstr (error->message, folder));
  g_assert_cmpint (rmdir (folder), ==, 0);
}

/* Many files, and folders in each other. */
static void
test_folder (void)
{
  g_autofree char *folder = make_folder ();
  g_autoptr (GError) error = NULL;
  int at = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  for (guint i = 0; i < N_FILES; i++)
    {
      g_autofree char *name = g_strdup_printf ("file-%u", i);

      make_file_at (at, name);
    }
  for (guint i = 0; i < DEPTH; i++)
    {
      int next;

      g_assert_cmpint (mkdirat (at, "folder", 0700), ==, 0);
      make_file_at (at, "file");
      next = openat (at, "folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      g_assert_cmpint (next, >=, 0);
      close (at);
      at = next;
    }
  close (at);
  g_assert_true (loky_remove_folder (folder, &error));
  g_assert_no_error (error);
  g_assert_false (exists (folder));
  g_assert_true (loky_remove_folder (folder, &error));
}

static void
test_what_is_no_folder (void)
{
  g_autofree char *folder = make_folder ();
  g_autofree char *target = g_build_filename (folder, "target", NULL);
  g_autofree char *file = g_build_filename (target, "file", NULL);
  g_autofree char *link = g_build_filename (folder, "link", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (mkdir (target, 0700), ==, 0);
  make_file_at (AT_FDCWD, file);
  g_assert_cmpint (symlink ("target", link), ==, 0);
  g_assert_false (loky_remove_folder (link, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_false (loky_remove_folder (file, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_true (exists (file));
  g_assert_true (loky_remove_folder (folder, &error));
  g_assert_no_error (error);
}

static gboolean
write_map (const char *path, guint id)
{
  g_autofree char *map = g_strdup_printf ("%u %u 1", id, id);
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gboolean is_done = fd >= 0 && write (fd, map, strlen (map)) == (ssize_t) strlen (map);

  close (fd);
  return is_done;
}

/* A view of the file system of its own. */
static gboolean
may_mount (void)
{
  guint user = getuid ();
  guint group = getgid ();
  int fd;

  if (unshare (CLONE_NEWNS) != 0)
    {
      if (unshare (CLONE_NEWUSER | CLONE_NEWNS) != 0 || !write_map ("/proc/self/uid_map", user))
        return FALSE;
      fd = open ("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
      if (write (fd, "deny", 4) != 4 || !write_map ("/proc/self/gid_map", group))
        return FALSE;
      close (fd);
    }
  return mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* What can be removed is. The status to exit with. */
static int
remove_around_a_mount (const char *folder)
{
  g_autofree char *mounted = g_build_filename (folder, "mounted", NULL);
  g_autofree char *kept = g_build_filename (mounted, "file", NULL);
  g_autofree char *other = g_build_filename (folder, "other", NULL);
  g_autoptr (GError) error = NULL;

  if (mkdir (mounted, 0700) != 0 || !may_mount () || mount ("none", mounted, "tmpfs", 0, "") != 0)
    return CANNOT_MOUNT;
  make_file_at (AT_FDCWD, kept);
  make_file_at (AT_FDCWD, other);
  if (loky_remove_folder (folder, &error) || error == NULL ||
      strstr (error->message, "mounted") == NULL)
    return 1;
  return exists (kept) && !exists (other) ? 0 : 2;
}

static void
test_other_file_system_is_left_alone (void)
{
  g_autofree char *folder = NULL;
  int status;
  pid_t pid;

  if (loky_fixture_has_valgrind ())
    {
      g_test_skip ("valgrind sees leaks of the other threads in a forked copy");
      return;
    }
  folder = make_folder ();
  pid = fork ();
  if (pid == 0)
    _exit (remove_around_a_mount (folder));
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (loky_remove_folder (folder, NULL));
  if (WIFEXITED (status) && WEXITSTATUS (status) == CANNOT_MOUNT)
    g_test_skip ("Nothing can be mounted here");
  else
    g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  g_test_add_func ("/loky/remove/file", test_file);
  g_test_add_func ("/loky/remove/folder", test_folder);
  g_test_add_func ("/loky/remove/what-is-no-folder", test_what_is_no_folder);
  g_test_add_func ("/loky/remove/other-file-system-is-left-alone",
                   test_other_file_system_is_left_alone);
  return g_test_run ();
}
