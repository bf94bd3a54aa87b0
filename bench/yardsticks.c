/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What ours is compared with, each in the way that is usual for it. */

#include "bench.h"

#include <math.h>
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_SIZE 64
#define COPY_SIZE (64u << 20)
#define N_PAIRS 9

/* What the other end makes of a message. */
typedef void (*Answer) (char *message);

static gboolean
exchange (int fd, char *message)
{
  return write (fd, message, MESSAGE_SIZE) == MESSAGE_SIZE && read (fd, message, MESSAGE_SIZE) == MESSAGE_SIZE;
}

/* The other end: until there is no more. */
static void G_GNUC_NORETURN
serve (int fd, Answer answer)
{
  char message[MESSAGE_SIZE] __attribute__ ((aligned (8)));
  gboolean is_open = read (fd, message, sizeof message) == sizeof message;

  while (is_open)
    {
      answer (message);
      is_open = exchange (fd, message);
    }
  _exit (0);
}

static void
echo (char *message)
{
}

static gboolean
ping (gpointer data)
{
  const int *fd = data;
  char message[MESSAGE_SIZE] = { 0 };

  return exchange (*fd, message);
}

/* Adds the times of one pair of processes to @times. */
static void
time_pair (GArray *times, guint n, guint pause, gboolean is_pinned, BenchFunc call, Answer answer)
{
  g_autoptr (GArray) some = NULL;
  cpu_set_t before, here;
  int ends[2];
  pid_t pid;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return;
  CPU_ZERO (&here);
  CPU_SET ((gsize) sched_getcpu (), &here);
  sched_getaffinity (0, sizeof before, &before);
  if (is_pinned)
    sched_setaffinity (0, sizeof here, &here);
  pid = fork ();
  if (pid == 0)
    {
      close (ends[0]);
      serve (ends[1], answer);
    }
  close (ends[1]);
  some = bench_time (n, n / 10, pause, call, &ends[0]);
  g_array_append_vals (times, some->data, some->len);
  sched_setaffinity (0, sizeof before, &before);
  close (ends[0]);
  waitpid (pid, NULL, 0);
}

/* Whether the kernel leaves both ends on one processor, where a round trip takes 10 µs, or on two,
 * where it takes 50, is decided once for a pair, and chance: hence several. */
static GArray *
time_pairs (guint n, guint pause, BenchFunc call, Answer answer)
{
  GArray *times = g_array_new (FALSE, FALSE, sizeof (double));

  for (guint i = 0; i < N_PAIRS; i++)
    time_pair (times, MAX (n / N_PAIRS, 1), pause, FALSE, call, answer);
  return times;
}

GArray *
bench_time_ping_pong (guint n, guint pause)
{
  return time_pairs (n, pause, ping, echo);
}

double
bench_ping_pong (const BenchScale *scale)
{
  g_autoptr (GArray) times = bench_time_ping_pong (bench_count (scale, 20000), 0);

  return bench_median (times);
}

double
bench_ping_pong_sparse (const BenchScale *scale)
{
  g_autoptr (GArray) times = bench_time_ping_pong (bench_count (scale, 100), 5000);

  return bench_median (times);
}

double
bench_ping_pong_pinned (const BenchScale *scale)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));

  time_pair (times, bench_count (scale, 20000), 0, TRUE, ping, echo);
  return bench_median (times);
}

/* --- with what a call is made of ------------------------------------------------------------------ */

/* What every interface of this kind has to make: an object for who waits, and GVariants of the arguments and of the
 * result, on both sides. */
static GVariant *
read_variant (const char *message)
{
  g_autoptr (GBytes) bytes = g_bytes_new (message, sizeof (guint32));
  g_autoptr (GVariant) variant
      = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_UINT32, bytes, FALSE));

  return g_variant_is_normal_form (variant) ? g_steal_pointer (&variant) : NULL;
}

