/* SPDX-License-Identifier: Apache-2.0 */
/* What could be changed in a program, by kind of change and call site, and which calls it is about. */
#ifndef CT_ANALYZE_CHANGE_H
#define CT_ANALYZE_CHANGE_H

#include "analyze/model.h"
#include "analyze/site.h"

enum ct_change_kind {
	CT_CHANGE_FREE,   /* stream-ordered or pooled frees */
	CT_CHANGE_HOIST,  /* allocate once, outside of the loop; keep page-locked memory */
	CT_CHANGE_PIN,    /* page-locked buffers for asynchronous copies */
	CT_CHANGE_STREAM, /* non-blocking streams instead of the legacy default stream */
	CT_CHANGE_QUEUE,  /* room in the launch queue, hardware queues not shared */
	CT_CHANGE_OTHER,  /* whatever else waited unasked: what the site's remedy says */
	CT_CHANGE_KINDS
};

/* The ends of a prediction, and what is between. */
/* ALONE: likely, of a change that is the only one made: of memory that is kept no free is made, either. */
enum ct_end { CT_END_LOW, CT_END_LIKELY, CT_END_HIGH, CT_END_ALONE, CT_ENDS };

/* A call that a change is about, and what is removed of it (CT_REMOVE_*) for each end. */
struct ct_change_item {
	uint64_t key;  /* CT_CHANGE_KEY(): items of one change are together */
	uint32_t call;
	uint8_t removed[CT_ENDS];
	bool unfixed; /* `cutrace prove` is known to leave it alone */
};
#define CT_CHANGE_KEY(site, kind) ((uint64_t)(site) << 8 | (uint64_t)(kind))
#define CT_CHANGE_KEY_SITE(key) ((uint32_t)((key) >> 8))
#define CT_CHANGE_KEY_KIND(key) ((enum ct_change_kind)((key) & 0xff))

struct ct_change_items {
	struct ct_change_item *at; /* for free() */
	size_t count, room;
};

/*
 * Find everything that could be changed in a model that ct_blocking_find() has been over.
 * Low ends keep the driver's work and the staging of a fixed call, and the waits of copies
 * to the host, whose data is likely wanted at once; high ends take the allocations that a
 * pool would serve as well. Returns 0 or -ENOMEM.
 */
int ct_changes_find(const struct ct_model *model, const struct ct_sites *sites,
		    struct ct_change_items *ret);

#endif
