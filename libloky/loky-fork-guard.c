/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-fork-guard-private.h"

#include <pthread.h>

#include "loky-util-private.h"

#define BITS 64

/* Held over fork(), so that the child finds the set whole. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static guint64 *guarded; /* a set of descriptors; lock */
static gsize n_words;    /* lock */
static guint generation; /* how often this process is a forked copy; changes in its only thread */

static void
before_fork (void)
{
  pthread_mutex_lock (&lock);
}

static void
after_fork_in_parent (void)
{
  pthread_mutex_unlock (&lock);
}

static void
after_fork_in_child (void)
{
  for (gsize i = 0; i < n_words; i++)
    for (; guarded[i] != 0; guarded[i] &= guarded[i] - 1)
      close ((int) (i * BITS) + __builtin_ctzll (guarded[i]));
  generation++;
  pthread_mutex_unlock (&lock);
}

static void
watch_forks (void)
{
  static gsize once;

  if (g_once_init_enter (&once))
    {
      pthread_atfork (before_fork, after_fork_in_parent, after_fork_in_child);
      g_once_init_leave (&once, 1);
    }
}

static void
add_locked (int fd)
{
  gsize word = (gsize) fd / BITS;

  if (word >= n_words)
    {
      gsize n_new = (word + 1) * 2;

      guarded = g_renew (guint64, guarded, n_new);
      for (gsize i = n_words; i < n_new; i++)
        guarded[i] = 0;
      n_words = n_new;
    }
  guarded[word] |= G_GUINT64_CONSTANT (1) << (fd % BITS);
}

void
loky_fork_guard_add (int fd)
{
  if (fd < 0)
    return;
  watch_forks ();
  pthread_mutex_lock (&lock);
  add_locked (fd);
  pthread_mutex_unlock (&lock);
}

int
loky_fork_guard_open (const char *path, int flags)
{
  int fd;

  watch_forks ();
  pthread_mutex_lock (&lock);
  fd = loky_fd_above_standard (open (path, flags));
  if (fd >= 0)
    add_locked (fd);
  pthread_mutex_unlock (&lock);
  return fd;
}

guint
loky_fork_guard_get_generation (void)
{
  return generation;
}

static void
remove_locked (int fd)
{
  gsize word = (gsize) fd / BITS;

  if (word < n_words)
    guarded[word] &= ~(G_GUINT64_CONSTANT (1) << (fd % BITS));
}

void
loky_fork_guard_remove (int fd)
{
  if (fd < 0)
    return;
  pthread_mutex_lock (&lock);
  remove_locked (fd);
  pthread_mutex_unlock (&lock);
}

/* Both at once: a copy that is forked in between would keep it. */
void
loky_fork_guard_close (int *fd)
{
  if (*fd < 0)
    return;
  pthread_mutex_lock (&lock);
  remove_locked (*fd);
  loky_close_fd (fd);
  pthread_mutex_unlock (&lock);
}
