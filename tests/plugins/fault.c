/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `fault`: its task `obey` does the wrong that it is told to; its other tasks are sound
 * ones of each kind and for each way in which a value travels.
 */

#include <string.h>
#include <sys/mman.h>

#include "fault-private.h"

GVariant *
fault_ok (void)
{
  return g_variant_new_string ("ok");
}

gboolean
fault_parse_number (const char *argument, guint64 *number, GError **error)
{
  return g_ascii_string_to_unsigned (argument, 10, 0, G_MAXINT32, number, error);
}

static const FaultOrder *
find_order (const char *name)
{
  static const FaultOrder *const tables[] = {
    fault_death_orders,
    fault_limits_orders,
    fault_memory_orders,
    fault_output_orders,
    fault_partial_orders,
    fault_nesting_orders,
    fault_process_orders,
    fault_surroundings_orders,
    fault_value_orders,
  };

  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++)
    {
      for (const FaultOrder *order = tables[i]; order->name != NULL; order++)
        {
          if (g_str_equal (order->name, name))
            return order;
        }
    }

  return NULL;
}

static GVariant *
obey (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  const char *text = g_variant_get_string (args, NULL);
  const char *colon = strchr (text, ':');
  g_autofree char *name = colon != NULL ? g_strndup (text, colon - text) : g_strdup (text);
  const FaultOrder *order = find_order (name);

  if (order == NULL)
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT, "There is no order “%s”", text);
      return NULL;
    }

  return order->func (context, colon != NULL ? colon + 1 : "", error);
}

static GVariant *
obey_any (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_ref (args);
}

static void
fill_pattern (guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    bytes[i] = (i * 7 + 3) & 0xff;
}

static guint64
sum_bytes (const guint8 *bytes, gsize length)
{
  guint64 sum = 0;

  for (gsize i = 0; i < length; i++)
    sum += bytes[i];

  return sum;
}

static GVariant *
make_bytes (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  guint64 length = g_variant_get_uint64 (args);
  guint8 *bytes = g_try_malloc (MAX (length, 1));
  g_autoptr (GBytes) contents = NULL;

  if (bytes == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "malloc() found no memory");
      return NULL;
    }

  fill_pattern (bytes, length);
  contents = g_bytes_new_take (bytes, length);
  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, contents, TRUE);
}

/* A value in that many containers, deeper than GVariant reads if it is told so. */
static GVariant *
make_nested (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  guint64 depth = g_variant_get_uint64 (args);
  GVariant *value = g_variant_new_variant (g_variant_new_boolean (TRUE));

  for (guint64 i = 1; i < depth; i++)
    value = g_variant_new_variant (value);
  return value;
}

static void
unmap (gpointer bytes)
{
  g_bytes_unref (bytes);
}

static void
nothing (gpointer unused)
{
}

/* A value of that size without the memory: the pages of the mapping are never touched, and not given back. */
static GVariant *
make_sparse (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  guint64 length = g_variant_get_uint64 (args);
  gpointer memory = mmap (NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  GBytes *bytes;

  if (memory == MAP_FAILED)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "mmap() found no address space");
      return NULL;
    }
  bytes = g_bytes_new_with_free_func (memory, length, nothing, NULL);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, memory, length, TRUE, unmap, bytes);
}

static GVariant *
make_sparse_numbers (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  gsize length = g_variant_get_uint64 (args) * sizeof (gint64);
  gpointer memory = mmap (NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  if (memory == MAP_FAILED)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "mmap() found no address space");
      return NULL;
    }
  return g_variant_new_from_data (G_VARIANT_TYPE ("ax"), memory, length, TRUE, nothing, NULL);
}

static GVariant *
measure (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return g_variant_new_uint64 (g_variant_get_size (args));
}

static GVariant *
sum_task (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  gsize length;
  const guint8 *bytes = g_variant_get_fixed_array (args, &length, sizeof (guint8));

  return g_variant_new_uint64 (sum_bytes (bytes, length));
}

/* Without overflow, which C leaves undefined for signed numbers. */
static gboolean
square (LokyTaskContext *context,
        gconstpointer item,
        gpointer result,
        gpointer user_data,
        GError **error)
{
  guint64 number = *(const guint64 *) item;

  *(guint64 *) result = number * number;
  return TRUE;
}

static gboolean
check_positive (LokyTaskContext *context,
                gconstpointer item,
                gpointer result,
                gpointer user_data,
                GError **error)
{
  gint64 number = *(const gint64 *) item;

  *(gint64 *) result = number;
  if (number >= 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%" G_GINT64_FORMAT " is negative", number);
  return FALSE;
}

static GVariant *
negate (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  gsize length;
  const guint64 *numbers = g_variant_get_fixed_array (args, &length, sizeof (guint64));
  g_autofree guint64 *negated = g_new (guint64, MAX (length, 1));

  for (gsize i = 0; i < length; i++)
    negated[i] = -numbers[i];

  return g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, negated, length, sizeof (guint64));
}

