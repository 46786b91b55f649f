/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The single calls and operations that a page can show exactly, however long the run: those
 * that blocked or were waited for most, and the longest.
 */
#ifndef CT_EXPORT_HTML_ITEM_H
#define CT_EXPORT_HTML_ITEM_H

#include "analyze/model.h"

#define CT_HTML_ITEMS 200000u /* that are kept of all processes together */
#define CT_HTML_RANGES 50000u /* NVTX ranges, besides */
#define CT_HTML_WAITS 400000u /* of them; what is beyond is counted */
#define CT_HTML_BLOCKED_WEIGHT 15 /* a ns blocked counts as so many of work besides itself */
#define CT_HTML_ALWAYS UINT64_MAX /* a score: kept whatever else there is */

/* A wait of a call, with what ended it as far as that is known. */
struct ct_html_wait {
	uint64_t start_ns, end_ns;
	uint64_t other_start_ns, other_end_ns; /* of the operation or call it waited for */
	uint32_t other_lane; /* where that is; CT_NONE: not known */
	uint32_t name;       /* of it; 0 if not known */
	uint32_t why;        /* a name, too */
	uint8_t part;        /* enum ct_part; CT_PART_COUNT: a loop of queries */
};

/* A call, an operation or an NVTX range. */
struct ct_html_item {
	uint64_t start_ns, end_ns;
	uint64_t score;      /* the higher, the more worth keeping */
	uint64_t bytes;
	uint64_t tool_ns;    /* of a call: cutrace's own part of it; of a range: before the page begins */
	uint64_t submit_ns;  /* of an operation: when its call began */
	uint32_t lane, copies_lane; /* CT_NONE: no copy */
	uint32_t by_lane;    /* of an operation: thread that submitted it; CT_NONE */
	uint32_t name, site; /* site: of the call, or the operation's call; CT_NONE */
	uint32_t range;      /* name of the innermost NVTX range around the call; 0: in none */
	uint32_t first_wait, wait_count;
	int32_t error;       /* of a range: 1 if it never ended */
};

struct ct_html_items {
	uint32_t limit;         /* how many are kept; 0: CT_HTML_ITEMS */
	CT_ARRAY(struct ct_html_item) all;
	CT_ARRAY(struct ct_html_wait) waits;
	uint64_t least_score;   /* what has no more need not come */
	uint64_t dropped_waits; /* of items that are kept */
};

/* A score of something so long that blocked, or held up others, for blocked_ns. */
uint64_t ct_html_score(uint64_t duration_ns, uint64_t blocked_ns);

/* Would an item of this score be kept for now? */
bool ct_html_items_want(const struct ct_html_items *items, uint64_t score);

/*
 * Add an item; its waits, item->wait_count of them, are copied. Returns 0 or -ENOMEM.
 */
int ct_html_items_add(struct ct_html_items *items, const struct ct_html_item *item,
		      const struct ct_html_wait *waits);

/*
 * End: keep as many as the limit says, by lane, then start, and nothing twice. Returns 0 or
 * -ENOMEM.
 */
int ct_html_items_finish(struct ct_html_items *items);

void ct_html_items_free(struct ct_html_items *items);

#endif
