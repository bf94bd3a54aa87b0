/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The reducers of what has file descriptors in GIO. From a worker they come only if the executor accepts them; what is
 * rebuilt takes them, and may be anything there, so that it is not closed here. */

#include "loky-reducer-private.h"

#include <gio/gunixfdlist.h>
#include <sys/socket.h>

#include "loky-close-private.h"
#include "loky-descriptor-private.h"
#include "loky-error.h"
#include "loky-util-private.h"

/* Handle, whether it blocks, timeout in s. */
#define SOCKET_TYPE "(hbu)"
#define FD_LIST_TYPE "ah"

static gboolean
fail (GError **error, const char *what)
{
  g_set_error_literal (error, LOKY_ERROR, LOKY_ERROR_REDUCER, what);
  return FALSE;
}

/* FALSE, or the handle of a copy that is kept until the submission has it. */
static gboolean
attach (int fd, gint32 *handle, GError **error)
{
  g_autoptr (LokyDescriptor) descriptor = NULL;

  if (!loky_reduce_check_keeps (error))
    return FALSE;
  descriptor = loky_descriptor_new (fd, error);
  if (descriptor == NULL)
    return FALSE;
  *handle = loky_descriptor_get_handle (descriptor);
  loky_reduce_keep (G_OBJECT (descriptor));
  return TRUE;
}

static LokyDescriptor *
find (gint32 handle, GError **error)
{
  return loky_rebuild_find_attachment (handle, LOKY_TYPE_DESCRIPTOR, error);
}

/* --- sockets ------------------------------------------------------------------------------------
 */

static GVariant *
reduce_open_socket (GSocket *socket, GError **error)
{
  gint32 handle;

  if (g_socket_is_closed (socket))
    {
      fail (error, "it is closed");
      return NULL;
    }
  if (!attach (g_socket_get_fd (socket), &handle, error))
    return NULL;
  return g_variant_new (SOCKET_TYPE, handle, g_socket_get_blocking (socket),
                        g_socket_get_timeout (socket));
}

static GVariant *
reduce_socket (const GValue *value, gpointer user_data, GError **error)
{
  return reduce_open_socket (g_value_get_object (value), error);
}

static GVariant *
reduce_connection (const GValue *value, gpointer user_data, GError **error)
{
  GSocketConnection *connection = g_value_get_object (value);

  /* Its bytes go through a stream that is more than the socket. */
  if (G_IS_TCP_WRAPPER_CONNECTION (connection))
    {
      fail (error, "it is part of another stream, such as that of a proxy");
      return NULL;
    }
  return reduce_open_socket (g_socket_connection_get_socket (connection), error);
}

static gboolean
is_socket (int fd)
{
  struct sockaddr_storage address;
  socklen_t address_size = sizeof address;
  int type;
  socklen_t size = sizeof type;

  return getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
         getsockname (fd, (struct sockaddr *) &address, &address_size) == 0;
}

static GSocket *
make_socket (GVariant *form, GError **error)
{
  g_autoptr (LokyDescriptor) descriptor = NULL;
  GSocket *socket;
  gboolean is_blocking;
  guint timeout;
  gint32 handle;
  int fd;

  if (!loky_reduce_check_form (form, SOCKET_TYPE, error))
    return NULL;
  g_variant_get (form, SOCKET_TYPE, &handle, &is_blocking, &timeout);
  descriptor = find (handle, error);
  if (descriptor == NULL)
    return NULL;
  if (!is_socket (loky_descriptor_get_fd (descriptor)))
    {
      fail (error, "it was taken already, or is no socket");
      return NULL;
    }
  fd = loky_descriptor_steal_fd (descriptor, error);
  /* What GLib asks of it was asked above: when it fails after all, it closes it, and says that it does not. */
  socket = fd >= 0 ? g_socket_new_from_fd (fd, error) : NULL;
  if (socket == NULL)
    return NULL;
  g_socket_set_blocking (socket, is_blocking);
  g_socket_set_timeout (socket, timeout);
  return socket;
}

static void
rebuild_socket (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  GSocket *socket = make_socket (form, error);

  if (socket == NULL)
    return;
  g_value_init (value, G_TYPE_SOCKET);
  g_value_take_object (value, socket);
}

/* Of the class that its family and type have. */
static void
rebuild_connection (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_autoptr (GSocket) socket = make_socket (form, error);

  if (socket == NULL)
    return;
  g_value_init (value, G_TYPE_SOCKET_CONNECTION);
  g_value_take_object (value, g_socket_connection_factory_create_connection (socket));
}

/* --- lists --------------------------------------------------------------------------------------
 */

static GVariant *
reduce_fd_list (const GValue *value, gpointer user_data, GError **error)
{
  gint n_fds;
  const gint *fds = g_unix_fd_list_peek_fds (g_value_get_object (value), &n_fds);
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE (FD_LIST_TYPE));
  for (gint i = 0; i < n_fds; i++)
    {
      gint32 handle;

      if (!attach (fds[i], &handle, error))
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
      g_variant_builder_add (&builder, "h", handle);
    }
  return g_variant_builder_end (&builder);
}

static void
close_all (GArray *fds)
{
  for (guint i = 0; i < fds->len; i++)
    loky_close_untrusted (g_array_index (fds, int, i));
}

static gboolean
take_all (GVariant *form, GArray *fds, GError **error)
{
  for (gsize i = 0; i < g_variant_n_children (form); i++)
    {
      g_autoptr (LokyDescriptor) descriptor = NULL;
      gint32 handle;
      int fd;

      g_variant_get_child (form, i, "h", &handle);
      descriptor = find (handle, error);
      fd = descriptor != NULL ? loky_descriptor_steal_fd (descriptor, error) : -1;
      if (fd < 0)
        return FALSE;
      g_array_append_val (fds, fd);
    }
  return TRUE;
}

static void
rebuild_fd_list (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));

  if (!loky_reduce_check_form (form, FD_LIST_TYPE, error))
    return;
  if (!take_all (form, fds, error))
    {
      close_all (fds);
      return;
    }
  g_value_init (value, G_TYPE_UNIX_FD_LIST);
  g_value_take_object (value,
                       g_unix_fd_list_new_from_array ((const gint *) (gconstpointer) fds->data,
                                                      (gint) fds->len));
}

/* --- all ----------------------------------------------------------------------------------------
 */

static void
add (LokyReducerRegistry *registry, GType type, LokyReduceFunc reduce, LokyRebuildFunc rebuild)
{
  loky_reducer_registry_set_reduce_func (registry, type, reduce, NULL, NULL);
  loky_reducer_registry_set_rebuild_func (registry, type, rebuild, NULL, NULL);
}

void
loky_reducers_add_sockets (LokyReducerRegistry *registry)
{
  add (registry, G_TYPE_SOCKET, reduce_socket, rebuild_socket);
  add (registry, G_TYPE_SOCKET_CONNECTION, reduce_connection, rebuild_connection);
  add (registry, G_TYPE_UNIX_FD_LIST, reduce_fd_list, rebuild_fd_list);
}
