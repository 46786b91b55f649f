/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutator that knows what a trace is: records are inserted, removed, doubled and swapped as
 * a whole, so are chunks, and fields get values that hurt or that another record has.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/form.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *to, size_t room, unsigned seed);

enum { SCRATCH = 1 << 20, LONGEST = 512 };

static struct form_item items[FORM_ITEMS + LONGEST], others[FORM_ITEMS];
static uint8_t scratch[SCRATCH], joined[4 * SCRATCH];
static size_t scratch_used;
static uint32_t state;

static uint32_t below(size_t limit)
{
	state = state * 1664525 + 1013904223;
	return limit ? (uint32_t)((uint64_t)(state >> 8) * limit >> 24) : 0;
}

/* A copy of an item that may be written to; NULL if there is no more room for any. */
static uint8_t *own(struct form_item *item)
{
	size_t bytes = (size_t)item->slots * CT_SLOT_BYTES;
	uint8_t *copy = scratch + scratch_used;

	if (bytes > SCRATCH - scratch_used)
		return NULL;
	scratch_used += bytes;
	memcpy(copy, item->bytes, bytes);
	item->bytes = copy;
	return copy;
}

static uint64_t hurting(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 63, 64, 65, 255, 256, 4096, 65535, 65536, INT32_MAX, UINT32_MAX,
		(uint64_t)UINT32_MAX + 1, INT64_MAX, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 1,
		CT_PC_SCRIPT(1), 1000000000, 86400000000000000,
	};

	return values[below(sizeof(values) / sizeof(values[0]))];
}

/* Change the number of 2, 4 or 8 bytes at a place: by a little, or for another one. */
static void change_number(uint8_t *at, size_t width, const uint8_t *elsewhere)
{
	uint64_t value = 0;

	memcpy(&value, at, width);
	switch (below(elsewhere ? 5 : 4)) {
	case 0:
		value = hurting();
		break;
	case 1:
		value += below(33) - 16u;
		break;
	case 2:
		value ^= (uint64_t)1 << below(8 * width);
		break;
	case 3:
		value = below(64);
		break;
	default:
		memcpy(&value, elsewhere, width);
	}
	memcpy(at, &value, width);
}

static void change_field(struct form_item *item, size_t count)
{
	static const size_t widths[] = { 1, 2, 4, 4, 8, 8 };
	size_t width = widths[below(6)], bytes = (size_t)item->slots * CT_SLOT_BYTES;
	size_t at = below((below(4) ? CT_SLOT_BYTES : bytes) / width) * width;
	const struct form_item *other = &items[below(count)];
	uint8_t *copy = own(item);

	if (!at && !item->chunk && below(8)) /* the commit word seldom: it hides the rest */
		at = width < 4 ? 4 : width;
	if (copy && at + width <= bytes)
		change_number(copy + at, width, other->slots >= item->slots ? other->bytes + at : NULL);
}

static size_t insert(size_t count, size_t at, const struct form_item *what, size_t how_many)
{
	if (count + how_many > FORM_ITEMS)
		return count;
	memmove(items + at + how_many, items + at, (count - at) * sizeof(*items));
	memcpy(items + at, what, how_many * sizeof(*items));
	return count + how_many;
}

static size_t drop(size_t count, size_t at, size_t how_many)
{
	if (how_many > count - at)
		how_many = count - at;
	memmove(items + at, items + at + how_many, (count - at - how_many) * sizeof(*items));
	return count - how_many;
}

/* A record of any type, known or not, with as many slots as it likes and zeros in it. */
static size_t insert_fresh(size_t count, size_t at)
{
	struct form_item fresh = { scratch + scratch_used, 1 + below(4) * !below(4), false };
	size_t bytes = fresh.slots * CT_SLOT_BYTES;
	uint32_t word = CT_COMMIT(1 + below(CT_RECORD_TYPES), fresh.slots);

	if (bytes > SCRATCH - scratch_used)
		return count;
	memset(scratch + scratch_used, 0, bytes);
	memcpy(scratch + scratch_used, &word, sizeof(word));
	for (int i = 0; i < 3; i++)
		change_number(scratch + scratch_used + 4 + 4 * below(15), 4, NULL);
	scratch_used += bytes;
	return insert(count, at, &fresh, 1);
}

/* The chunk that an item is in, from its header to before the next one's. */
static size_t chunk_of(size_t count, size_t at, size_t *ret_length)
{
	size_t end = at + 1;

	while (at > 0 && !items[at].chunk)
		at--;
	while (end < count && !items[end].chunk)
		end++;
	*ret_length = end - at;
	return at;
}

