/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The options of tasks and of maps. */

#include "loky-map-options.h"
#include "loky-task-options.h"

static void
count_notify (GObject *object, GParamSpec *pspec, gpointer user_data)
{
  guint *n_notified = user_data;

  (*n_notified)++;
}

static void
check_defaults (LokyTaskOptions *options)
{
  g_assert_cmpint (loky_task_options_get_timeout (options), ==, -1);
  g_assert_cmpint (loky_task_options_get_queue_timeout (options), ==, -1);
  g_assert_cmpint (loky_task_options_get_cancel_grace (options), ==, 5000);
  g_assert_cmpint (loky_task_options_get_priority (options), ==, 0);
  g_assert_cmpuint (loky_task_options_get_retries (options), ==, 0);
}

static void
check_declared_defaults (GObject *object)
{
  guint n_properties;
  g_autofree GParamSpec **properties =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n_properties);

  for (guint i = 0; i < n_properties; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      g_object_get_property (object, properties[i]->name, &value);
      g_assert_true (g_param_value_defaults (properties[i], &value));
    }
}

static void
test_defaults (void)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();

  check_defaults (options);
  check_declared_defaults (G_OBJECT (options));
}

static void
test_properties (void)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  gint64 timeout, queue_timeout, cancel_grace;
  gint priority;
  guint retries;

  g_object_set (options, "timeout", (gint64) 1, "queue-timeout", (gint64) 2, "cancel-grace",
                G_MAXINT64, "priority", G_MININT, "retries", G_MAXUINT, NULL);
  g_assert_cmpint (loky_task_options_get_timeout (options), ==, 1);
  g_assert_cmpint (loky_task_options_get_queue_timeout (options), ==, 2);
  g_assert_cmpint (loky_task_options_get_cancel_grace (options), ==, G_MAXINT64);
  g_assert_cmpint (loky_task_options_get_priority (options), ==, G_MININT);
  g_assert_cmpuint (loky_task_options_get_retries (options), ==, G_MAXUINT);

  g_object_get (options, "timeout", &timeout, "queue-timeout", &queue_timeout, "cancel-grace",
                &cancel_grace, "priority", &priority, "retries", &retries, NULL);
  g_assert_cmpint (timeout, ==, 1);
  g_assert_cmpint (queue_timeout, ==, 2);
  g_assert_cmpint (cancel_grace, ==, G_MAXINT64);
  g_assert_cmpint (priority, ==, G_MININT);
  g_assert_cmpuint (retries, ==, G_MAXUINT);
}

typedef void (*SetInt64) (LokyTaskOptions *options, gint64 value);
typedef gint64 (*GetInt64) (LokyTaskOptions *options);

static void
check_time (const char *notify, SetInt64 set, GetInt64 get)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  guint n_notified = 0;

  set (options, 7);
  g_signal_connect (options, notify, G_CALLBACK (count_notify), &n_notified);
  set (options, 7);
  g_assert_cmpuint (n_notified, ==, 0);
  set (options, 0);
  g_assert_cmpint (get (options), ==, 0);
  g_assert_cmpuint (n_notified, ==, 1);
  set (options, -5);
  g_assert_cmpint (get (options), ==, -1);
  g_assert_cmpuint (n_notified, ==, 2);
  /* Another negative number is the same value. */
  set (options, G_MININT64);
  g_assert_cmpint (get (options), ==, -1);
  g_assert_cmpuint (n_notified, ==, 2);
}

static void
test_times (void)
{
  check_time ("notify::timeout", loky_task_options_set_timeout, loky_task_options_get_timeout);
  check_time ("notify::queue-timeout", loky_task_options_set_queue_timeout,
              loky_task_options_get_queue_timeout);
  check_time ("notify::cancel-grace", loky_task_options_set_cancel_grace,
              loky_task_options_get_cancel_grace);
}

static void
test_numbers (void)
{
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  guint n_notified = 0;

  g_signal_connect (options, "notify::priority", G_CALLBACK (count_notify), &n_notified);
  g_signal_connect (options, "notify::retries", G_CALLBACK (count_notify), &n_notified);
  loky_task_options_set_priority (options, 0);
  loky_task_options_set_retries (options, 0);
  g_assert_cmpuint (n_notified, ==, 0);
  loky_task_options_set_priority (options, -20);
  loky_task_options_set_retries (options, 3);
  g_assert_cmpuint (n_notified, ==, 2);
  g_assert_cmpint (loky_task_options_get_priority (options), ==, -20);
  g_assert_cmpuint (loky_task_options_get_retries (options), ==, 3);
}

static void
test_map_options (void)
{
  g_autoptr (LokyMapOptions) options = loky_map_options_new ();
  guint n_notified = 0;

  g_assert_true (LOKY_IS_TASK_OPTIONS (options));
  check_defaults (LOKY_TASK_OPTIONS (options));
  check_declared_defaults (G_OBJECT (options));
  g_assert_true (loky_map_options_get_ordered (options));
  g_assert_cmpuint (loky_map_options_get_window (options), ==, 0);

  g_signal_connect (options, "notify::ordered", G_CALLBACK (count_notify), &n_notified);
  g_signal_connect (options, "notify::window", G_CALLBACK (count_notify), &n_notified);
  /* Any number but 0 is true. */
  loky_map_options_set_ordered (options, 17);
  loky_map_options_set_window (options, 0);
  g_assert_cmpuint (n_notified, ==, 0);
  loky_map_options_set_ordered (options, FALSE);
  loky_map_options_set_window (options, 5);
  g_assert_cmpuint (n_notified, ==, 2);
  g_assert_false (loky_map_options_get_ordered (options));
  g_assert_cmpuint (loky_map_options_get_window (options), ==, 5);

  /* What it has from the tasks' options goes for it too. */
  g_object_set (options, "ordered", TRUE, "window", 9, "retries", 2, NULL);
  g_assert_true (loky_map_options_get_ordered (options));
  g_assert_cmpuint (loky_map_options_get_window (options), ==, 9);
  g_assert_cmpuint (loky_task_options_get_retries (LOKY_TASK_OPTIONS (options)), ==, 2);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loky/task-options/defaults", test_defaults);
  g_test_add_func ("/loky/task-options/properties", test_properties);
  g_test_add_func ("/loky/task-options/times", test_times);
  g_test_add_func ("/loky/task-options/numbers", test_numbers);
  g_test_add_func ("/loky/task-options/map-options", test_map_options);
  return g_test_run ();
}
