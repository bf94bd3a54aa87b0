/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where the items of a map come from. */

#include "loky-input-private.h"

/* A listener that counts; one reference is held by who attaches it. */
typedef struct
{
  gatomicrefcount ref_count;
  gint n_told; /* atomic */
} Listener;

static gpointer
listener_ref (gpointer data)
{
  g_atomic_ref_count_inc (&((Listener *) data)->ref_count);
  return data;
}

static void
listener_unref (gpointer data)
{
  Listener *listener = data;

  if (g_atomic_ref_count_dec (&listener->ref_count))
    g_free (listener);
}

static Listener *
listener_new (void)
{
  Listener *listener = g_new0 (Listener, 1);

  g_atomic_ref_count_init (&listener->ref_count);
  return listener;
}

static void
listener_cb (gpointer user_data)
{
  g_atomic_int_inc (&((Listener *) user_data)->n_told);
}

static gboolean
attach (LokyInput *input, Listener *listener)
{
  return loky_input_attach (input, listener_cb, listener, listener_ref, listener_unref);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Listener, listener_unref)

/* Takes one item, which must be what @expected prints as. */
static void
check_item (LokyInput *input, const char *expected)
{
  g_autoptr (GVariant) item = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  g_assert_cmpint (loky_input_take (input, TRUE, &item, &error), ==, LOKY_INPUT_ITEM);
  g_assert_no_error (error);
  g_assert_false (g_variant_is_floating (item));
  text = g_variant_print (item, FALSE);
  g_assert_cmpstr (text, ==, expected);
}

static void
check_status (LokyInput *input, gboolean may_ask, LokyInputStatus expected)
{
  g_autoptr (GError) error = NULL;
  GVariant *item = NULL;

  g_assert_cmpint (loky_input_take (input, may_ask, &item, &error), ==, expected);
  g_assert_no_error (error);
  g_assert_null (item);
}

static void
check_failed (LokyInput *input, GQuark domain, int code, const char *message)
{
  /* It stays failed, with the same error. */
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      GVariant *item = NULL;

      g_assert_cmpint (loky_input_take (input, TRUE, &item, &error), ==, LOKY_INPUT_FAILED);
      g_assert_error (error, domain, code);
      g_assert_cmpstr (error->message, ==, message);
      g_assert_null (item);
    }
}

static void
test_array (void)
{
  g_autoptr (LokyInput) input =
      loky_input_new_for_array (g_variant_new_parsed ("[(1, 'a'), (2, 'b')]"));

  /* Without asking there is nothing. */
  check_status (input, FALSE, LOKY_INPUT_NOTHING);
  check_item (input, "(1, 'a')");
  check_item (input, "(2, 'b')");
  check_status (input, TRUE, LOKY_INPUT_ENDED);
  check_status (input, TRUE, LOKY_INPUT_ENDED);
}

static void
test_array_of_variants (void)
{
  g_autoptr (LokyInput) input =
      loky_input_new_for_array (g_variant_new_parsed ("[<1>, <'two'>, <<3>>]"));

  check_item (input, "1");
  check_item (input, "'two'");
  /* Only one layer is taken off. */
  check_item (input, "<3>");
  check_status (input, TRUE, LOKY_INPUT_ENDED);
}

static void
test_empty_array (void)
{
  g_autoptr (LokyInput) input = loky_input_new_for_array (g_variant_new_parsed ("@as []"));

  check_status (input, TRUE, LOKY_INPUT_ENDED);
}

static void
test_strv (void)
{
  g_autoptr (LokyInput) input = loky_input_new_for_strv ((const char *const[]){ "a", "", NULL });

  check_item (input, "'a'");
  check_item (input, "''");
  check_status (input, TRUE, LOKY_INPUT_ENDED);
}

/* --- models ----------------------------------------------------------------------------------- */

static GListModel *
make_model (void)
{
  GListStore *store = g_list_store_new (G_TYPE_SIMPLE_ACTION);
  static const char *const names[] = { "one", "two", "three" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GSimpleAction) action = g_simple_action_new (names[i], NULL);

      g_list_store_append (store, action);
    }
  return G_LIST_MODEL (store);
}

/* A floating reference from the first, a full one from the others, an error where @user_data says.
 */
