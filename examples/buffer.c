/* SPDX-License-Identifier: MIT-0 */

/* Bulk data to a task and back in shared memory: it is handed over, not copied. */

#include <string.h>

#include <loky.h>

#define SIZE (64 * 1024 * 1024)

static LokyBuffer *
fill_buffer (GError **error)
{
  LokyBuffer *buffer = loky_buffer_new (SIZE, error);

  if (buffer != NULL)
    memset (loky_buffer_get_writable_data (buffer), 'x', SIZE);
  return buffer;
}

/* The task returns the handle that it was given; what the handle refers to comes with the result. */
static LokyBuffer *
send_and_return (LokyExecutor *executor, LokyBuffer *buffer, GError **error)
{
  /* From here on the buffer is sealed: nobody can change it any more. */
  g_autoptr (GVariant) args = loky_buffer_to_variant (buffer, error);
  g_autoptr (LokyFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  if (args == NULL)
    return NULL;
  future = loky_executor_submit (executor, "demo.echo", args, NULL, error);
  if (future == NULL || !loky_future_wait (future, -1, NULL, error))
    return NULL;
  result = loky_future_dup_result (future, error);
  if (result == NULL)
    return NULL;
  return loky_future_lookup_buffer (future, g_variant_get_handle (result), error);
}

int
main (void)
{
  g_autoptr (LokyExecutor) executor = loky_executor_new (1);
  g_autoptr (GError) error = NULL;
  g_autoptr (LokyBuffer) sent = fill_buffer (&error);
  g_autoptr (LokyBuffer) returned = NULL;
  g_autoptr (GBytes) sent_bytes = NULL;
  g_autoptr (GBytes) returned_bytes = NULL;
  gint64 start;

  if (sent == NULL || !loky_executor_warm_up_sync (executor, 1, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  start = g_get_monotonic_time ();
  returned = send_and_return (executor, sent, &error);
  if (returned == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  g_print ("%d MiB there and back in %.2f ms\n", SIZE >> 20,
           (g_get_monotonic_time () - start) / 1000.0);

  sent_bytes = loky_buffer_dup_bytes (sent, &error);
  returned_bytes = sent_bytes != NULL ? loky_buffer_dup_bytes (returned, &error) : NULL;
  if (returned_bytes == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  return g_bytes_equal (sent_bytes, returned_bytes) ? 0 : 1;
}
