/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files and folders that are removed when their last user is gone. */

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOLD "has died and was started again"

typedef struct
{
  LokyFixture base;
  char *folder; /* of the test's own */
} Fixture;

static void start_once (void);

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static gsize is_started;
  g_autoptr (GError) error = NULL;

  if (g_once_init_enter (&is_started))
    {
      start_once ();
      g_once_init_leave (&is_started, 1);
    }
  loky_fixture_set_up (&fixture->base, NULL);
  fixture->folder = g_dir_make_tmp ("loky-resources-XXXXXX", &error);
  g_assert_no_error (error);
}

/* --- helpers ---------------------------------------------------------------------------------- */

static char *
make_path (Fixture *fixture, const char *name)
{
  return g_build_filename (fixture->folder, name, NULL);
}

static gboolean
exists (const char *path)
{
  struct stat info;

  return lstat (path, &info) == 0;
}

/* The tracker is another process: it takes a moment. */
static void
await_removal (const char *path)
{
  while (exists (path))
    g_usleep (500);
}

static void
await_file (const char *path)
{
  while (!exists (path))
    g_usleep (500);
}

static void
write_file (const char *path)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, "text", -1, &error);
  g_assert_no_error (error);
}

static LokyResource *
track (const char *path, LokyResourceKind kind)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) error = NULL;
  LokyResource *resource = loky_resource_new (file, kind, &error);

  g_assert_no_error (error);
  g_assert_nonnull (resource);
  return resource;
}

static LokyResource *
make_file (Fixture *fixture, const char *name, char **path)
{
  *path = make_path (fixture, name);
  write_file (*path);
  return track (*path, LOKY_RESOURCE_KIND_FILE);
}

/* A folder with a file, a folder, a link and a fifo in it. */
static LokyResource *
make_folder (Fixture *fixture, const char *name, const char *target, char **path)
{
  g_autofree char *inner = NULL;
  g_autofree char *file = NULL;
  g_autofree char *link = NULL;
  g_autofree char *fifo = NULL;

  *path = make_path (fixture, name);
  inner = g_build_filename (*path, "a", "b", NULL);
  file = g_build_filename (inner, "file", NULL);
  link = g_build_filename (inner, "link", NULL);
  fifo = g_build_filename (inner, "fifo", NULL);
  g_assert_cmpint (g_mkdir_with_parents (inner, 0700), ==, 0);
  write_file (file);
  g_assert_cmpint (symlink (target, link), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  return track (*path, LOKY_RESOURCE_KIND_FOLDER);
}

static GVariant *
refer_to (LokyResource *resource)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = loky_resource_to_variant (resource, &error);

  g_assert_no_error (error);
  return value;
}

static LokyFuture *
submit (LokyExecutor *executor, const char *task, LokyResource *resource)
{
  g_autoptr (GVariant) value = refer_to (resource);

  return loky_fixture_submit (executor, task, g_variant_new ("(@(hayb))", value));
}

/* A task that has it now. */
static LokyFuture *
submit_hold (Fixture *fixture, LokyExecutor *executor, LokyResource *resource, const char *name)
{
  g_autofree char *told = make_path (fixture, name);
  g_autoptr (GVariant) value = refer_to (resource);
  LokyFuture *future =
      loky_fixture_submit (executor, "resource.hold", g_variant_new ("(@(hayb)s)", value, told));

  await_file (told);
  unlink (told);
  return future;
}

static GVariant *
await_result (LokyFuture *future)
{
  g_autoptr (GError) error = NULL;
  GVariant *result;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  result = loky_future_dup_result (future, &error);
  g_assert_no_error (error);
  return result;
}

static LokyResource *
await_resource (LokyFuture *future)
{
  g_autoptr (GVariant) result = await_result (future);
  g_autoptr (GError) error = NULL;
  LokyResource *resource = loky_future_lookup_resource (future, result, &error);

  g_assert_no_error (error);
  return resource;
}

/* The processes that are trackers of this build, zombies not counted. */
static GArray *
list_trackers (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc", 0, NULL);
  GArray *found = g_array_new (FALSE, FALSE, sizeof (pid_t));
  const char *name;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *arguments_path = g_build_filename ("/proc", name, "cmdline", NULL);
      g_autofree char *environment_path = g_build_filename ("/proc", name, "environ", NULL);
      g_autofree char *arguments = NULL;
      g_autofree char *environment = NULL;
      const char *own = g_getenv ("LOKY_TEST_OWN");
      gsize length, size;
      pid_t pid = (pid_t) g_ascii_strtoll (name, NULL, 10);

      if (pid <= 0 || !g_file_get_contents (arguments_path, &arguments, &length, NULL) ||
          length == 0 || !g_str_has_suffix (arguments, "loky-worker") ||
          length != strlen (arguments) + sizeof "--track" + 1 ||
          strcmp (arguments + strlen (arguments) + 1, "--track") != 0)
        continue;
      /* Other tests may have their own at the same time. */
      if (g_file_get_contents (environment_path, &environment, &size, NULL) &&
          memmem (environment, size, own, strlen (own)) != NULL)
        g_array_append_val (found, pid);
    }
  return found;
}

