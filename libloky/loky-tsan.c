/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Only in builds with the thread sanitizer.
 *
 * GLib's locks are futexes inside a library that is not instrumented: the sanitizer would see no
 * order between threads and report every shared field. The functions below stand before GLib's for the
 * calls of the library or module that they are in (they are hidden), tell the sanitizer, and call
 * GLib's. */

#include <dlfcn.h>
#include <glib-object.h>

#include "loky-tsan-private.h"

void __tsan_mutex_pre_lock (void *address, unsigned int flags);
void __tsan_mutex_post_lock (void *address, unsigned int flags, int recursion);
int __tsan_mutex_pre_unlock (void *address, unsigned int flags);
void __tsan_mutex_post_unlock (void *address, unsigned int flags);

/* In a program, which GLib's libraries refer to as well, they cannot be hidden; there they stand before
 * GLib's for all. */
#if defined(__PIE__) || !defined(__PIC__)
#pragma GCC visibility push(default)
#endif

#define MUTEX_LINKER_INIT (1u << 0)
#define MUTEX_TRY_LOCK (1u << 4)
#define MUTEX_TRY_LOCK_FAILED (1u << 5)

/* GLib's libraries come before ours where a program or plugin is linked with them first. */
static void *
find_real (const char *name)
{
  void *real = dlsym (RTLD_NEXT, name);

  return real != NULL ? real : dlsym (dlopen ("libgobject-2.0.so.0", RTLD_LAZY | RTLD_NOLOAD), name);
}

#define REAL(name)                                                                                 \
  static __typeof__ (name) *found;                                                                 \
  __typeof__ (name) *real = __atomic_load_n (&found, __ATOMIC_ACQUIRE);                            \
  if (real == NULL)                                                                                \
    {                                                                                              \
      real = (__typeof__ (name) *) find_real (#name);                                              \
      __atomic_store_n (&found, real, __ATOMIC_RELEASE);                                           \
    }

#undef g_mutex_lock
#undef g_mutex_unlock
#undef g_mutex_trylock

void
g_mutex_lock (GMutex *mutex)
{
  REAL (g_mutex_lock);
  __tsan_mutex_pre_lock (mutex, MUTEX_LINKER_INIT);
  real (mutex);
  __tsan_mutex_post_lock (mutex, MUTEX_LINKER_INIT, 0);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  gboolean is_locked;
  REAL (g_mutex_trylock);

  __tsan_mutex_pre_lock (mutex, MUTEX_LINKER_INIT | MUTEX_TRY_LOCK);
  is_locked = real (mutex);
  __tsan_mutex_post_lock (
      mutex, MUTEX_LINKER_INIT | MUTEX_TRY_LOCK | (is_locked ? 0 : MUTEX_TRY_LOCK_FAILED), 0);
  return is_locked;
}

void
g_mutex_unlock (GMutex *mutex)
{
  REAL (g_mutex_unlock);
  __tsan_mutex_pre_unlock (mutex, 0);
  real (mutex);
  __tsan_mutex_post_unlock (mutex, 0);
}

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  REAL (g_cond_wait);
  __tsan_mutex_pre_unlock (mutex, 0);
  __tsan_mutex_post_unlock (mutex, 0);
  real (cond, mutex);
  __tsan_mutex_pre_lock (mutex, 0);
  __tsan_mutex_post_lock (mutex, 0, 0);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  gboolean is_signaled;
  REAL (g_cond_wait_until);

  __tsan_mutex_pre_unlock (mutex, 0);
  __tsan_mutex_post_unlock (mutex, 0);
  is_signaled = real (cond, mutex, end_time);
  __tsan_mutex_pre_lock (mutex, 0);
  __tsan_mutex_post_lock (mutex, 0, 0);
  return is_signaled;
}

/* The counts as the sanitizer can see them. */
void
(g_atomic_ref_count_inc) (gatomicrefcount *count)
{
  __atomic_fetch_add (count, 1, __ATOMIC_ACQ_REL);
}

gboolean
(g_atomic_ref_count_dec) (gatomicrefcount *count)
{
  return __atomic_fetch_sub (count, 1, __ATOMIC_ACQ_REL) == 1;
}

#undef g_object_unref
void
g_object_unref (gpointer object)
{
  REAL (g_object_unref);
  LOKY_TSAN_RELEASE (object);
  real (object);
}
