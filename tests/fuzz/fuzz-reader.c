/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The application's whole reading side, fed by hostile workers: a real executor whose workers are puppets (see
 * puppet.h), moved by the input, operation by operation. Whatever they do, each future ends exactly once, its
 * result can be asked for, the shutdown ends, and no descriptor is left. */

#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../fixture.h"
#include "fuzz.h"
#include "loky-channel-private.h"
#include "loky-control-private.h"
#include "loky-util-private.h"
#include "loky.h"
#include "puppet.h"

#define MAX_FUTURES 16
#define MAX_TASKS 16
#define MAX_OPERATIONS 64

/* How long is waited for a worker and for what it sends to be read, in µs. It changes what an input does, never
 * whether that is right. */
#define START_TIME (3 * 1000)
#define SETTLE_TIME 500

typedef struct
{
  guint32 slot;
  guint64 number;
} Task;

typedef struct
{
  LokyExecutor *executor;
  LokyFuture *futures[MAX_FUTURES];
  guint n_futures;
  guint n_ended;
  Puppet *puppet; /* the one whose turn it is, or NULL */
  LokyChannel *peer;
  LokyControl control;
  Task tasks[MAX_TASKS]; /* that it was sent */
  guint n_tasks;
} Stage;

/* --- the worker's side ------------------------------------------------------------------------------- */

static void
read_peer (Stage *self)
{
  LokyFrame frame;

  if (self->peer == NULL || loky_channel_fill (self->peer, FALSE, NULL) != LOKY_FILL_DATA)
    return;
  while (loky_channel_next_frame (self->peer, &frame, NULL) == LOKY_FRAME_COMPLETE)
    {
      if (frame.header.type == LOKY_MESSAGE_SETUP && self->control.area == NULL)
        loky_control_map (&self->control, loky_steal_fd (&frame.fds[0]), NULL);
      if (frame.header.type == LOKY_MESSAGE_TASK)
        self->tasks[self->n_tasks++ % MAX_TASKS] = (Task){ frame.header.slot, frame.header.number };
      loky_frame_close_fds (&frame);
    }
}

static void
drop_puppet (Stage *self)
{
  g_clear_pointer (&self->peer, loky_channel_free);
  loky_control_clear (&self->control);
  self->n_tasks = 0;
  if (self->puppet != NULL)
    puppet_end (self->puppet, 0, 0);
  g_clear_pointer (&self->puppet, puppet_release);
}

static gboolean
is_unsettled (Stage *self)
{
  int unread = 0;

  if (self->puppet == NULL || puppet_is_forgotten (self->puppet))
    return FALSE;
  return puppet_has_ended (self->puppet) ||
         (ioctl (puppet_get_channel (self->puppet), SIOCOUTQ, &unread) == 0 && unread > 0);
}

/* Waits until all that was sent was read, and the end of a worker that has ended was seen. */
static void
settle (Stage *self)
{
  gint64 until = g_get_monotonic_time () + SETTLE_TIME;

  while (is_unsettled (self) && g_get_monotonic_time () < until)
    g_usleep (20);
  /* What was read is applied with the lock held. */
  loky_executor_get_n_pending (self->executor);
}

/* The next worker of the pool, with a hello or without. */
static void
take_puppet (Stage *self, gboolean greets)
{
  drop_puppet (self);
  self->puppet = puppet_take (START_TIME);
  if (self->puppet == NULL)
    return;
  self->peer = loky_channel_new (fcntl (puppet_get_channel (self->puppet), F_DUPFD_CLOEXEC, 3));
  for (gint64 until = g_get_monotonic_time () + START_TIME;
       self->control.area == NULL && g_get_monotonic_time () < until;)
    {
      read_peer (self);
      if (self->control.area == NULL)
        g_usleep (20);
    }
  if (!greets || self->control.area == NULL)
    return;
  loky_control_set_phase (&self->control, LOKY_PHASE_SERVING);
  loky_channel_append_variant (self->peer, LOKY_MESSAGE_HELLO, 0, 0, g_variant_new ("(su)", LOKY_VERSION_S, 1), NULL,
                               0);
  loky_channel_flush (self->peer);
  settle (self);
  for (gint64 until = g_get_monotonic_time () + SETTLE_TIME;
       self->n_tasks == 0 && loky_executor_get_n_pending (self->executor) > 0 &&
       g_get_monotonic_time () < until;)
    {
      g_usleep (20);
      read_peer (self);
    }
}