static guint
count_trackers (void)
{
  g_autoptr (GArray) found = list_trackers ();

  return found->len;
}

static pid_t
find_tracker (void)
{
  g_autoptr (GArray) found = list_trackers ();

  g_assert_cmpuint (found->len, ==, 1);
  return g_array_index (found, pid_t, 0);
}

static void
await_no_tracker (void)
{
  while (count_trackers () > 0)
    g_usleep (500);
}

/* The socket of the last tracker stays open: the descriptors are counted with it. */
static void
start_once (void)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), g_getenv ("LOKY_TEST_OWN"), NULL);

  g_object_unref (track (path, LOKY_RESOURCE_KIND_FILE));
  await_no_tracker ();
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  /* Nothing of ours may be left in it: what is not wanted any more was removed. */
  g_assert_cmpint (rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  loky_fixture_tear_down (&fixture->base, NULL);
  await_no_tracker ();
}

/* --- users ------------------------------------------------------------------------------------ */

static void
test_dropped_file_goes (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *kept = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyResource) other = make_file (fixture, "other", &kept);

  g_assert_cmpstr (g_file_peek_path (loky_resource_get_file (resource)), ==, path);
  g_assert_cmpint (loky_resource_get_kind (resource), ==, LOKY_RESOURCE_KIND_FILE);
  g_clear_object (&resource);
  await_removal (path);
  g_assert_true (exists (kept));
  g_clear_object (&other);
  await_removal (kept);
}

static void
test_folder_goes_with_all_in_it (Fixture *fixture, gconstpointer data)
{
  g_autofree char *outside = make_path (fixture, "outside");
  g_autofree char *inside = make_path (fixture, "outside/file");
  g_autofree char *path = NULL;
  g_autoptr (LokyResource) resource = NULL;

  g_assert_cmpint (mkdir (outside, 0700), ==, 0);
  write_file (inside);
  resource = make_folder (fixture, "folder", outside, &path);
  g_assert_cmpint (loky_resource_get_kind (resource), ==, LOKY_RESOURCE_KIND_FOLDER);
  g_clear_object (&resource);
  await_removal (path);
  /* A link was removed, not what it leads to. */
  g_assert_true (exists (inside));
  unlink (inside);
  rmdir (outside);
}

/* Tracked in a folder that is tracked, too. */
static void
test_both_at_once (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autoptr (LokyResource) folder = make_folder (fixture, "folder", "/", &path);
  g_autofree char *inner = g_build_filename (path, "a", "b", "file", NULL);
  g_autoptr (LokyResource) file = track (inner, LOKY_RESOURCE_KIND_FILE);

  g_clear_object (&folder);
  g_clear_object (&file);
  await_removal (path);
}

static void
test_made_later (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = make_path (fixture, "later");
  g_autofree char *never = make_path (fixture, "never");
  g_autoptr (LokyResource) resource = track (path, LOKY_RESOURCE_KIND_FILE);
  g_autoptr (LokyResource) unused = track (never, LOKY_RESOURCE_KIND_FILE);

  write_file (path);
  /* Replaced: it goes by the path. */
  write_file (path);
  g_clear_object (&unused);
  g_clear_object (&resource);
  await_removal (path);
}

static void
test_same_path_is_the_same (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *probe_path = NULL;
  g_autoptr (LokyResource) first = make_file (fixture, "file", &path);
  g_autoptr (LokyResource) second = track (path, LOKY_RESOURCE_KIND_FILE);
  g_autoptr (LokyResource) probe = NULL;
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_resource_new (file, LOKY_RESOURCE_KIND_FOLDER, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_object (&first);
  /* The tracker looks at both at once. */
  probe = make_file (fixture, "probe", &probe_path);
  g_clear_object (&probe);
  await_removal (probe_path);
  g_assert_true (exists (path));
  g_clear_object (&second);
  await_removal (path);
}

typedef struct
{
  const char *path;
  gint tid; /* atomic */
} Again;

static gpointer
track_again (gpointer data)
{
  Again *again = data;

  g_atomic_int_set (&again->tid, (gint) syscall (SYS_gettid));
  return track (again->path, LOKY_RESOURCE_KIND_FILE);
}

/* Of a process or a thread: "S" asleep, "T" stopped. */
static void
await_state (gint *id, const char *state)
{
  g_autofree char *wanted = g_strdup_printf (") %s ", state);

  for (;;)
    {
      g_autofree char *path = g_strdup_printf ("/proc/%d/stat", g_atomic_int_get (id));
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL) && strstr (text, wanted) != NULL)
        return;
      g_usleep (500);
    }
}

