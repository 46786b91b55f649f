/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/planes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "trace/record.h"

#define GROUPS (CT_RECORD_GPU + 1) /* types of one slot; 0 is all the rest, as it is */

/*
 * Fields that are kept as the difference from another one: of the record before (of the
 * same type) or of the same record. Those of a type are decoded in this order. The table
 * is part of the format: another one is another CT_PACKED_VERSION.
 */
enum basis { BEFORE, SAME };

static const struct guess {
	enum ct_record_type type;
	uint8_t offset, width;
	enum basis basis;
	uint8_t from;
} guesses[] = {
#define GUESS(type, record, field, basis, from)                                                  \
	{ type, offsetof(struct record, field), sizeof(((struct record *)0)->field), basis,       \
	  offsetof(struct record, from) },
	GUESS(CT_RECORD_THREAD, ct_thread_record, seen_ns, BEFORE, seen_ns)
	GUESS(CT_RECORD_CALL, ct_call, enter_ns, BEFORE, leave_ns)
	GUESS(CT_RECORD_CALL, ct_call, leave_ns, SAME, enter_ns)
	GUESS(CT_RECORD_CALL, ct_call, correlation, BEFORE, correlation)
	GUESS(CT_RECORD_DEVICE, ct_device_op, start_ns, BEFORE, end_ns)
	GUESS(CT_RECORD_DEVICE, ct_device_op, end_ns, SAME, start_ns)
	GUESS(CT_RECORD_DEVICE, ct_device_op, correlation, BEFORE, correlation)
	GUESS(CT_RECORD_SYNC, ct_sync, start_ns, BEFORE, end_ns)
	GUESS(CT_RECORD_SYNC, ct_sync, end_ns, SAME, start_ns)
	GUESS(CT_RECORD_SYNC, ct_sync, correlation, BEFORE, correlation)
	GUESS(CT_RECORD_SYNC, ct_sync, event_sync, BEFORE, event_sync)
	GUESS(CT_RECORD_EVENT, ct_event, correlation, BEFORE, correlation)
	GUESS(CT_RECORD_EVENT, ct_event, event_sync, BEFORE, event_sync)
	GUESS(CT_RECORD_OVERHEAD, ct_overhead, start_ns, BEFORE, end_ns)
	GUESS(CT_RECORD_OVERHEAD, ct_overhead, end_ns, SAME, start_ns)
	GUESS(CT_RECORD_OVERHEAD, ct_overhead, correlation, BEFORE, correlation)
	GUESS(CT_RECORD_STREAM, ct_stream, seen_ns, BEFORE, seen_ns)
	GUESS(CT_RECORD_CONTEXT, ct_context, seen_ns, BEFORE, seen_ns)
#undef GUESS
};
#define GUESSES (sizeof(guesses) / sizeof(guesses[0]))

/* So many records of one commit word follow each other. */
struct run {
	uint32_t word;
	uint32_t count;
};

/* An image taken apart. */
struct parts {
	struct run *runs;
	size_t run_count;
	uint8_t *bytes;               /* the groups, one behind the other */
	uint8_t *group[GROUPS];
	size_t size[GROUPS];          /* bytes of each */
};

static void parts_free(struct parts *p)
{
	free(p->runs);
	free(p->bytes);
}

static size_t record_bytes(uint32_t word)
{
	return (size_t)CT_COMMIT_SLOTS(word) * CT_SLOT_BYTES;
}

static uint32_t group_of(uint32_t word)
{
	uint32_t type = CT_COMMIT_TYPE(word);

	return type < GROUPS && word == CT_COMMIT(type, 1) ? type : 0;
}

/* An image begins with a slot that is no record: the chunk's header. */
static size_t first_bytes(size_t bytes)
{
	return bytes < CT_SLOT_BYTES ? bytes : CT_SLOT_BYTES;
}

/* Lay out the groups for the runs; whatever they do not cover is of group 0. */
static int lay_out(struct parts *p, size_t bytes)
{
	size_t left = bytes - first_bytes(bytes);

	for (size_t i = 0; i < p->run_count; i++) {
		const struct run *run = &p->runs[i];
		uint32_t group = group_of(run->word);

		if (!record_bytes(run->word) || !run->count ||
		    run->count > left / record_bytes(run->word))
			return -EBADMSG;
		left -= run->count * record_bytes(run->word);
		if (group)
			p->size[group] += run->count * CT_SLOT_BYTES;
		else
			p->size[0] += run->count * record_bytes(run->word);
	}
	p->size[0] += first_bytes(bytes) + left;
	p->bytes = calloc(1, bytes + 1);
	if (!p->bytes)
		return -ENOMEM;
	p->group[0] = p->bytes;
	for (int g = 1; g < GROUPS; g++)
		p->group[g] = p->group[g - 1] + p->size[g - 1];
	return 0;
}

