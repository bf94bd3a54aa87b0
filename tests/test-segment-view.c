/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a peer's segments are looked at through. */

#include "loky-segment-view-private.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SIZE (5u << 20)
#define SEALS (F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE)

/* Of a sender. */
typedef struct
{
  int fd;
  char *map;
  gsize size;
} Memory;

static Memory
make (gsize size, int seals)
{
  Memory memory = { memfd_create ("segment", MFD_CLOEXEC | MFD_ALLOW_SEALING), NULL, size };

  g_assert_cmpint (memory.fd, >=, 0);
  g_assert_cmpint (posix_fallocate (memory.fd, 0, (off_t) size), ==, 0);
  memory.map = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
  g_assert_true (memory.map != MAP_FAILED);
  g_assert_cmpint (fcntl (memory.fd, F_ADD_SEALS, seals), ==, 0);
  return memory;
}

static void
let_go (Memory *memory)
{
  munmap (memory->map, memory->size);
  close (memory->fd);
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
  Memory memory = make (SIZE, SEALS);
  int other = dup (memory.fd);
  gpointer map;

  memory.map[0] = 'a';
  memory.map[SIZE - 1] = 'b';
  g_assert_true (copy (&view, memory.fd, SIZE));
  map = view.kept[0].map;
  g_assert_nonnull (map);
  /* What its sender writes there for the next time is seen, by another descriptor, too; and a small value. */
  memory.map[SIZE - 1] = 'c';
  g_assert_true (copy (&view, other, SIZE));
  g_assert_true (copy (&view, memory.fd, 1));
  g_assert_true (view.kept[0].map == map);
  g_assert_null (view.kept[1].map);
  loky_segment_view_clear (&view);
  g_assert_null (view.kept[0].map);
  close (other);
  let_go (&memory);
}

static void
test_two (void)
{
  LokySegmentView view = { 0 };
  Memory memories[] = { make (SIZE, SEALS), make (SIZE, SEALS), make (SIZE, SEALS), make (1000, SEALS) };
  gpointer first;

  for (guint i = 0; i < 3; i++)
    memories[i].map[7] = (char) ('0' + i);
  g_assert_true (copy (&view, memories[0].fd, SIZE));
  first = view.kept[0].map;
  g_assert_true (copy (&view, memories[1].fd, SIZE));
  g_assert_true (view.kept[1].map == first);
  g_assert_true (copy (&view, memories[0].fd, SIZE));
  g_assert_true (view.kept[0].map == first);
  /* That which was not used for longest goes. */
  g_assert_true (copy (&view, memories[2].fd, SIZE));
  g_assert_true (view.kept[1].map == first);
  /* Also when only small ones come of others. */
  g_assert_false (copy (&view, memories[3].fd, 1000));
  g_assert_nonnull (view.kept[0].map);
  g_assert_null (view.kept[1].map);
  loky_segment_view_clear (&view);
  for (guint i = 0; i < G_N_ELEMENTS (memories); i++)
    let_go (&memories[i]);
}

/* They are not kept. */
static void
test_large_ones (void)
{
  LokySegmentView view = { 0 };
  Memory memory = make ((128u << 20) + 4096, SEALS);

  memory.map[SIZE - 1] = 'x';
  g_assert_true (copy (&view, memory.fd, SIZE));
  g_assert_null (view.kept[0].map);
  let_go (&memory);
}

static void
check_refused (int fd, gsize size)
{
  LokySegmentView view = { 0 };

  g_assert_cmpint (fd, >=, 0);
  g_assert_false (copy (&view, fd, size));
  g_assert_null (view.kept[0].map);
}

static void
check_memory_refused (Memory memory, gsize size)
{
  check_refused (memory.fd, size);
  let_go (&memory);
}

/* Whoever sent it could make an access fail, or wait. */
static void
test_refused (void)
{
  int pipe_fds[2];
  int fd;

  check_memory_refused (make (SIZE, F_SEAL_GROW), SIZE);
  check_memory_refused (make (SIZE, F_SEAL_SHRINK), SIZE);
  check_memory_refused (make (SIZE, F_SEAL_FUTURE_WRITE), SIZE);
  check_memory_refused (make (SIZE, SEALS), SIZE + 1);
  /* It is not worth it. */
  check_memory_refused (make (1000, SEALS), 1000);
  fd = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  check_refused (fd, 4u << 20);
  close (fd);
  g_assert_cmpint (pipe2 (pipe_fds, O_CLOEXEC), ==, 0);
  check_refused (pipe_fds[0], 4u << 20);
  close (pipe_fds[0]);
  close (pipe_fds[1]);
  /* A hole, anywhere. */
  fd = memfd_create ("hole", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_assert_cmpint (posix_fallocate (fd, 0, SIZE), ==, 0);
  g_assert_cmpint (ftruncate (fd, 2 * SIZE), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, SEALS), ==, 0);
  check_refused (fd, SIZE);
  close (fd);
  fd = memfd_create ("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
  /* Where there is such memory. */
  if (fd >= 0 && posix_fallocate (fd, 0, 4 << 20) == 0 && fcntl (fd, F_ADD_SEALS, SEALS) == 0)
    check_refused (fd, 4u << 20);
  if (fd >= 0)
    close (fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/segment-view/kept", test_kept);
  g_test_add_func ("/loky/segment-view/two", test_two);
  g_test_add_func ("/loky/segment-view/large-ones", test_large_ones);
  g_test_add_func ("/loky/segment-view/refused", test_refused);
  return g_test_run ();
}
