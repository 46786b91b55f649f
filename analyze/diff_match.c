/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/diff_match.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Is it a line, as in "file.cu:12 function"? Then *ret_digits is how long. */
static bool is_line(const char *at, size_t *ret_digits)
{
	size_t digits = strspn(at + 1, "0123456789");

	*ret_digits = digits;
	return *at == ':' && digits && (!at[1 + digits] || strchr(" ,", at[1 + digits]));
}

/* Fill the key and the numbers that are left out of it. Returns 0 or -ENOMEM. */
static int make_key(struct ct_diff_place *place)
{
	const char *from = place->where;
	size_t used = 0, count = 0, digits;
	uint64_t number;
	char *end;

	place->key = malloc(strlen(from) + 1);
	if (!place->key)
		return -ENOMEM;
	while (*from) {
		place->key[used++] = *from;
		if (is_line(from, &digits)) {
			number = strtoull(from + 1, &end, 10);
		} else if (!strncmp(from, "+0x", 3) && isxdigit((unsigned char)from[3])) {
			number = strtoull(from + 1, &end, 16);
		} else {
			from++;
			continue;
		}
		if (count < CT_DIFF_NUMBERS)
			place->numbers[count++] = number;
		from = end;
	}
	place->key[used] = '\0';
	return 0;
}

static int by_key(const struct ct_diff_place *a, const struct ct_diff_place *b)
{
	return strcmp(a->call, b->call) ?: strcmp(a->key, b->key);
}

static int by_place(const void *a, const void *b)
{
	const struct ct_diff_place *x = a, *y = b;
	int order = by_key(x, y);

	for (int i = 0; !order && i < CT_DIFF_NUMBERS; i++)
		order = x->numbers[i] < y->numbers[i] ? -1 : x->numbers[i] > y->numbers[i];
	return order ?: strcmp(x->where, y->where);
}

/* A site of a process. */
struct member {
	const struct ct_process_site *site;
	size_t run;
};

static int by_text(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return strcmp(x->site->call, y->site->call) ?: strcmp(x->site->where, y->site->where);
}

