/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that queue for the driver's locks behind many others: none of those is long, and
 * together they keep a call waiting.
 */
#ifndef CT_ANALYZE_CONVOY_H
#define CT_ANALYZE_CONVOY_H

#include "analyze/model.h"

struct ct_convoys;

/* Returns 0, or -ENOMEM. Destroy accepts NULL. */
int ct_convoys_create(const struct ct_model *model, struct ct_convoys **ret);
void ct_convoys_destroy(struct ct_convoys *convoys);

/*
 * Were, for nearly all of a call's time, at least three other threads inside calls that
 * take the locks of its device? Then *ret is the index of the call that ended last before it:
 * whoever had the lock before it; else CT_NONE. Returns 0 or -ENOMEM.
 */
int ct_convoy_before(struct ct_convoys *convoys, const struct ct_host_call *call, uint32_t *ret);

#endif
