/* SPDX-License-Identifier: Apache-2.0 */
#include "export/html/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t add(struct ct_html_names *names, const char *key, size_t length)
{
	struct ct_html_name *name = malloc(sizeof(*name) + length + 1);

	if (!name)
		return CT_NONE;
	name->id = (uint32_t)names->all.count;
	name->length = length;
	memcpy(name->text, key, length + 1);
	if (ct_lookup_add(&names->lookup, name, name->text, length) < 0) {
		free(name);
		return CT_NONE;
	}
	if (CT_PUSH(&names->all, name) < 0) {
		ct_lookup_remove(&names->lookup, name);
		free(name);
		return CT_NONE;
	}
	names->bytes += sizeof(*name) + length;
	return name->id;
}

uint32_t ct_html_name(struct ct_html_names *names, enum ct_html_kind kind, const char *text)
{
	char key[CT_HTML_NAME_BYTES];
	size_t length = strnlen(text, sizeof(key) - 2);
	struct ct_html_name *name;

	if (!names->all.count && add(names, "7(name not kept)", 16) == CT_NONE)
		return CT_NONE;
	key[0] = (char)('0' + kind);
	memcpy(key + 1, text, length);
	key[++length] = '\0';
	name = ct_lookup_find(&names->lookup, key, length);
	if (name)
		return name->id;
	if (names->bytes > CT_HTML_NAMES_BYTES) {
		names->dropped++;
		return 0;
	}
	return add(names, key, length);
}

void ct_html_names_free(struct ct_html_names *names)
{
	ct_lookup_free(&names->lookup);
	free(names->all.at);
}
