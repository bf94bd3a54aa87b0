/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-nesting-private.h"

#include "loky-cpu-count-private.h"
#include "loky-error.h"

#define DEPTH_VARIABLE "LOKY_DEPTH"
#define MAX_DEPTH_VARIABLE "LOKY_MAX_DEPTH"
#define CPU_COUNT_VARIABLE "LOKY_MAX_CPU_COUNT"

/* How deep executors may be nested unless the environment says otherwise. */
#define DEFAULT_MAX_DEPTH 10

/* By which libraries that a task uses are told how many threads to start. */
static const char *const thread_variables[] = {
  "OMP_NUM_THREADS",  "OPENBLAS_NUM_THREADS",   "MKL_NUM_THREADS",
  "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
};

static guint
read_depth (void)
{
  const char *text = g_getenv (DEPTH_VARIABLE);
  guint64 depth = 0;

  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT, &depth, NULL))
    return 0;
  return (guint) depth;
}

static gsize known; /* one more than it */

void
loky_nesting_read_again (void)
{
  known = (gsize) read_depth () + 1;
}

guint
loky_nesting_get_depth (void)
{
  if (g_once_init_enter (&known))
    g_once_init_leave (&known, (gsize) read_depth () + 1);
  return (guint) (known - 1);
}

gboolean
loky_nesting_check_depth (guint depth, const char *max_depth, GError **error)
{
  gint64 most = DEFAULT_MAX_DEPTH;

  if (max_depth != NULL && max_depth[0] != '\0' &&
      !g_ascii_string_to_signed (max_depth, 10, G_MININT, G_MAXINT, &most, NULL))
    {
      g_set_error (error, LOKY_ERROR, LOKY_ERROR_INVALID_ARGUMENT,
                   MAX_DEPTH_VARIABLE " is “%s”, not a whole number", max_depth);
      return FALSE;
    }
  /* Nothing below is a limit. */
  if (most <= 0 || depth < most)
    return TRUE;
  g_set_error (error, LOKY_ERROR, LOKY_ERROR_RECURSION,
               "Executors are nested %u deep, in workers of each other, which is as deep as is allowed; "
               "set the environment variable " MAX_DEPTH_VARIABLE " to allow more",
               depth);
  return FALSE;
}

gboolean
loky_nesting_check (GError **error)
{
  return loky_nesting_check_depth (loky_nesting_get_depth (), g_getenv (MAX_DEPTH_VARIABLE), error);
}

guint
loky_nesting_share (guint n_cpus, guint max_workers)
{
  return MAX (n_cpus / MAX (max_workers, 1), 1);
}

static gboolean
has_variable (const char *const *environment, const char *name)
{
  return g_environ_getenv ((char **) environment, name) != NULL;
}

char **
loky_nesting_make_environment (guint max_workers, guint most_cpus, const char *const *environment)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_autofree char *depth = g_strdup_printf (DEPTH_VARIABLE "=%u", MIN (loky_nesting_get_depth () + 1, (guint) G_MAXINT));
  guint share = loky_nesting_share (loky_cpu_count_once (), max_workers);

  if (most_cpus > 0)
    share = MIN (share, most_cpus);
  g_strv_builder_add (builder, depth);
  if (!has_variable (environment, CPU_COUNT_VARIABLE))
    {
      g_autofree char *variable = g_strdup_printf (CPU_COUNT_VARIABLE "=%u", share);

      g_strv_builder_add (builder, variable);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (thread_variables); i++)
    {
      g_autofree char *variable = g_strdup_printf ("%s=%u", thread_variables[i], share);

      if (g_getenv (thread_variables[i]) == NULL && !has_variable (environment, thread_variables[i]))
        g_strv_builder_add (builder, variable);
    }
  return g_strv_builder_end (builder);
}
