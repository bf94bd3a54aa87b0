/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which descriptors of a worker may be had. */

#include "loky-foreign-private.h"

#include "loky-error.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const char mounts[] =
  "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
  "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
  "2 1 0:44 / /home rw shared:3 master:1 - fuse.sshfs host: rw\n"
  "270 27 0:50 / /cut rw";

static void
assert_mount (guint64 id, const char *expected)
{
  g_autofree char *type = loky_foreign_find_mount (mounts, id);

  g_assert_cmpstr (type, ==, expected);
}

static void
test_mounts (void)
{
  assert_mount (22, "proc");
  assert_mount (27, "ext4");
  assert_mount (2, "fuse.sshfs");
  assert_mount (270, NULL);
  assert_mount (7, NULL);
  assert_mount (0, NULL);
}

/* Closes it. */
static void
assert_accepted (int fd, gboolean is_accepted)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *known = NULL;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (loky_foreign_check (fd, &known, LOKY_ERROR_PROTOCOL, &error), ==, is_accepted);
  if (is_accepted)
    g_assert_no_error (error);
  else
    g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  close (fd);
}

static void
test_kinds (void)
{
  int ends[2];

  assert_accepted (memfd_create ("memory", MFD_CLOEXEC), TRUE);
  assert_accepted (socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), TRUE);
  assert_accepted (socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), TRUE);
  assert_accepted (open ("/proc/self/exe", O_RDONLY | O_CLOEXEC), TRUE);
  assert_accepted (open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), TRUE);
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  assert_accepted (ends[0], TRUE);
  assert_accepted (ends[1], TRUE);

  assert_accepted (eventfd (0, EFD_CLOEXEC), FALSE);
  assert_accepted (epoll_create1 (EPOLL_CLOEXEC), FALSE);
  assert_accepted (open ("/dev/null", O_RDWR | O_CLOEXEC), FALSE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/foreign/mounts", test_mounts);
  g_test_add_func ("/loky/foreign/kinds", test_kinds);
  return g_test_run ();
}