/* The records of an image, which come behind its first slot, as runs. */
static int find_runs(struct parts *p, const uint8_t *image, size_t bytes)
{
	size_t at = CT_SLOT_BYTES;

	p->runs = malloc((bytes / CT_SLOT_BYTES + 1) * sizeof(*p->runs));
	if (!p->runs)
		return -ENOMEM;
	while (at + CT_SLOT_BYTES <= bytes) {
		struct run *last = p->run_count ? &p->runs[p->run_count - 1] : NULL;
		uint32_t word;

		memcpy(&word, image + at, sizeof(word));
		if (!record_bytes(word) || record_bytes(word) > bytes - at)
			break;
		at += record_bytes(word);
		if (last && last->word == word)
			last->count++;
		else
			p->runs[p->run_count++] = (struct run){ word, 1 };
	}
	return 0;
}

/* Step over n bytes of the image and of a group, copying them there or back. */
static void move(uint8_t **image, uint8_t **group, size_t n, bool there)
{
	memcpy(there ? *group : *image, there ? *image : *group, n);
	*image += n;
	*group += n;
}

/* Between an image and its groups: the first slot, the records of the runs, what is left. */
static void sort(const struct parts *p, uint8_t *image, size_t bytes, bool there)
{
	uint8_t *at[GROUPS], *end = image + bytes;

	memcpy(at, p->group, sizeof(at));
	move(&image, &at[0], first_bytes(bytes), there);
	for (const struct run *run = p->runs; run < p->runs + p->run_count; run++)
		move(&image, &at[group_of(run->word)], run->count * record_bytes(run->word), there);
	move(&image, &at[0], (size_t)(end - image), there);
}

static uint64_t load(const uint8_t *from, uint8_t width)
{
	uint32_t narrow;
	uint64_t wide;

	if (width == sizeof(narrow)) {
		memcpy(&narrow, from, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, from, sizeof(wide));
	return wide;
}

static void store(uint8_t *to, uint8_t width, uint64_t value)
{
	uint32_t narrow = (uint32_t)value;

	if (width == sizeof(narrow))
		memcpy(to, &narrow, sizeof(narrow));
	else
		memcpy(to, &value, sizeof(value));
}

/* Small differences of either sign as small numbers: 0, -1, 1, -2, ... */
static uint64_t fold(uint64_t difference, uint8_t width)
{
	int64_t d = width == sizeof(uint32_t) ? (int32_t)(uint32_t)difference : (int64_t)difference;

	return (uint64_t)d << 1 ^ (uint64_t)(d >> 63);
}

static uint64_t unfold(uint64_t folded)
{
	return folded >> 1 ^ -(folded & 1);
}

/* What a field is expected to be. Before the first record there is one of zeros. */
static uint64_t expected(const struct guess *guess, const uint8_t *record, bool first)
{
	if (guess->basis == SAME)
		return load(record + guess->from, guess->width);
	return first ? 0 : load(record - CT_SLOT_BYTES + guess->from, guess->width);
}

/* The guesses about a type of record, one behind the other. */
static const struct guess *guesses_of(uint32_t type, const struct guess **ret_end)
{
	const struct guess *first = guesses, *end = guesses + GUESSES;

	while (first < end && first->type != type)
		first++;
	for (*ret_end = first; *ret_end < end && (*ret_end)->type == type;)
		++*ret_end;
	return first;
}

/* Fields to differences, the last first: what each is expected to be must still be there. */
static void subtract(uint8_t *group, size_t bytes, uint32_t type)
{
	const struct guess *end, *first = guesses_of(type, &end);

	for (size_t at = bytes; at > 0; at -= CT_SLOT_BYTES) {
		uint8_t *record = group + at - CT_SLOT_BYTES;

		for (const struct guess *g = end; g-- > first;) {
			uint64_t value = load(record + g->offset, g->width);
			uint64_t guess = expected(g, record, record == group);

			store(record + g->offset, g->width, fold(value - guess, g->width));
		}
	}
}

static void add(uint8_t *group, size_t bytes, uint32_t type)
{
	const struct guess *end, *first = guesses_of(type, &end);

	for (uint8_t *record = group; record < group + bytes; record += CT_SLOT_BYTES)
		for (const struct guess *g = first; g < end; g++) {
			uint64_t folded = load(record + g->offset, g->width);
			uint64_t guess = expected(g, record, record == group);

			store(record + g->offset, g->width, unfold(folded) + guess);
		}
}

/* Which bytes of items of `width` bytes are not zero in all of them: bit i for byte i. */
static uint64_t used_planes(const uint8_t *items, size_t count, size_t width)
{
	uint8_t any[CT_SLOT_BYTES] = { 0 };
	uint64_t used = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t b = 0; b < width; b++)
			any[b] |= items[i * width + b];
	for (size_t b = 0; b < width; b++)
		used |= (uint64_t)(any[b] != 0) << b;
	return used;
}

