/* SPDX-License-Identifier: Apache-2.0 */
/* Call sites: where in the program's source calls were made, and what each site cost. */
#ifndef CT_ANALYZE_SITE_H
#define CT_ANALYZE_SITE_H

#include "analyze/model.h"
#include "analyze/symbol.h"

/* All calls of one API from one place. */
struct ct_site {
	const char *where;      /* "file.cu:12 function"; "(no stack)" */
	const char *name;       /* of the call */
	uint32_t effects;
	uint32_t stack;         /* one stack of the site; 0 = none */
	bool line;              /* where says a source line */
	uint32_t calls;
	uint64_t total_ns;
	uint64_t blocked_ns;
	uint64_t parts[CT_PART_COUNT];
	enum ct_part worst;     /* the part that cost most, driver work and tool aside */
	uint32_t worst_wait;    /* the longest wait of that part; CT_NONE */
	uint32_t chances;       /* calls made while work they may wait for was in flight */
	uint32_t waited;        /* of those, that waited for it */
	bool pageable;          /* it moved pageable memory */
	enum ct_edge_kind edge; /* serialized operations by this order, without waiting; CT_EDGES */
	uint64_t idle_ns;       /* the device was idle while a call of the site ran */
	uint64_t lost_ns;       /* filled by serialize.c: what its waits cost the run */
	bool evaluated;         /* lost_ns was computed */
};

struct ct_sites {
	CT_ARRAY(struct ct_site) all;
	uint32_t *of_call;      /* by call: index into all */
	uint32_t *ranked;       /* indices, most costly first: by lost, then blocked time */
	struct ct_symbols *symbols;
	char **where;           /* by stack id: text of its site, made on demand */
	size_t where_count;
};

/*
 * Group the calls of a model that ct_blocking_find() has been over. Returns 0 and
 * sites for ct_sites_destroy(), or -ENOMEM.
 */
int ct_sites_create(const struct ct_model *model, struct ct_sites **ret);
void ct_sites_destroy(struct ct_sites *sites); /* accepts NULL */

/* Order `ranked` anew, once lost times are known. */
void ct_sites_rank(struct ct_sites *sites);

/* The frames of a stack as one line, outermost last: "a.cu:3 f < a.cu:9 main". */
void ct_sites_stack_text(const struct ct_model *model, struct ct_sites *sites, uint32_t stack,
			 char *ret, size_t size);

/* The place of a stack as sites name it: "file.cu:12 function"; lives as long as sites. */
const char *ct_sites_where(const struct ct_model *model, struct ct_sites *sites, uint32_t stack);

/* What to do about a site's waits, in one sentence; "" if there is nothing to do. */
const char *ct_site_remedy(const struct ct_model *model, const struct ct_site *site);

/*
 * How sure the class of a site's waits is: "certain" (a record says so), "strong"
 * (inferred, and it fits every time or by far), "fair" (inferred from little, or it
 * fits only sometimes), "" without a wait.
 */
const char *ct_site_certainty(const struct ct_model *model, const struct ct_site *site);

#endif