/* The tracker finds both at once: that the path is not used any more, and that it is again. */
static void
test_path_that_is_used_again_stays (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *other_path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyResource) other = make_file (fixture, "other", &other_path);
  Again again = { .path = path };
  pid_t pid = find_tracker ();
  GThread *thread;

  kill (pid, SIGSTOP);
  await_state (&pid, "T");
  g_clear_object (&resource);
  thread = g_thread_new ("again", track_again, &again);
  await_state (&again.tid, "S");
  kill (pid, SIGCONT);
  resource = g_thread_join (thread);
  g_clear_object (&other);
  await_removal (other_path);
  g_assert_true (exists (path));
  g_clear_object (&resource);
  await_removal (path);
}

/* The application had none left in between: a second tracker would not know of the first one's. */
static void
test_used_again_while_a_worker_has_it (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *path = NULL;
  g_autofree char *probe_path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyFuture) hold = submit_hold (fixture, executor, resource, "told");
  g_autoptr (LokyResource) probe = NULL;
  pid_t pid = find_tracker ();

  g_clear_object (&resource);
  resource = track (path, LOKY_RESOURCE_KIND_FILE);
  g_assert_cmpint (find_tracker (), ==, pid);
  g_clear_object (&hold);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
  /* The tracker has seen that by then. */
  probe = make_file (fixture, "probe", &probe_path);
  g_clear_object (&probe);
  await_removal (probe_path);
  g_assert_true (exists (path));
  g_clear_object (&resource);
  await_removal (path);
}

static void
test_worker_is_a_user (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = fixture->base.executor;
  g_autofree char *path = NULL;
  g_autofree char *shown = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyFuture) look = submit (executor, "resource.look", resource);
  g_autoptr (LokyFuture) keep = submit (executor, "resource.keep", resource);
  g_autoptr (GVariant) seen = await_result (look);
  g_autoptr (GVariant) kept = await_result (keep);
  gboolean is_folder;

  g_variant_get (seen, "(sb)", &shown, &is_folder);
  g_assert_cmpstr (shown, ==, path);
  g_assert_false (is_folder);
  g_clear_object (&resource);
  g_clear_object (&look);
  g_clear_object (&keep);
  /* The tracker outlives the last one of the application. */
  g_assert_cmpuint (count_trackers (), ==, 1);
  g_assert_true (exists (path));
  kill ((pid_t) g_variant_get_int64 (kept), SIGKILL);
  await_removal (path);
}

static void
test_task_that_dies_is_none (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *path = NULL;
  g_autoptr (LokyResource) resource = make_folder (fixture, "folder", "/", &path);
  g_autoptr (LokyFuture) hold G_GNUC_UNUSED = submit_hold (fixture, executor, resource, "told");

  g_clear_object (&resource);
  g_assert_true (exists (path));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_KILL);
  await_removal (path);
}

/* It waits behind another one, in the queue or in the worker. */
static void
test_queued_task_is_a_user (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *path = NULL;
  g_autofree char *other_path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyResource) other = make_file (fixture, "other", &other_path);
  g_autoptr (LokyFuture) busy = submit_hold (fixture, executor, other, "told");
  g_autoptr (LokyFuture) queued = submit (executor, "resource.look", resource);
  g_autoptr (LokyFuture) cancelled = submit (executor, "resource.look", other);

  g_clear_object (&resource);
  g_clear_object (&other);
  loky_future_cancel (cancelled);
  g_assert_true (exists (path));
  loky_future_cancel (busy);
  g_variant_unref (await_result (queued));
  await_removal (path);
  await_removal (other_path);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
}

static void
test_result_is_a_user (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *path = make_path (fixture, "file");
  g_autoptr (LokyFuture) future =
      loky_fixture_submit (executor, "resource.make", g_variant_new ("(s)", path));
  g_autoptr (LokyResource) resource = NULL;

  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  /* Its maker is gone, and nobody has looked at it yet. */
  g_assert_true (exists (path));
  resource = await_resource (future);
  g_clear_object (&future);
  g_assert_cmpstr (g_file_peek_path (loky_resource_get_file (resource)), ==, path);
  g_assert_true (exists (path));
  g_clear_object (&resource);
  await_removal (path);
}

/* What a worker made goes on to another one. */
static void
test_passed_on (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *first = loky_fixture_make_executor ("max-workers", 1, NULL);
  LokyExecutor *second = loky_fixture_make_executor ("max-workers", 1, NULL);
  g_autofree char *path = make_path (fixture, "file");
  g_autoptr (LokyFuture) made =
      loky_fixture_submit (first, "resource.make", g_variant_new ("(s)", path));
  g_autoptr (LokyResource) resource = await_resource (made);
  g_autoptr (LokyFuture) hold G_GNUC_UNUSED = submit_hold (fixture, second, resource, "told");

  g_clear_object (&made);
  g_clear_object (&resource);
  loky_fixture_end_executor (first, LOKY_SHUTDOWN_KILL);
  g_assert_true (exists (path));
  loky_fixture_end_executor (second, LOKY_SHUTDOWN_KILL);
  await_removal (path);
}