static GVariant *
name_of_item (gpointer item, gpointer user_data, GError **error)
{
  const char *name = g_action_get_name (G_ACTION (item));

  if (g_strcmp0 (name, user_data) == 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no such item");
      return NULL;
    }
  if (g_str_equal (name, "one"))
    return g_variant_new_string (name);
  return g_variant_ref_sink (g_variant_new_string (name));
}

static void
test_model (void)
{
  g_autoptr (GListModel) model = make_model ();
  g_autoptr (LokyInput) input = loky_input_new_for_model (model, name_of_item, NULL, NULL);

  check_item (input, "'one'");
  check_item (input, "'two'");
  check_item (input, "'three'");
  check_status (input, TRUE, LOKY_INPUT_ENDED);
}

static void
test_model_fails (void)
{
  g_autoptr (GListModel) model = make_model ();
  g_autoptr (LokyInput) input =
      loky_input_new_for_model (model, name_of_item, g_strdup ("two"), g_free);

  check_item (input, "'one'");
  check_failed (input, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no such item");
}

static GVariant *
no_item (gpointer item, gpointer user_data, GError **error)
{
  return NULL;
}

static void
test_model_fails_without_error (void)
{
  g_autoptr (GListModel) model = make_model ();
  g_autoptr (LokyInput) input = loky_input_new_for_model (model, no_item, NULL, NULL);

  check_failed (input, G_IO_ERROR, G_IO_ERROR_FAILED,
                "The function that supplies the input failed without saying why");
}

/* --- functions -------------------------------------------------------------------------------- */

/* What a function does when it is called for the n-th time: a letter each. */
typedef struct
{
  const char *script;
  guint n_calls;
} Script;

static gboolean
run_script (LokyInput *input, gpointer user_data, GError **error)
{
  Script *script = user_data;
  char step = script->script[script->n_calls++];

  switch (step)
    {
    case '1':
      loky_input_push (input, g_variant_new_uint32 (script->n_calls));
      return TRUE;
    case '2':
      loky_input_push (input, g_variant_new_string ("first"));
      loky_input_push (input, g_variant_new_string ("second"));
      return TRUE;
    case 'l': /* the last one, and the end with it */
      loky_input_push (input, g_variant_new_string ("last"));
      loky_input_end (input);
      return TRUE;
    case '-':
      return TRUE;
    case 'e':
      loky_input_end (input);
      return TRUE;
    case 'f': /* gives one before it fails */
      loky_input_push (input, g_variant_new_string ("before"));
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the source is closed");
      return FALSE;
    case 'F':
      return FALSE;
    case 'E': /* an exception of another language */
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the source is closed");
      return TRUE;
    default:
      g_assert_not_reached ();
    }
}

static LokyInput *
make_scripted (Script *script)
{
  return loky_input_new (run_script, script, NULL);
}

static void
test_function_pushes (void)
{
  Script script = { "12e" };
  g_autoptr (LokyInput) input = make_scripted (&script);

  check_item (input, "1");
  check_item (input, "'first'");
  g_assert_cmpuint (script.n_calls, ==, 2);
  /* It is not asked while something is at hand. */
  check_item (input, "'second'");
  g_assert_cmpuint (script.n_calls, ==, 2);
  check_status (input, TRUE, LOKY_INPUT_ENDED);
  check_status (input, TRUE, LOKY_INPUT_ENDED);
  g_assert_cmpuint (script.n_calls, ==, 3);
}

static void
test_function_pushes_and_ends (void)
{
  Script script = { "l" };
  g_autoptr (LokyInput) input = make_scripted (&script);

  check_item (input, "'last'");
  check_status (input, TRUE, LOKY_INPUT_ENDED);
  g_assert_cmpuint (script.n_calls, ==, 1);
}

/* It has nothing now: it is asked again only after somebody pushed. */
static void
test_function_says_nothing_now (void)
{
  Script script = { "--e" };
  g_autoptr (LokyInput) input = make_scripted (&script);

  check_status (input, TRUE, LOKY_INPUT_NOTHING);
  check_status (input, TRUE, LOKY_INPUT_NOTHING);
  g_assert_cmpuint (script.n_calls, ==, 1);
  loky_input_push (input, g_variant_new_boolean (TRUE));
  check_item (input, "true");
  check_status (input, TRUE, LOKY_INPUT_NOTHING);
  g_assert_cmpuint (script.n_calls, ==, 2);
  loky_input_end (input);
  check_status (input, TRUE, LOKY_INPUT_ENDED);
  g_assert_cmpuint (script.n_calls, ==, 2);
}

/* The items before the failure still come. */
static void
test_function_fails (void)
{
  Script script = { "1f" };
  g_autoptr (LokyInput) input = make_scripted (&script);

  check_item (input, "1");
  check_item (input, "'before'");
  check_failed (input, G_IO_ERROR, G_IO_ERROR_CLOSED, "the source is closed");
  g_assert_cmpuint (script.n_calls, ==, 2);
}

static void
test_function_fails_without_error (void)
{
  Script script = { "F" };
  g_autoptr (LokyInput) input = make_scripted (&script);

  check_failed (input, G_IO_ERROR, G_IO_ERROR_FAILED,
                "The function that supplies the input failed without saying why");
}

static void
test_function_sets_error_and_returns_true (void)
{
  Script script = { "E" };
  g_autoptr (LokyInput) input = make_scripted (&script);

  check_failed (input, G_IO_ERROR, G_IO_ERROR_CLOSED, "the source is closed");
}

static void
test_fail (void)
{
  Script script = { "-" };
  g_autoptr (LokyInput) input = make_scripted (&script);
  g_autoptr (GError) first = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "first");
  g_autoptr (GError) second = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "second");

  loky_input_push (input, g_variant_new_uint32 (1));
  loky_input_fail (input, first);
  loky_input_fail (input, second);
  loky_input_end (input);
  check_item (input, "1");
  check_failed (input, G_IO_ERROR, G_IO_ERROR_CLOSED, "first");
}

