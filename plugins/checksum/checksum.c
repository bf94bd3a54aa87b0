/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin `checksum`: digests of files, by libcrypto. */

#include <openssl/evp.h>

#include "checksum-file.h"

/* OpenSSL 3 looks an algorithm up by name for each digest unless it was fetched, and allocates
 * anew for each context: on small files both cost more than the digest. So both are kept.
 */
typedef struct
{
  const char *name;
  EVP_MD *digest;
  EVP_MD_CTX *state;
} Algorithm;

static Algorithm algorithms[] = {
  { .name = "MD5" },    { .name = "SHA1" },        { .name = "SHA256" },
  { .name = "SHA512" }, { .name = "BLAKE2B-512" },
};

static gboolean
update_digest (gconstpointer block, gsize length, gpointer user_data)
{
  Algorithm *algorithm = user_data;

  return EVP_DigestUpdate (algorithm->state, block, length) == 1;
}

static GVariant *
digest_to_variant (const guint8 *digest, guint length)
{
  static const char digits[] = "0123456789abcdef";
  char text[2 * EVP_MAX_MD_SIZE + 1];

  for (guint i = 0; i < length; i++)
    {
      text[2 * i] = digits[digest[i] >> 4];
      text[2 * i + 1] = digits[digest[i] & 15];
    }
  text[2 * length] = '\0';

  return g_variant_new_string (text);
}

static GVariant *
checksum_task (LokyTaskContext *context, GVariant *args, gpointer user_data, GError **error)
{
  Algorithm *algorithm = user_data;
  const char *file = g_variant_get_string (args, NULL);
  guint8 digest[EVP_MAX_MD_SIZE];
  guint length = 0;

  if (algorithm->state == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "libcrypto has no %s here",
                   algorithm->name);
      return NULL;
    }

  if (EVP_DigestInit_ex2 (algorithm->state, algorithm->digest, NULL) != 1)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "libcrypto cannot begin a digest");
      return NULL;
    }

  if (!checksum_file_foreach_block (context, file, update_digest, algorithm, error))
    return NULL;

  if (EVP_DigestFinal_ex (algorithm->state, digest, &length) != 1)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "libcrypto cannot end a digest");
      return NULL;
    }

  return digest_to_variant (digest, length);
}

/* An algorithm may be missing, such as MD5 under a FIPS configuration: only its own task fails. */
static gboolean
checksum_init (GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (algorithms); i++)
    {
      algorithms[i].digest = EVP_MD_fetch (NULL, algorithms[i].name, NULL);
      if (algorithms[i].digest != NULL)
        algorithms[i].state = EVP_MD_CTX_new ();
    }

  return TRUE;
}

static void
checksum_finish (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (algorithms); i++)
    {
      g_clear_pointer (&algorithms[i].state, EVP_MD_CTX_free);
      g_clear_pointer (&algorithms[i].digest, EVP_MD_free);
    }
}

#define CHECKSUM_TASK(task_name, algorithm_index, task_summary)                                    \
  {                                                                                                \
    .name = (task_name), .arguments_type = "s", .result_type = "s", .kind = LOKY_TASK_KIND_CALL,   \
    .func = checksum_task, .user_data = &algorithms[algorithm_index], .summary = (task_summary),   \
    .arguments = "FILE",                                                                           \
  }

static const LokyTaskDescriptor tasks[] = {
  CHECKSUM_TASK ("md5", 0, "The MD5 digest of a file, as md5sum prints it"),
  CHECKSUM_TASK ("sha1", 1, "The SHA-1 digest of a file, as sha1sum prints it"),
  CHECKSUM_TASK ("sha256", 2, "The SHA-256 digest of a file, as sha256sum prints it"),
  CHECKSUM_TASK ("sha512", 3, "The SHA-512 digest of a file, as sha512sum prints it"),
  CHECKSUM_TASK ("blake2b", 4, "The BLAKE2b digest of a file, as b2sum prints it"),
};

/* clang-format off */
static const LokyPluginDescriptor descriptor = {
  LOKY_PLUGIN_INIT,
  .name = "checksum",
  .version = "1.0",
  .summary = "Digests of files",
  .tasks = tasks,
  .n_tasks = G_N_ELEMENTS (tasks),
  .init = checksum_init,
  .finish = checksum_finish,
};
/* clang-format on */

LOKY_PLUGIN_EXPORT (descriptor)