static int list_members(const struct ct_diff_side *side, struct member **ret, size_t *ret_count)
{
	struct member *members;
	size_t count = 0, n = 0;

	for (size_t p = 0; p < side->processes.count; p++)
		count += side->processes.at[p].sites.count;
	members = calloc(count + 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (size_t run = 0; run < side->runs.count; run++) {
		const struct ct_diff_run *r = &side->runs.at[run];

		for (size_t p = r->first; p < r->first + r->count; p++)
			for (size_t i = 0; i < side->processes.at[p].sites.count; i++)
				members[n++] = (struct member){ &side->processes.at[p].sites.at[i], run };
	}
	qsort(members, count, sizeof(*members), by_text);
	*ret = members;
	*ret_count = count;
	return 0;
}

static void add_member(struct ct_diff_place *place, const struct member *member)
{
	const struct ct_process_site *site = member->site;
	double *values = &place->values[member->run * CT_DIFF_FIGURES];

	values[CT_DIFF_BLOCKED] += (double)site->blocked_ns;
	values[CT_DIFF_LOST] += (double)site->lost_ns;
	values[CT_DIFF_TOTAL] += (double)site->total_ns;
	values[CT_DIFF_CALLS] += (double)site->calls;
	for (int part = 0; part < CT_PART_COUNT; part++)
		values[CT_DIFF_PARTS + part] += (double)site->parts[part];
	place->blocked_ns += (double)site->blocked_ns;
	if (!place->source)
		place->source = site->source;
}

/* Add a place without figures. Returns 0 or -ENOMEM. */
static int add_place(struct ct_diff_places *places, const struct ct_process_site *site, size_t runs)
{
	struct ct_diff_place place = { .call = site->call, .where = site->where };
	int r = make_key(&place);

	place.values = calloc(runs * CT_DIFF_FIGURES, sizeof(*place.values));
	if (r == 0)
		r = place.values ? CT_PUSH(places, place) : -ENOMEM;
	if (r < 0) {
		free(place.key);
		free(place.values);
	}
	return r;
}

int ct_diff_list_places(const struct ct_diff_side *side, struct ct_diff_places *ret)
{
	struct member *members;
	size_t count;
	int r = list_members(side, &members, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (i == 0 || by_text(&members[i - 1], &members[i]))
			r = add_place(ret, members[i].site, side->runs.count);
		if (r == 0)
			add_member(&ret->at[ret->count - 1], &members[i]);
	}
	if (ret->count)
		qsort(ret->at, ret->count, sizeof(*ret->at), by_place);
	free(members);
	return r;
}

void ct_diff_free_places(struct ct_diff_places *places)
{
	for (size_t i = 0; i < places->count; i++) {
		free(places->at[i].key);
		free(places->at[i].values);
	}
	free(places->at);
}

/* Places of one side that differ in nothing but lines and offsets. */
struct group {
	const struct ct_diff_place *at;
	size_t count;
};

static struct group group_at(const struct ct_diff_places *places, size_t first)
{
	struct group group = { &places->at[first], 1 };

	while (first + group.count < places->count && !by_key(group.at, group.at + group.count))
		group.count++;
	return group;
}

/* Where in the group the same text is; its count if nowhere. */
static size_t find(const struct group *group, const struct ct_diff_place *place)
{
	const struct ct_diff_place *found =
		bsearch(place, group->at, group->count, sizeof(*place), by_place);

	return found ? (size_t)(found - group->at) : group->count;
}

static int push(struct ct_diff_pairs *pairs, enum ct_diff_match match, struct group before,
		struct group after)
{
	const struct ct_diff_pair pair = {
		.match = match,
		.at = { before.count ? before.at : NULL, after.count ? after.at : NULL },
		.count = { before.count, after.count },
	};

	return CT_PUSH(pairs, pair);
}

/* Each of one side alone. */
static int push_alone(struct ct_diff_pairs *pairs, enum ct_diff_match match,
		      const struct ct_diff_place *place)
{
	const struct group one = { place, 1 }, none = { NULL, 0 };

	return match == CT_DIFF_GONE ? push(pairs, match, one, none) : push(pairs, match, none, one);
}

static int push_both(struct ct_diff_pairs *pairs, const struct ct_diff_place *before,
		     const struct ct_diff_place *after)
{
	return push(pairs, strcmp(before->where, after->where) ? CT_DIFF_MOVED : CT_DIFF_EXACT,
		    (struct group){ before, 1 }, (struct group){ after, 1 });
}

/* Does their order agree with the lines that both have? */
static bool in_order(const struct group *before, const struct group *after)
{
	for (size_t i = 0; i < before->count; i++) {
		size_t at = find(after, &before->at[i]);

		if (at != i && at < after->count)
			return false;
	}
	return before->count == after->count;
}

static bool all_found(const struct group *fewer, const struct group *more)
{
	for (size_t i = 0; i < fewer->count; i++)
		if (find(more, &fewer->at[i]) == more->count)
			return false;
	return true;
}

/* The places that both have are the same, and the others new or gone. */
static int match_texts(struct ct_diff_pairs *pairs, const struct group *before,
		       const struct group *after)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < before->count; i++) {
		size_t at = find(after, &before->at[i]);

		r = at < after->count ? push_both(pairs, &before->at[i], &after->at[at])
				      : push_alone(pairs, CT_DIFF_GONE, &before->at[i]);
	}
	for (size_t i = 0; r == 0 && i < after->count; i++)
		if (find(before, &after->at[i]) == before->count)
			r = push_alone(pairs, CT_DIFF_NEW, &after->at[i]);
	return r;
}

static int match_groups(struct ct_diff_pairs *pairs, const struct group *before,
			const struct group *after)
{
	bool fewer = before->count < after->count;
	int r = 0;

	if (in_order(before, after)) {
		for (size_t i = 0; r == 0 && i < before->count; i++)
			r = push_both(pairs, &before->at[i], &after->at[i]);
		return r;
	}
	if (before->count != after->count && all_found(fewer ? before : after, fewer ? after : before))
		return match_texts(pairs, before, after);
	return push(pairs, CT_DIFF_TOGETHER, *before, *after);
}

int ct_diff_match(const struct ct_diff_places *before, const struct ct_diff_places *after,
		  struct ct_diff_pairs *ret)
{
	size_t b = 0, a = 0;
	int r = 0;

	while (r == 0 && (b < before->count || a < after->count)) {
		int order = b == before->count ? 1
			    : a == after->count ? -1 : by_key(&before->at[b], &after->at[a]);

		if (order < 0) {
			r = push_alone(ret, CT_DIFF_GONE, &before->at[b++]);
		} else if (order > 0) {
			r = push_alone(ret, CT_DIFF_NEW, &after->at[a++]);
		} else {
			struct group of_b = group_at(before, b), of_a = group_at(after, a);

			r = match_groups(ret, &of_b, &of_a);
			b += of_b.count;
			a += of_a.count;
		}
	}
	return r;
}
