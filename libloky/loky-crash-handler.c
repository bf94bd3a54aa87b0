/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The half of loky-crash that runs in the worker, in a signal handler: system calls, atomics and the
 * compiler's unwinder, which is linked statically: backtrace() opens libgcc_s.so at its first call, which is
 * a twentieth of what a worker takes to start. */

#include "loky-crash-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

/* SIGTERM is how a task is told that its time is over; the rest are the signals of a crash. */
static const int watched[] = {
  SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGXCPU, SIGTERM,
};

#define STACK_SIZE (64u << 10)

/* The frames of the handler itself come first. */
#define N_RAW_FRAMES (LOKY_CRASH_N_FRAMES + 16)

/* How long the record may take, in seconds: a stack that is damaged must not hold up the end. */
#define TIME_LIMIT 2

/* How much memory counts as nothing left, in bytes. */
#define LAST_MEMORY (1u << 20)

static struct
{
  LokyCrashRecord *record;
  pid_t pid;
  int is_recording; /* atomic: the thread that is */
  int is_memory_limited; /* atomic */
} crash;

/* --- the map of the process -------------------------------------------------------------------- */

/* One line of /proc/self/maps: "START-END PERMISSIONS OFFSET DEVICE INODE   PATH". */
typedef struct
{
  guint64 start;
  guint64 end;
  guint64 offset;
  const char *path; /* may be empty */
} MapLine;

static const char *
parse_hex (const char *text, guint64 *value)
{
  *value = 0;
  for (;; text++)
    {
      if (*text >= '0' && *text <= '9')
        *value = *value << 4 | (guint64) (*text - '0');
      else if (*text >= 'a' && *text <= 'f')
        *value = *value << 4 | (guint64) (*text - 'a' + 10);
      else
        return text;
    }
}

static const char *
skip_word (const char *text)
{
  while (*text != '\0' && *text != ' ')
    text++;
  while (*text == ' ')
    text++;
  return text;
}

static gboolean
parse_line (const char *text, MapLine *line)
{
  text = parse_hex (text, &line->start);
  if (*text++ != '-')
    return FALSE;
  text = parse_hex (text, &line->end);
  if (*text++ != ' ')
    return FALSE;
  text = parse_hex (skip_word (text), &line->offset);
  line->path = skip_word (skip_word (skip_word (text)));
  return TRUE;
}

static guint
add_module (LokyCrashRecord *record, guint64 base, const char *path)
{
  LokyCrashModule *module;

  for (guint i = 0; i < record->n_modules; i++)
    if (record->modules[i].base == base)
      return i;
  if (record->n_modules == LOKY_CRASH_N_MODULES)
    return LOKY_CRASH_NO_MODULE;
  module = &record->modules[record->n_modules];
  module->base = base;
  for (guint i = 0; i < LOKY_CRASH_PATH_SIZE - 1 && path[i] != '\0'; i++)
    module->path[i] = path[i];
  return record->n_modules++;
}

typedef struct
{
  guint64 base; /* of the file whose lines are being read */
  char path[512];
} MapCursor;

static void
take_line (LokyCrashRecord *record, MapCursor *cursor, const char *text)
{
  MapLine line;

  if (!parse_line (text, &line) || line.path[0] != '/')
    return;
  if (strncmp (line.path, cursor->path, sizeof cursor->path - 1) != 0)
    {
      strncpy (cursor->path, line.path, sizeof cursor->path - 1);
      cursor->base = line.start - line.offset;
    }
  for (guint i = 0; i < record->n_frames; i++)
    if (record->frames[i] >= line.start && record->frames[i] < line.end)
      record->module_of[i] = (guint8) add_module (record, cursor->base, line.path);
}

