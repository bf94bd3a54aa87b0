/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `descriptor`: the worker's side of the tests of descriptors. */

#include <loky.h>

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static LokyDescriptor *
lookup (LokyTaskContext *context, GVariant *args, guint i, GError **error)
{
  gint32 handle;

  g_variant_get_child (args, i, "h", &handle);
  return loky_task_context_lookup_descriptor (context, handle, error);
}

/* Writes back what it reads, until the end. */
static gboolean
echo_on (int fd, GError **error)
{
  char buffer[256];
  ssize_t got;

  while ((got = read (fd, buffer, sizeof buffer)) > 0)
    if (write (fd, buffer, (gsize) got) != got)
      break;
  if (got == 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "%s", g_strerror (errno));
  return FALSE;
}

static GVariant *
echo (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyDescriptor) descriptor = lookup (context, args, 0, error);
  int fd = descriptor != NULL ? loky_descriptor_steal_fd (descriptor, error) : -1;
  gboolean is_done;

  if (fd < 0)
    return NULL;
  is_done = echo_on (fd, error);
  close (fd);
  return is_done ? g_variant_new_boolean (TRUE) : NULL;
}

/* The first attempt dies with the descriptor in its hands. */
static GVariant *
echo_again (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyDescriptor) descriptor = lookup (context, args, 0, error);

  if (descriptor == NULL)
    return NULL;
  if (loky_task_context_get_attempt (context) == 1)
    _exit (3);
  return echo (context, args, user_data, error);
}

static GVariant *
echo_socket (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  char buffer[256];
  GSocket *socket;
  gssize got;

  if (!loky_task_context_dup_value (context, args, 0, &value, error))
    return NULL;
  socket = g_value_get_object (&value);
  while ((got = g_socket_receive (socket, buffer, sizeof buffer, NULL, error)) > 0)
    if (g_socket_send (socket, buffer, (gsize) got, NULL, error) != got)
      return NULL;
  return got == 0 ? g_variant_new_uint32 (g_socket_get_timeout (socket)) : NULL;
}

static GVariant *
echo_connection (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  GIOStream *stream;

  if (!loky_task_context_dup_value (context, args, 0, &value, error))
    return NULL;
  stream = g_value_get_object (&value);
  if (g_output_stream_splice (g_io_stream_get_output_stream (stream),
                              g_io_stream_get_input_stream (stream), G_OUTPUT_STREAM_SPLICE_NONE,
                              NULL, error) < 0)
    return NULL;
  return g_variant_new_string (G_OBJECT_TYPE_NAME (stream));
}

/* Writes the number of each into it. */
static GVariant *
number_list (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  const int *fds;
  int n_fds;

  if (!loky_task_context_dup_value (context, args, 0, &value, error))
    return NULL;
  fds = g_unix_fd_list_peek_fds (g_value_get_object (&value), &n_fds);
  for (int i = 0; i < n_fds; i++)
    {
      char digit = (char) ('0' + i);

      if (write (fds[i], &digit, 1) != 1)
        abort ();
    }
  return g_variant_new_int32 (n_fds);
}

static GVariant *
count_open (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  guint n_open = 0;

  for (int fd = 0; fd < 4096; fd++)
    n_open += fcntl (fd, F_GETFD) >= 0;
  return g_variant_new_uint32 (n_open);
}

/* All that may be done with one, and what must not. */
static GVariant *
examine (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyDescriptor) descriptor = lookup (context, args, 0, error);
  g_autoptr (GError) local_error = NULL;
  int copy, fd;

  if (descriptor == NULL)
    return NULL;
  copy = loky_descriptor_dup_fd (descriptor, error);
  fd = loky_descriptor_steal_fd (descriptor, error);
  g_assert (copy >= 0 && fd >= 0 && copy != fd && (fcntl (fd, F_GETFD) & FD_CLOEXEC) != 0);
  g_assert (loky_descriptor_steal_fd (descriptor, &local_error) == -1);
  g_assert (g_error_matches (local_error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT));
  g_assert (loky_descriptor_dup_fd (descriptor, NULL) == -1);
  g_assert (loky_descriptor_to_variant (descriptor, NULL) == NULL);
  close (copy);
  close (fd);
  return g_variant_new_boolean (TRUE);
}

/* It refers to one that was given to it, or to one of its own. */
static GVariant *
give_back (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyDescriptor) descriptor = lookup (context, args, 0, error);
  const char *how;

  if (descriptor == NULL)
    return NULL;
  g_variant_get_child (args, 1, "&s", &how);
  if (strcmp (how, "own") == 0)
    {
      static LokyDescriptor *own;

      own = loky_descriptor_new (STDERR_FILENO, error);
      return own != NULL ? loky_descriptor_to_variant (own, error) : NULL;
    }
  if (strcmp (how, "listed") == 0)
    return loky_descriptor_to_variant (descriptor, error);
  return g_variant_new_handle (loky_descriptor_get_handle (descriptor));
}

/* By a reducer. */
static GVariant *
reduce_back (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loky_task_context_dup_value (context, args, 0, &value, error))
    return NULL;
  return loky_task_context_reduce_value (context, &value, error);
}

static GVariant *
return_one (LokyTaskContext *context, int fd, GError **error)
{
  g_autoptr (LokyDescriptor) descriptor = loky_descriptor_new (fd, error);

  return descriptor != NULL ? loky_task_context_add_descriptor (context, descriptor, error) : NULL;
}

