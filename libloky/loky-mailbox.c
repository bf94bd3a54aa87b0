/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-mailbox-private.h"

#include "loky-future-private.h"
#include "loky-tsan-private.h"

/* How long one turn of the context may be held up, in µs. */
#define TURN_TIME 1000

struct _LokyMailbox
{
  gatomicrefcount ref_count;
  GMutex lock;
  GQueue items;    /* of LokyMailboxItem; lock */
  GSource *source; /* NULL once the context is gone, set atomically; lock */
  gboolean is_hearing; /* the context's thread; lock */
  guint n_expected;    /* lock */
  LokyMailboxHear hear;
  gpointer hear_data;
};

typedef struct
{
  GSource base;
  LokyMailbox *mailbox;
} MailboxSource;

#define ITEM_FROM_LINK(it) ((LokyMailboxItem *) ((char *) (it) - G_STRUCT_OFFSET (LokyMailboxItem, link)))

/* The next item that is still there; with a reference, if it is a future.
 *
 * References are taken and dropped outside the lock: a language binding may call into its own locks then, and
 * hold those when it drops a future. A future without an owner is therefore marked as taken under the lock, and
 * referenced after that; its dispose, which finds it so, waits for these few instructions, and the reference
 * keeps it. They cannot wait for who disposes it in turn: a binding that still has the future is no last owner,
 * and one that has not is not called. */
static LokyMailboxItem *
pop (LokyMailbox *self)
{
  gboolean is_unowned = FALSE;
  LokyMailboxItem *item;
  GList *link;

  g_mutex_lock (&self->lock);
  link = g_queue_pop_head_link (&self->items);
  item = link != NULL ? ITEM_FROM_LINK (link) : NULL;
  if (item != NULL)
    {
      is_unowned = item->link.data != NULL && !item->is_owned;
      item->is_queued = FALSE;
      item->is_owned = FALSE;
      if (is_unowned)
        g_atomic_int_inc (&item->n_taken);
    }
  else if (self->source != NULL)
    g_source_set_ready_time (self->source, -1);
  g_mutex_unlock (&self->lock);

  if (is_unowned)
    {
      g_object_ref (item->link.data);
      g_atomic_int_add (&item->n_taken, -1);
    }
  return item;
}

static void
deliver (LokyMailboxItem *item)
{
  LokyFuture *future = item->link.data;

  item->deliver (item);
  if (future != NULL)
    g_object_unref (future);
}

/* What is posted while this thread hears does not wake it: it looks at the items after that, and before each poll,
 * since a dispatch may leave some. */
static gboolean
prepare (GSource *source, gint *timeout)
{
  LokyMailbox *self;
  gboolean has_items, hears;

  /* The context's lock orders it after the making. */
  LOKY_TSAN_ACQUIRE (source);
  self = ((MailboxSource *) source)->mailbox;
  *timeout = -1;
  g_mutex_lock (&self->lock);
  has_items = self->items.length > 0;
  hears = !has_items && self->n_expected > 0;
  self->is_hearing = hears;
  g_mutex_unlock (&self->lock);
  if (hears)
    {
      self->hear (self->hear_data);
      g_mutex_lock (&self->lock);
      has_items = self->items.length > 0;
      self->is_hearing = FALSE;
      g_mutex_unlock (&self->lock);
    }
  LOKY_TSAN_RELEASE (self);
  return has_items;
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  LokyMailbox *self = ((MailboxSource *) source)->mailbox;
  gint64 end = g_get_monotonic_time () + TURN_TIME;
  LokyMailboxItem *item;

  while ((item = pop (self)) != NULL)
    {
      deliver (item);
      if (g_get_monotonic_time () >= end)
        break;
    }
  return G_SOURCE_CONTINUE;
}

/* The source was destroyed, by us or with its context: what was not delivered never will be there. */
static void
dispose (GSource *source)
{
  LokyMailbox *self = ((MailboxSource *) source)->mailbox;
  LokyMailboxItem *item;

  g_mutex_lock (&self->lock);
  g_atomic_pointer_set (&self->source, NULL);
  g_mutex_unlock (&self->lock);
  while ((item = pop (self)) != NULL)
    if (item->link.data != NULL)
      g_object_unref (item->link.data);
    else
      item->deliver (item);
}

static void
finalize (GSource *source)
{
  loky_mailbox_unref (((MailboxSource *) source)->mailbox);
}

static GSourceFuncs source_funcs = { .prepare = prepare, .dispatch = dispatch, .finalize = finalize };

LokyMailbox *
loky_mailbox_new (GMainContext *context, LokyMailboxHear hear, gpointer user_data)
{
  LokyMailbox *self = g_new0 (LokyMailbox, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_queue_init (&self->items);
  self->hear = hear;
  self->hear_data = user_data;
  self->source = g_source_new (&source_funcs, sizeof (MailboxSource));
  g_source_set_static_name (self->source, "[loky] futures");
  g_source_set_dispose_function (self->source, dispose);
  /* A handler may run a main loop of its own. */
  g_source_set_can_recurse (self->source, TRUE);
  ((MailboxSource *) self->source)->mailbox = loky_mailbox_ref (self);
  LOKY_TSAN_RELEASE (self->source);
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
  LOKY_TSAN_RELEASE (self);
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  LOKY_TSAN_ACQUIRE (self);
  g_mutex_clear (&self->lock);
  g_free (self);
}

gboolean
loky_mailbox_is_dead (LokyMailbox *self)
{
  return g_atomic_pointer_get (&self->source) == NULL;
}

/* FALSE: the context is gone. */
static gboolean
push_locked (LokyMailbox *self, LokyMailboxItem *item)
{
  if (self->source == NULL)
    return FALSE;
  item->is_queued = TRUE;
  g_queue_push_tail_link (&self->items, &item->link);
  if (self->items.length == 1 && !self->is_hearing)
    g_source_set_ready_time (self->source, 0);
  return TRUE;
}

void
loky_mailbox_expect (LokyMailbox *self)
{
  g_mutex_lock (&self->lock);
  self->n_expected++;
  g_mutex_unlock (&self->lock);
}

void
loky_mailbox_expect_no_more (LokyMailbox *self)
{
  g_mutex_lock (&self->lock);
  self->n_expected--;
  g_mutex_unlock (&self->lock);
}

void
loky_mailbox_post (LokyMailbox *self, LokyMailboxItem *item)
{
  gboolean is_queued;

  g_mutex_lock (&self->lock);
  is_queued = push_locked (self, item);
  g_mutex_unlock (&self->lock);
  if (!is_queued)
    item->deliver (item);
}

void
loky_mailbox_post_future (LokyMailbox *self,
                          LokyFuture *future,
                          LokyMailboxItem *item,
                          gboolean owned)
{
  gboolean is_taken = FALSE;

  if (owned)
    g_object_ref (future);
  g_mutex_lock (&self->lock);
  /* The same each time; who delivers it may be reading. */
  if (item->link.data == NULL)
    item->link.data = future;
  if (item->is_queued || push_locked (self, item))
    {
      is_taken = owned && !item->is_owned;
      item->is_owned |= owned;
    }
  g_mutex_unlock (&self->lock);
  if (owned && !is_taken)
    g_object_unref (future);
}

void
loky_mailbox_forget (LokyMailbox *self, LokyMailboxItem *item)
{
  g_mutex_lock (&self->lock);
  if (item->is_queued && !item->is_owned)
    {
      item->is_queued = FALSE;
      g_queue_unlink (&self->items, &item->link);
    }
  g_mutex_unlock (&self->lock);
  while (g_atomic_int_get (&item->n_taken) > 0)
    g_thread_yield ();
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
