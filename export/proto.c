/* SPDX-License-Identifier: Apache-2.0 */
#include "export/proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/tame.h"

#define TEXT_MAX 8192
#define LENGTH_BYTES 4 /* of a message in a message: it has room for 256 MiB */

enum wire { VARINT = 0, FIXED64 = 1, LENGTH = 2 };

void ct_proto_free(struct ct_proto *proto)
{
	free(proto->at);
}

void ct_proto_clear(struct ct_proto *proto)
{
	proto->count = 0;
}

/* Room for so many bytes more; NULL without memory. */
static uint8_t *extend(struct ct_proto *proto, size_t bytes)
{
	if (proto->count + bytes > proto->room) {
		size_t room = 2 * (proto->count + bytes) + 256;
		void *grown = realloc(proto->at, room);

		if (!grown) {
			proto->no_memory = true;
			return NULL;
		}
		proto->at = grown;
		proto->room = room;
	}
	proto->count += bytes;
	return proto->at + proto->count - bytes;
}

static void put_varint(struct ct_proto *proto, uint64_t value)
{
	uint8_t bytes[10], *to;
	size_t count = 0;

	do {
		bytes[count++] = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		value >>= 7;
	} while (value);
	to = extend(proto, count);
	if (to)
		memcpy(to, bytes, count);
}

static void put_tag(struct ct_proto *proto, unsigned field, enum wire wire)
{
	put_varint(proto, (uint64_t)field << 3 | wire);
}

void ct_proto_varint(struct ct_proto *proto, unsigned field, uint64_t value)
{
	put_tag(proto, field, VARINT);
	put_varint(proto, value);
}

void ct_proto_fixed64(struct ct_proto *proto, unsigned field, uint64_t value)
{
	uint8_t *to;

	put_tag(proto, field, FIXED64);
	to = extend(proto, sizeof(value));
	for (size_t i = 0; to && i < sizeof(value); i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

void ct_proto_bytes(struct ct_proto *proto, unsigned field, const void *bytes, size_t size)
{
	uint8_t *to;

	put_tag(proto, field, LENGTH);
	put_varint(proto, size);
	to = size ? extend(proto, size) : NULL;
	if (to)
		memcpy(to, bytes, size);
}

void ct_proto_text(struct ct_proto *proto, unsigned field, const char *text)
{
	char tame[TEXT_MAX];

	snprintf(tame, sizeof(tame), "%s", text);
	ct_tame(tame, '?');
	ct_proto_bytes(proto, field, tame, strlen(tame));
}

/*
 * Its length is not known yet: it gets four bytes, whatever it takes. A varint may be longer
 * than it must be; that is how Perfetto's own encoder (protozero) does it.
 */
size_t ct_proto_begin(struct ct_proto *proto, unsigned field)
{
	put_tag(proto, field, LENGTH);
	extend(proto, LENGTH_BYTES);
	return proto->count;
}

void ct_proto_end(struct ct_proto *proto, size_t mark)
{
	size_t length = proto->count - mark;

	if (proto->no_memory)
		return;
	for (size_t i = 0; i < LENGTH_BYTES; i++) {
		bool last = i == LENGTH_BYTES - 1;

		proto->at[mark - LENGTH_BYTES + i] = (uint8_t)(length & 0x7f) | (last ? 0 : 0x80);
		length >>= 7;
	}
}
