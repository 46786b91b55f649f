/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who held the driver's lock. The driver tells nobody; it is inferred from calls of
 * different threads that overlap, where one is of a kind that holds a lock and the
 * other of a kind that needs it, and the holder's own wait was over first.
 */
#ifndef CT_ANALYZE_LOCK_H
#define CT_ANALYZE_LOCK_H

#include "analyze/model.h"

struct ct_locks;

/* Prepare for a model whose calls are joined. Returns 0 or -ENOMEM. */
int ct_locks_create(const struct ct_model *model, struct ct_locks **ret);
void ct_locks_destroy(struct ct_locks *locks); /* accepts NULL */

/*
 * The call of another thread that held the lock `call` needed, given how much of
 * its time is still unexplained; CT_NONE if there is none or it is too little to
 * tell.
 */
uint32_t ct_locks_holder(const struct ct_locks *locks, const struct ct_host_call *call,
			 uint64_t unexplained_ns);

/*
 * The call by which the same thread took the lock again before `call` got it: the lock is not
 * handed over, and who has just let it go is faster than who sleeps. CT_NONE if it did not.
 */
uint32_t ct_locks_next(const struct ct_locks *locks, const struct ct_host_call *call,
		       uint32_t holder);

#endif
