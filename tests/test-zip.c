/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Maps over several inputs at once. */

#include "fixture.h"

static LokyInput *
make_array (const char *text)
{
  return loky_input_new_for_array (g_variant_new_parsed (text));
}

/* Takes over the inputs. */
static LokyInput *
make_zip (LokyInput *first, LokyInput *second)
{
  LokyInput *inputs[] = { first, second };
  LokyInput *zip = loky_input_new_zip (inputs, 2);

  g_object_unref (first);
  g_object_unref (second);
  return zip;
}

/* What the map gives, as text; then its error. */
static char *
map_all (LokyExecutor *executor, const char *task, LokyInput *input, guint chunk_size, GError **error)
{
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  g_autoptr (LokyResults) results = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  LokyFuture *future;

  loky_map_options_set_chunk_size (options, chunk_size);
  results = loky_executor_map (executor, task, input, options);
  while ((future = loky_results_next (results, NULL, error)) != NULL)
    {
      g_autoptr (GVariant) result = loky_future_dup_result (future, NULL);
      g_autofree char *printed = g_variant_print (result, FALSE);

      g_string_append_printf (text, "%s ", printed);
      g_object_unref (future);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
items_are_tuples (LokyFixture *fixture, gconstpointer data)
{
  for (guint chunk_size = 0; chunk_size < 4; chunk_size++)
    {
      g_autoptr (LokyInput) zip
          = make_zip (make_array ("[@t 0, 10, 100]"), make_array ("[@t 10, 20, 110, 120]"));
      g_autoptr (LokyInput) mixed = make_zip (make_array ("['a', 'b']"), make_array ("[<@i 1>, <'x'>]"));
      g_autoptr (GError) error = NULL;
      g_autofree char *primes = map_all (fixture->executor, "demo.primes", zip, chunk_size, &error);
      g_autofree char *same = NULL;

      g_assert_no_error (error);
      g_assert_cmpstr (primes, ==, "4 4 4 ");
      same = map_all (fixture->executor, "demo.echo", mixed, chunk_size, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (same, ==, "('a', 1) ('b', 'x') ");
    }
}

static void
zips_may_be_zipped (LokyFixture *fixture, gconstpointer data)
{
  g_autoptr (LokyInput) zip = make_zip (make_zip (make_array ("[@i 1, 2]"), make_array ("['a', 'b']")),
                                        make_array ("[true, false]"));
  g_autoptr (GError) error = NULL;
  g_autofree char *text = map_all (fixture->executor, "demo.echo", zip, 1, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "((1, 'a'), true) ((2, 'b'), false) ");
}

static gboolean
never (LokyInput *input, gpointer user_data, GError **error)
{
  return TRUE;
}

static gboolean
fail_third (LokyInput *input, gpointer user_data, GError **error)
{
  guint *n = user_data;

  if (++*n == 3)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no third one");
      return FALSE;
    }
  loky_input_push (input, g_variant_new_uint32 (*n));
  return TRUE;
}

static void
failure_of_one_is_that_of_all (LokyFixture *fixture, gconstpointer data)
{
  guint n = 0;
  g_autoptr (LokyInput) zip
      = make_zip (make_array ("[@i 1, 2, 3, 4]"), loky_input_new (fail_third, &n, NULL));
  g_autoptr (GError) error = NULL;
  g_autofree char *text = map_all (fixture->executor, "demo.echo", zip, 1, &error);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_cmpstr (text, ==, "(1, 1) (2, 2) ");
}

static gpointer
push_pairs (gpointer data)
{
  LokyInput **inputs = data;

  for (guint32 i = 0; i < 1000; i++)
    {
      loky_input_push (inputs[i % 2], g_variant_new_uint32 (i));
      loky_input_push (inputs[1 - i % 2], g_variant_new_uint32 (i));
    }
  loky_input_end (inputs[1]);
  return NULL;
}

/* What is pushed to one is there when the other one has as much. */
static void
another_thread_may_push (LokyFixture *fixture, gconstpointer data)
{
  LokyInput *inputs[] = { loky_input_new (never, NULL, NULL), loky_input_new (never, NULL, NULL) };
  g_autoptr (LokyInput) zip = loky_input_new_zip (inputs, 2);
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", zip, NULL);
  GThread *thread = g_thread_new ("pusher", push_pairs, inputs);
  guint32 n_results = 0;
  g_autoptr (GError) error = NULL;
  LokyFuture *future;

  while ((future = loky_results_next (results, NULL, &error)) != NULL)
    {
      g_autoptr (GVariant) result = loky_future_dup_result (future, NULL);
      guint32 first, second;

      g_variant_get (result, "(uu)", &first, &second);
      g_assert_cmpuint (first, ==, n_results);
      g_assert_cmpuint (second, ==, n_results);
      n_results++;
      g_object_unref (future);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n_results, ==, 1000);
  g_thread_join (thread);
  g_object_unref (inputs[0]);
  g_object_unref (inputs[1]);
}

/* The second one's function feeds both. */
static gboolean
feed_both (LokyInput *input, gpointer user_data, GError **error)
{
  LokyInput **first = user_data;
  static guint32 n;

  loky_input_push (input, g_variant_new_uint32 (n));
  loky_input_push (*first, g_variant_new_uint32 (n));
  if (++n == 3)
    loky_input_end (input);
  return TRUE;
}

static void
one_may_feed_the_other (LokyFixture *fixture, gconstpointer data)
{
  LokyInput *first = loky_input_new (never, NULL, NULL);
  g_autoptr (LokyInput) zip = make_zip (first, loky_input_new (feed_both, &first, NULL));
  g_autoptr (GError) error = NULL;
  g_autofree char *text = map_all (fixture->executor, "demo.echo", zip, 1, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "(0, 0) (1, 1) (2, 2) ");
}

/* All inputs go with their map, though it was not taken to its end. */
static void
inputs_go_with_the_map (LokyFixture *fixture, gconstpointer data)
{
  LokyInput *first = loky_input_new (never, NULL, NULL);
  LokyInput *second = make_array ("[@i 1]");
  LokyInput *zip;
  LokyResults *results;

  g_object_add_weak_pointer (G_OBJECT (first), (gpointer *) &first);
  g_object_add_weak_pointer (G_OBJECT (second), (gpointer *) &second);
  zip = make_zip (first, second);
  results = loky_executor_map (fixture->executor, "demo.echo", zip, NULL);
  g_object_unref (zip);
  g_assert_nonnull (first);
  g_object_unref (results);
  g_assert_null (first);
  g_assert_null (second);
}

static void
input_serves_one_map (LokyFixture *fixture, gconstpointer data)
{
  LokyInput *shared = make_array ("['a', 'b']");
  g_autoptr (LokyInput) first = make_zip (g_object_ref (shared), make_array ("[@i 1, 2]"));
  g_autoptr (LokyInput) second = make_zip (make_array ("[@i 1, 2]"), g_object_ref (shared));
  g_autoptr (LokyInput) twice = make_zip (g_object_ref (shared), g_object_ref (shared));
  LokyInput *others[] = { second, twice, shared };
  g_autoptr (LokyResults) results = loky_executor_map (fixture->executor, "demo.echo", first, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *text = map_all (fixture->executor, "demo.echo", others[i], 1, &error);

      g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
      g_assert_cmpstr (text, ==, "");
    }
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (LokyFuture) future = loky_results_next (results, NULL, NULL);

      g_assert_nonnull (future);
    }
  g_object_unref (shared);
}

int
main (int argc, char **argv)
{
  loky_fixture_init (&argc, &argv);

  LOKY_FIXTURE_ADD ("/loky/zip/tuples", items_are_tuples);
  LOKY_FIXTURE_ADD ("/loky/zip/nested", zips_may_be_zipped);
  LOKY_FIXTURE_ADD ("/loky/zip/failure", failure_of_one_is_that_of_all);
  LOKY_FIXTURE_ADD ("/loky/zip/another-thread-may-push", another_thread_may_push);
  LOKY_FIXTURE_ADD ("/loky/zip/one-feeds-the-other", one_may_feed_the_other);
  LOKY_FIXTURE_ADD ("/loky/zip/inputs-go-with-the-map", inputs_go_with_the_map);
  LOKY_FIXTURE_ADD ("/loky/zip/serves-one-map", input_serves_one_map);

  return g_test_run ();
}
