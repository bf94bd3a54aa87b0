/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tracker as a process: one thread and one poll() over the socket and all read ends. It holds
 * nothing of the application but its standard error. */

#include "loky-tracker-private.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "loky-close-private.h"
#include "loky-remove-private.h"
#include "loky-util-private.h"
#include "loky-worker-private.h"

#define SOCKET_FD LOKY_WORKER_CHANNEL_FD

/* How much of a folder is removed before the socket and the others are looked at again. */
#define MAX_AT_ONCE 1000

/* One resource. */
typedef struct
{
  int fd; /* the read end; -1: it is not tracked any more */
  gboolean is_unused;
  gboolean is_interrupted; /* there is more to be removed */
  LokyResourceKind kind;
  char *path;
} Entry;

typedef struct
{
  GPtrArray *entries;
  GArray *poll_fds;     /* of the socket, and of each entry */
  gboolean is_closed;   /* the socket: the application is gone */
  gboolean is_released; /* the application has none of its own any more */
} Process;

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  loky_close_fd (&entry->fd);
  g_free (entry->path);
  g_free (entry);
}

/* Nobody may be there to read it. */
static void
complain (const Entry *entry, const GError *error)
{
  if (entry->kind == LOKY_RESOURCE_KIND_FILE)
    fprintf (stderr, "loky resource tracker: %s\n", error->message);
  else
    fprintf (stderr, "loky resource tracker: the folder “%s”: %s\n", entry->path, error->message);
}

/* --- what is asked ---------------------------------------------------------------------------- */

/* Takes over @fd. 0, or an errno. */
static int
add_entry (Process *self, const LokyTrackerRequest *request, const char *path, int fd)
{
  loky_autofd int owned = fd;
  Entry *entry;

  if (request->magic != LOKY_TRACKER_MAGIC || request->kind > LOKY_RESOURCE_KIND_FOLDER ||
      path[0] != '/' || path[1] == '\0')
    return EINVAL;
  /* It was lost: too many are open. */
  if (fd < 0)
    return EMFILE;
  entry = g_new0 (Entry, 1);
  entry->fd = loky_steal_fd (&owned);
  entry->kind = (LokyResourceKind) request->kind;
  entry->path = g_strdup (path);
  g_ptr_array_add (self->entries, entry);
  return 0;
}

static int
take_fd (struct msghdr *message)
{
  struct cmsghdr *header = CMSG_FIRSTHDR (message);
  int fd = -1;

  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN (sizeof fd))
    memcpy (&fd, CMSG_DATA (header), sizeof fd);
  return fd;
}

/* FALSE: there is none now. */
static gboolean
take_request (Process *self)
{
  char control[CMSG_SPACE (sizeof (int))] __attribute__ ((aligned (__alignof__(struct cmsghdr))));
  char path[LOKY_TRACKER_MAX_PATH] = "";
  LokyTrackerRequest request = { 0 };
  struct iovec parts[] = {
    { &request, sizeof request },
    { path, sizeof path - 1 },
  };
  struct msghdr message = { .msg_iov = parts,
                            .msg_iovlen = G_N_ELEMENTS (parts),
                            .msg_control = control,
                            .msg_controllen = sizeof control };
  ssize_t got = recvmsg (SOCKET_FD, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  LokyTrackerAnswer answer;

  if (got < 0 && errno == EINTR)
    return TRUE;
  if (got < 0 && errno == EAGAIN)
    return FALSE;
  if (got <= 0)
    {
      self->is_closed = TRUE;
      return FALSE;
    }
  self->is_released = request.magic == LOKY_TRACKER_MAGIC && request.kind == LOKY_TRACKER_RELEASE;
  if (self->is_released)
    return TRUE;
  answer.serial = request.serial;
  answer.error = add_entry (self, &request, path, take_fd (&message));
  /* Its asker may be gone. */
  if (send (SOCKET_FD, &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return TRUE;
  return TRUE;
}

/* --- what is unused --------------------------------------------------------------------------- */

/* Whether another one of the same path is still used. */
static gboolean
is_used_otherwise (Process *self, Entry *unused)
{
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      if (entry != unused && entry->fd >= 0 && !entry->is_unused &&
          strcmp (entry->path, unused->path) == 0)
        return TRUE;
    }
  return FALSE;
}

static void
remove_unused (Process *self, LokyResourceKind kind)
{
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);
      g_autoptr (GError) error = NULL;
      gboolean is_done;

      entry->is_interrupted = FALSE;
      if (!entry->is_unused || entry->kind != kind || is_used_otherwise (self, entry))
        continue;
      is_done = kind == LOKY_RESOURCE_KIND_FILE
                    ? loky_remove_file (entry->path, &error)
                    : loky_remove_some (entry->path, MAX_AT_ONCE, &entry->is_interrupted, &error);
      if (!is_done && !entry->is_interrupted)
        complain (entry, error);
    }
}