static void
test_fail_after_end (void)
{
  Script script = { "" };
  g_autoptr (LokyInput) input = make_scripted (&script);
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "too late");

  loky_input_end (input);
  loky_input_end (input);
  loky_input_fail (input, error);
  check_status (input, TRUE, LOKY_INPUT_ENDED);
}

static void
test_push_after_end (void)
{
  Script script = { "" };
  g_autoptr (LokyInput) input = make_scripted (&script);

  loky_input_end (input);
  g_test_expect_message ("Loky", G_LOG_LEVEL_CRITICAL, "loky_input_push: the input has ended");
  loky_input_push (input, g_variant_new_uint32 (1));
  g_test_assert_expected_messages ();
  check_status (input, TRUE, LOKY_INPUT_ENDED);
}

/* --- listeners -------------------------------------------------------------------------------- */

static void
test_listener (void)
{
  Script script = { "-2" };
  g_autoptr (LokyInput) input = make_scripted (&script);
  g_autoptr (Listener) listener = listener_new ();

  g_assert_true (attach (input, listener));
  check_status (input, TRUE, LOKY_INPUT_NOTHING);
  loky_input_push (input, g_variant_new_uint32 (1));
  g_assert_cmpint (listener->n_told, ==, 1);
  check_item (input, "1");
  /* Not of what is pushed inside take. */
  check_item (input, "'first'");
  g_assert_cmpint (listener->n_told, ==, 1);
  loky_input_end (input);
  g_assert_cmpint (listener->n_told, ==, 2);
}

static void
test_detach (void)
{
  Script script = { "" };
  g_autoptr (LokyInput) input = make_scripted (&script);
  g_autoptr (Listener) listener = listener_new ();

  g_assert_true (attach (input, listener));
  g_assert_false (g_atomic_ref_count_compare (&listener->ref_count, 1));
  loky_input_detach (input);
  loky_input_detach (input);
  g_assert_true (g_atomic_ref_count_compare (&listener->ref_count, 1));
  loky_input_push (input, g_variant_new_uint32 (1));
  g_assert_cmpint (listener->n_told, ==, 0);
}

