/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-descendants-private.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One that forks all the time could keep up for ever otherwise. */
#define MAX_PASSES 16

#define PREFIX LOKY_DESCENDANTS_VARIABLE "="

typedef struct
{
  const char *pool;
  gsize pool_length;
  LokyDescendantsSpare spare;
  gpointer user_data;
  int proc_fd;
  pid_t self;
} Sweep;

/* What getdents64() fills in. */
typedef struct
{
  guint64 inode;
  gint64 offset;
  guint16 length;
  guint8 type;
  char name[];
} Entry;

static gboolean
parse_number (const char *text, guint *number)
{
  guint64 value = 0;

  if (*text < '0' || *text > '9')
    return FALSE;
  for (; *text >= '0' && *text <= '9' && value <= G_MAXINT; text++)
    value = value * 10 + (guint64) (*text - '0');
  *number = (guint) value;
  return *text == '\0' && value <= G_MAXINT;
}

/* @variable ends with a NUL. */
static gboolean
is_wanted (const Sweep *self, const char *variable)
{
  const char *value = variable + sizeof PREFIX - 1;
  guint worker_id;

  if (strncmp (variable, PREFIX, sizeof PREFIX - 1) != 0 ||
      strncmp (value, self->pool, self->pool_length) != 0 || value[self->pool_length] != '-')
    return FALSE;
  return parse_number (value + self->pool_length + 1, &worker_id) &&
         !self->spare (worker_id, self->user_data);
}

/* Goes through an environment variable by variable; only the beginning of a long one is looked at. */
static gboolean
has_token (const Sweep *self, int fd)
{
  char variable[LOKY_DESCENDANTS_TOKEN_SIZE + sizeof PREFIX];
  char buffer[4096];
  gsize length = 0;
  ssize_t got;

  while ((got = read (fd, buffer, sizeof buffer)) > 0)
    for (ssize_t i = 0; i < got; i++)
      {
        if (length < sizeof variable - 1)
          variable[length] = buffer[i];
        length++;
        if (buffer[i] != '\0')
          continue;
        variable[sizeof variable - 1] = '\0';
        if (length < sizeof variable && is_wanted (self, variable))
          return TRUE;
        length = 0;
      }
  return FALSE;
}

static void
append_number (char *text, guint number)
{
  char digits[12];
  gsize n_digits = 0;
  gsize length = strlen (text);

  do
    digits[n_digits++] = (char) ('0' + number % 10);
  while ((number /= 10) > 0);
  while (n_digits > 0)
    text[length++] = digits[--n_digits];
  text[length] = '\0';
}

/* TRUE: it was killed now. */
static gboolean
consider (const Sweep *self, const char *name)
{
  char path[32] = "";
  gboolean is_killed = FALSE;
  int environment, pidfd;
  guint pid;

  if (!parse_number (name, &pid) || (pid_t) pid == self->self)
    return FALSE;
  /* First the pidfd: the number may change hands meanwhile. */
  pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  if (pidfd < 0)
    return FALSE;
  append_number (path, pid);
  strcat (path, "/environ");
  environment = openat (self->proc_fd, path, O_RDONLY | O_CLOEXEC);
  if (environment >= 0)
    {
      if (has_token (self, environment))
        is_killed = syscall (SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
      close (environment);
    }
  close (pidfd);
  return is_killed;
}

static guint
pass (const Sweep *self)
{
  guint64 buffer[512];
  guint n_killed = 0;
  long got;

  if (lseek (self->proc_fd, 0, SEEK_SET) != 0)
    return 0;
  while ((got = syscall (SYS_getdents64, self->proc_fd, buffer, sizeof buffer)) > 0)
    for (long offset = 0; offset < got;)
      {
        const Entry *entry = (const Entry *) ((const char *) buffer + offset);

        if (consider (self, entry->name))
          n_killed++;
        offset += entry->length;
      }
  return n_killed;
}

guint
loky_descendants_kill (const char *pool, LokyDescendantsSpare spare, gpointer user_data)
{
  Sweep self = {
    .pool = pool,
    .pool_length = strlen (pool),
    .spare = spare,
    .user_data = user_data,
    .self = getpid (),
    .proc_fd = open ("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
  };
  guint n_killed = 0;

  if (self.proc_fd < 0)
    return 0;
  for (guint i = 0; i < MAX_PASSES; i++)
    {
      guint now = pass (&self);

      n_killed += now;
      if (now == 0)
        break;
    }
  close (self.proc_fd);
  return n_killed;
}
