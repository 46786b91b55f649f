/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: what the documentation says each kind of call synchronises with,
 * beside what this run observed.
 */
#ifndef CT_ANALYZE_LEDGER_H
#define CT_ANALYZE_LEDGER_H

#include "analyze/model.h"

struct ct_ledger_line {
	enum ct_api api;
	const char *documented, *source; /* "" if nobody looked it up */
	uint32_t calls;
	uint32_t chances;      /* made while its device had work in flight: it could have waited */
	uint32_t waited;       /* of those, waited for device work */
	uint32_t elsewhere;    /* made while only other devices had work in flight */
	uint32_t waited_elsewhere; /* waited for that of another device than their own */
	uint32_t locked;       /* waited for another thread's call */
	uint64_t longest_ns;   /* the longest call */
	uint64_t longest_wait_ns;
	uint32_t longest_wait; /* index of that wait, of any part but driver work and tool; CT_NONE */
	uint32_t blocked;      /* calls blocked for CT_LEDGER_BLOCKED_NS or longer */
};

#define CT_LEDGER_BLOCKED_NS 20000 /* shorter waits did not block, for people */

struct ct_ledger {
	CT_ARRAY(struct ct_ledger_line) lines; /* by longest wait */
};

/* The ledger of lines by enum ct_api, of which those without calls are left out. 0 or -ENOMEM. */
int ct_ledger_of(const struct ct_ledger_line all[CT_API_COUNT], struct ct_ledger **ret);

/* Of the core of a model that ct_blocking_find() has been over. Returns 0 or -ENOMEM. */
int ct_ledger_make(const struct ct_model *model, struct ct_ledger **ret);
void ct_ledger_destroy(struct ct_ledger *ledger); /* accepts NULL */

#endif
