/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* loky-symbolize: the frames of a worker that crashed, in words.
 *
 * Reads lines "PC BASE PATH" from its standard input: a program counter, where the file was mapped, and the
 * file, the innermost frame first. Writes a line for each: "#0 function (file:line) [module+0xoffset]", as
 * much of it as is known. A process of its own, since files with damaged debug information are no less
 * dangerous than the crash was. */

#include <elfutils/libdwfl.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#define MAX_LINE 1024
#define MAX_FRAMES 64

/* How long it may take in all, in seconds. */
#define TIME_LIMIT 10

typedef struct
{
  uint64_t counter;
  uint64_t base;
  char path[MAX_LINE];
} Frame;

static char *debuginfo_path;

static const Dwfl_Callbacks callbacks = {
  .find_elf = dwfl_build_id_find_elf,
  .find_debuginfo = dwfl_standard_find_debuginfo,
  .debuginfo_path = &debuginfo_path,
};

static guint
read_frames (Frame frames[MAX_FRAMES])
{
  char line[MAX_LINE];
  guint n_frames = 0;

  while (n_frames < MAX_FRAMES && fgets (line, sizeof line, stdin) != NULL)
    {
      Frame *frame = &frames[n_frames];
      char *rest;

      line[strcspn (line, "\n")] = '\0';
      frame->counter = strtoull (line, &rest, 16);
      frame->base = strtoull (rest, &rest, 16);
      g_strlcpy (frame->path, rest[0] == ' ' ? rest + 1 : "?", sizeof frame->path);
      n_frames++;
    }
  return n_frames;
}

/* Only a plain file: opening another one may have effects, or never end. */
static gboolean
is_file (const char *path)
{
  struct stat info;

  return stat (path, &info) == 0 && S_ISREG (info.st_mode);
}

static void
report_modules (Dwfl *dwfl, const Frame *frames, guint n_frames)
{
  dwfl_report_begin (dwfl);
  for (guint i = 0; i < n_frames; i++)
    {
      gboolean is_known = frames[i].path[0] != '/';

      for (guint j = 0; j < i && !is_known; j++)
        is_known = frames[j].base == frames[i].base;
      if (!is_known && is_file (frames[i].path))
        dwfl_report_elf (dwfl, frames[i].path, frames[i].path, -1, frames[i].base, TRUE);
    }
  dwfl_report_end (dwfl, NULL, NULL);
}

/* clang writes no table of addresses: then each compilation unit is asked. */
static const char *
search_line (Dwfl_Module *module, Dwarf_Addr address, int *number)
{
  Dwarf_Addr bias = 0;

  for (Dwarf_Die *unit = NULL; (unit = dwfl_module_nextcu (module, unit, &bias)) != NULL;)
    {
      Dwarf_Line *line = dwarf_haspc (unit, address - bias) > 0 ? dwarf_getsrc_die (unit, address - bias) : NULL;

      if (line != NULL && dwarf_lineno (line, number) == 0)
        return dwarf_linesrc (line, NULL, NULL);
    }
  return NULL;
}

static const char *
find_line (Dwfl_Module *module, Dwarf_Addr address, int *number)
{
  Dwfl_Line *line = dwfl_module_getsrc (module, address);

  return line != NULL ? dwfl_lineinfo (line, NULL, number, NULL, NULL, NULL)
                      : search_line (module, address, number);
}

static void
print_frame (Dwfl *dwfl, const Frame *frame, guint number)
{
  /* All but the innermost are where a call returns to: the call is before that. */
  Dwarf_Addr address = number == 0 ? frame->counter : frame->counter - 1;
  Dwfl_Module *module = dwfl_addrmodule (dwfl, address);
  const char *function = module != NULL ? dwfl_module_addrname (module, address) : NULL;
  g_autofree char *base_name = g_path_get_basename (frame->path);
  int line_number = 0;
  const char *file = module != NULL ? find_line (module, address, &line_number) : NULL;

  printf ("#%u %s", number, function != NULL ? function : "??");
  if (file != NULL)
    printf (" (%s:%d)", file, line_number);
  printf (" [%s+0x%" PRIx64 "]\n", base_name, frame->counter - frame->base);
}

int
main (int argc, char *argv[])
{
  static Frame frames[MAX_FRAMES];
  struct rlimit memory = { 2ul << 30, 2ul << 30 };
  guint n_frames;
  Dwfl *dwfl;

  /* What the application had open is not ours to hold. */
  for (int fd = 3; fd < 1024; fd++)
    close (fd);
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  setsid ();
  /* A sanitizer reserves more addresses than there are. */
  if (!LOKY_HAS_SANITIZER)
    setrlimit (RLIMIT_AS, &memory);
  alarm (TIME_LIMIT);
  /* No server is asked for what is not on this machine. */
  unsetenv ("DEBUGINFOD_URLS");

  n_frames = read_frames (frames);
  dwfl = dwfl_begin (&callbacks);
  if (dwfl == NULL)
    return 1;
  report_modules (dwfl, frames, n_frames);
  for (guint i = 0; i < n_frames; i++)
    print_frame (dwfl, &frames[i], i);
  dwfl_end (dwfl);
  return 0;
}
