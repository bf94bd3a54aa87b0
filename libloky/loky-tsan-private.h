/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the thread sanitizer cannot see. GLib is not built with it: the order that g_object_unref()
 * makes between the last use of an object and its end has to be said.
 *
 * In other builds this is nothing. */

#if defined(__SANITIZE_THREAD__)
#define LOKY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LOKY_TSAN 1
#endif
#endif

#ifdef LOKY_TSAN
void __tsan_acquire (void *address);
void __tsan_release (void *address);
#define LOKY_TSAN_ACQUIRE(address) __tsan_acquire (address)
#define LOKY_TSAN_RELEASE(address) __tsan_release (address)
#else
#define LOKY_TSAN_ACQUIRE(address)
#define LOKY_TSAN_RELEASE(address)
#endif
