/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which calls kept device work from running concurrently. A culprit waited although
 * the program did not ask to wait; a victim is an operation that could have started
 * earlier, had the culprit not kept a host thread (its own, or one behind the lock)
 * from submitting it.
 */
#ifndef CT_ANALYZE_SERIALIZE_H
#define CT_ANALYZE_SERIALIZE_H

#include "analyze/model.h"
#include "analyze/site.h"

struct ct_pair {
	uint32_t culprit;   /* call */
	uint32_t victim;    /* operation */
	uint32_t waited_op; /* what the culprit waited for; CT_NONE */
	uint32_t through;   /* the victim's call, if it waited for the culprit's lock; CT_NONE */
	enum ct_edge_kind edge; /* the order between streams that did it; CT_EDGES: a host wait */
	uint64_t delay_ns;  /* the victim's start, minus when it could have started */
	uint64_t lost_ns;   /* of that, what running beside other work would have saved */
};

/*
 * How much earlier a thread or stream is at the end of a part of a run, without the waits of
 * a site. What each gains in the parts adds up; the run gains what the last of them does.
 */
struct ct_shift {
	uint32_t site;            /* of the part; CT_NONE: without all sites' waits */
	uint32_t thread, stream;  /* into the model's; CT_NONE for one of them */
	int64_t ns;
};

struct ct_serialization {
	CT_ARRAY(struct ct_shift) shifts; /* of a part of a run only */
	CT_ARRAY(struct ct_pair) pairs;   /* by lost_ns of their culprit's site, then by time */
	uint64_t pair_count;              /* how many were found: of a long run, more than pairs has */
	uint64_t lost_ns;                 /* the run would be this much shorter without all of them */
	uint64_t alone_ns;                /* without one site's, added up over the sites */
	/* the replay that changes nothing, against the run: */
	uint64_t replay_error_ns;         /* of its end */
	uint64_t start_error_sum_ns, start_error_max_ns; /* of the operations' starts */
	uint32_t sites_evaluated, sites_skipped;
};

/*
 * Find the pairs, and the loss of each call site by replaying the run without its
 * waits. Fills lost_ns of the sites and ranks them. Returns 0 or -ENOMEM.
 */
int ct_serialize_find(const struct ct_model *model, struct ct_sites *sites,
		      struct ct_serialization **ret);
void ct_serialization_destroy(struct ct_serialization *serialization); /* accepts NULL */

/* Is this call a culprit: did it wait, unasked, for long enough to matter? */
bool ct_serialize_culprit(const struct ct_host_call *call);

#endif