/* Which may not be sent by tasks of these kinds. */
static gboolean
send_from_item (LokyTaskContext *context, gconstpointer item, gpointer result, gpointer user_data, GError **error)
{
  return loky_task_context_send_partial (context, g_variant_new_uint32 (1), error);
}

static GVariant *
send_from_batch (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  return loky_task_context_send_partial (context, g_variant_new_uint32 (1), error) ? g_variant_ref (args) : NULL;
}

static GVariant *
sum_buffer (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyBuffer) buffer =
      loky_task_context_lookup_buffer (context, g_variant_get_handle (args), error);
  g_autoptr (GBytes) bytes = buffer != NULL ? loky_buffer_dup_bytes (buffer, error) : NULL;
  const guint8 *data;
  gsize length;

  if (bytes == NULL)
    return NULL;

  data = g_bytes_get_data (bytes, &length);
  return g_variant_new_uint64 (sum_bytes (data, length));
}

/* The buffer has to live until its result is sent: until the next call, here. */
static LokyBuffer *made_buffer;

static GVariant *
make_buffer (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  gsize length = g_variant_get_uint64 (args);
  g_autoptr (LokyBuffer) buffer = loky_buffer_new (length, error);

  if (buffer == NULL)
    return NULL;

  fill_pattern (loky_buffer_get_writable_data (buffer), length);
  g_set_object (&made_buffer, buffer);
  return loky_buffer_to_variant (buffer, error);
}

static const LokyTaskDescriptor tasks[] = {
  {
      .name = "obey",
      .arguments_type = "s",
      .result_type = "s",
      .func = obey,
      .summary = "Does the wrong that it is told to",
      .arguments = "ORDER",
  },
  {
      .name = "obey-any",
      .arguments_type = "*",
      .result_type = "*",
      .func = obey_any,
      .summary = "Returns its argument",
      .arguments = "VALUE",
  },
  {
      .name = "bytes",
      .arguments_type = "t",
      .result_type = "ay",
      .func = make_bytes,
      .summary = "That many bytes, the byte i being (7 i + 3) & 255",
      .arguments = "LENGTH",
  },
  {
      .name = "sparse",
      .arguments_type = "t",
      .result_type = "ay",
      .func = make_sparse,
      .summary = "That many zeroes, without the memory for them",
      .arguments = "LENGTH",
  },
  {
      .name = "sparse-numbers",
      .arguments_type = "t",
      .result_type = "ax",
      .func = make_sparse_numbers,
      .summary = "That many numbers, all 0, without the memory for them",
      .arguments = "COUNT",
  },
  {
      .name = "nested",
      .arguments_type = "t",
      .result_type = "v",
      .func = make_nested,
      .summary = "A value in that many containers",
      .arguments = "DEPTH",
  },
  {
      .name = "size",
      .arguments_type = "*",
      .result_type = "t",
      .func = measure,
      .summary = "The size of its argument, in bytes",
      .arguments = "VALUE",
  },
  {
      .name = "sum",
      .arguments_type = "ay",
      .result_type = "t",
      .func = sum_task,
      .summary = "The sum of the bytes",
      .arguments = "BYTES",
  },
  {
      .name = "square",
      .arguments_type = "x",
      .result_type = "x",
      .kind = LOKY_TASK_KIND_ITEM,
      .item_func = square,
      .summary = "The square of a number",
      .arguments = "NUMBER",
  },
  {
      .name = "positive",
      .arguments_type = "x",
      .result_type = "x",
      .kind = LOKY_TASK_KIND_ITEM,
      .item_func = check_positive,
      .summary = "Its argument, unless it is negative",
      .arguments = "NUMBER",
  },
  {
      .name = "negate",
      .arguments_type = "ax",
      .result_type = "ax",
      .kind = LOKY_TASK_KIND_BATCH,
      .func = negate,
      .summary = "The numbers with the other sign",
      .arguments = "NUMBERS",
  },
  {
      .name = "partial-item",
      .arguments_type = "x",
      .result_type = "x",
      .kind = LOKY_TASK_KIND_ITEM,
      .item_func = send_from_item,
      .summary = "Sends a partial result",
      .arguments = "NUMBER",
  },
  {
      .name = "partial-batch",
      .arguments_type = "ax",
      .result_type = "ax",
      .kind = LOKY_TASK_KIND_BATCH,
      .func = send_from_batch,
      .summary = "Sends a partial result",
      .arguments = "NUMBERS",
  },
  {
      .name = "buffer-sum",
      .arguments_type = "h",
      .result_type = "t",
      .func = sum_buffer,
      .summary = "The sum of the bytes of a buffer",
      .arguments = "BUFFER",
  },
  {
      .name = "buffer-make",
      .arguments_type = "t",
      .result_type = "h",
      .func = make_buffer,
      .summary = "A buffer with what the task bytes returns",
      .arguments = "LENGTH",
  },
};

LOKY_PLUGIN_DEFINE ("fault", "1.0", "Does wrong, for the tests", tasks)
