/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-close-private.h"

#include "loky-util-private.h"

static gpointer
close_cb (gpointer data)
{
  close (GPOINTER_TO_INT (data));
  return NULL;
}

gboolean
loky_close_apart (int fd)
{
  GThread *thread = g_thread_try_new ("loky-close", close_cb, GINT_TO_POINTER (fd), NULL);

  if (thread != NULL)
    g_thread_unref (thread);
  return thread != NULL;
}

void
loky_close_trusted (int fd)
{
  if (fcntl (fd, F_GET_SEALS) >= 0 || fcntl (fd, F_GETPIPE_SZ) >= 0 || !loky_close_apart (fd))
    close (fd);
}