/* An input serves one map, also after that has ended. */
static void
test_second_attach (void)
{
  Script script = { "" };
  g_autoptr (LokyInput) input = make_scripted (&script);
  g_autoptr (Listener) first = listener_new ();
  g_autoptr (Listener) second = listener_new ();

  g_assert_true (attach (input, first));
  g_assert_false (attach (input, second));
  g_assert_false (attach (input, first));
  loky_input_detach (input);
  g_assert_false (attach (input, second));
  g_assert_true (g_atomic_ref_count_compare (&second->ref_count, 1));
}

static void
test_finalize_detaches (void)
{
  Script script = { "" };
  LokyInput *input = make_scripted (&script);
  g_autoptr (Listener) listener = listener_new ();

  g_assert_true (attach (input, listener));
  loky_input_push (input, g_variant_new_uint32 (1));
  g_object_unref (input);
  g_assert_true (g_atomic_ref_count_compare (&listener->ref_count, 1));
}

static void
set_flag (gpointer data)
{
  *(gboolean *) data = TRUE;
}

static gboolean
never (LokyInput *input, gpointer user_data, GError **error)
{
  g_assert_not_reached ();
}

static void
test_user_data_is_freed (void)
{
  gboolean is_freed = FALSE;
  LokyInput *input = loky_input_new (never, &is_freed, set_flag);

  g_assert_false (is_freed);
  g_object_unref (input);
  g_assert_true (is_freed);
}

#define N_PUSHES 10000

static gpointer
push_many (gpointer user_data)
{
  LokyInput *input = user_data;

  for (guint32 i = 0; i < N_PUSHES; i++)
    loky_input_push (input, g_variant_new_uint32 (i));
  loky_input_end (input);
  return NULL;
}

static void
test_push_from_another_thread (void)
{
  Script script = { "-" };
  g_autoptr (LokyInput) input = make_scripted (&script);
  g_autoptr (Listener) listener = listener_new ();
  LokyInputStatus status;
  GVariant *item;
  GThread *thread;
  guint32 next = 0;

  attach (input, listener);
  thread = g_thread_new ("pusher", push_many, input);
  while ((status = loky_input_take (input, FALSE, &item, NULL)) != LOKY_INPUT_ENDED)
    {
      if (status == LOKY_INPUT_NOTHING)
        {
          g_thread_yield ();
          continue;
        }
      g_assert_cmpuint (g_variant_get_uint32 (item), ==, next++);
      g_variant_unref (item);
    }
  g_thread_join (thread);
  g_assert_cmpuint (next, ==, N_PUSHES);
  g_assert_cmpint (listener->n_told, ==, N_PUSHES + 1);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/input/array", test_array);
  g_test_add_func ("/loky/input/array-of-variants", test_array_of_variants);
  g_test_add_func ("/loky/input/empty-array", test_empty_array);
  g_test_add_func ("/loky/input/strv", test_strv);
  g_test_add_func ("/loky/input/model", test_model);
  g_test_add_func ("/loky/input/model-fails", test_model_fails);
  g_test_add_func ("/loky/input/model-fails-without-error", test_model_fails_without_error);
  g_test_add_func ("/loky/input/function-pushes", test_function_pushes);
  g_test_add_func ("/loky/input/function-pushes-and-ends", test_function_pushes_and_ends);
  g_test_add_func ("/loky/input/function-says-nothing-now", test_function_says_nothing_now);
  g_test_add_func ("/loky/input/function-fails", test_function_fails);
  g_test_add_func ("/loky/input/function-fails-without-error", test_function_fails_without_error);
  g_test_add_func ("/loky/input/function-sets-error-and-returns-true",
                   test_function_sets_error_and_returns_true);
  g_test_add_func ("/loky/input/fail", test_fail);
  g_test_add_func ("/loky/input/fail-after-end", test_fail_after_end);
  g_test_add_func ("/loky/input/push-after-end", test_push_after_end);
  g_test_add_func ("/loky/input/listener", test_listener);
  g_test_add_func ("/loky/input/detach", test_detach);
  g_test_add_func ("/loky/input/second-attach", test_second_attach);
  g_test_add_func ("/loky/input/finalize-detaches", test_finalize_detaches);
  g_test_add_func ("/loky/input/user-data-is-freed", test_user_data_is_freed);
  g_test_add_func ("/loky/input/push-from-another-thread", test_push_from_another_thread);
  return g_test_run ();
}
