/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values of GObject's types, by the executor's own reducers, by serializers and wrapped; some crash
 * or hang the worker that rebuilds them. */

#include "parts.h"

#include <string.h>

#include "../fixture.h"
#include "../values.h"

#define N_TASKS 12

typedef enum
{
  KIND_STRING,
  KIND_WRAPPED,
  KIND_POINT,
  KIND_WORD,
  KIND_CRASH,
  KIND_HANG,
  KIND_UNREADABLE,
  N_KINDS,
} Kind;

typedef struct
{
  LokyFuture *future;
  Kind kind;
  char *text;
  double x;
} Item;

static GVariant *
reduce_word (const GValue *value, gpointer user_data, GError **error)
{
  return g_variant_new_string (((TestWord *) g_value_get_boxed (value))->text);
}

static void
rebuild_word (GVariant *form, GValue *value, gpointer user_data, GError **error)
{
  g_value_init (value, TEST_TYPE_WORD);
  g_value_take_boxed (value, test_word_new (g_variant_get_string (form, NULL)));
}

/* NULL: the process's own. */
static const char *
draw_serializer (GRand *random, gboolean has_zstd)
{
  static const char *const names[] = { NULL, "gvariant", "test", "zstd" };

  return names[g_rand_int_range (random, 0, has_zstd ? 4 : 3)];
}

/* Its module is built only where the library is. */
static gboolean
has_serializer (SoakPart *part, const char *name)
{
  LokyExecutor *executor = loky_fixture_make_executor ("max-workers", 1, "serializer", name, NULL);
  g_autoptr (LokyFuture) future =
      loky_executor_submit (executor, "fault.obey", g_variant_new_string ("ok"), NULL, NULL);

  if (future != NULL)
    soak_expect_end (part, future, FALSE);
  loky_fixture_end_executor (executor, LOKY_SHUTDOWN_DRAIN);
  return future != NULL;
}

/* A round with one that misbehaves is the exception. */
static Kind
draw_kind (GRand *random)
{
  int dice = g_rand_int_range (random, 0, 100);

  return dice < 35   ? KIND_STRING
         : dice < 60 ? KIND_WRAPPED
         : dice < 75 ? KIND_POINT
         : dice < 90 ? KIND_WORD
         : dice < 94 ? KIND_CRASH
         : dice < 96 ? KIND_HANG
                     : KIND_UNREADABLE;
}

static void
draw_value (GRand *random, Item *item, gboolean has_zstd, GValue *value)
{
  g_auto (GValue) string = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  item->kind = draw_kind (random);
  item->x = g_rand_double (random);
  item->text = item->kind == KIND_CRASH  ? g_strdup ("rebuild-segv")
               : item->kind == KIND_HANG ? g_strdup ("rebuild-hang")
               : item->kind == KIND_UNREADABLE
                   ? g_strdup ("rebuild-fail")
                   : g_strnfill ((gsize) g_rand_int_range (random, 0, 60000), 'x');
  if (item->kind == KIND_STRING)
    init_string (value, item->text);
  else if (item->kind == KIND_WRAPPED)
    {
      LokyWrapper *wrapper;

      init_string (&string, item->text);
      wrapper = loky_wrapper_new (&string, draw_serializer (random, has_zstd), &error);
      soak_expect (wrapper != NULL, "nothing can be wrapped: %s",
                   error != NULL ? error->message : "");
      init_object (value, LOKY_TYPE_WRAPPER, wrapper);
    }
  else if (item->kind == KIND_POINT)
    init_object (value, TEST_TYPE_POINT, g_object_new (TEST_TYPE_POINT, "x", item->x, NULL));
  else
    {
      g_value_init (value, TEST_TYPE_WORD);
      g_value_take_boxed (value, test_word_new (item->text));
    }
}