static size_t change_chunk(size_t count, size_t at)
{
	static struct form_item copy[LONGEST];
	size_t length, from = chunk_of(count, at, &length);

	if (length > LONGEST || !below(4)) {
		items[at].chunk |= below(2); /* a record in the place of a chunk's header */
		return count;
	}
	memcpy(copy, items + from, length * sizeof(*copy));
	if (below(2))
		return length < count ? drop(count, from, length) : count;
	return insert(count, below(2) ? 0 : count, copy, length);
}

static size_t change_items(size_t count)
{
	size_t at = below(count), other = below(count);
	struct form_item copy[16];
	size_t length = 1 + below(below(4) ? 2 : 16);

	switch (below(12)) {
	case 0:
		if (!items[at].chunk && !items[other].chunk) {
			copy[0] = items[at];
			items[at] = items[other];
			items[other] = copy[0];
		}
		return count;
	case 1:
	case 2:
		if (length > count - at)
			length = count - at;
		memcpy(copy, items + at, length * sizeof(*copy));
		return insert(count, 1 + below(count), copy, length);
	case 3:
		return count > 1 + length && at ? drop(count, at, length) : count;
	case 4:
		return insert_fresh(count, at ? at : 1);
	case 5:
		return change_chunk(count, at);
	default:
		change_field(&items[at], count);
		return count;
	}
}

/* Of the head and the file's header. */
static void change_head(uint8_t *data, size_t size)
{
	size_t at = below(FORM_ITEMS_AT / 4) * 4;

	if (below(2))
		data[1] ^= (uint8_t)(1 << below(4));
	else if (at >= sizeof(struct form_head) && at + 8 <= size)
		change_number(data + at, below(2) ? 4 : 8, NULL);
}

static size_t finish(uint8_t *data, size_t size, size_t room, size_t count)
{
	size_t bytes = form_join(data, items, count, joined,
				 room < sizeof(joined) ? room : sizeof(joined));

	if (!bytes)
		return size;
	memcpy(data, joined, bytes);
	return bytes;
}

/* A number of the packed header, of a block's, or bytes of what is encoded. */
static size_t mutate_packed(uint8_t *data, size_t size, size_t room)
{
	size_t first = sizeof(struct form_head) + sizeof(struct ct_packed_header);
	size_t at = first, kept;
	struct ct_packed_block head;

	while (at + sizeof(head) < size && below(3)) {
		memcpy(&head, data + at, sizeof(head));
		if (head.packed_bytes > size - at - sizeof(head))
			break;
		at += sizeof(head) + head.packed_bytes;
	}
	if (at + sizeof(head) + 16 >= size || !below(8))
		return LLVMFuzzerMutate(data, size, room);
	if (below(3) == 0) {
		change_number(data + at + below(24) * 4, 4, NULL);
		return size;
	}
	kept = at + sizeof(head) + below(64) * !below(4);
	if (kept >= size)
		return size;
	if (below(2)) {
		change_number(data + kept + below(size - kept < 64 ? size - kept : 64) / 4 * 4 % (size - kept - 7),
			      below(2) ? 4 : 8, NULL);
		return size;
	}
	return kept + LLVMFuzzerMutate(data + kept, size - kept, room - kept);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	size_t count = form_items(data, size, items);

	state = seed;
	below(1);
	scratch_used = 0;
	if (size > sizeof(struct form_head) + sizeof(struct ct_packed_header) && *data == FORM_PACKED)
		return mutate_packed(data, size, room);
	if (!count || !below(16))
		return LLVMFuzzerMutate(data, size, room);
	if (!below(8)) {
		change_head(data, size);
		return size;
	}
	for (uint32_t n = 1 + below(4); n-- > 0 && count;)
		count = change_items(count);
	return finish(data, size, room, count);
}

/* A stretch of another trace's records in this one. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *to, size_t room, unsigned seed)
{
	size_t count = form_items(a, a_size, items), other_count = form_items(b, b_size, others);
	size_t from, length;

	state = seed;
	if (a_size > room)
		return 0;
	memcpy(to, a, a_size);
	if (!count || !other_count)
		return a_size;
	from = below(other_count);
	length = 1 + below(other_count - from < LONGEST ? other_count - from : LONGEST);
	count = insert(count, 1 + below(count), others + from, length);
	return finish(to, a_size, room, count);
}