static void
send_bytes (Stage *self, const guint8 *data, gsize size, const int *fds, guint n_fds)
{
  union
  {
    struct cmsghdr header;
    char room[CMSG_SPACE (LOKY_FRAME_MAX_FDS * sizeof (int))];
  } control;
  struct iovec vector = { (void *) data, size };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

  if (self->puppet == NULL)
    return;
  if (n_fds > 0)
    {
      memset (&control, 0, sizeof control);
      control.header.cmsg_level = SOL_SOCKET;
      control.header.cmsg_type = SCM_RIGHTS;
      control.header.cmsg_len = CMSG_LEN (n_fds * sizeof (int));
      memcpy (CMSG_DATA (&control.header), fds, n_fds * sizeof (int));
      message.msg_control = &control;
      message.msg_controllen = CMSG_SPACE (n_fds * sizeof (int));
    }
  /* What does not fit is lost. */
  sendmsg (puppet_get_channel (self->puppet), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A header that is well-formed but for what the input makes of it, and a body of the input's. */
static void
send_frame (Stage *self, FuzzInput *input, const int *fds, guint n_fds)
{
  static const guint8 types[] = {
    LOKY_MESSAGE_RESULT,   LOKY_MESSAGE_FAILURE, LOKY_MESSAGE_PROGRESS,     LOKY_MESSAGE_RELEASE,
    LOKY_MESSAGE_GOODBYE,  LOKY_MESSAGE_HELLO,   LOKY_MESSAGE_START_FAILED, LOKY_MESSAGE_TASK,
  };
  guint8 kind = fuzz_take_byte (input);
  guint8 which = fuzz_take_byte (input);
  Task task = self->tasks[which % MAX_TASKS];
  gsize length = fuzz_take_byte (input);
  LokyFrameHeader header = { .slot = task.slot, .number = task.number + (which >> 6) };
  const guint8 *body;
  g_autofree guint8 *frame = NULL;

  length |= (gsize) (fuzz_take_byte (input) & 3) << 8;
  body = fuzz_take (input, length, &length);
  header.type = kind < 0xe8   ? types[kind % G_N_ELEMENTS (types)]
                : kind < 0xf0 ? LOKY_MESSAGE_GROWN
                              : kind;
  header.n_fds = (guint8) n_fds;
  header.length = (guint32) length;
  frame = g_malloc0 (loky_frame_size (header.length));
  loky_frame_encode_header (&header, frame);
  memcpy (frame + LOKY_FRAME_HEADER_SIZE, body, length);
  send_bytes (self, frame, loky_frame_size (header.length), fds, n_fds);
}

/* A memory file, sealed or not, of a size that may be another than is said, and a frame with it. */
static void
send_memory (Stage *self, FuzzInput *input)
{
  guint8 how = fuzz_take_byte (input);
  loky_autofd int fd = memfd_create ("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  int fds[2] = { fd, fd };

  if (fd < 0 || ftruncate (fd, fuzz_take_byte (input) * 16) != 0)
    return;
  if (how & 1)
    posix_fallocate (fd, 0, 4096);
  if (how & 2)
    fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  send_frame (self, input, fds, how & 4 ? 2 : 1);
}

/* A true answer to a task, so that what follows meets a state that is not the first. */
static void
answer (Stage *self, FuzzInput *input)
{
  guint8 which = fuzz_take_byte (input);
  Task task = self->tasks[which % MAX_TASKS];
  LokyValueMessage message = { .run_time = 1 };
  gsize size = (gsize) fuzz_take_byte (input) * 300; /* beyond the inline limit, too */
  g_autofree guint8 *data = g_malloc0 (size + 1);
  g_autoptr (GVariant) value = NULL;

  if (self->peer == NULL || self->control.area == NULL ||
      !loky_control_claim (&self->control, task.slot % LOKY_CONTROL_N_SLOTS, task.number))
    return;
  value = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, size, 1));
  loky_channel_append_value (self->peer, LOKY_MESSAGE_RESULT, task.slot, task.number, &message, value, NULL);
  loky_channel_flush (self->peer);
}

static void
write_control (Stage *self, FuzzInput *input)
{
  gsize offset = fuzz_take_byte (input);
  gsize size = fuzz_take_byte (input);
  const guint8 *data;

  offset = (offset << 5) % sizeof (LokyControlArea);
  data = fuzz_take (input, MIN (size, sizeof (LokyControlArea) - offset), &size);
  if (self->control.area != NULL)
    memcpy ((guint8 *) self->control.area + offset, data, size);
}

/* --- the application's side -------------------------------------------------------------------------- */

static void
done_cb (LokyFuture *future, gpointer user_data)
{
  Stage *self = user_data;

  g_assert (loky_future_is_done (future));
  self->n_ended++;
}

static void
submit (Stage *self, FuzzInput *input)
{
  guint8 how = fuzz_take_byte (input);
  g_autoptr (LokyTaskOptions) options = loky_task_options_new ();
  LokyFuture *future;

  if (self->n_futures == MAX_FUTURES)
    return;
  loky_task_options_set_retries (options, how & 3);
  if (how & 4)
    loky_task_options_set_timeout (options, how >> 4);
  if (how & 8)
    loky_task_options_set_cancel_grace (options, 0);
  loky_task_options_set_partial_results (options, (how & 16) != 0);
  loky_task_options_set_capture_output (options, (how & 32) != 0);
  future = loky_executor_submit (self->executor, how & 4 ? "a.b" : "a.c", NULL, options, NULL);
  if (future == NULL)
    return;
  g_signal_connect (future, "done", G_CALLBACK (done_cb), self);
  self->futures[self->n_futures++] = future;
}

/* Until the end, or what it was not submitted for. */
static void
take_partials (LokyFuture *future)
{
  for (;;)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = loky_future_next_partial (future, -1, NULL, &error);

      g_assert (value == NULL || (error == NULL && g_variant_is_normal_form (value)));
      if (value == NULL && (error == NULL || error->code == LOKY_ERROR_INVALID_ARGUMENT))
        return;
    }
}

