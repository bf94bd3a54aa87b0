/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From the words of a command line to the arguments of a task, by the type that the task declares:
 * strings as they are, everything else in GVariant's text format. */

#include "cli-arguments.h"

#include "cli-common.h"

#include <string.h>

static const struct
{
  const char *type;
  const char *description;
} descriptions[] = {
  { "b", "a boolean" },
  { "y", "a byte" },
  { "n", "a 16-bit integer" },
  { "q", "an unsigned 16-bit integer" },
  { "i", "a 32-bit integer" },
  { "u", "an unsigned 32-bit integer" },
  { "x", "a 64-bit integer" },
  { "t", "an unsigned 64-bit integer" },
  { "d", "a double" },
  { "s", "a string" },
  { "o", "an object path" },
  { "g", "a type string" },
  { "h", "a buffer" },
  { "v", "a variant" },
  { "ay", "a byte string" },
  { "as", "an array of strings" },
  { "()", "nothing" },
  { "*", "any value" },
  { "?", "any simple value" },
  { "r", "any tuple" },
};

char *
cli_type_dup_description (const char *type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (descriptions); i++)
    if (strcmp (type, descriptions[i].type) == 0)
      return g_strdup (descriptions[i].description);
  if (g_str_has_prefix (type, "a{"))
    return g_strdup ("a dictionary");
  if (type[0] == 'a')
    return g_strdup ("an array");
  if (type[0] == 'm')
    return g_strdup ("a value or nothing");
  return g_strdup ("a tuple");
}

static void
set_error_with_type (const char *task, const char *type, const char *what, GError **error)
{
  g_autofree char *description = cli_type_dup_description (type);
  const char *count = type[0] == '(' ? "arguments" : "one argument";

  if (strcmp (type, "()") == 0)
    g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT, "%s takes no arguments", task);
  else
    g_set_error (error,
                 LOKY_ERROR,
                 LOKY_ERROR_INVALID_ARGUMENT,
                 "%s takes %s of type %s (%s): %s",
                 task,
                 count,
                 type,
                 description,
                 what);
}

/* All of these return a full reference, as g_variant_parse() does.
 *
 * A file name need not be UTF-8, but a string must: the tasks that take files take URIs as well. */
static GVariant *
parse_string (CliText text, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *absolute = NULL;
  g_autofree char *uri = NULL;

  if (G_LIKELY (g_utf8_validate_len (text.text, text.length, NULL)))
    return g_variant_ref_sink (g_variant_new_take_string (g_strndup (text.text, text.length)));
  if (memchr (text.text, '\0', text.length) == NULL)
    {
      path = g_strndup (text.text, text.length);
      absolute = g_canonicalize_filename (path, NULL);
      if (g_file_test (absolute, G_FILE_TEST_EXISTS))
        uri = g_filename_to_uri (absolute, NULL, NULL);
    }
  if (uri != NULL)
    return g_variant_ref_sink (g_variant_new_take_string (g_steal_pointer (&uri)));
  g_set_error_literal (error,
                       LOKY_ERROR,
                       LOKY_ERROR_INVALID_ARGUMENT,
                       "not valid UTF-8, and no file of that name");
  return NULL;
}

/* GVariant's messages begin with the place in the text, such as `0-3:`. */
static const char *
skip_position (const char *message)
{
  const char *colon = strchr (message, ':');

  if (colon != NULL && strspn (message, "0123456789-,") == (gsize) (colon - message))
    return colon + 1;
  return message;
}

static GVariant *
parse_text (const GVariantType *type, CliText text, GError **error)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) local_error = NULL;
  gboolean definite = g_variant_type_is_definite (type);
  g_autofree char *shown = NULL;

  if (g_variant_type_is_subtype_of (G_VARIANT_TYPE_STRING, type))
    return parse_string (text, error);
  if (g_utf8_validate_len (text.text, text.length, NULL))
    value = g_variant_parse (definite ? type : NULL,
                             text.text,
                             text.text + text.length,
                             NULL,
                             &local_error);
  if (value != NULL && g_variant_is_of_type (value, type))
    return g_steal_pointer (&value);
  shown = cli_dup_for_display (text.text, text.length);
  g_set_error (error,
               LOKY_ERROR,
               LOKY_ERROR_INVALID_ARGUMENT,
               "cannot parse “%s”: %s",
               shown,
               local_error != NULL ? skip_position (local_error->message)
               : value != NULL     ? "it is of another type"
                                   : "not valid UTF-8");
  return NULL;
}

static GVariant *
parse_members (const GVariantType *type, const CliText *texts, gsize n_texts, GError **error)
{
  GVariantBuilder builder;
  const GVariantType *member = g_variant_type_first (type);

  if (g_variant_type_n_items (type) != n_texts)
    {
      g_set_error (error,
                   LOKY_ERROR,
                   LOKY_ERROR_INVALID_ARGUMENT,
                   "%" G_GSIZE_FORMAT " needed, %" G_GSIZE_FORMAT " given",
                   g_variant_type_n_items (type),
                   n_texts);
      return NULL;
    }
  g_variant_builder_init (&builder, type);
  for (gsize i = 0; i < n_texts; i++, member = g_variant_type_next (member))
    {
      g_autoptr (GVariant) value = parse_text (member, texts[i], error);

      if (value == NULL)
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
      g_variant_builder_add_value (&builder, value);
    }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* One text that opens with a parenthesis is a whole tuple; otherwise each text is a member. */
static GVariant *
parse_tuple (const GVariantType *type, const CliText *texts, gsize n_texts, GError **error)
{
  gboolean whole = n_texts == 1 && texts[0].length > 0 && texts[0].text[0] == '(';
  gsize n_members = g_variant_type_n_items (type);
  GVariant *value;

  if (n_members == 0 && n_texts == 1 && texts[0].length == 0)
    return g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
  if (!whole)
    return parse_members (type, texts, n_texts, error);
  value = parse_text (type, texts[0], n_members == 1 ? NULL : error);
  if (value == NULL && n_members == 1)
    value = parse_members (type, texts, n_texts, error);
  return value;
}

/* @task: for messages
 * @type: the type string that the task declares
 *
 * Returns: (transfer full): never floating
 */
GVariant *
cli_arguments_parse (const char *task,
                     const char *type,
                     const CliText *texts,
                     gsize n_texts,
                     GError **error)
{
  const GVariantType *variant_type;
  g_autoptr (GError) local_error = NULL;
  GVariant *value = NULL;

  if (G_LIKELY (type[0] == 's' && n_texts == 1))
    return parse_string (texts[0], error);
  if (!g_variant_type_string_is_valid (type) || strchr (type, 'h') != NULL)
    {
      set_error_with_type (task, type, "this command cannot pass buffers", error);
      return NULL;
    }
  variant_type = G_VARIANT_TYPE (type);
  if (n_texts == 0 && strcmp (type, "*") == 0)
    return g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
  if (type[0] == '(')
    value = parse_tuple (variant_type, texts, n_texts, &local_error);
  else if (n_texts == 1)
    value = parse_text (variant_type, texts[0], &local_error);
  else
    local_error = g_error_new (LOKY_ERROR,
                               LOKY_ERROR_INVALID_ARGUMENT,
                               "%" G_GSIZE_FORMAT " given",
                               n_texts);
  if (value == NULL)
    set_error_with_type (task, type, local_error->message, error);
  return value;
}
