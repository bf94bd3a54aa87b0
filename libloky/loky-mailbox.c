/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-mailbox-private.h"

#include "loky-future-private.h"

/* How long one turn of the context may be held up, in µs. */
#define TURN_TIME 1000

struct _LokyMailbox
{
  gatomicrefcount ref_count;
  GMutex lock;
  GQueue entries; /* of LokyMailboxEntry; lock */
  GSource *source; /* NULL once the context is gone; lock */
};

typedef struct
{
  GSource base;
  LokyMailbox *mailbox;
} MailboxSource;

/* References are taken and dropped outside the lock: a language binding may call into its own locks
 * then, and hold those when it drops a future. That is why one without an owner is known by a weak
 * reference. */
struct _LokyMailboxEntry
{
  GList link;
  LokyFuture *future; /* valid under the lock: it leaves in its dispose */
  gboolean is_owned;  /* the mailbox holds a reference; lock */
  GWeakRef weak;
};

static void
entry_free (LokyMailboxEntry *entry)
{
  g_weak_ref_clear (&entry->weak);
  g_free (entry);
}

/* The next future that is still there, with a reference. */
static LokyFuture *
pop (LokyMailbox *self)
{
  for (;;)
    {
      LokyMailboxEntry *entry;
      LokyFuture *future;

      g_mutex_lock (&self->lock);
      entry = (LokyMailboxEntry *) g_queue_pop_head_link (&self->entries);
      if (entry != NULL)
        *loky_future_get_mailbox_entry (entry->future) = NULL;
      else if (self->source != NULL)
        g_source_set_ready_time (self->source, -1);
      g_mutex_unlock (&self->lock);
      if (entry == NULL)
        return NULL;

      future = entry->is_owned ? entry->future : g_weak_ref_get (&entry->weak);
      entry_free (entry);
      if (future != NULL)
        return future;
    }
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  LokyMailbox *self = ((MailboxSource *) source)->mailbox;
  gint64 end = g_get_monotonic_time () + TURN_TIME;
  LokyFuture *future;

  while ((future = pop (self)) != NULL)
    {
      loky_future_deliver (future);
      g_object_unref (future);
      if (g_get_monotonic_time () >= end)
        break;
    }
  return G_SOURCE_CONTINUE;
}

/* The source was destroyed, by us or with its context: what was not delivered never will be. */
static void
dispose (GSource *source)
{
  LokyMailbox *self = ((MailboxSource *) source)->mailbox;
  LokyFuture *future;

  g_mutex_lock (&self->lock);
  self->source = NULL;
  g_mutex_unlock (&self->lock);
  while ((future = pop (self)) != NULL)
    g_object_unref (future);
}

static void
finalize (GSource *source)
{
  loky_mailbox_unref (((MailboxSource *) source)->mailbox);
}

static GSourceFuncs source_funcs = { .dispatch = dispatch, .finalize = finalize };

LokyMailbox *
loky_mailbox_new (GMainContext *context)
{
  LokyMailbox *self = g_new0 (LokyMailbox, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_queue_init (&self->entries);
  self->source = g_source_new (&source_funcs, sizeof (MailboxSource));
  g_source_set_static_name (self->source, "[loky] futures");
  g_source_set_dispose_function (self->source, dispose);
  /* A handler may run a main loop of its own. */
  g_source_set_can_recurse (self->source, TRUE);
  ((MailboxSource *) self->source)->mailbox = loky_mailbox_ref (self);
  g_source_attach (self->source, context);
  /* The context holds it from here. */
  g_source_unref (self->source);
  return self;
}

LokyMailbox *
loky_mailbox_ref (LokyMailbox *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
loky_mailbox_unref (LokyMailbox *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_mutex_clear (&self->lock);
  g_free (self);
}

gboolean
loky_mailbox_is_dead (LokyMailbox *self)
{
  gboolean is_dead;

  g_mutex_lock (&self->lock);
  is_dead = self->source == NULL;
  g_mutex_unlock (&self->lock);
  return is_dead;
}

void
loky_mailbox_post (LokyMailbox *self, LokyFuture *future, gboolean owned)
{
  LokyMailboxEntry **place = loky_future_get_mailbox_entry (future);
  LokyMailboxEntry *fresh = g_new0 (LokyMailboxEntry, 1);
  gboolean is_taken = FALSE;

  fresh->link.data = fresh;
  fresh->future = future;
  g_weak_ref_init (&fresh->weak, future);
  if (owned)
    g_object_ref (future);

  g_mutex_lock (&self->lock);
  if (self->source != NULL)
    {
      if (*place == NULL)
        {
          *place = g_steal_pointer (&fresh);
          g_queue_push_tail_link (&self->entries, &(*place)->link);
          if (self->entries.length == 1)
            g_source_set_ready_time (self->source, 0);
        }
      is_taken = owned && !(*place)->is_owned;
      (*place)->is_owned |= owned;
    }
  g_mutex_unlock (&self->lock);

  if (fresh != NULL)
    entry_free (fresh);
  if (owned && !is_taken)
    g_object_unref (future);
}

void
loky_mailbox_forget (LokyMailbox *self, LokyFuture *future)
{
  LokyMailboxEntry **place = loky_future_get_mailbox_entry (future);
  LokyMailboxEntry *entry = NULL;

  g_mutex_lock (&self->lock);
  if (*place != NULL && !(*place)->is_owned)
    {
      entry = g_steal_pointer (place);
      g_queue_unlink (&self->entries, &entry->link);
    }
  g_mutex_unlock (&self->lock);
  if (entry != NULL)
    entry_free (entry);
}

void
loky_mailbox_close (LokyMailbox *self)
{
  GSource *source = NULL;

  g_mutex_lock (&self->lock);
  if (self->source != NULL)
    source = g_source_ref (self->source);
  g_mutex_unlock (&self->lock);
  if (source == NULL)
    return;
  g_source_destroy (source);
  g_source_unref (source);
}