static gboolean
submit_one (GRand *random, LokyExecutor *executor, gboolean has_zstd, Item *item)
{
  g_autoptr (LokyTaskOptions) options =
      g_object_new (LOKY_TYPE_TASK_OPTIONS, "cancel-grace", (gint64) 20, NULL);
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  draw_value (random, item, has_zstd, &value);
  if (item->kind == KIND_HANG)
    loky_task_options_set_timeout (options, 50);
  item->future = loky_executor_submit_values (executor, "reduce.echo", &value, 1, options, &error);
  return soak_expect (item->future != NULL, "a value was refused: %s",
                      error != NULL ? error->message : "");
}

static gboolean
is_same (const Item *item, const GValue *value)
{
  if (item->kind == KIND_POINT)
    {
      double x = -1;

      if (G_VALUE_HOLDS (value, TEST_TYPE_POINT))
        g_object_get (g_value_get_object (value), "x", &x, NULL);
      return x == item->x;
    }
  if (item->kind == KIND_WORD)
    return G_VALUE_HOLDS (value, TEST_TYPE_WORD) &&
           strcmp (((TestWord *) g_value_get_boxed (value))->text, item->text) == 0;
  return G_VALUE_HOLDS_STRING (value) && g_strcmp0 (g_value_get_string (value), item->text) == 0;
}

static gboolean
is_expected (SoakPart *part, const Item *item, const GError *error, gboolean may_die)
{
  /* What was to hang may die with its worker before. */
  if (item->kind == KIND_HANG && g_error_matches (error, LOKY_ERROR, LOKY_ERROR_TIMED_OUT))
    return TRUE;
  if (item->kind == KIND_UNREADABLE && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA))
    return TRUE;
  return (may_die || item->kind == KIND_CRASH) && soak_is_death (part, error);
}

static void
settle (SoakPart *part, Item *item, gboolean may_die)
{
  g_autoptr (GError) error = soak_end_of (item->future);
  g_auto (GValue) value = G_VALUE_INIT;

  if (error == NULL && loky_future_dup_value (item->future, &value, &error))
    soak_expect (item->kind < KIND_CRASH && is_same (item, &value),
                 "another value came back, of kind %d", item->kind);
  else
    soak_expect (is_expected (part, item, error, may_die), "value of kind %d: %s", item->kind,
                 error->message);
  g_clear_object (&item->future);
  g_clear_pointer (&item->text, g_free);
}

static void
play (SoakPart *part, GRand *random, LokyExecutor *executor, gboolean has_zstd)
{
  Item items[N_TASKS] = { { NULL } };
  gboolean may_die = FALSE;
  guint n = 0;

  while (n < N_TASKS && submit_one (random, executor, has_zstd, &items[n]))
    n++;
  if (n > 0 && g_rand_int_range (random, 0, 3) == 0)
    may_die = soak_kill (part, random, executor);
  for (guint i = 0; i < n; i++)
    settle (part, &items[i], may_die);
  g_atomic_int_inc (&part->n_rounds);
}

gpointer
soak_run_values (gpointer data)
{
  SoakPart *part = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (part->seed);
  gboolean has_zstd = has_serializer (part, "zstd");

  while (!soak_is_over ())
    {
      g_autoptr (LokyReducerRegistry) registry = make_registry ();
      LokyExecutor *executor;

      loky_reducer_registry_set_reduce_func (registry, TEST_TYPE_WORD, reduce_word, NULL, NULL);
      loky_reducer_registry_set_rebuild_func (registry, TEST_TYPE_WORD, rebuild_word, NULL, NULL);
      executor =
          soak_draw_executor (random, (guint) g_rand_int_range (random, 1, 4), "serializer",
                              draw_serializer (random, has_zstd), "job-reducers", registry, NULL);
      part->is_spent = FALSE;
      for (guint i = 0; i < 10 && !part->is_spent && !soak_is_over (); i++)
        play (part, random, executor, has_zstd);
      soak_end_executor (random, executor);
    }
  return NULL;
}