static void
drop_ended (Process *self)
{
  for (guint i = self->entries->len; i > 0; i--)
    {
      Entry *entry = g_ptr_array_index (self->entries, i - 1);

      if ((entry->is_unused && !entry->is_interrupted) || entry->fd < 0)
        g_ptr_array_remove_index_fast (self->entries, i - 1);
    }
}

/* At the end of file nobody has it any more. If there is anything to be read, it is to be left
 * alone; that stays there, for its maker and for the next tracker to see. */
static void
look_at (Entry *entry, short news)
{
  if ((news & POLLIN) != 0)
    loky_close_fd (&entry->fd);
  else
    entry->is_unused = TRUE;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void
set_poll_fd (Process *self, guint i, int fd)
{
  struct pollfd *poll_fd = &g_array_index (self->poll_fds, struct pollfd, i);

  *poll_fd = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static void
wait_for_news (Process *self)
{
  g_array_set_size (self->poll_fds, self->entries->len + 1);
  set_poll_fd (self, 0, self->is_closed ? -1 : SOCKET_FD);
  for (guint i = 0; i < self->entries->len; i++)
    set_poll_fd (self, i + 1, ((Entry *) g_ptr_array_index (self->entries, i))->fd);
  if (poll ((struct pollfd *) (gpointer) self->poll_fds->data, self->poll_fds->len, -1) < 0)
    g_array_set_size (self->poll_fds, 0);
}

static short
get_news (Process *self, guint i)
{
  return i < self->poll_fds->len ? g_array_index (self->poll_fds, struct pollfd, i).revents : 0;
}

static void
run (Process *self)
{
  while ((!self->is_closed && !self->is_released) || self->entries->len > 0)
    {
      guint n_entries = self->entries->len;

      wait_for_news (self);
      /* First what is asked: a path that is used again is not to be removed. */
      if (get_news (self, 0) != 0)
        while (take_request (self))
          ;
      for (guint i = 0; i < n_entries; i++)
        if (get_news (self, i + 1) != 0)
          look_at (g_ptr_array_index (self->entries, i), get_news (self, i + 1));
      /* What is in a folder goes before it. */
      remove_unused (self, LOKY_RESOURCE_KIND_FILE);
      remove_unused (self, LOKY_RESOURCE_KIND_FOLDER);
      drop_ended (self);
    }
}

/* --- the start -------------------------------------------------------------------------------- */

static void
claim_signals (void)
{
  static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
  sigset_t none;

  for (guint i = 0; i < G_N_ELEMENTS (ignored); i++)
    signal (ignored[i], SIG_IGN);
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

/* One descriptor for each resource. */
static void
raise_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

int
loky_tracker_main (void)
{
  g_autoptr (GError) error = NULL;
  Process process = { 0 };
  pid_t pid;

  claim_signals ();
  if (!loky_worker_claim_descriptors (&error))
    {
      fprintf (stderr, "loky resource tracker: %s\n", error->message);
      return LOKY_WORKER_EXIT_RUINED;
    }
  /* Nobody's child: the application neither finds it among its own nor has to wait for it. */
  pid = fork ();
  if (pid != 0)
    return pid > 0 ? 0 : LOKY_WORKER_EXIT_RUINED;
  setsid ();
  prctl (PR_SET_NAME, "loky-tracker");
  if (chdir ("/") != 0)
    return LOKY_WORKER_EXIT_RUINED;
  raise_limit ();
  process.entries = g_ptr_array_new_with_free_func (entry_free);
  process.poll_fds = g_array_new (FALSE, TRUE, sizeof (struct pollfd));
  run (&process);
  return 0;
}
