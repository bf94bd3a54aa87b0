/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The pure parts of the `loky` command: templates, and words that become arguments. */

#include "cli-arguments.h"
#include "cli-common.h"
#include "cli-template.h"

#include <string.h>

static void
check_template (const char *text, const char *expected, gsize expected_length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CliTemplate) template = cli_template_new (text, &error);
  g_autoptr (GVariant) result = g_variant_ref_sink (g_variant_new_string ("R"));
  g_autoptr (GString) output = g_string_new (NULL);
  CliText input = { "I", 1 };

  g_assert_no_error (error);
  cli_template_append (template, output, result, input, 7);
  g_assert_cmpmem (output->str, output->len, expected, expected_length);
}

static void
test_template_fills_in (void)
{
  check_template ("", "", 0);
  check_template ("{result}", "R", 1);
  check_template ("{result}  {input}", "R  I", 4);
  check_template ("{index}:{input}{input}", "7:II", 4);
  check_template ("{{{result}}}", "{R}", 3);
  check_template ("a}b", "a}b", 3);
  check_template ("\\n\\t\\\\\\0.", "\n\t\\\0.", 5);
}

static void
test_template_refuses (void)
{
  static const char *const bad[] = { "{", "{}", "{foo}", "{result", "{ result}", "\\", "\\x" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (cli_template_new (bad[i], &error));
      g_assert_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE);
    }
}

static GVariant *
parse (const char *type, const char *const *words, GError **error)
{
  CliText texts[8];
  gsize n_texts = g_strv_length ((char **) words);

  for (gsize i = 0; i < n_texts; i++)
    texts[i] = (CliText){ words[i], strlen (words[i]) };
  return cli_arguments_parse ("a.task", type, texts, n_texts, error);
}

static void
check_arguments (const char *type, const char *const *words, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = parse (type, words, &error);
  g_autoptr (GVariant) expected_value =
      g_variant_parse (NULL, expected, NULL, NULL, NULL);

  g_assert_no_error (error);
  g_assert_false (g_variant_is_floating (value));
  g_assert_cmpvariant (value, expected_value);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__ })

static void
test_arguments_by_type (void)
{
  check_arguments ("s", WORDS ("'as it is'", NULL), "\"'as it is'\"");
  check_arguments ("s", WORDS ("", NULL), "''");
  check_arguments ("*", WORDS ("42", NULL), "'42'");
  check_arguments ("*", WORDS (NULL), "()");
  check_arguments ("()", WORDS (NULL), "()");
  check_arguments ("()", WORDS ("", NULL), "()");
  check_arguments ("d", WORDS ("2", NULL), "2.0");
  check_arguments ("t", WORDS ("18446744073709551615", NULL), "uint64 18446744073709551615");
  check_arguments ("as", WORDS ("['a', 'b']", NULL), "['a', 'b']");
  check_arguments ("(tt)", WORDS ("1", "2", NULL), "(uint64 1, uint64 2)");
  check_arguments ("(tt)", WORDS ("(1, 2)", NULL), "(uint64 1, uint64 2)");
  check_arguments ("(sd)", WORDS ("(", "2", NULL), "('(', 2.0)");
  check_arguments ("(s)", WORDS ("(a", NULL), "('(a',)");
  check_arguments ("(s)", WORDS ("('a',)", NULL), "('a',)");
  check_arguments ("r", WORDS ("(1, 'a')", NULL), "(1, 'a')");
}

static void
check_refused (const char *type, const char *const *words, const char *expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (parse (type, words, &error));
  g_assert_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, expected));
}

static void
test_arguments_refused (void)
{
  check_refused ("d", WORDS ("abc", NULL), "a.task takes one argument of type d (a double)");
  check_refused ("d", WORDS ("abc", NULL), "cannot parse “abc”");
  check_refused ("d", WORDS (NULL), "0 given");
  check_refused ("d", WORDS ("1", "2", NULL), "2 given");
  check_refused ("u", WORDS ("-1", NULL), "unsigned 32-bit integer");
  check_refused ("(tt)", WORDS ("1", NULL), "2 needed, 1 given");
  check_refused ("(tt)", WORDS ("(1, 2", NULL), "cannot parse");
  check_refused ("()", WORDS ("1", NULL), "takes no arguments");
  check_refused ("h", WORDS ("1", NULL), "cannot pass buffers");
  check_refused ("(sh)", WORDS ("a", "1", NULL), "cannot pass buffers");
  check_refused ("r", WORDS ("1", NULL), "another type");
  check_refused ("s", WORDS ("\xff", NULL), "not valid UTF-8");
}

static void
test_display (void)
{
  g_autofree char *plain = cli_dup_for_display ("naïve", strlen ("naïve"));
  g_autofree char *bytes = cli_dup_for_display ("a\xff\n\0b", 5);
  g_autofree char *text = g_strnfill (100000, 'x');
  g_autofree char *cut = cli_dup_for_display (text, 100000);

  g_assert_cmpstr (plain, ==, "naïve");
  g_assert_cmpstr (bytes, ==, "a\\xff\\x0a\\x00b");
  g_assert_cmpuint (strlen (cut), <, 300);
}

static void
test_sizes (void)
{
  static const struct
  {
    const char *text;
    guint64 size;
  } good[] = { { "1", 1 }, { "20k", 20480 }, { "3M", 3 << 20 }, { "4G", 4ull << 30 }, { "1T", 1ull << 40 },
               { "8388607T", 8388607ull << 40 } };
  static const char *const bad[] = { "", "0", "0K", "K", "-1", "1KB", "1.5G", "1 K", "8388608T", "99999999999999999999" };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      guint64 size;

      g_assert_true (cli_parse_size (good[i].text, &size));
      g_assert_cmpuint (size, ==, good[i].size);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      guint64 size;

      g_assert_false (cli_parse_size (bad[i], &size));
    }
}

static void
test_nearest (void)
{
  static const char *const names[] = { "list", "describe", "run", "map", NULL };

  g_assert_cmpstr (cli_find_nearest ("lsit", names), ==, "list");
  g_assert_cmpstr (cli_find_nearest ("mpa", names), ==, "map");
  g_assert_cmpstr (cli_find_nearest ("describ", names), ==, "describe");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/cli/template/fills-in", test_template_fills_in);
  g_test_add_func ("/loky/cli/template/refuses", test_template_refuses);
  g_test_add_func ("/loky/cli/arguments/by-type", test_arguments_by_type);
  g_test_add_func ("/loky/cli/arguments/refused", test_arguments_refused);
  g_test_add_func ("/loky/cli/display", test_display);
  g_test_add_func ("/loky/cli/sizes", test_sizes);
  g_test_add_func ("/loky/cli/nearest", test_nearest);
  return g_test_run ();
}
