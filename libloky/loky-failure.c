/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loky-failure-private.h"

#include <string.h>

#include "loky-error.h"

/* Error domains are quarks, which are never freed: a worker must not make up any number of them. */
#define MAX_DOMAINS 256
#define MAX_DOMAIN_LENGTH 128

GError *
loky_failure_new (const char *domain, gint32 code, const char *message)
{
  static GHashTable *domains; /* that workers made known; domains_lock */
  static GMutex domains_lock;
  GQuark quark = g_quark_try_string (domain);

  if (quark == 0 && domain[0] != '\0' && strlen (domain) <= MAX_DOMAIN_LENGTH)
    {
      g_mutex_lock (&domains_lock);
      if (domains == NULL)
        domains = g_hash_table_new (NULL, NULL);
      if (g_hash_table_size (domains) < MAX_DOMAINS)
        {
          quark = g_quark_from_string (domain);
          g_hash_table_add (domains, GUINT_TO_POINTER (quark));
        }
      g_mutex_unlock (&domains_lock);
    }
  if (quark == 0)
    return g_error_new (LOKY_ERROR, LOKY_ERROR_FAILED, "%s (%s, %d)", message, domain, code);
  return g_error_new_literal (quark, code, message);
}