/* A file of that text, which has no name any more. */
static GVariant *
make_file (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp ("loky-test-XXXXXX", &path, error);
  const char *text = g_variant_get_string (args, NULL);
  GVariant *result;

  if (fd < 0)
    return NULL;
  unlink (path);
  if (pwrite (fd, text, strlen (text), 0) != (ssize_t) strlen (text))
    abort ();
  result = return_one (context, fd, error);
  close (fd);
  return result;
}

/* One end of a pair of sockets; into the other it has written. */
static GVariant *
make_socket (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *text = g_variant_get_string (args, NULL);
  GVariant *result;
  int ends[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    abort ();
  if (write (ends[1], text, strlen (text)) != (ssize_t) strlen (text))
    abort ();
  result = return_one (context, ends[0], error);
  close (ends[0]);
  close (ends[1]);
  return result;
}

/* One that the application does not accept, of whichever executor. */
static GVariant *
make_event (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  int fd = eventfd (0, EFD_CLOEXEC);
  GVariant *result = return_one (context, fd, error);

  close (fd);
  return result;
}

/* One that has no name, and of which GLib makes no GSocket. */
static int
socket_of_the_kernel (void)
{
  return socket (AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

/* As a value: what is in a pair of sockets, or pipes. */
static GVariant *
make_value (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *type = g_variant_get_string (args, NULL);
  g_auto (GValue) value = G_VALUE_INIT;
  int ends[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 ||
      write (ends[1], type, strlen (type)) != (ssize_t) strlen (type))
    abort ();
  if (strcmp (type, "AF_ALG") == 0)
    {
      g_autoptr (GSocket) socket = g_socket_new_from_fd (ends[0], error);
      int nameless = socket_of_the_kernel ();

      close (ends[1]);
      g_value_init (&value, G_TYPE_SOCKET);
      g_value_set_object (&value, socket);
      if (nameless < 0)
        return g_variant_new_string ("none");
      dup3 (nameless, g_socket_get_fd (socket), O_CLOEXEC);
      close (nameless);
    }
  else if (strcmp (type, "GUnixFDList") == 0)
    {
      g_value_init (&value, G_TYPE_UNIX_FD_LIST);
      g_value_take_object (&value, g_unix_fd_list_new_from_array (ends, 2));
    }
  else
    {
      g_autoptr (GSocket) socket = g_socket_new_from_fd (ends[0], error);

      close (ends[1]);
      g_socket_set_timeout (socket, 50);
      g_value_init (&value, G_TYPE_OBJECT);
      if (strcmp (type, "GSocket") == 0)
        g_value_set_object (&value, socket);
      else if (strcmp (type, "GSocketConnection") == 0)
        g_value_take_object (&value, g_socket_connection_factory_create_connection (socket));
      else
        g_value_take_object (&value, loky_descriptor_new (g_socket_get_fd (socket), error));
    }
  return loky_task_context_reduce_value (context, &value, error);
}

/* It dies with them in its hands. */
static GVariant *
die_with_many (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (LokyDescriptor) descriptor = loky_descriptor_new (STDERR_FILENO, error);
      g_autoptr (GVariant) handle = loky_task_context_add_descriptor (context, descriptor, error);

      g_assert (handle != NULL);
    }
  _exit (3);
}

/* Gives what it got to a worker of its own. */
static GVariant *
pass_on (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyDescriptor) descriptor = lookup (context, args, 0, error);
  g_autoptr (LokyExecutor) executor = g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", 1, NULL);
  g_autoptr (GVariant) handle = NULL;

  g_autoptr (GVariant) added = NULL;

  if (descriptor == NULL)
    return NULL;
  /* Where the application accepts it, it may go both ways. */
  added = loky_task_context_add_descriptor (context, descriptor, NULL);
  handle = loky_descriptor_to_variant (descriptor, error);
  if (handle == NULL)
    return NULL;
  g_assert (loky_descriptor_steal_fd (descriptor, NULL) == -1);
  return loky_executor_call_sync (executor, "descriptor.echo", g_variant_new ("(@h)", handle), NULL,
                                  NULL, error);
}

#define TASK(task, types, result, function, text)                                                  \
  {                                                                                                \
    .name = task, .arguments_type = types, .result_type = result, .func = function,                \
    .summary = text                                                                                \
  }

static const LokyTaskDescriptor tasks[] = {
  TASK ("echo", "(h)", "b", echo, "Writes back what it reads"),
  TASK ("echo-again", "(h)", "b", echo_again, "The same, at the second attempt"),
  TASK ("echo-socket", "r", "u", echo_socket, "The same by a GSocket; its timeout"),
  TASK ("echo-connection", "r", "s", echo_connection, "The same by a GSocketConnection; its type"),
  TASK ("number-list", "r", "i", number_list, "Writes into each descriptor of a list"),
  TASK ("count-open", "*", "u", count_open, "How many descriptors the worker has open"),
  TASK ("examine", "(h)", "b", examine, "Copies and takes"),
  TASK ("give-back", "(hs)", "h", give_back, "Returns a descriptor"),
  TASK ("reduce-back", "r", "*", reduce_back, "Returns a value with a descriptor"),
  TASK ("make-file", "s", "h", make_file, "Returns a file of that text"),
  TASK ("make-socket", "s", "h", make_socket, "Returns a socket into which that was written"),
  TASK ("make-event", "*", "h", make_event, "Returns a descriptor of a kind that is not accepted"),
  TASK ("make-value", "s", "*", make_value, "Returns a value of that type, with descriptors"),
  TASK ("die-with-many", "*", "h", die_with_many, "Exits when it is about to return descriptors"),
  TASK ("pass-on", "(h)", "b", pass_on, "Has a worker of its own write back what it reads"),
};

LOKY_PLUGIN_DEFINE ("descriptor", "1.0", "Uses descriptors, for the tests", tasks)
