/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Types that the tests and the plugin `reduce` both have, each its own. */

#include <loky.h>

/* --- TestPoint: all of it is in its properties --------------------------------------------------- */

typedef enum
{
  TEST_COLOUR_RED,
  TEST_COLOUR_GREEN,
} TestColour;

static GType
test_colour_get_type (void)
{
  static const GEnumValue values[] = {
    { TEST_COLOUR_RED, "TEST_COLOUR_RED", "red" },
    { TEST_COLOUR_GREEN, "TEST_COLOUR_GREEN", "green" },
    { 0, NULL, NULL },
  };
  static GType type;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("TestColour", values));
  return type;
}

G_DECLARE_DERIVABLE_TYPE (TestPoint, test_point, TEST, POINT, GObject)

struct _TestPointClass
{
  GObjectClass parent_class;
};

typedef struct
{
  double x;
  int weight;
  char *label;
  TestColour colour;
  GFile *file;
  TestPoint *next;
} TestPointPrivate;

G_DEFINE_TYPE_WITH_PRIVATE (TestPoint, test_point, G_TYPE_OBJECT)

enum
{
  TEST_POINT_X = 1,
  TEST_POINT_WEIGHT,
  TEST_POINT_LABEL,
  TEST_POINT_COLOUR,
  TEST_POINT_FILE,
  TEST_POINT_NEXT,
  TEST_POINT_SECRET,
};

static void
test_point_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  TestPointPrivate *self = test_point_get_instance_private (TEST_POINT (object));

  switch (id)
    {
    case TEST_POINT_X:
      g_value_set_double (value, self->x);
      break;
    case TEST_POINT_WEIGHT:
      g_value_set_int (value, self->weight);
      break;
    case TEST_POINT_LABEL:
      g_value_set_string (value, self->label);
      break;
    case TEST_POINT_COLOUR:
      g_value_set_enum (value, self->colour);
      break;
    case TEST_POINT_FILE:
      g_value_set_object (value, self->file);
      break;
    case TEST_POINT_NEXT:
      g_value_set_object (value, self->next);
      break;
    default:
      break;
    }
}

static void
test_point_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  TestPointPrivate *self = test_point_get_instance_private (TEST_POINT (object));

  switch (id)
    {
    case TEST_POINT_X:
      self->x = g_value_get_double (value);
      break;
    case TEST_POINT_WEIGHT:
      self->weight = g_value_get_int (value);
      break;
    case TEST_POINT_LABEL:
      g_free (self->label);
      self->label = g_value_dup_string (value);
      break;
    case TEST_POINT_COLOUR:
      self->colour = (TestColour) g_value_get_enum (value);
      break;
    case TEST_POINT_FILE:
      g_set_object (&self->file, g_value_get_object (value));
      break;
    case TEST_POINT_NEXT:
      g_set_object (&self->next, g_value_get_object (value));
      break;
    default:
      break;
    }
}

static void
test_point_finalize (GObject *object)
{
  TestPointPrivate *self = test_point_get_instance_private (TEST_POINT (object));

  g_free (self->label);
  g_clear_object (&self->file);
  g_clear_object (&self->next);
  G_OBJECT_CLASS (test_point_parent_class)->finalize (object);
}

static void
test_point_class_init (TestPointClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = test_point_get_property;
  object_class->set_property = test_point_set_property;
  object_class->finalize = test_point_finalize;
  g_object_class_install_property (object_class, TEST_POINT_X,
                                   g_param_spec_double ("x", NULL, NULL, -1e9, 1e9, 0, flags));
  g_object_class_install_property (
      object_class, TEST_POINT_WEIGHT,
      g_param_spec_int ("weight", NULL, NULL, 0, 100, 1, flags | G_PARAM_CONSTRUCT_ONLY));
  g_object_class_install_property (object_class, TEST_POINT_LABEL,
                                   g_param_spec_string ("label", NULL, NULL, NULL, flags));
  g_object_class_install_property (
      object_class, TEST_POINT_COLOUR,
      g_param_spec_enum ("colour", NULL, NULL, test_colour_get_type (), TEST_COLOUR_RED, flags));
  g_object_class_install_property (object_class, TEST_POINT_FILE,
                                   g_param_spec_object ("file", NULL, NULL, G_TYPE_FILE, flags));
  g_object_class_install_property (object_class, TEST_POINT_NEXT,
                                   g_param_spec_object ("next", NULL, NULL, test_point_get_type (), flags));
  g_object_class_install_property (
      object_class, TEST_POINT_SECRET,
      g_param_spec_string ("secret", NULL, NULL, NULL, G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS));
}

static void
test_point_init (TestPoint *self)
{
}

/* --- TestWord: a boxed type, which nothing but its own functions can send -------------------------- */

typedef struct
{
  char *text;
} TestWord;

G_GNUC_UNUSED static TestWord *
test_word_new (const char *text)
{
  TestWord *self = g_new (TestWord, 1);

  self->text = g_strdup (text);
  return self;
}

static gpointer
test_word_copy (gpointer word)
{
  return test_word_new (((TestWord *) word)->text);
}

static void
test_word_free (gpointer word)
{
  g_free (((TestWord *) word)->text);
  g_free (word);
}

GType test_word_get_type (void);

G_DEFINE_BOXED_TYPE (TestWord, test_word, test_word_copy, test_word_free)

#define TEST_TYPE_WORD (test_word_get_type ())
#define TEST_TYPE_POINT (test_point_get_type ())