static void
write_variant (char *message, GVariant *variant)
{
  g_autoptr (GVariant) sunk = g_variant_ref_sink (variant);

  g_variant_store (sunk, message);
}

static void
echo_variant (char *message)
{
  g_autoptr (GVariant) args = read_variant (message);

  write_variant (message, g_variant_new_uint32 (g_variant_get_uint32 (args)));
}

static gboolean
call_bare (gpointer data)
{
  const int *fd = data;
  char message[MESSAGE_SIZE] __attribute__ ((aligned (8))) = { 0 };
  g_autoptr (GObject) future G_GNUC_UNUSED = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (GVariant) result = NULL;

  write_variant (message, g_variant_new_uint32 (1));
  if (!exchange (*fd, message))
    return FALSE;
  result = read_variant (message);
  return g_variant_get_uint32 (result) == 1;
}

double
bench_bare_call_sparse (const BenchScale *scale)
{
  g_autoptr (GArray) times = time_pairs (bench_count (scale, 100), 5000, call_bare, echo_variant);

  return bench_median (times);
}

/* --- GTask --------------------------------------------------------------------------------------- */

static void
do_nothing (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  g_task_return_boolean (task, TRUE);
}

static void
count_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  guint *n_left = user_data;

  --*n_left;
}

double
bench_gtask (const BenchScale *scale)
{
  guint n = bench_count (scale, 200000);
  guint n_left = n;
  double start = bench_now ();

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GTask) task = g_task_new (NULL, NULL, count_cb, &n_left);

      g_task_run_in_thread (task, do_nothing);
    }
  while (n_left > 0)
    g_main_context_iteration (NULL, TRUE);
  return n / (bench_now () - start) * 1e6;
}

/* --- processes ----------------------------------------------------------------------------------- */

static gboolean
spawn (gpointer data)
{
  char *const *argv = data;
  pid_t pid;

  return posix_spawn (&pid, argv[0], NULL, NULL, argv, environ) == 0 &&
         waitpid (pid, NULL, 0) == pid;
}

static double
time_spawn (const BenchScale *scale, const char *const *argv)
{
  g_autoptr (GArray) times = bench_time (bench_count (scale, 50), 0, 0, spawn, (gpointer) argv);

  return bench_median (times) / 1e3;
}

double
bench_spawn (const BenchScale *scale)
{
  static const char *const argv[] = { "/bin/true", NULL };

  return time_spawn (scale, argv);
}

/* The same of a program that needs the libraries of a worker, and does as little with them. */
double
bench_spawn_linked (const BenchScale *scale)
{
  static const char *const argv[] = { LOKY_BENCH_LINKED, NULL };

  return time_spawn (scale, argv);
}

double
bench_xargs_sha256sum (const BenchScale *scale)
{
  double start = bench_now ();

  return system ("find /usr/include -type f -print0 | xargs -0 -P $(nproc) -n 64 sha256sum "
                 ">/dev/null") == 0
             ? (bench_now () - start) / 1e6
             : NAN;
}

/* --- memory -------------------------------------------------------------------------------------- */

static gboolean
copy (gpointer data)
{
  char **blocks = data;

  memcpy (blocks[0], blocks[1], COPY_SIZE);
  /* The copy is wanted. */
  __asm__ volatile("" : : "r"(blocks[0]) : "memory");
  return TRUE;
}

double
bench_memcpy (const BenchScale *scale)
{
  g_autofree char *to = g_malloc (COPY_SIZE);
  g_autofree char *from = g_malloc (COPY_SIZE);
  char *blocks[] = { to, from };
  g_autoptr (GArray) times = NULL;

  memset (to, 2, COPY_SIZE);
  memset (from, 1, COPY_SIZE);
  times = bench_time (bench_count (scale, 10), 0, 0, copy, blocks);
  return (double) COPY_SIZE / (1 << 30) / bench_median (times) * 1e6;
}