static void
test_comes_back (Fixture *fixture, gconstpointer data)
{
  LokyExecutor *executor = fixture->base.executor;
  g_autofree char *path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyFuture) echo = submit (executor, "resource.give-back", resource);
  g_autoptr (LokyResource) same = await_resource (echo);
  g_autoptr (LokyFuture) again = NULL;

  g_clear_object (&resource);
  g_clear_object (&echo);
  again = submit (executor, "resource.look", same);
  g_variant_unref (await_result (again));
  g_assert_true (exists (path));
  g_clear_object (&again);
  g_clear_object (&same);
  await_removal (path);
}

static void
test_values (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GFile) file = NULL;
  g_autoptr (GError) error = NULL;

  g_value_init (&value, LOKY_TYPE_RESOURCE);
  g_value_take_object (&value, g_steal_pointer (&resource));
  future = loky_executor_submit_values (fixture->base.executor, "resource.give-value-back", &value,
                                        1, NULL, &error);
  g_assert_no_error (error);
  g_value_unset (&value);
  g_assert_true (loky_future_wait (future, -1, NULL, NULL));
  g_assert_true (loky_future_dup_value (future, &result, &error));
  g_assert_no_error (error);
  g_clear_object (&future);
  g_object_get (g_value_get_object (&result), "file", &file, NULL);
  g_assert_cmpstr (g_file_peek_path (file), ==, path);
  g_assert_true (exists (path));
  g_value_unset (&result);
  await_removal (path);
}

static void
test_worker_dies_with_its_own (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = make_path (fixture, "file");
  g_autoptr (LokyFuture) future =
      loky_fixture_submit (fixture->base.executor, "resource.make-and-die",
                           g_variant_new ("(s)", path));

  loky_fixture_assert_fails (future, LOKY_ERROR, LOKY_ERROR_WORKER_DIED);
  await_removal (path);
}

#define N_THREADS 4
#define N_ROUNDS 100

/* Makes and drops what others do, too. */
static gpointer
make_and_drop (gpointer data)
{
  Fixture *fixture = data;

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      g_autofree char *name = g_strdup_printf ("file-%u", i % 7);
      g_autofree char *path = make_path (fixture, name);
      g_autoptr (LokyResource) resource = track (path, LOKY_RESOURCE_KIND_FILE);
      g_autoptr (LokyFuture) future =
          i % 10 == 0 ? submit (fixture->base.executor, "resource.look", resource) : NULL;
      int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

      g_assert_cmpint (fd, >=, 0);
      close (fd);
      if (future != NULL)
        g_variant_unref (await_result (future));
    }
  return NULL;
}

static void
test_from_many_threads (Fixture *fixture, gconstpointer data)
{
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("maker", make_and_drop, fixture);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < 7; i++)
    {
      g_autofree char *name = g_strdup_printf ("file-%u", i);
      g_autofree char *path = make_path (fixture, name);

      await_removal (path);
    }
}

/* --- forgetting ------------------------------------------------------------------------------- */

static void
test_forgotten_file_stays (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *in_worker = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyResource) other = make_file (fixture, "other", &in_worker);
  g_autoptr (LokyResource) again = NULL;
  g_autoptr (LokyFuture) future = submit (fixture->base.executor, "resource.forget", other);
  g_autoptr (GError) error = NULL;

  g_assert_true (loky_resource_forget (resource, &error));
  g_assert_no_error (error);
  g_assert_true (loky_resource_forget (resource, &error));
  g_clear_object (&resource);
  g_variant_unref (await_result (future));
  g_clear_object (&future);
  g_clear_object (&other);
  await_no_tracker ();
  g_assert_true (exists (path));
  g_assert_true (exists (in_worker));

  /* It may be tracked again. */
  resource = track (path, LOKY_RESOURCE_KIND_FILE);
  other = track (in_worker, LOKY_RESOURCE_KIND_FILE);
  future = submit (fixture->base.executor, "resource.forget", other);
  g_variant_unref (await_result (future));
  again = track (in_worker, LOKY_RESOURCE_KIND_FILE);
  g_clear_object (&future);
  g_clear_object (&other);
  g_clear_object (&resource);
  await_removal (path);
  g_assert_true (exists (in_worker));
  g_clear_object (&again);
  await_removal (in_worker);
}