/* Put the planes of an array of items: which there are, then byte by byte of all items. */
static int put_planes(struct ct_sink *sink, const void *from, size_t count, size_t width)
{
	const uint8_t *items = from;
	uint64_t used = used_planes(items, count, width);
	uint8_t *plane = malloc(count ? count : 1);
	int r = plane ? sink->put(sink, &used, sizeof(used)) : -ENOMEM;

	for (size_t b = 0; b < width && r == 0; b++) {
		if (!(used >> b & 1))
			continue;
		for (size_t i = 0; i < count; i++)
			plane[i] = items[i * width + b];
		r = sink->put(sink, plane, count);
	}
	free(plane);
	return r;
}

/* Encoded bytes that are still to be read. */
struct source {
	const uint8_t *at;
	size_t left;
};

static const uint8_t *take(struct source *source, size_t count)
{
	const uint8_t *at = source->at;

	if (count > source->left)
		return NULL;
	source->at += count;
	source->left -= count;
	return at;
}

/* The other way: into items that are zero. The items fit the cache, a step of them at a time. */
static int take_planes(struct source *source, void *to, size_t count, size_t width)
{
	const uint8_t *mask = take(source, sizeof(uint64_t)), *planes[CT_SLOT_BYTES];
	uint8_t *items = to, byte[CT_SLOT_BYTES];
	size_t n = 0, step = 256;
	uint64_t used;

	if (!mask)
		return -EBADMSG;
	memcpy(&used, mask, sizeof(used));
	for (size_t b = 0; b < width; b++) {
		if (!(used >> b & 1))
			continue;
		byte[n] = (uint8_t)b;
		planes[n] = take(source, count);
		if (!planes[n++])
			return -EBADMSG;
	}
	for (size_t from = 0; from < count; from += step)
		for (size_t p = 0; p < n; p++)
			for (size_t i = from; i < count && i < from + step; i++)
				items[i * width + byte[p]] = planes[p][i];
	return 0;
}

int ct_planes_encode(const uint8_t *image, size_t bytes, struct ct_sink *sink)
{
	struct parts p = { 0 };
	int r = find_runs(&p, image, bytes);
	uint32_t runs = (uint32_t)p.run_count;

	if (r == 0)
		r = lay_out(&p, bytes);
	if (r == 0) {
		sort(&p, (uint8_t *)(uintptr_t)image, bytes, true);
		r = sink->put(sink, &runs, sizeof(runs));
	}
	if (r == 0)
		r = put_planes(sink, p.runs, p.run_count, sizeof(*p.runs));
	for (uint32_t g = 1; g < GROUPS && r == 0; g++) {
		if (!p.size[g])
			continue;
		subtract(p.group[g], p.size[g], g);
		r = put_planes(sink, p.group[g], p.size[g] / CT_SLOT_BYTES, CT_SLOT_BYTES);
	}
	if (r == 0)
		r = sink->put(sink, p.group[0], p.size[0]);
	parts_free(&p);
	return r;
}

size_t ct_planes_bound(size_t image_bytes)
{
	size_t runs = image_bytes / CT_SLOT_BYTES + 1;

	return image_bytes + sizeof(uint32_t) + runs * sizeof(struct run) +
	       GROUPS * sizeof(uint64_t);
}

static int take_runs(struct parts *p, struct source *source, size_t bytes)
{
	const uint8_t *count = take(source, sizeof(uint32_t));
	uint32_t runs;

	if (!count)
		return -EBADMSG;
	memcpy(&runs, count, sizeof(runs));
	if (runs > bytes / CT_SLOT_BYTES)
		return -EBADMSG;
	p->run_count = runs;
	p->runs = calloc(runs + 1, sizeof(*p->runs));
	if (!p->runs)
		return -ENOMEM;
	return take_planes(source, p->runs, runs, sizeof(*p->runs));
}

static int take_groups(struct parts *p, struct source *source)
{
	const uint8_t *rest;
	int r = 0;

	for (uint32_t g = 1; g < GROUPS && r == 0; g++) {
		if (!p->size[g])
			continue;
		r = take_planes(source, p->group[g], p->size[g] / CT_SLOT_BYTES, CT_SLOT_BYTES);
		add(p->group[g], p->size[g], g);
	}
	if (r < 0)
		return r;
	rest = take(source, p->size[0]);
	if (!rest || source->left)
		return -EBADMSG;
	memcpy(p->group[0], rest, p->size[0]);
	return 0;
}

int ct_planes_decode(const uint8_t *encoded, size_t encoded_bytes, uint8_t *ret_image,
		     size_t bytes)
{
	struct source source = { encoded, encoded_bytes };
	struct parts p = { 0 };
	int r = take_runs(&p, &source, bytes);

	if (r == 0)
		r = lay_out(&p, bytes);
	if (r == 0)
		r = take_groups(&p, &source);
	if (r == 0)
		sort(&p, ret_image, bytes, false);
	parts_free(&p);
	return r;
}
