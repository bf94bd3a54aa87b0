/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One worker process: started, written down, killed, and what is known of its end.
 *
 * All calls are made by the monitor thread of the pool, whose GMainContext is the thread-default
 * one. */

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _LokyWorkerProcess LokyWorkerProcess;

typedef enum
{
  LOKY_ENDING_EXITED,   /* with code as its exit status */
  LOKY_ENDING_SIGNALED, /* by the signal code */
  LOKY_ENDING_UNKNOWN,  /* with 0, or somebody else took the status */
} LokyEndingKind;

typedef struct
{
  LokyEndingKind kind;
  int code;
} LokyEnding;

/* Called in the monitor thread once the exit status is known, if it was not at hand before. */
typedef void (*LokyWorkerProcessEnded) (gpointer user_data);

/* Starts @program (an absolute path) with @argument (nullable) and @environment, and @token in the variable by
 * which descendants are known. Takes over @channel_fd, which becomes the
 * worker's standard input. */
LokyWorkerProcess *loky_worker_process_start (const char *program,
                                              const char *argument,
                                              const char *const *environment,
                                              const char *token,
                                              int channel_fd,
                                              GError **error);
void loky_worker_process_free (LokyWorkerProcess *self);

/* Gives this process, which was forked off, the environment that start gives to a program. */
void loky_worker_process_set_environment (const char *const *environment, const char *token);

/* --- one that another process of ours forks: it is awaited until it is known which one it is --- */

/* Takes over @stderr_fd, from which its output is read. */
LokyWorkerProcess *loky_worker_process_new_awaited (int stderr_fd);
gboolean loky_worker_process_is_awaited (LokyWorkerProcess *self);
/* Takes over @pidfd. A kill that came before is carried out. */
void loky_worker_process_adopt (LokyWorkerProcess *self, pid_t pid, int pidfd);
/* It will not be, or its parent says no more of it: how it ends remains unknown. */
void loky_worker_process_orphan (LokyWorkerProcess *self);
/* What its parent has got from wait(). */
void loky_worker_process_take_status (LokyWorkerProcess *self, int status);

/* --- */

/* Closes its descriptors; only wait_ended and free may be called after that. */
void loky_worker_process_close (LokyWorkerProcess *self);

pid_t loky_worker_process_get_pid (LokyWorkerProcess *self);
/* Readable once the process has ended; -1 if it had before it could be watched, or is awaited. */
int loky_worker_process_get_pidfd (LokyWorkerProcess *self);
/* Readable when there is output; -1 after its end. */
int loky_worker_process_get_stderr_fd (LokyWorkerProcess *self);

/* SIGTERM to the worker: its handler records where it is, then it dies. */
void loky_worker_process_terminate (LokyWorkerProcess *self);
/* Whether it was stopped by a signal, as far as the system tells. */
gboolean loky_worker_process_is_stopped (LokyWorkerProcess *self);
/* Whether the system is taking it down, or has: its descriptors may be closed long before its status is
 * there when there is much memory to be given back, or many others die beside it. TRUE of one that is awaited, too:
 * what was its end of the channel went with the fork server, whose status says why. */
gboolean loky_worker_process_is_exiting (LokyWorkerProcess *self);
/* SIGKILL to the worker and its process group; harmless after its end. */
void loky_worker_process_kill (LokyWorkerProcess *self);

/* Whether the process has ended, and how. FALSE: it lives, or its status is being waited for. */
gboolean loky_worker_process_check_ended (LokyWorkerProcess *self, LokyEnding *ending);

/* After the process has ended: calls @func once it was reaped and its status is there, or is known to
 * be lost. A second call replaces the function of the first. FALSE: that is so already, and @func will
 * not be called. */
gboolean loky_worker_process_wait_ended (LokyWorkerProcess *self,
                                         LokyWorkerProcessEnded func,
                                         gpointer user_data);

/* Reads what there is of the output, at most @most bytes, into @buffer, and keeps the tail of it.
 * Returns the number of bytes; 0: nothing now, or the end. */
gsize loky_worker_process_read_stderr (LokyWorkerProcess *self, char *buffer, gsize most);

/* What was printed elsewhere: it is kept in the tail as well. */
void loky_worker_process_note_output (LokyWorkerProcess *self, const char *data, gsize size);

/* The last of the output: whole lines where possible, valid UTF-8, without the last newline; NULL
 * if there was none. */
char *loky_worker_process_dup_stderr_tail (LokyWorkerProcess *self);

/* "was killed by signal 11 (SIGSEGV)", "exited with status 3", … */
char *loky_ending_to_string (const LokyEnding *ending);

G_END_DECLS
