/* SPDX-License-Identifier: Apache-2.0 */
/* Which unfinished device work a call has to wait for, by the rules of what it does. */
#ifndef CT_ANALYZE_SCOPE_H
#define CT_ANALYZE_SCOPE_H

#include "analyze/model.h"

#define CT_SCOPE_STREAMS_MAX 256

/* How close two times on host and device must be to count as one: CUPTI interpolates. */
#define CT_TOUCH_NS 5000

struct ct_scope {
	uint32_t count;
	uint32_t pending[CT_SCOPE_STREAMS_MAX]; /* per stream, the last unfinished operation */
	uint32_t last;      /* of them, the one that ended last; CT_NONE */
	uint64_t until_ns;  /* the wait ends here at the latest: the call's own copy, or its return */
	bool asked;         /* the program asked for this wait */
	bool chance;        /* something was in flight: it waited, or it could have */
	bool elsewhere;     /* it was another device's work than the call's */
	const char *why;    /* the rule, one clause */
};

/*
 * Fill *ret with what `call` may wait for. An empty scope (count 0) says that it waits
 * for nothing on the device, or that all of it had finished when the call began.
 */
void ct_scope_of(const struct ct_model *model, const struct ct_host_call *call,
		 struct ct_scope *ret);

/*
 * What a call that asks to wait is about, done or not: the last operation of its stream, or before
 * its event; CT_NONE if none is known, or, with *ret_all, all work of its context.
 */
uint32_t ct_scope_asked(const struct ct_model *model, const struct ct_host_call *call, bool *ret_all);

/* May a call of this kind wait for work in flight, of which nothing is known? */
bool ct_scope_may_wait(const struct ct_host_call *call);

#endif
