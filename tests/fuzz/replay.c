/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Gives a fuzz target the inputs that are kept: each argument is a file, or a folder of them. A finding ends the
 * process, after the name of its input was printed. */

#include <glib.h>
#include <gio/gio.h>

#include "fuzz.h"

static guint
replay (const char *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  g_autofree guint8 *exact = NULL;
  const char *name;
  guint n_inputs = 0;
  gsize size;

  if (folder != NULL)
    {
      while ((name = g_dir_read_name (folder)) != NULL)
        {
          g_autofree char *file = g_build_filename (path, name, NULL);

          n_inputs += replay (file);
        }
      return n_inputs;
    }
  if (!g_file_get_contents (path, &data, &size, &error))
    {
      g_printerr ("%s\n", error->message);
      return 0;
    }
  g_print ("# %s\n", path);
  /* Of exactly that size: what is read beyond it is seen. */
  exact = g_memdup2 (data, size);
  LLVMFuzzerTestOneInput (exact, size);
  return 1;
}

int
main (int argc, char **argv)
{
  guint n_inputs = 0;

  for (int i = 1; i < argc; i++)
    n_inputs += replay (argv[i]);
  g_print ("%u inputs\n", n_inputs);
  return n_inputs > 0 ? 0 : 1;
}
