/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* never exit from inside somebody's program */
#include <uthash.h>

#define NAMES_BYTES (4u << 20) /* programs that generate kernels may do so without end */

struct name {
	uint32_t id;
	UT_hash_handle hh;
	char text[];
};

static struct name *names;
static uint32_t count;
static size_t kept_bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool write_name(const struct ct_cupti_host *host, const struct name *name, size_t length)
{
	uint32_t bytes = (uint32_t)(sizeof(struct ct_string) + length);
	struct ct_string *record = host->reserve(bytes);

	if (!record)
		return false;
	record->id = name->id;
	record->length = (uint32_t)length;
	memcpy(record->text, name->text, length);
	host->commit(record, CT_RECORD_STRING, bytes);
	return true;
}

static struct name *add(const struct ct_cupti_host *host, const char *text, size_t length)
{
	struct name *name = kept_bytes < NAMES_BYTES ? malloc(sizeof(*name) + length + 1) : NULL;

	if (!name)
		return NULL;
	memcpy(name->text, text, length);
	name->text[length] = '\0';
	name->id = ++count;
	if (!write_name(host, name, length)) {
		free(name);
		return NULL;
	}
	kept_bytes += sizeof(*name) + length + 1;
	HASH_ADD_KEYPTR(hh, names, name->text, length, name);
	return name;
}

uint32_t ct_names_intern(const struct ct_cupti_host *host, const char *text)
{
	size_t length = strnlen(text, CT_STRING_MAX);
	struct name *name = NULL;
	uint32_t id = 0;

	pthread_mutex_lock(&lock);
	HASH_FIND(hh, names, text, length, name);
	if (!name)
		name = add(host, text, length);
	if (name)
		id = name->id;
	pthread_mutex_unlock(&lock);
	if (!id)
		host->lose(CT_LOSS_STRINGS, 1);
	return id;
}
