/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The reducers of files, and of resources, which are files. What is rebuilt opens nothing. */

#include "loky-reducer-private.h"

#include "loky-resource-private.h"

static GVariant *
reduce_file (const GValue *value, gpointer user_data, GError **error)
{
  g_autofree char *uri = g_file_get_uri (g_value_get_object (value));

  return loky_reduce_text (uri);
}

static void
rebuild_file (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  gboolean is_text = g_variant_is_of_type (form, G_VARIANT_TYPE_STRING);

  if (!is_text && !loky_reduce_check_form (form, "ay", error))
    return;
  g_value_init (value, G_TYPE_FILE);
  g_value_take_object (value, g_file_new_for_uri (is_text ? g_variant_get_string (form, NULL)
                                                          : g_variant_get_bytestring (form)));
}

static GVariant *
reduce_resource (const GValue *value, gpointer user_data, GError **error)
{
  return loky_resource_to_variant (g_value_get_object (value), error);
}

static void
rebuild_resource (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  LokyResource *resource;

  if (!loky_reduce_check_form (form, LOKY_RESOURCE_TYPE, error))
    return;
  resource = loky_resource_new_received (loky_rebuild_get_attachments (), form, error);
  if (resource == NULL)
    return;
  g_value_init (value, LOKY_TYPE_RESOURCE);
  g_value_take_object (value, resource);
}

void
loky_reducers_add_files (LokyReducerRegistry *registry)
{
  loky_reducer_registry_set_reduce_func (registry, G_TYPE_FILE, reduce_file, NULL, NULL);
  loky_reducer_registry_set_rebuild_func (registry, G_TYPE_FILE, rebuild_file, NULL, NULL);
  loky_reducer_registry_set_reduce_func (registry, LOKY_TYPE_RESOURCE, reduce_resource, NULL, NULL);
  loky_reducer_registry_set_rebuild_func (registry, LOKY_TYPE_RESOURCE, rebuild_resource, NULL, NULL);
}
