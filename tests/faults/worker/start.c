/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a worker does instead of serving. */

#include "hostile-worker.h"

#include <string.h>
#include <unistd.h>

#include "loky-version.h"

/* --- the orders of a start -------------------------------------------------------------------- */

static void
start_version (const char *argument)
{
  say_hello ("0.0.1");
  hang ();
}

static void
start_frame_version (const char *argument)
{
  g_autoptr (GByteArray) frame = make_frame (LOKY_MESSAGE_HELLO, 0, 0, "", 0, 0);

  frame->data[4] = LOKY_FRAME_VERSION + 1;
  put (frame->data, frame->len, NULL, 0);
  hang ();
}

static void
start_junk (const char *argument)
{
  g_autofree char *junk = g_strnfill (1 << 16, '?');

  put (junk, 1 << 16, NULL, 0);
  hang ();
}

static void
start_silent (const char *argument)
{
  hang ();
}

static void
start_exit (const char *argument)
{
  g_printerr ("the last words of a worker\n");
  _exit ((int) g_ascii_strtoll (argument, NULL, 10));
}

static void
start_hello_twice (const char *argument)
{
  say_hello (LOKY_VERSION_S);
  say_hello (LOKY_VERSION_S);
  hang ();
}

static void
start_result (const char *argument)
{
  send_result (0, 1, "before hello");
  hang ();
}

static void
start_goodbye (const char *argument)
{
  send_frame (LOKY_MESSAGE_GOODBYE, 0, 0, NULL, 0);
  hang ();
}

static void
start_failed (const char *argument)
{
  g_autofree char *text = NULL;

  if (g_str_equal (argument, "long"))
    text = g_strnfill (1000 * 1000, 'f');
  else if (g_str_equal (argument, "odd"))
    text = g_strdup ("odd\n\t\033[31m“text”%s%n");
  else
    text = g_strdup (argument);
  if (g_str_equal (argument, "not-utf8"))
    send_frame (LOKY_MESSAGE_START_FAILED, 0, 0, "\xff\xfe\xfd", 4);
  else
    send_variant (LOKY_MESSAGE_START_FAILED, 0, 0, g_variant_new ("(s)", text));
  _exit (70);
}

/* These then serve. */
static void
start_scribble (const char *argument)
{
  scribble (argument);
}

static void
start_release (const char *argument)
{
  for (guint64 number = 0; number < 1000; number++)
    send_frame (LOKY_MESSAGE_RELEASE, 0, number, NULL, 0);
}

const StartOrder start_orders[] = {
  { "version", start_version },
  { "frame-version", start_frame_version },
  { "junk", start_junk },
  { "silent", start_silent },
  { "exit", start_exit },
  { "hello-twice", start_hello_twice },
  { "result", start_result },
  { "goodbye", start_goodbye },
  { "failed", start_failed },
  { "scribble", start_scribble },
  { "release", start_release },
  { NULL, NULL },
};
