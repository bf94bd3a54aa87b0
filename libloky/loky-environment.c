/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-environment-private.h"

#include <string.h>

#include "loky-descendants-private.h"

void
loky_environment_foreach (const char *const *environment, LokyEnvironmentFunc func, gpointer user_data)
{
  for (gsize i = 0; environment != NULL && environment[i] != NULL; i++)
    {
      const char *equals = strchr (environment[i], '=');
      g_autofree char *name = NULL;

      if (equals == NULL || equals == environment[i])
        continue;
      name = g_strndup (environment[i], (gsize) (equals - environment[i]));
      func (name, equals + 1, user_data);
    }
}

static void
set_variable (const char *name, const char *value, gpointer unused)
{
  if (!g_str_equal (name, LOKY_DESCENDANTS_VARIABLE))
    g_setenv (name, value, TRUE);
}

void
loky_environment_apply (const char *const *environment)
{
  loky_environment_foreach (environment, set_variable, NULL);
}

const char *const loky_environment_not_inherited[] = {
  "SYSPROF_CONTROL_FD",
  "NOTIFY_SOCKET",
  "LISTEN_FDS",
  "LISTEN_PID",
  "LISTEN_FDNAMES",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "GIO_LAUNCHED_DESKTOP_FILE",
  "GIO_LAUNCHED_DESKTOP_FILE_PID",
  NULL,
};

char **
loky_environment_make_clean (void)
{
  char **environment = g_get_environ ();

  for (gsize i = 0; loky_environment_not_inherited[i] != NULL; i++)
    environment = g_environ_unsetenv (environment, loky_environment_not_inherited[i]);
  return g_environ_unsetenv (environment, LOKY_DESCENDANTS_VARIABLE);
}
