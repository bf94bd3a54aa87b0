/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `{result}  {input}`: the form of a line of output. Taken apart once, filled in a million times. */

#include "cli-template.h"

#include <string.h>

typedef enum
{
  PART_LITERAL,
  PART_RESULT,
  PART_INPUT,
  PART_INDEX,
} PartKind;

static const char *const placeholders[] = {
  [PART_RESULT] = "result",
  [PART_INPUT] = "input",
  [PART_INDEX] = "index",
};

typedef struct
{
  PartKind kind;
  gsize offset;
  gsize length;
} Part;

struct _CliTemplate
{
  GArray *parts;
  GString *literals;
};

static void
add_literal (CliTemplate *self, char character)
{
  Part *last = self->parts->len > 0
                   ? &g_array_index (self->parts, Part, self->parts->len - 1)
                   : NULL;

  if (last == NULL || last->kind != PART_LITERAL)
    {
      Part part = { PART_LITERAL, self->literals->len, 1 };

      g_array_append_val (self->parts, part);
    }
  else
    {
      last->length++;
    }
  g_string_append_c (self->literals, character);
}

/* @text points after the brace. Returns what follows the placeholder. */
static const char *
add_placeholder (CliTemplate *self, const char *text, GError **error)
{
  const char *end = strchr (text, '}');

  if (end == NULL)
    {
      g_set_error (error,
                   G_OPTION_ERROR,
                   G_OPTION_ERROR_BAD_VALUE,
                   "“{%s” is not closed; “{{” stands for a brace",
                   text);
      return NULL;
    }
  for (gsize i = PART_RESULT; i < G_N_ELEMENTS (placeholders); i++)
    if (strlen (placeholders[i]) == (gsize) (end - text) &&
        strncmp (placeholders[i], text, end - text) == 0)
      {
        Part part = { i, 0, 0 };

        g_array_append_val (self->parts, part);
        return end + 1;
      }
  g_set_error (error,
               G_OPTION_ERROR,
               G_OPTION_ERROR_BAD_VALUE,
               "“{%.*s}” is unknown; there are {result}, {input} and {index}",
               (int) (end - text),
               text);
  return NULL;
}

/* @text points after the backslash. */
static const char *
add_escape (CliTemplate *self, const char *text, GError **error)
{
  static const char letters[] = "nt0\\";
  static const char characters[] = "\n\t\0\\";
  const char *found = *text != '\0' ? strchr (letters, *text) : NULL;

  if (found == NULL)
    {
      g_set_error (error,
                   G_OPTION_ERROR,
                   G_OPTION_ERROR_BAD_VALUE,
                   "“\\%.1s” is unknown; there are \\n, \\t, \\0 and \\\\",
                   text);
      return NULL;
    }
  add_literal (self, characters[found - letters]);
  return text + 1;
}

static gboolean
take_apart (CliTemplate *self, const char *text, GError **error)
{
  while (text != NULL && *text != '\0')
    {
      if (*text == '\\')
        {
          text = add_escape (self, text + 1, error);
        }
      else if ((*text == '{' || *text == '}') && text[1] == *text)
        {
          add_literal (self, *text);
          text += 2;
        }
      else if (*text == '{')
        {
          text = add_placeholder (self, text + 1, error);
        }
      else
        {
          add_literal (self, *text);
          text++;
        }
    }
  return text != NULL;
}

CliTemplate *
cli_template_new (const char *text, GError **error)
{
  g_autoptr (CliTemplate) self = g_new0 (CliTemplate, 1);

  self->parts = g_array_new (FALSE, FALSE, sizeof (Part));
  self->literals = g_string_new (NULL);
  return take_apart (self, text, error) ? g_steal_pointer (&self) : NULL;
}

void
cli_template_free (CliTemplate *self)
{
  g_array_unref (self->parts);
  g_string_free (self->literals, TRUE);
  g_free (self);
}

/* A string as it is, anything else in GVariant's text format. */
void
cli_value_append (GString *output, GVariant *value)
{
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    {
      gsize length;
      const char *text = g_variant_get_string (value, &length);

      g_string_append_len (output, text, length);
      return;
    }
  g_variant_print_string (value, output, FALSE);
}

void
cli_template_append (CliTemplate *self,
                     GString *output,
                     GVariant *result,
                     CliText input,
                     guint64 index)
{
  for (guint i = 0; i < self->parts->len; i++)
    {
      const Part *part = &g_array_index (self->parts, Part, i);

      switch (part->kind)
        {
        case PART_RESULT:
          cli_value_append (output, result);
          break;
        case PART_INPUT:
          g_string_append_len (output, input.text, input.length);
          break;
        case PART_INDEX:
          g_string_append_printf (output, "%" G_GUINT64_FORMAT, index);
          break;
        case PART_LITERAL:
        default:
          g_string_append_len (output, self->literals->str + part->offset, part->length);
          break;
        }
    }
}
