/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a peer's segments are looked at through. */

#include "loky-segment-view-private.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loky-memory-private.h"

#define SIZE (5u << 20)

static int
make_memory (gsize size, unsigned flags, int seals)
{
  int fd = memfd_create ("segment", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

  if (fd < 0 || ftruncate (fd, (off_t) size) != 0)
    return -1;
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return fd;
}

static void
put (int fd, char byte, gsize offset)
{
  g_assert_cmpint (pwrite (fd, &byte, 1, (off_t) offset), ==, 1);
}

/* Whether it could be copied through the view; then it is what is there. */
static gboolean
copy (LokySegmentView *view, int fd, gsize size)
{
  g_autofree char *to = g_malloc (size);
  g_autofree char *expected = g_malloc (size);

  if (!loky_segment_view_copy (view, fd, to, size))
    return FALSE;
  g_assert_cmpint (pread (fd, expected, size, 0), ==, size);
  g_assert_true (memcmp (to, expected, size) == 0);
  return TRUE;
}

static void
test_kept (void)
{
  LokySegmentView view = { 0 };
  int fd = make_memory (SIZE, 0, F_SEAL_SHRINK);
  int other = dup (fd);
  gpointer map;

  put (fd, 'a', 0);
  put (fd, 'b', SIZE - 1);
  g_assert_true (copy (&view, fd, SIZE));
  map = view.kept[0].map;
  g_assert_nonnull (map);
  /* What its sender writes there for the next time is seen, by another descriptor, too; and a small value. */
  put (fd, 'c', SIZE - 1);
  g_assert_true (copy (&view, other, SIZE));
  g_assert_true (copy (&view, fd, 1));
  g_assert_true (view.kept[0].map == map);
  g_assert_null (view.kept[1].map);
  loky_segment_view_clear (&view);
  g_assert_null (view.kept[0].map);
  close (other);
  close (fd);
}

static void
test_two (void)
{
  LokySegmentView view = { 0 };
  int fds[3];
  gpointer first;

  for (guint i = 0; i < 3; i++)
    {
      fds[i] = make_memory (SIZE, 0, F_SEAL_SHRINK);
      put (fds[i], (char) ('0' + i), 7);
    }
  g_assert_true (copy (&view, fds[0], SIZE));
  first = view.kept[0].map;
  g_assert_true (copy (&view, fds[1], SIZE));
  g_assert_true (view.kept[1].map == first);
  g_assert_true (copy (&view, fds[0], SIZE));
  g_assert_true (view.kept[0].map == first);
  /* That which was not used for longest goes. */
  g_assert_true (copy (&view, fds[2], SIZE));
  g_assert_true (view.kept[1].map == first);
  loky_segment_view_clear (&view);
  for (guint i = 0; i < 3; i++)
    close (fds[i]);
}

static void
check_refused (int fd, gsize size)
{
  LokySegmentView view = { 0 };

  g_assert_cmpint (fd, >=, 0);
  g_assert_false (copy (&view, fd, size));
  g_assert_null (view.kept[0].map);
  close (fd);
}

/* Whoever sent it could make an access fail. */
static void
test_refused (void)
{
  int pipe_fds[2];
  int huge = make_memory (SIZE - (SIZE & ((2u << 20) - 1)), MFD_HUGETLB, F_SEAL_SHRINK);

  check_refused (make_memory (SIZE, 0, 0), SIZE);
  check_refused (make_memory (SIZE, 0, F_SEAL_GROW), SIZE);
  check_refused (make_memory (SIZE, 0, F_SEAL_SHRINK), SIZE + 1);
  check_refused (open ("/proc/self/exe", O_RDONLY | O_CLOEXEC), 4u << 20);
  g_assert_cmpint (pipe2 (pipe_fds, O_CLOEXEC), ==, 0);
  check_refused (pipe_fds[0], 4u << 20);
  close (pipe_fds[1]);
  /* Where there is such memory. */
  if (huge >= 0)
    check_refused (huge, 4u << 20);
  /* It is not worth it. */
  check_refused (make_memory (1000, 0, F_SEAL_SHRINK), 1000);
}

/* A length of which most is a hole takes no memory, and what is large is not kept. */
static void
test_holes (void)
{
  LokySegmentView view = { 0 };
  int fd = make_memory ((gsize) 1 << 40, 0, F_SEAL_SHRINK);

  put (fd, 'x', SIZE - 1);
  if (copy (&view, fd, SIZE))
    g_assert_null (view.kept[0].map);
  g_assert_cmpint (lseek (fd, SIZE, SEEK_DATA), ==, -1);
  close (fd);

  /* What its sender takes out is empty. */
  fd = make_memory (SIZE, 0, F_SEAL_SHRINK);
  put (fd, 'x', 0);
  g_assert_true (copy (&view, fd, SIZE));
  g_assert_cmpint (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE), ==, 0);
  g_assert_true (copy (&view, fd, SIZE));
  g_assert_nonnull (view.kept[0].map);
  close (fd);
  loky_segment_view_clear (&view);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (loky_memory_is_counted_strictly ())
    {
      g_test_message ("The kernel counts memory strictly: nothing is mapped");
      g_test_add_func ("/loky/segment-view/refused", test_refused);
      return g_test_run ();
    }
  g_test_add_func ("/loky/segment-view/kept", test_kept);
  g_test_add_func ("/loky/segment-view/two", test_two);
  g_test_add_func ("/loky/segment-view/refused", test_refused);
  g_test_add_func ("/loky/segment-view/holes", test_holes);
  return g_test_run ();
}