static void
check_future (LokyFuture *future)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  G_GNUC_UNUSED g_autofree char *backtrace = loky_future_dup_backtrace (future);
  gdouble progress = loky_future_get_progress (future);

  g_assert (loky_future_is_done (future));
  result = loky_future_dup_result (future, &error);
  g_debug ("%s", error != NULL ? error->message : g_variant_get_type_string (result));
  g_assert ((result == NULL) == (error != NULL));
  g_assert (error == NULL || (error->message != NULL && g_utf8_validate (error->message, -1, NULL)));
  g_assert (result == NULL || g_variant_is_normal_form (result));
  g_assert (progress >= 0 && progress <= 1);
  g_assert (loky_future_get_attempts (future) <= 4);
  take_partials (future);
}

static void
act (Stage *self, FuzzInput *input)
{
  guint8 operation = fuzz_take_byte (input);
  const guint8 *data;
  gsize size;

  switch (operation % 16)
    {
    case 0:
    case 1:
      submit (self, input);
      break;
    case 2:
      take_puppet (self, TRUE);
      break;
    case 3:
      take_puppet (self, FALSE);
      break;
    case 4:
      data = fuzz_take (input, fuzz_take_byte (input), &size);
      send_bytes (self, data, size, NULL, 0);
      break;
    case 5:
    case 6:
      send_frame (self, input, NULL, 0);
      break;
    case 7:
      send_memory (self, input);
      break;
    case 8:
    case 9:
      read_peer (self);
      answer (self, input);
      break;
    case 10:
      write_control (self, input);
      break;
    case 11:
      if (self->puppet != NULL)
        puppet_end (self->puppet, operation >> 4, fuzz_take_byte (input));
      break;
    case 12:
      if (self->n_futures > 0)
        loky_future_cancel (self->futures[fuzz_take_byte (input) % self->n_futures]);
      break;
    case 13:
      loky_executor_set_max_workers (self->executor, 1 + fuzz_take_byte (input) % 3);
      break;
    case 14:
      if (self->puppet != NULL && operation >> 4 == 15)
        shutdown (puppet_get_channel (self->puppet), SHUT_WR);
      else if (self->control.area != NULL)
        loky_control_claim (&self->control, self->tasks[operation >> 4].slot % LOKY_CONTROL_N_SLOTS,
                            self->tasks[operation >> 4].number);
      break;
    case 15:
    default:
      settle (self);
      read_peer (self);
      break;
    }
}

/* --- one run ------------------------------------------------------------------------------------------ */

static void
set_up (Stage *self, guint8 how)
{
  const char *const plugin_path[] = { "/nowhere", NULL };

  self->control.fd = -1;
  self->executor = g_object_new (LOKY_TYPE_EXECUTOR, "max-workers", how & 1 ? 2 : 1, "crash-policy",
                                 how & 2 ? LOKY_CRASH_POLICY_BREAK : LOKY_CRASH_POLICY_REPLACE, "worker-path",
                                 "/nowhere", "plugin-path", plugin_path, "initializer",
                                 how & 4 ? "a.initialize" : NULL, NULL);
}

static void
tear_down (Stage *self)
{
  g_autoptr (GError) error = NULL;
  Puppet *late;

  settle (self);
  g_assert (loky_executor_shutdown_sync (self->executor, LOKY_SHUTDOWN_KILL, -1, NULL, &error));
  drop_puppet (self);
  while ((late = puppet_take (0)) != NULL)
    puppet_release (late);
  for (guint i = 0; i < self->n_futures; i++)
    check_future (self->futures[i]);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert (self->n_ended == self->n_futures);
  for (guint i = 0; i < self->n_futures; i++)
    g_object_unref (self->futures[i]);
  g_object_unref (self->executor);
}

static void
run (const guint8 *data, gsize size)
{
  FuzzInput input = { data, size };
  Stage stage = { 0 };

  set_up (&stage, fuzz_take_byte (&input));
  for (guint i = 0; i < MAX_OPERATIONS && input.left > 0; i++)
    act (&stage, &input);
  tear_down (&stage);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static guint n_runs;
  static guint n_fds;

  /* The first one makes what the process keeps: GLib's threads and contexts. */
  if (n_runs++ == 0)
    {
      g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
      run ((const guint8 *) "\0\0\0\2", 4);
      n_fds = loky_fixture_count_fds ();
    }
  run (data, size);
  /* Descriptors that a worker sent and that are not taken are closed by a thread of their own. */
  loky_fixture_assert_fds (n_fds);
  return 0;
}
