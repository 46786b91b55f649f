/* SPDX-License-Identifier: Apache-2.0 */
#include "export/html/item.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/sort.h"

uint64_t ct_html_score(uint64_t duration_ns, uint64_t blocked_ns)
{
	uint64_t more, score;

	if (__builtin_mul_overflow(blocked_ns, CT_HTML_BLOCKED_WEIGHT, &more) ||
	    __builtin_add_overflow(duration_ns, more, &score))
		return CT_HTML_ALWAYS - 1;
	return score;
}

bool ct_html_items_want(const struct ct_html_items *items, uint64_t score)
{
	return score > items->least_score || !items->least_score;
}

/* Copy the waits that are still wanted to a new array, in the order of their items. */
static int pack_waits(struct ct_html_items *items)
{
	struct ct_html_wait *packed;
	size_t count = 0;

	for (size_t i = 0; i < items->all.count; i++)
		count += items->all.at[i].wait_count;
	packed = malloc((count + 1) * sizeof(*packed));
	if (!packed)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < items->all.count; i++) {
		struct ct_html_item *item = &items->all.at[i];

		if (item->wait_count) /* else there may be no waits at all: memcpy() wants some */
			memcpy(packed + count, items->waits.at + item->first_wait,
			       item->wait_count * sizeof(*packed));
		item->first_wait = (uint32_t)count;
		count += item->wait_count;
	}
	free(items->waits.at);
	items->waits.at = packed;
	items->waits.count = count;
	items->waits.room = count + 1;
	return 0;
}

/* Drop what is marked; the others stay in their order. */
static void sweep(struct ct_html_items *items)
{
	size_t count = 0;

	for (size_t i = 0; i < items->all.count; i++)
		if (items->all.at[i].lane != CT_NONE)
			items->all.at[count++] = items->all.at[i];
	items->all.count = count;
}

static size_t limit_of(const struct ct_html_items *items)
{
	return items->limit ? items->limit : CT_HTML_ITEMS;
}

/* Keep those that score most. */
static int prune(struct ct_html_items *items)
{
	size_t count = items->all.count, limit = limit_of(items), out = count > limit ? count - limit : 0;
	struct ct_ranked *ranked;
	int r;

	if (!out)
		return 0;
	ranked = malloc(count * sizeof(*ranked));
	if (!ranked)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		ranked[i] = (struct ct_ranked){ items->all.at[i].score, (uint32_t)i };
	r = ct_sort_ranked(ranked, count);
	if (r == 0) {
		for (size_t i = 0; i < out; i++)
			items->all.at[ranked[i].index].lane = CT_NONE;
		items->least_score = ranked[out].key;
		sweep(items);
	}
	free(ranked);
	return r;
}

static int shrink(struct ct_html_items *items)
{
	int r = prune(items);

	return r < 0 ? r : pack_waits(items);
}

int ct_html_items_add(struct ct_html_items *items, const struct ct_html_item *item,
		      const struct ct_html_wait *waits)
{
	struct ct_html_item copy = *item;

	if (!ct_html_items_want(items, item->score))
		return 0;
	copy.first_wait = (uint32_t)items->waits.count;
	for (uint32_t i = 0; i < item->wait_count; i++)
		if (CT_PUSH(&items->waits, waits[i]) < 0)
			return -ENOMEM;
	if (CT_PUSH(&items->all, copy) < 0)
		return -ENOMEM;
	return items->all.count >= 2 * limit_of(items) ? shrink(items) : 0;
}

static int by_lane_and_time(const void *a, const void *b)
{
	const struct ct_html_item *x = a, *y = b;

	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	if (x->end_ns != y->end_ns)
		return x->end_ns > y->end_ns ? -1 : 1;
	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	/* of the same item, the one of which more is known is first */
	if (x->wait_count != y->wait_count)
		return x->wait_count > y->wait_count ? -1 : 1;
	return (x->by_lane > y->by_lane) - (x->by_lane < y->by_lane);
}

static bool same(const struct ct_html_item *a, const struct ct_html_item *b)
{
	return a->lane == b->lane && a->start_ns == b->start_ns && a->end_ns == b->end_ns &&
	       a->name == b->name && a->submit_ns == b->submit_ns;
}

/* What was kept for its score and, whatever its score, for a table is there twice. */
static void sort_and_unite(struct ct_html_items *items)
{
	size_t count = 0;

	if (items->all.count)
		qsort(items->all.at, items->all.count, sizeof(*items->all.at), by_lane_and_time);
	for (size_t i = 0; i < items->all.count; i++)
		if (!count || !same(&items->all.at[count - 1], &items->all.at[i]))
			items->all.at[count++] = items->all.at[i];
	items->all.count = count;
}

static void drop_waits(struct ct_html_items *items)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < items->all.count; i++) {
		struct ct_html_item *item = &items->all.at[i];
		uint64_t room = CT_HTML_WAITS - sum;

		if (item->wait_count > room) {
			items->dropped_waits += item->wait_count - room;
			item->wait_count = (uint32_t)room;
		}
		sum += item->wait_count;
	}
}

int ct_html_items_finish(struct ct_html_items *items)
{
	int r;

	sort_and_unite(items);
	r = prune(items);
	if (r < 0)
		return r;
	drop_waits(items);
	return pack_waits(items);
}

void ct_html_items_free(struct ct_html_items *items)
{
	free(items->all.at);
	free(items->waits.at);
}
