/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where a worker was when a signal ended it: recorded in the worker by a signal handler, in memory that it
 * shares with the application; read there, bounded and checked; and put into words by a fresh child, since
 * looking into files with debug information is not for the application, nor for a process that crashed. */

#include <gio/gio.h>

G_BEGIN_DECLS

#define LOKY_CRASH_N_FRAMES 64
#define LOKY_CRASH_N_MODULES 16
#define LOKY_CRASH_PATH_SIZE 240
#define LOKY_CRASH_NO_MODULE 0xff

/* A file that was mapped into the process. */
typedef struct
{
  guint64 base; /* the address of its first byte */
  guint64 reserved;
  char path[LOKY_CRASH_PATH_SIZE];
} LokyCrashModule;

typedef struct
{
  gint32 signal; /* 0: there is no record; written last, atomically */
  gint32 code;   /* si_code */
  guint64 address; /* si_addr */
  guint32 n_frames;
  guint32 n_modules;
  guint32 is_out_of_memory; /* no memory was left (RLIMIT_AS, RLIMIT_DATA), or an allocation had just failed */
  guint32 is_memory_limited; /* a task with a limit ran */
  guint64 frames[LOKY_CRASH_N_FRAMES]; /* program counters, the innermost first */
  guint8 module_of[LOKY_CRASH_N_FRAMES];
  LokyCrashModule modules[LOKY_CRASH_N_MODULES];
} LokyCrashRecord;

/* Worker: records from now on what ends it, from SIGTERM to SIGSEGV, in @record, and then lets the signal
 * have its way. In the main thread, once. */
void loky_crash_watch (LokyCrashRecord *record);

/* Worker, before the process is ended because an allocation failed: callable from any thread. */
void loky_crash_note_out_of_memory (void);

/* Worker: while a task runs that may allocate so much and no more. */
void loky_crash_set_memory_limited (gboolean is_limited);

/* --- in the application --- */

/* A copy of a record that the worker cannot change any more. */
typedef struct
{
  int signal;
  int code;
  guint64 address;
  gboolean is_out_of_memory;
  gboolean is_memory_limited;
  char *frames; /* what loky-symbolize reads; NULL: none */
} LokyCrash;

/* NULL: there is no record. */
LokyCrash *loky_crash_read (const LokyCrashRecord *record);
void loky_crash_free (LokyCrash *self);

/* How many frames there may be in words, and what one looks like without debug information. */
char *loky_crash_frames_to_string (const char *frames);

/* Of a backtrace in words, the frame that explains: the innermost one that is not the C library's or
 * GLib's. Without its number. */
char *loky_crash_find_culprit (const char *backtrace);

G_END_DECLS
