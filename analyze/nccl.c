/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/nccl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const ct_nccl_names[CT_NCCL_OPS] = {
#define CT_NCCL_OP(id, name, meets) name,
#include "analyze/nccl.def"
#undef CT_NCCL_OP
};

const enum ct_nccl_meets ct_nccl_meets[CT_NCCL_OPS] = {
#define CT_NCCL_OP(id, name, meets) CT_NCCL_MEETS_##meets,
#include "analyze/nccl.def"
#undef CT_NCCL_OP
};

/* The function's own name in a symbol: behind "_Z" and its length, or up to its parameters. */
static size_t bare_name(const char **name)
{
	size_t length, digits = 0;

	if (strncmp(*name, "_Z", 2) != 0)
		return strcspn(*name, "(<");
	length = strtoul(*name + 2, NULL, 10);
	while (isdigit((unsigned char)(*name)[2 + digits]))
		digits++;
	*name += 2 + digits;
	return strnlen(*name, length);
}

static enum ct_nccl_op op_at(const char *text)
{
	int op = 0;

	while (op < CT_NCCL_OTHER && strncmp(text, ct_nccl_names[op], strlen(ct_nccl_names[op])) != 0)
		op++;
	return (enum ct_nccl_op)op;
}

enum ct_nccl_op ct_nccl_op_of(const char *kernel)
{
	size_t length = bare_name(&kernel);
	const char *word = memmem(kernel, length, "Kernel", strlen("Kernel")), *behind;
	enum ct_nccl_op op;

	if (length < 4 || strncmp(kernel, "nccl", 4) != 0 || !word)
		return CT_NCCL_OPS;
	op = op_at(kernel + 4); /* as it was up to 2.13 */
	behind = memchr(word, '_', length - (size_t)(word - kernel));
	return op == CT_NCCL_OTHER && behind ? op_at(behind + 1) : op;
}

/* FNV-1a. */
static uint64_t hash_of(const char *name, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3u;
	return hash;
}

#define SEQUENCE_BASE 0x9e3779b97f4a7c15u

/* A polynomial of the names' hashes, so that parts of a sequence join to the whole's. */
static void join_sequences(struct ct_nccl_lane *lane, uint64_t sequence, uint64_t count)
{
	uint64_t power = 1, base = SEQUENCE_BASE;

	for (uint64_t n = count; n; n >>= 1, base *= base)
		if (n & 1)
			power *= base;
	lane->sequence = lane->sequence * power + sequence;
	lane->count += count;
}

int ct_nccl_add(struct ct_nccl_lane *lane, const char *kernel, const struct ct_collective *c)
{
	size_t length = bare_name(&kernel);

	join_sequences(lane, hash_of(kernel, length), 1);
	lane->last_end_ns = c->end_ns;
	return lane->kept.count < CT_NCCL_KEPT ? CT_PUSH(&lane->kept, *c) : 0;
}

uint32_t ct_nccl_text(struct ct_nccl *nccl, const char *text)
{
	char *copy;

	for (size_t i = 0; i < nccl->texts.count; i++)
		if (strcmp(nccl->texts.at[i], text) == 0)
			return (uint32_t)i;
	copy = strdup(text);
	if (copy && CT_PUSH(&nccl->texts, copy) == 0)
		return (uint32_t)nccl->texts.count - 1;
	free(copy);
	return CT_NONE;
}

struct ct_nccl_lane *ct_nccl_lane(struct ct_nccl *nccl, uint32_t device, uint32_t context,
				  uint32_t stream)
{
	struct ct_nccl_lane fresh = { .device = device, .context = context, .stream = stream };

	for (size_t i = 0; i < nccl->lanes.count; i++) {
		struct ct_nccl_lane *lane = &nccl->lanes.at[i];

		if (lane->device == device && lane->context == context && lane->stream == stream)
			return lane;
	}
	return CT_PUSH(&nccl->lanes, fresh) < 0 ? NULL : &nccl->lanes.at[nccl->lanes.count - 1];
}

int ct_nccl_count(struct ct_nccl *nccl, struct ct_nccl_call like)
{
	for (size_t i = 0; i < nccl->calls.count; i++) {
		struct ct_nccl_call *call = &nccl->calls.at[i];

		if (call->kernel != like.kernel || call->at != like.at || call->grid != like.grid)
			continue;
		call->count += like.count;
		call->total_ns += like.total_ns;
		call->least_ns = like.least_ns < call->least_ns ? like.least_ns : call->least_ns;
		call->most_ns = like.most_ns > call->most_ns ? like.most_ns : call->most_ns;
		return 0;
	}
	return CT_PUSH(&nccl->calls, like);
}

static uint32_t mapped(const uint32_t *map, uint32_t text)
{
	return text == CT_NONE ? CT_NONE : map[text];
}

static int append_lane(struct ct_nccl *to, const struct ct_nccl_lane *from, const uint32_t *map)
{
	struct ct_nccl_lane *lane = ct_nccl_lane(to, from->device, from->context, from->stream);
	int r = lane ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < from->kept.count && lane->kept.count < CT_NCCL_KEPT; i++) {
		struct ct_collective c = from->kept.at[i];

		c.blocked_at = mapped(map, c.blocked_at);
		c.ran = mapped(map, c.ran);
		c.host_at = mapped(map, c.host_at);
		r = CT_PUSH(&lane->kept, c);
	}
	if (r < 0)
		return r;
	join_sequences(lane, from->sequence, from->count);
	lane->last_end_ns = from->last_end_ns;
	return 0;
}

int ct_nccl_append(struct ct_nccl *to, const struct ct_nccl *from)
{
	uint32_t *map = calloc(from->texts.count + 1, sizeof(*map));
	int r = map ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < from->texts.count; i++) {
		map[i] = ct_nccl_text(to, from->texts.at[i]);
		r = map[i] == CT_NONE ? -ENOMEM : 0;
	}
	for (size_t i = 0; r == 0 && i < from->lanes.count; i++)
		r = append_lane(to, &from->lanes.at[i], map);
	for (size_t i = 0; r == 0 && i < from->calls.count; i++) {
		struct ct_nccl_call call = from->calls.at[i];

		call.kernel = map[call.kernel];
		call.at = mapped(map, call.at);
		r = ct_nccl_count(to, call);
	}
	free(map);
	return r;
}

void ct_nccl_free(struct ct_nccl *nccl)
{
	for (size_t i = 0; i < nccl->lanes.count; i++)
		free(nccl->lanes.at[i].kept.at);
	for (size_t i = 0; i < nccl->texts.count; i++)
		free(nccl->texts.at[i]);
	free(nccl->lanes.at);
	free(nccl->calls.at);
	free(nccl->texts.at);
	memset(nccl, 0, sizeof(*nccl));
}
