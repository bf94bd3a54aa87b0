/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `resource`: the worker's side of the tests of resources. */

#include <loky.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

static LokyResource *
lookup (LokyTaskContext *context, GVariant *args, guint i, GError **error)
{
  g_autoptr (GVariant) value = g_variant_get_child_value (args, i);

  return loky_task_context_lookup_resource (context, value, error);
}

/* Makes a file that nobody tracks, to tell that it has got so far. */
static gboolean
touch (const char *path, GError **error)
{
  return g_file_set_contents (path, "", 0, error);
}

/* Says that it has it, and holds it until it is stopped, or dies. */
static GVariant *
hold (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyResource) resource = lookup (context, args, 0, error);
  const char *path;

  g_variant_get_child (args, 1, "&s", &path);
  if (resource == NULL || !touch (path, error))
    return NULL;
  while (!loky_task_context_set_error_if_cancelled (context, error))
    g_usleep (1000);
  return NULL;
}

static GVariant *
look (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyResource) resource = lookup (context, args, 0, error);

  if (resource == NULL)
    return NULL;
  return g_variant_new ("(sb)", g_file_peek_path (loky_resource_get_file (resource)),
                        loky_resource_get_kind (resource) == LOKY_RESOURCE_KIND_FOLDER);
}

static GVariant *
forget (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyResource) resource = lookup (context, args, 0, error);

  return resource != NULL && loky_resource_forget (resource, error) ? g_variant_new_boolean (TRUE)
                                                                    : NULL;
}

/* Keeps it beyond the task, as long as the process lives. */
static GVariant *
keep (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  static GSList *kept;
  LokyResource *resource = lookup (context, args, 0, error);

  if (resource == NULL)
    return NULL;
  kept = g_slist_prepend (kept, resource);
  return g_variant_new_int64 (getpid ());
}

static LokyResource *
make_own (GVariant *args, GError **error)
{
  g_autoptr (GFile) file = NULL;
  const char *path;

  g_variant_get_child (args, 0, "&s", &path);
  file = g_file_new_for_path (path);
  if (!touch (path, error))
    return NULL;
  return loky_resource_new (file, LOKY_RESOURCE_KIND_FILE, error);
}

/* One of the worker's own. */
static GVariant *
make (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyResource) resource = make_own (args, error);

  return resource != NULL ? loky_task_context_add_resource (context, resource, error) : NULL;
}

static GVariant *
make_and_die (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyResource) resource = make_own (args, error);

  if (resource != NULL)
    raise (SIGKILL);
  return NULL;
}

static GVariant *
give_back (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_autoptr (LokyResource) resource = lookup (context, args, 0, error);

  return resource != NULL ? loky_task_context_add_resource (context, resource, error) : NULL;
}

static GVariant *
give_value_back (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loky_task_context_dup_value (context, args, 0, &value, error))
    return NULL;
  g_assert (LOKY_IS_RESOURCE (g_value_get_object (&value)));
  return loky_task_context_reduce_value (context, &value, error);
}

#define TASK(task, types, result, function, text)                                                  \
  {                                                                                                \
    .name = task, .arguments_type = types, .result_type = result, .func = function,                \
    .summary = text                                                                                \
  }

static const LokyTaskDescriptor tasks[] = {
  TASK ("hold",
        "((hayb)s)",
        "b",
        hold,
        "Holds a resource until it is stopped; makes a file when it does"),
  TASK ("look", "((hayb))", "(sb)", look, "What a resource is"),
  TASK ("forget", "((hayb))", "b", forget, "Leaves a resource alone"),
  TASK ("keep", "((hayb))", "x", keep, "Keeps a resource beyond the task; the process"),
  TASK ("make", "(s)", "(hayb)", make, "Makes a file and returns it as a resource"),
  TASK ("make-and-die", "(s)", "b", make_and_die, "The same, and dies with it"),
  TASK ("give-back", "((hayb))", "(hayb)", give_back, "Returns a resource"),
  TASK ("give-value-back", "r", "*", give_value_back, "Returns a resource that is a value"),
};

LOKY_PLUGIN_DEFINE ("resource", "1.0", "Uses resources, for the tests", tasks)