/* Write ends of pipes that this process has. */
static GArray *
list_write_ends (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  GArray *found = g_array_new (FALSE, FALSE, sizeof (int));
  const char *name;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      int fd = (int) g_ascii_strtoll (name, NULL, 10);
      struct stat info;

      if (fd > STDERR_FILENO && fstat (fd, &info) == 0 && S_ISFIFO (info.st_mode) &&
          (fcntl (fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
        g_array_append_val (found, fd);
    }
  return found;
}

/* As a worker that has it can do. */
static void
fill_hold (GArray *before)
{
  g_autoptr (GArray) now = list_write_ends ();
  guint n_filled = 0;

  for (guint i = 0; i < now->len; i++)
    {
      int fd = g_array_index (now, int, i);
      gboolean is_new = TRUE;

      for (guint j = 0; j < before->len; j++)
        is_new &= g_array_index (before, int, j) != fd;
      if (!is_new)
        continue;
      g_assert_cmpint (fcntl (fd, F_SETFL, O_NONBLOCK), ==, 0);
      while (write (fd, "x", 1) == 1)
        ;
      g_assert_cmpint (errno, ==, EAGAIN);
      g_assert_cmpint (fcntl (fd, F_SETFL, 0), ==, 0);
      n_filled++;
    }
  g_assert_cmpuint (n_filled, ==, 1);
}

static void
test_forget_what_is_full (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) before = list_write_ends ();
  g_autofree char *path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (GError) error = NULL;

  fill_hold (before);
  /* It does not wait for room. */
  g_assert_true (loky_resource_forget (resource, &error));
  g_assert_no_error (error);
  g_clear_object (&resource);
  await_no_tracker ();
  g_assert_true (exists (path));
  unlink (path);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void
assert_refused (const char *path, LokyResourceKind kind)
{
  g_autoptr (GFile) file = g_file_new_for_commandline_arg (path);
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_resource_new (file, kind, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = make_path (fixture, "link");
  g_autofree char *file = make_path (fixture, "file");
  g_autofree char *missing = make_path (fixture, "missing");
  g_autofree char *deeper = make_path (fixture, "missing/file");
  g_autoptr (LokyFuture) future = NULL;

  write_file (file);
  g_assert_cmpint (symlink (fixture->folder, link), ==, 0);
  assert_refused ("/", LOKY_RESOURCE_KIND_FOLDER);
  assert_refused ("/", LOKY_RESOURCE_KIND_FILE);
  assert_refused ("", LOKY_RESOURCE_KIND_FILE);
  assert_refused ("http://localhost/file", LOKY_RESOURCE_KIND_FILE);
  assert_refused (fixture->folder, LOKY_RESOURCE_KIND_FILE);
  assert_refused (file, LOKY_RESOURCE_KIND_FOLDER);
  assert_refused (link, LOKY_RESOURCE_KIND_FOLDER);
  assert_refused (missing, LOKY_RESOURCE_KIND_FOLDER);
  assert_refused (deeper, LOKY_RESOURCE_KIND_FILE);
  g_assert_cmpuint (count_trackers (), ==, 0);

  /* A handle that is none. */
  future =
      loky_fixture_submit (fixture->base.executor, "demo.echo", g_variant_new_string ("(hayb)"));
  {
    g_autoptr (GVariant) result = await_result (future);
    g_autoptr (GVariant) none = g_variant_ref_sink (g_variant_new ("(h^ayb)", 1, file, FALSE));
    g_autoptr (GError) error = NULL;

    g_assert_null (loky_future_lookup_resource (future, result, &error));
    g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
    g_clear_error (&error);
    g_assert_null (loky_future_lookup_resource (future, none, &error));
    g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  }
  unlink (file);
  unlink (link);
}

/* Its folder is named by way of a link, which leads elsewhere when it is removed. */
static void
test_links_are_resolved_at_once (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = make_path (fixture, "first");
  g_autofree char *second = make_path (fixture, "second");
  g_autofree char *link = make_path (fixture, "link");
  g_autofree char *by_link = make_path (fixture, "link/file");
  g_autofree char *in_first = make_path (fixture, "first/file");
  g_autofree char *in_second = make_path (fixture, "second/file");
  g_autoptr (LokyResource) resource = NULL;

  g_assert_cmpint (mkdir (first, 0700), ==, 0);
  g_assert_cmpint (mkdir (second, 0700), ==, 0);
  write_file (in_first);
  write_file (in_second);
  g_assert_cmpint (symlink ("first", link), ==, 0);
  resource = track (by_link, LOKY_RESOURCE_KIND_FILE);
  g_assert_cmpint (unlink (link), ==, 0);
  g_assert_cmpint (symlink ("second", link), ==, 0);
  g_clear_object (&resource);
  await_removal (in_first);
  g_assert_true (exists (in_second));
  unlink (in_second);
  unlink (link);
  rmdir (first);
  rmdir (second);
}

/* A folder became a link meanwhile. */
static void
test_replaced_folder_stays (Fixture *fixture, gconstpointer data)
{
  g_autofree char *moved = make_path (fixture, "moved");
  g_autofree char *path = make_path (fixture, "folder");
  g_autoptr (LokyResource) resource = NULL;

  g_assert_cmpint (mkdir (path, 0700), ==, 0);
  resource = track (path, LOKY_RESOURCE_KIND_FOLDER);
  g_assert_cmpint (rename (path, moved), ==, 0);
  g_assert_cmpint (symlink ("moved", path), ==, 0);
  g_clear_object (&resource);
  await_no_tracker ();
  g_assert_true (exists (path));
  g_assert_true (exists (moved));
  unlink (path);
  rmdir (moved);
}

/* So did the folder that it is in. */
static void
test_replaced_parent_is_not_followed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *parent = make_path (fixture, "parent");
  g_autofree char *moved = make_path (fixture, "moved");
  g_autofree char *file_path = make_path (fixture, "parent/file");
  g_autofree char *folder_path = make_path (fixture, "parent/folder");
  g_autoptr (LokyResource) file = NULL;
  g_autoptr (LokyResource) folder = NULL;

  g_assert_cmpint (g_mkdir_with_parents (folder_path, 0700), ==, 0);
  write_file (file_path);
  file = track (file_path, LOKY_RESOURCE_KIND_FILE);
  folder = track (folder_path, LOKY_RESOURCE_KIND_FOLDER);
  g_assert_cmpint (rename (parent, moved), ==, 0);
  g_assert_cmpint (symlink ("moved", parent), ==, 0);
  g_clear_object (&file);
  g_clear_object (&folder);
  await_no_tracker ();
  g_assert_true (exists (file_path));
  g_assert_true (exists (folder_path));
  unlink (file_path);
  rmdir (folder_path);
  unlink (parent);
  rmdir (moved);
}

#define MANY_FILES 2500

/* More than is removed at once. */
static void
test_large_folder (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = make_path (fixture, "folder");
  g_autoptr (LokyResource) resource = NULL;

  g_assert_cmpint (mkdir (path, 0700), ==, 0);
  resource = track (path, LOKY_RESOURCE_KIND_FOLDER);
  for (guint i = 0; i < MANY_FILES; i++)
    {
      g_autofree char *file_path = g_strdup_printf ("%s/%u", path, i);
      int fd = open (file_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

      g_assert_cmpint (fd, >=, 0);
      close (fd);
    }
  g_clear_object (&resource);
  await_removal (path);
}

#define MANY_LEVELS 1200

/* The innermost one. */
static int
make_levels (const char *path)
{
  int at = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  for (guint i = 0; i < MANY_LEVELS; i++)
    {
      int next;

      g_assert_cmpint (mkdirat (at, "folder", 0700), ==, 0);
      next = openat (at, "folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      g_assert_cmpint (next, >=, 0);
      close (at);
      at = next;
    }
  return at;
}

static void
remove_levels (int innermost)
{
  int at = innermost;

  for (guint i = 0; i < MANY_LEVELS; i++)
    {
      int next = openat (at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

      g_assert_cmpint (next, >=, 0);
      close (at);
      g_assert_cmpint (unlinkat (next, "folder", AT_REMOVEDIR), ==, 0);
      at = next;
    }
  close (at);
}

/* Its depth must not be that of the stack of the tracker, which goes on. */
static void
test_deep_folder_stays (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = make_path (fixture, "folder");
  g_autofree char *probe_path = NULL;
  g_autofree char *next_path = NULL;
  g_autoptr (LokyResource) probe = make_file (fixture, "probe", &probe_path);
  g_autoptr (LokyResource) next = NULL;
  g_autoptr (LokyResource) resource = NULL;
  int innermost;

  g_assert_cmpint (mkdir (path, 0700), ==, 0);
  resource = track (path, LOKY_RESOURCE_KIND_FOLDER);
  innermost = make_levels (path);
  g_clear_object (&resource);
  /* It is answered before the folder is removed, and the probe looked at after that. */
  next = make_file (fixture, "next", &next_path);
  g_clear_object (&probe);
  await_removal (probe_path);
  g_clear_object (&next);
  await_removal (next_path);
  await_no_tracker ();
  g_assert_true (exists (path));
  remove_levels (innermost);
  rmdir (path);
}

/* --- the tracker ------------------------------------------------------------------------------ */

static void
test_no_process_without_a_resource (Fixture *fixture, gconstpointer data)
{
  g_autofree char *result G_GNUC_UNUSED =
      loky_fixture_call (fixture->base.executor, "demo.echo", "text");
  g_autofree char *path = NULL;
  g_autofree char *other_path = NULL;
  g_autoptr (LokyResource) resource = NULL;
  g_autoptr (LokyResource) other = NULL;

  g_assert_cmpuint (count_trackers (), ==, 0);
  resource = make_file (fixture, "file", &path);
  other = make_file (fixture, "other", &other_path);
  g_assert_cmpuint (count_trackers (), ==, 1);
  /* It is nobody's child. */
  g_assert_cmpint (waitpid (find_tracker (), NULL, WNOHANG), ==, -1);
  g_clear_object (&resource);
  g_clear_object (&other);
  await_no_tracker ();
  await_removal (path);
  await_removal (other_path);
}

static void
test_signals_are_ignored (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *other_path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyResource) other = NULL;
  pid_t pid = find_tracker ();

  kill (pid, SIGTERM);
  kill (pid, SIGINT);
  kill (pid, SIGHUP);
  other = make_file (fixture, "other", &other_path);
  g_assert_cmpint (find_tracker (), ==, pid);
  g_clear_object (&resource);
  await_removal (path);
  g_clear_object (&other);
  await_removal (other_path);
}

static void
kill_tracker (void)
{
  pid_t pid = find_tracker ();
  struct pollfd process = { .fd = (int) syscall (SYS_pidfd_open, pid, 0), .events = POLLIN };

  g_assert_cmpint (process.fd, >=, 0);
  kill (pid, SIGKILL);
  /* Its descriptors are closed by then. */
  g_assert_cmpint (poll (&process, 1, -1), ==, 1);
  close (process.fd);
}

static void
test_killed_one_is_started_again (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *folder_path = NULL;
  g_autofree char *other_path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyResource) folder = make_folder (fixture, "folder", "/", &folder_path);
  g_autofree char *forgotten_path = NULL;
  g_autoptr (LokyResource) forgotten = make_file (fixture, "forgotten", &forgotten_path);
  g_autoptr (LokyResource) other = NULL;
  g_autoptr (LokyFuture) future = submit (fixture->base.executor, "resource.forget", forgotten);

  g_variant_unref (await_result (future));
  g_clear_object (&future);
  /* At the next one that is made … */
  kill_tracker ();
  g_test_expect_message ("Loky", G_LOG_LEVEL_WARNING, "*" TOLD "*");
  other = make_file (fixture, "other", &other_path);
  g_test_assert_expected_messages ();
  find_tracker ();

  /* … and at the next one that is sent. */
  kill_tracker ();
  g_test_expect_message ("Loky", G_LOG_LEVEL_WARNING, "*" TOLD "*");
  future = submit (fixture->base.executor, "resource.look", resource);
  g_test_assert_expected_messages ();
  g_variant_unref (await_result (future));
  find_tracker ();

  g_clear_object (&future);
  g_clear_object (&resource);
  await_removal (path);
  g_clear_object (&folder);
  await_removal (folder_path);
  g_assert_true (exists (other_path));
  g_clear_object (&other);
  g_clear_object (&forgotten);
  await_removal (other_path);
  await_no_tracker ();
  g_assert_true (exists (forgotten_path));
  unlink (forgotten_path);
}

/* One that does not answer is not replaced: it goes on watching what it has. */
static void
test_late_answer (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *probe_path = NULL;
  g_autofree char *refused_path = make_path (fixture, "refused");
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  g_autoptr (LokyResource) probe = NULL;
  g_autoptr (GFile) refused = g_file_new_for_path (refused_path);
  g_autoptr (GError) error = NULL;
  pid_t pid = find_tracker ();

  write_file (refused_path);
  kill (pid, SIGSTOP);
  await_state (&pid, "T");
  g_assert_null (loky_resource_new (refused, LOKY_RESOURCE_KIND_FILE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  kill (pid, SIGCONT);
  probe = make_file (fixture, "probe", &probe_path);
  g_assert_cmpint (find_tracker (), ==, pid);
  g_clear_object (&probe);
  await_removal (probe_path);
  /* Nobody was promised that it goes. */
  g_assert_true (exists (refused_path));
  g_assert_true (exists (path));
  unlink (refused_path);
  g_clear_object (&resource);
  await_removal (path);
}

static void
test_missing_program (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = make_path (fixture, "file");
  g_autofree char *program = g_strdup (g_getenv ("LOKY_WORKER"));
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) error = NULL;
  static const char *const programs[] = { "/nonexistent", "/bin/false" };

  write_file (path);
  for (guint i = 0; i < G_N_ELEMENTS (programs); i++)
    {
      g_setenv ("LOKY_WORKER", programs[i], TRUE);
      g_assert_null (loky_resource_new (file, LOKY_RESOURCE_KIND_FILE, &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_WORKER_START);
      g_clear_error (&error);
    }
  /* One that ends well and tracks nothing. */
  g_setenv ("LOKY_WORKER", "/bin/true", TRUE);
  g_assert_null (loky_resource_new (file, LOKY_RESOURCE_KIND_FILE, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  g_setenv ("LOKY_WORKER", program, TRUE);
  g_assert_true (exists (path));
  unlink (path);
}

static void
test_forked_copy_is_no_user (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autoptr (LokyResource) resource = make_file (fixture, "file", &path);
  int ends[2];
  char byte;
  pid_t pid;

  g_assert_cmpint (pipe (ends), ==, 0);
  pid = fork ();
  if (pid == 0)
    {
      g_autoptr (GError) error = NULL;
      gboolean is_told = !loky_resource_forget (resource, &error) &&
                         g_error_matches (error, LOKY_ERROR, LOKY_ERROR_FORKED) &&
                         loky_resource_to_variant (resource, NULL) == NULL;

      g_clear_object (&resource);
      close (ends[1]);
      byte = read (ends[0], &byte, 1) == 0 && is_told ? 0 : 1;
      _exit (byte);
    }
  close (ends[0]);
  g_clear_object (&resource);
  /* Although the copy lives. */
  await_removal (path);
  close (ends[1]);
  {
    int status;

    g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
    g_assert_cmpint (status, ==, 0);
  }
}

/* --- the death of the application ------------------------------------------------------------- */

/* The application: has a file, one that a task of it holds, one that a task made and a folder, and
 * never ends. */
static G_GNUC_NORETURN void
be_application (const char *folder)
{
  Fixture fixture = { .folder = g_strdup (folder) };
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 2, NULL);
  g_autofree char *told = make_path (&fixture, "told");
  g_autofree char *own = make_path (&fixture, "made");
  char *path;
  LokyResource *held = make_file (&fixture, "held", &path);
  LokyResource *file G_GNUC_UNUSED = make_file (&fixture, "file", &path);
  LokyResource *tree G_GNUC_UNUSED = make_folder (&fixture, "folder", "/", &path);
  LokyFuture *hold G_GNUC_UNUSED = submit_hold (&fixture, executor, held, "holds");
  LokyFuture *make G_GNUC_UNUSED =
      loky_fixture_submit (executor, "resource.make", g_variant_new ("(s)", own));

  g_variant_unref (await_result (make));
  g_object_unref (held);
  write_file (told);
  for (;;)
    pause ();
}

static void
test_application_is_killed (Fixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "held", "file", "folder", "made" };
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *told = make_path (fixture, "told");
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) application = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, program,
                                                          "--application", fixture->folder, NULL);

  g_assert_no_error (error);
  await_file (told);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = make_path (fixture, names[i]);

      g_assert_true (exists (path));
    }
  g_subprocess_send_signal (application, GPOINTER_TO_INT (data));
  g_assert_true (g_subprocess_wait (application, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = make_path (fixture, names[i]);

      await_removal (path);
    }
  unlink (told);
}

#define ADD(path, function, data)                                                                  \
  g_test_add ("/loky/resources/" path, Fixture, data, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  /* By which trackers are told from those of other programs; it is inherited. */
  if (g_getenv ("LOKY_TEST_OWN") == NULL)
    {
      g_autofree char *own = g_strdup_printf ("loky-test-%d-%u", getpid (), g_random_int ());

      g_setenv ("LOKY_TEST_OWN", own, TRUE);
    }
  if (argc == 3 && strcmp (argv[1], "--application") == 0)
    {
      char *folder = argv[2];

      argc = 1;
      loky_fixture_init (&argc, &argv);
      be_application (folder);
    }
  loky_fixture_init (&argc, &argv);

  ADD ("dropped-file-goes", test_dropped_file_goes, NULL);
  ADD ("folder-goes-with-all-in-it", test_folder_goes_with_all_in_it, NULL);
  ADD ("both-at-once", test_both_at_once, NULL);
  ADD ("made-later", test_made_later, NULL);
  ADD ("same-path-is-the-same", test_same_path_is_the_same, NULL);
  ADD ("path-that-is-used-again-stays", test_path_that_is_used_again_stays, NULL);
  ADD ("used-again-while-a-worker-has-it", test_used_again_while_a_worker_has_it, NULL);
  ADD ("worker-is-a-user", test_worker_is_a_user, NULL);
  ADD ("task-that-dies-is-none", test_task_that_dies_is_none, NULL);
  ADD ("queued-task-is-a-user", test_queued_task_is_a_user, NULL);
  ADD ("result-is-a-user", test_result_is_a_user, NULL);
  ADD ("passed-on", test_passed_on, NULL);
  ADD ("comes-back", test_comes_back, NULL);
  ADD ("values", test_values, NULL);
  ADD ("from-many-threads", test_from_many_threads, NULL);
  ADD ("worker-dies-with-its-own", test_worker_dies_with_its_own, NULL);
  ADD ("forgotten-file-stays", test_forgotten_file_stays, NULL);
  ADD ("forget-what-is-full", test_forget_what_is_full, NULL);
  ADD ("refused", test_refused, NULL);
  ADD ("links-are-resolved-at-once", test_links_are_resolved_at_once, NULL);
  ADD ("replaced-folder-stays", test_replaced_folder_stays, NULL);
  ADD ("replaced-parent-is-not-followed", test_replaced_parent_is_not_followed, NULL);
  ADD ("large-folder", test_large_folder, NULL);
  ADD ("deep-folder-stays", test_deep_folder_stays, NULL);
  ADD ("no-process-without-a-resource", test_no_process_without_a_resource, NULL);
  ADD ("signals-are-ignored", test_signals_are_ignored, NULL);
  ADD ("killed-one-is-started-again", test_killed_one_is_started_again, NULL);
  /* It waits for half a minute. */
  if (g_test_slow ())
    ADD ("late-answer", test_late_answer, NULL);
  ADD ("missing-program", test_missing_program, NULL);
  ADD ("forked-copy-is-no-user", test_forked_copy_is_no_user, NULL);
  ADD ("application-is-killed", test_application_is_killed, GINT_TO_POINTER (SIGKILL));
  ADD ("application-is-terminated", test_application_is_killed, GINT_TO_POINTER (SIGTERM));
  return g_test_run ();
}
