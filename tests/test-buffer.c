/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Buffers: what a seal holds, what a value refers to, and what is not taken from a peer. */

#include "loky-attachment-private.h"
#include "loky-buffer-private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loky-error.h"

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static LokyBuffer *
make_sealed (const char *text)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
  g_autoptr (GError) error = NULL;
  LokyBuffer *buffer = loky_buffer_new_from_bytes (bytes, &error);

  g_assert_no_error (error);
  return buffer;
}

static void
check_content (LokyBuffer *buffer, gconstpointer data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = loky_buffer_dup_bytes (buffer, &error);

  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), data, size);
}

static void
count_notify (GObject *object, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
test_write_and_seal (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (5, &error);
  guint n_notified = 0;
  guint64 size;
  gboolean is_sealed;

  g_assert_no_error (error);
  g_signal_connect (buffer, "notify::sealed", G_CALLBACK (count_notify), &n_notified);
  g_assert_cmpuint (loky_buffer_get_size (buffer), ==, 5);
  g_assert_false (loky_buffer_is_sealed (buffer));
  g_assert_cmpmem (loky_buffer_get_writable_data (buffer), 5, "\0\0\0\0\0", 5);
  memcpy (loky_buffer_get_writable_data (buffer), "hello", 5);

  g_assert_true (loky_buffer_seal (buffer, &error));
  g_assert_no_error (error);
  g_assert_true (loky_buffer_seal (buffer, &error));
  g_assert_cmpuint (n_notified, ==, 1);
  g_assert_true (loky_buffer_is_sealed (buffer));
  g_assert_null (loky_buffer_get_writable_data (buffer));
  check_content (buffer, "hello", 5);

  g_object_get (buffer, "size", &size, "sealed", &is_sealed, NULL);
  g_assert_cmpuint (size, ==, 5);
  g_assert_true (is_sealed);
}

/* Not by this process either, which has the descriptor it was written through. */
static void
test_sealed_cannot_change (void)
{
  g_autoptr (LokyBuffer) buffer = make_sealed ("hello");
  int fd = loky_buffer_get_fd (buffer);

  g_assert_cmpint (fcntl (fd, F_GET_SEALS) & ALL_SEALS, ==, ALL_SEALS);
  g_assert_true (mmap (NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  g_assert_cmpint (pwrite (fd, "x", 1, 0), ==, -1);
  g_assert_cmpint (ftruncate (fd, 4), ==, -1);
  g_assert_cmpint (ftruncate (fd, 6), ==, -1);
  g_assert_cmpint (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5), ==, -1);
  check_content (buffer, "hello", 5);
}

/* Somebody else has it mapped for writing: it stays open, and can be sealed later. */
static void
test_seal_can_fail (void)
{
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (4096, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;
  void *map = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, loky_buffer_get_fd (buffer), 0);

  g_assert_true (map != MAP_FAILED);
  strcpy (loky_buffer_get_writable_data (buffer), "kept");
  g_assert_false (loky_buffer_seal (buffer, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
  g_assert_false (loky_buffer_is_sealed (buffer));
  g_assert_null (loky_buffer_to_variant (buffer, NULL));
  g_assert_null (loky_buffer_dup_bytes (buffer, NULL));
  g_assert_cmpstr (loky_buffer_get_writable_data (buffer), ==, "kept");

  munmap (map, 4096);
  value = loky_buffer_to_variant (buffer, NULL);
  g_assert_true (loky_buffer_is_sealed (buffer));
}

static void
test_empty (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (0, &error);
  g_autoptr (LokyBuffer) copy = make_sealed ("");
  g_autoptr (LokyBuffer) received = NULL;

  g_assert_no_error (error);
  g_assert_null (loky_buffer_get_writable_data (buffer));
  g_assert_true (loky_buffer_seal (buffer, &error));
  check_content (buffer, "", 0);
  check_content (copy, "", 0);
  received = loky_buffer_new_received (dup (loky_buffer_get_fd (buffer)), 9, 0, &error);
  g_assert_no_error (error);
  check_content (received, "", 0);
}

/* Sizes that no file can have: one that a file can have would really be allocated. */
static void
test_too_large (void)
{
  static const gsize sizes[] = { G_MAXSIZE, (gsize) G_MAXINT64 + 1 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (loky_buffer_new (sizes[i], &error));
      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_RESOURCES);
    }
}

static void
test_bytes_outlive_it (void)
{
  LokyBuffer *buffer = make_sealed ("hello");
  g_autoptr (GBytes) bytes = loky_buffer_dup_bytes (buffer, NULL);

  g_object_unref (buffer);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "hello", 5);
}

static void
test_to_variant_and_lookup (void)
{
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (3, NULL);
  LokyBuffer *other = loky_buffer_new (3, NULL);
  gint32 handle = loky_buffer_get_handle (buffer);
  gint32 other_handle = loky_buffer_get_handle (other);
  g_autoptr (GVariant) value = loky_buffer_to_variant (buffer, NULL);
  g_autoptr (LokyBuffer) found = (LokyBuffer *) loky_attachment_lookup (handle);

  g_assert_true (loky_buffer_is_sealed (buffer));
  g_assert_false (g_variant_is_floating (value));
  g_assert_cmpstr (g_variant_get_type_string (value), ==, "h");
  g_assert_cmpint (g_variant_get_handle (value), ==, handle);
  g_assert_cmpint (handle, >=, 0);
  g_assert_cmpint (handle, !=, other_handle);
  g_assert_true (found == buffer);
  /* One that is gone is not found. */
  g_object_unref (other);
  g_assert_null (loky_attachment_lookup (other_handle));
}

static void
test_find (void)
{
  g_autoptr (LokyBuffer) buffer = make_sealed ("a");
  g_autoptr (GPtrArray) buffers = g_ptr_array_new ();
  gint32 handle = loky_buffer_get_handle (buffer);
  g_autoptr (LokyBuffer) found = NULL;
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (buffers, buffer);
  found = loky_attachment_find (buffers, handle, LOKY_TYPE_BUFFER, NULL);
  g_assert_true (found == buffer);
  g_assert_null (loky_attachment_find (buffers, handle + 1, LOKY_TYPE_BUFFER, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (loky_attachment_find (NULL, handle, LOKY_TYPE_BUFFER, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
}

/* Takes over @value. */
static GPtrArray *
collect (GVariant *value, GPtrArray *received)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (GError) error = NULL;
  GPtrArray *buffers;

  g_assert_true (loky_attachment_collect (owned, received, &buffers, &error));
  g_assert_no_error (error);
  return buffers;
}

static void
test_collect (void)
{
  g_autoptr (LokyBuffer) a = loky_buffer_new (1, NULL);
  g_autoptr (LokyBuffer) b = make_sealed ("b");
  g_autoptr (GPtrArray) alone = collect (g_variant_new_handle (loky_buffer_get_handle (a)), NULL);
  g_autoptr (GPtrArray) two =
      collect (g_variant_new ("(shmhh)", "x", loky_buffer_get_handle (b), TRUE,
                              loky_buffer_get_handle (a), loky_buffer_get_handle (b)),
               NULL);

  g_assert_cmpuint (alone->len, ==, 1);
  g_assert_true (g_ptr_array_index (alone, 0) == a);
  g_assert_true (loky_buffer_is_sealed (a));
  /* Each once, in the order in which they stand. */
  g_assert_cmpuint (two->len, ==, 2);
  g_assert_true (g_ptr_array_index (two, 0) == b);
  g_assert_true (g_ptr_array_index (two, 1) == a);
}

static void
test_collect_nested (void)
{
  g_autoptr (LokyBuffer) a = make_sealed ("a");
  g_autoptr (LokyBuffer) b = make_sealed ("b");
  g_auto (GVariantDict) inner = G_VARIANT_DICT_INIT (NULL);
  g_auto (GVariantDict) outer = G_VARIANT_DICT_INIT (NULL);
  g_autoptr (GPtrArray) buffers = NULL;
  g_autoptr (GPtrArray) keys = NULL;

  g_variant_dict_insert (&inner, "image", "h", loky_buffer_get_handle (a));
  g_variant_dict_insert (&outer, "name", "s", "no buffer");
  g_variant_dict_insert_value (&outer, "inner", g_variant_dict_end (&inner));
  g_variant_dict_insert (&outer, "list", "@ah",
                         g_variant_new_parsed ("[%h]", loky_buffer_get_handle (b)));
  buffers = collect (g_variant_dict_end (&outer), NULL);
  g_assert_cmpuint (buffers->len, ==, 2);
  g_assert_true (g_ptr_array_find (buffers, a, NULL));
  g_assert_true (g_ptr_array_find (buffers, b, NULL));

  keys = collect (g_variant_new_parsed ("{%h: 'text'}", loky_buffer_get_handle (a)), NULL);
  g_assert_cmpuint (keys->len, ==, 1);
}

static void
test_collect_nothing (void)
{
  g_assert_null (collect (g_variant_new_string ("h"), NULL));
  g_assert_null (collect (g_variant_new_parsed ("@ah []"), NULL));
  g_assert_null (collect (g_variant_new_parsed ("@mh nothing"), NULL));
  g_assert_null (collect (g_variant_new_parsed ("[<1>, <'h'>]"), NULL));
}

static void
test_collect_unknown_handle (void)
{
  g_autoptr (LokyBuffer) known = make_sealed ("known");
  LokyBuffer *gone = make_sealed ("gone");
  gint32 handle = loky_buffer_get_handle (gone);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GPtrArray) buffers = NULL;
  g_autoptr (GError) error = NULL;

  g_object_unref (gone);
  value = g_variant_ref_sink (
      g_variant_new_parsed ("[<%h>, <%h>]", loky_buffer_get_handle (known), handle));
  g_assert_false (loky_attachment_collect (value, NULL, &buffers, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_null (buffers);
}

/* What came with a task is found before what this process has under the same number. */
static void
test_collect_received (void)
{
  g_autoptr (LokyBuffer) own = make_sealed ("own");
  gint32 handle = loky_buffer_get_handle (own);
  g_autoptr (GPtrArray) received = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) buffers = NULL;

  g_ptr_array_add (received,
                   loky_buffer_new_received (dup (loky_buffer_get_fd (own)), handle, 3, NULL));
  buffers = collect (g_variant_new_handle (handle), received);
  g_assert_cmpuint (buffers->len, ==, 1);
  g_assert_true (g_ptr_array_index (buffers, 0) == g_ptr_array_index (received, 0));
}

static void
check_collect_many (guint count, gboolean expected)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) buffers = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("ah"));
  for (guint i = 0; i < count; i++)
    {
      LokyBuffer *buffer = make_sealed ("x");

      g_ptr_array_add (all, buffer);
      g_variant_builder_add (&builder, "h", loky_buffer_get_handle (buffer));
    }
  value = g_variant_ref_sink (g_variant_builder_end (&builder));
  g_assert_cmpint (loky_attachment_collect (value, NULL, &buffers, &error), ==, expected);
  if (expected)
    g_assert_cmpuint (buffers->len, ==, count);
  else
    g_assert_error (error, LOKY_ERROR, LOKY_ERROR_TOO_LARGE);
}

/* With the segment that the value may be in they must fit into one frame. */
static void
test_collect_too_many (void)
{
  check_collect_many (LOKY_FRAME_MAX_FDS - 1, TRUE);
  check_collect_many (LOKY_FRAME_MAX_FDS, FALSE);
}

static void
test_received (void)
{
  g_autoptr (LokyBuffer) sent = make_sealed ("hello");
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyBuffer) received =
      loky_buffer_new_received (dup (loky_buffer_get_fd (sent)), 77, 5, &error);

  g_assert_no_error (error);
  g_assert_true (loky_buffer_is_sealed (received));
  g_assert_null (loky_buffer_get_writable_data (received));
  g_assert_cmpint (loky_buffer_get_handle (received), ==, 77);
  check_content (received, "hello", 5);
  /* It is the peer's number: it is not one of this process. */
  g_assert_null (loky_attachment_lookup (77));
}

/* @fd is closed in any case. */
static void
check_received_refused (int fd, guint64 size, const char *expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (loky_buffer_new_received (fd, 1, size, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, expected));
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
}

static int
make_memory (const char *text, off_t size, int seals)
{
  int fd = memfd_create ("test-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_cmpint (pwrite (fd, text, strlen (text), 0), ==, (gssize) strlen (text));
  g_assert_cmpint (ftruncate (fd, size), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return fd;
}

static void
test_received_unsealed (void)
{
  static const int seals[] = { F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL };
  int pipe_fds[2];

  check_received_refused (make_memory ("hello", 5, 0), 5, "not sealed");
  for (gsize i = 0; i < G_N_ELEMENTS (seals); i++)
    check_received_refused (make_memory ("hello", 5, ALL_SEALS & ~seals[i]), 5, "not sealed");
  g_assert_cmpint (pipe (pipe_fds), ==, 0);
  check_received_refused (pipe_fds[0], 0, "not sealed");
  close (pipe_fds[1]);
  check_received_refused (open ("/dev/null", O_RDWR | O_CLOEXEC), 0, "not sealed");
}

static void
test_received_of_another_size (void)
{
  check_received_refused (make_memory ("hello", 5, ALL_SEALS), 4, "size");
  check_received_refused (make_memory ("hello", 5, ALL_SEALS), 6, "size");
  check_received_refused (make_memory ("hello", 5, ALL_SEALS), G_MAXUINT64, "size");
}

/* Memory that is not there yet: to look at it could fail by a signal. */
static void
test_received_sparse (void)
{
  check_received_refused (make_memory ("", 1 << 20, ALL_SEALS), 1 << 20, "holes");
  check_received_refused (make_memory ("hello", 1 << 20, ALL_SEALS), 1 << 20, "holes");
}

/* As many blocks as its size needs, but some of them behind its end. */
static void
test_received_with_a_hole (void)
{
  const off_t size = 1 << 20;
  int fd = memfd_create ("test-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_autoptr (LokyBuffer) sound = NULL;
  g_autoptr (LokyBuffer) received = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (ftruncate (fd, size), ==, 0);
  g_assert_cmpint (fallocate (fd, FALLOC_FL_KEEP_SIZE, size, size), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, ALL_SEALS), ==, 0);
  received = loky_buffer_new_received (fd, 1, size, &error);
  g_assert_no_error (error);
  g_assert_false (loky_buffer_check_whole (received, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_PROTOCOL);
  g_clear_error (&error);

  /* Allocated and never written is no hole. */
  fd = memfd_create ("test-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_assert_cmpint (fallocate (fd, 0, 0, size), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, ALL_SEALS), ==, 0);
  sound = loky_buffer_new_received (fd, 2, size, &error);
  g_assert_no_error (error);
  g_assert_true (loky_buffer_check_whole (sound, &error));
  g_assert_no_error (error);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/buffer/write-and-seal", test_write_and_seal);
  g_test_add_func ("/loky/buffer/sealed-cannot-change", test_sealed_cannot_change);
  g_test_add_func ("/loky/buffer/seal-can-fail", test_seal_can_fail);
  g_test_add_func ("/loky/buffer/empty", test_empty);
  g_test_add_func ("/loky/buffer/too-large", test_too_large);
  g_test_add_func ("/loky/buffer/bytes-outlive-it", test_bytes_outlive_it);
  g_test_add_func ("/loky/buffer/to-variant-and-lookup", test_to_variant_and_lookup);
  g_test_add_func ("/loky/buffer/find", test_find);
  g_test_add_func ("/loky/buffer/collect", test_collect);
  g_test_add_func ("/loky/buffer/collect-nested", test_collect_nested);
  g_test_add_func ("/loky/buffer/collect-nothing", test_collect_nothing);
  g_test_add_func ("/loky/buffer/collect-unknown-handle", test_collect_unknown_handle);
  g_test_add_func ("/loky/buffer/collect-received", test_collect_received);
  g_test_add_func ("/loky/buffer/collect-too-many", test_collect_too_many);
  g_test_add_func ("/loky/buffer/received", test_received);
  g_test_add_func ("/loky/buffer/received-unsealed", test_received_unsealed);
  g_test_add_func ("/loky/buffer/received-of-another-size", test_received_of_another_size);
  g_test_add_func ("/loky/buffer/received-sparse", test_received_sparse);
  g_test_add_func ("/loky/buffer/received-with-a-hole", test_received_with_a_hole);
  return g_test_run ();
}
