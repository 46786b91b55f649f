/* SPDX-License-Identifier: Apache-2.0 */
/* Call sites: where in the program's source calls were made, and what each site cost. */
#ifndef CT_ANALYZE_SITE_H
#define CT_ANALYZE_SITE_H

#include "analyze/idle.h"
#include "analyze/known.h"
#include "analyze/lookup.h"
#include "analyze/model.h"
#include "analyze/place.h"

/* All calls of one API from one place. */
struct ct_site {
	const char *where;      /* "file.cu:12 function"; "(no stack)" */
	const char *name;       /* of the call */
	uint32_t effects;
	uint32_t stack;         /* one stack of the site; 0 = none */
	bool line;              /* where says a source line */
	uint32_t calls;
	uint32_t left_out;      /* calls besides that a filter leaves out: ct_sites_narrow() */
	uint64_t total_ns;
	uint64_t blocked_ns;
	uint64_t parts[CT_PART_COUNT];
	enum ct_part worst;     /* the part that cost most, driver work and tool aside */
	uint32_t worst_wait;    /* the longest wait of that part; CT_NONE */
	uint32_t longest[CT_PART_COUNT]; /* the longest wait of each part; CT_NONE */
	uint32_t chances;       /* calls made while work they may wait for was in flight */
	uint32_t waited;        /* of those, that waited for it */
	bool pageable;          /* it moved pageable memory */
	const struct ct_known *known; /* of a framework: what to do about it there; NULL */
	enum ct_edge_kind edge; /* serialized operations by this order, without waiting; CT_EDGES */
	struct ct_idle_share idle[CT_IDLE_CAUSES]; /* gaps of all devices put down to the site */
	uint64_t lost_ns;       /* filled by serialize.c: what its waits cost the run */
	bool evaluated;         /* lost_ns was computed */
	bool together;          /* pairs of its cost nothing while other sites' waits are there */
	uint64_t shown_lost_ns; /* of pairs whose culprits are not left out; see ct_sites_settle() */
	bool skipped;           /* or it would have taken too long, for all or part of the run */
};

struct ct_sites {
	CT_ARRAY(struct ct_site) all; /* in order of their first calls */
	uint32_t *of_call;      /* by call: index into all */
	uint32_t *ranked;       /* indices, most costly first: ct_sites_rank() */
	struct ct_places *places;
	bool owns_places;
	struct ct_lookup keys;  /* private to site.c */
};

/*
 * Group the calls of a model that ct_blocking_find() has been over; sums are over its
 * core. Returns 0 and sites for ct_sites_destroy(), or -ENOMEM.
 */
int ct_sites_create(const struct ct_model *model, struct ct_sites **ret);
/* The same with texts of stacks made before, which must outlive the sites. */
int ct_sites_create_at(const struct ct_model *model, struct ct_places *places,
		       struct ct_sites **ret);
void ct_sites_destroy(struct ct_sites *sites); /* accepts NULL */

/* The site of the same place and call; added as `like` is if there is none. CT_NONE: no memory. */
uint32_t ct_sites_find(struct ct_sites *sites, const struct ct_site *like);

/* Find each site's worst part and its longest wait, from the sums. */
void ct_sites_find_worst(struct ct_sites *sites);

/* Put the gaps of the device down to the sites of their calls. */
void ct_sites_share_idle(struct ct_sites *sites, const struct ct_model *model,
			 const struct ct_idle *idle);

/* Once causes and losses are known: have all sums be of the calls that no filter leaves out. */
struct ct_serialization;
void ct_sites_narrow(const struct ct_model *model, struct ct_sites *sites,
		     const struct ct_serialization *serialization);

/*
 * Is it known what the site has lost, be it nothing? Not of calls that cannot lose any, and where it
 * would have taken too long.
 */
static inline bool ct_site_judged(const struct ct_site *site)
{
	return site->evaluated || site->lost_ns > 0;
}

/*
 * When all is added up: what a site of which calls were left out has lost is what its other
 * calls' pairs say, as a replay tells of all calls of a site together. Orders `ranked` anew.
 * Returns 0 or -ENOMEM.
 */
int ct_sites_settle(struct ct_sites *sites);

/*
 * Order `ranked` anew, once lost times are known: by lost, then blocked time. A loss below one in
 * CT_SITE_TRIFLE of the most that any site has lost, or was blocked without having been asked to
 * wait, counts as none: 10 us lost do not stand above a first use of 100 ms. Returns 0 or -ENOMEM.
 */
#define CT_SITE_TRIFLE 100
int ct_sites_rank(struct ct_sites *sites);

/* What to do about a site's waits, in one sentence; "" if there is nothing to do. */
const char *ct_site_remedy(const struct ct_model *model, const struct ct_site *site);

/*
 * How sure the class of a site's waits is: "certain" (a record says so), "strong"
 * (inferred, and it fits every time or by far), "fair" (inferred from little, or it
 * fits only sometimes), "" without a wait.
 */
const char *ct_site_certainty(const struct ct_model *model, const struct ct_site *site);

#endif