/* Which files the frames are in. */
static void
find_modules (LokyCrashRecord *record)
{
  static char buffer[4096];
  static MapCursor cursor;
  gsize filled = 0;
  ssize_t got;
  int fd = open ("/proc/self/maps", O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return;
  while ((got = read (fd, buffer + filled, sizeof buffer - 1 - filled)) > 0)
    {
      char *start = buffer;
      char *newline;

      filled += (gsize) got;
      buffer[filled] = '\0';
      while ((newline = strchr (start, '\n')) != NULL)
        {
          *newline = '\0';
          take_line (record, &cursor, start);
          start = newline + 1;
        }
      filled -= (gsize) (start - buffer);
      /* A line that does not fit is of no use. */
      if (filled == sizeof buffer - 1)
        filled = 0;
      memmove (buffer, start, filled);
    }
  close (fd);
}

/* --- the record -------------------------------------------------------------------------------- */

static guint64
get_program_counter (void *context)
{
#if defined(__x86_64__)
  return (guint64) ((ucontext_t *) context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return ((ucontext_t *) context)->uc_mcontext.pc;
#else
  return 0;
#endif
}

typedef struct
{
  guint64 counters[N_RAW_FRAMES];
  guint n_counters;
  guint64 last_address; /* of the frame */
} RawFrames;

static _Unwind_Reason_Code
take_raw_frame (struct _Unwind_Context *context, void *data)
{
  RawFrames *raw = data;
  guint64 counter = _Unwind_GetIP (context);
  guint64 address = _Unwind_GetCFA (context);
  guint n = raw->n_counters;

  /* 0 is what is above the first function of a thread; on a damaged stack a frame may come again and again. */
  if (counter == 0 || n == N_RAW_FRAMES ||
      (n > 0 && counter == raw->counters[n - 1] && address == raw->last_address))
    return _URC_END_OF_STACK;
  raw->last_address = address;
  raw->counters[raw->n_counters++] = counter;
  return _URC_NO_REASON;
}

/* From where the signal struck. */
static void
take_frames (LokyCrashRecord *record, void *context)
{
  static RawFrames raw;
  guint64 counter = get_program_counter (context);
  guint first = 0;

  _Unwind_Backtrace (take_raw_frame, &raw);
  while (first < raw.n_counters && raw.counters[first] != counter)
    first++;
  /* The unwinder may not get past a jump into nowhere. */
  if (first == raw.n_counters)
    {
      if (counter != 0)
        record->frames[record->n_frames++] = counter;
      return;
    }
  for (; first < raw.n_counters && record->n_frames < LOKY_CRASH_N_FRAMES; first++)
    record->frames[record->n_frames++] = raw.counters[first];
}

static gboolean
is_limited (__rlimit_resource_t resource)
{
  struct rlimit limit;

  return getrlimit (resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* Whether the process has run into the limit of its memory. Of a task with a limit of its own, whose last
 * allocation may have been a large one, errno tells, which nothing that succeeds changes. */
static gboolean
has_no_memory (int last_errno)
{
  void *memory;

  if (__atomic_load_n (&crash.is_memory_limited, __ATOMIC_RELAXED) && last_errno == ENOMEM)
    return TRUE;
  if (!is_limited (RLIMIT_AS) && !is_limited (RLIMIT_DATA))
    return FALSE;
  memory = mmap (NULL, LAST_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return TRUE;
  munmap (memory, LAST_MEMORY);
  return FALSE;
}

static void
limit_time (void)
{
  sigset_t alarm_only;

  signal (SIGALRM, SIG_DFL);
  sigemptyset (&alarm_only);
  sigaddset (&alarm_only, SIGALRM);
  sigprocmask (SIG_UNBLOCK, &alarm_only, NULL);
  alarm (TIME_LIMIT);
}

static void
take_record (LokyCrashRecord *record, siginfo_t *info, void *context, int last_errno)
{
  record->code = info->si_code;
  record->address = (guint64) (gsize) info->si_addr;
  memset (record->module_of, LOKY_CRASH_NO_MODULE, sizeof record->module_of);
  record->is_memory_limited = (guint32) __atomic_load_n (&crash.is_memory_limited, __ATOMIC_RELAXED);
  if (has_no_memory (last_errno))
    record->is_out_of_memory = 1;
  /* Should what follows go wrong, this much is known. */
  __atomic_store_n (&record->signal, info->si_signo, __ATOMIC_RELEASE);
  limit_time ();
  take_frames (record, context);
  find_modules (record);
  alarm (0);
}

static void
handle_signal (int number, siginfo_t *info, void *context)
{
  int last_errno = errno;
  int self = (int) syscall (SYS_gettid);
  int nobody = 0;

  /* The record is not there for a child of a task. */
  if (getpid () == crash.pid)
    {
      if (__atomic_compare_exchange_n (&crash.is_recording, &nobody, self, FALSE, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE))
        take_record (crash.record, info, context, last_errno);
      else if (nobody != self)
        /* The end comes with the other thread's. */
        for (;;)
          pause ();
    }
  signal (number, SIG_DFL);
  /* What the processor raises comes again by itself. */
  if (info->si_code <= 0 || number == SIGABRT || number == SIGTERM || number == SIGTRAP)
    syscall (SYS_tgkill, getpid (), self, number);
}

void
loky_crash_watch (LokyCrashRecord *record)
{
  struct sigaction action = { .sa_sigaction = handle_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
  stack_t stack = { .ss_size = STACK_SIZE };

  crash.record = record;
  crash.pid = getpid ();

  /* A stack of its own: the other one may be full. */
  stack.ss_sp = mmap (NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack.ss_sp != MAP_FAILED)
    sigaltstack (&stack, NULL);
  sigfillset (&action.sa_mask);
  for (gsize i = 0; i < G_N_ELEMENTS (watched); i++)
    sigdelset (&action.sa_mask, watched[i]);
  sigaddset (&action.sa_mask, SIGTERM);
  for (gsize i = 0; i < G_N_ELEMENTS (watched); i++)
    sigaction (watched[i], &action, NULL);
}

void
loky_crash_note_out_of_memory (void)
{
  if (crash.record != NULL && getpid () == crash.pid)
    crash.record->is_out_of_memory = 1;
}

void
loky_crash_set_memory_limited (gboolean is_limited)
{
  __atomic_store_n (&crash.is_memory_limited, is_limited, __ATOMIC_RELAXED);
}
